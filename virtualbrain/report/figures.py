"""All still pictures of one patient's page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.io.results import PatientResults, PriorResults, Seizure
from virtualbrain.report import brain_figures, charts, recording
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.metrics import Metric
from virtualbrain.report.scene import simplify

ROW_HEIGHT = 13
TRACE_WIDTH = 700
RASTER_WIDTH = 300
STILL_VERTICES = 7000


@dataclass(frozen=True)
class SeizureView:
    """One seizure's pictures: signal, envelope measured and predicted, row by row."""

    seizure: Seizure
    channels: tuple[str, ...]
    onsets: tuple[float, ...]
    row_height: int
    traces: brain_figures.Still | None
    time_scale: charts.Scale | None
    measured: brain_figures.Still | None
    predicted: brain_figures.Still | None
    raster_scale: charts.Scale | None
    fit: recording.SeizureFit | None


def pictures_of(
    results: PatientResults, metrics: Sequence[Metric], names: Sequence[str]
) -> dict[str, Any]:
    """Return the pictures by the names that the templates use."""
    shown = metrics[0] if metrics else None
    by_label = _by_label(results, shown, names)
    scale = shown.scale if shown else ColourScale(0.0, 1.0)
    title = shown.title if shown else "regions"
    contacts = results.contacts.frame if results.contacts else None
    surfaces = {side: simplify(s, STILL_VERTICES) for side, s in results.surfaces.items()}
    return {
        "shown_metric": shown,
        "brain_still": brain_figures.brain(
            surfaces, by_label, scale, None, f"Cortex from four sides: {title}"
        ),
        "hero_still": brain_figures.brain(
            surfaces, by_label, scale, None, f"Cortex: {title}", ("left", "right"), 190
        ),
        "implant_still": brain_figures.brain(
            surfaces, {}, scale, contacts, "Contacts over the cortex from four sides"
        ),
        "slices_still": _slices(results, by_label, scale, contacts, title),
        "seizure_views": [_seizure_view(results, seizure) for seizure in results.seizures],
        "matrix_still": _matrix(results),
        "alignment_still": _alignment(results),
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
    return {label: v for label, v in found.items() if v is not None}


def _slices(
    results: PatientResults,
    values: Mapping[int, float],
    scale: ColourScale,
    contacts: pd.DataFrame | None,
    title: str,
) -> brain_figures.Still | None:
    if results.t1 is None:
        return None
    t1 = nib.as_closest_canonical(results.t1)
    labels = None if results.labels is None else nib.as_closest_canonical(results.labels)
    return brain_figures.slices(
        t1, labels, values, scale, contacts, f"Axial slices of the T1: {title}"
    )


def _matrix(results: PatientResults) -> brain_figures.Still | None:
    if results.weights is None:
        return None
    return brain_figures.matrix(
        results.weights.frame.to_numpy(), "Connection weights between regions"
    )


def _alignment(results: PatientResults) -> brain_figures.Still | None:
    if results.alignment is None:
        return None
    alt = "Outline of the T1's white matter over slices of the diffusion series"
    return brain_figures.picture(results.alignment, alt)


def _chains(priors: PriorResults) -> brain_figures.Still | None:
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
    return brain_figures.chains(draws, "Draws and ranks of every chain") if draws else None


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
) -> tuple[brain_figures.Still | None, charts.Scale | None]:
    if seizure.signal is None:
        return None, None
    times = seizure.signal["time"].to_numpy().astype(float)
    values = seizure.signal.sel(channel=list(names)).to_numpy().astype(float)
    fitted = set(seizure.envelope.frame.columns) if seizure.envelope else set(names)
    alt = f"Recording of seizure {seizure.number}, one line per channel"
    bad = [name not in fitted for name in names]
    still = brain_figures.traces(values, times, ROW_HEIGHT, TRACE_WIDTH, alt, bad)
    return still, charts.Scale(float(times[0]), float(times[-1]), 0, 100)


def _rasters(
    seizure: Seizure, fit: recording.SeizureFit | None, names: Sequence[str]
) -> tuple[brain_figures.Still | None, brain_figures.Still | None, charts.Scale | None]:
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
    still = brain_figures.raster(filled, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt)
    if fit is None:
        return still, None, scale
    predicted = np.full((len(names), len(fit.times)), low)
    column = {one.channel: i for i, one in enumerate(fit.fits)}
    for row, name in enumerate(names):
        if name in column:
            predicted[row] = fit.median[:, column[name]]
    alt = f"Predicted envelope of seizure {seizure.number}"
    return still, brain_figures.raster(predicted, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt), scale
