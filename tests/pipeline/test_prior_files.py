"""Names and files of prior sets."""

import pytest

from virtualbrain.errors import ConfigError
from virtualbrain.pipeline.prior_files import prior_files


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "default.yaml").write_text("a: 1\n")
    (tmp_path / "own set.yaml").write_text("a: 1\n")
    return tmp_path


def test_names_and_paths(folder):
    other = folder / "sub"
    other.mkdir()
    (other / "mine.yaml").write_text("a: 1\n")
    found = prior_files(["default", str(other / "mine.yaml")], folder)
    assert list(found) == ["default", "mine"]
    assert all(path.is_absolute() for path in found.values())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["defualt"], "expected one of default"),
        ([], "no prior set given"),
        (["default", "default"], "two prior sets"),
        (["own set"], "invalid name of a prior file"),
    ],
)
def test_invalid_names_are_refused(folder, given, words):
    with pytest.raises(ConfigError, match=words):
        prior_files(given, folder)
