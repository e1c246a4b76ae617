"""Register the T1 to the diffusion series; place its tissues in diffusion space."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.series import Series, read_mif
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.rigid_registration import (
    RegistrationTask,
    read_itk_matrix,
    register_all,
    write_itk_matrix,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
logger = logging.getLogger(__name__)
MIN_OVERLAP = 0.5
"""Smallest Dice overlap of the T1's brain and the head of the diffusion series."""


@dataclass(frozen=True, kw_only=True)
class AlignmentFiles:
    """Input and output files of `align_t1`.

    Parameters
    ----------
    dwi : Path
        Corrected series (MRtrix image).
    t1, t1_mask : Path
        Bias-corrected T1, and its brain mask.
    tissues : Path
        Five-tissue image on the grid of the T1.
    fod : Path
        FODs of the series.
    t1_to_dwi : Path
        Output: rigid transform (ITK text) that resamples the T1 to diffusion space.
    tissues_in_dwi : Path
        Output: five-tissue image in diffusion space.
    workdir : Path
        Folder for temporary files.
    picture : Path, optional
        Output: PNG of the T1's white matter on the diffusion series.
    """

    dwi: Path
    t1: Path
    t1_mask: Path
    tissues: Path
    fod: Path
    t1_to_dwi: Path
    tissues_in_dwi: Path
    workdir: Path
    picture: Path | None = None


def align_t1(files: AlignmentFiles) -> dict[str, Any]:
    """Register the T1 to the diffusion series and place its tissues in diffusion space.

    Parameters
    ----------
    files : AlignmentFiles
        Input and output files.

    Returns
    -------
    dict
        Quality figures: overlap of T1 and diffusion series after registration, and the
        correlation of white matter in both.

    Raises
    ------
    InputError
        T1 and diffusion series do not overlap after registration.
    ToolError
        MRtrix3 is missing or failed.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    series = read_mif(files.dwi, files.workdir)
    quality = _register_t1(series, files)
    with atomic_path(files.tissues_in_dwi) as temporary:
        move_by_header(files.tissues, files.t1_to_dwi, temporary, files.workdir)
    mrtrix.run("5ttcheck", files.tissues_in_dwi, threads=None)
    white, inside, measured = _white_matter(files)
    quality["white_matter_likeness"] = white_matter_correlation(white[inside], measured[inside])
    if files.picture is not None:
        from virtualbrain.diffusion.alignment_figure import draw_alignment  # slow to import

        draw_alignment(files.picture, series.mean_b0.astype(np.float32), white, inside)
    return quality


def white_matter_correlation(expected: NDArray[np.float32], measured: NDArray[np.float32]) -> float:
    """Return the correlation of white matter in the T1 and in the diffusion series.

    It is low if the registration failed or the images show different people.
    """
    varies = len(expected) > 1 and np.ptp(expected) > 0 and np.ptp(measured) > 0
    return float(np.corrcoef(expected, measured)[0, 1]) if varies else 0.0


def _white_matter(files: AlignmentFiles) -> tuple[NDArray[np.float32], Mask, NDArray[np.float32]]:
    """Return white matter of the T1 in diffusion space, brain mask, white matter of the FODs.

    The latter is the isotropic part of the FODs.
    """
    from scipy import ndimage  # slow to import

    copy = files.workdir / "white-in-dwi.nii"
    mrtrix.convert(files.fod, copy, "-coord", 3, 0, "-axes", "0,1,2", "-strides", "1,2,3")
    image, tissues = nib.load(copy), nib.load(files.tissues)
    measured = np.asarray(image.dataobj, dtype=np.float32)
    pull = np.linalg.inv(header_in_dwi(np.asarray(tissues.affine), files.t1_to_dwi)) @ image.affine
    # Half the ratio of the voxel sizes, to avoid aliasing.
    blur = np.abs(np.linalg.det(pull[:3, :3])) ** (1 / 3) / 2

    def in_dwi(volume: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth = ndimage.gaussian_filter(volume, blur)
        return np.asarray(
            ndimage.affine_transform(
                smooth, pull[:3, :3], pull[:3, 3], output_shape=measured.shape, order=1
            )
        )

    stack = np.asarray(tissues.dataobj, dtype=np.float32)
    inside = (in_dwi(stack.sum(axis=3)) > 0.5) & (measured > 0)
    return in_dwi(stack[..., 2]), inside, measured


def _register_t1(series: Series, files: AlignmentFiles) -> dict[str, Any]:
    """Write the rigid transform from T1 to diffusion space; reject it if they do not overlap."""
    t1, inside = nib.load(files.t1), np.asarray(nib.load(files.t1_mask).dataobj) > 0
    if inside.shape != t1.shape[:3]:
        raise InputError(
            f"the shape of the brain mask is {' x '.join(map(str, inside.shape))}",
            where=files.t1_mask.name,
            expected=f"the shape of the T1, {' x '.join(map(str, t1.shape[:3]))}",
            hint="run the anatomy stage again",
        )
    t1_affine = np.asarray(t1.affine, dtype=float)
    head = series.head
    logger.info("registering the T1 to the diffusion series")
    task = RegistrationTask(
        fixed=(series.mean_b0 * head).astype(np.float32),
        moving=(np.asarray(t1.dataobj, dtype=float) * inside).astype(np.float32),
        fixed_affine=series.affine,
        moving_affine=t1_affine,
        from_centres=not _already_close(head, series.affine, inside, t1_affine),
        shrink=(4, 2, 1),
        iterations=(200, 100, 50),
    )
    matrix = register_all([task], 1)[0]
    overlap = _dice_in_field(head, series.affine, inside, t1_affine, matrix)
    if overlap < MIN_OVERLAP:
        raise InputError(
            f"the overlap of T1 and diffusion series after registration is {overlap:.0%}",
            where=files.t1.name,
            expected=f"{MIN_OVERLAP:.0%} or more",
            hint="check that both images show the head of this patient",
        )
    with atomic_path(files.t1_to_dwi) as temporary:
        write_itk_matrix(temporary, matrix)
    return {"t1_overlap": overlap}


def _already_close(head: Mask, affine: Array, inside: Mask, t1_affine: Array) -> bool:
    """Whether the two brains overlap by half before registration, as within one session."""
    return _dice_in_field(head, affine, inside, t1_affine, np.eye(4)) > 0.5


def _dice_in_field(
    head: Mask, affine: Array, inside: Mask, t1_affine: Array, matrix: Array
) -> float:
    """Return the Dice overlap of both brains on the diffusion grid, which may not cover all."""
    from scipy import ndimage  # slow to import

    pull = np.linalg.inv(t1_affine) @ matrix @ affine
    moved = (
        ndimage.affine_transform(
            inside.astype(np.float32), pull[:3, :3], pull[:3, 3], output_shape=head.shape, order=1
        )
        > 0.5
    )
    total = int(head.sum() + moved.sum())
    return 2 * float((head & moved).sum()) / total if total else 0.0


def header_in_dwi(affine: Array, t1_to_dwi: Path) -> Array:
    """Return the affine of an image in T1w space after the transform to diffusion space.

    A rigid transform needs no interpolation: only the affine changes, not the voxels.
    """
    return np.asarray(np.linalg.inv(read_itk_matrix(t1_to_dwi)) @ affine)


def move_by_header(image: Path, t1_to_dwi: Path, target: Path, workdir: Path) -> None:
    """Write an image in T1w space as an MRtrix image in diffusion space; voxels are unchanged."""
    loaded = nib.load(image)
    placed = header_in_dwi(np.asarray(loaded.affine, dtype=float), t1_to_dwi)
    copy = workdir / f"{target.stem}-moved.nii"
    values = np.asarray(loaded.dataobj)
    dtype = np.float32 if values.ndim == 4 else np.int32
    nib.save(nib.Nifti1Image(values.astype(dtype), placed), copy)
    mrtrix.convert(copy, target)
    copy.unlink()
