"""What each stage wrote is known by its checksum; what was damaged is never taken for a result."""

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import (
    Entry,
    Fingerprint,
    Fingerprints,
    Roots,
    checksum,
    drop_damaged,
    files_of,
    page,
    read_entries,
    require_whole,
    write_entry,
)
from virtualbrain.pipeline.job import stage_of
from virtualbrain.pipeline.verification import outdated_pages, require_current, verify_patient


class Parameters(dict):
    """Parameters as the workflow's engine gives them: by name, as attributes."""

    __getattr__ = dict.__getitem__


def job(out: Path, bids: Path, stage: str, inputs: list[Path], results: list[Path]):
    log = PatientLayout(out, "01").log(stage)
    log.parent.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(
        rule=stage,
        threads=1,
        log=[str(log)],
        input=list(map(str, inputs)),
        output=list(map(str, results)),
        params=Parameters(out=out, bids=bids, seed=1, settings={"a": 1}),
        wildcards=SimpleNamespace(label="01"),
    )


@pytest.fixture
def made(tmp_path):
    """Two stages: seeg reads the dataset, surgery reads what seeg wrote."""
    out, bids = tmp_path / "out", tmp_path / "bids"
    layout = PatientLayout(out, "01")
    (bids / "sub-01").mkdir(parents=True)
    (bids / "sub-01" / "a.tsv").write_text("x\n1\n")
    with stage_of(job(out, bids, "seeg", [bids / "sub-01/a.tsv"], [layout.seeg])):
        layout.seeg.mkdir(parents=True)
        layout.gain.write_text("name\nr\n")
        layout.gain.with_suffix(".json").write_text("{}")
    outcomes = layout.outcomes("default")
    with stage_of(job(out, bids, "surgery-default", [layout.seeg], [outcomes])):
        outcomes.parent.mkdir(parents=True)
        outcomes.write_text("rank\n1\n")
        outcomes.with_suffix(".json").write_text("{}")
    layout.provenance.write_text(
        json.dumps({"configuration": {"seed": 1, "seeg": {"a": 1}, "surgery": {"a": 1}}})
    )
    layout.report.write_text("report")
    roots = Roots(out, bids)
    with stage_of(job(out, bids, "provenance", [outcomes], [layout.provenance])):
        pass
    return SimpleNamespace(layout=layout, roots=roots, bids=bids, out=out)


def test_checksum_is_hashlibs(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert checksum(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_a_page_names_what_was_read_and_written(made):
    seeg, surgery = (e for e in read_entries(made.out, "sub-01") if e.stage != "provenance")
    assert set(seeg.inputs) == {"bids:sub-01/a.tsv"}
    assert set(seeg.results) == {"sub-01/ieeg/sub-01_desc-gain.tsv", *surgery.inputs}
    assert surgery.inputs == seeg.results
    assert "sub-01/surgery/default/outcomes.json" in surgery.results  # the table's sidecar
    assert seeg.settings == {"seed": 1, "settings": {"a": 1}}
    assert str(made.out) not in page(made.out, "sub-01", "seeg").read_text()


def test_nothing_touched_is_verified(made):
    found = verify_patient(made.layout, made.bids)
    assert found.touched == ()
    assert found.n_results == 5
    assert found.seal == verify_patient(made.layout, None).seal


def test_what_was_cut_short_is_not_read(made):
    made.layout.gain.write_text("name")
    with pytest.raises(SystemExit) as ended:
        again = job(made.out, made.bids, "surgery-default", [made.layout.seeg], [])
        with stage_of(again):
            raise AssertionError("the stage must not begin")
    assert ended.value.code == 2
    assert "not what its stage wrote" in made.layout.log("surgery-default").read_text()


def test_the_same_content_at_another_time_is_whole(made):
    os.utime(made.layout.gain, ns=(1, 1))
    require_whole(made.roots, [made.layout.seeg])
    assert drop_damaged(made.layout) == []


def test_damaged_results_of_a_stage_go_and_the_others_stay(made):
    made.layout.outcomes("default").write_text("rank\n2\n")
    (line,) = drop_damaged(made.layout)
    assert "outcomes.tsv: not what its stage wrote" in line
    assert not made.layout.outcomes("default").exists()
    assert not made.layout.report.exists()  # it would show what is not there any more
    assert made.layout.gain.exists()
    assert drop_damaged(made.layout) == []


def test_a_folders_stage_is_made_anew_as_a_whole(made):
    made.layout.gain.unlink()
    assert any("gone" in line for line in drop_damaged(made.layout))
    assert not made.layout.seeg.exists()


def test_a_killed_stage_leaves_no_page(made):
    with pytest.raises(SystemExit), stage_of(job(made.out, made.bids, "seeg", [], [])):
        raise InputError("no x")
    assert not page(made.out, "sub-01", "seeg").exists()


def test_a_page_is_an_output_but_no_result_of_its_stage(made):
    own = page(made.out, "sub-01", "seeg")
    with stage_of(job(made.out, made.bids, "seeg", [], [own, made.layout.seeg])):
        pass
    seeg = next(entry for entry in read_entries(made.out, "sub-01") if entry.stage == "seeg")
    assert set(seeg.results) == {f"sub-01/ieeg/sub-01_desc-gain.{kind}" for kind in ("tsv", "json")}


def test_the_page_of_damaged_results_goes_before_them(made, monkeypatch):
    """A kill between the two must leave results without a page, never a page without results."""
    made.layout.gain.write_text("cut")
    monkeypatch.setattr("virtualbrain.io.manifest._remove", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        drop_damaged(made.layout)
    assert not page(made.out, "sub-01", "seeg").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"stage": 1}', "[]", '{"stage":"a","results":7}'])
def test_a_damaged_page_is_named_and_dropped(made, text):
    page(made.out, "sub-01", "seeg").write_text(text)
    with pytest.raises(InputError):
        read_entries(made.out, "sub-01")
    assert len(drop_damaged(made.layout)) == 1
    assert not page(made.out, "sub-01", "seeg").exists()


def test_a_page_that_leads_out_of_the_folder_removes_nothing(made, tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("x")
    path = page(made.out, "sub-01", "seeg")
    content = json.loads(path.read_text())
    content["results"] = {"../precious": {"sha256": "0", "size": 5, "mtime_ns": 1}}
    path.write_text(json.dumps(content))
    drop_damaged(made.layout)
    assert outside.read_text() == "x"


def test_an_input_that_changed_is_named_with_its_stage(made):
    (made.bids / "sub-01" / "a.tsv").write_text("x\n2\n")
    (line,) = verify_patient(made.layout, made.bids).touched
    assert line == "sub-01/a.tsv: changed since it was read (input of seeg)"
    assert verify_patient(made.layout, None).notes


def test_a_result_of_another_input_is_named(made):
    """seeg ran again and wrote something else, but surgery was not made from it."""
    made.layout.gain.write_text("name\nother\n")
    entry = next(e for e in read_entries(made.out, "sub-01") if e.stage == "seeg")
    results = Fingerprints(made.roots, ()).of([made.layout.seeg])
    write_entry(made.roots, Entry("seeg", "sub-01", entry.inputs, results, entry.settings, {}))
    touched = verify_patient(made.layout, made.bids).touched
    assert any("surgery-default was made from another version of it" in line for line in touched)
    assert any("made with" in line for line in touched)  # and without the versions


def test_other_settings_than_stated_are_named(made):
    made.layout.provenance.write_text(json.dumps({"configuration": {"seed": 2}}))
    touched = " ".join(verify_patient(made.layout, made.bids).touched)
    assert "seeg: made with other settings" in touched
    assert "another seed" in touched


CURRENT = {"seed": 1, "seeg": {"a": 1}, "surgery": {"a": 1}}


def test_what_is_accounted_for_is_current(made):
    require_current(made.layout, made.bids, CURRENT, ["default"])


def test_an_account_of_older_results_is_refused(made):
    """The engine may leave a stage as it was: see `Start.check_again`."""
    with pytest.raises(InputError, match="seeg: made with other settings"):
        require_current(made.layout, made.bids, CURRENT | {"seeg": {"a": 2}}, ["default"])
    (made.bids / "sub-01" / "a.tsv").write_text("x\n2\n")
    with pytest.raises(InputError, match="changed since it was read"):
        require_current(made.layout, made.bids, CURRENT, ["default"])


def test_pages_of_other_settings_are_outdated_unless_of_other_priors(made):
    def outdated(config, *priors):
        return [path.stem for path in outdated_pages(made.layout, config, priors)]

    assert outdated(CURRENT, "default") == []
    assert outdated(CURRENT | {"seeg": {"a": 2}}, "default") == ["seeg"]
    assert outdated(CURRENT | {"surgery": {"a": 2}}, "default") == ["surgery-default"]
    assert outdated(CURRENT | {"surgery": {"a": 2}}, "other") == []
    assert set(outdated(CURRENT | {"seed": 2}, "default")) == {
        "provenance", "seeg", "surgery-default",
    }  # fmt: skip


def test_stages_that_nothing_rests_on_may_be_older(made):
    other = made.layout.outcomes("other")
    with stage_of(job(made.out, made.bids, "surgery-other", [], [other])):
        pass
    path = page(made.out, "sub-01", "surgery-other")
    path.write_text(path.read_text().replace('"a": 1', '"a": 7'))
    require_current(made.layout, made.bids, CURRENT, ["default"])
    with pytest.raises(InputError, match="surgery-other"):
        require_current(made.layout, made.bids, CURRENT, ["default", "other"])


def test_sidecars_belong_to_their_tables(tmp_path):
    for name in ("a.tsv", "a.json", "b.nc", "c.json"):
        (tmp_path / name).write_text("x")
    found = [p.name for p in files_of([tmp_path / "a.tsv", tmp_path / "b.nc", tmp_path / "no"])]
    assert found == ["a.tsv", "a.json", "b.nc"]


def test_a_file_is_not_read_twice(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("x")
    roots = Roots(tmp_path)
    known = Fingerprint.of(path)
    entry = Entry("s", "sub-01", {"a": known}, {}, {}, {})
    monkeypatch.setattr("virtualbrain.io.manifest.checksum", None)
    assert Fingerprints(roots, [entry]).of([path]) == {"a": known}
