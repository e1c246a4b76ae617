import gzip

import nibabel as nib
import numpy as np
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.images import (
    make_image,
    open_image,
    read_image,
    same_grid,
    write_image,
)

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def volume(shape=(12, 13, 14), kind=np.int16):
    rng = np.random.default_rng(3)
    return rng.integers(0, 900, shape).astype(kind)


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "t1.nii.gz"
    write_image(target, make_image(volume(), AFFINE))
    return target


def message_for(path, **options):
    """Return the error message of reading an image; it must be one line."""
    with pytest.raises(InputError) as caught:
        read_image(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_image_is_read_back_equal(path):
    image = read_image(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj), volume())
    np.testing.assert_allclose(image.affine, AFFINE)
    assert image.header["sform_code"] == 1


def test_equal_images_give_equal_files(tmp_path):
    for name in "ab":
        write_image(tmp_path / f"{name}.nii.gz", make_image(volume(), AFFINE))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_mgz_is_read(tmp_path):
    target = tmp_path / "labels.mgz"
    nib.save(nib.MGHImage(volume(kind=np.int32), AFFINE), target)
    np.testing.assert_array_equal(np.asarray(read_image(target).dataobj), volume())


def test_a_last_axis_of_length_one_is_dropped(tmp_path):
    target = tmp_path / "t1.nii"
    write_image(target, make_image(volume((5, 6, 7, 1)), AFFINE))
    assert read_image(target).shape == (5, 6, 7)


def test_scaled_integers_become_floats(tmp_path):
    image = nib.Nifti1Image(volume(), AFFINE)
    image.header.set_slope_inter(0.5, 1.0)
    nib.save(image, tmp_path / "t1.nii")
    voxels = np.asarray(read_image(tmp_path / "t1.nii").dataobj)
    assert voxels.dtype == np.float32
    np.testing.assert_allclose(voxels, np.asarray(nib.load(tmp_path / "t1.nii").dataobj))


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_image(tmp_path / "t1.nii.gz")


def test_a_text_file_is_not_an_image(tmp_path):
    target = tmp_path / "t1.nii.gz"
    target.write_text("not an image")
    assert "unreadable image" in message_for(target)


@pytest.mark.parametrize("fraction", [0.3, 0.7, 0.99])
def test_a_truncated_file_is_reported(path, fraction):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    assert path.name in message_for(path)


def test_a_truncated_uncompressed_file_is_reported(path):
    target = path.with_suffix("")
    target.write_bytes(gzip.decompress(path.read_bytes())[:-1000])
    assert "is truncated" in message_for(target)


def test_an_affine_of_zeros_is_rejected(tmp_path):
    header = make_image(volume(), AFFINE).header
    header["qform_code"] = 0
    for row in "xyz":
        header[f"srow_{row}"] = 0
    nib.save(nib.Nifti1Image(volume(), None, header), tmp_path / "t1.nii")
    assert "affine is zero" in message_for(tmp_path / "t1.nii")


@pytest.mark.parametrize("size", [0.01, 50.0])
def test_an_impossible_voxel_size_is_rejected(tmp_path, size):
    write_image(tmp_path / "t1.nii", make_image(volume(), np.diag([size, size, size, 1])))
    assert "voxel size is" in message_for(tmp_path / "t1.nii")


def test_a_header_without_coordinate_frame_is_rejected(tmp_path):
    image = nib.Nifti1Image(volume(), None)
    image.header["qform_code"] = image.header["sform_code"] = 0
    nib.save(image, tmp_path / "t1.nii")
    assert "states no coordinate frame" in message_for(tmp_path / "t1.nii")


def test_mirrored_qform_and_sform_are_rejected(tmp_path):
    image = nib.Nifti1Image(volume(), AFFINE)
    image.set_qform(np.diag([-2.0, 2.0, 3.0, 1.0]), code=1)
    image.set_sform(AFFINE, code=1)
    nib.save(image, tmp_path / "t1.nii")
    assert "are mirrored" in message_for(tmp_path / "t1.nii")


def test_the_number_of_axes_is_checked(tmp_path):
    write_image(tmp_path / "t1.nii", make_image(volume((5, 6, 7, 3)), AFFINE))
    assert "4 axes" in message_for(tmp_path / "t1.nii")
    assert read_image(tmp_path / "t1.nii", dimensions=4).shape == (5, 6, 7, 3)


def test_an_image_of_nans_is_rejected_and_single_nans_become_zero(tmp_path):
    voxels = np.full((4, 4, 4), np.nan, dtype=np.float32)
    write_image(tmp_path / "t1.nii", make_image(voxels, AFFINE))
    assert "no voxel has a finite value" in message_for(tmp_path / "t1.nii")
    voxels[0] = 5
    write_image(tmp_path / "t1.nii", make_image(voxels, AFFINE))
    assert set(np.unique(read_image(tmp_path / "t1.nii").dataobj)) == {0.0, 5.0}


def test_same_grid_compares_shape_and_affine():
    one = make_image(volume(), AFFINE)
    moved = AFFINE.copy()
    moved[0, 3] = 1.0
    assert same_grid(one, make_image(volume(), AFFINE))
    assert not same_grid(one, make_image(volume(), moved))
    assert not same_grid(one, make_image(volume((5, 6, 7)), AFFINE))


@pytest.mark.parametrize("axes", ["LAS", "LPI", "PIR", "ASL", "RAS"])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_voxel_keeps_its_place_in_every_orientation_and_scale(tmp_path, axes, scaled):
    values = volume().astype(float) * (0.25 if scaled else 1)
    image = nib.Nifti1Image(values, AFFINE)
    image.set_data_dtype(np.int16)
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(AFFINE), nib.orientations.axcodes2ornt(axes)
    )
    path = tmp_path / "t1.nii.gz"
    nib.save(image.as_reoriented(turn), path)
    found = read_image(path)
    point = AFFINE @ [3, 5, 7, 1]
    i, j, k = np.rint(np.linalg.inv(found.affine) @ point).astype(int)[:3]
    assert float(np.asarray(found.dataobj)[i, j, k]) == pytest.approx(values[3, 5, 7], abs=0.05)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ([("R", "u1"), ("G", "u1"), ("B", "u1")], "the voxels are colours"),
        (np.complex64, "the voxels are complex numbers"),
    ],
)
def test_a_picture_or_complex_image_is_refused_with_what_to_provide(tmp_path, kind, words):
    path = tmp_path / "t1.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 4), dtype=kind), AFFINE), path)
    message = message_for(path)
    assert words in message
    assert "convert" in message or "provide" in message
