# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Integrate a chunk of ensemble members: the compiled loop over steps (Euler or Heun)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.compile import compiled, inner
from virtualbrain.models.normals import normal_pairs
from virtualbrain.models.rates import RESTING, block_rates
from virtualbrain.models.simd_layout import LANES, TILE, at, multiply
from virtualbrain.models.variables import RESTING_PARAMETER, RESTING_STATE, STATE

Array = NDArray[np.float64]

LFP = -1  # number of the local field potential among the kept quantities


class Scheme(NamedTuple):
    """Settings of the integration."""

    model: int
    heun: bool
    exact_coupling: bool
    delayed: bool
    average: bool
    dt: float
    every: int


class Sizes(NamedTuple):
    """Numbers of members, regions, blocks, states, parameters, coupled states and past steps."""

    n_members: int
    n_regions: int
    n_blocks: int
    n_states: int
    n_parameters: int
    n_coupled: int
    n_slots: int


class Fixed(NamedTuple):
    """Arrays that the loop reads; flat, with the shapes below.

    An array of one member is used for all members.
    """

    packed: Array  # (n_tiles, n_padded, TILE)
    remaining: Array  # (members or 1, n_padded) fraction of each region that remains
    strength: Array  # (members or 1, n_padded) sum of weights into each region
    coupled: NDArray[np.int64]  # numbers of the coupled states
    parameters: Array  # (members or 1, n_blocks, n_parameters, LANES)
    noisy: NDArray[np.int64]  # numbers of the states with noise
    amplitudes: Array  # (members or 1, n_blocks, n_noisy, LANES), multiplied by sqrt(dt)
    waves: Array  # shape (n_steps or 0, n_sources)
    sites: Array  # shape (n_sources, n_padded)
    first_edge: NDArray[np.int64]  # (n_regions + 1) first edge of each receiver, with delays
    senders: NDArray[np.int64]
    edge_weights: Array
    delays: NDArray[np.int64]  # steps
    kept: NDArray[np.int64]  # numbers of the states to keep, or LFP


class Memory(NamedTuple):
    """Arrays that the loop writes; flat, with the shapes below."""

    states: Array  # (n_blocks, n_members, n_states, LANES)
    sent: Array  # (n_slots, n_coupled, n_members, n_padded)
    received: Array  # (n_tiles, n_coupled * n_members, TILE)
    inputs: Array  # (3, LANES)
    rates_1: Array  # one block, or all blocks where coupling is exact
    rates_2: Array
    predicted: Array
    noise: Array
    normals: Array
    generators: NDArray[np.uint64]  # (n_blocks, n_members, 4, LANES)
    stimulus: Array  # (n_padded)
    sums: Array  # (n_blocks, n_members, n_kept, LANES)
    lowest: Array  # (n_blocks, n_members, LANES) lowest x1 so far; NaN if x1 was NaN


@compiled(allocates=False)
def advance(scheme, sizes, fixed, memory, first_step, n_steps, out):
    """Take `n_steps` steps from `first_step` and write kept samples to `out`.

    `out` has the shape (n_members, n_kept, n_samples, n_regions).
    """
    two_passes = scheme.heun and scheme.exact_coupling
    for step in range(first_step, first_step + n_steps):
        _couple(scheme, sizes, fixed, memory, step)
        _stimulate(sizes, fixed, memory, step)
        # All members of a block follow each other: they use the same parameters, which stay in
        # cache.
        for b in range(sizes.n_blocks):
            for m in range(sizes.n_members):
                q = (b * sizes.n_members + m) * sizes.n_states * LANES if two_passes else 0
                _first_stage(scheme, sizes, fixed, memory, m, b, q)
                if scheme.heun and not two_passes:
                    _second_stage(scheme, sizes, fixed, memory, m, b, q)
                if two_passes:
                    _send(sizes, fixed, memory, memory.predicted, q, m, b, step + 1)
                else:
                    _finish(scheme, sizes, fixed, memory, m, b, step, out)
        if two_passes:
            _couple(scheme, sizes, fixed, memory, step + 1)
            for b in range(sizes.n_blocks):
                for m in range(sizes.n_members):
                    q = (b * sizes.n_members + m) * sizes.n_states * LANES
                    _receive(sizes, fixed, memory, memory.predicted, q, m, b)
                    _second_stage(scheme, sizes, fixed, memory, m, b, q)
                    _finish(scheme, sizes, fixed, memory, m, b, step, out)


@compiled(allocates=False)
def start(sizes, fixed, memory):
    """Fill the past with the initial states."""
    for step in range(sizes.n_slots):
        for b in range(sizes.n_blocks):
            for m in range(sizes.n_members):
                s = (b * sizes.n_members + m) * sizes.n_states * LANES
                _send(sizes, fixed, memory, memory.states, s, m, b, step)


@inner()
def _couple(scheme, sizes, fixed, memory, step):
    """Compute the weighted input of every region at a step."""
    if sizes.n_coupled == 0:
        return
    n_rows, n_padded = sizes.n_coupled * sizes.n_members, sizes.n_blocks * LANES
    if scheme.delayed:
        _couple_delayed(sizes, fixed, memory, step)
    else:
        slot = step % sizes.n_slots * n_rows * n_padded
        multiply(fixed.packed, memory.sent, slot, memory.received, n_rows, sizes.n_regions)


@inner(fastmath={"contract"})
def _couple_delayed(sizes, fixed, memory, step):
    """Sum the input over all edges, each from the step at which it was sent."""
    n_rows, n_padded = sizes.n_coupled * sizes.n_members, sizes.n_blocks * LANES
    for row in range(n_rows):
        for i in range(sizes.n_regions):
            total = 0.0
            for e in range(fixed.first_edge[i], fixed.first_edge[i + 1]):
                slot = (step - fixed.delays[e] + sizes.n_slots) % sizes.n_slots
                sender = (slot * n_rows + row) * n_padded + fixed.senders[e]
                total += fixed.edge_weights[e] * memory.sent[at(sender)]
            tile = i // TILE
            memory.received[at((tile * n_rows + row) * TILE + i - tile * TILE)] = total


@inner()
def _stimulate(sizes, fixed, memory, step):
    """Compute the stimulus of every region at a step."""
    if fixed.waves.shape[0] == 0:
        return
    memory.stimulus[:] = 0.0
    if step < fixed.waves.shape[0]:
        for k in range(fixed.waves.shape[1]):
            strength = fixed.waves[step, k]
            for i in range(sizes.n_blocks * LANES):
                memory.stimulus[at(i)] += strength * fixed.sites[k, i]


@inner(forceinline=True)
def _member_offset(array, m, length):
    """Return the offset of member m in an array of one member or of all members."""
    return m * length if array.size > length else 0


@inner(forceinline=True, fastmath={"contract"})
def _receive(sizes, fixed, memory, states, s, m, b):
    """Compute the coupling sums of a block: weighted input minus the own state of the region.

    x1, x2 and x_rs are states 0, 3 and 6; their sums have the numbers 0, 1 and 2.
    """
    inputs, received = memory.inputs, memory.received
    remaining, strength = fixed.remaining, fixed.strength
    n_padded, n_rows = sizes.n_blocks * LANES, sizes.n_coupled * sizes.n_members
    w = _member_offset(remaining, m, n_padded) + b * LANES
    tile = b * LANES // TILE
    for k in range(sizes.n_coupled):
        variable = fixed.coupled[k]
        x = s + variable * LANES
        g = (tile * n_rows + k * sizes.n_members + m) * TILE + b * LANES - tile * TILE
        c = variable // 3 * LANES
        for i in range(LANES):
            own = strength[at(w + i)] * states[at(x + i)]
            inputs[at(c + i)] = remaining[at(w + i)] * (received[at(g + i)] - own)


@inner(forceinline=True)
def _send(sizes, fixed, memory, states, s, m, b, step):
    """Store the output of the regions of a block at a step."""
    n_padded = sizes.n_blocks * LANES
    w = _member_offset(fixed.remaining, m, n_padded) + b * LANES
    sent, remaining = memory.sent, fixed.remaining
    for k in range(sizes.n_coupled):
        x = s + fixed.coupled[k] * LANES
        slot = step % sizes.n_slots
        t = ((slot * sizes.n_coupled + k) * sizes.n_members + m) * n_padded + b * LANES
        for i in range(LANES):
            sent[at(t + i)] = remaining[at(w + i)] * states[at(x + i)]


@inner(forceinline=True, fastmath={"contract"})
def _first_stage(scheme, sizes, fixed, memory, m, b, q):
    """Write the Euler step of one block to `predicted`."""
    width = sizes.n_states * LANES
    s = (b * sizes.n_members + m) * width
    p_member = sizes.n_blocks * sizes.n_parameters * LANES
    p = _member_offset(fixed.parameters, m, p_member) + b * sizes.n_parameters * LANES
    _receive(sizes, fixed, memory, memory.states, s, m, b)
    block_rates(scheme.model, memory.states, s, memory.inputs, memory.stimulus, b * LANES,
                fixed.parameters, p, memory.rates_1, q)  # fmt: skip
    states, predicted, rates, dt = memory.states, memory.predicted, memory.rates_1, scheme.dt
    if fixed.noisy.size > 0:
        noise = memory.noise
        _draw(sizes, fixed, memory, m, b, q)
        for k in range(width):
            predicted[at(q + k)] = states[at(s + k)] + dt * rates[at(q + k)] + noise[at(q + k)]
    else:
        for k in range(width):
            predicted[at(q + k)] = states[at(s + k)] + dt * rates[at(q + k)]


@inner()
def _draw(sizes, fixed, memory, m, b, q):
    """Draw the noise of one block for this step."""
    n_noisy = fixed.noisy.size
    generator = (b * sizes.n_members + m) * 4 * LANES
    for pair in range((n_noisy + 1) // 2):
        normal_pairs(memory.generators, generator, memory.normals, 2 * pair * LANES)
    a = _member_offset(fixed.amplitudes, m, sizes.n_blocks * n_noisy * LANES) + b * n_noisy * LANES
    noise, amplitudes, normals = memory.noise, fixed.amplitudes, memory.normals
    for k in range(n_noisy):
        t, f = q + fixed.noisy[k] * LANES, k * LANES
        for i in range(LANES):
            noise[at(t + i)] = amplitudes[at(a + f + i)] * normals[at(f + i)]


@inner(forceinline=True, fastmath={"contract"})
def _second_stage(scheme, sizes, fixed, memory, m, b, q):
    """Replace the Euler step of one block in `predicted` by the Heun step."""
    width = sizes.n_states * LANES
    s = (b * sizes.n_members + m) * width
    p_member = sizes.n_blocks * sizes.n_parameters * LANES
    p = _member_offset(fixed.parameters, m, p_member) + b * sizes.n_parameters * LANES
    block_rates(scheme.model, memory.predicted, q, memory.inputs, memory.stimulus, b * LANES,
                fixed.parameters, p, memory.rates_2, q)  # fmt: skip
    states, predicted, half = memory.states, memory.predicted, 0.5 * scheme.dt
    first, second = memory.rates_1, memory.rates_2
    if fixed.noisy.size > 0:
        noise = memory.noise
        for k in range(width):
            slope = half * (first[at(q + k)] + second[at(q + k)])
            predicted[at(q + k)] = states[at(s + k)] + slope + noise[at(q + k)]
    else:
        for k in range(width):
            slope = half * (first[at(q + k)] + second[at(q + k)])
            predicted[at(q + k)] = states[at(s + k)] + slope


@inner(forceinline=True)
def _finish(scheme, sizes, fixed, memory, m, b, step, out):
    """Take over the predicted states of a block: store, send, check and keep them."""
    width = sizes.n_states * LANES
    s = (b * sizes.n_members + m) * width
    q = s if scheme.heun and scheme.exact_coupling else 0
    states, predicted, lowest = memory.states, memory.predicted, memory.lowest
    for k in range(width):
        states[at(s + k)] = predicted[at(q + k)]
    _send(sizes, fixed, memory, states, s, m, b, step + 1)
    w = (b * sizes.n_members + m) * LANES
    for i in range(LANES):
        x, low = states[at(s + i)], lowest[at(w + i)]
        lowest[at(w + i)] = low if x >= low else x
    if scheme.average:
        _accumulate(scheme, sizes, fixed, memory, m, b)
    if (step + 1) % scheme.every == 0:
        _keep(scheme, sizes, fixed, memory, m, b, (step + 1) // scheme.every - 1, out)


@inner(forceinline=True)
def _kept_value(scheme, sizes, fixed, memory, m, b, variable, lane):
    """Return a state, or the local field potential, of one region."""
    s = (b * sizes.n_members + m) * sizes.n_states * LANES + lane
    states = memory.states
    if variable != LFP:
        return states[at(s + variable * LANES)]
    if sizes.n_states == 2:
        return states[at(s)]
    lfp = states[at(s + STATE.x2)] - states[at(s + STATE.x1)]
    if scheme.model == RESTING:
        p_member = sizes.n_blocks * sizes.n_parameters * LANES
        p = _member_offset(fixed.parameters, m, p_member) + b * sizes.n_parameters * LANES
        fraction = fixed.parameters[at(p + RESTING_PARAMETER.p + lane)]
        lfp = fraction * lfp + (1.0 - fraction) * states[at(s + RESTING_STATE.x_rs)]
    return lfp


@inner()
def _accumulate(scheme, sizes, fixed, memory, m, b):
    """Add the kept quantities of one block to their sums."""
    n_kept = fixed.kept.size
    for v in range(n_kept):
        a = ((b * sizes.n_members + m) * n_kept + v) * LANES
        variable = fixed.kept[v]
        for i in range(LANES):
            memory.sums[at(a + i)] += _kept_value(scheme, sizes, fixed, memory, m, b, variable, i)


@inner()
def _keep(scheme, sizes, fixed, memory, m, b, sample, out):
    """Write the kept quantities of one block, or their means, to the output."""
    n_kept = fixed.kept.size
    weight = 1.0 / scheme.every
    for v in range(n_kept):
        a = ((b * sizes.n_members + m) * n_kept + v) * LANES
        variable = fixed.kept[v]
        for i in range(min(LANES, sizes.n_regions - b * LANES)):
            if scheme.average:
                out[m, v, sample, b * LANES + i] = weight * memory.sums[at(a + i)]
                memory.sums[at(a + i)] = 0.0
            else:
                out[m, v, sample, b * LANES + i] = _kept_value(
                    scheme, sizes, fixed, memory, m, b, variable, i
                )
