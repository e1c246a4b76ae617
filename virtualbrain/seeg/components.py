r"""Separate recorded signals into independent components.

A region that acts coherently has the same time course :math:`s_k` in all channels:
:math:`x_c(t) = \sum_k A_{ck} s_k(t)`. Independent component analysis (FastICA, Hyvärinen and Oja
2000) finds time courses that are as independent as possible, and their amplitudes A, without any
gain. Powers of independent components add up, so :math:`A_{ck}^2` is the power of component k in
channel c. Regions that discharge in step stay mixed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from virtualbrain.seeg.envelope import band_pass, sample_at

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]

BAND_HZ = (10.0, 110.0)
# Rest ends this long before the marked onset: the mark has an error of about a second.
REST_UNTIL_S = -1.5
_WINDOW_S = 0.5
_EDGE_S = 0.3
_LEAST_REST_S = 1.0
_LEAST_RATE_HZ = 40.0
# Directions with less power than this, as a multiple of rest, are noise.
_LEAST_POWER = 2.5
_MOST_COMPONENTS = 25
_MOST_SAMPLES = 40_000
_ITERATIONS = 300
# Components whose power never exceeds so many times rest are left out.
RISES = 3.0


@dataclass(frozen=True)
class Components:
    """Independent components of a patient's seizures.

    Parameters
    ----------
    power : numpy.ndarray, shape (n_channels, n_components)
        Power of each component in each channel during the seizures, as a multiple of the
        channel's power at rest.
    envelope : tuple of numpy.ndarray, each (n_times, n_components)
        One per seizure: log power above rest in the channel that sees the component most.
    """

    power: Array
    envelope: tuple[Array, ...]

    @property
    def count(self) -> int:
        """Number of components."""
        return int(self.power.shape[1])


@dataclass(frozen=True)
class Signals:
    """Recorded signals of a patient's seizures, which can be separated into components.

    Parameters
    ----------
    values : tuple of numpy.ndarray, each (n_samples, n_channels)
        One per seizure, any unit, without mains noise; the same sampling rate.
    times_s : tuple of numpy.ndarray, each (n_samples,)
        Seconds from the marked onset, uniform.
    """

    values: tuple[Array | Singles, ...]
    times_s: tuple[Array, ...]

    def part(
        self, channels: Sequence[int], seizures: Sequence[int], until_s: float = np.inf
    ) -> "Signals":
        """Return the signals of some channels and seizures until so many seconds."""
        kept = [(self.values[s], self.times_s[s], self.times_s[s] <= until_s) for s in seizures]
        return Signals(
            tuple(values[use][:, list(channels)] for values, _, use in kept),
            tuple(times[use] for _, times, use in kept),
        )


def separate(signals: Signals, wanted_s: Sequence[Array]) -> Components | None:
    """Separate the signals of all seizures together.

    Parameters
    ----------
    signals : Signals
        The recorded signals.
    wanted_s : sequence of numpy.ndarray, each (n_times,)
        Times of the envelopes.

    Returns
    -------
    Components or None
        None without a second of rest, with a sampling rate below 40 Hz, or where nothing rises.
    """
    times_s = signals.times_s
    rate_hz = 1.0 / float(np.median(np.diff(times_s[0])))
    rests = [_is_rest(times) for times in times_s]
    if sum(rest.sum() for rest in rests) < _LEAST_REST_S * rate_hz or rate_hz < _LEAST_RATE_HZ:
        return None
    with threadpool_limits(1, user_api="blas"):  # the same digits on any number of cores
        scaled = _multiples_of_rest(signals.values, rests, rate_hz)
        if not np.isfinite(scaled[0]).all():
            return None
        seizing = [x[:, t >= REST_UNTIL_S] for x, t in zip(scaled, times_s, strict=True)]
        filters, amplitudes = _independent(np.concatenate(seizing, axis=1))
        sources = [_mean_power(filters @ x, rate_hz) for x in scaled]
    power = amplitudes**2
    above = _above_rest(sources, rests)
    envelope = tuple(
        _sampled(np.log1p(power.max(axis=0)[:, None] * part), times, wanted)
        for part, times, wanted in zip(above, times_s, wanted_s, strict=True)
    )
    rises = np.max([part.max(axis=0) for part in envelope], axis=0) > np.log(RISES)
    if not rises.any():
        return None
    return Components(power[:, rises], tuple(part[:, rises] for part in envelope))


def _is_rest(times_s: Array) -> Mask:
    """Return the samples at rest: before the onset, without the edge of the recording."""
    return np.asarray((times_s >= times_s[0] + _EDGE_S) & (times_s < REST_UNTIL_S))


def _multiples_of_rest(
    signals: Sequence[Array | Singles], rests: Sequence[Mask], rate_hz: float
) -> list[Array]:
    """Return band-passed signals (n_channels, n_samples), divided by their deviation at rest."""
    clean = [band_pass(np.asarray(x, dtype=float).T, rate_hz, BAND_HZ) for x in signals]
    quiet = [x[:, rest] for x, rest in zip(clean, rests, strict=True)]
    scale = np.concatenate(quiet, axis=1).std(axis=1, keepdims=True)
    return [x / np.where(scale > 0, scale, np.nan) for x in clean]


def _mean_power(sources: Array, rate_hz: float) -> Array:
    """Return the power in a moving window, (n_components, n_samples)."""
    return np.asarray(uniform_filter1d(sources**2, max(round(_WINDOW_S * rate_hz), 1), axis=1))


def _above_rest(power: Sequence[Array], rests: Sequence[Mask]) -> list[Array]:
    """Return the power above its mean at rest over all seizures, not negative."""
    quiet = [part[:, rest] for part, rest in zip(power, rests, strict=True)]
    level = np.concatenate(quiet, axis=1).mean(axis=1, keepdims=True)
    return [np.maximum(part - level, 0.0) for part in power]


def _sampled(values: Array, times_s: Array, wanted_s: Array) -> Array:
    """Return values (n_components, n_samples) at the wanted times, (n_times, n_components)."""
    return sample_at(values, times_s, wanted_s).T if len(values) else np.zeros((len(wanted_s), 0))


def _independent(seizing: Array) -> tuple[Array, Array]:
    """Return filters (n_components, n_channels) and amplitudes (n_channels, n_components).

    `seizing` is (n_channels, n_samples), in multiples of rest. The components have unit power.
    """
    from sklearn.decomposition import FastICA  # type: ignore[import-untyped]  # slow to import
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]

    step = max(1, seizing.shape[1] // _MOST_SAMPLES)
    chosen = seizing[:, ::step]
    power, directions = np.linalg.eigh(np.cov(chosen))
    count = min(int((power > _LEAST_POWER).sum()), _MOST_COMPONENTS)
    if count < 2:
        return np.zeros((0, len(seizing))), np.zeros((len(seizing), 0))
    kept = directions[:, -count:]
    analysis = FastICA(count, whiten="unit-variance", max_iter=_ITERATIONS, random_state=0)
    with warnings.catch_warnings():  # components that are still mixed are useful
        warnings.simplefilter("ignore", ConvergenceWarning)
        analysis.fit((kept.T @ chosen).T)
    filters, amplitudes = analysis.components_ @ kept.T, kept @ analysis.mixing_
    size = (filters @ chosen).std(axis=1)
    return filters / size[:, None], amplitudes * size
