"""Share caches of compiled code and finished folders; run the longest tests first."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from virtualbrain.pipeline.environment import use_project_caches

use_project_caches()


def pytest_collection_modifyitems(items):
    """Start the longest tests first, so that no core waits for them at the end.

    First the complete patient, then the other files that start complete runs.
    """
    items.sort(
        key=lambda item: (
            item.path.name != "test_whole_patient.py",
            item.path.parent.name != "workflow",
        )
    )


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A function that returns a folder which one process makes and all test processes read.

    Nobody may change the folder: a test that does so works on a copy.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of all workers

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
        with (root / f"shared-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # remains of a process that failed
                folder.mkdir(mode=0o700)
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def connectome_patient(made_once) -> Path:
    """A dataset of a patient with a ready connectome and a recording; not to be changed."""
    from virtualbrain.synthetic.dataset import write_connectome_patient

    return made_once("connectome-patient", lambda folder: write_connectome_patient(folder, seed=1))
