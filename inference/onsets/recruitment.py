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

_TINY = 1e-9
# Density of an onset that neither rule explains, per window.
_UNEXPLAINED = 1e-7


@jit
def below(x: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x / 1.4142135623730951)


@jit
def input_until(
    region: int, time: float, active: Array, onset: Array, offset: Array, weights: Array,
    rules: Rules,
) -> tuple[float, float]:  # fmt: skip
    """Return integrated and present input of a region at a time."""
    total, now = 0.0, 0.0
    until = time - rules.delay_s
    for j in range(len(active)):
        if active[j] and j != region:
            seizing = min(until, offset[j]) - onset[j]
            if seizing > 0.0:
                weight = weights[region, j] + rules.weak_input
                total += weight * seizing
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
    total = 0.0
    for i in range(n):
        own, other = prior_p_ez[i], 1.0 - prior_p_ez[i]
        for s in range(n_seizures):
            window = last[s] - first[s]
            time = onset[s, i] if active[s, i] else last[s]
            summed, now = input_until(i, time, active[s], onset[s], offset[s], weights, rules)
            if active[s, i]:
                recruited = 0.0
                if summed > _TINY:
                    u = (math.log(summed) - threshold) / rules.threshold_sd
                    recruited = (
                        now * math.exp(-0.5 * u * u)
                        / (summed * rules.threshold_sd * 2.5066282746310002)
                    )  # fmt: skip
                near = math.exp(-abs(onset[s, i]) / rules.early_s) / (2.0 * rules.early_s)
                spontaneous = (1.0 - rules.early) / window + rules.early * near
                own *= spontaneous
                other *= rules.recruitable * recruited + _UNEXPLAINED / window
            else:
                reached = 0.0
                if summed > _TINY:
                    reached = below((math.log(summed) - threshold) / rules.threshold_sd)
                own *= rules.p_silent
                other *= 1.0 - rules.recruitable * reached
        p_ez[i] = own / (own + other)
        total += math.log(own + other)
    return total
