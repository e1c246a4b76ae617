"""Choose the contents of the static images in one patient's report; `drawing` draws them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.io.results import PatientResults, PriorResults, Seizure
from virtualbrain.report import charts, drawing, seizure_fit
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.metrics import Metric
from virtualbrain.report.scene import simplify

ROW_HEIGHT = 13
TRACE_WIDTH = 700
RASTER_WIDTH = 300
MAX_VERTICES = 7000
CONTACT_VIEWS = ("left", "right", "top", "front")


@dataclass(frozen=True)
class SeizureView:
    """Images of one seizure: signal, recorded and predicted envelope, one row per channel."""

    seizure: Seizure
    channels: tuple[str, ...]
    onsets: tuple[float, ...]
    row_height: int
    traces: drawing.StaticImage | None
    time_scale: charts.Scale | None
    recorded: drawing.StaticImage | None
    predicted: drawing.StaticImage | None
    raster_scale: charts.Scale | None
    fit: seizure_fit.SeizureFit | None


def figures_of(
    results: PatientResults,
    metrics: Sequence[Metric],
    names: Sequence[str],
    planned: Collection[str] = (),
) -> dict[str, Any]:
    """Return the images by their names in the templates; `planned` regions are outlined."""
    shown = metrics[0] if metrics else None
    by_label = _value_of_label(results, shown, names)
    scale = shown.scale if shown else ColourScale(0.0, 1.0)
    title = shown.title if shown else "regions"
    contacts = results.contacts.frame if results.contacts else None
    surfaces = {side: simplify(s, MAX_VERTICES) for side, s in results.surfaces.items()}
    return {
        "shown_metric": shown,
        "brain_image": drawing.brain_views(
            surfaces, by_label, scale, None, f"Cortex from seven sides: {title}"
        ),
        "header_image": drawing.brain_views(
            surfaces, by_label, scale, None, f"Cortex: {title}", ("left", "right"), 190
        ),
        "contacts_image": drawing.brain_views(
            surfaces, {}, scale, contacts, "Contacts over the cortex from four sides", CONTACT_VIEWS
        ),
        "slice_images": _slices(results, by_label, scale, contacts, title, planned),
        "seizure_views": [_seizure_view(results, seizure) for seizure in results.seizures],
        "matrix_image": _matrix(results),
        "alignment_image": _alignment(results),
        "chains_image": _chains(results.main),
    }


def _value_of_label(
    results: PatientResults, metric: Metric | None, names: Sequence[str]
) -> dict[int, float]:
    """Return the metric of every region by its value in the label image."""
    if metric is None:
        return {}
    value = dict(zip(names, metric.values, strict=True))
    found = {label: value.get(name) for label, name in results.region_of_label.items()}
    return {label: v for label, v in found.items() if v is not None}


def _slices(
    results: PatientResults,
    values: Mapping[int, float],
    scale: ColourScale,
    contacts: pd.DataFrame | None,
    title: str,
    planned: Collection[str],
) -> tuple[drawing.SliceImage, ...]:
    if results.t1 is None:
        return ()
    t1 = nib.as_closest_canonical(results.t1)
    labels = None if results.labels is None else nib.as_closest_canonical(results.labels)
    alt = f"Axial slice of the T1: {title}"
    outlined = [label for label, name in results.region_of_label.items() if name in planned]
    return drawing.slices(t1, labels, values, scale, contacts, alt, outlined)


def _matrix(results: PatientResults) -> drawing.StaticImage | None:
    if results.weights is None:
        return None
    return drawing.matrix(results.weights.frame.to_numpy(), "Connection weights between regions")


def _alignment(results: PatientResults) -> drawing.StaticImage | None:
    if results.alignment is None:
        return None
    alt = "White matter of the T1 as an outline on slices of the diffusion series"
    return drawing.stage_image(results.alignment, alt)


def _chains(priors: PriorResults) -> drawing.StaticImage | None:
    """Return traces of the scalar parameters and of x0 in the two leading regions."""
    if priors.posterior is None:
        return None
    parameters = priors.posterior.parameters
    draws = {
        name: parameters[name].to_numpy()
        for name in ("K", "tau0", "noise", "amplitude", "recruitment_threshold", "peak_log_power")
        if name in parameters
        and parameters[name].dims == ("chain", "draw")  # tau0 may differ between seizures
    }
    for row in priors.zones.rows[:2] if priors.zones else ():
        draws[f"x0 {row.region}"[:28]] = parameters["x0"].sel(region=row.region).to_numpy()
    return drawing.chain_traces(draws, "Draws and ranks of each chain")


def _seizure_view(results: PatientResults, seizure: Seizure) -> SeizureView:
    fit = seizure_fit.seizure_fit(results, seizure)
    names = _row_names(seizure)
    traces, time_scale = _traces(seizure, names)
    recorded, predicted, raster_scale = _rasters(seizure, fit, names)
    return SeizureView(
        seizure=seizure,
        channels=tuple(names),
        onsets=tuple(seizure.onsets.get(name, float("nan")) for name in names),
        row_height=ROW_HEIGHT,
        traces=traces,
        time_scale=time_scale,
        recorded=recorded,
        predicted=predicted,
        raster_scale=raster_scale,
        fit=fit,
    )


def _row_names(seizure: Seizure) -> list[str]:
    names: list[str] = []
    if seizure.signal is not None:
        names = [str(name) for name in seizure.signal["channel"].to_numpy()]
    elif seizure.envelope is not None:
        names = [str(name) for name in seizure.envelope.frame if name != "time_s"]
    return seizure_fit.electrode_order(names)


def _traces(
    seizure: Seizure, names: Sequence[str]
) -> tuple[drawing.StaticImage | None, charts.Scale | None]:
    if seizure.signal is None:
        return None, None
    times = seizure.signal["time"].to_numpy().astype(float)
    values = seizure.signal.sel(channel=list(names)).to_numpy().astype(float)
    fitted = set(seizure.envelope.frame.columns) if seizure.envelope else set(names)
    alt = f"Recording of seizure {seizure.number}, one line per channel"
    bad = [name not in fitted for name in names]
    image = drawing.traces(values, times, ROW_HEIGHT, TRACE_WIDTH, alt, bad)
    return image, charts.Scale(float(times[0]), float(times[-1]), 0, 100)


def _rasters(
    seizure: Seizure, fit: seizure_fit.SeizureFit | None, names: Sequence[str]
) -> tuple[drawing.StaticImage | None, drawing.StaticImage | None, charts.Scale | None]:
    """Return recorded and predicted envelope with the same rows as the traces."""
    if seizure.envelope is None:
        return None, None, None
    frame = seizure.envelope.frame
    times = frame["time_s"].to_numpy(float)
    recorded = np.full((len(names), len(times)), np.nan)
    for row, name in enumerate(names):
        if name in frame:
            recorded[row] = frame[name].to_numpy(float)
    low, high = np.nanquantile(recorded, (0.02, 0.99))
    scale = charts.Scale(float(times[0]), float(times[-1]), 0, 100)
    alt = f"Envelope of seizure {seizure.number}, one row per channel"
    filled = np.nan_to_num(recorded, nan=low)
    image = drawing.raster(filled, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt)
    if fit is None:
        return image, None, scale
    predicted = np.full((len(names), len(fit.times)), low)
    column = {one.channel: i for i, one in enumerate(fit.fits)}
    for row, name in enumerate(names):
        if name in column:
            predicted[row] = fit.median[:, column[name]]
    alt = f"Predicted envelope of seizure {seizure.number}"
    return image, drawing.raster(predicted, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt), scale
