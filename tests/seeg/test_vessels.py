"""Electrodes keep clear of vessels in a mask."""

import nibabel as nib
import numpy as np
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.trajectories import trajectories
from virtualbrain.seeg.vessels import near_vessels, require_in_frame

TARGET = np.array([30.0, 0.0, 0.0])


def ball(points):
    return np.linalg.norm(points, axis=1) < 60.0


def mask_of(voxels: np.ndarray, turn: float = 0.0, size: float = 1.0) -> nib.Nifti1Image:
    affine = np.eye(4)
    cos, sin = np.cos(turn), np.sin(turn)
    affine[:3, :3] = size * np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    affine[:3, 3] = affine[:3, :3] @ (-0.5 * (np.array(voxels.shape) - 1))
    return nib.Nifti1Image(voxels.astype(np.uint8), affine)


def one_voxel() -> np.ndarray:
    voxels = np.zeros((21, 21, 21), dtype=bool)
    voxels[10, 10, 10] = True  # at the origin
    return voxels


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_no_point_at_the_distance_is_missed_and_few_beyond_it_are_taken(size, turn):
    rng = np.random.default_rng(1)
    near = near_vessels(mask_of(one_voxel(), turn, size), 3.0)
    points = rng.uniform(-9, 9, (4000, 3))
    cos, sin = np.cos(turn), np.sin(turn)
    turned = points @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    outside = np.maximum(np.abs(turned) - 0.5 * size, 0.0)
    distance = np.linalg.norm(outside, axis=1)  # to the box of the voxel
    found = near(points)
    assert found[distance <= 3.0].all()
    assert not found[distance > 3.0 + size * np.sqrt(3.0)].any()


def test_no_electrode_passes_near_a_vessel():
    free = trajectories(TARGET, ball, lambda p: np.zeros(len(p), bool), np.zeros((0, 3)))
    along = np.zeros((121, 121, 121), dtype=bool)
    place = np.rint(0.5 * (free[0].entry + TARGET)).astype(int) + 60
    along[place[0], place[1], place[2]] = True
    near = near_vessels(mask_of(along), 4.0)
    found = trajectories(TARGET, ball, near, np.zeros((0, 3)))
    assert near(free[0].contacts).any()
    assert found
    for one in found:
        line = one.target + np.linspace(0, 1, 200)[:, None] * (one.entry - one.target)
        assert np.linalg.norm(line - (place - 60), axis=1).min() >= 4.0


def test_a_target_beside_a_vessel_has_no_electrode():
    voxels = np.zeros((121, 121, 121), dtype=bool)
    voxels[91, 60, 60] = True  # 1 mm from the target
    near = near_vessels(mask_of(voxels), 3.0)
    assert not trajectories(TARGET, ball, near, np.zeros((0, 3)))


@pytest.mark.parametrize(
    ("voxels", "distance", "words"),
    [
        (np.zeros((5, 5, 5)), 3.0, "no vessel in the mask"),
        (np.ones((5, 5, 5)), 3.0, "100% of the voxels are vessels"),
        (one_voxel(), -1.0, "a distance of -1 mm"),
        (one_voxel(), np.nan, "a distance of nan mm"),
    ],
)
def test_what_is_no_mask_of_vessels_is_refused(voxels, distance, words):
    with pytest.raises(InputError, match=words) as problem:
        near_vessels(mask_of(voxels), distance, "vessels.nii.gz")
    assert "\n" not in str(problem.value)


def test_a_mask_in_another_frame_is_refused():
    mask = mask_of(one_voxel())
    require_in_frame(mask, np.array([[200.0, 0, 0], [5.0, 5, 5]]), "vessels.nii.gz")
    with pytest.raises(InputError, match="holds no contact of the patient"):
        require_in_frame(mask, np.array([[200.0, 0, 0]]), "vessels.nii.gz")
