import numpy as np
import pytest
from scipy import ndimage

from virtualbrain.diffusion.distortion import (
    encoding_on_grid,
    estimate_unwarping,
    sample_undistorted,
    unwarping_from,
)
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.series import PhaseEncoding

AXIS = 1


def smooth_field(shape, size, seed=0):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=shape), 5)
    return size * field / np.abs(field).max()


def distorted(image, field, sign):
    """Distort an image along the axis by sign * field, preserving the signal, line by line."""
    lines, shifts = np.moveaxis(image, AXIS, -1), np.moveaxis(field, AXIS, -1)
    index = np.arange(lines.shape[-1], dtype=float)
    out = np.empty_like(lines)
    for place in np.ndindex(lines.shape[:-1]):
        positions = index + sign * shifts[place]
        stretch = np.gradient(positions)
        out[place] = np.interp(index, positions, lines[place] / stretch)
    return np.moveaxis(out, -1, AXIS)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [((0, 1, 0), (1, 1)), ((0, -1, 0), (1, -1)), ((1, 0, 0), (0, -1)), ((0, 0.2, 0.97), (2, 1))],
)
def test_phase_encoding_is_assigned_to_the_nearest_axis(direction, expected):
    affine = np.diag([-3.0, 3, 3, 1])
    assert encoding_on_grid(PhaseEncoding(direction, 0.05), affine) == expected


def test_zero_displacement_gives_the_identity():
    found = unwarping_from(np.zeros((4, 6, 5)), AXIS)
    assert np.allclose(found.forward, np.indices((4, 6, 5))[AXIS], atol=1e-4)
    assert np.allclose(found.backward, found.forward, atol=1e-4)


def test_the_true_displacement_corrects_both_images(series):
    """With the true displacement both images become similar to the undistorted image."""
    true = series.mean_b0
    field = smooth_field(true.shape, 2.5)
    forward, backward = distorted(true, field, 1), distorted(true, field, -1)
    index = np.indices(true.shape)[AXIS].astype(float)
    lines = np.moveaxis(index + field, AXIS, -1)
    twice = np.moveaxis(-2 * field, AXIS, -1)
    displacement = np.empty_like(lines)
    for place in np.ndindex(lines.shape[:-1]):
        displacement[place] = np.interp(np.arange(lines.shape[-1]), lines[place], twice[place])
    unwarping = unwarping_from(np.moveaxis(displacement, -1, AXIS), AXIS)
    inner = ndimage.binary_erosion(head_mask(true), iterations=4)
    for image, sign in ((forward, 1), (backward, -1)):
        corrected = sample_undistorted(image, unwarping.positions(sign), np.eye(4), AXIS)
        before = np.abs(image - true)[inner].mean()
        assert np.abs(corrected - true)[inner].mean() < 0.35 * before


def test_stretching_preserves_the_signal():
    image = np.zeros((3, 40, 3), dtype=np.float32)
    image[:, 10:30] = 1
    index = np.indices(image.shape)[AXIS].astype(float)
    squeezed = 20 + (index - 20) * 0.5
    moved = sample_undistorted(image, squeezed, np.eye(4), AXIS)
    assert moved.sum() == pytest.approx(image.sum(), rel=0.15)


@pytest.mark.slow
def test_registration_corrects_the_distortion(series):
    true = series.mean_b0
    field = smooth_field(true.shape, 2.5)
    pair = [distorted(true, field, sign).astype(np.float32) for sign in (1, -1)]
    unwarping = estimate_unwarping(pair[0], pair[1], series.voxel_sizes, AXIS)
    mask = head_mask(true)
    after = [
        sample_undistorted(image, unwarping.positions(sign), np.eye(4), AXIS)
        for image, sign in zip(pair, (1, -1), strict=True)
    ]
    before = np.corrcoef(pair[0][mask], pair[1][mask])[0, 1]
    assert np.corrcoef(after[0][mask], after[1][mask])[0, 1] > before
    for image, corrected in zip(pair, after, strict=True):
        assert np.abs(corrected - true)[mask].mean() < np.abs(image - true)[mask].mean()
