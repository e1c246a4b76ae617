"""The FreeSurfer route: a subject's own labels and surfaces, as they are."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy import freesurfer_labels
from virtualbrain.anatomy.atlas_registration import Moved, Parcellation, fit_labels, parcellate
from virtualbrain.anatomy.atlases import Atlas, load_atlas, make_atlas
from virtualbrain.anatomy.preprocess import Head, lesion_on
from virtualbrain.anatomy.settings import BUILT_IN, AnatomySettings
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
    """Read a subject's T1, brain and label values, all on the subject's own grid.

    The brain is that of the labels, sulci closed.

    Raises
    ------
    InputError
        A file is missing, unreadable or of another subject.
    """
    atlas = settings.atlas if settings.atlas in BUILT_IN else "DesikanKilliany"
    subject = open_subject(folder, atlas)
    image = read_image(subject.labels)
    if subject.t1 is None:
        raise InputError("no T1", where=str(folder / "mri"), expected="T1.mgz or orig.mgz")
    t1 = read_image(subject.t1)
    voxels = np.asarray(resample(t1, image).dataobj, dtype=np.float32)
    values = np.asarray(image.dataobj, dtype=np.int32)
    grid = make_image(voxels, image.affine)
    return subject, Head(grid, freesurfer_labels.brain_of(values), lesion_on(lesion, grid)), values


def parcellate_subject(
    head: Head, values: Labels, settings: AnatomySettings, seed: int
) -> Parcellation:
    """Return the subject's parcellation; one's own atlas is laid over its grey matter.

    Only an atlas in MNI space needs a registration here.
    """
    tissues = freesurfer_labels.tissues_of(values)
    figures: dict[str, Any]
    if settings.atlas_image:
        labels, regions, figures = _own_labels(head, values, settings, seed)
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
    """Return the subject's label image as an atlas, named by FreeSurfer's colour table.

    Every region of the atlas has its row, also where this subject has no voxel of it; label
    values that the colour table lacks are refused.
    """
    names = freesurfer_names()
    present = set(np.unique(values).tolist()) - {0}
    unknown = sorted(present - set(names))
    if unknown:
        raise InputError(
            f"label values that FreeSurfer's colour table lacks: {unknown[:5]}",
            expected="aparc+aseg or aparc.a2009s+aseg",
        )
    rows = sorted(present | set(freesurfer_labels.expected_values(present)))
    table = pd.DataFrame({"index": rows, "name": [names[value] for value in rows]})
    image = make_image(values, head.t1.affine)
    return make_atlas(label, image, table, space="T1w", source="FreeSurfer subject")


def _own_labels(
    head: Head, values: Labels, settings: AnatomySettings, seed: int
) -> tuple[Labels, pd.DataFrame, dict[str, Any]]:
    """Lay one's own atlas over the subject: as drawn in T1 space, or registered from MNI."""
    atlas = load_atlas(settings)
    nuclei = subject_atlas(values, head, "DesikanKilliany")
    if atlas.space == "MNI":
        found = parcellate(head, settings, seed)
        return found.labels, found.regions, found.figures
    own = np.asarray(resample(atlas.image, head.t1, order=0).dataobj, dtype=np.int32)
    base = np.asarray(nuclei.image.dataobj, dtype=np.int32)
    moved = Moved(head.mask.astype(np.int32), head.mask, own, base, nuclei.table)
    labels, regions = fit_labels(atlas, moved, freesurfer_labels.tissues_of(values), head, settings)
    return labels, regions, {"atlas_source": atlas.source, "dropped": list(atlas.dropped)}


def subject_surfaces(
    subject: FreeSurferSubject, found: Parcellation, head: Head, settings: AnatomySettings
) -> dict[str, Surface]:
    """Return the pial surfaces in scanner RAS with a region per vertex.

    Regions come from the annotation where there is one, else from the label image, half way
    between the white and the pial surface.
    """
    surfaces = {}
    for side, path in subject.pial.items():
        vertices, triangles = read_surface(path, subject.labels)
        regions = _annotated(subject, side, found, settings)
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
    """Return the points half way to the white surface: in a sulcus two regions' pial touch."""
    if side not in subject.white:
        return pial
    white, _ = read_surface(subject.white[side], subject.labels)
    return (pial + white) / 2 if white.shape == pial.shape else pial


def _annotated(
    subject: FreeSurferSubject, side: str, found: Parcellation, settings: AnatomySettings
) -> NDArray[np.int32] | None:
    """Return the region index of every vertex from the subject's annotation, if it has one."""
    path = subject.annotations.get(side)
    if path is None or settings.atlas_image or settings.atlas not in _PREFIXES:
        return None
    names = read_annotation(path, _PREFIXES[settings.atlas].format(side.lower()))
    index = dict(zip(found.regions["name"], found.regions["index"], strict=True))
    return np.array([index.get(name, 0) for name in names], dtype=np.int32)
