"""Packages behind the project, with licences."""

import json
import subprocess

from virtualbrain.pipeline import dependencies


def test_every_direct_and_indirect_package_has_a_line():
    found = {package.name.lower(): package for package in dependencies.installed()}
    assert {"virtualbrain", "numpy", "snakemake", "pymc"} <= set(found)
    assert "pandas" in found  # also what others need
    assert "pytest" not in found  # nothing that only the tests need
    assert found["virtualbrain"].licence == "Apache-2.0"
    assert all(package.version for package in found.values())
    stated = [package for package in found.values() if package.licence != "not stated"]
    assert len(stated) > 0.9 * len(found)


def test_without_pip_audit_one_line_says_so(monkeypatch):
    monkeypatch.setattr(dependencies.shutil, "which", lambda _: None)
    (line,) = dependencies.vulnerabilities()
    assert "not looked up" in line


def answer(monkeypatch, text: str) -> None:
    monkeypatch.setattr(dependencies.shutil, "which", lambda _: "/bin/pip-audit")
    done = subprocess.CompletedProcess([], 0, stdout=text)
    monkeypatch.setattr(dependencies.subprocess, "run", lambda *_, **__: done)


def test_an_unreachable_service_is_told_in_one_line(monkeypatch):
    answer(monkeypatch, "no connection")
    assert "not reachable" in dependencies.vulnerabilities()[0]


def test_vulnerabilities_are_named(monkeypatch):
    found = {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    answer(monkeypatch, json.dumps({"dependencies": [found, {"name": "y", "version": "1"}]}))
    assert dependencies.vulnerabilities() == ["x 1: CVE-1, mended in 2"]
