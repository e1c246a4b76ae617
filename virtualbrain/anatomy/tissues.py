"""Segment grey matter, white matter and fluid, and build MRtrix's five-tissue image."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from virtualbrain.anatomy.voxel_grids import COARSER, isotropic, resample, resample_mask
from virtualbrain.io.images import make_image
from virtualbrain.rigid_registration import import_ants, itk_workers, volume_to_ants

CORTICAL, SUBCORTICAL, WHITE, FLUID, PATHOLOGICAL = range(5)
Volume = NDArray[np.float32]
# Threads of Atropos: with a constant seed its result does not depend on their number.
_THREADS = 2


@dataclass(frozen=True)
class Tissues:
    """Probabilities of fluid, grey and white matter on one grid; 0 outside the brain."""

    csf: Volume
    gm: Volume
    wm: Volume

    @property
    def is_grey(self) -> NDArray[np.bool_]:
        """Voxels in which grey matter is the most probable tissue."""
        return np.asarray((self.gm >= self.wm) & (self.gm > self.csf))

    @property
    def is_white(self) -> NDArray[np.bool_]:
        """Voxels in which white matter is the most probable tissue."""
        return np.asarray((self.wm > self.gm) & (self.wm > self.csf))


def segment_tissues(
    brain: nib.Nifti1Image,
    mask: NDArray[np.bool_],
    priors: tuple[nib.Nifti1Image, nib.Nifti1Image],
    prior_weight: float = 0.1,
    voxel_mm: float = 0.0,
) -> Tissues:
    """Segment a T1 with Atropos (Avants 2011): Gaussian classes, Markov field, template priors.

    Parameters
    ----------
    brain : nibabel.Nifti1Image
        Bias-corrected T1.
    mask : numpy.ndarray of bool
        Brain mask.
    priors : tuple of two images
        Grey and white matter probability of the template, on the grid of `brain`.
    prior_weight : float
        0 uses the intensities alone, 1 the priors alone.
    voxel_mm : float
        Voxel size of the segmentation; voxels that are finer by more than a third are resampled
        to it, and the result back.
    """
    if voxel_mm < COARSER * voxel_sizes(brain.affine).max():
        return _segment(brain, mask, priors, prior_weight)
    grid = isotropic(brain, voxel_mm)
    moved = (resample(priors[0], grid), resample(priors[1], grid))
    coarse = _segment(resample(brain, grid), resample_mask(mask, brain, grid), moved, prior_weight)
    parts = [
        np.asarray(resample(make_image(part, grid.affine), brain).dataobj)
        for part in (coarse.csf, coarse.gm, coarse.wm)
    ]
    total = parts[0] + parts[1] + parts[2]
    inside = mask & (total > 0)
    return Tissues(
        *(np.divide(part, total, out=np.zeros_like(part), where=inside) for part in parts)
    )


def _segment(
    brain: nib.Nifti1Image,
    mask: NDArray[np.bool_],
    priors: tuple[nib.Nifti1Image, nib.Nifti1Image],
    prior_weight: float,
) -> Tissues:
    """Segment an image on its own grid."""
    grey, white = (np.clip(np.asarray(p.dataobj, dtype=np.float32), 0, 1) for p in priors)
    fluid = np.clip(1 - grey - white, 0, 1)
    # The floor keeps every class possible in every voxel.
    stack = np.stack([fluid, grey, white]) * 0.97 + 0.01
    stack = np.where(mask, stack / stack.sum(axis=0), 0).astype(np.float32)
    with itk_workers(1, _THREADS) as pool:
        found = pool.submit(_atropos, brain, mask, stack, prior_weight).result()
    return Tissues(*(np.where(mask, one, 0).astype(np.float32) for one in found))


def _atropos(
    brain: nib.Nifti1Image, mask: NDArray[np.bool_], priors: Volume, prior_weight: float
) -> list[Volume]:
    """Return the probability of each class, in a process with more threads."""
    ants = import_ants()

    def converted(volume: NDArray[Any]) -> Any:
        return volume_to_ants(volume.astype(np.float32), brain.affine)

    with _own_temporary_folder():
        found = ants.atropos(
            a=converted(np.asarray(brain.dataobj)),
            x=converted(mask),
            i=[converted(one) for one in priors],
            m="[0.1,1x1x1]",
            c="[3,0]",
            priorweight=prior_weight,
            r=0,  # a constant seed instead of the time
        )["probabilityimages"]
    return [one.numpy() for one in found]


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """Remove the patient's images that ANTs leaves in the folder of temporary files."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def five_tissues(
    tissues: Tissues,
    mask: NDArray[np.bool_],
    nuclei: NDArray[np.bool_],
    white_zone: NDArray[np.bool_],
    lesion: NDArray[np.bool_] | None = None,
) -> Volume:
    """Return the five-tissue volumes of MRtrix, shape (x, y, z, 5).

    The order is cortical grey, subcortical grey, white matter, fluid, lesion. The sum is 1
    inside the brain and 0 outside, as ``5ttcheck`` requires. Nuclei are entirely subcortical
    grey; the brainstem (`white_zone`) is white matter, as in ``5ttgen``.
    """
    stack = np.zeros((*mask.shape, 5), dtype=np.float32)
    stack[..., CORTICAL], stack[..., WHITE] = tissues.gm, tissues.wm
    stack[..., FLUID] = tissues.csf
    stack[nuclei] = _only(SUBCORTICAL)
    stem = white_zone & ~nuclei
    stack[stem, WHITE] += stack[stem, CORTICAL]
    stack[stem, CORTICAL] = 0
    if lesion is not None:
        stack[lesion] = _only(PATHOLOGICAL)
    total = stack.sum(axis=-1)
    stack[mask & (total <= 0.01)] = _only(FLUID)
    stack[~mask] = 0
    total = stack.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(stack, total, out=stack, where=total > 0), dtype=np.float32)


def _only(tissue: int) -> NDArray[np.float32]:
    """Return the probabilities of a voxel that is entirely one tissue."""
    row = np.zeros(5, dtype=np.float32)
    row[tissue] = 1
    return row


def grey_white_contrast(t1: NDArray[np.float32], tissues: Tissues) -> float:
    """Return the contrast-to-noise ratio: difference of the means over the pooled SD."""
    grey, white = t1[tissues.is_grey], t1[tissues.is_white]
    if not grey.size or not white.size:
        return float("nan")
    pooled = float(np.sqrt((grey.var() + white.var()) / 2))
    return float(abs(white.mean() - grey.mean()) / pooled) if pooled else float("nan")
