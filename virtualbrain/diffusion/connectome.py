"""From weighted streamlines and region labels to a connectome and how far to trust it."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.connectome import Connectome
from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.fod import header_in_dwi
from virtualbrain.diffusion.quality import connectome_quality, field_of_view
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConnectomeFiles:
    """Files that `build_connectome` reads.

    Parameters
    ----------
    tracks, weights : Path
        Streamlines (diffusion space) and their SIFT2 weights.
    labels : Path
        Region labels on the T1's grid.
    t1_to_dwi : Path
        Rigid transform from T1 to diffusion space.
    fod : Path
        Orientation distributions; their extent is the field of view.
    workdir : Path
        Folder for files that are not kept.
    """

    tracks: Path
    weights: Path
    labels: Path
    t1_to_dwi: Path
    fod: Path
    workdir: Path


@dataclass(frozen=True)
class Edges:
    """Streamlines as connections: the two regions each one joins, its weight and length.

    Parameters
    ----------
    ends : numpy.ndarray, shape (n_streamlines, 2)
        Positions in the region table; -1 where an end is in no region.
    weights, lengths_mm : numpy.ndarray, shape (n_streamlines,)
        SIFT2 weight and length.
    n_regions : int
        Number of regions.
    """

    ends: Integers
    weights: Array
    lengths_mm: Array
    n_regions: int

    def sums(self, values: Array) -> Array:
        """Return the symmetric matrix of sums of a value over the streamlines of each edge."""
        n = self.n_regions
        flat = np.bincount(self._edge, weights=values[self._joined], minlength=n * n)
        upper = flat.reshape(n, n)
        return np.asarray(upper + upper.T)

    @property
    def _joined(self) -> NDArray[np.bool_]:
        within = (self.ends >= 0).all(axis=1)
        return np.asarray(within & (self.ends[:, 0] != self.ends[:, 1]))

    @property
    def _edge(self) -> Integers:
        low_high = np.sort(self.ends[self._joined], axis=1)
        return np.asarray(low_high[:, 0] * self.n_regions + low_high[:, 1])


@dataclass(frozen=True)
class BuiltConnectome:
    """A connectome from tractography with what is known about each connection.

    Parameters
    ----------
    connectome : Connectome
        Weights are SIFT2-weighted streamline counts.
    counts : numpy.ndarray, shape (n_regions, n_regions)
        Plain streamline counts.
    density : numpy.ndarray, shape (n_regions, n_regions)
        Weights over the mean volume of the two regions, per mm³.
    reliability : numpy.ndarray, shape (n_regions, n_regions)
        One minus the coefficient of variation of the weight when streamlines are resampled,
        not below zero; zero where there is no connection.
    quality : dict
        Figures on the whole.
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
    threads: int,
    reference: Connectome | None = None,
) -> BuiltConnectome:
    """Sum weighted streamlines between regions.

    Each end of a streamline belongs to the nearest labelled voxel within
    ``search_radius_mm``. Weights are sums of SIFT2 weights, lengths are weighted means.

    Parameters
    ----------
    files : ConnectomeFiles
        What to read.
    regions : pandas.DataFrame
        Region table; its order is the connectome's. Regions without voxels stay, unconnected.
    settings : DiffusionSettings
        Search radius, resamples, seed.
    threads : int
        Cores to use; the result does not depend on it.
    reference : Connectome, optional
        One to compare with.

    Raises
    ------
    InputError
        Labels in the image that the table lacks.
    ToolError
        MRtrix3 is missing or failed.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    logger.info("joining streamlines to regions")
    edges = read_edges(files, regions, settings.search_radius_mm, threads)
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


def read_edges(
    files: ConnectomeFiles, regions: pd.DataFrame, search_radius_mm: float, threads: int
) -> Edges:
    """Assign the ends of every streamline to regions (tck2connectome)."""
    nodes, ends = files.workdir / "nodes.nii", files.workdir / "ends.txt"
    lengths, matrix = files.workdir / "lengths.txt", files.workdir / "matrix.csv"
    nib.save(_nodes_in_dwi(files, regions), nodes)
    mrtrix.run(
        "tck2connectome", files.tracks, nodes, matrix, "-out_assignments", ends,
        "-assignment_radial_search", search_radius_mm, "-keep_unassigned", "-force", threads=0,
    )  # fmt: skip
    mrtrix.run("tckstats", files.tracks, "-dump", lengths, "-force", threads=0)
    pairs = np.loadtxt(ends, dtype=np.int64, ndmin=2)[:, :2] - 1
    return Edges(pairs, _numbers(files.weights), _numbers(lengths), len(regions))


def _numbers(path: Path) -> Array:
    """Read a text file of numbers, comments left out."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.fromstring(" ".join(lines), sep=" ") if lines else np.zeros(0)


def _nodes_in_dwi(files: ConnectomeFiles, regions: pd.DataFrame) -> nib.Nifti1Image:
    """Return labels as 1, 2, ... in the table's order, placed in diffusion space."""
    image = nib.load(files.labels)
    labels = np.asarray(image.dataobj).astype(np.int64)
    present = np.unique(labels[labels > 0])
    unknown = np.setdiff1d(present, regions["index"].to_numpy(dtype=np.int64))
    if len(unknown):
        raise InputError(
            f"the label {unknown[0]} is not in the region table",
            where=files.labels.name,
            expected="every label of the image in the table",
            hint="complete the table or remove the label",
        )
    lookup = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int32)
    for position, index in enumerate(regions["index"].to_numpy(dtype=np.int64), start=1):
        if index < len(lookup):
            lookup[index] = position
    affine = header_in_dwi(np.asarray(image.affine, dtype=float), files.t1_to_dwi)
    return nib.Nifti1Image(lookup[labels], affine)


def density_of(weights: Array, regions: pd.DataFrame) -> Array:
    """Return weights over the mean volume of the two regions; zero where it is not known."""
    volumes = np.nan_to_num(regions["volume"].to_numpy(dtype=float))
    mean = (volumes[:, None] + volumes[None, :]) / 2
    return np.asarray(np.divide(weights, mean, out=np.zeros_like(weights), where=mean > 0))


def edge_reliability(edges: Edges, resamples: int, rng: np.random.Generator) -> Array:
    """Return one minus the coefficient of variation of each weight over resampled streamlines.

    Every sample gives each streamline a Poisson number of copies (the bootstrap for many
    independent draws), so memory does not grow with the number of samples.
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
