"""Make maps, masks and contact images on a voxel grid."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.io.images import in_labels, make_image

CONTACT_RADIUS_MM = 1.5
"""Radius of a contact in an image; less than half of the usual spacing of 3.5 mm."""


@dataclass(frozen=True)
class LabelGrid:
    """A label image with the values of its regions.

    Parameters
    ----------
    labels : nibabel.Nifti1Image
        Region index of every voxel; 0 outside all regions.
    index_of : mapping of str to int
        Value in `labels` by the name of the region.
    """

    labels: nib.Nifti1Image
    index_of: Mapping[str, int]

    @property
    def values(self) -> NDArray[np.int32]:
        """The voxels of the label image."""
        return np.asarray(self.labels.dataobj, dtype=np.int32)


def region_map(grid: LabelGrid, value: Mapping[str, float]) -> nib.Nifti1Image:
    """Return an image with the value of its region in every voxel, and 0 outside.

    Parameters
    ----------
    grid : LabelGrid
        The regions.
    value : mapping of str to float
        Value by the name of the region; a region without one is NaN.
    """
    labels = grid.values
    table = np.zeros(max(int(labels.max()), *grid.index_of.values()) + 1, dtype=np.float32)
    for name, index in grid.index_of.items():
        table[index] = value.get(name, np.nan)
    return make_image(table[labels], grid.labels.affine)


def plan_mask(grid: LabelGrid, regions: Iterable[str]) -> nib.Nifti1Image:
    """Return an image that is 1 in the voxels of these regions."""
    chosen = [grid.index_of[name] for name in regions]
    return make_image(in_labels(grid.values, chosen), grid.labels.affine)


def contact_image(contacts: pd.DataFrame, grid: nib.Nifti1Image) -> nib.Nifti1Image:
    """Return an image with a sphere at each contact; its value is the contact's row, from 1.

    Voxels within `CONTACT_RADIUS_MM` of several contacts belong to the nearest. The voxel of a
    contact is always part of its sphere, however large the voxels are.

    Parameters
    ----------
    contacts : pandas.DataFrame
        Columns ``x y z``, mm in the frame of `grid`; rows without coordinates are left out.
    grid : nibabel.Nifti1Image
        The voxel grid.
    """
    affine = np.asarray(grid.affine)
    shape = np.array(grid.shape[:3])
    image = np.zeros(grid.shape[:3], dtype=np.int32)
    nearest = np.full(grid.shape[:3], np.inf)
    reach = np.ceil(_reach_in_voxels(affine)).astype(int)
    for number, centre in enumerate(contacts[["x", "y", "z"]].to_numpy(dtype=float), start=1):
        if not np.isfinite(centre).all():
            continue
        home = np.rint(apply_affine(np.linalg.inv(affine), centre)).astype(int)
        low, high = np.maximum(home - reach, 0), np.minimum(home + reach + 1, shape)
        if (low >= high).any():
            continue
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        voxels = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), axis=-1)
        distance = np.linalg.norm(apply_affine(affine, voxels) - centre, axis=-1)
        inside = (distance <= CONTACT_RADIUS_MM) | (voxels == home).all(axis=-1)
        closer = inside & (distance < nearest[box])
        image[box][closer] = number
        nearest[box][closer] = distance[closer]
    return make_image(image, affine)


def _reach_in_voxels(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the half width, along each voxel axis, of a box around a contact's sphere."""
    to_voxels = np.linalg.inv(affine)[:3, :3]
    return np.asarray(CONTACT_RADIUS_MM * np.linalg.norm(to_voxels, axis=1) + 0.5)
