"""Run the command on hostile datasets and check how it refuses them.

As a script: ``python -m tests.security.refusals --count 100 --seed 1`` prints a table.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.security.hostile import CANARY, Hostile, hostile_folders, listing

MOST_SECONDS, MOST_MIB = 6.0, 500.0


# Runs a command and writes its exit code, processor seconds and KiB. It runs in a small process,
# because a child starts with the memory of the process that forks it.
_MEASURE = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[2:])
_, status, used = os.wait4(process.pid, 0)
figures = [os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss]
open(sys.argv[1], "w").write(json.dumps(figures))
"""


@dataclass(frozen=True)
class Refusal:
    """Outcome of the command on one dataset; seconds are processor time."""

    name: str
    exit_code: int
    lines: tuple[str, ...]
    seconds: float
    mib: float
    written_outside: tuple[str, ...]

    @property
    def faults(self) -> list[str]:
        """Return every fault of the refusal."""
        text = "\n".join(self.lines)
        found = {
            f"exit code {self.exit_code}": self.exit_code != 2,
            "no line": not any(line.startswith("error: ") for line in self.lines),
            "other lines": any(not line.startswith(("error: ", "note: ")) for line in self.lines),
            "traceback": "Traceback" in text,
            f"wrote {self.written_outside}": bool(self.written_outside),
            f"{self.seconds:.1f} s": self.seconds > MOST_SECONDS,
            f"{self.mib:.0f} MiB": self.mib > MOST_MIB,
        }
        return [fault for fault, is_so in found.items() if is_so]


def make_good_patient(folder: Path) -> None:
    """Write the valid dataset in a separate process, so that this one stays small."""
    code = "import sys; from pathlib import Path; from virtualbrain.synthetic import dataset; "
    code += "dataset.write_connectome_patient(Path(sys.argv[1]), seed=1)"
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


def refuse(hostile: Hostile) -> Refusal:
    """Run the command on one dataset, with separate home, working and temporary folders."""
    folder = hostile.bids.parent
    for name in ("home", "cwd", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    before = listing(folder)
    environment = os.environ | {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "virtualbrain.cli", "run", str(hostile.bids)]
    figures = folder / "figures"
    measured = [sys.executable, "-S", "-c", _MEASURE, str(figures), *command, str(folder / "out")]
    with (folder / "stderr").open("w+b") as errors:
        subprocess.run(
            [*measured, *hostile.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            cwd=folder / "cwd",
            env=environment,
            check=True,
        )
        errors.seek(0)
        lines = errors.read().decode("utf-8", "replace").strip().splitlines()
    exit_code, seconds, kib = json.loads(figures.read_text("utf-8"))
    figures.unlink()
    (folder / "stderr").unlink()
    after = listing(folder)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    outside = {n for n in changed if Path(n).parts[0] != "out" or CANARY in n}
    return Refusal(
        hostile.name,
        exit_code,
        tuple(lines),
        seconds,
        kib / 1024,
        tuple(sorted(outside)),
    )


def main() -> int:
    """Run the command on many hostile datasets; print the error line of each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only kinds whose name contains this")
    parser.add_argument("--good", type=Path, help="a valid dataset; default: write one")
    options = parser.parse_args()
    bad, seconds, mib = 0, [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        good = options.good or folder / "good"
        if not options.good:
            make_good_patient(good)
        for hostile in hostile_folders(good, folder, options.count, options.seed):
            if options.only in hostile.name:
                found = refuse(hostile)
                seconds.append(found.seconds)
                mib.append(found.mib)
                bad += bool(found.faults)
                words = found.lines[0][:150] if found.lines else ""
                print(f"{found.seconds:5.2f} s {found.mib:4.0f} MiB  {found.name}: {words}")
                if found.faults:
                    print(f"    FAULT: {'; '.join(found.faults)}")
                    print("      " + "\n      ".join(line[:180] for line in found.lines[-6:]))
                sys.stdout.flush()
            shutil.rmtree(hostile.bids.parent, ignore_errors=True)
    print(f"{len(seconds) - bad} of {len(seconds)} refused without a fault;", end=" ")
    print(f"at most {max(seconds):.2f} s of processor time, {max(mib):.0f} MiB")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
