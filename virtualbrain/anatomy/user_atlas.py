"""Read the label image of a user's atlas: one image, one for each hemisphere, or probability maps.

Julich-Brain, for example, has one maximum-probability map for each hemisphere, with the same values
in both, and probability maps of all regions.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.images import affine_problems, make_image, open_image, read_image, same_grid

HEMI = "{hemi}"
_SIDES = (("lh", "L"), ("rh", "R"))
LEAST_PROBABILITY = 0.25
"""Smallest probability of a region in its voxels, as in FSL's maximum-probability maps."""


def read_user_labels(path: str, table: pd.DataFrame) -> tuple[nib.Nifti1Image, pd.DataFrame]:
    """Return the label image of a user's atlas, and its table.

    Parameters
    ----------
    path : str
        The image. ``{hemi}`` stands for ``lh`` and ``rh``, if there is an image for each
        hemisphere. An image with four axes holds probability maps: volume k is the region with
        index k.
    table : pandas.DataFrame
        Columns index and name. With two images it names the regions of one hemisphere.

    Raises
    ------
    InputError
        An image is missing or invalid, or the images of the hemispheres have different grids.
    """
    if HEMI not in path:
        return _labels(Path(path)), table
    left, right = (_labels(Path(path.replace(HEMI, name))) for name, _ in _SIDES)
    if not same_grid(left, right):
        raise InputError(
            "the images of the two hemispheres have different grids",
            where=Path(path).name,
            expected="the same voxels in both",
            hint="resample one of them to the grid of the other",
        )
    shift = int(max(table["index"].max(), np.asarray(left.dataobj).max(), 1))
    ours, theirs = (np.asarray(image.dataobj).astype(np.int64) for image in (left, right))
    joined = np.where(ours > 0, ours, np.where(theirs > 0, theirs + shift, 0))
    parts = [
        table.assign(
            index=table["index"] + shift * number,
            name=[f"{side}-{name}" for name in table["name"]],
            hemisphere=side,
        )
        for number, (_, side) in enumerate(_SIDES)
    ]
    return make_image(joined.astype(np.int32), left.affine), pd.concat(parts, ignore_index=True)


def _labels(path: Path) -> nib.Nifti1Image:
    """Return a label image; of probability maps, the most probable region in each voxel."""
    image = open_image(path)
    if len(image.shape) < 4 or image.shape[3] == 1:
        return read_image(path)
    return maximum_probability(path)


def maximum_probability(path: Path) -> nib.Nifti1Image:
    """Return the label image of probability maps: the most probable region, from 25 % on.

    Values above 1 are percent. The volumes are read one after another.

    Raises
    ------
    InputError
        The image is unreadable, or a value is negative or above 100.
    """
    for problem in affine_problems(open_image(path), path.name):
        raise problem
    best = labels = None
    try:
        image = nib.load(path, keep_file_open=True)  # a compressed file is read once
        for number in range(image.shape[3]):
            volume = np.nan_to_num(np.asarray(image.dataobj[..., number], dtype=np.float32))
            best = np.zeros_like(volume) if best is None else best
            labels = np.zeros(volume.shape, np.int32) if labels is None else labels
            if volume.min() < 0:
                best = -np.ones_like(best)
                break
            labels[volume > best] = number + 1
            np.maximum(best, volume, out=best)
    except Exception as error:
        raise InputError(
            "the image is truncated",
            where=path.name,
            expected=f"{' x '.join(str(n) for n in open_image(path).shape)} voxels",
            hint="copy the file again",
        ) from error
    if best is None or labels is None or best.min() < 0 or best.max() > 100:
        raise InputError(
            "the probability maps have values below 0 or above 100",
            where=path.name,
            expected="probabilities between 0 and 1, or percent",
            hint="provide the probability maps, or the maximum-probability map",
        )
    scale = 100.0 if best.max() > 1 else 1.0
    return make_image(np.where(best >= LEAST_PROBABILITY * scale, labels, 0), image.affine)
