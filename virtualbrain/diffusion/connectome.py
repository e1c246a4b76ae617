"""Build the connectome from weighted streamlines and region labels, with its reliability."""

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
from virtualbrain.diffusion.alignment import header_in_dwi
from virtualbrain.diffusion.quality import connectome_quality, field_of_view
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
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
class Edges:
    """The two end regions, the weight and the length of every streamline.

    Parameters
    ----------
    ends : numpy.ndarray, shape (n_streamlines, 2)
        Row of each end region in the region table; -1 for no region.
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
        """Return the symmetric matrix of the sums of a value over the streamlines of each pair."""
        n = self.n_regions
        flat = np.bincount(self._pair_index, weights=values[self._is_connecting], minlength=n * n)
        upper = flat.reshape(n, n)
        return np.asarray(upper + upper.T)

    @property
    def _is_connecting(self) -> NDArray[np.bool_]:
        """Whether a streamline connects two different regions."""
        assigned = (self.ends >= 0).all(axis=1)
        return np.asarray(assigned & (self.ends[:, 0] != self.ends[:, 1]))

    @property
    def _pair_index(self) -> Integers:
        """Index of the pair of regions in the flattened upper triangle."""
        low_high = np.sort(self.ends[self._is_connecting], axis=1)
        return np.asarray(low_high[:, 0] * self.n_regions + low_high[:, 1])


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
    threads: int,
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
    threads : int
        Number of cores; the result does not depend on it.
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
    """Read a text file of numbers without its comments."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.fromstring(" ".join(lines), sep=" ") if lines else np.zeros(0)


def _nodes_in_dwi(files: ConnectomeFiles, regions: pd.DataFrame) -> nib.Nifti1Image:
    """Return the label image in diffusion space, with labels 1, 2, ... in the table's order."""
    image = nib.load(files.labels)
    labels = np.asarray(image.dataobj).astype(np.int64)
    present = np.unique(labels[labels > 0])
    unknown = np.setdiff1d(present, regions["index"].to_numpy(dtype=np.int64))
    if len(unknown):
        raise InputError(
            f"the label {unknown[0]} is not in the region table",
            where=files.labels.name,
            expected="a row of the region table for every label of the image",
            hint="add the region to the table, or remove the label from the image",
        )
    lookup = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int32)
    for position, index in enumerate(regions["index"].to_numpy(dtype=np.int64), start=1):
        if index < len(lookup):
            lookup[index] = position
    affine = header_in_dwi(np.asarray(image.affine, dtype=float), files.t1_to_dwi)
    return nib.Nifti1Image(lookup[labels], affine)


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
