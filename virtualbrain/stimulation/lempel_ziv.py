"""Compute the perturbational complexity index from the Lempel-Ziv complexity of the response."""

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
from virtualbrain.stimulation.words import count_words

Binary = NDArray[np.bool_]


@dataclass(frozen=True)
class SignificanceSettings:
    """How samples of a response are compared with the baseline.

    Parameters
    ----------
    baseline_s, response_s : tuple of float
        Windows in seconds from the stimulus.
    alpha : float
        Probability that a response without effect has any significant sample.
    n_surrogates : int
        Number of surrogate baselines.

    Raises
    ------
    ModelError
        `alpha` is not between 0 and 1, or there are fewer than 1 / `alpha` surrogates.
    """

    baseline_s: Window = (-0.3, 0.0)
    response_s: Window = (0.0, 0.3)
    alpha: float = 0.01
    n_surrogates: int = 500

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1 or self.n_surrogates * self.alpha < 1:
            raise ModelError(
                f"alpha {self.alpha:g} with {self.n_surrogates} surrogates",
                expected="alpha between 0 and 1, and at least 1 / alpha surrogates",
            )


def significant_samples(
    trials: ArrayLike,
    times_s: ArrayLike,
    rng: np.random.Generator,
    settings: SignificanceSettings | None = None,
) -> Binary:
    """Return which samples of a response differ from the baseline.

    The mean over trials is divided by its standard deviation in the baseline. It is significant
    where its absolute value exceeds the 1 - alpha quantile of the largest absolute value, over all
    channels and samples, of surrogates: means of baselines with the samples of each trial shuffled.

    Parameters
    ----------
    trials : array_like, shape (n_trials, n_channels, n_samples)
        Responses of any unit.
    times_s : array_like, shape (n_samples,)
        Seconds from the stimulus.
    rng : numpy.random.Generator
        Shuffles the surrogates.
    settings : SignificanceSettings, optional
        Windows and level.

    Returns
    -------
    numpy.ndarray, shape (n_channels, n_response_samples)
        True where the response is significant.

    Raises
    ------
    ModelError
        Shapes or times are invalid, a value is not finite, a window is outside the times, or the
        mean of a channel is constant in the baseline.

    References
    ----------
    Casali et al. 2013, Sci Transl Med 5:198ra105.
    """
    settings = settings or SignificanceSettings()
    values, times = checked_response(trials, times_s, ("trial", "channel", "sample"))
    before, after = window_slices(times, settings.baseline_s, settings.response_s)
    mean = values.mean(axis=0)
    require_varying_baseline(mean[:, before])
    centre = mean[:, before].mean(axis=1, keepdims=True)
    scale = mean[:, before].std(axis=1, keepdims=True)
    baselines = (values[:, :, before] - centre) / scale
    limit = _limit(baselines, rng, settings)
    return np.asarray(np.abs(mean[:, after] - centre) > limit * scale)


def significant_samples_of_trials(
    trials: ArrayLike,
    times_s: ArrayLike,
    rng: np.random.Generator,
    settings: SignificanceSettings | None = None,
) -> Binary:
    """Return which samples of each trial exceed the baseline, as in simulations of brain states.

    Each trial and channel is divided by its own standard deviation in the baseline. The limit is
    that of `significant_samples`, so a single trial also exceeds it by chance, more often in
    irregular activity. An index from single trials therefore measures the complexity of spontaneous
    and evoked activity together; it cannot be compared with one from the mean over trials.

    Parameters
    ----------
    trials : array_like, shape (n_trials, n_channels, n_samples)
        Responses of any unit.
    times_s : array_like, shape (n_samples,)
        Seconds from the stimulus.
    rng : numpy.random.Generator
        Shuffles the surrogates.
    settings : SignificanceSettings, optional
        Windows and level.

    Returns
    -------
    numpy.ndarray, shape (n_trials, n_channels, n_response_samples)
        True where the trial is above the limit.

    Raises
    ------
    ModelError
        As `significant_samples`; a channel is constant in the baseline of a trial.

    References
    ----------
    Goldman et al. 2023, Front Comput Neurosci 16:1058957.
    """
    settings = settings or SignificanceSettings()
    values, times = checked_response(trials, times_s, ("trial", "channel", "sample"))
    before, after = window_slices(times, settings.baseline_s, settings.response_s)
    for trial in values:
        require_varying_baseline(trial[:, before])
    baselines = values[:, :, before]
    centre, scale = baselines.mean(axis=2, keepdims=True), baselines.std(axis=2, keepdims=True)
    limit = _limit((baselines - centre) / scale, rng, settings)
    return np.asarray(values[:, :, after] - centre > limit * scale)


def _limit(
    baselines: NDArray[np.float64], rng: np.random.Generator, settings: SignificanceSettings
) -> float:
    """Return the 1 - alpha quantile of the surrogates' largest absolute means over trials."""
    largest = np.empty(settings.n_surrogates)
    for k in range(settings.n_surrogates):
        surrogate = np.zeros(baselines.shape[1:])
        for trial in baselines:
            surrogate += trial[:, rng.permutation(baselines.shape[2])]
        largest[k] = np.abs(surrogate).max() / len(baselines)
    return float(np.quantile(largest, 1 - settings.alpha))


def lempel_ziv_pci(significant: ArrayLike) -> float:
    r"""Return the perturbational complexity index of a matrix of significant samples.

    .. math:: PCI = c \log_2 L / (L H(p)), \quad H(p) = -p\log_2 p - (1-p)\log_2(1-p)

    with the Lempel-Ziv complexity c of the matrix, its number of elements L and the fraction p of
    significant elements. Channels are sorted by their number of significant samples first, so that
    their order has no influence.

    Parameters
    ----------
    significant : array_like, shape (n_channels, n_samples)
        True or 1 where the response is significant.

    Returns
    -------
    float
        The index; no unit.

    Raises
    ------
    ModelError
        Fewer than two channels or samples, other values than 0 and 1, or all values equal.

    References
    ----------
    Casali et al. 2013, Sci Transl Med 5:198ra105.
    """
    matrix = _checked(significant)
    size, fraction = matrix.size, float(matrix.mean())
    if fraction in (0.0, 1.0):
        raise ModelError(
            f"{'no' if fraction == 0 else 'every'} sample is significant",
            expected="significant samples and others",
            hint="the index is not defined; check the stimulus and the level",
        )
    entropy = -fraction * np.log2(fraction) - (1 - fraction) * np.log2(1 - fraction)
    return float(lempel_ziv_complexity(_sorted(matrix)) * np.log2(size) / (size * entropy))


def lempel_ziv_complexity(matrix: ArrayLike) -> int:
    """Return the Lempel-Ziv complexity of a binary matrix, read column by column.

    A column is divided into words. A word is the shortest sequence that occurs neither in an
    earlier column nor earlier in its own. The first element is a word. As in the published
    algorithm, the sequence that a column ends with is not counted if it occurred before, and the
    end of the matrix counts one.

    Parameters
    ----------
    matrix : array_like, shape (n_rows, n_columns)
        Values 0 and 1.

    Raises
    ------
    ModelError
        Fewer than two rows or columns, or other values than 0 and 1.
    """
    return int(count_words(np.ascontiguousarray(_checked(matrix)))) + 1


def _checked(matrix: ArrayLike) -> Binary:
    values = np.asarray(matrix)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ModelError(
            f"the matrix has the shape {values.shape}",
            expected="(n_channels, n_samples), at least two of each",
        )
    if not np.isin(values, (0, 1)).all():
        raise ModelError("the matrix has other values than 0 and 1", expected="0 or 1")
    return np.asarray(values, dtype=np.bool_)


def _sorted(matrix: Binary) -> Binary:
    """Return the rows by their number of ones, largest first; equal numbers by their content."""
    keys = [(-int(row.sum()), tuple(~row)) for row in matrix]
    return matrix[sorted(range(len(matrix)), key=keys.__getitem__)]
