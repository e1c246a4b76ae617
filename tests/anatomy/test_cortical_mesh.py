"""Repair, decimation and geodesic distances of cortical meshes."""

import numpy as np
import pygeodesic.geodesic
import pytest
from scipy.spatial import ConvexHull

from virtualbrain.anatomy.cortical_mesh import (
    Hemisphere,
    decimated,
    geodesic_distances,
    prepared_cortex,
    repaired,
)
from virtualbrain.anatomy.surface import inflated, vertex_areas
from virtualbrain.errors import ModelError

RADIUS = 20.0


def sphere(n):
    """Return points of a Fibonacci lattice on a sphere, and the triangles of their hull."""
    k = np.arange(n) + 0.5
    polar, around = np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k
    points = RADIUS * np.column_stack(
        [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)]
    )
    return points, ConvexHull(points).simplices.astype(np.int64)


def triangles_per_edge(triangles):
    pairs = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)[1]


def folded(vertices):
    """Return a surface with folds a few mm deep, whose banks are near each other in space."""
    wave = 1 + 0.25 * np.sin(vertices[:, [0]] * 1.2) * np.sin(vertices[:, [1]] * 0.9)
    return vertices * wave


def test_distances_on_a_sphere_are_arcs():
    vertices, triangles = sphere(700)
    found = geodesic_distances(vertices, triangles, 10.0)
    i, j = found.tocoo().row, found.tocoo().col
    cosine = np.einsum("ij,ij->i", vertices[i], vertices[j]) / RADIUS**2
    arcs = RADIUS * np.arccos(np.clip(cosine, -1, 1))
    np.testing.assert_allclose(found.tocoo().data, arcs, rtol=0.02)
    assert found.nnz == pytest.approx(700 * 699 * np.sin(10 / RADIUS / 2) ** 2, rel=0.05)


def test_distances_equal_those_of_the_whole_mesh():
    vertices, triangles = sphere(600)
    vertices = folded(vertices)
    found = geodesic_distances(vertices, triangles, 8.0)
    whole = pygeodesic.geodesic.PyGeodesicAlgorithmExact(vertices, triangles.astype(np.int32))
    for source in (0, 123, 400):
        distances, _ = whole.geodesicDistances(np.array([source]), None)
        distances[source] = 0.0
        near = np.where(distances <= 8.0, distances, 0.0)
        np.testing.assert_allclose(found[[source]].toarray()[0], near, atol=1e-9)
        apart = np.linalg.norm(vertices - vertices[source], axis=1)
        assert ((apart < 8.0) & (distances > 8.0)).any()


def test_inflated_surface_has_no_folds_but_the_same_area_and_centre():
    vertices, triangles = sphere(900)
    vertices = folded(vertices) + np.array([5.0, 0.0, 0.0])
    smooth = inflated(vertices, triangles)
    area = vertex_areas(vertices, triangles).sum()
    assert vertex_areas(smooth, triangles).sum() == pytest.approx(area)
    np.testing.assert_allclose(smooth.mean(axis=0), vertices.mean(axis=0), atol=1e-9)

    def uneven(points):
        radius = np.linalg.norm(points - points.mean(axis=0), axis=1)
        return radius.std() / radius.mean()

    assert uneven(smooth) < 0.2 * uneven(vertices)


def test_opposite_walls_of_a_thin_fold_are_apart():
    vertices, triangles = sphere(500)
    found = geodesic_distances(vertices * np.array([0.05, 1, 1]), triangles, 8.0)
    middle = np.argsort(np.hypot(vertices[:, 1], vertices[:, 2]))
    one, other = middle[vertices[middle, 0] > 0][0], middle[vertices[middle, 0] < 0][0]
    assert found[one, other] == 0
    assert found[[one]].nnz > 5


def test_separate_hemispheres_have_no_distance():
    vertices, triangles = sphere(200)
    both = np.concatenate([vertices, vertices + np.array([2 * RADIUS + 1.0, 0, 0])])
    found = geodesic_distances(both, np.concatenate([triangles, triangles + 200]), 12.0)
    assert found[:200, 200:].nnz == 0
    assert found[:200, :200].nnz == found[200:, 200:].nnz > 0


def test_decimation_keeps_shape_area_and_regions():
    vertices, triangles = sphere(4000)
    fewer, faces, nearest = decimated(vertices, triangles, 1000)
    assert abs(len(fewer) - 1000) <= 22
    assert (triangles_per_edge(faces) == 2).all()
    np.testing.assert_allclose(np.linalg.norm(fewer, axis=1), RADIUS, rtol=0.01)
    areas = vertex_areas(fewer, faces)
    assert areas.sum() == pytest.approx(vertex_areas(vertices, triangles).sum(), rel=0.01)
    region = np.where(vertices[:, 2] > 5, 2, 1)[nearest]
    cap = areas[region == 2].sum()
    assert cap == pytest.approx(2 * np.pi * RADIUS * (RADIUS - 5), rel=0.03)


def test_number_of_vertices_that_cannot_be_had_is_refused():
    vertices, triangles = sphere(200)
    with pytest.raises(ModelError, match="500 vertices wanted"):
        decimated(vertices, triangles, 500)


def test_sound_mesh_is_unchanged_by_repair():
    vertices, triangles = sphere(300)
    same, faces = repaired(vertices, triangles)
    assert np.array_equal(same, vertices)
    assert np.array_equal(faces, triangles)


def test_repair_leaves_one_manifold_piece():
    vertices, triangles = sphere(300)
    fin = np.array([[*triangles[0, :2], 300]])  # a third triangle at an edge
    flat = np.array([[5, 5, 9]])
    island = np.array([[301, 302, 303]])
    points = np.concatenate([vertices, np.random.default_rng(0).normal(size=(5, 3)) + 40])
    broken = np.concatenate([triangles, fin, flat, island, triangles[3:4]])
    fixed, faces = repaired(points, broken)
    assert triangles_per_edge(faces).max() == 2
    assert len(fixed) == 300
    assert len(faces) == len(triangles) - 2


def test_spheres_that_touch_in_a_vertex_are_separated():
    vertices, triangles = sphere(300)
    small, few = sphere(100)
    small = small + vertices[17] - small[40]
    number = np.where(np.arange(100) == 40, 17, 300 + np.arange(100))
    fixed, faces = repaired(
        np.concatenate([vertices, small]), np.concatenate([triangles, number[few]])
    )
    assert len(fixed) == 300
    assert len(faces) == len(triangles)


def test_surface_without_triangles_is_refused():
    with pytest.raises(ModelError, match="no triangle"):
        repaired(np.zeros((3, 3)), np.array([[0, 1, 2]]))


def test_prepared_cortex_has_both_hemispheres_and_no_medial_wall():
    vertices, triangles = sphere(3000)
    left = np.where(vertices[:, 0] > 12, "", np.where(vertices[:, 1] > 0, "l-front", "l-back"))
    right = np.where(vertices[:, 0] < -12, "", "r")
    shift = np.array([2 * RADIUS + 0.5, 0, 0])
    cortex, faces = prepared_cortex(
        [Hemisphere(vertices, triangles, left), Hemisphere(vertices + shift, triangles, right)],
        1200, 6.0,
    )  # fmt: skip
    assert set(cortex.regions) == {"l-front", "l-back", "r"}
    assert np.array_equal(np.unique(faces), np.arange(cortex.n_vertices))
    side = np.array(cortex.regions) == "r"
    assert cortex.distances_mm[side][:, ~side].nnz == 0
    assert cortex.vertices_mm[~side, 0].max() < 12.7
    expected = 2 * (4 * np.pi * RADIUS**2 - 2 * np.pi * RADIUS * (RADIUS - 12))
    assert cortex.areas_mm2.sum() == pytest.approx(expected, rel=0.05)
    front = cortex.areas_mm2[np.array(cortex.regions) == "l-front"].sum()
    assert front == pytest.approx(expected / 4, rel=0.1)
