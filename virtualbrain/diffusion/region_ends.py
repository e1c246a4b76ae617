"""Place the regions in diffusion space and assign the ends of streamlines to them."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.alignment import header_in_dwi
from virtualbrain.errors import InputError

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


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


def regions_in_dwi(labels: Path, t1_to_dwi: Path, regions: pd.DataFrame) -> nib.Nifti1Image:
    """Return the label image in diffusion space, with labels 1, 2, ... in the table's order.

    Parameters
    ----------
    labels : Path
        Label image on the grid of the T1.
    t1_to_dwi : Path
        Rigid transform from T1 to diffusion space.
    regions : pandas.DataFrame
        Region table.

    Raises
    ------
    InputError
        A label of the image is missing from the table.
    """
    image = nib.load(labels)
    values = np.asarray(image.dataobj).astype(np.int64)
    present = np.unique(values[values > 0])
    unknown = np.setdiff1d(present, regions["index"].to_numpy(dtype=np.int64))
    if len(unknown):
        raise InputError(
            f"the label {unknown[0]} is not in the region table",
            where=labels.name,
            expected="a row of the region table for every label of the image",
            hint="add the region to the table, or remove the label from the image",
        )
    lookup = np.zeros(int(values.max(initial=0)) + 1, dtype=np.int32)
    for position, index in enumerate(regions["index"].to_numpy(dtype=np.int64), start=1):
        if index < len(lookup):
            lookup[index] = position
    affine = header_in_dwi(np.asarray(image.affine, dtype=float), t1_to_dwi)
    return nib.Nifti1Image(lookup[values], affine)


def write_regions_in_dwi(
    labels: Path, t1_to_dwi: Path, regions: pd.DataFrame, workdir: Path
) -> Path:
    """Write the image of `regions_in_dwi` to a folder and return its path."""
    path = workdir / "nodes.nii"
    nib.save(regions_in_dwi(labels, t1_to_dwi, regions), path)
    return path


def assign_ends(tracks: Path, nodes: Path, search_radius_mm: float, workdir: Path) -> Integers:
    """Return the row of the region at both ends of every streamline; -1 for no region.

    An end belongs to the nearest labelled voxel within the search radius (tck2connectome).

    Parameters
    ----------
    tracks : Path
        Streamlines (tck).
    nodes : Path
        Image of `regions_in_dwi`.
    search_radius_mm : float
        Largest distance between the end of a streamline and its region.
    workdir : Path
        Folder for temporary files.
    """
    ends, matrix = (workdir / f"{tracks.stem}-{name}" for name in ("ends.txt", "matrix.csv"))
    mrtrix.run(
        "tck2connectome", tracks, nodes, matrix, "-out_assignments", ends,
        "-assignment_radial_search", search_radius_mm, "-keep_unassigned", "-force", threads=0,
    )  # fmt: skip
    return np.loadtxt(ends, dtype=np.int64, ndmin=2)[:, :2] - 1


def counts_between(
    tracks: Path, nodes: Path, n_regions: int, search_radius_mm: float, workdir: Path
) -> Array:
    """Return the number of streamlines between every two regions (parameters of `assign_ends`)."""
    ends = assign_ends(tracks, nodes, search_radius_mm, workdir)
    ones = np.ones(len(ends))
    return Edges(ends, ones, np.zeros(len(ends)), n_regions).sums(ones)
