"""Compile the code of simulation, fit and surgery on a small made-up patient, before it is needed.

`virtualbrain.pipeline.compile_ahead` starts this module beside the first stages of a run and beside
the writing of a demo patient.
"""

import os
import sys
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from inference.fitting import fit
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network
from virtualbrain.pipeline.compile_ahead import SIMULATION_ONLY, mark_compiled
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import SurgerySettings

_N_REGIONS, _N_CHANNELS = 8, 16
_SETTINGS = Settings(moves=600, draws=100, chains=1, cores=1)


def compile_simulation(dtype: Literal["float32", "float64"]) -> None:
    """Simulate a moment of two regions; samples are kept as numbers of the type `dtype`."""
    network = Network(np.array([[0.0, 1.0], [1.0, 0.0]]))
    simulate(
        network,
        Epileptor(),
        duration=0.1,
        seed=1,
        noise={"x2": 0.001},
        options=Options(dtype=dtype),
    )


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


def main(arguments: Sequence[str]) -> None:
    """Compile everything, or the simulations of a demo patient if the arguments say so."""
    compile_simulation("float32")  # of seizures, in a demo patient and in surgery
    if SIMULATION_ONLY in arguments:
        compile_simulation("float64")  # of its single pulses
    else:
        compile_fit_and_surgery()
        mark_compiled()


if __name__ == "__main__":
    os.nice(19)
    main(sys.argv[1:])
