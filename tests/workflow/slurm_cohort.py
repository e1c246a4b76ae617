"""Compare several patients on a real Slurm with a local run.

As a script: ``python -m tests.workflow.slurm_cohort``. One job is cancelled and the node's daemon
is restarted during the fits. The script prints whether the tables are equal, and each stage's
largest memory as a fraction of the requested memory.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import yaml

from tests.workflow.runs import QUICK, tables, virtualbrain
from tests.workflow.slurm import Slurm, cluster
from virtualbrain.config import project_root
from virtualbrain.synthetic.dataset import write_connectome_patient

PROFILE = project_root() / "workflow/profiles/slurm/config.v8+.yaml"


def disturb(slurm: Slurm, run: subprocess.Popen[bytes]) -> set[str]:
    """Cancel the first job with a recording; restart slurmd during the first fit."""
    done: set[str] = set()
    while run.poll() is None:
        for number, state, comment in slurm.jobs():
            if state == "RUNNING" and "recording" in comment and "scancel" not in done:
                time.sleep(1)
                slurm.run("scancel", number)
                done.add("scancel")
            if state == "RUNNING" and "inference" in comment and "restart" not in done:
                slurm.stop("slurmd")
                time.sleep(3)
                slurm.start_node()
                done.add("restart")
        time.sleep(0.5)
    return done


def memory_fractions(out: Path) -> dict[str, float]:
    """Return each stage's largest peak memory over the memory requested at the first attempt."""
    asked = yaml.safe_load(PROFILE.read_text("utf-8"))["set-resources"]
    fractions: dict[str, float] = {}
    for path in out.glob("benchmarks/sub-*/*.tsv"):
        rule = path.stem.split("-")[0]
        limit = float(str(asked[rule]["mem_mb"]).removeprefix("attempt * "))
        peak = pd.to_numeric(pd.read_csv(path, sep="\t")["max_rss"], errors="coerce").max()
        fractions[rule] = max(fractions.get(rule, 0.0), float(peak) / limit)
    return fractions


def main() -> int:
    """Run the patients locally and on Slurm, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(1, options.patients + 1):
            write_connectome_patient(folder / "bids", seed=number, label=f"{number:02d}")
        (folder / "quick.yaml").write_text(QUICK)
        common = ("run", folder / "bids")
        setting = ("--config", folder / "quick.yaml")
        local = virtualbrain(*common, folder / "local", "--cores", options.cores, *setting)
        print(f"local: exit code {local.returncode}", flush=True)
        with cluster(folder / "slurm", cpus=options.cores * 2) as slurm:
            environment = os.environ | slurm.environment
            environment.pop("VIRTUALBRAIN_RUN", None)
            command = [sys.executable, "-m", "virtualbrain.cli", *common, folder / "out", *setting]
            run = subprocess.Popen([*map(str, command), "--profile", "slurm"], env=environment)
            done = disturb(slurm, run)
        same = tables(folder / "out") == tables(folder / "local")
        print(f"Slurm: exit code {run.returncode}, {sorted(done)}; equal tables: {same}")
        print(
            {
                rule: round(fraction, 2)
                for rule, fraction in memory_fractions(folder / "out").items()
            }
        )
    return 0 if same and run.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
