"""Set up a process: compiler caches, numbers of threads, and its end with the run."""

import hashlib
import os
import socket
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from virtualbrain.config import installed_root, project_root

RUN_VARIABLE = "VIRTUALBRAIN_RUN"


def use_project_caches() -> None:
    """Set the compilers' cache folders to the project's, so that a second run starts faster.

    Python keeps its compiled modules even where PYTHONDONTWRITEBYTECODE is set: without them each
    stage would compile every package again.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    home = _cache_folder()
    os.environ.setdefault("NUMBA_CACHE_DIR", str(home / "numba" / _kernel_checksum()))
    os.environ.setdefault("PYTENSOR_FLAGS", f"base_compiledir={home / 'pytensor'}")
    os.environ.setdefault("MPLCONFIGDIR", str(home / "matplotlib"))
    of_user = _user_caches()
    if of_user is None or not _could_write(of_user / "snakemake"):
        os.environ["XDG_CACHE_HOME"] = str(home)  # Snakemake stops if it cannot write there


def _cache_folder() -> Path:
    """Return the first folder that can be written: in the checkout, of the user, temporary.

    In a container often neither the project nor a home folder can be written.
    """
    folders = [project_root() / ".cache"] if project_root() == installed_root() else []
    if of_user := _user_caches():
        folders.append(of_user / "virtualbrain")
    folders.append(Path(tempfile.gettempdir()) / f"virtualbrain-{os.getuid()}")
    for folder in folders:
        if _is_own_folder(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="virtualbrain-"))


def _user_caches() -> Path | None:
    """Return the folder of all caches of the user, where Snakemake has its cache too."""
    if stated := os.environ.get("XDG_CACHE_HOME"):
        return Path(stated)
    with suppress(RuntimeError):  # a user without a home
        return Path.home() / ".cache"
    return None


def _could_write(folder: Path) -> bool:
    """Return whether a folder can be written, or made; nothing is made."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _is_own_folder(folder: Path) -> bool:
    """Return whether a folder exists or can be made, belongs to this user and can be written.

    Compiled code is run from it: in a folder of another user it could be changed by that user.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return folder.lstat().st_uid == os.getuid() and os.access(folder, os.W_OK)


def _kernel_checksum() -> str:
    """Return a checksum of all compiled code: numba detects changes in a function's file only."""
    digest = hashlib.sha256()
    for folder in ("inference", "virtualbrain/models"):
        for path in sorted((installed_root() / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def announce_run() -> None:
    """Store the run's host and process number in the environment, for `end_with_run`."""
    os.environ.setdefault(RUN_VARIABLE, f"{socket.gethostname()}:{os.getpid()}")


def end_with_run() -> None:
    """End this process and its children when the run that started it has ended.

    Otherwise stages of a killed run would keep writing while the next run writes the same files.
    A forked process watches the run: a thread could not run while a library holds the
    interpreter lock. A run on another machine (for a cluster's job) is not watched.
    """
    host, _, pid = os.environ.get(RUN_VARIABLE, "").rpartition(":")
    if host != socket.gethostname() or int(pid) == os.getpid():
        return
    this = os.getpid()
    if os.fork() == 0:
        _watch(int(pid), this)


def _watch(run: int, stage_pid: int) -> NoReturn:
    """Wait until a run or its stage ends; kill the stage and its children if the run ended."""
    import psutil  # on use, so that --help starts fast

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


def let_longer_stages_first() -> None:
    """Lower the priority of this process, whose results wait for a longer stage beside it."""
    os.nice(5)


def limit_threads(threads: int) -> None:
    """Set the numerical libraries' number of threads; call it before they are imported."""
    for name in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
        "MRTRIX_NTHREADS",
    ):
        os.environ[name] = str(threads)
