"""Read and write gradient tables: bval and bvec files of FSL, tables of MRtrix."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.number_text import number_rows
from virtualbrain.io.text import read_text

Array = NDArray[np.float64]
B0_LIMIT = 80.0
"""Volumes with a b-value (s/mm²) up to this limit are b = 0 volumes."""
_SHELL_GAP = 100.0


@dataclass(frozen=True)
class GradientTable:
    """b-values and directions of one series, one row per volume.

    Parameters
    ----------
    bvals : numpy.ndarray, shape (n_volumes,)
        s/mm².
    directions : numpy.ndarray, shape (n_volumes, 3)
        Unit vectors in scanner RAS; zero for b = 0 volumes.
    """

    bvals: Array
    directions: Array

    @property
    def is_b0(self) -> NDArray[np.bool_]:
        """Whether each volume is a b = 0 volume."""
        return self.bvals <= B0_LIMIT

    def shells(self) -> dict[int, int]:
        """Return the number of volumes by shell: its mean b-value rounded to 10."""
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
        The file is missing, contains text, or its rows differ in length.
    """
    if not path.is_file():
        raise InputError(
            "no such file",
            where=path.name,
            expected="a bval and a bvec file beside every diffusion image",
            hint="add the file of the same conversion",
        )
    try:
        rows = number_rows(read_text(path))
    except ValueError as error:
        raise InputError(
            f"the file contains text ({_quoted(error)})",
            where=path.name,
            expected="only numbers",
            hint="remove the text, or convert the series again",
        ) from None
    if not rows or len({len(row) for row in rows}) != 1:
        raise InputError(
            "the rows have different lengths" if rows else "the file is empty",
            where=path.name,
            expected="one number per volume in every row",
            hint="convert the series again",
        )
    return np.array(rows)


def _quoted(error: ValueError) -> str:
    """Return the text that is no number, from the message of `float`."""
    return str(error).rpartition(": ")[2][:40]


def read_fsl_gradients(bval: Path, bvec: Path) -> tuple[Array, Array]:
    """Read and check the b-values and directions in FSL's files.

    A direction that is not a number is read as 0 0 0 in a b = 0 volume: FSL's eddy and MRtrix
    write nan there.

    Returns
    -------
    bvals : numpy.ndarray, shape (n_volumes,)
        s/mm².
    bvecs : numpy.ndarray, shape (n_volumes, 3)
        Directions along the image's axes (FSL's convention).

    Raises
    ------
    InputError
        A file is missing or not a table of numbers, the two differ in length, bvec is transposed,
        a direction of a weighted volume is not a unit vector, or a b-value is negative or not a
        number.
    """
    bvals, bvecs = read_numbers(bval).ravel(), read_numbers(bvec)
    n = len(bvals)
    if n == 1 and bvecs.shape == (1, 3):
        bvecs = bvecs.T
    if bvecs.shape != (3, n):
        is_transposed = bvecs.shape == (n, 3)
        raise InputError(
            f"{bvecs.shape[0]} rows of {bvecs.shape[1]} numbers for {n} b-values",
            where=bvec.name,
            expected=f"three rows (x, y, z) of {n} numbers",
            hint="transpose the file"
            if is_transposed
            else "provide the bval and bvec files of the same series",
        )
    wrong = ~np.isfinite(bvals) | (bvals < 0)
    if wrong.any():
        raise InputError(
            f"the b-value of {_volumes(wrong)} is negative or missing",
            where=bval.name,
            expected="b-values of 0 or more",
            hint="convert the series again",
        )
    directions = np.where(np.isfinite(bvecs).all(axis=0) | (bvals > B0_LIMIT), bvecs, 0.0).T
    _require_unit_length(bvals, directions, bvec)
    return bvals, directions


def _require_unit_length(bvals: Array, bvecs: Array, path: Path) -> None:
    """Reject directions of weighted volumes that are not numbers or not unit vectors."""
    weighted, lengths = bvals > B0_LIMIT, np.linalg.norm(bvecs, axis=1)
    missing = weighted & ~np.isfinite(lengths)
    if missing.any():
        raise InputError(
            f"the direction of {_volumes(missing)} is not a number, but the volume is weighted",
            where=path.name,
            expected="a unit vector for every weighted volume",
            hint="convert the series again, or correct the b-value if it is 0",
        )
    wrong = np.flatnonzero((np.abs(lengths - 1) > 0.05) & weighted)
    if len(wrong):
        raise InputError(
            f"the direction of volume {wrong[0] + 1} has the length {lengths[wrong[0]]:.2f}",
            where=path.name,
            expected="a unit vector for every weighted volume",
            hint="check that bval and bvec are in the order of the volumes",
        )


def _volumes(which: NDArray[np.bool_]) -> str:
    """Return the numbers of some volumes in words, at most five."""
    numbers = [str(i + 1) for i in np.flatnonzero(which)]
    more = ", …" if len(numbers) > 5 else ""
    return f"volume{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:5])}{more}"


def to_scanner(bvecs: Array, affine: Array) -> Array:
    """Convert directions of FSL to unit vectors in scanner RAS.

    The axes of FSL are the image axes, with the first one reversed if the affine has a positive
    determinant.

    Parameters
    ----------
    bvecs : numpy.ndarray, shape (n_volumes, 3)
        Directions along the image axes.
    affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS, from the diffusion image.

    Returns
    -------
    numpy.ndarray, shape (n_volumes, 3)
    """
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    flipped = bvecs * ([-1, 1, 1] if np.linalg.det(axes) > 0 else [1, 1, 1])
    return _unit(flipped @ axes.T)


def to_fsl(directions: Array, affine: Array) -> Array:
    """Convert directions in scanner RAS to those of FSL; the inverse of `to_scanner`."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    along = directions @ np.linalg.inv(axes).T
    return _unit(along * ([-1, 1, 1] if np.linalg.det(axes) > 0 else [1, 1, 1]))


def _unit(vectors: Array) -> Array:
    """Scale vectors to unit length; zero vectors are unchanged."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0))


def read_gradients(bval: Path, bvec: Path, affine: Array) -> GradientTable:
    """Read FSL's files as a gradient table in scanner RAS; see `read_fsl_gradients`."""
    bvals, bvecs = read_fsl_gradients(bval, bvec)
    return GradientTable(bvals, to_scanner(bvecs, affine))


def write_fsl_gradients(table: GradientTable, affine: Array, bval: Path, bvec: Path) -> None:
    """Write a gradient table as bval and bvec files of FSL for an image with this affine."""
    np.savetxt(bval, table.bvals[None], fmt="%.10g")
    np.savetxt(bvec, to_fsl(table.directions, affine).T, fmt="%.8f")


def read_mrtrix_gradients(path: Path) -> GradientTable:
    """Read a gradient table of MRtrix: one row x, y, z, b per volume, scanner RAS."""
    rows = np.loadtxt(path, ndmin=2)
    return GradientTable(rows[:, 3], _unit(rows[:, :3]))


def write_mrtrix_gradients(table: GradientTable, path: Path) -> None:
    """Write a gradient table of MRtrix: one row x, y, z, b per volume, scanner RAS."""
    np.savetxt(path, np.column_stack([table.directions, table.bvals]), fmt="%.10g")
