"""A tiny patient whose files a hospital wrote in its own way: the same answer, or one line."""

import shutil

import numpy as np
import pytest

from tests.io.edf_files import Channel
from tests.tiny_patient import CONTACTS, TinyPatient
from virtualbrain.diffusion.series import read_phase_encoding
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_ready_connectome
from virtualbrain.io.recordings import read_header
from virtualbrain.io.tvb_zip import write_tvb_zip
from virtualbrain.seeg.channel_selection import select_channels
from virtualbrain.seeg.contacts import read_contacts
from virtualbrain.seeg.seizures import read_marks
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()
HEADER = ["name", "type", "units", "status"]


def patient(folder, **options):
    return TinyPatient(folder / "bids", **options).write()


def used(one):
    """Return the contacts of the used channels of the only recording, without bad ones."""
    (recording,) = one.files().recordings
    header = read_header(recording.signal)
    found = select_channels(recording, header, read_contacts(one.files(), SETTINGS), SETTINGS)
    assert found.problems == ()
    rows = found.recorded[~found.recorded["recorded"].isin(found.bad)]
    return rows["anode"].tolist()


def seizures(one):
    return [(s.onset_s, s.duration_s) for s in read_marks(one.files(), SETTINGS).seizures]


def channels(one, rows, **options):
    one.table(f"{one.stem}_channels", options.pop("header", HEADER), rows, **options)


def test_the_tiny_patient_is_read(tmp_path):
    one = patient(tmp_path)
    assert one.problems() == []
    assert used(one) == list(CONTACTS)
    assert seizures(one) == [(12.0, 6.0)]


# ---- tables -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        (HEADER, "bad "),
        (HEADER, " BAD"),
        (["Name", "Type", "Units", "Status"], "Bad"),
        (["name", "type", "units", "STATUS "], "bad"),
    ],
)
def test_a_bad_channel_stays_bad_however_it_is_written(tmp_path, header, cell):
    one = patient(tmp_path)
    rows = [[n, "SEEG", "uV", cell if n == "A3" else "good"] for n in CONTACTS]
    channels(one, rows, header=header)
    assert one.problems() == []
    assert used(one) == ["A1", "A2", "A4"]


@pytest.mark.parametrize("words", [("artefact", "noisy"), ("0", "1"), ("ok", "good?")])
def test_a_status_that_is_neither_good_nor_bad_is_refused_in_one_line(tmp_path, words):
    one = patient(tmp_path)
    states = ["good", "good", *words]
    channels(one, [[n, "SEEG", "uV", s] for n, s in zip(CONTACTS, states, strict=True)])
    (line,) = one.problems()
    assert "2 channels have a status that is neither good nor bad" in line
    assert all(word in line for word in words)
    assert "rows 4, 5" in line


@pytest.mark.parametrize("kind", ["seeg", "SEEG ", "sEEG"])
def test_types_in_any_case_are_read(tmp_path, kind):
    one = patient(tmp_path)
    channels(one, [[n, kind, "uV", "good"] for n in CONTACTS])
    assert used(one) == list(CONTACTS)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_tables_in_any_encoding_and_with_any_line_end(tmp_path, encoding, end):
    one = patient(tmp_path)
    rows = [[n, "SEEG", "uV", "bad" if n == "A4" else "good", "Élec"] for n in CONTACTS]
    channels(one, rows, header=[*HEADER, "description"], encoding=encoding, end=end)
    one.table("electrodes", ["name", "x", "y", "z", "size"], one.places(), encoding, end)
    assert one.problems() == []
    assert used(one) == ["A1", "A2", "A3"]


@pytest.mark.parametrize("header", [["Name", "X", "Y", "Z"], ["name ", " x", "y", "z "]])
def test_electrodes_with_another_header(tmp_path, header):
    one = patient(tmp_path)
    one.table("electrodes", header, [row[:4] for row in one.places()])
    assert one.problems() == []
    assert used(one) == list(CONTACTS)


@pytest.mark.parametrize("encoding", ["utf-16-le", "latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["ieeg", "coordsystem"])
def test_sidecars_in_any_encoding(tmp_path, encoding, name):
    one = patient(tmp_path)
    content = {"InstitutionName": "Hôpital", "TaskName": "ictal"}
    path = one.ieeg / f"{one.stem}_ieeg.json"
    if name == "coordsystem":
        description = "Native space, Zürich"
        content = {"iEEGCoordinateSystem": "Other", "iEEGCoordinateUnits": "mm"}
        content |= {"iEEGCoordinateSystemDescription": description}
        path = one.ieeg / "sub-01_coordsystem.json"
    one.json(path, content, encoding)
    assert one.problems() == []
    assert any("not UTF-8" in note and path.name in note for note in one.notes())


@pytest.mark.parametrize("text", ["[1]", '{"a": 1,}', "", "[" * 5000])
def test_a_sidecar_of_a_series_that_is_no_object_is_one_line(tmp_path, text):
    path = tmp_path / "sub-01_dwi.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"sub-01_dwi\.json: not") as caught:
        read_phase_encoding(path, np.eye(4))
    assert "\n" not in str(caught.value)


# ---- channels ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    ["POL %s", "EEG %s-Ref", "SEEG %s", "%s-G2", "%s - Ref", "%s/Ref", "%s:REF", "%s-CPz", "%s-M2"],
)
@pytest.mark.parametrize("listed", [True, False])
def test_channels_in_the_spelling_of_a_vendor(tmp_path, spelling, listed):
    one = patient(tmp_path, channels=[spelling % name for name in CONTACTS])
    if not listed:
        (one.ieeg / f"{one.stem}_channels.tsv").unlink()
    assert one.problems() == []
    assert used(one) == list(CONTACTS)


@pytest.mark.parametrize("name", ["-", "", "X1", "E", "DC01"])
def test_unused_inputs_of_one_name_do_not_matter(tmp_path, name):
    extra = [Channel(name, 64.0, np.zeros(64 * 30)) for _ in range(3)]
    one = patient(tmp_path, extra=extra)
    assert one.problems() == []
    assert used(one) == list(CONTACTS)


@pytest.mark.parametrize("scalp", [("EEG T3-Ref", "EEG T4-Ref"), ("eeg T3", "EEG T4-Cz")])
@pytest.mark.parametrize("prefix", ["POL ", "SEEG ", ""])
def test_scalp_channels_beside_contacts_of_the_same_name(tmp_path, scalp, prefix):
    contacts = ["T3", "T4", "T5", "T6"]
    extra = [Channel(name, 64.0, np.zeros(64 * 30)) for name in scalp]
    named = [prefix + name for name in contacts]
    one = patient(tmp_path, contacts=contacts, channels=named, extra=extra)
    (one.ieeg / f"{one.stem}_channels.tsv").unlink()
    assert one.problems() == []
    assert used(one) == contacts


def test_one_problem_of_a_recording_is_one_line(tmp_path):
    one = patient(tmp_path)
    (one.ieeg / f"{one.stem}_events.tsv").unlink()
    (one.ieeg / f"{one.stem}_ieeg.edf").write_bytes(b"x" * 1000)
    assert len([line for line in one.problems() if "cannot be read" in line]) == 1


@pytest.mark.parametrize("cells", [("0", "0", "0"), ("0.0", "-0", "0.00"), ("n/a", "NaN", "")])
def test_contacts_that_were_not_placed_are_left_out(tmp_path, cells):
    contacts = [*CONTACTS, "C1", "C2"]
    one = patient(tmp_path, contacts=contacts)
    rows = [row[:4] for row in one.places()[:4]]
    one.table("electrodes", ["name", "x", "y", "z"], [*rows, ["C1", *cells], ["C2", *cells]])
    assert one.problems() == []
    assert any("2 channels have no coordinates: C1, C2" in note for note in one.notes())


# ---- one seizure twice ------------------------------------------------------------------


@pytest.mark.parametrize("stem", ["sub-01_task-ictal_run-02", "sub-01_task-ictal_acq-clip_run-01"])
def test_a_copy_of_the_recording_is_no_second_seizure(tmp_path, stem):
    one = patient(tmp_path)
    for path in list(one.ieeg.glob(f"{one.stem}_*")):
        shutil.copy(path, one.ieeg / path.name.replace(one.stem, stem))
    assert one.problems() == []
    assert seizures(one) == [(12.0, 6.0)]
    assert any("the same signal in two recordings" in note for note in one.notes())


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize(
    "texts", [("début de crise", "fin de crise"), ("Anfallsbeginn", "Ende Anfall")]
)
def test_marks_within_the_recording_in_the_words_of_a_hospital(tmp_path, encoding, texts):
    marks = [(12.0, None, texts[0]), (18.0, None, texts[1])]
    one = patient(tmp_path, edf={"marks": marks, "encoding": encoding})
    (one.ieeg / f"{one.stem}_events.tsv").unlink()
    assert one.problems() == []
    assert seizures(one) == [(12.0, 6.0)]


# ---- connectomes ------------------------------------------------------------------------


def as_csv(one, separator, decimal, encoding, names):
    for path in one.connectome_folder.glob("*relmat.tsv"):
        path.unlink()
    for name, matrix in zip(names, one.matrices(), strict=True):
        lines = [separator.join(f"{cell:.3f}" for cell in row) for row in matrix]
        text = "\r\n".join(lines).replace(".", decimal)
        (one.connectome_folder / name).write_bytes(text.encode(encoding))


@pytest.mark.parametrize(
    ("separator", "decimal", "encoding"),
    [(",", ".", "utf-8"), (";", ",", "utf-8"), (" ", ",", "latin-1"), ("\t", ".", "utf-16")],
)
@pytest.mark.parametrize("names", [("weights.csv", "lengths.csv"), ("SIFT2.CSV", "MeanLength.CSV")])
def test_matrices_of_a_spreadsheet(tmp_path, separator, decimal, encoding, names):
    one = patient(tmp_path)
    as_csv(one, separator, decimal, encoding, names)
    assert one.problems() == []
    found = read_ready_connectome(one.connectome_folder)
    np.testing.assert_allclose(found.weights, one.matrices()[0], atol=1e-3)


@pytest.mark.parametrize(
    "name", ["connectivity_6.zip", "Connectivity.ZIP", "sub-01_connectivity.zip"]
)
def test_the_zip_may_have_another_name(tmp_path, name):
    one = patient(tmp_path)
    ready = read_ready_connectome(one.connectome_folder)
    shutil.rmtree(one.connectome_folder)
    one.connectome_folder.mkdir()
    write_tvb_zip(one.connectome_folder / name, ready)
    assert one.problems() == []
    found = read_ready_connectome(one.connectome_folder)
    assert found.names == ready.names
    np.testing.assert_allclose(found.weights, ready.weights)


def test_two_zips_are_a_question(tmp_path):
    one = patient(tmp_path)
    shutil.rmtree(one.connectome_folder)
    one.connectome_folder.mkdir()
    for name in ("connectivity_68.zip", "connectivity_76.zip"):
        (one.connectome_folder / name).write_bytes(b"PK")
    (line,) = one.problems()
    assert "2 files with a connectome of The Virtual Brain" in line
