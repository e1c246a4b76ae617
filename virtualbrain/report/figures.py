"""Choose the contents of the static images in one patient's report; `drawing` draws them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.spatialimages import SpatialImage

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.results import PatientResults, PriorResults, Seizure
from virtualbrain.report import charts, drawing, seizure_fit
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.findings import SUSPECTED
from virtualbrain.report.metrics import Metric
from virtualbrain.report.numbers import is_number
from virtualbrain.report.onsets import regions_of_channel
from virtualbrain.report.region_times import RegionTimes, region_times
from virtualbrain.report.scene import simplify

ROW_HEIGHT = 13
TRACE_WIDTH = 700
RASTER_WIDTH = 300
# Rows that fit on a printed page.
BLOCK = 64
MAX_VERTICES = 7000
CONTACT_VIEWS = ("left", "right", "top", "front")
# The T1, and the labels where they are known.
_Head = tuple[nib.Nifti1Image, nib.Nifti1Image | None]


@dataclass(frozen=True)
class ChannelRow:
    """A channel with the region that it records most, and its measured onset (s)."""

    name: str
    region: str
    onset_s: float


@dataclass(frozen=True)
class Block:
    """Some channels of a seizure: signal, recorded and predicted envelope, one row each."""

    rows: tuple[ChannelRow, ...]
    traces: drawing.StaticImage | None
    recorded: drawing.StaticImage | None
    predicted: drawing.StaticImage | None


@dataclass(frozen=True)
class SeizureView:
    """Images of one seizure, in blocks of channels that fit on a printed page.

    The channels are in order of their measured onset; those without one follow in electrode
    order. `row_uv` is the height of a row in µV, NaN without a signal.
    """

    seizure: Seizure
    blocks: tuple[Block, ...]
    row_height: int
    row_uv: float
    time_scale: charts.Scale | None
    raster_scale: charts.Scale | None
    fit: seizure_fit.SeizureFit | None
    region_times: RegionTimes | None


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
    head = _head(results)
    surfaces = {side: simplify(s, MAX_VERTICES) for side, s in results.surfaces.items()}
    return {
        "shown_metric": shown,
        "brain_image": drawing.brain_views(
            surfaces, by_label, scale, None, f"Cortex from seven sides: {title}"
        ),
        "header_image": drawing.brain_views(
            surfaces, by_label, scale, None, f"Cortex: {title}", ("left", "right"), 190
        ),
        "deep_slice": _deep_slice(results, head, by_label, scale),
        "contacts_image": drawing.brain_views(
            surfaces, {}, scale, contacts, "Contacts over the cortex from four sides", CONTACT_VIEWS
        ),
        "slice_images": _slices(results, head, by_label, scale, contacts, title, planned),
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


def _head(results: PatientResults) -> _Head | None:
    """Return T1 and labels in memory, axes near R, A, S: the slices read them several times."""
    if results.t1 is None:
        return None
    labels = None if results.labels is None else _in_memory(results.labels)
    return _in_memory(results.t1), labels


def _in_memory(image: SpatialImage) -> nib.Nifti1Image:
    canonical = nib.as_closest_canonical(image)
    return nib.Nifti1Image(np.asarray(canonical.dataobj), canonical.affine)


def _slices(
    results: PatientResults,
    head: _Head | None,
    values: Mapping[int, float],
    scale: ColourScale,
    contacts: pd.DataFrame | None,
    title: str,
    planned: Collection[str],
) -> tuple[drawing.SliceImage, ...]:
    if head is None:
        return ()
    t1, labels = head
    alt = f"Axial slice of the T1: {title}"
    outlined = [label for label, name in results.region_of_label.items() if name in planned]
    return drawing.slices(t1, labels, values, scale, contacts, alt, outlined)


def _deep_slice(
    results: PatientResults, head: _Head | None, values: Mapping[int, float], scale: ColourScale
) -> tuple[str, drawing.SliceImage] | None:
    """Return the suspected region below the cortex, which no view of the cortex shows, on a slice.

    The region is the first of those with a value of `SUSPECTED` or more.
    """
    if head is None or head[1] is None or results.regions is None:
        return None
    frame = results.regions.frame
    deep = frame.loc[frame["structure"] == "subcortex", ["index", "name"]]
    found = {int(index): str(name) for index, name in deep.itertuples(index=False)}
    label = max(found, key=lambda one: values.get(one, 0.0), default=0)
    if values.get(label, 0.0) < SUSPECTED:
        return None
    t1, labels = head
    alt = f"Axial slice of the T1 through {spoken_name(found[label])}"
    drawn = drawing.slices(t1, labels, values, scale, None, alt, (label,), n_slices=1)
    return spoken_name(found[label]), drawn[0]


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
    gain = None if results.gain is None else results.gain.frame
    rows = [
        ChannelRow(name, " ".join(regions_of_channel(name, gain)[:1]), onset)
        for name, onset in _ordered(seizure)
    ]
    images = _Images(seizure, fit)
    return SeizureView(
        seizure=seizure,
        blocks=tuple(images.block(rows[i : i + BLOCK]) for i in range(0, len(rows), BLOCK)),
        row_height=ROW_HEIGHT,
        row_uv=images.amplitude / drawing.ROW_FILL,
        time_scale=images.time_scale,
        raster_scale=images.raster_scale,
        fit=fit,
        region_times=None
        if fit is None
        else region_times(
            results.main.posterior, seizure.number, fit.times, ROW_HEIGHT, RASTER_WIDTH
        ),
    )


def _ordered(seizure: Seizure) -> list[tuple[str, float]]:
    """Return channels and measured onsets, earliest first; then those without an onset."""
    names: list[str] = []
    if seizure.signal is not None:
        names = [str(name) for name in seizure.signal["channel"].to_numpy()]
    elif seizure.envelope is not None:
        names = [str(name) for name in seizure.envelope.frame if name != "time_s"]
    ordered = seizure_fit.electrode_order(names)
    rows = [(name, float(seizure.onsets.get(name, np.nan))) for name in ordered]
    return sorted(rows, key=lambda row: (not is_number(row[1]), row[1] if is_number(row[1]) else 0))


class _Images:
    """Draws channels of one seizure; all blocks have one scale."""

    def __init__(self, seizure: Seizure, fit: seizure_fit.SeizureFit | None) -> None:
        self._seizure, self._fit = seizure, fit
        self.time_scale: charts.Scale | None = None
        self.raster_scale: charts.Scale | None = None
        self.amplitude = float("nan")
        self._limits = (0.0, 1.0)
        if seizure.signal is not None:
            times = seizure.signal["time"].to_numpy().astype(float)
            self.time_scale = charts.Scale(float(times[0]), float(times[-1]), 0, 100)
            self.amplitude = drawing.amplitude_of(
                seizure.signal.transpose("time", "channel").to_numpy().astype(float)
            )
        if seizure.envelope is not None:
            frame = seizure.envelope.frame
            times = frame["time_s"].to_numpy(float)
            self.raster_scale = charts.Scale(float(times[0]), float(times[-1]), 0, 100)
            values = frame.drop(columns="time_s").to_numpy(float)
            low, high = np.nanquantile(values, (0.02, 0.99))
            self._limits = (float(low), float(high))

    def block(self, rows: Sequence[ChannelRow]) -> Block:
        """Return some channels with their images."""
        names = [row.name for row in rows]
        return Block(tuple(rows), self.traces(names), self.recorded(names), self.predicted(names))

    def traces(self, names: Sequence[str]) -> drawing.StaticImage | None:
        """Return the signals."""
        seizure = self._seizure
        if seizure.signal is None:
            return None
        times = seizure.signal["time"].to_numpy().astype(float)
        values = seizure.signal.sel(channel=list(names)).transpose("time", "channel")
        fitted = set(seizure.envelope.frame.columns) if seizure.envelope else set(names)
        return drawing.traces(
            values.to_numpy().astype(float),
            times,
            ROW_HEIGHT,
            TRACE_WIDTH,
            f"Recording of seizure {seizure.number}, one line per channel",
            self.amplitude,
            bad=[name not in fitted for name in names],
            onsets=[seizure.onsets.get(name, np.nan) for name in names],
        )

    def recorded(self, names: Sequence[str]) -> drawing.StaticImage | None:
        """Return the recorded envelope; rows without one are dark."""
        if self._seizure.envelope is None:
            return None
        frame = self._seizure.envelope.frame
        alt = f"Envelope of seizure {self._seizure.number}, one row per channel"
        found = {name: frame[name].to_numpy(float) for name in names if name in frame}
        return self._raster(names, found, len(frame), alt)

    def predicted(self, names: Sequence[str]) -> drawing.StaticImage | None:
        """Return the predicted envelope."""
        fit = self._fit
        if fit is None:
            return None
        alt = f"Predicted envelope of seizure {self._seizure.number}"
        found = {one.channel: fit.median[:, i] for i, one in enumerate(fit.fits)}
        return self._raster(names, found, len(fit.times), alt)

    def _raster(
        self, names: Sequence[str], found: Mapping[str, Any], n_times: int, alt: str
    ) -> drawing.StaticImage:
        low, high = self._limits
        rows = np.stack([found.get(name, np.full(n_times, low)) for name in names])
        filled = np.nan_to_num(rows, nan=low)
        return drawing.raster(filled, ROW_HEIGHT, RASTER_WIDTH, (low, high), alt)
