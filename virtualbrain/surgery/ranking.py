"""Plans as a table, the best first."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from virtualbrain.surgery.outcome import Outcome
from virtualbrain.surgery.settings import SurgerySettings

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
)


def outcome_table(
    outcomes: Sequence[Outcome],
    regions: pd.DataFrame,
    eloquent: Sequence[tuple[str, str]],
    settings: SurgerySettings,
) -> pd.DataFrame:
    """Rank outcomes: most likely seizure-free first, then fewest seizing regions, then smallest.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One of them is of no surgery.
    regions : pandas.DataFrame
        Region table with ``name`` and ``volume``.
    eloquent : sequence of (region, function)
        Regions with a function to be spared; a plan that touches one says so.
    settings : SurgerySettings
        The width of the interval.

    Returns
    -------
    pandas.DataFrame
        The columns of outcomes.tsv.
    """
    (before,) = [float(o.seizing.mean()) for o in outcomes if o.candidate.kind == "none"]
    volumes = dict(zip(regions["name"], regions["volume"], strict=True))
    rows = [_row(outcome, before, volumes, dict(eloquent), settings) for outcome in outcomes]
    table = pd.DataFrame(rows)
    table["_size"] = table["volume_mm3"].fillna(np.inf)
    table = table.sort_values(
        ["p_seizure_free", "seizing_after", "n_regions", "_size", "candidate"],
        ascending=[False, True, True, True, True],
        ignore_index=True,
    )
    table["rank"] = np.arange(1, len(table) + 1)
    return table[list(OUTCOME_COLUMNS)]


def _row(
    outcome: Outcome,
    before: float,
    volumes: dict[str, float],
    eloquent: dict[str, str],
    settings: SurgerySettings,
) -> dict[str, object]:
    """Return one plan as a row."""
    plan = outcome.candidate
    tail = (1.0 - settings.interval) / 2.0
    low, high = np.quantile(outcome.seizing, [tail, 1.0 - tail])
    touched = [f"{name} ({eloquent[name]})" for name in plan.regions if name in eloquent]
    sham = plan.kind == "sham"
    cuts = plan.kind == "disconnection"
    volume = sum(volumes.get(name, np.nan) for name in plan.regions)
    return {
        "candidate": plan.name,
        "kind": plan.kind,
        "regions": np.nan if sham or not plan.regions else ",".join(plan.regions),
        "n_regions": len(plan.regions),
        "volume_mm3": np.nan if sham else 0.0 if cuts else float(volume),
        "eloquent": ",".join(touched) if touched else np.nan,
        "seizing_before": before,
        "seizing_after": float(outcome.seizing.mean()),
        "seizing_after_low": float(low),
        "seizing_after_high": float(high),
        "p_seizure_free": outcome.p_seizure_free,
    }


def recruitment_table(outcomes: Sequence[Outcome], regions: Sequence[str]) -> pd.DataFrame:
    """Tell, for each plan, how likely each region seizes and when it starts.

    Returns
    -------
    pandas.DataFrame
        Columns ``candidate region onset_s p_seizing``; onset in seconds from the marked onset,
        NaN where the region seizes in no draw.
    """
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "candidate": outcome.candidate.name,
                    "region": list(regions),
                    "onset_s": outcome.onset_s,
                    "p_seizing": outcome.p_region,
                }
            )
            for outcome in outcomes
        ],
        ignore_index=True,
    )
