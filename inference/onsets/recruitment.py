r"""Prior of the onsets: which regions start by themselves and which the network recruits.

Region i receives the input :math:`u_i(t) = \sum_j C_{ij} s_j(t)` with :math:`s_j = 1` while region
j seizes. The slow variable of a resting Epileptor falls at a rate proportional to its input, so a
region is recruited when the integrated input :math:`U_i(t) = \int_0^t u_i` reaches a threshold that
its excitability sets. Thresholds are log-normal. A fraction of the regions can be recruited at all.
An epileptogenic region needs no input: it starts near the marked onset or at any time.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from inference.kernels.common import jit
from inference.onsets.rules import Rules

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_TINY = 1e-9
_SMALL = 1e-100
ROOT_2PI = math.sqrt(2.0 * math.pi)
# Density of an onset that neither rule explains, per window.
_UNEXPLAINED = 1e-7
# Table of the normal distribution function; linear between its places it is right to 1e-6.
_FAR, _PER_UNIT = 5, 256
_BELOW = ndtr(np.linspace(-_FAR, _FAR, 2 * _FAR * _PER_UNIT + 1))


@jit
def below(x: float) -> float:
    """Return the standard normal distribution function, to 1e-6, from a table."""
    if abs(x) >= _FAR:
        return 0.0 if x < 0 else 1.0
    place = (x + _FAR) * _PER_UNIT
    k = int(place)
    return float(_BELOW[k] + (place - k) * (_BELOW[k + 1] - _BELOW[k]))


@jit
def input_until(
    region: int, time: float, seizing: Integers, onset: Array, offset: Array, weights: Array,
    rules: Rules,
) -> tuple[float, float]:  # fmt: skip
    """Return integrated and present input of a region at a time."""
    total, now = 0.0, 0.0
    until = time - rules.delay_s
    for j in seizing:
        lasted = min(until, offset[j]) - onset[j]
        if lasted > 0.0 and j != region:
            weight = weights[region, j] + rules.weak_input
            total += weight * lasted
            if until < offset[j]:
                now += weight
    return total, now


@jit
def _lasted(until: float, seizing: Integers, onset: Array, offset: Array) -> Array:
    """Return for how long each seizing region has seized at a time."""
    lasted = np.empty(len(seizing))
    for k in range(len(seizing)):
        lasted[k] = max(min(until, offset[seizing[k]]) - onset[seizing[k]], 0.0)
    return lasted


@jit
def log_prior_of_onsets(
    active: Array, onset: Array, offset: Array, weights: Array, first: Array, last: Array,
    prior_p_ez: Array, threshold: float, rules: Rules, p_ez: Array,
) -> float:  # fmt: skip
    """Return the log prior of all onsets, and fill the probability of being epileptogenic.

    Parameters
    ----------
    active, onset, offset : numpy.ndarray, shape (n_seizures, n_regions)
        Which regions seize, from when to when, seconds.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    first, last : numpy.ndarray, shape (n_seizures,)
        Window of each seizure, seconds.
    prior_p_ez : numpy.ndarray, shape (n_regions,)
        Prior probability of being epileptogenic.
    threshold : float
        Mean log threshold of the patient.
    rules : Rules
        Numbers of the prior.
    p_ez : numpy.ndarray, shape (n_regions,)
        Filled.
    """
    n_seizures, n = active.shape
    own, other = prior_p_ez.copy(), 1.0 - prior_p_ez
    for s in range(n_seizures):
        seizing = np.flatnonzero(active[s])
        lasted = _lasted(last[s] - rules.delay_s, seizing, onset[s], offset[s])
        window = last[s] - first[s]
        for i in range(n):
            if active[s, i]:
                time = onset[s, i]
                summed, now = input_until(i, time, seizing, onset[s], offset[s], weights, rules)
                own[i] *= spontaneous(time, window, rules)
                other[i] *= recruited(summed, now, threshold, window, rules)
            else:
                summed = 0.0
                for k in range(len(seizing)):
                    summed += (weights[i, seizing[k]] + rules.weak_input) * lasted[k]
                own[i] *= rules.p_silent
                other[i] *= unrecruited(summed, threshold, rules)
    total, product = 0.0, 1.0
    for i in range(n):
        both = own[i] + other[i]
        p_ez[i] = own[i] / both
        product *= both
        if product < _SMALL or i == n - 1:  # few logarithms, no underflow
            total += math.log(product)
            product = 1.0
    return total


@jit
def spontaneous(onset: float, window: float, rules: Rules) -> float:
    """Return the density of the onset of an epileptogenic region."""
    near = math.exp(-abs(onset) / rules.early_s) / (2.0 * rules.early_s)
    return (1.0 - rules.early) / window + rules.early * near


@jit
def recruited(summed: float, now: float, threshold: float, window: float, rules: Rules) -> float:
    """Return the density of the onset of another region, with its integrated and present input."""
    u = (math.log(max(summed, _TINY)) - threshold) / rules.threshold_sd
    density = now * math.exp(-0.5 * u * u) / (max(summed, _TINY) * ROOT_2PI)
    return rules.recruitable * density / rules.threshold_sd + _UNEXPLAINED / window


@jit
def unrecruited(summed: float, threshold: float, rules: Rules) -> float:
    """Return the probability that another region does not seize with this integrated input."""
    u = (math.log(max(summed, _TINY)) - threshold) / rules.threshold_sd
    return 1.0 - rules.recruitable * float(below(u))
