from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import ConfigError, InputError
from virtualbrain.io.coordsystem import read_coordinate_system
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.contacts import contact_spacing_mm, contacts_from_endpoints, read_contacts
from virtualbrain.seeg.coordinates import to_scanner_mm
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings


def system(**changes):
    content = {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm", **changes}
    return read_coordinate_system(content, "coordsystem.json")


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1.0), ("cm", 10.0), ("m", 1000.0)])
def test_units_are_converted_to_millimetres(unit, factor):
    places = np.array([[0.01, 0.02, 0.03], [np.nan] * 3])
    found = to_scanner_mm(places, system(iEEGCoordinateUnits=unit), None, "")
    np.testing.assert_allclose(found, places * factor)


@pytest.mark.parametrize(
    ("description", "frame"),
    [
        ("FreeSurfer tkRAS", "tkras"),
        ("surface RAS of the recon-all subject", "tkras"),
        ("coordinates in tk-ras", "tkras"),
        ("scanner RAS of the T1w", "scanner"),
    ],
)
def test_frame_other_is_read_from_its_description(description, frame):
    found = system(iEEGCoordinateSystem="Other", iEEGCoordinateSystemDescription=description)
    assert found.frame == frame


def test_tkras_is_converted_with_the_freesurfer_volume(tmp_path):
    """The same voxel in both frames: nibabel's own matrices are the reference."""
    affine = np.array([[-1.0, 0, 0, 130], [0, 0, 1, -110], [0, -1, 0, 140], [0, 0, 0, 1]])
    image = nib.MGHImage(np.zeros((256, 256, 256), np.uint8), affine)
    (tmp_path / "mri").mkdir()
    nib.save(image, tmp_path / "mri" / "orig.mgz")
    voxels = np.array([[100.0, 120, 90], [10, 20, 30]])
    tkras = nib.affines.apply_affine(image.header.get_vox2ras_tkr(), voxels)
    tk = system(iEEGCoordinateSystem="Other", iEEGCoordinateSystemDescription="FreeSurfer tkRAS")
    found = to_scanner_mm(tkras, tk, tmp_path, "")
    np.testing.assert_allclose(found, nib.affines.apply_affine(affine, voxels), atol=1e-4)


def test_contacts_keep_apostrophes_and_missing_coordinates(patient, tmp_path):
    patient.contacts["name"] = [n.replace("B", "B'") for n in patient.contacts["name"]]
    patient.contacts.loc[2, ["x", "y", "z"]] = np.nan
    contacts = read_contacts(patient.write(tmp_path)).set_index("name")
    assert contacts.loc["B'3", "electrode"] == "B'"
    assert contacts.loc["B'3", "number"] == 3
    assert contacts.loc["A3", ["x", "y", "z"]].isna().all()
    assert contacts.loc["A2", "x"] == 13.5


def test_micro_contacts_are_recognised_by_type(patient, tmp_path):
    patient.contacts["type"] = ["depth"] * 15 + ["micro"]
    contacts = read_contacts(patient.write(tmp_path))
    assert list(contacts.loc[contacts["micro"], "name"]) == ["B8"]


def test_spacing_is_the_distance_of_neighbouring_contacts():
    places = np.array([[0, 0, 0], [3.5, 0, 0], [10.5, 0, 0], [0, 50, 0.0]])
    assert contact_spacing_mm(["A1", "A2", "A4", "B1"], places) == pytest.approx(3.5)
    assert np.isnan(contact_spacing_mm(["A1", "B1"], places[:2]))


def endpoints(**changes):
    row = {
        "electrode": "A'",
        **dict(zip(("target_x", "target_y", "target_z"), (0.0, 0, 0), strict=True)),
        **dict(zip(("entry_x", "entry_y", "entry_z"), (0.0, 30, 40), strict=True)),
        "n_contacts": 5,
        **changes,
    }
    return pd.DataFrame([row])


def test_contacts_are_on_the_line_from_target_to_entry():
    contacts = contacts_from_endpoints(endpoints())
    assert list(contacts["name"]) == ["A'1", "A'2", "A'3", "A'4", "A'5"]
    depth = 3.5 * np.arange(5)
    np.testing.assert_allclose(contacts[["y", "z"]], np.outer(depth, [0.6, 0.8]), atol=1e-12)


def test_uneven_spacing_is_repeated():
    contacts = contacts_from_endpoints(endpoints(spacing_mm="3.5 3.5 6"))
    depth = np.linalg.norm(contacts[["x", "y", "z"]], axis=1)
    np.testing.assert_allclose(depth, [0, 3.5, 7, 13, 16.5])


def test_an_electrode_shorter_than_its_contacts_is_refused():
    with pytest.raises(InputError, match=r"50\.0 mm apart"):
        contacts_from_endpoints(endpoints(n_contacts=18))


def test_a_unit_stated_wrongly_is_replaced_by_the_setting(patient, regions, labels, tmp_path):
    patient.coordsystem["iEEGCoordinateUnits"] = "m"
    files = patient.write(tmp_path)
    with pytest.raises(InputError, match=r"set seeg\.units: mm"):
        read_contacts(files)
    settings = SeegSettings(units="mm")
    assert read_contacts(files, settings)["x"][0] == 10.0
    notes = run_seeg(files, regions, labels, None, None, settings).notes
    assert any("from the setting seeg.units (the dataset states m)" in note for note in notes)


@pytest.mark.parametrize("frame", ["ScanRAS", "native"])
def test_a_missing_coordsystem_is_replaced_by_the_settings(
    patient, regions, labels, tmp_path, frame
):
    files = patient.write(tmp_path)
    files.coordsystem.unlink()
    files = replace(files, coordsystem=None)
    settings = SeegSettings(frame=frame, units="mm")
    assert check_seeg(files, settings) == []
    notes = run_seeg(files, regions, labels, None, None, settings).notes
    assert any("seeg.frame (the dataset states none)" in note for note in notes)
    (problem,) = check_seeg(files, SeegSettings(frame=frame))
    assert "seeg.units" in problem.hint


def test_an_unknown_frame_or_unit_in_the_settings_is_refused():
    for changes in ({"frame": "Talairach"}, {"units": "inch"}):
        with pytest.raises(ConfigError, match="seeg"):
            SeegSettings(**changes)
