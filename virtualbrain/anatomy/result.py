"""What the anatomy stage returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import pandas as pd

from virtualbrain.anatomy.surface import Surface


@dataclass(frozen=True)
class Anatomy:
    """A patient's brain in regions, tissues and surfaces, all on the T1's grid.

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        T1 without its bias field.
    brain_mask : nibabel.Nifti1Image
        1 in the brain.
    labels : nibabel.Nifti1Image
        Region index of every voxel, 0 where there is none.
    regions : pandas.DataFrame
        The region table (`regions.COLUMNS`); `index` is the value in `labels`.
    tissues : nibabel.Nifti1Image
        Five volumes as MRtrix' anatomically constrained tractography wants them.
    surfaces : mapping of str to Surface
        Pial surfaces by hemisphere, ``L`` and ``R``.
    quality : mapping
        Figures on registration and parcellation.
    notes : tuple of str
        What a reader of the results must know, in plain sentences.
    """

    t1: nib.Nifti1Image
    brain_mask: nib.Nifti1Image
    labels: nib.Nifti1Image
    regions: pd.DataFrame
    tissues: nib.Nifti1Image
    surfaces: Mapping[str, Surface]
    quality: Mapping[str, Any]
    notes: tuple[str, ...] = ()
