"""Put into words which parameters the recording fixes, for the report and for the command."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.fit_results import IdentifiabilityRow
from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import is_number
from virtualbrain.report.tables import Cell, Column, View, download_of

Row = IdentifiabilityRow
Named = Callable[[str], str]

WORDS = {
    "K": "K",
    "tau0": "tau0",
    "amplitude": "amplitude",
    "level": "level of the offsets",
    "noise": "noise",
    "recruitment_threshold": "recruitment threshold",
    "peak_log_power": "peak log power",
}
"""Parameters of the whole network, in words."""

# A direction names the parameters with at least this loading, at most so many.
NAMED_LOADING, MOST_NAMED = 0.3, 4
# A contraction below this is no knowledge worth a name; a slope counts beyond so many errors.
HARDLY, CLEAR = 0.2, 2.0


@dataclass(frozen=True)
class Fixed:
    """The part of the report on what the recording fixes."""

    sentences: tuple[str, ...]
    view: View


def fixed_of(results: PatientResults) -> Fixed | None:
    """Return the part on identifiability; None where `virtualbrain degeneracy` did not run."""
    found = results.main.identifiability
    if found is None or not found.rows:
        return None
    columns = (
        Column("Parameter or combination", False),
        Column("Contraction", True, "1: fixed; 0: as before the recording; below 0: less certain"),
    )
    cells = tuple(
        (Cell(words, words), Cell(_number(row), repr(row.contraction)))
        for words, row in _listed(found.rows)
    )
    view = View("identifiability", "What the recording fixes.", columns, cells,
                download_of(found.table))  # fmt: skip
    return Fixed(sentences(found.rows, spoken_name), view)


def sentences(rows: Sequence[Row], named: Named) -> tuple[str, ...]:
    """Return what is fixed best and least, whether x0 is known, and its trade-off with K.

    Parameters
    ----------
    rows : sequence of IdentifiabilityRow
        All rows of identifiability.tsv.
    named : callable
        Gives the name of a region in words.
    """
    return (*_of_network(rows), *_least(rows, named), *_starting(rows, named),
            *_trade_off(rows, named))  # fmt: skip


def _of_network(rows: Sequence[Row]) -> Iterator[str]:
    known = sorted(_network_rows(rows), key=lambda row: row.contraction)
    if len(known) > 1:
        yield (
            f"Of the parameters of the whole network the recording fixes {_name(known[-1], str)} "
            f"best (contraction {_number(known[-1])}) and {_name(known[0], str)} least "
            f"({_number(known[0])})."
        )


def _least(rows: Sequence[Row], named: Named) -> Iterator[str]:
    for words, row in _directions(rows, "least", named)[:1]:
        less = "; it is less certain than before the recording" if row.contraction < 0 else ""
        yield f"The combination fixed least: {words} (contraction {_number(row)}{less})."


def _starting(rows: Sequence[Row], named: Named) -> Iterator[str]:
    start = [row for row in rows if row.kind == "role" and row.role == "starts"]
    unknown = [row for row in start if row.contraction - CLEAR * row.contraction_error < HARDLY]
    if unknown:
        regions = _or([named(row.region or "") for row in unknown])
        most = max(unknown, key=lambda row: row.contraction)
        yield (
            f"Where {regions} starts the seizure, x0 is above the threshold; how far above, the "
            f"recording does not clearly say (contraction at most {_number(most)})."
        )


def _trade_off(rows: Sequence[Row], named: Named) -> Iterator[str]:
    clear = [row for row in rows if row.kind == "role" and abs(row.slope) > CLEAR * row.slope_error]
    for row in sorted(clear, key=lambda row: -abs(row.correlation))[:1]:
        word = "smaller" if row.slope < 0 else "larger"
        expected = (
            f"; the equations predict {row.slope_expected:+.3f}"
            if is_number(row.slope_expected)
            else ""
        )
        yield (
            f"A larger K goes with a {word} x0 of {named(row.region or '')}: {row.slope:+.3f} ± "
            f"{row.slope_error:.3f} for each unit of K{expected}."
        )


def _network_rows(rows: Sequence[Row]) -> list[Row]:
    return [
        row
        for row in rows
        if row.kind == "parameter" and row.parameter in WORDS and is_number(row.contraction)
    ]


def _directions(rows: Sequence[Row], kind: str, named: Named) -> list[tuple[str, Row]]:
    """Return every direction of a kind in words, with one of its rows."""
    found = []
    for number in sorted({row.number for row in rows if row.kind == kind}):
        parts = [row for row in rows if row.kind == kind and row.number == number]
        parts = sorted(parts, key=lambda row: -abs(row.loading))[:MOST_NAMED]
        parts = [row for row in parts if abs(row.loading) >= NAMED_LOADING]
        words = [f"{_name(r, named)} {'up' if r.loading > 0 else 'down'}" for r in parts]
        if len(parts) == 1:  # no combination
            words = [_name(parts[0], named)]
        if parts:
            found.append((", ".join(words), parts[0]))
    return found


def _listed(rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    for row in _network_rows(rows):
        yield _name(row, str), row
    for kind in ("most", "least"):
        yield from _directions(rows, kind, spoken_name)


def _name(row: Row, named: Named) -> str:
    words = WORDS.get(row.parameter, row.parameter)
    of = f" of {named(row.region)}" if row.region else ""
    seizure = f" of seizure {row.seizure:.0f}" if is_number(row.seizure) else ""
    return f"{words}{of}{seizure}"


def _number(row: Row) -> str:
    error = f" ± {row.contraction_error:.2f}" if is_number(row.contraction_error) else ""
    return f"{row.contraction:.2f}{error}".replace("-", "−")


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
