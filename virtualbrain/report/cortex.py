"""Page on which the simulated seizure plays on the cortex: one file that works offline."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from virtualbrain.anatomy.cortical_mesh import decimated, repaired
from virtualbrain.anatomy.surface import inflated, vertex_area_vectors
from virtualbrain.cortex.run import CortexResult, outcome_table
from virtualbrain.io.anatomy import Surface
from virtualbrain.report.assets import (
    content_policy,
    embedded_json,
    movie_script,
    page_margins,
    static,
)
from virtualbrain.report.page import environment
from virtualbrain.report.scene import pack

Array = NDArray[np.float64]

VERTICES_PER_SIDE = 12_000
_NEVER, _NO_END = 1.0e9, 1.0e9
_APART_MM = 12.0  # between inflated hemispheres
REMOVED, FOCUS, NOT_CORTEX = 1, 2, 4
"""Bits of a vertex."""


def cortex_page(
    label: str, name: str, result: CortexResult, surfaces: Mapping[str, Surface]
) -> str:
    """Return the page.

    Parameters
    ----------
    label : str
        The participant's label.
    name : str
        Name of the run.
    result : CortexResult
        Seizures on the surface.
    surfaces : mapping of str to Surface
        Pial surfaces of the patient, which are shown.
    """
    script = movie_script()
    scene = {
        "parts": [_part(result, side, surface) for side, surface in sorted(surfaces.items())],
        "operated": result.after is not None,
        "start_s": float(result.typical["time"].to_numpy()[0]),
        "stop_s": float(result.typical["time"].to_numpy()[-1]),
        "onsets_s": _span(result.before.median_onset_s()),
        "contacts": _contacts(result),
    }
    return (
        environment()
        .get_template("cortex.html")
        .render(
            label=label,
            name=name,
            policy=content_policy(script),
            style=static("report.css"),
            page_margins=page_margins(label),
            script=script,
            embedded=embedded_json(scene),
            outcomes=outcome_table(result).to_dict("records"),
            channels=_channel_rows(result.channels),
            surface=result.surface,
            region=result.region,
            simulated=result.simulated,
            kernel=result.plan.kernel,
            spacing_mm=result.plan.spacing_mm,
            n_vertices=result.mesh.cortex.n_vertices,
            n_draws=result.simulator.draws.n_draws,
            local=result.simulator.settings.local,
            operated=result.operated,
            found=result.found,
            smallest=result.smallest,
            only_foci=result.simulator.only_foci,
            foci=[
                {
                    "region": focus.region,
                    "area": focus.area_cm2,
                    "centre": [float(v) for v in result.mesh.cortex.vertices_mm[focus.centre]],
                }
                for focus in result.foci
            ],
        )
    )


def _span(onset_s: Array) -> list[float]:
    """Return the first and last onset, for the colours."""
    found = onset_s[np.isfinite(onset_s)]
    return [float(found.min()), float(found.max())] if len(found) else [0.0, 1.0]


def _part(result: CortexResult, side: str, surface: Surface) -> dict[str, Any]:
    """Return a hemisphere as it is shown, with the values of the nearest simulated vertex."""
    points, faces = repaired(surface.vertices, surface.triangles)
    points, faces, _ = decimated(points, faces, min(VERTICES_PER_SIDE, len(points)))
    smooth = inflated(points, faces)
    smooth[:, 0] += -_APART_MM if side == "L" else _APART_MM
    own = np.flatnonzero(result.mesh.sides == side)
    nearest = own[cKDTree(result.mesh.cortex.vertices_mm[own]).query(points)[1]]
    original = cKDTree(surface.vertices).query(points)[1]
    flags = np.where(surface.regions[original] == 0, NOT_CORTEX, 0)
    if result.operated is not None:
        flags |= np.where(result.operated.removed[nearest], REMOVED, 0)
    for focus in result.foci:
        flags |= np.where(np.isin(nearest, focus.vertices), FOCUS, 0)
    values = _values(result)[:, nearest]
    values[:, flags & NOT_CORTEX > 0] = np.array(
        [_NEVER, _NO_END, _NEVER, _NO_END, 0, 0, _NEVER, 0]
    )[:, None]
    return {
        "side": side,
        "pial": _packed(points, "<f4"),
        "inflated": _packed(smooth, "<f4"),
        "triangles": _packed(faces, "<u4"),
        "depth": _packed(_folding(points, smooth, faces), "<f4"),
        "flags": _packed(flags, "<u1"),
        "values": _packed(values.T, "<f4"),
    }


def _packed(values: NDArray[Any], kind: str) -> str:
    return pack(np.ascontiguousarray(values, dtype=kind).tobytes())


def _values(result: CortexResult) -> Array:
    """Return onset and end before and after in the typical draw, shares, median onset, start.

    Shape (8, n_vertices). Start: probability that the seizure starts nearby, if it was searched.
    """
    n, typical = result.simulator.nodes.n_vertices, result.before.typical
    rows = [result.before.onset_s[typical, :n], result.before.end_s[typical, :n]]
    shares = [result.before.seizes.mean(axis=0)[:n]]
    if result.after is None:
        rows += [np.full(n, np.nan)] * 2
        shares += [np.zeros(n)]
    else:
        rows += [
            result.on_all_vertices(part[typical])
            for part in (result.after.onset_s, result.after.end_s)
        ]
        shares += [np.nan_to_num(result.on_all_vertices(result.after.seizes.mean(axis=0)))]
    median = result.before.median_onset_s()[:n]
    start = np.zeros(n) if result.found is None else result.found.near
    values = np.array([*rows, *shares, median, start])
    return np.where(np.isfinite(values), values, _NEVER)


def _folding(points: Array, smooth: Array, faces: NDArray[np.int64]) -> Array:
    """Return how deep each vertex lies in the folds, from 0 (crest) to 1, for the shading."""
    normals = vertex_area_vectors(smooth, faces)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    inward = smooth - smooth.mean(axis=0) - (points - points.mean(axis=0))
    depth = np.einsum("ij,ij->i", inward, normals)
    low, high = np.quantile(depth, [0.1, 0.9])
    return np.asarray(np.clip((depth - low) / max(high - low, 1e-9), 0.0, 1.0))


def _contacts(result: CortexResult) -> list[dict[str, Any]]:
    """Return place and recorded onset of each channel."""
    frame = result.channels
    return [
        {
            "xyz": [round(float(v), 1) for v in xyz],
            "name": str(name),
            "onset": None if pd.isna(onset) else round(float(onset), 2),
        }
        for name, onset, xyz in zip(
            frame["name"], frame["onset_recorded_s"], frame[["x", "y", "z"]].to_numpy(), strict=True
        )
        if np.isfinite(xyz).all()
    ]


def _channel_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return channels with an onset anywhere, by recorded onset."""
    onsets = table[["onset_recorded_s", "onset_surface_s", "onset_region_s"]]
    shown = table[onsets.notna().any(axis=1)]
    shown = shown.sort_values(["onset_recorded_s", "onset_surface_s", "name"], na_position="last")
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()}
        for row in shown.to_dict("records")
    ]
