"""Run one job of the workflow: its log, its lock and its stage record."""

import fcntl
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from virtualbrain.io.manifest import (
    Fingerprints,
    Roots,
    StageRecord,
    owner_of,
    record_path,
    records_behind,
    require_undamaged,
    write_record,
)
from virtualbrain.io.versions import versions
from virtualbrain.pipeline.environment import end_with_run, limit_threads
from virtualbrain.pipeline.faults import ERROR_MARK, user_fault


class Job(Protocol):
    """Attributes of Snakemake's `snakemake` object that `run_job` uses."""

    rule: str
    threads: int
    resources: Any
    log: Sequence[str]
    input: Iterable[str]
    output: Iterable[str]
    params: Any
    wildcards: Any


def cores_of(job: Job) -> int:
    """Return the number of cores that a job uses: its `cpus_per_task`, or else its threads.

    Stages that often use a single core count as one thread, so that another runs beside them.
    """
    wanted = int(getattr(job.resources, "cpus_per_task", job.threads))
    return min(wanted, os.cpu_count() or 1)


@contextmanager
def run_job(job: Job) -> Iterator[logging.Logger]:
    """Run one job: check its inputs, run the block, write its stage record.

    Results of earlier stages are compared with those stages' records before anything is read.
    After the block, checksums of all inputs and results go to the stage record. A second job on
    the same results waits until the first has ended.

    Parameters
    ----------
    job : Job
        The `snakemake` object of the script.

    Yields
    ------
    logging.Logger
        The root logger.

    Raises
    ------
    SystemExit
        As `run_logged`.
    """
    with run_logged(job.log[0], cores_of(job)) as logger, _locked(Path(job.log[0])):
        roots, owner, stage = _identify(job)
        own_record = record_path(roots.out, owner, stage)
        own_record.unlink(missing_ok=True)
        require_undamaged(roots, job.input)
        yield logger
        results = [path for path in job.output if Path(path) != own_record]
        prints = Fingerprints(roots, records_behind(roots, [*job.input, *results]))
        record = StageRecord(
            stage=stage,
            owner=owner,
            inputs=prints.of(job.input),
            results=Fingerprints(roots, ()).of(results),
            settings=_settings(job.params),
            versions=versions(),
        )
        write_record(roots, record)


@contextmanager
def run_logged(log: Path | str, threads: int = 1) -> Iterator[logging.Logger]:
    """Run a block with a log file; report an error that the user can correct in one line.

    Such an error ends the process with exit code 2. Any other exception keeps its traceback in
    the log.

    Parameters
    ----------
    log : Path or str
        The log file.
    threads : int
        Number of threads of the numerical libraries.

    Yields
    ------
    logging.Logger
        The root logger.
    """
    end_with_run()
    os.umask(0o077)  # a patient's results are readable by their owner only
    limit_threads(threads)
    logging.raiseExceptions = False  # tracebacks of a full disk would hide the error line
    try:
        with _log_to(log) as logger:
            yield logger
    except Exception as error:
        fault = user_fault(error)
        if fault is None:
            raise
        print(f"{ERROR_MARK}{fault}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


@contextmanager
def _log_to(log: Path | str) -> Iterator[logging.Logger]:
    """Log to a file, exceptions included."""
    logger = logging.getLogger()
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield logger
    except Exception as error:
        fault = user_fault(error)
        if fault is None:
            logger.exception("%s%s: %s", ERROR_MARK, type(error).__name__, error)
        else:
            logger.error("%s%s", ERROR_MARK, fault)
        raise
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):  # on a full disk the last lines are lost
            handler.close()


@contextmanager
def _locked(log: Path) -> Iterator[None]:
    """Lock a job's results; wait while a job of an earlier run (on a cluster) holds the lock."""
    with log.with_name(f".{log.stem}.lock").open("w") as handle:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logging.info("waiting for a job of an earlier run that writes the same results")
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _identify(job: Job) -> tuple[Roots, str, str]:
    """Return a job's folders, the owner of its record, and its stage (the log file's stem)."""
    bids = getattr(job.params, "bids", None)
    roots = Roots(Path(job.params.out), Path(bids) if bids else None)
    return roots, owner_of(getattr(job.wildcards, "label", None)), Path(job.log[0]).stem


def _settings(params: Any) -> dict[str, Any]:
    """Return a job's parameters without paths of this machine."""
    return {
        key: _without_folders(value)
        for key, value in params.items()
        if key not in ("bids", "out", "config")
    }


def _without_folders(value: Any) -> Any:
    """Return a parameter with every path reduced to the file's name."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, Mapping):
        return {key: _without_folders(item) for key, item in value.items()}
    return value


@contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """Yield an empty folder and remove it afterwards; remains of a killed stage are removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
