"""Build the connectome from weighted streamlines and region labels, with its reliability."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.connectome import Connectome
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.quality import connectome_quality, field_of_view
from virtualbrain.diffusion.region_ends import Edges, assign_ends, write_regions_in_dwi
from virtualbrain.diffusion.settings import DiffusionSettings

Array = NDArray[np.float64]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ConnectomeFiles:
    """Input files of `build_connectome`.

    Parameters
    ----------
    tracks, weights : Path
        Streamlines (diffusion space) and their SIFT2 weights.
    labels : Path
        Label image on the grid of the T1.
    t1_to_dwi : Path
        Rigid transform from T1 to diffusion space.
    fod : Path
        FODs; their extent is the field of view.
    workdir : Path
        Folder for temporary files.
    """

    tracks: Path
    weights: Path
    labels: Path
    t1_to_dwi: Path
    fod: Path
    workdir: Path


@dataclass(frozen=True)
class BuiltConnectome:
    """A connectome from tractography, with count, density and reliability of its connections.

    Parameters
    ----------
    connectome : Connectome
        Weights are SIFT2-weighted streamline counts.
    counts : numpy.ndarray, shape (n_regions, n_regions)
        Streamline counts.
    density : numpy.ndarray, shape (n_regions, n_regions)
        Weights divided by the mean volume of the two regions, per mm³.
    reliability : numpy.ndarray, shape (n_regions, n_regions)
        One minus the coefficient of variation of the weight under bootstrap of the streamlines,
        0 or more; 0 without connection.
    quality : dict
        Quality figures.
    """

    connectome: Connectome
    counts: Array
    density: Array
    reliability: Array
    quality: dict[str, Any]


def build_connectome(
    files: ConnectomeFiles,
    regions: pd.DataFrame,
    settings: DiffusionSettings,
    reference: Connectome | None = None,
) -> BuiltConnectome:
    """Build the connectome: sum the weighted streamlines between regions.

    Each end of a streamline is assigned to the nearest labelled voxel within
    ``search_radius_mm``. Weights are sums of SIFT2 weights, lengths are weighted means.

    Parameters
    ----------
    files : ConnectomeFiles
        Input files.
    regions : pandas.DataFrame
        Region table; the connectome has its order. Regions without voxels have no connection.
    settings : DiffusionSettings
        Search radius, resamples, seed.
    reference : Connectome, optional
        Connectome to compare with.

    Raises
    ------
    InputError
        A label of the image is missing from the table.
    ToolError
        MRtrix3 is missing or failed.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    logger.info("assigning streamlines to regions")
    edges = read_edges(files, regions, settings.search_radius_mm)
    weights, counts = edges.sums(edges.weights), edges.sums(np.ones_like(edges.weights))
    lengths = np.divide(
        edges.sums(edges.weights * edges.lengths_mm),
        weights,
        out=np.zeros_like(weights),
        where=weights > 0,
    )
    connectome = Connectome(regions, weights, lengths, "tractography (MRtrix3, iFOD2, SIFT2)")
    rng = np.random.default_rng(settings.seed)
    reliability = edge_reliability(edges, settings.resamples, rng)
    quality = connectome_quality(connectome, counts, reliability, reference)
    quality |= field_of_view(files.labels, files.t1_to_dwi, files.fod, regions, files.workdir)
    quality["assigned_share"] = float((edges.ends >= 0).all(axis=1).mean())
    return BuiltConnectome(connectome, counts, density_of(weights, regions), reliability, quality)


def read_edges(files: ConnectomeFiles, regions: pd.DataFrame, search_radius_mm: float) -> Edges:
    """Assign the ends of every streamline to regions (tck2connectome)."""
    nodes = write_regions_in_dwi(files.labels, files.t1_to_dwi, regions, files.workdir)
    lengths = files.workdir / "lengths.txt"
    pairs = assign_ends(files.tracks, nodes, search_radius_mm, files.workdir)
    mrtrix.run("tckstats", files.tracks, "-dump", lengths, "-force", threads=0)
    return Edges(pairs, _numbers(files.weights), _numbers(lengths), len(regions))


def _numbers(path: Path) -> Array:
    """Read a text file of numbers without its comments."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.fromstring(" ".join(lines), sep=" ") if lines else np.zeros(0)


def density_of(weights: Array, regions: pd.DataFrame) -> Array:
    """Return the weights divided by the mean volume of the two regions; 0 for unknown volume."""
    volumes = np.nan_to_num(regions["volume"].to_numpy(dtype=float))
    mean = (volumes[:, None] + volumes[None, :]) / 2
    return np.asarray(np.divide(weights, mean, out=np.zeros_like(weights), where=mean > 0))


def edge_reliability(edges: Edges, resamples: int, rng: np.random.Generator) -> Array:
    """Return one minus the coefficient of variation of each weight under bootstrap.

    Each sample takes every streamline a Poisson number of times (Poisson bootstrap), so memory
    does not grow with the number of samples.
    """
    total = np.zeros((edges.n_regions, edges.n_regions))
    squares = np.zeros_like(total)
    for _ in range(resamples):
        sample = edges.sums(edges.weights * rng.poisson(1.0, len(edges.weights)))
        total += sample
        squares += sample**2
    mean = total / resamples
    deviation = np.sqrt(np.maximum(squares / resamples - mean**2, 0))
    variation = np.divide(deviation, mean, out=np.ones_like(mean), where=mean > 0)
    return np.asarray(np.clip(1 - variation, 0, 1))
