"""Maps, masks and contacts keep their places on the grid of the T1."""

import json

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.affines import apply_affine

from tests.export.conftest import P_EZ
from virtualbrain.errors import InputError
from virtualbrain.export.nifti import write_nifti
from virtualbrain.export.volumes import CONTACT_RADIUS_MM, contact_image
from virtualbrain.io.images import make_image

NEAR_MM = 0.5


@pytest.fixture(scope="module")
def exported(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nifti")
    return made, folder, write_nifti(made.patient(), folder)


def centre(image, inside):
    return apply_affine(image.affine, np.argwhere(inside)).mean(axis=0)


def test_p_ez_of_the_landmark_is_at_the_landmark(exported):
    made, folder, _ = exported
    image = nib.load(folder / "sub-01_stat-pez_map.nii.gz")
    for name, place in made.landmarks.items():
        inside = np.isclose(image.get_fdata(), P_EZ[name])
        assert np.linalg.norm(centre(image, inside) - place) < NEAR_MM
    left = made.landmarks["ctx-lh-landmark"]
    assert left[0] < 0 < made.landmarks["ctx-rh-other"][0]


def test_maps_have_the_grid_of_the_t1_and_state_their_frame(exported):
    made, folder, _ = exported
    t1 = nib.load(made.layout.t1)
    images = sorted(folder.glob("*.nii.gz"))
    assert len(images) == 5
    for path in images:
        image = nib.load(path)
        assert image.shape == t1.shape
        np.testing.assert_allclose(image.affine, t1.affine, atol=1e-4)
        about = json.loads(path.with_suffix("").with_suffix(".json").read_text())
        assert "RAS" in about["CoordinateSystem"]
        assert about["CoordinateUnits"] == "mm"
        assert about["Use"].startswith("Research use only")


def test_the_mask_of_a_plan_is_its_regions_voxel_by_voxel(exported):
    made, folder, _ = exported
    first = np.asarray(nib.load(folder / "sub-01_desc-plan1_mask.nii.gz").dataobj)
    np.testing.assert_array_equal(first == 1, made.labels == 1)
    third = np.asarray(nib.load(folder / "sub-01_desc-plan3_mask.nii.gz").dataobj)
    np.testing.assert_array_equal(third == 1, np.isin(made.labels, [1, 3]))


def test_a_partial_resection_has_no_mask_and_is_named(exported):
    _, folder, notes = exported
    assert not (folder / "sub-01_desc-plan2_mask.nii.gz").exists()
    assert any("plan 2 (partial)" in note for note in notes)


def test_contacts_are_spheres_at_their_places(exported):
    made, folder, _ = exported
    image = nib.load(folder / "sub-01_desc-contacts_dseg.nii.gz")
    table = pd.read_csv(folder / "sub-01_desc-contacts_dseg.tsv", sep="\t", na_values="n/a")
    values = np.asarray(image.dataobj)
    assert sorted(np.unique(values)) == [0, 1, 2]  # the third contact has no place
    for row in table.head(2).itertuples():
        place = made.landmarks[row.region]
        np.testing.assert_allclose([row.x, row.y, row.z], place, atol=1e-6)
        assert np.linalg.norm(centre(image, values == row.index) - place) < NEAR_MM
    assert "Alice" not in (folder / "sub-01_desc-contacts_dseg.tsv").read_text()


def test_observability_is_that_of_the_zones(exported):
    made, folder, _ = exported
    values = nib.load(folder / "sub-01_stat-observability_map.nii.gz").get_fdata()
    np.testing.assert_allclose(values[made.labels == 1], 0.8)
    np.testing.assert_allclose(values[made.labels == 2], 0.5)
    assert not values[np.isin(made.labels, [0, 3])].any()


def test_a_region_without_a_fit_is_nan_and_not_zero(make_out):
    made = make_out()
    path = made.layout.zones("default")
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:-1]) + "\n")
    folder = made.out / "folder"
    folder.mkdir()
    write_nifti(made.patient(), folder)
    values = nib.load(folder / "sub-01_stat-pez_map.nii.gz").get_fdata()
    np.testing.assert_array_equal(np.isnan(values), made.labels == 3)


def test_a_fit_that_is_not_to_be_used_gives_no_p_ez_and_no_plan(make_out):
    made = make_out(verdict="do-not-use")
    folder = made.out / "folder"
    folder.mkdir()
    notes = write_nifti(made.patient(), folder)
    assert "p_ez" in notes[0]
    names = {path.name for path in folder.glob("*.nii.gz")}
    assert names == {"sub-01_stat-observability_map.nii.gz", "sub-01_desc-contacts_dseg.nii.gz"}


def test_without_images_one_line_says_what_to_do(make_out):
    made = make_out()
    made.layout.t1.unlink()
    with pytest.raises(InputError, match="--format csv"):
        write_nifti(made.patient(), made.out)


def test_neighbouring_contacts_share_voxels_by_distance():
    grid = make_image(np.zeros((20, 20, 20), dtype=np.int32), np.diag([0.5, 0.5, 0.5, 1]))
    contacts = pd.DataFrame({"x": [4.0, 6.0], "y": [5.0, 5.0], "z": [5.0, 5.0]})
    values = np.asarray(contact_image(contacts, grid).dataobj)
    places = apply_affine(grid.affine, np.argwhere(values >= 0)).reshape(*values.shape, 3)
    distance = np.stack(
        [np.linalg.norm(places - row, axis=-1) for row in contacts.to_numpy()], axis=-1
    )
    nearest = distance.argmin(axis=-1) + 1
    inside = distance.min(axis=-1) <= CONTACT_RADIUS_MM
    tie = np.isclose(distance[..., 0], distance[..., 1])
    np.testing.assert_array_equal((values > 0), inside)
    np.testing.assert_array_equal(values[inside & ~tie], nearest[inside & ~tie])
