"""List the packages that the project needs: versions, licences, known vulnerabilities."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

_NAME = re.compile(r"^[A-Za-z0-9._-]+")
_SEPARATORS = re.compile(r"[-_.]+")
_PATIENCE_S = 120.0
_AUDIT = "pip_audit"
_NO_SERVICE = "no search for known vulnerabilities: pip-audit's service is not reachable"
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Package:
    """An installed package; `needs` has the keys of the packages that it requires itself."""

    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name as package indexes write it: lower case, with hyphens."""
        return _key(self.name)


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
        key = waiting.pop()
        if key in found:
            continue
        try:
            distribution = metadata.distribution(key)
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra that is not installed
        about = distribution.metadata
        needs = _needs(distribution.requires or ())
        found[key] = Package(about["Name"], distribution.version, _licence(about), needs)
        waiting += needs
    return sorted(found.values(), key=lambda package: package.name.lower())


def _key(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


def _needs(requirements: Iterable[str]) -> tuple[str, ...]:
    names = (_NAME.match(text) for text in requirements if "extra ==" not in text)
    return tuple(dict.fromkeys(_key(match.group()) for match in names if match))


def _licence(about: metadata.PackageMetadata) -> str:
    """Return the licence that a package states, as expression, classifier or text."""
    if stated := about.get("License-Expression"):
        return str(stated)
    classes = [text for text in about.get_all("Classifier") or () if text.startswith("License ::")]
    if classes:
        return "; ".join(text.rsplit("::", 1)[1].strip() for text in classes)
    text = str(about.get("License") or "").strip()
    return text.splitlines()[0] if text else NOT_STATED


def vulnerabilities() -> list[str]:
    """Return one line per known vulnerability, or one line why the search was not possible.

    Uses pip-audit if it is installed. It queries a network service with names and versions of the
    packages of this environment; no patient data are sent.
    """
    if find_spec(_AUDIT) is None:
        return ["no search for known vulnerabilities: pip-audit is not installed"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", _AUDIT, "--format", "json", "--progress-spinner", "off"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return [_NO_SERVICE]
    # An index without this service makes pip-audit skip every package, without an error.
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return [_NO_SERVICE]
    found = [
        f"{package['name']} {package.get('version')}: {one['id']}, fixed in "
        + (", ".join(one.get("fix_versions") or ()) or "no version yet")
        for package in packages
        for one in package.get("vulns", ())
    ]
    unknown = [f"not looked up: {', '.join(skipped)}"] if skipped else []
    return [*(found or ["no known vulnerability"]), *unknown]
