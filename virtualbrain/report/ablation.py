"""Put fits to subsets of the data into words: what carries the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.fit_results import AblationRow
from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import is_number, percent, show
from virtualbrain.report.tables import (
    Cell,
    Column,
    Download,
    View,
    download_of,
    number_cell,
    percent_cell,
    region_cell,
)


@dataclass(frozen=True)
class Ablated:
    """The part of the report on fits to subsets.

    Parameters
    ----------
    sentences : tuple of str
        What carries the answer, and whether the plan is stable.
    without : View
        All data, and all but one electrode or seizure.
    kept : View or None
        Some of the electrodes, seizures or seconds.
    """

    sentences: tuple[str, ...]
    without: View
    kept: View | None


def ablation_of(results: PatientResults, names: Sequence[str]) -> Ablated | None:
    """Return the part on fits to subsets; None where `virtualbrain degeneracy` did not run."""
    found = results.main.ablation
    if found is None or not found.rows:
        return None
    full = found.rows[0]
    without = tuple(row for row in found.rows if row.kind == "without")
    kept = tuple(row for row in found.rows if row.kind == "kept")
    download = download_of(found.table)
    return Ablated(
        sentences=(*_carriers(without), *_stability(without, full)),
        without=_view("without", (full, *without), names, download),
        kept=_view("kept", (full, *kept), names, None) if kept else None,
    )


def _carriers(without: Sequence[AblationRow]) -> tuple[str, ...]:
    """Return which part changes the answer most."""
    if not without:
        return ("There is a single electrode and a single seizure: nothing can be left out.",)
    clear = sorted((row for row in without if row.clear), key=lambda row: -abs(row.change))
    if not clear:
        return ("No single electrode or seizure changes any P(EZ) clearly.",)
    first = clear[0]
    region = spoken_name(first.changed_region or "")
    word = "falls" if first.change < 0 else "rises"
    return (
        f"{_initial(_part(first))} carries most of the answer: without it, P(EZ) of {region} "
        f"{word} by {abs(first.change):.2f} ± {first.change_error:.2f}.",
        f"{len(clear)} of {len(without)} parts change a P(EZ) clearly.",
    )


def _stability(without: Sequence[AblationRow], full: AblationRow) -> tuple[str, ...]:
    """Return whether first region and plan survive the loss of any part."""
    if not without:
        return ()
    other_plan = [row for row in without if not row.same_plan]
    lost = [row for row in without if row.rank > 1]
    region = spoken_name(full.region)
    ranks = (
        f"{region} stays first whichever part is left out."
        if not lost
        else f"{region} is no longer first without {_listed(lost)}."
    )
    if not other_plan:
        plan = "The smallest plan is the same whichever part is left out."
    else:
        worst = min(row.p_plan_holds for row in without if is_number(row.p_plan_holds))
        plan = (
            f"The smallest plan changes without {_listed(other_plan)}. The plan from all data "
            f"holds the EZ in at least {percent(worst)} of the draws of each subset."
        )
    return _initial(ranks), plan


def _initial(words: str) -> str:
    """Return words with a capital first letter, and the rest unchanged."""
    return words[:1].upper() + words[1:]


def _listed(rows: Sequence[AblationRow]) -> str:
    return ", ".join(_part(row) for row in rows)


def _part(row: AblationRow) -> str:
    return f"{row.part} {row.name}" if row.part else row.name


def _view(
    key: str, rows: Sequence[AblationRow], names: Sequence[str], download: Download | None
) -> View:
    columns = (
        Column("Left out" if key == "without" else "Kept", False),
        Column("Channels", True),
        Column("Rank", True, "rank of the first region of all data"),
        Column("P(EZ)", True, "of the first region of all data, ± Monte Carlo error"),
        Column("First region", False),
        Column("Largest change", False, "region whose P(EZ) changes most"),
        Column("Change of P(EZ)", True, "± Monte Carlo error"),
        Column("Verdict", False),
        Column("Plan", False),
        Column(
            "Plan holds", True, "draws of this subset in which the plan from all data holds the EZ"
        ),
    )
    position = {name: i for i, name in enumerate(names)}
    cells = tuple(_cells(row, position) for row in rows)
    caption = "Fits without one part." if key == "without" else "Fits to some of the data."
    return View(f"ablation-{key}", caption, columns, cells, download)


def _cells(row: AblationRow, position: dict[str, int]) -> tuple[Cell, ...]:
    plan = (row.plan or "").split(",") if row.plan else []
    changed = row.changed_region
    return (
        Cell("nothing, all data" if row.kind == "all" else _part(row), f"{row.kind}{_part(row)}"),
        number_cell(row.n_channels),
        number_cell(row.rank),
        Cell(f"{percent(row.p_ez)} ± {percent(row.p_ez_error)}", repr(row.p_ez), bar=row.p_ez),
        region_cell(row.first_region, position.get(row.first_region)),
        region_cell(changed, position.get(changed)) if changed else Cell("–", ""),
        Cell(_change(row), repr(abs(row.change)) if is_number(row.change) else ""),
        Cell(row.verdict, row.verdict),
        Cell(
            ("same" if row.same_plan and row.kind != "all" else "")
            or ", ".join(map(spoken_name, plan))
            or "none",
            row.plan or "",
            row.plan or "",
        ),
        percent_cell(row.p_plan_holds),
    )


def _change(row: AblationRow) -> str:
    if not is_number(row.change):
        return "–"
    sign = "+" if row.change > 0 else "−"
    words = f"{sign}{show(abs(row.change), 2)} ± {show(row.change_error, 1)}"
    return words if row.clear else f"{words} (not clear)"
