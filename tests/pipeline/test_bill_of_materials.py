"""The software bill of materials: valid CycloneDX, complete, with the graph of needs."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from virtualbrain import cli
from virtualbrain.pipeline.dependencies import installed


@pytest.fixture(scope="module")
def bill(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("bill") / "sbom.json"
    assert cli.main(["dependencies", "--sbom", str(path)]) == 0
    return path.read_text()


def test_it_is_valid_by_the_schema(bill):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(bill) is None
    assert validator.validate_str(bill.replace('"library"', '"book"')) is not None


def test_every_required_package_is_a_component_with_its_version(bill):
    content = json.loads(bill)
    assert content["metadata"]["component"]["name"] == "virtualbrain"
    stated = {one["purl"] for one in content["components"]}
    needed = {package for package in installed() if package.key != "virtualbrain"}
    assert stated == {f"pkg:pypi/{package.key}@{package.version}" for package in needed}


def test_the_graph_leads_from_the_project_to_every_package(bill):
    content = json.loads(bill)
    needs = {one["ref"]: one.get("dependsOn", []) for one in content["dependencies"]}
    reached, waiting = set(), ["virtualbrain"]
    while waiting:
        ref = waiting.pop()
        if ref not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert reached == {package.key for package in installed()}
