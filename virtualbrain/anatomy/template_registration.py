"""Register the MNI152 template to a patient's brain with ANTs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy.settings import Registration
from virtualbrain.anatomy.voxel_grids import (
    from_ants,
    isotropic,
    isotropic_around,
    load_ants,
    resample,
    resample_mask,
    to_ants,
)
from virtualbrain.errors import ToolError
from virtualbrain.io.images import make_image
from virtualbrain.rigid_registration import import_ants, itk_workers

# Voxel size in mm of the deformation, and iterations at 4, 2 and 1 times that size.
# 1 mm takes many times longer and follows the cortical folds hardly better.
_EFFORTS: dict[Registration, tuple[float, tuple[int, ...]]] = {
    "standard": (2.0, (60, 40, 15)),
    "quick": (3.0, (30, 15, 5)),
}
# Voxel size of the affine registration, with which the deformation only starts, and of the template
# in the deformable one: sharper than the patient's image it is followed less well.
_AFFINE_MM, _TEMPLATE_MM = 2.0, 2.0
# Around the brain (or the head).
_MARGIN_MM = 8.0
# Threads of the deformable registration: its result does not depend on their number.
_THREADS = 2


@dataclass(frozen=True)
class Warp:
    """The transform from template to patient.

    Parameters
    ----------
    transforms : tuple of str
        Files of ANTs, in the order of application: at most one deformation, then the affine
        transform.
    inverse_deformation : str, optional
        File of the inverse of the deformation.
    """

    transforms: tuple[str, ...]
    inverse_deformation: str | None = None

    def apply(
        self, image: nib.Nifti1Image, grid: nib.Nifti1Image, *, labels: bool = False
    ) -> nib.Nifti1Image:
        """Resample an image in template space to a patient's grid (labels: nearest neighbour)."""
        moved = load_ants().apply_transforms(
            fixed=to_ants(grid),
            moving=to_ants(image),
            transformlist=list(self.transforms),
            interpolator="nearestNeighbor" if labels else "linear",
        )
        result = from_ants(moved, grid)
        if not labels:
            return result
        return make_image(np.rint(np.asarray(result.dataobj)).astype(np.int32), grid.affine)

    def labels_to_template(
        self, labels: nib.Nifti1Image, template: nib.Nifti1Image
    ) -> nib.Nifti1Image:
        """Resample a label image of the patient to the template's grid (nearest neighbour)."""
        affine = self.transforms[-1:]
        deformation = () if self.inverse_deformation is None else (self.inverse_deformation,)
        moved = load_ants().apply_transforms(
            fixed=to_ants(template),
            moving=to_ants(labels),
            transformlist=[*affine, *deformation],
            whichtoinvert=[True, *(False for _ in deformation)],
            interpolator="nearestNeighbor",
        )
        return make_image(np.rint(moved.numpy()).astype(np.int32), template.affine)

    def points_to_template(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return points of the patient (mm, scanner RAS) in template space (mm, RAS).

        A point is not interpolated: it follows the transform that resamples the template.
        """
        if not len(points):
            return np.empty((0, 3))
        to_lps = np.array([-1.0, -1.0, 1.0])
        lps = np.vstack([points, points[:1]]) * to_lps  # ANTs rejects a single point
        frame = pd.DataFrame(lps, columns=["x", "y", "z"])
        moved = load_ants().apply_transforms_to_points(3, frame, list(self.transforms))
        return np.asarray(moved[["x", "y", "z"]].to_numpy(dtype=float)[:-1] * to_lps)


@dataclass(frozen=True)
class Unmoved:
    """The identity in place of a `Warp`: the template is the head."""

    def apply(
        self, image: nib.Nifti1Image, grid: nib.Nifti1Image, *, labels: bool = False
    ) -> nib.Nifti1Image:
        """Resample an image in template space to a grid (labels: nearest neighbour)."""
        moved = resample(image, grid, order=0 if labels else 1)
        if not labels:
            return moved
        return make_image(np.rint(np.asarray(moved.dataobj)).astype(np.int32), grid.affine)


@dataclass(frozen=True)
class Pair:
    """One contrast for the registration: both images, the metric and its weight."""

    patient: nib.Nifti1Image
    template: nib.Nifti1Image
    metric: str = "CC"
    weight: float = 1.0


def register_affine(
    patient: nib.Nifti1Image,
    template: nib.Nifti1Image,
    folder: Path,
    seed: int,
    healthy: NDArray[np.bool_] | None = None,
) -> Warp:
    """Register the template to the patient with an affine transform (Mattes mutual information).

    Parameters
    ----------
    patient, template : nibabel.Nifti1Image
        Images of the same contrast: both brains, or both heads.
    folder : Path
        Folder for the file of the transform.
    seed : int
        Seed of ANTs.
    healthy : numpy.ndarray of bool, optional
        Voxels of the patient that the metric uses (cost-function masking).

    Raises
    ------
    ToolError
        ANTs failed.
    """
    grid = isotropic_around(patient, _AFFINE_MM, _MARGIN_MM)
    found = _registration(
        fixed=to_ants(resample(patient, grid)),
        moving=_template_at(template, _AFFINE_MM),
        type_of_transform="Affine",
        aff_metric="mattes",
        aff_random_sampling_rate=0.1,
        aff_iterations=(600, 300, 100),
        aff_shrink_factors=(4, 2, 1),
        aff_smoothing_sigmas=(2, 1, 0),
        mask=_ants_mask(healthy, patient, grid),
        mask_all_stages=True,
        outprefix=str(folder / "affine_"),
        random_seed=seed + 1,
    )
    return Warp(tuple(found["fwdtransforms"]))


def register_deformable(
    pairs: list[Pair],
    start: Warp,
    folder: Path,
    seed: int,
    *,
    effort: Registration = "standard",
    healthy: NDArray[np.bool_] | None = None,
) -> Warp:
    """Register the template to the patient with SyN (Avants 2008), with one or more contrasts.

    Parameters
    ----------
    pairs : list of Pair
        At least one contrast.
    start : Warp
        The affine transform to start from.
    folder : Path
        Folder for the files of the transform.
    seed : int
        Seed of ANTs.
    effort : {"standard", "quick"}
        Resolution and number of iterations.
    healthy : numpy.ndarray of bool, optional
        Voxels of the patient that the metric uses.

    Raises
    ------
    ToolError
        ANTs failed.
    """
    with itk_workers(1, _THREADS) as pool:
        warp: Warp = pool.submit(_deformable, pairs, start, folder, seed, effort, healthy).result()
    return warp


def _deformable(
    pairs: list[Pair], start: Warp, folder: Path, seed: int, effort: Registration,
    healthy: NDArray[np.bool_] | None,
) -> Warp:  # fmt: skip
    """Do the work of `register_deformable` in a process with more threads."""
    import_ants()
    size_mm, iterations = _EFFORTS[effort]
    grid = isotropic_around(pairs[0].patient, size_mm, _MARGIN_MM)
    first, *others = [
        (
            p.metric,
            to_ants(resample(p.patient, grid)),
            _template_at(p.template, _TEMPLATE_MM),
            p.weight,
        )
        for p in pairs
    ]
    found = _registration(
        fixed=first[1],
        moving=first[2],
        type_of_transform="SyNOnly",
        initial_transform=start.transforms[0],
        syn_metric=first[0],
        syn_sampling=2,
        reg_iterations=iterations,
        grad_step=0.2,
        flow_sigma=3,
        total_sigma=0,
        multivariate_extras=[(m, f, t, w, 2) for m, f, t, w in others] or None,
        mask=_ants_mask(healthy, pairs[0].patient, grid),
        outprefix=str(folder / "syn_"),
        random_seed=seed + 1,
    )
    return _warp_of(found, start)


def _template_at(template: nib.Nifti1Image, size_mm: float) -> Any:
    """Return an image of the template at a resolution like that of the patient's image."""
    return to_ants(resample(template, isotropic(template, size_mm)))


def _warp_of(found: dict[str, Any], start: Warp) -> Warp:
    """Return the deformation that ANTs found, after the affine transform that it started from."""
    warps = [name for name in found["fwdtransforms"] if name.endswith("Warp.nii.gz")]
    inverse = [name for name in found["invtransforms"] if name.endswith("InverseWarp.nii.gz")]
    return Warp((*warps[:1], *start.transforms), inverse[0] if inverse else None)


def _registration(**arguments: Any) -> dict[str, Any]:
    """Run the registration of ANTs and report a failure in one line."""
    try:
        return dict(load_ants().registration(**arguments))
    except RuntimeError as error:
        raise ToolError(
            f"the registration of the template failed ({error})",
            where="ANTs",
            expected="a T1 of a whole head with a correct affine",
            hint="inspect the brain mask and the orientation of the T1",
        ) from None


def _ants_mask(mask: NDArray[np.bool_] | None, like: nib.Nifti1Image, grid: nib.Nifti1Image) -> Any:
    """Convert a mask to an ANTs image, resampled to a grid."""
    if mask is None:
        return None
    return to_ants(make_image(resample_mask(mask, like, grid), grid.affine))
