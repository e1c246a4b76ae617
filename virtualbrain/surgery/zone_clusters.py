"""Group the zones of the posterior draws into explanations of the recording.

A zone is the set of suspected regions that start seizures in one draw. Many zones differ only in a
region that is uncertain by itself. They are one explanation. Zones that exchange one region for
another, with no probable zone between them, are different explanations.

Two peaks of probability belong to one explanation if one changes into the other by adding or
removing one region at a time, and every zone on the way has at least `SADDLE` of the lower peak's
probability (clustering by the persistence of peaks, Chazal et al. 2013). An explanation with
less probability than `SMALLEST` rests on few draws. It joins the one whose peak is nearest.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.posterior import chain_weights, effective_count, starts_seizures
from virtualbrain.surgery.draws import chosen_draws

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

SADDLE = 0.5
SMALLEST = 0.02
_BATCHES = 5


@dataclass(frozen=True)
class ZoneDraws:
    """Zones of the posterior draws in which a suspected region starts the seizure.

    Parameters
    ----------
    regions : tuple of str
        Suspected regions.
    in_ez : numpy.ndarray of bool, shape (n_draws, n_regions)
        Suspected regions that start seizures.
    chain, draw : numpy.ndarray of int, shape (n_draws,)
        Place of each draw in the posterior.
    explained : float
        Probability that a suspected region starts the seizure.
    p_ez : numpy.ndarray
        Probability of every region of the posterior to start seizures.
    """

    regions: tuple[str, ...]
    in_ez: Mask
    chain: Integers
    draw: Integers
    explained: float
    p_ez: Array

    def picked(self, chosen: Mask) -> "ZoneDraws":
        """Return some of the draws."""
        return replace(
            self,
            in_ez=self.in_ez[chosen],
            chain=self.chain[chosen],
            draw=self.draw[chosen],
        )


@dataclass(frozen=True)
class Grouped:
    """Explanations of the draws, the most probable first.

    Parameters
    ----------
    of_draw : numpy.ndarray of int, shape (n_draws,)
        Number of each draw's explanation, from 0.
    p : numpy.ndarray, shape (n_explanations,)
        Probabilities.
    peaks : tuple of frozenset of str
        Most probable zone of each explanation.
    zones : tuple of frozenset of frozenset of str
        Zones of each explanation.
    """

    of_draw: Integers
    p: Array
    peaks: tuple[frozenset[str], ...]
    zones: tuple[frozenset[frozenset[str]], ...]


def zone_draws(posterior: xr.DataTree, suspicion: float) -> ZoneDraws:
    """Return the zones of the posterior draws, of each chain in proportion to its weight.

    Parameters
    ----------
    posterior : xarray.DataTree
        The fit.
    suspicion : float
        Smallest p_ez of a suspected region. All other regions are left out: the prior alone gives
        each of them a probability of about 0.01, which no recording confirms.
    """
    samples = posterior["posterior"].to_dataset()
    starts = starts_seizures(samples, float(posterior.attrs["I1"])).to_numpy()
    n_chains, n_draws, _ = starts.shape
    weights = chain_weights(posterior.children.get("sample_stats"), n_chains)
    p_ez = weights @ starts.mean(axis=1)
    suspected = p_ez >= suspicion
    starts = starts[..., suspected]
    useful = starts.any(axis=-1)
    explained = float(weights @ useful.mean(axis=1))
    chosen = np.zeros(0, dtype=np.int64)
    if explained > 0:
        same = np.random.default_rng(0)  # with equal weights every draw is taken once
        chosen = chosen_draws(weights, useful, int(useful.sum()), same)
    return ZoneDraws(
        regions=tuple(str(name) for name in samples["region"].to_numpy()[suspected]),
        in_ez=starts.reshape(n_chains * n_draws, -1)[chosen],
        chain=chosen // n_draws,
        draw=chosen % n_draws,
        explained=explained,
        p_ez=p_ez,
    )


def grouped(draws: ZoneDraws) -> Grouped:
    """Group the zones of the draws into explanations by the rule of this module."""
    sets, of_set = np.unique(draws.in_ez, axis=0, return_inverse=True)
    of_set = of_set.reshape(-1)
    p = np.bincount(of_set, minlength=len(sets)) / len(of_set)
    peak_of = _joined(_peaks(sets, p), sets, p)
    peaks, group = np.unique(peak_of, return_inverse=True)
    p_group = np.bincount(group, p, len(peaks))
    order = np.argsort(-p_group, kind="stable")
    place = np.argsort(order)
    names = [_named(row, draws.regions) for row in sets]
    return Grouped(
        of_draw=place[group[of_set]],
        p=p_group[order],
        peaks=tuple(names[peak] for peak in peaks[order]),
        zones=tuple(
            frozenset(names[s] for s in np.flatnonzero(group == number)) for number in order
        ),
    )


def _named(row: Mask, regions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name, inside in zip(regions, row, strict=True) if inside)


def _peaks(sets: Mask, p: Array) -> Integers:
    """Return the peak of each zone, as a number of a zone, (n_sets,)."""
    peak_of = np.full(len(sets), -1)
    above: dict[int, int] = {}  # peaks that became part of a higher one

    def highest(peak: int) -> int:
        while peak in above:
            peak = above[peak]
        return peak

    for s in np.argsort(-p, kind="stable"):
        near = np.flatnonzero((_differing(sets, sets[s]) == 1) & (peak_of >= 0))
        found = sorted({highest(int(peak_of[n])) for n in near}, key=lambda peak: (-p[peak], peak))
        peak_of[s] = found[0] if found else s
        for lower in found[1:]:
            if p[s] >= SADDLE * p[lower]:
                above[lower] = found[0]
    return np.array([highest(int(peak)) for peak in peak_of], dtype=np.int64)


def _joined(peak_of: Integers, sets: Mask, p: Array) -> Integers:
    """Join explanations of little probability with the one whose peak is nearest."""
    p_peak = np.bincount(peak_of, p, len(sets))
    large = np.flatnonzero(p_peak >= SMALLEST)
    if len(large) == 0:
        large = np.array([int(p_peak.argmax())])
    large = large[np.argsort(-p_peak[large], kind="stable")]
    target = np.array([large[_differing(sets[large], row).argmin()] for row in sets])
    kept = np.isin(peak_of, large)
    return np.asarray(np.where(kept, peak_of, target[peak_of]), dtype=np.int64)


def _differing(sets: Mask, one: Mask) -> Integers:
    """Return in how many regions each zone differs from one."""
    return np.asarray((sets != one).sum(axis=1), dtype=np.int64)


def effective_number(groups: Integers) -> float:
    """Return the effective number of groups of draws."""
    return effective_count(np.bincount(groups) / len(groups))


def monte_carlo_error(statistic: Callable[[Mask], Array], draws: ZoneDraws) -> Array:
    """Return the Monte Carlo error of a statistic of the draws.

    The jackknife leaves out one chain at a time, and one of the parts of the chains at a time; the
    larger error counts. Chains that disagree give a large error, and so do few independent draws.

    Parameters
    ----------
    statistic : callable
        Its argument is a mask of the draws to use.
    draws : ZoneDraws
        The draws.
    """
    longest = int(draws.draw.max(initial=0)) + 1
    parts = draws.chain * _BATCHES + draws.draw * _BATCHES // longest
    errors = [_jackknife(statistic, groups) for groups in (draws.chain, parts)]
    return np.asarray(np.fmax(*errors))


def _jackknife(statistic: Callable[[Mask], Array], groups: Integers) -> Array:
    names = np.unique(groups)
    if len(names) < 2:
        return np.full_like(np.atleast_1d(statistic(groups == groups)), np.nan)
    without = np.stack([np.atleast_1d(statistic(groups != name)) for name in names])
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((len(names) - 1) / len(names) * spread))
