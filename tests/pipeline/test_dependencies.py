"""Required packages, licences and vulnerabilities."""

import json
import subprocess

from virtualbrain.pipeline import dependencies


def test_direct_and_indirect_packages_are_listed():
    found = {package.name.lower(): package for package in dependencies.installed()}
    assert {"virtualbrain", "numpy", "snakemake", "pymc"} <= set(found)
    assert "pandas" in found  # required by other packages
    assert "pytest" not in found  # required by the tests only
    assert found["virtualbrain"].licence == "Apache-2.0"
    assert all(package.version for package in found.values())
    stated = [package for package in found.values() if package.licence != "not stated"]
    assert len(stated) > 0.9 * len(found)


def test_missing_pip_audit_is_reported(monkeypatch):
    monkeypatch.setattr(dependencies, "find_spec", lambda _: None)
    (line,) = dependencies.vulnerabilities()
    assert "pip-audit is not installed" in line


def answer(monkeypatch, text: str) -> None:
    monkeypatch.setattr(dependencies, "find_spec", lambda _: "found")
    done = subprocess.CompletedProcess([], 0, stdout=text)
    monkeypatch.setattr(dependencies.subprocess, "run", lambda *_, **__: done)


def test_unreachable_service_is_reported(monkeypatch):
    answer(monkeypatch, "no connection")
    assert "not reachable" in dependencies.vulnerabilities()[0]


def test_vulnerabilities_are_listed(monkeypatch):
    found = {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    answer(monkeypatch, json.dumps({"dependencies": [found, {"name": "y", "version": "1"}]}))
    assert dependencies.vulnerabilities() == ["x 1: CVE-1, fixed in 2"]


def test_packages_that_the_service_skips_are_not_called_safe(monkeypatch):
    skipped = {"name": "x", "skip_reason": "not found"}
    answer(monkeypatch, json.dumps({"dependencies": [skipped]}))
    (line,) = dependencies.vulnerabilities()
    assert "not reachable" in line
    known = {"name": "y", "version": "1", "vulns": []}
    answer(monkeypatch, json.dumps({"dependencies": [skipped, known]}))
    assert dependencies.vulnerabilities() == ["no known vulnerability", "not looked up: x"]
