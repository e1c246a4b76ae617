r"""Compiled sweeps of the fitted network model and their adjoints; arrays in, arrays out.

The model, with :math:`r_i = \sum_j C_{ij}` and one time constant per seizure:

.. math::
    x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
    z_i' &= \frac{1}{\tau_0} \Big( 4 (x_i - x_{0,i}) - z_i
            - K_i \big( \textstyle\sum_j C_{ij} x_j - r_i x_i \big) \Big)

Every array is C-contiguous float64. Dimensions: S seizures, T time steps, n regions, m channels.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

I1 = 3.1
EULER, HEUN = 0, 1
LINEAR, LOGPOWER = 0, 1
FREE, REST = 0, 1

# Rest is taken a little below the fold: regions above the threshold have no rest of their own.
REST_CAP = -2.075
REST_WIDTH = 0.02
FOLD_MARGIN = 0.02
_Z_FOLD = 1.0 + I1 - 32.0 / 27.0
# Above the oscillatory window a region rests in an active state, which a free offset hides: no x0
# is believed beyond a wall there, a Gaussian's flank of this width.
X0_CEILING = -1.1
X0_WALL = 0.1

# No fastmath: it would let a cold and a warm cache differ in the last bit, and chains with them.
_jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@_jit
def _softplus(u: float) -> float:
    if u > 30.0:
        return u
    return float(np.log1p(np.exp(u)))


@_jit
def _logistic(u: float) -> float:
    return float(1.0 / (1.0 + np.exp(-u)))


@_jit
def _rest_state(x0: float, shift: float) -> tuple[float, float, float, float]:
    """Return z(0), x(0), dz(0)/dx0 and dx(0)/dz(0) of a region resting on the left branch."""
    u = (REST_CAP - x0) / REST_WIDTH
    capped = REST_CAP - REST_WIDTH * _softplus(u)
    slope = _logistic(u)
    x = -2.0
    for _ in range(30):
        step = (x * x * x + 2 * x * x + 4 * x - 1.0 - I1 - 4 * capped) / (3 * x * x + 4 * x + 4)
        x -= step
        if abs(step) < 1e-13:
            break
    z = 4.0 * (x - capped) + shift
    dz_dx0 = 4.0 * (4.0 / (3 * x * x + 4 * x + 4) - 1.0) * slope
    v = (z - _Z_FOLD - FOLD_MARGIN) / FOLD_MARGIN
    z_branch = _Z_FOLD + FOLD_MARGIN + FOLD_MARGIN * _softplus(v)
    x = -4.0 / 3.0 - np.sqrt((z_branch - _Z_FOLD) / 2.0) - 0.1
    for _ in range(60):
        step = (x * x * x + 2 * x * x - 1.0 - I1 + z_branch) / (3 * x * x + 4 * x)
        x -= step
        if abs(step) < 1e-13:
            break
    return z, x, dz_dx0, -_logistic(v) / (3 * x * x + 4 * x)


@_jit
def initial_states(
    x0: Array, x_init: Array, z_init: Array, rule: int
) -> tuple[Array, Array, Array, Array]:
    """Return z(0), x(0) and their slopes (S, n); with REST, `z_init` is a shift from rest."""
    n_seizures, n = z_init.shape
    z = z_init.copy()
    x = np.empty((n_seizures, n))
    dz = np.zeros((n_seizures, n))
    dx = np.zeros((n_seizures, n))
    for s in range(n_seizures):
        for i in range(n):
            if rule == REST:
                z[s, i], x[s, i], dz[s, i], dx[s, i] = _rest_state(x0[i], z_init[s, i])
            else:
                x[s, i] = x_init[s, i]
    return z, x, dz, dx


@_jit
def wall(x0: Array, slope: Array) -> float:
    r"""Return :math:`-\tfrac12 \sum_i ((x_{0,i} - c) / w)^2` over x0 above c; adds to its slope."""
    total = 0.0
    for i in range(x0.size):
        beyond = (x0[i] - X0_CEILING) / X0_WALL
        if beyond > 0.0:
            total -= 0.5 * beyond * beyond
            slope[i] -= beyond / X0_WALL
    return total


@_jit
def _slope(
    x: Array, z: Array, x0: Array, coupling: Array, tau0: float, pull: Array, fx: Array, fz: Array
) -> None:
    """Write the right-hand sides; `pull` is the difference coupling."""
    for i in range(x.size):
        fx[i] = 1.0 + I1 - x[i] * x[i] * (x[i] + 2.0) - z[i]
        fz[i] = (4.0 * (x[i] - x0[i]) - z[i] - coupling[i] * pull[i]) / tau0


@_jit
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
    """Integrate every seizure; returns x and z, both (S, T, n), the start included."""
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


@_jit
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
    """Fill x and z (T, n) from their first rows, two steps at a time.

    A step of x needs no coupling, so that x is known one step ahead of z.
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


@_jit
def _step_x(x: Array, z: Array, dt: float, out: Array) -> None:
    for i in range(x.size):
        out[i] = x[i] + dt * (1.0 + I1 - x[i] * x[i] * (x[i] + 2.0) - z[i])


@_jit
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
    """`received` is the product of the weights with x."""
    scale = dt / tau0
    for i in range(x.size):
        pull = received[i] - rows[i] * x[i]
        out[i] = z[i] + scale * (4.0 * (x[i] - x0[i]) - z[i] - coupling[i] * pull)


@_jit
def _two_products(matrix_t: Array, a: Array, b: Array, of_a: Array, of_b: Array) -> None:
    """Write the products of a matrix, given transposed, with two vectors; reads it once."""
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


@_jit
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
    """Fill x and z (T, n) from their first rows."""
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


@_jit
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
    """Add the transposed Jacobian times (ux, uz); returns the cotangent of tau0."""
    n = x.size
    bar_tau = 0.0
    np.dot(weights, x, work)
    for i in range(n):
        q = uz[i] / tau0
        pull = work[i] - rows[i] * x[i]
        slope = (4.0 * (x[i] - x0[i]) - z[i] - coupling[i] * pull) / tau0
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


@_jit
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
    """Pull cotangents of `sweep`'s results back to x0, x(0), z(0), coupling and tau0."""
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


@_jit
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
    """Carry the cotangents bx and bz from the last step to the first, two steps at a time.

    A step of z's cotangent needs no coupling, so that it is known one step ahead of x's.
    Returns the cotangent of tau0.
    """
    n_steps, n = xs.shape
    scale = dt / tau0
    sent = np.empty((n_steps, n))  # cotangents of z's slopes, over tau0
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
            # bz_next needs the bx that has just been made
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
            bar_tau[i] -= q * (4.0 * (xs[t, i] - x0[i]) - zs[t, i] - coupling[i] * pull)
    return float(bar_tau.sum() / tau0)


@_jit
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
    for i in range(bx.size):
        q = scale * bz[i]
        sent[i] = q
        work[i] = coupling[i] * q
        out[i] = bz[i] - dt * bx[i] - q + bar[i]


@_jit
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
    for i in range(x.size):
        own = bx[i] * (1.0 + dt * (-3.0 * x[i] - 4.0) * x[i]) + 4.0 * sent[i]
        bx[i] = own + rows[i] * work[i] - spread[i] + bar[i]


@_jit
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
    """Carry the cotangents bx and bz from the last step to the first; as `_back_euler`."""
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


@_jit
def observe(xs: Array, gain: Array, amplitude: float, offset: Array, form: int) -> Array:
    r"""Return the expected envelope (T, m) of one seizure's x (T, n).

    Linear: :math:`a\, G x + o`. Log power above the start:
    :math:`\log\big(1 + w (G e^{a (x - x(0))} - 1)\big)` with rows of G of unit sum and
    :math:`w = 1 / (1 + e^{-o})`, the share of the channel's power at the start that comes from
    its regions and not from a floor.
    """
    if form == LINEAR:
        mean = np.dot(xs, gain.T) * amplitude
        for c in range(gain.shape[0]):
            mean[:, c] += offset[c]
        return mean  # type: ignore[no-any-return]
    power = np.dot(np.exp(amplitude * (xs - xs[0])), gain.T)
    for c in range(gain.shape[0]):
        share = _logistic(offset[c])
        for t in range(power.shape[0]):
            power[t, c] = np.log1p(share * (power[t, c] - 1.0))
    return power  # type: ignore[no-any-return]


@_jit
def _observe_adjoint(
    xs: Array,
    mean: Array,
    bar_mean: Array,
    gain: Array,
    amplitude: float,
    offset: Array,
    form: int,
    bar_offset: Array,
) -> tuple[Array, float]:
    """Pull the cotangent of `observe` back to x and amplitude; adds to `bar_offset`."""
    n_steps, n_channels = mean.shape
    if form == LINEAR:
        for c in range(n_channels):
            bar_offset[c] += bar_mean[:, c].sum()
        bar_x = np.dot(bar_mean, gain)
        bar_amplitude = (bar_x * xs).sum()
        return bar_x * amplitude, bar_amplitude
    scaled = np.empty((n_steps, n_channels))
    for c in range(n_channels):
        share = _logistic(offset[c])
        slope = 0.0
        for t in range(n_steps):
            above = bar_mean[t, c] * np.exp(-mean[t, c])
            scaled[t, c] = above * share
            # share (power - 1) = e^mean - 1
            slope += bar_mean[t, c] - above
        bar_offset[c] += slope * (1.0 - share)
    rise = xs - xs[0]
    bar_x = np.dot(scaled, gain) * np.exp(amplitude * rise)
    bar_amplitude = (bar_x * rise).sum()
    bar_x *= amplitude
    bar_x[0] -= bar_x.sum(axis=0)
    return bar_x, bar_amplitude


@_jit
def _score(
    mean: Array, data: Array, mask: Array, noise: float, nu: float, bar_mean: Array
) -> tuple[float, float]:
    """Log density of the residuals and its slope in `noise`; fills the slope in the mean.

    ``nu`` zero means Normal; constants that depend on nothing fitted are kept out.
    """
    total, bar_noise, product, counted = 0.0, 0.0, 1.0, 0
    for t in range(data.shape[0]):
        for c in range(data.shape[1]):
            if mask[c] == 0.0:
                bar_mean[t, c] = 0.0
                continue
            counted += 1
            r = (data[t, c] - mean[t, c]) / noise
            if nu == 0.0:
                total -= 0.5 * r * r
                bar_mean[t, c] = r / noise
                bar_noise += r * r
            else:
                w = (nu + 1.0) / (nu + r * r)
                bar_mean[t, c] = w * r / noise
                bar_noise += w * r * r
                # one logarithm for many samples
                product *= 1.0 + r * r / nu
                if product > 1e150:
                    total -= 0.5 * (nu + 1.0) * np.log(product)
                    product = 1.0
    if nu != 0.0:
        total -= 0.5 * (nu + 1.0) * np.log(product)
    total -= counted * np.log(noise)
    bar_noise = (bar_noise - counted) / noise
    return total, bar_noise


class Products(NamedTuple):
    """What Normal residuals of the linear form need of data and gain, whatever is fitted.

    With d the envelope less its channels' means, and channels that do not count taken out:
    """

    gram: Array  # G' G, (S, n, n)
    projected: Array  # d G, (S, T, n)
    centre: Array  # means of the channels, (S, m); 0 where one does not count
    square: Array  # sum of d squared, (S,)
    gain: Array  # G, (S, m, n), rows of 0 where a channel does not count
    mask: Array  # 0 where it does not, (S, m)


NO_PRODUCTS = Products(
    np.empty((0, 0, 0)), np.empty((0, 0, 0)), np.empty((0, 0)), np.empty(0), np.empty((0, 0, 0)),
    np.empty((0, 0)),
)  # fmt: skip


@_jit
def products_with_gain(envelope: Array, gain: Array, mask: Array) -> Products:
    """Multiply envelopes (S, T, m) and gain (m, n) once for all values of the parameters."""
    n_seizures, n_steps, n_channels = envelope.shape
    n = gain.shape[1]
    found = Products(
        np.empty((n_seizures, n, n)), np.empty((n_seizures, n_steps, n)),
        np.zeros((n_seizures, n_channels)), np.zeros(n_seizures),
        np.zeros((n_seizures, n_channels, n)), mask.copy(),
    )  # fmt: skip
    for s in range(n_seizures):
        kept = envelope[s].copy()
        for c in range(n_channels):
            if mask[s, c] == 0.0:
                kept[:, c] = 0.0
                continue
            found.gain[s, c] = gain[c]
            found.centre[s, c] = kept[:, c].mean()
            kept[:, c] -= found.centre[s, c]
        found.gram[s] = np.dot(found.gain[s].T.copy(), found.gain[s])
        found.projected[s] = np.dot(kept, found.gain[s])
        found.square[s] = (kept * kept).sum()
    return found


@_jit
def _normal_linear(
    xs: Array,
    gram: Array,
    projected: Array,
    centre: Array,
    square: float,
    gain: Array,
    mask: Array,
    amplitude: float,
    offset: Array,
    noise: float,
    bar_xs: Array,
    bar_offset: Array,
) -> tuple[float, float, float]:
    r"""Log density of one seizure's Normal residuals :math:`r = d - a\, G x - o`.

    Fills the slope in x, adds to that in the offsets; returns the log density and its slopes in
    amplitude and noise. What is a sum over channels was summed once, in `Products`.
    """
    n_steps, n = xs.shape
    precision = 1.0 / (noise * noise)
    counted = 0
    above = np.zeros(offset.size)  # offsets above the channels' means
    for c in range(offset.size):
        if mask[c] != 0.0:
            counted += 1
            above[c] = offset[c] - centre[c]
    sums = np.zeros(n)
    for t in range(n_steps):
        for i in range(n):
            sums[i] += xs[t, i]
    seen = np.dot(gain, sums)
    lifted = np.dot(above, gain)
    spread = np.dot(xs, gram)
    twice, once = np.zeros(n), np.zeros(n)
    for t in range(n_steps):
        for i in range(n):
            twice[i] += xs[t, i] * spread[t, i]
            once[i] += xs[t, i] * projected[t, i]
            left = projected[t, i] - amplitude * spread[t, i] - lifted[i]
            bar_xs[t, i] = amplitude * precision * left
    quadratic, linear, shift = twice.sum(), once.sum(), np.dot(lifted, sums)
    squares = square + n_steps * np.dot(above, above)
    squares += amplitude * (amplitude * quadratic - 2.0 * linear + 2.0 * shift)
    for c in range(offset.size):
        bar_offset[c] -= precision * (amplitude * seen[c] + n_steps * above[c])
    samples = counted * n_steps
    return (
        -0.5 * precision * squares - samples * np.log(noise),
        precision * (linear - amplitude * quadratic - shift),
        (precision * squares - samples) / noise,
    )


@_jit
def log_likelihood(
    x0: Array,
    x_init: Array,
    z_init: Array,
    coupling: Array,
    tau0: Array,
    amplitude: float,
    offset: Array,
    noise: float,
    weights: Array,
    gain: Array,
    envelope: Array,
    mask: Array,
    options: Array,
) -> tuple[float, Array, Array, Array, Array, Array, float, Array, float]:
    """Log likelihood of all seizures with its gradient in the first eight arguments.

    `options`: dt, integrator, observation form, degrees of freedom (0: Normal), rule of the
    initial states, and the share of the log likelihood that counts.
    """
    return log_likelihood_by(  # type: ignore[no-any-return]
        x0, x_init, z_init, coupling, tau0, amplitude, offset, noise, weights, gain, envelope,
        mask, options, NO_PRODUCTS,
    )  # fmt: skip


@_jit
def log_likelihood_by(
    x0: Array,
    x_init: Array,
    z_init: Array,
    coupling: Array,
    tau0: Array,
    amplitude: float,
    offset: Array,
    noise: float,
    weights: Array,
    gain: Array,
    envelope: Array,
    mask: Array,
    options: Array,
    products: Products,
) -> tuple[float, Array, Array, Array, Array, Array, float, Array, float]:
    """As `log_likelihood`, by the products with the gain where they were made."""
    dt, nu, share = options[0], options[3], options[5]
    heun, form, rule = int(options[1]), int(options[2]), int(options[4])
    n_seizures, n_steps, n_channels = envelope.shape
    z_start, x_start, dz, dx = initial_states(x0, x_init, z_init, rule)
    xs, zs = sweep(x0, x_start, z_start, coupling, tau0, weights, n_steps, dt, heun)
    bar_xs = np.empty(xs.shape)
    bar_offset = np.zeros(n_channels)
    bar_mean = np.empty((n_steps, n_channels))
    total, bar_amplitude, bar_noise = 0.0, 0.0, 0.0
    for s in range(n_seizures):
        if products.square.size > 0:
            value, slope, slope_noise = _normal_linear(
                xs[s], products.gram[s], products.projected[s], products.centre[s],
                products.square[s], products.gain[s], products.mask[s], amplitude, offset, noise,
                bar_xs[s], bar_offset,
            )  # fmt: skip
            total += value
            bar_amplitude += slope
            bar_noise += slope_noise
            continue
        mean = observe(xs[s], gain, amplitude, offset, form)
        value, slope = _score(mean, envelope[s], mask[s], noise, nu, bar_mean)
        total += value
        bar_noise += slope
        bar_xs[s], slope = _observe_adjoint(
            xs[s], mean, bar_mean, gain, amplitude, offset, form, bar_offset
        )
        bar_amplitude += slope
    bar_x0, bar_x, bar_z, bar_coupling, bar_tau = sweep_adjoint(
        xs, zs, bar_xs, np.zeros(xs.shape), x0, coupling, tau0, weights, dt, heun
    )
    if rule == REST:
        for s in range(n_seizures):
            for i in range(x0.size):
                bar_z[s, i] += bar_x[s, i] * dx[s, i]
                bar_x0[i] += bar_z[s, i] * dz[s, i]
                bar_x[s, i] = 0.0
    return (
        share * total,
        share * bar_x0,
        share * bar_x,
        share * bar_z,
        share * bar_coupling,
        share * bar_tau,
        share * bar_amplitude,
        share * bar_offset,
        share * bar_noise,
    )
