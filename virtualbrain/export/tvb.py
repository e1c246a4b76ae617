"""Export a fitted patient as files for The Virtual Brain."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.connectome import Connectome
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.connectome import read_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_channels, read_gain
from virtualbrain.io.tables import write_table
from virtualbrain.io.tvb_zip import write_tvb_zip
from virtualbrain.posterior import simulated_x0

_README = """\
Open these files with The Virtual Brain (tvb-library):

    import json
    import numpy as np
    from tvb.simulator.lab import connectivity, coupling, models

    brain = connectivity.Connectivity.from_file("connectivity.zip")   # weights as fitted
    fitted = json.load(open("epileptor2d.json"))
    model = models.Epileptor2D(
        x0=np.array(fitted["x0"]), r=np.array([fitted["r"]]),
        Ks=np.array([fitted["Ks"]]), Iext=np.array([fitted["Iext"]]),
    )
    long_range = coupling.Difference(a=np.array([1.0]))

Ks is minus the fitted K. The time step of the fit is fitted["dt"] in model time. The fit uses the
cubic form for all x; The Virtual Brain's Epileptor2D has another form for x >= 0. Therefore the
traces during the seizure differ, while thresholds and recruitment agree.
sensors.txt: name x y z (mm, T1w scanner RAS) of the fitted channels; gain.txt: channels by regions.
"""


def export_patient(layout: PatientLayout, priors: str, posterior: xr.DataTree) -> Path:
    """Write connectivity.zip, fitted parameters, sensors and gain.

    Parameters
    ----------
    layout : PatientLayout
        File names of the patient's results.
    priors : str
        Name of the prior set.
    posterior : xarray.DataTree
        Posterior of this prior set.

    Returns
    -------
    Path
        The folder of the exported files.
    """
    folder = layout.tvb_export(priors)
    write_tvb(layout, folder, posterior)
    return folder


def write_tvb(layout: PatientLayout, folder: Path, posterior: xr.DataTree) -> None:
    """Write the files of `export_patient` to a folder.

    Parameters
    ----------
    layout : PatientLayout
        File names of the patient's results.
    folder : Path
        Folder of the files.
    posterior : xarray.DataTree
        Posterior of one prior set.
    """
    connectome = _as_fitted(read_connectome(layout), posterior)
    write_tvb_zip(folder / "connectivity.zip", connectome)
    write_json(folder / "epileptor2d.json", fitted_parameters(posterior, connectome.names))
    _write_sensors(layout, connectome.names, folder)
    write_text(folder / "README.txt", _README)


def _as_fitted(connectome: Connectome, posterior: xr.DataTree) -> Connectome:
    """Return the connectome with the normalised weights of the fit; its order is kept."""
    weights = posterior["constant_data"]["weights"]
    names = list(connectome.names)
    ordered = weights.sel(region=names, source=names).to_numpy()
    return replace(connectome, weights=0.5 * (ordered + ordered.T))


def fitted_parameters(posterior: xr.DataTree, regions: tuple[str, ...]) -> dict[str, Any]:
    """Return posterior means with the parameter names of The Virtual Brain, and the SD of x0.

    Parameters
    ----------
    posterior : xarray.DataTree
        The posterior.
    regions : tuple of str
        Order of the regions.
    """
    samples = posterior["posterior"].to_dataset().stack(sample=("chain", "draw"))
    x0 = simulated_x0(samples).sel(region=list(regions)).transpose("region", "sample").to_numpy()
    K, tau0 = samples["K"].to_numpy(), samples["tau0"].to_numpy()
    return {
        "regions": list(regions),
        "x0": x0.mean(axis=1),
        "x0_sd": x0.std(axis=1),
        "Ks": -float(np.mean(K)),
        "r": float(np.mean(1.0 / tau0)),
        "Iext": float(posterior.attrs["I1"]),
        "dt": float(posterior.attrs["dt"]),
        "normalisation": str(posterior.attrs["normalisation"]),
        "method": str(posterior.attrs["method"]),
        "group_connectome": str(posterior.attrs.get("group_connectome", "")),
    }


def _write_sensors(layout: PatientLayout, regions: tuple[str, ...], folder: Path) -> None:
    """Write coordinates and gain of the fitted channels."""
    gain = read_gain(layout.gain)
    channels = read_channels(layout.channels).set_index("name").loc[list(gain.index)]
    coordinates = channels[["x", "y", "z"]]
    lines = [f"{name} {x:.4f} {y:.4f} {z:.4f}" for name, x, y, z in coordinates.itertuples()]
    write_text(folder / "sensors.txt", "\n".join(lines) + "\n")
    rows = gain[list(regions)].to_numpy()
    text = "\n".join(" ".join(f"{value:.10g}" for value in row) for row in rows)
    write_text(folder / "gain.txt", text + "\n")
    order = pd.DataFrame({"index": np.arange(len(regions)), "region": list(regions)})
    write_table(folder / "regions.tsv", order, {"index": "position in all files of this folder"})
