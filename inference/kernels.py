r"""Compiled sweeps of the fitted network model and their adjoints; arrays in, arrays out.

The model, with :math:`r_i = \sum_j C_{ij}` and one time constant per seizure:

.. math::
    x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
    z_i' &= \frac{1}{\tau_0} \Big( 4 (x_i - x_{0,i}) - z_i
            - K_i \big( \textstyle\sum_j C_{ij} x_j - r_i x_i \big) \Big)

Every array is C-contiguous float64. Dimensions: S seizures, T time steps, n regions, m channels.
"""

from typing import Any

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
    xs = np.empty((n_seizures, n_steps, n))
    zs = np.empty((n_seizures, n_steps, n))
    pull, fx, fz = np.empty(n), np.empty(n), np.empty(n)
    x_mid, z_mid, gx, gz = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for s in range(n_seizures):
        xs[s, 0] = x_start[s]
        zs[s, 0] = z_start[s]
        for t in range(n_steps - 1):
            x, z = xs[s, t], zs[s, t]
            np.dot(weights, x, pull)
            pull -= rows * x
            _slope(x, z, x0, coupling, tau0[s], pull, fx, fz)
            if heun == EULER:
                xs[s, t + 1] = x + dt * fx
                zs[s, t + 1] = z + dt * fz
            else:
                x_mid[:] = x + dt * fx
                z_mid[:] = z + dt * fz
                np.dot(weights, x_mid, pull)
                pull -= rows * x_mid
                _slope(x_mid, z_mid, x0, coupling, tau0[s], pull, gx, gz)
                xs[s, t + 1] = x + 0.5 * dt * (fx + gx)
                zs[s, t + 1] = z + 0.5 * dt * (fz + gz)
    return xs, zs


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
    work, spread, pull, fx, fz = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    mid_x, mid_z, px, pz = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for s in range(n_seizures):
        bx, bz = bar_x[s], bar_z[s]
        bx[:] = bar_xs[s, n_steps - 1]
        bz[:] = bar_zs[s, n_steps - 1]
        for t in range(n_steps - 2, -1, -1):
            x, z = xs[s, t], zs[s, t]
            if heun == EULER:
                fx[:] = dt * bx
                fz[:] = dt * bz
            else:
                np.dot(weights, x, pull)
                pull -= rows * x
                _slope(x, z, x0, coupling, tau0[s], pull, fx, fz)
                mid_x[:] = x + dt * fx
                mid_z[:] = z + dt * fz
                px[:] = 0.0
                pz[:] = 0.0
                bar_tau[s] += _pull_back_slope(
                    mid_x, mid_z, 0.5 * dt * bx, 0.5 * dt * bz, x0, coupling, tau0[s], weights,
                    weights_t, rows, px, pz, bar_x0, bar_coupling, work, spread,
                )  # fmt: skip
                fx[:] = dt * (0.5 * bx + px)
                fz[:] = dt * (0.5 * bz + pz)
                bx += px
                bz += pz
            bar_tau[s] += _pull_back_slope(
                x, z, fx, fz, x0, coupling, tau0[s], weights, weights_t, rows, bx, bz, bar_x0,
                bar_coupling, work, spread,
            )  # fmt: skip
            bx += bar_xs[s, t]
            bz += bar_zs[s, t]
    return bar_x0, bar_x, bar_z, bar_coupling, bar_tau


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
