"""Baselines that locate the zone from the same data as a fit, without a model of seizures."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]

ONSET_LEVEL = float(np.log(5.0))
ONSET_TAU_S = 5.0


def nnls_baseline(envelope: Array, gain: Array) -> Array:
    """Return the mean power of the sources by non-negative least squares, scaled to 0 to 1.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Gain, each row divided by its sum.
    """
    power = np.expm1(np.clip(envelope, 0, 30)).mean(axis=0)
    estimate, _ = nnls(gain, power, maxiter=50 * gain.shape[1])
    return np.asarray(estimate / max(float(estimate.max()), 1e-12))


def nearest_baseline(
    envelope: Array, times_s: Array, nearest: NDArray[np.int64], n_regions: int
) -> Array:
    """Return the energy of the channel nearest to each region, lower for late onsets, 0 to 1.

    The onset of a channel is its first sample above five times the power of the baseline.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds.
    nearest : numpy.ndarray of int, shape (n_channels,)
        Region nearest to each channel.
    n_regions : int
        Number of regions.
    """
    high = envelope > ONSET_LEVEL
    onset = np.where(high.any(axis=0), times_s[high.argmax(axis=0)], np.inf)
    delay = onset - onset.min() if np.isfinite(onset).any() else np.zeros(len(onset))
    energy = np.clip(envelope, 0, None).mean(axis=0)
    per_channel = energy * np.exp(-delay / ONSET_TAU_S)
    found = np.zeros(n_regions)
    np.maximum.at(found, nearest, per_channel)
    return np.asarray(found / max(float(found.max()), 1e-12))
