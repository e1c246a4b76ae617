"""Write and read the evoked responses of a patient: matrices, sites and pairs of regions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.result_files import Table, load_table
from virtualbrain.io.tables import read_table, sidecar_of, write_matrix, write_table

_MATRICES = {
    "amplitude": ("V", "N1 relative to the baseline; n/a without an N1 or if not used"),
    "latency": ("s", "latency of the N1 after the pulse; n/a without an N1 or if not used"),
    "probability": ("1", "fraction of resamples of the trials with an N1; n/a if not used"),
}
_REGIONAL = {
    "amplitude": (
        "V",
        "mean N1 in units of each channel's background times the median background, "
        "weighted as RegionalAmplitude says; without an N1 a channel counts as 0",
    ),
    "latency": ("s", "median latency of the N1 over the pairs that have one"),
    "probability": ("1", "mean probability of an N1 over the pairs"),
}
_SITES = {
    "site": {"Description": "stimulated contacts"},
    "current_a": {"Description": "current of the pulses", "Units": "A"},
    "width_s": {"Description": "width of the pulses", "Units": "s"},
    "n_trials": {"Description": "pulses used"},
    "n_channels": {"Description": "channels used"},
    "n_n1": {"Description": "channels with an N1"},
    "pcist": {"Description": "perturbational complexity index of state transitions"},
    "n_components": {"Description": "principal components above the baseline"},
    "rate_hz": {"Description": "sampling rate of the trials", "Units": "Hz"},
}
_INTERVAL = "90 % interval from resamples of the pairs; n/a with one pair"


@dataclass(frozen=True)
class EvokedTables:
    """What is written about evoked responses.

    Parameters
    ----------
    sites : pandas.DataFrame
        One row per stimulated site.
    matrices : mapping of pandas.DataFrame
        Sites by channels: amplitude in V, latency in s, probability.
    pairs : pandas.DataFrame, optional
        One row per measured pair of regions; None if no contact has a region.
    regional : mapping of pandas.DataFrame
        The figures of `pairs` as matrices, stimulated by recorded regions.
    """

    sites: pd.DataFrame
    matrices: Mapping[str, pd.DataFrame]
    pairs: pd.DataFrame | None
    regional: Mapping[str, pd.DataFrame]


def write_evoked(layout: PatientLayout, tables: EvokedTables, sidecar: Mapping[str, Any]) -> None:
    """Write the tables of evoked responses with their sidecars.

    Parameters
    ----------
    layout : PatientLayout
        File layout of the patient's results.
    tables : EvokedTables
        The tables. Those of regions that an earlier run left are removed if there are none now.
    sidecar : mapping
        Sources, settings and versions.
    """
    for stat, matrix in tables.matrices.items():
        unit, text = _MATRICES[stat]
        about = {"Description": f"stimulated site (row) by channel (column): {text}", "Units": unit}
        _write(layout.evoked(stat), matrix, {**about, **sidecar})
    for stat, matrix in tables.regional.items():
        unit, text = _REGIONAL[stat]
        about = {
            "Description": f"region stimulated (row) by region recorded (column): {text}; n/a if "
            "not measured",
            "Units": unit,
        }
        _write(layout.evoked_regional(stat), matrix, {**about, **sidecar})
    if tables.pairs is not None:
        write_table(layout.evoked_pairs, tables.pairs, {**_pair_columns(), **sidecar})
    else:
        for path in (layout.evoked_pairs, *(layout.evoked_regional(stat) for stat in _REGIONAL)):
            path.unlink(missing_ok=True)
            sidecar_of(path).unlink(missing_ok=True)
    write_table(layout.stimulation_sites, tables.sites, {**_SITES, **sidecar})


def write_no_responses(layout: PatientLayout, problem: str, sidecar: Mapping[str, Any]) -> None:
    """Write an empty table of sites, with the problem that prevented the responses."""
    sites = pd.DataFrame(columns=list(_SITES))
    write_table(layout.stimulation_sites, sites, {**_SITES, **sidecar, "Problem": problem})


def _write(path: Any, matrix: pd.DataFrame, sidecar: Mapping[str, Any]) -> None:
    write_matrix(path, matrix.to_numpy(), list(matrix.index), list(matrix.columns), sidecar)


def _pair_columns() -> dict[str, Any]:
    """Return the description of the columns of the pairs of regions."""
    columns: dict[str, Any] = {
        "stimulated": {"Description": "region of a contact of the site"},
        "recorded": {"Description": "region of a contact of the channel"},
        "n_pairs": {"Description": "pairs of site and channel"},
        "n_n1": {"Description": "pairs with an N1"},
    }
    for stat, (unit, text) in _REGIONAL.items():
        suffix = {"V": "_v", "s": "_s", "1": ""}[unit]
        columns[f"{stat}{suffix}"] = {"Description": text, "Units": unit}
        for end in ("low", "high"):
            columns[f"{stat}_{end}{suffix}"] = {"Description": _INTERVAL, "Units": unit}
    return columns


def read_pairs(layout: PatientLayout) -> pd.DataFrame | None:
    """Read the measured pairs of regions; None if there are none.

    Raises
    ------
    InputError
        The table cannot be read.
    """
    if not layout.evoked_pairs.is_file():
        return None
    return read_table(layout.evoked_pairs, list(_pair_columns()))


@dataclass(frozen=True)
class Evoked:
    """The evoked responses of a patient as written.

    Parameters
    ----------
    sites : Table
        One row per stimulated site; none if the responses could not be computed.
    pairs : Table, optional
        One row per measured pair of regions.
    """

    sites: Table
    pairs: Table | None

    @property
    def problem(self) -> str:
        """Why there are no responses; empty if there are."""
        return str(self.sites.sidecar.get("Problem", ""))


def read_evoked(layout: PatientLayout) -> Evoked:
    """Read the evoked responses of a patient.

    Raises
    ------
    InputError
        A table cannot be read.
    """
    sites = load_table(layout.stimulation_sites, list(_SITES))
    if not layout.evoked_pairs.is_file():
        return Evoked(sites, None)
    return Evoked(sites, load_table(layout.evoked_pairs, list(_pair_columns())))
