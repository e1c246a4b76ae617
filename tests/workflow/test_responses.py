"""A patient with single pulses, from the check to the report; faulty pulses stop nothing."""

import re
import shutil

import pandas as pd
import pytest

from tests.workflow.runs import QUICK, virtualbrain
from virtualbrain.io.atomic import read_json
from virtualbrain.io.evoked import read_evoked
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import sidecar_of

pytestmark = pytest.mark.slow


def run(folder):
    settings = folder / "quick.yaml"
    arguments = ("run", folder / "bids", folder / "out", "--cores", 2, "--config", settings)
    done = virtualbrain(*arguments)
    assert done.returncode == 0, done.stderr
    return PatientLayout.of_results(folder / "out", "01")


def section(layout):
    page = layout.report.read_text("utf-8")
    assert 'id="evoked"' in page
    part = page[page.index('id="evoked"') : page.index('id="zones"')]
    return re.sub(r"<[^>]+>", " ", part)


@pytest.fixture(scope="module")
def finished(stimulated_patient, tmp_path_factory):
    """The results of a fit that uses the responses."""
    folder = tmp_path_factory.mktemp("responses")
    shutil.copytree(stimulated_patient, folder / "bids")
    shutil.rmtree(folder / "bids/derivatives/truth")
    (folder / "quick.yaml").write_text(
        QUICK.replace("draws: 30", "draws: 30, evoked_responses: true")
    )
    return folder, run(folder)


def test_the_report_holds_the_responses(finished):
    _, layout = finished
    evoked = read_evoked(layout)
    assert len(evoked.sites.frame) == 8
    assert len(evoked.pairs.frame) > 100
    words = section(layout)
    assert "8 pairs of contacts were stimulated" in words
    assert "rank correlation" in words
    assert "changed by the responses" in words


def test_the_fit_states_that_it_used_them(finished):
    _, layout = finished
    used = read_json(sidecar_of(layout.zones("default")))["EvokedResponses"]
    assert used["pairs"] > 50
    assert 0 < used["share"] <= 1


def test_every_result_has_a_record(finished):
    folder, _ = finished
    done = virtualbrain("verify", folder / "out", "--bids", folder / "bids")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_writes_the_same_tables(finished, tmp_path):
    folder, layout = finished
    shutil.copytree(folder / "out", tmp_path / "out")
    before = layout.evoked_pairs.read_bytes()
    other = PatientLayout.of_results(tmp_path / "out", "01")
    shutil.rmtree(other.evoked_responses)
    settings = folder / "quick.yaml"
    done = virtualbrain("complexity", folder / "bids", tmp_path / "out", "--config", settings)
    assert done.returncode == 0, done.stderr
    assert other.evoked_pairs.read_bytes() == before


def test_faulty_pulses_leave_out_the_responses_only(finished, tmp_path):
    source, _ = finished
    for name in ("bids", "out"):
        shutil.copytree(source / name, tmp_path / name)
    (tmp_path / "quick.yaml").write_text(QUICK)
    path = tmp_path / "bids/sub-01/ieeg/sub-01_task-spes_run-01_events.tsv"
    events = pd.read_csv(path, sep="\t")
    events.loc[2, "electrical_stimulation_site"] = "Q1-Q2"
    events.to_csv(path, sep="\t", index=False)
    checked = virtualbrain("check", tmp_path / "bids")
    assert checked.returncode == 0
    assert "evoked responses are left out" in checked.stderr
    assert "row 4: the site Q1-Q2 is no pair of contacts" in checked.stderr
    layout = run(tmp_path)
    words = section(layout)
    assert "were not computed" in words
    assert "row 4: the site Q1-Q2 is no pair of contacts" in words
    assert not layout.evoked_pairs.exists()
    assert "EvokedResponses" not in read_json(sidecar_of(layout.zones("default")))
