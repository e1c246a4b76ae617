"""A stage logs to its file, tells faults in one line, and ends with its run."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest

from virtualbrain.errors import InputError
from virtualbrain.pipeline.job import ERROR_MARK, mendable, sidecar, stage, use_project_caches


def test_a_fault_of_the_input_is_one_line_and_exit_code_2(tmp_path, capsys):
    log = tmp_path / "a.log"
    with pytest.raises(SystemExit) as ended, stage(log):
        raise InputError("no x", where="a.tsv")
    assert ended.value.code == 2
    assert f"{ERROR_MARK}a.tsv: no x" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert capsys.readouterr().err.strip() == f"{ERROR_MARK}a.tsv: no x"


def test_a_fault_of_the_program_keeps_its_traceback(tmp_path):
    log = tmp_path / "a.log"
    with pytest.raises(ZeroDivisionError), stage(log):
        _ = 1 / 0
    assert "Traceback" in log.read_text()


def test_changed_kernels_get_a_cache_of_their_own(tmp_path, monkeypatch):
    """numba would take a caller's machine code, with the old function inside, for good."""
    kernels = tmp_path / "inference" / "kernels"
    kernels.mkdir(parents=True)
    (kernels / "sweeps.py").write_text("a = 1")
    monkeypatch.setattr("virtualbrain.pipeline.job.project_root", lambda: tmp_path)
    found = []
    for text in ("a = 1", "a = 2", "a = 1"):
        (kernels / "sweeps.py").write_text(text)
        monkeypatch.setattr(os, "environ", {})
        use_project_caches()
        found.append(os.environ["NUMBA_CACHE_DIR"])
    assert found[0] == found[2] != found[1]


def test_sidecar_names_sources_and_versions():
    content = sidecar({"seeg": {"a": 1}}, ["seeg"], ["b", "a"])
    assert content["Sources"] == ["a", "b"]
    assert "numpy" in content["Versions"]


@pytest.mark.slow
def test_a_stage_ends_with_the_run_that_started_it(tmp_path):
    """The grandchild must not outlive the process that announced itself as the run."""
    grandchild = (
        "import ctypes\nfrom virtualbrain.pipeline.job import stage\n"
        f"with stage({str(tmp_path / 'a.log')!r}):\n"
        "    ctypes.PyDLL(None).sleep(60)"  # holds the interpreter, as ANTs does
    )
    parent = (
        "import subprocess, sys, time\nfrom virtualbrain.pipeline.job import announce_run\n"
        f"announce_run()\np = subprocess.Popen([sys.executable, '-c', {grandchild!r}])\n"
        "print(p.pid, flush=True)\ntime.sleep(60)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUALBRAIN_RUN"}
    run = subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    time.sleep(3)
    assert psutil.pid_exists(pid)
    run.kill()
    run.wait()
    run.stdout.close()
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "x", "/a/b.nc"), "b.nc: the disk is full"),
        (OSError(errno.EROFS, "x"), "read-only"),
        (PermissionError(errno.EACCES, "x", "/a/b.nc"), "b.nc: permission denied"),
        (MemoryError(), "not enough memory"),
        (BrokenProcessPool("x"), "a worker was ended from outside"),
    ],
)
def test_faults_of_the_machine_are_one_line_with_a_cure(tmp_path, capsys, error, words):
    with pytest.raises(SystemExit) as ended, stage(tmp_path / "a.log"):
        raise error
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert "start the same command again to go on" in line
    assert "Traceback" not in (tmp_path / "a.log").read_text()


def test_other_faults_are_not_taken_for_the_machines():
    assert mendable(OSError(errno.ENOENT, "x")) is None
    assert mendable(ValueError("x")) is None
