"""Describe a patient's results, inputs and run as a Workflow Run RO-Crate.

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
from virtualbrain.io.manifest import Fingerprint, StageRecord, owner_of, read_records, results_of
from virtualbrain.io.versions import versions

_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
_TERMS = "https://w3id.org/ro/terms/workflow-run/context"
_LICENCE = "A patient's data: not to be passed on without a legal basis."


def build_crate(layout: PatientLayout, workflow: Path) -> dict[str, Any]:
    """Return RO-Crate metadata of a patient's results, inputs and run.

    Results are files beside the metadata. Inputs are BIDS URIs of the dataset, which is not part
    of the crate. Each file has its SHA-256.

    Parameters
    ----------
    layout : PatientLayout
        The patient.
    workflow : Path
        The main file of the workflow in the patient's folder.

    Returns
    -------
    dict
        The content of ``ro-crate-metadata.json``.
    """
    records = read_records(Path(layout.out), owner_of(layout.label))
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
    _add_action(crate, main, records, layout)
    described: dict[str, Any] = crate.metadata.generate()
    return described


def _profile(crate: ROCrate, url: str) -> ContextEntity:
    name, version = _PROFILES[url]
    properties = {"@type": "CreativeWork", "name": name, "version": version}
    return crate.add(ContextEntity(crate, url, properties=properties))


def _add_action(
    crate: ROCrate, main: Any, records: Iterable[StageRecord], layout: PatientLayout
) -> None:
    """Add the run with its inputs, results, times, versions and settings."""
    records = list(records)
    inputs = {name: file for record in records for name, file in record.inputs.items()}
    results = results_of(records)
    read = [_input(crate, name, file) for name, file in inputs.items() if name.startswith("bids:")]
    own = f"sub-{layout.label}/"
    written = [
        _result(crate, name.removeprefix(own), file)
        for name, file in results.items()
        if name.startswith(own) and (Path(layout.out) / name).is_file()
    ]
    stages = [_setting(crate, record) for record in records if record.settings]
    times = sorted(file.mtime_ns for file in results.values())
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


def _file_properties(file: Fingerprint) -> dict[str, Any]:
    return {"sha256": file.sha256, "contentSize": str(file.size)}


def _input(crate: ROCrate, name: str, file: Fingerprint) -> Any:
    """Add an input by its BIDS URI."""
    inside = name.removeprefix("bids:")
    properties = {"@type": "File", "name": inside, **_file_properties(file)}
    return crate.add(DataEntity(crate, f"bids::{inside}", properties=properties))


def _result(crate: ROCrate, inside: str, file: Fingerprint) -> Any:
    # Without a source the library describes the existing file and copies nothing.
    return crate.add_file(dest_path=inside, properties={"name": inside, **_file_properties(file)})


def _setting(crate: ROCrate, record: StageRecord) -> Any:
    properties = {
        "@type": "PropertyValue",
        "name": f"settings of {record.stage}",
        "value": str(dict(record.settings)),
    }
    return crate.add(ContextEntity(crate, f"#settings-{record.stage}", properties=properties))


def _software(crate: ROCrate, name: str, version: str) -> Any:
    properties: Mapping[str, str] = {
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }
    return crate.add(ContextEntity(crate, f"#{name}", properties=dict(properties)))


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="seconds")
