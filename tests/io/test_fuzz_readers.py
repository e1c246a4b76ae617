"""Mutated files: every reader gives an answer or one line, in bounded time and memory.

VIRTUALBRAIN_FUZZ_FILES sets the number of files of each reader (100 by default).
"""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.io.fuzz import READERS, fault_of, mutated
from virtualbrain.config import project_root
from virtualbrain.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def failures():
    """Failures of all readers, from one process of limited memory."""
    count = os.environ.get("VIRTUALBRAIN_FUZZ_FILES", "100")
    command = [sys.executable, "-m", "tests.io.fuzz", "--files", count]
    done = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("reader", READERS)
def test_a_mutated_file_gives_an_answer_or_one_line(failures, reader):
    assert [one for one in failures if one["reader"] == reader] == []


def raises(error):
    def read(_folder):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda folder: None, ""),
        (raises(InputError("wrong", where="a.tsv")), ""),
        (raises(InputError(" ")), "not one line"),
        (raises(ValueError("x")), "ValueError: x"),
        (raises(SystemExit(0)), "SystemExit"),
        (lambda folder: [None for _ in iter(time.process_time, -1.0)], "more than 4 s"),
    ],
)
def test_the_search_finds_faulty_readers(tmp_path, read, words):
    found = fault_of(read, tmp_path)
    assert words in found
    assert bool(found) == bool(words)


def test_the_memory_is_limited():
    script = "from tests.io.fuzz import limit_memory; limit_memory(); bytearray({} << 20)"
    for size, code in ((300, 0), (600, 1)):
        done = subprocess.run(
            [sys.executable, "-c", script.format(size)],
            cwd=project_root(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert ("MemoryError" in done.stderr) == bool(code)


def test_the_same_seed_gives_the_same_mutations():
    content = b"name\tx\nA1\t1.5\n" * 9
    found = [mutated(content, np.random.default_rng(k)) for k in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert len({mutated(content, np.random.default_rng(k)) for k in range(100)}) > 80
