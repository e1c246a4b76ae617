"""Seizures as recorded and as the fitted model predicts them, channel by channel."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.io.results import PatientResults, Posterior, Seizure
from virtualbrain.report.charts import Scale, band, polyline

Array = NDArray[np.float64]
BAND = (0.05, 0.95)
PANEL = (210.0, 92.0)


@dataclass(frozen=True)
class ChannelFit:
    """One channel: recorded envelope, predicted band, and how well they meet."""

    channel: str
    explained: float
    coverage: float
    onset_s: float
    onset_predicted_s: float
    observed_line: str
    median_line: str
    band_points: str
    zero_x: float


@dataclass(frozen=True)
class SeizureFit:
    """The fit of one seizure; `fits` are in electrode order, `worst` in order of misfit."""

    number: int
    fits: tuple[ChannelFit, ...]
    worst: tuple[ChannelFit, ...]
    best: tuple[ChannelFit, ...]
    times: Array
    observed: Array
    median: Array
    onset_correlation: float


def electrode_order(names: Sequence[str]) -> list[str]:
    """Return channel names by electrode, deepest contact first."""
    return sorted(names, key=_natural)


def _natural(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in re.split(r"([0-9]+)", name)
    ]


def seizure_fit(results: PatientResults, seizure: Seizure) -> SeizureFit | None:
    """Return the fit of a seizure, None where the envelope or the prediction is missing."""
    posterior = results.main.posterior
    if seizure.envelope is None or posterior is None or posterior.predictive is None:
        return None
    predicted = _of_seizure(posterior.predictive, seizure.number)
    frame = seizure.envelope.frame
    names = [str(name) for name in predicted["channel"].to_numpy() if str(name) in frame.columns]
    if not names:
        return None
    names = electrode_order(names)
    low, median, high = _quantiles(predicted.sel(channel=names))
    times = _times(posterior, predicted, frame, seizure.number)
    kept = np.isfinite(times) & np.isfinite(median).any(axis=1)
    times, low, median, high = times[kept], low[kept], median[kept], high[kept]
    if len(times) < 3:
        return None
    observed = _at(frame, names, times)
    fits = tuple(
        _channel_fit(name, times, observed[:, i], low[:, i], median[:, i], high[:, i])
        for i, name in enumerate(names)
    )
    order = sorted(fits, key=lambda fit: fit.explained)
    correlation = _onset_correlation(fits, _seizing(results))
    return SeizureFit(
        seizure.number,
        fits,
        tuple(order[:6]),
        tuple(order[::-1][:3]),
        times,
        observed,
        median,
        correlation,
    )


def _of_seizure(predicted: xr.DataArray, number: int) -> xr.DataArray:
    if "seizure" not in predicted.dims:
        return predicted
    labels = [str(label) for label in predicted["seizure"].to_numpy()]
    matches = [i for i, label in enumerate(labels) if re.sub(r"\D", "", label) == str(number)]
    position = matches[0] if matches else min(number, len(labels)) - 1
    return predicted.isel(seizure=position)


def _quantiles(predicted: xr.DataArray) -> tuple[Array, Array, Array]:
    """Return low, median and high, dims (time, channel), from quantiles or draws."""
    if "quantile" in predicted.dims:
        ordered = predicted.sortby("quantile").transpose("quantile", "time", "channel")
        values = ordered.to_numpy().astype(float)
        return values[0], values[len(values) // 2], values[-1]
    over = [dim for dim in predicted.dims if dim not in ("time", "channel")]
    values = predicted.transpose(*over, "time", "channel").to_numpy().astype(float)
    values = values.reshape(-1, *values.shape[-2:])
    low, median, high = np.quantile(values, (BAND[0], 0.5, BAND[1]), axis=0)
    return low, median, high


def _times(
    posterior: Posterior, predicted: xr.DataArray, frame: pd.DataFrame, number: int
) -> Array:
    """Return the model's times in seconds, as fitted; NaN where a seizure is shorter."""
    n_times = predicted.sizes["time"]
    if "time_s" in posterior.constants:
        times = _of_seizure(posterior.constants["time_s"], number).to_numpy().astype(float)
        if times.shape == (n_times,):
            return times
    own = frame["time_s"].to_numpy(dtype=float)
    return own if len(own) == n_times else np.linspace(own[0], own[-1], n_times)


def _at(frame: pd.DataFrame, names: Sequence[str], times: Array) -> Array:
    """Return the recorded envelope at the model's times."""
    own = frame["time_s"].to_numpy(dtype=float)
    return np.column_stack([np.interp(times, own, frame[name].to_numpy(float)) for name in names])


def _channel_fit(
    name: str, times: Array, observed: Array, low: Array, median: Array, high: Array
) -> ChannelFit:
    ends = np.concatenate([observed, low, high])
    x = Scale(float(times[0]), float(times[-1]), 4, PANEL[0] - 4)
    y = Scale(float(np.nanmin(ends)), float(np.nanmax(ends)), PANEL[1] - 18, 16)
    spread = float(np.nansum((observed - np.nanmean(observed)) ** 2))
    misfit = float(np.nansum((observed - median) ** 2))
    return ChannelFit(
        channel=name,
        explained=1 - misfit / spread if spread else float("nan"),
        coverage=float(np.mean((observed >= low) & (observed <= high))),
        onset_s=half_rise(times, observed),
        onset_predicted_s=half_rise(times, median),
        observed_line=polyline(times, observed, x, y),
        median_line=polyline(times, median, x, y),
        band_points=band(times, low, high, x, y),
        zero_x=x(0.0),
    )


def half_rise(times: Array, envelope: Array) -> float:
    """Return when an envelope first passes half of its height above its first tenth."""
    first = max(1, len(envelope) // 10)
    base, top = float(np.median(envelope[:first])), float(np.max(envelope))
    above = np.flatnonzero(envelope > (base + top) / 2)
    return float(times[above[0]]) if len(above) and top > base else float("nan")


def _seizing(results: PatientResults) -> set[str]:
    """Names of the channels in which an onset was found."""
    if results.channels is None or "onset_s" not in results.channels.frame:
        return set()
    frame = results.channels.frame
    return set(frame.loc[pd.to_numeric(frame["onset_s"]).notna(), "name"].astype(str))


def _onset_correlation(fits: Sequence[ChannelFit], seizing: set[str]) -> float:
    """Spearman's correlation of measured and predicted onset over seizing channels."""
    pairs = [
        (fit.onset_s, fit.onset_predicted_s)
        for fit in fits
        if (not seizing or fit.channel in seizing)
        and np.isfinite(fit.onset_s)
        and np.isfinite(fit.onset_predicted_s)
    ]
    if len(pairs) < 4:
        return float("nan")
    ranks = pd.DataFrame(pairs).rank()
    return float(ranks[0].corr(ranks[1]))
