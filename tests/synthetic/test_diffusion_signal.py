import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine

from virtualbrain.synthetic.diffusion_signal import (
    Acquisition,
    TissueProperties,
    fascicle_signal,
    fsl_vectors,
    gradient_table,
    make_diffusion,
    repelled_directions,
)


def largest_cosine(vectors):
    cosines = np.abs(vectors @ vectors.T) - 2 * np.eye(len(vectors))
    return cosines.max(axis=1)


def test_directions_are_evenly_distributed_unit_vectors():
    vectors = repelled_directions(32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    # the best distribution of 32 axes has about 24 degrees between neighbours
    assert np.rad2deg(np.arccos(largest_cosine(vectors).max())) > 18.0
    spread = np.linalg.eigvalsh(vectors.T @ vectors / 32)
    np.testing.assert_allclose(spread, 1 / 3, atol=0.03)


def test_gradient_table_starts_with_one_of_four_b0_images():
    bvals, directions = gradient_table(Acquisition())
    assert (bvals == 0).sum() == 4
    assert bvals[0] == 0
    assert (np.linalg.norm(directions, axis=1) > 0.99).sum() == 32


@pytest.mark.parametrize("flip", [1.0, -1.0])
def test_fsl_vectors_follow_the_determinant(flip):
    affine = np.diag([flip * 3.0, 3.0, 3.0, 1.0])
    vectors = fsl_vectors(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), affine)
    # x is `flip` along the stored axis; FSL negates it if the determinant is positive
    np.testing.assert_allclose(vectors, [[-1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])


def test_fascicle_signal_is_lowest_along_its_axis():
    signal = fascicle_signal(2000.0, np.array([0.0, 0.5, 1.0]), TissueProperties())
    assert signal[0] > signal[1] > signal[2]
    assert fascicle_signal(0.0, np.array([0.3]), TissueProperties())[0] == pytest.approx(1.0)
    t = TissueProperties()
    across = t.stick + (1 - t.stick) * np.exp(-2000 * t.across)
    assert signal[0] == pytest.approx(across)


@pytest.mark.slow
class TestSeries:
    def test_has_its_own_grid_and_pose_and_covers_the_brain(
        self, synthetic_head, synthetic_diffusion
    ):
        series = synthetic_diffusion.series
        np.testing.assert_allclose(nib.affines.voxel_sizes(series.affine)[:3], 3.0)
        assert series.shape == (72, 76, 56, 36)
        assert series.get_data_dtype() == np.int16
        assert nib.aff2axcodes(series.affine) == ("L", "A", "S")
        assert 0.5 < np.linalg.norm(synthetic_diffusion.t1_to_dwi[:3, 3]) < 10
        places = np.argwhere(np.asarray(synthetic_head.brain_mask.dataobj)[::4, ::4, ::4]) * 4
        points = apply_affine(synthetic_diffusion.t1_to_dwi @ synthetic_head.t1.affine, places)
        voxels = apply_affine(np.linalg.inv(series.affine), points)
        inside = ((voxels > 0) & (voxels < np.array(series.shape[:3]) - 1)).all(axis=1)
        assert inside.mean() > 0.995

    def test_signal_to_noise(self, synthetic_head, synthetic_diffusion):
        data = np.asarray(synthetic_diffusion.series.dataobj, dtype=float)
        b0 = data[..., synthetic_diffusion.bvals == 0]
        white = self.in_series(synthetic_head.wm, synthetic_head, synthetic_diffusion) > 0.97
        noise = b0[white].std(axis=1, ddof=1).mean()
        assert 20 < b0[white].mean() / noise < 40

    def test_fluid_is_bright_without_and_dark_with_weighting(
        self, synthetic_head, synthetic_diffusion
    ):
        data = np.asarray(synthetic_diffusion.series.dataobj, dtype=float)
        b0 = synthetic_diffusion.bvals == 0
        fluid = self.in_series(synthetic_head.csf, synthetic_head, synthetic_diffusion) > 0.95
        white = self.in_series(synthetic_head.wm, synthetic_head, synthetic_diffusion) > 0.95
        assert data[fluid][:, b0].mean() > 2 * data[white][:, b0].mean()
        assert data[fluid][:, ~b0].mean() < 0.6 * data[white][:, ~b0].mean()

    def test_main_direction_of_the_callosum_is_left_right(
        self, synthetic_head, synthetic_diffusion
    ):
        """The tensor is fitted with the FSL vectors only."""
        places = np.stack(
            np.meshgrid([-3.0, 0.0, 3.0], np.arange(-8.0, 8.0, 3), [25.0, 26.0]), axis=-1
        )
        points = synthetic_head.deformation.to_patient(places.reshape(-1, 3))
        points = apply_affine(synthetic_diffusion.t1_to_dwi, points)
        affine = synthetic_diffusion.series.affine
        at = tuple(np.rint(apply_affine(np.linalg.inv(affine), points)).astype(int).T)
        signal = np.asarray(synthetic_diffusion.series.dataobj, dtype=float)[at]
        main = principal(signal.mean(axis=0), synthetic_diffusion.bvals, synthetic_diffusion.bvecs)
        if np.linalg.det(affine[:3, :3]) > 0:
            main[0] *= -1
        world = affine[:3, :3] @ main / 3.0
        assert abs(world[0]) > 0.9

    def test_same_seed_gives_the_same_series(self, synthetic_head, synthetic_bundles):
        coarse = Acquisition(voxel_mm=9.0, shape=(24, 26, 18))
        one, same = (
            make_diffusion(synthetic_head, synthetic_bundles, np.random.default_rng(1), coarse)
            for _ in range(2)
        )
        np.testing.assert_array_equal(
            np.asarray(same.series.dataobj), np.asarray(one.series.dataobj)
        )
        np.testing.assert_array_equal(same.bvecs, one.bvecs)

    def test_sidecar_has_the_keys_for_distortion_correction(self, synthetic_diffusion):
        sidecar = synthetic_diffusion.sidecar
        assert sidecar["PhaseEncodingDirection"] == "j-"
        assert 0 < sidecar["TotalReadoutTime"] < 0.2
        assert 0.05 < sidecar["EchoTime"] < 0.15

    @staticmethod
    def in_series(image, head, diffusion):
        """Return the nearest value of a map on the T1 grid at every voxel of the series."""
        shape = diffusion.series.shape[:3]
        voxels = np.moveaxis(np.indices(shape), 0, -1)
        to_t1 = np.linalg.inv(head.t1.affine) @ np.linalg.inv(diffusion.t1_to_dwi)
        at = np.rint(apply_affine(to_t1 @ diffusion.series.affine, voxels)).astype(int)
        limit = np.array(image.shape) - 1
        inside = ((at >= 0) & (at <= limit)).all(axis=-1)
        values = np.asarray(image.dataobj)[tuple(np.moveaxis(np.clip(at, 0, limit), -1, 0))]
        return np.where(inside, values, 0)


def principal(signal, bvals, bvecs):
    """Return the main direction of a tensor fitted to the log signal, in image axes."""
    x, y, z = bvecs
    columns = [x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z]
    design = np.column_stack([np.ones(len(bvals)), *(-bvals * c for c in columns)])
    d = np.linalg.lstsq(design, np.log(signal), rcond=None)[0][1:]
    tensor = np.array([[d[0], d[3], d[4]], [d[3], d[1], d[5]], [d[4], d[5], d[2]]])
    return np.linalg.eigh(tensor)[1][:, -1].copy()
