"""The log likelihood of all seizures with its gradient, fused: from rest to channels and back."""

import numpy as np

from inference.kernels.common import Array, jit
from inference.kernels.observation import (
    NO_PRODUCTS,
    Products,
    normal_linear,
    observe,
    observe_adjoint,
    score,
)
from inference.kernels.rest import REST, initial_states
from inference.kernels.sweeps import sweep, sweep_adjoint


@jit
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


@jit
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
            value, slope, slope_noise = normal_linear(
                xs[s], products.gram[s], products.projected[s], products.centre[s],
                products.square[s], products.gain[s], products.mask[s], amplitude, offset, noise,
                bar_xs[s], bar_offset,
            )  # fmt: skip
            total += value
            bar_amplitude += slope
            bar_noise += slope_noise
            continue
        mean = observe(xs[s], gain, amplitude, offset, form)
        value, slope = score(mean, envelope[s], mask[s], noise, nu, bar_mean)
        total += value
        bar_noise += slope
        bar_xs[s], slope = observe_adjoint(
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
