"""Run the members of an ensemble in chunks, on all cores and within a memory limit."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from virtualbrain.errors import ModelError


def usable_cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunk_slices(n_members: int, chunk: int) -> Iterator[slice]:
    """Yield consecutive slices that cover the members, none longer than `chunk`."""
    for start in range(0, n_members, chunk):
        yield slice(start, min(start + chunk, n_members))


def members_within(memory_limit_bytes: int, bytes_per_member: int, what: str) -> int:
    """Return the number of members that fit into memory together.

    Raises
    ------
    ModelError
        One member needs more than the limit.
    """
    fitting = memory_limit_bytes // max(bytes_per_member, 1)
    if fitting < 1:
        raise ModelError(
            f"one {what} needs {bytes_per_member / 2**20:.0f} MiB",
            expected=f"at most {memory_limit_bytes / 2**20:.0f} MiB",
            hint="keep fewer quantities or samples, or raise memory_limit_bytes",
        )
    return int(fitting)


def run_chunks(
    work: Callable[[slice], None], n_members: int, chunk: int, n_threads: int | None = None
) -> None:
    """Call `work` on every chunk of members, one thread per core."""
    slices = list(chunk_slices(n_members, chunk))
    threads = min(n_threads or usable_cores(), len(slices))
    if threads <= 1:
        for part in slices:
            work(part)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, slices):
            pass
