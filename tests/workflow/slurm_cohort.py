"""Several patients on a real Slurm beside a local run: ``python -m tests.workflow.slurm_cohort``.

One job is cancelled and the node's daemon restarted while the fits run. Prints whether the
tables are the same and the largest share of the memory asked for that any stage took.
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
    """Cancel the first job with a recording and restart slurmd at the first fit, while it runs."""
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


def memory_shares(out: Path) -> dict[str, float]:
    """Return each stage's largest peak memory over what the profile asks for at first."""
    asked = yaml.safe_load(PROFILE.read_text("utf-8"))["set-resources"]
    shares: dict[str, float] = {}
    for path in out.glob("benchmarks/sub-*/*.tsv"):
        rule = path.stem.split("-")[0]
        limit = float(str(asked[rule]["mem_mb"]).removeprefix("attempt * "))
        peak = pd.to_numeric(pd.read_csv(path, sep="\t")["max_rss"], errors="coerce").max()
        shares[rule] = max(shares.get(rule, 0.0), float(peak) / limit)
    return shares


def main() -> int:
    """Run the patients locally and on Slurm, and compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        for number in range(1, options.patients + 1):
            write_connectome_patient(room / "bids", seed=number, label=f"{number:02d}")
        (room / "quick.yaml").write_text(QUICK)
        common = ("run", room / "bids")
        setting = ("--config", room / "quick.yaml")
        local = virtualbrain(*common, room / "local", "--cores", options.cores, *setting)
        print(f"local: exit code {local.returncode}", flush=True)
        with cluster(room / "slurm", cpus=options.cores * 2) as slurm:
            environment = os.environ | slurm.environment
            environment.pop("VIRTUALBRAIN_RUN", None)
            command = [sys.executable, "-m", "virtualbrain.cli", *common, room / "out", *setting]
            run = subprocess.Popen([*map(str, command), "--profile", "slurm"], env=environment)
            done = disturb(slurm, run)
        same = tables(room / "out") == tables(room / "local")
        print(f"Slurm: exit code {run.returncode}, {sorted(done)}; the same tables: {same}")
        print({rule: round(share, 2) for rule, share in memory_shares(room / "out").items()})
    return 0 if same and run.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
