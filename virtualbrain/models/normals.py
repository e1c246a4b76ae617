# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Generate normal random numbers for a block of regions by vector instructions.

Each lane of each member has a xoshiro256+ generator (Blackman & Vigna 2021) that is seeded from a
numpy Generator. So the noise of a member depends neither on its chunk nor on the number of cores.
Two uniform numbers become two normal ones by the Box-Muller transform. Logarithm and sine are
polynomials with an error below 1e-12, far below what a test of the distribution can detect.
"""

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.compile import inner
from virtualbrain.models.simd_layout import LANES, at

_ONE_BITS = np.uint64(0x3FF0000000000000)
_TWO52_BITS = np.uint64(0x4330000000000000)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_12, _17, _19, _45, _52, _62 = (np.uint64(k) for k in (12, 17, 19, 45, 52, 62))
_2 = np.uint64(2)
_HALF_PI = np.pi / 2


def seed_lanes(generator: np.random.Generator, blocks: int) -> NDArray[np.uint64]:
    """Return the initial state of the generators of one member, shape (n_blocks, 4, LANES)."""
    state = generator.integers(0, 2**64, size=(blocks, 4, LANES), dtype=np.uint64, endpoint=False)
    state[:, 0] |= np.uint64(1) << np.uint64(63)  # a state of zeros would stay zero
    return state


@inner(forceinline=True)
def _as_float(bits):
    """Interpret 64 bits as a floating-point number."""
    return np.uint64(bits).view(np.float64)


@inner(forceinline=True)
def _log_of_uniform(bits):
    """Return the logarithm of a uniform number in (0, 1] from random bits."""
    u = 2.0 - _as_float((bits >> _12) | _ONE_BITS)
    word = np.float64(u).view(np.uint64)
    exponent = _as_float((word >> _52) | _TWO52_BITS) - 4503599627371519.0
    mantissa = _as_float((word & _MANTISSA) | _ONE_BITS)
    large = mantissa > 1.4142135623730951
    exponent = exponent + 1.0 if large else exponent
    mantissa = 0.5 * mantissa if large else mantissa
    s = (mantissa - 1.0) / (mantissa + 1.0)
    q = s * s
    series = 1.0 / 13.0 + q * (1.0 / 15.0)
    series = 1.0 / 9.0 + q * (1.0 / 11.0 + q * series)
    series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * series)))
    return 0.6931471805599453 * exponent + 2.0 * s * series


@inner(forceinline=True)
def _point_on_circle(bits):
    """Return cosine and sine of a uniform angle: two bits give the quadrant, a series the rest."""
    f = (_as_float(((bits << _2) >> _12) | _ONE_BITS) - 1.5) * _HALF_PI
    q = f * f
    sine = 1.0 / 6227020800.0
    sine = -1.0 / 5040.0 + q * (1.0 / 362880.0 + q * (-1.0 / 39916800.0 + q * sine))
    sine = f * (1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * sine)))
    cosine = 1.0 / 479001600.0 + q * (-1.0 / 87178291200.0)
    cosine = -1.0 / 720.0 + q * (1.0 / 40320.0 + q * (-1.0 / 3628800.0 + q * cosine))
    cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * cosine))
    quadrant = bits >> _62
    swapped = (quadrant & np.uint64(1)) == np.uint64(1)
    mirrored = (quadrant & _2) == _2
    x = -sine if swapped else cosine
    y = cosine if swapped else sine
    return (-x if mirrored else x), (-y if mirrored else y)


@inner(forceinline=True)
def normal_pairs(state, s, out, o):
    """Write two normal numbers per lane to out[o:o + 2 * LANES] and advance the state."""
    for lane in range(LANES):
        s0, s1 = state[at(s + lane)], state[at(s + LANES + lane)]
        s2, s3 = state[at(s + 2 * LANES + lane)], state[at(s + 3 * LANES + lane)]
        first = s0 + s3
        t = s1 << _17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = (s3 << _45) | (s3 >> _19)
        second = s0 + s3
        t = s1 << _17
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = (s3 << _45) | (s3 >> _19)
        state[at(s + lane)], state[at(s + LANES + lane)] = s0, s1
        state[at(s + 2 * LANES + lane)], state[at(s + 3 * LANES + lane)] = s2, s3
        radius = np.sqrt(-2.0 * _log_of_uniform(first))
        x, y = _point_on_circle(second)
        out[at(o + lane)] = radius * x
        out[at(o + LANES + lane)] = radius * y
