"""Pauses and sampling rates of recordings: every onset stays where it belongs."""

import numpy as np
import pandas as pd
import pytest

from tests.io.edf_files import Channel, EdfFile
from virtualbrain.errors import InputError
from virtualbrain.io.patient_search import find_patient
from virtualbrain.seeg.check import check_seeg, seeg_notes
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.seizures import find_seizures
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()
STEM = "sub-01_task-seizure"


def channels_of(patient):
    return [
        Channel(name, patient.rate_hz, row * 1e6)
        for name, row in zip(patient.names, patient.signal, strict=True)
    ]


def write(patient, folder, extra=(), events=None, **options):
    """Write the patient with an EDF made by `EdfFile`; return its files."""
    patient.write(folder)
    ieeg = folder / "sub-01" / "ieeg"
    for path in ieeg.glob(f"{STEM}_ieeg.*"):
        if path.suffix != ".json":
            path.unlink()
    EdfFile([*channels_of(patient), *extra], **options).write(ieeg / f"{STEM}_ieeg.edf")
    table = ieeg / f"{STEM}_events.tsv"
    table.unlink()
    if events is not None:
        rows = pd.DataFrame(events, columns=["onset", "duration", "trial_type"])
        rows.to_csv(table, sep="\t", index=False)
    return find_patient(folder, "01")


def starts(pauses, n=70):
    """Return clock times of records of 1 s, with pauses before some of them."""
    return np.arange(n) + np.cumsum([pauses.get(i, 0.0) for i in range(n)])


def problems(files, settings=SETTINGS):
    return [str(problem) for problem in check_seeg(files, settings)]


def trigger(rate_hz):
    return Channel("TRIG", rate_hz, np.zeros(round(70 * rate_hz)))


PAUSES = ({10: 3.0}, {2: 60.0, 11: 0.5}, {12: 1000.0, 66: 2.0})


@pytest.mark.parametrize("pauses", PAUSES, ids=str)
def test_a_mark_after_a_pause_is_where_the_discharge_is(patient, regions, labels, tmp_path, pauses):
    before = run_seeg(patient.write(tmp_path / "a"), regions, labels, None, None, SETTINGS)
    shift = sum(length for record, length in pauses.items() if record < 35)
    files = write(
        patient, tmp_path / "b", starts_s=starts(pauses), kind="EDF+D",
        marks=[(35.0 + shift, 22.0, "seizure")],
    )  # fmt: skip
    assert problems(files) == []
    assert find_seizures(files, SETTINGS)[0].onset_s == pytest.approx(35.0)
    assert any("converted from clock time" in note for note in seeg_notes(files, SETTINGS))
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    np.testing.assert_allclose(result.channels["onset_s"], before.channels["onset_s"], atol=0.05)
    np.testing.assert_allclose(result.envelopes[0], before.envelopes[0], atol=0.05)


def test_a_pause_is_like_the_start_of_the_recording(patient, regions, labels, tmp_path):
    patient.signal[:, : 25 * 512] *= 50  # another gain before the pause
    files = write(
        patient, tmp_path / "a", starts_s=starts({25: 5.0}), marks=[(40.0, 22.0, "seizure")],
        kind="EDF+D",
    )  # fmt: skip
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert result.envelopes[0].attrs["baseline_s"] == [-10.0, -2.0]
    patient.signal = patient.signal[:, 25 * 512 :]
    files = write(patient, tmp_path / "b", events=[(10.0, 22.0, "seizure")])
    expected = run_seeg(files, regions, labels, None, None, SETTINGS)
    np.testing.assert_allclose(result.envelopes[0], expected.envelopes[0], atol=1e-6)
    np.testing.assert_array_equal(result.channels["onset_s"], expected.channels["onset_s"])


@pytest.mark.parametrize("pauses", [{40: 3.0}, {36: 0.5, 50: 20.0}, {56: 1.0}], ids=str)
def test_a_seizure_that_spans_a_pause_is_refused(patient, tmp_path, pauses):
    shift = sum(pauses.values())
    files = write(
        patient, tmp_path, starts_s=starts(pauses), marks=[(35.0, 22.0 + shift, "seizure")],
        kind="EDF+D",
    )  # fmt: skip
    (text,) = problems(files)
    assert "spans a pause" in text
    assert f"at {next(iter(pauses))} s for" in text


def test_an_onset_directly_after_a_pause_has_no_baseline(patient, tmp_path):
    files = write(
        patient, tmp_path, starts_s=starts({35: 3.0}), marks=[(38.2, 22.0, "seizure")],
        kind="EDF+D",
    )  # fmt: skip
    (text,) = problems(files)
    assert "no baseline" in text
    assert "at 35 s for 3 s" in text


@pytest.mark.parametrize("pauses", PAUSES[:2], ids=str)
def test_times_of_events_tsv_after_a_pause_are_a_question(patient, tmp_path, pauses):
    shift = sum(pauses.values())
    events = [(35.0 + shift, 22.0, "seizure")]
    files = write(patient, tmp_path, starts_s=starts(pauses), events=events, kind="EDF+D")
    (text,) = problems(files)
    assert "event_clock" in text
    assert "row 2" in text
    clock = SeegSettings(event_clock="clock")
    assert find_seizures(files, clock)[0].onset_s == pytest.approx(35.0)
    signal = SeegSettings(event_clock="signal")
    assert find_seizures(files, signal)[0].onset_s == pytest.approx(35.0 + shift)


@pytest.mark.parametrize("counted", [True, False])
def test_annotations_decide_how_events_tsv_counts(patient, tmp_path, counted):
    onset = 41.0 if counted else 35.0
    files = write(
        patient, tmp_path, starts_s=starts({9: 6.0}), kind="EDF+D",
        events=[(onset, 22.0, "seizure")], marks=[(41.0, None, "seizure onset")],
    )  # fmt: skip
    assert problems(files) == []
    assert find_seizures(files, SETTINGS)[0].onset_s == pytest.approx(35.0)


def test_events_before_the_first_pause_are_no_question(patient, tmp_path):
    events = [(35.0, 22.0, "seizure")]
    files = write(patient, tmp_path, starts_s=starts({60: 6.0}), events=events, kind="EDF+D")
    assert problems(files) == []


def test_a_contiguous_edf_d_is_read_as_any_edf(patient, regions, labels, tmp_path):
    events = [(35.0, 22.0, "seizure")]
    results = [
        run_seeg(
            write(patient, tmp_path / kind, starts_s=0.5 + starts({}), events=events, kind=kind),
            regions, labels, None, None, SETTINGS,
        )
        for kind in ("EDF+C", "EDF+D")
    ]  # fmt: skip
    assert results[0].envelopes[0].equals(results[1].envelopes[0])
    assert results[0].notes == results[1].notes


def test_a_new_segment_of_brainvision_is_a_pause(patient, tmp_path):
    files = patient.write(tmp_path)
    marks = files.recordings[0].signal.with_suffix(".vmrk")
    head = marks.read_text().partition("[Marker Infos]")[0]
    rows = ("Mk1=New Segment,,1,1,0,0", f"Mk2=New Segment,,{45 * 512 + 1},1,0,0")
    marks.write_text("\n".join([head + "[Marker Infos]", *rows]) + "\n")
    (found,) = problems(files)
    assert "spans a pause of the recording (pauses: at 45 s)" in found


@pytest.mark.parametrize(
    ("record_s", "rates"),
    [(1.0, (1024.0,)), (2.0, (2048.0, 1.0)), (5.0, (640.0,)), (7.0, (10.0, 4096.0))],
)
def test_channels_of_other_rates_change_nothing(
    patient, regions, labels, tmp_path, record_s, rates
):
    events = [(35.0, 22.0, "seizure")]
    extra = [Channel(f"X{r:g}", r, np.zeros(round(70 * r))) for r in rates]
    results = [
        run_seeg(
            write(patient, tmp_path / f"{len(more)}", more, events, record_s=record_s),
            regions, labels, None, None, SETTINGS,
        )
        for more in ([], extra)
    ]  # fmt: skip
    np.testing.assert_array_equal(results[0].envelopes[0], results[1].envelopes[0])
    assert results[1].channels["onset_s"].equals(results[0].channels["onset_s"])
    assert results[1].quality["recordings"][0]["rate_hz"] == 512.0


def test_contacts_of_two_rates_keep_their_onsets(patient, regions, labels, tmp_path):
    """The electrode B is recorded at 1024 Hz, A at 512 Hz."""
    events = [(35.0, 22.0, "seizure")]
    before = run_seeg(
        write(patient, tmp_path / "a", events=events), regions, labels, None, None, SETTINGS
    )
    fast = np.repeat(patient.signal[8:], 2, axis=1)
    extra = [Channel(f"B{i + 1}", 1024.0, row * 1e6) for i, row in enumerate(fast)]
    patient.signal, patient.names = patient.signal[:8], patient.names[:8]
    files = write(patient, tmp_path / "b", extra, events)
    assert any("512, 1024 Hz resampled to 512 Hz" in note for note in seeg_notes(files, SETTINGS))
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    np.testing.assert_allclose(result.channels["onset_s"], before.channels["onset_s"], atol=0.01)


def test_a_few_slow_channels_are_left_out(patient, regions, labels, tmp_path):
    slow = Channel("B8", 2.0, np.random.default_rng(0).standard_normal(140) * 40)
    patient.signal, patient.names = patient.signal[:15], patient.names[:15]
    files = write(patient, tmp_path, [slow], [(35.0, 22.0, "seizure")])
    assert problems(files) == []
    result = run_seeg(files, regions, labels, None, None, SETTINGS)
    assert result.quality["recordings"][0]["rate_hz"] == 512.0
    status = result.channels.set_index("name")["status"]
    assert status["B7-B8"] == "bad"
    assert status["B6-B7"] == "good"
    assert any("B8 is sampled below 200 Hz" in note for note in result.notes)


def test_an_onset_that_is_not_a_number_is_named(patient, tmp_path):
    for cell, words in (("35,0", "decimal point"), ("35 s", "enter the seconds")):
        files = write(patient, tmp_path / words, events=[(cell, 22.0, "seizure")])
        with pytest.raises(InputError, match=words):
            find_seizures(files, SETTINGS)
