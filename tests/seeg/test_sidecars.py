"""Sidecars and tables in any encoding, units that are unknown, cells that are empty."""

import json

import numpy as np
import pandas as pd
import pytest

from virtualbrain.cli import main
from virtualbrain.errors import InputError
from virtualbrain.io.bids import participants
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_recording_sidecar
from virtualbrain.io.text import decode, encoding_notes
from virtualbrain.seeg.check import check_seeg, seeg_notes
from virtualbrain.seeg.contacts import read_contacts, stated_coordinates
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()
STEM = "sub-01_task-seizure"


def problems(files):
    return [str(problem) for problem in check_seeg(files, SETTINGS)]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "mac-roman"])
@pytest.mark.parametrize("name", ["ieeg.json", "coordsystem.json", "channels.tsv", "events.tsv"])
def test_files_of_any_encoding_are_read_with_a_note(patient, tmp_path, encoding, name):
    patient.sidecar = {"PowerLineFrequency": 60, "InstitutionName": "Hôpital"}
    patient.coordsystem["iEEGCoordinateProcessingDescription"] = "Übertragung"
    patient.channels["status_description"] = "Störung"
    patient.events["remark"] = "épilepsie"
    patient.sidecar = json.loads(json.dumps(patient.sidecar))
    files = patient.write(tmp_path)
    (path,) = (tmp_path / "sub-01" / "ieeg").glob(f"*_{name}")
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        text = json.dumps(json.loads(text), ensure_ascii=False)
    path.write_bytes(text.encode(encoding))
    assert problems(files) == []
    assert read_recording_sidecar(files.recordings[0])["PowerLineFrequency"] == 60
    notes = encoding_notes(files.seeg_files())
    if encoding == "utf-8-sig":
        assert notes == []
    else:
        (note,) = notes
        assert path.name in note


def test_the_note_of_an_encoding_reaches_the_results(patient, regions, labels, tmp_path, capsys):
    patient.events["remark"] = "épilepsie"
    files = patient.write(tmp_path)
    path = files.recordings[0].events
    path.write_bytes(path.read_text("utf-8").encode("latin-1"))
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert any("read as Latin-1" in note and path.name in note for note in result.notes)
    main(["check", str(tmp_path)])
    assert f"read as Latin-1 (check letters with accents): {path.name}" in capsys.readouterr().err


def test_decoding_never_fails():
    rng = np.random.default_rng(0)
    for length in range(1, 200):
        decode(rng.integers(0, 256, length, dtype=np.uint8).tobytes())


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe{", b"\x00\x01\x02"])
def test_a_broken_sidecar_is_reported_before_the_run(patient, tmp_path, content):
    files = patient.write(tmp_path)
    (tmp_path / "sub-01" / "ieeg" / f"{STEM}_ieeg.json").write_bytes(content)
    (text,) = problems(files)
    assert f"{STEM}_ieeg.json: not " in text


def with_unit(patient, folder, unit, table_unit):
    patient.channels["units"] = table_unit
    files = patient.write(folder)
    header = files.recordings[0].signal
    header.write_text(header.read_text("utf-8").replace("0.01,µV", f"0.01,{unit}"), "utf-8")
    return files


@pytest.mark.parametrize("unit", ["ADU", "n/a", "%"])
def test_an_unknown_unit_is_named_with_all_channels(patient, tmp_path, unit):
    (text,) = problems(with_unit(patient, tmp_path, unit, "n/a"))
    assert f"16 channels have the unit {unit!r}: A1, A2" in text
    assert "B8" in text
    assert "column units of channels.tsv" in text


@pytest.mark.parametrize("stated", ["µV", "uV", "microvolt"])
def test_channels_tsv_states_the_unit_that_the_file_does_not(
    patient, regions, labels, tmp_path, stated
):
    before = run_seeg(patient.write(tmp_path / "a"), regions, labels, None, None, SETTINGS)
    files = with_unit(patient, tmp_path / "b", "ADU", stated)
    assert problems(files) == []
    assert any("from channels.tsv" in note for note in seeg_notes(files, SETTINGS))
    after = run_seeg(files, regions, labels, None, None, SETTINGS)
    np.testing.assert_allclose(after.signals[0], before.signals[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("cell", ["", "n/a", "NaN", "N/A", "-"])
def test_an_empty_cell_is_a_missing_coordinate(patient, tmp_path, cell):
    patient.contacts = patient.contacts.astype(object)
    patient.contacts.loc[3, ["x", "y", "z"]] = cell
    files = patient.write(tmp_path)
    assert problems(files) == []
    assert np.isnan(read_contacts(files).set_index("name").loc["A4", "x"])


@pytest.mark.parametrize(
    ("cell", "hint"), [("13,5", "decimal point"), ("12.3 mm", "n/a"), ("left", "n/a")]
)
def test_cells_that_are_no_numbers_are_all_named(cell, hint):
    table = pd.DataFrame({"name": ["A1", "A2", "A3"], "x": [cell, "1", cell], "y": 1, "z": 1})
    with pytest.raises(InputError) as caught:
        stated_coordinates(table, "electrodes.tsv")
    assert caught.value.where == "electrodes.tsv, rows 2, 4"
    assert f"x of A1 is {cell!r}; x of A3 is {cell!r}" in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize("labels", [["P-02"], ["P-02", "X_3", "01"]])
def test_labels_with_other_characters_are_named(tmp_path, labels):
    (tmp_path / "dataset_description.json").write_text("{}")
    for label in labels:
        (tmp_path / f"sub-{label}").mkdir()
    with pytest.raises(InputError) as caught:
        participants(tmp_path)
    assert ", ".join(f"sub-{one}" for one in labels if one != "01") in caught.value.what
    assert "sub-P02" in caught.value.hint
    if "01" in labels:
        assert find_patient(tmp_path, "01").label == "01"
