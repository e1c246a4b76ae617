"""Faults of the images and atlases, found before anything long starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.anatomy.atlases import load_atlas
from virtualbrain.anatomy.brain_mask import require_contrast
from virtualbrain.anatomy.reconstruct import reconstruction_obstacle
from virtualbrain.anatomy.settings import BUILT_IN, AnatomySettings
from virtualbrain.anatomy.voxel_grids import resample, voxel_volume
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.freesurfer import open_subject, read_surface
from virtualbrain.io.images import make_image, read_image

_LARGEST_ML = 700.0


def check_anatomy(files: PatientFiles, settings: AnatomySettings) -> list[VirtualBrainError]:
    """Find every fault of the T1, the FreeSurfer subject, the lesion mask and the atlas.

    Parameters
    ----------
    files : PatientFiles
        The patient's files; those that are None are not checked.
    settings : AnatomySettings
        The atlas among them.
    """
    freesurfer = files.freesurfer if settings.use_freesurfer else None
    problems: list[VirtualBrainError] = []
    if freesurfer is not None:
        problems += check_freesurfer(freesurfer, settings)
    elif settings.reconstructs and (obstacle := reconstruction_obstacle(settings)) is not None:
        problems.append(obstacle)
    if freesurfer is None or settings.atlas_image:
        problems += check_atlas(settings)
    if files.t1 is not None:
        problems += check_t1(files.t1)
    if files.lesion is not None and files.t1 is not None:
        problems += check_lesion(files.lesion, files.t1)
    if freesurfer is not None and files.t1 is not None and not problems:
        problems += check_same_head(freesurfer, files.t1, settings)
    return problems


def check_t1(path: Path) -> list[VirtualBrainError]:
    """Find what makes a T1 unusable: unreadable, cut short, no frame, empty, too small."""
    return _problems_of(lambda: require_contrast(read_image(path), path.name))


def check_atlas(settings: AnatomySettings) -> list[VirtualBrainError]:
    """Find an unknown atlas, and a label image and table that do not fit each other."""
    return _problems_of(lambda: load_atlas(settings))


def check_freesurfer(folder: Path, settings: AnatomySettings) -> list[VirtualBrainError]:
    """Find a FreeSurfer subject without labels, without a T1, or with unreadable files."""

    def read() -> None:
        subject = open_subject(folder, _base_atlas(settings))
        labels = read_image(subject.labels)
        if subject.t1 is None:
            raise InputError(
                "the FreeSurfer subject holds no T1",
                where=str(folder / "mri"),
                expected="T1.mgz or orig.mgz",
            )
        if tuple(read_image(subject.t1).shape) != tuple(labels.shape):
            raise InputError(
                "the labels and the T1 differ in shape",
                where=f"{subject.labels.name}, {subject.t1.name}",
                expected="files of one subject and one run of recon-all",
            )
        for path in subject.pial.values():
            read_surface(path, subject.labels)

    return _problems_of(read)


def _base_atlas(settings: AnatomySettings) -> str:
    """Return the atlas that a subject must hold: the one asked for, or the one with the nuclei."""
    return settings.atlas if settings.atlas in BUILT_IN else "DesikanKilliany"


def check_same_head(
    freesurfer: Path, t1: Path, settings: AnatomySettings
) -> list[VirtualBrainError]:
    """Find a T1 that is not the FreeSurfer subject's."""

    def read() -> None:
        subject = open_subject(freesurfer, _base_atlas(settings))
        assert subject.t1 is not None  # `check_freesurfer` passed
        theirs = read_image(subject.t1)
        inside = np.asarray(read_image(subject.labels).dataobj) > 0
        require_same_head(read_image(t1), theirs, inside, t1.name)

    return _problems_of(read)


def require_same_head(
    t1: nib.Nifti1Image, theirs: nib.Nifti1Image, inside: NDArray[np.bool_], name: str
) -> None:
    """Refuse a T1 that is not the FreeSurfer subject's: electrodes lie in the T1's space.

    Parameters
    ----------
    t1, theirs : nibabel.Nifti1Image
        The dataset's T1 and the subject's.
    inside : numpy.ndarray of bool
        The brain, on the subject's grid.
    name : str
        The T1's file, for the message.

    Raises
    ------
    InputError
        Inside the brain the two images do not correlate.
    """
    ours = make_image(np.asarray(t1.dataobj, dtype=np.float32), t1.affine)
    here = np.asarray(resample(ours, theirs).dataobj)[inside]
    there = np.asarray(theirs.dataobj)[inside]
    covered = float((here > 0).mean())
    alike = float(np.corrcoef(here, there)[0, 1]) if here.std() > 0 else 0.0
    if covered < 0.9 or alike < 0.4:
        raise InputError(
            f"the T1 and the FreeSurfer subject do not lie over each other (correlation "
            f"{alike:.2f}, {covered:.0%} of the brain covered)",
            where=name,
            expected="the T1 that FreeSurfer was run on",
            hint="give that T1, or remove the FreeSurfer subject",
        )


def check_lesion(lesion: Path, t1: Path) -> list[VirtualBrainError]:
    """Find a lesion mask that is empty, no mask, or lies outside the T1."""

    def read() -> None:
        require_lesion(read_image(lesion), read_image(t1), lesion.name)

    return _problems_of(read)


def require_lesion(lesion: nib.Nifti1Image, t1: nib.Nifti1Image, name: str) -> None:
    """Refuse a mask that does not fit a T1.

    Raises
    ------
    InputError
        It is empty, larger than half a brain, or a tenth or more of it lies outside the T1.
    """
    inside = np.asarray(lesion.dataobj) > 0.5
    expected = "a mask drawn on this T1: 1 in the lesion, 0 elsewhere"
    if not inside.any():
        raise InputError("the lesion mask is empty", where=name, expected=expected)
    volume_ml = float(inside.sum()) * voxel_volume(lesion.affine) / 1000
    if volume_ml > _LARGEST_ML:
        raise InputError(
            f"the lesion mask holds {volume_ml:.0f} ml",
            where=name,
            expected=expected,
            hint="check that 1 stands for the lesion and not for the healthy brain",
        )
    points = apply_affine(lesion.affine, np.argwhere(inside))
    voxels = apply_affine(np.linalg.inv(t1.affine), points)
    within = ((voxels > -0.5) & (voxels < np.array(t1.shape) - 0.5)).all(axis=1)
    if within.mean() < 0.9:
        raise InputError(
            f"{1 - within.mean():.0%} of the lesion mask lies outside the T1",
            where=name,
            expected=expected,
            hint="draw or resample the mask in the T1's own space",
        )


def _problems_of(read: Callable[[], Any]) -> list[VirtualBrainError]:
    """Return the fault that reading raises, if it raises one."""
    try:
        read()
    except VirtualBrainError as problem:
        return [problem]
    return []
