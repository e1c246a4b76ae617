"""The wheel in an environment without the checkout: from `--help` to a report and a fit."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from virtualbrain.config import project_root

pytestmark = pytest.mark.slow
SETTINGS = """\
inference: {chains: 2, moves: 300, draws: 20, extension: 0}
surgery: {draws: 10, sham: 2, leading: 2}
"""
FIT = """\
import inference
import numpy as np

rng = np.random.default_rng(1)
times = np.linspace(-3, 20, 60)
envelope = rng.normal(0, 0.2, (60, 4)) + 3 * (times[:, None] > [0, 2, 99, 99])
weights = rng.random((6, 6))
problem = inference.Problem(envelope, np.eye(4, 6) + 0.01, weights + weights.T, times=times)
settings = inference.Settings(chains=2, moves=300, draws=20, extension=0)
posterior = inference.fit(problem, settings=settings)
print(inference.zones(posterior).to_string())
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def environment(work) -> Path:
    """A virtual environment with the wheel; only its dependencies are those of the tests."""
    pip = [sys.executable, "-m", "pip"]
    built = work / "wheel"
    wheel = ["wheel", str(project_root()), "--no-deps", "--no-build-isolation", "-w", str(built)]
    subprocess.run([*pip, *wheel, "--no-index"], check=True, capture_output=True)
    folder = work / "environment"
    venv.create(folder)
    for name in ("purelib", "platlib"):
        own = Path(sysconfig.get_path(name, vars={"base": str(folder), "platbase": str(folder)}))
        (own / f"{name}.pth").write_text(sysconfig.get_path(name))
    install = ["--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, *install, *map(str, built.iterdir())], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def run(environment, work) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs a program of the environment in another folder and with another home."""
    path = f"{environment / 'bin'}:{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not is_of_the_checkout(name)}
    clean = {**kept, "PATH": path, "HOME": str(work / "home")}

    def call(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True, text=True, check=False, cwd=work, env={**clean, **variables},
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return call


def is_of_the_checkout(name: str) -> bool:
    """Return whether a variable names the checkout's packages or caches."""
    return name in {"PYTHONPATH", "NUMBA_CACHE_DIR", "PYTENSOR_FLAGS", "MPLCONFIGDIR"}


@pytest.fixture(scope="module")
def finished(run, work) -> Path:
    """The results of the demo patient with a ready connectome."""
    (work / "quick.yaml").write_text(SETTINGS)
    demo = run("virtualbrain", "demo", "bids", "--ready-connectome")
    assert demo.returncode == 0, demo.stderr
    done = run("virtualbrain", "run", "bids", "out", "--config", "quick.yaml", "--cores", 2)
    assert done.returncode == 0, done.stderr
    return work / "out"


@pytest.mark.parametrize("package", ["virtualbrain", "inference"])
def test_the_packages_are_those_of_the_wheel(run, environment, package):
    found = run("python", "-c", f"import {package}; print({package}.__file__)")
    assert Path(found.stdout.strip()).is_relative_to(environment)


def test_help_lists_the_commands(run):
    done = run("virtualbrain", "--help")
    assert done.returncode == 0
    assert "simulate-hypothesis" in done.stdout


def test_the_version_is_that_of_the_project(run):
    stated = tomllib.loads((project_root() / "pyproject.toml").read_text())["project"]["version"]
    assert run("virtualbrain", "--version").stdout == f"virtualbrain {stated}\n"


def test_check_of_an_empty_folder_is_one_line(run, work):
    (work / "empty").mkdir()
    done = run("virtualbrain", "check", "empty")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "dataset_description.json" in done.stderr


def test_a_patient_from_data_to_report(finished, run):
    assert (finished / "sub-01.html").stat().st_size > 100_000
    assert (finished / "cohort.html").is_file()
    verified = run("virtualbrain", "verify", finished)
    assert verified.returncode == 0, verified.stderr


def test_caches_are_those_of_the_user(finished, environment, work):
    assert list((work / "home" / ".cache" / "virtualbrain" / "numba").rglob("*.nbi"))
    for package in ("virtualbrain", "inference"):
        (folder,) = environment.glob(f"lib/python*/site-packages/{package}")
        assert not [*folder.rglob(".cache"), *folder.rglob("*.nbi")]


def test_a_run_without_a_home_that_can_be_written(finished, run, work):
    """As in a container that is read-only."""
    home = work / "no-home"
    home.write_text("not a folder")
    done = run("virtualbrain", "run", "bids", "other", "--until", "check", HOME=str(home))
    assert done.returncode == 0, done.stderr


def test_a_fit_from_python(finished, run, work):
    """It uses the run's cache of compiled code, as the stages do."""
    (compiled,) = (work / "home" / ".cache" / "virtualbrain" / "numba").iterdir()
    fitted = run("python", "-c", FIT, NUMBA_CACHE_DIR=str(compiled))
    assert fitted.returncode == 0, fitted.stderr
    assert "p_ez" in fitted.stdout
