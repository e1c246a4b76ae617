"""FSL's topup and eddy, by MRtrix' dwifslpreproc, where FSL is there and the data allow it."""

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
MIN_DIRECTIONS = 10
"""Directions below which eddy's model of the signal has too little to go by (its manual)."""


def eddy_is_installed() -> bool:
    """Whether FSL's eddy can be started: its program is there, and FSLDIR is set."""
    folder = os.environ.get("FSLDIR", "")
    places = os.pathsep.join([str(Path(folder) / "bin"), os.environ.get("PATH", "")])
    return bool(folder) and any(shutil.which(name, path=places) for name in _EDDY)


def eddy_obstacle(series: Sequence[Series], settings: DiffusionSettings) -> str:
    """Return why FSL's eddy is not to be used on these series, empty where it is.

    Parameters
    ----------
    series : sequence of Series
        Every series of the patient.
    settings : DiffusionSettings
        With susceptibility switched off, dwifslpreproc would unwarp opposite series all the same.
    """
    first = series[0]
    if settings.motion not in ("auto", "eddy"):
        return "FSL's eddy is not asked for"
    if settings.susceptibility == "none" and len(series) > 1:
        return "several series and no unwarping cannot be had from dwifslpreproc"
    if not eddy_is_installed():
        return "FSL's eddy is not installed"
    if any(one.phase_encoding is None or np.isnan(one.phase_encoding.readout_s) for one in series):
        return "a sidecar does not state PhaseEncodingDirection and TotalReadoutTime"
    if not all(_same_grid(one, first) for one in series):
        return "the series lie on different grids"
    if sum(int((~one.table.is_b0).sum()) for one in series) < MIN_DIRECTIONS:
        return f"FSL's eddy wants {MIN_DIRECTIONS} directions or more"
    return ""


def _same_grid(one: Series, other: Series) -> bool:
    same_shape = one.volumes.shape[:3] == other.volumes.shape[:3]
    return bool(same_shape and np.allclose(one.affine, other.affine, atol=1e-3))


def correct_with_eddy(
    series: Sequence[Series], epi: Sequence[Series], workdir: Path, threads: int
) -> tuple[Series, NDArray[np.float64]]:
    """Correct motion, eddy currents and, with two directions, susceptibility.

    Parameters
    ----------
    series : sequence of Series
        Denoised series on one grid, in the order they are joined.
    epi : sequence of Series
        Images without weighting of other directions.
    workdir : Path
        Folder for files that are not kept.
    threads : int
        Cores to use.

    Returns
    -------
    Series
        All series joined, gradients turned.
    numpy.ndarray, shape (n_volumes,)
        Displacement of each volume against the first, mm (empty where eddy does not say).

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
    logger.info("FSL: topup where two directions are there, then eddy")
    mrtrix.run(
        "dwifslpreproc", joined, target, "-rpe_header", *options,
        "-eddy_options", " --slm=linear ", "-eddyqc_text", figures, "-scratch", workdir, "-force",
        threads=threads,
    )  # fmt: skip
    return read_mif(target, workdir), _movement(figures / "eddy_movement_rms")


def _b0s_of(series: Series) -> Series:
    """Return the volumes of a series without weighting."""
    chosen = series.table.is_b0
    table = GradientTable(series.table.bvals[chosen], series.table.directions[chosen])
    return Series(series.volumes[..., chosen], series.affine, table, series.phase_encoding)


def _with_encoding(series: Series, path: Path) -> Path:
    """Write a series with its phase encoding in the header, as MRtrix reads it from BIDS."""
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
    """Put series one behind the other, gradients and phase encodings with them."""
    if len(images) == 1:
        mrtrix.convert(images[0], target)
    else:
        mrtrix.run("mrcat", *images, target, "-axis", 3, "-force")


def _movement(path: Path) -> NDArray[np.float64]:
    """Read eddy's displacement against the first volume, its first column."""
    return np.loadtxt(path, ndmin=2)[:, 0] if path.is_file() else np.zeros(0)
