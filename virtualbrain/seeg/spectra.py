"""Compute band power in sliding tapered windows, 32 frames per second."""

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float64]

FRAME_RATE_HZ = 32.0


def sliding_band_power(
    signal: Signal,
    rate_hz: float,
    tapers: Signal,
    bands: Mapping[str, NDArray[np.float64]],
) -> tuple[dict[str, Signal], NDArray[np.int64]]:
    """Return the weighted band power in sliding windows.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal of at least one window.
    rate_hz : float
        Sampling rate.
    tapers : numpy.ndarray, shape (n_tapers, width)
        Tapers of one window; their powers are summed.
    bands : mapping of numpy.ndarray, shape (width // 2 + 1,)
        Weight of each frequency in each band.

    Returns
    -------
    powers : dict of numpy.ndarray, shape (n_channels, n_frames)
    centres : numpy.ndarray, shape (n_frames,)
        Middle sample of each window.
    """
    width, hop = tapers.shape[1], max(1, round(rate_hz / FRAME_RATE_HZ))
    starts = np.arange(0, signal.shape[1] - width + 1, hop)
    weights = np.stack(list(bands.values()), axis=1)
    powers = np.zeros((len(signal), len(starts), len(bands)))
    for i, row in enumerate(signal):  # one channel at a time, to save memory
        windows = sliding_window_view(row, width)[::hop]
        for taper in tapers:
            spectrum = fft.rfft(windows * taper, axis=1)
            powers[i] += (spectrum.real**2 + spectrum.imag**2) @ weights
    return {name: powers[:, :, j] for j, name in enumerate(bands)}, starts + width // 2


def frequencies(width: int, rate_hz: float) -> Signal:
    """Return the frequencies of the spectrum of a window."""
    return np.asarray(fft.rfftfreq(width, 1 / rate_hz))
