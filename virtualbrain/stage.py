"""What every stage of the pipeline needs: a log, one-line errors, an end with its run."""

import logging
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import psutil

from virtualbrain.config import config_hash, project_root
from virtualbrain.errors import VirtualBrainError

ERROR_MARK = "ERROR: "
RUN_VARIABLE = "VIRTUALBRAIN_RUN"
_LIBRARIES = (
    "virtualbrain numpy scipy numba pymc pytensor nutpie arviz "
    "mne mne-bids nibabel antspyx snakemake"
)


def use_project_caches() -> None:
    """Point the compilers' caches to the project's folder, so that a second run starts warm."""
    home = project_root() / ".cache"
    if not os.access(home.parent, os.W_OK):
        home = Path.home() / ".cache" / "virtualbrain"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(home / "numba"))
    os.environ.setdefault("PYTENSOR_FLAGS", f"base_compiledir={home / 'pytensor'}")
    os.environ.setdefault("MPLCONFIGDIR", str(home / "matplotlib"))


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
    limit_threads(threads)
    logger = logging.getLogger()
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    except VirtualBrainError as error:
        logger.error("%s%s", ERROR_MARK, error)
        print(f"{ERROR_MARK}{error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except Exception as error:
        logger.exception("%s%s: %s", ERROR_MARK, type(error).__name__, error)
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()


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
