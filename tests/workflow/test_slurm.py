"""The workflow on a real Slurm of one node, with a cancelled job and a lost node."""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.workflow.runs import start, tables
from tests.workflow.slurm import Slurm, cluster, missing
from virtualbrain.config import project_root
from virtualbrain.io.manifest import read_records

PROFILE = project_root() / "workflow/profiles/slurm/config.v8+.yaml"


@pytest.fixture
def profile(tmp_path) -> Path:
    """The shipped profile with shorter waits: most jobs have ended at their first status check."""
    folder = tmp_path / "profile"
    folder.mkdir()
    content = yaml.safe_load(PROFILE.read_text("utf-8"))
    content |= {"latency-wait": 5, "slurm-init-seconds-before-status-checks": 10}
    (folder / PROFILE.name).write_text(yaml.safe_dump(content))
    return folder


def test_profile_states_memory_and_time_of_every_rule():
    asked = yaml.safe_load(PROFILE.read_text("utf-8"))["set-resources"]
    rules = {
        line.split()[1].rstrip(":")
        for path in (project_root() / "workflow").rglob("*.smk")
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("rule ")
    }
    assert set(asked) == rules - {"all"}
    assert all({"mem_mb", "runtime"} <= set(resources) for resources in asked.values())


def wait_for(state: Callable[[], bool], slurm: Slurm, seconds: float = 900) -> None:
    deadline = time.monotonic() + seconds
    while not state():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{slurm.jobs()}\n{(slurm.folder / 'slurmctld.log').read_text()}")
        time.sleep(0.3)


def running(slurm: Slurm, rule: str) -> list[str]:
    return [one for one, state, comment in slurm.jobs() if state == "RUNNING" and rule in comment]


@pytest.mark.slow
@pytest.mark.tools
@pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")
def test_patient_on_slurm_has_the_same_tables(
    finished, dataset, settings, profile, tmp_path, monkeypatch
):
    """One job is cancelled, and the node's daemon is restarted during the fit."""
    out = tmp_path / "out"
    with cluster(tmp_path / "slurm") as slurm:
        for key, value in slurm.environment.items():
            monkeypatch.setenv(key, value)
        monkeypatch.delenv("VIRTUALBRAIN_RUN", raising=False)
        run = start("run", dataset, out, "--profile", profile, "--config", settings)
        wait_for(lambda: bool(running(slurm, "recording")) or run.poll() is not None, slurm)
        slurm.run("scancel", *running(slurm, "recording"))
        wait_for(lambda: bool(running(slurm, "inference")) or run.poll() is not None, slurm)
        slurm.stop("slurmd")
        time.sleep(2)
        slurm.start_node()
        assert run.wait(1200) == 0, (out / "logs" / "snakemake.log").read_text()[-4000:]
        assert slurm.jobs() == []
    assert tables(out) == tables(finished)
    assert_memory_suffices(out)


def assert_memory_suffices(out: Path) -> None:
    """No stage uses more memory than the profile requests at the first attempt."""
    asked = yaml.safe_load(PROFILE.read_text("utf-8"))["set-resources"]
    stages = {record.stage for record in read_records(out, "sub-01")}
    assert stages
    for stage in stages:
        (table,) = (out / "benchmarks" / "sub-01").glob(f"{stage}.tsv")
        peak = pd.to_numeric(pd.read_csv(table, sep="\t")["max_rss"], errors="coerce").max()
        text = str(asked[stage.split("-")[0]]["mem_mb"])
        assert not peak > float(text.removeprefix("attempt * ")), stage
