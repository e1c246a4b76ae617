"""Put the value of one more seizure into words.

The value of further electrodes stays in the table: the amounts predicted are too small, and vessels
are not known.
"""

from dataclasses import dataclass

from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import percent


@dataclass(frozen=True)
class NextData:
    """The part of the report on data that are not recorded yet."""

    sentence: str
    table: str


def next_data_of(results: PatientResults) -> NextData | None:
    """Return the part on new data; None where `virtualbrain degeneracy` did not run."""
    found = results.main.next_data
    seizures = [row for row in found.rows if row.datum == "seizure"] if found else []
    if found is None or not seizures:
        return None
    (row,) = seizures
    sentence = (
        "One more recorded seizure is expected to change the probability that the best plan holds "
        f"the whole EZ from {percent(row.p_before)} to "
        f"{percent(min(row.p_before + max(row.judged, 0.0), 1.0))} "
        f"(standard error {percent(row.judged_error)}). Such values were right on average over "
        "synthetic patients, not for each of them."
    )
    return NextData(sentence, found.table.file)
