"""A dataset, quick settings and the results of an undisturbed run."""

from pathlib import Path

import pytest

from tests.workflow.runs import QUICK, virtualbrain


@pytest.fixture(scope="session")
def settings(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("settings") / "quick.yaml"
    path.write_text(QUICK)
    return path


@pytest.fixture(scope="session")
def dataset(connectome_patient) -> Path:
    """A patient with a ready connectome and a recording."""
    return connectome_patient


@pytest.fixture(scope="session")
def finished(dataset, settings, made_once) -> Path:
    """The results of an undisturbed run; not to be changed."""

    def run(out: Path) -> None:
        done = virtualbrain("run", dataset, out, "--cores", 2, "--config", settings)
        assert done.returncode == 0, done.stderr

    return made_once("finished", run)
