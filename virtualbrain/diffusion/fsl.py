"""Run FSL's topup and eddy through MRtrix's dwifslpreproc, if FSL is installed."""

import json
import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.distortion import encoding_on_grid
from virtualbrain.diffusion.series import Series, read_mif, write_mif
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.io.gradients import GradientTable

logger = logging.getLogger(__name__)
_EDDY = ("eddy_cuda", "eddy", "eddy_openmp", "eddy_cpu")
EDDY_MIN_DIRECTIONS = 10
"""Smallest number of directions for the signal model of eddy, according to its manual."""


def eddy_is_installed() -> bool:
    """Whether FSL's eddy can be started: its program is installed and FSLDIR is set."""
    folder = os.environ.get("FSLDIR", "")
    places = os.pathsep.join([str(Path(folder) / "bin"), os.environ.get("PATH", "")])
    return bool(folder) and any(shutil.which(name, path=places) for name in _EDDY)


def eddy_obstacle(series: Sequence[Series], settings: DiffusionSettings) -> str:
    """Return why FSL's eddy is not used for these series; empty if it is used.

    Parameters
    ----------
    series : sequence of Series
        All series of the patient.
    settings : DiffusionSettings
        Methods. eddy cannot be used on several series if susceptibility correction is switched
        off: dwifslpreproc would correct it if their phase encodings are opposite.
    """
    first = series[0]
    if settings.motion not in ("auto", "eddy"):
        return "diffusion.motion does not select FSL's eddy"
    if settings.susceptibility == "none" and len(series) > 1:
        return "dwifslpreproc cannot join several series without susceptibility correction"
    if not eddy_is_installed():
        return "FSL's eddy is not installed"
    if any(one.phase_encoding is None or np.isnan(one.phase_encoding.readout_s) for one in series):
        return "a sidecar does not state PhaseEncodingDirection and TotalReadoutTime"
    if not all(one.has_same_grid(first, tolerance_mm=1e-3) for one in series):
        return "the series have different voxel grids"
    if sum(int((~one.table.is_b0).sum()) for one in series) < EDDY_MIN_DIRECTIONS:
        return f"FSL's eddy needs {EDDY_MIN_DIRECTIONS} directions or more"
    return ""


def correct_with_eddy(
    series: Sequence[Series], epi: Sequence[Series], workdir: Path, threads: int
) -> tuple[Series, NDArray[np.float64]]:
    """Correct motion, eddy currents and, with two phase encodings, susceptibility distortion.

    Parameters
    ----------
    series : sequence of Series
        Denoised series on one grid, in the order of concatenation.
    epi : sequence of Series
        b = 0 images of other phase encodings.
    workdir : Path
        Folder for temporary files.
    threads : int
        Number of cores.

    Returns
    -------
    Series
        All series concatenated, with rotated gradients.
    numpy.ndarray, shape (n_volumes,)
        Displacement of each volume from the first, mm; empty if eddy wrote none.

    Raises
    ------
    ToolError
        A program failed.
    """
    joined, target = workdir / "eddy-in.mif", workdir / "eddy-out.mif"
    _join([_with_encoding(one, workdir / f"eddy-{i}.mif") for i, one in enumerate(series)], joined)
    figures = workdir / "eddy-figures"
    options: list[object] = []
    if epi:
        pairs = [_b0s_of(series[0]), *epi]
        images = [_with_encoding(one, workdir / f"epi-{i}.mif") for i, one in enumerate(pairs)]
        _join(images, workdir / "epi.mif")
        options = ["-se_epi", workdir / "epi.mif"]
    logger.info("FSL: topup (with two phase encodings), then eddy")
    mrtrix.run(
        "dwifslpreproc", joined, target, "-rpe_header", *options,
        "-eddy_options", " --slm=linear ", "-eddyqc_text", figures, "-scratch", workdir, "-force",
        threads=threads,
    )  # fmt: skip
    return read_mif(target, workdir), _movement(figures / "eddy_movement_rms")


def _b0s_of(series: Series) -> Series:
    """Return the b = 0 volumes of a series."""
    chosen = series.table.is_b0
    table = GradientTable(series.table.bvals[chosen], series.table.directions[chosen])
    return Series(series.volumes[..., chosen], series.affine, table, series.phase_encoding)


def _with_encoding(series: Series, path: Path) -> Path:
    """Write a series with its phase encoding in the header, as MRtrix imports it from BIDS."""
    assert series.phase_encoding is not None
    axis, sign = encoding_on_grid(series.phase_encoding, series.affine)
    stated = {
        "PhaseEncodingDirection": "ijk"[axis] + ("" if sign > 0 else "-"),
        "TotalReadoutTime": series.phase_encoding.readout_s,
    }
    sidecar = path.with_suffix(".json")
    sidecar.write_text(json.dumps(stated), encoding="utf-8")
    write_mif(series, path, path.parent, "-json_import", sidecar)
    return path


def _join(images: Sequence[Path], target: Path) -> None:
    """Concatenate series with their gradients and phase encodings."""
    if len(images) == 1:
        mrtrix.convert(images[0], target)
    else:
        mrtrix.run("mrcat", *images, target, "-axis", 3, "-force")


def _movement(path: Path) -> NDArray[np.float64]:
    """Read the displacement from the first volume: the first column of eddy's file."""
    return np.loadtxt(path, ndmin=2)[:, 0] if path.is_file() else np.zeros(0)
