"""Prepare a problem for the onset sampler."""

import numpy as np
from numpy.typing import NDArray

from inference.component_regions import regions_of_components
from inference.onsets.states import Recording
from inference.problem import Problem
from inference.sources import source_excess
from virtualbrain.network import normalise_weights
from virtualbrain.seeg.gain import column_cosines, unit_rows

Array = NDArray[np.float64]

# Less than one flattens the gain; large gains are the least certain.
GAIN_POWER = 0.8
LOG_POWER_RANGE = (-1.5, 12.0)
# Regions that no channel sees better than this are never switched on.
LEAST_GAIN = 0.06
# How often regions are exchanged: power of the cosine of their gains, and the least.
PARTNER_POWER, LEAST_PARTNER = 3.0, 1e-3
LOUDNESS_FRACTION = 0.5
_HINT_POWER = 4.0
# Number of channels that see a region most.
SEE_MOST = 10
_REST_BEFORE_S = -1.0
# Noise variance of a component relative to that of a channel: other sources are separated from it.
COMPONENT_VARIANCE = 0.06


def recording_of(problem: Problem, prior_p_ez: Array, n_steps: int, noise: float) -> Recording:
    """Return the data of a problem as the sampler reads them.

    Independent components follow the channels as if they were channels: their gain is the
    probability to arise in each region. Every array is C-contiguous: another order would compile
    the sampler again.

    Parameters
    ----------
    problem : Problem
        Envelopes, gain and connectome.
    prior_p_ez : numpy.ndarray, shape (n_regions,)
        Prior probability of being epileptogenic.
    n_steps : int
        Steps per seizure.
    noise : float
        Standard deviation of the model error of log power.
    """
    envelopes, seconds = problem.on_grid(n_steps)
    envelopes = np.concatenate([envelopes, problem.components_on_grid(n_steps)], axis=2)
    rows = regions_of_components(problem) ** (1.0 / GAIN_POWER)  # `flattened` takes the power again
    seen = np.concatenate([problem.gain, unit_rows(rows)])
    observed = np.clip(np.concatenate(list(envelopes)), *LOG_POWER_RANGE).T
    times = np.concatenate(list(seconds))
    gain = flattened(seen)
    power = [np.log1p(source_excess(envelope, seen)) for envelope in envelopes]
    chance = _switch_chance(power, gain)
    rest = times < _REST_BEFORE_S
    spread = observed[:, rest].std(axis=1) if rest.sum() > 3 else np.zeros(len(observed))
    return Recording(
        observed=np.ascontiguousarray(observed, dtype=np.float32),
        variance=_variance(noise**2 + spread**2, problem.n_channels),
        gain=np.ascontiguousarray(gain),
        weights=np.ascontiguousarray(normalise_weights(problem.weights, "strength")),
        times=times,
        prior_p_ez=prior_p_ez,
        bounds=np.arange(0, len(times) + 1, n_steps),
        chance=np.cumsum(chance),
        hint_s=np.stack([_onset_hint(p, s) for p, s in zip(power, seconds, strict=True)]),
        partner_chance=_partner_chance(gain, chance),
        loudness=LOUDNESS_FRACTION * np.log(np.linalg.norm(gain, axis=0)),
        sees_most=_sees_most(gain),
    )


def _variance(of_channels: Array, n_channels: int) -> Array:
    """Return the noise variance of channels and, smaller, of the components after them."""
    factor = np.where(np.arange(len(of_channels)) < n_channels, 1.0, COMPONENT_VARIANCE)
    return np.asarray(factor * of_channels)


def _sees_most(gain: Array) -> NDArray[np.bool_]:
    """Return which channels see each region most, (n_regions, n_channels)."""
    rank = np.argsort(np.argsort(-gain, axis=0, kind="stable"), axis=0)
    return np.ascontiguousarray(rank.T < SEE_MOST)


def flattened(gain: Array) -> Array:
    """Return the gain (n_channels, n_regions) with smaller contrasts and rows of unit sum."""
    flat = gain**GAIN_POWER
    return np.ascontiguousarray(flat / flat.sum(axis=1, keepdims=True))


def unseen_regions(gain: Array) -> NDArray[np.bool_]:
    """Return the regions that are never switched on, from the result of `flattened`."""
    return np.asarray(gain.max(axis=0) <= LEAST_GAIN)


def _switch_chance(power: list[Array], gain: Array) -> Array:
    """Return how often each region is proposed, (n,): those with power in the sources more."""
    strongest = np.max([p.max(axis=0) for p in power], axis=0)
    chance = np.exp(np.minimum(strongest, 4.0))
    chance = 0.8 * chance / chance.sum() + 0.2 / len(chance)
    chance = chance * ~unseen_regions(gain)
    return np.asarray(chance / chance.sum())


def _onset_hint(power: Array, seconds: Array) -> Array:
    """Return when the source power of each region rises, or the middle of the window, (n,)."""
    high = power > np.log(_HINT_POWER)
    middle = 0.5 * (seconds[0] + seconds[-1])
    return np.asarray(np.where(high.any(axis=0), seconds[high.argmax(axis=0)], middle))


def _partner_chance(gain: Array, chance: Array) -> Array:
    """Return how often each region (row) is exchanged for each other, cumulated, (n, n).

    Regions with similar gain columns are chosen more often; unseen ones never.
    """
    weight = (column_cosines(gain) ** PARTNER_POWER + LEAST_PARTNER) * (chance > 0)
    np.fill_diagonal(weight, 0.0)
    summed = np.cumsum(weight, axis=1)
    return np.asarray(summed / np.maximum(summed[:, -1:], LEAST_PARTNER))
