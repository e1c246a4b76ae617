"""Contacts found in a post-implant CT that is registered to the T1, for a person to approve."""

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
        As `contacts.read_contacts`.
    moved_mm : float
        Median distance of its contacts from where the end points alone would put them.
    contrast : float
        Mean intensity at the contacts over that midway between them; near one means that the
        contacts cannot be told apart.
    """

    name: str
    contacts: pd.DataFrame
    moved_mm: float
    contrast: float


def find_contacts(
    ct: Any, endpoints: pd.DataFrame, metal_hu: float = METAL_HU
) -> tuple[CtElectrode, ...]:
    """Find the contacts of each electrode between its roughly marked end points.

    Metal within 4 mm of the marked line gives the electrode's axis (first principal direction);
    along it, a comb of the known spacing is shifted to where it meets the brightest places.

    Parameters
    ----------
    ct : nibabel image
        In Hounsfield units, its affine leading to the T1's scanner RAS.
    endpoints : pandas.DataFrame
        As for `contacts.contacts_from_endpoints`.
    metal_hu : float
        What counts as metal.

    Raises
    ------
    InputError
        An electrode shows no metal.
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
            expected=f"voxels brighter than the threshold within {_TUBE_MM:g} mm of its end points",
            hint="check the end points and that the CT is registered to the T1",
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
    """Return which places lie near the line between two points, or just beyond its ends."""
    axis = _unit(stop - start)
    along = (places - start) @ axis
    aside = np.linalg.norm(places - start - np.outer(along, axis), axis=1)
    length = float(np.linalg.norm(stop - start))
    return np.asarray((aside < _TUBE_MM) & (along > -_TUBE_MM) & (along < length + _TUBE_MM))


def _axis(
    places: Points, weights: NDArray[np.float64], start: Points, stop: Points
) -> tuple[Points, Points]:
    """Return the weighted middle and first principal direction, pointing to the entry."""
    middle = np.average(places, axis=0, weights=weights)
    centred = (places - middle) * np.sqrt(weights)[:, None]
    axis = np.linalg.svd(centred, full_matrices=False)[2][0]
    return middle, axis * np.sign(axis @ (stop - start))


def _best_shift(
    values: NDArray[np.float32], affine: Points, origin: Points, axis: Points, depth: Points
) -> tuple[float, float]:
    """Return the shift of the comb that meets the brightest places, and the contrast there.

    The comb moves by up to one and a half spacings, so an end point marked one contact off is
    put right only where the metal's end says so.
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
    """Intensity at distances along the axis, linearly interpolated."""
    places = origin + along[..., None] * axis
    inverse = np.linalg.inv(affine)
    voxels = places @ inverse[:3, :3].T + inverse[:3, 3]
    flat = np.moveaxis(voxels, -1, 0).reshape(3, -1)
    found = ndimage.map_coordinates(values, flat, order=1, mode="constant", cval=0.0)
    return np.asarray(found, dtype=np.float64).reshape(along.shape)


def draw_electrodes(ct: Any, electrodes: tuple[CtElectrode, ...], path: Path | str) -> None:
    """Draw the CT in a plane through each electrode with its contacts on it, for approval.

    Parameters
    ----------
    ct : nibabel image
        As for `find_contacts`.
    electrodes : tuple of CtElectrode
        From `find_contacts`.
    path : Path or str
        Ends in ``.png``.
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
