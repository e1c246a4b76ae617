"""Plan depth electrodes as a clinic does: towards suspected regions, through grey matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, cKDTree

from virtualbrain.errors import ModelError
from virtualbrain.synthetic.points import RegionPoints

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ImplantSettings:
    """Rules for the placement of electrodes.

    Parameters
    ----------
    electrodes : tuple of int
        Smallest and largest number of electrodes.
    spacing_mm : float
        Distance between contact centres.
    contacts : tuple of int
        Smallest and largest number of contacts of an electrode.
    clearance_mm : float
        Least distance between contacts of two electrodes.
    avoid_mm : float
        Least distance from regions that stay unsampled.
    midline_mm : float
        Least distance from the plane between the hemispheres.
    """

    electrodes: tuple[int, int] = (8, 12)
    spacing_mm: float = 3.5
    contacts: tuple[int, int] = (10, 15)
    clearance_mm: float = 5.0
    avoid_mm: float = 15.0
    midline_mm: float = 3.0


@dataclass(frozen=True)
class _Hemisphere:
    """One side of the brain: the planes of its convex hull."""

    centre_x: float
    sign: float
    normals: Array
    offsets: Array

    def distance_to_hull_mm(self, start: Array, direction: Array) -> float:
        """Return the distance from a point inside to the hull along a direction."""
        speed = self.normals @ direction
        slack = -(self.normals @ start + self.offsets)
        ahead = speed > 1e-9
        return float(np.min(slack[ahead] / speed[ahead]))


def plan_implantation(
    points: RegionPoints,
    focus: Sequence[str],
    rng: np.random.Generator,
    settings: ImplantSettings | None = None,
    avoid: Sequence[str] = (),
) -> pd.DataFrame:
    """Place electrodes around a suspected focus.

    About 70 % of the electrodes are aimed at the focus and neighbouring regions, the others at
    more distant regions of the same hemisphere and at the homologous side. Every electrode enters
    through the convex hull of its hemisphere, nearly perpendicular to the midline or oblique. Its
    first contact is the deepest.

    Parameters
    ----------
    points : RegionPoints
        Grey matter.
    focus : sequence of str
        Suspected regions; at least one electrode is aimed at each.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : ImplantSettings, optional
        Rules.
    avoid : sequence of str
        Regions that every contact must keep away from.

    Returns
    -------
    pandas.DataFrame
        `name electrode number x y z`, mm in the frame of the points; names of left electrodes
        end with an apostrophe.

    Raises
    ------
    ModelError
        No electrode could be placed for a region of the focus, or a region is unknown.
    """
    settings = settings or ImplantSettings()
    unknown = [name for name in (*focus, *avoid) if name not in points.regions]
    if unknown:
        raise ModelError(f"unknown region {unknown[0]}", expected="names of the region table")
    targets = _targets(points, focus, rng, settings, avoid)
    wanted = int(rng.integers(settings.electrodes[0], settings.electrodes[1] + 1))
    sides = {side: _hemisphere(points, side) for side in ("L", "R")}
    forbidden = cKDTree(np.concatenate([points.of(name) for name in avoid])) if avoid else None
    placed: list[Array] = []
    aims: list[str] = []
    for target in targets:
        if len(placed) == wanted:
            break
        contacts = _best_electrode(points, target, sides, placed, forbidden, rng, settings)
        if contacts is not None:
            placed.append(contacts)
            aims.append(target)
    _require_reached(focus, aims, avoid)
    return _contact_table(points, placed, aims, sides)


def _require_reached(focus: Sequence[str], aims: Sequence[str], avoid: Sequence[str]) -> None:
    unreached = [name for name in focus if name not in aims and name not in avoid]
    if unreached:
        raise ModelError(
            f"no electrode reaches {unreached[0]}", hint="allow more electrodes or less clearance"
        )


def _hemisphere(points: RegionPoints, side: str) -> _Hemisphere:
    """Return the convex hull of the points on one side of the midline."""
    centre = float(np.median(points.centroids_mm()[:, 0]))
    sign = -1.0 if side == "L" else 1.0
    own = points.positions_mm[(points.positions_mm[:, 0] - centre) * sign > 0]
    equations = ConvexHull(own).equations
    return _Hemisphere(centre, sign, equations[:, :3], equations[:, 3])


def _targets(
    points: RegionPoints,
    focus: Sequence[str],
    rng: np.random.Generator,
    settings: ImplantSettings,
    avoid: Sequence[str],
) -> list[str]:
    """Return targets in the order of their importance, more than are used."""
    centres = dict(zip(points.regions, points.centroids_mm(), strict=True))
    middle = np.median([place[0] for place in centres.values()])
    here = np.mean([centres[name] for name in focus], axis=0)
    names = [name for name in points.regions if name not in focus and name not in avoid]
    same = [n for n in names if (centres[n][0] - middle) * (here[0] - middle) > 0]
    near = sorted(same, key=lambda n: float(np.linalg.norm(centres[n] - here)))
    mirror = here * [-1, 1, 1] + [2 * middle, 0, 0]
    across = sorted(
        set(names) - set(same), key=lambda n: float(np.linalg.norm(centres[n] - mirror))
    )
    suspects = [name for name in focus if name not in avoid]
    ranked = [*suspects, *_shuffled(near[:6], rng)[:4]]
    decoys = [*_shuffled(across[:6], rng)[:2], *_shuffled(near[6:], rng)[:3]]
    spare = [*near[:12], *across[:8], *near[12:]]
    chosen = [*ranked, *decoys]
    return [*chosen, *(name for name in spare if name not in chosen)]


def _shuffled(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    return [names[i] for i in rng.permutation(len(names))]


def _best_electrode(
    points: RegionPoints,
    target: str,
    sides: dict[str, _Hemisphere],
    placed: list[Array],
    forbidden: cKDTree | None,
    rng: np.random.Generator,
    settings: ImplantSettings,
) -> Array | None:
    """Try trajectories; return the contacts of the one with most contacts in grey matter."""
    own = points.of(target)
    place = points.regions.index(target)
    side = sides["L" if own[:, 0].mean() < sides["L"].centre_x else "R"]
    taken = cKDTree(np.concatenate(placed)) if placed else None
    best, best_score = None, 0.0
    for _ in range(80):
        contacts = _trajectory(own, side, rng, settings)
        if contacts is None:
            continue
        if taken is not None and np.min(taken.query(contacts)[0]) < settings.clearance_mm:
            continue
        if forbidden is not None and np.min(forbidden.query(contacts)[0]) < settings.avoid_mm:
            continue
        touched = points.region_at(contacts)
        in_target = int((touched == place).sum())
        score = min(in_target, 4) + 0.5 * len(set(touched[touched >= 0])) + rng.uniform(0, 0.5)
        if in_target and score > best_score:
            best, best_score = contacts, score
    return best


def _trajectory(
    own: Array, side: _Hemisphere, rng: np.random.Generator, settings: ImplantSettings
) -> Array | None:
    """Draw a straight trajectory from the target to the hull; None if it breaks a rule."""
    tip = own[rng.integers(len(own))]
    oblique = rng.uniform() < 0.3
    tilt = rng.normal(0.0, 0.45 if oblique else 0.12, 2)
    direction = np.array([side.sign, tilt[0], tilt[1]]) / np.sqrt(1.0 + tilt @ tilt)
    length = (settings.contacts[0] - 1) * settings.spacing_mm
    out_mm = side.distance_to_hull_mm(tip, direction)
    if out_mm < length:  # the target is near the surface: move the tip deeper
        tip = tip - (length - out_mm + rng.uniform(0.0, 3.0)) * direction
        out_mm = side.distance_to_hull_mm(tip, direction)
    if (tip[0] - side.centre_x) * side.sign < settings.midline_mm or out_mm < length:
        return None
    if (side.normals @ tip + side.offsets).max() > 0:
        return None
    n = min(settings.contacts[1], int(out_mm / settings.spacing_mm) + 1)
    return np.asarray(tip + np.arange(n)[:, None] * settings.spacing_mm * direction)


# ---- names ----------------------------------------------------------------------------------

_LETTERS = {
    "amygdala": "A", "hippocampus": "B", "parahippocampal": "C", "entorhinal": "E",
    "temporalpole": "TP", "fusiform": "TB", "inferiortemporal": "D", "middletemporal": "T",
    "superiortemporal": "F", "transversetemporal": "H", "bankssts": "G", "insula": "I",
    "lateralorbitofrontal": "OF", "medialorbitofrontal": "OM", "parsorbitalis": "OL",
    "parstriangularis": "OT", "parsopercularis": "OP", "rostralmiddlefrontal": "FP",
    "caudalmiddlefrontal": "FM", "superiorfrontal": "SF", "frontalpole": "FA",
    "precentral": "M", "paracentral": "PA", "postcentral": "S", "supramarginal": "Q",
    "inferiorparietal": "P", "superiorparietal": "PS", "precuneus": "PC", "cuneus": "CU",
    "lateraloccipital": "O", "lingual": "L", "pericalcarine": "V",
    "rostralanteriorcingulate": "CA", "caudalanteriorcingulate": "CR",
    "posteriorcingulate": "CP", "isthmuscingulate": "CI", "thalamus": "TH",
    "caudate": "NC", "putamen": "PU", "pallidum": "GP", "accumbens-area": "AC",
}  # fmt: skip


def _contact_table(
    points: RegionPoints,
    placed: Sequence[Array],
    aims: Sequence[str],
    sides: dict[str, _Hemisphere],
) -> pd.DataFrame:
    """Name electrodes and contacts."""
    rows = []
    used: set[str] = set()
    for contacts, aim in zip(placed, aims, strict=True):
        left = contacts[0, 0] < sides["L"].centre_x
        electrode = _electrode_name(aim, bool(left), used)
        used.add(electrode)
        for number, place in enumerate(contacts, start=1):
            rows.append((f"{electrode}{number}", electrode, number, *place))
    return pd.DataFrame(rows, columns=["name", "electrode", "number", "x", "y", "z"])


def _electrode_name(aim: str, left: bool, used: set[str]) -> str:
    """Return the first unused name: letters of the target, and an apostrophe on the left."""
    bare = aim.lower()
    for prefix in ("ctx-lh-", "ctx-rh-", "left-", "right-"):
        bare = bare.removeprefix(prefix)
    mark = "'" if left else ""
    first = _LETTERS.get(bare, "X")
    spare = (f"{first}{letter}" for letter in "ABCDEFGHJKLMN")
    return next(f"{name}{mark}" for name in (first, *spare) if f"{name}{mark}" not in used)


def regions_of_contacts(points: RegionPoints, contacts: pd.DataFrame) -> list[str]:
    """Return the true region of every contact, ``n/a`` in white matter."""
    at = points.region_at(contacts[["x", "y", "z"]].to_numpy(dtype=np.float64))
    return [points.regions[i] if i >= 0 else "n/a" for i in at]
