"""Measure how near a plan is to the eloquent regions that it does not take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.images import label_voxels
from virtualbrain.io.results import PatientResults
from virtualbrain.report.findings import NOT_STATED
from virtualbrain.report.numbers import show

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Array = NDArray[np.float64]
VOXELS = "between the nearest voxels of grey matter"
CENTRES = "between the centres of the regions"
NOT_KNOWN = "not known"
_FEW = 50


@dataclass(frozen=True)
class Nearest:
    """The nearest eloquent region that a plan does not take."""

    region: str
    function: str
    distance_mm: float

    @property
    def words(self) -> str:
        """Region, function and distance as text."""
        return f"{spoken_name(self.region)}, {self.function}, {show(round(self.distance_mm))} mm"


@dataclass(frozen=True)
class EloquentRegions:
    """The eloquent regions of a patient, with the points between which distances are measured.

    Parameters
    ----------
    functions : mapping of str to str
        Function by eloquent region; empty if none was stated or their names are not known.
    stated : bool
        Whether eloquent regions were stated.
    points : mapping of str to numpy.ndarray, shape (n_points, 3)
        Points of each region, mm: voxels at its border, or its centre.
    measured : str
        Between what distances are measured; empty where no region has a place.
    """

    functions: Mapping[str, str]
    stated: bool
    points: Mapping[str, Array]
    measured: str
    _known: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def none_removed(self) -> str:
        """What it means that a plan takes no eloquent region."""
        functions = ", ".join(sorted(set(self.functions.values())))
        of = f" ({functions})" if functions else ""
        return f"none of the stated regions{of}; memory and fibre tracts are not assessed"

    def taken(self, regions: Collection[str]) -> tuple[str, ...]:
        """Return the eloquent regions among these."""
        return tuple(name for name in regions if name in self.functions)

    def nearest(self, regions: Sequence[str]) -> Nearest | None:
        """Return the nearest eloquent region outside a plan; None where no distance is known."""
        found = [
            Nearest(other, function, distance)
            for other, function in self.functions.items()
            if other not in regions
            and np.isfinite(
                distance := min((self._distance(r, other) for r in regions), default=np.inf)
            )
        ]
        return min(found, key=lambda one: (one.distance_mm, one.region), default=None)

    def nearest_words(self, regions: Sequence[str]) -> str:
        """Return the nearest eloquent region as text, ``not stated`` or ``not known``."""
        if not self.stated:
            return NOT_STATED
        nearest = self.nearest(regions)
        return NOT_KNOWN if nearest is None else nearest.words

    def _distance(self, one: str, other: str) -> float:
        """Return the smallest distance of two regions, mm; infinite if one has no place."""
        if one not in self.points or other not in self.points:
            return float("inf")
        if (one, other) not in self._known:
            self._known[one, other] = smallest_distance(self._trees[other], self.points[one])
        return self._known[one, other]

    @cached_property
    def _trees(self) -> "dict[str, cKDTree]":
        """Search trees of the points of the eloquent regions."""
        from scipy.spatial import cKDTree  # slow to import

        return {name: cKDTree(self.points[name]) for name in self.functions if name in self.points}


def smallest_distance(tree: "cKDTree", points: Array) -> float:
    """Return the smallest distance of points from those of a tree; a few points bound it first."""
    few, _ = tree.query(points[::_FEW])
    bound = float(np.min(few))
    others, _ = tree.query(points, distance_upper_bound=bound)  # infinite from the bound on
    return min(bound, float(np.min(others)))


def eloquent_regions_of(results: PatientResults, planned: Collection[str]) -> EloquentRegions:
    """Return the eloquent regions and the points of these and of the planned regions.

    Parameters
    ----------
    results : PatientResults
        The results; distances need the label image, or centres in the region table.
    planned : collection of str
        Regions of the plans whose distance will be asked for.
    """
    outcomes = results.main.outcomes
    functions = dict(outcomes.eloquent) if outcomes else {}
    stated = bool(outcomes and outcomes.eloquent_stated)
    names = {*functions, *planned} if functions else set[str]()
    points = border_voxels_mm(results, names)
    if points or not functions:
        return EloquentRegions(functions, stated, points, VOXELS if points else "")
    points = _centres_mm(results, names)
    return EloquentRegions(functions, stated, points, CENTRES if points else "")


def border_voxels_mm(results: PatientResults, names: Collection[str]) -> dict[str, Array]:
    """Return the voxels at the border of regions, mm; empty without a label image."""
    if results.labels is None or not names:
        return {}
    from scipy.ndimage import binary_erosion, find_objects  # slow to import

    grid = label_voxels(results.labels)
    boxes = find_objects(grid)
    found = {}
    for label, name in results.region_of_label.items():
        box = boxes[label - 1] if 0 < label <= len(boxes) else None
        if name not in names or box is None:
            continue
        inside = np.pad(grid[box] == label, 1)
        border = np.argwhere(inside & ~binary_erosion(inside)) - 1
        first = [part.start for part in box]
        found[name] = np.asarray(
            (border + first) @ results.labels.affine[:3, :3].T + results.labels.affine[:3, 3]
        )
    return found


def _centres_mm(results: PatientResults, names: Collection[str]) -> dict[str, Array]:
    if results.regions is None:
        return {}
    frame = results.regions.frame
    xyz = frame[["x", "y", "z"]].to_numpy(float)
    return {
        str(name): place[None]
        for name, place in zip(frame["name"], xyz, strict=True)
        if name in names and np.isfinite(place).all()
    }
