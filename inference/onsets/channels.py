r"""Likelihood of one channel: powers add, and the gain of each region has an error of its own.

The log power of channel c above rest is modelled as

.. math:: y_c(t) = \log\Big(1 + \sum_i H_{ci} e^{\delta_{ci} + \alpha_c} P_i(t)\Big) + \epsilon

with the power :math:`P_i` of the seizing regions, the gain H (rows of unit sum, flattened), its
log error :math:`\delta_{ci}` for each region and :math:`\alpha_c` for the channel, and noise of
unknown level. The errors are integrated out by Laplace's method; Gauss-Newton steps find the mode.

Values over time are in single precision, so that twice as many fit into a vector instruction.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.rules import Rules
from virtualbrain.models.compile import inner

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Bits = NDArray[np.int32]

# At most this many regions of a channel have errors of their own.
MOST_ERRORS = 6
# Regions that raise a channel by less are left out, or have no error.
LEFT_OUT, WITHOUT_ERROR = 0.08, 0.25
_STEPS, _CLOSE = 6, 0.1
_LONGEST_STEP, LARGEST_ERROR = 1.5, 4.0
# Of single precision: bits of the mantissa, their number, and bits of the square root of 1/2.
_MANTISSA_BITS, _N_MANTISSA, _ROOT_HALF_BITS = 0x007FFFFF, 23, 0x3F3504F3
# A number of double precision would make all of a loop double.
_NOTHING, _ONE, _TWO, _LOG_2 = (np.float32(x) for x in (0.0, 1.0, 2.0, math.log(2.0)))
_THIRD, _FIFTH, _SEVENTH, _NINTH = (np.float32(1 / n) for n in (3, 5, 7, 9))

# All becomes part of the caller: passing the arrays to a function takes longer than its work.
# Sums in any order, so that one instruction adds several numbers.
jit_reordered: Any = inner(forceinline=True, fastmath={"reassoc", "nsz", "contract"})
jit_plain: Any = inner(forceinline=True, fastmath={"contract"})


class ChannelScratch(NamedTuple):
    """Arrays that every evaluation of a channel uses again.

    Parameters
    ----------
    base, total, inverse, residual : numpy.ndarray, shape (n_times,)
        1 plus the power without errors of its own, the same with all power, its inverse, and the
        residual.
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

    base: Singles
    total: Singles
    inverse: Singles
    residual: Singles
    share: Singles
    error: Array
    slope: Array
    factor: Singles
    matrix: Array
    chosen: Integers
    total_bits: Bits
    exponent: Bits
    mantissa: Singles
    mantissa_bits: Bits


@jit
def channel_scratch(n_times: int) -> ChannelScratch:
    """Return scratch for channels of so many steps."""
    size = MOST_ERRORS + 1
    total, mantissa = np.zeros(n_times, np.float32), np.zeros(n_times, np.float32)
    return ChannelScratch(
        np.zeros(n_times, np.float32), total, np.zeros(n_times, np.float32),
        np.zeros(n_times, np.float32), np.zeros((size, n_times), np.float32), np.zeros(size),
        np.zeros(size), np.zeros(size, np.float32), np.zeros((size, size)),
        np.zeros(MOST_ERRORS, np.int64), total.view(np.int32), np.zeros(n_times, np.int32),
        mantissa, mantissa.view(np.int32),
    )  # fmt: skip


@jit_plain
def log_channel(
    observed: Singles, gain: Array, seizing: Integers, power: Singles, top: Array, errors: Array,
    variance: float, rules: Rules, scratch: ChannelScratch,
) -> float:  # fmt: skip
    """Return the log likelihood of a channel with its gain errors integrated out.

    Parameters
    ----------
    observed : numpy.ndarray, shape (n_times,)
        Log power of the channel.
    gain : numpy.ndarray, shape (n_regions,)
        Row of H.
    seizing : numpy.ndarray of int
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
    count = _strongest(gain, seizing, power, top, scratch)
    weight = rules.degrees_of_freedom + n_times * rules.samples
    scale = rules.degrees_of_freedom * variance
    error, slope, matrix, chosen = scratch.error, scratch.slope, scratch.matrix, scratch.chosen
    if count == 0:
        fill(errors, 0.0)
        squares = _residuals(observed, power, count, scratch)
        return -0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
    for a in range(count):
        error[a] = errors[chosen[a]]
    error[count] = errors[n_regions]
    squares, product, root, shared, decrease = 0.0, 1.0, 1.0, 0.0, 0.0
    for _ in range(_STEPS):
        squares = _normal_equations(observed, gain, power, count, scratch)
        strength = weight * rules.samples / (scale + rules.samples * squares)
        product, shared = _add_prior(strength, count, scratch, rules), error[count]
        root = _cholesky(matrix, count + 1)
        decrease = 0.5 * _solve(matrix, slope, count + 1)  # of the cost, by the step to the mode
        for a in range(count + 1):
            error[a] += min(max(slope[a], -_LONGEST_STEP), _LONGEST_STEP)
        if decrease < _CLOSE:
            break
    fill(errors, 0.0)  # regions without an error of their own have none
    for a in range(count):
        errors[chosen[a]] = error[a]
    errors[n_regions] = error[count]
    cost = 0.5 * weight * math.log(1.0 + rules.samples * squares / scale)
    cost += 0.5 * (rules.error_degrees + 1.0) * math.log(product)
    cost += 0.5 * (shared / rules.channel) ** 2
    cost += math.log(root) - min(decrease, _CLOSE)
    return float(_log_prior_scale(count, rules) - cost)


@jit_plain
def _log_prior_scale(count: int, rules: Rules) -> float:
    """Return the constant of the log prior of the errors of a channel."""
    own = math.log(2.0 * rules.error_density / (rules.lower + rules.higher))
    return count * own - math.log(rules.channel)


@jit_plain
def _add_prior(strength: float, count: int, scratch: ChannelScratch, rules: Rules) -> float:
    """Scale the normal equations and add the prior of the errors.

    Returns the product of the regions' 1 + e² / (nu sd²), whose logarithm is part of the cost.
    """
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
    return product


@jit_plain
def _strongest(
    gain: Array, seizing: Integers, power: Singles, top: Array, scratch: ChannelScratch
) -> int:
    """Choose the regions with errors; fill `base` with 1 plus the power of the others."""
    base, chosen = scratch.base, scratch.chosen
    fill(base, _ONE)
    count = 0
    for i in seizing:
        rise = gain[i] * top[i]
        if rise < LEFT_OUT:
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
        _add(base, np.float32(gain[rest]), power[rest])
    return count


@jit_plain
def _residuals(observed: Singles, power: Singles, count: int, scratch: ChannelScratch) -> float:
    """Fill total power and residuals; return the sum of squares."""
    total, residual = scratch.total, scratch.residual
    copy_into(total, scratch.base)
    for a in range(count):
        _add(total, scratch.factor[a], power[scratch.chosen[a]])
    _log(scratch.total_bits, scratch.exponent, scratch.mantissa, scratch.mantissa_bits, residual)
    for k in range(len(observed)):
        residual[k] = observed[k] - residual[k]
    return float(_dot(residual, residual))


@jit_plain
def _normal_equations(
    observed: Singles, gain: Array, power: Singles, count: int, scratch: ChannelScratch
) -> float:
    """Return the sum of squares; fill gradient and lower triangle of the Gauss-Newton matrix."""
    error, chosen, share = scratch.error, scratch.chosen, scratch.share
    for a in range(count):
        scratch.factor[a] = gain[chosen[a]] * math.exp(min(error[a] + error[count], LARGEST_ERROR))
    squares = _residuals(observed, power, count, scratch)
    _shares_of_all(share[count], scratch.inverse, scratch.base, scratch.total)
    for a in range(count):
        _shares(share[a], scratch.factor[a], power[chosen[a]], scratch.inverse)
    for a in range(count + 1):
        scratch.slope[a] = _dot(share[a], scratch.residual)
        for b in range(a + 1):
            scratch.matrix[a, b] = _dot(share[a], share[b])
    return float(squares)


@jit_plain
def fill(out: Singles | Array, value: float) -> None:
    """Set all numbers; numba's own assignment to a slice is slower."""
    for k in range(len(out)):
        out[k] = value


@jit_plain
def copy_into(out: Singles | Array, x: Singles | Array) -> None:
    """Copy all numbers."""
    for k in range(len(out)):
        out[k] = x[k]


@jit_plain
def _add(out: Singles, factor: float, x: Singles) -> None:
    """Add an array times a factor."""
    for k in range(len(out)):
        out[k] += factor * x[k]


@jit_plain
def _shares_of_all(out: Singles, inverse: Singles, base: Singles, total: Singles) -> None:
    """Fill the fraction of the total that is not in the base, and the inverse of the total."""
    for k in range(len(out)):
        inverse[k] = _ONE / total[k]
        out[k] = _ONE - base[k] * inverse[k]


@jit_plain
def _shares(out: Singles, factor: float, own: Singles, inverse: Singles) -> None:
    """Fill the fraction of the total that is the power of a region."""
    for k in range(len(out)):
        out[k] = factor * own[k] * inverse[k]


@jit_reordered
def _dot(x: Singles, y: Singles) -> float:
    """Return the scalar product."""
    total = _NOTHING
    for k in range(len(x)):
        total += x[k] * y[k]
    return float(total)


@jit_plain
def _log(bits: Bits, exponent: Bits, mantissa: Singles, mantissa_bits: Bits, out: Singles) -> None:
    """Fill the logarithms of positive numbers, many at once, to 1e-6.

    The mantissa m lies between the square roots of 1/2 and 2; with s = (m - 1) / (m + 1),
    log m = 2 (s + s³/3 + s⁵/5 + …).
    """
    for k in range(len(bits)):
        above = np.int32(bits[k] - _ROOT_HALF_BITS)
        mantissa_bits[k] = (above & _MANTISSA_BITS) + _ROOT_HALF_BITS
        exponent[k] = above >> _N_MANTISSA
    for k in range(len(bits)):
        s = (mantissa[k] - _ONE) / (mantissa[k] + _ONE)
        z = s * s
        series = _ONE + z * (_THIRD + z * (_FIFTH + z * (_SEVENTH + z * _NINTH)))
        out[k] = _TWO * s * series + _LOG_2 * np.float32(exponent[k])


@jit_plain
def _cholesky(matrix: Array, size: int) -> float:
    """Replace the lower triangle by its Cholesky factor; return the root of the determinant."""
    root = 1.0
    for a in range(size):
        for b in range(a + 1):
            rest = matrix[a, b]
            for c in range(b):
                rest -= matrix[a, c] * matrix[b, c]
            if a == b:
                matrix[a, a] = math.sqrt(max(rest, 1e-12))
                root *= matrix[a, a]
            else:
                matrix[a, b] = rest / matrix[b, b]
    return root


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
