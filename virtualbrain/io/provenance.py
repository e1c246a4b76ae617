"""What a patient's results were made from and with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from virtualbrain.config import config_hash
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.pipeline.job import versions

_SETTINGS = ("seed", "anatomy", "diffusion", "seeg", "inference", "surgery")


def input_checksums(files: PatientFiles) -> dict[str, str]:
    """Return the SHA-256 of every input file by its path inside the dataset."""
    return {path.relative_to(files.bids).as_posix(): checksum(path) for path in files.all_files()}


def stage_times(layout: PatientLayout) -> dict[str, dict[str, float]]:
    """Return seconds and peak memory (MiB) of every stage that left a benchmark."""
    times = {}
    for path in sorted(layout.benchmark("check").parent.glob("*.tsv")):
        row = pd.read_csv(path, sep="\t").iloc[-1]
        memory = pd.to_numeric(row["max_rss"], errors="coerce")
        times[path.stem] = {"seconds": float(row["s"]), "max_rss_mib": float(memory)}
    return times


def build_provenance(
    layout: PatientLayout, config: Mapping[str, Any], priors: Mapping[str, Path]
) -> dict[str, Any]:
    """Collect what a patient's results were made from and with.

    Parameters
    ----------
    layout : PatientLayout
        Where the patient's results are.
    config : mapping
        The run's configuration; the machine's paths in it are left out.
    priors : mapping of str to Path
        Prior sets by name.

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
