"""Derive tissues, brain mask and hemispheres from FreeSurfer's label values."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.tissues import Tissues

Labels = NDArray[np.int32]
_NUCLEI = (10, 11, 12, 13, 17, 18, 26, 49, 50, 51, 52, 53, 54, 58)
_CORTEX = (3, 42)
_CEREBELLAR_CORTEX = (8, 47)
_FLUID = (4, 5, 14, 15, 24, 30, 31, 43, 44, 62, 63, 72, 213, 221)
_STEM = (16,)
_LEFT = (*range(2, 14), 17, 18, 26, 27, 28, 30, 31, 78)
_RIGHT = (*range(41, 64), 79)
_NOT_CEREBRUM = (6, 7, 8, 45, 46, 47, 16, 15)


def expected_values(present: set[int]) -> tuple[int, ...]:
    """Return all label values of the atlas (DK, DKT or Destrieux) to which `present` belong.

    A value that is expected and not present is a lost region of this subject.
    """
    sixteen = (*_NUCLEI, *_CEREBELLAR_CORTEX)
    if any(value >= 11100 for value in present):
        parcels = [n for n in range(101, 176) if n != 142]
        return (*sixteen, *(base + n for base in (11000, 12000) for n in parcels))
    absent = {4} if present & {1001, 2001} else {1, 4, 32, 33}
    parcels = [n for n in range(1, 36) if n not in absent]
    return (*sixteen, *(base + n for base in (1000, 2000) for n in parcels))


def is_cortex(labels: Labels) -> NDArray[np.bool_]:
    """Return the cerebral cortex of a label image (aseg, aparc or aparc.a2009s)."""
    parcels = ((labels >= 1000) & (labels < 3000)) | ((labels >= 11100) & (labels < 13000))
    return np.asarray(parcels | np.isin(labels, _CORTEX))


def nuclei(labels: Labels) -> NDArray[np.bool_]:
    """Return the subcortical grey matter of a label image, with hippocampus and amygdala."""
    return np.isin(labels, _NUCLEI)


def brainstem(labels: Labels) -> NDArray[np.bool_]:
    """Return the brainstem of a label image."""
    return np.isin(labels, _STEM)


def brain_of(labels: Labels) -> NDArray[np.bool_]:
    """Return the brain mask: all labels, with sulci closed and holes filled."""
    padded = np.pad(labels > 0, 6)
    near = ndimage.distance_transform_edt(~padded) <= 4
    closed = ndimage.distance_transform_edt(near) > 4
    filled = ndimage.binary_fill_holes(closed | padded)
    return np.asarray(filled[6:-6, 6:-6, 6:-6])


def tissues_of(labels: Labels) -> Tissues:
    """Return tissues with probabilities 0 or 1: grey matter, fluid, and white matter elsewhere."""
    brain = brain_of(labels)
    grey = is_cortex(labels) | np.isin(labels, _CEREBELLAR_CORTEX) | nuclei(labels)
    fluid = brain & (np.isin(labels, _FLUID) | (labels == 0))
    white = brain & ~grey & ~fluid
    return Tissues(*(part.astype(np.float32) for part in (fluid, grey, white)))


def hemisphere(labels: Labels, side: str) -> NDArray[np.bool_]:
    """Return one cerebral hemisphere: its cortex, white matter, nuclei and ventricle."""
    thousands = {"L": (1000, 11100), "R": (2000, 12100)}[side]
    inside = np.isin(labels, _LEFT if side == "L" else _RIGHT)
    for first in thousands:
        inside |= (labels >= first) & (labels < first + (1000 if first < 10000 else 900))
    return np.asarray(inside & ~np.isin(labels, _NOT_CEREBRUM))
