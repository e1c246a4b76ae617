"""Sample which regions seize, when and how strongly: Metropolis moves on one patient.

A move (`inference.onsets.moves`) switches a region on or off, exchanges it for one that the same
channels see, or changes its onset, end, power or slope. Often several explanations of a recording
are as good, with none between them that is likely. So the moves learn during the warm-up where
these are (`inference.onsets.learned`), and each chain is a ladder of replicas at rising
temperatures that exchange their states (parallel tempering, Geyer 1991): hot ones move freely, the
coldest is the posterior. Most jumps are rejected, so a jump is judged by the few channels that see
its regions most, and only if it passes by the others (delayed acceptance, Christen & Fox 2005).
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.channels import (
    LEFT_OUT,
    ChannelScratch,
    channel_scratch,
    copy_into,
    log_channel,
)
from inference.onsets.learned import Learned, look
from inference.onsets.moves import (
    EXCHANGE,
    EXCHANGE_ALL,
    N_KINDS,
    REDRAW,
    REPLACE,
    REPLACE_ALL,
    SWITCH,
    SWITCH_ALL,
    propose,
)
from inference.onsets.recruitment import log_prior_of_onsets
from inference.onsets.rules import Rules
from inference.onsets.states import Change, Recording, Regions
from virtualbrain.models.compile import inner

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

inlined: Any = inner(forceinline=True)

_PATIENT_EVERY, _SWAP_EVERY = 100, 2
# Moves that few channels judge first, and the channels that are looked at. The first judgement is
# mild: a jump that it rejects would have needed this much more log density from the others.
_JUMPS = (SWITCH, SWITCH_ALL, EXCHANGE, EXCHANGE_ALL, REPLACE, REPLACE_ALL, REDRAW)
_ALL, _MOST, _OTHERS = np.arange(3)  # not of Python: numba compiles a copy for each constant
_SLACK = 4.0
# States are looked at for the learned proposals every so many moves, at so many temperatures.
_LOOK_EVERY, _LOOK_LEVELS = 10, 3
# The gain errors are kept for every so many draws.
ERRORS_EVERY = 10


class Replicas(NamedTuple):
    """States of all replicas of a chain; the first dimension is the replica.

    Parameters
    ----------
    active, onset, offset, peak, slope : numpy.ndarray, shape (n_replicas, n_seizures, n_regions)
        As in `Regions`.
    anywhere : numpy.ndarray of bool, shape (n_replicas, n_regions)
        Regions that seize in any seizure.
    power : numpy.ndarray of float32, shape (n_replicas, n_regions, n_times)
        Power of the regions.
    top : numpy.ndarray, shape (n_replicas, n_regions)
        Largest power of each region.
    errors : numpy.ndarray, shape (n_replicas, n_channels, n_regions + 1)
        Modes of the gain errors.
    likelihood : numpy.ndarray, shape (n_replicas, n_channels)
        Log likelihood of each channel.
    threshold, patient_peak, prior : numpy.ndarray, shape (n_replicas,)
        Parameters of the patient, and log prior of the onsets.
    """

    active: NDArray[np.bool_]
    onset: Array
    offset: Array
    peak: Array
    slope: Array
    anywhere: NDArray[np.bool_]
    power: NDArray[np.float32]
    top: Array
    errors: Array
    likelihood: Array
    threshold: Array
    patient_peak: Array
    prior: Array


class Start(NamedTuple):
    """States of the replicas of a chain at its start or end, as in `Kept`.

    The first dimension is the replica, by rising temperature.
    """

    active: NDArray[np.bool_]
    onset: Array
    offset: Array
    peak: Array
    slope: Array
    threshold: Array
    patient_peak: Array


class Scratch(NamedTuple):
    """Arrays that every move uses again."""

    channel: ChannelScratch
    errors: Array
    likelihood: Array
    touched: NDArray[np.bool_]
    p_ez: Array
    first: Array
    last: Array
    change: Change


class Kept(NamedTuple):
    """Draws of one chain.

    Parameters
    ----------
    active, onset, offset, peak, slope : numpy.ndarray, shape (n_kept, n_seizures, n_regions)
        States of the regions.
    p_ez : numpy.ndarray, shape (n_kept, n_regions)
        Probability of being epileptogenic, given the onsets.
    threshold, patient_peak, log_density : numpy.ndarray, shape (n_kept,)
        Mean log threshold and log power of the patient, and tempered log density.
    errors : numpy.ndarray, shape (n_kept // ERRORS_EVERY, n_channels, n_regions + 1)
        Modes of the gain errors of every tenth draw.
    accepted, accepted_hot : numpy.ndarray, shape (2, N_KINDS)
        Proposed and accepted moves of each kind, of the coldest replica and of the others.
    swaps : numpy.ndarray, shape (2,)
        Proposed and accepted exchanges between temperatures.
    """

    active: NDArray[np.bool_]
    onset: Array
    offset: Array
    peak: Array
    slope: Array
    p_ez: Array
    threshold: Array
    patient_peak: Array
    errors: Array
    log_density: Array
    accepted: Array
    accepted_hot: Array
    swaps: Array


@jit
def fill_power(
    times: Array, onset: float, offset: float, peak: float, slope: float, rise_s: float,
    out: Array,
) -> float:  # fmt: skip
    """Fill the power of a region over time; return the largest."""
    largest = 0.0
    for k in range(len(times)):
        up = (times[k] - onset) / rise_s + 0.5
        down = (offset - times[k]) / rise_s + 0.5
        out[k] = 0.0
        if up > 0.0 and down > 0.0:
            part = min(max((times[k] - onset) / max(offset - onset, 1.0), 0.0), 1.0)
            out[k] = min(up, 1.0) * min(down, 1.0) * math.exp(peak - slope * part)
            largest = max(largest, out[k])
    return largest


def silent_start(data: Recording, rules: Rules, n_replicas: int) -> Start:
    """Return the states in which no region seizes."""
    shape = (n_replicas, len(data.bounds) - 1, data.gain.shape[1])
    return Start(
        np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.full(n_replicas, rules.threshold), np.full(n_replicas, rules.peak),
    )  # fmt: skip


@jit
def replicas_at(start: Start, data: Recording, rules: Rules, scratch: Scratch) -> Replicas:
    """Return replicas in the given states."""
    replicas: Replicas = _silent_replicas(data, rules, len(start.threshold))
    for r in range(len(start.threshold)):
        _begin(replicas, r, start, data, rules, scratch)
    return replicas


@jit
def _begin(
    replicas: Replicas, r: int, start: Start, data: Recording, rules: Rules, scratch: Scratch
) -> None:
    """Set a replica to its given state."""
    for s in range(start.active.shape[1]):
        for i in range(start.active.shape[2]):
            if start.active[r, s, i]:
                values = scratch.change.new[0, s]
                values[0], values[1], values[2] = 1.0, start.onset[r, s, i], start.offset[r, s, i]
                values[3], values[4] = start.peak[r, s, i], start.slope[r, s, i]
                _set(replicas, r, s, i, values, data, rules)
    replicas.threshold[r] = start.threshold[r]
    replicas.patient_peak[r] = start.patient_peak[r]
    seizing = np.flatnonzero(replicas.anywhere[r])
    for c in range(len(data.gain)):
        replicas.likelihood[r, c] = _log_channel_of(
            replicas, r, c, seizing, data, rules, scratch, replicas.errors[r, c]
        )
    replicas.prior[r] = _log_prior_of(replicas, r, data, rules, scratch)


@jit
def advance(
    data: Recording, rules: Rules, stage: tuple[int, int, int], every: int, temperatures: Array,
    replicas: Replicas, place: Integers, scratch: Scratch, learned: Learned, seen: Learned,
    kept: Kept, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Move the replicas of a chain through one stage; look at its states, or keep draws.

    Parameters
    ----------
    data, rules
        The patient, and the numbers of the model.
    stage : tuple of int
        First move, the one after the last, and the first one from which draws are kept.
    every : int
        Moves from one draw to the next.
    temperatures : numpy.ndarray, shape (n_replicas,)
        Temperatures of the replicas, 1 first, rising.
    replicas, place, scratch
        Of `replicas_at`, the replica at each temperature, and of `scratch_of`.
    learned, seen : Learned
        What the moves have learned, and where visited states are remembered.
    kept : Kept
        Of `no_draws`; filled with draws of the coldest replica.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    begin, end, n_unused = stage
    n_kept = len(kept.threshold)
    for move in range(begin, end):
        if move < n_unused and move % _LOOK_EVERY == 0:
            _look(seen, replicas, place, rng)
        for level in range(len(temperatures)):
            r = place[level]
            if move % _PATIENT_EVERY == 0:
                _move_patient(replicas, r, data, rules, temperatures[level], scratch, rng)
            _move_region(
                replicas, r, data, rules, learned, temperatures[level], scratch,
                kept.accepted if level == 0 else kept.accepted_hot, rng,
            )  # fmt: skip
        if move % _SWAP_EVERY == 0:
            _swap(replicas, place, temperatures, rules, kept.swaps, rng)
        draw = (move - n_unused + 1) // every - 1
        if move >= n_unused and (move - n_unused + 1) % every == 0 and draw < n_kept:
            _keep(kept, draw, replicas, place[0], data, rules, scratch)


def states_of(replicas: Replicas, place: Integers) -> Start:
    """Return the states of the replicas, by rising temperature."""
    return Start(
        replicas.active[place], replicas.onset[place], replicas.offset[place],
        replicas.peak[place], replicas.slope[place], replicas.threshold[place],
        replicas.patient_peak[place],
    )  # fmt: skip


@jit
def _look(
    seen: Learned, replicas: Replicas, place: NDArray[np.int64], rng: np.random.Generator
) -> None:
    """Remember the states of the coldest replicas."""
    for r in place[:_LOOK_LEVELS]:
        look(
            seen, replicas.active[r], replicas.onset[r], replicas.offset[r], replicas.peak[r],
            replicas.slope[r], rng,
        )  # fmt: skip


@jit
def scratch_of(data: Recording) -> Scratch:
    """Return arrays for the moves of one chain."""
    n_channels, n_times = data.observed.shape
    n_regions, n_seizures = data.gain.shape[1], len(data.bounds) - 1
    first, last = np.empty(n_seizures), np.empty(n_seizures)
    shape = (2, n_seizures, 5)
    change = Change(np.zeros(n_seizures, np.bool_), np.zeros(shape), np.zeros(shape))
    for s in range(n_seizures):
        first[s], last[s] = data.times[data.bounds[s]], data.times[data.bounds[s + 1] - 1]
    return Scratch(
        channel_scratch(n_times), np.zeros((n_channels, n_regions + 1)), np.zeros(n_channels),
        np.zeros(n_channels, np.bool_), np.zeros(n_regions), first, last, change,
    )  # fmt: skip


@jit
def _silent_replicas(data: Recording, rules: Rules, count: int) -> Replicas:
    """Return replicas in which no region seizes, without their densities."""
    n_channels, n_times = data.observed.shape
    n, n_seizures = data.gain.shape[1], len(data.bounds) - 1
    shape = (count, n_seizures, n)
    return Replicas(
        np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.zeros((count, n), np.bool_), np.zeros((count, n, n_times), np.float32),
        np.zeros((count, n)), np.zeros((count, n_channels, n + 1)),
        np.zeros((count, n_channels)), np.full(count, rules.threshold),
        np.full(count, rules.peak), np.zeros(count),
    )  # fmt: skip


@jit
def no_draws(n_kept: int, n_seizures: int, n_regions: int, n_channels: int) -> Kept:
    """Return arrays for so many draws."""
    shape = (n_kept, n_seizures, n_regions)
    return Kept(
        np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.zeros((n_kept, n_regions)), np.zeros(n_kept), np.zeros(n_kept),
        np.zeros((max(n_kept // ERRORS_EVERY, 1), n_channels, n_regions + 1), np.float32),
        np.zeros(n_kept), np.zeros((2, N_KINDS)), np.zeros((2, N_KINDS)), np.zeros(2),
    )  # fmt: skip


@inlined
def _log_channel_of(
    replicas: Replicas, r: int, c: int, seizing: Integers, data: Recording, rules: Rules,
    scratch: Scratch, errors: Array,
) -> float:  # fmt: skip
    value: float = log_channel(
        data.observed[c], data.gain[c], seizing, replicas.power[r], replicas.top[r], errors,
        data.variance[c], rules, scratch.channel,
    )  # fmt: skip
    return value


@jit
def _log_prior_of(
    replicas: Replicas, r: int, data: Recording, rules: Rules, scratch: Scratch
) -> float:
    value: float = log_prior_of_onsets(
        replicas.active[r], replicas.onset[r], replicas.offset[r], data.weights, scratch.first,
        scratch.last, data.prior_p_ez, replicas.threshold[r], rules, scratch.p_ez,
    )  # fmt: skip
    return value


@jit
def _move_region(
    replicas: Replicas, r: int, data: Recording, rules: Rules, learned: Learned,
    temperature: float, scratch: Scratch, accepted: Array, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Propose one move of a region, and accept or reject it."""
    state = Regions(
        replicas.active[r], replicas.onset[r], replicas.offset[r], replicas.peak[r],
        replicas.slope[r],
    )  # fmt: skip
    s = int(rng.random() * len(scratch.first))
    change = scratch.change
    kind, i, j, log_ratio = propose(
        state, data, learned, s, scratch.first, scratch.last, replicas.patient_peak[r], rules,
        change, rng,
    )  # fmt: skip
    if kind < 0:
        return
    accepted[0, kind] += 1
    reach = replicas.top[r, i]
    _remember(replicas, r, i, j, change)
    _set_both(replicas, r, i, j, change.moved, change.new, data, rules)
    reach = max(reach, replicas.top[r, i])
    part = _MOST if kind in _JUMPS else _ALL
    scratch.touched[:] = False
    gained = _likelihood_change(replicas, r, i, j, reach, part, data, rules, scratch)
    prior = _log_prior_of(replicas, r, data, rules, scratch)
    total = (rules.tempering * gained + prior - replicas.prior[r]) / temperature + log_ratio
    slack = _SLACK if part == _MOST else 0.0
    first, back = min(slack + total, 0.0), min(slack - total, 0.0)
    accepts = math.log(rng.random()) < first
    if accepts and part == _MOST:
        gained = _likelihood_change(replicas, r, i, j, reach, _OTHERS, data, rules, scratch)
        total += rules.tempering * gained / temperature
        accepts = math.log(rng.random()) < total - first + back
    if accepts:
        accepted[1, kind] += 1
        replicas.prior[r] = prior
        for c in range(len(scratch.touched)):
            if scratch.touched[c]:
                replicas.likelihood[r, c] = scratch.likelihood[c]
                copy_into(replicas.errors[r, c], scratch.errors[c])
        return
    _set_both(replicas, r, i, j, change.moved, change.old, data, rules)


@jit
def _remember(replicas: Replicas, r: int, i: int, j: int, change: Change) -> None:
    """Store the states of a region and its partner, if there is one, before a move."""
    for side in range(2):
        region = i if side == 0 else j
        if region < 0:
            continue
        for s in range(len(change.moved)):
            if not change.moved[s]:
                continue
            old = change.old[side, s]
            old[0] = 1.0 if replicas.active[r, s, region] else 0.0
            old[1], old[2] = replicas.onset[r, s, region], replicas.offset[r, s, region]
            old[3], old[4] = replicas.peak[r, s, region], replicas.slope[r, s, region]


@jit
def _set_both(
    replicas: Replicas, r: int, i: int, j: int, moved: NDArray[np.bool_], values: Array,
    data: Recording, rules: Rules,
) -> None:  # fmt: skip
    """Set a region and its partner, if there is one, in the seizures that a move concerns."""
    for side in range(2):
        region = i if side == 0 else j
        if region < 0:
            continue
        for s in range(len(moved)):
            if moved[s]:
                _set(replicas, r, s, region, values[side, s], data, rules)


@jit
def _likelihood_change(
    replicas: Replicas, r: int, i: int, j: int, reach: float, part: int, data: Recording,
    rules: Rules, scratch: Scratch,
) -> float:  # fmt: skip
    """Return the change of the log likelihood over the channels that see the moved regions.

    Looks at a part of the channels: all, those that see the regions most, or the others.
    """
    change = 0.0
    seizing = np.flatnonzero(replicas.anywhere[r])
    for c in range(len(scratch.touched)):
        if part != _ALL:
            most = data.sees_most[i, c] or (j >= 0 and data.sees_most[j, c])
            if most != (part == _MOST):
                continue
        sees = data.gain[c, i] * reach > LEFT_OUT
        if j >= 0 and data.gain[c, j] * replicas.top[r, j] > LEFT_OUT:
            sees = True
        if sees:
            scratch.touched[c] = True
            copy_into(scratch.errors[c], replicas.errors[r, c])
            if not replicas.anywhere[r, i]:
                scratch.errors[c, i] = 0.0
            scratch.likelihood[c] = _log_channel_of(
                replicas, r, c, seizing, data, rules, scratch, scratch.errors[c]
            )
            change += scratch.likelihood[c] - replicas.likelihood[r, c]
    return change


@jit
def _set(
    replicas: Replicas, r: int, s: int, i: int, values: Array, data: Recording, rules: Rules
) -> None:
    """Set a region in one seizure (as in `Change`), and compute its power again."""
    active, onset, offset = values[0] > 0.5, values[1], values[2]
    peak, slope = values[3], values[4]
    replicas.active[r, s, i] = active
    replicas.onset[r, s, i] = onset
    replicas.offset[r, s, i] = offset
    replicas.peak[r, s, i] = peak
    replicas.slope[r, s, i] = slope
    low, high = data.bounds[s], data.bounds[s + 1]
    power = replicas.power[r, i]
    if active:
        fill_power(data.times[low:high], onset, offset, peak, slope, rules.rise_s, power[low:high])
    else:
        power[low:high] = 0.0
    replicas.anywhere[r, i] = replicas.active[r, :, i].any()
    replicas.top[r, i] = power.max() if replicas.anywhere[r, i] else 0.0


@jit
def _move_patient(
    replicas: Replicas, r: int, data: Recording, rules: Rules, temperature: float,
    scratch: Scratch, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Move the patient's mean log threshold, and draw the mean log power of its regions."""
    old, old_prior = replicas.threshold[r], replicas.prior[r]
    replicas.threshold[r] = old + 0.5 * rng.standard_normal()
    prior = _log_prior_of(replicas, r, data, rules, scratch)
    change = (replicas.threshold[r] - rules.threshold) ** 2 - (old - rules.threshold) ** 2
    change = (prior - old_prior) / temperature - 0.5 * change / rules.threshold_sd_patient**2
    if math.log(rng.random()) < change:
        replicas.prior[r] = prior
    else:
        replicas.threshold[r] = old
    precision = 1.0 / rules.peak_sd_patient**2
    weighted = rules.peak * precision
    for s in range(replicas.active.shape[1]):
        for i in range(replicas.active.shape[2]):
            if replicas.active[r, s, i]:
                precision += 1.0 / rules.peak_sd**2
                weighted += replicas.peak[r, s, i] / rules.peak_sd**2
    replicas.patient_peak[r] = weighted / precision + rng.standard_normal() / math.sqrt(precision)


@jit
def _swap(
    replicas: Replicas, place: NDArray[np.int64], temperatures: Array, rules: Rules,
    swaps: Array, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Propose to exchange the states of two neighbouring temperatures."""
    if len(place) < 2:
        return
    level = int(rng.random() * (len(place) - 1))
    a, b = place[level], place[level + 1]
    density_a = rules.tempering * replicas.likelihood[a].sum() + replicas.prior[a]
    density_b = rules.tempering * replicas.likelihood[b].sum() + replicas.prior[b]
    gap = 1.0 / temperatures[level] - 1.0 / temperatures[level + 1]
    swaps[0] += 1
    if math.log(rng.random()) < gap * (density_b - density_a):
        swaps[1] += 1
        place[level], place[level + 1] = b, a


@jit
def _keep(
    kept: Kept, done: int, replicas: Replicas, r: int, data: Recording, rules: Rules,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Store the state of a replica as a draw."""
    _log_prior_of(replicas, r, data, rules, scratch)  # fills p_ez
    kept.p_ez[done] = scratch.p_ez
    kept.active[done] = replicas.active[r]
    kept.onset[done] = replicas.onset[r]
    kept.offset[done] = replicas.offset[r]
    kept.peak[done] = replicas.peak[r]
    kept.slope[done] = replicas.slope[r]
    kept.threshold[done] = replicas.threshold[r]
    kept.patient_peak[done] = replicas.patient_peak[r]
    kept.log_density[done] = rules.tempering * replicas.likelihood[r].sum() + replicas.prior[r]
    if done % ERRORS_EVERY == 0 and done // ERRORS_EVERY < len(kept.errors):
        kept.errors[done // ERRORS_EVERY] = replicas.errors[r]
