import datetime
import json
from collections.abc import Callable

import edfio
import mne
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_header, read_signal
from virtualbrain.io.tables import read_table
from virtualbrain.privacy.deface import mask_for_series, near
from virtualbrain.privacy.deidentify import CopyChoices, deidentify
from virtualbrain.privacy.metadata import clean_sidecar
from virtualbrain.privacy.personal_data import find_personal_data
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.settings import SeegSettings

WORDS = ("seizure", "sz")
SECRETS = ("Doe", "Jane", "Miller", "1980", "2021")


def half(image, seed):
    """Keep the back half of an image; replaces the slow defacing."""
    keep = np.zeros(image.shape, bool)
    keep[:, : image.shape[1] // 2] = True
    return keep


CHOICES = CopyChoices(shift_days=1000, seizure_words=WORDS, find_face=half)


def add_images(folder):
    anat, dwi = folder / "sub-01" / "anat", folder / "sub-01" / "dwi"
    anat.mkdir()
    dwi.mkdir()
    rng = np.random.default_rng(0)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    t1 = nib.Nifti1Image(rng.uniform(50, 100, (20, 30, 20)).astype(np.float32), affine)
    t1.header["descrip"] = b"DOE^JANE 1980-05-17"
    t1.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe"))
    nib.save(t1, anat / "sub-01_T1w.nii.gz")
    sidecar = {
        "PatientName": "Doe",
        "AcquisitionTime": "2021-03-04",
        "RepetitionTime": 2.3,
        "ImageComments": "Jane",
    }
    (anat / "sub-01_T1w.json").write_text(json.dumps(sidecar))
    series = rng.uniform(50, 100, (20, 30, 20, 2)).astype(np.float32)
    nib.save(nib.Nifti1Image(series, affine), dwi / "sub-01_dwi.nii.gz")
    (dwi / "sub-01_dwi.bval").write_text("0 1000\n")
    (dwi / "sub-01_dwi.bvec").write_text("0 1\n0 0\n0 0\n")


def add_personal_data(path):
    """Write name, birth date, date and free text into a recording."""
    if path.suffix == ".edf":
        edf = edfio.read_edf(path)
        edf.patient = edfio.Patient(name="Doe_Jane", birthdate=datetime.date(1980, 5, 17), sex="F")
        edf.recording = edfio.Recording(
            startdate=datetime.date(2021, 3, 4), investigator_technician_code="Miller"
        )
        annotations = [(35.0, None, "seizure, Dr Miller"), (3.0, None, "Jane asks for water")]
        edf.set_annotations([edfio.EdfAnnotation(*a) for a in annotations])
        edf.write(path)
    elif path.suffix == ".vhdr":
        path.write_text(path.read_text() + "\nPatient: Jane Doe, 1980\n")
        markers = path.with_suffix(".vmrk")
        markers.write_text(
            markers.read_text().rstrip()
            + "\nMk8=New Segment,,1,1,0,20210304101112000000"
            + "\nMk9=Comment,seizure by Dr Miller,17920,1,0\nMk10=Comment,Jane Doe,9,1,0\n"
        )
    else:
        raw = mne.io.read_raw(path, preload=True, verbose="error")
        raw.set_meas_date(datetime.datetime(2021, 3, 4, tzinfo=datetime.UTC))
        raw.info["subject_info"] = {"last_name": "Doe", "first_name": "Jane"}
        raw.info["experimenter"] = "Miller"
        raw.set_annotations(mne.Annotations([35.0, 3.0], [0, 0], ["seizure Miller", "Jane Doe"]))
        raw.save(path, overwrite=True, fmt="double", verbose="error")


@pytest.fixture
def folder(patient, tmp_path) -> Callable:
    """Return a function that writes a dataset with personal data in one of three formats."""

    def make(kind: str = "edf"):
        patient.kind = kind
        patient.events["comment"] = "called by Dr Miller"
        note = pd.DataFrame({"onset": [3.0], "duration": [0.0], "trial_type": ["Jane Doe eats"]})
        patient.events = pd.concat([patient.events, note])
        patient.coordsystem["iEEGCoordinateSystemDescription"] = "Scanner RAS, by Dr Miller"
        patient.sidecar["InstitutionName"] = "Miller hospital"
        bids = tmp_path / "bids"
        patient.write(bids)
        add_personal_data(bids / "sub-01" / "ieeg" / f"sub-01_task-seizure_ieeg.{kind}")
        add_images(bids)
        (bids / "README").write_text("Jane Doe, born 1980")
        people = pd.DataFrame(
            {"participant_id": ["sub-01", "sub-02"], "age": [93, 20], "name": ["Jane", "x"]}
        )
        people.to_csv(bids / "participants.tsv", sep="\t", index=False)
        return bids

    return make


@pytest.mark.parametrize("kind", ["edf", "vhdr", "fif"])
def test_the_copy_has_no_personal_data_and_the_same_signal(folder, tmp_path, kind):
    bids, copy = folder(kind), tmp_path / "copy"
    changes = deidentify(bids, copy, ["01"], CHOICES)
    before, after = find_patient(bids, "01"), find_patient(copy, "01")
    assert find_personal_data(before)
    assert find_personal_data(after) == []
    assert check_seeg(after, SeegSettings()) == []
    names = read_header(before.recordings[0].signal).names
    one, _ = read_signal(before.recordings[0].signal, names, 0, 70)
    other, _ = read_signal(after.recordings[0].signal, names, 0, 70)
    np.testing.assert_array_equal(one, other)
    marks = read_header(after.recordings[0].signal).annotations
    texts = [mark.text.removeprefix("Comment/") for mark in marks if "Segment" not in mark.text]
    assert texts == ["seizure"]
    assert any(change.file.endswith(kind) for change in changes)


@pytest.mark.parametrize("kind", ["edf", "vhdr", "fif"])
def test_no_file_of_the_copy_contains_personal_data(folder, tmp_path, kind):
    import gzip

    deidentify(folder(kind), tmp_path / "copy", ["01"], CHOICES)
    for path in (p for p in (tmp_path / "copy").rglob("*") if p.is_file()):
        if path.suffix == ".eeg":
            continue  # numbers
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        head = content[:4000] if path.suffix in (".gz", ".edf", ".fif") else content
        for secret in SECRETS:
            assert secret.encode() not in head, f"{secret} in {path.name}"
        assert b"Doe" not in content.replace(b"\x00", b"")
        assert b"Miller" not in content


def test_dates_are_shifted_by_an_undisclosed_number(folder, tmp_path):
    bids = folder("edf")
    changes = deidentify(bids, tmp_path / "copy", ["01"], CHOICES)
    name = "sub-01/ieeg/sub-01_task-seizure_ieeg.edf"
    moved = edfio.read_edf(tmp_path / "copy" / name).startdate
    assert datetime.date(2021, 3, 4) - moved == datetime.timedelta(days=1000)
    assert not any("1000" in change.what for change in changes)


def test_faces_are_removed_and_headers_rewritten(folder, tmp_path):
    bids, copy = folder(), tmp_path / "copy"
    deidentify(bids, copy, ["01"], CHOICES)
    before, after = (nib.load(p / "sub-01/anat/sub-01_T1w.nii.gz") for p in (bids, copy))
    np.testing.assert_array_equal(before.affine, after.affine)
    np.testing.assert_array_equal(before.get_fdata()[:, :15], after.get_fdata()[:, :15])
    assert (after.get_fdata()[:, 15:] == 0).all()
    assert len(after.header.extensions) == 0
    series = nib.load(copy / "sub-01/dwi/sub-01_dwi.nii.gz").get_fdata()
    assert (series[:, 24:] == 0).all()
    assert (series[:, :15] > 0).all()


def test_unknown_files_are_left_out_and_listed(folder, tmp_path):
    changes = deidentify(folder(), tmp_path / "copy", ["01"], CHOICES)
    assert not (tmp_path / "copy" / "README").exists()
    assert ("README", "left out") in {(change.file, change.what) for change in changes}
    people = read_table(tmp_path / "copy" / "participants.tsv")
    assert list(people.columns) == ["participant_id", "age"]
    assert people["age"].tolist() == [89]
    events = read_table(tmp_path / "copy/sub-01/ieeg/sub-01_task-seizure_events.tsv")
    assert events["trial_type"].tolist() == ["sz_foc"]


def test_a_copy_needs_a_new_folder_outside_the_dataset(folder, tmp_path):
    bids = folder()
    with pytest.raises(InputError, match="already exists"):
        deidentify(bids, tmp_path, ["01"], CHOICES)
    with pytest.raises(InputError, match="would be inside the dataset"):
        deidentify(bids, bids / "copy", ["01"], CHOICES)


def test_a_failed_copy_leaves_no_files(folder, tmp_path):
    bids = folder()
    (bids / "sub-01" / "ieeg" / "sub-01_task-seizure_ieeg.edf").write_bytes(b"0" * 300)
    with pytest.raises(InputError, match="the header cannot be read"):
        deidentify(bids, tmp_path / "copy", ["01"], CHOICES)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bids"]


def test_a_series_that_is_not_aligned_with_the_t1_is_refused():
    grid = nib.Nifti1Image(np.ones((20, 20, 20), np.float32), np.diag([4.0, 4, 4, 1]))
    away = nib.Nifti1Image(np.ones((20, 20, 20, 2), np.float32), grid.affine.copy())
    away.affine[:3, 3] = 70
    keep = np.ones(grid.shape, bool)
    assert mask_for_series(keep, grid, nib.Nifti1Image(away.get_fdata(), grid.affine), "a").all()
    with pytest.raises(InputError, match="is inside the head of the T1w image"):
        mask_for_series(keep, grid, away, "dwi")


def test_distance_is_in_millimetres():
    mask = np.zeros((21, 21, 21), bool)
    mask[10, 10, 10] = True
    image = nib.Nifti1Image(mask.astype(np.float32), np.diag([1.0, 2.0, 1.0, 1.0]))
    found = near(mask, image, 5.0)
    assert found[15, 10, 10]
    assert not found[16, 10, 10]
    assert found[10, 12, 10]
    assert not found[10, 13, 10]


@pytest.mark.parametrize(
    ("key", "value", "stays"),
    [
        ("RepetitionTime", 2.3, True),
        ("SliceTiming", [0.0, 1.2], True),
        ("PhaseEncodingDirection", "j-", True),
        ("PatientWeight", 70, False),
        ("DeviceSerialNumber", 12345, False),
        ("AcquisitionDateTime", 20210304, False),
        ("ProtocolName", "t1 of Jane", False),
        ("ImageType", ["ORIGINAL", "DOE"], False),
    ],
)
def test_sidecars_keep_numbers_and_standard_texts(key, value, stays):
    kept, removed = clean_sidecar({key: value})
    assert (key in kept) == stays
    assert (key in removed) != stays


def test_a_frame_description_is_replaced_by_a_standard_text():
    content = {
        "iEEGCoordinateSystem": "Other",
        "iEEGCoordinateUnits": "mm",
        "iEEGCoordinateSystemDescription": "tkRAS of Jane Doe's surfaces",
    }
    kept, _ = clean_sidecar(content)
    assert kept["iEEGCoordinateSystemDescription"] == "FreeSurfer tkRAS (surface RAS) of the T1w"
