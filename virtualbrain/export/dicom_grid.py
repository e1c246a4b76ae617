"""Lay out the voxels of an image as DICOM slices, without resampling."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.orientations import (
    apply_orientation,
    axcodes2ornt,
    inv_ornt_aff,
    io_orientation,
    ornt_transform,
)
from numpy.typing import NDArray

from virtualbrain.anatomy.voxel_grids import is_orthogonal
from virtualbrain.errors import InputError

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class SliceGrid:
    """The voxel grid of an image as a stack of slices.

    The axes of the voxels are only reordered and flipped: columns run to the left, rows to the
    back, slices upward, as nearly as the image's own axes allow. An oblique grid stays oblique.

    Parameters
    ----------
    affine : numpy.ndarray, shape (4, 4)
        From (column, row, slice) to mm in LPS, the patient coordinates of DICOM.
    reorder : numpy.ndarray, shape (3, 2)
        Orientation transform of nibabel, from the image's axes to (column, row, slice).
    shape : tuple of int
        Columns, rows, slices.
    """

    affine: NDArray[np.float64]
    reorder: NDArray[np.float64]
    shape: tuple[int, int, int]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance of columns, rows and slices, mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def orientation(self) -> list[float]:
        """Directions of growing column and of growing row, as in ImageOrientationPatient."""
        axes = self.affine[:3, :3] / np.array(self.spacing)
        return [float(value) for value in (*axes[:, 0], *axes[:, 1])]

    def position(self, number: int) -> list[float]:
        """Return the centre of the first voxel of a slice, mm, as in ImagePositionPatient."""
        return [float(v) for v in (self.affine @ np.array([0, 0, number, 1.0]))[:3]]

    def slices(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the voxels of an image on the grid as an array (slice, row, column)."""
        return np.ascontiguousarray(apply_orientation(voxels, self.reorder).transpose(2, 1, 0))


def slice_grid(image: nib.Nifti1Image) -> SliceGrid:
    """Return the voxel grid of an image as a stack of slices.

    Raises
    ------
    InputError
        The voxel axes are not orthogonal: DICOM slices cannot hold them.
    """
    affine = np.asarray(image.affine, dtype=float)
    if not is_orthogonal(affine):
        raise InputError(
            "the voxel axes of the T1w image are not orthogonal",
            where="--format dicom",
            expected="an image that DICOM slices can hold",
            hint="resample the T1w image to orthogonal axes and run the pipeline again",
        )
    reorder = ornt_transform(io_orientation(affine), axcodes2ornt("LPS"))
    turned = _RAS_TO_LPS @ affine @ inv_ornt_aff(reorder, image.shape[:3])
    columns, rows, slices = (int(image.shape[axis]) for axis in np.argsort(reorder[:, 0]))
    return SliceGrid(turned, reorder, (columns, rows, slices))
