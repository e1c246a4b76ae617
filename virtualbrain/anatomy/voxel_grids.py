"""Crop and resample images, and convert them to and from ANTs."""

import os
import sys
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, from_matvec, voxel_sizes
from nibabel.processing import resample_from_to
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.io.images import make_image, same_grid
from virtualbrain.rigid_registration import THREADS_VARIABLE, import_ants, volume_to_ants

# ANTs is up to a third slower on images whose slices do not have a multiple of four voxels.
EDGE_MULTIPLE = 4
# Voxels whose size differs by less than this are kept: resampling would blur the image for little.
FINER, COARSER = 0.74, 1.34


def load_ants() -> Any:
    """Import ANTs with one thread: the same seed must give the same result.

    More threads add to the sums of a metric in the order in which they end, which changes. A
    worker of `virtualbrain.rigid_registration.itk_workers` keeps the number that it was given.
    """
    if "ants" not in sys.modules:
        os.environ[THREADS_VARIABLE] = "1"
    return import_ants()


def to_ants(image: nib.Nifti1Image) -> Any:
    """Convert a three-dimensional image with orthogonal axes to an ANTs image (float)."""
    load_ants()
    return volume_to_ants(np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine))


def from_ants(image: Any, like: nib.Nifti1Image) -> nib.Nifti1Image:
    """Convert an ANTs image to NIfTI with the affine of `like`; both have the same voxel grid."""
    return make_image(np.asarray(image.numpy(), dtype=np.float32), like.affine)


def voxel_volume(affine: NDArray[np.float64]) -> float:
    """Return the volume of a voxel in mm³."""
    return float(abs(np.linalg.det(np.asarray(affine)[:3, :3])))


def is_orthogonal(affine: NDArray[np.float64]) -> bool:
    """Whether the voxel axes are orthogonal."""
    axes = np.asarray(affine)[:3, :3] / voxel_sizes(affine)
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-3))


def resample(image: nib.Nifti1Image, grid: nib.Nifti1Image, *, order: int = 1) -> nib.Nifti1Image:
    """Resample an image to the voxel grid of another image (order 0 for label images).

    The image is smoothed before resampling to a much coarser grid, to avoid aliasing. Voxels
    outside the image are 0.
    """
    voxels = np.asarray(image.dataobj)
    if same_grid(image, grid):
        return make_image(voxels, grid.affine)
    shift = _whole_voxel_shift(image, grid)
    if shift is not None:
        return make_image(_shifted(voxels, shift, grid.shape[:3]), grid.affine)
    if order > 0:
        voxels = _smoothed_for(voxels.astype(np.float32), image, grid)
    moved = resample_from_to(
        nib.Nifti1Image(voxels, image.affine),
        (grid.shape[:3], grid.affine),
        order=order,
        cval=0.0,
    )
    return make_image(np.asarray(moved.dataobj, dtype=voxels.dtype), grid.affine)


def resample_mask(
    mask: NDArray[np.bool_], image: nib.Nifti1Image, grid: nib.Nifti1Image
) -> NDArray[np.bool_]:
    """Resample a mask on the grid of an image to the voxel grid of another image."""
    fraction = resample(make_image(mask.astype(np.float32), image.affine), grid)
    return np.asarray(np.asarray(fraction.dataobj) > 0.5)


def _whole_voxel_shift(image: nib.Nifti1Image, grid: nib.Nifti1Image) -> NDArray[np.int64] | None:
    """Return the shift between two grids in whole voxels; None if there is no such shift."""
    step = np.linalg.inv(grid.affine) @ image.affine
    shift = np.rint(step[:3, 3])
    if np.allclose(step[:3, :3], np.eye(3), atol=1e-5) and np.allclose(
        step[:3, 3], shift, atol=1e-3
    ):
        return np.asarray(shift, dtype=np.int64)
    return None


def _shifted(
    voxels: NDArray[Any], shift: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Copy the voxels that two grids have in common; exact, because nothing is interpolated."""
    result = np.zeros(shape, dtype=voxels.dtype)
    low = np.maximum(shift, 0)
    high = np.minimum(shift + voxels.shape, shape)
    if (high > low).all():
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        there = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, shift, strict=True))
        result[here] = voxels[there]
    return result


def _smoothed_for(
    voxels: NDArray[np.float32], image: nib.Nifti1Image, grid: nib.Nifti1Image
) -> NDArray[np.float32]:
    """Smooth an image according to the ratio of the voxel sizes of grid and image."""
    fine, coarse = voxel_sizes(image.affine), voxel_sizes(grid.affine)
    ratio = coarse.min() / fine
    if (ratio <= 1.5).all():
        return voxels
    sigma = np.sqrt(np.maximum(ratio**2 - 1, 0)) / 2.355
    return np.asarray(ndimage.gaussian_filter(voxels, sigma), dtype=np.float32)


def crop(image: nib.Nifti1Image, mask: NDArray[np.bool_], margin_mm: float) -> nib.Nifti1Image:
    """Crop an image to the bounding box of a mask plus a margin; voxel positions are kept.

    The box ends at the faces of the image. Empty slices are then added, so that every edge has a
    multiple of `EDGE_MULTIPLE` voxels.
    """
    margin = np.ceil(margin_mm / voxel_sizes(image.affine)).astype(int)
    places = [(int(axis.min()), int(axis.max())) for axis in np.nonzero(mask)]
    low = np.maximum([first for first, _ in places] - margin, 0)
    high = np.minimum([last + 1 for _, last in places] + margin, mask.shape)
    affine = np.asarray(image.affine) @ from_matvec(np.eye(3), low)
    voxels = np.asarray(image.dataobj)[tuple(map(slice, low, high))]
    empty = [(0, size - edge) for size, edge in zip(_rounded(high - low), high - low, strict=True)]
    return make_image(np.pad(voxels, empty), affine)


def _rounded(shape: NDArray[np.int64]) -> tuple[int, ...]:
    """Return a shape, each edge rounded up to a multiple of `EDGE_MULTIPLE`."""
    return tuple(int(edge + -edge % EDGE_MULTIPLE) for edge in shape)


def working_grid(
    image: nib.Nifti1Image, mask: NDArray[np.bool_], working_mm: float, margin_mm: float = 10.0
) -> nib.Nifti1Image:
    """Return the image around the brain at the working resolution.

    The voxels are kept if every edge is within a third of `working_mm` and the axes are
    orthogonal. Otherwise the image is resampled to isotropic voxels of `working_mm`.
    """
    cropped = crop(image, mask, margin_mm)
    sizes = voxel_sizes(cropped.affine)
    is_close = (sizes > working_mm * FINER).all() and (sizes < working_mm * COARSER).all()
    if is_close and is_orthogonal(cropped.affine):
        return cropped
    return resample(cropped, isotropic(cropped, working_mm))


def isotropic(image: nib.Nifti1Image, size_mm: float) -> nib.Nifti1Image:
    """Return an empty isotropic grid along the scanner axes that covers an image.

    Every edge has a multiple of `EDGE_MULTIPLE` voxels.
    """
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in image.shape[:3]])).reshape(3, -1).T
    return _isotropic(apply_affine(image.affine, corners), size_mm)


def isotropic_around(image: nib.Nifti1Image, size_mm: float, margin_mm: float) -> nib.Nifti1Image:
    """Return an empty isotropic grid that covers what is not 0 in an image, and a margin."""
    places = np.argwhere(np.asarray(image.dataobj) != 0)
    points = apply_affine(image.affine, places)
    ends = np.stack([points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm])
    return _isotropic(ends, size_mm)


def _isotropic(points: NDArray[np.float64], size_mm: float) -> nib.Nifti1Image:
    """Return an empty isotropic grid along the scanner axes that covers points."""
    low, high = points.min(axis=0), points.max(axis=0)
    shape = _rounded(np.ceil((high - low) / size_mm).astype(int))
    affine = from_matvec(np.eye(3) * size_mm, low + size_mm / 2)
    return make_image(np.zeros(shape, dtype=np.uint8), affine)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected component of a mask."""
    parts, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
