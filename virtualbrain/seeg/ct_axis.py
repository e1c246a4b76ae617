"""Trace the centre line of an electrode, straight or bent, in a CT after implantation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import make_smoothing_spline
from scipy.spatial import KDTree

Points = NDArray[np.float64]
MetalShare = Callable[[Points], Points]

ARC_STEP_MM = 0.1
_GRID_MM = 0.5
_ASIDE_MM = 8.0
_LEVEL_RADIUS_MM = 5.0
_NOISE_FACTOR = 8.0
# Costs of the path; a step of half a millimetre through metal is worth 1.
_TURN_COST = 0.15
_ASIDE_COST = 0.003
_BULK_CELLS = 11
# Length over which the centre line is smoothed; bends of electrodes are longer.
_STIFF_MM = 6.0
_OUTLIER_MM = 0.8
_NEAR_MM = 2.0
_RING_MM = 3.5
_OTHER_MM = 1.2
_TURNS = 4


@dataclass(frozen=True)
class Volume:
    """A CT for sampling.

    Parameters
    ----------
    values : numpy.ndarray, shape (i, j, k)
        Intensities, on any linear scale.
    to_voxel : numpy.ndarray, shape (4, 4)
        From scanner RAS of the T1w (mm) to voxels.
    step : float
        A 255th of the range of the tissues: the smallest difference that counts.
    """

    values: NDArray[np.float32]
    to_voxel: Points
    step: float

    def at(self, places: Points) -> Points:
        """Return the intensity at places (..., 3), linearly interpolated; NaN outside."""
        voxels = places @ self.to_voxel[:3, :3].T + self.to_voxel[:3, 3]
        flat = np.moveaxis(voxels, -1, 0).reshape(3, -1)
        found = ndimage.map_coordinates(self.values, flat, order=1, mode="nearest")
        limits = np.array(self.values.shape)[:, None] - 0.5
        outside = ((flat < -0.5) | (flat > limits)).any(axis=0)
        inside = np.where(outside, np.nan, found.astype(np.float64))
        return np.asarray(inside.reshape(places.shape[:-1]))


def volume(ct: Any) -> Volume:
    """Return an image as a volume for sampling."""
    values = np.asanyarray(ct.dataobj, dtype=np.float32)
    # Without the highest thousandth: metal may exceed every tissue by far.
    low, high = np.percentile(values[::2, ::2, ::2], [0, 99.9])
    return Volume(values, np.linalg.inv(ct.affine), float(high - low) / 255)


@dataclass(frozen=True)
class Levels:
    """Intensities around one electrode.

    Parameters
    ----------
    tissue : float
        Median of the tissue around it.
    metal : float
        Level that its contacts reach.
    seen : bool
        Whether something much brighter than the tissue is there.
    """

    tissue: float
    metal: float
    seen: bool

    @property
    def threshold(self) -> float:
        """Intensity above which a voxel is metal: midway between tissue and metal."""
        return (self.tissue + self.metal) / 2

    def share(self, intensity: Points) -> Points:
        """Return intensities as 0 in tissue and 1 in a contact; outside the image 0."""
        scaled = (intensity - self.tissue) / (self.metal - self.tissue)
        return np.clip(np.nan_to_num(scaled), 0.0, 1.5)


@dataclass(frozen=True)
class Guide:
    """The straight line from the deep end point to the entry.

    Parameters
    ----------
    start : numpy.ndarray, shape (3,)
        Deep end point, mm.
    axis : numpy.ndarray, shape (3,)
        Unit vector to the entry.
    across : numpy.ndarray, shape (2, 3)
        Two unit vectors across it.
    last_mm : float
        Distance of the last contact from the first.
    reach_mm : float
        How far beyond both ends the electrode is traced.
    """

    start: Points
    axis: Points
    across: Points
    last_mm: float
    reach_mm: float

    def places(self, along: Points, aside: Points) -> Points:
        """Return scanner RAS of distances along (...) and aside (..., 2)."""
        return np.asarray(self.start + along[..., None] * self.axis + aside @ self.across)


def guide(start: Points, stop: Points, last_mm: float, reach_mm: float) -> Guide:
    """Return the straight line from `start` towards `stop`."""
    axis = (stop - start) / np.linalg.norm(stop - start)
    first = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    first /= np.linalg.norm(first)
    return Guide(start, axis, np.stack([first, np.cross(axis, first)]), last_mm, reach_mm)


def levels(ct: Volume, line: Guide, threshold: float | None = None) -> Levels:
    """Return tissue and metal around the deep three quarters of an electrode.

    The metal level is the 80th percentile, over the cross-sections, of the maximum within 5 mm.
    The entry is left out: bone, and bolts that are brighter than contacts, are there.

    Parameters
    ----------
    ct : Volume
        The CT.
    line : Guide
        Line between the end points.
    threshold : float, optional
        Smallest intensity of metal; it replaces the one chosen from the image.
    """
    along = np.arange(0.0, max(0.75 * line.last_mm, 4.0) + 0.1, _GRID_MM)
    disc = _disc(_ASIDE_MM)
    around = ct.at(line.places(along[:, None], disc[None]))
    if np.isnan(around).mean() > 0.5:
        return Levels(0.0, 1.0, seen=False)
    tissue = float(np.nanmedian(around))
    noise = 1.48 * float(np.nanmedian(np.abs(around - tissue)))
    central = around[:, np.linalg.norm(disc, axis=1) < _LEVEL_RADIUS_MM]
    metal = float(np.percentile(np.nan_to_num(central, nan=tissue).max(axis=1), 80))
    if threshold is not None:
        if threshold <= tissue or metal <= threshold:
            return Levels(tissue, tissue + 1.0, seen=False)
        return Levels(tissue, 2 * threshold - tissue, seen=True)
    seen = metal > tissue + _NOISE_FACTOR * max(noise, ct.step)
    return Levels(tissue, max(metal, tissue + 1e-6), seen)


def trace(ct: Volume, line: Guide, level: Levels, others: Points) -> Points:
    """Return the centre line of an electrode from its deep end, one point every 0.1 mm.

    Dynamic programming finds the path of thin metal near the straight line. The path is moved to
    the centre of the metal in each cross-section, and smoothed by a smoothing spline, which is
    straight beyond the metal. Metal beside the path, as of a crossing electrode, has little weight.

    Parameters
    ----------
    ct : Volume
        The CT.
    line : Guide
        Line between the end points.
    level : Levels
        Tissue and metal around the electrode.
    others : numpy.ndarray, shape (n, 3)
        Centre lines of other electrodes, whose metal is left out.
    """
    tree = KDTree(others) if len(others) else None

    def metal(places: Points) -> Points:
        share = np.minimum(level.share(ct.at(places)), 1.0) ** 2
        if tree is None:
            return share
        distance, _ = tree.query(places, distance_upper_bound=2 * _OTHER_MM)
        return np.asarray(share * np.clip(distance / _OTHER_MM - 0.5, 0, 1))

    along = np.arange(-line.reach_mm, line.last_mm + line.reach_mm, _GRID_MM)
    aside = _thin_path(metal, line, along)
    for _ in range(_TURNS):
        aside = _centred(metal, line, along, aside)
    fine = np.arange(along[0], along[-1], ARC_STEP_MM / 2)
    curve = np.stack([np.interp(fine, along, aside[:, i]) for i in range(2)], axis=1)
    points = line.places(fine, curve)
    arc = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return points_along(points, np.arange(0, arc[-1], ARC_STEP_MM), arc)


def points_along(line: Points, distances: Points, arc: Points | None = None) -> Points:
    """Return points (n, 3) at distances (n,) from the start of a line, mm."""
    known = ARC_STEP_MM * np.arange(len(line)) if arc is None else arc
    return np.stack([np.interp(distances, known, line[:, i]) for i in range(3)], axis=1)


def _disc(radius: float) -> Points:
    """Return a grid of offsets (n, 2) within a radius."""
    ticks = np.arange(-radius, radius + _GRID_MM / 2, _GRID_MM)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(grid[np.linalg.norm(grid, axis=1) <= radius])


def _thin_path(metal: MetalShare, line: Guide, along: Points) -> Points:
    """Return the offsets (n, 2) of the path with the highest reward."""
    ticks = np.arange(-_ASIDE_MM, _ASIDE_MM + _GRID_MM / 2, _GRID_MM)
    grid = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1)
    reward = metal(line.places(along[:, None, None], grid[None]))
    # Bone and bolts are bulky; an electrode is thin.
    bulk = ndimage.uniform_filter(reward, size=(1, _BULK_CELLS, _BULK_CELLS), mode="nearest")
    reward = reward * np.clip(1 - 2 * bulk, 0, 1) - _ASIDE_COST * (grid**2).sum(axis=-1)
    return np.asarray(grid[tuple(np.transpose(_best_path(reward)))])


def _best_path(reward: Points) -> list[tuple[int, int]]:
    """Return the cells of the path through layers (n, i, j) with the highest sum of rewards."""
    moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    costs = _TURN_COST * np.array([abs(i) + abs(j) for i, j in moves])[:, None, None]
    n = reward.shape[1]
    total, choices = reward[0], []
    for layer in reward[1:]:
        padded = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack([padded[1 + i : 1 + i + n, 1 + j : 1 + j + n] for i, j in moves])
        options = options - costs
        choices.append(options.argmax(axis=0))
        total = options.max(axis=0) + layer
    i, j = (int(k) for k in np.unravel_index(int(total.argmax()), total.shape))
    path = [(i, j)]
    for choice in reversed(choices):
        step = moves[choice[i, j]]
        i, j = i + step[0], j + step[1]
        path.append((i, j))
    return path[::-1]


def _centred(metal: MetalShare, line: Guide, along: Points, aside: Points) -> Points:
    """Return the path after a move to the centre of the metal near it, and smoothing."""
    near = aside[:, None] + _disc(_NEAR_MM)[None]
    share = metal(line.places(along[:, None], near))
    mass = share.sum(axis=1)
    centre = (share[..., None] * near).sum(axis=1) / np.maximum(mass, 1e-9)[:, None]
    centre = np.where(mass[:, None] > 0, centre, aside)
    angles = np.arange(12) * np.pi / 6
    ring = _RING_MM * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    bulk = metal(line.places(along[:, None], aside[:, None] + ring[None])).mean(axis=1)
    # A bolt or a crossing electrode is no more certain than a contact.
    weight = np.minimum(mass / max(float(np.percentile(mass, 60)), 1e-9), 1.0)
    weight = weight * np.clip(1 - 2 * bulk, 0, 1)
    residual = np.linalg.norm(centre - aside, axis=1)
    weight = weight / (1 + (residual / _OUTLIER_MM) ** 2) + 1e-4
    stiffness = _STIFF_MM**4
    smooth = [make_smoothing_spline(along, centre[:, i], weight, stiffness) for i in range(2)]
    return np.stack([spline(along) for spline in smooth], axis=1)
