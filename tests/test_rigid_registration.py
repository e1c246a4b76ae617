"""Worker processes of ITK: their threads, and their end."""

import os
import subprocess
import sys
import time

import psutil

from virtualbrain.rigid_registration import THREADS_VARIABLE, itk_workers

SCRIPT = """
import os, time
from virtualbrain.rigid_registration import itk_workers
with itk_workers(1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600).result()
"""


def test_workers_have_the_wanted_number_of_threads():
    before = os.environ.get(THREADS_VARIABLE)
    for threads in (1, 2):
        with itk_workers(1, threads) as pool:
            assert pool.submit(os.getenv, THREADS_VARIABLE).result() == str(threads)
    assert os.environ.get(THREADS_VARIABLE) == before


def test_a_script_without_a_guard_can_use_workers_which_end_when_it_is_killed():
    script = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    worker = int(script.stdout.readline())
    assert worker != script.pid
    assert psutil.pid_exists(worker)
    script.kill()
    script.wait()
    script.stdout.close()
    until = time.monotonic() + 60
    while psutil.pid_exists(worker) and time.monotonic() < until:
        time.sleep(0.2)
    assert not psutil.pid_exists(worker)
