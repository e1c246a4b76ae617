"""When each channel begins to seize: a multitaper detector."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy import signal as dsp

from virtualbrain.seeg.envelope import band_pass, mean_square
from virtualbrain.seeg.spectra import FRAME_RATE_HZ, frequencies, sliding_band_power

Signal = NDArray[np.float64]

TOP_HZ = 100.0
TIME_BANDWIDTH = 4.0
_CLEAR_STEP = float(np.log(2))


@dataclass(frozen=True)
class OnsetChoices:
    """What the detector is run with (see `SeegSettings`)."""

    window_s: float
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
    r"""Return when each channel begins to seize.

    Multitaper power (time-bandwidth 4, windows that also fit short recordings) between 1 and
    100 Hz is summed below and above `split_hz` and averaged over one more window; a channel is
    active where either sum exceeds `factor` times its median over the baseline, after time
    zero. It seizes when it is active for `hold_s` altogether, because discharges come and go;
    the start of its first run of half that length is refined, within one window, to the step
    that best divides the short-time power in two. After Sip et al., PLoS Comput Biol 17 (2021)
    e1008689, who weight power by frequency and ask for a majority of 20 s.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Without mains.
    times_s : numpy.ndarray, shape (n_samples,)
        Zero at the marked onset.
    rate_hz : float
        Sampling rate.
    baseline_s : tuple of float
        Start and end of the baseline.
    choices : OnsetChoices
        Window, factor, border of the bands, hold.

    Returns
    -------
    numpy.ndarray, shape (n_channels,)
        Seconds from the marked onset; NaN where the channel does not seize.
    """
    window_s = _fitting_window(choices.window_s, times_s, baseline_s)
    low, high, frames_s = band_powers(signal, times_s, rate_hz, window_s, choices.split_hz)
    quiet = (frames_s >= baseline_s[0]) & (frames_s < baseline_s[1])
    # The median: spikes between seizures must not raise the baseline.
    rise = [np.log(band / np.median(band[:, quiet], axis=1, keepdims=True)) for band in (low, high)]
    active = (np.maximum(rise[0], rise[1]) > np.log(choices.factor)) & (frames_s >= 0)
    hold_s = min(choices.hold_s, 0.25 * float(times_s[-1]))
    first = first_held(active, max(1, round(hold_s * FRAME_RATE_HZ)))
    onsets = np.full(len(signal), np.nan)
    for i, frame in enumerate(first):
        if frame < 0:
            continue
        slow = rise[0][i, frame] > rise[1][i, frame]
        band = (max(2.0, 1 / window_s), choices.split_hz) if slow else (choices.split_hz, TOP_HZ)
        onsets[i] = refine(signal[i], times_s, rate_hz, band, float(frames_s[frame]), window_s)
    return onsets


def _fitting_window(window_s: float, times_s: Signal, baseline_s: tuple[float, float]) -> float:
    """Shorten the window where the recording is short."""
    start = max(baseline_s[0], float(times_s[0]))
    return float(min(window_s, 0.5 * (baseline_s[1] - start), 0.5 * float(times_s[-1])))


def band_powers(
    signal: Signal, times_s: Signal, rate_hz: float, window_s: float, split_hz: float
) -> tuple[Signal, Signal, Signal]:
    """Return multitaper power below and above a border, averaged over one more window.

    Returns
    -------
    low, high : numpy.ndarray, shape (n_channels, n_frames)
        Above zero.
    frames_s : numpy.ndarray, shape (n_frames,)
        32 frames a second, none of which reaches over the ends.
    """
    width = max(8, round(window_s * rate_hz))
    tapers = dsp.windows.dpss(width, TIME_BANDWIDTH / 2, Kmax=3)
    f = frequencies(width, rate_hz)
    bands = {
        "low": ((f >= 1) & (f <= split_hz)).astype(float),
        "high": ((f > split_hz) & (f <= TOP_HZ)).astype(float),
    }
    powers, centres = sliding_band_power(signal, rate_hz, tapers, bands)
    n_average = round(window_s * FRAME_RATE_HZ) | 1  # odd: a step stays where it is
    low, high = (
        ndimage.uniform_filter1d(powers[name], n_average, axis=1, mode="nearest")
        for name in ("low", "high")
    )
    tiny = np.finfo(float).tiny
    return np.maximum(low, tiny), np.maximum(high, tiny), times_s[centres]


def first_held(active: NDArray[np.bool_], n_hold: int) -> NDArray[np.int64]:
    """Return where the first run of half of `n_hold` frames starts.

    -1 where there is none, or where fewer than `n_hold` frames are active altogether.
    """
    first = np.full(len(active), -1, dtype=np.int64)
    for i, row in enumerate(active):
        if row.sum() < n_hold:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        runs = edges.reshape(-1, 2)
        long = runs[runs[:, 1] - runs[:, 0] >= n_hold / 2]
        if len(long):
            first[i] = long[0, 0]
    return first


def refine(
    signal: Signal,
    times_s: Signal,
    rate_hz: float,
    band_hz: tuple[float, float],
    about_s: float,
    reach_s: float,
) -> float:
    """Return the time of the largest step of log power near a first guess.

    The step is the division of the stretch in two that leaves the least squared error; the
    first guess is returned where power does not at least double there.
    """
    margin = reach_s + 2.0
    near = (times_s >= about_s - margin) & (times_s <= about_s + margin)
    high = min(band_hz[1], 0.44 * rate_hz)
    filtered = band_pass(signal[near], rate_hz, (band_hz[0], high))
    power = np.log(mean_square(filtered, rate_hz, 0.1 * reach_s) + np.finfo(float).tiny)
    local = times_s[near]
    stride = max(1, round(rate_hz / 100))
    inside = np.abs(local - about_s) <= reach_s
    values, places = power[inside][::stride], local[inside][::stride]
    if len(values) < 4:
        return about_s
    count = np.arange(1, len(values))
    left = np.cumsum(values)[:-1]
    right = values.sum() - left
    gained = left**2 / count + right**2 / (len(values) - count)
    best = int(np.argmax(gained))
    step = right[best] / (len(values) - count[best]) - left[best] / count[best]
    # Without a clear step up the channel was active before: the first guess stands.
    return max(0.0, float(places[best + 1])) if step > _CLEAR_STEP else about_s
