"""NIfTI and MGZ images read with faults told in one line, and written whole."""

import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import atomic_path

type Image = SpatialImage
_ALWAYS_BYTES = 256 * 2**20
_LARGEST_RATIO = 200
"""By how much an image shrinks in gzip at most; a scan by 2 to 10, a mask by 100."""
_UNREADABLE = (ImageFileError, OSError, EOFError, ValueError, zlib.error, KeyError)


def open_image(path: Path | str) -> Image:
    """Open an image without reading its voxels.

    Raises
    ------
    InputError
        There is no such file, or it is no NIfTI or MGZ image.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="check the path and the label")
    try:
        image = nib.load(path)
    except _UNREADABLE:
        raise InputError(
            "not a readable image",
            where=path.name,
            expected="NIfTI (.nii, .nii.gz) or MGZ",
            hint="convert the image again, for instance with dcm2niix",
        ) from None
    return image


def read_image(path: Path | str, *, dimensions: int = 3) -> nib.Nifti1Image:
    """Read a whole image into memory as NIfTI, its affine checked.

    A last axis of length one is dropped. Integer voxels that carry no scaling stay integer.

    Parameters
    ----------
    path : Path or str
        A NIfTI or MGZ file.
    dimensions : int
        How many axes the image must have.

    Raises
    ------
    InputError
        The file is missing, unreadable, cut short, of another number of axes, holds values that
        are not finite everywhere, or has an affine that places nothing in space.
    """
    path = Path(path)
    image = open_image(path)
    for problem in affine_problems(image, path.name):
        raise problem
    _require_promised_size(image, path)
    voxels = np.squeeze(_voxels(image, path))
    if voxels.ndim != dimensions:
        raise InputError(
            f"an image of {voxels.ndim} axes",
            where=path.name,
            expected=f"{dimensions} axes",
            hint="give a single volume" if dimensions == 3 else "give a series of volumes",
        )
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).any():
        raise InputError("no voxel is a number", where=path.name, hint="convert the image again")
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels, copy=False, posinf=0.0, neginf=0.0)
    return make_image(voxels, image.affine)


def _require_promised_size(image: Image, path: Path) -> None:
    """Refuse a header that promises more than the file can hold, before memory is taken."""
    promised = math.prod(map(int, image.shape)) * image.get_data_dtype().itemsize
    packed = path.suffix in (".gz", ".mgz")
    size = path.stat().st_size
    most = max(_ALWAYS_BYTES, size * _LARGEST_RATIO) if packed else size
    if promised > most:
        raise InputError(
            f"the image ends early: its header promises {promised / 2**20:.3g} MiB, "
            f"the file holds {size / 2**20:.3g} MiB",
            where=path.name,
            expected=" x ".join(str(n) for n in image.shape) + " voxels",
            hint="copy or convert the file again",
        )


def _voxels(image: Image, path: Path) -> NDArray[np.generic]:
    """Every voxel of an image, in an integer type where nothing is lost by it."""
    try:
        voxels = np.asanyarray(image.dataobj)
    except _UNREADABLE:
        raise InputError(
            "the image ends early",
            where=path.name,
            expected=f"{' x '.join(str(n) for n in image.shape)} voxels",
            hint="copy or convert the file again",
        ) from None
    if voxels.dtype.kind in "iub":
        return np.asarray(voxels, dtype=np.int32)
    if voxels.dtype.kind != "f":
        raise InputError(
            f"voxels of type {voxels.dtype}", where=path.name, expected="one number per voxel"
        )
    return np.asarray(voxels, dtype=np.float32)


def affine_problems(image: Image, name: str) -> list[VirtualBrainError]:
    """Name what makes an image's affine useless; nothing when it is sound.

    Refused are affines that are not finite or not invertible, voxels below 0.2 mm or above
    10 mm, NIfTI files that state no frame at all (qform and sform code zero), and a qform that
    contradicts the sform by a mirrored axis.
    """
    affine = np.asarray(image.affine, dtype=float)
    expected = "an affine that maps voxels to scanner RAS in mm"
    hint = "convert the image again from the scanner's files"
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return [InputError("the affine is zero", where=name, expected=expected, hint=hint)]
    sizes = voxel_sizes(affine)
    if sizes.min() < 0.2 or sizes.max() > 10:
        size = " x ".join(f"{s:.3g}" for s in sizes)
        return [
            InputError(
                f"voxels of {size} mm",
                where=name,
                expected="0.2 to 10 mm along each axis",
                hint="check the unit of the affine",
            )
        ]
    return _frame_problems(image, name) if isinstance(image, nib.Nifti1Image) else []


def _frame_problems(image: nib.Nifti1Image, name: str) -> list[VirtualBrainError]:
    """Faults of a NIfTI header that says no frame, or two that contradict each other."""
    qcode, scode = int(image.header["qform_code"]), int(image.header["sform_code"])
    if qcode == 0 and scode == 0:
        return [
            InputError(
                "the header states no frame (qform and sform code are 0): "
                "left and right cannot be told apart",
                where=name,
                expected="a scanner or aligned frame",
                hint="convert the image again from the scanner's files",
            )
        ]
    if qcode and scode:
        signs = [np.sign(np.linalg.det(form[:3, :3])) for form in _forms(image)]
        if signs[0] != signs[1]:
            return [
                InputError(
                    "qform and sform mirror each other: left and right are in doubt",
                    where=name,
                    expected="two forms of the same handedness",
                    hint="set both from the scanner's files",
                )
            ]
    return []


def _forms(image: nib.Nifti1Image) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(image.get_qform()), np.asarray(image.get_sform())


def image_problems(path: Path | str, *, dimensions: int = 3) -> list[VirtualBrainError]:
    """Every fault of an image file; reads its voxels, because only that finds a cut file."""
    try:
        read_image(path, dimensions=dimensions)
    except VirtualBrainError as problem:
        return [problem]
    return []


def make_image(voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> nib.Nifti1Image:
    """Return a NIfTI image in scanner RAS mm whose type on disk is that of `voxels`."""
    if voxels.dtype == np.bool_:
        voxels = voxels.astype(np.uint8)
    elif voxels.dtype in (np.int64, np.uint64):
        voxels = voxels.astype(np.int32)
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=1)
    return image


def same_grid(one: Image, other: Image, tolerance_mm: float = 1e-2) -> bool:
    """Whether two images have the same voxels in the same places."""
    return tuple(one.shape[:3]) == tuple(other.shape[:3]) and bool(
        np.allclose(one.affine, other.affine, atol=tolerance_mm)
    )


def write_image(path: Path | str, image: nib.Nifti1Image) -> None:
    """Write a NIfTI image, whole or not at all; the same voxels give the same bytes."""
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
