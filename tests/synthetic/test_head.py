import nibabel as nib
import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage

from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.synthetic.dataset import demo_streams
from virtualbrain.synthetic.head import make_head, template_volume

pytestmark = pytest.mark.slow


def voxels(image):
    return np.asarray(image.dataobj)


def test_grid_is_oblique_with_1_mm_voxels(synthetic_head):
    t1 = synthetic_head.t1
    np.testing.assert_allclose(nib.affines.voxel_sizes(t1.affine), 1.0, atol=1e-9)
    assert nib.aff2axcodes(t1.affine) == ("P", "S", "L")
    assert t1.header["sform_code"] == 1
    assert t1.get_data_dtype() == np.int16
    assert np.abs(t1.affine[:3, :3]).max() < 1.0  # oblique
    for name in ("brain_mask", "labels", "gm", "wm", "csf", "soft", "intracranial"):
        image = getattr(synthetic_head, name)
        assert image.shape == t1.shape
        np.testing.assert_array_equal(image.affine, t1.affine)


def test_regions_are_those_of_the_built_in_atlas(synthetic_head):
    atlas = desikan_killiany().table
    assert list(synthetic_head.regions["name"]) == list(atlas["name"])
    assert list(synthetic_head.regions.columns) == (
        "index name hemisphere structure x y z area volume".split()
    )
    assert set(np.unique(voxels(synthetic_head.labels))) == {0, *atlas["index"]}
    cortex = synthetic_head.regions["structure"] == "cortex"
    assert synthetic_head.regions.loc[cortex, "area"].gt(100).all()
    assert synthetic_head.regions.loc[~cortex, "area"].isna().all()


def test_region_table_agrees_with_the_label_image(synthetic_head):
    labels = voxels(synthetic_head.labels)
    row = synthetic_head.regions.set_index("name").loc["Left-Hippocampus"]
    places = np.argwhere(labels == row["index"])
    np.testing.assert_allclose(
        apply_affine(synthetic_head.labels.affine, places).mean(axis=0),
        row[["x", "y", "z"]].to_numpy(dtype=float),
        atol=1e-4,
    )
    assert row["volume"] == pytest.approx(len(places))
    assert row["x"] < 0


def test_labels_follow_the_deformation(synthetic_head):
    atlas = desikan_killiany().image
    rng = np.random.default_rng(0)
    places = rng.permutation(np.argwhere(voxels(synthetic_head.labels) > 0))[:300]
    points = apply_affine(synthetic_head.labels.affine, places)
    template = synthetic_head.deformation.to_template(points)
    source = np.rint(apply_affine(np.linalg.inv(atlas.affine), template)).astype(int)
    expected = voxels(atlas)[tuple(source.T)]
    assert (expected == voxels(synthetic_head.labels)[tuple(places.T)]).mean() > 0.99


def test_tissue_fractions_sum_to_one_in_the_brain(synthetic_head):
    mask = voxels(synthetic_head.brain_mask) > 0
    total = sum(voxels(getattr(synthetic_head, name)) for name in ("gm", "wm", "csf"))
    inner = ndimage.binary_erosion(mask, iterations=2)
    np.testing.assert_allclose(total[inner], 1.0, atol=1e-3)
    assert (voxels(synthetic_head.gm)[~mask] == 0).all()
    assert 1200e3 < mask.sum() < 2300e3
    assert not (mask & ~(voxels(synthetic_head.intracranial) > 0)).any()


def test_brain_has_skull_scalp_and_air_around_it(synthetic_head):
    mask = voxels(synthetic_head.brain_mask) > 0
    t1 = voxels(synthetic_head.t1).astype(float)
    white = np.median(t1[voxels(synthetic_head.wm) > 0.95])
    soft = voxels(synthetic_head.soft) > 0.9
    top = apply_affine(synthetic_head.t1.affine, np.argwhere(mask)).max(axis=0)[2]
    depth = ndimage.distance_transform_edt(~mask)
    shell = (depth > 4) & (depth < 9) & ~soft
    assert np.median(t1[shell]) < 0.35 * white
    assert np.percentile(t1[soft], 95) > 0.8 * white
    corner = t1[:12, -12:, :12]
    assert 0 < corner.mean() < 0.06 * white  # Rician noise, no exact zeros
    assert top < apply_affine(synthetic_head.t1.affine, np.argwhere(soft)).max(axis=0)[2]


def test_white_matter_is_brighter_than_grey_and_the_field_is_inhomogeneous(synthetic_head):
    t1 = voxels(synthetic_head.t1).astype(float)
    white, grey = voxels(synthetic_head.wm) > 0.97, voxels(synthetic_head.gm) > 0.97
    assert np.median(t1[white]) > 1.15 * np.median(t1[grey])
    smooth = ndimage.gaussian_filter(np.where(white, t1, 0), 8)
    field = smooth[white] / ndimage.gaussian_filter(white.astype(float), 8)[white]
    assert field.std() / field.mean() > 0.03


def test_same_seed_gives_the_same_head(synthetic_head):
    again = make_head(demo_streams(1)[0])
    for name in ("t1", "labels", "brain_mask", "gm", "wm", "csf", "soft"):
        np.testing.assert_array_equal(
            voxels(getattr(again, name)), voxels(getattr(synthetic_head, name))
        )


def test_head_differs_from_the_template(synthetic_head):
    upright = synthetic_head.regions[["x", "y", "z"]].to_numpy()
    moved = synthetic_head.deformation.to_template(upright) - apply_affine(
        np.linalg.inv(synthetic_head.deformation.pose), upright
    )
    lengths = np.linalg.norm(moved, axis=1)
    assert 1.5 < lengths.mean() < 6.0
    assert lengths.max() < 8.0


def test_template_has_no_skull():
    t1 = voxels(template_volume("t1"))
    assert (t1[0] == 0).all()
    assert (t1[:, 0] == 0).all()
