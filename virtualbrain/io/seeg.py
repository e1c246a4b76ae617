"""Write and read the results of the SEEG stage."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import (
    read_matrix,
    read_table,
    sidecar_of,
    write_matrix,
    write_table,
)

_TEXT_COLUMNS = (
    *("region", "tissue", "status_description", "cathode", "region_probabilities"),
    *("soz", "resected"),
)
CONTACT_COLUMNS = (
    "name",
    "electrode",
    "number",
    "x",
    "y",
    "z",
    "region",
    "p_region",
    "tissue",
    "status",
)
CHANNEL_COLUMNS = ("name", "anode", "cathode", "x", "y", "z", "region", "status", "onset_s")


@dataclass(frozen=True)
class Seeg:
    """Results of the SEEG stage.

    Parameters
    ----------
    contacts, channels : pandas.DataFrame
        Tables as in docs/architecture.md.
    envelopes, signals : tuple of xarray.DataArray
        One per seizure, dims (time, channel); signals for display in µV.
    gain : pandas.DataFrame
        Gain, good channels by regions.
    quality : dict
        Quality figures for the report.
    notes : tuple of str
        Choices and findings as text.
    """

    contacts: pd.DataFrame
    channels: pd.DataFrame
    envelopes: tuple[xr.DataArray, ...]
    signals: tuple[xr.DataArray, ...]
    gain: pd.DataFrame
    quality: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


def write_seeg(layout: PatientLayout, seeg: Seeg, sidecar: Mapping[str, Any]) -> None:
    """Write every result of the SEEG stage, each file atomically.

    Parameters
    ----------
    layout : PatientLayout
        File layout of the patient's results.
    seeg : Seeg
        Result of `seeg.run.run_seeg`.
    sidecar : mapping
        Sources and settings; added to every JSON file.
    """
    frame = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(layout.contacts, seeg.contacts, {**sidecar, **frame})
    times = {"onset_s": "seconds from the marked onset; n/a where the channel does not seize"}
    write_table(layout.channels, seeg.channels, {**sidecar, **frame, **times})
    channels, regions = [str(c) for c in seeg.gain.index], [str(r) for r in seeg.gain.columns]
    kind = {"Units": "mm", "GainSources": seeg.quality.get("gain_sources")}
    write_matrix(layout.gain, seeg.gain.to_numpy(), channels, regions, {**sidecar, **kind})
    for number, (envelope, signal) in enumerate(
        zip(seeg.envelopes, seeg.signals, strict=True), start=1
    ):
        write_envelope(layout.envelope(number), envelope, sidecar)
        write_signal(layout.seizure_signal(number), signal)
    write_json(layout.seeg_quality, {**sidecar, **seeg.quality, "notes": list(seeg.notes)})


def write_envelope(path: Path | str, envelope: xr.DataArray, sidecar: Mapping[str, Any]) -> None:
    """Write one seizure's envelope: column ``time_s``, then one column per channel."""
    table = pd.DataFrame(
        envelope.values, columns=[str(name) for name in envelope["channel"].values]
    )
    table.insert(0, "time_s", envelope["time"].values)
    per_channel = {
        str(name): dict(zip(table.columns[1:], coord.values.tolist(), strict=True))
        for name, coord in envelope.coords.items()
        if coord.dims == ("channel",) and name != "channel"
    }
    described = {"Envelope": dict(envelope.attrs), "Channels": per_channel}
    write_table(path, table, {**sidecar, **described})


def read_envelope(path: Path | str) -> xr.DataArray:
    """Read one seizure's envelope.

    Returns
    -------
    xarray.DataArray
        Dims (time, channel); coordinate ``onset_s`` per channel, NaN without an onset; the
        attributes are those written.

    Raises
    ------
    InputError
        The table cannot be read.
    """
    table = read_table(path, required=["time_s"])
    names = [str(name) for name in table.columns if name != "time_s"]
    content = json.loads(sidecar_of(path).read_text(encoding="utf-8"))
    coords: dict[str, Any] = {
        str(key): ("channel", [_number(values.get(name)) for name in names])
        for key, values in content.get("Channels", {}).items()
    }
    return xr.DataArray(
        table[names].to_numpy(float),
        dims=("time", "channel"),
        coords={"time": table["time_s"].to_numpy(float), "channel": names, **coords},
        name="envelope",
        attrs=content.get("Envelope", {}),
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def write_signal(path: Path | str, signal: xr.DataArray) -> None:
    """Write one seizure's signal for display (netCDF)."""
    with atomic_path(path) as temporary:
        signal.to_netcdf(temporary, engine="netcdf4")


def read_signal_for_display(path: Path | str) -> xr.DataArray:
    """Read one seizure's signal, dims (time, channel), µV."""
    with xr.open_dataarray(path, engine="netcdf4") as stored:
        return stored.load()


def read_signals(layout: PatientLayout) -> tuple[xr.DataArray, ...]:
    """Read the signals of all seizures of a patient, in their order; empty if there are none."""
    return _of_all_seizures(layout.seizure_signal, read_signal_for_display)


def _of_all_seizures(
    path_of: Callable[[int], Path], read: Callable[[Path], xr.DataArray]
) -> tuple[xr.DataArray, ...]:
    """Read the file of each seizure, from the first to the last that exists."""
    found: list[xr.DataArray] = []
    while (path := path_of(len(found) + 1)).is_file():
        found.append(read(path))
    return tuple(found)


def read_gain(path: Path | str) -> pd.DataFrame:
    """Read the gain: channels as index, regions as columns.

    Raises
    ------
    InputError
        The matrix cannot be read.
    """
    return read_matrix(path)


def read_contacts(path: Path | str) -> pd.DataFrame:
    """Read the table of contacts; missing texts are None.

    Raises
    ------
    InputError
        The table cannot be read or lacks a column.
    """
    return _with_text_columns(read_table(path, required=CONTACT_COLUMNS), ("name", "electrode"))


def read_channels(path: Path | str) -> pd.DataFrame:
    """Read the table of channels; missing texts are None.

    Raises
    ------
    InputError
        The table cannot be read or lacks a column.
    """
    return _with_text_columns(read_table(path, required=CHANNEL_COLUMNS), ("name", "anode"))


def _with_text_columns(table: pd.DataFrame, always: tuple[str, ...]) -> pd.DataFrame:
    """Convert columns of names to text, including columns that were read as numbers."""
    for column in always:
        table[column] = table[column].astype(str)
    for column in _TEXT_COLUMNS:
        if column in table:
            cells = [None if cell is None or cell != cell else str(cell) for cell in table[column]]
            table[column] = pd.Series(cells, dtype=object)
    return table


def read_envelopes(layout: PatientLayout) -> tuple[xr.DataArray, ...]:
    """Read the envelopes of all seizures of a patient, in their order.

    Raises
    ------
    InputError
        There is no envelope.
    """
    found = _of_all_seizures(layout.envelope, read_envelope)
    if not found:
        raise InputError(
            "no envelope",
            where=str(layout.envelope(1)),
            expected="one envelope per seizure",
            hint="run the stage seeg first",
        )
    return found
