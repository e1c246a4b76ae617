"""Put the value of one more seizure, and of an own connectome, into words.

The value of further electrodes stays in the table: the amounts predicted are too small.
"""

from dataclasses import dataclass

from virtualbrain.io.fit_results import NextRow
from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import percent


@dataclass(frozen=True)
class NextData:
    """The part of the report on data that are not recorded yet."""

    sentences: tuple[str, ...]
    table: str
    vessels: str


OFFERS = {
    "seizure": "One more recorded seizure",
    "connectome": "The patient's own connectome in place of the group's",
}
"""New data other than electrodes, in words."""


def next_data_of(results: PatientResults) -> NextData | None:
    """Return the part on new data; None where `virtualbrain degeneracy` did not run."""
    found = results.main.next_data
    rows = {row.datum: row for row in found.rows if row.datum in OFFERS} if found else {}
    if found is None or not rows:
        return None
    said = (_sentence(OFFERS[datum], rows[datum]) for datum in OFFERS if datum in rows)
    trust = (
        "Such values of a seizure were right on average over synthetic patients, not for each of "
        "them."
    )
    known = found.table.sidecar.get("VesselsKnown", False)
    vessels = "vessels are those of the given mask" if known else "vessels are not known"
    return NextData((*said, trust), found.table.file, vessels)


def _sentence(what: str, row: NextRow) -> str:
    after = min(row.p_before + max(row.judged, 0.0), 1.0)
    return (
        f"{what} is expected to change the probability that the best plan holds the whole EZ from "
        f"{percent(row.p_before)} to {percent(after)} (standard error {percent(row.judged_error)})."
    )
