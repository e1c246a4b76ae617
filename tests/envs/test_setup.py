"""Set-up installs only files whose hashes are in the lock files."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from virtualbrain.config import project_root

ENVS = project_root() / "envs"
PROGRAMS = ("chromium", "munged", "slurmctld", "slurmd", "sbatch")


@pytest.mark.parametrize("lock", sorted(ENVS.glob("*.lock")), ids=lambda path: path.name)
def test_every_package_of_a_lock_has_a_version_and_a_hash(lock):
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    for block in re.split(r"\n(?! )", text.strip()):
        first, *rest = block.split(" \\\n")
        assert re.match(r"[a-z0-9-]+==\S+", first), first
        assert rest, f"{first} has no hash"
        assert all(re.fullmatch(r"\s*--hash=sha256:[0-9a-f]{64}", line) for line in rest), first


def test_locks_name_no_registry():
    for path in [*ENVS.glob("*.lock"), *ENVS.glob("*.yaml")]:
        assert "://" not in path.read_text(), path


def small_wheel(folder: Path) -> Path:
    """Write a wheel with one module; return its path."""
    about = "small-1.0.dist-info"
    path = folder / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small.py", "value = 1\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of which only the test packages are to be installed, without a network."""
    (tmp_path / "envs").mkdir()
    shutil.copy(ENVS / "setup.sh", tmp_path / "envs")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in PROGRAMS:
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / ".venv")], check=True)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(small_wheel(tmp_path).parent))
    return tmp_path


def set_up(project: Path, lock: str) -> subprocess.CompletedProcess[str]:
    (project / "envs" / "requirements-test.lock").write_text(lock)
    command = [str(project / "envs" / "setup.sh"), "test"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_changed_hash_is_refused_in_one_line(project):
    (wheel,) = project.glob("*.whl")
    good = hashlib.sha256(wheel.read_bytes()).hexdigest()
    installed = project / ".venv/lib"

    refused = set_up(project, f"small==1.0 --hash=sha256:{good[::-1]}\n")
    assert refused.returncode == 2
    progress, error = refused.stderr.splitlines()
    assert "installing Python packages" in progress
    assert "the file of small==1.0 has another hash" in error
    assert not list(installed.rglob("small.py"))

    without = set_up(project, "small==1.0\n")
    assert without.returncode == 2
    assert "Hashes are required" in without.stderr.splitlines()[-1]
    assert not list(installed.rglob("small.py"))

    accepted = set_up(project, f"small==1.0 --hash=sha256:{good}\n")
    assert accepted.returncode == 0, accepted.stderr
    assert list(installed.rglob("small.py"))


@pytest.mark.slow
@pytest.mark.parametrize(("index", "calls"), [("", 1), ("1", 0)])
def test_uv_installs_where_pip_has_no_index_of_its_own(project, monkeypatch, index, calls):
    if not index:
        monkeypatch.delenv("PIP_NO_INDEX")
    uv, called = project / ".venv/bin/uv", project / "called"
    uv.write_text(f'#!/bin/sh\necho "$@" >>{called}\n')
    uv.chmod(0o755)
    (wheel,) = project.glob("*.whl")
    done = set_up(
        project, f"small==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    )
    assert done.returncode == 0, done.stderr
    lines = called.read_text().splitlines() if called.exists() else []
    assert len(lines) == calls
    assert all("--require-hashes" in line and "--no-deps" in line for line in lines)
