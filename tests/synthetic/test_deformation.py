import numpy as np
import pytest

from virtualbrain.synthetic.deformation import (
    GRID_SPACING_MM,
    exponential,
    jacobian_determinant,
    random_deformation,
    random_pose,
    rigid,
)


@pytest.fixture(scope="module")
def deformation():
    return random_deformation(np.random.default_rng(3))


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-60, 60, (500, 3))


def test_inverse_map_returns_the_points(deformation, points):
    back = deformation.to_patient(deformation.to_template(points))
    assert np.abs(back - points).max() < 0.1


@pytest.mark.parametrize("seed", range(5))
def test_jacobian_is_positive(seed):
    jacobian = random_deformation(np.random.default_rng(seed)).jacobian()
    assert jacobian.min() > 0.2
    assert jacobian.max() < 3.0


def test_largest_displacement_is_as_requested():
    drawn = random_deformation(np.random.default_rng(1), largest_mm=5.0, pose=False)
    lengths = np.linalg.norm(exponential(drawn.velocity), axis=0)
    assert lengths.max() == pytest.approx(5.0, rel=0.05)
    np.testing.assert_array_equal(drawn.pose, np.eye(4))


def test_same_seed_gives_the_same_deformation():
    one, two = (random_deformation(np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.velocity, two.velocity)
    np.testing.assert_array_equal(one.pose, two.pose)


def test_jacobian_of_a_linear_map():
    shape = (8, 9, 10)
    places = np.indices(shape) * GRID_SPACING_MM
    stretch = np.array([0.1, -0.2, 0.3])
    determinant = jacobian_determinant(stretch[:, None, None, None] * places, GRID_SPACING_MM)
    np.testing.assert_allclose(determinant, np.prod(1 + stretch))


def test_exponential_of_a_constant_is_a_shift():
    velocity = np.ones((3, 12, 12, 12)) * np.array([1.0, -2.0, 0.5])[:, None, None, None]
    np.testing.assert_allclose(exponential(velocity), velocity, atol=1e-9)


def test_pose_is_rigid_and_small():
    pose = random_pose(np.random.default_rng(2))
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert np.abs(pose[:3, 3]).max() <= 5.0


def test_rotation_is_counterclockwise():
    quarter = rigid(np.array([0.0, 0.0, np.pi / 2]), np.zeros(3))
    np.testing.assert_allclose(quarter[:3, :3] @ [1, 0, 0], [0, 1, 0], atol=1e-12)
