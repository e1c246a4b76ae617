"""Read, check and write NIfTI and MGZ images.

nibabel is imported on use: it takes longer than the check of a patient without images.
"""

import gzip
import math
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import atomic_path

if TYPE_CHECKING:
    import nibabel as nib
    from nibabel.spatialimages import SpatialImage

type Image = SpatialImage
type ImageReader = Callable[[Path], "nib.Nifti1Image"]
_ALWAYS_BYTES = 256 * 2**20
_LARGEST_RATIO = 200
"""Largest plausible gzip compression ratio of an image; a scan has 2 to 10, a mask 100."""


def open_image(path: Path | str) -> Image:
    """Open an image without reading its voxels.

    Raises
    ------
    InputError
        The file does not exist or is not a NIfTI or MGZ image.
    """
    import nibabel as nib
    from nibabel.imageglobals import LoggingOutputSuppressor

    path = Path(path)
    if not path.is_file():
        is_link = path.is_symlink()
        raise InputError(
            "the link points to a file that is not there" if is_link else "no such file",
            where=path.name if is_link else str(path),
            hint="get the file (`datalad get`), or replace the link"
            if is_link
            else "check the path and the label",
        )
    try:
        with LoggingOutputSuppressor():  # the error says it in one line
            image = nib.load(path)
    except Exception as error:  # damaged headers raise many kinds
        raise InputError(
            "unreadable image",
            where=path.name,
            expected="NIfTI (.nii, .nii.gz) or MGZ",
            hint="convert the image again, for example with dcm2niix",
        ) from error
    return image


def read_image(path: Path | str, *, dimensions: int = 3) -> "nib.Nifti1Image":
    """Read an image into memory as NIfTI and check its affine.

    Axes of length 1 are dropped. Integer voxels without scaling remain integer. Single voxels
    that are not finite become 0.

    Parameters
    ----------
    path : Path or str
        A NIfTI or MGZ file.
    dimensions : int
        Required number of axes.

    Raises
    ------
    InputError
        The file is missing, unreadable or truncated, has another number of axes, has no finite
        voxel, or has an invalid affine.
    """
    path = Path(path)
    image = open_image(path)
    for problem in affine_problems(image, path.name):
        raise problem
    _require_stated_size(image, path)
    voxels = np.squeeze(_voxels(image, path))
    if voxels.ndim != dimensions:
        raise InputError(
            f"the image has {voxels.ndim} axes",
            where=path.name,
            expected=f"{dimensions} axes",
            hint="provide a single volume" if dimensions == 3 else "provide a series of volumes",
        )
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).any():
        raise InputError(
            "no voxel has a finite value",
            where=path.name,
            expected="numbers in the voxels",
            hint="convert the image again",
        )
    if voxels.dtype.kind == "f":
        voxels = np.nan_to_num(voxels, copy=False, posinf=0.0, neginf=0.0)
    return make_image(voxels, image.affine)


def _require_stated_size(image: Image, path: Path) -> None:
    """Reject a file too small for the size in its header, before allocating memory."""
    stated = _stated_bytes(image)
    is_compressed = path.suffix in (".gz", ".mgz")
    size = path.stat().st_size
    largest = max(_ALWAYS_BYTES, size * _LARGEST_RATIO) if is_compressed else size
    if stated > largest:
        raise InputError(
            f"the image is truncated: the header states {stated / 2**20:.3g} MiB, "
            f"the file has {size / 2**20:.3g} MiB",
            where=path.name,
            expected=" x ".join(str(n) for n in image.shape) + " voxels",
            hint="copy or convert the file again",
        )


def _stated_bytes(image: Image) -> int:
    """Return the size of an image's voxels by its header."""
    return math.prod(map(int, image.shape)) * int(image.get_data_dtype().itemsize)


def _voxels(image: Image, path: Path) -> NDArray[np.generic]:
    """Return the voxels of an image: integers if they are stored so without scaling."""
    try:
        voxels = np.asanyarray(image.dataobj)
    except Exception as error:
        raise InputError(
            "the image is truncated",
            where=path.name,
            expected=f"{' x '.join(str(n) for n in image.shape)} voxels",
            hint="copy or convert the file again",
        ) from error
    if voxels.dtype.kind in "iub":
        return np.asarray(voxels, dtype=np.int32)
    if voxels.dtype.kind != "f":
        kind = "colours" if voxels.dtype.names else "complex numbers"
        raise InputError(
            f"the voxels are {kind}",
            where=path.name,
            expected="one number per voxel",
            hint="convert the original series, not a picture of it"
            if voxels.dtype.names
            else "provide the image of the magnitude",
        )
    return np.asarray(voxels, dtype=np.float32)


def in_memory(image: Image) -> Image:
    """Return a small compressed NIfTI image with its file decompressed; another one as it is.

    Its voxels can be read several times at no cost, with the type and the scaling of the file.
    """
    import nibabel as nib
    from nibabel.arrayproxy import ArrayProxy

    path = Path(image.get_filename() or "")
    is_nifti = isinstance(image, nib.Nifti1Image) and isinstance(image.dataobj, ArrayProxy)
    if path.suffix != ".gz" or not is_nifti:
        return image
    n_bytes = image.dataobj.offset + _stated_bytes(image)
    if n_bytes > _ALWAYS_BYTES:
        return image
    with gzip.open(path) as file:
        return image.from_stream(BytesIO(file.read(n_bytes)))


def label_voxels(image: Image) -> NDArray[np.integer]:
    """Return the voxels of a label image as integers, without a copy if they are stored so."""
    voxels = np.asarray(image.dataobj)
    return voxels if voxels.dtype.kind in "iu" else np.rint(voxels).astype(np.int32)


def in_labels(labels: NDArray[np.integer], chosen: Iterable[int]) -> NDArray[np.bool_]:
    """Return where a label image has one of these labels, none negative; as isin, in less time."""
    wanted = [*chosen]
    table = np.zeros(max(int(labels.max(initial=0)), *wanted, 0) + 1, dtype=bool)
    table[wanted] = True
    return np.asarray(table[labels])


def affine_problems(image: Image, name: str) -> list[VirtualBrainError]:
    """Return the problems of an image's affine.

    Invalid are: an affine that is not finite or not invertible; voxels below 0.2 mm or above
    10 mm; a NIfTI header without coordinate frame (qform and sform code 0); a qform that is
    mirrored relative to the sform.
    """
    import nibabel as nib
    from nibabel.affines import voxel_sizes

    affine = np.asarray(image.affine, dtype=float)
    expected = "an affine that maps voxels to scanner RAS in mm"
    hint = "convert the image again from the scanner's files"
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return [
            InputError(
                "the affine is zero or not invertible", where=name, expected=expected, hint=hint
            )
        ]
    sizes = voxel_sizes(affine)
    if sizes.min() < 0.2 or sizes.max() > 10:
        size = " x ".join(f"{s:.3g}" for s in sizes)
        return [
            InputError(
                f"the voxel size is {size} mm",
                where=name,
                expected="0.2 to 10 mm along each axis",
                hint="check the unit of the affine",
            )
        ]
    return _frame_problems(image, name) if isinstance(image, nib.Nifti1Image) else []


def _frame_problems(image: "nib.Nifti1Image", name: str) -> list[VirtualBrainError]:
    """Check that a NIfTI header states a coordinate frame, and that its frames agree."""
    qcode, scode = int(image.header["qform_code"]), int(image.header["sform_code"])
    if qcode == 0 and scode == 0:
        return [
            InputError(
                "the header states no coordinate frame (qform and sform code are 0), so left and "
                "right are unknown",
                where=name,
                expected="qform or sform code of 1 or more",
                hint="convert the image again from the scanner's files",
            )
        ]
    if qcode and scode:
        signs = [np.sign(np.linalg.det(form[:3, :3])) for form in _forms(image)]
        if signs[0] != signs[1]:
            return [
                InputError(
                    "qform and sform are mirrored relative to each other, so left and right are "
                    "ambiguous",
                    where=name,
                    expected="a qform and an sform of the same handedness",
                    hint="convert the image again from the scanner's files",
                )
            ]
    return []


def _forms(image: "nib.Nifti1Image") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.asarray(image.get_qform()), np.asarray(image.get_sform())


def make_image(voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> "nib.Nifti1Image":
    """Return a NIfTI image in scanner RAS, in mm, with the data type of `voxels`."""
    import nibabel as nib

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
    """Whether two images have the same voxel grid."""
    return tuple(one.shape[:3]) == tuple(other.shape[:3]) and bool(
        np.allclose(one.affine, other.affine, atol=tolerance_mm)
    )


def write_image(path: Path | str, image: "nib.Nifti1Image") -> None:
    """Write a NIfTI image atomically; equal images give equal files."""
    import nibabel as nib

    with atomic_path(path) as temporary:
        nib.save(image, temporary)
