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

from inference.kernels.common import jit
from inference.onsets.rules import Rules

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_TINY = 1e-9
_SMALL = 1e-100
ROOT_2PI = math.sqrt(2.0 * math.pi)
# Density of an onset that neither rule explains, per window.
_UNEXPLAINED = 1e-7


@jit
def below(x: float) -> float:
    """Return the standard normal distribution function, to 1e-6."""
    if abs(x) > 4.8:
        return 0.0 if x < 0 else 1.0
    return 0.5 * math.erfc(-x / 1.4142135623730951)


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
        for i in range(n):
            time = onset[s, i] if active[s, i] else last[s]
            summed, now = input_until(i, time, seizing, onset[s], offset[s], weights, rules)
            if active[s, i]:
                window = last[s] - first[s]
                own[i] *= spontaneous(onset[s, i], window, rules)
                other[i] *= recruited(summed, now, threshold, window, rules)
            else:
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
