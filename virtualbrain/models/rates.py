# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""The rates of one block of regions: each model's equations over the lanes of a block.

Arrays are flat; `s`, `p`, `d`, `u` are the offsets of the block's states, parameters, rates and
stimulus. A block's states, and its rates, lie variable after variable, `LANES` apart.
"""

from virtualbrain.models.compile import inner
from virtualbrain.models.equations import (
    accumulator,
    permittivity,
    permittivity_modified,
    population_1,
    population_2,
    reduced_cubic,
    reduced_tvb,
    resting_oscillator,
)
from virtualbrain.models.simd_layout import LANES, at

SIX_D, SIX_D_MODIFIED, RESTING, STIMULATED = 0, 1, 2, 3
CUBIC, CUBIC_MODIFIED, TVB_2D, TVB_2D_MODIFIED = 4, 5, 6, 7

# Order of the parameters in memory.
EPILEPTOR_PARAMETERS = (
    "x0", "K", "r", "tt", "a", "b", "c", "d", "Iext", "Iext2", "slope", "tau", "aa", "bb",
    "Kvf", "Kf",
)  # fmt: skip
RESTING_PARAMETERS = (
    *EPILEPTOR_PARAMETERS, "tau_rs", "I_rs", "a_rs", "b_rs", "d_rs", "e_rs", "f_rs", "alpha_rs",
    "beta_rs", "gamma_rs", "K_rs", "p",
)  # fmt: skip
STIMULATED_PARAMETERS = (*EPILEPTOR_PARAMETERS, "r2", "threshold", "gain", "decay", "filling")
REDUCED_PARAMETERS = ("x0", "K", "r", "tt", "a", "b", "c", "d", "Iext", "slope", "Kvf")


@inner()
def block_rates(model, S, s, C, U, u, P, p, D, d):
    """Write the rates of one block under the equations of `model`."""
    if model == SIX_D:
        _six_d(S, s, C, U, u, P, p, D, d)
    elif model == SIX_D_MODIFIED:
        _six_d(S, s, C, U, u, P, p, D, d)
        _modified_z(S, s, C, P, p, D, d)
    elif model == RESTING:
        _six_d(S, s, C, U, u, P, p, D, d)
        _resting(S, s, C, P, p, D, d)
    elif model == STIMULATED:
        _stimulated(S, s, C, U, u, P, p, D, d)
    elif model in (CUBIC, CUBIC_MODIFIED):
        _cubic(S, s, C, U, u, P, p, D, d)
    else:
        _tvb_2d(S, s, C, U, u, P, p, D, d)
    if model in (CUBIC_MODIFIED, TVB_2D_MODIFIED):
        _modified_z_2d(S, s, C, P, p, D, d)


@inner(forceinline=True, fastmath={"contract"})
def _six_d(S, s, C, U, u, P, p, D, d):
    L = LANES
    for i in range(L):
        x1, y1, z = S[at(s + i)], S[at(s + L + i)], S[at(s + 2 * L + i)]
        x2, y2, g = S[at(s + 3 * L + i)], S[at(s + 4 * L + i)], S[at(s + 5 * L + i)]
        x0, K, r, tt = P[at(p + i)], P[at(p + L + i)], P[at(p + 2 * L + i)], P[at(p + 3 * L + i)]
        a, b = P[at(p + 4 * L + i)], P[at(p + 5 * L + i)]
        c, slope = P[at(p + 6 * L + i)], P[at(p + 10 * L + i)]
        dx1, dy1 = population_1(
            x1, y1, z, x2, C[at(i)], U[at(u + i)],
            a, b, c, P[at(p + 7 * L + i)], P[at(p + 8 * L + i)], slope, P[at(p + 14 * L + i)],
        )  # fmt: skip
        dx2, dy2, dg = population_2(
            x1, z, x2, y2, g, C[at(L + i)], P[at(p + 9 * L + i)], P[at(p + 12 * L + i)],
            P[at(p + 13 * L + i)], P[at(p + 11 * L + i)], P[at(p + 15 * L + i)],
        )  # fmt: skip
        D[at(d + i)] = tt * dx1
        D[at(d + L + i)] = tt * dy1
        D[at(d + 2 * L + i)] = tt * permittivity(x1, z, C[at(i)], x0, r, K)
        D[at(d + 3 * L + i)] = tt * dx2
        D[at(d + 4 * L + i)] = tt * dy2
        D[at(d + 5 * L + i)] = tt * dg


@inner(forceinline=True, fastmath={"contract"})
def _modified_z(S, s, C, P, p, D, d):
    L = LANES
    for i in range(L):
        rate = permittivity_modified(
            S[at(s + i)], S[at(s + 2 * L + i)], C[at(i)],
            P[at(p + i)], P[at(p + 2 * L + i)], P[at(p + L + i)],
        )  # fmt: skip
        D[at(d + 2 * L + i)] = P[at(p + 3 * L + i)] * rate


@inner(forceinline=True, fastmath={"contract"})
def _resting(S, s, C, P, p, D, d):
    L = LANES
    for i in range(L):
        q = p + 16 * L
        dx, dy = resting_oscillator(
            S[at(s + 6 * L + i)], S[at(s + 7 * L + i)], C[at(2 * L + i)],
            P[at(q + i)], P[at(q + L + i)], P[at(q + 2 * L + i)], P[at(q + 3 * L + i)],
            P[at(q + 4 * L + i)], P[at(q + 5 * L + i)], P[at(q + 6 * L + i)],
            P[at(q + 7 * L + i)], P[at(q + 8 * L + i)], P[at(q + 9 * L + i)],
            P[at(q + 10 * L + i)],
        )  # fmt: skip
        D[at(d + 6 * L + i)] = dx
        D[at(d + 7 * L + i)] = dy


@inner(forceinline=True, fastmath={"contract"})
def _stimulated(S, s, C, U, u, P, p, D, d):
    L = LANES
    for i in range(L):
        x1, y1, z = S[at(s + i)], S[at(s + L + i)], S[at(s + 2 * L + i)]
        x2, y2, g = S[at(s + 3 * L + i)], S[at(s + 4 * L + i)], S[at(s + 5 * L + i)]
        m, current, tt = S[at(s + 6 * L + i)], U[at(u + i)], P[at(p + 3 * L + i)]
        q = p + 16 * L
        dx1, dy1 = population_1(
            x1, y1, z, x2, C[at(i)], P[at(q + 2 * L + i)] * current,
            P[at(p + 4 * L + i)], P[at(p + 5 * L + i)], P[at(p + 6 * L + i)],
            P[at(p + 7 * L + i)], P[at(p + 8 * L + i)], P[at(p + 10 * L + i)],
            P[at(p + 14 * L + i)],
        )  # fmt: skip
        dx2, dy2, dg = population_2(
            x1, z, x2, y2, g, C[at(L + i)], P[at(p + 9 * L + i)], P[at(p + 12 * L + i)],
            P[at(p + 13 * L + i)], P[at(p + 11 * L + i)], P[at(p + 15 * L + i)],
        )  # fmt: skip
        raised = 1.0 if m > P[at(q + L + i)] else 0.0
        D[at(d + i)] = tt * dx1
        D[at(d + L + i)] = tt * dy1
        D[at(d + 2 * L + i)] = tt * permittivity(
            x1, z, C[at(i)], P[at(p + i)] + raised, P[at(p + 2 * L + i)], P[at(p + L + i)]
        )
        D[at(d + 3 * L + i)] = tt * dx2
        D[at(d + 4 * L + i)] = tt * dy2
        D[at(d + 5 * L + i)] = tt * dg
        D[at(d + 6 * L + i)] = tt * accumulator(
            m, current, P[at(q + i)], P[at(q + 3 * L + i)], P[at(q + 4 * L + i)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _cubic(S, s, C, U, u, P, p, D, d):
    L = LANES
    for i in range(L):
        x, z, tt = S[at(s + i)], S[at(s + L + i)], P[at(p + 3 * L + i)]
        rate = reduced_cubic(
            x, z, C[at(i)], U[at(u + i)], P[at(p + 4 * L + i)], P[at(p + 5 * L + i)],
            P[at(p + 6 * L + i)], P[at(p + 7 * L + i)], P[at(p + 8 * L + i)],
            P[at(p + 10 * L + i)],
        )  # fmt: skip
        D[at(d + i)] = tt * rate
        D[at(d + L + i)] = tt * permittivity(
            x, z, C[at(i)], P[at(p + i)], P[at(p + 2 * L + i)], P[at(p + L + i)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _tvb_2d(S, s, C, U, u, P, p, D, d):
    L = LANES
    for i in range(L):
        x, z, tt = S[at(s + i)], S[at(s + L + i)], P[at(p + 3 * L + i)]
        rate = reduced_tvb(
            x, z, C[at(i)], U[at(u + i)], P[at(p + 4 * L + i)], P[at(p + 5 * L + i)],
            P[at(p + 6 * L + i)], P[at(p + 7 * L + i)], P[at(p + 8 * L + i)],
            P[at(p + 9 * L + i)], P[at(p + 10 * L + i)],
        )  # fmt: skip
        D[at(d + i)] = tt * rate
        D[at(d + L + i)] = tt * permittivity(
            x, z, C[at(i)], P[at(p + i)], P[at(p + 2 * L + i)], P[at(p + L + i)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _modified_z_2d(S, s, C, P, p, D, d):
    L = LANES
    for i in range(L):
        rate = permittivity_modified(
            S[at(s + i)], S[at(s + L + i)], C[at(i)],
            P[at(p + i)], P[at(p + 2 * L + i)], P[at(p + L + i)],
        )  # fmt: skip
        D[at(d + L + i)] = P[at(p + 3 * L + i)] * rate
