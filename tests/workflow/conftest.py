"""A dataset, quick settings and the results of an undisturbed run."""

from pathlib import Path

import pytest

from tests.workflow.runs import QUICK, virtualbrain
from virtualbrain.synthetic.dataset import write_connectome_patient


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "quick.yaml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """A patient with a ready connectome and a recording."""
    folder = tmp_path_factory.mktemp("bids")
    write_connectome_patient(folder, seed=1)
    return folder


@pytest.fixture(scope="session")
def finished(dataset, settings, tmp_path_factory) -> Path:
    """The results of an undisturbed run."""
    out = tmp_path_factory.mktemp("finished")
    done = virtualbrain("run", dataset, out, "--cores", 2, "--config", settings)
    assert done.returncode == 0, done.stderr
    return out
