"""A small synthetic patient for the tutorials: twelve regions, sixteen channels, known truth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

import inference
import virtualbrain
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power

AREAS = ["insula", "fusiform", "inferiortemporal", "middletemporal", "superiortemporal"]
REGIONS = ["Right-Hippocampus", "Right-Amygdala"] + [
    f"ctx-{side}-{area}" for side in ("rh", "lh") for area in AREAS
]
EZ = ["Right-Hippocampus", "Right-Amygdala"]


@dataclass(frozen=True)
class SmallPatient:
    """Network, region table, truth, simulated seizure and the problem to fit."""

    network: virtualbrain.Network
    regions: pd.DataFrame
    x0: np.ndarray
    seizure: xr.Dataset
    problem: inference.Problem


def small_patient(seed: int = 1) -> SmallPatient:
    """Simulate a seizure that starts in two regions, and record it with sixteen channels."""
    rng = np.random.default_rng(seed)
    table = region_table(rng)
    centres = table[["x", "y", "z"]].to_numpy()
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    weights = np.exp(-distance / 25) * rng.lognormal(0, 0.4, distance.shape)
    weights = weights + weights.T
    network = virtualbrain.Network(weights, lengths=distance, regions=REGIONS).normalised()
    x0 = np.where(np.isin(REGIONS, EZ), -1.6, -2.3)
    model = virtualbrain.Epileptor(x0=x0, K=3.0, r=1.3e-4, tt=0.08)
    seizure = virtualbrain.simulate(
        network, model, duration=34, seed=seed, noise={"x2": 2.5e-4, "y2": 2.5e-4}
    )
    return SmallPatient(network, table, x0, seizure, problem_of(seizure, network, centres, rng))


def region_table(rng: np.random.Generator) -> pd.DataFrame:
    """Return twelve regions of the temporal lobes, most of them on the right side (mm)."""
    right = np.array([name.startswith(("Right", "ctx-rh")) for name in REGIONS])
    centres = rng.uniform([25, -40, -25], [60, 15, 10], (len(REGIONS), 3))
    centres[~right, 0] *= -1
    return pd.DataFrame(
        {
            "name": REGIONS,
            "hemisphere": np.where(right, "R", "L"),
            "structure": ["subcortex"] * 2 + ["cortex"] * 10,
            **dict(zip("xyz", centres.T, strict=True)),
            "volume": rng.uniform(2000, 8000, len(REGIONS)).round(),
        }
    )


def problem_of(
    seizure: xr.Dataset,
    network: virtualbrain.Network,
    centres: np.ndarray,
    rng: np.random.Generator,
) -> inference.Problem:
    """Record the seizure near the regions, and compute the envelope of every channel."""
    seen = np.r_[np.arange(len(REGIONS)), [0, 1, 2, 3]]
    contacts = centres[seen] + rng.normal(0, 3, (len(seen), 3))
    squared = ((contacts[:, None] - centres[None]) ** 2).sum(axis=-1)
    lead = 1 / (squared + 25)
    signal = lead @ seizure["lfp"].to_numpy().T
    signal += 0.0005 * rng.standard_normal(signal.shape)
    times = seizure["time"].to_numpy()
    choices = EnvelopeChoices(
        band_hz=(10, 110), window_s=0.5, smoothing_s=0.3, baseline_s=(0.5, 4.0)
    )
    power, _ = log_power(signal, times, 256.0, choices)
    seizing = times[(seizure["x1"] > 0).any("region").to_numpy()]
    onset, end = seizing[0], seizing[-1]
    kept = np.flatnonzero((times > onset - 4) & (times < end + 4))[::64]  # 4 Hz
    return inference.Problem(
        power.T[kept], lead**2, network.weights, regions=REGIONS, times=times[kept] - onset
    )
