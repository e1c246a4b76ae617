"""Write one patient's report: a single HTML file that needs no network."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from virtualbrain.io.atomic import write_text
from virtualbrain.io.results import PatientResults, PriorResults, Seizure
from virtualbrain.report import assets, charts, findings, methods, numbers, recording, stills, trust
from virtualbrain.report import tables as tabular
from virtualbrain.report.privacy import scrub
from virtualbrain.report.scene import build_scene

logger = logging.getLogger(__name__)

MAX_BYTES = 15_000_000
VOXELS_MM = (1.5, 2.0, 3.0)
ROW_HEIGHT = 13
TRACE_WIDTH = 760
RASTER_WIDTH = 300


@dataclass(frozen=True)
class Metric:
    """A number per region by which the views can be coloured."""

    key: str
    title: str
    values: tuple[float | None, ...]
    low: float
    high: float
    unit: str
    finding: bool


@dataclass(frozen=True)
class SeizureView:
    """One seizure's pictures: signal, envelope measured and predicted, row by row."""

    seizure: Seizure
    channels: tuple[str, ...]
    onsets: tuple[float, ...]
    row_height: int
    traces: stills.Still | None
    time_scale: charts.Scale | None
    measured: stills.Still | None
    predicted: stills.Still | None
    raster_scale: charts.Scale | None
    fit: recording.SeizureFit | None


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


def environment() -> Environment:
    """Return the templates' environment: everything is escaped, unknown names are errors."""
    environment = Environment(
        loader=PackageLoader("virtualbrain.report", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        show=numbers.show, percent=numbers.percent, is_number=numbers.is_number
    )
    environment.globals.update(with_interval=tabular.with_interval)
    return environment


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
    plans = findings.plans_of(results.main, names)
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
        "blind": [region for region in regions if region.unseen],
        "suspected": findings.suspected_unseen(regions) if verdict.findings else (),
        "limits": trust.limits_of(results, regions),
        "agreement": trust.hypothesis_agreement(regions) if verdict.findings else None,
        "threshold": findings.threshold_of(results.main.posterior),
        "ci": ci,
        "counts": counts(results),
        **_pictures(results, metrics, names),
        **_tables(results, regions, plans, verdict.findings, names, ci),
        **_charts(results, regions, plans, verdict.findings),
        **_trust(results, names),
        "metrics": metrics,
        "data": _data(results, names, regions, plans, metrics, verdict.findings),
    }


def region_names(results: PatientResults) -> tuple[str, ...]:
    """Return the page's regions: the connectome's, else the table's, else those of the zones."""
    if results.weights is not None:
        return tuple(str(name) for name in results.weights.frame.index)
    if results.regions is not None:
        return tuple(str(name) for name in results.regions.frame["name"])
    if results.main.zones is not None:
        return tuple(sorted(str(name) for name in results.main.zones.frame["region"]))
    return ()


def interval_words(priors: PriorResults) -> str:
    """Return how wide the intervals of the zones table are, in words."""
    sidecar = priors.zones.sidecar if priors.zones else {}
    mass = numbers.lookup(sidecar, ("ci_prob", "interval", "credible_interval", "ci"))
    return f"{100 * mass:.0f} %" if numbers.is_number(mass) and 0 < mass < 1 else "credible"


def counts(results: PatientResults) -> dict[str, str]:
    """Return how much of everything there is, for the head of the page."""
    found: dict[str, str] = {}
    if results.regions is not None or results.weights is not None:
        found["regions"] = f"{len(region_names(results))} regions ({results.atlas})"
    if results.contacts is not None:
        frame = results.contacts.frame
        shafts = frame["electrode"].nunique() if "electrode" in frame else None
        found["contacts"] = f"{len(frame)} contacts" + (
            f" on {shafts} electrodes" if shafts else ""
        )
    if results.channels is not None:
        frame = results.channels.frame
        good = int((frame["status"] == "good").sum()) if "status" in frame else len(frame)
        found["channels"] = f"{good} channels fitted"
    if results.seizures:
        found["seizures"] = f"{len(results.seizures)} seizure" + "s" * (len(results.seizures) > 1)
    return found


def region_metrics(
    regions: Sequence[findings.Region], n_regions: int, ranked: bool
) -> tuple[Metric, ...]:
    """Return the numbers by which regions can be coloured; probabilities only where they count."""

    def metric(key: str, title: str, values: Mapping[int, float], unit: str = "") -> Metric:
        column = [values.get(i) for i in range(n_regions)]
        clean = [v if numbers.is_number(v) else None for v in column]
        present = [v for v in clean if v is not None]
        is_share = key in ("p_ez", "p_pz", "observability")
        low = 0.0 if is_share else min(present, default=0.0)
        high = 1.0 if is_share and max(present, default=0.0) <= 1 else max(present, default=1.0)
        return Metric(key, title, tuple(clean), low, high, unit, key != "observability")

    found = [
        metric("p_ez", "P(EZ): seizes by itself", {r.index: r.p_ez for r in regions}),
        metric("p_pz", "P(PZ): recruited by the network", {r.index: r.p_pz for r in regions}),
        metric("onset_s", "Predicted onset", {r.index: r.onset_s for r in regions}, "s"),
        metric("x0", "Excitability x₀", {r.index: r.x0[0] for r in regions}),
        metric("observability", "Observability", {r.index: r.observability for r in regions}),
    ]
    return tuple(
        m for m in found if any(v is not None for v in m.values) and (ranked or not m.finding)
    )


# pictures ------------------------------------------------------------------------------


def _pictures(
    results: PatientResults, metrics: Sequence[Metric], names: Sequence[str]
) -> dict[str, Any]:
    shown = metrics[0] if metrics else None
    by_label = _by_label(results, shown, names)
    limits = (shown.low, shown.high) if shown else (0.0, 1.0)
    title = shown.title if shown else "regions"
    contacts = results.contacts.frame if results.contacts else None
    return {
        "shown_metric": shown,
        "brain_still": stills.brain(
            results.surfaces, by_label, limits, None, f"Cortex from four sides: {title}"
        ),
        "implant_still": stills.brain(
            results.surfaces, {}, limits, contacts, "Contacts over the cortex from four sides"
        ),
        "slices_still": _slices(results, by_label, limits, contacts, title),
        "seizure_views": [_seizure_view(results, seizure) for seizure in results.seizures],
        "matrix_still": _matrix(results),
        "chains_still": _chains(results.main),
    }


def _by_label(
    results: PatientResults, metric: Metric | None, names: Sequence[str]
) -> dict[int, float]:
    """Return the metric by the label image's values."""
    if results.regions is None or metric is None or "index" not in results.regions.frame:
        return {}
    value = dict(zip(names, metric.values, strict=True))
    frame = results.regions.frame
    found = {int(i): value.get(str(n)) for i, n in zip(frame["index"], frame["name"], strict=True)}
    return {label: number for label, number in found.items() if number is not None}


def _slices(
    results: PatientResults,
    values: Mapping[int, float],
    limits: tuple[float, float],
    contacts: pd.DataFrame | None,
    title: str,
) -> stills.Still | None:
    if results.t1 is None:
        return None
    t1 = nib.as_closest_canonical(results.t1)
    labels = None if results.labels is None else nib.as_closest_canonical(results.labels)
    return stills.slices(t1, labels, values, limits, contacts, f"Axial slices of the T1: {title}")


def _matrix(results: PatientResults) -> stills.Still | None:
    if results.weights is None:
        return None
    return stills.matrix(results.weights.frame.to_numpy(), "Connection weights between regions")


def _chains(priors: PriorResults) -> stills.Still | None:
    """Return traces of the scalars and of the two leading regions' excitability."""
    if priors.posterior is None:
        return None
    parameters = priors.posterior.parameters
    draws = {
        str(name): parameters[name].to_numpy()
        for name in ("K", "tau0", "noise", "amplitude")
        if name in parameters and parameters[name].dims == ("chain", "draw")
    }
    if priors.zones is not None and "x0" in parameters:
        known = {str(name) for name in parameters["region"].to_numpy()}
        for name in priors.zones.frame["region"].astype(str).head(2):
            if name in known:
                draws[f"x0 {name}"[:28]] = parameters["x0"].sel(region=name).to_numpy()
    return stills.chains(draws, "Draws and ranks of every chain") if draws else None


def _seizure_view(results: PatientResults, seizure: Seizure) -> SeizureView:
    fit = recording.seizure_fit(results, seizure)
    names = _row_names(seizure)
    traces, time_scale = _traces(results, seizure, names)
    measured, predicted, raster_scale = _rasters(seizure, fit, names)
    return SeizureView(
        seizure,
        tuple(names),
        tuple(_measured_onsets(results, names)),
        ROW_HEIGHT,
        traces,
        time_scale,
        measured,
        predicted,
        raster_scale,
        fit,
    )


def _row_names(seizure: Seizure) -> list[str]:
    names: list[str] = []
    if seizure.signal is not None:
        names = [str(name) for name in seizure.signal["channel"].to_numpy()]
    elif seizure.envelope is not None:
        names = [str(name) for name in seizure.envelope.frame if name != "time_s"]
    return recording.electrode_order(names)


def _measured_onsets(results: PatientResults, names: Sequence[str]) -> list[float]:
    if results.channels is None or "onset_s" not in results.channels.frame:
        return [float("nan")] * len(names)
    frame = results.channels.frame
    onset = dict(zip(frame["name"].astype(str), pd.to_numeric(frame["onset_s"]), strict=True))
    return [float(onset.get(name, float("nan"))) for name in names]


def _traces(
    results: PatientResults, seizure: Seizure, names: Sequence[str]
) -> tuple[stills.Still | None, charts.Scale | None]:
    if seizure.signal is None:
        return None, None
    times = seizure.signal["time"].to_numpy().astype(float)
    values = seizure.signal.sel(channel=list(names)).to_numpy().astype(float)
    fitted = set(seizure.envelope.frame.columns) if seizure.envelope else set(names)
    alt = f"Recording of seizure {seizure.number}, one line per channel"
    bad = [name not in fitted for name in names]
    still = stills.traces(values, times, ROW_HEIGHT, TRACE_WIDTH, alt, bad)
    return still, charts.Scale(float(times[0]), float(times[-1]), 0, 100)


def _rasters(
    seizure: Seizure, fit: recording.SeizureFit | None, names: Sequence[str]
) -> tuple[stills.Still | None, stills.Still | None, charts.Scale | None]:
    """Return envelope pictures whose rows stand beside the rows of the traces."""
    if seizure.envelope is None:
        return None, None, None
    frame = seizure.envelope.frame
    times = frame["time_s"].to_numpy(float)
    measured = np.full((len(names), len(times)), np.nan)
    for row, name in enumerate(names):
        if name in frame:
            measured[row] = frame[name].to_numpy(float)
    low, high = np.nanquantile(measured, (0.02, 0.99))
    scale = charts.Scale(float(times[0]), float(times[-1]), 0, 100)
    alt = f"Envelope of seizure {seizure.number}, one row per channel"
    filled = np.nan_to_num(measured, nan=low)
    still = stills.raster(filled, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt)
    if fit is None:
        return still, None, scale
    predicted = np.full((len(names), len(fit.times)), low)
    column = {one.channel: i for i, one in enumerate(fit.fits)}
    for row, name in enumerate(names):
        if name in column:
            predicted[row] = fit.median[:, column[name]]
    alt = f"Predicted envelope of seizure {seizure.number}"
    return still, stills.raster(predicted, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt), scale


# tables, charts, trust -----------------------------------------------------------------


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
            "correlation": trust.rank_correlation(
                findings.regions_of(results.main, names), findings.regions_of(priors, names)
            ),
        }
        for priors in results.priors
    ]
    return {
        "judged": trust.judge(figures),
        "figures": scrub(figures),
        "comparison": comparison,
        "quality": scrub(dict(results.quality)),
        "provenance": scrub(results.provenance) if results.provenance else None,
        "inputs": scrub(results.inputs) if results.inputs else None,
        "benchmarks": results.benchmarks,
        "methods": methods.methods_text(results),
        "references": methods.REFERENCES,
    }


def _data(
    results: PatientResults,
    names: Sequence[str],
    regions: Sequence[findings.Region],
    plans: Sequence[findings.Plan],
    metrics: Sequence[Metric],
    ranked: bool,
) -> dict[str, Any]:
    """Return what the page's script needs besides the views."""
    place = {}
    if results.regions is not None:
        frame = results.regions.frame
        xyz = frame[["x", "y", "z"]].to_numpy(float)
        place = dict(zip(frame["name"].astype(str), xyz.tolist(), strict=True))
    by_index = {region.index: region for region in regions}
    return {
        "ranked": ranked,
        "regions": [
            {
                "name": name,
                "xyz": _finite(place.get(name)),
                "facts": _facts(by_index.get(i), ranked),
            }
            for i, name in enumerate(names)
        ],
        "metrics": [
            {
                **replace(m).__dict__,
                "values": [None if v is None else round(v, 5) for v in m.values],
            }
            for m in metrics
        ],
        "plans": [{"name": p.candidate, "regions": p.region_indices} for p in plans],
        "recruitment": _recruitment(results.main, names) if ranked else {},
    }


def _finite(xyz: Sequence[float] | None) -> list[float] | None:
    if xyz is None or not np.isfinite(xyz).all():
        return None
    return [round(float(value), 1) for value in xyz]


def _facts(region: findings.Region | None, ranked: bool) -> list[tuple[str, str]]:
    """Return what the page tells of a chosen region."""
    if region is None:
        return []
    show = numbers.show
    mean, low, high = region.x0
    facts = [
        ("P(EZ)", tabular.with_interval(region.p_ez, region.p_ez_interval)),
        ("P(PZ)", tabular.with_interval(region.p_pz, region.p_pz_interval)),
        ("Excitability x₀", f"{show(mean)} [{show(low)}, {show(high)}]"),
        (
            "Predicted onset",
            f"{show(region.onset_s)} s" if region.onset_s == region.onset_s else "–",
        ),
    ]
    rest = [
        ("Observability", show(region.observability, 2)),
        ("Clinical hypothesis", "named" if region.in_hypothesis else "not named"),
    ]
    return [*facts, *rest] if ranked else rest


def _recruitment(priors: PriorResults, names: Sequence[str]) -> dict[str, Any]:
    """Return, per plan, when each region starts to seize (None: it does not)."""
    if priors.recruitment is None:
        return {}
    frame = priors.recruitment.frame
    place = {name: i for i, name in enumerate(names)}
    found: dict[str, list[list[float | None]]] = {}
    for row in frame.to_dict("records"):
        column = found.setdefault(str(row["candidate"]), [[None, None] for _ in names])
        if str(row["region"]) in place:
            onset, p = row.get("onset_s"), row.get("p_seizing")
            column[place[str(row["region"])]] = [
                float(value) if numbers.is_number(value) else None  # type: ignore[arg-type]
                for value in (onset, p)
            ]
    return found
