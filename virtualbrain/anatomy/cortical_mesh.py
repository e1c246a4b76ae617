"""Prepare a cortical mesh for simulation: repair, fewer vertices, geodesic distances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import fast_simplification
import numpy as np
import pygeodesic.geodesic
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from virtualbrain.anatomy.surface import vertex_areas
from virtualbrain.errors import ModelError
from virtualbrain.models.cortex import Cortex

Vertices = NDArray[np.float64]
Triangles = NDArray[np.int64]


@dataclass(frozen=True)
class Hemisphere:
    """The surface of a hemisphere.

    Parameters
    ----------
    vertices, triangles : numpy.ndarray
        Coordinates in mm, and the vertices of each triangle.
    regions : sequence of str
        Region of each vertex; empty outside the cortex (medial wall).
    """

    vertices: Vertices
    triangles: Triangles
    regions: Sequence[str]


def prepared_cortex(
    hemispheres: Sequence[Hemisphere], n_vertices: int, reach_mm: float = 10.0
) -> tuple[Cortex, Triangles]:
    """Prepare surfaces for simulation: repaired, with fewer vertices, without the medial wall.

    Each hemisphere gets vertices in proportion to those that it has. A vertex gets the region of
    the nearest vertex of the original surface. No path crosses the medial wall or leads from one
    hemisphere to the other.

    Parameters
    ----------
    hemispheres : sequence of Hemisphere
        The surfaces.
    n_vertices : int
        Number of vertices wanted, with the medial wall.
    reach_mm : float
        Largest geodesic distance, at least the cut-off of the kernel.

    Returns
    -------
    cortex : Cortex
        The surface to simulate.
    triangles : numpy.ndarray, shape (m, 3)
        Its triangles.

    Raises
    ------
    ModelError
        A surface has no triangle with an area or no vertex in a region, or the number of vertices
        cannot be reached.
    """
    total = sum(len(part.vertices) for part in hemispheres)
    parts = [
        _cortical_part(part, round(n_vertices * len(part.vertices) / total)) for part in hemispheres
    ]
    before = np.cumsum([0, *(len(part.vertices) for part in parts)])
    vertices = np.concatenate([part.vertices for part in parts])
    triangles = np.concatenate([p.triangles + n for p, n in zip(parts, before[:-1], strict=True)])
    regions = tuple(name for part in parts for name in part.regions)
    distances = geodesic_distances(vertices, triangles, reach_mm)
    return Cortex(vertices, vertex_areas(vertices, triangles), distances, regions), triangles


def _cortical_part(hemisphere: Hemisphere, n_vertices: int) -> Hemisphere:
    """Repair and decimate a hemisphere, and remove what belongs to no region."""
    points, faces, _ = decimated(*repaired(hemisphere.vertices, hemisphere.triangles), n_vertices)
    _, nearest = cKDTree(hemisphere.vertices).query(points)
    regions = np.array([str(name) for name in hemisphere.regions])[nearest]
    faces = faces[(regions != "")[faces].all(axis=1)]
    kept, numbers = np.unique(faces, return_inverse=True)
    if not len(kept):
        raise ModelError("the surface has no vertex in a region")
    return Hemisphere(points[kept], numbers.reshape(-1, 3), tuple(regions[kept]))


def repaired(vertices: Vertices, triangles: Triangles) -> tuple[Vertices, Triangles]:
    """Return one connected manifold piece of a mesh.

    Triangles without area and repeated triangles are removed, and all triangles at an edge that
    has more than two. A vertex at which separate fans of triangles touch is split. The largest
    piece by vertices is kept, without vertices that belong to no triangle.

    Parameters
    ----------
    vertices : numpy.ndarray, shape (n, 3)
        Coordinates in mm.
    triangles : numpy.ndarray, shape (m, 3)
        Vertices of each triangle.

    Returns
    -------
    vertices, triangles
        The repaired mesh; unchanged, in the same order, if nothing was wrong.

    Raises
    ------
    ModelError
        No triangle remains.
    """
    kept = _with_area(vertices, np.asarray(triangles, dtype=np.int64))
    kept = _without_crowded_edges(kept)
    if not len(kept):
        raise ModelError("the surface has no triangle with an area")
    split, kept = _split_fans(vertices, kept)
    return _largest_piece(split, kept)


def _with_area(vertices: Vertices, triangles: Triangles) -> Triangles:
    """Remove triangles without area, and all but the first of repeated triangles."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    solid = triangles[areas > 0]
    _, first = np.unique(np.sort(solid, axis=1), axis=0, return_index=True)
    return solid[np.sort(first)]


def _edges(triangles: Triangles) -> NDArray[np.int64]:
    """Return the edges of all triangles, shape (3 m, 2); edge k belongs to triangle k % m."""
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.sort(pairs, axis=1)


def _without_crowded_edges(triangles: Triangles) -> Triangles:
    """Remove the triangles at edges that have more than two triangles."""
    _, which, count = np.unique(_edges(triangles), axis=0, return_inverse=True, return_counts=True)
    crowded = (count[which.ravel()] > 2).reshape(3, -1).any(axis=0)
    return triangles[~crowded]


def _split_fans(vertices: Vertices, triangles: Triangles) -> tuple[Vertices, Triangles]:
    """Give every fan of triangles around a vertex a vertex of its own."""
    m = len(triangles)
    # A corner is a triangle and one of its vertices. Corners at the same vertex are in one fan if
    # their triangles share an edge at it.
    _, which = np.unique(_edges(triangles), axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    shared = which.ravel()[order[1:]] == which.ravel()[order[:-1]]
    first, second = order[:-1][shared], order[1:][shared]
    links = [_same_corners(triangles, first % m, second % m, _edges(triangles)[first][:, end])
             for end in (0, 1)]  # fmt: skip
    pairs = np.concatenate(links)
    graph = sparse.coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(3 * m, 3 * m)
    )
    _, fan = sparse.csgraph.connected_components(graph, directed=False)
    corners = triangles.T.ravel()
    _, first_corner = np.unique(fan, return_index=True)
    vertex_of_fan = corners[first_corner]
    number = np.arange(len(vertex_of_fan))
    by_vertex = np.lexsort((number, vertex_of_fan))
    repeated = np.zeros(len(number), dtype=bool)
    repeated[by_vertex[1:]] = vertex_of_fan[by_vertex[1:]] == vertex_of_fan[by_vertex[:-1]]
    label = vertex_of_fan.copy()
    label[repeated] = len(vertices) + np.arange(repeated.sum())
    grown = np.concatenate([vertices, vertices[vertex_of_fan[repeated]]])
    return grown, label[fan].reshape(3, m).T


def _same_corners(
    triangles: Triangles, one: NDArray[np.int64], other: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the numbers of the corners of two triangles at a shared vertex, shape (n, 2)."""
    m = len(triangles)
    place = [np.argmax(triangles[t] == at[:, np.newaxis], axis=1) * m + t for t in (one, other)]
    return np.column_stack(place)


def _largest_piece(vertices: Vertices, triangles: Triangles) -> tuple[Vertices, Triangles]:
    """Keep the connected piece with most vertices."""
    pairs = _edges(triangles)
    graph = sparse.coo_array(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(vertices), len(vertices))
    )
    _, piece = sparse.csgraph.connected_components(graph, directed=False)
    used = np.zeros(len(vertices), dtype=bool)
    used[triangles] = True
    kept = used & (piece == np.bincount(piece[used]).argmax())
    number = np.cumsum(kept) - 1
    return vertices[kept], number[triangles[kept[triangles].all(axis=1)]]


def decimated(
    vertices: Vertices, triangles: Triangles, n_vertices: int
) -> tuple[Vertices, Triangles, NDArray[np.int64]]:
    """Return a mesh with about a stated number of vertices, by quadric edge collapse.

    Garland & Heckbert 1997, as in fast-simplification. The result is repaired.

    Parameters
    ----------
    vertices, triangles : numpy.ndarray
        A mesh; coordinates in mm.
    n_vertices : int
        Number of vertices wanted, at most those of the mesh.

    Returns
    -------
    vertices, triangles : numpy.ndarray
        The mesh with fewer vertices.
    nearest : numpy.ndarray, shape (n,)
        For each vertex of it, the nearest vertex of the original mesh. Region maps and other values
        by vertex are taken from there.

    Raises
    ------
    ModelError
        The number is not between 4 and that of the mesh, or cannot be reached within 2 %.
    """
    if not 4 <= n_vertices <= len(vertices):
        raise ModelError(
            f"{n_vertices} vertices wanted", expected=f"a number from 4 to {len(vertices)}"
        )
    points, faces = vertices, np.asarray(triangles, dtype=np.int64)
    if n_vertices < len(vertices):
        # A closed mesh has two triangles per vertex; the ratio of this mesh holds for open ones.
        n_triangles = round(len(triangles) / len(vertices) * n_vertices)
        points, faces = fast_simplification.simplify(
            np.ascontiguousarray(vertices, dtype=np.float64),
            np.ascontiguousarray(triangles, dtype=np.int32),
            target_count=n_triangles,
        )[:2]
        points, faces = repaired(np.asarray(points, dtype=np.float64), faces.astype(np.int64))
    if abs(len(points) - n_vertices) > 0.02 * n_vertices + 2:
        raise ModelError(
            f"the mesh has {len(points)} vertices after decimation",
            expected=f"{n_vertices}",
            hint="ask for more vertices",
        )
    _, nearest = cKDTree(vertices).query(points)
    return points, faces, np.asarray(nearest, dtype=np.int64)


def geodesic_distances(
    vertices: Vertices, triangles: Triangles, reach_mm: float
) -> sparse.csr_array:
    """Return exact geodesic distances between all vertices closer than a reach.

    The shortest path on the mesh, through triangles (Mitchell, Mount & Papadimitriou 1987, as in
    pygeodesic). A path of length d stays within d of its source, so each source needs only the
    triangles around it.

    Parameters
    ----------
    vertices, triangles : numpy.ndarray
        A manifold mesh, coordinates in mm; it may have several pieces.
    reach_mm : float
        Largest distance.

    Returns
    -------
    scipy.sparse.csr_array, shape (n, n)
        Distances in mm, symmetric, without the diagonal.
    """
    matrix = _rows(vertices, triangles, reach_mm, np.arange(len(vertices)))
    return sparse.csr_array((matrix + matrix.T) / 2)


def _rows(
    vertices: Vertices, triangles: Triangles, reach_mm: float, sources: NDArray[np.int64]
) -> sparse.csr_array:
    """Return the distances from some vertices, shape (n, n); other rows are empty."""
    n = len(vertices)
    sides = np.linalg.norm(vertices[triangles] - vertices[np.roll(triangles, 1, axis=1)], axis=2)
    # Every point of a triangle is within this distance of one of its corners.
    to_corner = float(sides.max()) / np.sqrt(3.0)
    tree, around = cKDTree(vertices), _triangles_of_vertices(triangles, n)
    rows = [
        _distances_from(int(v), vertices, triangles, around, tree, reach_mm, to_corner)
        for v in sources
    ]
    if not rows:
        return sparse.csr_array((n, n))
    row = np.repeat(sources, [len(found) for found, _ in rows])
    column, distance = (np.concatenate([one[k] for one in rows]) for k in (0, 1))
    return sparse.csr_array((distance, (row, column.astype(np.int64))), shape=(n, n))


def without_vertices(
    cortex: Cortex, triangles: Triangles, removed: NDArray[np.bool_], reach_mm: float
) -> tuple[Cortex, Triangles, NDArray[np.int64]]:
    """Return a cortex without some of its vertices, as after a resection.

    No path crosses the gap: distances around it are computed again.

    Parameters
    ----------
    cortex : Cortex
        The surface.
    triangles : numpy.ndarray, shape (m, 3)
        Its triangles.
    removed : numpy.ndarray of bool, shape (n,)
        Vertices to remove.
    reach_mm : float
        Largest distance, as it was given to `prepared_cortex`.

    Returns
    -------
    cortex : Cortex
        What remains. A vertex without a triangle is removed too.
    triangles : numpy.ndarray
        Its triangles.
    kept : numpy.ndarray of int
        Number that each remaining vertex had before.

    Raises
    ------
    ModelError
        Nothing remains.
    """
    faces = triangles[~removed[triangles].any(axis=1)]
    kept, numbers = np.unique(faces, return_inverse=True)
    if not len(kept):
        raise ModelError("no cortex remains", hint="remove less of the surface")
    faces, vertices = numbers.reshape(-1, 3), cortex.vertices_mm[kept]
    gone = np.ones(cortex.n_vertices, dtype=bool)
    gone[kept] = False
    near = np.zeros(cortex.n_vertices, dtype=bool)
    near[cortex.distances_mm[gone].indices] = True
    near = near[kept]
    old = sparse.csr_array(cortex.distances_mm[kept][:, kept])
    distances = _renewed(old, vertices, faces, reach_mm, near)
    regions = tuple(cortex.regions[k] for k in kept)
    return Cortex(vertices, vertex_areas(vertices, faces), distances, regions), faces, kept


def without_triangles(
    cortex: Cortex, triangles: Triangles, cut: NDArray[np.bool_], reach_mm: float
) -> Cortex:
    """Return a cortex whose geodesic distances do not pass some of its triangles.

    Vertices and their areas stay. A vertex without any other triangle is connected with none.

    Parameters
    ----------
    cortex : Cortex
        The surface.
    triangles : numpy.ndarray, shape (m, 3)
        Its triangles.
    cut : numpy.ndarray of bool, shape (m,)
        Triangles that no path passes.
    reach_mm : float
        Largest distance, as it was given to `prepared_cortex`.
    """
    beside = np.unique(triangles[cut])
    near = np.zeros(cortex.n_vertices, dtype=bool)
    near[beside] = True
    near[cortex.distances_mm[beside].indices] = True
    old = sparse.csr_array(cortex.distances_mm)
    distances = _renewed(old, cortex.vertices_mm, triangles[~cut], reach_mm, near)
    return replace(cortex, distances_mm=distances)


def _renewed(
    old: sparse.csr_array,
    vertices: Vertices,
    triangles: Triangles,
    reach_mm: float,
    near: NDArray[np.bool_],
) -> sparse.csr_array:
    """Return distances that are computed again between all vertices near a gap.

    A path across the gap is within reach of it at both ends.
    """
    there = np.zeros(len(vertices), dtype=bool)
    there[triangles] = True
    new = sparse.coo_array(_rows(vertices, triangles, reach_mm, np.flatnonzero(near & there)))
    former = sparse.coo_array(old)
    parts = [(new, near[new.col]), (former, ~(near[former.row] & near[former.col]))]
    row, column, distance = (
        np.concatenate([getattr(one, name)[which] for one, which in parts])
        for name in ("row", "col", "data")
    )
    matrix = sparse.csr_array((distance, (row, column)), shape=old.shape)
    return sparse.csr_array((matrix + matrix.T) / 2)


def _triangles_of_vertices(triangles: Triangles, n: int) -> sparse.csr_array:
    """Return the matrix of vertices and their triangles."""
    of = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(triangles.size, dtype=np.int8)
    return sparse.csr_array((ones, (triangles.ravel(), of)), shape=(n, len(triangles)))


def _distances_from(
    source: int,
    vertices: Vertices,
    triangles: Triangles,
    around: sparse.csr_array,
    tree: cKDTree,
    reach_mm: float,
    to_corner: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the vertices within reach of a source, and their distances."""
    near = np.array(tree.query_ball_point(vertices[source], reach_mm + to_corner))
    pieces = _pieces_of(source, triangles[np.unique(around[near].indices)])
    found = [_distances_in(source, vertices, piece, reach_mm) for piece in pieces]
    if len(found) == 1:
        return found[0]
    members, distances = (np.concatenate([one[k] for one in found]) for k in (0, 1))
    order = np.lexsort((distances, members))  # of two paths to a vertex, the shorter
    members, first = np.unique(members[order], return_index=True)
    return members, distances[order][first]


def _distances_in(
    source: int, vertices: Vertices, piece: Triangles, reach_mm: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the vertices of a piece of the mesh within reach of a source, and their distances."""
    members, corners = np.unique(piece, return_inverse=True)
    algorithm = pygeodesic.geodesic.PyGeodesicAlgorithmExact(
        np.ascontiguousarray(vertices[members]),
        np.ascontiguousarray(corners.reshape(-1, 3), dtype=np.int32),
    )
    distances, _ = algorithm.geodesicDistances(np.searchsorted(members, [source]), None)
    within = (distances <= reach_mm) & (members != source)
    return members[within], distances[within]


def _pieces_of(source: int, triangles: Triangles) -> list[Triangles]:
    """Return the triangles that are connected with a vertex over edges.

    pygeodesic fails on a mesh that has more. Beside a gap a vertex may join several pieces.
    """
    m = len(triangles)
    _, edge = np.unique(_edges(triangles), axis=0, return_inverse=True)
    where = (np.tile(np.arange(m), 3), m + edge.ravel())
    n = m + int(edge.max()) + 1
    graph = sparse.coo_array((np.ones(3 * m), where), shape=(n, n))
    _, piece = sparse.csgraph.connected_components(graph, directed=False)
    own = np.unique(piece[:m][(triangles == source).any(axis=1)])
    return [triangles[piece[:m] == one] for one in own]
