from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


def no_seizure(patient):
    patient.events["trial_type"] = "post-seizure"


def no_coordinates(patient):
    patient.contacts[["x", "y", "z"]] = np.nan


def no_unit(patient):
    del patient.coordsystem["iEEGCoordinateUnits"]


def unknown_unit(patient):
    patient.coordsystem["iEEGCoordinateUnits"] = "inch"


def no_frame(patient):
    del patient.coordsystem["iEEGCoordinateSystem"]


def pixels(patient):
    patient.coordsystem["iEEGCoordinateSystem"] = "Pixels"


def template(patient):
    patient.coordsystem["iEEGCoordinateSystem"] = "MNI152NLin2009cAsym"


def other_without_description(patient):
    patient.coordsystem["iEEGCoordinateSystem"] = "Other"


def other_unknown(patient):
    patient.coordsystem["iEEGCoordinateSystem"] = "Other"
    patient.coordsystem["iEEGCoordinateSystemDescription"] = "frame of the robot"


def tkras_without_subject(patient):
    patient.coordsystem["iEEGCoordinateSystem"] = "Other"
    patient.coordsystem["iEEGCoordinateSystemDescription"] = "FreeSurfer tkRAS of the T1w"


def millimetres_stated_as_metres(patient):
    patient.coordsystem["iEEGCoordinateUnits"] = "m"


def metres_stated_as_millimetres(patient):
    patient.contacts[["x", "y", "z"]] /= 1000


def channel_without_contact(patient):
    patient.contacts = patient.contacts.drop(index=3)


def few_contacts(patient):
    patient.contacts = patient.contacts.iloc[:7]


def channel_not_recorded(patient):
    patient.channels.loc[3, "name"] = "A44"


def far_contact(patient):
    patient.contacts.loc[3, "x"] = 2000.0


def repeated_contact(patient):
    patient.contacts["name"] = patient.contacts["name"].replace("A4", "A03")


def repeated_channel(patient):
    patient.channels["name"] = patient.channels["name"].replace("A4", "EEG A3")


def short_recording(patient):
    patient.events["duration"] = 60.0


def event_past_the_end(patient):
    patient.events["onset"] = 4000.0


def no_end(patient):
    patient.events["duration"] = np.nan


def no_onset(patient):
    patient.events = pd.DataFrame({"onset": ["n/a"], "duration": [3.0], "trial_type": ["sz"]})


def no_baseline(patient):
    patient.events["onset"] = 0.0


def volts_stated_as_microvolts(patient):
    patient.signal = patient.signal * 1e-6


def microvolts_stated_as_volts(patient):
    patient.signal = patient.signal * 1e6


def no_seeg_channel(patient):
    patient.channels["type"] = "EEG"


def decimal_comma(patient):
    patient.contacts["x"] = [f"{x:g}".replace(".", ",") for x in patient.contacts["x"]]


def no_type_column(patient):
    patient.channels = patient.channels.drop(columns="type")


FAULTS = {
    no_seizure: ("no seizure", "events.tsv"),
    no_coordinates: ("no contact has coordinates", "electrodes.tsv"),
    no_unit: ("no unit", "iEEGCoordinateUnits"),
    unknown_unit: ("'inch'", "iEEGCoordinateUnits"),
    no_frame: ("no coordinate frame", "iEEGCoordinateSystem"),
    pixels: ("pixels", "iEEGCoordinateSystem"),
    template: ("not the patient's own", "coordsystem.json"),
    other_without_description: ("without a description", "iEEGCoordinateSystemDescription"),
    other_unknown: ("frame of the robot", "coordsystem.json"),
    tkras_without_subject: ("no FreeSurfer subject", "electrodes.tsv"),
    millimetres_stated_as_metres: ("look like mm", "electrodes.tsv"),
    metres_stated_as_millimetres: ("look like m:", "electrodes.tsv"),
    few_contacts: ("only 7 of 16 good channels have coordinates", "channels.tsv"),
    channel_not_recorded: ("A44 is not in", "channels.tsv, row 5"),
    far_contact: ("A4 is more than 1000 mm", "electrodes.tsv, row 5"),
    repeated_contact: ("A03 occurs twice", "electrodes.tsv, row 5"),
    repeated_channel: ("EEG A3 occurs twice", "channels.tsv, row 5"),
    short_recording: ("which is 70 s long", "events.tsv, row 2"),
    event_past_the_end: ("is not inside the recording", "events.tsv, row 2"),
    no_end: ("no marked offset", "events.tsv, row 2"),
    no_onset: ("has no onset", "events.tsv, row 2"),
    no_baseline: ("no baseline", "events.tsv, row 2"),
    volts_stated_as_microvolts: ("the unit in the file's header is probably wrong", "ieeg.vhdr"),
    microvolts_stated_as_volts: ("the unit in the file's header is probably wrong", "ieeg.vhdr"),
    no_seeg_channel: ("no channel belongs to a contact", "ieeg.vhdr"),
    decimal_comma: ("decimal point", "electrodes.tsv, rows 3, 5, 7"),
    no_type_column: ("no column type", "channels.tsv"),
}


def test_a_correct_patient_has_no_problem(patient, tmp_path):
    assert check_seeg(patient.write(tmp_path), SETTINGS) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_each_fault_is_reported_in_one_line_with_a_hint(fault, patient, regions, tmp_path):
    fault(patient)
    files = replace(patient.write(tmp_path), uses_template=False)  # as with a T1w image
    problems = check_seeg(files, SETTINGS)
    words, where = FAULTS[fault]
    found = [p for p in problems if words in str(p)]
    assert len(found) == 1, [str(p) for p in problems]
    assert where in found[0].where
    assert "\n" not in str(found[0])
    assert found[0].hint
    with pytest.raises(InputError):
        run_seeg(files, regions, None, None, None, SETTINGS)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("sub-01_electrodes.tsv", "no electrodes.tsv"),
        ("sub-01_coordsystem.json", "unit and coordinate frame of the contacts are unknown"),
        ("sub-01_task-seizure_ieeg.eeg", "cannot be read"),
        ("sub-01_task-seizure_events.tsv", "no seizure is marked"),
    ],
)
def test_a_missing_file_is_reported(patient, tmp_path, missing, words):
    patient.write(tmp_path)
    (tmp_path / "sub-01" / "ieeg" / missing).unlink()
    from virtualbrain.io.patient_search import find_patient

    problems = check_seeg(find_patient(tmp_path, "01"), SETTINGS)
    assert [p for p in problems if words in str(p)], [str(p) for p in problems]


def test_all_problems_are_reported_at_once(patient, tmp_path):
    for fault in (pixels, no_seizure, channel_not_recorded):
        fault(patient)
    text = "\n".join(str(p) for p in check_seeg(patient.write(tmp_path), SETTINGS))
    for words in ("pixels", "no seizure", "A44"):
        assert words in text


def test_a_bad_channel_needs_no_contact(patient, tmp_path):
    channel_without_contact(patient)
    patient.channels.loc[3, "status"] = "bad"
    assert check_seeg(patient.write(tmp_path), SETTINGS) == []


def test_the_check_reads_at_most_ten_seconds_of_a_recording(patient, tmp_path, monkeypatch):
    import virtualbrain.seeg.channel_selection as module

    read = []
    real = module.read_signal

    def spy(path, names, start_s, stop_s, rate_hz):
        read.append(stop_s - start_s)
        return real(path, names, start_s, stop_s, rate_hz)

    monkeypatch.setattr(module, "read_signal", spy)
    check_seeg(patient.write(tmp_path), SETTINGS)
    assert 0 < sum(read) <= 10.0
