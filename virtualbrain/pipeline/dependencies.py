"""List the packages that the project needs: versions, licences, known vulnerabilities."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

_NAME = re.compile(r"^[A-Za-z0-9._-]+")
_SEPARATORS = re.compile(r"[-_.]+")
_PATIENCE_S = 120.0
_AUDIT = "pip-audit"


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    version: str
    licence: str


def installed(root: str = "virtualbrain") -> list[Package]:
    """Return the project and every installed package that it needs, directly or indirectly.

    Parameters
    ----------
    root : str
        The package to start from.
    """
    found: dict[str, Package] = {}
    waiting = [root]
    while waiting:
        key = _SEPARATORS.sub("-", waiting.pop()).lower()
        if key in found:
            continue
        try:
            distribution = metadata.distribution(key)
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra that is not installed
        about = distribution.metadata
        found[key] = Package(about["Name"], distribution.version, _licence(about))
        waiting += _needs(distribution.requires or ())
    return sorted(found.values(), key=lambda package: package.name.lower())


def _needs(requirements: Iterable[str]) -> list[str]:
    names = (_NAME.match(text) for text in requirements if "extra ==" not in text)
    return [match.group() for match in names if match]


def _licence(about: metadata.PackageMetadata) -> str:
    """Return the licence that a package states, as expression, classifier or text."""
    if stated := about.get("License-Expression"):
        return str(stated)
    classes = [text for text in about.get_all("Classifier") or () if text.startswith("License ::")]
    if classes:
        return "; ".join(text.rsplit("::", 1)[1].strip() for text in classes)
    text = str(about.get("License") or "").strip()
    return text.splitlines()[0] if text else "not stated"


def vulnerabilities() -> list[str]:
    """Return one line per known vulnerability, or one line why the search was not possible.

    Uses pip-audit if it is installed. It queries a network service; no patient data are sent.
    """
    program = shutil.which(_AUDIT)
    if program is None:
        return ["no search for known vulnerabilities: pip-audit is not installed"]
    try:
        done = subprocess.run(
            [program, "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return ["no search for known vulnerabilities: pip-audit's service is not reachable"]
    return [
        f"{package['name']} {package.get('version')}: {found['id']}, fixed in "
        + (", ".join(found.get("fix_versions") or ()) or "no version yet")
        for package in packages
        for found in package.get("vulns", ())
    ] or ["no known vulnerability"]
