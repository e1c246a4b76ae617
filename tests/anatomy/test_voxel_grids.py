import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from virtualbrain.anatomy.voxel_grids import (
    crop,
    from_ants,
    is_orthogonal,
    isotropic,
    isotropic_around,
    largest_component,
    resample,
    to_ants,
    voxel_volume,
    working_grid,
)
from virtualbrain.io.images import make_image

OBLIQUE = nib.affines.from_matvec(
    nib.eulerangles.euler2mat(0.1, -0.2, 0.3) @ np.diag([-1.0, 1.0, 1.5]), [20, -30, 5]
)


def smooth_volume(shape=(30, 34, 26)):
    noise = np.random.default_rng(5).normal(size=shape)
    return ndimage.gaussian_filter(noise, 3).astype(np.float32)


def ball(shape=(40, 40, 40), radius=12):
    places = np.indices(shape) - (np.array(shape) / 2)[:, None, None, None]
    return (places**2).sum(axis=0) < radius**2


def test_ants_and_nibabel_agree_on_voxel_positions():
    image = make_image(smooth_volume(), OBLIQUE)
    ants_image = to_ants(image)
    np.testing.assert_allclose(ants_image.numpy(), smooth_volume())
    for voxel in [(0, 0, 0), (3, 5, 7), (29, 33, 25)]:
        expected = nib.affines.apply_affine(OBLIQUE, voxel)
        direction = np.asarray(ants_image.direction)
        lps = np.array(ants_image.origin) + direction @ (np.array(ants_image.spacing) * voxel)
        np.testing.assert_allclose(lps * [-1, -1, 1], expected, atol=1e-4)


def test_conversion_to_ants_and_back_is_exact():
    image = make_image(smooth_volume(), OBLIQUE)
    back = from_ants(to_ants(image), image)
    np.testing.assert_array_equal(np.asarray(back.dataobj), smooth_volume())
    np.testing.assert_allclose(back.affine, OBLIQUE, atol=1e-6)


def test_resampling_keeps_the_position_of_values():
    image = make_image(smooth_volume(), OBLIQUE)
    grid = make_image(
        np.zeros((50, 50, 50), np.uint8), nib.affines.from_matvec(np.eye(3), [-20, -30, -5])
    )
    moved = np.asarray(resample(image, grid).dataobj)
    inside = np.argwhere(moved != 0)[::97]
    voxels = nib.affines.apply_affine(np.linalg.inv(OBLIQUE) @ grid.affine, inside)
    expected = ndimage.map_coordinates(smooth_volume(), voxels.T, order=1)
    np.testing.assert_allclose(moved[tuple(inside.T)], expected, atol=1e-4)


@pytest.mark.parametrize("order", [0, 1])
def test_resampling_a_cropped_image_back_is_exact(order):
    labels = (ball() * 7).astype(np.int32)
    image = make_image(labels, OBLIQUE)
    cropped = crop(image, ball(), 3.0)
    assert np.prod(cropped.shape) < labels.size / 2
    np.testing.assert_array_equal(np.asarray(resample(cropped, image, order=order).dataobj), labels)


def test_a_crop_at_the_faces_of_an_image_gets_empty_slices():
    image = make_image(np.ones((10, 17, 9), np.float32), OBLIQUE)
    cropped = crop(image, np.ones((10, 17, 9), bool), 3.0)
    assert cropped.shape == (12, 20, 12)
    np.testing.assert_array_equal(cropped.affine, image.affine)
    voxels = np.asarray(cropped.dataobj)
    assert voxels[:10, :17, :9].all()
    assert voxels.sum() == 10 * 17 * 9


def test_resampling_to_a_disjoint_grid_gives_background():
    image = make_image(ball().astype(np.float32), np.eye(4))
    far = make_image(np.zeros((9, 9, 9)), nib.affines.from_matvec(np.eye(3), [500, 0, 0]))
    assert not np.asarray(resample(image, far).dataobj).any()


def test_resampling_to_a_coarse_grid_preserves_the_mean():
    image = make_image(ball().astype(np.float32), np.eye(4))
    coarse = make_image(
        np.zeros((12, 12, 12)), nib.affines.from_matvec(np.eye(3) * 4, [-2.5, -2.5, -2.5])
    )
    fraction = np.asarray(resample(image, coarse).dataobj)
    assert fraction.sum() * 64 == pytest.approx(ball().sum(), rel=0.03)


@pytest.mark.parametrize(
    ("sizes", "kept"), [((1.0, 1.0, 1.0), True), ((0.9, 0.9, 1.2), True), ((1, 1, 5), False)]
)
def test_the_working_grid_keeps_voxels_of_similar_size(sizes, kept):
    affine = np.diag([*map(float, sizes), 1.0])
    image = make_image(ball().astype(np.float32), affine)
    grid = working_grid(image, ball(), 1.0)
    found = nib.affines.voxel_sizes(grid.affine)
    np.testing.assert_allclose(found, sizes if kept else (1.0, 1.0, 1.0))
    assert not np.any(np.array(grid.shape) % 4)
    volume = np.asarray(grid.dataobj).sum() * voxel_volume(grid.affine)
    assert volume == pytest.approx(ball().sum() * np.prod(sizes), rel=0.05)


def test_an_isotropic_grid_around_the_content_covers_it_and_the_margin():
    voxels = np.zeros((40, 44, 36), dtype=np.float32)
    voxels[10:20, 12:31, 8:25] = 1.0
    image = make_image(voxels, OBLIQUE)
    grid = isotropic_around(image, 2.0, 8.0)
    points = nib.affines.apply_affine(OBLIQUE, np.argwhere(voxels))
    inside = nib.affines.apply_affine(np.linalg.inv(grid.affine), points)
    edge = 8.0 / 2.0 - 0.5  # from the middle of the first voxel, in voxels
    assert inside.min() >= edge - 1e-6
    assert (inside <= np.array(grid.shape) - 1 - edge + 1e-6).all()
    assert (np.array(grid.shape) < np.array(isotropic(image, 2.0).shape)).all()
    np.testing.assert_allclose(grid.affine[:3, :3], 2.0 * np.eye(3))
    assert not np.any(np.array(grid.shape) % 4)


def test_sheared_axes_are_not_orthogonal():
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    assert is_orthogonal(OBLIQUE)
    assert not is_orthogonal(sheared)


def test_the_largest_component_is_kept():
    mask = ball()
    mask[:2, :2, :2] = True
    np.testing.assert_array_equal(largest_component(mask), ball())
    assert not largest_component(np.zeros((3, 3, 3), bool)).any()
