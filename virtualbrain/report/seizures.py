"""Show the recorded seizures side by side: envelopes by region, in one order of regions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.io.results import PatientResults, Seizure
from virtualbrain.report import tables
from virtualbrain.report.charts import Scale
from virtualbrain.report.drawing import StaticImage, raster
from virtualbrain.report.numbers import is_number

Array = NDArray[np.float64]
ROW_HEIGHT = 13
N_ROWS = 30
N_TIMES = 160
# Least number of regions for a rank correlation.
LEAST_REGIONS = 4


@dataclass(frozen=True)
class Panel:
    """One seizure: envelope by region and time, and the places of the onset marks in per cent."""

    number: int
    image: StaticImage
    marks: tuple[tuple[float, float], ...]
    first: str
    first_onset_s: float
    correlation: float
    n_common: int


@dataclass(frozen=True)
class SideBySide:
    """All seizures of the patient on one time axis.

    Parameters
    ----------
    regions : tuple of str
        Regions with a measured onset, the earliest first (median over the seizures).
    panels : tuple of Panel
        One for each seizure; `correlation` is the rank correlation of its onsets with those of the
        first seizure over `n_common` regions.
    scale : Scale
        Time axis of all panels, seconds from the marked onset.
    view : View
        Onsets by region and seizure.
    """

    regions: tuple[str, ...]
    panels: tuple[Panel, ...]
    scale: Scale
    view: tables.View

    @property
    def row_percent(self) -> float:
        """Height of a row in per cent."""
        return 100 / len(self.regions)


def side_by_side(results: PatientResults, names: Sequence[str]) -> SideBySide | None:
    """Return the seizures side by side; None with one seizure, without onsets or without gain.

    Each channel belongs to the region where its gain is largest. The onset of a region is the
    earliest onset of its channels, its envelope the largest of theirs.

    Parameters
    ----------
    results : PatientResults
        The results.
    names : sequence of str
        Regions of the report.
    """
    seizures = [one for one in results.seizures if one.envelope is not None]
    if len(seizures) < 2 or results.gain is None:
        return None
    largest = results.gain.frame.astype(float).idxmax(axis=1)
    region_of = {str(channel): str(region) for channel, region in largest.items()}
    onsets = onsets_by_region(seizures, region_of)
    if onsets.empty:
        return None
    times = _common_times(seizures)
    rows = [_envelopes(one, region_of, list(onsets.index), times) for one in seizures]
    low, high = (float(q) for q in np.nanquantile(np.stack(rows), (0.02, 0.99)))
    scale = Scale(float(times[0]), float(times[-1]), 0, 100)
    first = onsets.iloc[:, 0]
    panels = tuple(
        _panel(one.number, values, (low, high), onsets[one.number], first, scale)
        for one, values in zip(seizures, rows, strict=True)
    )
    return SideBySide(tuple(onsets.index), panels, scale, _view(onsets, names))


def onsets_by_region(seizures: Sequence[Seizure], region_of: Mapping[str, str]) -> pd.DataFrame:
    """Return the earliest onset (s) of each region in each seizure, the earliest region first.

    Returns
    -------
    pandas.DataFrame
        Regions by seizures (numbers); NaN where the region has no onset.
    """
    columns = {}
    for one in seizures:
        known = {name: onset for name, onset in one.onsets.items() if name in region_of}
        series = pd.Series(known, dtype=float)
        columns[one.number] = series.groupby(series.index.map(region_of)).min()
    table = pd.DataFrame(columns).dropna(how="all")
    order = table.median(axis=1, skipna=True).rename("median").reset_index()
    order.columns = ["region", "median"]
    order = order.sort_values(["median", "region"], kind="stable")
    return table.loc[list(order["region"].head(N_ROWS))]


def _common_times(seizures: Sequence[Seizure]) -> Array:
    """Return times that all seizures have."""
    ends = [
        one.envelope.frame["time_s"].to_numpy(float)[[0, -1]] for one in seizures if one.envelope
    ]
    low, high = max(end[0] for end in ends), min(end[1] for end in ends)
    return np.linspace(low, high, N_TIMES)


def _envelopes(
    seizure: Seizure, region_of: Mapping[str, str], regions: Sequence[str], times: Array
) -> Array:
    """Return the largest envelope of each region's channels, shape (n_regions, n_times)."""
    rows = np.full((len(regions), len(times)), np.nan)
    if seizure.envelope is None:
        return rows
    frame = seizure.envelope.frame
    own = frame["time_s"].to_numpy(float)
    for name in frame.columns:
        if region_of.get(name) in regions:
            row = regions.index(region_of[name])
            course = np.interp(times, own, frame[name].to_numpy(float))
            rows[row] = np.fmax(rows[row], course)
    return rows


def _panel(
    number: int,
    values: Array,
    limits: tuple[float, float],
    onsets: pd.Series,
    reference: pd.Series,
    scale: Scale,
) -> Panel:
    seen = onsets.dropna()
    step = 100 / len(onsets)
    marks = tuple(
        (scale(float(onset)), round(step * row, 3))
        for row, onset in enumerate(onsets)
        if is_number(onset)
    )
    both = pd.concat([onsets, reference], axis=1).dropna()
    order = both.rank().corr().to_numpy(float)
    filled = np.nan_to_num(values, nan=limits[0])
    alt = f"Envelope of seizure {number} by region, in the order of onset over all seizures"
    return Panel(
        number=number,
        image=raster(filled, ROW_HEIGHT, 2 * N_TIMES, limits, alt),
        marks=marks,
        first=str(seen.idxmin()) if len(seen) else "",
        first_onset_s=float(seen.min()) if len(seen) else float("nan"),
        correlation=float(order[0, 1]) if len(both) >= LEAST_REGIONS else float("nan"),
        n_common=len(both),
    )


def _view(onsets: pd.DataFrame, names: Sequence[str]) -> tables.View:
    position = {name: i for i, name in enumerate(names)}
    columns = (
        tables.Column("Region", False, "region where the gain of the channels is largest"),
        *(tables.Column(f"Seizure {number} (s)", True) for number in onsets.columns),
        tables.Column("Range (s)", True, "latest minus earliest onset"),
    )
    rows = tuple(
        (
            tables.region_cell(str(name), position.get(str(name))),
            *(tables.number_cell(value) for value in row),
            tables.number_cell(np.nanmax(row) - np.nanmin(row)),
        )
        for name, row in zip(onsets.index, onsets.to_numpy(float), strict=True)
    )
    caption = "Measured onset of each region in each seizure, seconds from the marked onset."
    return tables.View("seizures", caption, columns, rows, None)
