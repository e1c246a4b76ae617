# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Integrate a cortical surface by Heun's method: the compiled loop over steps, one part per thread.

Local input changes only where a vertex crosses a threshold. A step therefore costs two evaluations
of the equations per vertex, and one addition per connection of the vertices that cross.

1. Both stages of Heun's method are computed with the sums of the last step. Vertices that cross
   in the first stage are listed.
2. Blocks that receive from them are computed again, with the sums of the first stage in stage two.
3. Vertices that cross in the whole step are listed; sums and inputs between regions follow them.

Activity is not stored: a source is active where the state before the step is above its threshold.

Weights are multiples of one small number (`virtualbrain.models.local_kernel.on_grid`), so all sums
are exact: they depend neither on the order of additions nor on the number of threads.

With the coupling K of the reduced model every step begins with the mean x1 of every region. Means
are sums of whole numbers, which are exact too.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.barrier import wait_for_all
from virtualbrain.models.compile import compiled, inner, use_widest_vectors
from virtualbrain.models.equations import permittivity, population_1, population_2, reduced_cubic
from virtualbrain.models.normals import normal_pairs
from virtualbrain.models.simd_layout import LANES, at

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_MEAN_UNIT = 2.0**-44  # of the mean x1 of a region
LFP = -1  # number of the local field potential among the kept quantities
PREDICTED, WHOLE = 0, 1  # crossings in the first stage of a step, and in the whole step


class Rows(NamedTuple):
    """Variables of a block; each is a run of `LANES` numbers.

    One array holds everything of a block, so that the compiler can prove that no two variables
    overlap.
    """

    even: int  # states before even steps, one row each
    odd: int
    sum_x1: int  # weights of the active sources
    sum_x2: int
    predicted_sum_x1: int
    predicted_sum_x2: int
    x0: int
    current: int  # input between regions
    predicted_x1: int
    predicted_x2: int
    lowest_x1: int
    noise: int  # one row for each state
    from_means: int  # sum of weights times the mean x1 of regions
    strength: int  # sum of weights
    n: int


ROW = Rows(*(LANES * k for k in (0, 6, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 27, 28, 29)))


class Rates(NamedTuple):
    """Parameters of the equations that are the same at all vertices."""

    a: float
    b: float
    c: float
    d: float
    Iext: float
    slope: float
    r: float
    tt: float
    Iext2: float
    inverse_tau: float
    aa: float
    bb: float
    fast: float
    low_pass: float
    slow: float
    K: float
    threshold_x1: float
    threshold_x2: float


class Sizes(NamedTuple):
    """Numbers of threads, nodes, states, regions and past steps; step and samples."""

    n_threads: int
    n_nodes: int
    n_states: int
    n_regions: int
    n_slots: int
    dt: float
    every: int


class Fixed(NamedTuple):
    """Arrays that the loop reads. Nodes are in the order of the computation."""

    blocks: Indices  # (n_blocks) the numbers of the blocks
    first_block: Indices  # (n_threads + 1) first block of each part
    first_weight: Indices  # (n_nodes, n_threads + 1) connections of a source, by receiving part
    receivers: NDArray[np.int32]
    weights: Array
    region: NDArray[np.int32]  # (n_padded)
    fraction: Array  # (n_nodes) fraction of the area of its region
    own_regions: NDArray[np.bool_]  # (n_threads, n_regions) regions with nodes in a part
    between: Array  # (n_regions, n_regions) input from a region (row) into each other
    weights_between: Array  # (n_regions, n_regions) of the means, row = into; empty without K
    delays: Indices  # (n_regions, n_regions) steps, likewise
    noisy: Indices
    amplitudes: Array  # (n_blocks, n_noisy, LANES), flat
    original: Indices  # (n_nodes) number of each node in the caller's order
    kept: Indices


class Memory(NamedTuple):
    """Arrays that the loop writes; each thread writes its own part."""

    field: Array  # (n_blocks, ROW.n), flat
    is_touched: NDArray[np.bool_]  # (n_blocks) sums changed
    touched: Indices  # (n_blocks) blocks of each part whose sums changed
    has_crossed: NDArray[np.bool_]  # (2, n_blocks) in the first stage, in the whole step
    crossings: Indices  # (2, 2, n_threads, longest part) by stage and parity of the step
    n_crossings: Indices  # (2, 2, n_threads, 8)
    input: Array  # (n_threads, n_regions)
    means: Indices  # (n_threads, n_regions) parts of the mean x1 of regions, in `_MEAN_UNIT`
    from_means: Array  # (n_threads, n_regions)
    arriving: Array  # (n_threads, n_slots, n_regions) changes of the input in the next steps
    change: Array  # (n_threads, n_regions)
    is_changed: NDArray[np.bool_]  # (n_threads, n_regions)
    changed: Indices  # (n_threads, n_regions)
    normals: Array  # (n_threads, (n_noisy + 1) * LANES)
    generators: NDArray[np.uint64]  # (n_blocks, 4, LANES), flat
    onset: Indices  # (n_nodes) step of the first crossing of x1, -1 before
    arrived: Indices


@compiled(allocates=False)
def advance(rates, sizes, fixed, memory, thread, first_step, n_steps, out):
    """Take `n_steps` steps of one part of the nodes, together with the threads of the other parts.

    `out` has the shape (n_kept, n_samples, n_nodes).
    """
    use_widest_vectors()
    begin, end = fixed.first_block[thread], fixed.first_block[thread + 1]
    for step in range(first_step, first_step + n_steps):
        if fixed.weights_between.size:
            _sum_means(sizes, fixed, memory, thread, step, begin, end)
            wait_for_all(memory.arrived, sizes.n_threads, thread, 3 * step + 1)
            _receive_means(sizes, fixed, memory, thread, begin, end)
        _receive_between(sizes, fixed, memory, thread, step, begin, end)
        _draw(sizes, fixed, memory, thread, begin, end)
        _step_blocks(
            rates, sizes.n_states, sizes.dt, fixed.noisy.size > 0, memory.field,
            memory.has_crossed, fixed.blocks, begin, end, step,
        )  # fmt: skip
        _list_crossings(rates, sizes, memory, thread, begin, end, step, PREDICTED)
        _list_crossings(rates, sizes, memory, thread, begin, end, step, WHOLE)
        wait_for_all(memory.arrived, sizes.n_threads, thread, 3 * step + 2)
        if _any_crossed(sizes, memory, step, PREDICTED):
            n_touched = _apply(sizes, fixed, memory, thread, begin, step, PREDICTED)
            _step_blocks(
                rates, sizes.n_states, sizes.dt, fixed.noisy.size > 0, memory.field,
                memory.has_crossed, memory.touched, begin, begin + n_touched, step,
            )  # fmt: skip
            _restore_predicted_sums(memory, begin, n_touched)
            _list_crossings(rates, sizes, memory, thread, begin, end, step, WHOLE)
            wait_for_all(memory.arrived, sizes.n_threads, thread, 3 * step + 3)
        if _any_crossed(sizes, memory, step, WHOLE):
            n_touched = _apply(sizes, fixed, memory, thread, begin, step, WHOLE)
            _restore_predicted_sums(memory, begin, n_touched)
            _send_between(sizes, fixed, memory, thread, step)
            _note_onsets(memory, thread, step)
        if (step + 1) % sizes.every == 0:
            _keep(sizes, fixed, memory, begin, end, step + 1, (step + 1) // sizes.every - 1, out)


@inner()
def _step_blocks(rates, n_states, dt, noisy, field, has_crossed, blocks, first, last, step):
    """Take one step of a list of blocks, and note in which of them a node crosses a threshold."""
    use_widest_vectors()
    even, odd = ROW.even, ROW.odd
    # Offsets and choices are literals in each call, so that each loop is compiled by itself.
    if n_states == 2 and step & 1:
        for k in range(first, last):
            _note(has_crossed, blocks[at(k)], _two_d(rates, dt, field, blocks[at(k)], odd, even))
    elif n_states == 2:
        for k in range(first, last):
            _note(has_crossed, blocks[at(k)], _two_d(rates, dt, field, blocks[at(k)], even, odd))
    elif noisy and step & 1:
        for k in range(first, last):
            b = blocks[at(k)]
            _note(has_crossed, b, _six_d(rates, dt, field, b, odd, even, True))
    elif noisy:
        for k in range(first, last):
            b = blocks[at(k)]
            _note(has_crossed, b, _six_d(rates, dt, field, b, even, odd, True))
    elif step & 1:
        for k in range(first, last):
            b = blocks[at(k)]
            _note(has_crossed, b, _six_d(rates, dt, field, b, odd, even, False))
    else:
        for k in range(first, last):
            b = blocks[at(k)]
            _note(has_crossed, b, _six_d(rates, dt, field, b, even, odd, False))


@inner(forceinline=True)
def _note(has_crossed, b, crossed):
    """Note whether a node of a block crosses, in the first stage and in the whole step."""
    has_crossed[PREDICTED, at(b)] = (crossed & 0xFFFF) != 0
    has_crossed[WHOLE, at(b)] = (crossed >> 16) != 0


@inner(forceinline=True, fastmath={"contract"})
def _six_rates(p, x0, x1, y1, z, x2, y2, g, sum_1, sum_2, current):
    """Return the rates of the six states of a vertex."""
    dx1, dy1 = population_1(
        x1, y1, z, x2, p.fast * sum_1 + current, 0.0, p.a, p.b, p.c, p.d, p.Iext, p.slope, 1.0
    )
    dx2, dy2, dg = population_2(x1, z, x2, y2, g, p.slow * sum_2, p.Iext2, p.aa, p.bb, 1.0, 1.0)
    dz = permittivity(x1, z, 0.0, x0, p.r, 0.0)
    dg = dg + 0.01 * p.low_pass * sum_1
    return p.tt * dx1, p.tt * dy1, p.tt * dz, p.tt * dx2, p.tt * p.inverse_tau * dy2, p.tt * dg


@inner(forceinline=True)
def _row(field, base, row, lane):
    """Return a number of a row."""
    return field[at(base + row + lane)]


@inner(forceinline=True, fastmath={"contract"})
def _six_d(p, dt, field, b, old, new, noisy):
    """Write one step of a block; return how many nodes cross in the two stages, 16 bits each."""
    base, half, crossed = b * ROW.n, 0.5 * dt, 0
    for i in range(LANES):
        s = base + old + i
        x1, y1, z = field[at(s)], field[at(s + LANES)], field[at(s + 2 * LANES)]
        x2, y2, g = field[at(s + 3 * LANES)], field[at(s + 4 * LANES)], field[at(s + 5 * LANES)]
        x0, current = _row(field, base, ROW.x0, i), _row(field, base, ROW.current, i)
        e1, e2, e3, e4, e5, e6 = _six_rates(
            p, x0, x1, y1, z, x2, y2, g, _row(field, base, ROW.sum_x1, i),
            _row(field, base, ROW.sum_x2, i), current,
        )  # fmt: skip
        q1, q2, q3, q4 = x1 + dt * e1, y1 + dt * e2, z + dt * e3, x2 + dt * e4
        q5, q6 = y2 + dt * e5, g + dt * e6
        if noisy:
            n = base + ROW.noise + i
            x1, q1 = x1 + field[at(n)], q1 + field[at(n)]
            y1, q2 = y1 + field[at(n + LANES)], q2 + field[at(n + LANES)]
            z, q3 = z + field[at(n + 2 * LANES)], q3 + field[at(n + 2 * LANES)]
            x2, q4 = x2 + field[at(n + 3 * LANES)], q4 + field[at(n + 3 * LANES)]
            y2, q5 = y2 + field[at(n + 4 * LANES)], q5 + field[at(n + 4 * LANES)]
            g, q6 = g + field[at(n + 5 * LANES)], q6 + field[at(n + 5 * LANES)]
        f1, f2, f3, f4, f5, f6 = _six_rates(
            p, x0, q1, q2, q3, q4, q5, q6, _row(field, base, ROW.predicted_sum_x1, i),
            _row(field, base, ROW.predicted_sum_x2, i), current,
        )  # fmt: skip
        x1, x2 = x1 + half * (e1 + f1), x2 + half * (e4 + f4)
        crossed += _crossed(field[at(s)], q1, x1, p.threshold_x1)
        crossed += _crossed(field[at(s + 3 * LANES)], q4, x2, p.threshold_x2)
        t = base + new + i
        field[at(t)] = x1
        field[at(t + LANES)] = y1 + half * (e2 + f2)
        field[at(t + 2 * LANES)] = z + half * (e3 + f3)
        field[at(t + 3 * LANES)] = x2
        field[at(t + 4 * LANES)] = y2 + half * (e5 + f5)
        field[at(t + 5 * LANES)] = g + half * (e6 + f6)
        low = _row(field, base, ROW.lowest_x1, i)
        field[at(base + ROW.lowest_x1 + i)] = low if x1 >= low else x1
        field[at(base + ROW.predicted_x1 + i)] = q1
        field[at(base + ROW.predicted_x2 + i)] = q4
    return crossed


@inner(forceinline=True, fastmath={"contract"})
def _two_d(p, dt, field, b, old, new):
    """Write one step of a block of the reduced model; as `_six_d`."""
    base, half, crossed = b * ROW.n, 0.5 * dt, 0
    for i in range(LANES):
        s, t, n = base + old + i, base + new + i, base + ROW.noise + i
        x, z = field[at(s)], field[at(s + LANES)]
        x0, current = _row(field, base, ROW.x0, i), _row(field, base, ROW.current, i)
        towards, strength = _row(field, base, ROW.from_means, i), _row(field, base, ROW.strength, i)
        drive = p.fast * _row(field, base, ROW.sum_x1, i) + current
        e1 = p.tt * reduced_cubic(x, z, drive, 0.0, p.a, p.b, p.c, p.d, p.Iext, 1.0)
        e2 = p.tt * permittivity(x, z, towards - strength * x, x0, p.r, p.K)
        noise_x, noise_z = field[at(n)], field[at(n + LANES)]
        q1, q2 = x + dt * e1 + noise_x, z + dt * e2 + noise_z
        drive = p.fast * _row(field, base, ROW.predicted_sum_x1, i) + current
        f1 = p.tt * reduced_cubic(q1, q2, drive, 0.0, p.a, p.b, p.c, p.d, p.Iext, 1.0)
        f2 = p.tt * permittivity(q1, q2, towards - strength * q1, x0, p.r, p.K)
        later = x + half * (e1 + f1) + noise_x
        crossed += _crossed(x, q1, later, p.threshold_x1)
        field[at(t)] = later
        field[at(t + LANES)] = z + half * (e2 + f2) + noise_z
        low = _row(field, base, ROW.lowest_x1, i)
        field[at(base + ROW.lowest_x1 + i)] = low if later >= low else later
        field[at(base + ROW.predicted_x1 + i)] = q1
    return crossed


@inner(forceinline=True)
def _crossed(before, predicted, after, threshold):
    """Return 1 if the prediction crosses a threshold, plus 65536 if the whole step does."""
    first = 1 if (before > threshold) != (predicted > threshold) else 0
    return first + (65536 if (before > threshold) != (after > threshold) else 0)


@inner(forceinline=True)
def _states_at(step):
    """Return the offset of the states before a step."""
    return ROW.odd if step & 1 else ROW.even


@inner()
def _draw(sizes, fixed, memory, thread, begin, end):
    """Draw the noise of this step."""
    n_noisy = fixed.noisy.size
    if n_noisy == 0:
        return
    normals = memory.normals[thread]
    for b in range(begin, end):
        for pair in range((n_noisy + 1) // 2):
            normal_pairs(memory.generators, b * 4 * LANES, normals, 2 * pair * LANES)
        for k in range(n_noisy):
            row = b * ROW.n + ROW.noise + fixed.noisy[k] * LANES
            a = (b * n_noisy + k) * LANES
            for i in range(LANES):
                noise = fixed.amplitudes[at(a + i)] * normals[at(k * LANES + i)]
                memory.field[at(row + i)] = noise


@inner()
def _list_crossings(rates, sizes, memory, thread, begin, end, step, stage):
    """List the crossings of a part in this step, in the order of the nodes.

    A crossing is four times the number of the node, plus 2 for x2, plus 1 if it is upwards.
    """
    field, found, count = memory.field, memory.crossings[stage, step & 1, thread], 0
    old, new = _states_at(step), _states_at(step + 1)
    for b in range(begin, end):
        if not memory.has_crossed[stage, b]:
            continue
        for state in range(2 if sizes.n_states == 6 else 1):
            threshold = rates.threshold_x2 if state else rates.threshold_x1
            before, after = old + 3 * LANES * state, new + 3 * LANES * state
            if stage == PREDICTED:
                after = ROW.predicted_x2 if state else ROW.predicted_x1
            for i in range(min(LANES, sizes.n_nodes - b * LANES)):
                above = field[at(b * ROW.n + after + i)] > threshold
                if above != (field[at(b * ROW.n + before + i)] > threshold):
                    found[count] = (b * LANES + i) * 4 + state * 2 + (1 if above else 0)
                    count += 1
    memory.n_crossings[stage, step & 1, thread, 0] = count


@inner()
def _any_crossed(sizes, memory, step, stage):
    """Return whether a node of any part has crossed a threshold."""
    total = 0
    for t in range(sizes.n_threads):
        total += memory.n_crossings[stage, step & 1, t, 0]
    return total > 0


@inner()
def _apply(sizes, fixed, memory, thread, begin, step, stage):
    """Add the crossings of all parts to the sums of one part; return the number of its blocks."""
    field, is_touched, n_touched = memory.field, memory.is_touched, 0
    rows = ROW.predicted_sum_x1 if stage == PREDICTED else ROW.sum_x1
    for t in range(sizes.n_threads):
        for k in range(memory.n_crossings[stage, step & 1, t, 0]):
            crossing = memory.crossings[stage, step & 1, t, k]
            n, sign = crossing >> 2, 1.0 if crossing & 1 else -1.0
            row = rows + (LANES if crossing & 2 else 0)
            for e in range(fixed.first_weight[n, thread], fixed.first_weight[n, thread + 1]):
                receiver = fixed.receivers[at(e)]
                b = receiver // LANES
                field[at(b * ROW.n + row + receiver - b * LANES)] += sign * fixed.weights[at(e)]
                if not is_touched[at(b)]:
                    is_touched[at(b)] = True
                    memory.touched[at(begin + n_touched)] = b
                    n_touched += 1
    return n_touched


@inner()
def _restore_predicted_sums(memory, begin, n_touched):
    """Set the sums of the first stage to those of the whole step, in the touched blocks."""
    for k in range(begin, begin + n_touched):
        b = memory.touched[at(k)]
        memory.is_touched[at(b)] = False
        target, source = b * ROW.n + ROW.predicted_sum_x1, b * ROW.n + ROW.sum_x1
        for i in range(2 * LANES):
            memory.field[at(target + i)] = memory.field[at(source + i)]


@inner()
def _note_onsets(memory, thread, step):
    """Note the first upward crossing of x1 of each node of a part."""
    for k in range(memory.n_crossings[WHOLE, step & 1, thread, 0]):
        crossing = memory.crossings[WHOLE, step & 1, thread, k]
        if crossing & 3 == 1 and memory.onset[at(crossing >> 2)] < 0:
            memory.onset[at(crossing >> 2)] = step + 1


@inner()
def _sum_means(sizes, fixed, memory, thread, step, begin, end):
    """Add up the part of the mean x1 of every region that the nodes of one part make."""
    part, states = memory.means[thread], _states_at(step)
    part[:] = 0
    for b in range(begin, end):
        for i in range(min(LANES, sizes.n_nodes - b * LANES)):
            n = b * LANES + i
            share = fixed.fraction[at(n)] * memory.field[at(b * ROW.n + states + i)]
            part[fixed.region[at(n)]] += np.int64(np.rint(share / _MEAN_UNIT))


@inner()
def _receive_means(sizes, fixed, memory, thread, begin, end):
    """Set the input from the mean x1 of regions in one part."""
    received = memory.from_means[thread]
    received[:] = 0.0
    for j in range(sizes.n_regions):
        total = 0
        for t in range(sizes.n_threads):
            total += memory.means[t, j]
        mean = total * _MEAN_UNIT
        for i in range(sizes.n_regions):
            if fixed.own_regions[thread, i]:
                received[i] += fixed.weights_between[i, j] * mean
    for b in range(begin, end):
        for i in range(LANES):
            where = at(b * ROW.n + ROW.from_means + i)
            memory.field[where] = received[fixed.region[at(b * LANES + i)]]


@inner()
def _receive_between(sizes, fixed, memory, thread, step, begin, end):
    """Add the changes of the input between regions that arrive at this step."""
    arriving, has_changed = memory.arriving[thread, step % sizes.n_slots], False
    for i in range(sizes.n_regions):
        if arriving[i] != 0.0:
            memory.input[thread, i] += arriving[i]
            arriving[i] = 0.0
            has_changed = True
    if has_changed:
        for b in range(begin, end):
            for i in range(LANES):
                where = at(b * ROW.n + ROW.current + i)
                memory.field[where] = memory.input[thread, fixed.region[at(b * LANES + i)]]


@inner()
def _send_between(sizes, fixed, memory, thread, step):
    """Send the changed activity of regions to the regions of one part, each after its delay."""
    if fixed.between.size == 0:
        return
    change, is_changed, n_changed = memory.change[thread], memory.is_changed[thread], 0
    for t in range(sizes.n_threads):
        for k in range(memory.n_crossings[WHOLE, step & 1, t, 0]):
            crossing = memory.crossings[WHOLE, step & 1, t, k]
            if crossing & 2:
                continue
            fraction = fixed.fraction[at(crossing >> 2)]
            j = fixed.region[at(crossing >> 2)]
            change[j] += fraction if crossing & 1 else -fraction
            if not is_changed[j]:
                is_changed[j] = True
                memory.changed[thread, n_changed] = j
                n_changed += 1
    for k in range(n_changed):
        j = memory.changed[thread, k]
        for i in range(sizes.n_regions):
            if fixed.own_regions[thread, i] and fixed.between[j, i] != 0.0:
                slot = (step + 1 + fixed.delays[j, i]) % sizes.n_slots
                memory.arriving[thread, slot, i] += fixed.between[j, i] * change[j]
        change[j], is_changed[j] = 0.0, False


@inner()
def _keep(sizes, fixed, memory, begin, end, step, sample, out):
    """Write the kept quantities of one part before a step, in the caller's order of nodes."""
    states = _states_at(step)
    for v in range(fixed.kept.size):
        variable = fixed.kept[v]
        for b in range(begin, end):
            for i in range(min(LANES, sizes.n_nodes - b * LANES)):
                s = b * ROW.n + states + i
                if variable != LFP:
                    value = memory.field[at(s + variable * LANES)]
                elif sizes.n_states == 2:
                    value = memory.field[at(s)]
                else:
                    value = memory.field[at(s + 3 * LANES)] - memory.field[at(s)]
                out[v, sample, fixed.original[at(b * LANES + i)]] = value
