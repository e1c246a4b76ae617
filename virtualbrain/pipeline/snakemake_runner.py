"""Run Snakemake on an output folder: lock the folder, show progress, collect failed stages."""

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
from typing import IO, TYPE_CHECKING

from virtualbrain.config import project_root
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.pipeline.faults import ERROR_MARK, RESUME, user_fault

if TYPE_CHECKING:
    from rich.console import Console

KILLED = f"was killed, or ran out of memory; {RESUME}"
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
    """A failed stage: its rule, log and error, and whether a user can correct the cause."""

    rule: str
    log: Path
    message: str = ""
    user_fault: bool = False


@dataclass
class Outcome:
    """How a run of the workflow ended; `engine_fault` is a fault of Snakemake's own process."""

    exit_code: int
    failures: list[Failure] = field(default_factory=list)
    engine_fault: VirtualBrainError | None = None


@contextmanager
def only_run(out: Path, patience_s: float = 15.0) -> Iterator[int]:
    """Lock an output folder for one run; the lock of a killed run is released.

    Parameters
    ----------
    out : Path
        The output folder.
    patience_s : float
        How long to wait for another run's lock (stages of a killed run end within a second).

    Yields
    ------
    int
        File descriptor of the lock, which the workflow inherits.

    Raises
    ------
    InputError
        The folder cannot be written to, or another run uses it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(
            f"the output folder cannot be written to ({error.strerror})",
            where=str(out),
            hint="choose another folder or correct its permissions",
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
                    "another run uses this output folder",
                    where=str(out),
                    hint="wait until it ends, or choose another folder",
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
    """Return the command line that runs the workflow, or another Snakefile of the project.

    Without a number of cores, a run on this machine uses all cores. A cluster's run uses the
    cores that its jobs request.
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
        *("--workflow-profile", "none"),  # Snakemake would merge one that it finds
        *extra,
        *(("--", *targets) if targets else ()),
    ]


def end_with_parent() -> None:
    """Make Linux kill the workflow when the command that started it ends.

    Background processes of a shell script ignore the interrupt signal; the workflow must not.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def run_workflow(command: Sequence[str], log: Path, lock: int, console: "Console") -> Outcome:
    """Run Snakemake, show one line per stage, and collect the failed stages.

    Parameters
    ----------
    command : sequence of str
        From `snakemake_command`.
    log : Path
        File for Snakemake's output.
    lock : int
        File descriptor that the workflow inherits.
    console : rich.console.Console
        Console for the progress lines.
    """
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        pass_fds=(lock,),
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )
    progress = Progress(console)
    try:
        with process:
            assert process.stdout is not None
            _follow(process.stdout, log, progress)
    except KeyboardInterrupt:
        _interrupt(process)
        raise
    for failure in progress.failures:
        _explain(failure, progress.error_lines)
    return Outcome(process.returncode, progress.failures, progress.engine_fault)


def _follow(lines: Iterable[str], log: Path, progress: "Progress") -> None:
    """Read Snakemake's output to its end and copy it; a full disk stops only the copy."""
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


def _interrupt(process: "subprocess.Popen[str]", patience_s: float = 20.0) -> None:
    """Interrupt Snakemake, so that it ends its jobs (also on a cluster), and wait for it."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(patience_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()


class Progress:
    """Convert Snakemake's output to one line per stage."""

    def __init__(self, console: "Console") -> None:
        self.console = console
        self.start = time.monotonic()
        self.done = "0"
        self.total = "?"
        self.failures: list[Failure] = []
        self.error_lines: list[str] = []
        self.engine_fault: VirtualBrainError | None = None
        self._failed = ""

    def read(self, line: str) -> None:
        """Process one line of Snakemake's output."""
        if line.startswith(ERROR_MARK):
            self.error_lines.append(line.removeprefix(ERROR_MARK))
        elif (match := _ERRNO.search(line)) is not None:
            fault = user_fault(OSError(int(match.group(1)), ""))
            self.engine_fault = fault or self.engine_fault
        elif _NO_MEMORY.search(line) is not None:
            self.engine_fault = user_fault(MemoryError())
        if (match := _DONE.match(line)) is not None:
            self.done, self.total = match.groups()
        elif (match := _TOTAL.match(line)) is not None:
            self.total = match.group(1)
        elif (match := _JOB.match(line)) is not None:
            self._show(match.group(1))
        elif (match := _FAILED.match(line)) is not None:
            self._failed = match.group(1)
        elif self._failed and (match := _LOG.match(line)) is not None:
            own = match.group(1).split(", ")[0]  # a cluster's log may follow it
            failure = Failure(self._failed, Path(own))
            if failure not in self.failures:  # Snakemake reports each one twice
                self.failures.append(failure)

    def _show(self, message: str) -> None:
        seconds = int(time.monotonic() - self.start)
        clock = f"{seconds // 60:3d}:{seconds % 60:02d}"
        head = f"[{self.done:>2} of {self.total} done]"
        self.console.print(f"{clock}  {head}  {message}", highlight=False, markup=False)


def _explain(failure: Failure, error_lines: Sequence[str]) -> None:
    """Set a failed stage's message: the error line in its log, else the last one printed."""
    text = ""
    with suppress(OSError):
        text = failure.log.read_text(encoding="utf-8", errors="replace")
    marked = [line.split(ERROR_MARK, 1)[1] for line in text.splitlines() if ERROR_MARK in line]
    if not marked and error_lines:  # on a full disk the log is empty
        failure.message, failure.user_fault = error_lines[-1], True
        return
    failure.user_fault = bool(marked) and "Traceback (most recent call last)" not in text
    failure.message = marked[-1] if marked else KILLED
