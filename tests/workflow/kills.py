"""Kill a run at random moments; after restarts it must end with the same tables.

As a script: ``python -m tests.workflow.kills --count 50 --seed 1``.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tests.workflow.runs import QUICK, start, tables, virtualbrain
from virtualbrain.io.manifest import read_records
from virtualbrain.synthetic.dataset import write_connectome_patient


def kill_run(run: psutil.Process) -> None:
    """Kill only the command; its child processes must end without a signal."""
    run.kill()


def kill_all(run: psutil.Process) -> None:
    """Kill the command and all its child processes, as when a machine stops."""
    for process in (run, *run.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def kill_worker(run: psutil.Process, rng: np.random.Generator) -> None:
    """Kill one child process of the command."""
    below = run.children(recursive=True)
    if below:
        with suppress(psutil.NoSuchProcess):
            below[int(rng.integers(len(below)))].kill()


@dataclass
class Kills:
    """Numbers of kills by kind and by stage, numbers of complete runs, and faults."""

    done: Counter[str] = field(default_factory=Counter)
    reached: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    faults: list[str] = field(default_factory=list)


def kill_often(
    arguments: Sequence[object],
    out: Path,
    expected: dict[str, bytes],
    count: int,
    seed: int,
    longest_s: float,
    say: Callable[[str], None] = print,
) -> Kills:
    """Start and kill a run until `count` kills; compare the results after every end."""
    rng, found = np.random.default_rng(seed), Kills()
    while sum(found.done.values()) < count:
        process = start(*arguments)
        run = psutil.Process(process.pid)
        delay = float(rng.uniform(0.2, longest_s))
        how = str(rng.choice(["run", "all", "worker"]))
        if _is_alive_after(process, delay):
            found.done[how] += 1
            found.reached[_stage(out)] += 1
            with suppress(psutil.NoSuchProcess):
                if how == "worker":
                    kill_worker(run, rng)
                else:
                    (kill_run if how == "run" else kill_all)(run)
            process.wait()
            time.sleep(1.5)  # stages of a killed run end within a second
            found.faults += half_written(out, expected)
            say(f"{sum(found.done.values())}: {how} after {delay:.1f} s, {found.faults}")
        else:
            found.faults += ending(process.returncode, out, expected)
            found.rounds += 1
            shutil.rmtree(out)
    last = virtualbrain(*arguments)
    found.faults += ending(last.returncode, out, expected)
    return found


def _is_alive_after(process: object, delay_s: float) -> bool:
    deadline = time.monotonic() + delay_s
    while time.monotonic() < deadline:
        if process.poll() is not None:  # type: ignore[attr-defined]
            return False
        time.sleep(0.05)
    return True


def _stage(out: Path) -> str:
    """Return the stage with the latest log."""
    logs = sorted((out / "logs" / "sub-01").glob("*.log"), key=lambda path: path.stat().st_mtime)
    return logs[-1].stem if logs else "start"


def half_written(out: Path, expected: dict[str, bytes]) -> list[str]:
    """Return recorded results that are damaged or differ from the undisturbed run."""
    found = []
    if not (out / "manifests").is_dir():
        return []
    for record in read_records(out, "sub-01"):
        for name, made in record.results.items():
            if not made.matches(out / name, thorough=True):
                found.append(f"{name} is damaged")
            elif name in expected and (out / name).read_bytes() != expected[name]:
                found.append(f"{name} differs")
    return found


def ending(exit_code: int, out: Path, expected: dict[str, bytes]) -> list[str]:
    """Return the differences of a completed run from the undisturbed run."""
    found = [f"exit code {exit_code}"] if exit_code else []
    written = tables(out)
    found += [f"{name} differs" for name in expected if written.get(name) != expected[name]]
    found += [f"{path} is left over" for path in out.rglob(".partial-*")]
    return found


def main() -> int:
    """Kill a run and print the faults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args()
    os.umask(0o077)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_connectome_patient(folder / "bids", seed=1)
        settings = folder / "quick.yaml"
        settings.write_text(QUICK)
        common = ("--cores", options.cores, "--config", settings)
        started = time.monotonic()
        done = virtualbrain("run", folder / "bids", folder / "undisturbed", *common)
        took = time.monotonic() - started
        print(f"undisturbed: {took:.0f} s, exit code {done.returncode}", flush=True)
        found = kill_often(
            ("run", folder / "bids", folder / "out", *common),
            folder / "out",
            tables(folder / "undisturbed"),
            options.count,
            options.seed,
            took,
            lambda line: print(line, flush=True),
        )
    print(f"killed {dict(found.done)}, in {dict(found.reached)}; {found.rounds} complete runs")
    print("faults: " + ("; ".join(found.faults) or "none"))
    return 1 if found.faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
