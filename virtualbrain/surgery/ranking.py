"""Plans as a table, the best first: benefit, price and certainty, with a sentence on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.surgery.calibration import believed
from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.outcome import Outcome
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
)
# Differences of share_free below this are within the sampling error of some hundred draws.
_SAME_PROBABILITY = 0.05
# A plan is better than sham where fewer random plans than this do as well.
BETTER_THAN_SHAM = 0.05


@dataclass(frozen=True)
class Ruling:
    """What the plans are held against.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table with ``name`` and ``volume``.
    expected_ez_regions : float
        Expected number of regions that start seizures, by which promises are believed.
    eloquent : tuple of (region, function)
        Regions with a function to be spared; a plan that touches one says so.
    transmission : mapping of str to float
        Change of the healthy network's transmission by a plan's name.
    shams : mapping of int to sequence of Outcome
        Random plans by their size.
    ranked : bool
        Whether the fit may be ranked at all.
    """

    regions: pd.DataFrame
    expected_ez_regions: float
    eloquent: tuple[tuple[str, str], ...] = ()
    transmission: Mapping[str, float] | None = None
    shams: Mapping[int, Sequence[Outcome]] | None = None
    ranked: bool = True


def outcome_table(
    outcomes: Sequence[Outcome], ruling: Ruling, settings: SurgerySettings
) -> pd.DataFrame:
    """Rank plans.

    Plans that touch what is forbidden come last. Of the others first those that reach the wanted
    probability of no seizure, fewest eloquent regions, regions and volume first; then by falling
    probability (steps of 0.05, about its sampling error), seizing regions, and price. Without
    `ruling.ranked` the plans stand in alphabetical order and have no rank.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One of them is of no surgery.
    ruling : Ruling
        Prices and random plans.
    settings : SurgerySettings
        The width of the interval, the wanted probability.

    Returns
    -------
    pandas.DataFrame
        The columns of outcomes.tsv. `share_free` is the share of draws in which no region
        seizes, by which plans are ranked, and `p_seizure_free` how far it is believed
        (`virtualbrain.surgery.calibration`). `p_sham` is the share of random plans of the same size
        that leave as few seizing regions, the plan itself counted; `on_front` marks plans that none
        other beats in benefit, price and certainty together.
    """
    (before,) = [float(o.seizing.mean()) for o in outcomes if o.candidate.kind == "none"]
    rows = [_row(outcome, before, ruling, settings) for outcome in outcomes]
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
    if not ruling.ranked:
        keys, falling = ["candidate"], set()
    order = order.sort_values(keys, ascending=[key not in falling for key in keys])
    table = table.loc[order.index].reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1) if ruling.ranked else np.nan
    table["p_seizure_free_6d"] = np.nan
    table["sentence"] = [
        sentence({str(k): v for k, v in row.items()}, settings) for row in table.to_dict("records")
    ]
    return table[list(OUTCOME_COLUMNS)]


def _row(
    outcome: Outcome, before: float, ruling: Ruling, settings: SurgerySettings
) -> dict[str, object]:
    """Return one plan as a row."""
    plan = outcome.candidate
    tail = (1.0 - settings.interval) / 2.0
    low, high = np.quantile(outcome.seizing, [tail, 1.0 - tail])
    eloquent = dict(ruling.eloquent)
    touched = [f"{name} ({eloquent[name]})" for name in plan.regions if name in eloquent]
    sham = plan.kind == "sham"
    return {
        "candidate": plan.name,
        "kind": plan.kind,
        "regions": np.nan if sham or not plan.regions else ",".join(plan.regions),
        "n_regions": len(plan.regions),
        "n_connections": len(plan.edges),
        "volume_mm3": np.nan if sham else _volume(plan, ruling.regions),
        "eloquent": ",".join(touched) if touched else np.nan,
        "seizing_before": before,
        "seizing_after": float(outcome.seizing.mean()),
        "seizing_after_low": float(low),
        "seizing_after_high": float(high),
        "p_seizure_free": _promise(outcome, ruling),
        "share_free": outcome.share_free,
        "transmission_change": (ruling.transmission or {}).get(plan.name, np.nan),
        "p_sham": _p_sham(outcome, ruling),
    }


def _promise(outcome: Outcome, ruling: Ruling) -> float:
    """Return the believed probability; where nothing is done, or at random, the share itself."""
    if outcome.candidate.kind in ("none", "sham"):
        return outcome.share_free
    return believed(outcome.share_free, len(outcome.seizing), ruling.expected_ez_regions)


def _volume(plan: Candidate, regions: pd.DataFrame) -> float:
    """Return the tissue that is taken out, mm³."""
    volumes = dict(zip(regions["name"], regions["volume"], strict=True))
    parts = zip(plan.regions, plan.taken, strict=False)
    return float(sum(volumes.get(name, np.nan) * share for name, share in parts))


def _p_sham(outcome: Outcome, ruling: Ruling) -> float:
    """Return how often another, random plan of the same size leaves as few seizing regions."""
    own = set(outcome.candidate.regions)
    shams = [s for s in (ruling.shams or {}).get(len(own), ()) if set(s.candidate.regions) != own]
    if not shams or outcome.candidate.kind in ("none", "sham"):
        return float("nan")
    as_good = sum(sham.seizing.mean() <= outcome.seizing.mean() + 1e-9 for sham in shams)
    return (1 + as_good) / (1 + len(shams))


def _on_front(table: pd.DataFrame) -> list[bool]:
    """Tell which plans no other beats: in benefit, certainty, and every price at once."""
    real = ~table["kind"].isin(["sham", "none"])
    lower_is_better = table.assign(
        risk=1.0 - table["share_free"],
        width=table["seizing_after_high"],
        functions=_functions(table),
    )[["risk", "seizing_after", "width", "volume_mm3", "functions", "transmission_change"]]
    costs = lower_is_better.fillna(0.0).to_numpy(dtype=np.float64)
    return [
        bool(real.iloc[i]) and not _beaten(costs[i], costs[real.to_numpy()])
        for i in range(len(costs))
    ]


def _functions(table: pd.DataFrame) -> list[int]:
    """Count the eloquent regions that each plan touches."""
    return [str(cell).count("(") for cell in table["eloquent"]]


def _beaten(own: Array, others: Array) -> bool:
    """Tell whether some other is nowhere worse and somewhere better."""
    return bool(((others <= own).all(axis=1) & (others < own).any(axis=1)).any())


def sentence(row: Mapping[str, object], settings: SurgerySettings) -> str:
    """Return what a plan does in one sentence that a surgeon can read."""

    def number(key: str) -> float:
        return float(row[key])  # type: ignore[arg-type]

    before, after = number("seizing_before"), number("seizing_after")
    left = (
        f"{after:.1f} of {before:.1f} seizing regions "
        f"({settings.interval:.0%} of the draws: {number('seizing_after_low'):.0f} to "
        f"{number('seizing_after_high'):.0f})"
    )
    if row["kind"] == "none":
        return f"Without surgery {before:.1f} regions seize."
    if row["kind"] == "sham":
        return f"Random plans leave {left} and end the seizure in {number('share_free'):.0%}."
    parts = [
        f"{_doing(row)} leaves {left}, and none in {number('share_free'):.0%} of the draws",
        "on virtual patients such plans after such fits ended seizures in "
        f"{number('p_seizure_free'):.0%}",
        _beside_sham(number("p_sham")),
        _price(row),
    ]
    return "; ".join(part for part in parts if part) + "."


def _doing(row: Mapping[str, object]) -> str:
    names = str(row["regions"]).replace(",", ", ")
    match row["kind"]:
        case "disconnection" if row["n_connections"]:
            return f"Cutting {row['n_connections']} connections"
        case "disconnection":
            return f"Cutting {names} off"
        case _:
            volume = float(row["volume_mm3"])  # type: ignore[arg-type]
            return f"Taking out {names}" + (
                "" if np.isnan(volume) else f" ({volume / 1000:.1f} cm³)"
            )


def _beside_sham(p_sham: float) -> str:
    if np.isnan(p_sham):
        return ""
    if p_sham < BETTER_THAN_SHAM:
        return "no random plan of the same size does as well"
    return f"no better than chance: {p_sham:.0%} of random plans of the same size do as well"


def _price(row: Mapping[str, object]) -> str:
    said = []
    change = float(row["transmission_change"])  # type: ignore[arg-type]
    if not np.isnan(change):
        said.append(f"the other regions' signal transmission changes by {change:.1%}")
    if isinstance(row["eloquent"], str):
        said.append(f"it touches {row['eloquent'].replace(',', ', ')}")
    return " and ".join(said)


def any_better_than_sham(table: pd.DataFrame) -> bool:
    """Tell whether some plan leaves fewer seizing regions than random ones of its size."""
    return bool((table["p_sham"] < BETTER_THAN_SHAM).any())


def recruitment_table(outcomes: Sequence[Outcome], regions: Sequence[str]) -> pd.DataFrame:
    """Tell, for each plan, how likely each region seizes and when it starts.

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
