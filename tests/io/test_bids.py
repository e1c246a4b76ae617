"""Tests of finding a patient's files, and of unsafe labels and links."""

from pathlib import Path

import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label, participants
from virtualbrain.io.patient_search import find_patient


def make(root: Path, *names: str) -> Path:
    for name in ("dataset_description.json", *names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return root


FULL = (
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/dwi/sub-01_dir-AP_dwi.nii.gz",
    "sub-01/dwi/sub-01_dir-AP_dwi.bval",
    "sub-01/dwi/sub-01_dir-AP_dwi.bvec",
    "sub-01/ieeg/sub-01_task-x_ieeg.vhdr",
    "sub-01/ieeg/sub-01_task-x_ieeg.vmrk",
    "sub-01/ieeg/sub-01_task-x_ieeg.eeg",
    "sub-01/ieeg/sub-01_task-x_channels.tsv",
    "sub-01/ieeg/sub-01_task-x_events.tsv",
    "sub-01/ieeg/sub-01_electrodes.tsv",
    "sub-01/ieeg/sub-01_coordsystem.json",
    "derivatives/clinical/sub-01/sub-01_hypothesis.tsv",
)


def test_all_files_are_found(tmp_path):
    files = find_patient(make(tmp_path, *FULL), "sub-01")
    assert len(files.all_files()) == len(FULL)
    assert files.recordings[0].events is not None
    assert files.dwi[0].sidecar is None
    assert files.freesurfer is None


def test_session_folders_are_searched(tmp_path):
    files = find_patient(make(tmp_path, "sub-1/ses-2/anat/sub-1_ses-2_T1w.nii"), "1")
    assert files.t1 is not None


def test_connectome_derivatives_are_found(tmp_path):
    make(tmp_path, "sub-1/x", "derivatives/connectome/sub-1/connectivity.zip")
    files = find_patient(tmp_path, "1")
    assert [path.name for path in files.connectome_files()] == ["connectivity.zip"]


EPI = "sub-1/fmap/sub-1_dir-PA_epi.json"
SERIES = ("sub-1/dwi/sub-1_dwi.nii.gz", "sub-1/dwi/sub-1_dwi.json", EPI[:-5] + ".nii.gz", EPI)


@pytest.mark.parametrize(
    ("of_series", "of_map", "n"),
    [
        ("{}", '{"IntendedFor": "dwi/sub-1_dwi.nii.gz"}', 1),
        ("{}", '{"IntendedFor": ["bids::sub-1/dwi/sub-1_dwi.nii.gz"]}', 1),
        ('{"B0FieldSource": "pepolar0"}', '{"B0FieldIdentifier": "pepolar0"}', 1),
        ("{}", '{"IntendedFor": "func/sub-1_task-rest_bold.nii.gz"}', 0),
        ("{}", "{}", 0),
        ("{}", "broken", 0),
    ],
)
def test_fmap_images_are_used_for_the_series_they_name(tmp_path, of_series, of_map, n):
    make(tmp_path, *SERIES)
    (tmp_path / SERIES[1]).write_text(of_series)
    (tmp_path / EPI).write_text(of_map)
    files = find_patient(tmp_path, "1")
    assert len(files.epi) == n
    assert (tmp_path / EPI in files.dwi_files()) == bool(n)


def test_participants_are_sorted(tmp_path):
    make(tmp_path, "sub-b/x", "sub-a/x", "sourcedata/y")
    assert participants(tmp_path) == ("a", "b")


@pytest.mark.parametrize("label", ["../etc", "01/../../x", "", "a b", "$(touch x)", "0\n1"])
def test_an_invalid_label_is_refused(label):
    with pytest.raises(InputError, match="not a label"):
        check_label(label)


def test_an_unknown_participant_lists_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="expected one of sub-1"):
        find_patient(make(tmp_path, "sub-1/x"), "2")


@pytest.mark.parametrize(
    ("names", "words"), [((), "no participant"), (None, "no dataset_description.json")]
)
def test_a_folder_that_is_not_a_dataset_is_refused(tmp_path, names, words):
    if names is not None:
        make(tmp_path, *names)
    with pytest.raises(InputError, match=words):
        participants(tmp_path)


def test_two_t1_images_are_refused(tmp_path):
    make(tmp_path, "sub-1/anat/sub-1_run-1_T1w.nii", "sub-1/anat/sub-1_run-2_T1w.nii")
    (tmp_path / "sub-1/anat/sub-1_run-2_T1w.nii").write_text("another image")
    with pytest.raises(InputError, match="2 files for the T1w image"):
        find_patient(tmp_path, "1")


def test_a_link_out_of_the_dataset_is_refused(tmp_path):
    outside = tmp_path / "secret.nii"
    outside.write_text("x")
    root = make(tmp_path / "bids", "sub-1/anat/x")
    (root / "sub-1/anat/sub-1_T1w.nii").symlink_to(outside)
    with pytest.raises(InputError, match="points outside the dataset"):
        find_patient(root, "1")
