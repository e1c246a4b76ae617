"""Run the anatomy stage: regions, tissues and surfaces from a T1 or a FreeSurfer subject."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.anatomy.atlas_registration import (
    Parcellation,
    parcellate,
    parcellate_template,
)
from virtualbrain.anatomy.brain_mask import require_contrast
from virtualbrain.anatomy.check import require_same_head
from virtualbrain.anatomy.freesurfer_subject import (
    parcellate_subject,
    read_subject,
    subject_surfaces,
)
from virtualbrain.anatomy.parcellation import without_lesion
from virtualbrain.anatomy.preprocess import (
    Head,
    cropped,
    extract_brain,
    on_working_grid,
    read_lesion_mask,
)
from virtualbrain.anatomy.quality import notes_on, region_figures, surface_figures
from virtualbrain.anatomy.reconstruct import reconstruct
from virtualbrain.anatomy.regions import region_table
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.surface import regions_of_vertices, surface_of
from virtualbrain.anatomy.template import load_template
from virtualbrain.anatomy.tissues import Tissues, five_tissues, grey_white_contrast
from virtualbrain.anatomy.voxel_grids import resample, voxel_volume
from virtualbrain.errors import InputError
from virtualbrain.io.anatomy import Anatomy, Surface
from virtualbrain.io.images import make_image, read_image, same_grid

logger = logging.getLogger(__name__)


def run_anatomy(
    settings: AnatomySettings,
    *,
    t1: Path | None = None,
    freesurfer: Path | None = None,
    lesion: Path | None = None,
    seed: int = 0,
    threads: int = 2,
    subject: Path | None = None,
    template: bool = False,
) -> Anatomy:
    """Compute a patient's regions, tissues and pial surfaces.

    The labels and surfaces of a FreeSurfer or FastSurfer subject are used unchanged, on its own
    grid. Without a subject, the built-in parcellation is used: N4 bias correction, ROBEX, affine
    and SyN registration of MNI152, Atropos tissues, atlas labels assigned to the patient's grey
    matter, and surfaces by marching cubes.

    Parameters
    ----------
    settings : AnatomySettings
        Atlas and methods.
    t1 : Path, optional
        The T1 image; required without a FreeSurfer subject.
    freesurfer : Path, optional
        The subject's folder.
    lesion : Path, optional
        Lesion mask in T1w space. Its voxels belong to no region and are ignored by registration.
    seed : int
        Seed of ROBEX and ANTs; the same seed gives the same result.
    threads : int
        Cores for recon-all and FastSurfer. ANTs has a fixed number: its results depend on it.
    subject : Path, optional
        Folder for the subject computed by recon-all or FastSurfer.
    template : bool
        There is no MRI: return the anatomy of the template MNI152.

    Raises
    ------
    InputError
        An input file is missing or invalid.
    ConfigError
        The atlas is unknown.
    ToolError
        Brain extraction, registration, recon-all or FastSurfer failed.
    """
    if template:
        return _from_template(settings)
    if freesurfer is None and t1 is not None and subject is not None and settings.reconstructs:
        freesurfer = reconstruct(t1, subject, settings, threads)
    if freesurfer is not None and settings.use_freesurfer:
        return _from_freesurfer(freesurfer, t1, lesion, settings, seed)
    if t1 is None:
        raise InputError(
            "no T1w image",
            where="anatomy of the patient",
            expected="a T1w image or a FreeSurfer subject",
            hint="add anat/sub-<label>_T1w.nii.gz to the dataset",
        )
    return _from_t1(t1, lesion, settings, seed)


def _from_t1(path: Path, lesion: Path | None, settings: AnatomySettings, seed: int) -> Anatomy:
    """Compute the anatomy from a T1 with the built-in parcellation."""
    image = read_image(path)
    require_contrast(image, path.name)
    whole, notes = extract_brain(image, settings, seed)
    whole = replace(whole, lesion=read_lesion_mask(lesion, whole.t1))
    logger.info("volume of the brain mask: %.0f ml", _millilitres(whole.mask, whole))
    work = on_working_grid(whole, settings.working_mm)
    found = _without_lesion(parcellate(work, settings, seed), work)
    surfaces = build_surfaces(found, work, settings.surface_spacing_mm)
    return _assemble(whole, work, found, surfaces, {"route": "built-in"}, notes)


def _from_template(settings: AnatomySettings) -> Anatomy:
    """Return the anatomy of the template, for a patient without MRI."""
    template = load_template()
    whole = Head(template.t1, template.mask, None)
    work = on_working_grid(whole, settings.working_mm)
    found = parcellate_template(work, settings)
    surfaces = build_surfaces(found, work, settings.surface_spacing_mm)
    note = "There is no MRI of this patient: the anatomy is that of the template MNI152."
    return _assemble(whole, work, found, surfaces, {"route": "template MNI152"}, (note,))


def _from_freesurfer(
    folder: Path, t1: Path | None, lesion: Path | None, settings: AnatomySettings, seed: int
) -> Anatomy:
    """Compute the anatomy from the labels and surfaces of a FreeSurfer subject."""
    subject, whole, values = read_subject(folder, lesion, settings)
    if t1 is not None:
        require_same_head(read_image(t1), whole.t1, whole.mask, t1.name)
    notes: tuple[str, ...] = ()
    work = cropped(whole)
    values = np.asarray(resample(make_image(values, whole.t1.affine), work.t1, order=0).dataobj)
    found = _without_lesion(parcellate_subject(work, values, settings, seed), work)
    surfaces = subject_surfaces(subject, found, work, settings)
    if len(surfaces) < 2:
        surfaces = build_surfaces(found, work, settings.surface_spacing_mm)
        notes = (
            *notes,
            "The FreeSurfer subject has no pial surfaces: they were built from its label image.",
        )
    return _assemble(whole, work, found, surfaces, {"route": "FreeSurfer"}, notes)


def _without_lesion(found: Parcellation, head: Head) -> Parcellation:
    """Remove the voxels of the lesion from all regions."""
    return replace(found, labels=without_lesion(found.labels, head.lesion))


def build_surfaces(found: Parcellation, head: Head, spacing_mm: float) -> dict[str, Surface]:
    """Build the pial surface of each hemisphere and assign a region to every vertex."""
    affine = head.t1.affine
    surfaces = {}
    for side, content in found.content.items():
        vertices, triangles = surface_of(content, affine, spacing_mm)
        regions = regions_of_vertices(vertices, found.labels, affine, found.regions, side)
        surfaces[side] = Surface(vertices, triangles, regions)
    return surfaces


def _assemble(
    whole: Head,
    work: Head,
    found: Parcellation,
    surfaces: dict[str, Surface],
    figures: Mapping[str, Any],
    notes: tuple[str, ...],
) -> Anatomy:
    """Resample everything to the grid of the T1, measure the regions, compute quality figures."""
    grid = whole.t1
    labels = np.asarray(
        resample(make_image(found.labels, work.t1.affine), grid, order=0).dataobj, dtype=np.int32
    )
    table = region_table(found.regions, labels, grid.affine, surfaces)
    quality = {
        **figures,
        **found.figures,
        **_volumes(found.tissues, work, whole),
        "grey_white_contrast": grey_white_contrast(np.asarray(work.t1.dataobj), found.tissues),
        **region_figures(table),
        **surface_figures(surfaces),
    }
    return Anatomy(
        t1=grid,
        brain_mask=make_image(whole.mask, grid.affine),
        labels=make_image(labels, grid.affine),
        regions=table,
        tissues=make_image(_tissues_on_t1(found, work, whole), grid.affine),
        surfaces=surfaces,
        quality=quality,
        notes=(*notes, *notes_on(quality)),
    )


def _tissues_on_t1(found: Parcellation, work: Head, whole: Head) -> NDArray[np.float32]:
    """Return the five-tissue volumes on the grid of the T1."""
    tissues = five_tissues(found.tissues, work.mask, found.nuclei, found.stem, work.lesion)
    if same_grid(work.t1, whole.t1):
        return tissues
    stack = np.empty((*whole.mask.shape, tissues.shape[-1]), dtype=np.float32)
    for tissue in range(tissues.shape[-1]):
        volume = make_image(tissues[..., tissue], work.t1.affine)
        stack[..., tissue] = np.asarray(resample(volume, whole.t1).dataobj)
    total = stack.sum(axis=-1, keepdims=True)
    inside = (total > 0.5) & whole.mask[..., None]
    return np.divide(stack, total, out=np.zeros_like(stack), where=inside)


def _volumes(tissues: Tissues, work: Head, whole: Head) -> dict[str, float]:
    """Return the volumes in ml of brain mask, tissues and lesion."""
    parts = {"csf_ml": tissues.csf, "grey_ml": tissues.gm, "white_ml": tissues.wm}
    volumes = {name: _millilitres(part, work) for name, part in parts.items()}
    volumes["brain_ml"] = _millilitres(whole.mask, whole)
    if whole.lesion is not None:
        volumes["lesion_ml"] = _millilitres(whole.lesion, whole)
    return volumes


def _millilitres(part: NDArray[Any], head: Head) -> float:
    return float(part.sum(dtype=np.float64)) * voxel_volume(head.t1.affine) / 1000
