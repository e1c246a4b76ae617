"""Put the value of one more electrode or seizure into words and a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.fit_results import NextRow
from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import percent, show
from virtualbrain.report.tables import (
    Cell,
    Column,
    View,
    download_of,
    number_cell,
    percent_cell,
    region_cell,
)

MOST_ROWS = 12


@dataclass(frozen=True)
class NextData:
    """The part of the report on data that are not recorded yet."""

    sentences: tuple[str, ...]
    view: View


def next_data_of(results: PatientResults, names: Sequence[str]) -> NextData | None:
    """Return the part on new data; None where `virtualbrain degeneracy` did not run."""
    found = results.main.next_data
    if found is None or not found.rows:
        return None
    rows = found.rows[:MOST_ROWS]
    rows += tuple(row for row in found.rows[MOST_ROWS:] if row.datum == "seizure")
    position = {name: i for i, name in enumerate(names)}
    columns = (
        Column("New data", False),
        Column("Target", False, "region of the innermost contact"),
        Column("Contacts", True),
        Column("Length (mm)", True, "from the brain's surface to the innermost contact"),
        Column("Expected gain", True, "of the probability that the plan holds the EZ"),
        Column("Less uncertainty", True, "expected drop of the summed entropies of P(EZ), nats"),
    )
    cells = tuple(_cells(row, position) for row in rows)
    caption = "Value of data that are not recorded yet, by the uncertainty they remove."
    view = View("next-data", caption, columns, cells, download_of(found.table))
    return NextData(_sentences(found.rows), view)


def _sentences(rows: Sequence[NextRow]) -> tuple[str, ...]:
    electrodes = [row for row in rows if row.datum == "electrode"]
    seizures = [row for row in rows if row.datum == "seizure"]
    words = []
    if not electrodes:
        words.append("No further electrode is feasible by the rules of the search.")
    else:
        first = electrodes[0]
        most = max(row.value for row in electrodes)
        words.append(
            f"Of {len(electrodes)} feasible electrodes, one to {spoken_name(first.target or '')} "
            f"is expected to remove most uncertainty about the EZ."
        )
        words.append(
            f"No single electrode is expected to raise the probability of the right plan, "
            f"{percent(first.p_before)}, by more than {percent(most)}."
        )
    words += [f"One more seizure: by {percent(row.value)}." for row in seizures]
    return tuple(words)


def _cells(row: NextRow, position: dict[str, int]) -> tuple[Cell, ...]:
    target = region_cell(row.target, position.get(row.target)) if row.target else Cell("–", "")
    return (
        Cell(row.datum, row.datum),
        target,
        number_cell(row.n_contacts),
        Cell(show(row.length_mm, 2), repr(row.length_mm)),
        percent_cell(row.value),
        number_cell(row.entropy_drop, 2),
    )
