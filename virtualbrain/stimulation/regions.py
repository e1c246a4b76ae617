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


def regional_responses(
    tables: Mapping[str, pd.DataFrame],
    contacts_of: ContactsOf,
    regions_of: Mapping[str, str],
    rng: np.random.Generator,
) -> RegionalResponses:
    """Summarise N1 by the regions of sites and channels.

    A site or channel belongs to the regions of its contacts: to both if they differ, to none if
    neither has a region. The amplitude of a pair of regions is the mean of the absolute N1 over
    its pairs of site and channel, zero where there is none; the probability is their mean, the
    latency their median where there is an N1. Intervals (90 %) are from resamples of the pairs;
    they say how much the places within the two regions differ.

    Parameters
    ----------
    tables : mapping of pandas.DataFrame
        ``amplitude_v``, ``latency_s`` and ``probability``, sites by channels, as of
        `virtualbrain.stimulation.spes.SpesResponses`.
    contacts_of : mapping
        Contacts of each site and channel, by its name.
    regions_of : mapping
        Region of each contact; contacts outside grey matter are missing.
    rng : numpy.random.Generator
        Resamples the pairs.
    """
    amplitude, latency, probability = (tables[name].to_numpy(dtype=float) for name in STATS)
    size = np.abs(np.nan_to_num(amplitude))
    sites, channels = tables["probability"].index, tables["probability"].columns
    sources = [_regions_at(str(name), contacts_of, regions_of) for name in sites]
    targets = [_regions_at(str(name), contacts_of, regions_of) for name in channels]
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for site, channel in np.argwhere(np.isfinite(probability)):
        for source in sources[site]:
            for target in targets[channel]:
                places.setdefault((source, target), []).append((site, channel))
    rows = []
    for (source, target), where in sorted(places.items()):
        at = tuple(np.array(where).T)
        own = np.stack([size[at], latency[at], probability[at]])
        figures = _with_intervals(own, rng)
        n_n1 = int(np.isfinite(amplitude[at]).sum())
        rows.append((source, target, len(where), n_n1, *figures))
    return RegionalResponses(pd.DataFrame(rows, columns=list(COLUMNS)))


def _regions_at(name: str, contacts_of: ContactsOf, regions_of: Mapping[str, str]) -> list[str]:
    """Return the regions of the contacts of a site or channel, each once."""
    return list(dict.fromkeys(regions_of[c] for c in contacts_of[name] if c in regions_of))


def _with_intervals(own: Array, rng: np.random.Generator) -> list[float]:
    """Return mean size, median latency and mean probability (rows), each with its interval."""
    n_pairs = own.shape[1]
    chosen = rng.integers(n_pairs, size=(N_RESAMPLES, n_pairs))
    tail = 50 * (1 - INTERVAL)  # percent
    found: list[float] = []
    for values, middle in zip(own, (_mean, _median, _mean), strict=True):
        limits = [np.nan, np.nan]
        if n_pairs > 1:
            spread = middle(values[chosen])
            spread = spread[np.isfinite(spread)]
            if len(spread):
                limits = [float(v) for v in np.percentile(spread, [tail, 100 - tail])]
        found += [float(middle(values[None])[0]), *limits]
    return found


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
