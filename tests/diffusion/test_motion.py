import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tests.diffusion.phantom import AFFINE, gradient_table, make_series
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.motion import (
    Motion,
    displacements,
    estimate_motion,
    hold_still,
    resample,
    rotate_gradients,
)
from virtualbrain.rigid_registration import import_ants, read_itk_matrix, write_itk_matrix


def rigid(degrees, shift):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def test_resampling_by_the_identity_changes_nothing(series):
    same = resample(series, np.tile(np.eye(4), (33, 1, 1)))
    assert np.array_equal(same.volumes, series.volumes)
    assert np.allclose(same.table.directions, series.table.directions)


def test_resampling_corrects_a_shift_of_whole_voxels(series):
    shifted = series.with_volumes(np.roll(series.volumes, 2, axis=1))
    corrected = resample(shifted, np.tile(rigid((0, 0, 0), (0, 6, 0)), (33, 1, 1)))
    inner = (slice(6, -6),) * 3
    assert np.allclose(corrected.volumes[inner], series.volumes[inner], rtol=1e-3, atol=1)


def test_gradients_are_rotated_by_the_inverse_of_the_head_rotation():
    table = gradient_table(8)
    motion = rigid((10, -5, 20), (1, 2, 3))
    rotated = rotate_gradients(table, np.tile(motion, (len(table.bvals), 1, 1)))
    assert np.allclose(rotated.directions @ motion[:3, :3].T, table.directions)
    assert np.allclose(np.linalg.norm(rotated.directions[3:], axis=1), 1)


@given(st.integers(0, 10**6))
def test_itk_file_round_trip(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    matrix = rigid(rng.uniform(-40, 40, 3), rng.uniform(-50, 50, 3))
    path = tmp_path_factory.mktemp("xfm") / "x.txt"
    write_itk_matrix(path, matrix)
    assert np.allclose(read_itk_matrix(path), matrix, atol=1e-6)


def test_itk_file_is_read_as_ants_reads_it(tmp_path):
    matrix = rigid((10, -5, 20), (1, 2, 3))
    path = tmp_path / "x.txt"
    write_itk_matrix(path, matrix)
    path.write_text(path.read_text().replace("FixedParameters: 0 0 0", "FixedParameters: 7 -8 9"))
    found = read_itk_matrix(path)
    point = np.array([12.0, -30.0, 41.0])
    to_lps = np.array([-1.0, -1.0, 1.0])
    moved = np.array(import_ants().read_transform(str(path)).apply_to_point(point * to_lps))
    assert np.allclose(found[:3, :3] @ point + found[:3, 3], moved * to_lps, atol=1e-4)
    assert not np.allclose(found, matrix, atol=1e-3)


def test_displacement_by_a_shift_is_its_length(phantom):
    moved = displacements(rigid((0, 0, 0), (3, 0, 4))[None], phantom.head, AFFINE)
    assert moved == pytest.approx([5])


def test_small_motion_is_ignored():
    matrices = np.array([rigid((0, 0, 0), (d, 0, 0)) for d in (0.1, 2.0)])
    held = hold_still(Motion(matrices, np.array([0.1, 2.0])), 0.3)
    assert np.array_equal(held.matrices[0], np.eye(4))
    assert np.array_equal(held.matrices[1], matrices[1])


@pytest.mark.slow
def test_known_motion_is_recovered(phantom):
    series = make_series(gradient_table(12, 1500.0, n_b0=1), noise_sd=10)
    rng = np.random.default_rng(2)
    true = np.array(
        [np.eye(4)] + [rigid(rng.normal(0, 1.5, 3), rng.normal(0, 1.5, 3)) for _ in range(12)]
    )
    moved = resample(series, np.linalg.inv(true))
    measured = type(series)(moved.volumes, series.affine, series.table)
    found = estimate_motion(measured, workers=2)
    mask = head_mask(series.mean_b0)
    before = displacements(true, mask, AFFINE)[1:].mean()
    residual = displacements(found.matrices @ np.linalg.inv(true), mask, AFFINE)[1:].mean()
    assert before > 2
    assert residual < 0.4 * before
