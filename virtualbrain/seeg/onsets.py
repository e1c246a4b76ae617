"""Detect the seizure onset of each channel from multitaper power."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal.windows import dpss

from virtualbrain.seeg.onset_rule import first_held
from virtualbrain.seeg.spectra import FRAME_RATE_HZ, frequencies, sliding_band_power

Signal = NDArray[np.float64]

TOP_HZ = 100.0
TIME_BANDWIDTH = 4.0


@dataclass(frozen=True)
class OnsetChoices:
    """Settings of the onset detector (see `SeegSettings`)."""

    window_s: float
    average_s: float
    factor: float
    split_hz: float
    hold_s: float


def detect_onsets(
    signal: Signal,
    times_s: Signal,
    rate_hz: float,
    baseline_s: tuple[float, float],
    choices: OnsetChoices,
) -> NDArray[np.float64]:
    r"""Return the onset of each channel.

    Multitaper power (time-bandwidth 4) between 1 and 100 Hz is summed below and above `split_hz`
    and averaged over `average_s`. After time zero, a channel is active while either sum exceeds
    `factor` times its median over the baseline. It seizes if it is active for `hold_s` in total,
    because discharges may pause. Its onset is the start of the first active run of half that
    length. The averaging detects a sudden start up to half of `average_s` early. The method
    follows Sip et al., PLoS Comput Biol 17 (2021) e1008689, who weight power by frequency and
    require a majority of 20 s. Windows are shortened if the recording is short.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal without mains noise.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the marked onset.
    rate_hz : float
        Sampling rate.
    baseline_s : tuple of float
        Start and end of the baseline.
    choices : OnsetChoices
        Window, average, factor, frequency between the bands, and hold time.

    Returns
    -------
    numpy.ndarray, shape (n_channels,)
        Seconds from the marked onset; NaN if the channel does not seize.
    """
    available_s = min(-max(baseline_s[0], float(times_s[0])), float(times_s[-1]))
    low, high, frames_s = band_powers(signal, times_s, rate_hz, _fitting(choices, available_s))
    quiet = (frames_s >= baseline_s[0]) & (frames_s < baseline_s[1])
    # The median: interictal spikes must not raise the baseline.
    rise = [band / np.median(band[:, quiet], axis=1, keepdims=True) for band in (low, high)]
    active = (np.maximum(rise[0], rise[1]) > choices.factor) & (frames_s >= 0)
    hold_s = min(choices.hold_s, 0.25 * float(times_s[-1]))
    first = first_held(active, max(1, round(hold_s * FRAME_RATE_HZ)))
    return np.where(first >= 0, frames_s[first], np.nan)


def _fitting(choices: OnsetChoices, available_s: float) -> OnsetChoices:
    """Limit window and average to a quarter of the time available before and after the onset."""
    longest_s = 0.25 * available_s
    return replace(
        choices,
        window_s=min(choices.window_s, longest_s),
        average_s=min(choices.average_s, longest_s),
    )


def band_powers(
    signal: Signal, times_s: Signal, rate_hz: float, choices: OnsetChoices
) -> tuple[Signal, Signal, Signal]:
    """Return averaged multitaper power below and above `split_hz`.

    Returns
    -------
    low, high : numpy.ndarray, shape (n_channels, n_frames)
        Positive power.
    frames_s : numpy.ndarray, shape (n_frames,)
        Times of the frames, 32 per second; no window extends beyond the signal.
    """
    width = max(8, round(choices.window_s * rate_hz))
    tapers = dpss(width, TIME_BANDWIDTH / 2, Kmax=3)
    f = frequencies(width, rate_hz)
    bands = {
        "low": ((f >= 1) & (f <= choices.split_hz)).astype(float),
        "high": ((f > choices.split_hz) & (f <= TOP_HZ)).astype(float),
    }
    powers, centres = sliding_band_power(signal, rate_hz, tapers, bands)
    n_average = round(choices.average_s * FRAME_RATE_HZ) | 1  # odd: a step is not shifted
    low, high = (
        ndimage.uniform_filter1d(powers[name], n_average, axis=1, mode="nearest")
        for name in ("low", "high")
    )
    tiny = np.finfo(float).tiny
    return np.maximum(low, tiny), np.maximum(high, tiny), times_s[centres]
