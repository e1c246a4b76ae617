"""Hostile and broken datasets are refused: nothing is executed or written elsewhere."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.hostile import CANARY, KINDS, Hostile, hostile_folders, listing
from tests.security.refusals import MOST_SECONDS, refuse
from virtualbrain import cli


@pytest.fixture
def good(connectome_patient) -> Path:
    return connectome_patient


@pytest.mark.slow
def test_every_kind_is_refused_with_error_lines(good, tmp_path, monkeypatch, capsys):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for hostile in hostile_folders(good, tmp_path, len(KINDS), seed=2):
        folder = hostile.bids.parent
        before = listing(tmp_path)
        code = cli.main(["run", str(hostile.bids), str(folder / "out"), *hostile.arguments])
        lines = capsys.readouterr().err.strip().splitlines()
        assert code == 2, hostile.name
        assert lines, hostile.name
        assert all(line.startswith(("error: ", "note: ")) for line in lines), (hostile.name, lines)
        after = listing(tmp_path)
        changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
        outside = {n for n in changed if not n.startswith(f"{folder.name}/out")}
        assert not outside, hostile.name
        assert not [name for name in after if Path(name).name == CANARY], hostile.name
        shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip_bomb", "pipe_instead_of_a_file", "image_that_is_a_bomb"])
def test_refusal_needs_little_time_and_memory(good, tmp_path, kind):
    found = next(h for h in hostile_folders(good, tmp_path, len(KINDS), seed=3) if kind in h.name)
    judged = refuse(found)
    if judged.seconds > MOST_SECONDS:  # processor seconds are longer on a busy machine
        judged = replace(judged, seconds=refuse(found).seconds)
    assert judged.faults == [], judged


def test_valid_dataset_is_not_refused(good):
    assert cli.main(["check", str(good)]) == 0


def test_generator_is_reproducible(good, tmp_path):
    kinds = 6  # those before the links
    one, two = (list(hostile_folders(good, tmp_path / name, kinds, seed=5)) for name in ("a", "b"))
    assert [h.name for h in one] == [h.name for h in two]
    names = [{re.sub(r"^\d+/", "", n) for n in listing(h.bids.parent)} for h in one + two]
    assert names[:kinds] == names[kinds:]
    assert all(isinstance(h, Hostile) for h in one)
