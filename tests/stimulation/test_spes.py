"""SPES recordings give the true responses; bad input is refused in one line."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.stimulation.conftest import write_spes
from virtualbrain.errors import InputError
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.spes import SITE_COLUMNS, check_spes, run_spes

MONOPOLAR = SeegSettings(montage="monopolar")


def responses(files, seeg=MONOPOLAR, seed=1):
    return run_spes(files, seeg, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def found(small_spes, tmp_path_factory):
    return responses(write_spes(tmp_path_factory.mktemp("spes"), small_spes))


def test_matrices_have_sites_and_channels(found, small_spes):
    for table in (found.amplitude_v, found.latency_s, found.probability):
        assert tuple(table.index) == small_spes.sites
        assert list(table.columns) == sorted(small_spes.names)
    assert tuple(found.sites.columns) == SITE_COLUMNS
    assert (found.sites["n_trials"] == 8).all()
    assert (found.sites["current_a"] == 0.004).all()
    assert (found.sites["pcist"] > 0).all()
    assert found.sites["rate_hz"].tolist() == pytest.approx([1000.0] * 3, rel=0.01)


def test_stimulated_contacts_are_not_used(found):
    for site in found.probability.index:
        stimulated = site.split("-")
        assert found.probability.loc[site, stimulated].isna().all()
        assert found.probability.loc[site].drop(stimulated).notna().all()


def test_true_responses_are_found(found, small_spes):
    truth = pd.DataFrame(small_spes.amplitude_v, small_spes.sites, small_spes.names)
    latency = pd.DataFrame(small_spes.latency_s, small_spes.sites, small_spes.names)
    used = found.probability.notna()
    connected = (truth[found.probability.columns] != 0) & used
    seen = found.amplitude_v.notna()
    assert (seen & connected).sum().sum() >= 0.9 * connected.sum().sum()
    assert (seen & ~connected & used).sum().sum() <= 0.1 * (~connected & used).sum().sum()
    both = (seen & connected).to_numpy()
    errors = np.abs(found.latency_s - latency[found.latency_s.columns]).to_numpy()[both]
    assert np.median(errors) < 1e-3
    measured, true = (
        found.amplitude_v.to_numpy()[both],
        truth[found.amplitude_v.columns].to_numpy()[both],
    )
    assert (np.sign(measured) == np.sign(true)).all()
    assert np.corrcoef(measured, true)[0, 1] > 0.95
    assert found.probability.to_numpy()[both].min() > 0.5


def test_bipolar_channels_are_formed(small_spes, tmp_path):
    bipolar = responses(write_spes(tmp_path, small_spes), SeegSettings())
    assert list(bipolar.probability.columns[:3]) == ["A1-A2", "A2-A3", "A3-A4"]
    for site in bipolar.probability.index:
        touching = [c for c in bipolar.probability if set(c.split("-")) & set(site.split("-"))]
        assert bipolar.probability.loc[site, touching].isna().all()


def test_same_seed_gives_the_same_tables(found, small_spes, tmp_path):
    again = responses(write_spes(tmp_path, small_spes))
    pd.testing.assert_frame_equal(found.probability, again.probability)
    pd.testing.assert_frame_equal(found.sites, again.sites)


def test_direction_of_the_current_makes_no_other_site(small_spes, tmp_path):
    events = small_spes.events.copy()
    site = "electrical_stimulation_site"
    turned = ["-".join(reversed(name.split("-"))) for name in events[site]]
    events[site] = np.where(np.arange(len(events)) % 2 == 1, turned, events[site])
    result = responses(write_spes(tmp_path, small_spes, events))
    assert tuple(result.sites["site"]) == small_spes.sites
    assert (result.sites["n_trials"] == 8).all()


def test_other_currents_and_sub_types_are_left_out_with_a_note(small_spes, tmp_path):
    events = small_spes.events.copy()
    events.loc[:1, "electrical_stimulation_current"] = 0.002
    events["sub_type"] = "SPES"
    events.loc[events.index[-1], "sub_type"] = "ESM"
    result = responses(write_spes(tmp_path, small_spes, events))
    assert result.sites["n_trials"].tolist() == [6, 8, 7]
    assert any("other currents than 4 mA" in note for note in result.notes)
    assert any("sub_type ESM left out" in note for note in result.notes)


def clipped(recording, rows, duration_s=0.05, level=1e-3):
    """Clip channels after every pulse."""
    signal = np.clip(recording.signal_v.copy(), -level, level)
    for onset in recording.events["onset"]:
        start = round(onset * recording.rate_hz)
        signal[rows, start : start + round(duration_s * recording.rate_hz)] = level
    return replace(recording, signal_v=signal)


def test_clipped_channels_are_left_out_with_a_note(small_spes, tmp_path):
    stimulated = {name for site in small_spes.sites for name in site.split("-")}
    row = next(k for k, name in enumerate(small_spes.names) if name not in stimulated)
    result = responses(write_spes(tmp_path, clipped(small_spes, [row])))
    assert result.probability[small_spes.names[row]].isna().all()
    assert any("the amplifier clipped 1 channels" in note for note in result.notes)
    others = result.probability.drop(columns=small_spes.names[row])
    assert others.notna().any(axis=1).all()


def test_an_amplifier_that_clips_everything_is_refused(small_spes, tmp_path):
    files = write_spes(tmp_path, clipped(small_spes, slice(None)))
    with pytest.raises(InputError, match="the amplifier clipped the channels") as error:
        responses(files)
    assert "\n" not in str(error.value)


def change(column, value, rows=slice(None)):
    def apply(events):
        events = events.copy()
        events[column] = events[column].astype(object)
        events.loc[events.index[rows], column] = value
        return events

    return apply


def closer(events):
    events = events.copy()
    events["onset"] = 1.0 + (events["onset"] - 1.0) / 3
    return events


SITE = "electrical_stimulation_site"
BAD = [
    (change("trial_type", "rest"), "no electrical stimulation is marked"),
    (lambda e: e.drop(columns=SITE), "row 2: the stimulation has no site"),
    (change(SITE, None, slice(3, 5)), "row 5: the stimulation has no site"),
    (change(SITE, "A1-Z9", slice(3, 5)), "row 5: the site A1-Z9 is no pair of contacts"),
    (change(SITE, "A1", slice(3, 5)), "row 5: the site A1 is no pair of contacts"),
    (change(SITE, "A1-A1", slice(3, 5)), "row 5: the site A1-A1 is no pair of contacts"),
    (lambda e: e.iloc[::6], "no site has 3 pulses"),
    (closer, "row 3: stimulations overlap"),
    (change("duration", 5.0, slice(3, 4)), "row 5: the stimulation lasts 5 s"),
    (change("onset", None, slice(3, 4)), "row 5: the stimulation has no onset"),
    (change("onset", 1e4, slice(3, 4)), "outside the recording"),
    (change("electrical_stimulation_current", 4.0), "expected a number in ampere"),
    (change("electrical_stimulation_pulsewidth", 1.0), "expected a number in seconds"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_bad_events_are_one_clear_line_each(small_spes, tmp_path, changed, message):
    files = write_spes(tmp_path, small_spes, changed(small_spes.events))
    problems = [str(problem) for problem in check_spes(files, MONOPOLAR)]
    assert len(problems) == 1
    assert message in problems[0]
    assert "\n" not in problems[0]
    with pytest.raises(InputError):
        responses(files)


def test_a_slow_recording_is_refused(small_spes, tmp_path):
    slow = replace(small_spes, signal_v=small_spes.signal_v[:, ::8], rate_hz=128.0)
    (problem,) = check_spes(write_spes(tmp_path, slow), MONOPOLAR)
    assert "the sampling rate is 128 Hz" in str(problem)


def test_pulses_far_apart_are_read_like_pulses_nearby(found, small_spes, tmp_path, monkeypatch):
    monkeypatch.setattr("virtualbrain.stimulation.spes._LONGEST_READ_S", 2.5)
    again = responses(write_spes(tmp_path, small_spes))
    pd.testing.assert_frame_equal(found.amplitude_v, again.amplitude_v)


def test_electrodes_without_names_are_refused(small_spes, tmp_path):
    files = write_spes(tmp_path, small_spes, electrodes=pd.DataFrame({"x": [1.0]}))
    (problem,) = check_spes(files, MONOPOLAR)
    assert "no column name" in str(problem)


def test_missing_electrodes_are_refused(small_spes, tmp_path):
    files = replace(write_spes(tmp_path, small_spes), electrodes=None)
    (problem,) = check_spes(files, MONOPOLAR)
    assert "no electrodes.tsv" in str(problem)
