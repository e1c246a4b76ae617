"""Write the report on all patients of a run."""

from collections.abc import Sequence
from pathlib import Path

from virtualbrain.io.clinical import read_outcome_classes
from virtualbrain.io.results import load_results
from virtualbrain.report.cohort import build_cohort, summary_of


def write_cohort_report(
    out: Path, labels: Sequence[str], priors: Sequence[str], dataset: Path, target: Path
) -> Path:
    """Write the report on all patients, and compare predictions with known outcomes.

    Parameters
    ----------
    out : Path
        The output folder of a run.
    labels : sequence of str
        The patients.
    priors : sequence of str
        Names of the prior sets.
    dataset : Path
        The BIDS dataset; its participants.tsv may contain outcomes.
    target : Path
        The file to write, or a folder for ``cohort.html``.

    Returns
    -------
    Path
        The file written.
    """
    summaries = [summary_of(load_results(out, label, priors)) for label in labels]
    return build_cohort(summaries, target, read_outcome_classes(dataset))
