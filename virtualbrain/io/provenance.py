"""Collect the provenance of results: inputs, configuration, priors, versions and times."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from virtualbrain.config import config_hash
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.versions import versions

_SETTINGS = ("seed", "files", "anatomy", "diffusion", "seeg", "inference", "surgery", "cortex")


def input_checksums(files: PatientFiles) -> dict[str, str]:
    """Return the SHA-256 of every input file, by its path in the dataset."""
    return {path.relative_to(files.bids).as_posix(): checksum(path) for path in files.all_files()}


def stage_times(layout: PatientLayout) -> dict[str, dict[str, float]]:
    """Return seconds and peak memory (MiB) of every stage that has a benchmark file."""
    times = {}
    for path in sorted(layout.benchmark("check").parent.glob("*.tsv")):
        row = pd.read_csv(path, sep="\t").iloc[-1]
        memory = pd.to_numeric(row["max_rss"], errors="coerce")
        times[path.stem] = {"seconds": float(row["s"]), "max_rss_mib": float(memory)}
    return times


def build_provenance(
    layout: PatientLayout, config: Mapping[str, Any], priors: Mapping[str, Path]
) -> dict[str, Any]:
    """Collect the provenance of one patient's results.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    config : mapping
        The run's configuration; paths of the machine are left out.
    priors : mapping of str to Path
        Files of the prior sets, by name.

    Returns
    -------
    dict
        ``inputs`` (checksums), ``configuration``, ``configuration_hash``, ``priors``
        (each set's content), ``seed``, ``versions`` and ``stages`` (seconds, memory).
    """
    return {
        "participant": f"sub-{layout.label}",
        "inputs": read_json(layout.inputs)["files"],
        "configuration": {key: config[key] for key in _SETTINGS},
        "configuration_hash": config_hash(config, _SETTINGS),
        "priors": {
            name: yaml.safe_load(Path(path).read_text("utf-8")) for name, path in priors.items()
        },
        "seed": config["seed"],
        "versions": versions(),
        "stages": stage_times(layout),
    }


def sidecar(
    config: Mapping[str, Any], sections: Iterable[str], sources: Iterable[str]
) -> dict[str, Any]:
    """Return the content of every sidecar: sources, hash of the configuration, versions.

    Parameters
    ----------
    config : mapping
        The run's configuration.
    sections : iterable of str
        Keys of the configuration that the results depend on.
    sources : iterable of str
        Names of the files that the results were computed from.
    """
    software = versions()
    return {
        "Sources": sorted(sources),
        "ConfigurationHash": config_hash(config, sections),
        "GeneratedBy": [{"Name": "virtualbrain", "Version": software["virtualbrain"]}],
        "Versions": software,
    }


def sidecar_of_fit(
    layout: PatientLayout, priors: str, config: Mapping[str, Any], sections: Iterable[str]
) -> dict[str, Any]:
    """Return the sidecar of a table that belongs to a fit; it states the fit's checksum."""
    sources = [layout.gain.name, layout.relmat("streamlines").name, "posterior.nc"]
    about = sidecar(config, sections, sources)
    return {**about, "Posterior": checksum(layout.posterior(priors))}
