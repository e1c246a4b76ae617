"""Find contacts in a CT after implantation that is registered to the T1w, for approval."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.seeg.contacts import DEFAULT_SPACING_MM, contacts_from_endpoints
from virtualbrain.seeg.ct_axis import (
    ARC_STEP_MM,
    Guide,
    Levels,
    Points,
    Volume,
    guide,
    levels,
    points_along,
    trace,
    volume,
)
from virtualbrain.seeg.ct_position import Position, locate, profile

CLEAR_MARGIN = 1.0
"""Smallest margin at which a position is decided; `locate` defines the score."""
_LARGEST_SHIFT = 1.75
_REACH_MM = 9.0
_SLACK_MM = 6.0
_OTHER_MM = 2.0
_RETRACE_MM = 3.0
_LARGEST_UNSEEN = 0.25
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class CtElectrode:
    """One electrode in the CT.

    Parameters
    ----------
    name : str
        The electrode.
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`, at the best position.
    moved_mm : float
        Median distance of its contacts from their positions by end points and spacing alone.
    position : Position
        Place along the line, its margin over the next, and what was seen there.
    level : Levels
        Intensities of tissue and metal.
    line : numpy.ndarray, shape (n, 3)
        Centre line from the deep end, one point every 0.1 mm.
    along_mm : numpy.ndarray
        Distance of every contact from the start of the line.
    """

    name: str
    contacts: pd.DataFrame
    moved_mm: float
    position: Position
    level: Levels
    line: Points
    along_mm: Points

    @property
    def decided(self) -> bool:
        """Whether the CT decides between the best position and the next."""
        n, unseen = len(self.contacts), self.position.unseen
        # Only the last may be missing (too many are stated); a gap is a wrong row or spacing.
        at_the_end = unseen == tuple(range(n - len(unseen) + 1, n + 1))
        return (
            self.position.margin >= CLEAR_MARGIN
            and not self.position.hidden
            and at_the_end
            and len(unseen) <= _LARGEST_UNSEEN * n
        )

    @property
    def next_shift_mm(self) -> float:
        """How far the next best position is along the line; positive towards the entry."""
        return self.position.next_mm - self.position.first_mm

    @property
    def summary(self) -> str:
        """Distance, contrast and margin in words."""
        margin = self.position.margin
        stated = "contact 1 stated" if margin == np.inf else f"margin {margin:.1f}"
        return f"moved {self.moved_mm:.1f} mm, contrast {self.position.contrast:.1f}, {stated}"


@dataclass(frozen=True)
class _Marked:
    """An electrode as it is marked, before its contacts are found."""

    name: str
    guess: pd.DataFrame
    line: Guide
    level: Levels
    depth: Points
    spacing_mm: float
    exact: bool


def find_contacts(
    ct: Any, endpoints: pd.DataFrame, threshold: float | None = None
) -> tuple[CtElectrode, ...]:
    """Find the contacts of each electrode from its approximate end points.

    The centre line of each electrode is traced (`ct_axis.trace`), and the row of contacts is moved
    along it (`ct_position.locate`). Where two electrodes are near each other, the one that is seen
    less well is traced again without the metal of the other.

    Parameters
    ----------
    ct : nibabel image
        Any linear scale of intensities; the affine maps to scanner RAS of the T1w.
    endpoints : pandas.DataFrame
        Table as for `contacts.contacts_from_endpoints`. With ``yes`` in the column ``exact``,
        contact 1 is within half a spacing of the target.
    threshold : float, optional
        Smallest intensity of metal; without it, it is chosen for each electrode from the image.

    Raises
    ------
    InputError
        No metal along some electrodes.
    """
    sampled = volume(ct)
    rows = [endpoints.iloc[[i]] for i in range(len(endpoints))]
    marked = [_marked(sampled, row, threshold) for row in rows]
    _require_metal(marked)
    nothing = np.zeros((0, 3))
    found = [_electrode(sampled, one, nothing, nothing) for one in marked]
    done: list[int] = []
    for i in sorted(range(len(found)), key=lambda i: -_brightness(sampled, found[i])):
        others = [_extent(found[j]) for j in range(len(found)) if j != i]
        if others:
            nearest = _distance(_extent(found[i]), np.concatenate(others)).min()
            clearer = [_extent(found[j]) for j in done] if nearest < _RETRACE_MM else []
            left_out = np.concatenate([nothing, *clearer])
            found[i] = _electrode(sampled, marked[i], left_out, np.concatenate(others))
        done.append(i)
    return tuple(found)


def _marked(ct: Volume, row: pd.DataFrame, threshold: float | None) -> _Marked:
    """Return one row of end points with the intensities around it."""
    guess = contacts_from_endpoints(row, slack_mm=_SLACK_MM)
    start = row[[f"target_{a}" for a in _AXES]].to_numpy(float)[0]
    stop = row[[f"entry_{a}" for a in _AXES]].to_numpy(float)[0]
    depth = np.linalg.norm(guess[list(_AXES)].to_numpy(float) - start, axis=1)
    spacing = float(np.median(np.diff(depth))) if len(depth) > 1 else DEFAULT_SPACING_MM
    line = guide(start, stop, float(depth[-1]), max(_REACH_MM, 2 * spacing))
    exact = "exact" in row and str(row["exact"].iloc[0]).strip().casefold() == "yes"
    name = str(row["electrode"].iloc[0])
    return _Marked(name, guess, line, levels(ct, line, threshold), depth, spacing, exact)


def _require_metal(marked: list[_Marked]) -> None:
    """Raise one error for all electrodes without metal."""
    without = [one.name for one in marked if not one.level.seen]
    if without:
        raise InputError(
            f"no metal along the electrode{'s' * (len(without) > 1)} {', '.join(without)}",
            where="CT",
            expected="voxels much brighter than the tissue within 5 mm of the line between the "
            "end points",
            hint="check the end points, and register the CT to the T1w image first (--register)",
        )


def _electrode(ct: Volume, marked: _Marked, left_out: Points, others: Points) -> CtElectrode:
    """Find one electrode's contacts beside the lines of other electrodes."""
    line = trace(ct, marked.line, marked.level, left_out)
    near = _distance(line, others) < _OTHER_MM
    seen = profile(ct, line, marked.level, near)
    target = ARC_STEP_MM * int(np.linalg.norm(line - marked.line.start, axis=1).argmin())
    shift = (0.5 if marked.exact else _LARGEST_SHIFT) * marked.spacing_mm
    low = max(target - shift, ARC_STEP_MM)
    position = locate(seen, marked.depth, marked.spacing_mm, low, target + shift)
    along = position.first_mm + marked.depth
    found = points_along(line, along)
    moved = np.linalg.norm(found - marked.guess[list(_AXES)].to_numpy(float), axis=1)
    contacts = marked.guess.assign(x=found[:, 0], y=found[:, 1], z=found[:, 2])
    return CtElectrode(
        marked.name, contacts, float(np.median(moved)), position, marked.level, line, along
    )


def _distance(line: Points, others: Points) -> Points:
    """Return the distance of each point of a line from the nearest of other points."""
    if not len(others):
        return np.full(len(line), np.inf)
    return np.asarray(KDTree(others).query(line)[0])


def _extent(electrode: CtElectrode) -> Points:
    """Return the centre line from contact 1 to just beyond the last."""
    low, high = electrode.along_mm[0] - 1, electrode.along_mm[-1] + 3
    return electrode.line[max(int(low / ARC_STEP_MM), 0) : int(high / ARC_STEP_MM)]


def _brightness(ct: Volume, electrode: CtElectrode) -> float:
    """Return the mean share of metal in the contacts."""
    places = points_along(electrode.line, electrode.along_mm)
    return float(np.minimum(electrode.level.share(ct.at(places)), 1).mean())


def draw_electrodes(ct: Any, electrodes: tuple[CtElectrode, ...], path: Path | str) -> None:
    """Draw the CT along each electrode, straightened, with its contacts, for approval.

    Both positions are drawn for an electrode whose position is not decided.

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
    sampled = volume(ct)
    for panel, electrode in zip(panels, electrodes, strict=True):
        _draw(panel, sampled, electrode)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw(panel: Any, ct: Volume, electrode: CtElectrode) -> None:
    """Draw one electrode."""
    first = electrode.along_mm[0]
    along = np.arange(first - 8, electrode.along_mm[-1] + 8, 0.5)
    aside = np.arange(-8, 8.1, 0.5)
    middle = points_along(electrode.line, along)
    across = np.cross(middle[-1] - middle[0], [0.3, 0.5, 0.8])
    across /= np.linalg.norm(across)
    plane = ct.at(middle + aside[:, None, None] * across)
    extent = (float(along[0] - first), float(along[-1] - first), -8.0, 8.0)
    level = electrode.level
    low = level.tissue - 0.05 * (level.metal - level.tissue)
    panel.imshow(
        plane, cmap="gray", origin="lower", extent=extent, vmin=low, vmax=level.metal, aspect="auto"
    )
    depth = electrode.along_mm - first
    panel.plot(depth, np.zeros(len(depth)), "+", color="C1")
    title = f"{electrode.name}: {len(depth)} contacts, {electrode.summary}"
    if not electrode.decided:
        panel.plot(depth + electrode.next_shift_mm, np.zeros(len(depth)), "x", color="C0")
        title += ": NOT DECIDED between + and x"
    panel.set_title(title, fontsize=8)
    panel.tick_params(labelsize=6)
