"""Integrate the fitted network over time, and propagate gradients back (adjoint)."""

import numpy as np

from inference.kernels.common import Array, fast_rate, jit, slow_drift

EULER, HEUN = 0, 1


@jit
def _slope(
    x: Array, z: Array, x0: Array, coupling: Array, tau0: float, pull: Array, fx: Array, fz: Array
) -> None:
    """Write x' to `fx` and z' to `fz`; `pull` is the coupling sum of each region."""
    for i in range(x.size):
        fx[i] = fast_rate(x[i], z[i])
        fz[i] = slow_drift(x[i], z[i], x0[i], coupling[i] * pull[i]) / tau0


@jit
def sweep(
    x0: Array,
    x_start: Array,
    z_start: Array,
    coupling: Array,
    tau0: Array,
    weights: Array,
    n_steps: int,
    dt: float,
    heun: int,
) -> tuple[Array, Array]:
    """Integrate every seizure; return x and z, both (S, T, n), initial states included."""
    n_seizures, n = z_start.shape
    rows = weights.sum(axis=1)
    weights_t = np.ascontiguousarray(weights.T)
    xs = np.empty((n_seizures, n_steps, n))
    zs = np.empty((n_seizures, n_steps, n))
    for s in range(n_seizures):
        xs[s, 0] = x_start[s]
        zs[s, 0] = z_start[s]
        if heun == EULER:
            _sweep_euler(xs[s], zs[s], x0, coupling, tau0[s], weights_t, rows, dt)
        else:
            _sweep_heun(xs[s], zs[s], x0, coupling, tau0[s], weights, rows, dt)
    return xs, zs


@jit
def _sweep_euler(
    xs: Array,
    zs: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    weights_t: Array,
    rows: Array,
    dt: float,
) -> None:
    """Fill x and z (T, n) from their first rows by Euler's method, two steps at a time.

    A step of x needs no coupling. So x is computed one step ahead of z, and one pass over the
    weights serves two steps.
    """
    n_steps, n = xs.shape
    pull, pull_next = np.empty(n), np.empty(n)
    for t in range(0, n_steps - 1, 2):
        _step_x(xs[t], zs[t], dt, xs[t + 1])
        _two_products(weights_t, xs[t], xs[t + 1], pull, pull_next)
        _step_z(xs[t], zs[t], x0, coupling, tau0, pull, rows, dt, zs[t + 1])
        if t + 2 < n_steps:
            _step_x(xs[t + 1], zs[t + 1], dt, xs[t + 2])
            _step_z(xs[t + 1], zs[t + 1], x0, coupling, tau0, pull_next, rows, dt, zs[t + 2])


@jit
def _step_x(x: Array, z: Array, dt: float, out: Array) -> None:
    """Write x after one Euler step to `out`."""
    for i in range(x.size):
        out[i] = x[i] + dt * fast_rate(x[i], z[i])


@jit
def _step_z(
    x: Array,
    z: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    received: Array,
    rows: Array,
    dt: float,
    out: Array,
) -> None:
    """Write z after one Euler step to `out`; `received` is the product of the weights with x."""
    scale = dt / tau0
    for i in range(x.size):
        pull = received[i] - rows[i] * x[i]
        out[i] = z[i] + scale * slow_drift(x[i], z[i], x0[i], coupling[i] * pull)


@jit
def _two_products(matrix_t: Array, a: Array, b: Array, of_a: Array, of_b: Array) -> None:
    """Write the products of a matrix with two vectors; the matrix is given transposed.

    Both products are computed in one pass, because reading the matrix takes most of the time.
    """
    n = a.size
    for i in range(n):
        of_a[i] = 0.0
        of_b[i] = 0.0
    blocked = n - n % 4
    for j in range(0, blocked, 4):
        a0, a1, a2, a3 = a[j], a[j + 1], a[j + 2], a[j + 3]
        b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        for i in range(n):
            m0, m1 = matrix_t[j, i], matrix_t[j + 1, i]
            m2, m3 = matrix_t[j + 2, i], matrix_t[j + 3, i]
            of_a[i] += (a0 * m0 + a1 * m1) + (a2 * m2 + a3 * m3)
            of_b[i] += (b0 * m0 + b1 * m1) + (b2 * m2 + b3 * m3)
    for j in range(blocked, n):
        for i in range(n):
            of_a[i] += a[j] * matrix_t[j, i]
            of_b[i] += b[j] * matrix_t[j, i]


@jit
def _sweep_heun(
    xs: Array,
    zs: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    weights: Array,
    rows: Array,
    dt: float,
) -> None:
    """Fill x and z (T, n) from their first rows by Heun's method."""
    n_steps, n = xs.shape
    pull, fx, fz = np.empty(n), np.empty(n), np.empty(n)
    x_mid, z_mid, gx, gz = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for t in range(n_steps - 1):
        x, z = xs[t], zs[t]
        np.dot(weights, x, pull)
        pull -= rows * x
        _slope(x, z, x0, coupling, tau0, pull, fx, fz)
        x_mid[:] = x + dt * fx
        z_mid[:] = z + dt * fz
        np.dot(weights, x_mid, pull)
        pull -= rows * x_mid
        _slope(x_mid, z_mid, x0, coupling, tau0, pull, gx, gz)
        xs[t + 1] = x + 0.5 * dt * (fx + gx)
        zs[t + 1] = z + 0.5 * dt * (fz + gz)


@jit
def _pull_back_slope(
    x: Array,
    z: Array,
    ux: Array,
    uz: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    weights: Array,
    weights_t: Array,
    rows: Array,
    bar_x: Array,
    bar_z: Array,
    bar_x0: Array,
    bar_coupling: Array,
    work: Array,
    spread: Array,
) -> float:
    """Add the transposed Jacobian times (ux, uz); return the cotangent of tau0."""
    n = x.size
    bar_tau = 0.0
    np.dot(weights, x, work)
    for i in range(n):
        q = uz[i] / tau0
        pull = work[i] - rows[i] * x[i]
        slope = slow_drift(x[i], z[i], x0[i], coupling[i] * pull) / tau0
        bar_tau -= q * slope
        bar_coupling[i] -= q * pull
        bar_x0[i] -= 4.0 * q
        work[i] = coupling[i] * q
        bar_x[i] += ux[i] * (-3.0 * x[i] - 4.0) * x[i] + 4.0 * q + rows[i] * work[i]
        bar_z[i] -= ux[i] + q
    np.dot(weights_t, work, spread)
    for i in range(n):
        bar_x[i] -= spread[i]
    return bar_tau


@jit
def sweep_adjoint(
    xs: Array,
    zs: Array,
    bar_xs: Array,
    bar_zs: Array,
    x0: Array,
    coupling: Array,
    tau0: Array,
    weights: Array,
    dt: float,
    heun: int,
) -> tuple[Array, Array, Array, Array, Array]:
    """Propagate the cotangents of x and z back to x0, x(0), z(0), coupling and tau0."""
    n_seizures, n_steps, n = xs.shape
    rows = weights.sum(axis=1)
    weights_t = np.ascontiguousarray(weights.T)
    bar_x0, bar_coupling, bar_tau = np.zeros(n), np.zeros(n), np.zeros(n_seizures)
    bar_x = np.empty((n_seizures, n))
    bar_z = np.empty((n_seizures, n))
    for s in range(n_seizures):
        bar_x[s] = bar_xs[s, n_steps - 1]
        bar_z[s] = bar_zs[s, n_steps - 1]
        if heun == EULER:
            bar_tau[s] = _back_euler(
                xs[s], zs[s], bar_xs[s], bar_zs[s], x0, coupling, tau0[s], weights, weights_t,
                rows, dt, bar_x[s], bar_z[s], bar_x0, bar_coupling,
            )  # fmt: skip
        else:
            bar_tau[s] = _back_heun(
                xs[s], zs[s], bar_xs[s], bar_zs[s], x0, coupling, tau0[s], weights, weights_t,
                rows, dt, bar_x[s], bar_z[s], bar_x0, bar_coupling,
            )  # fmt: skip
    return bar_x0, bar_x, bar_z, bar_coupling, bar_tau


@jit
def _back_euler(
    xs: Array,
    zs: Array,
    bar_xs: Array,
    bar_zs: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    weights: Array,
    weights_t: Array,
    rows: Array,
    dt: float,
    bx: Array,
    bz: Array,
    bar_x0: Array,
    bar_coupling: Array,
) -> float:
    """Propagate the cotangents bx and bz from the last step to the first, two steps at a time.

    A step of the cotangent of z needs no coupling, so it is computed one step ahead of that of x.
    Returns the cotangent of tau0.
    """
    n_steps, n = xs.shape
    scale = dt / tau0
    sent = np.empty((n_steps, n))  # cotangents of z', divided by tau0
    work, work_next = np.empty(n), np.empty(n)
    spread, spread_next = np.empty(n), np.empty(n)
    bz_next = np.empty(n)
    for t in range(n_steps - 2, -1, -2):
        _step_back_z(bx, bz, bar_zs[t], scale, dt, coupling, sent[t], work, bz_next)
        for i in range(n):
            work_next[i] = coupling[i] * scale * bz_next[i]
        _two_products(weights, work, work_next, spread, spread_next)
        _step_back_x(xs[t], bar_xs[t], sent[t], work, spread, rows, dt, bx)
        bz[:] = bz_next
        if t > 0:
            # bz_next depends on the bx of the line above
            _step_back_z(bx, bz, bar_zs[t - 1], scale, dt, coupling, sent[t - 1], work, bz_next)
            _step_back_x(xs[t - 1], bar_xs[t - 1], sent[t - 1], work, spread_next, rows, dt, bx)
            bz[:] = bz_next
    received = np.dot(xs, weights_t)
    bar_tau = np.zeros(n)
    for t in range(n_steps - 1):
        for i in range(n):
            q = sent[t, i]
            pull = received[t, i] - rows[i] * xs[t, i]
            bar_x0[i] -= 4.0 * q
            bar_coupling[i] -= q * pull
            bar_tau[i] -= q * slow_drift(xs[t, i], zs[t, i], x0[i], coupling[i] * pull)
    return float(bar_tau.sum() / tau0)


@jit
def _step_back_z(
    bx: Array,
    bz: Array,
    bar: Array,
    scale: float,
    dt: float,
    coupling: Array,
    sent: Array,
    work: Array,
    out: Array,
) -> None:
    """Write the cotangent of z one step earlier to `out`, its contribution to x to `work`."""
    for i in range(bx.size):
        q = scale * bz[i]
        sent[i] = q
        work[i] = coupling[i] * q
        out[i] = bz[i] - dt * bx[i] - q + bar[i]


@jit
def _step_back_x(
    x: Array,
    bar: Array,
    sent: Array,
    work: Array,
    spread: Array,
    rows: Array,
    dt: float,
    bx: Array,
) -> None:
    """Replace the cotangent of x by that of one step earlier."""
    for i in range(x.size):
        own = bx[i] * (1.0 + dt * (-3.0 * x[i] - 4.0) * x[i]) + 4.0 * sent[i]
        bx[i] = own + rows[i] * work[i] - spread[i] + bar[i]


@jit
def _back_heun(
    xs: Array,
    zs: Array,
    bar_xs: Array,
    bar_zs: Array,
    x0: Array,
    coupling: Array,
    tau0: float,
    weights: Array,
    weights_t: Array,
    rows: Array,
    dt: float,
    bx: Array,
    bz: Array,
    bar_x0: Array,
    bar_coupling: Array,
) -> float:
    """Propagate the cotangents bx and bz from the last step to the first; see `_back_euler`."""
    n_steps, n = xs.shape
    work, spread, pull, fx, fz = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    mid_x, mid_z, px, pz = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    bar_tau = 0.0
    for t in range(n_steps - 2, -1, -1):
        x, z = xs[t], zs[t]
        np.dot(weights, x, pull)
        pull -= rows * x
        _slope(x, z, x0, coupling, tau0, pull, fx, fz)
        mid_x[:] = x + dt * fx
        mid_z[:] = z + dt * fz
        px[:] = 0.0
        pz[:] = 0.0
        bar_tau += _pull_back_slope(
            mid_x, mid_z, 0.5 * dt * bx, 0.5 * dt * bz, x0, coupling, tau0, weights, weights_t,
            rows, px, pz, bar_x0, bar_coupling, work, spread,
        )  # fmt: skip
        fx[:] = dt * (0.5 * bx + px)
        fz[:] = dt * (0.5 * bz + pz)
        bx += px
        bz += pz
        bar_tau += _pull_back_slope(
            x, z, fx, fz, x0, coupling, tau0, weights, weights_t, rows, bx, bz, bar_x0,
            bar_coupling, work, spread,
        )  # fmt: skip
        bx += bar_xs[t]
        bz += bar_zs[t]
    return bar_tau
