"""One sample from all data of a patient, for the ablation and for the value of new data."""

from dataclasses import replace

from inference.onsets.fit import OnsetSample, sample_onsets
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings

MOVES, DRAWS, CHAINS = 15_000, 200, 2


def sample_all(problem: Problem, priors: Priors, settings: Settings) -> OnsetSample:
    """Sample the onset model from all data, with the numbers of this module."""
    small = replace(
        settings, method="onsets", moves=MOVES, extension=0.0, draws=DRAWS, chains=CHAINS,
        normalisation=problem.normalisation,
    )  # fmt: skip
    return sample_onsets(problem, priors, small)
