"""A job logs to its file, reports errors in one line, and ends with its run."""

import errno
import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest

from virtualbrain.errors import InputError
from virtualbrain.pipeline.faults import ERROR_MARK
from virtualbrain.pipeline.job import run_logged


def test_input_error_is_one_line_and_exit_code_2(tmp_path, capsys):
    log = tmp_path / "a.log"
    with pytest.raises(SystemExit) as ended, run_logged(log):
        raise InputError("no x", where="a.tsv")
    assert ended.value.code == 2
    assert f"{ERROR_MARK}a.tsv: no x" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert capsys.readouterr().err.strip() == f"{ERROR_MARK}a.tsv: no x"


def test_program_error_keeps_its_traceback(tmp_path):
    log = tmp_path / "a.log"
    with pytest.raises(ZeroDivisionError), run_logged(log):
        _ = 1 / 0
    assert "Traceback" in log.read_text()


@pytest.mark.slow
def test_stage_ends_with_the_run_that_started_it(tmp_path):
    """The grandchild must not outlive the process that announced itself as the run."""
    grandchild = (
        "import ctypes\nfrom virtualbrain.pipeline.job import run_logged\n"
        f"with run_logged({str(tmp_path / 'a.log')!r}):\n"
        "    ctypes.PyDLL(None).sleep(60)"  # holds the interpreter lock, as ANTs does
    )
    parent = (
        "import subprocess, sys, time\nfrom virtualbrain.pipeline.environment import announce_run\n"
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
        (BrokenProcessPool("x"), "a worker process was killed"),
    ],
)
def test_machine_faults_are_one_line_with_a_hint(tmp_path, capsys, error, words):
    with pytest.raises(SystemExit) as ended, run_logged(tmp_path / "a.log"):
        raise error
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert words in line
    assert "start the same command again to continue" in line
    assert "Traceback" not in (tmp_path / "a.log").read_text()
