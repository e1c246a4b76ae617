"""Write the report of one patient as one HTML file without external content."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from virtualbrain.io.atomic import write_text
from virtualbrain.io.images import in_memory
from virtualbrain.io.results import PatientResults
from virtualbrain.report import assets, charts, diagnostics, findings, methods, onsets
from virtualbrain.report import tables as tabular
from virtualbrain.report.ablation import ablation_of
from virtualbrain.report.cortex_section import on_cortex_of
from virtualbrain.report.data_quality import quality_of
from virtualbrain.report.drawing import GAP_MM
from virtualbrain.report.eloquent import EloquentRegions, eloquent_regions_of
from virtualbrain.report.evoked import evoked_of
from virtualbrain.report.explanations import explanations_of
from virtualbrain.report.explore import explored_of
from virtualbrain.report.figures import SeizureView, figures_of
from virtualbrain.report.first_page import first_page
from virtualbrain.report.identifiability import fixed_of
from virtualbrain.report.metrics import region_metrics
from virtualbrain.report.next_data import next_data_of
from virtualbrain.report.numbers import CI_PROB
from virtualbrain.report.other_connectomes import others_of
from virtualbrain.report.page import counts, environment, region_names
from virtualbrain.report.page_data import page_data
from virtualbrain.report.privacy import scrub
from virtualbrain.report.reliability import measured_for
from virtualbrain.report.scene import build_scene, volumes_of
from virtualbrain.report.seizures import side_by_side
from virtualbrain.report.words import in_words
from virtualbrain.seeg.gain import LOW_OBSERVABILITY

logger = logging.getLogger(__name__)

MAX_BYTES = 10_000_000
N_SUMMARY_LIMITS = 4
VOXELS_MM = (1.5, 2.0, 3.0)


def build_report(results: PatientResults, out: Path | str) -> Path:
    """Write the report of one patient.

    The same results give the same bytes. Volumes are embedded at the finest resolution that keeps
    the file below 10 MB.

    Parameters
    ----------
    results : PatientResults
        The results of a run. For a missing part the report shows the reason.
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
    results = _with_images_in_memory(results)
    return write_page(results, page_content(results), target)


def _with_images_in_memory(results: PatientResults) -> PatientResults:
    """Return the results with the images that the report reads many times decompressed."""
    t1, labels = results.t1, results.labels
    return replace(
        results,
        t1=None if t1 is None else in_memory(t1),
        labels=None if labels is None else in_memory(labels),
    )


def write_page(
    results: PatientResults,
    content: Mapping[str, Any],
    target: Path,
    template: str = "report.html",
) -> Path:
    """Write a page with its views, below 15 MB.

    Parameters
    ----------
    results : PatientResults
        The results of a run.
    content : mapping
        Content of the template, as from `page_content`.
    target : Path
        The file to write.
    template : str
        Name of the template.
    """
    for voxel_mm, page in zip(VOXELS_MM, _pages(results, content, template), strict=False):
        n_bytes = len(page.encode("utf-8"))
        if n_bytes <= MAX_BYTES:
            break
        logger.info("report too large with voxels of %s mm: using larger voxels", voxel_mm)
    write_text(target, page)
    logger.info("report: %d bytes", n_bytes)
    return target


def _pages(results: PatientResults, content: Mapping[str, Any], template: str) -> Iterator[str]:
    """Yield the page with ever larger voxels; only the embedded data differ."""
    scene, page, before = build_scene(results, content["names"]), "", ""
    for voxel_mm in VOXELS_MM:
        views = scene | volumes_of(results, content["names"], voxel_mm)
        embedded = _embedded(content, views)
        page = page.replace(before, embedded) if page else _html(content, views, embedded, template)
        before = embedded
        yield page


def render(
    content: Mapping[str, Any], scene: Mapping[str, Any], template: str = "report.html"
) -> str:
    """Return the HTML of a report."""
    return _html(content, scene, _embedded(content, scene), template)


def _embedded(content: Mapping[str, Any], scene: Mapping[str, Any]) -> str:
    return assets.embedded_json({**content["data"], "scene": scene})


def _html(
    content: Mapping[str, Any], scene: Mapping[str, Any], embedded: str, template: str
) -> str:
    page_script = assets.page_script()
    has_views = bool(scene.get("meshes") or scene.get("t1"))
    viewer = assets.viewer() if has_views else ""
    scripts = [page_script, *([viewer] if viewer else [])]
    return (
        environment()
        .get_template(template)
        .render(
            **content,
            policy=assets.content_policy(*scripts),
            style=assets.static("report.css"),
            page_margins=assets.page_margins(content["results"].label),
            script=page_script,
            viewer=viewer,
            has_views=has_views,
            embedded=embedded,
        )
    )


def page_content(results: PatientResults) -> dict[str, Any]:
    """Return the content of the templates, without the embedded views."""
    names = region_names(results)
    verdict, outcomes = findings.verdict_of(results.main), results.main.outcomes
    regions = findings.regions_of(results.main, names)
    plans = findings.plans_of(results.main, names)
    metrics = region_metrics(regions, len(names), verdict.usable)
    leading = findings.leading_regions(regions) if verdict.usable else ()
    best_plans = findings.leading_plans(plans) if verdict.usable else ()
    planned = best_plans[0].regions if best_plans else ()
    figures = figures_of(results, metrics, names, planned)
    eloquent = eloquent_regions_of(results, _planned_regions(results))
    explored = explored_of(results.main, regions, plans, eloquent) if verdict.usable else None
    return {
        "results": results,
        "names": names,
        "verdict": verdict,
        "regions": regions,
        "plans": plans,
        "leading": leading,
        "best_plans": best_plans,
        "first": first_page(results, regions, leading, best_plans, plans),
        "in_words": lambda text: in_words(text, names),
        "conclusion": findings.conclusion_of(results.main) if verdict.usable else "",
        "freedom_rule": findings.freedom_rule(outcomes) if outcomes else "",
        "low_limit": LOW_OBSERVABILITY,
        "low_observability": [region for region in regions if region.unseen],
        "suspected": findings.suspected_unseen(regions) if verdict.usable else (),
        "limits": diagnostics.limits_of(results, regions),
        "summary_limits": diagnostics.other_limits(results)[:N_SUMMARY_LIMITS],
        "agreement": diagnostics.hypothesis_agreement(regions) if verdict.usable else None,
        "zone_auc": diagnostics.zone_auc(regions),
        "ablated": ablation_of(results, names) if verdict.usable else None,
        "fixed": fixed_of(results) if verdict.usable else None,
        "next_data": next_data_of(results) if verdict.usable else None,
        "other_connectomes": others_of(results, names) if verdict.usable else None,
        "on_cortex": on_cortex_of(results) if verdict.usable else None,
        "explained": explanations_of(results, regions) if verdict.usable else None,
        "evoked": evoked_of(results, names),
        "done_plan": findings.done_plan(plans),
        "ci": f"{100 * CI_PROB:.0f} %",
        "counts": counts(results),
        **figures,
        **_onsets(results, regions, figures["seizure_views"], verdict.usable, names),
        **_tables(results, regions, plans, verdict.usable, names, eloquent),
        **_charts(results, regions, plans, verdict.usable),
        **_trust(results, names),
        "metrics": metrics,
        "eloquent": eloquent,
        "explored": explored,
        "gap_mm": GAP_MM,
        "seizures": side_by_side(results, names),
        "data": page_data(results, names, regions, plans, metrics, verdict.usable)
        | {"explore": explored.data if explored else None},
    }


def _planned_regions(results: PatientResults) -> set[str]:
    """Return the regions that a plan or a subset names."""
    main = results.main
    plans = main.outcomes.rows if main.outcomes else ()
    subsets = main.subsets.rows if main.subsets else ()
    named = [*(row.region_names for row in plans), *(row.region_names for row in subsets)]
    return {name for names in named for name in names}


def _tables(
    results: PatientResults,
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    ranked: bool,
    names: Sequence[str],
    eloquent: EloquentRegions,
) -> dict[str, Any]:
    main = results.main
    measured = measured_for(main.diagnostics.figures) if main.diagnostics and ranked else ()
    return {
        "zones_view": main.zones
        and tabular.zones_view(regions, main.zones.table, ranked, measured),
        "plans_view": main.outcomes
        and tabular.plans_view(plans, main.outcomes.table, ranked, eloquent),
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


def _onsets(
    results: PatientResults,
    regions: Sequence[findings.Region],
    views: Sequence[SeizureView],
    ranked: bool,
    names: Sequence[str],
) -> dict[str, Any]:
    """Return the table of channel onsets of each seizure, and warnings about the first."""
    found = [onsets.channel_onsets(results, view.seizure, view.fit) for view in views]
    warnings: tuple[str, ...] = ()
    if ranked and views and views[0].fit is not None:
        warnings = onsets.onset_warnings(found[0], views[0].fit.onset_correlation, regions)
    tables = [
        tabular.onsets_view(view.seizure.number, rows, names)
        for view, rows in zip(views, found, strict=True)
    ]
    return {"onset_views": tables, "onset_warnings": warnings}


def _charts(
    results: PatientResults,
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    ranked: bool,
) -> dict[str, Any]:
    posterior = results.main.posterior
    prior: dict[str, tuple[float, float]] = {}
    if posterior is not None:
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


def _without_shown_elsewhere(provenance: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the provenance without checksums and run times, which have their own tables."""
    if provenance is None:
        return None
    return {key: value for key, value in provenance.items() if key not in ("inputs", "stages")}


def _trust(results: PatientResults, names: Sequence[str]) -> dict[str, Any]:
    figures = dict(results.main.diagnostics.figures) if results.main.diagnostics else {}
    comparison = [
        {
            "priors": priors.name,
            "verdict": findings.verdict_of(priors),
            "leading": findings.leading_regions(findings.regions_of(priors, names)),
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
        "quality": quality_of(results.quality),
        "provenance": scrub(_without_shown_elsewhere(results.provenance)),
        "input_checksums": scrub(results.input_checksums),
        "times": results.times,
        "methods": methods.methods_text(results),
        "references": methods.REFERENCES,
    }
