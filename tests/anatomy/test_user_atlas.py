"""Atlases as Julich-Brain, Harvard-Oxford and VEP have them, on small made images."""

import nibabel as nib
import numpy as np
import pytest

from virtualbrain.anatomy.atlases import load_atlas
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.user_atlas import maximum_probability
from virtualbrain.errors import InputError
from virtualbrain.io.images import make_image, write_image

AFFINE = np.array([[2.0, 0, 0, -10], [0, 2, 0, -10], [0, 0, 2, -10], [0, 0, 0, 1]])
JULICH = "index\tname\n1\tArea hOc1 (V1, 17, CalcS)\n5\tCA1 (Hippocampus)\n"


def half(side):
    """Return the labels of one hemisphere: 1 in front, 5 behind."""
    voxels = np.zeros((10, 10, 10), np.int32)
    x = slice(0, 5) if side == "lh" else slice(5, 10)
    voxels[x, 6:9, 2:5], voxels[x, 1:4, 2:5] = 1, 5
    return voxels


def settings_of(folder, image, table, name="names.tsv", space="MNI"):
    (folder / name).write_text(table)
    return AnatomySettings(
        atlas="Own", atlas_image=str(folder / image), atlas_table=str(folder / name),
        atlas_space=space,
    )  # fmt: skip


def probabilities(scale=1.0):
    """Return maps of two regions that overlap: 0.6 and 0.3, 0.2 at the borders."""
    maps = np.zeros((6, 6, 6, 2), np.float32)
    maps[1:4, :, :, 0], maps[3:5, :, :, 1] = 0.6, 0.3
    maps[0, :, :, 0] = 0.2
    return maps * scale


def test_one_image_for_each_hemisphere_with_the_same_values(tmp_path):
    for side in ("lh", "rh"):
        write_image(tmp_path / f"julich_{side}.nii.gz", make_image(half(side), AFFINE))
    atlas = load_atlas(settings_of(tmp_path, "julich_{hemi}.nii.gz", JULICH))
    names = [
        f"{side}-{name}"
        for side in "LR"
        for name in ("Area hOc1 (V1, 17, CalcS)", "CA1 (Hippocampus)")
    ]
    assert atlas.table["name"].tolist() == names
    assert atlas.table["hemisphere"].tolist() == ["L", "L", "R", "R"]
    assert atlas.table["structure"].tolist() == ["cortex", "subcortex"] * 2
    voxels = np.asarray(atlas.image.dataobj)
    for index, (side, value) in enumerate([("lh", 1), ("lh", 5), ("rh", 1), ("rh", 5)], start=1):
        np.testing.assert_array_equal(voxels == index, half(side) == value)


def test_hemispheres_on_different_grids_are_refused(tmp_path):
    write_image(tmp_path / "a_lh.nii.gz", make_image(half("lh"), AFFINE))
    write_image(tmp_path / "a_rh.nii.gz", make_image(half("rh")[:8], AFFINE))
    with pytest.raises(InputError, match="different grids"):
        load_atlas(settings_of(tmp_path, "a_{hemi}.nii.gz", JULICH))
    (tmp_path / "a_rh.nii.gz").unlink()
    with pytest.raises(InputError, match=r"a_rh\.nii\.gz"):
        load_atlas(settings_of(tmp_path, "a_{hemi}.nii.gz", JULICH))


def test_both_hemispheres_in_one_image_with_left_and_right_in_the_names(tmp_path):
    both = half("lh") + np.where(half("rh") > 0, half("rh") + 10, 0)
    write_image(tmp_path / "julich.nii.gz", make_image(both, AFFINE))
    table = "index\tname\n1\tArea hOc1 left\n5\tCA1 left\n11\tArea hOc1 right\n15\tCA1 right\n"
    atlas = load_atlas(settings_of(tmp_path, "julich.nii.gz", table))
    assert atlas.table["hemisphere"].tolist() == ["L", "L", "R", "R"]


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_probability_maps_give_the_most_probable_region(tmp_path, scale, ending):
    path = tmp_path / f"maps{ending}"
    nib.save(nib.Nifti1Image(probabilities(scale), AFFINE), path)
    atlas = load_atlas(settings_of(tmp_path, path.name, "index\tname\n1\tA_L\n2\tB_L\n"))
    voxels = np.asarray(atlas.image.dataobj)
    assert voxels[:, 2, 2].tolist() == [0, 1, 1, 1, 2, 0]
    np.testing.assert_array_equal(voxels, np.asarray(maximum_probability(path).dataobj))


@pytest.mark.parametrize("wrong", [-0.1, 101.0, np.inf])
def test_maps_that_are_no_probabilities_are_refused(tmp_path, wrong):
    maps = probabilities()
    maps[2, 2, 2, 1] = wrong
    nib.save(nib.Nifti1Image(maps, AFFINE), tmp_path / "maps.nii")
    with pytest.raises(InputError, match="below 0 or above 100"):
        maximum_probability(tmp_path / "maps.nii")


def test_truncated_maps_are_refused(tmp_path):
    path = tmp_path / "maps.nii"
    nib.save(nib.Nifti1Image(probabilities(), AFFINE), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match="truncated"):
        maximum_probability(path)


@pytest.mark.parametrize(
    "table",
    [
        "0 Unknown 0 0 0 0\n71001 Left-Temporal-pole 9 5 9 0\n72001 Right-Temporal-pole 9 5 9 0\n",
        "71001 L.TP Left-Temporal-pole 25 5 25 255\n72001 R.TP Right-Temporal-pole 25 5 25 255\n",
    ],
)
def test_vep_is_read_with_the_users_lookup_table(tmp_path, table):
    voxels = np.where(half("lh") > 0, 71001, 0) + np.where(half("rh") > 0, 72001, 0)
    nib.save(nib.MGHImage(voxels.astype(np.int32), AFFINE), tmp_path / "aparc+aseg.vep.mgz")
    chosen = settings_of(tmp_path, "aparc+aseg.vep.mgz", table, "VepFreeSurferColorLut.txt", "T1w")
    atlas = load_atlas(chosen)
    assert atlas.table["name"].tolist() == ["Left-Temporal-pole", "Right-Temporal-pole"]
    assert atlas.table["value"].tolist() == [71001, 72001]
    assert atlas.space == "T1w"
