"""
Simulate a seizure
==================

Twelve regions of the temporal lobes are connected. Two of them start seizures; the network
recruits others, or does not. You need :class:`virtualbrain.Network`,
:class:`virtualbrain.Epileptor` and :func:`virtualbrain.simulate`.
"""

# %%
# The network
# -----------
# Weights fall with the distance of two regions. :meth:`~virtualbrain.Network.normalised` divides
# them by their mean row sum, because the coupling K has a meaning only for scaled weights.

import matplotlib.pyplot as plt
import numpy as np

import virtualbrain

areas = ["insula", "fusiform", "inferiortemporal", "middletemporal", "superiortemporal"]
regions = ["Right-Hippocampus", "Right-Amygdala"]
regions += [f"ctx-{side}-{area}" for side in ("rh", "lh") for area in areas]

rng = np.random.default_rng(1)
centres = rng.uniform([25, -40, -25], [60, 15, 10], (12, 3))  # mm, scanner RAS
centres[7:, 0] *= -1  # the left side
lengths = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
weights = np.exp(-lengths / 25)
network = virtualbrain.Network(weights, lengths=lengths, regions=regions).normalised()

# %%
# The model
# ---------
# Every region is an Epileptor. The larger its excitability x0, the closer it is to a seizure; above
# a threshold near -2.06 it starts seizures. Here two regions are above it.

x0 = np.full(12, -2.3)
x0[:2] = -1.6
model = virtualbrain.Epileptor(x0=x0, K=3.0).slowed_to(25)  # a seizure of about 25 s

seizure = virtualbrain.simulate(
    network, model, duration=60, seed=1, noise={"x2": 2.5e-4, "y2": 2.5e-4}
)
seizure

# %%
# The seizure
# -----------
# `lfp` is what an electrode beside the region would record, in the units of the model.


def draw(run, title):
    """Draw the signal of every region, one row each."""
    _, axis = plt.subplots(figsize=(7, 5), layout="constrained")
    signal = run["lfp"] - run["lfp"].isel(time=slice(0, 256)).mean("time")
    for row, name in enumerate(regions):
        axis.plot(run["time"], signal.sel(region=name) / 3 - row, lw=0.6)
    axis.set_yticks(-np.arange(12), regions, fontsize=8)
    axis.set_xlabel("seconds")
    axis.set_title(title, fontsize=10)


draw(seizure, "Signals of twelve regions, coupling K = 3")

# %%
# Which regions seize, and when? The first population of a region that seizes is above zero.

seizing = seizure["x1"] > 0
for name in regions:
    times = seizure["time"].to_numpy()[seizing.sel(region=name)]
    if len(times):
        print(f"{name:26s} onset {times[0]:5.1f} s")

# %%
# Less coupling
# -------------
# The coupling decides how far a seizure spreads: with a weak one only the two regions seize.

weak = virtualbrain.Epileptor(x0=x0, K=0.3).slowed_to(25)
alone = virtualbrain.simulate(
    network, weak, duration=60, seed=1, noise={"x2": 2.5e-4, "y2": 2.5e-4}
)
draw(alone, "Signals of twelve regions, coupling K = 0.3")

# %%
# Next: :doc:`fit a seizure <tutorial_2_fit_a_seizure>`. Equations and signs:
# :doc:`conventions </conventions>`.
