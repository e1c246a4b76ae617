"""Simulate a fitted patient on the cortical surface, before and after surgery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import xarray as xr
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from virtualbrain.cortex.channels import (
    agreement,
    comparison,
    median_channel_onsets,
)
from virtualbrain.cortex.ensemble import Ensemble, Simulator
from virtualbrain.cortex.focus import Focus
from virtualbrain.cortex.focus_search import FoundFocus
from virtualbrain.cortex.mesh import MeshPlan, PatientMesh
from virtualbrain.cortex.network import Nodes, states_of
from virtualbrain.cortex.resection import Operated, Surgery, operated, taken_of_images
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.cortex.smallest import Search, Smallest, smallest_resection
from virtualbrain.cortex.x0_field import with_field, x0_fields
from virtualbrain.io.images import label_voxels
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.surgery.draws import FittedDraws

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """What was recorded, and what the region model says about it.

    Parameters
    ----------
    channels : pandas.DataFrame
        Good channels of the fit.
    contacts : pandas.DataFrame
        Contacts.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Gain as fitted; rows sum to one.
    surface_gain : numpy.ndarray, shape (n_channels, n_nodes)
        Gain of the nodes of the surface (`virtualbrain.cortex.channels.channel_gain`).
    region_onset_s : numpy.ndarray, shape (n_draws, n_regions)
        Onsets of the regions in the fit.
    simulated_onset_s : numpy.ndarray, shape (n_draws, n_regions)
        Onsets of the network of regions, simulated with the draws of the surface model.
    share : float
        Share of a channel's gain that must seize.
    """

    channels: pd.DataFrame
    gain: Array
    surface_gain: Array
    region_onset_s: Array
    simulated_onset_s: Array
    share: float

    def against(self, simulated: Ensemble) -> pd.DataFrame:
        """Return the recorded onsets beside those of the surface and of the regions."""
        return comparison(
            self.channels,
            median_channel_onsets(self.surface_gain, simulated.onset_s, self.share),
            median_channel_onsets(self.gain, self.region_onset_s, self.share),
            median_channel_onsets(self.gain, self.simulated_onset_s, self.share),
        )


@dataclass(frozen=True)
class CortexResult:
    """Seizures on the surface.

    Parameters
    ----------
    mesh : PatientMesh
        The surface.
    plan : MeshPlan
        Kernel and spacing.
    simulator : Simulator
        The model before surgery.
    before : Ensemble
        Before surgery.
    typical : xarray.Dataset
        Time series of the typical draw before surgery.
    operated : Operated or None
        The model after surgery.
    after : Ensemble or None
        After surgery.
    channels : pandas.DataFrame
        Onsets: recorded, surface model, region model.
    surface, region, simulated : dict
        Agreement of each model with the recorded onsets.
    share : float
        Share of a channel's gain that must seize.
    foci : tuple of Focus
        Patches in which seizures start, stated or found.
    found : FoundFocus, optional
        Where the recording says that the seizure starts.
    smallest : Smallest or None
        The smallest resection, if one was searched; then `operated` is the model after it.
    """

    mesh: PatientMesh
    plan: MeshPlan
    simulator: Simulator
    before: Ensemble
    typical: xr.Dataset
    operated: Operated | None
    after: Ensemble | None
    channels: pd.DataFrame
    surface: dict[str, float | int | None]
    region: dict[str, float | int | None]
    simulated: dict[str, float | int | None]
    share: float
    foci: tuple[Focus, ...]
    found: FoundFocus | None = None
    smallest: Smallest | None = None

    def on_all_vertices(self, values: Array) -> Array:
        """Return values after surgery on the vertices before it; NaN where tissue was removed.

        The last axis of `values` has the nodes after surgery.
        """
        n = self.simulator.nodes.n_vertices
        full = np.full((*values.shape[:-1], n), np.nan)
        if self.operated is not None:
            full[..., self.operated.kept] = values[..., : len(self.operated.kept)]
        return full


@dataclass(frozen=True)
class FittedSurface:
    """A patient's surface and the draws of the fit on it.

    Parameters
    ----------
    mesh : PatientMesh
        The surface.
    plan : MeshPlan
        Kernel and spacing.
    nodes : Nodes
        Vertices, and regions without vertices.
    draws : FittedDraws
        The draws.
    settings : CortexSettings
        Step, samples, strength of the local coupling.
    """

    mesh: PatientMesh
    plan: MeshPlan
    nodes: Nodes
    draws: FittedDraws
    settings: CortexSettings

    def simulator(
        self, foci: Sequence[Focus], only_foci: bool, rng: np.random.Generator
    ) -> Simulator:
        """Return the model before surgery, with fields of x0 if the settings ask for them.

        Raises
        ------
        InputError
            Surface and fit have no region in common.
        """
        draws, settings = self.draws, self.settings
        states, field = states_of(draws, self.nodes, None, foci, only_foci), None
        if settings.x0_sd:
            field = x0_fields(self.mesh, self.nodes, draws.n_draws, settings.x0_sd, rng)
            field[:, [v for focus in foci for v in focus.vertices]] = 0.0
            states = with_field(states, draws, field)
        return Simulator(
            self.mesh, self.nodes, draws, states, self.plan.kernel, settings, only_foci, field=field
        )


@dataclass(frozen=True)
class Operation:
    """What is done to the surface, and what is needed to do it.

    Parameters
    ----------
    surgery : Surgery
        The plan; may be empty.
    smallest : float, optional
        Search the smallest resection that leaves this share of the draws without a seizure, in
        place of the plan.
    regions : pandas.DataFrame
        Region table.
    labels : nibabel image
        Label image.
    gone_share : float
        Fraction from which a region without vertices counts as removed by a resection.
    thickness_mm : float
        Thickness of the cortex.
    """

    surgery: Surgery
    smallest: float | None
    regions: pd.DataFrame
    labels: Any
    gone_share: float
    thickness_mm: float

    def planned(self, simulator: Simulator, foci: Sequence[Focus]) -> Operated | None:
        """Return the model after the plan; None if it is empty."""
        if not self.surgery:
            return None
        nodes = simulator.nodes
        names = [str(name) for name in nodes.names[nodes.n_vertices :]]
        taken = taken_of_images(self.surgery, self.labels, self.regions, names)
        return operated(simulator, self.surgery, taken, foci, self.gone_share)

    def smallest_for(
        self, simulator: Simulator, foci: Sequence[Focus], before: Ensemble, progress: Progress
    ) -> Smallest | None:
        """Return the smallest resection that is enough; None if none is asked for."""
        if self.smallest is None:
            return None
        volumes = nuclei_cm3(self.regions) if "volume" in self.regions else {}
        search = Search(simulator, self.smallest, foci, self.gone_share, self.thickness_mm, volumes)
        return smallest_resection(search, before, progress)


def run_cortex(
    surface: FittedSurface,
    foci: Sequence[Focus],
    operation: Operation,
    recorded: Recorded,
    rng: np.random.Generator,
    step: Callable[[str], Progress] | None = None,
    *,
    only_foci: bool = False,
) -> CortexResult:
    """Simulate the draws on the surface, compare with the recording, and operate.

    Parameters
    ----------
    surface : FittedSurface
        The surface and the draws.
    foci : sequence of Focus
        Patches in which seizures start.
    operation : Operation
        The plan, or the search for the smallest resection.
    recorded : Recorded
        Recorded onsets and the region model.
    rng : numpy.random.Generator
        Random numbers of the fields of x0.
    step : callable, optional
        Called with the name of each part; returns what is called with the fraction done.
    only_foci : bool
        No seizure starts outside the foci.

    Raises
    ------
    InputError
        The plan takes nothing out, or surface and fit have no region in common.
    ModelError
        The mesh is too coarse for the kernel, or no resection of the search is enough.
    """
    report = step or (lambda _: lambda _fraction: None)
    simulator = surface.simulator(foci, only_foci, rng)
    cut = operation.planned(simulator, foci)  # before the simulation: it may be refused
    before = simulator.ensemble(report("before surgery"))
    least = operation.smallest_for(simulator, foci, before, report("smallest resection"))
    if least is not None:
        cut = least.operated
    after = None if cut is None else cut.simulator.ensemble(report("after surgery"))
    table = recorded.against(before)
    seen = table["onset_recorded_s"].to_numpy()
    return CortexResult(
        mesh=surface.mesh,
        plan=surface.plan,
        simulator=simulator,
        before=before,
        typical=simulator.draw(before.typical),
        operated=cut,
        after=after,
        channels=table,
        surface=agreement(seen, table["onset_surface_s"].to_numpy()),
        region=agreement(seen, table["onset_region_s"].to_numpy()),
        simulated=agreement(seen, table["onset_simulated_s"].to_numpy()),
        share=recorded.share,
        foci=tuple(foci),
        smallest=least,
    )


def nuclei_cm3(regions: pd.DataFrame) -> dict[str, float]:
    """Return the volumes of the region table."""
    return {
        str(name): float(volume) / 1000.0
        for name, volume in zip(regions["name"], regions["volume"], strict=True)
        if np.isfinite(volume)
    }


def on_voxels(
    simulator: Simulator, values: Array, regions: pd.DataFrame, labels: Any
) -> nib.Nifti1Image:
    """Return values of nodes on the grid of the label image.

    A voxel of a cortical region has the value of the nearest vertex of that region, one of another
    region the value of its node; NaN elsewhere.
    """
    nodes, numbers = simulator.nodes, label_voxels(labels)
    image = np.full(numbers.shape, np.nan, dtype=np.float32)
    names = nodes.names
    for index, name in zip(regions["index"], regions["name"], strict=True):
        own = np.flatnonzero(names == str(name))
        voxels = np.argwhere(numbers == int(index))
        if not len(own) or not len(voxels):
            continue
        nearest = np.zeros(len(voxels), dtype=np.int64)
        if own[0] < nodes.n_vertices:
            tree = cKDTree(simulator.mesh.cortex.vertices_mm[own])
            nearest = tree.query(apply_affine(labels.affine, voxels))[1]
        image[tuple(voxels.T)] = values[own[nearest]]
    return nib.Nifti1Image(image, labels.affine)


def outcome_table(result: CortexResult) -> pd.DataFrame:
    """Return the outcome over draws before and after surgery."""
    rows = [_outcome("before", result.before, 0.0)]
    if result.after is not None and result.operated is not None:
        rows.append(_outcome("after", result.after, result.operated.removed_cm2))
    return pd.DataFrame(rows)


def _outcome(name: str, ensemble: Ensemble, removed_cm2: float) -> dict[str, Any]:
    area = ensemble.recruited_cm2
    low, middle, high = np.quantile(area, [0.05, 0.5, 0.95])
    return {
        "surgery": name,
        "draws": len(area),
        "removed_cm2": removed_cm2,
        "share_free": ensemble.share_free,
        "recruited_cm2": middle,
        "recruited_low_cm2": low,
        "recruited_high_cm2": high,
    }
