r"""Likelihood of one channel: powers add, and the gain of each region has an error of its own.

The log power of channel c above rest is modelled as

.. math:: y_c(t) = \log\Big(1 + \sum_i H_{ci} e^{\delta_{ci} + \alpha_c} P_i(t)\Big) + \epsilon

with the power :math:`P_i` of the seizing regions, the gain H (rows of unit sum, flattened), its
log error :math:`\delta_{ci}` for each region and :math:`\alpha_c` for the channel, and noise of
unknown level. The errors are integrated out by Laplace's method; Gauss-Newton steps find the mode.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.rules import Rules
from virtualbrain.models.compile import compiled

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

# At most this many regions of a channel have errors of their own.
MOST_ERRORS = 6
# Regions that raise a channel by less are left out, or have no error.
LEFT_OUT, WITHOUT_ERROR = 0.08, 0.25
_STEPS, _CLOSE = 6, 0.1
_LONGEST_STEP, LARGEST_ERROR = 1.5, 4.0
# Of double precision: bits of the mantissa, and of the square root of 1/2.
_MANTISSA_BITS, _ROOT_HALF_BITS = 0x000FFFFFFFFFFFFF, 0x3FE6A09E667F3BCD
_LOG_2 = math.log(2.0)

# Sums in any order, so that one instruction adds several numbers.
jit_reordered: Any = compiled(allocates=False, fastmath={"reassoc", "nsz", "contract"})
jit_plain: Any = compiled(allocates=False)


class ChannelScratch(NamedTuple):
    """Arrays that every evaluation of a channel uses again.

    Parameters
    ----------
    base, total, residual : numpy.ndarray, shape (n_times,)
        1 plus the power without errors of its own, the same with all power, and the residual.
    share : numpy.ndarray, shape (MOST_ERRORS + 1, n_times)
        Fraction of the power that comes from each region, and from all.
    error, slope, factor : numpy.ndarray, shape (MOST_ERRORS + 1,)
        Gain errors, gradient, and gain times the exponential of the errors.
    matrix : numpy.ndarray, shape (MOST_ERRORS + 1, MOST_ERRORS + 1)
        Gauss-Newton matrix.
    chosen : numpy.ndarray of int, shape (MOST_ERRORS,)
        Regions with errors.
    total_bits, exponent, mantissa, mantissa_bits
        Of the logarithm: `total` as integers, and its parts.
    """

    base: Array
    total: Array
    residual: Array
    share: Array
    error: Array
    slope: Array
    factor: Array
    matrix: Array
    chosen: Integers
    total_bits: Integers
    exponent: Integers
    mantissa: Array
    mantissa_bits: Integers


@jit
def channel_scratch(n_times: int) -> ChannelScratch:
    """Return scratch for channels of so many steps."""
    size = MOST_ERRORS + 1
    total, mantissa = np.zeros(n_times), np.zeros(n_times)
    return ChannelScratch(
        np.zeros(n_times), total, np.zeros(n_times), np.zeros((size, n_times)), np.zeros(size),
        np.zeros(size), np.zeros(size), np.zeros((size, size)), np.zeros(MOST_ERRORS, np.int64),
        total.view(np.int64), np.zeros(n_times, np.int64), mantissa, mantissa.view(np.int64),
    )  # fmt: skip


@jit_plain
def log_channel(
    observed: Array, gain: Array, active: Array, power: Array, top: Array, errors: Array,
    variance: float, rules: Rules, scratch: ChannelScratch,
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
    scratch : ChannelScratch
        Of `channel_scratch`.
    """
    n_times, n_regions = len(observed), len(gain)
    count = _strongest(gain, active, power, top, scratch)
    weight = rules.degrees_of_freedom + n_times * rules.samples
    scale = rules.degrees_of_freedom * variance
    error, slope, matrix, chosen = scratch.error, scratch.slope, scratch.matrix, scratch.chosen
    if count == 0:
        errors[:] = 0.0
        squares = _residuals(observed, power, count, scratch)
        return -0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
    for a in range(count):
        error[a] = errors[chosen[a]]
    error[count] = errors[n_regions]
    value = -1e300
    for step in range(_STEPS):
        squares = _normal_equations(observed, gain, power, count, scratch)
        strength = weight * rules.samples / (scale + rules.samples * squares)
        cost = 0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
        cost += _add_prior(strength, count, scratch, rules)
        log_determinant = _cholesky(matrix, count + 1)
        decrease = 0.5 * _solve(matrix, slope, count + 1)  # of the cost, by the step to the mode
        value = -(cost - min(decrease, _CLOSE)) - 0.5 * log_determinant + _log_prior_scale(count, rules)
        for a in range(count + 1):
            error[a] += min(max(slope[a], -_LONGEST_STEP), _LONGEST_STEP)
        if decrease < _CLOSE:
            break
    errors[:] = 0.0  # regions without an error of their own have none
    for a in range(count):
        errors[chosen[a]] = error[a]
    errors[n_regions] = error[count]
    return value


@jit_plain
def _log_prior_scale(count: int, rules: Rules) -> float:
    """Return the constant of the log prior of the errors of a channel."""
    own = math.log(2.0 * rules.error_density / (rules.lower + rules.higher))
    return count * own - math.log(rules.channel)


@jit_plain
def _add_prior(strength: float, count: int, scratch: ChannelScratch, rules: Rules) -> float:
    """Scale the normal equations, add the prior of the errors, and return its cost."""
    error, slope, matrix = scratch.error, scratch.slope, scratch.matrix
    nu = rules.error_degrees
    product = 1.0
    for a in range(count + 1):
        if a == count:
            precision = 1.0 / rules.channel**2
        else:
            spread = rules.lower if error[a] < 0 else rules.higher
            precision = (nu + 1.0) / (nu * spread**2 + error[a] ** 2)
            product *= 1.0 + error[a] ** 2 / (nu * spread**2)
        slope[a] = strength * slope[a] - precision * error[a]
        for b in range(a + 1):
            matrix[a, b] *= strength
        matrix[a, a] += precision
    return float(0.5 * (nu + 1.0) * math.log(product) + 0.5 * (error[count] / rules.channel) ** 2)


@jit_plain
def _strongest(
    gain: Array, active: Array, power: Array, top: Array, scratch: ChannelScratch
) -> int:
    """Choose the regions with errors; fill `base` with 1 plus the power of the others."""
    base, chosen = scratch.base, scratch.chosen
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
        for k in range(len(base)):
            base[k] += gain[rest] * power[rest, k]
    return count


@jit_plain
def _residuals(observed: Array, power: Array, count: int, scratch: ChannelScratch) -> float:
    """Fill total power and residuals; return the sum of squares."""
    total, residual = scratch.total, scratch.residual
    for k in range(len(total)):
        total[k] = scratch.base[k]
    for a in range(count):
        factor, own = scratch.factor[a], power[scratch.chosen[a]]
        for k in range(len(total)):
            total[k] += factor * own[k]
    _log(scratch.total_bits, scratch.exponent, scratch.mantissa, scratch.mantissa_bits, residual)
    for k in range(len(observed)):
        residual[k] = observed[k] - residual[k]
    return float(_dot(residual, residual))


@jit_plain
def _normal_equations(
    observed: Array, gain: Array, power: Array, count: int, scratch: ChannelScratch
) -> float:
    """Return the sum of squares; fill gradient and lower triangle of the Gauss-Newton matrix."""
    error, chosen, share = scratch.error, scratch.chosen, scratch.share
    total, residual = scratch.total, scratch.residual
    for a in range(count):
        scratch.factor[a] = gain[chosen[a]] * math.exp(min(error[a] + error[count], LARGEST_ERROR))
    squares = _residuals(observed, power, count, scratch)
    for k in range(len(total)):
        share[count, k] = 1.0 - scratch.base[k] / total[k]
    for a in range(count):
        factor, own = scratch.factor[a], power[chosen[a]]
        for k in range(len(total)):
            share[a, k] = factor * own[k] / total[k]
    for a in range(count + 1):
        scratch.slope[a] = _dot(share[a], residual)
        for b in range(a + 1):
            scratch.matrix[a, b] = _dot(share[a], share[b])
    return float(squares)


@jit_reordered
def _dot(x: Array, y: Array) -> float:
    """Return the scalar product."""
    total = 0.0
    for k in range(len(x)):
        total += x[k] * y[k]
    return total


@jit_plain
def _log(
    bits: Integers, exponent: Integers, mantissa: Array, mantissa_bits: Integers, out: Array
) -> None:
    """Fill the logarithms of positive numbers, many at once, to 1e-14.

    The mantissa m lies between the square roots of 1/2 and 2; with s = (m - 1) / (m + 1),
    log m = 2 (s + s³/3 + s⁵/5 + …).
    """
    for k in range(len(bits)):
        above = bits[k] - _ROOT_HALF_BITS
        mantissa_bits[k] = (above & _MANTISSA_BITS) + _ROOT_HALF_BITS
        exponent[k] = above >> 52
    for k in range(len(bits)):
        s = (mantissa[k] - 1.0) / (mantissa[k] + 1.0)
        z = s * s
        rest = 1 / 9 + z * (1 / 11 + z * (1 / 13 + z / 15))
        series = 1.0 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * rest)))
        out[k] = 2.0 * s * series + _LOG_2 * exponent[k]


@jit_plain
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


@jit_plain
def _solve(factor: Array, right: Array, size: int) -> float:
    """Solve with a Cholesky factor; the solution replaces the right side.

    Returns the scalar product of solution and right side.
    """
    product = 0.0
    for a in range(size):
        for c in range(a):
            right[a] -= factor[a, c] * right[c]
        right[a] /= factor[a, a]
        product += right[a] ** 2
    for a in range(size - 1, -1, -1):
        for c in range(a + 1, size):
            right[a] -= factor[c, a] * right[c]
        right[a] /= factor[a, a]
    return float(product)
