"""Detect the first deflection (N1) of evoked responses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from virtualbrain.errors import ModelError
from virtualbrain.stimulation.response import (
    Window,
    checked_response,
    require_varying_baseline,
    window_slices,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class N1Settings:
    """Settings of the detector; its rates are stated in docs/validation.md.

    Parameters
    ----------
    baseline_s, window_s : tuple of float
        Baseline, and times at which an N1 may be, in seconds from the pulse.
    threshold : float
        Least amplitude of an N1 in standard deviations of the mean over trials.
    smoothing_s : float
        Standard deviation of the Gaussian that smooths the mean over trials.
    n_resamples : int
        Number of resamples of the trials, for the probability.
    slow_s : float
        Standard deviation of the Gaussian whose smoothed signal is subtracted: it removes slow
        background, and lowers the N1 a little, the more the later it is. Zero keeps all.
    """

    baseline_s: Window = (-0.25, -0.02)
    window_s: Window = (0.009, 0.1)
    threshold: float = 4.0
    smoothing_s: float = 0.0015
    n_resamples: int = 200
    slow_s: float = 0.03

    def __post_init__(self) -> None:
        if self.slow_s and not self.slow_s > self.smoothing_s:
            raise ModelError(
                f"slow_s {self.slow_s:g} with smoothing_s {self.smoothing_s:g}",
                expected="slow_s zero or larger than smoothing_s",
            )
        if not (self.threshold > 0 and self.smoothing_s > 0 and self.n_resamples > 0):
            raise ModelError(
                f"threshold {self.threshold:g}, smoothing_s {self.smoothing_s:g} and n_resamples "
                f"{self.n_resamples}",
                expected="numbers above zero",
            )


@dataclass(frozen=True)
class N1:
    """The N1 of each channel.

    Parameters
    ----------
    amplitude : numpy.ndarray, shape (n_channels,)
        Value at the peak relative to the baseline, with its sign; NaN without an N1.
    latency_s : numpy.ndarray, shape (n_channels,)
        Seconds from the pulse; NaN without an N1.
    probability : numpy.ndarray, shape (n_channels,)
        Fraction of resamples of the trials in which an N1 is found, with the threshold multiplied
        by the root of two because the mean of a resample varies more than that of the trials.
    background : numpy.ndarray, shape (n_channels,)
        Standard deviation of single trials in the baseline, without slow background.
    """

    amplitude: Array
    latency_s: Array
    probability: Array
    background: Array


def detect_n1(
    trials: ArrayLike,
    times_s: ArrayLike,
    rng: np.random.Generator,
    settings: N1Settings | None = None,
) -> N1:
    r"""Detect the N1 in the mean over trials of each channel.

    An N1 is the local extremum of largest absolute value :math:`|a|` in the window, if

    .. math:: |a| > \theta \sigma / \sqrt n

    with the standard deviation :math:`\sigma` of the smoothed trials in the baseline, n trials and
    the threshold :math:`\theta`. Slow background is removed before: most of its power is below
    the frequencies of an N1. It may have either sign: in a bipolar channel the sign depends on
    the order of the contacts.

    Parameters
    ----------
    trials : array_like, shape (n_trials, n_channels, n_samples)
        Responses of any unit, without artefact.
    times_s : array_like, shape (n_samples,)
        Seconds from the pulse.
    rng : numpy.random.Generator
        Resamples the trials.
    settings : N1Settings, optional
        Windows and threshold.

    Raises
    ------
    ModelError
        Shapes or times are invalid, a value is not finite, a window is outside the times, or a
        channel is constant in the baseline.
    """
    settings = settings or N1Settings()
    values, times = checked_response(trials, times_s, ("trial", "channel", "sample"))
    before, after = window_slices(times, settings.baseline_s, settings.window_s)
    step = float(np.median(np.diff(times)))
    smooth = _band(values, step, settings)
    smooth = smooth - smooth[:, :, before].mean(axis=2, keepdims=True)
    require_varying_baseline(smooth[:, :, before].mean(axis=0))
    n_trials = len(smooth)
    variance = smooth[:, :, before].var(axis=2)  # (n_trials, n_channels)
    # One sample on each side, to recognise extrema at the edges of the window.
    around = slice(max(after.start - 1, 0), min(after.stop + 1, len(times)))
    response = smooth[:, :, around]
    place, amplitude = _largest_extremum(response.mean(axis=0))
    found = np.abs(amplitude) > settings.threshold * np.sqrt(variance.mean(axis=0) / n_trials)
    hits = np.zeros(values.shape[1])
    for _ in range(settings.n_resamples):
        chosen = np.bincount(rng.integers(n_trials, size=n_trials), minlength=n_trials) / n_trials
        _, peak = _largest_extremum(np.tensordot(chosen, response, axes=1))
        # Resampling doubles the variance of the mean around the true response.
        hits += np.abs(peak) > settings.threshold * np.sqrt(2.0 * (chosen @ variance) / n_trials)
    return N1(
        np.where(found, amplitude, np.nan),
        np.where(found, times[around][place], np.nan),
        hits / settings.n_resamples,
        np.sqrt(variance.mean(axis=0)),
    )


def _band(values: Array, step: float, settings: N1Settings) -> Array:
    """Return the trials smoothed, and without slow background."""
    smooth = gaussian_filter1d(values, settings.smoothing_s / step, axis=2)
    if settings.slow_s:
        smooth = smooth - gaussian_filter1d(values, settings.slow_s / step, axis=2)
    return np.asarray(smooth)


def _largest_extremum(response: Array) -> tuple[NDArray[np.int64], Array]:
    """Return sample and value of the largest local extremum of each channel; value 0 without one.

    A sample is an extremum if its absolute value is at least that of both neighbours. It does not
    count if the first sample is larger: then it is the rebound of what decays after the artefact.
    """
    size = np.abs(response)
    inside = size[:, 1:-1]
    extremum = (inside >= size[:, :-2]) & (inside >= size[:, 2:])
    candidates = np.where(extremum, inside, 0.0)
    place = candidates.argmax(axis=1) + 1
    rows = np.arange(len(response))
    counts = candidates.any(axis=1) & (size[rows, place] >= size[:, 0])
    value = np.where(counts, response[rows, place], 0.0)
    return place, value
