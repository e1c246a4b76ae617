r"""Likelihood of one channel: powers add, and the gain of each region has an error of its own.

The log power of channel c above rest is modelled as

.. math:: y_c(t) = \log\Big(1 + \sum_i H_{ci} e^{\delta_{ci} + \alpha_c} P_i(t)\Big) + \epsilon

with the power :math:`P_i` of the seizing regions, the gain H (rows of unit sum, flattened), its
log error :math:`\delta_{ci}` for each region and :math:`\alpha_c` for the channel, and noise of
unknown level. The errors are integrated out by Laplace's method; Gauss-Newton steps find the mode.
"""

import math

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.rules import Rules

Array = NDArray[np.float64]

# At most this many regions of a channel have errors of their own.
MOST_ERRORS = 6
# Regions that raise a channel by less are left out, or have no error.
LEFT_OUT, WITHOUT_ERROR = 0.08, 0.25
_STEPS, _LEAST_STEPS, _CLOSE = 6, 1, 0.1
_LONGEST_STEP, LARGEST_ERROR = 1.5, 4.0


@jit
def log_channel(
    observed: Array, gain: Array, active: Array, power: Array, top: Array, errors: Array,
    variance: float, rules: Rules, base: Array, work: Array, matrix: Array, chosen: Array,
) -> float:  # fmt: skip
    """Return the log likelihood of a channel with its gain errors integrated out.

    Parameters
    ----------
    observed : numpy.ndarray, shape (n_times,)
        Log power of the channel.
    gain : numpy.ndarray, shape (n_regions,)
        Row of H.
    active : numpy.ndarray of bool, shape (n_regions,)
        Regions that seize in any seizure.
    power : numpy.ndarray, shape (n_regions, n_times)
        Power of the regions.
    top : numpy.ndarray, shape (n_regions,)
        Largest power of each region.
    errors : numpy.ndarray, shape (n_regions + 1,)
        Where the search for the mode starts; filled with the mode. The last one is the channel's.
    variance : float
        Scale of the noise variance.
    rules : Rules
        Numbers of the prior.
    base, work, matrix, chosen
        Scratch of n_times, (4, MOST_ERRORS + 1), (MOST_ERRORS + 1) squared and MOST_ERRORS.
    """
    n_times = len(observed)
    count = _strongest(gain, active, power, top, base, chosen)
    weight = rules.degrees_of_freedom + n_times * rules.samples
    scale = rules.degrees_of_freedom * variance
    if count == 0:
        squares = 0.0
        errors[:] = 0.0
        for k in range(n_times):
            residual = observed[k] - math.log(base[k])
            squares += residual * residual
        return -0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
    size = count + 1
    error, slope, share, factor = work[0], work[1], work[2], work[3]
    for a in range(count):
        error[a] = errors[chosen[a]]
    error[count] = errors[len(gain)]
    before = 1e300
    value = -1e300
    for step in range(_STEPS):
        squares = _normal_equations(
            observed, gain, power, base, chosen, count, error, slope, share, factor, matrix
        )
        strength = weight * rules.samples / (scale + rules.samples * squares)
        cost = 0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
        log_precision = 0.0
        for a in range(size):
            if a == count:
                precision = 1.0 / rules.channel**2
                cost += 0.5 * error[a] * error[a] * precision
                log_precision += math.log(precision)
            else:
                spread = rules.lower if error[a] < 0 else rules.higher
                nu = rules.error_degrees
                precision = (nu + 1.0) / (nu * spread**2 + error[a] ** 2)
                cost += 0.5 * (nu + 1.0) * math.log(1.0 + error[a] ** 2 / (nu * spread**2))
                log_precision += 2.0 * math.log(
                    2.0 * rules.error_density / (rules.lower + rules.higher)
                )
            slope[a] = strength * slope[a] - precision * error[a]
            for b in range(a + 1):
                matrix[a, b] *= strength
            matrix[a, a] += precision
        log_determinant = _cholesky(matrix, size)
        value = -cost - 0.5 * log_determinant + 0.5 * log_precision
        if (step >= _LEAST_STEPS and abs(before - cost) < _CLOSE) or step == _STEPS - 1:
            break
        before = cost
        _solve(matrix, slope, size)
        for a in range(size):
            error[a] += min(max(slope[a], -_LONGEST_STEP), _LONGEST_STEP)
    errors[:] = 0.0  # regions without an error of their own have none
    for a in range(count):
        errors[chosen[a]] = error[a]
    errors[len(gain)] = error[count]
    return value


@jit
def _strongest(
    gain: Array, active: Array, power: Array, top: Array, base: Array, chosen: Array
) -> int:
    """Choose the regions with errors; fill `base` with 1 plus the power of the others."""
    n_times = len(base)
    base[:] = 1.0
    count = 0
    for i in range(len(active)):
        rise = gain[i] * top[i]
        if not active[i] or rise < LEFT_OUT:
            continue
        rest = i
        if rise >= WITHOUT_ERROR:
            if count < MOST_ERRORS:
                chosen[count] = i
                count += 1
                continue
            weakest = 0
            for a in range(1, MOST_ERRORS):
                if gain[chosen[a]] * top[chosen[a]] < gain[chosen[weakest]] * top[chosen[weakest]]:
                    weakest = a
            if gain[chosen[weakest]] * top[chosen[weakest]] < rise:
                rest = chosen[weakest]
                chosen[weakest] = i
        for k in range(n_times):
            base[k] += gain[rest] * power[rest, k]
    return count


@jit
def _normal_equations(
    observed: Array, gain: Array, power: Array, base: Array, chosen: Array, count: int,
    error: Array, slope: Array, share: Array, factor: Array, matrix: Array,
) -> float:  # fmt: skip
    """Return the sum of squares; fill gradient and lower triangle of the Gauss-Newton matrix."""
    size = count + 1
    for a in range(size):
        slope[a] = 0.0
        for b in range(a + 1):
            matrix[a, b] = 0.0
    for a in range(count):
        factor[a] = gain[chosen[a]] * math.exp(min(error[a] + error[count], LARGEST_ERROR))
    squares = 0.0
    for k in range(len(observed)):
        total = base[k]
        for a in range(count):
            total += factor[a] * power[chosen[a], k]
        residual = observed[k] - math.log(total)
        squares += residual * residual
        all_shares = 0.0
        for a in range(count):
            share[a] = factor[a] * power[chosen[a], k] / total
            all_shares += share[a]
        share[count] = all_shares
        if all_shares < 1e-4:
            continue
        for a in range(size):
            slope[a] += share[a] * residual
            for b in range(a + 1):
                matrix[a, b] += share[a] * share[b]
    return squares


@jit
def _cholesky(matrix: Array, size: int) -> float:
    """Replace the lower triangle by its Cholesky factor; return the log determinant."""
    total = 0.0
    for a in range(size):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= matrix[a, c] * matrix[b, c]
            if a == b:
                matrix[a, a] = math.sqrt(max(rest, 1e-12))
                total += 2.0 * math.log(matrix[a, a])
            else:
                matrix[a, b] = rest / matrix[b, b]
    return total


@jit
def _solve(factor: Array, right: Array, size: int) -> None:
    """Solve with a Cholesky factor; the solution replaces the right side."""
    for a in range(size):
        for c in range(a):
            right[a] -= factor[a, c] * right[c]
        right[a] /= factor[a, a]
    for a in range(size - 1, -1, -1):
        for c in range(a + 1, size):
            right[a] -= factor[c, a] * right[c]
        right[a] /= factor[a, a]
