r"""Find where on the cortex a recorded seizure starts.

The seizing cortex is a patch around an unknown vertex that can only grow: all cortex up to a
geodesic distance. How fast it grows is free. A channel c is above rest by

.. math:: y_c(t) = \log\Big(1 + P \sum_{v \in \text{patch}(t)} H_{cv}\Big)

with the gain H (rows sum to one) and the power P of seizing cortex. Each vertex is tried as the
middle of the patch, with the growth that fits best; P is integrated over. The misfit

.. math:: E = \sum_{c,t} \min\big((y_c(t) - \text{recorded})^2 / 2 s_c^2,\; m\big)

is bounded, because other cortex may be recruited, and tempered: p is proportional to the area of
the vertex times exp(-k E).

A seizure that starts in several places, or in a nucleus, is not of this kind. So the answer counts
only if the patch leaves not much more of the recording unexplained than the fitted regions do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from virtualbrain.errors import InputError
from virtualbrain.models.compile import compiled
from virtualbrain.models.cortex import Cortex
from virtualbrain.models.simulation_worker import Progress

Array = NDArray[np.float64]

_AREAS_CM2 = (0.5, 1.0, 1.5, *(2.0 * 1.25**k for k in range(15)))
_FARTHEST_MM = 60.0
_BLOCK = 400
_LOG_POWERS_APART = np.arange(-1.2, 1.21, 0.4)
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
    log_power, log_power_sd : float
        Log power of seizing cortex, a priori.
    near_mm : float
        The answer is the vertex with the most probability within this distance.
    most_left : float
        The patch may leave so many times the power unexplained that the fitted regions leave.
        Synthetic foci: at most 3.6; a seizure that starts in two regions: 12.
    """

    bin_s: float = 1.0
    longest_s: float = 30.0
    noise: float = 0.25
    most: float = 8.0
    tempering: float = 0.05
    log_power: float = 3.2
    log_power_sd: float = 0.5
    near_mm: float = 10.0
    most_left: float = 5.0


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
    """

    log_power: Array
    by_regions: Array
    variance: Array


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
    patch_cm2 : tuple of numpy.ndarray, shape (n_bins,)
        Area that seizes in each bin of each seizure, if the answer is right.
    left, left_by_regions : float
        Fraction of the square of log power that the patch around the answer, and the fitted
        regions, do not explain.
    supported : bool
        One growing patch explains the recording about as well as the fitted regions do.
    """

    probability: Array
    near: Array
    vertex: int
    near_mm: float
    patch_cm2: tuple[Array, ...]
    left: float
    left_by_regions: float
    supported: bool

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
        The envelope has less than one bin after the marked onset.
    """
    limited = np.clip(envelope, *_LOG_POWER_RANGE)
    number = np.floor(np.asarray(time_s) / model.bin_s).astype(np.int64)
    last = min(int(number.max()), int(model.longest_s / model.bin_s) - 1)
    bins = [number == k for k in range(last + 1) if (number == k).any()]
    if not bins:
        raise InputError(
            "the envelope ends before the marked onset",
            expected=f"at least {model.bin_s:g} s after it",
        )
    rest = np.asarray(time_s) < _REST_BEFORE_S
    spread = limited[rest].std(axis=0) if rest.sum() > 3 else np.zeros(limited.shape[1])
    return SeizureData(
        np.array([limited[one].mean(axis=0) for one in bins]),
        np.array([by_regions[one].mean(axis=0) for one in bins]),
        model.noise**2 + spread**2,
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
    n = cortex.n_vertices
    powers = model.log_power + _LOG_POWERS_APART
    misfit = np.zeros((len(seizures), len(powers), n))
    for first in range(0, n, _BLOCK):
        tried = np.arange(first, min(first + _BLOCK, n))
        shares = patch_shares(cortex, gain, tried)
        for s, data in enumerate(seizures):
            for p, power in enumerate(powers):
                modelled = np.log1p(np.expm1(power) * shares)
                misfit[s, p, tried] = _misfits(
                    data.log_power, modelled, 0.5 / data.variance, model.most
                )
        if progress is not None:
            progress(float(tried[-1] + 1) / n)
    prior = -0.5 * (_LOG_POWERS_APART / model.log_power_sd) ** 2
    weight = prior[:, None] - model.tempering * misfit
    log_p = logsumexp(weight, axis=1).sum(axis=0) + np.log(cortex.areas_mm2)
    probability = np.exp(log_p - logsumexp(log_p))
    near = _neighbours(cortex.vertices_mm, model.near_mm) @ probability
    vertex = int(near.argmax())
    best = powers[weight[:, :, vertex].argmax(axis=1)]
    patches, left = _patches(cortex, gain, seizures, model, vertex, best)
    by_regions = _left([(data.log_power, data.by_regions) for data in seizures])
    return FoundFocus(
        probability=probability,
        near=near,
        vertex=vertex,
        near_mm=model.near_mm,
        patch_cm2=patches,
        left=left,
        left_by_regions=by_regions,
        supported=left <= model.most_left * by_regions,
    )


def _left(pairs: Sequence[tuple[Array, Array]]) -> float:
    """Return the fraction of the square of log power that is not explained."""
    whole = sum(float((recorded**2).sum()) for recorded, _ in pairs)
    left = sum(float(((recorded - modelled) ** 2).sum()) for recorded, modelled in pairs)
    return left / whole if whole > 0 else 1.0


def patch_shares(cortex: Cortex, gain: Array, middles: NDArray[np.int64]) -> Array:
    """Return the share of each channel's gain in patches of growing area around vertices.

    Returns
    -------
    numpy.ndarray, shape (n_middles, n_areas + 1, n_channels)
        The first patch has no area.
    """
    distance = csgraph.dijkstra(cortex.distances_mm, indices=middles, limit=_FARTHEST_MM)
    shares = np.zeros((len(middles), len(_AREAS_CM2) + 1, len(gain)))
    for k, row in enumerate(distance):
        known = np.flatnonzero(np.isfinite(row))
        order = known[np.argsort(row[known], kind="stable")]
        area = np.cumsum(cortex.areas_mm2[order]) / 100.0
        last = np.minimum(np.searchsorted(area, _AREAS_CM2), len(order) - 1)
        shares[k, 1:] = np.cumsum(gain[:, order[: last[-1] + 1]], axis=1)[:, last].T
    return shares


def _neighbours(points: Array, distance: float) -> sparse.csr_array:
    """Return which points lie within a distance of each other, (n, n)."""
    tree = cKDTree(points)
    near = tree.sparse_distance_matrix(tree, distance, output_type="coo_matrix")
    where, ones = (near.row, near.col), np.ones(len(near.row))
    return sparse.csr_array((ones, where), shape=(len(points), len(points)))


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
    log_powers: Array,
) -> tuple[tuple[Array, ...], float]:
    """Return the area over time around a vertex, and the fraction that it leaves unexplained."""
    shares = patch_shares(cortex, gain, np.array([vertex]))[0]
    areas = np.array([0.0, *_AREAS_CM2])
    patches, pairs = [], []
    for data, power in zip(seizures, log_powers, strict=True):
        modelled = np.log1p(np.expm1(power) * shares)
        apart = (data.log_power[:, None] - modelled) ** 2 * (0.5 / data.variance)
        path = _growth(np.minimum(apart, model.most).sum(axis=2))
        patches.append(areas[path])
        pairs.append((data.log_power, modelled[path]))
    return tuple(patches), _left(pairs)


def _growth(cost: Array) -> NDArray[np.int64]:
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
