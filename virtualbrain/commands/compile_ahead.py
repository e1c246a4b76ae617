"""Compile the code of fit and surgery on a small made-up patient, before a run needs it.

`virtualbrain.pipeline.compile_ahead` starts this module beside the first stages of a run.
"""

import os

import numpy as np
import pandas as pd

from inference.fit import fit
from inference.problem import Problem
from inference.settings import Settings
from inference.zones import zones
from virtualbrain.pipeline.compile_ahead import mark_compiled
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import SurgerySettings

_N_REGIONS, _N_CHANNELS = 8, 16
_SETTINGS = Settings(moves=600, draws=100, chains=1, cores=1)


def compile_fit_and_surgery() -> None:
    """Fit and operate on a made-up patient: two regions seize, one recruits the other."""
    rng = np.random.default_rng(1)
    seconds = np.arange(-5.0, 45.0, 0.5)
    gain = 0.02 + rng.random((_N_CHANNELS, _N_REGIONS)) ** 8
    weights = rng.random((_N_REGIONS, _N_REGIONS))
    weights = weights + weights.T
    np.fill_diagonal(weights, 0.0)
    power = np.zeros((len(seconds), _N_REGIONS))
    power[seconds > 0, 0], power[seconds > 8, 1] = 50.0, 30.0
    envelope = np.log1p(power @ gain.T) + 0.2 * rng.standard_normal((len(seconds), _N_CHANNELS))
    posterior = fit(Problem([envelope], gain, weights, times=[seconds]), settings=_SETTINGS)
    names = [str(name) for name in posterior["posterior"]["region"].to_numpy()]
    regions = pd.DataFrame({"name": names, "volume": 1000.0})
    settings = SurgerySettings(draws=20, leading=3, largest=2, sham=5, confirm=1)
    run_surgery(posterior, Patient(zones(posterior), regions), settings, rng)


if __name__ == "__main__":
    os.nice(10)
    compile_fit_and_surgery()
    mark_compiled()
