"""Build pial surfaces from a segmentation, and compute their areas, normals and regions."""

import warnings

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine, voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.spatial import cKDTree

from virtualbrain.anatomy.voxel_grids import largest_component

Vertices = NDArray[np.float64]
Triangles = NDArray[np.int64]


def surface_of(
    content: NDArray[np.float32], affine: NDArray[np.float64], spacing_mm: float
) -> tuple[Vertices, Triangles]:
    """Build a smooth surface of a hemisphere by marching cubes (Lewiner 2003).

    Parameters
    ----------
    content : numpy.ndarray
        Fraction of each voxel inside the hemisphere (0..1).
    affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS.
    spacing_mm : float
        Edge of the cubes; sets the spacing of the vertices.

    Returns
    -------
    vertices, triangles
        mm in scanner RAS; the triangles face outward.
    """
    sizes = voxel_sizes(affine)
    body = ndimage.binary_fill_holes(largest_component(content > 0.5))
    kept = np.where(ndimage.binary_dilation(body, iterations=2), content, 0)
    kept = np.where(ndimage.binary_erosion(body), 1.0, kept)
    smooth = ndimage.gaussian_filter(np.pad(kept, 4), 0.35 * spacing_mm / sizes)
    zoom = sizes / spacing_mm
    coarse = ndimage.affine_transform(
        smooth, 1 / zoom, output_shape=tuple(np.ceil(np.array(smooth.shape) * zoom).astype(int) + 1)
    )
    solid = largest_component(coarse > 0.5)
    coarse = np.where(ndimage.binary_dilation(solid), coarse, 0.0)
    vertices, triangles = level_surface(coarse)
    vertices = apply_affine(affine, vertices / zoom - 4)
    vertices, triangles = _largest_piece(vertices, triangles)
    return outward(smoothed(vertices, triangles), triangles)


def level_surface(content: NDArray[np.float32]) -> tuple[Vertices, Triangles]:
    """Return the isosurface of a volume at 0.5, in voxels (Lewiner 2003)."""
    with warnings.catch_warnings():
        # scikit-image sets an array's shape in place, which NumPy 2.5 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        from skimage.measure import marching_cubes

        vertices, triangles, _, _ = marching_cubes(content, 0.5)
    return np.asarray(vertices, dtype=float), np.asarray(triangles, dtype=np.int64)


def _largest_piece(vertices: Vertices, triangles: Triangles) -> tuple[Vertices, Triangles]:
    """Keep the piece with most vertices; the others are surfaces of cavities."""
    _, piece = sparse.csgraph.connected_components(_edges(triangles, len(vertices)))
    keep = piece == np.bincount(piece).argmax()
    number = np.cumsum(keep) - 1
    return vertices[keep], number[triangles[keep[triangles].all(axis=1)]]


def _edges(triangles: Triangles, n_vertices: int) -> sparse.csr_array:
    """Return the adjacency matrix of a surface's vertices."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    ones = np.ones(len(pairs))
    matrix = sparse.csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n_vertices, n_vertices))
    matrix.data[:] = 1.0
    return matrix


def smoothed(vertices: Vertices, triangles: Triangles, rounds: int = 8) -> Vertices:
    """Smooth a surface by Taubin's method (1995), which preserves its volume."""
    matrix = _edges(triangles, len(vertices))
    degree = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)[:, None]
    moved = vertices.copy()
    for _ in range(rounds):
        for step in (0.5, -0.53):
            moved = moved + step * (matrix @ moved / degree - moved)
    return moved


def inflated(vertices: Vertices, triangles: Triangles, rounds: int = 100) -> Vertices:
    """Return a surface without its folds, for display: smoothed, with the area and centre kept."""
    matrix = _edges(triangles, len(vertices))
    degree = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1.0)[:, None]
    moved, area = vertices.copy(), vertex_areas(vertices, triangles).sum()
    for _ in range(rounds):
        moved = 0.5 * (moved + matrix @ moved / degree)
    moved = moved - moved.mean(axis=0)
    moved *= np.sqrt(area / vertex_areas(moved, triangles).sum())
    return np.asarray(moved + vertices.mean(axis=0))


def outward(vertices: Vertices, triangles: Triangles) -> tuple[Vertices, Triangles]:
    """Orient the triangles of a closed surface so that the normals point outward."""
    return vertices, triangles if enclosed_volume(vertices, triangles) > 0 else triangles[:, ::-1]


def enclosed_volume(vertices: Vertices, triangles: Triangles) -> float:
    """Return the signed volume in mm³ of a closed surface."""
    a, b, c = (vertices[triangles[:, i]] - vertices.mean(axis=0) for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def area_vectors(vertices: Vertices, triangles: Triangles) -> NDArray[np.float64]:
    """Return the outward normal of every triangle, with its area in mm² as length, shape (m, 3)."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    return np.asarray(np.cross(b - a, c - a) / 2, dtype=float)


def vertex_area_vectors(vertices: Vertices, triangles: Triangles) -> NDArray[np.float64]:
    """Return a third of the sum of the area vectors around each vertex, shape (n, 3)."""
    thirds = area_vectors(vertices, triangles) / 3
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], thirds)
    return total


def vertex_areas(vertices: Vertices, triangles: Triangles) -> NDArray[np.float64]:
    """Return a third of the sum of the areas around each vertex in mm², shape (n,)."""
    areas = np.linalg.norm(area_vectors(vertices, triangles), axis=1) / 3
    return np.bincount(triangles.ravel(), weights=np.repeat(areas, 3), minlength=len(vertices))


def regions_of_vertices(
    vertices: Vertices,
    labels: NDArray[np.int32],
    affine: NDArray[np.float64],
    regions: pd.DataFrame,
    hemisphere: str,
    reach_mm: float = 4.0,
) -> NDArray[np.int32]:
    """Return the region of the nearest cortical voxel for every vertex.

    The region is 0 (medial wall) if no cortex of the hemisphere is within `reach_mm`, or if a
    nucleus of the hemisphere is nearer by more than a voxel.
    """
    found = np.zeros(len(vertices), dtype=np.int32)
    of_side = regions[regions["hemisphere"] == hemisphere]
    cortex = np.isin(labels, of_side.loc[of_side["structure"] == "cortex", "index"])
    nuclei = np.isin(labels, of_side.loc[of_side["structure"] == "subcortex", "index"])
    if not cortex.any():
        return found
    distance, place = _nearest(vertices, cortex, affine, reach_mm)
    near = np.isfinite(distance)
    if nuclei.any():
        to_nucleus, _ = _nearest(vertices, nuclei, affine, reach_mm)
        near &= distance <= to_nucleus + voxel_sizes(affine).min()
    found[near] = labels[tuple(place[near].T)]
    return found


def _nearest(
    points: Vertices, mask: NDArray[np.bool_], affine: NDArray[np.float64], reach_mm: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return distance in mm and index of the nearest voxel of a mask (inf beyond the reach)."""
    places = np.argwhere(mask)
    tree = cKDTree(apply_affine(affine, places))
    distance, which = tree.query(points, distance_upper_bound=reach_mm)
    return np.asarray(distance), places[np.minimum(which, len(places) - 1)]
