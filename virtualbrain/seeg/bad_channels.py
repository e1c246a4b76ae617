"""An automatic proposal of bad channels, each with its reason."""

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
    signal: Signal, names: Sequence[str], rate_hz: float, line_hz: float | None
) -> dict[str, str]:
    """Propose bad channels from a stretch without a seizure.

    Flat: a spread below 1 % of the median channel's. Mains: more than half of the power above
    1 Hz in the mains' line and five times the median channel's share. Extreme: the logarithm of
    the spread more than 6 robust standard deviations from the median. Alone: correlated below
    0.1 with every neighbour on its electrode, where the median channel reaches 0.4.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        As recorded, volts.
    names : sequence of str
        Contacts, to know who is a neighbour.
    rate_hz : float
        Sampling rate.
    line_hz : float, optional
        Mains frequency.

    Returns
    -------
    dict
        Reason under each proposed name.
    """
    if signal.shape[1] < rate_hz / 2 or len(names) < 3:
        return {}
    centred = signal - signal.mean(axis=1, keepdims=True)
    reasons: dict[str, str] = {}
    _note(reasons, names, _flat(centred), "flat")
    alive = np.array([name not in reasons for name in names])
    if line_hz is not None and line_hz < rate_hz / 2:
        _note(reasons, names, _mains(centred, rate_hz, line_hz), "mains noise")
    _note(reasons, names, _extreme(centred, alive), "extreme variance")
    _note(reasons, names, _alone(centred, names, alive), "unlike its neighbours")
    return reasons


def _note(
    reasons: dict[str, str], names: Sequence[str], found: NDArray[np.bool_], reason: str
) -> None:
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


def _extreme(signal: Signal, alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Channels whose spread stands out among the ones that are not flat."""
    size = np.log(np.maximum(signal.std(axis=1), np.finfo(float).tiny))
    middle = np.median(size[alive])
    # A floor, so that a handful of very similar channels does not make all others extreme.
    scale = max(1.4826 * float(np.median(np.abs(size[alive] - middle))), 0.25)
    return np.asarray(alive & (np.abs(size - middle) > EXTREME_Z * scale))


def _mains(signal: Signal, rate_hz: float, line_hz: float) -> NDArray[np.bool_]:
    share = line_share(signal, rate_hz, line_hz)
    return np.asarray((share > LINE_SHARE) & (share > LINE_TIMES_MEDIAN * np.median(share)))


def _spectra(
    signal: Signal, rate_hz: float, n_window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies and each channel's power, by Welch."""
    from scipy import signal as dsp  # slow to import, and the check of the input needs it not

    frequency, power = dsp.welch(signal, rate_hz, nperseg=n_window, axis=1)
    return frequency, power


def line_share(signal: Signal, rate_hz: float, line_hz: float) -> NDArray[np.float64]:
    """Return each channel's share of power above 1 Hz that lies within 1 Hz of the mains."""
    n_window = min(signal.shape[1], round(2 * rate_hz))
    frequency, power = _spectra(signal, rate_hz, n_window)
    total = power[:, frequency >= 1].sum(axis=1)
    line = power[:, np.abs(frequency - line_hz) <= 1].sum(axis=1)
    return np.divide(line, total, out=np.zeros_like(line), where=total > 0)


def _alone(signal: Signal, names: Sequence[str], alive: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Channels without a correlated neighbour where the others have one."""
    highest = np.full(len(names), np.nan)
    place = {split_contact(name): i for i, name in enumerate(names)}
    for (electrode, number), i in place.items():
        if number is None or not alive[i]:
            continue
        near = [place.get((electrode, number + step)) for step in (-2, -1, 1, 2)]
        values = [
            abs(float(np.corrcoef(signal[i], signal[j])[0, 1]))
            for j in near
            if j is not None and alive[j]
        ]
        if values:
            highest[i] = max(values)
    known = np.isfinite(highest)
    if not known.any() or np.median(highest[known]) < CORRELATED_MEDIAN:
        return np.zeros(len(names), dtype=bool)
    return np.asarray(known & (np.nan_to_num(highest, nan=1.0) < UNCORRELATED))


def detect_line_frequency(signal: Signal, rate_hz: float) -> float | None:
    """Return 50 or 60 Hz where the median channel's spectrum has that line, else None.

    The line counts when its power exceeds three times that of the bins beside it.
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
