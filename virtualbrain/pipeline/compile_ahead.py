"""Compile the code of simulation, fit and surgery while other work leaves a core idle."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from virtualbrain.pipeline.snakemake_runner import end_with_parent

SIMULATION_ONLY = "simulation"
_MARK = "fit-and-surgery"


@contextmanager
def compiling_ahead(*, wanted: bool, simulation_only: bool = False) -> Iterator[None]:
    """Compile in a process of low priority beside the block, if wanted and not yet in the cache.

    With `simulation_only` the fit is left out: its largest function takes longer to compile than
    the writing of a demo patient leaves a core idle.

    Stages that come first use the machine code as soon as it is there, and compile themselves what
    is not. The process ends with the block. A fault in it changes nothing but the time.
    """
    if not wanted or _marked().is_file() or (os.cpu_count() or 1) < 2:
        yield
        return
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "virtualbrain.commands.compile_ahead",
            *([SIMULATION_ONLY] if simulation_only else []),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        preexec_fn=end_with_parent if sys.platform == "linux" else None,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def mark_compiled() -> None:
    """State in the cache that it holds the code."""
    with suppress(OSError):
        _marked().parent.mkdir(parents=True, exist_ok=True)
        _marked().touch()


def _marked() -> Path:
    return Path(os.environ["NUMBA_CACHE_DIR"]) / _MARK
