"""Diffusion gradient tables: FSL's bval and bvec files, and MRtrix's table in scanner space."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError

Array = NDArray[np.float64]
B0_LIMIT = 80.0
"""b-values (s/mm²) up to this one count as no diffusion weighting."""
_SHELL_GAP = 100.0


@dataclass(frozen=True)
class GradientTable:
    """b-values and directions of one series, volume by volume.

    Parameters
    ----------
    bvals : numpy.ndarray, shape (n_volumes,)
        s/mm².
    directions : numpy.ndarray, shape (n_volumes, 3)
        Unit vectors in scanner RAS; zero where there is no weighting.
    """

    bvals: Array
    directions: Array

    @property
    def is_b0(self) -> NDArray[np.bool_]:
        """Which volumes have no diffusion weighting."""
        return self.bvals <= B0_LIMIT

    def shells(self) -> dict[int, int]:
        """Return the number of volumes per shell; a shell is its mean b-value, rounded to 10."""
        ordered = np.sort(self.bvals[~self.is_b0])
        groups = np.split(ordered, np.flatnonzero(np.diff(ordered) > _SHELL_GAP) + 1)
        found = {int(round(float(g.mean()), -1)): len(g) for g in groups if len(g)}
        n_b0 = int(self.is_b0.sum())
        return ({0: n_b0} if n_b0 else {}) | found


def read_numbers(path: Path) -> Array:
    """Return the numbers of a text file as a matrix, one row per line.

    Raises
    ------
    InputError
        The file is missing, holds text, or its lines differ in length.
    """
    if not path.is_file():
        raise InputError(
            "no such file",
            where=path.name,
            expected="a bval and a bvec file beside every diffusion image",
        )
    lines = [line.replace(",", " ").split() for line in path.read_text("utf-8").splitlines()]
    try:
        rows = [[float(cell) for cell in line] for line in lines if line]
    except ValueError:
        raise InputError("holds text", where=path.name, expected="numbers only") from None
    if not rows or len({len(row) for row in rows}) != 1:
        raise InputError(
            "lines of different length", where=path.name, expected="one number per volume"
        )
    return np.array(rows)


def read_fsl_gradients(bval: Path, bvec: Path) -> tuple[Array, Array]:
    """Read b-values and directions as they stand in FSL's files, checked.

    Returns
    -------
    bvals : numpy.ndarray, shape (n_volumes,)
        s/mm².
    bvecs : numpy.ndarray, shape (n_volumes, 3)
        Directions along the image's axes (FSL's convention).

    Raises
    ------
    InputError
        A file is missing or no table of numbers, the two differ in length, bvec stands in
        columns instead of rows, a direction is not of unit length, or a b-value is negative.
    """
    bvals, bvecs = read_numbers(bval).ravel(), read_numbers(bvec)
    n = len(bvals)
    if bvecs.shape != (3, n):
        turned = bvecs.shape == (n, 3)
        raise InputError(
            f"{bvecs.shape[0]} rows of {bvecs.shape[1]} numbers for {n} b-values",
            where=bvec.name,
            expected=f"three rows (x, y, z) of {n} numbers",
            hint="transpose the file" if turned else "take bval and bvec of the same series",
        )
    if not (np.isfinite(bvals).all() and np.isfinite(bvecs).all() and (bvals >= 0).all()):
        raise InputError(
            "negative or missing values", where=bval.name, expected="b-values of zero or more"
        )
    _require_unit_length(bvals, bvecs.T, bvec)
    return bvals, bvecs.T


def _require_unit_length(bvals: Array, bvecs: Array, path: Path) -> None:
    """Refuse directions that are not of unit length where there is weighting."""
    lengths = np.linalg.norm(bvecs, axis=1)
    wrong = np.flatnonzero((np.abs(lengths - 1) > 0.05) & (bvals > B0_LIMIT))
    if len(wrong):
        raise InputError(
            f"volume {wrong[0] + 1} has a direction of length {lengths[wrong[0]]:.2f}",
            where=path.name,
            expected="unit vectors",
            hint="check that bval and bvec are in the order of the volumes",
        )


def to_scanner(bvecs: Array, affine: Array) -> Array:
    """Turn FSL directions into unit vectors in scanner RAS.

    FSL's axes are the image's, with the first one reversed when the affine has a positive
    determinant.

    Parameters
    ----------
    bvecs : numpy.ndarray, shape (n_volumes, 3)
        Directions along the image's axes.
    affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS, of the image the directions belong to.

    Returns
    -------
    numpy.ndarray, shape (n_volumes, 3)
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    flipped = bvecs * ([-1, 1, 1] if np.linalg.det(axes) > 0 else [1, 1, 1])
    return _unit(flipped @ axes.T)


def to_fsl(directions: Array, affine: Array) -> Array:
    """Turn scanner RAS directions into FSL's, the inverse of `to_scanner`."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    along = directions @ np.linalg.inv(axes).T
    return _unit(along * ([-1, 1, 1] if np.linalg.det(axes) > 0 else [1, 1, 1]))


def _unit(vectors: Array) -> Array:
    """Scale to unit length; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def read_gradients(bval: Path, bvec: Path, affine: Array) -> GradientTable:
    """Read FSL's files as a table in scanner space; see `read_fsl_gradients`."""
    bvals, bvecs = read_fsl_gradients(bval, bvec)
    return GradientTable(bvals, to_scanner(bvecs, affine))


def write_fsl_gradients(table: GradientTable, affine: Array, bval: Path, bvec: Path) -> None:
    """Write a table as FSL's pair of files for an image with this affine."""
    np.savetxt(bval, table.bvals[None], fmt="%.10g")
    np.savetxt(bvec, to_fsl(table.directions, affine).T, fmt="%.8f")


def read_mrtrix_gradients(path: Path) -> GradientTable:
    """Read MRtrix's table: one line x, y, z, b per volume, scanner RAS."""
    rows = np.loadtxt(path, ndmin=2)
    return GradientTable(rows[:, 3], _unit(rows[:, :3]))


def write_mrtrix_gradients(table: GradientTable, path: Path) -> None:
    """Write MRtrix's table: one line x, y, z, b per volume, scanner RAS."""
    np.savetxt(path, np.column_stack([table.directions, table.bvals]), fmt="%.10g")
