"""Simulate a fitted patient on the cortical surface: from the results of a run to the files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.config import settings_from
from virtualbrain.cortex.channels import channel_gain, onset_share, rows_of
from virtualbrain.cortex.focus import Focus, focus_around, nearest_vertex
from virtualbrain.cortex.focus_search import (
    FoundFocus,
    GrowthModel,
    SeizureData,
    search_focus,
    seizure_data,
)
from virtualbrain.cortex.focus_simulation import FocusSimulator, SimulatedSearch, refine_focus
from virtualbrain.cortex.mesh import (
    MeshPlan,
    PatientMesh,
    arrays_of,
    mesh_from,
    mesh_of,
    mesh_plan,
)
from virtualbrain.cortex.network import nodes_of
from virtualbrain.cortex.resection import Surgery, require_known
from virtualbrain.cortex.run import CortexResult, FittedSurface, Operation, Recorded, run_cortex
from virtualbrain.cortex.settings import NAME, CortexSettings
from virtualbrain.errors import InputError
from virtualbrain.io.anatomy import read_surface
from virtualbrain.io.cortex import read_arrays, surface_key, write_arrays
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.provenance import sidecar
from virtualbrain.io.seeg import read_channels, read_contacts, read_gain
from virtualbrain.io.tables import read_table
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.pipeline.cortex_files import CorticalAnatomy, write_results
from virtualbrain.posterior import first_seizure
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.draws import FittedDraws, draws_from
from virtualbrain.surgery.network_change import Change
from virtualbrain.surgery.outcome import onset_steps
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]
Step = Callable[[str], Progress]

_REGION_DRAWS = 200


@dataclass(frozen=True)
class StatedFocus:
    """A focus as the user states it.

    Parameters
    ----------
    place : tuple of float, or int
        Point in scanner RAS (mm), or number of a vertex.
    area_cm2 : float
        Area.
    """

    place: tuple[float, float, float] | int
    area_cm2: float


@dataclass(frozen=True)
class CortexRequest:
    """What to simulate.

    Parameters
    ----------
    priors : str
        Prior set whose fit is used.
    name : str
        Name of the run.
    foci : sequence of StatedFocus
        Patches in which seizures start.
    find_cm2 : float, optional
        Find where the seizure starts, and take a focus of this area there if one place explains
        the recording.
    only_foci : bool
        No seizure starts elsewhere; without effect if no focus was found.
    surgery : Surgery
        The plan; may be empty.
    smallest : float, optional
        Search the smallest resection for this share of draws without a seizure.
    about : mapping
        The options as stated, for the sidecars.
    """

    priors: str
    name: str = NAME
    foci: Sequence[StatedFocus] = ()
    find_cm2: float | None = None
    only_foci: bool = False
    surgery: Surgery = field(default_factory=Surgery)
    smallest: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict)


def require_results(layout: PatientLayout, priors: str) -> None:
    """Raise an error if a patient has no surface, images or fit.

    Raises
    ------
    InputError
        A result that is needed is missing.
    """
    for path, what, hint in (
        (
            layout.pial("L"),
            "no pial surface",
            "the command needs a run with a T1w image; a ready connectome has no surface",
        ),
        (layout.regions, "no region table", "run the stage anatomy"),
        (layout.labels, "no label image", "run the stage anatomy"),
        (layout.posterior(priors), "no such posterior", "run the stage inference"),
        (layout.channels, "no table of channels", "run the stage seeg"),
    ):
        if not path.is_file():
            raise InputError(f"sub-{layout.label}: {what}", where=path.name, hint=hint)


def simulate_patient(
    layout: PatientLayout,
    posterior: xr.DataTree,
    request: CortexRequest,
    config: Mapping[str, Any],
    step: Step,
) -> CortexResult:
    """Simulate one patient, and write surfaces, maps, tables and the page.

    Parameters
    ----------
    layout : PatientLayout
        The patient's results.
    posterior : xarray.DataTree
        The fit.
    request : CortexRequest
        What to simulate.
    config : mapping
        Sections `cortex`, `surgery` and `seeg`, and `seed`.
    step : callable
        Called with the name of each part; returns what is called with the fraction done.

    Raises
    ------
    InputError
        A result is missing or damaged, a plan names an unknown region or takes nothing out, or
        there is no cortex at a focus.
    ConfigError
        More vertices than the surfaces have.
    ModelError
        The mesh is too coarse for the kernel.
    """
    settings = settings_from(config["cortex"], CortexSettings, "cortex")
    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    seeg = settings_from(config["seeg"], SeegSettings, "seeg")
    anatomy = _anatomy(layout)
    rng = np.random.default_rng(config["seed"])
    draws = draws_from(posterior, settings.draws, rng, surgery.suspicion)
    require_known(request.surgery, draws.regions)
    plan = mesh_plan(anatomy.surfaces, settings)
    model = GrowthModel()
    seizures = _seizures(posterior, model) if request.find_cm2 is not None else []
    channels, contacts = _fitted_channels(layout, posterior), read_contacts(layout.contacts)
    mesh = _mesh(layout, anatomy, settings, plan, step)
    surface = FittedSurface(mesh, plan, nodes_of(mesh, draws.regions), draws, settings)
    gain = channel_gain(
        mesh, surface.nodes, channels, contacts, anatomy.regions, anatomy.labels, seeg
    )
    found, stated = None, list(request.foci)
    if request.find_cm2 is not None:
        simulator = FocusSimulator(
            mesh, surface.nodes, draws, plan.kernel, settings, SimulatedSearch()
        )
        found = _found(seizures, model, simulator, gain, rng, step)
        if found.supported:
            stated.append(StatedFocus(found.vertex, request.find_cm2))
    operation = Operation(
        request.surgery,
        request.smallest,
        anatomy.regions,
        anatomy.labels,
        surgery.gone_share,
        seeg.cortical_thickness_mm,
    )
    result = run_cortex(
        surface,
        _foci(stated, mesh),
        operation,
        _recorded(layout, posterior, draws, channels, gain, surgery, seeg.onset_factor),
        rng,
        step,
        only_foci=request.only_foci and bool(stated),
    )
    result = replace(result, found=found)
    step("writing")
    sources = [layout.pial("L").name, layout.relmat("streamlines").name, "posterior.nc"]
    about = {
        **sidecar(config, ("cortex", "seeg", "surgery", "seed"), sources),
        "Posterior": checksum(layout.posterior(request.priors)),
        **request.about,
    }
    write_results(layout, request.priors, request.name, result, anatomy, about)
    return result


def _anatomy(layout: PatientLayout) -> CorticalAnatomy:
    """Read the surfaces, the region table and the label image."""
    surfaces = {
        side: read_surface(layout.pial(side), layout.pial_labels(side))
        for side in "LR"
        if layout.pial(side).is_file()
    }
    columns = ("index", "name", "hemisphere", "structure")
    return CorticalAnatomy(
        surfaces, read_table(layout.regions, required=columns), read_image(layout.labels)
    )


def _mesh(
    layout: PatientLayout,
    anatomy: CorticalAnatomy,
    settings: CortexSettings,
    plan: MeshPlan,
    step: Step,
) -> PatientMesh:
    """Return the surface, from an earlier run if it was prepared there."""
    path = layout.cortex_mesh(settings.n_vertices)
    key = surface_key(layout, settings.n_vertices, plan.reach_mm)
    stored = read_arrays(path, key)
    if stored is not None:
        return mesh_from(stored)
    step("preparing the surface (once)")
    mesh = mesh_of(anatomy.surfaces, anatomy.regions, settings.n_vertices, plan.reach_mm)
    write_arrays(path, arrays_of(mesh), key)
    return mesh


def _seizures(posterior: xr.DataTree, model: GrowthModel) -> list[SeizureData]:
    """Return the fitted envelopes as the search for the focus takes them."""
    try:
        predicted = posterior["posterior_predictive"]["envelope"].sel(quantile=0.5).to_numpy()
        envelope = posterior["observed_data"]["envelope"].to_numpy()
    except KeyError as error:
        raise InputError(
            "the posterior has no envelopes, so that no focus can be found",
            hint="run the stage inference, or state --focus",
        ) from error
    time_s = posterior["constant_data"]["time_s"].to_numpy()
    shape = (-1, *envelope.shape[-2:])
    every = (envelope.reshape(shape), predicted.reshape(shape), time_s.reshape(-1, shape[1]))
    return [seizure_data(*one, model) for one in zip(*every, strict=True)]


def _found(
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    simulator: FocusSimulator,
    gain: Array,
    rng: np.random.Generator,
    step: Step,
) -> FoundFocus:
    """Find where on the cortex the fitted seizures start: by a patch, then by simulation."""
    cortex = simulator.mesh.cortex
    found = search_focus(cortex, gain, seizures, model, step("searching for the focus"))
    if not found.supported:
        return found
    shown = step("simulating foci")
    return refine_focus(simulator, gain, seizures, model, found, rng, shown)


def _foci(stated: Sequence[StatedFocus], mesh: PatientMesh) -> list[Focus]:
    """Return the vertices of the stated foci."""
    found = []
    for focus in stated:
        centre = focus.place
        if not isinstance(centre, int):
            centre = nearest_vertex(mesh.cortex, np.array(centre))
        found.append(focus_around(mesh.cortex, centre, focus.area_cm2))
    return found


def _fitted_channels(layout: PatientLayout, posterior: xr.DataTree) -> pd.DataFrame:
    """Return the fitted channels in the order of the fit."""
    channels = read_channels(layout.channels)
    fitted = [str(name) for name in posterior["constant_data"]["channel"].to_numpy()]
    missing = set(fitted) - set(channels["name"])
    if missing:
        raise InputError(
            f"no channel {min(missing)}", where=layout.channels.name, hint="run the stage seeg"
        )
    return channels.set_index("name", drop=False).loc[fitted].reset_index(drop=True)


def _recorded(
    layout: PatientLayout,
    posterior: xr.DataTree,
    draws: FittedDraws,
    channels: pd.DataFrame,
    surface_gain: Array,
    surgery: SurgerySettings,
    onset_factor: float,
) -> Recorded:
    """Return the recorded onsets of the fitted channels, and those of the region model."""
    gain = read_gain(layout.gain)
    samples = posterior["posterior"].to_dataset()
    simulated = _simulated_onsets(draws, surgery)
    power = float(samples["peak_log_power"].median()) if "peak_log_power" in samples else None
    return Recorded(
        channels=channels,
        gain=rows_of(gain[list(draws.regions)], [str(name) for name in channels["name"]]),
        surface_gain=surface_gain,
        region_onset_s=_fitted_onsets(samples, simulated),
        simulated_onset_s=simulated,
        share=onset_share(power, onset_factor),
    )


def _fitted_onsets(samples: xr.Dataset, simulated: Array) -> Array:
    """Return onsets of the regions over draws: those of the fit, if it has them."""
    if "onset_s" not in samples:
        return simulated
    every = (
        first_seizure(samples["onset_s"])
        .stack(sample=("chain", "draw"))
        .transpose("sample", "region")
        .to_numpy()
    )
    return np.asarray(every[:: max(1, len(every) // _REGION_DRAWS)], dtype=np.float64)


def _simulated_onsets(draws: FittedDraws, surgery: SurgerySettings) -> Array:
    """Return onsets of the network of regions over draws."""
    ones = np.ones(len(draws.regions))
    none = Change(ones, ones > 0, ones < 0, draws.weights, ones)
    steps = onset_steps([none], draws, surgery)[0]
    seizes = np.isfinite(steps)
    return np.where(seizes, draws.time_s[np.where(seizes, steps, 0).astype(int)], np.nan)
