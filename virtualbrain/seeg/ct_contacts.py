"""Find contacts in a CT after implantation that is registered to the T1w, for approval."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.seeg.contacts import DEFAULT_SPACING_MM, contacts_from_endpoints

Points = NDArray[np.float64]

METAL_HU = 1500.0
_TUBE_MM = 4.0
_STEP_MM = 0.25
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class CtElectrode:
    """One electrode in the CT.

    Parameters
    ----------
    name : str
        The electrode.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.
    moved_mm : float
        Median distance of its contacts from their positions by end points and spacing alone.
    contrast : float
        Mean intensity at the contacts divided by the mean intensity midway between them; near
        one, the contacts cannot be separated.
    """

    name: str
    contacts: pd.DataFrame
    moved_mm: float
    contrast: float


def find_contacts(
    ct: Any, endpoints: pd.DataFrame, metal_hu: float = METAL_HU
) -> tuple[CtElectrode, ...]:
    """Find the contacts of each electrode between its approximate end points.

    The axis of the electrode is the first principal direction of the metal within 4 mm of the
    line between the end points. Along the axis, a row of contacts with the known spacing is
    shifted to the position of highest intensity.

    Parameters
    ----------
    ct : nibabel image
        Hounsfield units; the affine maps to scanner RAS of the T1w.
    endpoints : pandas.DataFrame
        Table as for `contacts.contacts_from_endpoints`.
    metal_hu : float
        Intensity above which a voxel is metal.

    Raises
    ------
    InputError
        No metal along an electrode.
    """
    values = np.asanyarray(ct.dataobj, dtype=np.float32)
    metal = np.argwhere(values > metal_hu)
    places = metal @ ct.affine[:3, :3].T + ct.affine[:3, 3]
    weights = values[tuple(metal.T)].astype(np.float64)
    rows = [endpoints.iloc[[i]] for i in range(len(endpoints))]
    return tuple(_electrode(values, ct.affine, places, weights, row) for row in rows)


def _electrode(
    values: NDArray[np.float32],
    affine: Points,
    places: Points,
    weights: NDArray[np.float64],
    row: pd.DataFrame,
) -> CtElectrode:
    """Find one electrode's contacts."""
    guess = contacts_from_endpoints(row)
    start = row[[f"target_{a}" for a in _AXES]].to_numpy(float)[0]
    stop = row[[f"entry_{a}" for a in _AXES]].to_numpy(float)[0]
    name = str(row["electrode"].iloc[0])
    near = _in_tube(places, start, stop)
    if near.sum() < 3:
        raise InputError(
            f"no metal along the electrode {name}",
            where="CT",
            expected=f"voxels above the metal threshold within {_TUBE_MM:g} mm of the line between "
            "its end points",
            hint="check the end points, and register the CT to the T1w image first (--register)",
        )
    origin, axis = _axis(places[near], weights[near], start, stop)
    depth = (guess[list(_AXES)].to_numpy(float) - start) @ _unit(stop - start)
    first = float((start - origin) @ axis)
    shift, contrast = _best_shift(values, affine, origin, axis, depth + first)
    found = origin + np.outer(depth + first + shift, axis)
    moved = np.linalg.norm(found - guess[list(_AXES)].to_numpy(float), axis=1)
    contacts = guess.assign(x=found[:, 0], y=found[:, 1], z=found[:, 2])
    return CtElectrode(name, contacts, float(np.median(moved)), contrast)


def _unit(vector: Points) -> Points:
    return np.asarray(vector / np.linalg.norm(vector))


def _in_tube(places: Points, start: Points, stop: Points) -> NDArray[np.bool_]:
    """Return which points are near the line between two points, or just beyond its ends."""
    axis = _unit(stop - start)
    along = (places - start) @ axis
    aside = np.linalg.norm(places - start - np.outer(along, axis), axis=1)
    length = float(np.linalg.norm(stop - start))
    return np.asarray((aside < _TUBE_MM) & (along > -_TUBE_MM) & (along < length + _TUBE_MM))


def _axis(
    places: Points, weights: NDArray[np.float64], start: Points, stop: Points
) -> tuple[Points, Points]:
    """Return the weighted centre and the first principal direction, pointing to the entry."""
    middle = np.average(places, axis=0, weights=weights)
    centred = (places - middle) * np.sqrt(weights)[:, None]
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return middle, axis * np.sign(axis @ (stop - start))


def _best_shift(
    values: NDArray[np.float32], affine: Points, origin: Points, axis: Points, depth: Points
) -> tuple[float, float]:
    """Return the shift along the axis with the highest intensity, and the contrast there.

    Shifts are limited to one and a half spacings. An end point that is wrong by one contact is
    therefore corrected only if the end of the metal shows it.
    """
    spacing = float(np.median(np.diff(depth))) if len(depth) > 1 else DEFAULT_SPACING_MM
    shifts = np.arange(-1.5 * spacing, 1.5 * spacing + _STEP_MM / 2, _STEP_MM)
    at = _profile(values, affine, origin, axis, shifts[:, None] + depth[None, :])
    gaps = (depth[1:] + depth[:-1]) / 2 if len(depth) > 1 else depth + spacing / 2
    between = _profile(values, affine, origin, axis, shifts[:, None] + gaps[None, :])
    score = at.mean(axis=1) - between.mean(axis=1) + at.min(axis=1)
    best = int(np.argmax(score - 1e-6 * np.abs(shifts)))
    low = float(between[best].mean())
    contrast = float(at[best].mean()) / low if low > 0 else math.inf
    return float(shifts[best]), contrast


def _profile(
    values: NDArray[np.float32], affine: Points, origin: Points, axis: Points, along: Points
) -> NDArray[np.float64]:
    """Return the intensity at distances along the axis, linearly interpolated."""
    places = origin + along[..., None] * axis
    inverse = np.linalg.inv(affine)
    voxels = places @ inverse[:3, :3].T + inverse[:3, 3]
    flat = np.moveaxis(voxels, -1, 0).reshape(3, -1)
    found = ndimage.map_coordinates(values, flat, order=1, mode="constant", cval=0.0)
    return np.asarray(found, dtype=np.float64).reshape(along.shape)


def draw_electrodes(ct: Any, electrodes: tuple[CtElectrode, ...], path: Path | str) -> None:
    """Draw the CT and the contacts in a plane through each electrode, for approval.

    Parameters
    ----------
    ct : nibabel image
        CT as for `find_contacts`.
    electrodes : tuple of CtElectrode
        Result of `find_contacts`.
    path : Path or str
        File name that ends in ``.png``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.3 * len(electrodes) + 0.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(electrodes), 1))
    values = np.asanyarray(ct.dataobj, dtype=np.float32)
    for panel, electrode in zip(panels, electrodes, strict=True):
        places = electrode.contacts[list(_AXES)].to_numpy(float)
        axis = _unit(places[-1] - places[0])
        across = _unit(np.cross(axis, [0.3, 0.5, 0.8]))
        along = np.arange(-8, np.linalg.norm(places[-1] - places[0]) + 8, 0.5)
        aside = np.arange(-8, 8.1, 0.5)
        origin = places[0] + aside[:, None] * across
        plane = np.array([_profile(values, ct.affine, point, axis, along) for point in origin])
        extent = (float(along[0]), float(along[-1]), float(aside[0]), float(aside[-1]))
        panel.imshow(plane, cmap="gray", origin="lower", extent=extent, vmin=-100, vmax=3000)
        panel.plot((places - places[0]) @ axis, np.zeros(len(places)), "+", color="C1")
        panel.set_title(
            f"{electrode.name}: {len(places)} contacts, moved {electrode.moved_mm:.1f} mm, "
            f"contrast {electrode.contrast:.1f}",
            fontsize=8,
        )
        panel.tick_params(labelsize=6)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
