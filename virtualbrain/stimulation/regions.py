"""Summarise evoked responses from pairs of site and channel to pairs of regions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
ContactsOf = Mapping[str, Sequence[str]]

INTERVAL = 0.9
N_RESAMPLES = 500
# Weight of a channel that only the gain connects to a region; chosen on seeds that are not
# reported (docs/lab-notes/2026-11-29-evoked-responses.md).
_SHARE = 0.5
STATS = ("amplitude_v", "latency_s", "probability")
"""Figures of a pair of regions; each also has its interval, as ``amplitude_low_v``."""
COLUMNS = (
    *("stimulated", "recorded", "n_pairs", "n_n1"),
    *("amplitude_v", "amplitude_low_v", "amplitude_high_v"),
    *("latency_s", "latency_low_s", "latency_high_s"),
    *("probability", "probability_low", "probability_high"),
)


@dataclass(frozen=True)
class RegionalResponses:
    """Responses from region to region.

    Parameters
    ----------
    pairs : pandas.DataFrame
        One row per measured pair of regions with the columns `COLUMNS`: pairs of site and
        channel, those with an N1, and each figure with its interval (NaN with one pair only).
    """

    pairs: pd.DataFrame

    def matrix(self, stat: str) -> pd.DataFrame:
        """Return a figure as a matrix, stimulated regions (rows) by recorded ones.

        Parameters
        ----------
        stat : str
            One of `STATS`. NaN where a pair was not measured.
        """
        rows, columns = (sorted(set(self.pairs[end])) for end in ("stimulated", "recorded"))
        found = pd.DataFrame(np.nan, index=rows, columns=columns)
        for source, target, value in zip(
            self.pairs["stimulated"], self.pairs["recorded"], self.pairs[stat], strict=True
        ):
            found.loc[source, target] = value
        return found


@dataclass(frozen=True)
class _Places:
    """Sizes of the N1 at pairs of site and channel, with their weights."""

    size: Array
    weight: Array

    def sums(self, chosen: NDArray[np.intp]) -> Array:
        """Return weighted sum and sum of weights of each row of chosen pairs, (n_rows, 2)."""
        weighted = (self.size * self.weight)[chosen].sum(axis=1)
        return np.stack([weighted, self.weight[chosen].sum(axis=1)], axis=1)


def regional_responses(
    tables: Mapping[str, pd.DataFrame],
    contacts_of: ContactsOf,
    regions_of: Mapping[str, str],
    rng: np.random.Generator,
    gain: pd.DataFrame | None = None,
) -> RegionalResponses:
    r"""Summarise N1 by the regions of sites and channels.

    A site or channel belongs to the regions of its contacts: to both if they differ, to none if
    neither has a region. The amplitude of a pair of regions is the mean of the sizes of the N1
    (`comparable_sizes`, zero where there is none) over all channels, weighted by

    .. math:: w_{ci} = m_{ci} + \tfrac12 \, G_{ci} / \textstyle\sum_k G_{ck}

    with :math:`m_{ci}` = 1 for channels of the region, else 0, and the gain G; without a gain, by
    :math:`m_{ci}` alone. The probability is the mean over the pairs of site and channel, the
    latency their median where there is an N1. Intervals (90 %) are from resamples of the pairs, in
    and outside of the region separately; they say how much the places differ.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        ``amplitude_v``, ``latency_s`` and ``probability``, sites by channels, as of
        `virtualbrain.stimulation.spes.SpesResponses`; optionally ``background_v``.
    contacts_of : mapping
        Contacts of each site and channel, by its name.
    regions_of : mapping
        Region of each contact; contacts outside grey matter are missing.
    rng : numpy.random.Generator
        Resamples the pairs.
    gain : pandas.DataFrame, optional
        Gain, channels by regions, not negative. Channels and regions that it lacks count as zero.
    """
    amplitude, latency, probability = (tables[name].to_numpy(dtype=float) for name in STATS)
    size = comparable_sizes(tables["amplitude_v"], tables.get("background_v"))
    sites, channels = tables["probability"].index, tables["probability"].columns
    sources = [_regions_at(str(name), contacts_of, regions_of) for name in sites]
    targets = [_regions_at(str(name), contacts_of, regions_of) for name in channels]
    names = sorted({name for own in targets for name in own})
    inside = np.array([[name in own for name in names] for own in targets], dtype=bool)
    share = _shares(gain, [str(name) for name in channels], names)
    used = np.isfinite(probability)
    rows = []
    for source in sorted({name for own in sources for name in own}):
        from_source = np.array([source in own for own in sources])[:, None] & used
        for column, target in enumerate(names):
            own = np.nonzero(from_source & inside[:, column])
            if not len(own[0]):
                continue
            apart = np.nonzero(from_source & ~inside[:, column] & (share[:, column] > 0))
            near = _Places(size[own], 1 + _SHARE * share[own[1], column])
            far = _Places(size[apart], _SHARE * share[apart[1], column])
            figures = _with_intervals(near, far, latency[own], probability[own], rng)
            n_n1 = int(np.isfinite(amplitude[own]).sum())
            rows.append((source, target, len(own[0]), n_n1, *figures))
    return RegionalResponses(pd.DataFrame(rows, columns=list(COLUMNS)))


def comparable_sizes(amplitude: pd.DataFrame, background: pd.DataFrame | None) -> Array:
    r"""Return the absolute N1 as if every channel had the same background, zero without an N1.

    A channel that couples strongly to the tissue shows a large N1 and a large background, so

    .. math:: a_c = |A_c| \, \tilde b / b_c

    with the background :math:`b_c`, the root mean square over sites, and its median over channels.

    Parameters
    ----------
    amplitude : pandas.DataFrame
        N1, sites by channels; NaN without an N1.
    background : pandas.DataFrame, optional
        Standard deviation of the background of the same, NaN if not used; without it the sizes are
        the absolute N1.

    Returns
    -------
    numpy.ndarray, shape (n_sites, n_channels)
        In the unit of the amplitude.
    """
    size: Array = np.abs(np.nan_to_num(amplitude.to_numpy(dtype=float)))
    if background is None:
        return size
    power = background.to_numpy(dtype=float) ** 2
    seen = np.isfinite(power)
    sums, counts = np.where(seen, power, 0.0).sum(axis=0), seen.sum(axis=0)
    own = np.sqrt(sums[counts > 0] / counts[counts > 0])
    factor = np.zeros(len(counts))
    factor[counts > 0] = np.median(own) / own
    return np.asarray(size * factor, dtype=np.float64)


def _shares(gain: pd.DataFrame | None, channels: Sequence[str], regions: Sequence[str]) -> Array:
    """Return the share of each region in each channel, (n_channels, n_regions)."""
    if gain is None:
        return np.zeros((len(channels), len(regions)))
    total = gain.sum(axis=1)
    share = gain.loc[total > 0].div(total[total > 0], axis=0)
    aligned = share.reindex(index=pd.Index(channels), columns=pd.Index(regions)).fillna(0.0)
    return np.asarray(aligned.to_numpy(dtype=float))


def _regions_at(name: str, contacts_of: ContactsOf, regions_of: Mapping[str, str]) -> list[str]:
    """Return the regions of the contacts of a site or channel, each once."""
    return list(dict.fromkeys(regions_of[c] for c in contacts_of[name] if c in regions_of))


def _with_intervals(
    near: _Places, far: _Places, latency: Array, probability: Array, rng: np.random.Generator
) -> list[float]:
    """Return mean size, median latency and mean probability, each with its interval."""
    n_pairs = len(near.size)
    chosen = rng.integers(n_pairs, size=(N_RESAMPLES, n_pairs))
    away = rng.integers(max(len(far.size), 1), size=(N_RESAMPLES, len(far.size)))
    drawn = near.sums(chosen) + far.sums(away)
    total = near.sums(np.arange(n_pairs)[None]) + far.sums(np.arange(len(far.size))[None])
    return [
        *_figure(total[:, 0] / total[:, 1], drawn[:, 0] / drawn[:, 1], n_pairs),
        *_figure(_median(latency[None]), _median(latency[chosen]), n_pairs),
        *_figure(_mean(probability[None]), _mean(probability[chosen]), n_pairs),
    ]


def _figure(value: Array, drawn: Array, n_pairs: int) -> list[float]:
    """Return a figure with its interval, which is missing with one pair."""
    tail = 50 * (1 - INTERVAL)  # percent
    spread = drawn[np.isfinite(drawn)]
    if n_pairs < 2 or not len(spread):
        return [float(value[0]), np.nan, np.nan]
    return [float(value[0]), *(float(v) for v in np.percentile(spread, [tail, 100 - tail]))]


def _mean(values: Array) -> Array:
    """Return the mean of each row."""
    return np.asarray(values.mean(axis=1))


def _median(values: Array) -> Array:
    """Return the median of each row without NaN; NaN where all values are NaN."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    low = np.maximum((count - 1) // 2, 0)[:, None]
    high = np.minimum(count // 2, ordered.shape[1] - 1)[:, None]
    pair = np.take_along_axis(ordered, low, 1), np.take_along_axis(ordered, high, 1)
    return np.asarray(np.where(count > 0, (pair[0] + pair[1])[:, 0] / 2, np.nan))
