r"""Compute the envelope that is fitted: log power of a channel above its baseline.

.. math:: e(t) = \big\langle \ln \overline{x_b^2}(t) \big\rangle_\sigma
          - \text{mean over the baseline}

:math:`x_b` is the band-passed signal without mains noise, the bar a mean over a centred window and
:math:`\langle\cdot\rangle_\sigma` a Gaussian smoothing. No value is clipped. Margins of the filters
are recorded data; at the ends of the recording the data are mirrored.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy import signal as dsp

from virtualbrain.errors import InputError

Signal = NDArray[np.float64]
NOTCH_WIDTH_HZ = 2.0
FILTER_ORDER = 4
# Power below this fraction of the baseline's median is a drop-out of the amplifier.
FLOOR_SHARE = 1e-6


@dataclass(frozen=True)
class EnvelopeChoices:
    """Settings of an envelope (see `SeegSettings`)."""

    band_hz: tuple[float, float]
    window_s: float
    smoothing_s: float
    baseline_s: tuple[float, float]


def remove_line(signal: Signal, rate_hz: float, line_hz: float | None) -> Signal:
    """Remove mains noise and its harmonics with zero-phase notch filters 2 Hz wide.

    Parameters
    ----------
    signal : numpy.ndarray, shape (..., n_samples)
        Any unit.
    rate_hz : float
        Sampling rate.
    line_hz : float, optional
        Mains frequency; None leaves the signal unchanged.
    """
    if line_hz is None:
        return signal
    for harmonic in np.arange(line_hz, 0.5 * rate_hz - NOTCH_WIDTH_HZ, line_hz):
        numerator, denominator = dsp.iirnotch(harmonic, harmonic / NOTCH_WIDTH_HZ, rate_hz)
        sections = dsp.tf2sos(numerator, denominator)
        signal = dsp.sosfiltfilt(sections, signal, axis=-1, padlen=_pad(signal, rate_hz, 1.0))
    return signal


def band_pass(signal: Signal, rate_hz: float, band_hz: tuple[float, float]) -> Signal:
    """Apply a zero-phase Butterworth band-pass filter of order 4.

    With an upper edge at or above 0.45 of the sampling rate the filter is a high-pass.

    Raises
    ------
    InputError
        The sampling rate is too low for the lower edge.
    """
    low, high = band_hz
    if low >= 0.45 * rate_hz:
        raise InputError(
            f"the sampling rate of {rate_hz:g} Hz is too low",
            expected=f"more than {low / 0.45:.0f} Hz for a frequency band from {low:g} Hz",
            hint="lower seeg.band_hz, or provide the recording at its original sampling rate",
        )
    if high >= 0.45 * rate_hz:
        sections = dsp.butter(FILTER_ORDER, low, "highpass", fs=rate_hz, output="sos")
    else:
        sections = dsp.butter(FILTER_ORDER, (low, high), "bandpass", fs=rate_hz, output="sos")
    return np.asarray(
        dsp.sosfiltfilt(sections, signal, axis=-1, padlen=_pad(signal, rate_hz, 4 / low))
    )


def _pad(signal: Signal, rate_hz: float, duration_s: float) -> int:
    return max(0, min(int(signal.shape[-1]) - 1, round(duration_s * rate_hz)))


def mean_square(signal: Signal, rate_hz: float, window_s: float) -> Signal:
    """Return the mean square in a centred window; the edges are mirrored."""
    width = max(1, round(window_s * rate_hz))
    return np.asarray(ndimage.uniform_filter1d(signal**2, width, axis=-1, mode="reflect"))


def smoothed(signal: Signal, sd_samples: float) -> Signal:
    """Return the signal smoothed by a Gaussian of four standard deviations; the edges are mirrored.

    As `scipy.ndimage.gaussian_filter1d`, by Fourier transforms: the Gaussian has thousands of
    samples.
    """
    reach = int(4 * sd_samples + 0.5)
    if reach == 0:
        return signal
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sd_samples) ** 2)
    mirrored = np.pad(signal, ((0, 0), (reach, reach)), mode="symmetric")
    kernel = weights[None] / weights.sum()
    return np.asarray(dsp.oaconvolve(mirrored, kernel, mode="valid", axes=-1))


def log_power(
    signal: Signal, times_s: Signal, rate_hz: float, choices: EnvelopeChoices
) -> tuple[Signal, Signal]:
    """Return the natural logarithm of the band power above its baseline, at every sample.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal without mains noise; any unit, because the baseline is subtracted.
    times_s : numpy.ndarray, shape (n_samples,)
        Times with the same origin as `choices.baseline_s`.
    rate_hz : float
        Sampling rate.
    choices : EnvelopeChoices
        Band, window, smoothing, baseline.

    Returns
    -------
    power : numpy.ndarray, shape (n_channels, n_samples)
        Log power above the baseline.
    baseline : numpy.ndarray, shape (n_channels,)
        Log power that was subtracted.

    Raises
    ------
    InputError
        The recording has no sample in the baseline.
    """
    clean = band_pass(signal, rate_hz, choices.band_hz)
    power = mean_square(clean, rate_hz, choices.window_s)
    start, stop = choices.baseline_s
    quiet = (times_s >= start) & (times_s < stop)
    if not quiet.any():
        raise InputError(
            "no baseline before the seizure",
            expected="at least one second of recording before the onset",
            hint="provide a recording that starts earlier",
        )
    floor = FLOOR_SHARE * np.median(power[:, quiet], axis=1, keepdims=True)
    logarithm = np.log(np.maximum(power, np.maximum(floor, np.finfo(float).tiny)))
    smooth = smoothed(logarithm, choices.smoothing_s * rate_hz)
    level = smooth[:, quiet].mean(axis=1)
    return np.asarray(smooth - level[:, None]), np.asarray(level)


def sample_at(values: Signal, times_s: Signal, wanted_s: Signal) -> Signal:
    """Return values (n_channels, n_samples) at the wanted times, linearly interpolated."""
    return np.stack([np.interp(wanted_s, times_s, row) for row in values])


def envelope_grid(
    start_s: float, stop_s: float, rate_hz: float, points_max: int
) -> tuple[Signal, float]:
    """Return evenly spaced times that include zero, and their rate.

    The rate is lowered if there would be more than `points_max` points.
    """
    rate = min(rate_hz, (points_max - 1) / (stop_s - start_s))
    first, last = np.ceil(start_s * rate - 1e-9), np.floor(stop_s * rate + 1e-9)
    return np.arange(first, last + 1) / rate, float(rate)
