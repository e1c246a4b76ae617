"""Remove faces from images: keep only voxels near the brain."""

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
# Echo-planar images are distorted by up to one centimetre relative to the T1w.
DWI_MARGIN_MM = 14.0
_KEPT_SIGNAL = 0.6


def face_free_mask(t1: nib.Nifti1Image, seed: int) -> Mask | None:
    """Return the voxels within 8 mm of the brain.

    The brain mask is that of a head template registered to the image. Nose, mouth, ears and most
    of the orbits are farther away.

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        T1w image.
    seed : int
        Seed of the registration.

    Returns
    -------
    numpy.ndarray of bool or None
        None if the image is skull-stripped.
    """
    if is_stripped(t1):
        return None
    return near(template_mask(t1, seed), t1, T1_MARGIN_MM)


def near(mask: Mask, image: nib.Nifti1Image, margin_mm: float) -> Mask:
    """Return the voxels within a distance of a mask."""
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=sizes) <= margin_mm)


def mask_for_series(keep: Mask, t1: nib.Nifti1Image, series: nib.Nifti1Image, name: str) -> Mask:
    """Return the voxels of a diffusion series to keep, from the mask of the T1w.

    Parameters
    ----------
    keep : numpy.ndarray of bool
        Result of `face_free_mask`.
    t1, series : nibabel image
        Images of one session; both affines map to the same scanner RAS.
    name : str
        File name of the series, for messages.

    Raises
    ------
    InputError
        Most of the signal would be lost, because the images are not aligned.
    """
    wider = near(keep, t1, DWI_MARGIN_MM - T1_MARGIN_MM).astype(np.float32)
    grid = nib.Nifti1Image(np.asarray(series.dataobj[..., 0], dtype=np.float32), series.affine)
    keep_series = np.asarray(resample(make_image(wider, t1.affine), grid).dataobj) > 0.5
    first = np.asarray(grid.dataobj)
    bright = first > 0.5 * np.percentile(first, 99)
    kept_signal = keep_series[bright].mean()
    if kept_signal < _KEPT_SIGNAL:
        raise InputError(
            f"only {kept_signal:.0%} of the signal is inside the head of the T1w image",
            where=name,
            expected=f"at least {_KEPT_SIGNAL:.0%}: both images in the same scanner RAS",
            hint="register the series to the T1w image, or deface both with another tool",
        )
    return np.asarray(keep_series)
