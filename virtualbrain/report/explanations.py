"""Put the explanations of a recording into words: which zones the data cannot separate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import PatientResults
from virtualbrain.io.surgery_results import ExplanationRow, Explanations
from virtualbrain.report.findings import Region
from virtualbrain.report.numbers import is_number, percent, show
from virtualbrain.report.tables import Cell, Column, View, download_of, number_cell, percent_cell

# A region is called equally early in two explanations if it differs by less than this.
_ALIKE = 0.3
_SELDOM = 0.5


@dataclass(frozen=True)
class Explanation:
    """One explanation as the report shows it.

    Parameters
    ----------
    row : ExplanationRow
        The numbers.
    certain, possible, not_excluded : tuple of Region
        Regions that start seizures in it, that may, and that are improbable but not excluded.
    order, plan : tuple of Region
        Regions in the order of their onsets, and of the smallest plan.
    difference : str
        What distinguishes it from the first explanation, one sentence.
    distinct : Region or None
        Region that differs most.
    """

    row: ExplanationRow
    certain: tuple[Region, ...]
    possible: tuple[Region, ...]
    not_excluded: tuple[Region, ...]
    order: tuple[Region, ...]
    plan: tuple[Region, ...]
    difference: str
    distinct: Region | None


@dataclass(frozen=True)
class Explained:
    """The section on explanations.

    Parameters
    ----------
    items : tuple of Explanation
        Explanations, the most probable first.
    summary : str
        One sentence on their number.
    index : str
        The degeneracy index with its Monte Carlo error.
    zones : str
        Number of zones of the listed explanations.
    view : View
        Table of all numbers.
    """

    items: tuple[Explanation, ...]
    summary: str
    index: str
    zones: str
    view: View


def explanations_of(results: PatientResults, regions: Sequence[Region]) -> Explained | None:
    """Return the section; None where no explanations were written."""
    found = results.main.explanations
    if found is None or not found.rows:
        return None
    by_name = {region.name: region for region in regions}
    return Explained(
        items=tuple(_explanation(row, by_name) for row in found.rows),
        summary=_summary(found),
        index=f"{show(found.index, 2)}" + _error(found.index_error),
        zones=_number_of_zones(found),
        view=_view(found, by_name),
    )


def _error(value: float) -> str:
    return f" ± {show(value, 1)}" if is_number(value) else ""


def _number_of_zones(found: Explanations) -> str:
    total = sum(int(row.n_zones) for row in found.rows)
    return "one zone" if total == 1 else f"{total} zones"


def _summary(found: Explanations) -> str:
    rows = found.rows
    likely = sum(row.credible for row in rows)
    if likely == 1:
        first = f"One explanation holds {percent(rows[0].p)} of the probability."
    else:
        first = f"{likely} explanations together hold at least 95 % of the probability."
        first += f" The first has {percent(rows[0].p)}, the second {percent(rows[1].p)}."
    return first


def _explanation(row: ExplanationRow, by_name: Mapping[str, Region]) -> Explanation:
    def named(text: str | None) -> tuple[Region, ...]:
        return tuple(by_name[name] for name in (text or "").split(",") if name in by_name)

    return Explanation(
        row=row,
        certain=named(row.certain),
        possible=named(row.possible),
        not_excluded=named(row.not_excluded),
        order=named(row.order),
        plan=named(row.plan),
        difference=_difference(row),
        distinct=by_name.get(row.distinct_region or ""),
    )


def _difference(row: ExplanationRow) -> str:
    """Return what distinguishes an explanation from the first, without the region's name."""
    if row.rank == 1 or row.distinct_region is None:
        return ""
    here = _onset(row.p_seizing, row.onset_s)
    first = _onset(row.p_seizing_best, row.onset_best_s)
    words = f"{here} here, {first} in the first explanation"
    if row.distinctness < _ALIKE:
        words += "; no region differs clearly"
    if row.distinct_channel:
        words += f"; {row.distinct_channel} sees it best"
    return words


def _onset(p_seizing: float, onset_s: float) -> str:
    if p_seizing < _SELDOM or not is_number(onset_s):
        return f"seizes in only {percent(p_seizing)} of the draws"
    return f"seizes at {show(onset_s, 2)} s"


def _view(found: Explanations, by_name: Mapping[str, Region]) -> View:
    columns = (
        Column("Explanation", True),
        Column("Probability", True, "given that a suspected region starts the seizure"),
        Column("Monte Carlo error", True),
        Column("Odds to the first", True),
        Column("Most probable zone", False),
        Column("Zones", True, "zones of the named regions that hold all certain ones"),
        Column("Plan holds the EZ", True, "if this explanation is true"),
        Column("Plan holds the EZ, all", True, "over all explanations"),
        Column("Differs most", False, "region whose onset differs most from the first explanation"),
        Column("Difference", True, "0: the same onsets, 1: different in all draws"),
    )
    rows = tuple(_cells(row, by_name) for row in found.rows)
    caption = "Explanations of the recording, the most probable first."
    return View("explanations", caption, columns, rows, download_of(found.table))


def _cells(row: ExplanationRow, by_name: Mapping[str, Region]) -> tuple[Cell, ...]:
    labels = row.regions.split(",")
    distinct = by_name.get(row.distinct_region or "")
    return (
        number_cell(row.rank),
        percent_cell(row.p),
        percent_cell(row.p_error),
        number_cell(row.odds, 2),
        Cell(", ".join(map(spoken_name, labels)), row.regions.lower(), row.regions),
        number_cell(row.n_zones),
        percent_cell(row.p_plan_holds),
        percent_cell(row.p_plan_holds_all),
        Cell(distinct.spoken, distinct.spoken, distinct.name, region=distinct.index)
        if distinct
        else Cell("–", ""),
        number_cell(row.distinctness, 2),
    )
