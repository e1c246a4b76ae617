"""Simulate a hypothesis on a connectome; write traces, seizure table and figure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.errors import InputError, ModelError
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.tables import write_table
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import SEIZING_X1_6D
from virtualbrain.models.seizure_detection import seizure_table
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.models.stability import recruitment
from virtualbrain.network import Network

# Mean x0 of the zones in published synthetic patients (TVB and BVEP).
ZONE_X0: Mapping[str, float] = {"EZ": -1.6, "PZ": -2.2, "HZ": -2.6}


@dataclass(frozen=True)
class SimulationSettings:
    """Settings of the simulation.

    Parameters
    ----------
    duration_s : float
        Simulated time.
    seizure_s : float
        Duration of the seizure of an uncoupled region; sets the speed of the model.
    K : float
        Global coupling on weights normalised to a mean strength of one.
    sample_rate_hz : float
        Samples per second.
    noise : float
        Intensity on x2 and y2; zero for none.
    seed : int
        Seed of the noise.
    """

    duration_s: float = 60.0
    seizure_s: float = 20.0
    K: float = 1.0
    sample_rate_hz: float = 256.0
    noise: float = 2.5e-4
    seed: int = 1


def excitability(regions: tuple[str, ...], hypothesis: pd.DataFrame) -> np.ndarray:
    """Return x0 of every region from a hypothesis.

    Parameters
    ----------
    regions : tuple of str
        Names in the order of the network.
    hypothesis : pandas.DataFrame
        Columns region and zone (EZ, PZ), or region and x0; all other regions are healthy.

    Returns
    -------
    numpy.ndarray, shape (n_regions,)
        Excitability.

    Raises
    ------
    InputError
        A region or zone is unknown, or a column is missing.
    """
    if "region" not in hypothesis or not {"zone", "x0"} & set(hypothesis.columns):
        raise InputError(
            "the hypothesis lacks a column", expected="region, and zone (EZ, PZ) or x0"
        )
    x0 = np.full(len(regions), ZONE_X0["HZ"])
    for row, record in enumerate(hypothesis.to_dict("records"), start=2):
        where, name = f"hypothesis, row {row}", str(record["region"])
        if name not in regions:
            raise InputError(
                f"no region {name!r} in the connectome",
                where=where,
                hint="use the names of the connectome's region table",
            )
        value = record["x0"] if "x0" in record else ZONE_X0.get(str(record["zone"]))
        if value is None:
            raise InputError(
                f"unknown zone {record['zone']!r}", where=where, expected=", ".join(ZONE_X0)
            )
        x0[regions.index(name)] = float(value)
    return x0


def run_simulation(
    network: Network,
    hypothesis: pd.DataFrame,
    output: Path | str,
    settings: SimulationSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> xr.Dataset:
    """Simulate a hypothesis on a connectome and write traces, seizure table and figure.

    Writes ``simulation.nc`` (LFP, x1 and z over time), ``seizures.tsv`` (regions in the order of
    recruitment), ``simulation.png`` and ``simulation.json`` (settings, and the regions that the
    hypothesis can recruit) into the folder.

    Parameters
    ----------
    network : Network
        Weights of any scale.
    hypothesis : pandas.DataFrame
        As in `excitability`.
    output : Path or str
        Folder; created if missing.
    settings : SimulationSettings, optional
        Duration, speed, coupling and noise.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Returns
    -------
    xarray.Dataset
        Traces.

    Raises
    ------
    InputError
        The hypothesis names regions that are not in the connectome.
    ModelError
        A setting is invalid, or the run is unstable.
    """
    settings = settings or SimulationSettings()
    if not settings.duration_s > 0:
        raise ModelError("the duration is not positive", expected="seconds above zero")
    scaled = network.normalised()
    x0 = excitability(tuple(scaled.regions), hypothesis)
    model = Epileptor(x0=x0, K=settings.K).slowed_to(settings.seizure_s)
    outlook = recruitment(scaled, x0, settings.K)
    noise = {"x2": settings.noise, "y2": settings.noise} if settings.noise > 0 else None
    run = simulate(
        scaled, model, duration=settings.duration_s, seed=settings.seed, noise=noise,
        sample_rate=settings.sample_rate_hz, options=Options(keep=("lfp", "x1", "z")),
        progress=progress,
    )  # fmt: skip
    table = seizure_table(run, **spike_bridge(settings.seizure_s))
    _write(Path(output), run, table, {**vars(settings), **run.attrs, "outlook": outlook.verdict})
    return run


def spike_bridge(seizure_s: float) -> dict[str, float]:
    """Return arguments of `seizures` that join the discharges of a seizure of this duration."""
    return {
        "bridge": 0.1 * seizure_s,
        "least_duration": 0.1 * seizure_s,
        "threshold": SEIZING_X1_6D,
    }


def _write(folder: Path, run: xr.Dataset, table: pd.DataFrame, choices: Mapping[str, Any]) -> None:
    with atomic_path(folder / "simulation.nc") as temporary:
        run.to_netcdf(temporary, engine="netcdf4")
    write_table(
        folder / "seizures.tsv",
        table,
        {"onset_s": {"Units": "s"}, "offset_s": {"Units": "s"}, "Sources": ["simulation.nc"]},
    )
    write_json(folder / "simulation.json", choices)
    with atomic_path(folder / "simulation.png") as temporary:
        draw_traces(run, table, temporary)


def draw_traces(run: xr.Dataset, table: pd.DataFrame, path: Path, most: int = 20) -> None:
    """Draw the LFP of the first regions to seize, and x1 of all regions, over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 9), layout="constrained")
    traces, raster = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    order = {name: k for k, name in enumerate(table["region"])}
    names = sorted(run["region"].values, key=lambda name: order.get(name, len(order)))
    shown = names[: max(1, min(most, max(len(order), 5)))]
    time = run["time"].values
    for k, name in enumerate(shown):
        lfp = run["lfp"].sel(region=name).values
        colour = "#b03a2e" if name in order else "#5d6d7e"
        traces.plot(time, 0.3 * (lfp - np.median(lfp)) - k, color=colour, linewidth=0.5)
    traces.set_yticks(-np.arange(len(shown)), shown, fontsize=7)
    traces.set_title("Local field potential, in the order of recruitment")
    x1 = run["x1"].sel(region=names).values
    picture = raster.imshow(
        x1.T, aspect="auto", cmap="cividis", vmin=-2, vmax=1, interpolation="nearest",
        extent=(float(time[0]), float(time[-1]), len(names) - 0.5, -0.5),
    )  # fmt: skip
    raster.set(xlabel="Time (s)", ylabel="Region, same order", title="Fast variable x1")
    figure.colorbar(picture, ax=raster, label="x1")
    figure.savefig(path, dpi=120, format="png")
