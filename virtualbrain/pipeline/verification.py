"""Whether every result still belongs to its inputs, its settings and its versions."""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import (
    Entry,
    Fingerprint,
    Roots,
    owner_of,
    page,
    read_entries,
    results_of,
)

_SECTIONS = {
    "anatomy": "anatomy",
    "dwi": "diffusion",
    "connectome": "diffusion",
    "seeg": "seeg",
    "inference": "inference",
    "surgery": "surgery",
}
"""The section of the configuration behind a stage, by the first word of its name."""


@dataclass(frozen=True)
class Verification:
    """What was found of one patient.

    `touched` names every file that is not what it was, each with what is wrong with it;
    `notes` what could not be looked at; `seal` is one checksum over all results.
    """

    label: str
    n_results: int
    touched: tuple[str, ...]
    notes: tuple[str, ...]
    seal: str


def verify_patient(layout: PatientLayout, bids: Path | None) -> Verification:
    """Compare a patient's files with what every stage noted of them.

    Every result is read again and its SHA-256 compared; every input of a stage must be the
    very file that an earlier stage wrote, or that still stands in the dataset; settings and
    versions of the stages must agree with each other and with provenance.json.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    bids : Path, optional
        The dataset; without it the inputs cannot be compared.

    Returns
    -------
    Verification
        Nothing touched: every result belongs to its inputs, configuration and versions.
    """
    roots = Roots(Path(layout.out), bids if bids is not None and bids.is_dir() else None)
    try:
        entries = read_entries(roots.out, owner_of(layout.label))
    except VirtualBrainError as error:
        return Verification(layout.label, 0, (str(error),), (), "")
    if not entries:
        text = f"sub-{layout.label}: no ledger: nothing was written here, or by an older version"
        return Verification(layout.label, 0, (text,), (), "")
    results = results_of(entries)
    touched = [
        *_results_touched(results, roots, layout),
        *_inputs_touched(entries, roots, thorough=True),
        *_foreign(results, roots, layout),
        *_settings_differ(entries, _stated(layout)),
        *_versions_differ(entries),
    ]
    reads_dataset = any(name.startswith("bids:") for entry in entries for name in entry.inputs)
    notes = ["the dataset is not at hand: inputs not compared"] * (
        reads_dataset and roots.bids is None
    )
    unique = tuple(dict.fromkeys(touched))
    return Verification(layout.label, len(results), unique, tuple(notes), seal_of(entries))


def seal_of(entries: Iterable[Entry]) -> str:
    """Return one SHA-256 over every result's name and content, to be kept elsewhere."""
    lines = {f"{name} {m.sha256}\n" for entry in entries for name, m in entry.results.items()}
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _results_touched(
    results: Mapping[str, Fingerprint], roots: Roots, layout: PatientLayout
) -> Iterator[str]:
    for name, made in results.items():
        path = roots.out / name
        if path == layout.tracks and not path.exists():
            continue  # streamlines are not kept
        if not path.is_file():
            yield f"{name}: gone"
        elif not made.holds(path, thorough=True):
            yield f"{name}: changed since its stage wrote it"


def _inputs_touched(entries: Sequence[Entry], roots: Roots, *, thorough: bool) -> Iterator[str]:
    results = results_of(entries)
    # stages come after the check, and read nothing of it: their own inputs are compared below
    checked = results_of(entry for entry in entries if entry.stage == "check")
    for entry in entries:
        for name, read in entry.inputs.items():
            if name in results:
                if results[name].sha256 != read.sha256 and name not in checked:
                    yield f"{name}: {entry.stage} was made from another version of it"
                continue
            path = roots.path(name) if name.startswith("bids:") else None
            if path is not None and not read.holds(path, thorough=thorough):
                what = "changed since it was read" if path.is_file() else "gone"
                yield f"{name.removeprefix('bids:')}: {what} (input of {entry.stage})"


def _foreign(
    results: Mapping[str, Fingerprint], roots: Roots, layout: PatientLayout
) -> Iterator[str]:
    """Name files among the results that no stage wrote; exports apart."""
    folder = layout.inputs.parent
    for path in sorted(folder.rglob("*")):
        exported = path.is_relative_to(folder / "tvb")
        if path.is_file() and not exported and path.name != ".snakemake_timestamp":
            name = roots.name(path)
            if name not in results:
                yield f"{name}: no stage wrote it"


def _stated(layout: PatientLayout) -> Mapping[str, Any] | None:
    """Return the settings that provenance.json states; that it is not there is told elsewhere."""
    try:
        found: Mapping[str, Any] = read_json(layout.provenance).get("configuration", {})
    except VirtualBrainError:
        return None
    return found


def require_current(
    layout: PatientLayout, bids: Path, config: Mapping[str, Any], priors: Iterable[str]
) -> None:
    """Refuse to account for results that were made from other inputs or with other settings.

    Only stages behind the surgery of these prior sets are looked at: others may be older.

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
        A stage was made before an input or a setting changed, and was not made again.
    """
    roots = Roots(Path(layout.out), bids)
    every = read_entries(roots.out, owner_of(layout.label))
    entries = _behind(every, {f"surgery-{name}" for name in priors})
    # not thorough: the check has just read every input whole
    old = [*_settings_differ(entries, config), *_inputs_touched(entries, roots, thorough=False)]
    if old:
        raise InputError(old[0], hint="start the same command again: that stage is made anew")


def outdated_pages(
    layout: PatientLayout, config: Mapping[str, Any], priors: Iterable[str]
) -> list[Path]:
    """Return the pages of stages that a run would make with other settings than they were made.

    The engine knows settings by its own memory, which a copied or renamed folder, or a new version
    of a stage, has lost. Stages of other prior sets are none of the run's.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results, their pages undamaged.
    config : mapping
        The run's configuration.
    priors : iterable of str
        Names of the prior sets.
    """
    out, owner, names = Path(layout.out), owner_of(layout.label), {"", *priors}
    return [
        page(out, owner, entry.stage)
        for entry in read_entries(out, owner)
        if entry.stage.partition("-")[2] in names and any(_entry_differs(entry, config))
    ]


def _behind(entries: Sequence[Entry], stages: Container[str]) -> list[Entry]:
    """Return the pages of some stages and of all whose results they rest on."""
    found = [entry for entry in entries if entry.stage in stages]
    for entry in found:  # grows while it is walked through
        read = entry.inputs.keys()
        found += [e for e in entries if e not in found and not read.isdisjoint(e.results)]
    return found


def _settings_differ(entries: Iterable[Entry], stated: Mapping[str, Any] | None) -> Iterator[str]:
    if stated is not None:
        for entry in entries:
            yield from _entry_differs(entry, stated)


def _entry_differs(entry: Entry, stated: Mapping[str, Any]) -> Iterator[str]:
    section = _SECTIONS.get(entry.stage.split("-")[0].split("_")[0])
    used = entry.settings.get("settings")
    if section is not None and used is not None and used != stated.get(section):
        yield f"{entry.stage}: made with other settings than those stated ({section})"
    if "seed" in entry.settings and entry.settings["seed"] != stated.get("seed"):
        yield f"{entry.stage}: made with another seed than the one stated"


def _versions_differ(entries: Iterable[Entry]) -> Iterator[str]:
    """Name stages that were made with other versions than the latest of them."""
    entries = list(entries)
    latest = max(entries, key=lambda e: max((m.mtime_ns for m in e.results.values()), default=0))
    for entry in entries:
        for name, version in entry.versions.items():
            if latest.versions.get(name) != version:
                other = latest.versions.get(name)
                yield f"{entry.stage}: made with {name} {version}, {latest.stage} with {other}"
