"""A patient's results as a Workflow Run RO-Crate: what was made, from what, by which workflow.

Profile: Leo et al., "Recording provenance of workflow runs with RO-Crate", PLOS ONE 2024.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.data_entity import DataEntity
from rocrate.rocrate import ROCrate

from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import Entry, Fingerprint, owner_of, read_entries, results_of
from virtualbrain.pipeline.job import versions

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_LICENCE = "A patient's data: not to be passed on without a legal basis."


def build_crate(layout: PatientLayout, workflow: Path) -> dict[str, Any]:
    """Describe a patient's results, inputs and run as RO-Crate metadata.

    Results are files beside the metadata; inputs are BIDS URIs of the dataset, which is not
    part of the crate. Each carries its SHA-256.

    Parameters
    ----------
    layout : PatientLayout
        The patient.
    workflow : Path
        The main file of the workflow inside the patient's folder.

    Returns
    -------
    dict
        The content of ``ro-crate-metadata.json``.
    """
    entries = read_entries(Path(layout.out), owner_of(layout.label))
    root = layout.crate.parent
    crate = ROCrate()
    crate.name = f"Virtual brain of sub-{layout.label}"
    crate.description = "Results of virtualbrain on one patient, with inputs, workflow and settings"
    crate.license = _LICENCE
    crate.metadata.extra_contexts.append(_TERMS)
    crate.root_dataset["conformsTo"] = [_profile(crate, url) for url in _PROFILES]
    main = crate.add_workflow(
        workflow, workflow.relative_to(root).as_posix(), main=True, lang="snakemake"
    )
    main["name"], main["version"] = "virtualbrain", versions()["virtualbrain"]
    _add_action(crate, main, entries, layout)
    described: dict[str, Any] = crate.metadata.generate()
    return described


def _profile(crate: ROCrate, url: str) -> ContextEntity:
    name, version = _PROFILES[url]
    properties = {"@type": "CreativeWork", "name": name, "version": version}
    return crate.add(ContextEntity(crate, url, properties=properties))


def _add_action(crate: ROCrate, main: Any, entries: Iterable[Entry], layout: PatientLayout) -> None:
    """Add the run: what it read and wrote, when, and with which versions and settings."""
    entries = list(entries)
    inputs = {name: made for entry in entries for name, made in entry.inputs.items()}
    results = results_of(entries)
    read = [_input(crate, name, made) for name, made in inputs.items() if name.startswith("bids:")]
    own = f"sub-{layout.label}/"
    written = [
        _result(crate, name.removeprefix(own), made)
        for name, made in results.items()
        if name.startswith(own) and (Path(layout.out) / name).is_file()
    ]
    stages = [_setting(crate, entry) for entry in entries if entry.settings]
    times = sorted(made.mtime_ns for made in results.values())
    properties = {
        "@type": "CreateAction",
        "name": "virtualbrain run",
        "instrument": {"@id": main.id},
        "startTime": _time(times[0]),
        "endTime": _time(times[-1]),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    action = crate.add(ContextEntity(crate, "#run", properties=properties))
    action["object"] = [*read, *stages]
    action["result"] = written
    crate.root_dataset["mentions"] = [action]
    software = [_software(crate, name, version) for name, version in versions().items()]
    main["softwareRequirements"] = software


def _file(made: Fingerprint) -> dict[str, Any]:
    return {"sha256": made.sha256, "contentSize": str(made.size)}


def _input(crate: ROCrate, name: str, made: Fingerprint) -> Any:
    """Add an input by its BIDS URI."""
    inside = name.removeprefix("bids:")
    properties = {"@type": "File", "name": inside, **_file(made)}
    return crate.add(DataEntity(crate, f"bids::{inside}", properties=properties))


def _result(crate: ROCrate, inside: str, made: Fingerprint) -> Any:
    # Without a source the library describes the file that stands there and copies nothing.
    return crate.add_file(dest_path=inside, properties={"name": inside, **_file(made)})


def _setting(crate: ROCrate, entry: Entry) -> Any:
    properties = {
        "@type": "PropertyValue",
        "name": f"settings of {entry.stage}",
        "value": str(dict(entry.settings)),
    }
    return crate.add(ContextEntity(crate, f"#settings-{entry.stage}", properties=properties))


def _software(crate: ROCrate, name: str, version: str) -> Any:
    properties: Mapping[str, str] = {
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }
    return crate.add(ContextEntity(crate, f"#{name}", properties=dict(properties)))


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")
