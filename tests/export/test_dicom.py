"""SEG and series, read by pydicom, have the voxels of the NIfTI images at their places."""

import json

import nibabel as nib
import numpy as np
import pydicom
import pytest
from nibabel.affines import apply_affine

from virtualbrain.errors import InputError
from virtualbrain.export.choices import ExportChoices
from virtualbrain.export.dicom import outlines, write_dicom
from virtualbrain.export.dicom_series import OUTLINE, line, stored_values

CONFIRMED = ExportChoices(confirm_research_use=True, burn_in=3)


@pytest.fixture(scope="module")
def exported(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicom")
    write_dicom(made.patient(), folder, CONFIRMED)
    return made, folder


def ras_of_pixels(position, orientation, spacing, pixels):
    """Return the places (RAS) of (row, column) pixels of a slice, by the formula of DICOM."""
    along_row, along_column = np.array(orientation, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, spacing)
    rows, columns = pixels.T
    lps = (
        np.array(position, dtype=float)
        + np.outer(columns, along_row * between_columns)
        + np.outer(rows, along_column * between_rows)
    )
    return lps * [-1, -1, 1]


def voxels_at(affine, places):
    """Return the voxels at places, which must be voxel centres."""
    voxels = apply_affine(np.linalg.inv(affine), places)
    np.testing.assert_allclose(voxels, np.rint(voxels), atol=1e-2)
    return np.rint(voxels).astype(int)


def segment_of(path, number, shape, affine):
    """Return a segment of a SEG as a mask on a NIfTI grid."""
    seg = pydicom.dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    mask = np.zeros(shape, dtype=bool)
    for frame, group in zip(seg.pixel_array, seg.PerFrameFunctionalGroupsSequence, strict=True):
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == number:
            position = group.PlanePositionSequence[0].ImagePositionPatient
            places = ras_of_pixels(position, orientation, spacing, np.argwhere(frame))
            mask[tuple(voxels_at(affine, places).T)] = True
    return mask


def read_series(folder, shape, affine):
    """Return a series as an image on a NIfTI grid."""
    values = np.full(shape, -1)
    for path in sorted(folder.glob("*.dcm")):
        one = pydicom.dcmread(path)
        pixels = np.argwhere(np.ones((one.Rows, one.Columns), dtype=bool))
        places = ras_of_pixels(
            one.ImagePositionPatient, one.ImageOrientationPatient, one.PixelSpacing, pixels
        )
        values[tuple(voxels_at(affine, places).T)] = one.pixel_array[tuple(pixels.T)]
    assert (values >= 0).all()
    return values


def test_each_segment_is_its_plan_voxel_by_voxel(exported):
    made, folder = exported
    path = folder / "sub-01_plans_seg.dcm"
    for number, regions in ((1, [1]), (2, [1, 3])):
        mask = segment_of(path, number, made.labels.shape, made.affine)
        np.testing.assert_array_equal(mask, np.isin(made.labels, regions))


def test_the_landmark_is_at_its_place_and_side(exported):
    made, folder = exported
    mask = segment_of(folder / "sub-01_plans_seg.dcm", 1, made.labels.shape, made.affine)
    centre = apply_affine(made.affine, np.argwhere(mask)).mean(axis=0)
    assert np.linalg.norm(centre - made.landmarks["ctx-lh-landmark"]) < 0.5


def test_the_series_is_the_t1_voxel_by_voxel(exported):
    made, folder = exported
    t1 = np.asarray(nib.load(made.layout.t1).dataobj, dtype=np.float32)
    np.testing.assert_array_equal(
        read_series(folder / "t1", t1.shape, made.affine), stored_values(t1)
    )


def test_the_burnt_in_plan_is_drawn_at_its_border_only(exported):
    made, folder = exported
    plain = read_series(folder / "t1", made.labels.shape, made.affine)
    drawn = read_series(folder / "t1-plan3", made.labels.shape, made.affine)
    changed = plain != drawn
    assert (drawn[changed] == OUTLINE).all()
    assert (plain < OUTLINE).all()
    mask = np.isin(made.labels, [1, 3])
    assert not (changed & ~mask).any()
    assert 0 < changed.sum() < mask.sum()
    places = apply_affine(made.affine, np.argwhere(changed & (made.labels == 1)))
    assert np.linalg.norm(places.mean(axis=0) - made.landmarks["ctx-lh-landmark"]) < 0.5


def test_columns_run_left_rows_back_and_slices_up(exported):
    _, folder = exported
    first, second = (pydicom.dcmread(folder / "t1" / f"slice-000{number}.dcm") for number in (1, 2))
    along_row, along_column = np.array(first.ImageOrientationPatient).reshape(2, 3)
    step = np.subtract(second.ImagePositionPatient, first.ImagePositionPatient)
    assert along_row[0] > 0.9
    assert along_column[1] > 0.9
    assert step @ np.cross(along_row, along_column) > 0
    assert np.linalg.norm(step) == pytest.approx(float(first.SpacingBetweenSlices))


def test_every_file_is_marked_as_research_and_names_only_the_label(exported):
    _, folder = exported
    for path in folder.rglob("*.dcm"):
        one = pydicom.dcmread(path)
        assert (one.PatientName, one.PatientID) == ("sub-01^", "sub-01")
        assert one.SeriesDescription.startswith("RESEARCH USE ONLY")
        assert not one.PatientBirthDate
        if one.Modality == "SEG":
            assert all("Research" in item.SegmentLabel for item in one.SegmentSequence)
        else:
            assert one.ImageComments.startswith("Research use only")
            assert one.RecognizableVisualFeatures == "YES"


def test_files_of_one_t1_share_study_and_frame_and_no_two_share_an_identifier(exported):
    _, folder = exported
    files = [pydicom.dcmread(path) for path in folder.rglob("*.dcm")]
    assert len({one.SOPInstanceUID for one in files}) == len(files)
    assert len({one.StudyInstanceUID for one in files}) == 1
    assert len({one.FrameOfReferenceUID for one in files}) == 1
    assert len({one.SeriesInstanceUID for one in files}) == 3
    t1 = {one.SOPInstanceUID for one in files if one.SeriesNumber == 1}
    (seg,) = [one for one in files if one.Modality == "SEG"]
    items = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert {item.ReferencedSOPInstanceUID for item in items} <= t1


def test_equal_content_has_equal_identifiers_and_other_plans_have_others(make_out, tmp_path):
    made = make_out()
    found = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_dicom(made.patient(), tmp_path / name, ExportChoices(confirm_research_use=True))
        found.append(pydicom.dcmread(tmp_path / name / "sub-01_plans_seg.dcm"))
    assert found[0].SOPInstanceUID == found[1].SOPInstanceUID
    table = made.layout.outcomes("default")
    table.write_text(table.read_text().replace("\tboth\t", "\tpair\t"))
    (tmp_path / "c").mkdir()
    write_dicom(made.patient(), tmp_path / "c", ExportChoices(confirm_research_use=True))
    other = pydicom.dcmread(tmp_path / "c" / "sub-01_plans_seg.dcm")
    assert other.SOPInstanceUID != found[0].SOPInstanceUID
    assert other.FrameOfReferenceUID == found[0].FrameOfReferenceUID


def test_without_confirmation_nothing_is_written(make_out, tmp_path):
    with pytest.raises(InputError, match="--confirm-research-use"):
        write_dicom(make_out().patient(), tmp_path, ExportChoices())
    assert not list(tmp_path.rglob("*.dcm"))


def test_a_plan_without_known_tissue_cannot_be_burnt_in(make_out, tmp_path):
    choices = ExportChoices(confirm_research_use=True, burn_in=2)
    with pytest.raises(InputError, match="no plan 2; expected one of 1, 3"):
        write_dicom(make_out().patient(), tmp_path, choices)


def test_a_fit_that_is_not_to_be_used_has_no_dicom(make_out, tmp_path):
    patient = make_out(verdict="do-not-use").patient()
    with pytest.raises(InputError, match="verdict"):
        write_dicom(patient, tmp_path, ExportChoices(confirm_research_use=True))


def test_a_sheared_t1_is_refused(make_out, tmp_path):
    made = make_out()
    image = nib.load(made.layout.t1)
    sheared = image.affine.copy()
    sheared[:3, 2] += 0.3 * sheared[:3, 0]
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), sheared), made.layout.t1)
    with pytest.raises(InputError, match="not orthogonal"):
        write_dicom(made.patient(), tmp_path, ExportChoices(confirm_research_use=True))


def test_the_sidecar_names_the_plan_of_each_segment(exported):
    _, folder = exported
    about = json.loads((folder / "sub-01_dicom.json").read_text())
    assert about["Segments"]["2"]["Plan"] == "both"
    assert "face" in about["Identifying"]


def test_an_outline_is_one_voxel_wide():
    mask = np.zeros((3, 9, 9), dtype=bool)
    mask[1, 2:7, 2:7] = True
    assert outlines(mask).sum() == 16
    single = np.zeros((1, 3, 3), dtype=bool)
    single[0, 1, 1] = True
    np.testing.assert_array_equal(outlines(single), single)


@pytest.mark.parametrize("text", ["a\\b", "x" * 80, "tab\there"])
def test_a_line_of_dicom_is_short_and_plain(text):
    found = line(text)
    assert len(found) <= 64
    assert "\\" not in found
    assert found.isprintable()
