"""Write the report on a simulated hypothesis; its first screen states that nothing was fitted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from virtualbrain.io.results import PatientResults
from virtualbrain.report import findings
from virtualbrain.report import tables as tabular
from virtualbrain.report.build import page_content, write_page

N_SHOWN = 8
_ZONES = {
    "region": "Region",
    "hemisphere": "Side",
    "p_ez": "In the stated zone",
    "p_pz": "Recruited",
    "onset_s": "Onset (s)",
    "x0_mean": "Mean x₀",
    "in_hypothesis": "Hypothesis",
}
_PLANS = {
    "candidate": "Plan",
    "kind": "Kind",
    "regions": "Regions",
    "volume_mm3": "Volume (mm³)",
    "eloquent": "Eloquent",
    "seizing_before": "Seizing before",
    "seizing_after": "Seizing after",
    "share_free": "No seizure (draws)",
    "p_seizure_free_6d": "No seizure (6D)",
    "p_holds_ez": "Holds the zone",
    "p_sham": "Sham plans as good",
}


def build_hypothesis_report(results: PatientResults, target: Path) -> Path:
    """Write the report on a simulated hypothesis.

    Parameters
    ----------
    results : PatientResults
        Results whose main prior set is the simulated hypothesis.
    target : Path
        The file to write.
    """
    return write_page(results, hypothesis_content(results), target, "hypothesis.html")


def hypothesis_content(results: PatientResults) -> dict[str, Any]:
    """Return the content of the template, without the embedded views.

    Raises
    ------
    ValueError
        The zones or the outcomes are missing.
    """
    zones, outcomes = results.main.zones, results.main.outcomes
    if zones is None or outcomes is None:
        raise ValueError("a simulated hypothesis has zones and outcomes")
    content = page_content(results)
    about: Mapping[str, Any] = zones.table.sidecar
    stated = [region for region in content["regions"] if region.in_hypothesis]
    recruited = [r for r in content["regions"] if not r.in_hypothesis and r.p_pz > 0]
    return {
        **content,
        "zone_source": about["Hypothesis"],
        "notes": about["Notes"],
        "stated": sorted(stated, key=lambda region: -region.p_ez),
        "recruited": sorted(recruited, key=lambda region: -region.p_pz)[:N_SHOWN],
        "before": next(plan.before for plan in content["plans"] if plan.kind == "none"),
        "n_draws": outcomes.n_draws,
        "best_plans": findings.leading_plans(content["plans"]),
        "zones_view": tabular.plain_view(
            "zones", zones.table, _ZONES, content["names"], "Regions, ranked.", ("p_ez", "p_pz")
        ),
        "plans_view": tabular.plain_view(
            "plans", outcomes.table, _PLANS, content["names"], "Plans, ranked.",
            ("share_free", "p_seizure_free_6d", "p_holds_ez", "p_sham"),
        ),
    }  # fmt: skip
