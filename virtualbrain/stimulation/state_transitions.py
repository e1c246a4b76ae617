"""Compute PCIst, the perturbational complexity index of state transitions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.stimulation.response import (
    Window,
    checked_response,
    require_varying_baseline,
    window_slices,
)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PcistSettings:
    """Settings of PCIst; the defaults are the published ones for SPES and SEEG.

    Parameters
    ----------
    baseline_s, response_s : tuple of float
        Windows in seconds from the stimulus. For TMS and EEG: (-0.4, -0.05) and (0, 0.3).
    variance : float
        Fraction of the response's variance that the kept components explain.
    least_snr : float
        Least ratio of the root mean squares of response and baseline of a component.
    k : float
        Weight of the baseline's transitions.
    n_thresholds : int
        Number of thresholds of the distance.

    Raises
    ------
    ModelError
        A value is outside its range.
    """

    baseline_s: Window = (-0.25, -0.05)
    response_s: Window = (0.01, 0.6)
    variance: float = 0.99
    least_snr: float = 1.1
    k: float = 1.2
    n_thresholds: int = 100

    def __post_init__(self) -> None:
        if not (0 < self.variance <= 1 and self.least_snr >= 0 and self.k > 0):
            raise ModelError(
                f"variance {self.variance:g}, least_snr {self.least_snr:g} and k {self.k:g}",
                expected="a fraction above 0 and at most 1, zero or more, above zero",
            )
        if self.n_thresholds < 2:
            raise ModelError(f"{self.n_thresholds} thresholds", expected="at least 2")


@dataclass(frozen=True)
class Pcist:
    """PCIst, and the state transitions that each principal component adds.

    Parameters
    ----------
    value : float
        Sum over the components; no unit.
    components : numpy.ndarray, shape (n_components,)
        State transitions of each kept component, in the order of variance.
    """

    value: float
    components: Array


def pcist(evoked: ArrayLike, times_s: ArrayLike, settings: PcistSettings | None = None) -> Pcist:
    r"""Return the perturbational complexity index of state transitions of an evoked response.

    The principal components of the response that explain most of its variance and exceed the
    baseline are kept. For each, the distances between its values at all pairs of times are compared
    with a threshold :math:`\epsilon`; a transition is a change of the comparison from one time to
    the next. With the mean number of transitions :math:`NST = \sum_{ij} T_{ij}(\epsilon) / n^2`,

    .. math:: PCI^{ST} = \sum_c \max(0, \max_\epsilon n_r (NST_r - k\,NST_b)).

    The thresholds go from the median distance of the baseline to the largest of the response.

    Parameters
    ----------
    evoked : array_like, shape (n_channels, n_samples)
        Response averaged over trials, of any unit; not referenced to the average.
    times_s : array_like, shape (n_samples,)
        Seconds from the stimulus.
    settings : PcistSettings, optional
        Windows and limits; by default those for SPES and SEEG.

    Returns
    -------
    Pcist
        Zero, without components, if no component exceeds the baseline.

    Raises
    ------
    ModelError
        Shapes or times are invalid, a value is not finite, a window is outside the times, or a
        channel is constant in the baseline.

    References
    ----------
    Comolatti et al. 2019, Brain Stimulation 12:1280.
    """
    settings = settings or PcistSettings()
    values, times = checked_response(evoked, times_s, ("channel", "sample"))
    before, after = window_slices(times, settings.baseline_s, settings.response_s)
    require_varying_baseline(values[:, before])
    centred = values - values[:, before].mean(axis=1, keepdims=True)
    baseline, response = centred[:, before], centred[:, after]
    components = [
        _transitions(b, r, settings)
        for b, r in zip(*_kept(baseline, response, settings), strict=True)
    ]
    return Pcist(float(np.sum(components)), np.array(components, dtype=np.float64))


def _kept(baseline: Array, response: Array, settings: PcistSettings) -> tuple[Array, Array]:
    """Return baseline and response of the components to keep, shape (n_components, n_samples)."""
    directions, sizes, _ = np.linalg.svd(response, full_matrices=False)
    total = np.sum(sizes**2)
    if total == 0:
        return baseline[:0], response[:0]
    explained = np.cumsum(sizes**2) / total
    n = min(int(np.searchsorted(explained, settings.variance)) + 1, len(sizes))
    b, r = directions[:, :n].T @ baseline, directions[:, :n].T @ response
    snr = np.sqrt(np.mean(r**2, axis=1) / np.mean(b**2, axis=1))
    keep = snr > settings.least_snr
    return b[keep], r[keep]


def _transitions(baseline: Array, response: Array, settings: PcistSettings) -> float:
    """Return the state transitions that the response adds to those of the baseline."""
    in_baseline, in_response = _distances(baseline), _distances(response)
    thresholds = np.linspace(np.median(in_baseline), in_response.max(), settings.n_thresholds)
    if thresholds[-1] <= thresholds[0]:
        return 0.0
    added = _changes(in_response, thresholds) - settings.k * _changes(in_baseline, thresholds)
    return max(0.0, float(added.max()) * len(response))


def _distances(component: Array) -> Array:
    return np.abs(component[:, np.newaxis] - component)


def _changes(distances: Array, thresholds: Array) -> Array:
    """Return the mean number of transitions at each threshold.

    The comparison changes between two neighbouring times where the threshold is between their
    distances: at least the smaller and below the larger one.
    """
    below = np.searchsorted(thresholds, distances)  # number of the first threshold >= distance
    first, last = np.minimum(below[:, 1:], below[:, :-1]), np.maximum(below[:, 1:], below[:, :-1])
    n = len(thresholds)
    starts, ends = (np.bincount(k.ravel(), minlength=n + 1)[:n] for k in (first, last))
    return np.asarray(np.cumsum(starts - ends) / distances.size)
