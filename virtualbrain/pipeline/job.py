"""What every stage of the pipeline needs: a log, one-line errors, a page in the ledger."""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn, Protocol

import psutil

from virtualbrain.config import config_hash, project_root
from virtualbrain.errors import ToolError, VirtualBrainError
from virtualbrain.io.manifest import (
    Entry,
    Fingerprints,
    Roots,
    entries_behind,
    owner_of,
    page,
    require_whole,
    write_entry,
)

ERROR_MARK = "ERROR: "
RUN_VARIABLE = "VIRTUALBRAIN_RUN"
_AGAIN = "start the same command again to go on"
_MACHINE_FAULTS = {
    errno.ENOSPC: ("the disk is full", f"free some space, then {_AGAIN}"),
    errno.EDQUOT: ("the disk quota is used up", f"free some space, then {_AGAIN}"),
    errno.EROFS: ("the folder is read-only", f"make it writable, then {_AGAIN}"),
    errno.EACCES: ("permission denied", f"mend the permissions, then {_AGAIN}"),
    errno.EPERM: ("permission denied", f"mend the permissions, then {_AGAIN}"),
    errno.EIO: ("the disk failed to read or write", f"check the disk, then {_AGAIN}"),
    errno.ESTALE: ("the network folder went away", f"mount it again, then {_AGAIN}"),
    errno.EMFILE: ("too many open files", f"raise ulimit -n, then {_AGAIN}"),
    errno.ENOMEM: ("not enough memory", f"free some memory or give fewer cores, then {_AGAIN}"),
}
_LIBRARIES = (
    "virtualbrain numpy scipy numba pymc pytensor nutpie arviz "
    "mne mne-bids nibabel antspyx snakemake"
)


def use_project_caches() -> None:
    """Point the compilers' caches to the project's folder, so that a second run starts warm."""
    home = project_root() / ".cache"
    if not os.access(home.parent, os.W_OK):
        home = Path.home() / ".cache" / "virtualbrain"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(home / "numba" / _version_of_kernels()))
    os.environ.setdefault("PYTENSOR_FLAGS", f"base_compiledir={home / 'pytensor'}")
    os.environ.setdefault("MPLCONFIGDIR", str(home / "matplotlib"))


def _version_of_kernels() -> str:
    """Return a checksum of all compiled code: numba sees a change only in a function's own file."""
    digest = hashlib.sha256()
    for folder in ("inference", "virtualbrain/models"):
        for path in sorted((project_root() / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def announce_run() -> None:
    """Let the stages know which process runs them, so that none outlives it."""
    os.environ.setdefault(RUN_VARIABLE, f"{socket.gethostname()}:{os.getpid()}")


def end_with_run() -> None:
    """End this process and its children when the run that started it is gone.

    A killed run would otherwise leave stages behind that write beside the next run. A process
    of its own watches: a thread could not while a library holds the interpreter. Nothing is
    watched where the run is on another machine (a cluster's job).
    """
    host, _, pid = os.environ.get(RUN_VARIABLE, "").rpartition(":")
    if host != socket.gethostname() or int(pid) == os.getpid():
        return
    this = os.getpid()
    if os.fork() == 0:
        _watch(int(pid), this)


def _watch(run: int, stage_pid: int) -> NoReturn:
    """Wait for a run or its stage to end; end the stage and all below it with the run."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    while psutil.pid_exists(run) and os.getppid() == stage_pid:
        time.sleep(0.5)
    if os.getppid() == stage_pid:
        watched = psutil.Process(stage_pid)
        for process in (*watched.children(recursive=True), watched):
            if process.pid != os.getpid():
                process.kill()
    os._exit(0)


def limit_threads(threads: int) -> None:
    """Tell the numerical libraries how many threads they may use; before they are imported."""
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
        "MRTRIX_NTHREADS",
    ):
        os.environ[name] = str(threads)


@contextmanager
def stage(log: Path | str, threads: int = 1) -> Iterator[logging.Logger]:
    """Run one stage: everything logged to a file, faults of the input told in one line.

    A `VirtualBrainError` ends the process with exit code 2 and one line; any other
    exception keeps its traceback in the log.

    Parameters
    ----------
    log : Path or str
        The stage's log file.
    threads : int
        How many threads the stage may use.

    Yields
    ------
    logging.Logger
        The root logger.
    """
    end_with_run()
    os.umask(0o077)  # a patient's results are readable by their owner only
    limit_threads(threads)
    logging.raiseExceptions = False  # a full disk must not bury the one line below
    try:
        with _log_to(log) as logger:
            yield logger
    except Exception as error:
        fault = mendable(error)
        if fault is None:
            raise
        print(f"{ERROR_MARK}{fault}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


@contextmanager
def _log_to(log: Path | str) -> Iterator[logging.Logger]:
    """Log to a file; an exception that passes is noted there too."""
    logger = logging.getLogger()
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    except Exception as error:
        fault = mendable(error)
        if fault is None:
            logger.exception("%s%s: %s", ERROR_MARK, type(error).__name__, error)
        else:
            logger.error("%s%s", ERROR_MARK, fault)
        raise
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):  # a full disk: what was not written is not to be had
            handler.close()


def mendable(error: BaseException) -> VirtualBrainError | None:
    """Return a fault as the user can mend it: of the input, the disk, the memory; else None."""
    if isinstance(error, VirtualBrainError):
        return error
    if isinstance(error, MemoryError):
        what, hint = _MACHINE_FAULTS[errno.ENOMEM]
        return ToolError(what, hint=hint)
    if isinstance(error, BrokenExecutor):
        return ToolError("a worker was ended from outside (out of memory?)", hint=_AGAIN)
    if isinstance(error, OSError) and error.errno in _MACHINE_FAULTS:
        what, hint = _MACHINE_FAULTS[error.errno]
        name = Path(os.fsdecode(error.filename)).name if error.filename else ""
        return ToolError(what, where=name, hint=hint)
    return None


class Job(Protocol):
    """What the workflow's engine tells a script of its job."""

    rule: str
    threads: int
    log: Sequence[str]
    input: Iterable[str]
    output: Iterable[str]
    params: Any
    wildcards: Any


@contextmanager
def stage_of(job: Job) -> Iterator[logging.Logger]:
    """Run one job of the workflow as a `stage` that reads whole files and leaves a page.

    Results of earlier stages are compared with what those stages wrote before anything is
    read; at the end the fingerprints of all that was read and written go to the ledger. A
    second job on the same results waits for the first to end.

    Parameters
    ----------
    job : Job
        The engine's account of the job.

    Yields
    ------
    logging.Logger
        The root logger.

    Raises
    ------
    SystemExit
        As `stage`.
    """
    with stage(job.log[0], job.threads) as logger, _alone(Path(job.log[0])):
        roots, owner, name = _place(job)
        own_page = page(roots.out, owner, name)
        own_page.unlink(missing_ok=True)
        require_whole(roots, job.input)
        yield logger
        results = [path for path in job.output if Path(path) != own_page]
        prints = Fingerprints(roots, entries_behind(roots, [*job.input, *results]))
        entry = Entry(
            stage=name,
            owner=owner,
            inputs=prints.of(job.input),
            results=Fingerprints(roots, ()).of(results),
            settings=_settings(job.params),
            versions=versions(),
        )
        write_entry(roots, entry)


def _place(job: Job) -> tuple[Roots, str, str]:
    """Return the folders, whose page it is, and the stage's name, that of its log."""
    bids = getattr(job.params, "bids", None)
    roots = Roots(Path(job.params.out), Path(bids) if bids else None)
    return roots, owner_of(getattr(job.wildcards, "label", None)), Path(job.log[0]).stem


def _settings(params: Any) -> dict[str, Any]:
    """Return a job's parameters without the machine's paths."""
    return {
        key: _nameless(value)
        for key, value in params.items()
        if key not in ("bids", "out", "config")
    }


def _nameless(value: Any) -> Any:
    """Return a parameter in which every path is cut to the file's name."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {key: _nameless(item) for key, item in value.items()}
    return value


@contextmanager
def _alone(log: Path) -> Iterator[None]:
    """Wait while an earlier run's job is still at work on the same results (on a cluster)."""
    with log.with_name(f".{log.stem}.lock").open("w") as handle:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logging.info("waiting for a job of an earlier run on the same results to end")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that is gone afterwards; what a killed stage left in it goes first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def versions() -> dict[str, str]:
    """Return the versions of this project and of the libraries behind its numbers."""
    return {name: _version(name) for name in _LIBRARIES.split()}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def sidecar(
    config: Mapping[str, Any], sections: Iterable[str], sources: Iterable[str]
) -> dict[str, Any]:
    """Return what every sidecar holds: sources, the configuration's hash, versions.

    Parameters
    ----------
    config : mapping
        The run's configuration.
    sections : iterable of str
        The keys of the configuration that the numbers depend on.
    sources : iterable of str
        Names of the files that the numbers come from.
    """
    return {
        "Sources": sorted(sources),
        "ConfigurationHash": config_hash(config, sections),
        "GeneratedBy": [{"Name": "virtualbrain", "Version": _version("virtualbrain")}],
        "Versions": versions(),
    }
