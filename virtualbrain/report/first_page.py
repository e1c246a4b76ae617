"""Answer the questions of an epilepsy conference in a few words, for the first page."""

from collections.abc import Sequence
from dataclasses import dataclass

from virtualbrain.anatomy.spoken_names import SIDES
from virtualbrain.io.results import PatientResults, PriorResults
from virtualbrain.posterior import HARDLY_SUSPECTED
from virtualbrain.report.findings import (
    NOT_STATED,
    SELDOM,
    Plan,
    Region,
    freedom_of,
    hypothesis_stated,
)
from virtualbrain.report.numbers import is_number, percent
from virtualbrain.report.reliability import (
    Reliability,
    measured_for,
    reliability_of,
    reliability_sentence,
)

N_REMAINING = 3
ONE_SIDED = 0.9
# Smallest gain in P(seizure-free) for which another electrode has a clear target.
CLEAR_TARGET = 0.05
N_TARGETS = 2


@dataclass(frozen=True)
class Step:
    """A region of a plan, with P(seizure-free) once it is added, and its gain."""

    region: Region
    p_seizure_free: float
    gain: float


@dataclass(frozen=True)
class Remaining:
    """A region that still seizes after a plan, with its probability."""

    region: Region
    p_seizing: float


@dataclass(frozen=True)
class Target:
    """A region for another electrode, with its gain in P(seizure-free)."""

    region: Region
    value: float


@dataclass(frozen=True)
class FirstPage:
    """Short answers of the first page.

    Parameters
    ----------
    side : str
        Hemisphere of the suspected regions.
    reliability : tuple of Reliability or None
        How often such a p_ez was right, for each leading region.
    steps : tuple of Step
        The first plan region by region, the most useful first; empty where it is not known.
    remaining : tuple of Remaining
        Regions that still seize after the first plan.
    targets : tuple of Target
        Where another electrode would go; empty without a clear target.
    hypothesis : str
        ``not stated``, or empty where a hypothesis was stated.
    clinic : Plan or None
        The first plan that the clinic stated, if the page does not name it already.
    """

    side: str
    reliability: tuple[Reliability | None, ...]
    steps: tuple[Step, ...]
    remaining: tuple[Remaining, ...]
    targets: tuple[Target, ...]
    hypothesis: str
    clinic: Plan | None = None

    @property
    def reliability_sentence(self) -> str:
        """How often such a p_ez was right, for all leading regions."""
        return reliability_sentence(self.reliability)


def first_page(
    results: PatientResults,
    regions: Sequence[Region],
    leading: Sequence[Region],
    plans: Sequence[Plan],
    all_plans: Sequence[Plan] = (),
) -> FirstPage:
    """Return the answers; `leading` and `plans` are those that the first page names."""
    main = results.main
    figures = main.diagnostics.figures if main.diagnostics else {}
    measured = measured_for(figures)
    by_name = {region.name: region for region in regions}
    return FirstPage(
        side=side_of(regions),
        reliability=tuple(reliability_of(region.p_ez, measured) for region in leading),
        steps=_steps(main, plans[0], by_name) if plans else (),
        remaining=_remaining(main, plans[0], by_name) if plans else (),
        targets=_targets(main, by_name),
        hypothesis="" if hypothesis_stated(regions) else NOT_STATED,
        clinic=_of_the_clinic(all_plans, plans) if plans else None,
    )


def _of_the_clinic(all_plans: Sequence[Plan], shown: Sequence[Plan]) -> Plan | None:
    """Return the first removal that has a name of its own, if it is not shown."""
    stated = [
        plan
        for plan in all_plans
        if plan.kind in ("clinical", "resection", "ablation") and not plan.named_by_regions
    ]
    first = min(stated, key=lambda plan: plan.rank, default=None)
    return None if first is None or first in shown else first


def side_of(regions: Sequence[Region]) -> str:
    """Return the side of the suspected regions, from the sums of p_ez in both hemispheres."""
    suspected = [r for r in regions if r.hemisphere in SIDES and r.p_ez >= HARDLY_SUSPECTED]
    total = sum(region.p_ez for region in suspected)
    if not total:
        return "unknown"
    right = sum(region.p_ez for region in suspected if region.hemisphere == "R") / total
    side, share = ("right", right) if right >= 0.5 else ("left", 1.0 - right)
    if share >= ONE_SIDED:
        return side
    return f"mostly {side} ({percent(share)} of the summed P(EZ))"


def _steps(main: PriorResults, plan: Plan, by_name: dict[str, Region]) -> tuple[Step, ...]:
    """Return the gains where they belong to this plan."""
    if main.outcomes is None or not main.outcomes.gains:
        return ()
    outcomes = main.outcomes
    if not {name for name, _ in outcomes.gains} <= set(plan.regions):
        return ()
    rule = freedom_of(outcomes)
    before = next(
        (rule.probability(row.share_free) for row in outcomes.rows if row.kind == "none"), 0.0
    )
    steps = []
    for name, share_free in outcomes.gains:
        p = rule.probability(share_free)
        if name in by_name:
            steps.append(Step(by_name[name], p, p - before))
        before = p
    return tuple(steps)


def _remaining(main: PriorResults, plan: Plan, by_name: dict[str, Region]) -> tuple[Remaining, ...]:
    found = [
        Remaining(by_name[row.region], row.p_seizing)
        for row in main.recruitment or ()
        if row.candidate == plan.candidate
        and row.region in by_name
        and is_number(row.p_seizing)
        and row.p_seizing >= SELDOM
    ]
    return tuple(sorted(found, key=lambda one: -one.p_seizing)[:N_REMAINING])


def _targets(main: PriorResults, by_name: dict[str, Region]) -> tuple[Target, ...]:
    if main.next_regions is None:
        return ()
    rows = main.next_regions.frame
    found = [
        Target(by_name[str(name)], float(value))
        for name, value in zip(rows["region"], rows["value"], strict=True)
        if str(name) in by_name and value >= CLEAR_TARGET
    ]
    return tuple(sorted(found, key=lambda one: -one.value)[:N_TARGETS])
