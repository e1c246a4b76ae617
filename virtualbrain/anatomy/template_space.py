"""Register the template to a patient whose tissues are known, to express results in MNI152."""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray

from virtualbrain.anatomy.preprocess import Head, on_working_grid
from virtualbrain.anatomy.quality import dice
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template import load_template
from virtualbrain.anatomy.template_registration import (
    Pair,
    Warp,
    register_affine,
    register_deformable,
)
from virtualbrain.anatomy.voxel_grids import is_orthogonal, isotropic, resample
from virtualbrain.io.images import make_image

TEMPLATE_SPACE = "MNI152NLin2009aSym"
"""Name of the template's space in BIDS."""
_WHITE, _LESION = 2, 4  # volumes of a five-tissue image


@dataclass(frozen=True)
class TemplateSpace:
    """A patient's transform to the template.

    Parameters
    ----------
    warp : Warp
        The transform.
    grid : nibabel.Nifti1Image
        The template's T1, whose voxel grid images are resampled to.
    overlap : float
        Dice coefficient of the patient's brain mask in template space and the template's mask.
    """

    warp: Warp
    grid: nib.Nifti1Image
    overlap: float

    def labels(self, image: nib.Nifti1Image) -> nib.Nifti1Image:
        """Return a label image of the patient in template space."""
        if not is_orthogonal(image.affine):
            image = resample(
                image, isotropic(image, float(voxel_sizes(image.affine).min())), order=0
            )
        return self.warp.labels_to_template(image, self.grid)

    def points(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of the patient (mm, scanner RAS) in template space (mm, RAS)."""
        return self.warp.points_to_template(points)


def register_to_template(
    t1: nib.Nifti1Image,
    brain_mask: nib.Nifti1Image,
    tissues: nib.Nifti1Image,
    settings: AnatomySettings,
    folder: Path,
    seed: int,
) -> TemplateSpace:
    """Register the template to a patient with affine and SyN, as the anatomy stage does.

    Parameters
    ----------
    t1, brain_mask : nibabel.Nifti1Image
        Bias-corrected T1 and brain mask.
    tissues : nibabel.Nifti1Image
        Five-tissue image on the grid of the T1; its lesion is ignored by the registration.
    settings : AnatomySettings
        Resolution of the registration.
    folder : Path
        Folder for the files of the transform; it must outlive the result.
    seed : int
        Seed of ANTs.

    Raises
    ------
    ToolError
        ANTs failed.
    """
    template = load_template()
    volumes = np.asarray(tissues.dataobj, dtype=np.float32)
    lesion = volumes[..., _LESION] > 0.5
    whole = Head(t1, np.asarray(brain_mask.dataobj) > 0, lesion if lesion.any() else None)
    head = on_working_grid(whole, settings.working_mm)
    white = resample(make_image(volumes[..., _WHITE], t1.affine), head.t1)
    start = register_affine(head.brain, template.t1, folder, seed, head.healthy)
    pairs = [Pair(head.brain, template.t1), Pair(white, template.wm)]
    warp = register_deformable(
        pairs, start, folder, seed, effort=settings.registration, healthy=head.healthy
    )
    mask = warp.labels_to_template(
        make_image(head.mask.astype(np.int32), head.t1.affine), template.t1
    )
    overlap = dice(np.asarray(mask.dataobj) > 0, template.mask)
    return TemplateSpace(warp, template.t1, overlap)
