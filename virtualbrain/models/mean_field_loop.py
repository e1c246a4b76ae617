# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Integrate the adaptive-exponential mean field of one ensemble member by Heun's method."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.compile import compiled, inner
from virtualbrain.models.mean_field_rates import Parameters, rates
from virtualbrain.models.simd_layout import at

Array = NDArray[np.float64]


class Fixed(NamedTuple):
    """Arrays that the loop reads."""

    parameters: Array  # (n_regions, n_parameters)
    P_e: Array
    P_i: Array
    first_edge: NDArray[np.int64]  # (n_regions + 1) first edge of each receiver
    senders: NDArray[np.int64]
    weights: Array
    delays: NDArray[np.int64]  # steps
    waves: Array  # (n_steps or 0, n_sources) stimulus, kHz per ms
    sites: Array  # (n_sources, n_regions)
    kept: NDArray[np.int64]  # numbers of the states to keep


class Memory(NamedTuple):
    """Arrays that the loop writes."""

    states: Array  # (n_regions, n_states)
    past: Array  # (n_slots, n_regions) E of past steps
    inputs: Array  # (n_regions) input of the other regions


@compiled(allocates=False)
def advance(fixed, memory, dt, every, first_step, noise, out):
    """Take one step for each row of `noise`, from `first_step`, and write samples to `out`.

    `noise` holds the noise of ou_drift, shape (n_steps, n_regions); `out` has the shape
    (n_kept, n_samples, n_regions).
    """
    n_regions = memory.states.shape[0]
    for row in range(noise.shape[0]):
        step = first_step + row
        _couple(fixed, memory, step)
        slot = (step + 1) % memory.past.shape[0]
        for r in range(n_regions):
            _step(fixed, memory, r, dt, dt * _stimulus(fixed, step, r), noise[row, r])
            memory.past[slot, r] = memory.states[r, 0]
        if (step + 1) % every == 0:
            for k in range(fixed.kept.size):
                for r in range(n_regions):
                    out[k, (step + 1) // every - 1, r] = memory.states[r, fixed.kept[k]]


@inner()
def _couple(fixed, memory, step):
    """Sum the delayed rates of the connected regions."""
    n_slots = memory.past.shape[0]
    now = step % n_slots
    for r in range(memory.inputs.size):
        total = 0.0
        for e in range(fixed.first_edge[r], fixed.first_edge[r + 1]):
            slot = now - fixed.delays[at(e)]
            if slot < 0:
                slot += n_slots
            total += fixed.weights[at(e)] * memory.past[at(slot), at(fixed.senders[at(e)])]
        memory.inputs[r] = total


@inner()
def _stimulus(fixed, step, r):
    """Return the stimulus of a region at a step."""
    total = 0.0
    if step < fixed.waves.shape[0]:
        for k in range(fixed.waves.shape[1]):
            total += fixed.waves[step, k] * fixed.sites[k, r]
    return total


@inner()
def _step(fixed, memory, r, dt, kick, noise):
    """Replace the states of a region by those after one step; `kick` is added to E."""
    p, x = _parameters(fixed.parameters, at(r)), memory.states[at(r)]
    received = p.coupling * memory.inputs[r]
    a = rates(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], received, fixed.P_e, fixed.P_i, p)
    b = rates(
        max(x[0] + dt * a[0] + kick, 0.0),
        max(x[1] + dt * a[1], 0.0),
        x[2] + dt * a[2],
        x[3] + dt * a[3],
        x[4] + dt * a[4],
        x[5] + dt * a[5],
        x[6] + dt * a[6],
        x[7] + dt * a[7] + noise,
        received,
        fixed.P_e,
        fixed.P_i,
        p,
    )
    half = 0.5 * dt
    x[0] = max(x[0] + half * (a[0] + b[0]) + kick, 0.0)
    x[1] = max(x[1] + half * (a[1] + b[1]), 0.0)
    x[2] += half * (a[2] + b[2])
    x[3] += half * (a[3] + b[3])
    x[4] += half * (a[4] + b[4])
    x[5] += half * (a[5] + b[5])
    x[6] += half * (a[6] + b[6])
    x[7] += half * (a[7] + b[7]) + noise


@inner(forceinline=True)
def _parameters(v, r):
    return Parameters(
        v[r, 0], v[r, 1], v[r, 2], v[r, 3], v[r, 4], v[r, 5], v[r, 6], v[r, 7], v[r, 8], v[r, 9],
        v[r, 10], v[r, 11], v[r, 12], v[r, 13], v[r, 14], v[r, 15], v[r, 16], v[r, 17], v[r, 18],
        v[r, 19], v[r, 20], v[r, 21], v[r, 22], v[r, 23], v[r, 24], v[r, 25], v[r, 26], v[r, 27],
        v[r, 28], v[r, 29], v[r, 30],
    )  # fmt: skip
