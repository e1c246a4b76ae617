"""Parcellate a brain without FreeSurfer: register the template and the atlas to it."""

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
from virtualbrain.anatomy.parcellation import add_nuclei, has_subcortex, onto_grey_matter
from virtualbrain.anatomy.preprocess import Head
from virtualbrain.anatomy.quality import dice
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template import BRAINSTEM, LEFT, RIGHT, load_template
from virtualbrain.anatomy.template_registration import (
    Pair,
    Unmoved,
    Warp,
    register_affine,
    register_deformable,
)
from virtualbrain.anatomy.tissues import Tissues, segment_tissues
from virtualbrain.anatomy.voxel_grids import resample
from virtualbrain.errors import ConfigError
from virtualbrain.io.images import make_image

Mask = NDArray[np.bool_]
Labels = NDArray[np.int32]
SIDES = {"L": LEFT, "R": RIGHT}
_COLUMNS = ["index", "name", "hemisphere", "structure"]


@dataclass(frozen=True)
class Parcellation:
    """Labels, tissues and hemispheres of a head, on its voxel grid.

    `content` holds, by hemisphere, the fraction of each voxel that is grey or white matter;
    `stem` is the brainstem; `nuclei` is all subcortical grey matter, whatever the atlas.
    """

    labels: Labels
    regions: pd.DataFrame
    tissues: Tissues
    nuclei: Mask
    stem: Mask
    content: dict[str, NDArray[np.float32]]
    figures: dict[str, Any]


@dataclass(frozen=True)
class RegisteredAtlases:
    """Template and atlases, resampled to a patient's voxel grid.

    `zones` are those of the template, `brain` its brain mask. `atlas` is the chosen atlas;
    `base` is the atlas that supplies nuclei, `base_regions` its table.
    """

    zones: Labels
    brain: Mask
    atlas: Labels
    base: Labels
    base_regions: pd.DataFrame

    @property
    def nuclei(self) -> Mask:
        """Voxels of the subcortical regions of `base`."""
        table = self.base_regions
        return np.isin(self.base, table.loc[table["structure"] == "subcortex", "index"])


def parcellate(head: Head, settings: AnatomySettings, seed: int) -> Parcellation:
    """Segment the tissues and register an atlas to the brain.

    Parameters
    ----------
    head : Head
        On the working grid.
    settings : AnatomySettings
        Atlas and methods.
    seed : int
        Seed of ANTs.
    """
    atlas = load_atlas(settings)
    with tempfile.TemporaryDirectory() as scratch:
        tissues, warp = register_template(head, Path(scratch), settings, seed)
        registered = _resample_atlases(warp, atlas, head)
    return _parcellation(atlas, registered, tissues, head, settings)


def parcellate_template(head: Head, settings: AnatomySettings) -> Parcellation:
    """Return the parcellation of the template itself.

    Parameters
    ----------
    head : Head
        The template on the working grid.
    settings : AnatomySettings
        Atlas, in MNI space.

    Raises
    ------
    ConfigError
        The atlas is in the space of a T1.
    """
    atlas, template = load_atlas(settings), load_template()
    if atlas.space != "MNI":
        raise ConfigError(
            "the atlas is in the space of the T1w image, but there is none",
            where="anatomy.atlas_space",
            expected="an atlas in MNI space",
        )
    gm, wm = (
        np.where(head.mask, np.asarray(resample(part, head.t1).dataobj), 0).astype(np.float32)
        for part in (template.gm, template.wm)
    )
    tissues = Tissues(np.where(head.mask, np.clip(1 - gm - wm, 0, 1), 0).astype(np.float32), gm, wm)
    return _parcellation(atlas, _resample_atlases(Unmoved(), atlas, head), tissues, head, settings)


def _parcellation(
    atlas: Atlas,
    registered: RegisteredAtlases,
    tissues: Tissues,
    head: Head,
    settings: AnatomySettings,
) -> Parcellation:
    """Put labels, tissues and hemispheres together."""
    labels, regions = fit_labels(atlas, registered, tissues, head, settings)
    grey_white = (tissues.gm + tissues.wm).astype(np.float32)
    return Parcellation(
        labels=labels,
        regions=regions,
        tissues=tissues,
        nuclei=registered.nuclei & head.mask,
        stem=registered.zones == BRAINSTEM,
        content={
            side: np.where(
                registered.zones == zone, np.where(registered.nuclei, 1, grey_white), 0
            ).astype(np.float32)
            for side, zone in SIDES.items()
        },
        figures={
            "atlas_source": atlas.source,
            "dropped": list(atlas.dropped),
            "template_overlap": dice(registered.brain, head.mask),
        },
    )


def register_template(
    head: Head, folder: Path, settings: AnatomySettings, seed: int
) -> tuple[Tissues, Warp]:
    """Segment the tissues with priors from affine registration, then register the template."""
    template = load_template()
    affine = register_affine(head.brain, template.t1, folder, seed, head.healthy)
    priors = (affine.apply(template.gm, head.t1), affine.apply(template.wm, head.t1))
    tissues = segment_tissues(head.brain, head.mask, priors, voxel_mm=settings.tissue_mm)
    pairs = [
        Pair(head.brain, template.t1),
        Pair(make_image(tissues.wm, head.t1.affine), template.wm),
    ]
    warp = register_deformable(
        pairs, affine, folder, seed, effort=settings.registration, healthy=head.healthy
    )
    return tissues, warp


def _resample_atlases(warp: Warp | Unmoved, atlas: Atlas, head: Head) -> RegisteredAtlases:
    """Resample the template's zones and mask and the atlases to the patient's grid."""
    template, desikan = load_template(), desikan_killiany()
    brain = make_image(template.mask.astype(np.float32), template.t1.affine)
    base = _atlas_on(desikan, warp, head.t1)
    zones = np.asarray(warp.apply(template.zones, head.t1, labels=True).dataobj)
    nearest = ndimage.distance_transform_edt(
        zones == 0, return_distances=False, return_indices=True
    )
    return RegisteredAtlases(
        zones=np.where(head.mask, zones[tuple(nearest)], 0),
        brain=np.asarray(np.asarray(warp.apply(brain, head.t1).dataobj) > 0.5),
        atlas=base if atlas.label == desikan.label else _atlas_on(atlas, warp, head.t1),
        base=base,
        base_regions=desikan.table,
    )


def _atlas_on(atlas: Atlas, warp: Warp | Unmoved, grid: nib.Nifti1Image) -> Labels:
    """Return an atlas on the patient's grid; only an atlas in MNI space needs the warp."""
    if atlas.space == "T1w":
        return np.asarray(resample(atlas.image, grid, order=0).dataobj, dtype=np.int32)
    return np.asarray(warp.apply(atlas.image, grid, labels=True).dataobj, dtype=np.int32)


def fit_labels(
    atlas: Atlas,
    registered: RegisteredAtlases,
    tissues: Tissues,
    head: Head,
    settings: AnatomySettings,
) -> tuple[Labels, pd.DataFrame]:
    """Assign cortical labels to the patient's grey matter and add nuclei if the atlas has none.

    An atlas in T1w space is used as drawn.
    """
    labels, regions = registered.atlas, atlas.table[_COLUMNS]
    if atlas.space == "MNI":
        labels = onto_grey_matter(
            labels,
            regions,
            grey=tissues.is_grey,
            cerebrum=(registered.zones == LEFT) | (registered.zones == RIGHT),
            spacing_mm=voxel_sizes(head.t1.affine),
            reach_mm=settings.label_reach_mm,
        )
        labels = np.where(head.mask, labels, 0)
    if settings.join_subcortex and not has_subcortex(regions):
        labels, regions = add_nuclei(
            labels, regions, registered.base, registered.base_regions[_COLUMNS]
        )
    return labels.astype(np.int32), regions
