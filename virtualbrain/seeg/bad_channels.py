"""Propose bad channels automatically, each with a reason, and detect the mains frequency."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virtualbrain.seeg.names import split_contact

Signal = NDArray[np.float64]

FLAT_SHARE = 0.01
EXTREME_Z = 6.0
LINE_SHARE = 0.5
LINE_TIMES_MEDIAN = 5.0
UNCORRELATED = 0.1
CORRELATED_MEDIAN = 0.4


def propose_bad(
    signal: Signal,
    names: Sequence[str],
    rate_hz: float,
    line_hz: float | None,
    contacts: Sequence[str] | None = None,
) -> dict[str, str]:
    """Propose bad channels from a signal segment without a seizure.

    A channel is proposed for one of four reasons:

    - flat: its standard deviation is below 1 % of the median channel's;
    - mains noise: more than half of its power above 1 Hz is at the mains frequency, and this
      fraction is five times the median channel's;
    - extreme variance: the logarithm of its standard deviation is more than 6 robust standard
      deviations from the median;
    - unlike its neighbours: its correlation with every neighbour on its electrode is below 0.1,
      while the median channel reaches 0.4.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Recorded signal in volts.
    names : sequence of str
        Name of each row.
    rate_hz : float
        Sampling rate.
    line_hz : float, optional
        Mains frequency.
    contacts : sequence of str, optional
        Contact of each row, which defines the neighbours (several rows may have one); by default
        the names.

    Returns
    -------
    dict
        Reason, keyed by the name of the proposed channel.
    """
    if signal.shape[1] < rate_hz / 2 or len(names) < 3:
        return {}
    centred = signal - signal.mean(axis=1, keepdims=True)
    reasons: dict[str, str] = {}
    _add_reason(reasons, names, _flat(centred), "flat")
    not_flat = np.array([name not in reasons for name in names])
    if line_hz is not None and line_hz < rate_hz / 2:
        _add_reason(reasons, names, _mains(centred, rate_hz, line_hz), "mains noise")
    _add_reason(reasons, names, _extreme(centred, not_flat), "extreme variance")
    unlike = _uncorrelated(centred, contacts or names, not_flat)
    _add_reason(reasons, names, unlike, "unlike its neighbours")
    return reasons


def _add_reason(
    reasons: dict[str, str], names: Sequence[str], found: NDArray[np.bool_], reason: str
) -> None:
    """Record the reason for channels that have none yet."""
    for name, is_bad in zip(names, found, strict=True):
        if is_bad and name not in reasons:
            reasons[name] = reason


def spread(signal: Signal) -> NDArray[np.float64]:
    """Return the interquartile range of each channel, scaled to a standard deviation."""
    low, high = np.percentile(signal, [25, 75], axis=1)
    return np.asarray((high - low) / 1.349)


def _flat(signal: Signal) -> NDArray[np.bool_]:
    size = signal.std(axis=1)
    return np.asarray((size <= FLAT_SHARE * np.median(size)) | (size == 0))


def _extreme(signal: Signal, not_flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which channels have an outlying standard deviation among those that are not flat."""
    size = np.log(np.maximum(signal.std(axis=1), np.finfo(float).tiny))
    middle = np.median(size[not_flat])
    # Lower limit: a few very similar channels must not make all others extreme.
    scale = max(1.4826 * float(np.median(np.abs(size[not_flat] - middle))), 0.25)
    return np.asarray(not_flat & (np.abs(size - middle) > EXTREME_Z * scale))


def _mains(signal: Signal, rate_hz: float, line_hz: float) -> NDArray[np.bool_]:
    share = line_share(signal, rate_hz, line_hz)
    return np.asarray((share > LINE_SHARE) & (share > LINE_TIMES_MEDIAN * np.median(share)))


def _spectra(
    signal: Signal, rate_hz: float, n_window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies and each channel's power spectrum (Welch)."""
    from scipy import signal as dsp  # slow to import; the input check does not need it

    frequency, power = dsp.welch(signal, rate_hz, nperseg=n_window, axis=1)
    return frequency, power


def line_share(signal: Signal, rate_hz: float, line_hz: float) -> NDArray[np.float64]:
    """Return the fraction of each channel's power above 1 Hz within 1 Hz of the mains frequency."""
    n_window = min(signal.shape[1], round(2 * rate_hz))
    frequency, power = _spectra(signal, rate_hz, n_window)
    total = power[:, frequency >= 1].sum(axis=1)
    line = power[:, np.abs(frequency - line_hz) <= 1].sum(axis=1)
    return np.divide(line, total, out=np.zeros_like(line), where=total > 0)


def _uncorrelated(
    signal: Signal, contacts: Sequence[str], not_flat: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which channels have no correlated neighbour although most channels have one."""
    highest = np.full(len(contacts), np.nan)
    places = [split_contact(name) for name in contacts]
    place = {at: i for i, at in enumerate(places)}
    for i, (electrode, number) in enumerate(places):
        if number is None or not not_flat[i]:
            continue
        near = [place.get((electrode, number + step)) for step in (-2, -1, 1, 2)]
        values = [
            abs(float(np.corrcoef(signal[i], signal[j])[0, 1]))
            for j in near
            if j is not None and not_flat[j]
        ]
        if values:
            highest[i] = max(values)
    known = np.isfinite(highest)
    if not known.any() or np.median(highest[known]) < CORRELATED_MEDIAN:
        return np.zeros(len(contacts), dtype=bool)
    return np.asarray(known & (np.nan_to_num(highest, nan=1.0) < UNCORRELATED))


def detect_line_frequency(signal: Signal, rate_hz: float) -> float | None:
    """Return 50 or 60 Hz if the median channel's spectrum has a peak there, else None.

    The power at the peak must exceed three times the power of the neighbouring bins.
    """
    n_window = min(signal.shape[1], round(2 * rate_hz))
    if n_window < rate_hz / 2:
        return None
    frequency, power = _spectra(signal, rate_hz, n_window)
    heights = {}
    for line_hz in (50.0, 60.0):
        distance = np.abs(frequency - line_hz)
        beside = (distance > 2) & (distance <= 6)
        if line_hz + 6 >= rate_hz / 2 or not beside.any():
            continue
        peak = power[:, distance <= 1].max(axis=1)
        heights[line_hz] = float(
            np.median(peak / np.maximum(np.median(power[:, beside], axis=1), 1e-300))
        )
    if not heights:
        return None
    best = max(heights, key=lambda line_hz: heights[line_hz])
    return best if heights[best] > 3 else None
