import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from virtualbrain.errors import ConfigError
from virtualbrain.seeg.gain import (
    Sources,
    centre_sources,
    make_sources,
    observability,
    power_gain,
    surface_sources,
    vertex_geometry,
    volume_sources,
)
from virtualbrain.seeg.settings import SeegSettings

MONOPOLAR, BIPOLAR = np.eye(2), np.array([[1.0, -1.0]])


def points(positions, regions=None, normals=None):
    positions = np.asarray(positions, float)
    n = len(positions)
    return Sources(
        positions,
        np.ones(n),
        np.zeros(n, dtype=np.int64) if regions is None else np.asarray(regions),
        np.zeros((n, 3)) if normals is None else np.asarray(normals, float),
        "test",
    )


def test_one_contact_sees_the_inverse_square_of_the_distance():
    contacts = np.array([[0.0, 0, 0], [30.0, 0, 0]])
    gain = power_gain(contacts, MONOPOLAR, points([[10.0, 0, 0]]), 1, 2.0)
    np.testing.assert_allclose(gain[:, 0], [1 / 100, 1 / 400])


def test_a_bipolar_channel_sees_the_squared_difference_of_potentials():
    contacts = np.array([[0.0, 0, 0], [4.0, 0, 0]])
    gain = power_gain(contacts, BIPOLAR, points([[10.0, 0, 0]]), 1, 2.0)
    assert gain[0, 0] == pytest.approx((1 / 10 - 1 / 6) ** 2)


def test_a_region_midway_appears_in_the_bipolar_channel_but_not_in_the_difference():
    contacts = np.array([[-2.0, 0, 0], [2.0, 0, 0]])
    sources = points([[-1.0, 5, 0], [1.0, 5, 0]])
    independent = power_gain(contacts, BIPOLAR, sources, 1, 1.0)
    difference = power_gain(contacts, BIPOLAR, sources, 1, 1.0, combination="difference")
    assert difference[0, 0] == pytest.approx(0.0, abs=1e-15)
    assert independent[0, 0] > 1e-4


def test_the_difference_agrees_with_the_published_formula():
    contacts = np.array([[0.0, 0, 0], [4.0, 0, 0]])
    gain = power_gain(contacts, BIPOLAR, points([[10.0, 0, 0]]), 1, 2.0, combination="difference")
    assert gain[0, 0] == pytest.approx(1 / 36 - 1 / 100)


def test_distances_are_clamped():
    contacts = np.array([[0.0, 0, 0], [50.0, 0, 0]])
    gain = power_gain(contacts, MONOPOLAR, points([[0.0, 0, 0.1]]), 1, 3.0)
    assert gain[0, 0] == pytest.approx(1 / 9)


def test_a_dipole_is_seen_along_its_axis_and_not_across_it():
    contacts = np.array([[0.0, 0, 10], [10.0, 0, 0]])
    oriented = points([[0.0, 0, 0]], normals=[[0.0, 0, 1]])
    gain = power_gain(contacts, MONOPOLAR, oriented, 1, 1.0, dipole=True)
    np.testing.assert_allclose(gain[:, 0], [1e-4, 0.0], atol=1e-12)
    unoriented = power_gain(contacts, MONOPOLAR, points([[0.0, 0, 0]]), 1, 1.0, dipole=True)
    np.testing.assert_allclose(unoriented[:, 0], 1e-4 / 3)


def test_power_of_independent_sources_agrees_with_the_gain():
    """The variance of simulated potentials of independent sources is that of the equation."""
    rng = np.random.default_rng(0)
    sources = points(rng.uniform(5, 20, (50, 3)), rng.integers(0, 3, 50))
    contacts = np.array([[0.0, 0, 0], [3.5, 0, 0]])
    potential = 1 / np.linalg.norm(contacts[:, None] - sources.points[None], axis=-1)
    power = np.array([1.0, 3.0, 0.5])
    activity = rng.standard_normal((50, 40_000)) * np.sqrt(power[sources.regions])[:, None]
    measured = (BIPOLAR @ potential @ activity).var()
    expected = (power_gain(contacts, BIPOLAR, sources, 3, 1.0) @ power)[0]
    assert measured == pytest.approx(expected, rel=0.03)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_gain_is_non_negative_and_follows_region_order(seed):
    rng = np.random.default_rng(seed)
    contacts = rng.uniform(-30, 30, (6, 3))
    weights = np.eye(6)[:-1] - np.eye(6)[1:]
    sources = points(rng.uniform(-30, 30, (40, 3)), rng.integers(0, 4, 40))
    gain = power_gain(contacts, weights, sources, 4, 2.0)
    assert (gain >= 0).all()
    order = rng.permutation(4)
    moved = points(sources.points, np.argsort(order)[sources.regions])
    np.testing.assert_allclose(power_gain(contacts, weights, moved, 4, 2.0), gain[:, order])
    shift = rng.uniform(-50, 50, 3)
    away = points(sources.points + shift, sources.regions)
    np.testing.assert_allclose(power_gain(contacts + shift, weights, away, 4, 2.0), gain)


def test_vertex_areas_add_up_and_normals_point_out():
    vertices = np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float
    )
    triangles = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    area, normal = vertex_geometry(vertices, triangles)
    assert area.sum() == pytest.approx(8 * np.sqrt(3) / 2)
    np.testing.assert_allclose(normal, vertices, atol=1e-12)


def test_voxel_sources_add_up_to_the_region_volume(regions, labels):
    sources = volume_sources(regions, labels, np.array([True, False, True, True]))
    volumes = np.bincount(sources.regions, sources.volumes, minlength=4)
    np.testing.assert_allclose(volumes, [38400, 0, 38400, 38400])
    first = sources.points[sources.regions == 0]
    np.testing.assert_allclose(first.mean(axis=0), [8, 15, 5])


def test_a_ball_at_a_centre_has_the_volume_and_radius_of_its_region(regions):
    sources = centre_sources(regions, np.ones(4, dtype=bool))
    own = sources.regions == 2
    assert sources.volumes[own].sum() == pytest.approx(38400)
    distance = np.linalg.norm(sources.points[own] - [40, 15, 5], axis=1)
    radius = np.cbrt(3 * 38400 / (4 * np.pi))
    assert distance.max() <= radius
    # The mean distance from the centre of a full ball is three quarters of its radius.
    assert distance.mean() == pytest.approx(0.75 * radius, rel=0.02)
    np.testing.assert_allclose(sources.points[own].mean(axis=0), [40, 15, 5], atol=0.05 * radius)


def test_all_source_models_agree_at_a_distance(regions, labels):
    contacts = np.array([[300.0, 15, 5], [0.0, 0, 0]])
    kinds = [
        centre_sources(regions, np.ones(4, dtype=bool)),
        volume_sources(regions, labels, np.ones(4, dtype=bool)),
    ]
    first, second = (power_gain(contacts, MONOPOLAR, s, 4, 2.0)[0] for s in kinds)
    np.testing.assert_allclose(first, second, rtol=0.01)


def test_cortex_comes_from_the_surface_and_the_rest_from_the_image(regions, labels):
    vertices = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0], [10, 10, 0]])
    triangles = np.array([[0, 1, 2], [1, 3, 2]])
    surfaces = {"L": (vertices, triangles, np.array([1, 2, 3, 0]))}
    sources = make_sources(regions, labels, surfaces, SeegSettings())
    cortex = sources.regions < 3
    assert sources.kind == "surface and volume"
    assert cortex.sum() == 3
    assert sources.volumes[cortex].sum() == pytest.approx(2.5 * (100 - 100 / 6))
    assert set(sources.regions[~cortex]) == {3}
    alone = surface_sources(regions, surfaces, 2.5)
    np.testing.assert_allclose(np.abs(alone.normals), [[0, 0, 1]] * 3)


@pytest.mark.parametrize("kind", ["surface", "dipole", "volume"])
def test_missing_anatomy_is_refused(regions, kind):
    with pytest.raises(ConfigError, match="choose auto"):
        make_sources(regions, None, None, SeegSettings(gain=kind))


def test_a_region_without_a_centre_gets_no_gain():
    table = pd.DataFrame(
        {
            "index": [1, 2],
            "x": [0.0, np.nan],
            "y": [0.0, np.nan],
            "z": [0.0, np.nan],
            "volume": [1000.0, np.nan],
        }
    )
    sources = make_sources(table, None, None, SeegSettings())
    gain = power_gain(np.array([[20.0, 0, 0]]), np.eye(1), sources, 2, 2.0)
    assert gain[0, 0] > 0
    assert gain[0, 1] == 0


def test_observability_is_one_where_a_channel_sees_only_that_region():
    found = observability(np.array([[5.0, 0, 0], [0, 2.0, 2.0]]), noise=0.01)
    assert found[0] == pytest.approx(1.0, abs=1e-3)
    assert found[1] == pytest.approx(0.5, abs=1e-3)
    none = observability(np.array([[1.0, 0.0]]))
    assert none[1] == 0.0


def test_an_image_of_floats_is_read_as_labels(regions, labels):
    floats = nib.Nifti1Image(np.asarray(labels.dataobj).astype(np.float32), labels.affine)
    a = volume_sources(regions, floats, np.ones(4, dtype=bool))
    b = volume_sources(regions, labels, np.ones(4, dtype=bool))
    np.testing.assert_array_equal(a.regions, b.regions)
