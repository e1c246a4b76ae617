"""Log likelihood of the envelopes of all seizures, with its gradient, in one compiled function."""

from typing import NamedTuple

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


class LikelihoodOptions(NamedTuple):
    """Settings of the log likelihood."""

    dt: float  # step in model time
    integrator: int  # EULER or HEUN
    observation: int  # LINEAR or LOGPOWER
    degrees_of_freedom: float  # of Student's t residuals; 0 for Normal residuals
    initial: int  # FREE or REST
    tempering: float  # exponent of the likelihood


class ValueAndGradient(NamedTuple):
    """The log likelihood, and its derivative with respect to each argument."""

    value: float
    x0: Array
    x_init: Array
    z_init: Array
    coupling: Array
    tau0: Array
    amplitude: float
    offset: Array
    noise: float


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
    options: LikelihoodOptions,
) -> ValueAndGradient:
    """Return the log likelihood and its gradient in the first eight arguments."""
    return log_likelihood_with_products(  # type: ignore[no-any-return]
        x0, x_init, z_init, coupling, tau0, amplitude, offset, noise, weights, gain, envelope,
        mask, options, NO_PRODUCTS,
    )  # fmt: skip


@jit
def log_likelihood_with_products(
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
    options: LikelihoodOptions,
    products: Products,
) -> ValueAndGradient:
    """Return the same as `log_likelihood`; faster where `products` are given.

    With `NO_PRODUCTS` the residuals are computed sample by sample.
    """
    dt, heun, form, tempering = (
        options.dt,
        options.integrator,
        options.observation,
        options.tempering,
    )
    n_seizures, n_steps, n_channels = envelope.shape
    z_start, x_start, dz, dx = initial_states(x0, x_init, z_init, options.initial)
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
        value, slope = score(
            mean, envelope[s], mask[s], noise, options.degrees_of_freedom, bar_mean
        )
        total += value
        bar_noise += slope
        bar_xs[s], slope = observe_adjoint(
            xs[s], mean, bar_mean, gain, amplitude, offset, form, bar_offset
        )
        bar_amplitude += slope
    bar_x0, bar_x, bar_z, bar_coupling, bar_tau = sweep_adjoint(
        xs, zs, bar_xs, np.zeros(xs.shape), x0, coupling, tau0, weights, dt, heun
    )
    if options.initial == REST:
        for s in range(n_seizures):
            for i in range(x0.size):
                bar_z[s, i] += bar_x[s, i] * dx[s, i]
                bar_x0[i] += bar_z[s, i] * dz[s, i]
                bar_x[s, i] = 0.0
    return ValueAndGradient(
        tempering * total,
        tempering * bar_x0,
        tempering * bar_x,
        tempering * bar_z,
        tempering * bar_coupling,
        tempering * bar_tau,
        tempering * bar_amplitude,
        tempering * bar_offset,
        tempering * bar_noise,
    )
