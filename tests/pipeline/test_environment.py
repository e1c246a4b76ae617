"""Caches of compiled code."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from virtualbrain.pipeline.environment import use_project_caches


def test_changed_kernels_use_another_cache(tmp_path, monkeypatch):
    """numba would reuse a caller's machine code, which contains the old function."""
    kernels = tmp_path / "inference" / "kernels"
    kernels.mkdir(parents=True)
    (kernels / "sweeps.py").write_text("a = 1")
    for root in ("installed_root", "project_root"):
        monkeypatch.setattr(f"virtualbrain.pipeline.environment.{root}", lambda: tmp_path)
    found = []
    for text in ("a = 1", "a = 2", "a = 1"):
        (kernels / "sweeps.py").write_text(text)
        monkeypatch.setattr(os, "environ", {})
        use_project_caches()
        found.append(os.environ["NUMBA_CACHE_DIR"])
    assert found[0] == found[2] != found[1]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """The environment of an installed wheel: the project is not the folder of the packages."""
    monkeypatch.setattr("virtualbrain.pipeline.environment.project_root", lambda: tmp_path / "p")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path / "home")})
    return tmp_path


def caches() -> Path:
    use_project_caches()
    return Path(os.environ["MPLCONFIGDIR"]).parent


def test_an_installed_wheel_writes_to_the_users_cache(wheel):
    assert caches() == wheel / "home" / ".cache" / "virtualbrain"


def test_without_a_home_the_cache_is_temporary_and_private(wheel):
    (wheel / "home").write_text("not a folder")
    folder = caches()
    assert folder == wheel / "temporary" / f"virtualbrain-{os.getuid()}"
    assert folder.stat().st_mode & 0o077 == 0


def test_stages_keep_the_modules_that_python_compiles(wheel, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    use_project_caches()
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert not sys.dont_write_bytecode


def test_snakemake_gets_a_cache_that_it_can_write(wheel):
    (wheel / "home").write_text("not a folder")
    folder = caches()
    assert os.environ["XDG_CACHE_HOME"] == str(folder)
    assert caches() == folder  # again, as in a stage
    assert os.environ["XDG_CACHE_HOME"] == str(folder)


def test_snakemake_keeps_the_users_cache(wheel):
    caches()
    assert "XDG_CACHE_HOME" not in os.environ


def test_a_stage_can_give_way_to_longer_ones():
    code = "import os; from virtualbrain.pipeline.environment import *; let_longer_stages_first()"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(os.nice(0))"], capture_output=True, check=True
    )
    assert int(done.stdout) == min(os.nice(0) + 5, 19)


def test_a_cache_of_another_user_is_not_used(wheel, monkeypatch):
    """Its compiled code would run here."""
    (wheel / "home").write_text("not a folder")
    this_user = os.getuid() + 1  # so that the folder belongs to another one
    monkeypatch.setattr(os, "getuid", lambda: this_user)
    planted = wheel / "temporary" / f"virtualbrain-{this_user}"
    planted.mkdir()
    folder = caches()
    assert folder.parent == planted.parent
    assert folder != planted
