"""Check the axes and the volume order of a gradient table against its images.

Fibres are continuous from voxel to voxel. If an axis of the table is reversed or exchanged, the
principal directions no longer follow the bundles (Schilling et al. 2019,
doi:10.1016/j.mri.2019.05.039). Exchanging axes of the table rotates the fitted tensors in the
same way, so one fit is enough for all twenty-four tables.
"""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.diffusion.series import Series
from virtualbrain.diffusion.tensor import (
    fit_tensor,
    fractional_anisotropy,
    prediction_improvements,
)
from virtualbrain.io.gradients import GradientTable

Array = NDArray[np.float64]
_AXES = "xyz"
_MIN_FA = 0.2
_SHIFTS = (-3, -2, -1, 1, 2, 3)
_SHUFFLES = 16
_ORDER_VOXELS = 4000


@dataclass(frozen=True)
class OrientationCheck:
    """Continuity of the fibres for each exchange of gradient axes.

    Parameters
    ----------
    scores : dict
        Continuity (0 to 1) of each table; ``as given`` is the table of the file.
    n_voxels : int
        Number of voxels with a clear direction; few voxels show nothing but noise.
    """

    scores: dict[str, float]
    n_voxels: int

    @property
    def best(self) -> str:
        """The table with the highest continuity."""
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def margin(self) -> float:
        """Ratio of the continuity of the given table to the best other one; 1 or more if right."""
        others = [score for name, score in self.scores.items() if name != "as given"]
        return self.scores["as given"] / max(others)


def check_orientation(series: Series) -> OrientationCheck:
    """Compute the fibre continuity for every exchange and reversal of the gradient axes.

    Parameters
    ----------
    series : Series
        The diffusion series.
    """
    mask, table, sizes = series.head, series.table, series.voxel_sizes
    image_axes = series.affine[:3, :3] / sizes
    along_axes = GradientTable(table.bvals, table.directions @ image_axes)
    inner = ndimage.binary_erosion(mask, iterations=2)
    values, vectors = fit_tensor(series.volumes[inner].astype(float), along_axes).eigen()
    anisotropy, main = np.zeros(mask.shape), np.zeros((*mask.shape, 3))
    anisotropy[inner], main[inner] = fractional_anisotropy(values), vectors[..., -1]
    n_voxels = int((anisotropy > _MIN_FA).sum())
    return OrientationCheck(_scores(anisotropy, main, sizes), n_voxels)


@dataclass(frozen=True)
class OrderCheck:
    """Prediction of left-out volumes with the directions in the given order and in others.

    Parameters
    ----------
    given : float
        `virtualbrain.diffusion.tensor.prediction_improvements` of the given order.
    shuffled : tuple of float
        The same for random orders.
    moved : dict of str to float
        The same for orders shifted by some volumes, and for the reverse order.
    """

    given: float
    shuffled: tuple[float, ...]
    moved: dict[str, float]

    @property
    def above_chance(self) -> float:
        """Distance of the given order from the mean of random orders, in standard deviations."""
        spread = max(float(np.std(self.shuffled, ddof=1)), 1e-9)
        return (self.given - float(np.mean(self.shuffled))) / spread

    @property
    def better(self) -> str:
        """The shifted or reversed order that predicts better than the given one, or ``""``."""
        best = max(self.moved, key=self.moved.__getitem__)
        return best if self.moved[best] > self.given else ""


def check_order(series: Series, seed: int = 0) -> OrderCheck:
    """Compare the order of the directions in the file with other orders.

    Parameters
    ----------
    series : Series
        The diffusion series.
    seed : int
        Seed of the random orders and of the sampled voxels.
    """
    rng = np.random.default_rng(seed)
    mask, volumes, table = series.head, series.volumes, series.table
    inner = ndimage.binary_erosion(mask, iterations=2)
    voxels = np.flatnonzero(inner if inner.any() else mask)
    chosen = rng.choice(voxels, min(_ORDER_VOXELS, len(voxels)), replace=False)
    signal = volumes.reshape(-1, volumes.shape[3])[chosen].astype(float)
    weighted = np.flatnonzero(~table.is_b0)

    moved = {f"shifted by {step:+d} volumes": np.roll(weighted, step) for step in _SHIFTS}
    moved["in reverse order"] = weighted[::-1]
    shuffled = [rng.permutation(weighted) for _ in range(_SHUFFLES)]
    orders = [_in_order(table, weighted, order) for order in (weighted, *shuffled, *moved.values())]
    given, *others = prediction_improvements(signal, orders)
    return OrderCheck(
        given=given,
        shuffled=tuple(others[:_SHUFFLES]),
        moved=dict(zip(moved, others[_SHUFFLES:], strict=True)),
    )


def _in_order(
    table: GradientTable, weighted: NDArray[np.int_], order: NDArray[np.int_]
) -> GradientTable:
    """Return the table with the directions of the weighted volumes in another order."""
    directions = table.directions.copy()
    directions[weighted] = table.directions[order]
    return GradientTable(table.bvals, directions)


def _scores(anisotropy: Array, main: Array, sizes: Array) -> dict[str, float]:
    """Return the continuity of each of the twenty-four tables that differ by more than a sign."""
    tables = list(product(permutations(range(3)), _SIGNS))
    exchanges = [np.eye(3)[list(order)] * np.array(signs)[:, None] for order, signs in tables]
    scores, total = np.zeros(len(tables)), 0.0
    for step in _half_neighbourhood():
        first, second, weight = _pair(anisotropy, main, np.array(step))
        along = np.array(step) * sizes
        axes = np.stack(
            [along / np.linalg.norm(along) @ exchange for exchange in exchanges], axis=1
        )
        both = np.square((first @ axes) * (second @ axes))
        scores += weight @ np.square(both)
        total += float(weight.sum())
    if total:
        scores /= total
    return {_name(*table): float(score) for table, score in zip(tables, scores, strict=True)}


_SIGNS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))


def _half_neighbourhood() -> list[tuple[int, int, int]]:
    """Return thirteen of the twenty-six steps to a neighbour, one of each opposite pair."""
    return [(i, j, k) for i, j, k in product((-1, 0, 1), repeat=3) if (i, j, k) > (0, 0, 0)]


def _pair(anisotropy: Array, main: Array, step: Array) -> tuple[Array, Array, Array]:
    """Return the directions of every pair of anisotropic voxels one step apart, and its weight."""
    here = tuple(
        slice(max(0, -s), n - max(0, s)) for s, n in zip(step, anisotropy.shape, strict=True)
    )
    there = tuple(
        slice(max(0, s), n - max(0, -s)) for s, n in zip(step, anisotropy.shape, strict=True)
    )
    strong = (anisotropy[here] > _MIN_FA) & (anisotropy[there] > _MIN_FA)
    weight = (anisotropy[here] * anisotropy[there])[strong]
    return main[here][strong], main[there][strong], weight


def _name(order: tuple[int, ...], signs: tuple[int, ...]) -> str:
    """Describe in words how an exchange changes the table."""
    if order == (0, 1, 2) and signs == (1, 1, 1):
        return "as given"
    parts = [] if order == (0, 1, 2) else ["axes in the order " + "".join(_AXES[i] for i in order)]
    parts += [f"{_AXES[i]} reversed" for i in range(3) if signs[i] < 0]
    return ", ".join(parts)
