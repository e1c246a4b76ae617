r"""A second opinion on onset times: the threshold propagation model of Sip et al. 2021.

A region's slow variable rises as :math:`z_i' = f(c_i, y_i)` with :math:`y_i = \sum_j w_{ij}`
over seizing j; the region seizes for good when it reaches one. :math:`\log f` is bilinear in
excitability c and input y, given by its values at c = -1, 1 and y = 0, 1. Between events
everything is constant, so the solution is exact, event by event.
"""

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from inference.problem import Problem
from virtualbrain.network import normalise_weights

Array = NDArray[np.float64]

# Corner values of log f (c, y) = (-1, 0), (1, 0), (-1, 1), (1, 1): "strong" of the source.
STRONG = np.array([-12.70, -12.70 + 5.53, 15.48, 15.48 + 75.21])
ONSET_SD_S = 5.0
LIMIT_S = 90.0
FIRST_ONSET_S = 30.0
EPILEPTOGENIC_C = 2.0
SEEN_SHARE = 0.5
ONSET_LEVEL = float(np.log(5.0))

_jit: Any = numba.njit(cache=True, nogil=True)


@_jit
def onset_times(c: Array, weights: Array, corners: Array, limit_s: float) -> Array:
    """Return every region's onset; infinite where it does not come before the limit."""
    n = c.size
    z, y = np.zeros(n), np.zeros(n)
    rate = np.empty(n)
    onset = np.full(n, np.inf)
    now = 0.0
    for _ in range(n):
        first, wait = -1, np.inf
        for i in range(n):
            if onset[i] < np.inf:
                continue
            low = (1 - c[i]) * corners[0] + (1 + c[i]) * corners[1]
            high = (1 - c[i]) * corners[2] + (1 + c[i]) * corners[3]
            rate[i] = np.exp(min(0.5 * ((1 - y[i]) * low + y[i] * high), 50.0))
            if (1 - z[i]) < wait * rate[i]:
                first, wait = i, (1 - z[i]) / rate[i]
        if first < 0 or now + wait > limit_s:
            break
        now += wait
        for i in range(n):
            if onset[i] == np.inf:
                z[i] = min(z[i] + wait * rate[i], 1.0)
                y[i] += weights[i, first]
        onset[first] = now
    return onset


@_jit
def _log_likelihood(
    c: Array, weights: Array, corners: Array, observed: Array, limit_s: float, sd_s: float
) -> float:
    """Log density of observed onsets: NaN where unknown, infinite where none came."""
    found = onset_times(c, weights, corners, limit_s)
    total = 0.0
    for i in range(c.size):
        if np.isnan(observed[i]):
            continue
        gap = min(found[i], limit_s) - min(observed[i], limit_s)
        total -= 0.5 * (gap / sd_s) ** 2
    return total


@_jit
def _elliptical(
    c: Array,
    weights: Array,
    corners: Array,
    observed: Array,
    limit_s: float,
    sd_s: float,
    directions: Array,
    uniforms: Array,
) -> Array:
    """Elliptical slice sampling of c ~ N(0, 1); the random numbers are drawn outside."""
    n_draws = len(directions)
    kept = np.empty((n_draws, c.size))
    value = _log_likelihood(c, weights, corners, observed, limit_s, sd_s)
    for d in range(n_draws):
        level = value + np.log(uniforms[d, 0])
        angle = 2 * np.pi * uniforms[d, 1]
        low, high = angle - 2 * np.pi, angle
        for k in range(2, uniforms.shape[1]):
            trial = c * np.cos(angle) + directions[d] * np.sin(angle)
            proposed = _log_likelihood(trial, weights, corners, observed, limit_s, sd_s)
            if proposed > level:
                c, value = trial, proposed
                break
            if angle < 0:
                low = angle
            else:
                high = angle
            angle = low + (high - low) * uniforms[d, k]
        kept[d] = c
    return kept


@dataclass(frozen=True)
class SecondOpinion:
    """`table`: region, onset_s observed, p_ez = P(c > 2), c_mean; `draws` of c (draw, region)."""

    table: pd.DataFrame
    draws: Array


def second_opinion(
    problem: Problem, seed: int = 1, n_draws: int = 4000, corners: Array = STRONG
) -> SecondOpinion:
    """Infer excitabilities from onset times alone.

    Parameters
    ----------
    problem : Problem
        The first seizure is used: a channel's onset is its first sample above five times the
        baseline's power; a region takes the lower median of the channels that see mostly it.
    seed, n_draws
        Of the sampler; the first half of the draws is dropped.
    corners : array, shape (4,)
        Log f at (c, y) = (-1, 0), (1, 0), (-1, 1), (1, 1).
    """
    observed = region_onsets(problem)
    known = np.isfinite(observed)
    shift = FIRST_ONSET_S - (observed[known].min() if known.any() else 0.0)
    weights = normalise_weights(problem.weights, "none")
    weights = weights / max(float(weights.sum(axis=1).max()), 1e-12)
    rng = np.random.default_rng(seed)
    draws = _elliptical(
        0.1 * rng.standard_normal(problem.n_regions), weights, corners, observed + shift, LIMIT_S,
        ONSET_SD_S, rng.standard_normal((n_draws, problem.n_regions)), rng.random((n_draws, 60)),
    )[n_draws // 2 :]  # fmt: skip
    table = pd.DataFrame(
        {
            "region": list(problem.regions),
            "onset_s": np.where(known, observed, np.nan),
            "p_ez": (draws > EPILEPTOGENIC_C).mean(axis=0),
            "c_mean": draws.mean(axis=0),
        }
    )
    return SecondOpinion(table.sort_values("c_mean", ascending=False, ignore_index=True), draws)


def region_onsets(problem: Problem) -> Array:
    """Return observed onsets per region (seconds): infinite where none, NaN where not seen."""
    envelope, times = problem.envelope[0], problem.times[0]
    high = envelope > ONSET_LEVEL
    per_channel = np.where(high.any(axis=0), times[high.argmax(axis=0)], np.inf)
    main = problem.gain.argmax(axis=1)
    trusted = problem.gain.max(axis=1) >= SEEN_SHARE
    onsets = np.full(problem.n_regions, np.nan)
    for region in np.unique(main[trusted]):
        values = np.sort(per_channel[trusted & (main == region)])
        onsets[region] = values[(len(values) - 1) // 2]
    return onsets
