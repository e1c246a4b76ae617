"""Start the workflow on an output folder: one run at a time, progress in plain words."""

import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from virtualbrain.config import project_root
from virtualbrain.errors import InputError
from virtualbrain.stage import ERROR_MARK

_PR_SET_PDEATHSIG = 1
_JOB = re.compile(r"^Job \d+: (.*)$")
_TOTAL = re.compile(r"^total\s+(\d+)\s*$")
_DONE = re.compile(r"^(\d+) of (\d+) steps \(\d+%\) done")
_FAILED = re.compile(r"^Error in rule (\w+):")
_LOG = re.compile(r"^\s+log: (\S.*?)(?: \(check log file\(s\) for error details\))?$")


@dataclass
class Failure:
    """A stage that failed: its rule, its log, and whether the user can mend it."""

    rule: str
    log: Path
    message: str = ""
    mendable: bool = False


@dataclass
class Outcome:
    """How a run of the workflow ended."""

    exit_code: int
    failures: list[Failure] = field(default_factory=list)


@contextmanager
def only_run(out: Path, patience_s: float = 15.0) -> Iterator[int]:
    """Hold an output folder for one run; a run that was killed leaves no lock behind.

    Parameters
    ----------
    out : Path
        The output folder.
    patience_s : float
        How long to wait for another run to let go (stages of a killed run end within a second).

    Yields
    ------
    int
        The lock's file descriptor, to be inherited by the workflow.

    Raises
    ------
    InputError
        The folder cannot be written to, or another run is at work in it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(
            f"the output folder cannot be written to ({error.strerror})",
            where=str(out),
            cure="choose another folder or mend its permissions",
        ) from None
    try:
        _lock(handle, out, time.monotonic() + patience_s)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, out: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise InputError(
                    "another run is at work in this output folder",
                    where=str(out),
                    cure="wait for it to end, or give another folder",
                ) from None
            time.sleep(0.2)


def snakemake_command(
    out: Path, config: Path, cores: int, profile: str, targets: Sequence[str], *extra: str
) -> list[str]:
    """Return the command line that runs the workflow."""
    root = project_root()
    named = root / "workflow" / "profiles" / profile
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(root / "Snakefile"), "--directory", str(out)),
        *("--configfile", str(config), "--cores", str(cores)),
        *("--profile", str(named if named.is_dir() else profile), "--nolock", "--rerun-incomplete"),
        *extra,
        *(("--", *targets) if targets else ()),
    ]


def _end_with_parent() -> None:
    """Let Linux end the workflow when the command that started it ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run_workflow(command: Sequence[str], log: Path, lock: int, console: Console) -> Outcome:
    """Run Snakemake, show one line per stage, and collect what failed.

    Parameters
    ----------
    command : sequence of str
        From `snakemake_command`.
    log : Path
        Snakemake's own output goes here.
    lock : int
        File descriptor that the workflow inherits.
    console : rich.console.Console
        Where progress is shown.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        pass_fds=(lock,),
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    progress = Progress(console)
    with process, log.open("w", encoding="utf-8") as copy:
        assert process.stdout is not None
        for line in process.stdout:
            copy.write(line)
            copy.flush()
            progress.read(line.rstrip("\n"))
    for failure in progress.failures:
        _explain(failure)
    return Outcome(process.returncode, progress.failures)


class Progress:
    """Turn Snakemake's output into lines that a technician understands."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.start = time.monotonic()
        self.done = "0"
        self.total = "?"
        self.failures: list[Failure] = []
        self._failed = ""

    def read(self, line: str) -> None:
        """Take in one line of Snakemake's output."""
        if (match := _DONE.match(line)) is not None:
            self.done, self.total = match.groups()
        elif (match := _TOTAL.match(line)) is not None:
            self.total = match.group(1)
        elif (match := _JOB.match(line)) is not None:
            self._show(match.group(1))
        elif (match := _FAILED.match(line)) is not None:
            self._failed = match.group(1)
        elif self._failed and (match := _LOG.match(line)) is not None:
            failure = Failure(self._failed, Path(match.group(1)))
            if failure not in self.failures:  # Snakemake tells each one twice
                self.failures.append(failure)

    def _show(self, message: str) -> None:
        seconds = int(time.monotonic() - self.start)
        clock = f"{seconds // 60:3d}:{seconds % 60:02d}"
        head = f"[{self.done:>2} of {self.total} done]"
        self.console.print(f"{clock}  {head}  {message}", highlight=False, markup=False)


def _explain(failure: Failure) -> None:
    """Take a failed stage's one line out of its log."""
    if not failure.log.is_file():
        failure.message = "ended without a word; see logs/snakemake.log"
        return
    text = failure.log.read_text(encoding="utf-8", errors="replace")
    marked = [line for line in text.splitlines() if ERROR_MARK in line]
    failure.mendable = bool(marked) and "Traceback (most recent call last)" not in text
    failure.message = (
        marked[-1].split(ERROR_MARK, 1)[1] if marked else "was ended from outside (memory?)"
    )
