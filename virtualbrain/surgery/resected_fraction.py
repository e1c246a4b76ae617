"""Resected fractions of regions from a mask image."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.images import label_voxels


def shares_in_mask(
    mask: Any, labels: Any, regions: pd.DataFrame, where: str = "mask"
) -> dict[str, float]:
    """Return the fraction of each region inside a mask; regions outside it are omitted.

    Parameters
    ----------
    mask : nibabel image
        Above zero inside; any grid; the affine maps to scanner RAS in mm.
    labels : nibabel image
        Region labels.
    regions : pandas.DataFrame
        Region table: ``index`` (the value in `labels`) and ``name``.
    where : str
        File name of the mask, for error messages.

    Returns
    -------
    dict of str to float
        Fraction of the region's voxels whose centres are in the mask, above 0 and at most 1.

    Raises
    ------
    InputError
        The mask is empty, or overlaps no region.
    """
    inside = np.asarray(mask.dataobj) > 0
    if not inside.any():
        raise InputError("the mask is empty", where=where, expected="voxels above zero")
    volume = label_voxels(labels)
    voxels = np.argwhere(volume > 0)
    values = volume[tuple(voxels.T)]
    taken = _at(inside, np.linalg.inv(mask.affine), _moved(labels.affine, voxels.astype(float)))
    shares = {}
    for index, name in zip(regions["index"], regions["name"], strict=True):
        own = values == int(index)
        share = float(taken[own].mean()) if own.any() else 0.0
        if share > 0:
            shares[str(name)] = share
    if not shares:
        raise InputError(
            "the mask overlaps no region", where=where,
            expected="a mask in scanner coordinates of the T1w image (mm)",
            hint="register the mask to the T1w image, and check its affine",
        )  # fmt: skip
    return shares


def _at(
    inside: NDArray[np.bool_], to_voxels: NDArray[np.float64], points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which points (mm) are in voxels that are True."""
    place = np.rint(_moved(to_voxels, points)).astype(np.int64)
    within = ((place >= 0) & (place < inside.shape)).all(axis=1)
    found = np.zeros(len(points), dtype=bool)
    found[within] = inside[tuple(place[within].T)]
    return found


def _moved(affine: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    from nibabel.affines import apply_affine  # slow to import

    return np.asarray(apply_affine(affine, points))
