"""Channels, contacts and scalp electrodes with names that look alike."""

import numpy as np
import pandas as pd
import pytest

from tests.io.edf_files import Channel, EdfFile
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_header
from virtualbrain.seeg.channel_selection import select_channels
from virtualbrain.seeg.check import check_seeg, seeg_notes
from virtualbrain.seeg.contacts import read_contacts
from virtualbrain.seeg.montage import build_montage
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()
STEM = "sub-01_task-seizure"


def write(patient, folder, rename=str, extra=(), channels="as named"):
    """Write the patient as EDF with renamed channels and further ones; return its files.

    `channels` is a table of further channels, or None for no channels.tsv.
    """
    patient.names = [rename(name) for name in patient.names]
    noise = np.random.default_rng(1).standard_normal((len(extra), patient.signal.shape[1])) * 30
    if channels is not None:
        patient.channels["name"] = patient.names
        if isinstance(channels, pd.DataFrame):
            patient.channels = pd.concat([patient.channels, channels], ignore_index=True)
    patient.write(folder)
    ieeg = folder / "sub-01" / "ieeg"
    if channels is None:
        (ieeg / f"{STEM}_channels.tsv").unlink()
    for path in ieeg.glob(f"{STEM}_ieeg.[ve]*"):
        path.unlink()
    signals = zip(patient.names, patient.signal, strict=True)
    own = [Channel(name, 512.0, row * 1e6) for name, row in signals]
    more = [Channel(n, 512.0, row) for n, row in zip(extra, noise, strict=True)]
    EdfFile([*more, *own]).write(ieeg / f"{STEM}_ieeg.edf")
    return find_patient(folder, "01")


def rows(names, kind):
    return pd.DataFrame({"name": names, "type": kind, "units": "µV", "status": "good"})


def selected(files):
    """Return the recorded channels by contact, and the selection."""
    contacts = read_contacts(files)
    recording = files.recordings[0]
    found = select_channels(recording, read_header(recording.signal), contacts, SETTINGS)
    pairs = found.recorded.set_index("anode")["recorded"].to_dict()
    return pairs, found


def problems(files):
    return [str(problem) for problem in check_seeg(files, SETTINGS)]


@pytest.fixture
def expected(patient, regions, labels, tmp_path):
    return run_seeg(patient.write(tmp_path / "plain"), regions, labels, None, None, SETTINGS)


EARS = {
    "POL and EEG": (lambda n: f"POL {n}", ["EEG A1-Ref", "EEG A2-Ref"]),
    "plain and EEG": (str, ["EEG A1", "EEG A2", "EEG B2-Ref"]),
    "SEEG and EEG": (lambda n: f"SEEG {n[0]}0{n[1:]}", ["EEG A1-CPz", "EEG A2-CPz"]),
    "exact and zero": (str, ["A01", "A02"]),
}


@pytest.mark.parametrize("kind", EARS)
@pytest.mark.parametrize("table", [False, True])
def test_depth_contacts_are_not_the_ears(patient, regions, labels, tmp_path, expected, kind, table):
    rename, ears = EARS[kind]
    files = write(patient, tmp_path, rename, ears, rows(ears, "EEG") if table else None)
    assert problems(files) == []
    pairs, _ = selected(files)
    assert pairs["A1"] == rename("A1")
    assert pairs["A2"] == rename("A2")
    if not table:
        assert any(ears[0] in note for note in seeg_notes(files, SETTINGS))
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert result.channels["name"].equals(expected.channels["name"])
    np.testing.assert_allclose(result.envelopes[0], expected.envelopes[0], atol=0.05)


def test_ears_in_electrodes_tsv_do_not_displace_the_contacts(patient, tmp_path):
    ears = ["EEG A1-Ref", "EEG A2-Ref"]
    for name in ears:
        patient.contacts.loc[len(patient.contacts)] = [name, np.nan, np.nan, np.nan, 5.0]
    files = write(patient, tmp_path, lambda n: f"POL {n}", ears, rows(ears, "EEG"))
    assert problems(files) == []
    assert selected(files)[0]["A1"] == "POL A1"


def test_contacts_with_places_of_their_own_are_told_apart_by_exact_names(patient, tmp_path):
    ears = ["EEG A1-Ref", "EEG A2-Ref"]
    patient.contacts["name"] = [f"POL {name}" for name in patient.contacts["name"]]
    for name in ears:
        patient.contacts.loc[len(patient.contacts)] = [name, 90.0, 0.0, -30.0, 5.0]
    files = write(patient, tmp_path, lambda n: f"POL {n}", ears, rows(ears, "EEG"))
    assert problems(files) == []
    contacts = read_contacts(files).set_index("name")
    assert contacts.loc["POL A1", "x"] == 10.0
    assert selected(files)[0]["POL A1"] == "POL A1"


def test_upper_and_lower_case_are_different_if_both_exist(patient, tmp_path):
    """Some centres write left electrodes in lower case."""

    def lower(name):
        return name.replace("B", "a")

    patient.contacts["name"] = [lower(name) for name in patient.contacts["name"]]
    files = write(patient, tmp_path, lambda n: f"EEG {lower(n)}-Ref")
    assert problems(files) == []
    pairs, _ = selected(files)
    assert pairs["A3"] == "EEG A3-Ref"
    assert pairs["a3"] == "EEG a3-Ref"
    assert len(pairs) == 16


def test_two_channels_of_one_contact_are_a_question_with_all_names(patient, tmp_path):
    files = write(patient, tmp_path, lambda n: f"{n}-Ref", ["POL A1", "SEEG B2"], None)
    (text,) = problems(files)
    assert "2 contacts have several channels: A1 (POL A1, A1-Ref), B2 (SEEG B2, B2-Ref)" in text


@pytest.mark.parametrize("extra", [["-", "-"], ["X", "X", "X"], ["", "", "ECG", "ECG"]])
@pytest.mark.parametrize("table", [False, True])
def test_unused_inputs_may_share_a_name(patient, tmp_path, extra, table):
    more = rows(extra, "MISC") if table and "" not in extra else None
    files = write(patient, tmp_path, extra=extra, channels="as named" if more is None else more)
    assert problems(files) == []
    assert set(selected(files)[0].values()) == set(patient.names)


def test_used_channels_that_share_a_name_are_all_named(patient, tmp_path):
    files = write(patient, tmp_path, extra=["A3", "B1", "B1"])
    (text,) = [p for p in problems(files) if "occur twice" in p]
    assert "2 channels occur twice: A3, B1" in text


def test_rows_that_repeat_an_unused_name_do_not_matter(patient, tmp_path):
    more = pd.concat([rows(["-", "-"], "MISC"), rows(["ECG", "ECG"], "ECG")])
    assert problems(write(patient, tmp_path, extra=["-", "-", "ECG"], channels=more)) == []


SPELLINGS = {
    "Ref": lambda n: f"{n}-Ref",
    "CPz": lambda n: f"{n}-CPz",
    "M1": lambda n: f"{n}-M1",
    "X17": lambda n: f"EEG {n}-X17",
    "underscore": lambda n: f"{n[0]}_{n[1:]}",
    "hyphen": lambda n: f"{n[0]}-{n[1:]}",
    "zero and hyphen": lambda n: f"{n[0]}-0{n[1:]}-Ref",
    "dash of a word processor": lambda n: f"{n[0]}–{n[1:]}",
}


REFERENCES = ("CPz", "M1", "X17")


@pytest.mark.parametrize("kind", [k for k in SPELLINGS if "word" not in k])
@pytest.mark.parametrize("table", [False, True])
def test_contacts_are_found_in_every_spelling(patient, tmp_path, kind, table):
    files = write(patient, tmp_path, SPELLINGS[kind], channels="as named" if table else None)
    assert problems(files) == []
    assert set(selected(files)[0]) == {f"{e}{i}" for e in "AB" for i in range(1, 9)}


@pytest.mark.parametrize("kind", [kind for kind in SPELLINGS if kind not in REFERENCES])
def test_electrodes_tsv_may_use_another_spelling(patient, tmp_path, kind):
    patient.contacts["name"] = [SPELLINGS[kind](name) for name in patient.contacts["name"]]
    files = write(patient, tmp_path)
    assert problems(files) == []
    assert len(selected(files)[0]) == 16


def test_a_reference_that_is_a_contact_too_gives_the_same_bipolar_channels(
    patient, regions, labels, tmp_path, expected
):
    """All channels were recorded against the contact B8."""
    patient.signal = patient.signal - patient.signal[-1]
    patient.signal[-1] = 1e-6 * np.random.default_rng(0).standard_normal(patient.signal.shape[1])
    files = write(patient, tmp_path, lambda n: f"{n}-B8")
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    first = result.envelopes[0].sel(channel="A2-A3")
    np.testing.assert_allclose(first, expected.envelopes[0].sel(channel="A2-A3"), atol=0.05)


def test_a_pair_whose_second_contact_has_no_place_is_no_reference(patient, tmp_path):
    patient.contacts = patient.contacts[patient.contacts["name"] != "A8"]
    pairs = [f"{e}{i}-{e}{i + 1}" for e in "AB" for i in range(1, 8)]
    keep = [i for i in range(15) if i != 7]
    patient.signal = (patient.signal[:-1] - patient.signal[1:])[keep]
    patient.names = pairs
    patient.channels = rows(pairs, "SEEG")
    files = write(patient, tmp_path)
    assert problems(files) == []
    assert "A7" not in selected(files)[0]
    assert any("A7-A8 has no coordinates" in note for note in seeg_notes(files, SETTINGS))


@pytest.mark.parametrize("scalp", [["EEG A1-A2"], ["EEG A5", "EEG B2-Ref"], ["EEG A1-Ref"]])
def test_channels_of_the_scalp_do_not_become_contacts(patient, tmp_path, scalp):
    """Depth electrodes may have letters of the scalp; here no channels.tsv says which is which."""
    letters = {"A": "C", "B": "T"}

    def other(name):
        return "".join(letters.get(letter, letter) for letter in name)

    patient.contacts["name"] = [other(name) for name in patient.contacts["name"]]
    scalp = [name.replace("A", "C").replace("B", "T") for name in scalp]
    files = write(patient, tmp_path, lambda n: f"POL {other(n)}", scalp, None)
    assert problems(files) == []
    pairs, selection = selected(files)
    assert not set(scalp) & set(pairs.values())
    assert any(scalp[0] in note for note in selection.notes)


def test_an_ear_is_no_contact_whose_channel_is_missing(patient, tmp_path):
    patient.signal, patient.names = patient.signal[2:], patient.names[2:]
    files = write(patient, tmp_path, lambda n: f"POL {n}", ["EEG A1-Ref", "EEG A2-Ref"], None)
    assert problems(files) == []
    assert set(selected(files)[0]) == {name.removeprefix("POL ") for name in patient.names}


def test_a_recorded_difference_gives_way_to_its_contacts(patient, tmp_path):
    files = write(patient, tmp_path, extra=["A1-A2"], channels=rows(["A1-A2"], "SEEG"))
    _, selection = selected(files)
    montage = {c.name: c.recorded for c in build_montage(selection.recorded, {}, "bipolar")}
    assert montage["A1-A2"] == {"A1": 1.0, "A2": -1.0}
    bad = {c.name: c for c in build_montage(selection.recorded, {"A2": "bad"}, "bipolar")}
    assert bad["A1-A2"].recorded == {"A1-A2": 1.0}
    assert bad["A1-A2"].status == "good"


def test_channels_that_share_a_contact_are_read(patient, regions, labels, tmp_path):
    """The file has the contacts and, in addition, some of their differences."""
    more = ["A1-A2", "A1-A3", "A3-A2"]
    files = write(patient, tmp_path, extra=more, channels=rows(more, "SEEG"))
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert result.channels["name"].is_unique
    assert {"A1-A2", "A1-A3", "A2-A3", "A3-A4"} <= set(result.channels["name"])


def test_two_recordings_may_spell_names_differently(patient, regions, labels, tmp_path):
    write(patient, tmp_path, lambda n: f"POL {n}")
    ieeg = tmp_path / "sub-01" / "ieeg"
    for path in sorted(ieeg.glob(f"{STEM}_*")):
        path.rename(path.with_name(path.name.replace("task-seizure", "task-first")))
    patient.names = [name.removeprefix("POL ") for name in patient.names]
    files = write(patient, tmp_path, lambda n: f"{n}-CPz")
    assert problems(files) == []
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert len(result.envelopes) == 2
    np.testing.assert_allclose(*(e.to_numpy() for e in result.envelopes), atol=0.01)


def test_recordings_without_a_common_channel_are_refused_at_once(patient, tmp_path):
    half, rest = patient.signal[:8], patient.signal[8:]
    table, names = patient.channels, patient.names
    patient.signal, patient.names, patient.channels = half, names[:8], table.iloc[:8].copy()
    write(patient, tmp_path)
    ieeg = tmp_path / "sub-01" / "ieeg"
    for path in sorted(ieeg.glob(f"{STEM}_*")):
        path.rename(path.with_name(path.name.replace("task-seizure", "task-first")))
    patient.signal, patient.names, patient.channels = rest, names[8:], table.iloc[8:].copy()
    (text,) = problems(write(patient, tmp_path))
    assert "no good channel is in every recording with a seizure" in text


@pytest.mark.parametrize("without", [["C1", "C2"], ["C1", "D7", "D8", "E1", "E2"]])
def test_good_channels_without_a_row_are_left_out_with_one_note(
    patient, regions, labels, tmp_path, expected, without
):
    files = write(patient, tmp_path, extra=without, channels=rows(without, "SEEG"))
    assert problems(files) == []
    found = [note for note in seeg_notes(files, SETTINGS) if "no coordinates" in note]
    assert len(found) == 1
    assert f"{len(without)} channels have no coordinates: {', '.join(without)}" in found[0]
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    np.testing.assert_allclose(result.envelopes[0], expected.envelopes[0], atol=0.05)


@pytest.mark.parametrize("missing", [["B7", "B8"], ["A8"], ["A1", "B1", "B2"]])
def test_rows_without_coordinates_are_left_out_with_one_note(patient, tmp_path, missing):
    chosen = patient.contacts["name"].isin(missing)
    patient.contacts.loc[chosen, ["x", "y", "z"]] = np.nan
    files = write(patient, tmp_path)
    assert problems(files) == []
    (note,) = [note for note in seeg_notes(files, SETTINGS) if "no coordinates" in note]
    assert ", ".join(missing) in note


def test_too_few_channels_with_coordinates_are_refused_in_one_line(patient, tmp_path):
    patient.contacts = patient.contacts.iloc[:5]
    files = write(patient, tmp_path)
    (text,) = problems(files)
    assert "only 5 of 16 good channels" in text
    assert "A6, A7, A8, B1, B2" in text
    lower = SeegSettings(located_share_min=0.2)
    assert check_seeg(files, lower) == []


def test_single_contacts_without_neighbours_are_refused_at_once(patient, tmp_path):
    is_even = patient.contacts["name"].str[1:].astype(int) % 2 == 0
    patient.contacts.loc[is_even, ["x", "y", "z"]] = np.nan
    (text,) = problems(write(patient, tmp_path))
    assert "no good channel with coordinates is left in the montage bipolar" in text


def test_channels_that_are_not_recorded_are_listed_in_one_line(patient, tmp_path):
    more = rows(["C1", "C2", "C3"], "SEEG")
    (text,) = problems(write(patient, tmp_path, channels=more))
    assert "channels.tsv, rows 18, 19, 20: 3 channels are not in" in text
    assert "C1, C2, C3" in text
