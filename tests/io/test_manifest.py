"""Stage records hold checksums of inputs and results; damaged results are never used."""

import hashlib
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from virtualbrain.errors import InputError
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import (
    Fingerprint,
    Fingerprints,
    Roots,
    StageRecord,
    adopt_earlier_manifest,
    checksum,
    files_of,
    read_records,
    record_path,
    remove_damaged,
    require_undamaged,
    write_record,
)
from virtualbrain.pipeline.job import run_job
from virtualbrain.pipeline.verification import outdated_records, require_current, verify_patient


class Parameters(dict):
    """Parameters as Snakemake passes them: a mapping with attributes."""

    __getattr__ = dict.__getitem__


def job(out: Path, bids: Path, stage: str, inputs: list[Path], results: list[Path]):
    log = PatientLayout(out, "01").log(stage)
    log.parent.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(
        rule=stage,
        threads=1,
        resources=SimpleNamespace(),
        log=[str(log)],
        input=list(map(str, inputs)),
        output=list(map(str, results)),
        params=Parameters(out=out, bids=bids, seed=1, settings={"a": 1}),
        wildcards=SimpleNamespace(label="01"),
    )


@pytest.fixture
def made(tmp_path):
    """Two stages: seeg reads the dataset, surgery reads the results of seeg."""
    out, bids = tmp_path / "out", tmp_path / "bids"
    layout = PatientLayout(out, "01")
    (bids / "sub-01").mkdir(parents=True)
    (bids / "sub-01" / "a.tsv").write_text("x\n1\n")
    with run_job(job(out, bids, "seeg", [bids / "sub-01/a.tsv"], [layout.seeg])):
        layout.seeg.mkdir(parents=True)
        layout.gain.write_text("name\nr\n")
        layout.gain.with_suffix(".json").write_text("{}")
    outcomes = layout.outcomes("default")
    with run_job(job(out, bids, "surgery-default", [layout.seeg], [outcomes])):
        outcomes.parent.mkdir(parents=True)
        outcomes.write_text("rank\n1\n")
        outcomes.with_suffix(".json").write_text("{}")
    layout.provenance.write_text(
        json.dumps({"configuration": {"seed": 1, "seeg": {"a": 1}, "surgery": {"a": 1}}})
    )
    layout.report.write_text("report")
    roots = Roots(out, bids)
    with run_job(job(out, bids, "provenance", [outcomes], [layout.provenance])):
        pass
    return SimpleNamespace(layout=layout, roots=roots, bids=bids, out=out)


def test_checksum_equals_hashlibs(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert checksum(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


def test_stage_record_lists_inputs_and_results(made):
    seeg, surgery = (e for e in read_records(made.out, "sub-01") if e.stage != "provenance")
    assert set(seeg.inputs) == {"bids:sub-01/a.tsv"}
    assert set(seeg.results) == {"sub-01/ieeg/sub-01_desc-gain.tsv", *surgery.inputs}
    assert surgery.inputs == seeg.results
    assert "sub-01/surgery/default/outcomes.json" in surgery.results  # the table's sidecar
    assert seeg.settings == {"seed": 1, "settings": {"a": 1}}
    assert str(made.out) not in record_path(made.out, "sub-01", "seeg").read_text()


def test_unchanged_results_are_verified(made):
    found = verify_patient(made.layout, made.bids)
    assert found.mismatches == ()
    assert found.n_results == 5
    assert found.seal == verify_patient(made.layout, None).seal


def test_truncated_input_is_not_read(made):
    made.layout.gain.write_text("name")
    with pytest.raises(SystemExit) as ended:
        again = job(made.out, made.bids, "surgery-default", [made.layout.seeg], [])
        with run_job(again):
            raise AssertionError("the stage must not begin")
    assert ended.value.code == 2
    assert "not the file that its stage wrote" in made.layout.log("surgery-default").read_text()


def test_same_content_with_another_time_is_undamaged(made):
    os.utime(made.layout.gain, ns=(1, 1))
    require_undamaged(made.roots, [made.layout.seeg])
    assert remove_damaged(made.layout) == []


def test_only_results_of_the_damaged_stage_are_removed(made):
    made.layout.outcomes("default").write_text("rank\n2\n")
    (line,) = remove_damaged(made.layout)
    assert "outcomes.tsv: not the file that its stage wrote" in line
    assert not made.layout.outcomes("default").exists()
    assert not made.layout.report.exists()  # it would show the removed result
    assert made.layout.gain.exists()
    assert remove_damaged(made.layout) == []


def test_folder_of_a_damaged_stage_is_removed_entirely(made):
    made.layout.gain.unlink()
    assert any("missing" in line for line in remove_damaged(made.layout))
    assert not made.layout.seeg.exists()


def test_failed_stage_leaves_no_record(made):
    with pytest.raises(SystemExit), run_job(job(made.out, made.bids, "seeg", [], [])):
        raise InputError("no x")
    assert not record_path(made.out, "sub-01", "seeg").exists()


def test_record_is_an_output_but_not_a_result_of_its_stage(made):
    own = record_path(made.out, "sub-01", "seeg")
    with run_job(job(made.out, made.bids, "seeg", [], [own, made.layout.seeg])):
        pass
    seeg = next(entry for entry in read_records(made.out, "sub-01") if entry.stage == "seeg")
    assert set(seeg.results) == {f"sub-01/ieeg/sub-01_desc-gain.{kind}" for kind in ("tsv", "json")}


def test_record_is_removed_before_its_damaged_results(made, monkeypatch):
    """A kill between the two may leave results without a record, never the reverse."""
    made.layout.gain.write_text("cut")
    monkeypatch.setattr("virtualbrain.io.manifest._remove", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        remove_damaged(made.layout)
    assert not record_path(made.out, "sub-01", "seeg").exists()


@pytest.mark.parametrize("text", ["", "{}", '{"stage": 1}', "[]", '{"stage":"a","results":7}'])
def test_damaged_record_is_reported_and_removed(made, text):
    record_path(made.out, "sub-01", "seeg").write_text(text)
    with pytest.raises(InputError):
        read_records(made.out, "sub-01")
    assert len(remove_damaged(made.layout)) == 1
    assert not record_path(made.out, "sub-01", "seeg").exists()


def test_record_with_an_outside_path_removes_nothing(made, tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("x")
    path = record_path(made.out, "sub-01", "seeg")
    content = json.loads(path.read_text())
    content["results"] = {"../precious": {"sha256": "0", "size": 5, "mtime_ns": 1}}
    path.write_text(json.dumps(content))
    remove_damaged(made.layout)
    assert outside.read_text() == "x"


def test_changed_input_is_reported_with_its_stage(made):
    (made.bids / "sub-01" / "a.tsv").write_text("x\n2\n")
    (line,) = verify_patient(made.layout, made.bids).mismatches
    assert line == "sub-01/a.tsv: changed since it was read (input of seeg)"
    assert verify_patient(made.layout, None).notes


def test_result_of_another_input_is_reported(made):
    """seeg ran again and wrote another gain, but surgery did not run again."""
    made.layout.gain.write_text("name\nother\n")
    entry = next(e for e in read_records(made.out, "sub-01") if e.stage == "seeg")
    results = Fingerprints(made.roots, ()).of([made.layout.seeg])
    write_record(
        made.roots, StageRecord("seeg", "sub-01", entry.inputs, results, entry.settings, {})
    )
    lines = verify_patient(made.layout, made.bids).mismatches
    assert any("surgery-default used another version of it" in line for line in lines)
    assert any("ran with" in line for line in lines)  # versions differ too


def test_settings_other_than_stated_are_reported(made):
    made.layout.provenance.write_text(json.dumps({"configuration": {"seed": 2}}))
    lines = " ".join(verify_patient(made.layout, made.bids).mismatches)
    assert "seeg: ran with other settings" in lines
    assert "another seed" in lines


CURRENT = {"seed": 1, "seeg": {"a": 1}, "surgery": {"a": 1}}


def test_current_results_are_accepted(made):
    require_current(made.layout, made.bids, CURRENT, ["default"])


def test_provenance_of_older_results_is_refused(made):
    """Snakemake may not repeat a stage: see `Start.check_again`."""
    with pytest.raises(InputError, match="seeg: ran with other settings"):
        require_current(made.layout, made.bids, CURRENT | {"seeg": {"a": 2}}, ["default"])
    (made.bids / "sub-01" / "a.tsv").write_text("x\n2\n")
    with pytest.raises(InputError, match="changed since it was read"):
        require_current(made.layout, made.bids, CURRENT, ["default"])


def test_records_of_other_settings_are_outdated_unless_of_other_priors(made):
    def outdated(config, *priors):
        return [path.stem for path in outdated_records(made.layout, config, priors)]

    assert outdated(CURRENT, "default") == []
    assert outdated(CURRENT | {"seeg": {"a": 2}}, "default") == ["seeg"]
    assert outdated(CURRENT | {"surgery": {"a": 2}}, "default") == ["surgery-default"]
    assert outdated(CURRENT | {"surgery": {"a": 2}}, "other") == []
    assert set(outdated(CURRENT | {"seed": 2}, "default")) == {
        "provenance", "seeg", "surgery-default",
    }  # fmt: skip


def test_stages_of_other_prior_sets_may_be_older(made):
    other = made.layout.outcomes("other")
    with run_job(job(made.out, made.bids, "surgery-other", [], [other])):
        pass
    path = record_path(made.out, "sub-01", "surgery-other")
    path.write_text(path.read_text().replace('"a": 1', '"a": 7'))
    require_current(made.layout, made.bids, CURRENT, ["default"])
    with pytest.raises(InputError, match="surgery-other"):
        require_current(made.layout, made.bids, CURRENT, ["default", "other"])


def test_files_of_a_table_include_its_sidecar(tmp_path):
    for name in ("a.tsv", "a.json", "b.nc", "c.json"):
        (tmp_path / name).write_text("x")
    found = [p.name for p in files_of([tmp_path / "a.tsv", tmp_path / "b.nc", tmp_path / "no"])]
    assert found == ["a.tsv", "a.json", "b.nc"]


def test_unchanged_file_is_not_read_again(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("x")
    roots = Roots(tmp_path)
    known = Fingerprint.of(path)
    entry = StageRecord("s", "sub-01", {"a": known}, {}, {}, {})
    monkeypatch.setattr("virtualbrain.io.manifest.checksum", None)
    assert Fingerprints(roots, [entry]).of([path]) == {"a": known}


def test_records_of_an_earlier_version_are_adopted(made):
    folder = record_path(made.out, "sub-01", "seeg").parent.parent
    folder.rename(made.out / "ledger")
    assert "start the run again" in verify_patient(made.layout, made.bids).mismatches[0]
    adopt_earlier_manifest(made.out)
    assert verify_patient(made.layout, made.bids).mismatches == ()
    adopt_earlier_manifest(made.out)
    assert not (made.out / "ledger").exists()
