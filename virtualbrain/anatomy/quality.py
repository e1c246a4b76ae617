"""Compute quality figures of an anatomy and describe the unusual ones in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.anatomy.regions import lost_regions
from virtualbrain.io.anatomy import Surface
from virtualbrain.quality_limits import QualityLimit, outside

_LOOK = "Inspect the parcellation before you use it."
LIMITS: Mapping[str, QualityLimit] = {
    "template_overlap": QualityLimit(
        0.90, 1.0, "overlap of the registered template with the brain mask", _LOOK
    ),
    "brain_ml": QualityLimit(900, 2000, "volume of the brain mask in ml", _LOOK),
    "grey_white_contrast": QualityLimit(
        1.5, np.inf, "contrast of grey to white matter over their spread", _LOOK
    ),
    "left_right_volume_ratio": QualityLimit(
        0.80, 1.25, "ratio of the regions' volume, left to right", _LOOK
    ),
    "surface_labelled_share": QualityLimit(
        0.60, 1.0, "share of the pial surface that carries a region", _LOOK
    ),
}


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the overlap of two masks: 2 |A and B| / (|A| + |B|); NaN when both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2.0 * int((one & other).sum()) / total if total else float("nan")


def region_figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return the number of regions, the names of lost regions and the left-right volume ratio."""
    volume = table.groupby("hemisphere")["volume"].sum()
    right = float(volume.get("R", 0.0))
    return {
        "n_regions": len(table),
        "lost_regions": list(lost_regions(table)),
        "left_right_volume_ratio": float(volume.get("L", 0.0)) / right if right else float("nan"),
    }


def surface_figures(surfaces: Mapping[str, Surface]) -> dict[str, Any]:
    """Return the number of vertices of the surfaces and the fraction with a region."""
    regions = [surface.regions for surface in surfaces.values()]
    if not regions:
        return {"n_vertices": {}}
    joined = np.concatenate(regions)
    return {
        "n_vertices": {side: len(surface.vertices) for side, surface in surfaces.items()},
        "surface_labelled_share": float((joined > 0).mean()),
    }


def notes_on(figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Describe in words the figures outside their quality limits and the lost regions."""
    notes = outside(figures, LIMITS)
    lost = figures.get("lost_regions", [])
    if lost:
        notes.append(f"{len(lost)} regions have no voxel in this brain: {', '.join(lost)}.")
    return tuple(notes)
