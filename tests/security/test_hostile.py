"""Hostile and broken folders: one clear refusal each, nothing written elsewhere, nothing run."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.hostile import CANARY, KINDS, Hostile, hostile_folders, listing
from tests.security.refusals import MOST_SECONDS, refuse
from virtualbrain import cli
from virtualbrain.synthetic.dataset import write_connectome_patient


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_connectome_patient(folder, seed=1)
    return folder


@pytest.mark.slow
def test_every_kind_is_refused_in_clear_lines(good, tmp_path, monkeypatch, capsys):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for hostile in hostile_folders(good, tmp_path, len(KINDS), seed=2):
        room = hostile.bids.parent
        before = listing(tmp_path)
        code = cli.main(["run", str(hostile.bids), str(room / "out"), *hostile.arguments])
        lines = capsys.readouterr().err.strip().splitlines()
        assert code == 2, hostile.name
        assert lines, hostile.name
        assert all(line.startswith(("error: ", "note: ")) for line in lines), (hostile.name, lines)
        after = listing(tmp_path)
        changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
        outside = {n for n in changed if not n.startswith(f"{room.name}/out")}
        assert not outside, hostile.name
        assert not [name for name in after if Path(name).name == CANARY], hostile.name
        shutil.rmtree(room)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zip_bomb", "pipe_instead_of_a_file", "image_that_is_a_bomb"])
def test_a_refusal_is_quick_and_small(good, tmp_path, kind):
    found = next(h for h in hostile_folders(good, tmp_path, len(KINDS), seed=3) if kind in h.name)
    judged = refuse(found)
    if judged.seconds > MOST_SECONDS:  # a busy machine's processor seconds are longer
        judged = replace(judged, seconds=refuse(found).seconds)
    assert judged.faults == [], judged


def test_the_good_patient_is_not_refused(good):
    assert cli.main(["check", str(good)]) == 0


def test_the_generator_repeats_itself(good, tmp_path):
    kinds = 6  # those before the links
    one, two = (list(hostile_folders(good, tmp_path / name, kinds, seed=5)) for name in ("a", "b"))
    assert [h.name for h in one] == [h.name for h in two]
    names = [{re.sub(r"^\d+/", "", n) for n in listing(h.bids.parent)} for h in one + two]
    assert names[:kinds] == names[kinds:]
    assert all(isinstance(h, Hostile) for h in one)
