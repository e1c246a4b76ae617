"""
Fit a seizure
=============

A small synthetic patient has a seizure that starts in the right hippocampus and amygdala. The
fit gets what a clinic has, the recording, the gain and the connectome, and finds where the
seizure starts.

The patient shows how a fit is used, not how good it is: it was chosen among five because both
regions of the EZ come first, and in three of the others a region outside of the EZ was among the
first two. How often fits are right is measured on patients that nobody chose
(:doc:`/validation`).

:download:`small_patient.py </tutorials/small_patient.py>` makes the patient; put it beside this
script.
"""

# %%
# The data
# --------
# A :class:`inference.Problem` holds the envelope (log power of every channel above its
# baseline, time by channel), the gain (channel by region) and the weights (region by region).

import matplotlib.pyplot as plt
import numpy as np
from small_patient import EZ, small_patient

import inference

patient = small_patient()
problem = patient.problem

fig, axis = plt.subplots(figsize=(7, 4), layout="constrained")
image = axis.imshow(
    problem.envelope[0].T,
    aspect="auto",
    extent=(problem.times[0][0], problem.times[0][-1], problem.n_channels - 0.5, -0.5),
)
axis.set_xlabel("seconds from the marked onset")
axis.set_ylabel("channel")
axis.set_title("Envelope of sixteen channels: log power above the baseline", fontsize=10)
fig.colorbar(image, label="log power")

# %%
# The fit
# -------
# The default method samples the onsets of the regions and which of them start seizures. A
# tutorial takes fewer moves and draws; keep the defaults of :class:`inference.Settings` for a
# patient.

settings = inference.Settings(chains=2, moves=20_000, draws=400, cores=1, seed=1)
posterior = inference.fit(problem, settings=settings)

# %%
# The verdict first
# -----------------
# :func:`inference.diagnose` says whether the fit can be used, and why not. Look at it before
# anything else.

diagnosis = inference.diagnose(posterior)
print(diagnosis["verdict"])
for reason in diagnosis["reasons"]:
    print("-", reason)

# %%
# The regions
# -----------
# `p_ez` is the probability that a region starts seizures, `p_pz` that the network recruits it,
# `observability` how well the channels see it.

zones = inference.zones(posterior)
zones[["rank", "region", "p_ez", "p_pz", "onset_s", "observability"]].round(2)

# %%
fig, axis = plt.subplots(figsize=(7, 4), layout="constrained")
rows = np.arange(len(zones))
axis.barh(rows - 0.2, zones["p_ez"], 0.4, label="p_ez: starts seizures")
axis.barh(rows + 0.2, zones["p_pz"], 0.4, label="p_pz: is recruited")
names = [f"{name} (true EZ)" if name in EZ else name for name in zones["region"]]
axis.set_yticks(rows, names, fontsize=8)
axis.invert_yaxis()
axis.set_xlabel("probability")
axis.set_title("Probability that each region starts seizures, or is recruited", fontsize=10)
axis.legend()

# %%
# Keep it
# -------
# :func:`inference.save` writes the posterior as netCDF, :func:`inference.load` reads it. Next:
# :doc:`compare priors <tutorial_3_compare_priors>`.
