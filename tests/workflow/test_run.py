"""The command `run` on a patient with a ready connectome."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.runs import kill_when, start, tables, virtualbrain
from virtualbrain.config import project_root
from virtualbrain.io.atomic import read_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import record_path
from virtualbrain.pipeline.check import is_prepared

pytestmark = pytest.mark.slow
VALIDATOR = "bids-validator-deno"
ZONES = (
    "rank region hemisphere p_ez p_pz x0_mean x0_sd x0_low x0_high onset_s observability "
    "prior_x0_mean information_gain in_hypothesis p_evidence onset_recorded_s"
).split()


def test_run_writes_all_results(finished):
    layout = PatientLayout.of_results(finished, "01")
    zones = pd.read_csv(layout.zones("default"), sep="\t")
    assert list(zones.columns) == ZONES
    assert read_json(layout.diagnostics("default"))["verdict"] in {
        "interpretable",
        "caution",
        "do-not-use",
    }
    for path in (
        layout.outcomes("default"),
        layout.gain,
        layout.contacts,
        layout.envelope(1),
        layout.tvb_zip,
        layout.relmat("length"),
        layout.provenance,
        layout.report,
        layout.crate,
        finished / "cohort.html",
        finished / "cohort.tsv",
        finished / "dataset_description.json",
    ):
        assert path.stat().st_size > 0, path
    for table in finished.glob("sub-01/**/*.tsv"):
        assert table.with_suffix(".json").is_file(), table


@pytest.mark.tools
@pytest.mark.skipif(shutil.which(VALIDATOR) is None, reason=f"{VALIDATOR} is not installed")
def test_bids_validator_finds_no_error(finished):
    done = subprocess.run(
        [VALIDATOR, str(finished), "--ignoreWarnings", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in found if issue["severity"] == "error"] == []
    assert done.returncode == 0


def test_a_linked_dataset_runs_until_a_stage_and_continues(dataset, settings, tmp_path):
    """The links leave the dataset, so that every stage needs the option."""
    linked, out = tmp_path / "linked", tmp_path / "out"
    for path in sorted(dataset.rglob("*")):
        target = linked / path.relative_to(dataset)
        if path.is_dir():
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    command = ("run", linked, out, "--cores", 2, "--config", settings)
    refused = virtualbrain(*command, "--until", "seeg")
    assert refused.returncode == 2
    assert "a symbolic link points outside the dataset" in refused.stderr
    first = virtualbrain(*command, "--allow-outside-links", "--until", "seeg")
    assert first.returncode == 0, first.stderr
    layout = PatientLayout.of_results(out, "01")
    assert "stopped after seeg" in first.stdout
    assert layout.gain.is_file()
    assert not layout.zones("default").parent.exists()
    before = layout.gain.stat().st_mtime_ns
    again = virtualbrain(*command, "--allow-outside-links", "--until", "connectomes")
    assert again.returncode == 0, again.stderr
    assert layout.gain.stat().st_mtime_ns == before


def test_dry_run_lists_stages_and_writes_no_result(dataset, settings, tmp_path):
    plan = virtualbrain("run", dataset, tmp_path, "--dry-run", "--config", settings)
    assert plan.returncode == 0
    for words in ("checking the input", "connectome", "SEEG", "fitting", "surgery", "report"):
        assert words in plan.stderr
    assert not (tmp_path / "sub-01").exists()


@pytest.fixture(scope="module")
def resumed(dataset, settings, tmp_path_factory):
    """The results of a run that was killed in the fit and started again."""
    out = tmp_path_factory.mktemp("resumed")
    arguments = ("run", dataset, out, "--cores", 2, "--config", settings)
    assert kill_when(start(*arguments), PatientLayout(out, "01").log("inference-default").is_file)
    done = virtualbrain(*arguments)
    assert done.returncode == 0, done.stderr
    return out


def test_killed_run_continues_and_ends_with_the_same_tables(finished, resumed):
    assert tables(resumed) == tables(finished)
    assert not list(resumed.rglob(".partial-*"))


def test_second_start_changes_no_result(resumed, dataset, settings):
    before = {path: path.stat().st_mtime_ns for path in resumed.glob("sub-01/**/*")}
    again = virtualbrain("run", dataset, resumed, "--cores", 2, "--config", settings)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in resumed.glob("sub-01/**/*")} == before
    assert not checked_again(resumed).exists()


def test_files_are_checked_again_if_they_or_the_settings_changed(finished, dataset, tmp_path):
    config = yaml.safe_load((finished / "logs" / "config.yaml").read_text())
    assert is_prepared(finished, dataset, "01", config)
    assert is_prepared(finished, dataset, "01", {**config, "priors": ["mine"], "seed": 7})
    assert not is_prepared(finished, dataset, "01", {**config, "until": "seeg"})
    assert not is_prepared(finished, dataset, "02", config)
    assert not is_prepared(tmp_path, dataset, "01", config)
    bids, out = tmp_path / "bids", tmp_path / "out"
    shutil.copytree(dataset, bids)
    shutil.copytree(finished, out)
    assert is_prepared(out, bids, "01", config)
    (electrodes,) = (bids / "sub-01" / "ieeg").glob("*_electrodes.tsv")
    electrodes.touch()
    assert not is_prepared(out, bids, "01", config)
    assert not is_prepared(out, dataset, "02", config)
    PatientLayout(out, "01").gain.unlink()
    assert not is_prepared(out, dataset, "01", config)


def test_only_stages_affected_by_a_change_run_again(finished, dataset, settings, tmp_path):
    """One start per change: a second prior set, a setting of an early stage, an input table."""
    out, bids = tmp_path / "out", tmp_path / "bids"
    shutil.copytree(dataset, bids)
    shutil.copytree(finished, out, ignore=shutil.ignore_patterns(".snakemake"))
    arguments = ["run", bids, out, "--cores", 2, "--config", settings]
    layout = PatientLayout.of_results(out, "01")
    kept = [layout.gain, layout.relmat("streamlines"), layout.zones("default")]
    before = times(kept)
    mine = tmp_path / "mine.yaml"
    shutil.copy(project_root() / "config/priors/default.yaml", mine)
    done = virtualbrain(*arguments, "--priors", "default", mine)
    assert done.returncode == 0, done.stderr
    assert times(kept) == before
    assert layout.zones("mine").is_file()
    assert layout.outcomes("mine").is_file()
    assert "mine" in layout.report.read_text(encoding="utf-8")

    settings_2 = tmp_path / "settings.yaml"
    settings_2.write_text(Path(settings).read_text() + "\ndiffusion: {search_radius_mm: 3.0}\n")
    arguments[-1] = settings_2
    arguments += ["--until", "inference"]
    done = virtualbrain(*arguments)
    assert done.returncode == 0, done.stderr
    assert all(now != then for now, then in zip(times(kept), before, strict=True))
    used = json.loads(record_path(out, "sub-01", "connectome").read_text())["settings"]["settings"]
    assert used["search_radius_mm"] == 3.0

    again_ns = checked_again(out).stat().st_mtime_ns
    before = times(kept)
    (events,) = (bids / "sub-01" / "ieeg").glob("*_events.tsv")
    events.write_text(events.read_text() + "\n")
    done = virtualbrain(*arguments)
    assert done.returncode == 0, done.stderr
    assert [now != then for now, then in zip(times(kept), before, strict=True)] == [
        True, False, True,
    ]  # fmt: skip
    assert checked_again(out).stat().st_mtime_ns > again_ns


def test_changed_setting_is_applied_in_a_copied_folder(finished, dataset, settings, tmp_path):
    """Snakemake stores settings by the path of a file; the stage records do not."""
    out = tmp_path / "copy"
    shutil.copytree(finished, out, ignore=shutil.ignore_patterns(".snakemake"))
    layout = PatientLayout.of_results(out, "01")
    kept = [layout.gain, layout.zones("default")]
    before = times(kept)
    changed = tmp_path / "settings.yaml"
    changed.write_text(Path(settings).read_text().replace("sham: 2", "sham: 3"))
    arguments = ("run", dataset, out, "--cores", 2, "--config", changed)
    planned = virtualbrain(*arguments, "--dry-run")
    assert "virtual surgery" in planned.stderr
    assert "fitting" not in planned.stderr
    done = virtualbrain(*arguments)
    assert done.returncode == 0, done.stderr
    assert times(kept) == before
    used = json.loads(record_path(out, "sub-01", "surgery-default").read_text())["settings"][
        "settings"
    ]
    assert used["sham"] == 3
    last = layout.outcomes("default").stat().st_mtime_ns
    assert virtualbrain(*arguments).returncode == 0
    assert layout.outcomes("default").stat().st_mtime_ns == last


def checked_again(out):
    """Return the log of a start of Snakemake for the check alone."""
    return out / "logs" / "check-again.log"


def times(paths):
    return [path.stat().st_mtime_ns for path in paths]
