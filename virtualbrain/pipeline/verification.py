"""Verify results: compare files with the stage records, and settings with the configuration."""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import (
    Fingerprint,
    Roots,
    StageRecord,
    owner_of,
    read_records,
    record_path,
    results_of,
)

_SECTIONS = {
    "anatomy": "anatomy",
    "dwi": "diffusion",
    "connectome": "diffusion",
    "seeg": "seeg",
    "responses": "seeg",
    "inference": "inference",
    "surgery": "surgery",
    "cortex": "cortex",
}
"""Section of the configuration that a stage uses, by the first word of the stage's name."""


@dataclass(frozen=True)
class Verification:
    """Result of the verification of one patient.

    Parameters
    ----------
    label : str
        The participant's label.
    n_results : int
        Number of results in the manifest.
    mismatches : tuple of str
        One line per file or stage that does not match the manifest.
    notes : tuple of str
        Comparisons that were not possible.
    seal : str
        SHA-256 over all results.
    """

    label: str
    n_results: int
    mismatches: tuple[str, ...]
    notes: tuple[str, ...]
    seal: str


def verify_patient(layout: PatientLayout, bids: Path | None) -> Verification:
    """Compare a patient's files with the stage records.

    Every result must have its recorded SHA-256. Every input of a stage must equal the result of
    an earlier stage, or the file in the dataset. Settings and versions of the stages must agree
    with each other and with provenance.json.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    bids : Path, optional
        The dataset. Without it the inputs are not compared.

    Returns
    -------
    Verification
        Without mismatches, every result belongs to its inputs, configuration and versions.
    """
    roots = Roots(Path(layout.out), bids if bids is not None and bids.is_dir() else None)
    try:
        records = read_records(roots.out, owner_of(layout.label))
    except VirtualBrainError as error:
        return Verification(layout.label, 0, (str(error),), (), "")
    if not records:
        return Verification(layout.label, 0, (_no_records(layout),), (), "")
    results = results_of(records)
    mismatches = [
        *_changed_results(results, roots, layout),
        *_changed_inputs(records, roots, thorough=True),
        *_unrecorded_files(results, roots, layout),
        *_different_settings(records, _stated_configuration(layout)),
        *_different_versions(records),
    ]
    reads_dataset = any(name.startswith("bids:") for record in records for name in record.inputs)
    notes = ["inputs not compared: the dataset was not found; give it with --bids"] * (
        reads_dataset and roots.bids is None
    )
    unique = tuple(dict.fromkeys(mismatches))
    return Verification(layout.label, len(results), unique, tuple(notes), seal_of(records))


def _no_records(layout: PatientLayout) -> str:
    error = InputError(
        "no stage records",
        where=f"sub-{layout.label}",
        expected="results of this version of virtualbrain",
        hint="start the run again",
    )
    return str(error)


def seal_of(records: Iterable[StageRecord]) -> str:
    """Return one SHA-256 over the names and contents of all results, to be kept elsewhere."""
    lines = {f"{name} {f.sha256}\n" for record in records for name, f in record.results.items()}
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _changed_results(
    results: Mapping[str, Fingerprint], roots: Roots, layout: PatientLayout
) -> Iterator[str]:
    """Report results that are missing or changed."""
    for name, written in results.items():
        path = roots.out / name
        if path == layout.tracks and not path.exists():
            continue  # streamlines are not kept
        if not path.is_file():
            yield f"{name}: missing"
        elif not written.matches(path, thorough=True):
            yield f"{name}: changed since its stage wrote it"


def _changed_inputs(
    records: Sequence[StageRecord], roots: Roots, *, thorough: bool
) -> Iterator[str]:
    """Report inputs that differ from the recorded ones."""
    results = results_of(records)
    # Later stages depend on the check but not on its result; their own inputs are compared below.
    checked = results_of(record for record in records if record.stage == "check")
    for record in records:
        for name, read in record.inputs.items():
            if name in results:
                if results[name].sha256 != read.sha256 and name not in checked:
                    yield f"{name}: {record.stage} used another version of it"
                continue
            path = roots.path(name) if name.startswith("bids:") else None
            if path is not None and not read.matches(path, thorough=thorough):
                what = "changed since it was read" if path.is_file() else "missing"
                yield f"{name.removeprefix('bids:')}: {what} (input of {record.stage})"


def _unrecorded_files(
    results: Mapping[str, Fingerprint], roots: Roots, layout: PatientLayout
) -> Iterator[str]:
    """Report files among the results that no stage wrote.

    Exports are ignored, and so are the files of the command `cortex`.
    """
    folder = layout.inputs.parent
    by_command = (folder / "tvb", layout.exports, layout.cortex)
    for path in sorted(folder.rglob("*")):
        ignored = any(path.is_relative_to(one) for one in by_command)
        if path.is_file() and not ignored and path.name != ".snakemake_timestamp":
            name = roots.name(path)
            if name not in results:
                yield f"{name}: no stage wrote it"


def _stated_configuration(layout: PatientLayout) -> Mapping[str, Any] | None:
    """Return the configuration in provenance.json; None if the file cannot be read."""
    try:
        found: Mapping[str, Any] = read_json(layout.provenance).get("configuration", {})
    except VirtualBrainError:
        return None
    return found


def require_current(
    layout: PatientLayout, bids: Path, config: Mapping[str, Any], priors: Iterable[str]
) -> None:
    """Raise an error if results were computed from other inputs or with other settings.

    Only stages that the surgery of these prior sets depends on are compared.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    bids : Path
        The dataset.
    config : mapping
        The run's configuration.
    priors : iterable of str
        Names of the prior sets.

    Raises
    ------
    InputError
        An input or a setting changed and a stage did not run again.
    """
    roots = Roots(Path(layout.out), bids)
    all_records = read_records(roots.out, owner_of(layout.label))
    records = _behind(all_records, {f"surgery-{name}" for name in priors})
    # not thorough: the check has just read every input
    old = [
        *_different_settings(records, config),
        *_changed_inputs(records, roots, thorough=False),
    ]
    if old:
        raise InputError(old[0], hint="start the same command again; it repeats this stage")


def outdated_records(
    layout: PatientLayout, config: Mapping[str, Any], priors: Iterable[str]
) -> list[Path]:
    """Return the records of stages that ran with other settings than the configuration's.

    Snakemake stores settings by the path of a file. They are lost when a folder is copied or
    renamed, or when a new version changes a rule's outputs. Stages of other prior sets are ignored.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results, with undamaged stage records.
    config : mapping
        The run's configuration.
    priors : iterable of str
        Names of the prior sets.
    """
    out, owner, names = Path(layout.out), owner_of(layout.label), {"", *priors}
    return [
        record_path(out, owner, record.stage)
        for record in read_records(out, owner)
        if record.stage.partition("-")[2] in names and any(_differences(record, config))
    ]


def _behind(records: Sequence[StageRecord], stages: Container[str]) -> list[StageRecord]:
    """Return the records of some stages and of all stages that they depend on."""
    found = [record for record in records if record.stage in stages]
    for record in found:  # the list grows during the loop
        read = record.inputs.keys()
        found += [r for r in records if r not in found and not read.isdisjoint(r.results)]
    return found


def _different_settings(
    records: Iterable[StageRecord], stated: Mapping[str, Any] | None
) -> Iterator[str]:
    if stated is not None:
        for record in records:
            yield from _differences(record, stated)


def _differences(record: StageRecord, stated: Mapping[str, Any]) -> Iterator[str]:
    """Report where a stage's settings or seed differ from the stated configuration."""
    section = _SECTIONS.get(record.stage.split("-")[0].split("_")[0])
    used = record.settings.get("settings")
    if section is not None and used is not None and used != stated.get(section):
        yield f"{record.stage}: ran with other settings than the stated ones ({section})"
    if "seed" in record.settings and record.settings["seed"] != stated.get("seed"):
        yield f"{record.stage}: ran with another seed than the stated one"


def _different_versions(records: Iterable[StageRecord]) -> Iterator[str]:
    """Report stages that ran with other versions than the latest stage."""
    records = list(records)
    latest = max(records, key=_last_change)
    for record in records:
        for name, version in record.versions.items():
            if latest.versions.get(name) != version:
                other = latest.versions.get(name)
                yield f"{record.stage}: ran with {name} {version}, {latest.stage} with {other}"


def _last_change(record: StageRecord) -> int:
    return max((result.mtime_ns for result in record.results.values()), default=0)
