"""Check T1, FreeSurfer subject, lesion mask and atlas before any long computation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.anatomy.atlases import desikan_killiany, load_atlas, require_atlas
from virtualbrain.anatomy.brain_mask import require_contrast
from virtualbrain.anatomy.parcellation import has_subcortex
from virtualbrain.anatomy.reconstruct import reconstruction_obstacle
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.voxel_grids import resample, voxel_volume
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.freesurfer import open_subject, read_surface
from virtualbrain.io.images import ImageReader, make_image, read_image

_LARGEST_ML = 700.0
_MIN_COVERED = 0.9
_MIN_CORRELATION = 0.4


def check_anatomy(
    files: PatientFiles, settings: AnatomySettings, read: ImageReader = read_image
) -> list[VirtualBrainError]:
    """Return every problem of the T1, the FreeSurfer subject, the lesion mask and the atlas.

    Parameters
    ----------
    files : PatientFiles
        The patient's files; a file that is None is not checked.
    settings : AnatomySettings
        Atlas and methods.
    read : callable
        Reads the T1.
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
        problems += check_t1(files.t1, read)
    if files.lesion is not None and files.t1 is not None:
        problems += check_lesion(files.lesion, files.t1, read)
    if freesurfer is not None and files.t1 is not None and not problems:
        problems += check_same_head(freesurfer, files.t1, settings, read)
    return problems


def check_t1(path: Path, read: ImageReader = read_image) -> list[VirtualBrainError]:
    """Check that a T1 is readable and complete, has a coordinate frame and shows a head."""
    return _problems_of(lambda: require_contrast(read(path), path.name))


def check_atlas(settings: AnatomySettings) -> list[VirtualBrainError]:
    """Check that the atlas is known and its label image and label table match."""
    return _problems_of(lambda: require_atlas(settings))


def expected_regions(settings: AnatomySettings) -> tuple[str, ...]:
    """Return the names of the regions that the anatomy will have; none if the atlas is invalid."""
    try:
        atlas = load_atlas(settings)
    except VirtualBrainError:
        return ()
    names = list(atlas.table["name"])
    if settings.join_subcortex and not has_subcortex(atlas.table):
        base = desikan_killiany().table
        names += list(base.loc[base["structure"] == "subcortex", "name"])
    return tuple(map(str, names))


def check_freesurfer(folder: Path, settings: AnatomySettings) -> list[VirtualBrainError]:
    """Check that a FreeSurfer subject has labels and a T1, and that its files are readable."""

    def read() -> None:
        subject = open_subject(folder, settings.freesurfer_atlas)
        labels, t1 = read_image(subject.labels), subject.require_t1()
        if tuple(read_image(t1).shape) != tuple(labels.shape):
            raise InputError(
                "the label image and the T1 differ in shape",
                where=f"{subject.labels.name}, {t1.name}",
                expected="files of one subject from one run of recon-all",
                hint="run recon-all again, or remove the FreeSurfer subject",
            )
        for path in subject.pial.values():
            read_surface(path, subject.labels)

    return _problems_of(read)


def check_same_head(
    freesurfer: Path, t1: Path, settings: AnatomySettings, read: ImageReader = read_image
) -> list[VirtualBrainError]:
    """Check that the T1 is the image from which the FreeSurfer subject was computed."""

    def compare() -> None:
        subject = open_subject(freesurfer, settings.freesurfer_atlas)
        subject_t1 = read_image(subject.require_t1())
        inside = np.asarray(read_image(subject.labels).dataobj) > 0
        require_same_head(read(t1), subject_t1, inside, t1.name)

    return _problems_of(compare)


def require_same_head(
    t1: nib.Nifti1Image, subject_t1: nib.Nifti1Image, inside: NDArray[np.bool_], name: str
) -> None:
    """Reject a T1 that is not aligned with the FreeSurfer subject.

    Contact coordinates refer to the T1, so the labels must be aligned with it.

    Parameters
    ----------
    t1, subject_t1 : nibabel.Nifti1Image
        The T1 of the dataset and that of the FreeSurfer subject.
    inside : numpy.ndarray of bool
        The brain, on the subject's grid.
    name : str
        File name of the T1, for the message.

    Raises
    ------
    InputError
        The T1 does not cover the brain, or its intensities do not correlate with the subject's.
    """
    image = make_image(np.asarray(t1.dataobj, dtype=np.float32), t1.affine)
    ours = np.asarray(resample(image, subject_t1).dataobj)[inside]
    theirs = np.asarray(subject_t1.dataobj)[inside]
    covered = float((ours > 0).mean())
    correlation = float(np.corrcoef(ours, theirs)[0, 1]) if ours.std() > 0 else 0.0
    if covered < _MIN_COVERED or correlation < _MIN_CORRELATION:
        raise InputError(
            f"the T1 and the FreeSurfer subject are not aligned (correlation "
            f"{correlation:.2f}, {covered:.0%} of the brain covered)",
            where=name,
            expected="the T1 that FreeSurfer was run on (correlation "
            f"{_MIN_CORRELATION} or more, {_MIN_COVERED:.0%} or more covered)",
            hint="provide that T1, or remove the FreeSurfer subject",
        )


def check_lesion(lesion: Path, t1: Path, read: ImageReader = read_image) -> list[VirtualBrainError]:
    """Check that a lesion mask is not empty, not too large, and inside the T1."""
    return _problems_of(lambda: require_lesion(read_image(lesion), read(t1), lesion.name))


def require_lesion(lesion: nib.Nifti1Image, t1: nib.Nifti1Image, name: str) -> None:
    """Reject a lesion mask that does not match the T1.

    Raises
    ------
    InputError
        The mask is empty, larger than half a brain, or more than a tenth outside the T1.
    """
    inside = np.asarray(lesion.dataobj) > 0.5
    expected = "a mask drawn on this T1: 1 in the lesion, 0 elsewhere"
    if not inside.any():
        raise InputError(
            "the lesion mask is empty",
            where=name,
            expected=expected,
            hint="draw the mask again, or remove the file",
        )
    volume_ml = float(inside.sum()) * voxel_volume(lesion.affine) / 1000
    if volume_ml > _LARGEST_ML:
        raise InputError(
            f"the volume of the lesion mask is {volume_ml:.0f} ml (limit: {_LARGEST_ML:.0f} ml)",
            where=name,
            expected=expected,
            hint="check that 1 marks the lesion and not the healthy brain",
        )
    points = apply_affine(lesion.affine, np.argwhere(inside))
    voxels = apply_affine(np.linalg.inv(t1.affine), points)
    within = ((voxels > -0.5) & (voxels < np.array(t1.shape) - 0.5)).all(axis=1)
    if within.mean() < 0.9:
        raise InputError(
            f"{1 - within.mean():.0%} of the lesion mask lies outside the T1",
            where=name,
            expected=expected,
            hint="draw the mask on this T1, or resample it to the grid of this T1",
        )


def _problems_of(read: Callable[[], Any]) -> list[VirtualBrainError]:
    """Return the error raised by `read` as a list; empty if it raises none."""
    try:
        read()
    except VirtualBrainError as problem:
        return [problem]
    return []
