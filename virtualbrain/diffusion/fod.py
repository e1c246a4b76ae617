"""Response functions, fibre orientation distributions, and the T1 brought to diffusion space."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.diffusion import mrtrix
from virtualbrain.diffusion.alignment_figure import draw_alignment
from virtualbrain.diffusion.head_mask import head_mask
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
"""Dice of the T1's brain and the diffusion head mask, below which they do not belong together."""


@dataclass(frozen=True)
class FodFiles:
    """Files that `estimate_fod` reads and writes.

    Parameters
    ----------
    dwi : Path
        Corrected series (MRtrix image).
    t1, t1_mask : Path
        T1 without bias, and its brain mask.
    tissues : Path or None
        Five-tissue image on the T1's grid.
    fod, t1_to_dwi : Path
        To be written: orientation distributions; rigid transform (ITK text) that resamples the
        T1 into diffusion space.
    tissues_in_dwi : Path
        To be written where `tissues` is there.
    workdir : Path
        Folder for files that are not kept.
    picture : Path, optional
        PNG to write where `tissues` is there: the T1's white matter over the diffusion series.
    """

    dwi: Path
    t1: Path
    t1_mask: Path
    tissues: Path | None
    fod: Path
    t1_to_dwi: Path
    tissues_in_dwi: Path
    workdir: Path
    picture: Path | None = None


def estimate_fod(files: FodFiles, threads: int) -> dict[str, Any]:
    """Estimate fibre orientations and align the T1.

    Responses are estimated from the data (dhollander). With two or more shells three tissues
    are told apart, with one shell and its b0 two (white matter and fluid); the white-matter
    part is made comparable between patients by mtnormalise.

    Parameters
    ----------
    files : FodFiles
        What to read and write.
    threads : int
        Cores to use; the result does not depend on it.

    Returns
    -------
    dict
        Quality: tissues told apart, overlap of T1 and diffusion after alignment.

    Raises
    ------
    InputError
        T1 and diffusion do not overlap after alignment.
    ToolError
        MRtrix3 is missing or failed.
    """
    files.workdir.mkdir(parents=True, exist_ok=True)
    series = read_mif(files.dwi, files.workdir)
    quality = _align(series, files)
    quality |= _deconvolve(series, files, threads)
    if files.tissues is not None:
        with atomic_path(files.tissues_in_dwi) as temporary:
            move_by_header(files.tissues, files.t1_to_dwi, temporary, files.workdir)
        mrtrix.run("5ttcheck", files.tissues_in_dwi, threads=None)
        white, inside, measured = _white_matter(files)
        quality["white_matter_likeness"] = likeness(white[inside], measured[inside])
        if files.picture is not None:
            draw_alignment(files.picture, series.mean_b0.astype(np.float32), white, inside)
    return quality


def likeness(expected: NDArray[np.float32], measured: NDArray[np.float32]) -> float:
    """Return the correlation of the T1's white matter with the diffusion's over the brain.

    Low where the alignment failed, or where the two are of different people.
    """
    varies = len(expected) > 1 and np.ptp(expected) > 0 and np.ptp(measured) > 0
    return float(np.corrcoef(expected, measured)[0, 1]) if varies else 0.0


def _white_matter(files: FodFiles) -> tuple[NDArray[np.float32], Mask, NDArray[np.float32]]:
    """Return the T1's white matter in diffusion space, the brain, and the diffusion's own.

    The diffusion's is the isotropic part of the orientation distributions.
    """
    copy = files.workdir / "white-in-dwi.nii"
    mrtrix.convert(files.fod, copy, "-coord", 3, 0, "-axes", "0,1,2", "-strides", "1,2,3")
    image, tissues = nib.load(copy), nib.load(files.tissues)
    measured = np.asarray(image.dataobj, dtype=np.float32)
    pull = np.linalg.inv(header_in_dwi(np.asarray(tissues.affine), files.t1_to_dwi)) @ image.affine
    # half the ratio of the voxels' sizes, so that nothing aliases
    blur = np.abs(np.linalg.det(pull[:3, :3])) ** (1 / 3) / 2

    def moved(volume: NDArray[np.float32]) -> NDArray[np.float32]:
        smooth = ndimage.gaussian_filter(volume, blur)
        return np.asarray(
            ndimage.affine_transform(
                smooth, pull[:3, :3], pull[:3, 3], output_shape=measured.shape, order=1
            )
        )

    stack = np.asarray(tissues.dataobj, dtype=np.float32)
    inside = (moved(stack.sum(axis=3)) > 0.5) & (measured > 0)
    return moved(stack[..., 2]), inside, measured


def _deconvolve(series: Series, files: FodFiles, threads: int) -> dict[str, Any]:
    """Write the orientation distributions of white matter."""
    work = files.workdir
    mask = work / "mask.mif"
    mrtrix.run("dwi2mask", files.dwi, mask, "-force", threads=threads)
    tissues = ("wm", "gm", "csf")
    responses = {tissue: work / f"response-{tissue}.txt" for tissue in tissues}
    logger.info("response functions (dhollander)")
    mrtrix.run(
        "dwi2response", "dhollander", files.dwi, *responses.values(), "-mask", mask, "-force",
        "-scratch", work, threads=1,
    )  # fmt: skip
    n_shells = len([b for b in series.table.shells() if b > 0])
    used = tissues if n_shells > 1 else ("wm", "csf")
    raw = {tissue: work / f"fod-{tissue}.mif" for tissue in used}
    logger.info("orientation distributions of %s from %d shell(s)", ", ".join(used), n_shells)
    pairs = [item for tissue in used for item in (responses[tissue], raw[tissue])]
    mrtrix.run("dwi2fod", "msmt_csd", files.dwi, *pairs, "-mask", mask, "-force", threads=threads)
    even = {tissue: work / f"even-{tissue}.mif" for tissue in used}
    pairs = [item for tissue in used for item in (raw[tissue], even[tissue])]
    mrtrix.run("mtnormalise", *pairs, "-mask", mask, "-force", threads=1)
    with atomic_path(files.fod) as temporary:
        mrtrix.convert(even["wm"], temporary)
    return {"tissues": list(used), "n_shells": n_shells}


def _align(series: Series, files: FodFiles) -> dict[str, Any]:
    """Write the rigid transform from T1 to diffusion space and judge it."""
    t1, inside = nib.load(files.t1), np.asarray(nib.load(files.t1_mask).dataobj) > 0
    if inside.shape != t1.shape[:3]:
        raise InputError(
            f"the brain mask has the shape {inside.shape}",
            where=files.t1_mask.name,
            expected=f"the T1's, {t1.shape[:3]}",
        )
    t1_affine = np.asarray(t1.affine, dtype=float)
    head = head_mask(series.mean_b0)
    logger.info("aligning the T1 with the diffusion series")
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
            f"T1 and diffusion overlap by {overlap:.0%} after alignment",
            where=files.t1.name,
            expected=f"{MIN_OVERLAP:.0%} or more",
            hint="check that both images are of this patient, and of the head",
        )
    with atomic_path(files.t1_to_dwi) as temporary:
        write_itk_matrix(temporary, matrix)
    return {"t1_overlap": overlap}


def _already_close(head: Mask, affine: Array, inside: Mask, t1_affine: Array) -> bool:
    """Whether the two brains overlap by half as they lie, as in one session they do."""
    return _dice_in_field(head, affine, inside, t1_affine, np.eye(4)) > 0.5


def _dice_in_field(
    head: Mask, affine: Array, inside: Mask, t1_affine: Array, matrix: Array
) -> float:
    """Dice of both brains on the diffusion grid: what it does not cover does not count."""
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
    """Return the affine that places an image of T1 space in diffusion space.

    A rigid move needs no interpolation: changing the affine alone keeps every voxel as it is.
    """
    return np.asarray(np.linalg.inv(read_itk_matrix(t1_to_dwi)) @ affine)


def move_by_header(image: Path, t1_to_dwi: Path, target: Path, workdir: Path) -> None:
    """Write an image of T1 space as an MRtrix image in diffusion space, voxels untouched."""
    loaded = nib.load(image)
    placed = header_in_dwi(np.asarray(loaded.affine, dtype=float), t1_to_dwi)
    copy = workdir / f"{target.stem}-moved.nii"
    values = np.asarray(loaded.dataobj)
    dtype = np.float32 if values.ndim == 4 else np.int32
    nib.save(nib.Nifti1Image(values.astype(dtype), placed), copy)
    mrtrix.convert(copy, target)
    copy.unlink()
