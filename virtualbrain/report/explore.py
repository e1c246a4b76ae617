"""Offer plans of regions that the reader chooses, with the outcomes that were computed before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import PriorResults
from virtualbrain.io.surgery_results import Outcomes, SubsetRow
from virtualbrain.report import tables
from virtualbrain.report.eloquent import EloquentRegions
from virtualbrain.report.findings import (
    NOT_STATED,
    Plan,
    Region,
    effective_draws,
    freedom_interval,
)
from virtualbrain.report.numbers import is_number, percent, show

# Subsets of at most this size are in the table of the page.
SHOWN_SIZE = 2
N_REMAINING = 3


@dataclass(frozen=True)
class Explored:
    """Regions to choose from, and the outcomes of all their subsets.

    Parameters
    ----------
    regions : tuple of Region
        The regions, in the order of the ranking.
    functions : tuple of str
        Function of each region where it is eloquent, else empty.
    view : View
        Table of the smallest subsets; its download holds all of them.
    data : mapping
        What the script needs: the regions, and by bit mask of chosen regions the answers in words,
        the remaining regions, and the same plan among the listed ones.
    """

    regions: tuple[Region, ...]
    functions: tuple[str, ...]
    view: tables.View
    data: Mapping[str, Any]


def explored_of(
    main: PriorResults,
    regions: Sequence[Region],
    plans: Sequence[Plan],
    eloquent: EloquentRegions,
) -> Explored | None:
    """Return what can be chosen; None where no subset was simulated.

    Parameters
    ----------
    main : PriorResults
        Results of the main prior set.
    regions : sequence of Region
        The regions of the report.
    plans : sequence of Plan
        The plans of the report.
    eloquent : EloquentRegions
        Eloquent regions and distances.
    """
    subsets, outcomes = main.subsets, main.outcomes
    if subsets is None or outcomes is None or not subsets.rows:
        return None
    single = {row.regions for row in subsets.rows if row.n_regions == 1}
    chosen = tuple(sorted((r for r in regions if r.name in single), key=lambda r: r.rank))
    bit = {region.name: 1 << place for place, region in enumerate(chosen)}
    index = {region.name: region.index for region in regions}
    listed = {
        frozenset(plan.regions): plan.index
        for plan in plans
        if plan.kind == "resection" and plan.named_by_regions
    }
    rows = [row for row in subsets.rows if set(row.region_names) <= set(bit)]
    n_draws = effective_draws(main)

    def interval(row: SubsetRow) -> tuple[float, float]:
        return freedom_interval(row.share_free, outcomes, n_draws)

    found = {
        str(sum(bit[name] for name in row.region_names)): {
            "p": tables.with_interval(row.p_seizure_free, interval(row)),
            "after": round(row.seizing_after, 3),
            "free": round(row.share_free, 4),
            "facts": _facts(row, outcomes, eloquent),
            "seizing": [[index[name], p] for name, p in row.seizing if name in index],
            "plan": listed.get(frozenset(row.region_names), -1),
        }
        for row in rows
    }
    functions = tuple(eloquent.functions.get(region.name, "") for region in chosen)
    places = [region.index for region in chosen]
    view = _view(rows, subsets.table, outcomes, eloquent, interval)
    return Explored(chosen, functions, view, {"regions": places, "plans": found})


def _facts(
    row: SubsetRow, outcomes: Outcomes, eloquent: EloquentRegions
) -> list[tuple[str, str, bool]]:
    """Return the answers on a plan: question, words, and whether they are a warning."""
    model = f"no region seizes in {percent(row.share_free)} of the draws"
    misses = row.share_free < outcomes.target
    if misses:
        model += f"; misses the target of {percent(outcomes.target)}"
    facts = [
        ("Would remain", _remaining(row), False),
        ("Eloquent tissue", _eloquent(row, outcomes), bool(row.eloquent)),
        ("Nearest eloquent", eloquent.nearest_words(row.region_names), False),
        ("Volume", _volume(row), False),
        ("Model alone", model, misses),
    ]
    if is_number(row.p_sham):
        facts.append(("Sham plans as good", percent(row.p_sham), False))
    if not row.allowed:
        words = "outside the limits of the plans that the search proposes"
        facts.append(("Limits", words, True))
    return facts


def _remaining(row: SubsetRow) -> str:
    words = f"{row.seizing_after:.1f} of {row.seizing_before:.1f} seizing regions on average"
    often = [f"{spoken_name(name)} in {percent(p)}" for name, p in row.seizing[:N_REMAINING]]
    return f"{words}: {', '.join(often)} of the draws" if often else words


def _eloquent(row: SubsetRow, outcomes: Outcomes) -> str:
    if row.eloquent:
        return "takes " + ", ".join(
            part.replace(name, spoken_name(name), 1)
            for part in row.eloquent.split(",")
            for name in [part.split(" (", 1)[0]]
        )
    return "none of the stated regions" if outcomes.eloquent_stated else NOT_STATED


def _volume(row: SubsetRow) -> str:
    if not is_number(row.volume_mm3):
        return "not known"
    return f"{show(row.volume_mm3 / 1000, 2)}\u00a0cm³ of grey matter, without white matter"


def _view(
    rows: Sequence[SubsetRow],
    table: Any,
    outcomes: Outcomes,
    eloquent: EloquentRegions,
    interval: Callable[[SubsetRow], tuple[float, float]],
) -> tables.View:
    columns = (
        tables.Column("Regions", False),
        tables.Column("Volume (cm³)", True, "grey matter, without white matter"),
        tables.Column("Eloquent", False),
        tables.Column("Nearest eloquent", False, eloquent.measured),
        tables.Column("Seizing after", True, "regions that seize after the plan, on average"),
        tables.Column(
            "P(seizure-free)", True, "predicted probability of seizure freedom, with its interval"
        ),
        tables.Column("Holds the EZ", True, "draws in which it holds all EZ regions"),
        tables.Column("Sham plans as good", True, "sham plans of this size that do as well"),
    )
    small = [row for row in rows if row.n_regions <= SHOWN_SIZE]
    cells = tuple(
        (
            tables.Cell(
                " + ".join(map(spoken_name, row.region_names)),
                f"{row.n_regions} {row.regions.lower()}",
                row.regions,
            ),
            tables.number_cell(row.volume_mm3 / 1000),
            tables.Cell(_eloquent(row, outcomes), "1" if row.eloquent else "0"),
            tables.nearest_cell(eloquent, row.region_names),
            tables.number_cell(row.seizing_after),
            tables.probability_cell(row.p_seizure_free, interval(row)),
            tables.percent_cell(row.p_holds_ez),
            tables.percent_cell(row.p_sham),
        )
        for row in small
    )
    n_leading = sum(row.n_regions == 1 for row in rows)
    caption = f"Resections of one or two of the {n_leading} leading regions."
    return tables.View("subsets", caption, columns, cells, tables.download_of(table))
