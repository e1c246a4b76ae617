"""Run a planned simulation: prepare the arrays, integrate on all cores, check the result."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models import integrate
from virtualbrain.models.normals import seed_lanes
from virtualbrain.models.parallel import usable_cores
from virtualbrain.models.simd_layout import (
    LANES,
    TILE,
    from_blocks,
    n_blocks,
    pack_weights,
    to_blocks,
)
from virtualbrain.models.simulation_plan import Members, Plan
from virtualbrain.models.stimulus import Stimulus

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Progress = Callable[[float], None]

_SETTLING = 20.0  # model time in which initial states may still pass through extreme values
_CHECK_INTERVAL = 1_000_000  # steps times regions times members between two checks
_CACHE_BYTES = 768 * 1024  # part of the cache of a core for the members of one group


def run_members(plan: Plan, members: Members, part: slice, progress: Progress | None) -> Array:
    """Simulate some members on all cores; return their samples.

    Parameters
    ----------
    plan : Plan
        Steps and samples.
    members : Members
        Inputs of all members.
    part : slice
        The members to run.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Returns
    -------
    numpy.ndarray, shape (n_part, n_kept, n_samples, n_regions)
        Samples.
    """
    n_regions = plan.network.n_regions
    total = part.stop - part.start
    samples = np.empty((total, len(plan.keep), plan.n_samples, n_regions), dtype=plan.options.dtype)
    shared = _Shared.prepared(plan, members)
    threads = min(plan.options.n_threads or usable_cores(), total)
    per_member = 8 * n_regions * (3 * len(plan.model.states) + len(plan.model.parameters) + 4)
    group = max(1, min(max(16, _CACHE_BYTES // per_member), -(-total // threads)))
    slices = [slice(k, min(k + group, part.stop)) for k in range(part.start, part.stop, group)]
    done = [0.0] * len(slices)

    def work(number: int) -> None:
        def report(fraction: float) -> None:
            done[number] = fraction
            if progress is not None:
                progress(sum(done) / len(slices))

        where = slices[number]
        out = samples[where.start - part.start : where.stop - part.start]
        _Worker.prepared(plan, members, shared, where).run(out, report)

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
    remaining: Array
    strength: Array
    coupled: Indices
    parameters: Array
    start: Array
    noisy: Indices
    amplitudes: Array
    waves: Array
    sites: Array
    edges: "_Edges"
    lowest_stable: Array

    @classmethod
    def prepared(cls, plan: Plan, members: Members) -> "_Shared":
        n, model, weights = plan.network.n_regions, plan.model, plan.network.weights
        remaining = members.remaining(n)
        noisy, amplitudes = members.amplitudes(model, plan.dt, n)
        waves, sites = _stimulus_arrays(plan, members.stimulus)
        coupled = [model.states.index(s) for s in model.coupled if model.uses(s)]
        if not weights.any():
            coupled = []
        start = members.start(model, n)
        lowest_stable = model.lowest_stable_x1(plan.dt, members.n, n)
        _refuse_unstable_step(plan, model.rest(members.n, n)[:, 0], lowest_stable)
        return cls(
            packed=pack_weights(weights).ravel(),
            remaining=_padded(remaining),
            strength=_padded(remaining @ weights.T),
            coupled=np.array(coupled, dtype=np.int64),
            parameters=model.packed(members.n, n),
            start=start,
            noisy=noisy,
            amplitudes=to_blocks(amplitudes),
            waves=waves,
            sites=sites,
            edges=_Edges.of(plan),
            lowest_stable=lowest_stable,
        )


def _refuse_unstable_step(plan: Plan, x1: Array, lowest_stable: Array) -> None:
    """Raise an error if the step is unstable for a region at rest."""
    beyond = (x1 < lowest_stable).any(axis=0)
    if beyond.any():
        raise _unstable_step(plan, beyond, float(x1.min()))


def _unstable_step(plan: Plan, beyond: NDArray[np.bool_], lowest: float) -> ModelError:
    names = [name for name, is_bad in zip(plan.network.regions, beyond, strict=True) if is_bad]
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return ModelError(
        f"a step of {plan.dt_s:g} s is unstable at x1 = {lowest:.2f} in {listed}",
        expected=f"a step below {plan.dt_s / 2:g} s there",
        hint="give a smaller dt",
    )


def _padded(values: Array) -> Array:
    """Pad the regions to whole blocks with zeros."""
    spare = n_blocks(values.shape[1]) * LANES - values.shape[1]
    return np.ascontiguousarray(np.pad(values, ((0, 0), (0, spare))))


def _stimulus_arrays(plan: Plan, stimulus: Stimulus | None) -> tuple[Array, Array]:
    """Return waveforms (n_steps, n_sources) and sites (n_sources, n_padded)."""
    n = plan.network.n_regions
    if stimulus is None:
        return np.zeros((0, 0)), np.zeros((0, n_blocks(n) * LANES))
    if stimulus.sites.shape != (stimulus.waveforms.shape[1], n):
        raise ModelError(
            f"the sites of the stimulus have the shape {stimulus.sites.shape}",
            expected=f"({stimulus.waveforms.shape[1]}, {n})",
        )
    return stimulus.at_steps(plan.dt_s, plan.n_steps), _padded(stimulus.sites)


@dataclass(frozen=True)
class _Edges:
    """Connections ordered by receiver; empty without delays."""

    first: Indices
    senders: Indices
    weights: Array
    delays: Indices

    @classmethod
    def of(cls, plan: Plan) -> "_Edges":
        delays = plan.delays()
        if not delays.size:
            none = np.zeros(0, dtype=np.int64)
            return cls(none, none, np.zeros(0), none)
        weights = plan.network.weights
        receivers, senders = np.nonzero(weights)
        first = np.searchsorted(receivers, np.arange(len(weights) + 1)).astype(np.int64)
        return cls(
            first, senders.astype(np.int64), weights[receivers, senders], delays[receivers, senders]
        )


@dataclass(frozen=True)
class _Worker:
    """One group of members in the form of the compiled loop."""

    plan: Plan
    sizes: integrate.Sizes
    scheme: integrate.Scheme
    fixed: integrate.Fixed
    memory: integrate.Memory
    lowest_stable: Array

    @classmethod
    def prepared(cls, plan: Plan, members: Members, shared: _Shared, part: slice) -> "_Worker":
        model, edges = plan.model, shared.edges
        sizes = integrate.Sizes(
            n_members=part.stop - part.start,
            n_regions=plan.network.n_regions,
            n_blocks=n_blocks(plan.network.n_regions),
            n_states=len(model.states),
            n_parameters=len(model.parameters),
            n_coupled=len(shared.coupled),
            n_slots=int(edges.delays.max(initial=0)) + 2,
        )
        scheme = integrate.Scheme(
            model=model.code,
            heun=plan.options.integrator == "heun",
            exact_coupling=plan.options.coupling == "exact" and len(shared.coupled) > 0,
            delayed=edges.first.size > 0,
            average=plan.options.average,
            dt=plan.dt,
            every=plan.every,
        )
        kept = [integrate.LFP if name == "lfp" else model.states.index(name) for name in plan.keep]
        fixed = integrate.Fixed(
            packed=shared.packed,
            remaining=_members_of(shared.remaining, part).ravel(),
            strength=_members_of(shared.strength, part).ravel(),
            coupled=shared.coupled,
            parameters=to_blocks(_members_of(shared.parameters, part)).ravel(),
            noisy=shared.noisy,
            amplitudes=shared.amplitudes.ravel(),
            waves=shared.waves,
            sites=shared.sites,
            first_edge=edges.first,
            senders=edges.senders,
            edge_weights=edges.weights,
            delays=edges.delays,
            kept=np.array(kept, dtype=np.int64),
        )
        generators = None if members.generators is None else members.generators[part]
        memory = _allocate(sizes, scheme, fixed, shared.start[part], generators)
        return cls(plan, sizes, scheme, fixed, memory, _members_of(shared.lowest_stable, part))

    def run(self, out: Array, report: Progress) -> None:
        """Take all steps and check the states at intervals."""
        integrate.start(self.sizes, self.fixed, self.memory)
        n_steps = self.plan.n_steps
        settling = min(n_steps, int(np.ceil(_SETTLING / self.plan.dt)))
        interval = max(1, _CHECK_INTERVAL // (self.sizes.n_members * self.sizes.n_regions))
        for first, count in _intervals(n_steps, settling, interval):
            integrate.advance(self.scheme, self.sizes, self.fixed, self.memory, first, count, out)
            self._check(settled=first >= settling)
            report((first + count) / n_steps)

    def _check(self, settled: bool) -> None:
        """Raise an error if a state diverged or a step was unstable."""
        blocks = self.memory.lowest.reshape(self.sizes.n_blocks, self.sizes.n_members, LANES)
        lowest = from_blocks(blocks.swapaxes(0, 1)[:, :, None], self.sizes.n_regions)[:, 0]
        diverged = ~np.isfinite(lowest)
        if diverged.any():
            names = np.array(self.plan.network.regions)[diverged.any(axis=0)]
            raise ModelError(
                f"the run diverged in {names[0]} with a step of {self.plan.dt_s:g} s",
                expected="finite states",
                hint="give a smaller dt, or less coupling or noise",
            )
        beyond = lowest < self.lowest_stable
        if settled and beyond.any():
            raise _unstable_step(self.plan, beyond.any(axis=0), float(lowest.min()))
        self.memory.lowest[:] = np.inf


def _intervals(n_steps: int, settling: int, interval: int) -> Iterator[tuple[int, int]]:
    """Yield first step and number of steps of each interval; none crosses the end of settling."""
    for begin, end in ((0, settling), (settling, n_steps)):
        for first in range(begin, end, interval):
            yield first, min(interval, end - first)


def _members_of(values: Array, part: slice) -> Array:
    """Return some members of an array that holds one member or all."""
    return values if len(values) == 1 else values[part]


def _allocate(
    sizes: integrate.Sizes,
    scheme: integrate.Scheme,
    fixed: integrate.Fixed,
    start: Array,
    generators: list[np.random.Generator] | None,
) -> integrate.Memory:
    """Allocate the arrays that the compiled loop writes."""
    m, padded = sizes.n_members, sizes.n_blocks * LANES
    states = to_blocks(start).swapaxes(0, 1).ravel()
    working = states.size if scheme.heun and scheme.exact_coupling else sizes.n_states * LANES
    lanes = np.zeros(0, dtype=np.uint64)
    if generators is not None:
        # A copy: the generator of a member must give the same numbers in a second run.
        lanes = np.stack([seed_lanes(g, sizes.n_blocks) for g in generators], axis=1).ravel()
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
