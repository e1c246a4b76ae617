"""Expected envelope of the channels, and log density of its residuals, with their gradients."""

from typing import NamedTuple

import numpy as np

from inference.kernels.common import Array, jit, logistic

LINEAR, LOGPOWER = 0, 1


@jit
def observe(xs: Array, gain: Array, amplitude: float, offset: Array, form: int) -> Array:
    r"""Return the expected envelope (T, m) of one seizure, from its x (T, n).

    LINEAR: :math:`a\, G x + o`.

    LOGPOWER, log power relative to the first sample:
    :math:`\log\big(1 + w (G e^{a (x - x(0))} - 1)\big)`, where the rows of G sum to one.
    :math:`w = 1 / (1 + e^{-o})` is the fraction of the channel's initial power that comes from
    its regions; the rest is a constant noise floor.
    """
    if form == LINEAR:
        mean = np.dot(xs, gain.T) * amplitude
        for c in range(gain.shape[0]):
            mean[:, c] += offset[c]
        return mean  # type: ignore[no-any-return]
    power = np.dot(np.exp(amplitude * (xs - xs[0])), gain.T)
    for c in range(gain.shape[0]):
        fraction = logistic(offset[c])
        for t in range(power.shape[0]):
            power[t, c] = np.log1p(fraction * (power[t, c] - 1.0))
    return power  # type: ignore[no-any-return]


@jit
def observe_adjoint(
    xs: Array,
    mean: Array,
    bar_mean: Array,
    gain: Array,
    amplitude: float,
    offset: Array,
    form: int,
    bar_offset: Array,
) -> tuple[Array, float]:
    """Return the cotangents of x and amplitude; add that of the offsets to `bar_offset`."""
    n_steps, n_channels = mean.shape
    if form == LINEAR:
        for c in range(n_channels):
            bar_offset[c] += bar_mean[:, c].sum()
        bar_x = np.dot(bar_mean, gain)
        bar_amplitude = (bar_x * xs).sum()
        return bar_x * amplitude, bar_amplitude
    scaled = np.empty((n_steps, n_channels))
    for c in range(n_channels):
        fraction = logistic(offset[c])
        slope = 0.0
        for t in range(n_steps):
            above = bar_mean[t, c] * np.exp(-mean[t, c])
            scaled[t, c] = above * fraction
            # fraction * (power - 1) = e^mean - 1
            slope += bar_mean[t, c] - above
        bar_offset[c] += slope * (1.0 - fraction)
    rise = xs - xs[0]
    bar_x = np.dot(scaled, gain) * np.exp(amplitude * rise)
    bar_amplitude = (bar_x * rise).sum()
    bar_x *= amplitude
    bar_x[0] -= bar_x.sum(axis=0)
    return bar_x, bar_amplitude


@jit
def score(
    mean: Array, data: Array, mask: Array, noise: float, nu: float, bar_mean: Array
) -> tuple[float, float]:
    """Return the log density of the residuals and its derivative in `noise`.

    The derivative in the mean is written to `bar_mean`. `nu` is the degrees of freedom of
    Student's t; 0 means Normal residuals. Constants that depend on no fitted value are left out.
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
                # One logarithm for many samples is faster than one for each.
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
    """Products of data and gain that do not depend on fitted values, for linear Normal residuals.

    d is the envelope minus the mean of each channel. Channels that are masked out do not count.
    """

    gram: Array  # G' G, (S, n, n)
    projected: Array  # d G, (S, T, n)
    centre: Array  # mean of each channel, (S, m); 0 for masked channels
    square: Array  # sum of d squared, (S,)
    gain: Array  # G, (S, m, n); rows of 0 for masked channels
    mask: Array  # 0 for masked channels, (S, m)


NO_PRODUCTS = Products(
    np.empty((0, 0, 0)), np.empty((0, 0, 0)), np.empty((0, 0)), np.empty(0), np.empty((0, 0, 0)),
    np.empty((0, 0)),
)  # fmt: skip


@jit
def products_with_gain(envelope: Array, gain: Array, mask: Array) -> Products:
    """Compute the products of envelopes (S, T, m) and gain (m, n), once for all evaluations."""
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


@jit
def normal_linear(
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
    r"""Return the log density of one seizure's residuals and its derivatives.

    The residuals :math:`r = d - a\, G x - o` are Normal. Returned are the log density and its
    derivatives in amplitude and noise. The derivative in x is written to `bar_xs`; that in the
    offsets is added to `bar_offset`. Sums over channels are taken from `Products`.
    """
    n_steps, n = xs.shape
    precision = 1.0 / (noise * noise)
    counted = 0
    above = np.zeros(offset.size)  # offset minus the mean of the channel
    for c in range(offset.size):
        if mask[c] != 0.0:
            counted += 1
            above[c] = offset[c] - centre[c]
    sums = np.zeros(n)
    for t in range(n_steps):
        for i in range(n):
            sums[i] += xs[t, i]
    expected = np.dot(gain, sums)
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
        bar_offset[c] -= precision * (amplitude * expected[c] + n_steps * above[c])
    samples = counted * n_steps
    return (
        -0.5 * precision * squares - samples * np.log(noise),
        precision * (linear - amplitude * quadratic - shift),
        (precision * squares - samples) / noise,
    )
