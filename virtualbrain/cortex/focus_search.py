r"""Find where on the cortex a recorded seizure starts.

The seizing cortex is a patch around an unknown vertex that can only grow: all cortex up to a
geodesic distance. How fast it grows is free. Ways through other regions count as they are, or as
longer: excitability may differ by region. A channel c is above rest by

.. math:: y_c(t) = \log\Big(1 + P \sum_{v \in \text{patch}(t)} H_{cv}\Big)

with the gain H (rows sum to one) and the power P of seizing cortex. Each vertex is tried as the
middle of the patch, with the growth that fits best; P and the weight of other regions are
integrated over. The misfit

.. math:: E = \sum_{c,t} \min\big((y_c(t) - \text{recorded})^2 / 2 s_c^2,\; m\big)

is bounded, because other cortex may be recruited, and tempered: p is proportional to the area of
the vertex times exp(-k E).

A seizure that starts in several places, or in a nucleus, is not of this kind. So the answer counts
only if the patch explains a fifth of the recording or more, and leaves not much more unexplained
than the fitted regions do.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from virtualbrain.cortex.focus import nearest_first
from virtualbrain.errors import InputError
from virtualbrain.models.compile import compiled
from virtualbrain.models.cortex import Cortex
from virtualbrain.models.parallel import usable_cores
from virtualbrain.models.simulation_worker import Progress

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_AREAS_CM2 = (0.5, 1.0, 1.5, *(2.0 * 1.25**k for k in range(15)))
_FARTHEST_MM = 60.0
# Middles at once: distances from all of them fill at most so many numbers, on each core.
_BLOCK, _MOST_DISTANCES = 400, 8_000_000
# Points at once in sums over what is near.
_NEAR_BLOCK = 2000
_LOG_POWER_RANGE = (-1.5, 12.0)
_REST_BEFORE_S = -1.0


@dataclass(frozen=True)
class GrowthModel:
    """Numbers of the search.

    `tempering` was chosen on synthetic foci so that the stated probability is right
    (`tests/benchmarks/measure_cortex.py focus`).

    Parameters
    ----------
    bin_s : float
        The recording is averaged over so many seconds.
    longest_s : float
        Seconds after the marked onset that are used.
    noise : float
        Standard deviation of the model error of log power; that of the rest is added.
    most : float
        Largest misfit of one channel in one bin.
    tempering : float
        Factor k of the misfit.
    log_powers : tuple of float
        Values of log P, equally probable a priori.
    elsewhere : tuple of float
        Factors of distances in regions other than that of the middle, equally probable a priori.
    near_mm : float
        The answer is the vertex with the most probability within this distance.
    most_left : float
        The patch may leave so many times the squared log power that the fitted regions leave.
        Synthetic foci: at most 3.6; a seizure that starts in two regions: 12.
    most_left_alone : float
        Nor may it, or the best simulation, leave more than this fraction, however little the fitted
        regions explain. Synthetic foci with large errors of the gain: up to 0.55 where the answer
        was right, 0.83 in one where it was wrong; noise alone: 1.
    """

    bin_s: float = 1.0
    longest_s: float = 30.0
    noise: float = 0.25
    most: float = 8.0
    tempering: float = 0.1
    log_powers: tuple[float, ...] = (1.8, 2.4, 3.0, 3.6, 4.2)
    elsewhere: tuple[float, ...] = (1.0, 3.0)
    near_mm: float = 10.0
    most_left: float = 5.0
    most_left_alone: float = 0.8


@dataclass(frozen=True)
class SeizureData:
    """Power of the channels in one seizure.

    Parameters
    ----------
    log_power : numpy.ndarray, shape (n_bins, n_channels)
        Log power above rest.
    by_regions : numpy.ndarray, shape (n_bins, n_channels)
        The same, as the fitted regions predict it.
    variance : numpy.ndarray, shape (n_channels,)
        Variance of the model error and of the rest.
    middle_s : numpy.ndarray, shape (n_bins,)
        Middle of each bin, seconds from the marked onset; bins without samples are left out.
    """

    log_power: Array
    by_regions: Array
    variance: Array
    middle_s: Array


@dataclass(frozen=True)
class FoundFocus:
    """Where the seizure may start.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n_vertices,)
        Probability that a vertex is the middle; sums to one.
    near : numpy.ndarray, shape (n_vertices,)
        Probability that the middle is within `near_mm` of a vertex.
    vertex : int
        The answer: vertex with the largest `near`.
    near_mm : float
        Distance.
    seizing_cm2 : tuple of numpy.ndarray, shape (n_bins,)
        Area that seizes in each bin of each seizure: of the patch around the answer or, after
        simulation, of the simulation that fits best.
    left, left_by_regions : float
        Fraction of the square of log power that the patch, or that simulation, and the fitted
        regions do not explain.
    supported : bool
        One growing patch explains a fifth of the recording or more, and about as much as the fitted
        regions do.
    simulations : int
        Simulations that the probabilities come from; 0: from the patch alone.
    """

    probability: Array
    near: Array
    vertex: int
    near_mm: float
    seizing_cm2: tuple[Array, ...]
    left: float
    left_by_regions: float
    supported: bool
    simulations: int = 0

    @property
    def p_near(self) -> float:
        """Probability that the middle is near the answer."""
        return float(self.near[self.vertex])

    def by_region(self, regions: Sequence[str]) -> dict[str, float]:
        """Return the probability of each region, the largest first."""
        names, number = np.unique(np.asarray(regions, dtype=str), return_inverse=True)
        total = np.bincount(number, weights=self.probability, minlength=len(names))
        return {str(names[k]): float(total[k]) for k in np.argsort(-total, kind="stable")}


def seizure_data(
    envelope: Array, by_regions: Array, time_s: Array, model: GrowthModel
) -> SeizureData:
    """Average a recorded envelope over bins from the marked onset on.

    Parameters
    ----------
    envelope, by_regions : numpy.ndarray, shape (n_times, n_channels)
        Log power above rest: recorded, and as the fitted regions predict it.
    time_s : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset.
    model : GrowthModel
        Bins, and the error of the model.

    Raises
    ------
    InputError
        The envelope has less than one bin after the marked onset, or a value that is no number.
    """
    if not np.isfinite(envelope).all():
        raise InputError(
            "the fitted envelope has values that are no numbers", hint="run the stage inference"
        )
    limited = np.clip(envelope, *_LOG_POWER_RANGE)
    number = np.floor(np.asarray(time_s) / model.bin_s).astype(np.int64)
    last = min(int(number.max()), int(model.longest_s / model.bin_s) - 1)
    filled = [k for k in range(last + 1) if (number == k).any()]
    if not filled:
        raise InputError(
            "the envelope ends before the marked onset",
            expected=f"at least {model.bin_s:g} s after it",
        )
    bins = [number == k for k in filled]
    rest = np.asarray(time_s) < _REST_BEFORE_S
    spread = limited[rest].std(axis=0) if rest.sum() > 3 else np.zeros(limited.shape[1])
    return SeizureData(
        np.array([limited[one].mean(axis=0) for one in bins]),
        np.array([by_regions[one].mean(axis=0) for one in bins]),
        model.noise**2 + spread**2,
        (np.array(filled) + 0.5) * model.bin_s,
    )


def search_focus(
    cortex: Cortex,
    gain: Array,
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    progress: Progress | None = None,
) -> FoundFocus:
    """Try every vertex as the middle of a growing patch.

    All seizures start at the same place; growth and power are their own.

    Parameters
    ----------
    cortex : Cortex
        The surface.
    gain : numpy.ndarray, shape (n_channels, n_nodes)
        Of `virtualbrain.cortex.channels.channel_gain`; the first nodes are the vertices.
    seizures : sequence of SeizureData
        The recordings.
    model : GrowthModel
        Numbers of the search.
    progress : callable, optional
        Called with the fraction done.
    """
    misfit = np.zeros(
        (len(seizures), len(model.log_powers), len(model.elsewhere), cortex.n_vertices)
    )

    def fill(tried: Indices) -> int:
        for e, factor in enumerate(model.elsewhere):
            shares = patch_shares(cortex, gain, tried, factor)
            for p, power in enumerate(model.log_powers):
                modelled = np.log1p(np.expm1(power) * shares)
                for s, data in enumerate(seizures):
                    misfit[s, p, e, tried] = _misfits(
                        data.log_power, modelled, 0.5 / data.variance, model.most
                    )
        return len(tried)

    done = 0
    with ThreadPoolExecutor(usable_cores()) as pool:
        for count in pool.map(fill, _blocks(cortex.regions)):
            done += count
            if progress is not None:
                progress(done / cortex.n_vertices)
    # Power is that of a seizure; the way it grows is that of the cortex.
    log_p = logsumexp(-model.tempering * misfit, axis=1).sum(axis=0)
    log_p = logsumexp(log_p, axis=0) + np.log(cortex.areas_mm2)
    probability = np.exp(log_p - logsumexp(log_p))
    near = sums_within(cortex.vertices_mm, model.near_mm, probability)
    vertex = int(near.argmax())
    patches, left = _patches(cortex, gain, seizures, model, vertex, misfit[..., vertex])
    by_regions = fraction_left([(data.log_power, data.by_regions) for data in seizures])
    return FoundFocus(
        probability=probability,
        near=near,
        vertex=vertex,
        near_mm=model.near_mm,
        seizing_cm2=patches,
        left=left,
        left_by_regions=by_regions,
        supported=left <= min(model.most_left * by_regions, model.most_left_alone),
    )


def _blocks(regions: Sequence[str]) -> Iterator[Indices]:
    """Yield vertices of one region, not too many at once."""
    names = np.asarray(regions, dtype=str)
    most = max(1, min(_BLOCK, _MOST_DISTANCES // len(names)))
    for name in np.unique(names):
        own = np.flatnonzero(names == name)
        yield from np.array_split(own, -(-len(own) // most))


def fraction_left(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the fraction of the square of log power that is not explained."""
    whole = sum(float((recorded**2).sum()) for recorded, _ in pairs)
    left = sum(float(((recorded - modelled) ** 2).sum()) for recorded, modelled in pairs)
    return left / whole if whole > 0 else 1.0


def patch_shares(cortex: Cortex, gain: Array, middles: Indices, elsewhere: float = 1.0) -> Array:
    """Return the share of each channel's gain in patches of growing area around vertices.

    Parameters
    ----------
    cortex : Cortex
        The surface.
    gain : numpy.ndarray, shape (n_channels, n_nodes)
        Rows sum to one.
    middles : numpy.ndarray of int, shape (n_middles,)
        Vertices of one region.
    elsewhere : float
        Factor of distances in other regions.

    Returns
    -------
    numpy.ndarray, shape (n_middles, n_areas + 1, n_channels)
        The first patch has no area.
    """
    graph = _lengthened(cortex, str(cortex.regions[middles[0]]), elsewhere)
    distance = csgraph.dijkstra(graph, indices=middles, limit=_FARTHEST_MM * elsewhere)
    shares = np.zeros((len(middles), len(_AREAS_CM2) + 1, len(gain)))
    by_node = np.ascontiguousarray(gain.T)
    for k, row in enumerate(distance):
        order, area = nearest_first(cortex, row)
        last = np.minimum(np.searchsorted(area, _AREAS_CM2), len(order) - 1)
        _sum_up_to(by_node, order, last, shares[k, 1:])
    return shares


@compiled()
def _sum_up_to(values: Array, order: Indices, last: Indices, found: Array) -> None:
    """Sum rows of values in an order; write the sums up to each of the last positions."""
    total = np.zeros(values.shape[1])
    done = 0
    for k in range(len(last)):
        for position in range(done, last[k] + 1):
            total += values[order[position]]
        done = max(done, last[k] + 1)
        found[k] = total


def _lengthened(cortex: Cortex, region: str, elsewhere: float) -> sparse.csr_array:
    """Return the distances, those in other regions longer; on a border by half of it."""
    if elsewhere == 1.0:
        return cortex.distances_mm
    outside = (np.asarray(cortex.regions, dtype=str) != region).astype(float)
    known = cortex.distances_mm
    ends = np.repeat(outside, np.diff(known.indptr)) + outside[known.indices]
    factor = 1.0 + 0.5 * (elsewhere - 1.0) * ends
    return sparse.csr_array((known.data * factor, known.indices, known.indptr), shape=known.shape)


def sums_within(points: Array, distance: float, values: Array) -> Array:
    """Return the sum of the values of all points within a distance of each point, (n,)."""
    tree, found = cKDTree(points), np.zeros(len(points))
    for first in range(0, len(points), _NEAR_BLOCK):
        own = slice(first, first + _NEAR_BLOCK)
        near = cKDTree(points[own]).sparse_distance_matrix(tree, distance, output_type="ndarray")
        found[own] = np.bincount(near["i"], weights=values[near["j"]], minlength=len(points[own]))
    return found


@compiled()
def _misfits(recorded: Array, modelled: Array, weight: Array, most: float) -> Array:
    """Return the misfit of each middle with the growth that fits best, (n_middles,)."""
    n_middles, n_areas, n_channels = modelled.shape
    found = np.empty(n_middles)
    total = np.empty(n_areas)
    for i in range(n_middles):
        total[:] = 0.0
        for t in range(len(recorded)):
            least = np.inf
            for a in range(n_areas):
                least = min(least, total[a])
                summed = 0.0
                for c in range(n_channels):
                    apart = recorded[t, c] - modelled[i, a, c]
                    summed += min(apart * apart * weight[c], most)
                total[a] = least + summed
        found[i] = total.min()
    return found


def _patches(
    cortex: Cortex,
    gain: Array,
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    vertex: int,
    misfit: Array,
) -> tuple[tuple[Array, ...], float]:
    """Return the area over time around a vertex, and the fraction that it leaves unexplained.

    `misfit` (n_seizures, n_powers, n_elsewhere) gives the power and the factor that fit best.
    """
    factor = int(misfit.min(axis=1).sum(axis=0).argmin())
    powers = np.array(model.log_powers)[misfit[:, :, factor].argmin(axis=1)]
    shares = patch_shares(cortex, gain, np.array([vertex]), model.elsewhere[factor])[0]
    areas = np.array([0.0, *_AREAS_CM2])
    patches, pairs = [], []
    for data, power in zip(seizures, powers, strict=True):
        modelled = np.log1p(np.expm1(power) * shares)
        apart = (data.log_power[:, None] - modelled) ** 2 * (0.5 / data.variance)
        path = _growth(np.minimum(apart, model.most).sum(axis=2))
        patches.append(areas[path])
        pairs.append((data.log_power, modelled[path]))
    return tuple(patches), fraction_left(pairs)


def _growth(cost: Array) -> Indices:
    """Return the path of least cost (n_bins, n_areas) that never goes back."""
    n_areas = cost.shape[1]
    total, came, every = np.zeros(n_areas), [], np.arange(n_areas)
    for row in cost:
        lowest = np.minimum.accumulate(total)
        came.append(np.maximum.accumulate(np.where(total == lowest, every, 0)))
        total = lowest + row
    path = [int(total.argmin())]
    for before in came[:0:-1]:
        path.append(int(before[path[-1]]))
    return np.array(path[::-1])
