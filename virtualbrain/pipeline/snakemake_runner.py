"""Start the workflow on an output folder: one run at a time, progress in plain words."""

import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.console import Console

from virtualbrain.config import project_root
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.pipeline.job import ERROR_MARK, mendable

ENDED_FROM_OUTSIDE = (
    "was ended from outside (killed, or out of memory); start the same command again to go on"
)
DEFAULT_PROFILE = "default"
_PR_SET_PDEATHSIG = 1
_JOB = re.compile(r"^Job \d+: (.*)$")
_TOTAL = re.compile(r"^total\s+(\d+)\s*$")
_DONE = re.compile(r"^(\d+) of (\d+) steps \(\d+%\) done")
_FAILED = re.compile(r"^Error in rule (\w+):")
_ERRNO = re.compile(r"(?:OSError|PermissionError|BlockingIOError): \[Errno (\d+)\]")
_NO_MEMORY = re.compile(r"\bMemoryError\b|Cannot allocate memory")
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
    """How a run of the workflow ended; `reason` is what befell the engine itself."""

    exit_code: int
    failures: list[Failure] = field(default_factory=list)
    reason: VirtualBrainError | None = None


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
            hint="choose another folder or mend its permissions",
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
                    hint="wait for it to end, or give another folder",
                ) from None
            time.sleep(0.2)


def snakemake_command(
    out: Path,
    config: Path,
    cores: int | None,
    profile: str,
    targets: Sequence[str],
    *extra: str,
    snakefile: str = "Snakefile",
) -> list[str]:
    """Return the command line that runs the workflow, or another one of the project.

    Without a number of cores a run on this machine takes all of them, a cluster's run as many
    as its jobs ask for.
    """
    root = project_root()
    named = root / "workflow" / "profiles" / profile
    if cores is None and profile == DEFAULT_PROFILE:
        cores = os.cpu_count() or 1
    return [
        *(sys.executable, "-m", "snakemake"),
        *("--snakefile", str(root / snakefile), "--directory", str(out)),
        *("--configfile", str(config)),
        *(("--cores", str(cores)) if cores is not None else ()),
        *("--profile", str(named if named.is_dir() else profile), "--nolock", "--rerun-incomplete"),
        *("--workflow-profile", "none"),  # another one that lies about would be laid over it
        *extra,
        *(("--", *targets) if targets else ()),
    ]


def _end_with_parent() -> None:
    """Let Linux end the workflow when the command that started it ends.

    In the background of a shell script the interrupt signal is ignored; the workflow must hear it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
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
    try:
        with process:
            assert process.stdout is not None
            _follow(process.stdout, log, progress)
    except KeyboardInterrupt:
        _let_end(process)
        raise
    for failure in progress.failures:
        _explain(failure, progress.told)
    return Outcome(process.returncode, progress.failures, progress.reason)


def _follow(lines: Iterable[str], log: Path, progress: "Progress") -> None:
    """Read the engine's output to its end and copy it; a full disk stops only the copy."""
    copy: IO[str] | None = None
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        copy = log.open("w", encoding="utf-8")
    try:
        for line in lines:
            progress.read(line.rstrip("\n"))
            with suppress(OSError):
                if copy is not None:
                    copy.write(line)
                    copy.flush()
    finally:
        with suppress(OSError):
            if copy is not None:
                copy.close()


def _let_end(process: "subprocess.Popen[str]", patience_s: float = 20.0) -> None:
    """Ask the engine to end its jobs (a cluster's too), and wait for it."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(patience_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()


class Progress:
    """Turn Snakemake's output into lines that a technician understands."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.start = time.monotonic()
        self.done = "0"
        self.total = "?"
        self.failures: list[Failure] = []
        self.told: list[str] = []
        self.reason: VirtualBrainError | None = None
        self._failed = ""

    def read(self, line: str) -> None:
        """Take in one line of Snakemake's output."""
        if line.startswith(ERROR_MARK):
            self.told.append(line.removeprefix(ERROR_MARK))
        elif (match := _ERRNO.search(line)) is not None:
            self.reason = mendable(OSError(int(match.group(1)), "")) or self.reason
        elif _NO_MEMORY.search(line) is not None:
            self.reason = mendable(MemoryError())
        if (match := _DONE.match(line)) is not None:
            self.done, self.total = match.groups()
        elif (match := _TOTAL.match(line)) is not None:
            self.total = match.group(1)
        elif (match := _JOB.match(line)) is not None:
            self._show(match.group(1))
        elif (match := _FAILED.match(line)) is not None:
            self._failed = match.group(1)
        elif self._failed and (match := _LOG.match(line)) is not None:
            own = match.group(1).split(", ")[0]  # a cluster's own log may stand behind it
            failure = Failure(self._failed, Path(own))
            if failure not in self.failures:  # Snakemake tells each one twice
                self.failures.append(failure)

    def _show(self, message: str) -> None:
        seconds = int(time.monotonic() - self.start)
        clock = f"{seconds // 60:3d}:{seconds % 60:02d}"
        head = f"[{self.done:>2} of {self.total} done]"
        self.console.print(f"{clock}  {head}  {message}", highlight=False, markup=False)


def _explain(failure: Failure, told: Sequence[str]) -> None:
    """Take a failed stage's one line out of its log, or what the stages told before they ended."""
    text = ""
    with suppress(OSError):
        text = failure.log.read_text(encoding="utf-8", errors="replace")
    marked = [line.split(ERROR_MARK, 1)[1] for line in text.splitlines() if ERROR_MARK in line]
    if not marked and told:  # a full disk keeps no log
        failure.message, failure.mendable = told[-1], True
        return
    failure.mendable = bool(marked) and "Traceback (most recent call last)" not in text
    failure.message = marked[-1] if marked else ENDED_FROM_OUTSIDE
