"""A demo patient's recording of single pulses is read by the pipeline and shows its network."""

import numpy as np
import pandas as pd

from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_header
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.seizures import find_seizures
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.regions import regional_responses
from virtualbrain.stimulation.spes import check_spes, run_spes
from virtualbrain.synthetic.evoked_network import draw_evoked_network
from virtualbrain.synthetic.truth_files import read_true_contacts, read_true_responses

SEEG = SeegSettings()


def test_the_seizure_is_that_of_the_patient_without_stimulation(
    stimulated_patient, connectome_patient
):
    with_pulses, without = (find_patient(f, "01") for f in (stimulated_patient, connectome_patient))
    assert len(with_pulses.recordings) == 2
    assert not check_seeg(with_pulses, SEEG)
    found, expected = (find_seizures(files, SEEG) for files in (with_pulses, without))
    assert [s.onset_s for s in found] == [s.onset_s for s in expected]
    assert [s.recording.signal.name for s in found] == [s.recording.signal.name for s in expected]
    signals = [
        f / "sub-01/ieeg/sub-01_task-ictal_run-01_ieeg.edf"
        for f in (stimulated_patient, without.bids)
    ]
    assert signals[0].read_bytes()[1000:] == signals[1].read_bytes()[1000:]


def test_the_recording_is_small_and_valid(stimulated_patient):
    files = find_patient(stimulated_patient, "01")
    assert check_spes(files, SEEG) == []
    recording = next(r for r in files.recordings if "spes" in r.signal.name)
    assert recording.signal.stat().st_size < 12_000_000
    assert read_header(recording.signal).rate_hz == 512
    events = read_table(recording.events)
    assert set(events["trial_type"]) == {"electrical_stimulation"}
    assert events["electrical_stimulation_site"].nunique() == 8


def test_responses_follow_the_true_network(stimulated_patient):
    files = find_patient(stimulated_patient, "01")
    found = run_spes(files, SEEG, np.random.default_rng(1))
    contacts = read_true_contacts(stimulated_patient, "01")
    regions = {
        n: r
        for n, r in zip(contacts["name"], contacts["region"], strict=True)
        if isinstance(r, str)
    }
    rng = np.random.default_rng(2)
    pairs = regional_responses(found.tables, found.contacts_of, regions, rng).pairs
    pairs = pairs[pairs["stimulated"] != pairs["recorded"]]
    true = read_true_responses(stimulated_patient, "01", "amplitude")
    expected = [true.loc[s, t] for s, t in zip(pairs["stimulated"], pairs["recorded"], strict=True)]
    assert len(pairs) > 100
    assert pairs["amplitude_v"].corr(pd.Series(expected, pairs.index), method="spearman") > 0.6
    likely = pairs["probability"] > 0.9
    assert np.mean(np.array(expected)[likely]) > 2 * np.mean(np.array(expected)[~likely])


def test_a_pulse_spreads_along_strong_and_indirect_connections():
    weights = np.zeros((4, 4))
    weights[1, 0], weights[2, 1] = 1.0, 1.0  # 0 -> 1 -> 2
    lengths = np.where(weights > 0, 40.0, 0.0)
    excitable = np.zeros(4, dtype=bool)
    evoked = draw_evoked_network(weights, lengths, excitable, np.random.default_rng(1))
    from_first = evoked.amplitude_v[0]
    assert from_first[1] > from_first[2] > from_first[3] == 0
    assert evoked.latency_s.min() >= 0.011
    assert evoked.latency_s.max() <= 0.05
