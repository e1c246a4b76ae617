"""Select the patients of a command."""

from collections.abc import Sequence
from pathlib import Path

from virtualbrain.errors import InputError
from virtualbrain.io.bids import check_label, participants, require_dataset


def chosen_labels(bids: str, given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the given labels, or all labels of the dataset."""
    from virtualbrain.pipeline.check import check_participants

    require_dataset(bids)
    for problem in check_participants(bids):
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
