import json

import edfio
import nibabel as nib
import numpy as np
import pytest

from virtualbrain.cli import main
from virtualbrain.io.patient_search import find_patient
from virtualbrain.privacy.personal_data import find_personal_data, has_date


@pytest.fixture
def folder(patient, tmp_path):
    patient.kind = "edf"
    patient.write(tmp_path)
    return tmp_path


def test_a_pseudonym_is_not_personal_data(folder):
    assert find_personal_data(find_patient(folder, "01")) == []


def test_a_name_and_a_birth_date_in_a_recording_are_found(folder):
    import datetime

    path = folder / "sub-01" / "ieeg" / "sub-01_task-seizure_ieeg.edf"
    edf = edfio.read_edf(path)
    edf.patient = edfio.Patient(name="Doe_Jane", birthdate=datetime.date(1980, 5, 17), sex="F")
    edf.write(path)
    lines = "\n".join(find_personal_data(find_patient(folder, "01")))
    assert "last name" in lines or "first name" in lines
    assert "birthday" in lines
    assert "Doe" not in lines


def test_images_and_sidecars_are_checked(folder):
    anat = folder / "sub-01" / "anat"
    anat.mkdir()
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    image.header["descrip"] = b"DOE^JANE 1980-05-17"
    nib.save(image, anat / "sub-01_T1w.nii.gz")
    content = {"PatientName": "Doe", "InstitutionName": "n/a", "RepetitionTime": 2.3}
    (anat / "sub-01_T1w.json").write_text(json.dumps(content))
    assert find_personal_data(find_patient(folder, "01")) == [
        "sub-01_T1w.nii.gz: the header field descrip contains a name or a date",
        "sub-01_T1w.json: PatientName is not empty",
    ]


def test_the_check_warns_with_a_hint(folder, capsys):
    anat = folder / "sub-01" / "anat"
    anat.mkdir()
    image = nib.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    image.header["descrip"] = b"DOE^JANE"
    nib.save(image, anat / "sub-01_T1w.nii.gz")
    main(["check", str(folder)])
    output = capsys.readouterr().err
    assert "note: sub-01: sub-01_T1w.nii.gz: the header field descrip contains a name" in output
    assert "virtualbrain deidentify" in output


@pytest.mark.parametrize(
    ("name", "dated"),
    [
        ("sub-01_ses-20240312_T1w.nii.gz", True),
        ("sub-01_ses-2024-03-12_T1w.nii.gz", True),
        ("sub-01_run-01_T1w.nii.gz", False),
        ("sub-120240312999_T1w.nii.gz", False),
    ],
)
def test_dates_in_file_names_are_found(name, dated, tmp_path):
    assert has_date(tmp_path / name) == dated
