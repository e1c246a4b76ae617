"""Outcomes of all subsets of the leading regions, for plans that a reader chooses by hand."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pandas as pd

from virtualbrain.surgery.candidates import resection
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.ez_sets import p_holds_ez
from virtualbrain.surgery.outcome import Outcome, simulate_unknown_plans
from virtualbrain.surgery.ranking import RankingCriteria, plan_row
from virtualbrain.surgery.settings import SurgerySettings

COLUMNS = (
    "regions",
    "n_regions",
    "volume_mm3",
    "eloquent",
    "seizing_before",
    "seizing_after",
    "seizing_after_low",
    "seizing_after_high",
    "p_seizure_free",
    "share_free",
    "p_sham",
    "p_holds_ez",
    "allowed",
    "remaining",
    "p_remaining",
)
# Regions that seize in a smaller fraction of the draws are not listed as remaining.
LEAST_REMAINING = 0.1


def explored_regions(ranked: Sequence[str], first: Sequence[str], number: int) -> tuple[str, ...]:
    """Return the regions of which all subsets are simulated, in the order of the ranking.

    The regions of the first resection are among them, so that a reader can take it apart.

    Parameters
    ----------
    ranked : sequence of str
        All regions, the most probable first.
    first : sequence of str
        Regions of the first resection.
    number : int
        Number of regions.
    """
    chosen = list(dict.fromkeys([*first, *ranked]))[:number]
    return tuple(name for name in ranked if name in chosen)


def subsets_of(regions: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all subsets that are not empty, the smallest first, in the order of the regions."""
    sizes = range(1, len(regions) + 1)
    return list(chain.from_iterable(combinations(regions, size) for size in sizes))


def subset_outcomes(
    regions: Sequence[str],
    known: Iterable[Outcome],
    draws: FittedDraws,
    settings: SurgerySettings,
) -> list[Outcome]:
    """Return the outcome of the resection of every subset.

    Parameters
    ----------
    regions : sequence of str
        The regions.
    known : iterable of Outcome
        Outcomes on the same draws; a resection of complete regions is not simulated again.
    draws, settings
        The fitted network and when a region seizes.
    """
    plans = [resection(names) for names in subsets_of(regions)]
    return simulate_unknown_plans(plans, known, draws, settings)


def subset_table(
    outcomes: Sequence[Outcome],
    before: float,
    draws: FittedDraws,
    criteria: RankingCriteria,
    settings: SurgerySettings,
    allows: Callable[[Sequence[str]], bool],
) -> pd.DataFrame:
    """Return one row for each subset.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Outcomes as from `subset_outcomes`; none gives a table without rows.
    before : float
        Mean number of regions that seize without surgery.
    draws : FittedDraws
        The fitted network.
    criteria : RankingCriteria
        What the other plans are judged by: volumes, eloquent regions, calibration, random plans.
    settings : SurgerySettings
        Width of the interval.
    allows : callable
        Whether the search may propose a set of regions.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`. The columns of outcomes.tsv have the same meaning; `p_sham` is missing where no
        random plans of this size were simulated. `allowed`: the search may propose the set.
        `remaining`: regions that seize in at least a tenth of the draws after the plan, the most
        frequent first; `p_remaining`: those fractions.
    """
    held = {o.candidate.name: p_holds_ez(o.candidate.regions, draws) for o in outcomes}
    own = replace(criteria, p_holds_ez=held, transmission=None)
    rows = [
        plan_row(outcome, before, own, settings)
        | {"allowed": allows(outcome.candidate.regions)}
        | _remaining(outcome, draws.regions)
        for outcome in outcomes
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _remaining(outcome: Outcome, regions: Sequence[str]) -> dict[str, object]:
    """Return the regions that go on seizing, and how often."""
    p = outcome.p_region
    often = [int(i) for i in np.argsort(-p, kind="stable") if p[i] >= LEAST_REMAINING]
    return {
        "remaining": ",".join(regions[i] for i in often) or np.nan,
        "p_remaining": ",".join(f"{p[i]:.3f}" for i in often) or np.nan,
    }
