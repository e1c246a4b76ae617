"""Collect the data with which the script links tables, charts and views."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import PatientResults, PriorResults
from virtualbrain.report import findings, numbers
from virtualbrain.report.metrics import Metric


def page_data(
    results: PatientResults,
    names: Sequence[str],
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    metrics: Sequence[Metric],
    ranked: bool,
) -> dict[str, Any]:
    """Return the data of the script, without the 3D and slice views."""
    centre = {}
    if results.regions is not None:
        frame = results.regions.frame
        xyz = frame[["x", "y", "z"]].to_numpy(float)
        centre = dict(zip(frame["name"].astype(str), xyz.tolist(), strict=True))
    by_index = {region.index: region for region in regions}
    stated = findings.hypothesis_stated(regions)
    return {
        "ranked": ranked,
        "first": min(regions, key=lambda r: r.rank).index if ranked and regions else -1,
        "regions": [
            {
                "name": spoken_name(name),
                "label": name if spoken_name(name) != name else "",
                "xyz": _finite(centre.get(name)),
                "facts": _facts(by_index.get(i), ranked, stated, centre.get(name)),
            }
            for i, name in enumerate(names)
        ],
        "metrics": [
            {
                "key": m.key,
                "unit": m.unit,
                **asdict(m.scale),
                "values": [None if v is None else round(v, 5) for v in m.values],
            }
            for m in metrics
        ],
        "plans": [
            {
                "name": p.candidate,
                "title": p.title,
                "rank": p.rank,
                "regions": p.region_indices,
                "free": p.share_free if numbers.is_number(p.share_free) else None,
            }
            for p in plans
        ],
        "no_surgery": next((p.candidate for p in plans if p.kind == "none"), ""),
        "recruitment": _recruitment(results.main, names) if ranked else {},
    }


def _finite(xyz: Sequence[float] | None) -> list[float] | None:
    if xyz is None or not np.isfinite(xyz).all():
        return None
    return [round(float(value), 1) for value in xyz]


def _hypothesis(region: findings.Region, stated: bool) -> str:
    if not stated:
        return findings.NOT_STATED
    return "not named" if region.hypothesis_zone is None else region.hypothesis_zone


def _place(xyz: Sequence[float] | None) -> str:
    rounded = _finite(xyz)
    return "–" if rounded is None else ", ".join(numbers.show(round(value)) for value in rounded)


def _facts(
    region: findings.Region | None,
    ranked: bool,
    hypothesis_stated: bool,
    xyz: Sequence[float] | None,
) -> list[tuple[str, str]]:
    """Return names and values that the report shows for the chosen region."""
    if region is None:
        return []
    show = numbers.show
    mean, low, high = region.x0
    facts = [
        ("P(EZ)", numbers.percent(region.p_ez)),
        ("P(PZ)", numbers.percent(region.p_pz)),
        ("Excitability x₀", f"{show(mean)} [{show(low)}, {show(high)}]"),
        (
            "Onset, modelled and recorded",
            f"{_seconds(region.onset_s)}, {_seconds(region.onset_recorded_s)}",
        ),
    ]
    rest = [
        ("Centre (mm)", _place(xyz)),
        ("Observability", show(region.observability, 2)),
        ("Clinical hypothesis", _hypothesis(region, hypothesis_stated)),
    ]
    return [*facts, *rest] if ranked else rest


def _seconds(value: float) -> str:
    return f"{numbers.show(value)} s" if numbers.is_number(value) else "–"


def _recruitment(priors: PriorResults, names: Sequence[str]) -> dict[str, list[list[float | None]]]:
    """Return [onset, probability of seizing] by plan and region; None without an onset."""
    position = {name: i for i, name in enumerate(names)}
    found: dict[str, list[list[float | None]]] = {}
    for row in priors.recruitment or ():
        course = found.setdefault(row.candidate, [[None, None] for _ in names])
        if row.region in position:
            course[position[row.region]] = [
                value if numbers.is_number(value) else None
                for value in (row.onset_s, row.p_seizing)
            ]
    return found
