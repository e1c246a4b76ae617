"""Points that fill the grey matter of every region, for sources and regions of contacts."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.errors import InputError

Positions = NDArray[np.float64]

_DEFAULT_VOLUME_MM3 = 6000.0


@dataclass(frozen=True)
class RegionPoints:
    """Grey matter as points, each in one region.

    Parameters
    ----------
    regions : tuple of str
        Names, in the order of the region table.
    positions_mm : numpy.ndarray, shape (n_points, 3)
        Scanner RAS.
    region : numpy.ndarray, shape (n_points,)
        Index of each point's region in `regions`.
    spacing_mm : float
        Edge of the cube that a point represents.
    """

    regions: tuple[str, ...]
    positions_mm: Positions
    region: NDArray[np.intp]
    spacing_mm: float

    @cached_property
    def tree(self) -> cKDTree:
        """Search tree over the points."""
        return cKDTree(self.positions_mm)

    def of(self, name: str) -> Positions:
        """Return the points of one region, shape (n, 3)."""
        return np.asarray(self.positions_mm[self.region == self.regions.index(name)])

    def centroids_mm(self) -> Positions:
        """Return the mean position of every region's points, shape (n_regions, 3)."""
        counts = np.bincount(self.region, minlength=len(self.regions))
        sums = [
            np.bincount(self.region, self.positions_mm[:, axis], len(self.regions))
            for axis in range(3)
        ]
        return np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]

    def region_at(self, positions_mm: Positions, reach_mm: float | None = None) -> NDArray[np.intp]:
        """Return the region of the nearest point, or -1 if none is within reach.

        Parameters
        ----------
        positions_mm : numpy.ndarray, shape (n, 3)
            Positions to look up.
        reach_mm : float, optional
            Largest distance to a point; by default half the diagonal of a point's cube, so that
            only positions in grey matter have a region.
        """
        reach = 0.5 * np.sqrt(3.0) * self.spacing_mm if reach_mm is None else reach_mm
        distance_mm, nearest = self.tree.query(positions_mm)
        inside = np.asarray(distance_mm) <= reach * (1 + 1e-9)
        return np.where(inside, self.region[np.minimum(nearest, len(self.region) - 1)], -1)

    def moved(self, positions_mm: Positions) -> "RegionPoints":
        """Return the same points at other positions."""
        return RegionPoints(self.regions, positions_mm, self.region, self.spacing_mm)


def points_from_labels(labels: Any, regions: pd.DataFrame) -> RegionPoints:
    """Return the centres of all labelled voxels.

    Parameters
    ----------
    labels : nibabel image
        Values are the `index` column of `regions`.
    regions : pandas.DataFrame
        Region table with columns `index` and `name`.

    Raises
    ------
    InputError
        A region of the table has no voxel.
    """
    values = np.asarray(labels.dataobj)
    order = {int(index): position for position, index in enumerate(regions["index"])}
    voxels = np.argwhere(np.isin(values, list(order)))
    region = np.array([order[int(v)] for v in values[tuple(voxels.T)]], dtype=np.intp)
    empty = np.setdiff1d(np.arange(len(regions)), region)
    if len(empty):
        raise InputError(
            f"the label image has no voxel of {regions['name'].iloc[int(empty[0])]}",
            expected="every region of the table in the image",
        )
    affine = np.asarray(labels.affine, dtype=np.float64)
    positions = np.asarray(voxels @ affine[:3, :3].T + affine[:3, 3], dtype=np.float64)
    spacing = float(np.max(np.linalg.norm(affine[:3, :3], axis=0)))
    return RegionPoints(tuple(regions["name"]), positions, region, spacing)


def points_from_centroids(regions: pd.DataFrame, spacing_mm: float = 2.0) -> RegionPoints:
    """Fill a ball of each region's volume around its centroid; overlapping balls are divided.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table with `name x y z` and, if known, `volume` (mm³; default 6000).
    spacing_mm : float
        Distance between points of the grid.

    Raises
    ------
    InputError
        A centroid is missing.
    """
    centres = regions[["x", "y", "z"]].to_numpy(dtype=np.float64)
    if not np.isfinite(centres).all():
        name = regions["name"].iloc[int(np.argmin(np.isfinite(centres).all(axis=1)))]
        raise InputError(f"the region {name} has no centroid", expected="x, y and z in mm")
    radii = np.cbrt(3.0 * _volumes_mm3(regions) / (4.0 * np.pi))
    grid = _grid_around(centres, radii, spacing_mm)
    power = ((grid[:, None, :] - centres) ** 2).sum(axis=2) - radii**2
    owner = power.argmin(axis=1)
    kept = power.min(axis=1) <= 0
    positions = np.concatenate([grid[kept], centres])
    region = np.concatenate([owner[kept], np.arange(len(centres))])
    return RegionPoints(tuple(regions["name"]), positions, region, spacing_mm)


def _volumes_mm3(regions: pd.DataFrame) -> NDArray[np.float64]:
    """Return the volumes, with a default for missing ones."""
    if "volume" not in regions:
        return np.full(len(regions), _DEFAULT_VOLUME_MM3)
    volumes = pd.to_numeric(regions["volume"], errors="coerce").to_numpy(dtype=np.float64)
    return np.where(volumes > 0, volumes, _DEFAULT_VOLUME_MM3)


def _grid_around(centres: Positions, radii: NDArray[np.float64], spacing_mm: float) -> Positions:
    """Return a grid over the bounding box of all balls."""
    low = (centres - radii[:, None]).min(axis=0)
    high = (centres + radii[:, None]).max(axis=0)
    axes = [np.arange(a, b + spacing_mm, spacing_mm) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)


def atlas_head() -> tuple[pd.DataFrame, RegionPoints]:
    """Return the built-in atlas as a head in template space, without images.

    Returns
    -------
    regions : pandas.DataFrame
        Region table; areas are missing.
    points : RegionPoints
        Every voxel of the atlas at 1 mm.
    """
    atlas = desikan_killiany()
    points = points_from_labels(atlas.image, atlas.table)
    table = atlas.table[["index", "name", "hemisphere", "structure"]].reset_index(drop=True)
    return with_geometry(table, points), points


def with_geometry(table: pd.DataFrame, points: RegionPoints) -> pd.DataFrame:
    """Return a region table with the centroids and volumes of points; areas are missing."""
    centroids = points.centroids_mm()
    counts = np.bincount(points.region, minlength=len(points.regions))
    return table.assign(
        x=centroids[:, 0],
        y=centroids[:, 1],
        z=centroids[:, 2],
        area=np.nan,
        volume=counts * points.spacing_mm**3,
    )
