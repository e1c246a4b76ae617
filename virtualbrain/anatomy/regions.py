"""Compute the region table: centroid, area, volume and cortical normal of every region."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray

from virtualbrain.anatomy.surface import (
    area_vectors,
    level_surface,
    vertex_area_vectors,
    vertex_areas,
)
from virtualbrain.anatomy.voxel_grids import voxel_volume
from virtualbrain.io.anatomy import Surface

COLUMNS = (
    *("index", "name", "hemisphere", "structure"),
    *("x", "y", "z", "area", "volume", "nx", "ny", "nz"),
)


def region_table(
    regions: pd.DataFrame,
    labels: NDArray[np.int32],
    affine: NDArray[np.float64],
    surfaces: Mapping[str, Surface],
) -> pd.DataFrame:
    """Measure every region. A region without voxels has volume 0 and no centroid.

    Parameters
    ----------
    regions : pandas.DataFrame
        Columns index, name, hemisphere, structure.
    labels : numpy.ndarray of int
        The label image.
    affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS.
    surfaces : mapping of str to Surface
        By hemisphere; may be empty.

    Returns
    -------
    pandas.DataFrame
        Columns index, name, hemisphere, structure, x y z (centroid, mm), area (mm²: pial surface
        of a cortical region, surface of the voxels of a nucleus), volume (mm³), nx ny nz (mean
        outward normal of the cortex, a unit vector).
    """
    index = regions["index"].to_numpy(dtype=int)
    counts, centroids = _voxel_moments(labels, affine, int(index.max()))
    table = regions[["index", "name", "hemisphere", "structure"]].reset_index(drop=True)
    areas, normals = _surface_moments(surfaces, int(index.max()))
    is_nucleus = (regions["structure"] == "subcortex").to_numpy()
    area = np.where(areas[index] > 0, areas[index], np.nan)
    for row in np.flatnonzero(is_nucleus & (counts[index] > 0)):
        area[row] = hull_area(labels == index[row], affine)
    geometry = {
        **dict(zip("xyz", centroids[index].T, strict=True)),
        "area": area,
        "volume": counts[index] * voxel_volume(affine),
        **dict(zip(("nx", "ny", "nz"), normals[index].T, strict=True)),
    }
    return table.assign(**geometry)[list(COLUMNS)]


def _voxel_moments(
    labels: NDArray[np.int32], affine: NDArray[np.float64], largest: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return voxel count and centroid (NaN without voxels) of every label value."""
    places = np.nonzero(labels)
    values = labels[places]
    counts = np.bincount(values, minlength=largest + 1)
    points = apply_affine(affine, np.column_stack(places))
    sums = [np.bincount(values, weights=points[:, i], minlength=largest + 1) for i in range(3)]
    with np.errstate(invalid="ignore", divide="ignore"):
        centroids = np.column_stack(sums) / counts[:, None]
    return counts, centroids


def _surface_moments(
    surfaces: Mapping[str, Surface], largest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return area and mean outward normal of every region index."""
    areas, normals = np.zeros(largest + 1), np.zeros((largest + 1, 3))
    for surface in surfaces.values():
        weights = vertex_areas(surface.vertices, surface.triangles)
        vectors = vertex_area_vectors(surface.vertices, surface.triangles)
        areas += np.bincount(surface.regions, weights=weights, minlength=largest + 1)
        np.add.at(normals, surface.regions, vectors)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return areas, np.where(length > 0, normals / length, np.nan)


def hull_area(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> float:
    """Return the area in mm² of the marching-cubes surface of a mask."""
    places = np.nonzero(mask)
    box = tuple(slice(int(a.min()), int(a.max()) + 1) for a in places)
    vertices, faces = level_surface(np.pad(mask[box].astype(np.float32), 1))
    vertices = vertices * voxel_sizes(affine)
    return float(np.linalg.norm(area_vectors(vertices, faces), axis=1).sum())


def lost_regions(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the regions without voxels."""
    return tuple(table.loc[table["volume"] == 0, "name"])
