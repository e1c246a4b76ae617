import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import time
import numpy as np
from virtualbrain.models.reduced import ReducedMembers, run_reduced, _integrate
run = run_reduced(np.zeros((3, 3)), ReducedMembers([[-1.6, -2.4, -2.4]], [1.0], [10.0]),
                  n_steps=300, dt=0.1)
stats = getattr(_integrate, "stats", None)
print(np.isfinite(run.onset_step).sum(), sum(stats.cache_hits.values()))
"""


def onsets_and_cache_hits(cache):
    env = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True,
                          check=False, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [int(word) for word in done.stdout.split()]


@pytest.mark.slow
def test_a_second_process_uses_the_cache(tmp_path):
    assert onsets_and_cache_hits(tmp_path) == [0, 0]
    assert onsets_and_cache_hits(tmp_path) == [0, 1]


@pytest.mark.slow
def test_functions_compile_without_a_writable_cache(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file in place of the cache folder")
    program = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "from virtualbrain.models.compile import compiled\n"
        "f = compiled()(lambda x: x + 1)\n"
        "print(f(1))\n"
    )
    env = {**os.environ, "NUMBA_CACHE_DIR": str(blocked / "below")}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True,
                          text=True, check=False, timeout=120)  # fmt: skip
    assert done.stdout.strip() == "2", done.stderr


def test_import_does_not_load_numba():
    code = "import sys, virtualbrain; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[2])  # fmt: skip
    assert done.stdout.strip() == "False"
