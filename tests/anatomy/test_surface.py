import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from virtualbrain.anatomy.surface import (
    area_vectors,
    enclosed_volume,
    outward,
    regions_of_vertices,
    smoothed,
    surface_of,
    vertex_area_vectors,
    vertex_areas,
)
from virtualbrain.io.anatomy import Surface

RADIUS, CENTRE = 20.0, np.array([30.0, -12.0, 7.0])
AFFINE = np.array([[-1.0, 0, 0, 60], [0, 0, 1, -42], [0, -1, 0, 37], [0, 0, 0, 1]])
REGIONS = pd.DataFrame(
    {
        "index": [1, 2, 3, 4],
        "name": ["front", "back", "nucleus", "other side"],
        "hemisphere": ["R", "R", "R", "L"],
        "structure": ["cortex", "cortex", "subcortex", "cortex"],
    }
)


def distance():
    """Return the distance in mm of every voxel from the ball's centre, and its coordinates."""
    places = np.argwhere(np.ones((60, 60, 60), bool)) @ AFFINE[:3, :3].T + AFFINE[:3, 3]
    return np.linalg.norm(places - CENTRE, axis=1).reshape(60, 60, 60), places


@pytest.fixture(scope="module")
def ball():
    content = np.clip(RADIUS + 0.5 - distance()[0], 0, 1).astype(np.float32)
    return surface_of(content, AFFINE, 2.0)


def test_the_surface_of_a_ball_is_a_sphere(ball):
    vertices, triangles = ball
    radii = np.linalg.norm(vertices - CENTRE, axis=1)
    assert radii.min() > RADIUS - 0.7
    assert radii.max() < RADIUS + 0.7
    assert enclosed_volume(vertices, triangles) == pytest.approx(4 / 3 * np.pi * 8000, rel=0.03)
    assert vertex_areas(vertices, triangles).sum() == pytest.approx(4 * np.pi * 400, rel=0.03)


def test_the_surface_is_closed(ball):
    vertices, triangles = ball
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    )
    edges = np.sort(edges, axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    n_edges = len(counts)
    assert len(vertices) - n_edges + len(triangles) == 2
    assert set(np.unique(triangles)) == set(range(len(vertices)))


def test_normals_point_outward(ball):
    vertices, triangles = ball
    outside = vertex_area_vectors(vertices, triangles)
    assert ((outside * (vertices - CENTRE)).sum(axis=1) > 0).all()
    np.testing.assert_allclose(area_vectors(vertices, triangles).sum(axis=0), 0, atol=1e-6)


def test_an_inverted_surface_is_corrected(ball):
    vertices, triangles = ball
    _, corrected = outward(vertices, triangles[:, ::-1])
    assert enclosed_volume(vertices, corrected) > 0
    np.testing.assert_array_equal(outward(vertices, triangles)[1], triangles)


def test_spacing_sets_the_number_of_vertices(ball):
    content = np.clip(RADIUS + 0.5 - distance()[0], 0, 1).astype(np.float32)
    coarse, _ = surface_of(content, AFFINE, 4.0)
    assert 2.5 < len(ball[0]) / len(coarse) < 6


def test_cavities_and_small_components_have_no_surface(ball):
    content = np.clip(RADIUS + 0.5 - distance()[0], 0, 1).astype(np.float32)
    content[distance()[0] < 6] = 0
    content[1:4, 1:4, 1:4] = 1
    vertices, _ = surface_of(content, AFFINE, 2.0)
    radii = np.linalg.norm(vertices - CENTRE, axis=1)
    assert radii.min() > RADIUS - 1
    assert radii.max() < RADIUS + 1


def test_smoothing_preserves_the_volume_and_reduces_roughness(ball):
    vertices, triangles = ball
    rough = vertices + np.random.default_rng(2).normal(0, 0.3, vertices.shape)
    smooth = smoothed(rough, triangles)
    assert (
        np.linalg.norm(smooth - CENTRE, axis=1).std()
        < 0.6 * np.linalg.norm(rough - CENTRE, axis=1).std()
    )
    assert enclosed_volume(smooth, triangles) == pytest.approx(
        enclosed_volume(rough, triangles), rel=0.02
    )


def test_vertices_get_the_label_of_the_nearest_cortex(ball):
    away, places = distance()
    front = places[:, 1].reshape(away.shape) > CENTRE[1]
    labels = np.where((away < RADIUS) & (away > RADIUS - 3), np.where(front, 1, 2), 0)
    found = regions_of_vertices(ball[0], labels.astype(np.int32), AFFINE, REGIONS, "R")
    expected = np.where(ball[0][:, 1] > CENTRE[1], 1, 2)
    clear = np.abs(ball[0][:, 1] - CENTRE[1]) > 1.5
    np.testing.assert_array_equal(found[clear], expected[clear])


def test_the_medial_wall_and_the_other_hemisphere_have_no_region(ball):
    away, places = distance()
    front = places[:, 1].reshape(away.shape) > CENTRE[1]
    shell = (away < RADIUS) & (away > RADIUS - 3)
    labels = np.where(shell & front, 1, np.where(shell, 3, 0)).astype(np.int32)
    found = regions_of_vertices(ball[0], labels, AFFINE, REGIONS, "R")
    behind = ball[0][:, 1] < CENTRE[1] - 5
    assert (found[behind] == 0).all()
    assert (found[ball[0][:, 1] > CENTRE[1] + 2] == 1).all()
    assert not regions_of_vertices(ball[0], labels, AFFINE, REGIONS, "L").any()


def test_a_vertex_far_from_any_cortex_has_no_region(ball):
    away, _ = distance()
    labels = (away < 10).astype(np.int32)
    assert not regions_of_vertices(ball[0], labels, AFFINE, REGIONS, "R").any()


def test_a_surface_unpacks_to_vertices_triangles_regions():
    surface = Surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), np.zeros(3, np.int32))
    vertices, triangles, regions = surface
    assert vertices is surface.vertices
    assert triangles is surface.triangles
    assert regions is surface.regions


def test_a_vertex_between_two_voxels_gets_the_nearer_label():
    labels = np.zeros((5, 5, 5), np.int32)
    labels[1, 2, 2], labels[3, 2, 2] = 1, 2
    points = np.array([[1.4, 2, 2], [2.6, 2, 2]])
    found = regions_of_vertices(points, labels, np.eye(4), REGIONS, "R")
    assert found.tolist() == [1, 2]
    assert ndimage.sum_labels(labels > 0) == 2
