"""Which points are near vessels, from a mask: no electrode may pass there."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.seeg.trajectories import Inside, Points

# A mask of vessels fills less of its image than this.
LARGEST_SHARE = 0.25


def near_vessels(mask: Any, distance_mm: float, where: str = "vessels") -> Inside:
    """Return which points are at most so far from a vessel.

    Distances are those to the nearest voxel of the mask: to its centre, minus half of its diagonal,
    so that they are too small by less than a diagonal, never too large.

    Parameters
    ----------
    mask : nibabel image
        Vessels where it is not 0; its affine gives scanner RAS of the T1w image, mm.
    distance_mm : float
        The distance that an electrode keeps.
    where : str
        Name of the file, for errors.

    Raises
    ------
    InputError
        The distance is negative or infinite, the mask is empty, has values that are not finite, or
        fills so much of its image that it is no mask of vessels.
    """
    from scipy.spatial import cKDTree

    if not (np.isfinite(distance_mm) and distance_mm >= 0):
        raise InputError(f"a distance of {distance_mm:g} mm to vessels", where="--vessel-distance",
                         expected="0 mm or more")  # fmt: skip
    values = np.asarray(mask.get_fdata(dtype=np.float32))
    if not np.isfinite(values).all():
        raise InputError("voxels that are not finite", where=where, expected="a mask of 0 and 1",
                         hint="write the mask again")  # fmt: skip
    inside = values != 0
    if not inside.any():
        raise InputError("no vessel in the mask", where=where, expected="1 in vessels, 0 elsewhere",
                         hint="leave out --vessels if there is no mask")  # fmt: skip
    if inside.mean() > LARGEST_SHARE:
        raise InputError(
            f"{inside.mean():.0%} of the voxels are vessels", where=where,
            expected=f"a mask that fills at most {LARGEST_SHARE:.0%} of its image",
            hint="give a mask of vessels, not an angiogram or a mask of the brain",
        )  # fmt: skip
    affine = np.asarray(mask.affine, dtype=np.float64)
    tree = cKDTree(_centres(inside, affine))
    reach = distance_mm + 0.5 * float(np.linalg.norm(affine[:3, :3]))

    def near(points: Points) -> NDArray[np.bool_]:
        return np.asarray(tree.query(points, distance_upper_bound=reach)[0] <= reach)

    return near


def _centres(inside: NDArray[np.bool_], affine: NDArray[np.float64]) -> Points:
    """Return the centres of the voxels of a mask, mm."""
    return np.asarray(np.argwhere(inside) @ affine[:3, :3].T + affine[:3, 3])


def require_in_frame(mask: Any, points: Points, where: Path | str) -> None:
    """Raise an error if the image of a mask holds none of the patient's contacts.

    Parameters
    ----------
    mask : nibabel image
        The mask.
    points : numpy.ndarray, shape (n, 3)
        Contacts, mm.
    where : Path or str
        Name of the file.

    Raises
    ------
    InputError
        The mask is in another frame.
    """
    if not len(points):
        return
    inverse = np.linalg.inv(np.asarray(mask.affine, dtype=np.float64))
    places = points @ inverse[:3, :3].T + inverse[:3, 3]
    shape = np.array(mask.shape[:3])
    if not ((places > -0.5) & (places < shape - 0.5)).all(axis=1).any():
        raise InputError(
            "the image of the mask holds no contact of the patient", where=str(where),
            expected="scanner RAS of the T1w image", hint="register the mask to the T1w image",
        )  # fmt: skip
