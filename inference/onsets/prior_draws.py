"""Draw from the prior of the onset model: what a fit would say without any recording."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit

from inference.futures import States, complete
from inference.onsets.fit import OnsetSample, with_dynamics
from inference.onsets.recording import unseen_regions
from inference.sources import prior_log_odds

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Stated regions start in this fraction of the draws at least; the weights of the draws undo it.
OFTEN = 0.15


def prior_draws(
    sample: OnsetSample, n_draws: int, often: Sequence[str], rng: np.random.Generator
) -> xr.Dataset:
    """Draw zones, onsets and dynamics from the prior of a sample.

    The zone is drawn with the prior odds of the regions, without source evidence; its regions start
    by themselves and the network recruits others (`inference.onsets.recruitment`). Regions that no
    channel sees stay silent, as in the fit. The dynamics are found as for draws of the posterior.

    Parameters
    ----------
    sample : OnsetSample
        Problem, priors and rules; its draws are not read.
    n_draws : int
        Number of draws.
    often : sequence of str
        Regions of which enough draws are wanted that start seizures (importance sampling).
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    xarray.Dataset
        As the group `posterior` of a fit with one chain, and ``weight`` (chain, draw) of the sum 1.
    """
    rules, density = sample.rules, sample.density
    unseen = unseen_regions(sample.data.gain)
    p = _p_zone(sample, unseen)
    chance = np.where(np.isin(density.problem.regions, often), np.maximum(p, OFTEN), p)
    zone = rng.random((n_draws, len(unseen))) < chance
    weight = np.where(zone, p / chance, (1.0 - p) / (1.0 - chance)).prod(axis=1)
    threshold = rules.threshold + rules.threshold_sd_patient * rng.standard_normal(n_draws)
    peak = rules.peak + rules.peak_sd_patient * rng.standard_normal(n_draws)
    patients = np.stack([threshold, peak], axis=1)
    drawn = [
        _seizures(one, ~unseen, patient, sample, rng)
        for one, patient in zip(zone, patients, strict=True)
    ]
    active, onset, offset = (
        np.stack([[getattr(state, name) for state in states] for states in drawn])
        for name in ("active", "onset", "offset")
    )
    found = with_dynamics((active, onset, offset), zone, threshold, peak, density, rng)
    return found.assign(weight=(("chain", "draw"), (weight / weight.sum())[None]))


def _p_zone(sample: OnsetSample, unseen: Mask) -> Array:
    """Return the prior probability of each region; an unseen one has not seized in any seizure."""
    p = expit(prior_log_odds(sample.density.priors, sample.density.problem))
    silent = p * sample.rules.p_silent ** (len(sample.data.bounds) - 1)
    return np.asarray(np.where(unseen, silent / (silent + 1.0 - p), p))


def _seizures(
    zone: Mask, seen: Mask, patient: Array, sample: OnsetSample, rng: np.random.Generator
) -> Sequence[States]:
    """Draw every seizure of one truth; the states have the dim region."""
    bounds, found = sample.data.bounds, []
    for low, high in pairwise(bounds):
        state = States(np.zeros(len(zone), dtype=bool), *np.zeros((4, len(zone))))
        times = sample.data.times[low:high]
        complete(state, zone & seen, seen & ~zone, times, patient, sample, rng)
        found.append(state)
    return found
