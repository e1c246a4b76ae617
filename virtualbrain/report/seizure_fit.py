"""Compare recorded and predicted envelopes of a seizure, channel by channel."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.io.results import PatientResults, Seizure
from virtualbrain.report.charts import Scale, band, polyline
from virtualbrain.seeg.onset_rule import first_held
from virtualbrain.seeg.settings import SeegSettings

Array = NDArray[np.float64]
BAND = (0.05, 0.95)
PANEL = (210.0, 92.0)
# Points of a line: a panel is 210 pixels wide.
MAX_POINTS = 60
_RULE = SeegSettings()
ONSET_RULE = f"exceeds {_RULE.onset_factor:g} times the power at rest, and stays there"


@dataclass(frozen=True)
class ChannelFit:
    """Recorded envelope and predicted band of one channel, as SVG points, with their agreement."""

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
    """The fit of one seizure; `fits` in electrode order, `worst` and `best` by explained variance.

    `times` are in seconds from the marked onset; `median` is the predicted envelope, dims
    (time, channel), in the order of `fits`.
    """

    number: int
    fits: tuple[ChannelFit, ...]
    worst: tuple[ChannelFit, ...]
    best: tuple[ChannelFit, ...]
    times: Array
    median: Array
    onset_correlation: float


def electrode_order(names: Sequence[str]) -> list[str]:
    """Return channel names by electrode, in the order of their contact numbers."""
    return sorted(names, key=_by_number)


def _by_number(name: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in re.split(r"([0-9]+)", name)
    ]


def seizure_fit(results: PatientResults, seizure: Seizure) -> SeizureFit | None:
    """Return the fit of a seizure; None where the envelope or the posterior is missing."""
    posterior = results.main.posterior
    if seizure.envelope is None or posterior is None:
        return None
    predicted = of_seizure(posterior.predicted, seizure.number)
    times = of_seizure(posterior.constants["time_s"], seizure.number).to_numpy().astype(float)
    names = electrode_order([str(name) for name in predicted["channel"].to_numpy()])
    low, median, high = _quantiles(predicted.sel(channel=names))
    observed = _at(seizure.envelope.frame, names, times)
    fits = tuple(
        _channel_fit(name, times, observed[:, i], low[:, i], median[:, i], high[:, i])
        for i, name in enumerate(names)
    )
    order = sorted(fits, key=lambda fit: fit.explained)
    return SeizureFit(
        number=seizure.number,
        fits=fits,
        worst=tuple(order[:6]),
        best=tuple(order[::-1][:3]),
        times=times,
        median=median,
        onset_correlation=_onset_correlation(fits, set(seizure.onsets)),
    )


def of_seizure(values: xr.DataArray, number: int) -> xr.DataArray:
    """Return the values of one seizure; a fit of one seizure has no dim seizure."""
    return values.sel(seizure=number) if "seizure" in values.dims else values


def _quantiles(predicted: xr.DataArray) -> tuple[Array, Array, Array]:
    """Return the ends of the band and the median, dims (time, channel)."""
    low, median, high = (
        predicted.sel(quantile=q).transpose("time", "channel").to_numpy().astype(float)
        for q in (BAND[0], 0.5, BAND[1])
    )
    return low, median, high


def _at(frame: pd.DataFrame, names: Sequence[str], times: Array) -> Array:
    """Return the recorded envelope at the times of the model."""
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
    step = -(-len(times) // MAX_POINTS)
    return ChannelFit(
        channel=name,
        explained=1 - misfit / spread if spread else float("nan"),
        coverage=float(np.mean((observed >= low) & (observed <= high))),
        onset_s=envelope_onset(times, observed),
        onset_predicted_s=envelope_onset(times, median),
        observed_line=polyline(times[::step], observed[::step], x, y),
        median_line=polyline(times[::step], median[::step], x, y),
        band_points=band(times[::step], low[::step], high[::step], x, y),
        zero_x=x(0.0),
    )


def envelope_onset(times: Array, envelope: Array) -> float:
    """Return when an envelope (log power above rest) rises and stays up; NaN if it does not.

    The rule of `virtualbrain.seeg.onsets.detect_onsets`, for one band: the start of the first run
    above the factor that lasts half of the hold time, if it is above for the hold time in total.
    """
    step_s = float(times[-1] - times[0]) / max(len(times) - 1, 1)
    n_hold = max(1, round(_RULE.onset_hold_s / step_s))
    above = np.asarray(envelope > np.log(_RULE.onset_factor))
    first = int(first_held(above[None], n_hold)[0])
    return float(times[first]) if first >= 0 else float("nan")


def _onset_correlation(fits: Sequence[ChannelFit], seizing: set[str]) -> float:
    """Return Spearman's correlation of measured and predicted onset over seizing channels."""
    pairs = [
        (fit.onset_s, fit.onset_predicted_s)
        for fit in fits
        if fit.channel in seizing
        and np.isfinite(fit.onset_s)
        and np.isfinite(fit.onset_predicted_s)
    ]
    if len(pairs) < 4:
        return float("nan")
    ranks = pd.DataFrame(pairs).rank()
    return float(ranks[0].corr(ranks[1]))
