"""How long a cohort waits before its first stage: the checks and the engine's plan.

Run by itself or by ``make bench``; ``bench_cohort_plan.py 500`` for another number of patients. All
are copies of one patient with a ready connectome. Asked is a plan in under a minute.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from virtualbrain.synthetic.dataset import write_connectome_patient

N_PATIENTS = 500
ASKED_S = 60


def copy_patient(bids, label):
    """Give sub-01's files another label; they share the disk, but are files of their own name."""
    for old in [*bids.glob("sub-01/**/*"), *bids.glob("derivatives/connectome/sub-01/*")]:
        if old.is_file():
            new = bids / str(old.relative_to(bids)).replace("sub-01", f"sub-{label}")
            new.parent.mkdir(parents=True, exist_ok=True)
            if old.name.endswith("_scans.tsv"):
                new.write_text(old.read_text())
            else:
                os.link(old, new)


def write_cohort(bids, count):
    write_connectome_patient(bids, seed=1)
    rows = (bids / "participants.tsv").read_text().splitlines()
    for number in range(2, count + 1):
        label = f"{number:02d}"
        copy_patient(bids, label)
        rows.append(rows[1].replace("sub-01", f"sub-{label}"))
    (bids / "participants.tsv").write_text("\n".join(rows) + "\n")


def processor_s(process):
    used = process.cpu_times()
    return used.user + used.system + used.children_user + used.children_system


def dry_run(bids, out):
    """Plan as a user does; return seconds and processor seconds of the checks and of the plan."""
    command = [sys.executable, "-m", "virtualbrain.cli", "run", str(bids), str(out), "--dry-run"]
    start, marks = time.perf_counter(), []
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        if not marks and (out / "logs" / "dry-run.yaml").exists():  # written between the two
            marks = [time.perf_counter() - start, processor_s(process)]
        time.sleep(0.05)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ends = time.perf_counter() - start, used.ru_utime + used.ru_stime
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}, see {out / 'logs'}")
    return marks, [end - mark for end, mark in zip(ends, marks, strict=True)]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else N_PATIENTS
    with tempfile.TemporaryDirectory() as name:
        bids, out = Path(name) / "bids", Path(name) / "out"
        write_cohort(bids, count)
        checks, plan = dry_run(bids, out)
    print(f"{count} patients with ready connectomes")
    print(f"  checks {checks[0]:6.1f} s, {checks[1]:5.1f} s of processor")
    print(f"  plan   {plan[0]:6.1f} s, {plan[1]:5.1f} s of processor (asked: under {ASKED_S} s)")


if __name__ == "__main__":
    main()
