"""Run the command as a user does, kill it, and compare its tables."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

QUICK = """\
inference: {chains: 2, moves: 600, draws: 30, extension: 0}
surgery: {draws: 20, sham: 2, leading: 2}
"""


def virtualbrain(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "virtualbrain.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """Start the command in a new process group."""
    return subprocess.Popen(
        [sys.executable, "-m", "virtualbrain.cli", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_when(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> bool:
    """Kill only the command once a state is reached; return whether it was still running."""
    deadline = time.monotonic() + 600
    while not reached() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def tables(out: Path) -> dict[str, bytes]:
    """Return the content of every table, by path."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.glob("sub-*/**/*.tsv"))
    }
