"""Atomic writing of files."""

import errno
import json
import os
import time
from types import SimpleNamespace

import numpy as np
import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import (
    atomic_path,
    read_json,
    remove_abandoned,
    write_json,
    write_text,
)


def test_exception_keeps_the_earlier_file_and_removes_the_temporary_one(tmp_path):
    target = tmp_path / "a.nii.gz"
    target.write_text("before")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


def test_files_that_killed_processes_left_go_and_those_being_written_stay(tmp_path):
    target, begin = tmp_path / "a" / "b.nc", time.time()
    with atomic_path(target) as left:
        left.write_text("half")
        kept = left.with_name(".partial-old.nc")
        kept.write_text("half")
        os.utime(kept, (begin - 10, begin - 10))
        remove_abandoned(tmp_path, begin - 1)
        assert left.is_file()
        assert not kept.exists()
    assert [path.name for path in target.parent.iterdir()] == ["b.nc"]


def test_temporary_name_keeps_the_suffixes(tmp_path):
    with atomic_path(tmp_path / "new" / "a.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("whole")
    assert (tmp_path / "new" / "a.nii.gz").read_text() == "whole"


def test_json_converts_numpy_and_non_finite_numbers(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": np.float64(1.5), "b": np.array([1, 2]), "c": np.nan, "d": {1: (2,)}})
    assert read_json(path) == {"a": 1.5, "b": [1, 2], "c": None, "d": {"1": [2]}}
    json.loads(path.read_text())


@pytest.mark.parametrize(("text", "words"), [("{", "not JSON"), ("[1]", "not a JSON object")])
def test_invalid_json_object_is_refused(tmp_path, text, words):
    write_text(tmp_path / "a.json", text)
    with pytest.raises(InputError, match=words):
        read_json(tmp_path / "a.json")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "a.json")


def test_full_disk_is_reported_as_such(tmp_path, monkeypatch):
    """The NetCDF library reports only "HDF error"."""
    full = SimpleNamespace(free=1000)
    monkeypatch.setattr("virtualbrain.io.atomic.shutil.disk_usage", lambda _: full)
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(tmp_path / "a.nc"):
        raise RuntimeError("NetCDF: HDF error")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
