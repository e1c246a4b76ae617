"""Simulate seizures on the cortical surface: an Epileptor at each vertex."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.spatial import cKDTree

from virtualbrain.errors import ModelError
from virtualbrain.models import cortex_integrate as compiled_loop
from virtualbrain.models.barrier import arrivals
from virtualbrain.models.cortex_integrate import ROW
from virtualbrain.models.epileptor import Epileptor, Epileptor2D, Model
from virtualbrain.models.local_kernel import LocalKernel, on_grid
from virtualbrain.models.normals import seed_lanes
from virtualbrain.models.parallel import usable_cores
from virtualbrain.models.simd_layout import LANES, n_blocks
from virtualbrain.models.simulation_plan import Members, choose_steps, state_index
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.network import Network

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_VERTEX_STEPS_PER_CHECK = 20_000_000


@dataclass(frozen=True)
class Cortex:
    """A cortical surface: vertices, their areas and regions, and the distances between neighbours.

    Parameters
    ----------
    vertices_mm : numpy.ndarray, shape (n_vertices, 3)
        Coordinates.
    areas_mm2 : numpy.ndarray, shape (n_vertices,)
        Area of each vertex; above zero.
    distances_mm : scipy.sparse.csr_array, shape (n_vertices, n_vertices)
        Geodesic distances of neighbouring vertices, at least up to the cut-off of the kernel.
    regions : sequence of str
        Name of the region of each vertex.

    Raises
    ------
    ModelError
        Shapes differ, or a value is not finite or an area not above zero.
    """

    vertices_mm: Array
    areas_mm2: Array
    distances_mm: sparse.csr_array
    regions: Sequence[str]

    def __post_init__(self) -> None:
        n = len(self.areas_mm2)
        shapes = (np.shape(self.vertices_mm), self.distances_mm.shape, len(self.regions))
        if shapes != ((n, 3), (n, n), n):
            raise ModelError(
                f"vertices, distances and regions have the shapes {shapes}",
                expected=f"those of {n} areas",
            )
        if not (np.isfinite(self.vertices_mm).all() and np.isfinite(self.areas_mm2).all()):
            raise ModelError("the surface has values that are not finite")
        if not (np.asarray(self.areas_mm2) > 0).all():
            raise ModelError(
                "a vertex has no area", hint="remove vertices that belong to no triangle"
            )

    @property
    def n_vertices(self) -> int:
        """Number of vertices."""
        return len(self.areas_mm2)


@dataclass(frozen=True, kw_only=True)
class FiringCoupling:
    r"""Coupling by firing: a source sends while its x1 or x2 is above a threshold.

    With :math:`S_1 = \sum_j W_{ij} H(x_{1,j} - \theta_1)` and
    :math:`S_2 = \sum_j W_{ij} H(x_{2,j} - \theta_2)` over the neighbours of a vertex, and
    :math:`p_l` the fraction of the area of region l in which x1 is above its threshold,

    .. math::
        \dot x_1 &= \ldots + t_t\,(fast\; S_1 + between \sum_l C_{kl}\, p_l(t - \tau_{kl})) \\
        \dot x_2 &= \ldots + t_t\, slow\; S_2 \\
        \dot g &= \ldots + 0.01\, t_t\, low\_pass\; S_1

    Parameters
    ----------
    fast, slow, low_pass : float
        Strengths of the local coupling of x1, of x2, and of x1 to g.
    between : float
        Strength of the coupling between regions, through the weights C of the network.
    threshold_x1, threshold_x2 : float
        Thresholds.
    speed_m_per_s : float, optional
        Transmission speed between regions. No delays by default.
    """

    fast: float = 0.0
    slow: float = 0.0
    low_pass: float = 0.0
    between: float = 0.0
    threshold_x1: float = -1.0
    threshold_x2: float = -0.5
    speed_m_per_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("fast", "slow", "low_pass", "between", "threshold_x1", "threshold_x2"):
            if not np.isfinite(getattr(self, name)):
                raise ModelError(f"{name} of the coupling is not finite")

    def delays(self, network: Network, step_s: float) -> Indices:
        """Return the delays in steps, shape (n_regions, n_regions)."""
        if self.speed_m_per_s is None:
            return np.zeros(network.weights.shape, dtype=np.int64)
        if network.lengths is None:
            raise ModelError("delays without tract lengths", hint="give the network its lengths")
        if not self.speed_m_per_s > 0:
            raise ModelError(f"a speed of {self.speed_m_per_s} m/s", expected="above zero")
        seconds = network.lengths * 1e-3 / self.speed_m_per_s
        return np.asarray(np.rint(seconds / step_s), dtype=np.int64)


@dataclass(frozen=True)
class CortexOptions:
    """Quantities to keep, and the means of computation.

    Parameters
    ----------
    keep : sequence of str
        ``lfp`` and names of states.
    dtype : {"float64", "float32"}
        Precision of the samples; the integration is always in double precision.
    memory_limit_bytes : int
        Limit of memory for samples and working arrays together.
    n_threads : int, optional
        Threads; all usable cores by default. Results do not depend on it.
    """

    keep: Sequence[str] = field(default=("lfp",))
    dtype: Literal["float64", "float32"] = "float32"
    memory_limit_bytes: int = 2**31
    n_threads: int | None = None


def simulate_cortex(
    cortex: Cortex,
    model: Model,
    *,
    kernel: LocalKernel | sparse.csr_array,
    coupling: FiringCoupling,
    duration: float,
    network: Network | None = None,
    dt: float | None = None,
    seed: int | np.random.Generator | None = None,
    initial: ArrayLike | Mapping[str, ArrayLike] | None = None,
    noise: Mapping[str, ArrayLike] | None = None,
    sample_rate: float | None = 100.0,
    options: CortexOptions | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Simulate a seizure on the cortical surface by Heun's method.

    The nodes are the vertices, followed by the regions of the network that have no vertex, in its
    order (subcortical regions). Such a region is a single Epileptor without local coupling.

    Parameters
    ----------
    cortex : Cortex
        The surface.
    model : Epileptor or Epileptor2D
        Equations and parameters. x0 is a number or one per node; the others are numbers. The
        coupling K of Epileptor2D acts between regions: a vertex follows the mean x of other
        regions (by area), z' = ... - r K sum_l C_kl (mean x_l - x). Kvf, Kf and the K of
        Epileptor are not used and must be zero.
    kernel : LocalKernel or scipy.sparse.csr_array, shape (n_vertices, n_vertices)
        Local coupling; or the weights themselves, row i = into vertex i.
    coupling : FiringCoupling
        Strengths and thresholds.
    duration : float
        Seconds of model activity.
    network : Network, optional
        Connections between regions; all regions of the cortex must be in it.
    dt : float, optional
        Longest step in seconds; 0.05 / tt units of model time by default.
    seed : int or numpy.random.Generator, optional
        Seed of the noise; required with noise.
    initial : array_like, shape (n_states, n_nodes), or mapping of states, optional
        Initial states; by default the rest state of every node. With delays also the past.
    noise : mapping of state to array_like, optional
        Intensity D of the noise of each state, a number or one per node.
    sample_rate : float or None
        Samples per second; None keeps every step.
    options : CortexOptions, optional
        Quantities to keep, threads and memory.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Returns
    -------
    xarray.Dataset
        Dims time (seconds) and node; coordinate region (node). The kept quantities, and
        `onset_s` (node): time at which x1 first rises above its threshold, NaN where it does not.

    Raises
    ------
    ModelError
        Shapes do not match, the mesh is too coarse for the kernel, the run needs more than the
        memory limit, or a step is unstable or diverges.
    """
    options = options or CortexOptions()
    network = network if network is not None else _unconnected(cortex)
    run = _Run.prepared(
        cortex, model, kernel, coupling, network, duration, dt, sample_rate, options,
        Members(1, initial, None, _generators(noise, seed), noise, None),
    )  # fmt: skip
    samples = run.run(progress)
    return run.dataset(samples)


def _unconnected(cortex: Cortex) -> Network:
    """Return a network of the regions of the cortex without connections."""
    names = tuple(dict.fromkeys(str(name) for name in cortex.regions))
    return Network(np.zeros((len(names), len(names))), regions=names)


def _generators(
    noise: Mapping[str, ArrayLike] | None, seed: int | np.random.Generator | None
) -> list[np.random.Generator] | None:
    if noise is None:
        return None
    if seed is None:
        raise ModelError("noise without a seed", hint="give seed=1 or a numpy Generator")
    return [np.random.default_rng(seed)]


@dataclass(frozen=True)
class _Nodes:
    """Vertices and point regions: region, fraction of its area, and order of the computation."""

    region: Indices  # position in the network
    fraction: Array
    order: Indices
    n_vertices: int

    @classmethod
    def of(cls, cortex: Cortex, network: Network, weights: sparse.csr_array) -> "_Nodes":
        position = {name: k for k, name in enumerate(network.regions)}
        unknown = [name for name in dict.fromkeys(cortex.regions) if str(name) not in position]
        if unknown:
            raise ModelError(
                f"the network has no region {unknown[0]}",
                expected="every region of the cortex",
                hint="remove the vertices outside the regions of the network",
            )
        of_vertex = np.array([position[str(name)] for name in cortex.regions], dtype=np.int64)
        area = np.bincount(of_vertex, weights=cortex.areas_mm2, minlength=network.n_regions)
        alone = np.flatnonzero(np.bincount(of_vertex, minlength=network.n_regions) == 0)
        fraction = np.concatenate([cortex.areas_mm2 / area[of_vertex], np.ones(len(alone))])
        order = np.concatenate(
            [_in_patches(cortex.vertices_mm, weights), cortex.n_vertices + np.arange(len(alone))]
        )
        return cls(np.concatenate([of_vertex, alone]), fraction, order, cortex.n_vertices)

    @property
    def n(self) -> int:
        """Number of nodes."""
        return len(self.region)


def _in_patches(vertices: Array, weights: sparse.csr_array) -> Indices:
    """Order vertices so that consecutive ones form patches of one connected piece of cortex."""
    _, piece = sparse.csgraph.connected_components(weights, directed=False)
    near = np.empty(len(vertices), dtype=np.int64)
    near[cKDTree(vertices, leafsize=LANES).indices] = np.arange(len(vertices))
    return np.lexsort((near, piece)).astype(np.int64)


@dataclass(frozen=True)
class _Run:
    """A simulation in the form of the compiled loop."""

    model: Model
    network: Network
    coupling: FiringCoupling
    options: CortexOptions
    nodes: _Nodes
    step_s: float
    n_samples: int
    rates: compiled_loop.Rates
    sizes: compiled_loop.Sizes
    fixed: compiled_loop.Fixed
    memory: compiled_loop.Memory
    lowest_stable: float

    @classmethod
    def prepared(
        cls,
        cortex: Cortex,
        model: Model,
        kernel: LocalKernel | sparse.csr_array,
        coupling: FiringCoupling,
        network: Network,
        duration: float,
        dt: float | None,
        sample_rate: float | None,
        options: CortexOptions,
        members: Members,
    ) -> "_Run":
        step_s, every, n_samples = choose_steps(model, duration, dt, sample_rate)
        if isinstance(kernel, LocalKernel):
            weights = kernel.weights(cortex.distances_mm, cortex.areas_mm2)
        else:
            weights = on_grid(sparse.csr_array(kernel))
        nodes = _Nodes.of(cortex, network, weights)
        rates = _rates(model, coupling)
        delays = coupling.delays(network, step_s)
        sizes = compiled_loop.Sizes(
            n_threads=max(1, min(options.n_threads or usable_cores(), n_blocks(nodes.n))),
            n_nodes=nodes.n,
            n_states=len(model.states),
            n_regions=network.n_regions,
            n_slots=int(delays.max(initial=0)) + 2,
            dt=step_s / model.seconds_per_unit,
            every=every,
        )
        _refuse_large(sizes, weights.nnz, n_samples, options)
        fixed = _fixed(model, coupling, network, nodes, weights, delays, sizes, options, members)
        memory = _memory(model, coupling, nodes, weights, sizes, fixed, members)
        lowest_stable = float(model.lowest_stable_x1(sizes.dt, 1, nodes.n).max())
        run = cls(
            model, network, coupling, options, nodes, step_s, n_samples, rates, sizes, fixed,
            memory, lowest_stable,
        )  # fmt: skip
        run._refuse_unstable(float(model.rest(1, nodes.n)[:, 0].min()))
        return run

    def run(self, progress: Progress | None) -> Array:
        """Take all steps; return the samples, shape (n_kept, n_samples, n_nodes)."""
        n, n_steps = self.sizes.n_threads, self.n_samples * self.sizes.every
        out = np.empty(
            (len(self.options.keep), self.n_samples, self.nodes.n), dtype=self.options.dtype
        )
        interval = max(1, _VERTEX_STEPS_PER_CHECK // self.nodes.n)
        with ThreadPoolExecutor(n) as pool:
            for first in range(0, n_steps, interval):
                count = min(interval, n_steps - first)

                def work(thread: int, first: int = first, count: int = count) -> None:
                    compiled_loop.advance(
                        self.rates, self.sizes, self.fixed, self.memory, thread, first, count, out
                    )

                # As many workers as parts: they wait for each other in every step.
                list(pool.map(work, range(n)))
                self._check()
                if progress is not None:
                    progress((first + count) / n_steps)
        return out

    def _check(self) -> None:
        """Raise an error if a state diverged or a step was unstable."""
        blocks = self.memory.field.reshape(-1, ROW.n // LANES, LANES)
        states = blocks[:, : ROW.sum_x1 // LANES].swapaxes(1, 2).reshape(-1, 12)[: self.nodes.n]
        if not np.isfinite(states).all():
            place = int(self.fixed.original[np.flatnonzero(~np.isfinite(states).all(axis=1))[0]])
            raise ModelError(
                f"the run diverged at node {place} with a step of {self.step_s:g} s",
                expected="finite states",
                hint="give a smaller dt, or less coupling or noise",
            )
        lowest = blocks[:, ROW.lowest_x1 // LANES]
        self._refuse_unstable(float(lowest.ravel()[: self.nodes.n].min()))
        lowest[:] = np.inf

    def _refuse_unstable(self, lowest_x1: float) -> None:
        if lowest_x1 < self.lowest_stable:
            raise ModelError(
                f"a step of {self.step_s:g} s is unstable at x1 = {lowest_x1:.2f}",
                expected=f"a step below {self.step_s / 2:g} s there",
                hint="give a smaller dt",
            )

    def dataset(self, samples: Array) -> xr.Dataset:
        """Return samples and onsets as a named dataset."""
        time = (np.arange(self.n_samples) + 1.0) * self.sizes.every * self.step_s
        onset = np.full(self.nodes.n, np.nan)
        steps = self.memory.onset
        onset[self.fixed.original] = np.where(steps < 0, np.nan, steps * self.step_s)
        names = np.array(self.network.regions)[self.nodes.region]
        return xr.Dataset(
            {
                **{n: (("time", "node"), samples[k]) for k, n in enumerate(self.options.keep)},
                "onset_s": ("node", onset, {"units": "s"}),
            },
            coords={"time": ("time", time, {"units": "s"}), "region": ("node", names)},
            attrs={
                "model": type(self.model).__name__,
                "integrator": "heun",
                "normalisation": self.network.normalisation,
                "n_vertices": self.nodes.n_vertices,
                "dt_s": self.step_s,
                "seconds_per_unit": self.model.seconds_per_unit,
                **{f"coupling_{k}": v for k, v in vars(self.coupling).items() if v is not None},
            },
        )


def _rates(model: Model, coupling: FiringCoupling) -> compiled_loop.Rates:
    """Return the parameters that are the same at all vertices."""
    if type(model) not in (Epileptor, Epileptor2D) or getattr(model, "modification", False):
        raise ModelError(
            f"the surface has no {type(model).__name__} of this form",
            expected="Epileptor or Epileptor2D without modification",
        )
    if isinstance(model, Epileptor2D) and model.form != "cubic":
        raise ModelError("the surface has the cubic form only", expected="form='cubic'")
    unused = {"Kvf", "Kf"} if isinstance(model, Epileptor2D) else {"K", "Kvf", "Kf"}
    for name in sorted(unused & set(model.parameters)):
        if np.any(np.asarray(getattr(model, name)) != 0):
            raise ModelError(
                f"{name} of the model is not zero",
                expected="zero: the surface is coupled by firing",
            )
    values: dict[str, float] = {}
    for name in (*compiled_loop.Rates._fields, "tau"):
        value = np.asarray(getattr(coupling, name, getattr(model, name, 1.0)), dtype=np.float64)
        if value.ndim:
            raise ModelError(
                f"{name} has the shape {value.shape}", expected="a number; only x0 may vary"
            )
        values[name] = float(value)
    values["inverse_tau"] = 1.0 / values.pop("tau")
    return compiled_loop.Rates(**values)


def _refuse_large(
    sizes: compiled_loop.Sizes, n_weights: int, n_samples: int, options: CortexOptions
) -> None:
    """Raise an error if the run needs more than the memory limit."""
    kept = len(options.keep) * n_samples * sizes.n_nodes * np.dtype(options.dtype).itemsize
    needed = kept + 30 * n_weights + 8 * ROW.n // LANES * sizes.n_nodes
    if needed > options.memory_limit_bytes:
        raise ModelError(
            f"the run needs {needed / 2**20:.0f} MiB",
            expected=f"at most {options.memory_limit_bytes / 2**20:.0f} MiB",
            hint="keep fewer quantities or samples, or raise memory_limit_bytes",
        )


def _fixed(
    model: Model,
    coupling: FiringCoupling,
    network: Network,
    nodes: _Nodes,
    weights: sparse.csr_array,
    delays: Indices,
    sizes: compiled_loop.Sizes,
    options: CortexOptions,
    members: Members,
) -> compiled_loop.Fixed:
    """Return the arrays that the loop reads."""
    n, blocks = nodes.n, n_blocks(nodes.n)
    first_block = np.rint(np.linspace(0, blocks, sizes.n_threads + 1)).astype(np.int64)
    first, receivers, values = _by_source(weights, nodes, first_block)
    region = _padded(nodes.region[nodes.order], blocks).astype(np.int32)
    own = np.zeros((sizes.n_threads, network.n_regions), dtype=np.bool_)
    for thread in range(sizes.n_threads):
        own[thread, region[first_block[thread] * LANES : first_block[thread + 1] * LANES]] = True
    noisy, amplitudes = members.amplitudes(model, sizes.dt, n)
    between = coupling.between * network.weights.T
    amplitudes = _padded(amplitudes[0][:, nodes.order], blocks).reshape(len(noisy), blocks, LANES)
    return compiled_loop.Fixed(
        blocks=np.arange(blocks),
        first_block=first_block,
        first_weight=first,
        receivers=receivers,
        weights=values,
        region=region,
        fraction=nodes.fraction[nodes.order],
        own_regions=own,
        weights_between=np.ascontiguousarray(
            network.weights if np.any(model.K) else np.zeros((0, 0)), dtype=np.float64
        ),
        between=np.ascontiguousarray(between if between.any() else np.zeros((0, 0))),
        delays=np.ascontiguousarray(delays.T),
        noisy=noisy,
        amplitudes=np.ascontiguousarray(amplitudes.swapaxes(0, 1)).ravel(),
        original=nodes.order,
        kept=np.array(
            [compiled_loop.LFP if k == "lfp" else state_index(model, k) for k in options.keep],
            dtype=np.int64,
        ),
    )


def _by_source(
    weights: sparse.csr_array, nodes: _Nodes, first_block: Indices
) -> tuple[Indices, NDArray[np.int32], Array]:
    """Return the weights of each source in the order of the computation, by receiving part.

    Returns
    -------
    first : shape (n_nodes, n_parts + 1)
        First connection of each source into each part.
    receivers, values
        Receiver and weight of each connection.
    """
    place = np.empty(nodes.n, dtype=np.int64)
    place[nodes.order] = np.arange(nodes.n)
    pairs = sparse.coo_array(weights)
    receiver, source = place[pairs.row], place[pairs.col]
    order = np.lexsort((receiver, source))
    receiver, source = receiver[order], source[order]
    part = np.searchsorted(first_block, receiver // LANES, side="right") - 1
    n_parts = len(first_block) - 1
    count = np.bincount(source * n_parts + part, minlength=nodes.n * n_parts)
    first = np.zeros((nodes.n, n_parts + 1), dtype=np.int64)
    last = np.cumsum(count).reshape(nodes.n, n_parts)
    first[:, 1:] = last
    first[1:, 0] = last[:-1, -1]
    return first, receiver.astype(np.int32), np.ascontiguousarray(pairs.data[order])


def _padded(values: NDArray, blocks: int) -> NDArray:  # type: ignore[type-arg]
    """Repeat the last node until the blocks are full."""
    spare = blocks * LANES - values.shape[-1]
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, spare)], mode="edge")


def _memory(
    model: Model,
    coupling: FiringCoupling,
    nodes: _Nodes,
    weights: sparse.csr_array,
    sizes: compiled_loop.Sizes,
    fixed: compiled_loop.Fixed,
    members: Members,
) -> compiled_loop.Memory:
    """Return the arrays that the loop writes, with the initial states."""
    blocks, n_threads, n_regions = n_blocks(nodes.n), sizes.n_threads, sizes.n_regions
    start = members.start(model, nodes.n)[0]
    active = np.zeros((2, nodes.n))
    active[0] = start[0] > coupling.threshold_x1
    if sizes.n_states == 6:
        active[1] = start[3] > coupling.threshold_x2
    sums = np.zeros((2, nodes.n))
    sums[:, : nodes.n_vertices] = (weights @ active[:, : nodes.n_vertices].T).T
    firing = np.bincount(nodes.region, weights=nodes.fraction * active[0], minlength=n_regions)
    arriving_now = firing @ fixed.between if fixed.between.size else np.zeros(n_regions)
    x0 = model.packed(1, nodes.n)[0, model.parameters.index("x0")]
    strength = np.zeros(n_regions)
    if fixed.weights_between.size:
        strength = fixed.weights_between.sum(axis=1)
    rows = np.zeros((ROW.n // LANES, nodes.n))
    for number, values in (
        (ROW.even, start),
        (ROW.sum_x1, sums),
        (ROW.predicted_sum_x1, sums),
        (ROW.x0, x0[np.newaxis]),
        (ROW.current, arriving_now[nodes.region][np.newaxis]),
        (ROW.strength, strength[nodes.region][np.newaxis]),
        (ROW.lowest_x1, np.full((1, nodes.n), np.inf)),
    ):
        rows[number // LANES : number // LANES + len(values)] = values
    padded = _padded(rows[:, nodes.order], blocks).reshape(len(rows), blocks, LANES)
    longest = int(np.diff(fixed.first_block).max()) * LANES
    lanes = np.zeros(0, dtype=np.uint64)
    if members.generators is not None:
        lanes = seed_lanes(members.generators[0], blocks).ravel()
    return compiled_loop.Memory(
        field=np.ascontiguousarray(padded.swapaxes(0, 1)).ravel(),
        is_touched=np.zeros(blocks, dtype=np.bool_),
        touched=np.zeros(blocks, dtype=np.int64),
        has_crossed=np.zeros((2, blocks), dtype=np.bool_),
        crossings=np.zeros((2, 2, n_threads, 2 * longest), dtype=np.int64),
        n_crossings=np.zeros((2, 2, n_threads, 8), dtype=np.int64),
        input=np.repeat(arriving_now[np.newaxis], n_threads, axis=0),
        means=np.zeros((n_threads, n_regions), dtype=np.int64),
        from_means=np.zeros((n_threads, n_regions)),
        arriving=np.zeros((n_threads, sizes.n_slots, n_regions)),
        change=np.zeros((n_threads, n_regions)),
        is_changed=np.zeros((n_threads, n_regions), dtype=np.bool_),
        changed=np.zeros((n_threads, n_regions), dtype=np.int64),
        normals=np.zeros((n_threads, (fixed.noisy.size + 1) * LANES)),
        generators=lanes,
        onset=np.full(nodes.n, -1, dtype=np.int64),
        arrived=arrivals(n_threads),
    )
