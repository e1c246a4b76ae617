"""Collect the main results of all patients: a table, and records for the aggregates."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from virtualbrain.cohort.federation import Record
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.gain import LOW_OBSERVABILITY

LIKELY = 0.5
"""Smallest p_ez of a suspected region in the aggregates."""
READABLE = ("interpretable", "caution")


def cohort_frame(out: Path, labels: Sequence[str], priors: str) -> pd.DataFrame:
    """Return one row per patient with verdict, leading region and leading plan.

    Parameters
    ----------
    out : Path
        The output folder of a run.
    labels : sequence of str
        The patients.
    priors : str
        The prior set.

    Returns
    -------
    pandas.DataFrame
        One row per patient; results are missing if the verdict is do-not-use.

    Raises
    ------
    InputError
        A patient's results are missing or damaged.
    """
    rows = [_row(PatientLayout.of_results(out, label), priors) for label in sorted(labels)]
    return pd.DataFrame(rows)


def _row(layout: PatientLayout, priors: str) -> dict[str, Any]:
    verdict = str(read_json(layout.diagnostics(priors)).get("verdict", "missing"))
    zones = read_table(layout.zones(priors), required=["region", "p_ez", "observability"])
    unseen = int((zones["observability"] < LOW_OBSERVABILITY).sum())
    seizures = len(list(layout.seeg.glob(layout.envelope(1).name.replace("-01_", "-*_"))))
    row = {
        "participant_id": f"sub-{layout.label}",
        "priors": priors,
        "verdict": verdict,
        "n_seizures": seizures,
        "n_regions": len(zones),
        "n_regions_not_seen": unseen,
    }
    if verdict not in READABLE:
        return row | dict.fromkeys([*_ZONE_KEYS, *_PLAN_KEYS])
    return row | _leader(zones) | _plan(layout, priors)


_ZONE_KEYS = ("leading_region", "leading_hemisphere", "leading_p_ez", "suspected_regions")
_PLAN_KEYS = ("plan", "plan_kind", "seizing_before", "seizing_after", "p_seizure_free")


def _leader(zones: pd.DataFrame) -> dict[str, Any]:
    first = zones.sort_values("rank").iloc[0]
    suspected = zones.loc[zones["p_ez"] >= LIKELY, "region"]
    values = (first["region"], first["hemisphere"], float(first["p_ez"]), ";".join(suspected))
    return dict(zip(_ZONE_KEYS, values, strict=True))


def _plan(layout: PatientLayout, priors: str) -> dict[str, Any]:
    plans = read_table(layout.outcomes(priors), required=["kind", "rank", "candidate"])
    real = plans[~plans["kind"].isin(["none", "sham"])].sort_values("rank")
    if real.empty:
        return dict.fromkeys(_PLAN_KEYS)
    keys = ("candidate", "kind", "seizing_before", "seizing_after", "p_seizure_free")
    return dict(zip(_PLAN_KEYS, real.iloc[0][list(keys)], strict=True))


def records_of(table: pd.DataFrame) -> list[Record]:
    """Return the records for the aggregates, one per row of `cohort_frame`."""
    return [_record(row) for row in table.to_dict("records")]


def _record(row: Mapping[Any, Any]) -> Record:
    regions = row.get("suspected_regions")
    before, after = _number(row.get("seizing_before")), _number(row.get("seizing_after"))
    return Record(
        label=str(row["participant_id"]),
        numbers={
            "n_seizures": _number(row["n_seizures"]),
            "share_of_regions_not_seen": row["n_regions_not_seen"] / row["n_regions"],
            "leading_p_ez": _number(row.get("leading_p_ez")),
            "spared_share": 1 - after / before if before and after is not None else None,
        },
        words={
            "verdict": str(row["verdict"]),
            "leading_hemisphere": _word(row.get("leading_hemisphere")),
            "plan_kind": _word(row.get("plan_kind")),
        },
        regions=frozenset(regions.split(";") if isinstance(regions, str) and regions else ()),
    )


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _word(value: Any) -> str:
    return str(value) if isinstance(value, str) else "withheld"


def setting_of(out: Path, labels: Sequence[str], priors: str) -> dict[str, str]:
    """Return the settings that must be equal for all patients and sites: atlas and priors.

    Raises
    ------
    InputError
        They differ between patients.
    """
    found = {label: _setting(PatientLayout.of_results(out, label), priors) for label in labels}
    first = next(iter(found.values()))
    for label, setting in found.items():
        if setting != first:
            raise InputError(
                "atlas or priors differ from the first patient's",
                where=f"sub-{label}",
                hint="run all patients with the same settings",
            )
    return first


def _setting(layout: PatientLayout, priors: str) -> dict[str, str]:
    content = read_json(layout.provenance).get("priors", {}).get(priors)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
    return {"atlas": layout.atlas, "priors": priors, "priors_sha256": digest}
