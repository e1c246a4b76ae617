import numpy as np
import pandas as pd
import pytest

from virtualbrain.seeg.run import run_seeg
from virtualbrain.seeg.seizure_features import choose_baseline
from virtualbrain.seeg.settings import SeegSettings

SETTINGS = SeegSettings()


@pytest.fixture
def result(patient, regions, labels, tmp_path):
    return run_seeg(patient.write(tmp_path), regions, labels, None, None, SETTINGS)


def test_only_seizing_channels_are_found(result):
    channels = result.channels.set_index("name")
    seizing = channels.index[channels["onset_s"].notna()]
    assert list(seizing) == ["A1-A2", "A2-A3", "A3-A4"]
    np.testing.assert_allclose(channels.loc[seizing, "onset_s"], [0, 0, 4], atol=1.0)


def test_the_envelope_rises_during_the_seizure_and_returns_to_baseline(result):
    envelope = result.envelopes[0]
    during = envelope.sel(time=slice(6, 20)).mean("time").to_series()
    assert (during[["A1-A2", "A3-A4"]] > 3).all()
    assert (during.drop(["A1-A2", "A2-A3", "A3-A4"]).abs() < 0.5).all()
    assert np.abs(envelope.sel(time=slice(24, 27))).max() < 1.5
    assert envelope.attrs["offset_s"] == 22.0
    assert 0.0 in envelope["time"].values


def test_the_gain_covers_good_channels_and_is_non_negative(result):
    good = result.channels.loc[result.channels["status"] == "good", "name"]
    assert list(result.gain.index) == list(good) == list(result.envelopes[0]["channel"].values)
    assert (result.gain.to_numpy() >= 0).all()
    assert result.gain.loc["A1-A2"].idxmax() == "ctx-lh-one"


@pytest.mark.parametrize(("kind", "tolerance"), [("edf", 2e-3), ("fif", 1e-6)])
def test_the_envelope_is_independent_of_the_file_format(
    patient, regions, labels, tmp_path, result, kind, tolerance
):
    patient.kind = kind
    other = run_seeg(patient.write(tmp_path / kind), regions, labels, None, None, SETTINGS)
    first, second = result.envelopes[0], other.envelopes[0]
    spread = float(first.max() - first.min())
    assert float(np.abs(first - second).max()) < tolerance * spread


def test_without_a_label_image_region_centres_are_used(patient, regions, tmp_path):
    result = run_seeg(patient.write(tmp_path), regions, None, None, None, SETTINGS)
    contacts = result.contacts.set_index("name")
    assert contacts.loc["A1", "region"] == "ctx-lh-one"
    assert contacts.loc["A5", "region"] == "ctx-lh-two"
    assert result.quality["gain_sources"] == "centres"
    assert result.gain.loc["A1-A2", "ctx-lh-one"] > result.gain.loc["A1-A2", "ctx-lh-three"]


def test_bad_contacts_do_not_enter_any_channel(patient, regions, labels, tmp_path):
    patient.channels.loc[1, ["status", "status_description"]] = ["bad", "broken"]
    result = run_seeg(patient.write(tmp_path), regions, labels, None, None, SETTINGS)
    channels = result.channels.set_index("name")
    assert list(channels.index[channels["status"] == "bad"]) == ["A1-A2", "A2-A3"]
    assert "broken" in channels.loc["A1-A2", "status_description"]
    assert "A1-A2" not in result.gain.index


def test_two_seizures_give_two_envelopes_with_the_same_channels(patient, regions, labels, tmp_path):
    patient.events = pd.DataFrame(
        {"onset": [35.0, 46.0], "duration": [8.0, 10.0], "trial_type": ["seizure", "seizure"]}
    )
    result = run_seeg(patient.write(tmp_path), regions, labels, None, None, SETTINGS)
    assert [e.attrs["seizure"] for e in result.envelopes] == [1, 2]
    assert list(result.envelopes[0]["channel"]) == list(result.envelopes[1]["channel"])
    # The second baseline must not overlap the first seizure.
    assert result.envelopes[1].attrs["baseline_s"][0] >= 43.0 - 46.0


def test_baseline_is_cut_at_the_start_of_the_recording(patient, tmp_path):
    from dataclasses import replace

    from virtualbrain.seeg.seizures import find_seizures

    seizure = find_seizures(patient.write(tmp_path), SETTINGS)[0]
    assert choose_baseline(seizure, [], SETTINGS) == (-22.0, -2.0)
    assert choose_baseline(replace(seizure, onset_s=10.0), [], SETTINGS) == (-10.0, -2.0)
    assert choose_baseline(replace(seizure, onset_s=1.0), [], SETTINGS) == (-1.0, 0.0)
