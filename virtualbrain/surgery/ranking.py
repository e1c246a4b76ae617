"""Rank plans by benefit, cost and certainty, and describe each in one sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.outcome import Outcome
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

OUTCOME_COLUMNS = (
    "rank",
    "candidate",
    "kind",
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
    "n_connections",
    "transmission_change",
    "p_sham",
    "on_front",
    "p_seizure_free_6d",
    "sentence",
    "p_holds_ez",
)
# Sampling error of share_free with a few hundred draws.
_SAME_PROBABILITY = 0.05
# A plan is better than sham if less than this fraction of random plans does as well.
BETTER_THAN_SHAM = 0.05


@dataclass(frozen=True)
class RankingCriteria:
    """What plans are ranked by, besides their outcomes.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table with ``name`` and ``volume``.
    freedom : SeizureFreedom
        Rule of P(seizure-free).
    eloquent : tuple of (region, function)
        Eloquent regions and their functions.
    p_holds_ez : mapping of str to float
        Probability that a resection holds all regions that start seizures, by plan name.
    transmission : mapping of str to float
        Change of signal transmission in the healthy network, by plan name.
    shams : mapping of int to sequence of Outcome
        Random plans, by number of regions.
    ranked : bool
        Whether the verdict permits a ranking.
    """

    regions: pd.DataFrame
    freedom: SeizureFreedom
    eloquent: tuple[tuple[str, str], ...] = ()
    p_holds_ez: Mapping[str, float] | None = None
    transmission: Mapping[str, float] | None = None
    shams: Mapping[int, Sequence[Outcome]] | None = None
    ranked: bool = True


def outcome_table(
    outcomes: Sequence[Outcome], criteria: RankingCriteria, settings: SurgerySettings
) -> pd.DataFrame:
    """Rank plans.

    Plans with forbidden regions come last. Of the others, plans that reach the target probability
    of seizure freedom come first, ordered by eloquent regions, number of regions and volume. The
    rest is ordered by probability (in steps of 0.05, its sampling error), seizing regions and
    cost. Without `criteria.ranked` the order is alphabetical and the rank is missing.

    Parameters
    ----------
    outcomes : sequence of Outcome
        Outcomes of all plans; one of them is the plan without surgery.
    criteria : RankingCriteria
        Costs and random plans.
    settings : SurgerySettings
        Width of the interval, target probability.

    Returns
    -------
    pandas.DataFrame
        The columns of outcomes.tsv. `share_free` is the fraction of draws without a seizing
        region, by which plans are ranked. `p_seizure_free` is the predicted
        probability (`virtualbrain.surgery.seizure_freedom`). `p_sham` is the fraction of random
        plans of the same size that leave as few seizing regions, including the plan itself.
        `on_front` marks the plans on the Pareto front of benefit, cost and certainty.
    """
    (before,) = [float(o.seizing.mean()) for o in outcomes if o.candidate.kind == "none"]
    rows = [plan_row(outcome, before, criteria, settings) for outcome in outcomes]
    table = pd.DataFrame(rows)
    table["on_front"] = _on_front(table)
    order = table.assign(
        forbidden=table["eloquent"].notna() & (settings.eloquent == "forbidden"),
        reached=table["share_free"] >= settings.target,
        functions=_functions(table),
        size=table["volume_mm3"].fillna(np.inf),
    )
    steps = (table["share_free"] / _SAME_PROBABILITY).round()
    order["step"] = steps.where(~order["reached"], np.inf)
    order["left"] = order["seizing_after"].where(~order["reached"], 0.0)
    keys = ["forbidden", "reached", "step", "left", "functions", "n_regions", "size", "candidate"]
    falling = {"reached", "step"}
    if not criteria.ranked:
        keys, falling = ["candidate"], set()
    order = order.sort_values(keys, ascending=[key not in falling for key in keys])
    table = table.loc[order.index].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1) if criteria.ranked else np.nan
    table["p_seizure_free_6d"] = np.nan
    table["sentence"] = [
        sentence({str(k): v for k, v in row.items()}, settings, criteria.freedom.fitted)
        for row in table.to_dict("records")
    ]
    return table[list(OUTCOME_COLUMNS)]


def plan_row(
    outcome: Outcome, before: float, criteria: RankingCriteria, settings: SurgerySettings
) -> dict[str, object]:
    """Return one plan as a row of outcomes.tsv, without rank and sentence.

    Parameters
    ----------
    outcome : Outcome
        The plan's outcome.
    before : float
        Mean number of regions that seize without surgery.
    criteria : RankingCriteria
        Costs and random plans.
    settings : SurgerySettings
        Width of the interval.
    """
    plan = outcome.candidate
    tail = (1.0 - settings.interval) / 2.0
    low, high = np.quantile(outcome.seizing, [tail, 1.0 - tail])
    eloquent = dict(criteria.eloquent)
    touched = [f"{name} ({eloquent[name]})" for name in plan.regions if name in eloquent]
    sham = plan.kind == "sham"
    return {
        "candidate": plan.name,
        "kind": plan.kind,
        "regions": np.nan if sham or not plan.regions else ",".join(plan.regions),
        "n_regions": len(plan.regions),
        "n_connections": len(plan.edges),
        "volume_mm3": np.nan if sham else _volume(plan, criteria.regions),
        "eloquent": ",".join(touched) if touched else np.nan,
        "seizing_before": before,
        "seizing_after": float(outcome.seizing.mean()),
        "seizing_after_low": float(low),
        "seizing_after_high": float(high),
        "p_seizure_free": _p_seizure_free(outcome, criteria),
        "share_free": outcome.share_free,
        "transmission_change": (criteria.transmission or {}).get(plan.name, np.nan),
        "p_sham": _p_sham(outcome, criteria),
        "p_holds_ez": (criteria.p_holds_ez or {}).get(plan.name, np.nan),
    }


def _p_seizure_free(outcome: Outcome, criteria: RankingCriteria) -> float:
    if outcome.candidate.kind == "none":
        return outcome.share_free
    return criteria.freedom.probability(outcome.share_free)


def _volume(plan: Candidate, regions: pd.DataFrame) -> float:
    """Return the resected volume, mm³."""
    volumes = dict(zip(regions["name"], regions["volume"], strict=True))
    parts = zip(plan.regions, plan.taken, strict=False)
    return float(sum(volumes.get(name, np.nan) * share for name, share in parts))


def _p_sham(outcome: Outcome, criteria: RankingCriteria) -> float:
    """Return the fraction of random plans of this size that leave as few seizing regions."""
    own = set(outcome.candidate.regions)
    shams = [s for s in (criteria.shams or {}).get(len(own), ()) if set(s.candidate.regions) != own]
    if not shams or outcome.candidate.kind in ("none", "sham"):
        return float("nan")
    as_good = sum(sham.seizing.mean() <= outcome.seizing.mean() + 1e-9 for sham in shams)
    return (1 + as_good) / (1 + len(shams))


def _on_front(table: pd.DataFrame) -> list[bool]:
    """Return which plans are on the Pareto front of benefit, certainty and costs."""
    real = ~table["kind"].isin(["sham", "none"])
    lower_is_better = table.assign(
        risk=1.0 - table["share_free"],
        width=table["seizing_after_high"],
        functions=_functions(table),
    )[["risk", "seizing_after", "width", "volume_mm3", "functions", "transmission_change"]]
    costs = lower_is_better.fillna(0.0).to_numpy(dtype=np.float64)
    return [
        bool(real.iloc[i]) and not _dominated(costs[i], costs[real.to_numpy()])
        for i in range(len(costs))
    ]


def _functions(table: pd.DataFrame) -> list[int]:
    """Count the eloquent regions of each plan."""
    return [str(cell).count("(") for cell in table["eloquent"]]


def _dominated(own: Array, others: Array) -> bool:
    """Return whether another plan is nowhere worse and somewhere better."""
    return bool(((others <= own).all(axis=1) & (others < own).any(axis=1)).any())


def sentence(row: Mapping[str, object], settings: SurgerySettings, fitted: bool = True) -> str:
    """Describe a plan's outcome in one sentence, without P(seizure-free) if nothing was fitted."""

    def number(key: str) -> float:
        return float(row[key])  # type: ignore[arg-type]

    before, after = number("seizing_before"), number("seizing_after")
    left = (
        f"{after:.1f} of {before:.1f} seizing regions "
        f"({settings.interval:.0%} interval: {number('seizing_after_low'):.0f} to "
        f"{number('seizing_after_high'):.0f})"
    )
    if row["kind"] == "none":
        return f"Without surgery {before:.1f} regions seize."
    if row["kind"] == "sham":
        ended = f"{number('share_free'):.0%} of the draws"
        if fitted:
            ended += f"; predicted probability of seizure freedom {number('p_seizure_free'):.0%}"
        return f"Random plans leave {left} and end the seizure in {ended}."
    parts = [
        f"{_action(row)} leaves {left}, and none in {number('share_free'):.0%} of the draws",
        f"predicted probability of seizure freedom {number('p_seizure_free'):.0%}"
        if fitted
        else "",
        _held(number("p_holds_ez")),
        _compared_with_sham(number("p_sham")),
        _cost(row),
    ]
    return "; ".join(part for part in parts if part) + "."


def _action(row: Mapping[str, object]) -> str:
    names = str(row["regions"]).replace(",", ", ")
    match row["kind"]:
        case "disconnection" if row["n_connections"]:
            return f"Cutting {row['n_connections']} connections"
        case "disconnection":
            return f"Disconnecting {names}"
        case _:
            volume = float(row["volume_mm3"])  # type: ignore[arg-type]
            return f"Resecting {names}" + (
                "" if np.isnan(volume) else f" ({volume / 1000:.1f} cm³)"
            )


def _held(p_holds_ez: float) -> str:
    if np.isnan(p_holds_ez):
        return ""
    return f"it holds all regions that start seizures in {p_holds_ez:.0%} of the draws"


def _compared_with_sham(p_sham: float) -> str:
    if np.isnan(p_sham):
        return ""
    if p_sham < BETTER_THAN_SHAM:
        return f"fewer than {BETTER_THAN_SHAM:.0%} of random plans of the same size do as well"
    return (
        f"not clearly better than random plans: {p_sham:.0%} of random plans of the same size "
        "do as well"
    )


def _cost(row: Mapping[str, object]) -> str:
    parts = []
    change = float(row["transmission_change"])  # type: ignore[arg-type]
    if not np.isnan(change):
        parts.append(f"signal transmission between the other regions changes by {change:.1%}")
    if isinstance(row["eloquent"], str):
        parts.append(f"it includes {row['eloquent'].replace(',', ', ')}")
    return " and ".join(parts)


def any_better_than_sham(table: pd.DataFrame) -> bool:
    """Return whether a plan leaves fewer seizing regions than random plans of its size."""
    return bool((table["p_sham"] < BETTER_THAN_SHAM).any())


def recruitment_table(outcomes: Sequence[Outcome], regions: Sequence[str]) -> pd.DataFrame:
    """Return the probability and the onset of a seizure of each region after each plan.

    Returns
    -------
    pandas.DataFrame
        Columns ``candidate region onset_s onset_low_s onset_high_s p_seizing``; onsets in seconds
        from the marked onset, NaN where the region seizes in no draw.
    """
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "candidate": outcome.candidate.name,
                    "region": list(regions),
                    "onset_s": outcome.onset_s,
                    "onset_low_s": outcome.onset_range_s[0],
                    "onset_high_s": outcome.onset_range_s[1],
                    "p_seizing": outcome.p_region,
                }
            )
            for outcome in outcomes
        ],
        ignore_index=True,
    )
