"""Select the patients of a command, and the files that are meant."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from virtualbrain.config import read_yaml
from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label, participants, require_dataset


def file_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the configuration of the options --session, --filter-file, --allow-outside-links."""
    files: dict[str, Any] = {}
    if options.session:
        files["sessions"] = list(options.session)
    if options.filter_file:
        files["filters"] = read_yaml(options.filter_file)  # JSON is YAML
    if options.allow_outside_links:
        files["outside_links"] = True
    return {"files": files} if files else {}


def chosen_labels(
    bids: str, given: Sequence[str] | None, config: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the given labels, or all labels of the dataset."""
    from virtualbrain.pipeline.check import check_participants, file_settings

    require_dataset(bids)
    links = file_settings(config).outside_links
    for problem in check_participants(bids, outside_links=links):
        raise problem
    return tuple(check_label(label) for label in given) if given else participants(bids)


def labels_with_results(out: str) -> list[str]:
    """Return the labels of all patients with results under OUT."""
    labels = sorted(path.name for path in Path(out).glob("sub-*") if path.is_dir())
    if not labels:
        raise InputError(
            "no results of a patient", where=out, expected="the output folder of a run"
        )
    return labels
