"""Load a diffusion series: volumes, affine, gradient table and phase encoding."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import DwiSeries, EpiImage
from virtualbrain.io.gradients import (
    GradientTable,
    read_gradients,
    read_mrtrix_gradients,
    write_mrtrix_gradients,
)
from virtualbrain.io.images import open_image, read_image

Array = NDArray[np.float64]
Volumes = NDArray[np.float32]


@dataclass(frozen=True)
class PhaseEncoding:
    """Phase encoding of a series.

    Parameters
    ----------
    direction : tuple of float
        Unit vector in scanner RAS.
    readout_s : float
        Total readout time in seconds; NaN if the sidecar does not state it.
    """

    direction: tuple[float, float, float]
    readout_s: float


@dataclass(frozen=True)
class Series:
    """Diffusion volumes on one voxel grid.

    Parameters
    ----------
    volumes : numpy.ndarray, shape (nx, ny, nz, n_volumes)
        Signal.
    affine : numpy.ndarray, shape (4, 4)
        Voxel to scanner RAS, mm.
    table : GradientTable
        One row per volume, scanner RAS.
    phase_encoding : PhaseEncoding, optional
        None if the sidecar does not state it with its sign.
    """

    volumes: Volumes
    affine: Array
    table: GradientTable
    phase_encoding: PhaseEncoding | None = None

    @property
    def voxel_sizes(self) -> Array:
        """Voxel sizes, mm."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @cached_property
    def mean_b0(self) -> Array:
        """Mean of the b = 0 volumes."""
        return np.asarray(self.volumes[..., self.table.is_b0].mean(axis=3), dtype=np.float64)

    @cached_property
    def head(self) -> NDArray[np.bool_]:
        """Rough head mask."""
        return head_mask(self.mean_b0)

    def with_volumes(self, volumes: Volumes) -> "Series":
        """Return the series with other voxel values on the same grid."""
        return replace(self, volumes=np.asarray(volumes, dtype=np.float32))

    def has_same_grid(self, other: "Series", *, tolerance_mm: float) -> bool:
        """Whether two series have the same shape and affine."""
        same_shape = self.volumes.shape[:3] == other.volumes.shape[:3]
        return bool(same_shape and np.allclose(self.affine, other.affine, atol=tolerance_mm))


def load_series(files: DwiSeries) -> Series:
    """Read a BIDS diffusion series.

    Raises
    ------
    InputError
        The image or its gradient files are invalid or do not match.
    """
    volumes, affine = _read_volumes(files.image)
    table = read_gradients(files.bval, files.bvec, affine)
    if len(table.bvals) != volumes.shape[3]:
        raise InputError(
            f"{len(table.bvals)} b-values for {volumes.shape[3]} "
            f"volume{'s' if volumes.shape[3] > 1 else ''}",
            where=f"{files.bval.name}, {files.image.name}",
            expected="one b-value per volume",
            hint="provide the bval and bvec files of this series",
        )
    return Series(volumes, affine, table, read_phase_encoding(files.sidecar, affine))


def load_epi(files: EpiImage) -> Series:
    """Read an image in fmap/: one or more b = 0 volumes.

    Raises
    ------
    InputError
        The image is invalid, or its sidecar does not state the phase encoding.
    """
    volumes, affine = _read_volumes(files.image)
    phase_encoding = read_phase_encoding(files.sidecar, affine)
    if phase_encoding is None:
        raise InputError(
            "PhaseEncodingDirection is missing or invalid",
            where=files.sidecar.name,
            expected="i, j, k, i-, j- or k-",
            hint="add PhaseEncodingDirection to the sidecar, or remove the image from fmap/",
        )
    n = volumes.shape[3]
    return Series(volumes, affine, GradientTable(np.zeros(n), np.zeros((n, 3))), phase_encoding)


def _read_volumes(path: Path) -> tuple[Volumes, Array]:
    """Return the volumes (nx, ny, nz, n) and the affine of a series; one volume is a series."""
    n_axes = len([n for n in open_image(path).shape if n > 1])
    image = read_image(path, dimensions=3 if n_axes <= 3 else 4)
    volumes = np.asarray(image.dataobj, dtype=np.float32)
    if volumes.ndim == 3:
        volumes = volumes[..., None]
    return volumes, np.asarray(image.affine, dtype=np.float64)


def read_phase_encoding(sidecar: Path | None, affine: Array) -> PhaseEncoding | None:
    """Return the phase encoding from a BIDS sidecar; None if it states none.

    Raises
    ------
    InputError
        The sidecar is not a JSON object.
    """
    if sidecar is None:
        return None
    stated = read_json(sidecar)
    code = stated.get("PhaseEncodingDirection")
    if code not in ("i", "i-", "j", "j-", "k", "k-"):
        return None
    axis = affine[:3, "ijk".index(code[0])]
    direction = axis / np.linalg.norm(axis) * (-1 if code.endswith("-") else 1)
    readout = stated.get("TotalReadoutTime")
    return PhaseEncoding(
        (float(direction[0]), float(direction[1]), float(direction[2])),
        float(readout) if isinstance(readout, (int, float)) else float("nan"),
    )


def write_mif(series: Series, path: Path, workdir: Path, *options: object) -> None:
    """Write a series as an MRtrix image with its gradients in the header.

    `options` are passed to mrconvert.
    """
    image, table = workdir / f"{path.stem}_write.nii", workdir / f"{path.stem}_write.b"
    nib.save(nib.Nifti1Image(series.volumes, series.affine), image)
    write_mrtrix_gradients(series.table, table)
    mrtrix.convert(image, path, "-grad", table, *options)
    image.unlink()
    table.unlink()


def read_mif(path: Path, workdir: Path) -> Series:
    """Read an MRtrix image with its gradients, without phase encoding."""
    image, table = workdir / f"{path.stem}_read.nii", workdir / f"{path.stem}_read.b"
    mrtrix.convert(path, image, "-strides", "1,2,3,4", "-export_grad_mrtrix", table)
    loaded = nib.load(image)
    volumes, affine = np.asarray(loaded.dataobj, dtype=np.float32), np.asarray(loaded.affine)
    series = Series(volumes, affine, read_mrtrix_gradients(table))
    image.unlink()
    table.unlink()
    return series
