"""Damaged FIF and MATLAB files that would keep their libraries busy."""

import struct

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from virtualbrain.errors import InputError
from virtualbrain.io.fif import require_tags_in_order
from virtualbrain.io.mat import require_sound_mat

TAG = struct.Struct(">iIii")


def write_tags(path, stated):
    """Write tags of four bytes of data each, with these places of the next tag."""
    path.write_bytes(b"".join(TAG.pack(100, 3, 4, one) + bytes(4) for one in stated))
    return path


@pytest.mark.parametrize("stated", [[0, 0, 0], [0, 40, -1], [0, 0, -1], []])
def test_tags_in_order_are_accepted(tmp_path, stated):
    require_tags_in_order(write_tags(tmp_path / "a.fif", stated))


@pytest.mark.parametrize("stated", [[0, 20], [0, 0, 20], [0, 1]])
def test_a_tag_that_points_back_is_refused(tmp_path, stated):
    with pytest.raises(InputError, match="damaged at byte"):
        require_tags_in_order(write_tags(tmp_path / "a.fif", stated))


def cells(count):
    found = np.empty((1, count), object)
    found[0, :] = [np.zeros((0, 0))] * count
    return found


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        {"a": np.arange(12.0).reshape(3, 4), "b": "text", "c": 1},
        {"a": cells(50), "b": cells(0)},
        {"a": {"one": np.eye(3), "two": {"three": cells(2)}, "four": "x"}},
        {"a": np.array([(1, "x"), (2, "y")], dtype=[("n", object), ("name", object)])},
        {"a": np.zeros((2, 3), bool), "b": np.zeros(5, np.uint8), "c": 1j * np.ones(3)},
    ],
)
def test_files_that_scipy_writes_are_accepted(tmp_path, content, compressed):
    path = tmp_path / "a.mat"
    savemat(path, content, do_compression=compressed)
    require_sound_mat(path)
    assert set(content) <= set(loadmat(path))


@pytest.mark.parametrize("value", [cells(3), {"field": cells(3)}])
def test_a_cell_array_larger_than_the_file_is_refused(tmp_path, value):
    path = tmp_path / "a.mat"
    savemat(path, {"a": value})
    raw = path.read_bytes()
    shape = struct.pack("<II2i", 5, 8, 1, 3)
    assert raw.count(shape) == 1
    path.write_bytes(raw.replace(shape, struct.pack("<II2i", 5, 8, 30_000, 30_000)))
    with pytest.raises(InputError, match="more elements than the file"):
        require_sound_mat(path)


def test_an_unknown_type_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"a": {"b": np.arange(3.0)}})
    raw = path.read_bytes()
    tag = struct.pack("<II", 9, 24)
    assert raw.count(tag) == 1
    path.write_bytes(raw.replace(tag, struct.pack("<II", 77, 24)))
    with pytest.raises(InputError, match="unknown type"):
        require_sound_mat(path)


def test_an_array_without_dimensions_is_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"a": {"b": cells(3)}})
    raw = path.read_bytes()
    shape = struct.pack("<II2i", 5, 8, 1, 3)
    path.write_bytes(raw.replace(shape, struct.pack("<II2i", 5, 0, 1, 3)))
    with pytest.raises(InputError, match="damaged"):
        require_sound_mat(path)


@pytest.mark.parametrize("content", [b"", b"x" * 500, b"\x89HDF\r\n" + bytes(600), bytes(128)])
def test_other_files_are_left_to_their_reader(tmp_path, content):
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    require_sound_mat(path)
