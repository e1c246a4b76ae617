"""Draw which regions are epileptogenic, from the probabilities in each draw."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# So many successive draws are put into a random order.
SUCCESSIVE = 50
_FURTHEST_LOG_ODDS = 40.0
_N_BISECTIONS = 50


def shifted(p_ez: Array, mean: Array) -> Array:
    """Shift the log odds of each region by the same number in all draws, to a given mean.

    Draws in which a region was likely stay the likelier ones, so that the sets of regions that the
    draws hold together are kept.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_draws, n_regions)
        Probability in each draw.
    mean : numpy.ndarray, shape (n_regions,)
        Mean wanted over the draws.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
    """
    odds = np.clip(logit(p_ez), -_FURTHEST_LOG_ODDS, _FURTHEST_LOG_ODDS)
    low = np.full(len(mean), -2.0 * _FURTHEST_LOG_ODDS)
    high = -low
    for _ in range(_N_BISECTIONS):
        middle = 0.5 * (low + high)
        below = expit(odds + middle).mean(axis=0) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(expit(odds + 0.5 * (low + high)))


def drawn(p_ez: Array, rng: np.random.Generator) -> Mask:
    """Draw which regions are epileptogenic, with the least Monte Carlo error of their frequency.

    Systematic sampling: in a random order of each `SUCCESSIVE` draws, a region is epileptogenic
    where the sum of its probabilities passes a whole number. Its frequency differs from the mean
    probability by less than one draw, in all draws and in each part of a chain.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_draws, n_regions)
        Probability in each draw.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    numpy.ndarray of bool, shape (n_draws, n_regions)
    """
    part = np.arange(len(p_ez)) // SUCCESSIVE
    order = np.argsort(part[:, None] + rng.random(p_ez.shape), axis=0)
    summed = np.cumsum(np.take_along_axis(p_ez, order, axis=0), axis=0) + rng.random(p_ez.shape[1])
    passes = np.diff(np.floor(summed), axis=0, prepend=0.0) > 0.0
    ez = np.empty(p_ez.shape, dtype=bool)
    np.put_along_axis(ez, order, passes, axis=0)
    return ez
