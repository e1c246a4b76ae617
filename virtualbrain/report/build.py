"""Write one patient's report: a single HTML file that needs no network."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from virtualbrain.io.atomic import write_text
from virtualbrain.io.results import PatientResults
from virtualbrain.report import assets, charts, diagnostics, findings, methods
from virtualbrain.report import tables as tabular
from virtualbrain.report.data_quality import quality_of
from virtualbrain.report.figures import pictures_of
from virtualbrain.report.metrics import region_metrics
from virtualbrain.report.page import counts, environment, interval_words, region_names
from virtualbrain.report.page_data import linked_data
from virtualbrain.report.privacy import scrub
from virtualbrain.report.scene import build_scene

logger = logging.getLogger(__name__)

MAX_BYTES = 15_000_000
VOXELS_MM = (1.5, 2.0, 3.0)


def build_report(results: PatientResults, out: Path | str) -> Path:
    """Write the report of one patient.

    The same results give the same bytes. Volumes are embedded as finely as the limit of 15 MB
    lets them.

    Parameters
    ----------
    results : PatientResults
        Whatever a run left; a missing part leaves a box with its reason.
    out : Path or str
        The file to write, or the output folder, where it becomes ``sub-<label>.html``.

    Returns
    -------
    Path
        The file written.
    """
    target = Path(out)
    if target.is_dir():
        target = target / f"sub-{results.label}.html"
    content = page_content(results)
    for voxel_mm in VOXELS_MM:
        page = render(content, build_scene(results, content["names"], voxel_mm))
        if len(page.encode("utf-8")) <= MAX_BYTES:
            break
        logger.warning("the report is too large with voxels of %s mm: made coarser", voxel_mm)
    write_text(target, page)
    logger.info("report: %d bytes", len(page.encode("utf-8")))
    return target


def render(content: Mapping[str, Any], scene: Mapping[str, Any]) -> str:
    """Return the page's text."""
    page_script = assets.inline_script(assets.static("report.js"))
    has_views = bool(scene.get("meshes") or scene.get("t1"))
    viewer = assets.viewer() if has_views else ""
    scripts = [page_script, *([viewer] if viewer else [])]
    data = {**content["data"], "scene": scene}
    return (
        environment()
        .get_template("report.html")
        .render(
            **content,
            policy=assets.content_policy(*scripts),
            style=assets.static("report.css"),
            script=page_script,
            viewer=viewer,
            has_views=has_views,
            embedded=assets.embedded_json(data),
        )
    )


def page_content(results: PatientResults) -> dict[str, Any]:
    """Return everything the template shows, the embedded views left out."""
    names = region_names(results)
    verdict = findings.verdict_of(results.main)
    regions = findings.regions_of(results.main, names)
    plans = findings.plans_of(results.main, names, results.provenance)
    metrics = region_metrics(regions, len(names), verdict.findings)
    ci = interval_words(results.main)
    return {
        "results": results,
        "names": names,
        "verdict": verdict,
        "regions": regions,
        "plans": plans,
        "leaders": findings.leading_regions(regions) if verdict.findings else (),
        "best_plans": findings.leading_plans(plans) if verdict.findings else (),
        "conclusion": findings.conclusion_of(results.main) if verdict.findings else "",
        "elsewhere": findings.risk_elsewhere(results.main),
        "blind": [region for region in regions if region.unseen],
        "suspected": findings.suspected_unseen(regions) if verdict.findings else (),
        "limits": diagnostics.limits_of(results, regions),
        "agreement": diagnostics.hypothesis_agreement(regions) if verdict.findings else None,
        "threshold": findings.threshold_of(results.main.posterior),
        "ci": ci,
        "counts": counts(results),
        **pictures_of(results, metrics, names),
        **_tables(results, regions, plans, verdict.findings, names, ci),
        **_charts(results, regions, plans, verdict.findings),
        **_trust(results, names),
        "metrics": metrics,
        "data": linked_data(results, names, regions, plans, metrics, verdict.findings),
    }


def _tables(
    results: PatientResults,
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    ranked: bool,
    names: Sequence[str],
    ci: str,
) -> dict[str, Any]:
    main = results.main
    return {
        "zones_view": tabular.zones_view(regions, main.zones, ranked, ci) if regions else None,
        "plans_view": tabular.plans_view(plans, main.outcomes, ranked, names) if plans else None,
        "stimulation_view": tabular.stimulation_view(results, names) if ranked else None,
        "next_view": tabular.next_view(results, names) if ranked else None,
        "contacts_view": tabular.contacts_view(results, names),
        "channels_view": tabular.channels_view(results, names),
        "downloads": {
            "regions": tabular.download_of(results.regions),
            "weights": tabular.download_of(results.weights),
            "lengths": tabular.download_of(results.lengths),
            "gain": tabular.download_of(results.gain),
            "envelopes": [
                tabular.download_of(s.envelope) for s in results.seizures if s.envelope is not None
            ],
        },
    }


def _charts(
    results: PatientResults,
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    ranked: bool,
) -> dict[str, Any]:
    posterior = results.main.posterior
    prior: dict[str, tuple[float, float]] = {}
    if posterior is not None and {"x0_prior_mean", "x0_prior_sd"} <= set(posterior.constants):
        constants = posterior.constants
        for i, name in enumerate(constants["region"].to_numpy()):
            mean, sd = (constants[f"x0_prior_{kind}"].to_numpy()[i] for kind in ("mean", "sd"))
            prior[str(name)] = (float(mean), float(sd))
    threshold = findings.threshold_of(posterior)
    ordered = sorted(regions, key=lambda region: region.rank)
    return {
        "forest": charts.forest(ordered, prior, threshold) if ranked else None,
        "pareto": charts.pareto(plans) if ranked else None,
    }


def _trust(results: PatientResults, names: Sequence[str]) -> dict[str, Any]:
    figures = dict((results.main.diagnostics or {}).get("figures") or {})
    comparison = [
        {
            "priors": priors.name,
            "verdict": findings.verdict_of(priors),
            "leaders": findings.leading_regions(findings.regions_of(priors, names)),
            "correlation": diagnostics.rank_correlation(
                findings.regions_of(results.main, names), findings.regions_of(priors, names)
            ),
        }
        for priors in results.priors
    ]
    return {
        "judged": diagnostics.judge(figures),
        "figures": scrub(figures),
        "comparison": comparison,
        "quality": quality_of(scrub(dict(results.quality))),
        "provenance": scrub(results.provenance) if results.provenance else None,
        "inputs": scrub(results.inputs) if results.inputs else None,
        "benchmarks": results.benchmarks,
        "methods": methods.methods_text(results),
        "references": methods.REFERENCES,
    }
