"""The built-in route: template, tissues and atlas brought to a patient's brain."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.anatomy.atlases import Atlas, desikan_killiany, load_atlas
from virtualbrain.anatomy.parcellation import has_subcortex, joined, onto_grey_matter
from virtualbrain.anatomy.preprocess import Head
from virtualbrain.anatomy.quality import dice
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template import BRAINSTEM, LEFT, RIGHT, load_template
from virtualbrain.anatomy.template_registration import (
    Pair,
    Warp,
    register_affine,
    register_deformable,
)
from virtualbrain.anatomy.tissues import Tissues, segment_tissues
from virtualbrain.anatomy.voxel_grids import resample
from virtualbrain.io.images import make_image

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
SIDES = {"L": LEFT, "R": RIGHT}
_COLUMNS = ["index", "name", "hemisphere", "structure"]


@dataclass(frozen=True)
class Parcellation:
    """Labels, tissues and hemispheres of a head, on its grid.

    `content` holds how much of each voxel belongs to a hemisphere's grey and white matter;
    `stem` is the brainstem, `nuclei` all subcortical grey matter whatever the atlas.
    """

    labels: Labels
    regions: pd.DataFrame
    tissues: Tissues
    nuclei: Mask
    stem: Mask
    content: dict[str, NDArray[np.float32]]
    figures: dict[str, Any]


@dataclass(frozen=True)
class Moved:
    """What the template and the atlases say, on a patient's grid.

    `atlas` is the atlas that was asked for, `base` the one whose nuclei are joined to it, with
    `base_regions` its table.
    """

    zones: Labels
    brain: Mask
    atlas: Labels
    base: Labels
    base_regions: pd.DataFrame

    @property
    def nuclei(self) -> Mask:
        """Where the base atlas has subcortical regions."""
        table = self.base_regions
        return np.isin(self.base, table.loc[table["structure"] == "subcortex", "index"])


def parcellate(head: Head, settings: AnatomySettings, seed: int) -> Parcellation:
    """Segment tissues and bring an atlas to a brain by registration.

    Parameters
    ----------
    head : Head
        On the working grid.
    settings : AnatomySettings
        Which atlas, and how.
    seed : int
        ANTs' seed.
    """
    atlas = load_atlas(settings)
    with tempfile.TemporaryDirectory() as scratch:
        tissues, warp = register_template(head, Path(scratch), settings, seed)
        moved = _move(warp, atlas, head)
    labels, regions = fit_labels(atlas, moved, tissues, head, settings)
    grey_white = (tissues.gm + tissues.wm).astype(np.float32)
    return Parcellation(
        labels=labels,
        regions=regions,
        tissues=tissues,
        nuclei=moved.nuclei & head.mask,
        stem=moved.zones == BRAINSTEM,
        content={
            side: np.where(moved.zones == zone, np.where(moved.nuclei, 1, grey_white), 0).astype(
                np.float32
            )
            for side, zone in SIDES.items()
        },
        figures={
            "atlas_source": atlas.source,
            "dropped": list(atlas.dropped),
            "template_overlap": dice(moved.brain, head.mask),
        },
    )


def register_template(
    head: Head, folder: Path, settings: AnatomySettings, seed: int
) -> tuple[Tissues, Warp]:
    """Segment tissues under the affinely moved template, then deform the template to them."""
    template = load_template()
    affine = register_affine(head.brain, template.t1, folder, seed, head.healthy)
    priors = (affine.apply(template.gm, head.t1), affine.apply(template.wm, head.t1))
    tissues = segment_tissues(head.brain, head.mask, priors)
    pairs = [
        Pair(head.brain, template.t1),
        Pair(make_image(tissues.wm, head.t1.affine), template.wm),
    ]
    effort = settings.registration
    return tissues, register_deformable(pairs, affine, folder, seed, effort, head.healthy)


def _move(warp: Warp, atlas: Atlas, head: Head) -> Moved:
    """Bring the template's zones and mask and the atlases to the patient's grid."""
    template, desikan = load_template(), desikan_killiany()
    brain = make_image(template.mask.astype(np.float32), template.t1.affine)
    base = _atlas_on(desikan, warp, head.t1)
    zones = np.asarray(warp.apply(template.zones, head.t1, labels=True).dataobj)
    nearest = ndimage.distance_transform_edt(
        zones == 0, return_distances=False, return_indices=True
    )
    return Moved(
        zones=np.where(head.mask, zones[tuple(nearest)], 0),
        brain=np.asarray(np.asarray(warp.apply(brain, head.t1).dataobj) > 0.5),
        atlas=base if atlas.label == desikan.label else _atlas_on(atlas, warp, head.t1),
        base=base,
        base_regions=desikan.table,
    )


def _atlas_on(atlas: Atlas, warp: Warp, grid: nib.Nifti1Image) -> Labels:
    """Return an atlas on the patient's grid, moved by the warp or as it lies (space T1w)."""
    if atlas.space == "T1w":
        return np.asarray(resample(atlas.image, grid, order=0).dataobj, dtype=np.int32)
    return np.asarray(warp.apply(atlas.image, grid, labels=True).dataobj, dtype=np.int32)


def fit_labels(
    atlas: Atlas, moved: Moved, tissues: Tissues, head: Head, settings: AnatomySettings
) -> tuple[Labels, pd.DataFrame]:
    """Fit the atlas' cortex to the patient's, and join the nuclei that it lacks.

    An atlas in the patient's own space is taken as it was drawn.
    """
    labels, regions = moved.atlas, atlas.table[_COLUMNS]
    if atlas.space == "MNI":
        labels = onto_grey_matter(
            labels,
            regions,
            tissues.is_grey,
            (moved.zones == LEFT) | (moved.zones == RIGHT),
            voxel_sizes(head.t1.affine),
            settings.label_reach_mm,
        )
        labels = np.where(head.mask, labels, 0)
    if settings.join_subcortex and not has_subcortex(regions):
        labels, regions = joined(labels, regions, moved.base, moved.base_regions[_COLUMNS])
    return labels.astype(np.int32), regions
