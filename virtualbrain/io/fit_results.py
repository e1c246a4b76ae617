"""Read the results of the stage inference: zones, diagnostics and posterior."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.manifest import checksum
from virtualbrain.io.result_files import Table, columns_of, load_table, rows_of


@dataclass(frozen=True)
class ZoneRow:
    """One row of zones.tsv; the fields are its columns."""

    rank: int
    region: str
    hemisphere: str | None
    p_ez: float
    p_pz: float
    x0_mean: float
    x0_sd: float
    x0_low: float
    x0_high: float
    onset_s: float
    observability: float
    prior_x0_mean: float
    information_gain: float
    in_hypothesis: str | None
    p_evidence: float = float("nan")
    onset_recorded_s: float = float("nan")


@dataclass(frozen=True)
class Zones:
    """zones.tsv: the ranked regions."""

    table: Table
    rows: tuple[ZoneRow, ...]


@dataclass(frozen=True)
class Diagnostics:
    """diagnostics.json: the verdict on the fit, its reasons and the figures behind it."""

    verdict: str
    reasons: tuple[str, ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class AblationRow:
    """One row of ablation.tsv; the fields are its columns."""

    kind: str
    part: str | None
    name: str
    n_channels: int
    n_seizures: int
    duration_s: float
    fraction: float
    region: str
    rank: int
    p_ez: float
    p_ez_error: float
    first_region: str
    first_p_ez: float
    changed_region: str | None
    change: float
    change_error: float
    clear: bool
    verdict: str
    plan: str | None
    same_plan: bool
    p_plan_holds: float


@dataclass(frozen=True)
class Ablation:
    """ablation.tsv: fits to subsets of the data, all data first."""

    table: Table
    rows: tuple[AblationRow, ...]


@dataclass(frozen=True)
class NextRow:
    """One row of next_data.tsv; the fields are its columns that the report shows."""

    datum: str
    judged: float
    judged_error: float
    p_before: float


@dataclass(frozen=True)
class NextData:
    """next_data.tsv: value of further electrodes and of one more seizure, the largest first."""

    table: Table
    rows: tuple[NextRow, ...]


@dataclass(frozen=True)
class IdentifiabilityRow:
    """One row of identifiability.tsv; the fields are its columns that the report shows."""

    kind: str
    number: float
    parameter: str
    region: str | None
    seizure: float
    shift: float
    contraction: float
    contraction_error: float
    loading: float
    role: str | None
    correlation: float
    slope: float
    slope_error: float
    slope_expected: float


@dataclass(frozen=True)
class Identifiability:
    """identifiability.tsv: what the recording fixes of the parameters."""

    table: Table
    rows: tuple[IdentifiabilityRow, ...]


@dataclass(frozen=True)
class ConnectomeRow:
    """One row of connectomes.tsv; the fields are its columns that the report shows."""

    kind: str
    name: str
    similarity: float
    zone_strength: float
    zone_recruited: float
    zone_others: float
    rest: float
    region: str
    rank: int
    p_ez: float
    p_ez_error: float
    first_region: str
    moved: float
    same_zone: bool
    overlap: float
    plan: str | None
    same_plan: bool
    p_plan_holds: float


@dataclass(frozen=True)
class OtherConnectomes:
    """connectomes.tsv: fits with other connectomes, the patient's own first."""

    table: Table
    rows: tuple[ConnectomeRow, ...]


@dataclass(frozen=True)
class Posterior:
    """The parts of posterior.nc that the report shows.

    Parameters
    ----------
    attributes : mapping
        Method, normalisation and settings of the fit.
    parameters : xarray.Dataset
        The group ``posterior``: draws, dims chain and draw first.
    constants : xarray.Dataset
        The group ``constant_data``.
    sample_stats : xarray.Dataset
        The group ``sample_stats``.
    predicted : xarray.DataArray
        Quantiles of the predicted envelope: (quantile, time, channel); with several seizures
        (quantile, seizure, time, channel).
    """

    attributes: Mapping[str, Any]
    parameters: xr.Dataset
    constants: xr.Dataset
    sample_stats: xr.Dataset
    predicted: xr.DataArray


def load_zones(path: Path) -> Zones:
    """Read zones.tsv."""
    table = load_table(path, columns_of(ZoneRow))
    return Zones(table, rows_of(table.frame, ZoneRow))


def load_ablation(path: Path, posterior: Path) -> Ablation:
    """Read ablation.tsv, which belongs to a posterior.

    Raises
    ------
    InputError
        It was computed for another fit.
    """
    table = _of_this_fit(path, AblationRow, posterior)
    return Ablation(table, rows_of(table.frame, AblationRow))


def load_next_data(path: Path, posterior: Path) -> NextData:
    """Read next_data.tsv, which belongs to a posterior.

    Raises
    ------
    InputError
        It was computed for another fit.
    """
    table = _of_this_fit(path, NextRow, posterior)
    return NextData(table, rows_of(table.frame, NextRow))


def load_identifiability(path: Path, posterior: Path) -> Identifiability:
    """Read identifiability.tsv, which belongs to a posterior.

    Raises
    ------
    InputError
        It was computed for another fit.
    """
    table = _of_this_fit(path, IdentifiabilityRow, posterior)
    return Identifiability(table, rows_of(table.frame, IdentifiabilityRow))


def load_other_connectomes(path: Path, posterior: Path) -> OtherConnectomes:
    """Read connectomes.tsv, which belongs to a posterior.

    Raises
    ------
    InputError
        It was computed for another fit.
    """
    table = _of_this_fit(path, ConnectomeRow, posterior)
    return OtherConnectomes(table, rows_of(table.frame, ConnectomeRow))


def _of_this_fit(path: Path, row: type[Any], posterior: Path) -> Table:
    table = load_table(path, columns_of(row))
    if table.sidecar["Posterior"] != checksum(posterior):
        raise InputError(
            "the table belongs to an earlier fit",
            where=path.name,
            hint="run virtualbrain degeneracy again",
        )
    return table


def load_diagnostics(path: Path) -> Diagnostics:
    """Read diagnostics.json."""
    content = read_json(path)
    return Diagnostics(content["verdict"], tuple(content["reasons"]), content["figures"])


def load_posterior(path: Path) -> Posterior:
    """Read the report's parts of posterior.nc."""
    with xr.open_dataset(path) as root:
        attributes = dict(root.attrs)
    return Posterior(
        attributes=attributes,
        parameters=_group(path, "posterior"),
        constants=_group(path, "constant_data"),
        sample_stats=_group(path, "sample_stats"),
        predicted=_group(path, "posterior_predictive")["envelope"].astype(np.float32),
    )


def _group(path: Path, group: str) -> xr.Dataset:
    with xr.open_dataset(path, group=group) as dataset:
        return dataset.load()
