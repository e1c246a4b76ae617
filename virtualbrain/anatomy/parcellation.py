"""Assign atlas labels to the voxels of a patient's grey matter."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Labels = NDArray[np.int32]


def onto_grey_matter(
    warped: Labels,
    regions: pd.DataFrame,
    *,
    grey: NDArray[np.bool_],
    cerebrum: NDArray[np.bool_],
    spacing_mm: NDArray[np.float64],
    reach_mm: float,
) -> Labels:
    """Assign the nearest cortical label of the warped atlas to every cortical voxel.

    Nuclei keep their warped labels: they are compact, and their borders have little contrast in
    T1.

    Parameters
    ----------
    warped : numpy.ndarray of int
        The registered atlas, numbered as in `regions`.
    regions : pandas.DataFrame
        Columns index, structure and hemisphere.
    grey : numpy.ndarray of bool
        The patient's grey matter.
    cerebrum : numpy.ndarray of bool
        The brain without cerebellum and brainstem.
    spacing_mm : numpy.ndarray, shape (3,)
        Voxel sizes.
    reach_mm : float
        A grey-matter voxel farther than this from every cortical label gets label 0.
    """
    is_cortex = np.isin(warped, regions.loc[regions["structure"] == "cortex", "index"])
    is_nucleus = (warped > 0) & ~is_cortex
    if not is_cortex.any():
        return np.where(is_nucleus, warped, 0).astype(np.int32)
    distance, nearest = ndimage.distance_transform_edt(
        ~is_cortex, sampling=spacing_mm, return_indices=True
    )
    ribbon = grey & cerebrum & (distance <= reach_mm)
    labels = np.where(ribbon, warped[tuple(nearest)], 0)
    labels[is_nucleus] = warped[is_nucleus]
    return np.asarray(labels, dtype=np.int32)


def without_lesion(labels: Labels, lesion: NDArray[np.bool_] | None) -> Labels:
    """Set the labels inside the lesion to 0."""
    return labels if lesion is None else np.where(lesion, 0, labels).astype(np.int32)


def add_nuclei(
    labels: Labels, regions: pd.DataFrame, nuclei: Labels, nuclei_regions: pd.DataFrame
) -> tuple[Labels, pd.DataFrame]:
    """Add subcortical regions to an atlas that has none; their numbers follow its own.

    A voxel that has both labels keeps that of the nucleus. A region is not added if the atlas
    has a region of this name.
    """
    new = nuclei_regions[
        (nuclei_regions["structure"] == "subcortex") & ~nuclei_regions["name"].isin(regions["name"])
    ].reset_index(drop=True)
    first = int(regions["index"].max()) + 1
    numbered = new.assign(index=np.arange(first, first + len(new)))
    lookup = np.zeros(int(max(nuclei.max(), new["index"].max())) + 1, dtype=np.int32)
    lookup[new["index"].to_numpy()] = numbered["index"].to_numpy()
    added = lookup[nuclei]
    table = pd.concat([regions, numbered], ignore_index=True)
    return np.where(added > 0, added, labels).astype(np.int32), table


def has_subcortex(regions: pd.DataFrame) -> bool:
    """Whether any region of a table is subcortical."""
    return bool((regions["structure"] == "subcortex").any())
