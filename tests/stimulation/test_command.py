"""`virtualbrain complexity` writes the tables of a dataset, or one line for each problem."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.stimulation.conftest import write_spes
from virtualbrain.cli import main
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_matrix, read_table, sidecar_of
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.spes import run_spes


@pytest.fixture(scope="module")
def results(small_spes, tmp_path_factory):
    bids, out = tmp_path_factory.mktemp("bids"), tmp_path_factory.mktemp("out")
    files = write_spes(bids, small_spes)
    assert main(["complexity", str(bids), str(out)]) == 0
    return files, PatientLayout(out, "01")


def test_tables_are_those_of_the_function(results):
    files, layout = results
    found = run_spes(files, SeegSettings(), np.random.default_rng(1))
    for stat, expected in (
        ("amplitude", found.amplitude_v),
        ("latency", found.latency_s),
        ("probability", found.probability),
    ):
        written = read_matrix(layout.evoked(stat))
        pd.testing.assert_frame_equal(written, expected, check_names=False)
    sites = read_table(layout.stimulation_sites)
    pd.testing.assert_frame_equal(sites, found.sites, check_dtype=False)


def test_every_table_has_a_sidecar_with_units_sources_and_settings(results):
    _, layout = results
    units = {"amplitude": "V", "latency": "s", "probability": "1"}
    for stat, unit in units.items():
        content = json.loads(sidecar_of(layout.evoked(stat)).read_text("utf-8"))
        assert content["Units"] == unit
        assert content["Settings"]["n1"]["threshold"] == 4.0
        assert "sub-01_task-spes_events.tsv" in content["Sources"]
    content = json.loads(sidecar_of(layout.stimulation_sites).read_text("utf-8"))
    assert content["current_a"]["Units"] == "A"
    assert content["ConfigurationHash"]


def test_problems_are_one_line_each_with_exit_code_2(small_spes, tmp_path, capsys):
    events = small_spes.events.copy()
    events.loc[3, "electrical_stimulation_site"] = "A1-Z9"
    events.loc[5, "duration"] = 10.0
    write_spes(tmp_path / "bids", small_spes, events)
    assert main(["complexity", str(tmp_path / "bids"), str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: sub-01: sub-01_task-spes_events.tsv, row 5: the site A1-Z9")
    assert not (tmp_path / "out").exists()


def clip(recording):
    """Return the recording with all channels at the amplifier's limit after every pulse."""
    signal = np.clip(recording.signal_v, -1e-3, 1e-3)
    for onset in recording.events["onset"]:
        start = round(onset * recording.rate_hz)
        signal[:, start : start + round(0.1 * recording.rate_hz)] = 1e-3
    return replace(recording, signal_v=signal)


SITE = "electrical_stimulation_site"
UNUSABLE = {
    "the stimulation has no site": lambda r: replace(r, events=r.events.drop(columns=SITE)),
    "is no pair of contacts": lambda r: replace(r, events=r.events.assign(**{SITE: "Q1-Q2"})),
    "stimulations overlap": lambda r: replace(
        r, events=r.events.assign(onset=2.0 + 0.02 * np.arange(len(r.events)))
    ),
    "the amplifier clipped the channels": clip,
}


@pytest.mark.parametrize("message", UNUSABLE)
def test_unusable_stimulation_is_one_line_and_writes_nothing(small_spes, tmp_path, capsys, message):
    write_spes(tmp_path / "bids", UNUSABLE[message](small_spes))
    assert main(["complexity", str(tmp_path / "bids"), str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out").exists()


def test_events_that_cannot_be_read_are_reported(small_spes, tmp_path, capsys):
    files = write_spes(tmp_path / "bids", small_spes)
    files.recordings[0].events.write_text("")
    assert main(["complexity", str(tmp_path / "bids"), str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "events.tsv" in lines[0]
    assert "no electrical stimulation" not in lines[0]


@pytest.mark.parametrize("label", [[], ["--participant-label", "01"]])
def test_a_dataset_without_stimulation_is_refused(small_spes, tmp_path, capsys, label):
    events = small_spes.events.assign(trial_type="seizure")
    write_spes(tmp_path / "bids", small_spes, events)
    assert main(["complexity", str(tmp_path / "bids"), str(tmp_path / "out"), *label]) == 2
    error = capsys.readouterr().err
    assert "no electrical stimulation is marked" in error
    assert len(error.strip().splitlines()) == 1


def test_patients_without_stimulation_are_passed_over(small_spes, tmp_path, capsys):
    write_spes(tmp_path / "bids", small_spes)
    other = tmp_path / "bids" / "sub-02" / "ieeg"
    other.mkdir(parents=True)
    (other / "note.txt").write_text("no recording")
    assert main(["complexity", str(tmp_path / "bids"), str(tmp_path / "out")]) == 0
    assert "sub-01: 3 sites" in capsys.readouterr().out
    assert not (tmp_path / "out" / "sub-02").exists()
