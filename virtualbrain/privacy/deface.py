"""Faces taken out of images: only the head near the brain stays."""

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.brain_mask import is_stripped
from virtualbrain.anatomy.preprocess import template_mask
from virtualbrain.anatomy.voxel_grids import resample
from virtualbrain.errors import InputError
from virtualbrain.io.images import make_image

Mask = NDArray[np.bool_]

T1_MARGIN_MM = 8.0
# Echo-planar images are bent by up to a centimetre against the T1.
DWI_MARGIN_MM = 14.0
_KEPT_SIGNAL = 0.6


def face_free_mask(t1: nib.Nifti1Image, seed: int) -> Mask | None:
    """Return the voxels of a head that lie within 8 mm of the brain.

    The brain is that of a head template registered to the image; nose, mouth, ears and most of
    the orbits lie farther away.

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        A T1.
    seed : int
        Seed of the registration.

    Returns
    -------
    numpy.ndarray of bool or None
        None where the image is a brain without a head.
    """
    if is_stripped(t1):
        return None
    return near(template_mask(t1, seed), t1, T1_MARGIN_MM)


def near(mask: Mask, image: nib.Nifti1Image, margin_mm: float) -> Mask:
    """Return which voxels lie within a distance of a mask."""
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sizes) <= margin_mm)


def mask_for_series(keep: Mask, t1: nib.Nifti1Image, series: nib.Nifti1Image, name: str) -> Mask:
    """Return which voxels of a diffusion series stay, by the T1's mask in scanner RAS.

    Parameters
    ----------
    keep : numpy.ndarray of bool
        From `face_free_mask`.
    t1, series : nibabel image
        Of one session: both affines lead to the same frame.
    name : str
        The series, for messages.

    Raises
    ------
    InputError
        Most of the series' signal would be lost: the two do not lie over each other.
    """
    wider = near(keep, t1, DWI_MARGIN_MM - T1_MARGIN_MM).astype(np.float32)
    grid = nib.Nifti1Image(np.asarray(series.dataobj[..., 0], dtype=np.float32), series.affine)
    found = np.asarray(resample(make_image(wider, t1.affine), grid).dataobj) > 0.5
    first = np.asarray(grid.dataobj)
    bright = first > 0.5 * np.percentile(first, 99)
    if found[bright].mean() < _KEPT_SIGNAL:
        raise InputError(
            f"only {found[bright].mean():.0%} of the signal lies over the T1's head",
            where=name,
            expected="T1 and diffusion series in one scanner frame",
            hint="register them first, or deface them by yourself",
        )
    return np.asarray(found)
