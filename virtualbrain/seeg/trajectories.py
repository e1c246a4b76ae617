"""Feasible trajectories of one more depth electrode: straight, in reach, clear of structures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.seeg.gain import even_directions

Points = NDArray[np.float64]
Inside = Callable[[Points], NDArray[np.bool_]]

SPACING_MM = 3.5
MOST_CONTACTS = 15
# From the brain's surface to the innermost contact.
REACH_MM = 70.0
# Electrodes enter from the side, above or in front: directions that fall more than this (the
# vertical part of a unit vector) would pass the neck or the base of the skull.
STEEPEST_FALL = -0.3
# Nor do they come from the midline (the part towards it), where face and base of the skull lie,
# unless they come from above (the upward part).
MOST_MEDIAL, FROM_ABOVE = 0.2, 0.5
# From contacts of other electrodes.
CLEAR_MM = 4.0
# Entries of the same target that are considered, apart by this angle at least.
N_ENTRIES, APART_DEGREES = 2, 40.0
_N_DIRECTIONS = 200
_STEP_MM = 1.0


@dataclass(frozen=True)
class Trajectory:
    """One more electrode.

    Parameters
    ----------
    target, entry : numpy.ndarray, shape (3,)
        Innermost contact, and where the electrode enters the brain; scanner RAS, mm.
    contacts : numpy.ndarray, shape (n_contacts, 3)
        The contacts, the innermost first.
    """

    target: Points
    entry: Points
    contacts: Points

    @property
    def length_mm(self) -> float:
        """Distance from the entry to the target."""
        return float(np.linalg.norm(self.entry - self.target))


def trajectories(
    target: Points, inside: Inside, forbidden: Inside, present: Points, midline_x: float = 0.0
) -> list[Trajectory]:
    """Return feasible electrodes to a target, the shortest first.

    Parameters
    ----------
    target : numpy.ndarray, shape (3,)
        Scanner RAS, mm.
    inside : callable
        Which points lie in the brain.
    forbidden : callable
        Which points lie in a structure that no electrode may pass.
    present : numpy.ndarray, shape (n, 3)
        Contacts that are implanted already.
    midline_x : float
        Where the plane between the hemispheres lies, mm.
    """
    if not inside(target[None])[0]:
        return []
    found = [
        one
        for direction in _directions(1.0 if target[0] >= midline_x else -1.0)
        if (one := _along(target, direction, inside, forbidden, present)) is not None
    ]
    found.sort(key=lambda one: one.length_mm)
    kept: list[Trajectory] = []
    for one in found:
        if len(kept) < N_ENTRIES and all(_angle(one, other) >= APART_DEGREES for other in kept):
            kept.append(one)
    return kept


def _directions(side: float) -> Points:
    """Return unit vectors from a target outwards by which an electrode may enter.

    `side` is 1 right and -1 left of the midline.
    """
    unit = even_directions(_N_DIRECTIONS)
    lateral = (side * unit[:, 0] >= -MOST_MEDIAL) | (unit[:, 2] >= FROM_ABOVE)
    return np.asarray(unit[(unit[:, 2] >= STEEPEST_FALL) & lateral])


def _along(
    target: Points, direction: Points, inside: Inside, forbidden: Inside, present: Points
) -> Trajectory | None:
    """Return the electrode along a direction; None unless it is feasible."""
    steps = np.arange(0.0, REACH_MM + 2 * _STEP_MM, _STEP_MM)
    path = target + steps[:, None] * direction
    within = inside(path)
    if within[-1]:
        return None
    last = int(np.flatnonzero(within)[-1])
    path = path[: last + 1]
    if forbidden(path).any():
        return None
    count = min(int(steps[last] // SPACING_MM) + 1, MOST_CONTACTS)
    if count < 2:
        return None
    if len(present):
        gaps = np.linalg.norm(path[:, None] - present[None], axis=-1)
        if gaps.min() < CLEAR_MM:
            return None
    contacts = target + SPACING_MM * np.arange(count)[:, None] * direction
    return Trajectory(target, path[-1], contacts)


def _angle(one: Trajectory, other: Trajectory) -> float:
    """Return the angle between two electrodes, degrees."""
    a, b = ((each.entry - each.target) / each.length_mm for each in (one, other))
    return float(np.degrees(np.arccos(np.clip(a @ b, -1.0, 1.0))))


def bipolar_weights(n_contacts: int) -> NDArray[np.float64]:
    """Return the montage of neighbouring contacts, (n_contacts - 1, n_contacts)."""
    return np.eye(n_contacts)[:-1] - np.eye(n_contacts, k=1)[:-1]
