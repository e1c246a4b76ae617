import gzip
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from tests.diffusion.phantom import gradient_table, make_series, save_series
from virtualbrain.diffusion.check import check_dwi, count_directions
from virtualbrain.diffusion.series import load_series
from virtualbrain.io.bids import EpiImage
from virtualbrain.io.gradients import GradientTable


def only_problem(files):
    problems = check_dwi([files])
    assert len(problems) == 1
    assert "\n" not in str(problems[0])
    return str(problems[0])


def test_a_valid_series_has_no_problem(saved):
    assert check_dwi([saved]) == []


def test_no_series_is_not_a_problem():
    assert check_dwi([]) == []


def test_a_wrong_number_of_bvals_is_reported(saved):
    saved.bval.write_text(" ".join(["0"] * 5 + ["2000"] * 5))
    saved.bvec.write_text("\n".join([" ".join(["0"] * 5 + ["1"] * 5)] + [" ".join(["0"] * 10)] * 2))
    assert "10 b-values for 33 volumes" in only_problem(saved)


def single(series, tmp_path, name, axes=4):
    """Save the first volume as a series of its own, with four axes or three."""
    table = GradientTable(series.table.bvals[:1], series.table.directions[:1])
    files = save_series(
        replace(series, volumes=series.volumes[..., :1], table=table), tmp_path, name
    )
    if axes == 3:
        image = nib.load(files.image)
        nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., 0], image.affine), files.image)
    return files


@pytest.mark.parametrize("axes", [3, 4])
def test_a_series_of_one_volume_is_read(series, saved, tmp_path, axes):
    files = single(series, tmp_path, "sub-01_dir-PA_dwi", axes)
    assert check_dwi([files, saved]) == []
    assert load_series(files).volumes.shape == (*series.volumes.shape[:3], 1)


def test_a_weighted_volume_alone_names_its_bval(series, tmp_path):
    files = single(series, tmp_path, "sub-01_dir-PA_dwi")
    files.bval.write_text("1000")
    files.bvec.write_text("1\n0\n0")
    assert "sub-01_dir-PA_dwi.bval: no b = 0 volume" in only_problem(files)


def test_a_series_of_one_volume_without_bval_names_the_missing_file(series, tmp_path):
    files = single(series, tmp_path, "sub-01_dir-PA_dwi")
    files.bval.unlink()
    assert "sub-01_dir-PA_dwi.bval: no such file" in only_problem(files)


def test_directions_that_are_not_numbers_at_b0_are_accepted(saved):
    bvecs = np.loadtxt(saved.bvec)
    bvecs[:, np.loadtxt(saved.bval) == 0] = np.nan
    np.savetxt(saved.bvec, bvecs)
    assert check_dwi([saved]) == []


def test_the_axes_are_not_judged_on_a_few_voxels(series, tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.uniform(100, 900, (6, 6, 6, len(series.table.bvals))).astype(np.float32)
    noise[..., series.table.is_b0] = 2000
    table = GradientTable(series.table.bvals, series.table.directions)
    files = save_series(replace(series, volumes=noise, table=table), tmp_path)
    assert not any("axes of the gradient table" in str(one) for one in check_dwi([files]))


def test_a_transposed_bvec_is_reported(saved):
    np.savetxt(saved.bvec, np.loadtxt(saved.bvec).T)
    assert "transpose" in only_problem(saved)


def test_directions_that_are_not_unit_vectors_are_reported(saved):
    np.savetxt(saved.bvec, np.loadtxt(saved.bvec) * 1.5)
    assert "has the length 1.50" in only_problem(saved)


def test_shifted_bvals_are_reported(saved):
    bvals, bvecs = np.loadtxt(saved.bval), np.loadtxt(saved.bvec)
    np.savetxt(saved.bval, np.roll(bvals, 10)[None])
    np.savetxt(saved.bvec, np.roll(bvecs, 10, axis=1))
    assert "order of the volumes" in only_problem(saved)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (lambda i: np.roll(i, 1), "shifted by -1 volumes"),
        (lambda i: i[::-1], "in reverse order"),
        (lambda i: np.random.default_rng(5).permutation(i), "no better than in a random order"),
    ],
)
def test_directions_in_another_order_are_reported(saved, order, words):
    bvecs, weighted = np.loadtxt(saved.bvec), np.flatnonzero(np.loadtxt(saved.bval) > 0)
    bvecs[:, weighted] = bvecs[:, order(weighted)]
    np.savetxt(saved.bvec, bvecs)
    assert words in only_problem(saved)


def test_a_reversed_axis_is_reported(saved):
    bvecs = np.loadtxt(saved.bvec)
    bvecs[1] *= -1
    np.savetxt(saved.bvec, bvecs)
    assert "y reversed" in only_problem(saved)


def test_five_directions_are_too_few(tmp_path):
    files = save_series(make_series(gradient_table(5)), tmp_path)
    assert "5 diffusion directions" in only_problem(files)


def test_a_missing_b0_volume_is_reported(series, tmp_path):
    weighted = GradientTable(series.table.bvals[3:], series.table.directions[3:])
    cut = replace(series, volumes=series.volumes[..., 3:], table=weighted)
    assert "no b = 0 volume" in only_problem(save_series(cut, tmp_path))


def test_b_values_in_another_unit_are_reported(saved):
    np.savetxt(saved.bval, np.where(np.loadtxt(saved.bval) > 0, 100, 0)[None])
    assert "s/mm²" in only_problem(saved)


def test_a_truncated_image_is_reported(saved):
    whole = gzip.decompress(saved.image.read_bytes())
    saved.image.write_bytes(gzip.compress(whole[: len(whole) // 2]))
    assert saved.image.name in only_problem(saved)


def test_a_truncated_gzip_file_is_reported(saved):
    saved.image.write_bytes(saved.image.read_bytes()[:5000])
    assert saved.image.name in only_problem(saved)


def test_a_missing_coordinate_frame_is_reported(saved, series):
    image = nib.Nifti1Image(series.volumes, series.affine)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    image.header["qform_code"] = image.header["sform_code"] = 0
    nib.save(nib.Nifti1Image(series.volumes, None, image.header), saved.image)
    assert "frame" in only_problem(saved)


def test_an_empty_image_is_reported(saved, series):
    save_series(series.with_volumes(series.volumes * 0), saved.image.parent)
    assert "empty" in only_problem(saved)


def test_an_invalid_sidecar_is_reported(series, tmp_path):
    files = save_series(series, tmp_path, sidecar="{")
    assert "not JSON" in only_problem(files)


def test_a_series_of_b0_volumes_is_accepted(saved, series, tmp_path):
    b0 = replace(
        series,
        volumes=series.volumes[..., :2],
        table=GradientTable(np.zeros(2), np.zeros((2, 3))),
    )
    assert check_dwi([saved, save_series(b0, tmp_path / "pa")]) == []


@pytest.mark.parametrize("n", [6, 12, 30])
def test_opposite_directions_count_once(n):
    table = gradient_table(n)
    doubled = GradientTable(
        np.r_[table.bvals, table.bvals], np.vstack([table.directions, -table.directions])
    )
    assert count_directions(table) == count_directions(doubled) == n


def epi_image(series, folder, sidecar='{"PhaseEncodingDirection": "j"}'):
    b0 = replace(series, volumes=series.volumes[..., :1], table=gradient_table(0, n_b0=1))
    files = save_series(b0, folder, "sub-01_dir-PA_epi", sidecar)
    return EpiImage(files.image, files.sidecar)


def test_an_fmap_image_is_accepted(saved, series, tmp_path):
    assert check_dwi([saved], [epi_image(series, tmp_path / "fmap")]) == []


def test_an_fmap_image_must_state_its_phase_encoding(saved, series, tmp_path):
    (problem,) = check_dwi([saved], [epi_image(series, tmp_path / "fmap", "{}")])
    assert "PhaseEncodingDirection" in str(problem)


def save_t1(volume, affine, folder):
    path = folder / "sub-01_T1w.nii.gz"
    nib.save(nib.Nifti1Image(volume.astype(np.float32), affine), path)
    return path


def test_a_shifted_t1_of_the_same_head_is_accepted(saved, series, tmp_path):
    moved = series.affine.copy()
    moved[:3, 3] += (70, -40, 25)
    assert check_dwi([saved], t1=save_t1(series.mean_b0, moved, tmp_path)) == []


def test_a_t1_of_a_smaller_object_is_rejected(saved, series, tmp_path):
    places = np.indices(series.mean_b0.shape) - 16
    ball = 800 * ((places**2).sum(axis=0) < 8**2)
    (problem,) = check_dwi([saved], t1=save_t1(ball, series.affine, tmp_path))
    assert "of the head in the diffusion series is inside the head in the T1" in str(problem)
