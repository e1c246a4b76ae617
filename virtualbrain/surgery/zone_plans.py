"""Plan and list of explanations of a posterior, as functions, for fits that are compared."""

from collections.abc import Callable, Sequence

import pandas as pd
import xarray as xr

from virtualbrain.posterior import PlanOf, ZoneList
from virtualbrain.surgery.explanations import explanations, smallest_plan
from virtualbrain.surgery.ez_sets import p_holds_ez
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.zone_clusters import zone_draws


def plan_of(settings: SurgerySettings, regions: Sequence[str]) -> PlanOf:
    """Return the smallest set of regions that holds the zone of the draws as the plan."""
    free = _without_constraints(regions)

    def first(posterior: xr.DataTree) -> tuple[str, ...]:
        return smallest_plan(zone_draws(posterior, settings.suspicion), settings, free)

    def holds(posterior: xr.DataTree, plan: tuple[str, ...]) -> float:
        draws = zone_draws(posterior, settings.suspicion)
        return p_holds_ez(plan, draws) if draws.explained else float("nan")

    return PlanOf(first, holds)


def zone_list_of(
    settings: SurgerySettings, regions: Sequence[str]
) -> Callable[[xr.DataTree], ZoneList]:
    """Return a function that lists the explanations of a posterior."""
    free = _without_constraints(regions)

    def listed(posterior: xr.DataTree) -> ZoneList:
        found = explanations(posterior, settings, free)
        table = found.table
        named = [_names(cell) for column in ("certain", "possible") for cell in table[column]]
        zone = _names(table["regions"].iloc[0]) if len(table) else ()
        return ZoneList(zone, frozenset(name for one in named for name in one), len(table),
                        found.index)  # fmt: skip

    return listed


def _names(cell: object) -> tuple[str, ...]:
    return tuple(cell.split(",")) if isinstance(cell, str) else ()


def _without_constraints(regions: Sequence[str]) -> ResectionConstraints:
    return ResectionConstraints(pd.DataFrame({"name": list(regions)}))
