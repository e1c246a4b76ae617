"""What each stage wrote and read, by checksum: nothing half-written is ever taken for a result."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json, write_json
from virtualbrain.io.layout import COHORT, PatientLayout, ledger_folder

_CHUNK = 1 << 20
_UNSEEN = {".snakemake_timestamp"}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class Fingerprint:
    """A file as it was: content by SHA-256, size in bytes, time of the last change in ns."""

    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Take the fingerprint of a file."""
        status = path.stat()
        return cls(checksum(path), status.st_size, status.st_mtime_ns)

    def holds(self, path: Path, *, thorough: bool = False) -> bool:
        """Tell whether a file is still what it was; `thorough` reads it whole in any case."""
        try:
            status = path.stat()
        except OSError:
            return False
        if status.st_size != self.size:
            return False
        if not thorough and status.st_mtime_ns == self.mtime_ns:
            return True
        return checksum(path) == self.sha256


@dataclass(frozen=True)
class Entry:
    """One stage's page: what it read, what it wrote, with which settings and versions.

    Names of files are relative to the output folder; ``bids:`` stands before those of the
    dataset, ``file:`` before any other.
    """

    stage: str
    owner: str
    inputs: Mapping[str, Fingerprint]
    results: Mapping[str, Fingerprint]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Roots:
    """The folders that names in the ledger are relative to."""

    out: Path
    bids: Path | None = None

    def name(self, path: Path) -> str:
        """Return the name under which a file stands in the ledger."""
        if path.is_relative_to(self.out):
            return path.relative_to(self.out).as_posix()
        if self.bids is not None and path.is_relative_to(self.bids):
            return "bids:" + path.relative_to(self.bids).as_posix()
        return "file:" + path.name

    def path(self, name: str) -> Path | None:
        """Return the file behind a name; None where its folder is not known."""
        kind, _, rest = name.partition(":")
        if kind == "bids" and rest:
            return None if self.bids is None else self.bids / rest
        return None if kind == "file" and rest else self.out / name


def write_entry(roots: Roots, entry: Entry) -> None:
    """Write one stage's page, whole or not at all."""
    content = {
        "stage": entry.stage,
        "inputs": {name: vars(print_) for name, print_ in entry.inputs.items()},
        "results": {name: vars(print_) for name, print_ in entry.results.items()},
        "settings": entry.settings,
        "versions": entry.versions,
    }
    write_json(page(roots.out, entry.owner, entry.stage), content)


def page(out: Path, owner: str, stage: str) -> Path:
    """Return the file of one stage's page; `owner` is ``sub-<label>`` or ``cohort``."""
    return ledger_folder(out) / owner / f"{stage}.json"


def read_entries(out: Path, owner: str) -> list[Entry]:
    """Read every page of one patient, sorted by stage.

    Raises
    ------
    InputError
        A page is damaged.
    """
    return [_entry(path, owner) for path in sorted((ledger_folder(out) / owner).glob("*.json"))]


def _entry(path: Path, owner: str) -> Entry:
    content = read_json(path)
    try:
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in content["results"]):
            raise ValueError("a name that leads out of the folder")
        return Entry(
            stage=str(content["stage"]),
            owner=owner,
            inputs={str(k): Fingerprint(**v) for k, v in content["inputs"].items()},
            results={str(k): Fingerprint(**v) for k, v in content["results"].items()},
            settings=dict(content["settings"]),
            versions=dict(content["versions"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            "a damaged page of the ledger",
            where=f"{owner}/{path.name}",
            hint="start the run again: the stage is done anew",
        ) from None


def results_of(entries: Iterable[Entry]) -> dict[str, Fingerprint]:
    """Return what stages wrote, by its name in the ledger."""
    return {name: made for entry in entries for name, made in entry.results.items()}


def owner_of(label: str | None) -> str:
    """Return whose page it is: a patient's, or the cohort's."""
    return COHORT if label is None else f"sub-{label}"


def files_of(paths: Iterable[Path | str]) -> Iterator[Path]:
    """Yield every file of a stage: folders walked through, tables with their sidecars."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (
                found
                for found in sorted(path.rglob("*"))
                if found.is_file() and found.name not in _UNSEEN
            )
        elif path.is_file():
            yield path
            sidecar = path.with_suffix(".json")
            if path.suffix == ".tsv" and sidecar.is_file():
                yield sidecar


class Fingerprints:
    """Fingerprints of files; one that stands in a page and was not touched is not read again."""

    def __init__(self, roots: Roots, entries: Iterable[Entry]) -> None:
        self.roots = roots
        self.known: dict[str, Fingerprint] = {}
        for entry in entries:
            self.known |= {**entry.inputs, **entry.results}

    def of(self, paths: Iterable[Path | str]) -> dict[str, Fingerprint]:
        """Return the fingerprint of every file by its name in the ledger."""
        return {self.roots.name(path): self._one(path) for path in sorted(set(files_of(paths)))}

    def _one(self, path: Path) -> Fingerprint:
        known, status = self.known.get(self.roots.name(path)), path.stat()
        if known and (known.size, known.mtime_ns) == (status.st_size, status.st_mtime_ns):
            return known
        return Fingerprint.of(path)


def entries_behind(roots: Roots, paths: Iterable[Path | str]) -> list[Entry]:
    """Read the pages of every patient whose results are among some files."""
    names = (roots.name(Path(path)) for path in paths if Path(path).is_relative_to(roots.out))
    owners = {name.split("/")[0].split(".")[0] for name in names}
    return [entry for owner in sorted(owners) for entry in read_entries(roots.out, owner)]


def require_whole(roots: Roots, paths: Iterable[Path | str]) -> None:
    """Refuse results of earlier stages that are not what those stages wrote.

    Raises
    ------
    InputError
        A file was cut short, damaged or edited since.
    """
    paths = list(paths)
    written = results_of(entries_behind(roots, paths))
    for path in files_of(paths):
        made = written.get(roots.name(path))
        if made is not None and not made.holds(path):
            raise InputError(
                "the file is not what its stage wrote (cut short, damaged or edited)",
                where=roots.name(path),
                hint="start the same run again: it is made anew",
            )


def drop_damaged(layout: PatientLayout) -> list[str]:
    """Remove the results of every stage of which one is damaged, so that they are made anew.

    The report goes too: it is what the workflow aims at. A result that is not there any more
    counts as damaged, streamlines apart, which are not kept.

    Parameters
    ----------
    layout : PatientLayout
        The patient.

    Returns
    -------
    list of str
        One line per damaged file or page.
    """
    roots, owner = Roots(layout.out), owner_of(layout.label)
    found = []
    for path in sorted((ledger_folder(layout.out) / owner).glob("*.json")):
        try:
            damaged = _damaged(_entry(path, owner), roots, layout)
            results = _entry(path, owner).results
        except VirtualBrainError as error:
            found.append(str(error))
            path.unlink(missing_ok=True)
            continue
        if damaged:
            found += [f"{name}: {what}; it is made anew" for name, what in damaged.items()]
            path.unlink(missing_ok=True)  # first: a page never stands without its results
            _remove(roots, results, layout)
    return found


def _damaged(entry: Entry, roots: Roots, layout: PatientLayout) -> dict[str, str]:
    """Return what is wrong with a stage's results, by name."""
    wrong = {}
    for name, made in entry.results.items():
        path = roots.out / name
        if path == layout.tracks and not path.exists():
            continue
        if not path.exists():
            wrong[name] = "gone"
        elif not made.holds(path):
            wrong[name] = "not what its stage wrote (cut short, damaged or edited)"
    return wrong


def _remove(roots: Roots, results: Iterable[str], layout: PatientLayout) -> None:
    whole = (layout.anatomy, layout.connectome, layout.seeg)
    for name in (*results, roots.name(layout.report)):
        path = roots.out / name
        if path.parent in whole:
            shutil.rmtree(path.parent, ignore_errors=True)
        path.unlink(missing_ok=True)
