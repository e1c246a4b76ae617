"""Cut trials around pulses: remove the artefact, find clipped channels, resample."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.stimulation.response import Window

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_EDGE_S = 0.1  # margin against edge effects of the resampling


@dataclass(frozen=True)
class EpochSettings:
    """Settings of the trials.

    Parameters
    ----------
    window_s : tuple of float
        Time that is kept, in seconds from the pulse.
    artefact_s : tuple of float
        Time that is replaced by a straight line.
    clipped_s : float
        Least time at one extreme value, after the artefact, that counts as clipped.
    rate_hz : float
        Sampling rate of the trials; slower recordings keep theirs.
    least_rate_hz : float
        Lowest sampling rate of a recording, so that latencies are exact to a few ms.
    """

    window_s: Window = (-0.25, 0.6)
    artefact_s: Window = (-0.002, 0.008)
    clipped_s: float = 0.005
    rate_hz: float = 1000.0
    least_rate_hz: float = 250.0


@dataclass(frozen=True)
class Trials:
    """Trials of the pulses at one site.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_trials, n_channels, n_samples)
        Signal in volts without artefact.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the pulse.
    clipped : numpy.ndarray of bool, shape (n_trials, n_channels)
        Which channels the amplifier clipped after the artefact.
    """

    values: Array
    times_s: Array
    clipped: Mask


def require_rate(rate_hz: float, where: str, settings: EpochSettings) -> None:
    """Raise an error if a recording's sampling rate is too low.

    Raises
    ------
    InputError
        It is below `settings.least_rate_hz`.
    """
    if rate_hz < settings.least_rate_hz:
        raise InputError(
            f"the sampling rate is {rate_hz:g} Hz",
            where=where,
            expected=f"at least {settings.least_rate_hz:g} Hz, for latencies of evoked responses",
            hint="use the original recording",
        )


def margins_s(settings: EpochSettings) -> Window:
    """Return the time around a pulse that `cut_trials` needs."""
    return settings.window_s[0] - _EDGE_S, settings.window_s[1] + _EDGE_S


def cut_trials(
    pieces: Sequence[Array], n_before: int, rate_hz: float, settings: EpochSettings
) -> Trials:
    """Return trials without artefact from pieces of the recording.

    Parameters
    ----------
    pieces : sequence of numpy.ndarray, shape (n_channels, n_recorded_samples)
        Recorded signal around each pulse, at least as long as `margins_s`.
    n_before : int
        Samples before the pulse in every piece.
    rate_hz : float
        Sampling rate of the recording.
    settings : EpochSettings
        Windows and sampling rate.
    """
    recorded = np.stack(pieces)
    times = (np.arange(recorded.shape[2]) - n_before) / rate_hz
    clipped = _clipped(recorded, times, rate_hz, settings)
    clean = without_artefact(recorded, times, settings.artefact_s)
    ratio = Fraction(min(1.0, settings.rate_hz / rate_hz)).limit_denominator(2000)
    if ratio != 1:
        from scipy.signal import resample_poly  # slow to import

        offset = clean.mean(axis=2, keepdims=True)  # the filter takes zero outside the piece
        clean = offset + resample_poly(clean - offset, ratio.numerator, ratio.denominator, axis=2)
        times = times[0] + np.arange(clean.shape[2]) / (rate_hz * float(ratio))
    kept = (times >= settings.window_s[0] - 1e-9) & (times <= settings.window_s[1] + 1e-9)
    return Trials(np.ascontiguousarray(clean[:, :, kept]), times[kept], clipped)


def without_artefact(signal: Array, times_s: Array, artefact_s: Window) -> Array:
    """Return a signal with the artefact replaced by a straight line.

    Parameters
    ----------
    signal : numpy.ndarray, shape (..., n_samples)
        Signal with an artefact at time zero.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the pulse.
    artefact_s : tuple of float
        Start and end of the line.
    """
    inside = np.flatnonzero((times_s >= artefact_s[0]) & (times_s <= artefact_s[1]))
    first, last = inside[0] - 1, inside[-1] + 1
    fraction = (times_s[inside] - times_s[first]) / (times_s[last] - times_s[first])
    clean = signal.copy()
    start, end = signal[..., first, np.newaxis], signal[..., last, np.newaxis]
    clean[..., inside] = start + fraction * (end - start)
    return clean


def _clipped(recorded: Array, times: Array, rate_hz: float, settings: EpochSettings) -> Mask:
    """Return which channels stay at their largest or smallest value after the artefact."""
    after = (times > settings.artefact_s[1]) & (times <= settings.window_s[1])
    length = max(4, round(settings.clipped_s * rate_hz))
    clipped = np.zeros(recorded.shape[:2], dtype=np.bool_)
    for extreme in (recorded.max(axis=2, keepdims=True), recorded.min(axis=2, keepdims=True)):
        runs = sliding_window_view(recorded[:, :, after] == extreme, length, axis=2)
        clipped |= runs.all(axis=3).any(axis=2)
    return clipped
