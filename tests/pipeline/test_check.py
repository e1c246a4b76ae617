"""The check before any stage: region centres against contacts, choices between files as notes."""

import shutil

import numpy as np
import pytest

from virtualbrain import cli
from virtualbrain.config import load_config
from virtualbrain.io.tables import read_table
from virtualbrain.pipeline.check import check_patient, notes_of

CONFIG = load_config()


@pytest.fixture
def patient(connectome_patient, tmp_path):
    folder = tmp_path / "bids"
    shutil.copytree(connectome_patient, folder)
    return folder


def move_centres(folder, change):
    """Change the region centres of the ready connectome."""
    (path,) = (folder / "derivatives/connectome").rglob("*_dseg.tsv")
    table = read_table(path)
    table[["x", "y", "z"]] = change(table[["x", "y", "z"]].to_numpy(float))
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def test_a_good_patient_has_no_problem_and_a_note_on_the_distance(connectome_patient):
    assert check_patient(connectome_patient, "01", CONFIG) == []
    notes = notes_of(connectome_patient, "01", CONFIG)
    assert any("nearest region centre" in note for note in notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p * [-1, -1, 1], "left hemisphere are on the right"),
        (
            lambda p: (p - np.array([-90, -126, -72])) / 2,
            "no region centre has a negative coordinate",
        ),
        (lambda p: p / 1000, "extend over"),
        (lambda p: p - np.array([0, 0, 250]), "of the contacts are within 30 mm"),
        (lambda p: p * 0, "at the same place"),
    ],
)
def test_centres_in_another_frame_are_refused_at_minute_0(patient, change, words):
    move_centres(patient, change)
    (problem,) = check_patient(patient, "01", CONFIG)
    assert words in str(problem)


def test_mrtrix_is_missed_at_minute_0_by_a_patient_who_needs_it(patient, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_patient(patient, "01", CONFIG) == []
    shutil.rmtree(patient / "derivatives/connectome")
    for name in ("anat/sub-01_T1w.nii.gz", "dwi/sub-01_dwi.nii.gz"):
        path = patient / "sub-01" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("not an image")
    lines = [str(problem) for problem in check_patient(patient, "01", CONFIG)]
    assert len([line for line in lines if "MRtrix3 is not installed" in line]) == 1
    anatomy = load_config(overrides={"until": "anatomy"})
    assert not any("MRtrix3" in str(line) for line in check_patient(patient, "01", anatomy))


def test_a_filter_file_and_sessions_are_options_of_the_check(patient, tmp_path, capsys):
    wanted = tmp_path / "filter.json"
    wanted.write_text('{"ieeg": {"task": "absent"}}')
    assert cli.main(["check", str(patient), "--filter-file", str(wanted)]) == 2
    assert "the filter for ieeg accepts none" in capsys.readouterr().err
    wanted.write_text('{"iieg": {}}')
    assert cli.main(["check", str(patient), "--filter-file", str(wanted)]) == 2
    assert "unknown key files.filters.iieg" in capsys.readouterr().err
    assert cli.main(["check", str(patient), "--session", "any"]) == 0
