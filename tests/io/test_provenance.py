"""Provenance of results, and the content of sidecars."""

import hashlib

from virtualbrain.config import load_config
from virtualbrain.io.atomic import write_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.provenance import build_provenance, sidecar


def test_checksum_equals_hashlibs(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_provenance_has_inputs_and_times_but_no_path_of_the_machine(tmp_path):
    layout = PatientLayout(tmp_path, "01")
    write_json(layout.inputs, {"files": {"sub-01/x": "abc"}})
    benchmark = layout.benchmark("anatomy")
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\n12.5\t0:00:12\t100.0\n")
    priors = tmp_path / "mine.yaml"
    priors.write_text("x0: {mean: -3}\n")
    content = build_provenance(layout, load_config(), {"mine": priors})
    assert content["inputs"] == {"sub-01/x": "abc"}
    assert content["stages"] == {"anatomy": {"seconds": 12.5, "max_rss_mib": 100.0}}
    assert content["priors"] == {"mine": {"x0": {"mean": -3}}}
    assert str(tmp_path) not in str(content)


def test_sidecar_has_sources_and_versions():
    content = sidecar({"seeg": {"a": 1}}, ["seeg"], ["b", "a"])
    assert content["Sources"] == ["a", "b"]
    assert "numpy" in content["Versions"]
