"""The RO-Crate of a patient is readable and agrees with the manifest."""

from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from virtualbrain.config import project_root
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.crate import build_crate
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import Fingerprints, Roots, StageRecord, write_record


@pytest.fixture
def layout(tmp_path) -> PatientLayout:
    layout = PatientLayout(tmp_path / "out", "01")
    bids = tmp_path / "bids"
    write_text(bids / "sub-01" / "ieeg" / "a.edf", "x")
    write_text(layout.gain, "name\n")
    write_text(layout.workflow / "Snakefile", (project_root() / "Snakefile").read_text())
    roots = Roots(layout.out, bids)
    prints = Fingerprints(roots, ())
    inputs, results = prints.of(bids.rglob("*.edf")), prints.of([layout.gain])
    write_record(roots, StageRecord("seeg", "sub-01", inputs, results, {"seed": 3}, {"numpy": "2"}))
    write_json(layout.crate, build_crate(layout, layout.workflow / "Snakefile"))
    return layout


def test_crate_is_a_workflow_run_crate(layout):
    crate = ROCrate(layout.crate.parent)
    profiles = {one.id for one in crate.root_dataset["conformsTo"]}
    assert any("wfrun/workflow" in one for one in profiles)
    assert crate.mainEntity.id == "workflow/Snakefile"
    assert "ComputationalWorkflow" in crate.mainEntity.type
    (action,) = (one for one in crate.get_entities() if one.type == "CreateAction")
    assert action["instrument"] is crate.mainEntity
    assert {one.id for one in action["result"]} == {"ieeg/sub-01_desc-gain.tsv"}
    assert "bids::sub-01/ieeg/a.edf" in {one.id for one in action["object"]}
    assert crate.root_dataset["mentions"] == [action]


def test_every_file_of_the_crate_exists_and_has_a_checksum(layout):
    crate = ROCrate(layout.crate.parent)
    described = crate.get_by_type("File")
    results = [one for one in described if one.get("sha256")]
    assert results
    for one in described:
        if not one.id.startswith("bids:"):
            assert (layout.crate.parent / one.id).is_file(), one.id


def test_crate_contains_no_path_of_the_machine(layout):
    assert str(Path(layout.out).parent) not in layout.crate.read_text("utf-8")
