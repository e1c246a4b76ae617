"""Use the labels and surfaces of a FreeSurfer or FastSurfer subject."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy import freesurfer_labels
from virtualbrain.anatomy.atlas_registration import (
    Parcellation,
    RegisteredAtlases,
    fit_labels,
    parcellate,
)
from virtualbrain.anatomy.atlases import Atlas, load_atlas, make_atlas
from virtualbrain.anatomy.preprocess import Head, read_lesion_mask
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.surface import regions_of_vertices
from virtualbrain.anatomy.voxel_grids import resample
from virtualbrain.errors import InputError
from virtualbrain.io.anatomy import Surface
from virtualbrain.io.freesurfer import (
    FreeSurferSubject,
    freesurfer_names,
    open_subject,
    read_annotation,
    read_surface,
)
from virtualbrain.io.images import make_image, read_image

Labels = NDArray[np.int32]
_PREFIXES = {"DesikanKilliany": "ctx-{}h-", "Destrieux": "ctx_{}h_"}


def read_subject(
    folder: Path, lesion: Path | None, settings: AnatomySettings
) -> tuple[FreeSurferSubject, Head, Labels]:
    """Read T1, brain mask and label values of a subject, all on the grid of the label image.

    The brain mask is computed from the labels, with sulci closed.

    Raises
    ------
    InputError
        A file is missing, unreadable or of another subject.
    """
    subject = open_subject(folder, settings.freesurfer_atlas)
    image = read_image(subject.labels)
    t1 = read_image(subject.require_t1())
    voxels = np.asarray(resample(t1, image).dataobj, dtype=np.float32)
    values = np.asarray(image.dataobj, dtype=np.int32)
    grid = make_image(voxels, image.affine)
    return (
        subject,
        Head(grid, freesurfer_labels.brain_of(values), read_lesion_mask(lesion, grid)),
        values,
    )


def parcellate_subject(
    head: Head, values: Labels, settings: AnatomySettings, seed: int
) -> Parcellation:
    """Return the parcellation of a subject: its own labels, or the user's atlas.

    Only a user's atlas in MNI space needs a registration.
    """
    tissues = freesurfer_labels.tissues_of(values)
    figures: dict[str, Any]
    if settings.atlas_image:
        labels, regions, figures = _user_atlas_labels(head, values, settings, seed)
    else:
        atlas = subject_atlas(values, head, settings.atlas)
        labels = np.asarray(atlas.image.dataobj, dtype=np.int32)
        regions = atlas.table[["index", "name", "hemisphere", "structure"]]
        figures = {"atlas_source": atlas.source, "dropped": list(atlas.dropped)}
    return Parcellation(
        labels=labels,
        regions=regions,
        tissues=tissues,
        nuclei=freesurfer_labels.nuclei(values),
        stem=freesurfer_labels.brainstem(values),
        content={s: freesurfer_labels.hemisphere(values, s).astype(np.float32) for s in "LR"},
        figures=figures,
    )


def subject_atlas(values: Labels, head: Head, label: str) -> Atlas:
    """Return the subject's label image as an atlas, with the names of FreeSurfer's colour table.

    Every region of the atlas has a row, even if this subject has no voxel of it.

    Raises
    ------
    InputError
        A label value is missing from the colour table.
    """
    names = freesurfer_names()
    present = set(np.unique(values).tolist()) - {0}
    unknown = sorted(present - set(names))
    if unknown:
        raise InputError(
            f"the label values {', '.join(map(str, unknown[:5]))} are not in FreeSurfer's "
            "colour table",
            where="label image of the FreeSurfer subject",
            expected="aparc+aseg or aparc.a2009s+aseg",
            hint="run recon-all again",
        )
    rows = sorted(present | set(freesurfer_labels.expected_values(present)))
    table = pd.DataFrame({"index": rows, "name": [names[value] for value in rows]})
    image = make_image(values, head.t1.affine)
    return make_atlas(label, image, table, space="T1w", source="FreeSurfer subject")


def _user_atlas_labels(
    head: Head, values: Labels, settings: AnatomySettings, seed: int
) -> tuple[Labels, pd.DataFrame, dict[str, Any]]:
    """Return the labels of the user's atlas: as drawn in T1w space, or registered from MNI."""
    atlas = load_atlas(settings)
    nuclei = subject_atlas(values, head, "DesikanKilliany")
    if atlas.space == "MNI":
        found = parcellate(head, settings, seed)
        return found.labels, found.regions, found.figures
    own = np.asarray(resample(atlas.image, head.t1, order=0).dataobj, dtype=np.int32)
    base = np.asarray(nuclei.image.dataobj, dtype=np.int32)
    registered = RegisteredAtlases(
        zones=head.mask.astype(np.int32),
        brain=head.mask,
        atlas=own,
        base=base,
        base_regions=nuclei.table,
    )
    tissues = freesurfer_labels.tissues_of(values)
    labels, regions = fit_labels(atlas, registered, tissues, head, settings)
    return labels, regions, {"atlas_source": atlas.source, "dropped": list(atlas.dropped)}


def subject_surfaces(
    subject: FreeSurferSubject, found: Parcellation, head: Head, settings: AnatomySettings
) -> dict[str, Surface]:
    """Return the pial surfaces in scanner RAS, with the region of every vertex.

    The regions come from the annotation if there is one. Otherwise they are looked up in the
    label image, half way between the white and the pial surface.
    """
    surfaces = {}
    for side, path in subject.pial.items():
        vertices, triangles = read_surface(path, subject.labels)
        regions = _regions_from_annotation(subject, side, found, settings)
        if regions is None or len(regions) != len(vertices):
            regions = regions_of_vertices(
                _mid_cortex(subject, side, vertices),
                found.labels,
                head.t1.affine,
                found.regions,
                side,
            )
        surfaces[side] = Surface(vertices, triangles, regions)
    return surfaces


def _mid_cortex(
    subject: FreeSurferSubject, side: str, pial: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the points half way to the white surface, because pial surfaces touch in sulci."""
    if side not in subject.white:
        return pial
    white, _ = read_surface(subject.white[side], subject.labels)
    return (pial + white) / 2 if white.shape == pial.shape else pial


def _regions_from_annotation(
    subject: FreeSurferSubject, side: str, found: Parcellation, settings: AnatomySettings
) -> NDArray[np.int32] | None:
    """Return the region index of every vertex from the annotation; None if there is none."""
    path = subject.annotations.get(side)
    if path is None or settings.atlas_image or settings.atlas not in _PREFIXES:
        return None
    names = read_annotation(path, _PREFIXES[settings.atlas].format(side.lower()))
    index = dict(zip(found.regions["name"], found.regions["index"], strict=True))
    return np.array([index.get(name, 0) for name in names], dtype=np.int32)
