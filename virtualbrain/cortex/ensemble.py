"""Simulate posterior draws on a surface."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import Nodes, States, padded_weights
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.models.cortex import CortexOptions, FiringCoupling, simulate_cortex
from virtualbrain.models.epileptor import Epileptor2D
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.models.parallel import usable_cores
from virtualbrain.models.reduced_physics import SEIZING_X_2D
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.network import Network
from virtualbrain.surgery.draws import FittedDraws

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ensemble:
    """Seizures of every draw on a surface.

    Parameters
    ----------
    onset_s, end_s : numpy.ndarray, shape (n_draws, n_nodes)
        First time at which x rises above the threshold, and first sample after it below; seconds
        from the marked onset. NaN where a node does not seize; infinite where it does not end.
    areas_mm2 : numpy.ndarray, shape (n_nodes,)
        Area of each vertex; 0 for regions without vertices.
    counted : numpy.ndarray of bool, shape (n_nodes,)
        Nodes that exist.
    """

    onset_s: Array
    end_s: Array
    areas_mm2: Array
    counted: NDArray[np.bool_]

    @property
    def seizes(self) -> NDArray[np.bool_]:
        """Whether each node seizes, shape (n_draws, n_nodes)."""
        return np.isfinite(self.onset_s) & self.counted

    @property
    def recruited_cm2(self) -> Array:
        """Area of cortex that seizes, shape (n_draws,)."""
        return np.asarray(self.seizes @ self.areas_mm2 / 100.0)

    @property
    def share_free(self) -> float:
        """Fraction of the draws in which nothing seizes."""
        return float(1.0 - self.seizes.any(axis=1).mean())

    @property
    def typical(self) -> int:
        """Draw with the median recruited area (the lower one of two)."""
        order = np.argsort(self.recruited_cm2, kind="stable")
        return int(order[(len(order) - 1) // 2])

    def median_onset_s(self, least: float = 0.5) -> Array:
        """Return the median onset of nodes that seize in at least so many of the draws."""
        return medians(np.where(self.counted, self.onset_s, np.nan), least)


def medians(onset_s: Array, least: float) -> Array:
    """Return the median over draws (first axis), NaN where fewer than `least` have a value."""
    ordered = np.sort(onset_s, axis=0)
    count = np.isfinite(onset_s).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    return np.where(count >= max(1.0, least * len(onset_s)), middle, np.nan)


@dataclass(frozen=True)
class Simulator:
    """Posterior draws on a surface, ready to simulate.

    The equations are those of the fit: every draw has its own x0, K, tau0 and initial states.
    Without local coupling every vertex of a region behaves as the region of the fit does.

    Parameters
    ----------
    mesh : PatientMesh
        The surface.
    nodes : Nodes
        Its nodes.
    draws : FittedDraws
        The draws.
    states : States
        Excitability and initial states.
    kernel : LocalKernel
        Local kernel of integral 1.
    settings : CortexSettings
        Strength of the local coupling, step and samples.
    only_foci : bool
        How the states were made: no seizure starts outside the stated foci.
    weights : numpy.ndarray, optional
        Weights between the fitted regions, in place of those of the draws.
    gone : numpy.ndarray of bool, shape (n_nodes,), optional
        Nodes that are not counted: removed regions.
    cut : numpy.ndarray of bool, shape (n_nodes,), optional
        Nodes without local coupling to the others: disconnected cortex.
    field : numpy.ndarray, shape (n_draws, n_vertices), optional
        Deviation of x0 from its region, which is part of the states.
    """

    mesh: PatientMesh
    nodes: Nodes
    draws: FittedDraws
    states: States
    kernel: LocalKernel
    settings: CortexSettings
    only_foci: bool = False
    weights: Array | None = None
    gone: NDArray[np.bool_] | None = None
    cut: NDArray[np.bool_] | None = None
    field: Array | None = None

    @cached_property
    def local(self) -> sparse.csr_array:
        """Local weights between vertices.

        Raises
        ------
        ModelError
            The mesh is too coarse for the kernel.
        """
        cortex = self.mesh.cortex
        weights = self.kernel.weights(cortex.distances_mm, cortex.areas_mm2)
        if self.cut is None or not self.cut[: self.nodes.n_vertices].any():
            return weights
        pairs = sparse.coo_array(weights)
        joined = self.cut[pairs.row] == self.cut[pairs.col]
        where = (pairs.row[joined], pairs.col[joined])
        return sparse.csr_array((pairs.data[joined], where), shape=pairs.shape)

    @cached_property
    def network(self) -> Network:
        """Network of all regions, those without fit unconnected."""
        weights = self.draws.weights if self.weights is None else self.weights
        return Network(padded_weights(weights, self.nodes), regions=self.nodes.regions)

    def draw(
        self,
        number: int,
        keep: tuple[str, ...] = ("x1",),
        local: float | None = None,
        n_threads: int | None = None,
    ) -> xr.Dataset:
        """Simulate one draw; times are seconds from the marked onset.

        `local` is the strength of the local coupling, if not that of the settings; threads are all
        usable cores by default.

        Raises
        ------
        ModelError
            A step is unstable.
        """
        draws, states = self.draws, self.states
        unit = float(np.diff(draws.time_s).mean()) / draws.dt
        model = Epileptor2D(
            x0=states.x0[number],
            K=float(draws.K[number]),
            r=1.0 / float(draws.tau0[number]),
            Iext=draws.I1,
            seconds_per_unit=unit,
        )
        run = simulate_cortex(
            self.mesh.cortex,
            model,
            kernel=self.local,
            coupling=FiringCoupling(
                fast=self.settings.local if local is None else local, threshold_x1=SEIZING_X_2D
            ),
            network=self.network,
            duration=float(draws.time_s[-1] - draws.time_s[0]),
            dt=self.settings.step * unit,
            initial=np.array([states.x[number], states.z[number]]),
            sample_rate=self.settings.sample_hz,
            options=CortexOptions(keep=keep, n_threads=n_threads),
        )
        run["onset_s"] = run["onset_s"] + draws.time_s[0]
        return run.assign_coords(time=run["time"] + draws.time_s[0])

    def ensemble(self, progress: Progress | None = None) -> Ensemble:
        """Simulate every draw."""
        _ = self.local  # once, before the threads

        def one(number: int) -> tuple[Array, Array]:
            return _onset_and_end(self.draw(number, n_threads=1))

        # One thread for each draw: threads of one draw would wait for each other at every step.
        found, n_draws = [], self.draws.n_draws
        with ThreadPoolExecutor(min(usable_cores(), n_draws)) as pool:
            for times in pool.map(one, range(n_draws)):
                found.append(times)
                if progress is not None:
                    progress(len(found) / n_draws)
        onset, end = (np.array(part) for part in zip(*found, strict=True))
        n_alone = len(self.nodes.region) - self.nodes.n_vertices
        return Ensemble(
            onset_s=onset,
            end_s=end,
            areas_mm2=np.concatenate([self.mesh.cortex.areas_mm2, np.zeros(n_alone)]),
            counted=np.ones(len(self.nodes.region), bool) if self.gone is None else ~self.gone,
        )


def _onset_and_end(run: xr.Dataset) -> tuple[Array, Array]:
    """Return onset and end of every node."""
    onset, time = run["onset_s"].to_numpy(), run["time"].to_numpy()
    below = (run["x1"].to_numpy() <= SEIZING_X_2D) & (time[:, None] > onset)
    end = np.where(below.any(axis=0), time[below.argmax(axis=0)], np.inf)
    return onset, np.where(np.isfinite(onset), end, np.nan)
