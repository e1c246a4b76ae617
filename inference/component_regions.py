r"""Find in which regions the independent components of a recording arise.

The log power of component k in channel c is :math:`\log(a H_{ci} + f) + e_c` if it arises in
region i, with an amplitude a, a floor f below which nothing is known, and the gain errors e of the
onset model: Student t, larger below zero. Each region is equally likely before. The errors of
neighbouring channels are alike, so the likelihood is tempered.
"""

import numpy as np
from numpy.typing import NDArray

from inference.onsets.rules import Rules
from inference.problem import Problem

Array = NDArray[np.float64]

# Exponent of the gain, and floor of the power; see docs/lab-notes.
GAIN_POWER = 0.8
FLOOR = 0.002
TEMPERING = 0.25
# Part of each component that could arise anywhere.
ANYWHERE = 0.03
# The gain errors are those of the onset model.
_ERRORS = Rules()
_LOG_AMPLITUDES = np.linspace(-2.5, 2.5, 21)


def region_probability(power: Array, gain: Array) -> Array:
    """Return the probability that each component arises in each region.

    Parameters
    ----------
    power : numpy.ndarray, shape (n_channels, n_components)
        Power of each component in each channel.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Not negative.

    Returns
    -------
    numpy.ndarray, shape (n_components, n_regions)
        Rows of unit sum.
    """
    seen = gain.max(axis=0)
    mixing = (gain / np.where(seen > 0, seen, 1.0)) ** GAIN_POWER
    expected = np.log(mixing[:, :, None] * np.exp(_LOG_AMPLITUDES) + FLOOR)
    rows = np.stack([_log_likelihood(part / part.max(), expected) for part in power.T])
    rows = np.exp(TEMPERING * (rows - rows.max(axis=1, keepdims=True)))
    rows /= rows.sum(axis=1, keepdims=True)
    return np.asarray((1.0 - ANYWHERE) * rows + ANYWHERE / gain.shape[1])


def _log_likelihood(power: Array, expected: Array) -> Array:
    """Return the log likelihood of each region at its best amplitude, (n_regions,)."""
    error = np.log(power + FLOOR)[:, None, None] - expected
    spread, degrees = np.where(error < 0, _ERRORS.lower, _ERRORS.higher), _ERRORS.error_degrees
    cost = 0.5 * (degrees + 1.0) * np.log1p(error**2 / (degrees * spread**2))
    return np.asarray(-cost.sum(axis=0).min(axis=1))


def regions_of_components(problem: Problem) -> Array:
    """Return the probability (n_components, n_regions) for the components of a problem."""
    if problem.components is None:
        return np.zeros((0, problem.n_regions))
    return region_probability(problem.components.power, problem.gain)
