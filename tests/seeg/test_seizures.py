import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import InputError
from virtualbrain.seeg.seizure_features import propose_end
from virtualbrain.seeg.seizures import find_seizures, is_seizure, require_seizures, seizure_table
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()
WORDS = SETTINGS.seizure_words


@pytest.mark.parametrize("text", ["seizure", "Seizure", "sz", "sz_foc_ia", "SZ-gen", "seizure 1"])
def test_texts_that_mark_a_seizure(text):
    assert is_seizure(text, WORDS)


@pytest.mark.parametrize(
    "text", ["bckg", "post-seizure", "interictal spike", "no seizure", "szenario", "", "n/a"]
)
def test_texts_that_do_not_mark_a_seizure(text):
    assert not is_seizure(text, WORDS)


def test_seizures_are_sorted_by_time(patient, tmp_path):
    patient.events = pd.DataFrame(
        {
            "onset": [50.0, 5.0, 30.0],
            "duration": [10.0, 0.0, 8.0],
            "trial_type": ["seizure", "stimulation", "sz_foc"],
        }
    )
    found = find_seizures(patient.write(tmp_path), SETTINGS)
    assert [(s.onset_s, s.duration_s) for s in found] == [(30.0, 8.0), (50.0, 10.0)]
    assert found[0].source.endswith("row 4")
    assert found[0].offset_s == 38.0
    assert list(seizure_table(found)["kind"]) == ["sz_foc", "seizure"]


def test_the_szcore_column_is_read(patient, tmp_path):
    patient.events = patient.events.rename(columns={"trial_type": "eventType"})
    assert len(find_seizures(patient.write(tmp_path), SETTINGS)) == 1


def test_onset_and_offset_events_form_one_seizure(patient, tmp_path):
    patient.events = pd.DataFrame(
        {
            "onset": [35.0, 57.0],
            "duration": [0.0, 0.0],
            "trial_type": ["seizure onset", "seizure offset"],
        }
    )
    found = find_seizures(patient.write(tmp_path), SETTINGS)
    assert [(s.onset_s, s.duration_s) for s in found] == [(35.0, 22.0)]


def test_a_seizure_without_offset_has_no_duration(patient, tmp_path):
    patient.events["duration"] = np.nan
    found = find_seizures(patient.write(tmp_path), SETTINGS)
    assert np.isnan(found[0].duration_s)


def test_annotations_of_the_recording_are_read(patient, tmp_path):
    files = patient.write(tmp_path)
    assert files.recordings[0].events is not None
    files.recordings[0].events.unlink()
    vmrk = files.recordings[0].signal.with_suffix(".vmrk")
    # 512 samples a second: the mark is at 35 s and lasts 22 s.
    mark = f"Mk2=Comment,seizure,{35 * 512 + 1},{22 * 512},0"
    vmrk.write_text(vmrk.read_text().rstrip() + f"\n{mark}\n")
    from virtualbrain.io.patient_search import find_patient

    found = find_seizures(find_patient(tmp_path, "01"), SETTINGS)
    assert [(s.onset_s, s.duration_s) for s in found] == [(35.0, 22.0)]


def test_no_seizure_is_an_error_only_if_one_is_required(patient, tmp_path):
    patient.events["trial_type"] = "rest"
    files = patient.write(tmp_path)
    assert find_seizures(files, SETTINGS) == ()
    with pytest.raises(InputError, match="no seizure is marked"):
        require_seizures(files, SETTINGS)


def test_finding_seizures_does_not_load_mne():
    code = "import sys, virtualbrain.seeg.seizures; sys.exit('mne' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_proposed_offset_is_where_power_falls():
    times = np.arange(-20, 240) / 4
    envelope = np.random.default_rng(0).normal(0, 0.2, (20, len(times)))
    envelope[:4] += 4 * ((times >= 0) & (times < 31))
    # A pause of two seconds is not the end.
    envelope[:4, (times >= 15) & (times < 17)] = 0
    assert propose_end(envelope, times) == pytest.approx(31, abs=1.5)


def test_a_seizure_without_offset_lasts_to_the_end_of_the_recording():
    times = np.arange(-20, 100) / 4
    assert propose_end(np.where(times > 0, 3.0, 0.0)[None], times) == times[-1]
