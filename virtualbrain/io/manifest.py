"""Read and write stage records: checksums of each stage's inputs and results."""

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json, write_json
from virtualbrain.io.layout import COHORT, PatientLayout, manifest_folder

_CHUNK = 1 << 20
_IGNORED = {".snakemake_timestamp"}
_EARLIER_FOLDER = "ledger"
_DAMAGED = "not the file that its stage wrote (cut short, damaged or edited)"


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


@dataclass(frozen=True)
class Fingerprint:
    """State of a file: SHA-256 of its content, size in bytes, time of the last change in ns."""

    sha256: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "Fingerprint":
        """Return the fingerprint of a file."""
        status = path.stat()
        return cls(checksum(path), status.st_size, status.st_mtime_ns)

    def matches(self, path: Path, *, thorough: bool = False) -> bool:
        """Return whether a file has this content.

        Size and time suffice for an unchanged file; with `thorough` it is always read.
        """
        if not thorough and self.is_untouched(path):
            return True
        try:
            return path.stat().st_size == self.size and checksum(path) == self.sha256
        except OSError:
            return False

    def is_untouched(self, path: Path) -> bool:
        """Return whether a file still has this size and time of the last change."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True)
class StageRecord:
    """Record of one job: its inputs, results, settings and versions.

    Names of files are relative to the output folder. Names with the prefix ``bids:`` are relative
    to the dataset; of any other file only the name is kept, with the prefix ``file:``.
    """

    stage: str
    owner: str
    inputs: Mapping[str, Fingerprint]
    results: Mapping[str, Fingerprint]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Roots:
    """The folders that names in the manifest are relative to."""

    out: Path
    bids: Path | None = None

    def name(self, path: Path) -> str:
        """Return the name of a file in the manifest."""
        if path.is_relative_to(self.out):
            return path.relative_to(self.out).as_posix()
        if self.bids is not None and path.is_relative_to(self.bids):
            return "bids:" + path.relative_to(self.bids).as_posix()
        return "file:" + path.name

    def path(self, name: str) -> Path | None:
        """Return the path of a name in the manifest; None if its folder is unknown."""
        kind, _, rest = name.partition(":")
        if kind == "bids" and rest:
            return None if self.bids is None else self.bids / rest
        return None if kind == "file" and rest else self.out / name


def record_path(out: Path, owner: str, stage: str) -> Path:
    """Return the file of a stage record; `owner` is ``sub-<label>`` or ``cohort``."""
    return manifest_folder(out) / owner / f"{stage}.json"


def owner_of(label: str | None) -> str:
    """Return the owner of a stage record: a patient, or the cohort if `label` is None."""
    return COHORT if label is None else f"sub-{label}"


def write_record(roots: Roots, record: StageRecord) -> None:
    """Write a stage record atomically."""
    content = {
        "stage": record.stage,
        "inputs": {name: vars(print_) for name, print_ in record.inputs.items()},
        "results": {name: vars(print_) for name, print_ in record.results.items()},
        "settings": record.settings,
        "versions": record.versions,
    }
    write_json(record_path(roots.out, record.owner, record.stage), content)


def read_records(out: Path, owner: str) -> list[StageRecord]:
    """Read every stage record of one owner, sorted by stage.

    Raises
    ------
    InputError
        A record is damaged.
    """
    return [_read_record(path, owner) for path in _record_files(out, owner)]


def _record_files(out: Path, owner: str) -> list[Path]:
    return sorted((manifest_folder(out) / owner).glob("*.json"))


def _read_record(path: Path, owner: str) -> StageRecord:
    content = read_json(path)
    try:
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in content["results"]):
            raise ValueError("a path outside the output folder")
        return StageRecord(
            stage=str(content["stage"]),
            owner=owner,
            inputs={str(k): Fingerprint(**v) for k, v in content["inputs"].items()},
            results={str(k): Fingerprint(**v) for k, v in content["results"].items()},
            settings=dict(content["settings"]),
            versions=dict(content["versions"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            "damaged stage record",
            where=f"{owner}/{path.name}",
            hint="start the run again; it repeats this stage",
        ) from None


def adopt_earlier_manifest(out: Path) -> None:
    """Rename the folder of stage records that earlier versions wrote; their format is the same."""
    earlier = out / _EARLIER_FOLDER
    if earlier.is_dir() and not manifest_folder(out).exists():
        earlier.rename(manifest_folder(out))


def results_of(records: Iterable[StageRecord]) -> dict[str, Fingerprint]:
    """Return the fingerprints of all results, by name in the manifest."""
    return {name: written for record in records for name, written in record.results.items()}


def records_behind(roots: Roots, paths: Iterable[Path | str]) -> list[StageRecord]:
    """Read the stage records of every patient with a result among some files."""
    names = (roots.name(Path(path)) for path in paths if Path(path).is_relative_to(roots.out))
    owners = {name.split("/")[0].split(".")[0] for name in names}
    return [record for owner in sorted(owners) for record in read_records(roots.out, owner)]


def files_of(paths: Iterable[Path | str]) -> Iterator[Path]:
    """Yield every file under some paths: the files in folders, and tables with their sidecars."""
    for path in map(Path, paths):
        if path.is_dir():
            yield from (
                found
                for found in sorted(path.rglob("*"))
                if found.is_file() and found.name not in _IGNORED
            )
        elif path.is_file():
            yield path
            sidecar = path.with_suffix(".json")
            if path.suffix == ".tsv" and sidecar.is_file():
                yield sidecar


class Fingerprints:
    """Compute fingerprints of files; unchanged files with a known fingerprint are not read."""

    def __init__(self, roots: Roots, records: Iterable[StageRecord]) -> None:
        self.roots = roots
        self.known: dict[str, Fingerprint] = {}
        for record in records:
            self.known |= {**record.inputs, **record.results}

    def of(self, paths: Iterable[Path | str]) -> dict[str, Fingerprint]:
        """Return the fingerprint of every file, by name in the manifest."""
        return {self.roots.name(path): self._one(path) for path in sorted(set(files_of(paths)))}

    def _one(self, path: Path) -> Fingerprint:
        known = self.known.get(self.roots.name(path))
        if known and known.is_untouched(path):
            return known
        return Fingerprint.of(path)


def require_undamaged(roots: Roots, paths: Iterable[Path | str]) -> None:
    """Raise an error if a result of an earlier stage is not the file that the stage wrote.

    Raises
    ------
    InputError
        A file was cut short, damaged or edited since.
    """
    paths = list(paths)
    recorded = results_of(records_behind(roots, paths))
    for path in files_of(paths):
        written = recorded.get(roots.name(path))
        if written is not None and not written.matches(path):
            raise InputError(
                _DAMAGED,
                where=roots.name(path),
                hint="start the same run again; it repeats the stage",
            )


def remove_damaged(layout: PatientLayout) -> list[str]:
    """Remove all results of every stage with a damaged result, so that the run repeats the stage.

    The report is removed too, because it is the workflow's target. A missing result counts as
    damaged. Streamlines are an exception: they are not kept.

    Parameters
    ----------
    layout : PatientLayout
        The patient.

    Returns
    -------
    list of str
        One line per damaged file or stage record.
    """
    roots, owner = Roots(layout.out), owner_of(layout.label)
    found = []
    for path in _record_files(layout.out, owner):
        try:
            record = _read_record(path, owner)
            damaged = _damaged(record, roots, layout)
        except VirtualBrainError as error:
            found.append(str(error))
            path.unlink(missing_ok=True)
            continue
        if damaged:
            found += [f"{name}: {what}; its stage runs again" for name, what in damaged.items()]
            path.unlink(missing_ok=True)  # first: no record may exist without its results
            _remove(roots, record.results, layout)
    return found


def _damaged(record: StageRecord, roots: Roots, layout: PatientLayout) -> dict[str, str]:
    """Return a description of each damaged result, by name."""
    wrong = {}
    for name, written in record.results.items():
        path = roots.out / name
        if path == layout.tracks and not path.exists():
            continue
        if not path.exists():
            wrong[name] = "missing"
        elif not written.matches(path):
            wrong[name] = _DAMAGED
    return wrong


def _remove(roots: Roots, results: Iterable[str], layout: PatientLayout) -> None:
    """Remove results and the report; folders that one stage writes are removed entirely."""
    stage_folders = (layout.anatomy, layout.connectome, layout.seeg)
    for name in (*results, roots.name(layout.report)):
        path = roots.out / name
        if path.parent in stage_folders:
            shutil.rmtree(path.parent, ignore_errors=True)
        path.unlink(missing_ok=True)
