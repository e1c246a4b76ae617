"""Subpial cuts: lines through the cortex that no local connection crosses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.cortex.focus import nearest_vertex
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.errors import InputError

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEPTH_MM = 5.0
"""How far a cut reaches below its line: through the cortex of a crown."""
_SMOOTH_MM = 5.0  # radius in which normals are averaged


@dataclass(frozen=True)
class Cut:
    """A cut along a line, perpendicular to the cortex.

    Parameters
    ----------
    points_mm : tuple of tuple of float
        Corners of the line, scanner RAS. They are moved onto the cortex along its normal.
    depth_mm : float
        How far the cut reaches below the line, and above it where the cortex bulges.

    Raises
    ------
    InputError
        Fewer than two points, two equal ones in a row, or a depth that is not above zero.
    """

    points_mm: tuple[tuple[float, float, float], ...]
    depth_mm: float = DEPTH_MM

    def __post_init__(self) -> None:
        points = np.array(self.points_mm, dtype=np.float64).reshape(-1, 3)
        if not (np.isfinite(points).all() and np.isfinite(self.depth_mm) and self.depth_mm > 0):
            raise InputError("a cut with a depth or point that is not a length", expected="mm")
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        if len(points) < 2 or not (steps > 0).all():
            raise InputError("a cut without length", expected="two or more different points, mm")

    @property
    def length_mm(self) -> float:
        """Length of the line."""
        return float(np.linalg.norm(np.diff(np.array(self.points_mm), axis=0), axis=1).sum())


def crossed_triangles(mesh: PatientMesh, cut: Cut) -> Flags:
    """Return the triangles of which a cut crosses an edge.

    Raises
    ------
    InputError
        A point is far from the cortex, or the cut crosses no connection.
    """
    sheet = _sheet(mesh, cut)
    edges = np.sort(np.concatenate([mesh.triangles[:, [a, (a + 1) % 3]] for a in range(3)]), axis=1)
    pairs, of = np.unique(edges, axis=0, return_inverse=True)
    ends = mesh.cortex.vertices_mm[pairs]
    crossed = np.zeros(len(pairs), dtype=bool)
    for corners in sheet:
        near = ((ends.max(axis=1) >= corners.min(axis=0)) & (
            ends.min(axis=1) <= corners.max(axis=0)
        )).all(axis=1)  # fmt: skip
        crossed[near] |= _crosses(ends[near], corners)
    found = np.asarray(crossed[of.ravel()].reshape(3, -1).any(axis=0))
    if not found.any():
        raise InputError(
            f"the cut at {_words(cut.points_mm[0])} crosses no cortex",
            expected="a line along the pial surface, longer than the spacing of the vertices",
            hint="state more points, so that the line follows the cortex, or a larger --cut-depth",
        )
    return found


def _sheet(mesh: PatientMesh, cut: Cut) -> Array:
    """Return the triangles of the cut, shape (n, 3, 3); neighbouring ones share their sides."""
    points, normals = _on_cortex(mesh, np.array(cut.points_mm, dtype=np.float64))
    top, bottom = points + cut.depth_mm * normals, points - cut.depth_mm * normals
    first = np.stack([top[:-1], bottom[:-1], bottom[1:]], axis=1)
    second = np.stack([top[:-1], bottom[1:], top[1:]], axis=1)
    return np.concatenate([first, second])


def _on_cortex(mesh: PatientMesh, points: Array) -> tuple[Array, Array]:
    """Return points moved onto the cortex along its normal, and the normals there."""
    vertices = mesh.cortex.vertices_mm
    nearest = [
        nearest_vertex(mesh.cortex, point, f"the point {_words(point)} of a cut")
        for point in points
    ]
    weighted = mesh.normals * mesh.cortex.areas_mm2[:, None]
    normals = np.array([_mean_normal(mesh, weighted, vertex) for vertex in nearest])
    height = np.einsum("ij,ij->i", points - vertices[nearest], normals)
    return points - height[:, None] * normals, normals


def _mean_normal(mesh: PatientMesh, weighted: Array, vertex: int) -> Array:
    """Return the mean normal around a vertex."""
    row = mesh.cortex.distances_mm[[vertex]]
    own = np.append(row.indices[row.data <= _SMOOTH_MM], vertex)
    summed = weighted[own].sum(axis=0)
    return np.asarray(summed / max(float(np.linalg.norm(summed)), 1e-12))


def _crosses(ends: Array, corners: Array) -> Flags:
    """Return which lines between two ends, shape (n, 2, 3), cross a triangle.

    Möller and Trumbore (1997).
    """
    way, u, v = ends[:, 1] - ends[:, 0], corners[1] - corners[0], corners[2] - corners[0]
    across = np.cross(way, v)
    volume = across @ u
    with np.errstate(divide="ignore", invalid="ignore"):
        start = ends[:, 0] - corners[0]
        a = np.einsum("ij,ij->i", start, across) / volume
        turned = np.cross(start, u)
        b = np.einsum("ij,ij->i", way, turned) / volume
        t = turned @ v / volume
    return np.asarray((a >= 0) & (b >= 0) & (a + b <= 1) & (t >= 0) & (t <= 1))


def _words(point: Array | tuple[float, float, float]) -> str:
    return ",".join(f"{value:g}" for value in point)
