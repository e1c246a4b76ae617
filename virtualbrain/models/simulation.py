"""Run a network of Epileptors: one run, or many of one network."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.models import integrate
from virtualbrain.models.epileptor import Model
from virtualbrain.models.normals import seed_lanes
from virtualbrain.models.parallel import members_within, usable_cores
from virtualbrain.models.simd_layout import (
    LANES,
    TILE,
    from_blocks,
    n_blocks,
    pack_weights,
    to_blocks,
)
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

_log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Progress = Callable[[float], None]

DEFAULT_STEP = 0.05
_SETTLING = 20.0  # model time in which a start may swing through states it never sees again
_STRETCH = 1_000_000  # steps of regions between two looks at how the run is doing
_CACHE_BYTES = 768 * 1024  # share of a core's cache that a group of members may fill


@dataclass(frozen=True)
class Options:
    """How to integrate and what to keep.

    Parameters
    ----------
    integrator : {"heun", "euler"}
        The scheme. With noise: Euler-Maruyama, or Heun with the same draw in both stages.
    coupling : {"held", "exact"}
        Whether Heun holds the coupling over both stages of a step, as The Virtual Brain does,
        or evaluates it at both. Held is the default: it is what published results used, it
        costs one matrix product a step in place of two, and the slow variable, on which coupling
        acts, moves by a few millionths per step. Exact is of second order in the coupling too.
    speed_m_per_s : float, optional
        Speed of transmission: delays are tract lengths over it. No delays where missing, as in all
        published work on personal seizure models but one.
    keep : sequence of str
        ``lfp`` and names of states.
    average : bool
        Whether a sample is the mean of the steps since the sample before, or the last of them.
    dtype : {"float64", "float32"}
        Precision of what is kept; the integration is always in double precision.
    memory_limit_bytes : int
        Most memory for kept samples and working arrays together.
    n_threads : int, optional
        Threads of an ensemble; all usable cores where missing.
    """

    integrator: Literal["heun", "euler"] = "heun"
    coupling: Literal["held", "exact"] = "held"
    speed_m_per_s: float | None = None
    keep: Sequence[str] | None = None
    average: bool = False
    dtype: Literal["float64", "float32"] = "float64"
    memory_limit_bytes: int = 2**31
    n_threads: int | None = None


def simulate(
    network: Network,
    model: Model,
    *,
    duration: float,
    dt: float | None = None,
    seed: int | np.random.Generator | None = None,
    initial: ArrayLike | Mapping[str, ArrayLike] | None = None,
    noise: Mapping[str, ArrayLike] | None = None,
    stimulus: Stimulus | None = None,
    present: ArrayLike | None = None,
    sample_rate: float | None = 256.0,
    options: Options | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    r"""Run one network of Epileptors.

    Parameters
    ----------
    network : Network
        Weights, already normalised, and lengths.
    model : Epileptor, Epileptor2D, EpileptorRestingState or EpileptorStimulation
        Equations and parameters, per region where they are arrays.
    duration : float
        Seconds.
    dt : float, optional
        Longest step in seconds; 0.05 model units (50 microseconds at tt = 1) where missing. It is
        shortened so that a whole number of steps makes a sample.
    seed : int or numpy.random.Generator, optional
        Source of the noise; needed with noise only.
    initial : array_like, shape (n_states, n_regions), or mapping of states, optional
        Start; the rest state of every region (`Epileptor.rest`) where missing. It is also
        the past, where there are delays.
    noise : mapping of state to array_like, optional
        Intensity D of each state's noise, a number or one per region:
        :math:`dx = f\,dt + \sqrt{2D}\,dW` in model time, The Virtual Brain's ``nsig``.
    stimulus : Stimulus, optional
        Adds to the rest current of population 1.
    present : array_like, shape (n_regions,), optional
        Share of each region that is left, 0 to 1: connections become p_i C_ij p_j.
    sample_rate : float or None
        Samples kept per second; None keeps every step.
    options : Options, optional
        Integrator, coupling, what to keep.
    progress : callable, optional
        Called with the share done, 0 to 1.

    Returns
    -------
    xarray.Dataset
        Dims time (seconds) and region; `lfp` and every kept state (all, where not said).
        Attributes tell every choice. The first sample ends the first interval.

    Raises
    ------
    ModelError
        Shapes that do not fit, a run that needs more than the memory limit, or a step that is
        unstable or diverges.
    """
    options = options or Options(keep=("lfp", *model.states))
    run = _Run.planned(network, model, duration, dt, sample_rate, options)
    generators = None if noise is None else [_generator(seed)]
    members = _Members(1, initial, present, generators, noise, stimulus)
    samples = _run_members(run, members, slice(0, 1), progress)
    return run.dataset(samples[0], ("time", "region"), {"n_members": 1})


def simulate_ensemble(
    network: Network,
    model: Model,
    *,
    n_members: int,
    duration: float,
    output: Path | str | None = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> xr.Dataset:
    """Run many members of one network at once.

    Members differ by the model's parameters, `initial` or `present`, each of which may have a
    leading axis of members, and by their noise. The coupling of all members of a chunk is one
    matrix product per step. A member gives the same numbers as its single run with the generator
    that `member_generators` gives it.

    Parameters
    ----------
    network, model, duration
        As in `simulate`.
    n_members : int
        How many.
    output : Path or str, optional
        A netCDF file that takes the samples chunk by chunk, so that memory does not grow with
        `n_members`; the returned dataset reads from it.
    progress : callable, optional
        Called with the share done, 0 to 1.
    **arguments
        The other arguments of `simulate`; `seed` is one for the whole ensemble.

    Returns
    -------
    xarray.Dataset
        Dims member, time, region.

    Raises
    ------
    ModelError
        As `simulate`; and samples beyond the memory limit without an `output`.
    """
    chunks = ensemble_chunks(
        network, model, n_members=n_members, duration=duration, progress=progress, **arguments
    )
    if output is not None:
        return _written(chunks, Path(output))
    run, _ = _planned_ensemble(network, model, n_members, duration, arguments)
    if run.bytes_kept * n_members > run.options.memory_limit_bytes:
        raise ModelError(
            f"the samples of {n_members} members take {run.bytes_kept * n_members / 2**20:.0f} MiB",
            expected=f"at most {run.options.memory_limit_bytes / 2**20:.0f} MiB",
            hint="give output=FILE.nc, or keep fewer states, a lower sample_rate or float32",
        )
    return xr.concat(list(chunks), dim="member", combine_attrs="override")


def ensemble_chunks(
    network: Network,
    model: Model,
    *,
    n_members: int,
    duration: float,
    progress: Progress | None = None,
    **arguments: Any,
) -> Iterator[xr.Dataset]:
    """Run an ensemble and yield its members a chunk at a time, within the memory limit.

    Parameters and errors as in `simulate_ensemble`.

    Yields
    ------
    xarray.Dataset
        Dims member, time, region; coord member counts through all chunks.
    """
    run, members = _planned_ensemble(network, model, n_members, duration, arguments)
    per_member = run.bytes_kept + run.bytes_working
    # Two chunks are alive at once: the one in the caller's hands and the one that is made.
    chunk = min(members_within(run.options.memory_limit_bytes // 3, per_member, "run"), n_members)
    for start in range(0, n_members, chunk):
        part = slice(start, min(start + chunk, n_members))
        report = None if progress is None else _part_of(progress, part, n_members)
        samples = _run_members(run, members, part, report)
        yield run.dataset(
            samples, ("member", "time", "region"), {"n_members": n_members}
        ).assign_coords(member=np.arange(part.start, part.stop))


def member_generators(
    seed: int | np.random.Generator | None, n_members: int
) -> list[np.random.Generator]:
    """Return the generator of every member of an ensemble."""
    return _generator(seed).spawn(n_members)


def _part_of(progress: Progress, part: slice, total: int) -> Progress:
    def report(share: float) -> None:
        progress((part.start + share * (part.stop - part.start)) / total)

    return report


def _planned_ensemble(
    network: Network, model: Model, n_members: int, duration: float, arguments: Mapping[str, Any]
) -> "tuple[_Run, _Members]":
    known = dict(arguments)
    options = known.pop("options", None) or Options(keep=("lfp",))
    run = _Run.planned(
        network, model, duration, known.pop("dt", None), known.pop("sample_rate", 256.0), options,
        n_members,
    )  # fmt: skip
    noise, seed = known.pop("noise", None), known.pop("seed", None)
    generators = None if noise is None else member_generators(seed, n_members)
    members = _Members(
        n_members, known.pop("initial", None), known.pop("present", None), generators, noise,
        known.pop("stimulus", None),
    )  # fmt: skip
    if known:
        raise TypeError(f"unknown arguments: {', '.join(sorted(known))}")
    return run, members


def _generator(seed: int | np.random.Generator | None) -> np.random.Generator:
    if seed is None:
        raise ModelError("noise without a seed", hint="give seed=1 or a numpy Generator")
    return np.random.default_rng(seed)


def _written(chunks: Iterator[xr.Dataset], path: Path) -> xr.Dataset:
    """Write chunks to a netCDF file as they come, and open it."""
    import netCDF4

    with atomic_path(path) as temporary, netCDF4.Dataset(temporary, "w") as file:
        for chunk in chunks:
            if not file.dimensions:
                _define(file, chunk)
            first = int(chunk["member"][0])
            part = slice(first, first + chunk.sizes["member"])
            for name in ("member", *map(str, chunk.data_vars)):
                file[name][part] = chunk[name].values
    return xr.open_dataset(path, engine="netcdf4")


def _define(file: Any, chunk: xr.Dataset) -> None:
    """Lay out the netCDF file like the first chunk, without an end to its members."""
    for name in ("member", "time", "region"):
        file.createDimension(name, None if name == "member" else chunk.sizes[name])
    file.createVariable("member", "i8", ("member",))
    file.createVariable("time", "f8", ("time",))[:] = chunk["time"].values
    file.createVariable("region", str, ("region",))[:] = chunk["region"].values.astype(object)
    for key, values in chunk.data_vars.items():
        file.createVariable(str(key), values.dtype, values.dims, chunksizes=(1, *values.shape[1:]))
    file.setncatts(dict(chunk.attrs))


@dataclass(frozen=True)
class _Members:
    """What differs between members, unbroadcast."""

    n: int
    initial: ArrayLike | Mapping[str, ArrayLike] | None
    present: ArrayLike | None
    generators: list[np.random.Generator] | None
    noise: Mapping[str, ArrayLike] | None
    stimulus: Stimulus | None

    def present_array(self, n_regions: int) -> Array:
        """Return the shares left, shape (n or 1, n_regions)."""
        share = np.atleast_2d(
            np.asarray(1.0 if self.present is None else self.present, dtype=float)
        )
        if share.shape[0] not in (1, self.n) or share.shape[1] not in (1, n_regions):
            raise ModelError(
                f"present has the shape {share.shape}", expected=f"({self.n}, {n_regions})"
            )
        if not ((share >= 0) & (share <= 1)).all():
            raise ModelError("a share of a region outside 0 to 1", expected="present from 0 to 1")
        return np.ascontiguousarray(np.broadcast_to(share, (len(share), n_regions)))

    def start(self, model: Model, n_regions: int) -> Array:
        """Return the start, shape (n, n_states, n_regions)."""
        states = np.array(
            np.broadcast_to(model.rest(self.n, n_regions), (self.n, len(model.states), n_regions))
        )
        try:
            if isinstance(self.initial, Mapping):
                for name, value in self.initial.items():
                    states[:, _state_index(model, name)] = np.asarray(value)
            elif self.initial is not None:
                states[:] = np.asarray(self.initial)
        except ValueError:
            raise ModelError(
                "initial has the wrong shape",
                expected=f"({len(model.states)}, {n_regions}) or a mapping of states",
            ) from None
        if not np.isfinite(states).all():
            raise ModelError("the start is not finite")
        return states

    def amplitudes(
        self, model: Model, dt: float, n_regions: int
    ) -> tuple[NDArray[np.int64], Array]:
        """Return the noisy states and their noise per step, shape (1, n_noisy, n_regions)."""
        given = {_state_index(model, name): value for name, value in (self.noise or {}).items()}
        noisy = sorted(k for k, value in given.items() if np.any(np.asarray(value) != 0))
        intensity = np.zeros((1, len(noisy), n_regions))
        for row, k in enumerate(noisy):
            intensity[0, row] = np.asarray(given[k], dtype=np.float64)
        if (intensity < 0).any():
            raise ModelError("negative noise", expected="intensities of zero or more")
        return np.array(noisy, dtype=np.int64), np.sqrt(2.0 * intensity * dt)


def _state_index(model: Model, name: str) -> int:
    if name not in model.states:
        raise ModelError(f"unknown state {name!r}", expected="one of " + ", ".join(model.states))
    return model.states.index(name)


@dataclass(frozen=True)
class _Run:
    """A run laid out: its steps, samples and what is kept."""

    network: Network
    model: Model
    options: Options
    n_members: int
    dt_s: float
    n_steps: int
    every: int
    keep: tuple[str, ...]

    @classmethod
    def planned(
        cls,
        network: Network,
        model: Model,
        duration: float,
        dt: float | None,
        sample_rate: float | None,
        options: Options,
        n_members: int = 1,
    ) -> "_Run":
        if options.integrator not in ("heun", "euler") or options.coupling not in ("held", "exact"):
            raise ModelError(
                f"unknown integrator {options.integrator!r} or coupling {options.coupling!r}",
                expected="heun or euler; held or exact",
            )
        fastest = float(np.max(np.asarray(model.tt)))
        longest = DEFAULT_STEP / fastest * model.seconds_per_unit if dt is None else float(dt)
        if not (duration > 0 and longest > 0 and np.isfinite(duration)):
            raise ModelError("duration and dt must be positive", expected="seconds above zero")
        if sample_rate is None:
            every, step = 1, longest
        else:
            every = max(1, int(np.ceil(1.0 / (sample_rate * longest) - 1e-9)))
            step = 1.0 / (sample_rate * every)
        n_samples = max(1, round(duration / (step * every)))
        return cls(
            network, model, options, n_members, step, n_samples * every, every,
            _kept_names(model, options),
        )  # fmt: skip

    @property
    def n_samples(self) -> int:
        return self.n_steps // self.every

    @property
    def dt(self) -> float:
        """Step in model time."""
        return self.dt_s / self.model.seconds_per_unit

    @property
    def bytes_kept(self) -> int:
        size = np.dtype(self.options.dtype).itemsize
        return size * len(self.keep) * self.n_samples * self.network.n_regions

    @property
    def bytes_working(self) -> int:
        """Working memory of a member, about."""
        states, parameters = len(self.model.states), len(self.model.parameters)
        slots = self.delays().max(initial=0) + 2
        per_region = 5 * states + parameters + 3 * (slots + 1) + len(self.keep) + 8
        return int(8 * (self.network.n_regions + LANES) * per_region)

    def delays(self) -> NDArray[np.int64]:
        """Return the delays in steps, shape (n_regions, n_regions); empty where there are none."""
        speed = self.options.speed_m_per_s
        if speed is None:
            return np.zeros((0, 0), dtype=np.int64)
        if self.network.lengths is None:
            raise ModelError("delays without tract lengths", hint="give the network its lengths")
        if not speed > 0:
            raise ModelError(f"a speed of {speed} m/s", expected="above zero")
        seconds = self.network.lengths * 1e-3 / speed
        return np.asarray(np.rint(seconds / self.dt_s), dtype=np.int64)

    def dataset(
        self, samples: Array, dims: tuple[str, ...], attributes: Mapping[str, Any]
    ) -> xr.Dataset:
        """Give samples, shape (..., n_kept, n_samples, n_regions), their names."""
        shift = 0.5 if self.options.average else 1.0
        time = (np.arange(self.n_samples) + shift) * self.every * self.dt_s
        return xr.Dataset(
            {name: (dims, samples[..., k, :, :]) for k, name in enumerate(self.keep)},
            coords={"time": ("time", time, {"units": "s"}), "region": list(self.network.regions)},
            attrs={
                "model": type(self.model).__name__,
                "integrator": self.options.integrator,
                "coupling": self.options.coupling,
                "normalisation": self.network.normalisation,
                "dt_s": self.dt_s,
                "seconds_per_unit": self.model.seconds_per_unit,
                "average": int(self.options.average),
                **attributes,
            },
        )


def _kept_names(model: Model, options: Options) -> tuple[str, ...]:
    names: tuple[str, ...] = (
        tuple(options.keep) if options.keep is not None else ("lfp", *model.states)
    )
    for name in names:
        if name != "lfp":
            _state_index(model, name)
    return names


def _run_members(run: _Run, members: _Members, part: slice, progress: Progress | None) -> Array:
    """Run some members, shared out over the cores; return their samples."""
    n_regions = run.network.n_regions
    total = part.stop - part.start
    samples = np.empty((total, len(run.keep), run.n_samples, n_regions), dtype=run.options.dtype)
    shared = _Shared.prepared(run, members)
    threads = min(run.options.n_threads or usable_cores(), total)
    per_member = 8 * n_regions * (3 * len(run.model.states) + len(run.model.parameters) + 4)
    group = max(1, min(max(16, _CACHE_BYTES // per_member), -(-total // threads)))
    slices = [slice(k, min(k + group, part.stop)) for k in range(part.start, part.stop, group)]
    done = [0.0] * len(slices)

    def work(number: int) -> None:
        def report(share: float) -> None:
            done[number] = share
            if progress is not None:
                progress(sum(done) / len(slices))

        where = slices[number]
        out = samples[where.start - part.start : where.stop - part.start]
        _Worker.prepared(run, members, shared, where).run(out, report)

    if threads == 1:
        for number in range(len(slices)):
            work(number)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, range(len(slices))):
                pass
    return samples


@dataclass(frozen=True)
class _Shared:
    """Arrays of all members, prepared once."""

    packed: Array
    left: Array
    strength: Array
    coupled: NDArray[np.int64]
    parameters: Array
    start: Array
    noisy: NDArray[np.int64]
    amplitudes: Array
    waves: Array
    sites: Array
    edges: "tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.int64]]"
    lowest_stable: Array

    @classmethod
    def prepared(cls, run: _Run, members: _Members) -> "_Shared":
        n, model = run.network.n_regions, run.model
        left = members.present_array(n)
        noisy, amplitudes = members.amplitudes(model, run.dt, n)
        waves, sites = _stimulus_arrays(run, members.stimulus)
        coupled = [model.states.index(s) for s in model.coupled if model.uses(s)]
        if not run.network.weights.any():
            coupled = []
        start = members.start(model, n)
        floor = model.lowest_stable_x1(run.dt, members.n, n)
        _refuse_unstable(run, model.rest(members.n, n)[:, 0], floor)
        return cls(
            packed=pack_weights(run.network.weights).ravel(),
            left=_padded(left),
            strength=_padded(left @ run.network.weights.T),
            coupled=np.array(coupled, dtype=np.int64),
            parameters=model.packed(members.n, n),
            start=start,
            noisy=noisy,
            amplitudes=to_blocks(amplitudes),
            waves=waves,
            sites=sites,
            edges=_edges(run),
            lowest_stable=floor,
        )


def _refuse_unstable(run: _Run, x1: Array, floor: Array) -> None:
    """Refuse a step under which a region at rest would leave its branch."""
    beyond = (x1 < floor).any(axis=0)
    if beyond.any():
        raise _unstable(run, beyond, float(x1.min()))


def _unstable(run: _Run, beyond: NDArray[np.bool_], lowest: float) -> ModelError:
    names = [name for name, is_bad in zip(run.network.regions, beyond, strict=True) if is_bad]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return ModelError(
        f"a step of {run.dt_s:g} s is unstable at x1 = {lowest:.2f} in {listed}",
        expected=f"a step below {run.dt_s / 2:g} s there",
        hint="give a smaller dt",
    )


def _padded(values: Array) -> Array:
    """Pad the regions to whole blocks with zeros."""
    spare = n_blocks(values.shape[1]) * LANES - values.shape[1]
    return np.ascontiguousarray(np.pad(values, ((0, 0), (0, spare))))


def _stimulus_arrays(run: _Run, stimulus: Stimulus | None) -> tuple[Array, Array]:
    n = run.network.n_regions
    if stimulus is None:
        return np.zeros((0, 0)), np.zeros((0, n_blocks(n) * LANES))
    if stimulus.sites.shape != (stimulus.waveforms.shape[1], n):
        raise ModelError(
            f"the stimulus's sites have the shape {stimulus.sites.shape}",
            expected=f"({stimulus.waveforms.shape[1]}, {n})",
        )
    return stimulus.at_steps(run.dt_s, run.n_steps), _padded(stimulus.sites)


def _edges(
    run: _Run,
) -> "tuple[NDArray[np.int64], NDArray[np.int64], Array, NDArray[np.int64]]":
    """Return first edge per receiver, senders, weights and delays, where there are delays."""
    delays = run.delays()
    if not delays.size:
        none = np.zeros(0, dtype=np.int64)
        return none, none, np.zeros(0), none
    weights = run.network.weights
    receivers, senders = np.nonzero(weights)
    first = np.searchsorted(receivers, np.arange(len(weights) + 1)).astype(np.int64)
    return first, senders.astype(np.int64), weights[receivers, senders], delays[receivers, senders]


@dataclass(frozen=True)
class _Worker:
    """One chunk of members in the form of the compiled loop."""

    planned: _Run
    sizes: integrate.Sizes
    scheme: integrate.Scheme
    fixed: integrate.Fixed
    memory: integrate.Memory
    floor: Array

    @classmethod
    def prepared(cls, run: _Run, members: _Members, shared: _Shared, part: slice) -> "_Worker":
        n, model = run.network.n_regions, run.model
        m, blocks = part.stop - part.start, n_blocks(n)
        delays = shared.edges[3]
        slots = int(delays.max(initial=0)) + 2
        sizes = integrate.Sizes(
            m, n, blocks, len(model.states), len(model.parameters), len(shared.coupled), slots
        )
        exact = run.options.coupling == "exact" and len(shared.coupled) > 0
        scheme = integrate.Scheme(
            model.code, run.options.integrator == "heun", exact, shared.edges[0].size > 0,
            run.options.average, run.dt, run.every,
        )  # fmt: skip
        kept = [-1 if name == "lfp" else model.states.index(name) for name in run.keep]
        fixed = integrate.Fixed(
            packed=shared.packed,
            left=_of(shared.left, part).ravel(),
            strength=_of(shared.strength, part).ravel(),
            coupled=shared.coupled,
            parameters=to_blocks(_of(shared.parameters, part)).ravel(),
            noisy=shared.noisy,
            amplitudes=shared.amplitudes.ravel(),
            waves=shared.waves,
            sites=shared.sites,
            first_edge=shared.edges[0],
            senders=shared.edges[1],
            edge_weights=shared.edges[2],
            delays=delays,
            kept=np.array(kept, dtype=np.int64),
        )
        memory = _memory(sizes, scheme, fixed, shared.start[part], members.generators, part)
        return cls(run, sizes, scheme, fixed, memory, _of(shared.lowest_stable, part))

    def run(self, out: Array, report: Progress) -> None:
        """Take all steps, looking after every stretch whether all is well."""
        integrate.start(self.sizes, self.fixed, self.memory)
        n_steps = self.planned.n_steps
        settling = min(n_steps, int(np.ceil(_SETTLING / self.planned.dt)))
        stretch = max(1, _STRETCH // (self.sizes.n_members * self.sizes.n_regions))
        for first, count in _stretches(n_steps, settling, stretch):
            integrate.advance(self.scheme, self.sizes, self.fixed, self.memory, first, count, out)
            self._look(settled=first >= settling)
            report((first + count) / n_steps)

    def _look(self, settled: bool) -> None:
        blocks = self.memory.lowest.reshape(self.sizes.n_blocks, self.sizes.n_members, LANES)
        lowest = from_blocks(blocks.swapaxes(0, 1)[:, :, None], self.sizes.n_regions)[:, 0]
        broken = ~np.isfinite(lowest)
        if broken.any():
            names = np.array(self.planned.network.regions)[broken.any(axis=0)]
            raise ModelError(
                f"the run diverged in {names[0]} with a step of {self.planned.dt_s:g} s",
                expected="finite states",
                hint="give a smaller dt, or less coupling or noise",
            )
        beyond = lowest < self.floor
        if settled and beyond.any():
            raise _unstable(self.planned, beyond.any(axis=0), float(lowest.min()))
        self.memory.lowest[:] = np.inf


def _stretches(n_steps: int, settling: int, stretch: int) -> Iterator[tuple[int, int]]:
    """Yield first step and number of steps: the settling by itself, then equal stretches."""
    for begin, end in ((0, settling), (settling, n_steps)):
        for first in range(begin, end, stretch):
            yield first, min(stretch, end - first)


def _of(values: Array, part: slice) -> Array:
    """Return the chunk's members of an array that holds one member or all."""
    return values if len(values) == 1 else values[part]


def _memory(
    sizes: integrate.Sizes,
    scheme: integrate.Scheme,
    fixed: integrate.Fixed,
    start: Array,
    generators: list[np.random.Generator] | None,
    part: slice,
) -> integrate.Memory:
    """Set aside what the loop changes."""
    m, padded = sizes.n_members, sizes.n_blocks * LANES
    states = to_blocks(start).swapaxes(0, 1).ravel()
    working = states.size if scheme.heun and scheme.exact_coupling else sizes.n_states * LANES
    lanes = np.zeros(0, dtype=np.uint64)
    if generators is not None:
        # A copy: a run must not use up the generator of a member that is run again.
        lanes = np.stack([seed_lanes(g, sizes.n_blocks) for g in generators[part]], axis=1).ravel()
    rows = sizes.n_coupled * m
    return integrate.Memory(
        states=states,
        sent=np.zeros(sizes.n_slots * rows * padded),
        received=np.zeros(-(-padded // TILE) * rows * TILE),
        inputs=np.zeros(3 * LANES),
        rates_1=np.zeros(working),
        rates_2=np.zeros(working),
        predicted=np.zeros(working),
        noise=np.zeros(working),
        normals=np.zeros((fixed.noisy.size + 1) * LANES),
        generators=lanes,
        stimulus=np.zeros(padded),
        sums=np.zeros(m * sizes.n_blocks * fixed.kept.size * LANES),
        lowest=np.full(m * padded, np.inf),
    )
