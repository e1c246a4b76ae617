"""Check the centres of regions: their frame and unit, and their distance from the contacts.

A ready connectome states no frame. Its centres must be in scanner RAS of the T1w in mm, as the
contacts are; otherwise contacts would silently belong to wrong regions.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy.region_names import hemisphere_of
from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.images import open_image
from virtualbrain.seeg.coordinates import tkras_to_scanner
from virtualbrain.seeg.settings import SeegSettings

Points = NDArray[np.float64]
_EXPECTED = "centres in scanner RAS of the T1w in mm, like the contacts"
_CLEAR_MM = 2.0
_EXTENT_MM = (15.0, 400.0)
_MANY = 4
_MNI_VOXELS = {
    "voxels of the MNI152 template at 1 mm": np.array(
        [[-1.0, 0, 0, 90], [0, 1, 0, -126], [0, 0, 1, -72], [0, 0, 0, 1]]
    ),
    "voxels of the MNI152 template at 2 mm": np.array(
        [[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]]
    ),
}


@dataclass(frozen=True)
class CentreDistance:
    """Distance of the contacts from their nearest region centre.

    Parameters
    ----------
    median_mm : float
        Median over the contacts.
    share_near : float
        Fraction of the contacts within the radius.
    """

    median_mm: float
    share_near: float


def centre_distance(points: Points, centres: Points, radius_mm: float) -> CentreDistance:
    """Return the distance of points from their nearest centre.

    Parameters
    ----------
    points : numpy.ndarray, shape (n_points, 3)
        Scanner RAS, mm; rows with NaN are ignored, at least one must be known.
    centres : numpy.ndarray, shape (n_regions, 3)
        Region centres, mm; rows with NaN are ignored, at least one must be known.
    radius_mm : float
        Largest distance of a contact from the centre of its region.
    """
    known = points[np.isfinite(points).all(axis=1)]
    placed = centres[np.isfinite(centres).all(axis=1)]
    nearest = np.linalg.norm(known[:, None] - placed[None], axis=-1).min(axis=1)
    return CentreDistance(float(np.median(nearest)), float((nearest <= radius_mm).mean()))


def centre_problems(regions: pd.DataFrame, where: str) -> list[InputError]:
    """Return the reasons why centres cannot be in scanner RAS in mm; at most one.

    The centres must differ, extend over 15 to 400 mm, and have the left hemisphere on the left.
    Regions of both hemispheres whose coordinates are all positive are in voxels.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table.
    where : str
        Its file or folder, for messages.
    """
    centres = regions[["x", "y", "z"]].to_numpy(float)
    known = np.isfinite(centres).all(axis=1)
    placed = centres[known]
    if len(placed) < 2:
        return []
    extent = float(np.ptp(placed, axis=0).max())
    if extent == 0:
        return [_refused("all region centres are at the same place", where, "enter the centres")]
    low, high = _EXTENT_MM
    if len(placed) >= _MANY and not low <= extent <= high:
        what = f"the region centres extend over {extent:.3g} mm"
        return [_refused(what, where, "convert the centres to mm")]
    sides = np.array(_sides(regions))[known]
    left, right = placed[sides == "L"], placed[sides == "R"]
    if not len(left) or not len(right):
        return []
    if left[:, 0].mean() > right[:, 0].mean() + _CLEAR_MM:
        what = (
            f"the regions of the left hemisphere are on the right of the others (mean x: left "
            f"{left[:, 0].mean():.0f} mm, right {right[:, 0].mean():.0f} mm)"
        )
        return [_refused(what, where, "convert the centres from LPS or voxels to scanner RAS")]
    if len(placed) >= _MANY and (placed >= 0).all():
        what = "no region centre has a negative coordinate, as in voxel indices"
        return [_refused(what, where, "convert the centres from voxels to scanner RAS")]
    return []


def _sides(regions: pd.DataFrame) -> list[str | None]:
    """Return the hemisphere of every region: from its name, else from the column hemisphere."""
    stated = regions["hemisphere"] if "hemisphere" in regions else [None] * len(regions)
    return [
        hemisphere_of(str(name)) or (str(side)[:1].upper() if isinstance(side, str) else None)
        for name, side in zip(regions["name"], stated, strict=True)
    ]


def _refused(what: str, where: str, hint: str) -> InputError:
    return InputError(what, where=where, expected=_EXPECTED, hint=hint)


def distance_problems(
    files: PatientFiles, points: Points, regions: pd.DataFrame, settings: SeegSettings
) -> list[InputError]:
    """Return the error if too few contacts are near a region centre.

    Parameters
    ----------
    files : PatientFiles
        The patient's files; they define the frames that the message may name.
    points : numpy.ndarray, shape (n_contacts, 3)
        Contacts in scanner RAS, mm; NaN where unknown.
    regions : pandas.DataFrame
        Region table.
    settings : SeegSettings
        `centre_radius_mm`, and `brain_share_min`, the smallest fraction of near contacts.
    """
    centres = regions[["x", "y", "z"]].to_numpy(float)
    if not np.isfinite(points).all(axis=1).any() or not np.isfinite(centres).all(axis=1).any():
        return []
    found = centre_distance(points, centres, settings.centre_radius_mm)
    if found.share_near >= settings.brain_share_min:
        return []
    from nibabel.affines import apply_affine  # slow to import

    better = [
        f"read as {name}, {share:.0%} would be"
        for name, matrix in _readings(files).items()
        if (
            share := centre_distance(
                points, apply_affine(matrix, centres), settings.centre_radius_mm
            ).share_near
        )
        > max(found.share_near, settings.brain_share_min)
    ]
    return [
        InputError(
            f"{found.share_near:.0%} of the contacts are within {settings.centre_radius_mm:g} mm "
            f"of a region centre (median distance {found.median_mm:.0f} mm)",
            where=files.electrodes.name if files.electrodes is not None else "",
            expected=f"{settings.brain_share_min:.0%} or more: centres and contacts in the same "
            "frame, mm",
            hint="; ".join(better) or "check frame and unit of the region table and the contacts",
        )
    ]


def distance_note(points: Points, regions: pd.DataFrame, settings: SeegSettings) -> str:
    """Return the distance of the contacts from the region centres as a note."""
    centres = regions[["x", "y", "z"]].to_numpy(float)
    found = centre_distance(points, centres, settings.centre_radius_mm)
    return (
        f"nearest region centre of the contacts: median {found.median_mm:.0f} mm, "
        f"{found.share_near:.0%} within {settings.centre_radius_mm:g} mm"
    )


def _readings(files: PatientFiles) -> Mapping[str, Points]:
    """Return the affines to scanner RAS of frames that the centres might be in."""
    readings = {
        "LPS": np.diag([-1.0, -1.0, 1.0, 1.0]),
        "LAS": np.diag([-1.0, 1.0, 1.0, 1.0]),
        "metres": np.diag([1000.0, 1000.0, 1000.0, 1.0]),
        "centimetres": np.diag([10.0, 10.0, 10.0, 1.0]),
        **_MNI_VOXELS,
    }
    if files.t1 is not None:
        with suppress(InputError):
            readings["voxels of the T1w"] = np.asarray(open_image(files.t1).affine)
    with suppress(InputError):
        readings["FreeSurfer tkRAS"] = tkras_to_scanner(files.freesurfer, "")
    return readings
