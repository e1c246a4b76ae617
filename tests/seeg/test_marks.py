"""One seizure is one seizure, however often and in whatever words it is marked."""

import math

import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.patient_search import find_patient
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.seizures import is_end, read_marks, require_seizures, seizure_mark
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()

ONE_SEIZURE = {
    "overlap": [(35.0, 22.0, "seizure"), (37.0, 10.0, "clinical seizure")],
    "repeated rows": [(35.0, 22.0, "sz_foc"), (35.0, 22.0, "sz_foc")],
    "partial overlap": [(35.0, 12.0, "seizure"), (40.0, 17.0, "seizure, bilateral")],
    "one after the other": [(35.0, 12.0, "sz_foc"), (47.0, 10.0, "sz_foc_bil")],
    "three marks": [(35.0, 22.0, "seizure"), (36.0, 3.0, "seizure"), (50.0, 7.0, "sz")],
    "onset before the row": [(35.0, 0.0, "seizure onset"), (38.0, 19.0, "seizure")],
    "two onsets and an end": [
        (35.0, 0.0, "seizure onset"),
        (41.0, 0.0, "clinical seizure onset"),
        (57.0, 0.0, "seizure end"),
    ],
    "row and marks": [
        (35.0, 0.0, "seizure start"),
        (35.0, 22.0, "seizure"),
        (57.0, 0.0, "seizure stop"),
    ],
    "end with a duration": [(35.0, 22.0, "seizure"), (57.0, 5.0, "seizure over")],
    "onset and end only": [(35.0, 0.0, "seizure"), (57.0, 0.0, "seizure offset")],
    "remark within": [(35.0, 22.0, "seizure"), (44.0, 0.0, "seizure, head turns")],
    "remark before": [(5.0, 0.0, "seizure button tested"), (35.0, 22.0, "seizure")],
    "remark shortly before": [(30.0, 0.0, "sz?"), (35.0, 22.0, "sz")],
    "remark after": [(35.0, 22.0, "seizure"), (66.0, 0.0, "seizure reported to Dr X")],
}


def write(patient, rows, folder):
    patient.events = pd.DataFrame(rows, columns=["onset", "duration", "trial_type"])
    return patient.write(folder)


@pytest.mark.parametrize("kind", ONE_SEIZURE)
def test_marks_of_one_seizure_form_one_seizure(patient, tmp_path, kind):
    files = write(patient, ONE_SEIZURE[kind], tmp_path)
    marks = read_marks(files, SETTINGS)
    assert [(s.onset_s, s.duration_s) for s in marks.seizures] == [(35.0, 22.0)]
    assert marks.ends == ()
    ends = sum(is_end(text) for _, _, text in ONE_SEIZURE[kind])
    if len(ONE_SEIZURE[kind]) - ends > 1:
        (note,) = marks.notes
        assert "row" in note
    assert check_seeg(files, SETTINGS) == []


def test_a_seizure_marked_twice_gives_the_result_of_one(patient, regions, labels, tmp_path):
    once = run_seeg(patient.write(tmp_path / "a"), regions, labels, None, None, SETTINGS)
    files = write(patient, ONE_SEIZURE["overlap"], tmp_path / "b")
    twice = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert len(twice.envelopes) == 1
    assert once.envelopes[0].equals(twice.envelopes[0])
    assert any("2 marks of one seizure at 35 s" in note for note in twice.notes)


TWO_SEIZURES = {
    "apart": [(15.0, 10.0, "seizure"), (35.0, 22.0, "seizure")],
    "marks": [
        (15.0, 0.0, "seizure"), (25.0, 0.0, "end of the seizure"),
        (35.0, 0.0, "seizure"), (57.0, 0.0, "seizure ends"),
    ],
    "mixed": [
        (15.0, 0.0, "seizure onset"), (25.0, 0.0, "seizure offset"), (35.0, 22.0, "sz_foc"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", TWO_SEIZURES)
def test_two_seizures_stay_two(patient, tmp_path, kind):
    marks = read_marks(write(patient, TWO_SEIZURES[kind], tmp_path), SETTINGS)
    found = [(s.onset_s, s.duration_s) for s in marks.seizures]
    assert found == [(15.0, 10.0), (35.0, 22.0)]
    assert marks.notes == ()


def test_onsets_far_apart_are_two_seizures(patient, tmp_path):
    """The first has no end: it must not reach to the end of the second."""
    first, second = (10.0, 0.0, "seizure onset"), (500.0, 0.0, "seizure onset")
    files = write(patient, [first, second, (530.0, 0.0, "seizure end")], tmp_path)
    found = read_marks(files, SETTINGS).seizures
    assert [s.onset_s for s in found] == [10.0, 500.0]
    assert math.isnan(found[0].duration_s)
    assert found[1].duration_s == 30.0


@pytest.mark.parametrize(
    "text",
    [
        "seizure over", "seizure end", "End of seizure", "sz stop", "seizure stopped",
        "seizure offset", "seizure terminated", "end of seizure on EEG", "Sz off",
    ],
)  # fmt: skip
@pytest.mark.parametrize("duration", [0.0, 5.0])
def test_a_mark_of_an_end_never_starts_a_seizure(patient, tmp_path, text, duration):
    files = write(patient, [(35.0, duration, text)], tmp_path)
    marks = read_marks(files, SETTINGS)
    assert marks.seizures == ()
    assert [end.onset_s for end in marks.ends] == [35.0]
    with pytest.raises(InputError, match="no seizure is marked"):
        require_seizures(files, SETTINGS)


def test_a_row_from_onset_to_end_is_a_seizure(patient, tmp_path):
    files = write(patient, [(35.0, 22.0, "seizure, onset to end")], tmp_path)
    assert len(read_marks(files, SETTINGS).seizures) == 1


@pytest.mark.parametrize("text", ["seizure", "sz", "possible seizure?", "Seizure noted by nurse"])
def test_remarks_of_zero_duration_are_seizures_only_if_configured(patient, tmp_path, text):
    files = write(patient, [(35.0, 0.0, text)], tmp_path)
    assert read_marks(files, SETTINGS).seizures == ()
    (problem,) = [p for p in check_seeg(files, SETTINGS) if "no seizure" in p.what]
    assert "events.tsv, row 2 is a remark of zero duration" in problem.hint
    (seizure,) = read_marks(files, SeegSettings(zero_duration_is_seizure=True)).seizures
    assert math.isnan(seizure.duration_s)


def test_copies_without_free_text_keep_the_kinds_of_marks():
    words = SETTINGS.seizure_words
    texts = ["seizure onset, Dr X", "seizure is over", "seizure", "sz_foc", "no seizure"]
    assert [seizure_mark(text, words) for text in texts] == [
        "seizure onset", "seizure offset", "seizure", "sz_foc", None,
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"no recording", b"0" * 300])
def test_an_unreadable_recording_without_events_is_left_out_beside_a_seizure(
    patient, tmp_path, content
):
    patient.write(tmp_path)
    other = tmp_path / "sub-01/ieeg/sub-01_task-rest_ieeg.edf"
    other.write_bytes(content)
    files = find_patient(tmp_path, "01")
    marks = read_marks(files, SETTINGS)
    assert len(marks.seizures) == 1
    assert any("sub-01_task-rest_ieeg.edf" in note for note in marks.notes)
    assert check_seeg(files, SETTINGS) == []
    (tmp_path / "sub-01/ieeg/sub-01_task-seizure_events.tsv").unlink()
    with pytest.raises(InputError, match=r"sub-01_task-rest_ieeg\.edf"):
        read_marks(find_patient(tmp_path, "01"), SETTINGS)


LANGUAGES = {
    "German": [("Anfall Beginn", "Anfall Ende"), ("Anfallsbeginn", "Anfallsende")],
    "Dutch": [("aanval begin", "einde aanval"), ("Aanvang aanval", "Aanval gestopt")],
    "French": [("début de crise", "fin de crise"), ("DEBUT CRISE", "crise arrêt")],
    "Spanish": [("Inicio de crisis", "fin de crisis"), ("crisis comienza", "crisis termina")],
    "Italian": [("inizio crisi", "fine crisi"), ("esordio crisi", "crisi termina")],
    "Portuguese": [("início da crise", "fim da crise"), ("começo crise", "crise fim")],
    "English": [("seizure ON", "seizure ceased"), ("Seizures start", "SZ over")],
}
PAIRS = [pair for pairs in LANGUAGES.values() for pair in pairs]


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_start_and_end_in_the_words_of_a_hospital(patient, tmp_path, start, end):
    files = write(patient, [(35.0, 0.0, start), (57.0, 0.0, end)], tmp_path)
    marks = read_marks(files, SETTINGS)
    assert [(s.onset_s, s.duration_s) for s in marks.seizures] == [(35.0, 22.0)]
    assert marks.remarks == ()


@pytest.mark.parametrize(("start", "end"), PAIRS)
def test_an_end_in_any_language_starts_no_seizure(patient, tmp_path, start, end):
    rows = [(20.0, 5.0, end), (35.0, 22.0, "seizure")]
    marks = read_marks(write(patient, rows, tmp_path), SETTINGS)
    assert [s.onset_s for s in marks.seizures] == [35.0]
    assert is_end(end)
    assert not is_end(start)


@pytest.mark.parametrize(
    "text",
    [
        *("keine Anfälle", "vor dem Anfall", "anfallsfreie Nacht", "geen aanval", "na aanval"),
        *("pas de crise", "après la crise", "sin crisis", "antes de la crisis", "senza crisi"),
        *("sem crise", "no seizures overnight", "before seizure"),
    ],
)
def test_a_remark_that_there_is_none_is_no_seizure(patient, tmp_path, text):
    files = write(patient, [(5.0, 3.0, text), (35.0, 22.0, "seizure")], tmp_path)
    assert [s.onset_s for s in read_marks(files, SETTINGS).seizures] == [35.0]


@pytest.mark.parametrize("text", ["seizure, patient fine", "sz NA", "seizure voor"])
def test_words_of_other_languages_do_not_count_in_english(patient, tmp_path, text):
    marks = read_marks(write(patient, [(35.0, 22.0, text)], tmp_path), SETTINGS)
    assert [s.onset_s for s in marks.seizures] == [35.0]


@pytest.mark.parametrize("text", ["de\u0301but de crise", "DÉBUT DE CRISE"])
def test_accents_are_equal_in_every_normal_form(text):
    assert seizure_mark(text, SETTINGS.seizure_words) == "seizure onset"


@pytest.mark.parametrize("column", ["description", "event_type"])
def test_another_column_that_marks_the_seizure_is_named(patient, tmp_path, column):
    patient.events = pd.DataFrame([(35.0, 22.0, "seizure")], columns=["onset", "duration", column])
    files = patient.write(tmp_path)
    with pytest.raises(InputError, match=rf"seeg.event_columns: \[{column}\]"):
        require_seizures(files, SETTINGS)
    found = require_seizures(files, SeegSettings(event_columns=(column,)))
    assert [s.onset_s for s in found] == [35.0]


def test_all_times_with_a_decimal_comma_are_in_one_line(patient, tmp_path):
    rows = [("12,0", "3,5", "seizure"), ("35,5", "22,0", "seizure")]
    with pytest.raises(InputError, match=r"rows 2, 3: .*'12,0'; .*'35,5'.*decimal point"):
        read_marks(write(patient, rows, tmp_path), SETTINGS)
