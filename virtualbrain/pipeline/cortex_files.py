"""Write the results of the command `cortex`: surfaces, maps, time series, tables and the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.cortex.ensemble import Ensemble
from virtualbrain.cortex.focus_search import FoundFocus
from virtualbrain.cortex.run import CortexResult, on_voxels, outcome_table
from virtualbrain.cortex.smallest import Smallest
from virtualbrain.io.anatomy import Surface, write_mesh, write_vertex_values
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.cortex import write_vertex_series
from virtualbrain.io.images import write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_table
from virtualbrain.report.cortex import cortex_page

Array = NDArray[np.float64]

_CHANNEL_UNITS = {
    "onset_recorded_s": "s from the marked onset; n/a: no onset",
    "onset_surface_s": "median over draws; n/a: no onset in more than half of them",
    "onset_region_s": "the same of the region model",
    "p_surface": "share of draws with an onset",
    "p_region": "share of draws with an onset",
    "onset_simulated_s": "the same of the network of regions, simulated with the surface's draws",
    "p_simulated": "share of draws with an onset",
}
_OUTCOME_UNITS = {
    "share_free": "share of draws in which nothing seizes",
    "recruited_cm2": "area that seizes, median over draws",
    "recruited_low_cm2": "5 % quantile",
    "recruited_high_cm2": "95 % quantile",
    "removed_cm2": "area taken out",
}


class CorticalAnatomy(NamedTuple):
    """What the command reads of the anatomy.

    Parameters
    ----------
    surfaces : mapping of str to Surface
        Pial surfaces by hemisphere.
    regions : pandas.DataFrame
        Region table.
    labels : nibabel.Nifti1Image
        Label image.
    """

    surfaces: Mapping[str, Surface]
    regions: pd.DataFrame
    labels: nib.Nifti1Image


def write_results(
    layout: PatientLayout,
    priors: str,
    name: str,
    result: CortexResult,
    anatomy: CorticalAnatomy,
    about: Mapping[str, Any],
) -> None:
    """Write all files of one run; the page comes last."""

    def path(rest: str) -> Path:
        return layout.cortex_result(priors, name, rest)

    about = {**about, **_model(result)}
    _remove_earlier(layout.cortex_run(priors, name), result)
    _write_surfaces(path, result)
    for scenario, values in _maps(result).items():
        _write_maps(path, result, anatomy, scenario, values)
    write_table(
        path("desc-channels_onsets.tsv"),
        result.channels,
        {
            **about,
            "Units": _CHANNEL_UNITS,
            "Surface": result.surface,
            "Region": result.region,
            "Simulated": result.simulated,
        },
    )
    write_table(path("desc-outcome.tsv"), outcome_table(result), {**about, "Units": _OUTCOME_UNITS})
    if result.found is not None:
        _write_found(path, result, result.found, anatomy, about)
    write_json(path("cortex.json"), about)
    write_text(
        layout.cortex_page(priors, name), cortex_page(layout.label, name, result, anatomy.surfaces)
    )


def _remove_earlier(folder: Path, result: CortexResult) -> None:
    """Remove files of an earlier run of this name that this one does not write again."""
    for kind, again in (("focus", result.found), ("after", result.after)):
        if again is None:
            for file in folder.glob(f"*_desc-{kind}_*"):
                file.unlink()


def _model(result: CortexResult) -> dict[str, Any]:
    """Return what was simulated, for the sidecars."""
    kernel, settings = result.plan.kernel, result.simulator.settings
    taken = result.operated.taken if result.operated else {}
    return {
        "Vertices": result.mesh.cortex.n_vertices,
        "VertexSpacing": result.plan.spacing_mm,
        "Kernel": kernel.shape,
        "KernelWidth": kernel.width_mm,
        "KernelCutoff": kernel.cutoff_mm,
        "LocalStrength": settings.local,
        "Draws": result.simulator.draws.n_draws,
        "TypicalDraw": result.before.typical,
        "ShareOfGain": result.share,
        "Foci": [
            {
                "Vertex": focus.centre,
                "Region": focus.region,
                "Area": focus.area_cm2,
                "Centre": result.mesh.cortex.vertices_mm[focus.centre].round(2),
            }
            for focus in result.foci
        ],
        "Taken": taken,
        **({"SmallestResection": _smallest(result.smallest)} if result.smallest else {}),
    }


def _smallest(found: Smallest) -> dict[str, Any]:
    """Return the smallest resection; lengths in mm, area in cm², volume in cm³."""
    return {
        "Places": list(found.places),
        "Margin": found.margin_mm,
        "Area": found.area_cm2,
        "Volume": found.volume_cm3,
        "Centre": None if found.centre_mm is None else np.round(found.centre_mm, 2),
        "Radius": found.radius_mm,
        "ShareFree": found.share_free,
        "Plans": found.plans,
        "Simulations": found.simulations,
    }


def _write_surfaces(path: Any, result: CortexResult) -> None:
    """Write the simulated surface of each hemisphere."""
    mesh = result.mesh
    for side in np.unique(mesh.sides):
        own = np.flatnonzero(mesh.sides == side)
        number = np.full(len(mesh.sides), -1)
        number[own] = np.arange(len(own))
        faces = mesh.triangles[(mesh.sides[mesh.triangles] == side).all(axis=1)]
        meta = {
            "AnatomicalStructurePrimary": {"L": "CortexLeft", "R": "CortexRight"}[str(side)],
            "AnatomicalStructureSecondary": "Pial",
        }
        vertices = mesh.cortex.vertices_mm[own]
        write_mesh(path(f"hemi-{side}_cortex.surf.gii"), vertices, number[faces], meta)


def _write_found(
    path: Any,
    result: CortexResult,
    found: FoundFocus,
    anatomy: CorticalAnatomy,
    about: Mapping[str, Any],
) -> None:
    """Write where the seizure may start: maps, and the probability of each region."""
    mesh, nodes = result.mesh, result.simulator.nodes
    for side in np.unique(mesh.sides):
        own, stem = mesh.sides == side, f"hemi-{side}_desc-focus"
        for kind, values in (("probability", found.probability), ("pnear", found.near)):
            write_vertex_values(
                path(f"{stem}_{kind}.shape.gii"), values[own].astype(np.float32), side
            )
    alone = np.zeros(len(nodes.region) - nodes.n_vertices)
    voxels = on_voxels(
        result.simulator, np.concatenate([found.near, alone]), anatomy.regions, anatomy.labels
    )
    write_image(path("desc-focus_pnear.nii.gz"), voxels)
    by_region = found.by_region(mesh.cortex.regions)
    table = pd.DataFrame({"region": list(by_region), "p": list(by_region.values())})
    details = {
        "Vertex": found.vertex,
        "Region": str(mesh.cortex.regions[found.vertex]),
        "Centre": mesh.cortex.vertices_mm[found.vertex].round(2),
        "PNear": found.p_near,
        "Near": found.near_mm,
        "Supported": found.supported,
        "Left": found.left,
        "LeftByRegions": found.left_by_regions,
        "Simulations": found.simulations,
        "SeizingArea": [one.round(2) for one in found.seizing_cm2],
    }
    units = {
        "p": "probability that the middle of the focus lies in the region",
        "PNear": "probability that it is at most Near (mm) from Centre (mm, scanner RAS)",
        "Supported": "one growing patch explains about as much as the fitted regions do; it, and "
        "the best simulation, explain a fifth of the recording or more",
        "Left": "fraction of the square of the channels' log power that the patch, or the "
        "simulation that fits best, leaves",
        "LeftByRegions": "the same of the fitted regions",
        "Simulations": "seizures of the surface model that were compared with the recording",
        "SeizingArea": "cm² that seize, one list for each seizure, one value for each second",
    }
    write_table(path("desc-focus_regions.tsv"), table, {**about, "Found": details, "Units": units})


def _maps(result: CortexResult) -> dict[str, tuple[Ensemble, Array, Array]]:
    """Return per scenario the ensemble, and median onset and share of draws of every vertex."""
    n = result.simulator.nodes.n_vertices

    onset, share = _of(result.before)
    found = {"before": (result.before, onset[:n], share[:n])}
    if result.after is not None:
        onset, share = (result.on_all_vertices(values) for values in _of(result.after))
        found["after"] = (result.after, onset, share)
    return found


def _of(ensemble: Ensemble) -> tuple[Array, Array]:
    return ensemble.median_onset_s(), ensemble.seizes.mean(axis=0)


def _write_maps(
    path: Any,
    result: CortexResult,
    anatomy: CorticalAnatomy,
    scenario: str,
    values: tuple[Ensemble, Array, Array],
) -> None:
    """Write onset and share of draws on the surface and as images, and the time series."""
    ensemble, onset, share = values
    sides, before = result.mesh.sides, scenario == "before"
    simulator = result.simulator
    series = result.typical
    if not before and result.operated is not None:
        simulator = result.operated.simulator
        series = simulator.draw(result.before.typical)
    x = series["x1"].to_numpy()
    x = x[:, : len(sides)] if before else result.on_all_vertices(x)
    time = series["time"].to_numpy()
    for side in np.unique(sides):
        own, stem = sides == side, f"hemi-{side}_desc-{scenario}"
        write_vertex_values(path(f"{stem}_onset.shape.gii"), onset[own].astype(np.float32), side)
        write_vertex_values(path(f"{stem}_pseizing.shape.gii"), share[own].astype(np.float32), side)
        write_vertex_series(
            path(f"{stem}_x.func.gii"),
            x[:, own].astype(np.float32),
            float(np.diff(time).mean()) if len(time) > 1 else 1.0,
            float(time[0]),
            str(side),
        )
    for kind, image in (
        ("onset", ensemble.median_onset_s()),
        ("pseizing", ensemble.seizes.mean(0)),
    ):
        voxels = on_voxels(simulator, image, anatomy.regions, anatomy.labels)
        write_image(path(f"desc-{scenario}_{kind}.nii.gz"), voxels)
