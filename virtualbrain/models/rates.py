# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Compute the rates of one block of regions with the equations of a model.

Arrays are flat. S, C, U, P and D hold states, coupling sums, stimulus, parameters and rates
(derivatives); s, u, p and d are the offsets of the block in them. The offset of each variable
within a block is given in `virtualbrain.models.variables`.
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
from virtualbrain.models.variables import (
    PARAMETER,
    REDUCED_PARAMETER,
    REDUCED_STATE,
    RESTING_PARAMETER,
    RESTING_STATE,
    STATE,
    STIMULATION_PARAMETER,
    STIMULATION_STATE,
    SUM,
)

SIX_D, SIX_D_MODIFIED, RESTING, STIMULATED = 0, 1, 2, 3
CUBIC, CUBIC_MODIFIED, TVB_2D, TVB_2D_MODIFIED = 4, 5, 6, 7


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
    X, Q = STATE, PARAMETER
    for i in range(LANES):
        k, q, e = s + i, p + i, d + i
        x1, y1, z = S[at(k + X.x1)], S[at(k + X.y1)], S[at(k + X.z)]
        x2, y2, g = S[at(k + X.x2)], S[at(k + X.y2)], S[at(k + X.g)]
        x0, K, r, tt = P[at(q + Q.x0)], P[at(q + Q.K)], P[at(q + Q.r)], P[at(q + Q.tt)]
        dx1, dy1 = population_1(
            x1, y1, z, x2, C[at(SUM.x1 + i)], U[at(u + i)],
            P[at(q + Q.a)], P[at(q + Q.b)], P[at(q + Q.c)], P[at(q + Q.d)],
            P[at(q + Q.Iext)], P[at(q + Q.slope)], P[at(q + Q.Kvf)],
        )  # fmt: skip
        dx2, dy2, dg = population_2(
            x1, z, x2, y2, g, C[at(SUM.x2 + i)], P[at(q + Q.Iext2)], P[at(q + Q.aa)],
            P[at(q + Q.bb)], P[at(q + Q.tau)], P[at(q + Q.Kf)],
        )  # fmt: skip
        D[at(e + X.x1)] = tt * dx1
        D[at(e + X.y1)] = tt * dy1
        D[at(e + X.z)] = tt * permittivity(x1, z, C[at(SUM.x1 + i)], x0, r, K)
        D[at(e + X.x2)] = tt * dx2
        D[at(e + X.y2)] = tt * dy2
        D[at(e + X.g)] = tt * dg


@inner(forceinline=True, fastmath={"contract"})
def _modified_z(S, s, C, P, p, D, d):
    X, Q = STATE, PARAMETER
    for i in range(LANES):
        k, q = s + i, p + i
        rate = permittivity_modified(
            S[at(k + X.x1)], S[at(k + X.z)], C[at(SUM.x1 + i)],
            P[at(q + Q.x0)], P[at(q + Q.r)], P[at(q + Q.K)],
        )  # fmt: skip
        D[at(d + i + X.z)] = P[at(q + Q.tt)] * rate


@inner(forceinline=True, fastmath={"contract"})
def _resting(S, s, C, P, p, D, d):
    X, Q = RESTING_STATE, RESTING_PARAMETER
    for i in range(LANES):
        k, q = s + i, p + i
        dx, dy = resting_oscillator(
            S[at(k + X.x_rs)], S[at(k + X.y_rs)], C[at(SUM.x_rs + i)],
            P[at(q + Q.tau_rs)], P[at(q + Q.I_rs)], P[at(q + Q.a_rs)], P[at(q + Q.b_rs)],
            P[at(q + Q.d_rs)], P[at(q + Q.e_rs)], P[at(q + Q.f_rs)], P[at(q + Q.alpha_rs)],
            P[at(q + Q.beta_rs)], P[at(q + Q.gamma_rs)], P[at(q + Q.K_rs)],
        )  # fmt: skip
        D[at(d + i + X.x_rs)] = dx
        D[at(d + i + X.y_rs)] = dy


@inner(forceinline=True, fastmath={"contract"})
def _stimulated(S, s, C, U, u, P, p, D, d):
    X, Q, T = STATE, PARAMETER, STIMULATION_PARAMETER
    for i in range(LANES):
        k, q, e = s + i, p + i, d + i
        x1, y1, z = S[at(k + X.x1)], S[at(k + X.y1)], S[at(k + X.z)]
        x2, y2, g = S[at(k + X.x2)], S[at(k + X.y2)], S[at(k + X.g)]
        m, current, tt = S[at(k + STIMULATION_STATE.m)], U[at(u + i)], P[at(q + Q.tt)]
        dx1, dy1 = population_1(
            x1, y1, z, x2, C[at(SUM.x1 + i)], P[at(q + T.gain)] * current,
            P[at(q + Q.a)], P[at(q + Q.b)], P[at(q + Q.c)], P[at(q + Q.d)],
            P[at(q + Q.Iext)], P[at(q + Q.slope)], P[at(q + Q.Kvf)],
        )  # fmt: skip
        dx2, dy2, dg = population_2(
            x1, z, x2, y2, g, C[at(SUM.x2 + i)], P[at(q + Q.Iext2)], P[at(q + Q.aa)],
            P[at(q + Q.bb)], P[at(q + Q.tau)], P[at(q + Q.Kf)],
        )  # fmt: skip
        raised = 1.0 if m > P[at(q + T.threshold)] else 0.0
        D[at(e + X.x1)] = tt * dx1
        D[at(e + X.y1)] = tt * dy1
        D[at(e + X.z)] = tt * permittivity(
            x1, z, C[at(SUM.x1 + i)], P[at(q + Q.x0)] + raised, P[at(q + Q.r)], P[at(q + Q.K)]
        )
        D[at(e + X.x2)] = tt * dx2
        D[at(e + X.y2)] = tt * dy2
        D[at(e + X.g)] = tt * dg
        D[at(e + STIMULATION_STATE.m)] = tt * accumulator(
            m, current, P[at(q + T.r2)], P[at(q + T.decay)], P[at(q + T.filling)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _cubic(S, s, C, U, u, P, p, D, d):
    X, Q = REDUCED_STATE, REDUCED_PARAMETER
    for i in range(LANES):
        k, q, e = s + i, p + i, d + i
        x, z, tt = S[at(k + X.x1)], S[at(k + X.z)], P[at(q + Q.tt)]
        rate = reduced_cubic(
            x, z, C[at(SUM.x1 + i)], U[at(u + i)], P[at(q + Q.a)], P[at(q + Q.b)],
            P[at(q + Q.c)], P[at(q + Q.d)], P[at(q + Q.Iext)], P[at(q + Q.Kvf)],
        )  # fmt: skip
        D[at(e + X.x1)] = tt * rate
        D[at(e + X.z)] = tt * permittivity(
            x, z, C[at(SUM.x1 + i)], P[at(q + Q.x0)], P[at(q + Q.r)], P[at(q + Q.K)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _tvb_2d(S, s, C, U, u, P, p, D, d):
    X, Q = REDUCED_STATE, REDUCED_PARAMETER
    for i in range(LANES):
        k, q, e = s + i, p + i, d + i
        x, z, tt = S[at(k + X.x1)], S[at(k + X.z)], P[at(q + Q.tt)]
        rate = reduced_tvb(
            x, z, C[at(SUM.x1 + i)], U[at(u + i)], P[at(q + Q.a)], P[at(q + Q.b)],
            P[at(q + Q.c)], P[at(q + Q.d)], P[at(q + Q.Iext)], P[at(q + Q.slope)],
            P[at(q + Q.Kvf)],
        )  # fmt: skip
        D[at(e + X.x1)] = tt * rate
        D[at(e + X.z)] = tt * permittivity(
            x, z, C[at(SUM.x1 + i)], P[at(q + Q.x0)], P[at(q + Q.r)], P[at(q + Q.K)]
        )


@inner(forceinline=True, fastmath={"contract"})
def _modified_z_2d(S, s, C, P, p, D, d):
    X, Q = REDUCED_STATE, REDUCED_PARAMETER
    for i in range(LANES):
        k, q = s + i, p + i
        rate = permittivity_modified(
            S[at(k + X.x1)], S[at(k + X.z)], C[at(SUM.x1 + i)],
            P[at(q + Q.x0)], P[at(q + Q.r)], P[at(q + Q.K)],
        )  # fmt: skip
        D[at(d + i + X.z)] = P[at(q + Q.tt)] * rate
