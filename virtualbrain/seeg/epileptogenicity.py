"""Compute the Epileptogenicity Index, a clinical reference that is not an input of the fit.

Bartolomei, Chauvel, Wendling, Brain 131 (2008) 1818.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from virtualbrain.seeg.spectra import FRAME_RATE_HZ, frequencies, sliding_band_power

Signal = NDArray[np.float64]

SLOW_HZ = (3.4, 12.4)
FAST_HZ = (12.4, 97.0)
WINDOW_S = 1.0
BIAS_SHARE = 0.1
THRESHOLD_SHARE = 3.0
INTEGRAL_S = 5.0
TAU_S = 1.0


def energy_ratio(signal: Signal, times_s: Signal, rate_hz: float) -> tuple[Signal, Signal]:
    r"""Return the ratio of fast to slow energy.

    .. math:: ER = (E_\beta + E_\gamma) / (E_\theta + E_\alpha)

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal without mains noise.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    ratio : numpy.ndarray, shape (n_channels, n_frames)
    frames_s : numpy.ndarray, shape (n_frames,)
        Times of the frames, 32 per second.
    """
    width = max(8, round(min(WINDOW_S, signal.shape[1] / rate_hz) * rate_hz))
    f = frequencies(width, rate_hz)
    bands = {
        "slow": ((f >= SLOW_HZ[0]) & (f < SLOW_HZ[1])).astype(float),
        "fast": ((f >= FAST_HZ[0]) & (f < FAST_HZ[1])).astype(float),
    }
    taper = dsp.windows.hann(width)[None]
    powers, centres = sliding_band_power(signal, rate_hz, taper, bands)
    ratio = powers["fast"] / np.maximum(powers["slow"], np.finfo(float).tiny)
    return ratio, times_s[centres]


def page_hinkley(ratio: Signal, quiet: NDArray[np.bool_]) -> NDArray[np.int64]:
    r"""Return the frame at which each channel's ratio rises lastingly, -1 without a rise.

    Page-Hinkley test: :math:`U_n = \sum_{i \le n} (ER_i - \overline{ER} - \nu)`. A change is
    detected when :math:`U_n - \min U` exceeds :math:`\lambda`; its time is that of the minimum.
    The mean is over the baseline; :math:`\nu` is a tenth of it, :math:`\lambda` three times it
    (times one second).
    """
    mean = ratio[:, quiet].mean(axis=1, keepdims=True)
    after = np.flatnonzero(~quiet & (np.arange(ratio.shape[1]) > np.flatnonzero(quiet)[-1]))
    found = np.full(len(ratio), -1, dtype=np.int64)
    for i, row in enumerate(ratio[:, after]):
        walk = np.cumsum(row - mean[i] * (1 + BIAS_SHARE)) / FRAME_RATE_HZ
        lowest = np.minimum.accumulate(walk)
        alarm = np.flatnonzero(walk - lowest > THRESHOLD_SHARE * mean[i])
        if len(alarm):
            found[i] = after[int(np.argmin(walk[: alarm[0] + 1]))]
    return found


def epileptogenicity_index(
    ratio: Signal, frames_s: Signal, baseline_s: tuple[float, float]
) -> NDArray[np.float64]:
    r"""Return the Epileptogenicity Index of every channel, scaled to a maximum of one.

    .. math:: EI_i \propto \frac{1}{t_i - t_0 + \tau} \int_{t_i}^{t_i + H} ER_i \, dt

    :math:`t_i` is the detected change, :math:`t_0` the earliest change of all channels,
    :math:`\tau = 1` s and :math:`H = 5` s. The index is zero where no change is detected.

    Parameters
    ----------
    ratio : numpy.ndarray, shape (n_channels, n_frames)
        Result of `energy_ratio`, divided by each channel's baseline mean if channels with
        different references are compared.
    frames_s : numpy.ndarray, shape (n_frames,)
        Times of the frames in seconds.
    baseline_s : tuple of float
        Start and end of the baseline.
    """
    quiet = (frames_s >= baseline_s[0]) & (frames_s < baseline_s[1])
    index = np.zeros(len(ratio))
    if not quiet.any():
        return index
    change = page_hinkley(ratio, quiet)
    detected = change >= 0
    if not detected.any():
        return index
    earliest = frames_s[change[detected]].min()
    for i in np.flatnonzero(detected):
        start = frames_s[change[i]]
        span = (frames_s >= start) & (frames_s < start + INTEGRAL_S)
        index[i] = ratio[i, span].sum() / FRAME_RATE_HZ / (start - earliest + TAU_S)
    return index / index.max()
