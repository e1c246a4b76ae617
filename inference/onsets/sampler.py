"""Sample which regions seize, when and how strongly: Metropolis moves on one patient.

A move switches a region on or off, exchanges it for one that the same channels see (in one seizure,
or in all of them), or shifts its onset, end, power or slope. Often several explanations of a
recording are as good, with none between them that is likely. So each chain is a ladder of replicas
at rising temperatures that exchange their states (parallel tempering, Geyer 1991): hot ones move
freely, the coldest is the posterior.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.channels import (
    LEFT_OUT,
    ChannelScratch,
    channel_scratch,
    log_channel,
)
from inference.onsets.recruitment import ROOT_2PI, log_prior_of_onsets
from inference.onsets.rules import Rules

Array = NDArray[np.float64]

# Scatter of a proposed onset about the one found in the source powers, seconds.
_PROPOSAL_S = 1.5
_PATIENT_EVERY, _SWAP_EVERY = 100, 2
# Kinds of moves.
SWITCH, EXCHANGE, SHIFT, POWER, END, SLOPE, EXCHANGE_ALL = 0, 1, 2, 3, 4, 5, 6
N_KINDS = 7
# The gain errors are kept for every so many draws.
ERRORS_EVERY = 10


class Recording(NamedTuple):
    """Data of one patient for compiled code.

    Parameters
    ----------
    observed : numpy.ndarray, shape (n_channels, n_times)
        Log power; the seizures follow each other.
    variance : numpy.ndarray, shape (n_channels,)
        Scale of the noise variance.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        H of `inference.onsets.channels`.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    times : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset of each seizure.
    bounds : numpy.ndarray of int, shape (n_seizures + 1,)
        First step of each seizure.
    prior_p_ez : numpy.ndarray, shape (n_regions,)
        Prior probability of being epileptogenic.
    chance : numpy.ndarray, shape (n_regions,)
        Probability with which a region is chosen for a switch, cumulated.
    hint_s : numpy.ndarray, shape (n_seizures, n_regions)
        Onset found in the source powers.
    partner : numpy.ndarray of int, shape (n_regions, n_partners)
        Regions that the same channels see.
    partner_chance : numpy.ndarray, shape (n_regions, n_partners)
        Probability of each for an exchange, cumulated.
    loudness : numpy.ndarray, shape (n_regions,)
        Logarithm of the norm of each region's gain.
    """

    observed: Array
    variance: Array
    gain: Array
    weights: Array
    times: Array
    bounds: NDArray[np.int64]
    prior_p_ez: Array
    chance: Array
    hint_s: Array
    partner: NDArray[np.int64]
    partner_chance: Array
    loudness: Array


class Regions(NamedTuple):
    """State of the regions, each (n_seizures, n_regions): seizing, from, to, log power, slope."""

    active: NDArray[np.bool_]
    onset: Array
    offset: Array
    peak: Array
    slope: Array


class Replicas(NamedTuple):
    """States of all replicas of a chain; the first dimension is the replica.

    Parameters
    ----------
    active, onset, offset, peak, slope : numpy.ndarray, shape (n_replicas, n_seizures, n_regions)
        As in `Regions`.
    anywhere : numpy.ndarray of bool, shape (n_replicas, n_regions)
        Regions that seize in any seizure.
    power : numpy.ndarray, shape (n_replicas, n_regions, n_times)
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
    power: Array
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
    peak: Array


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
def sample_chain(
    data: Recording,
    rules: Rules,
    n_moves: int,
    n_unused: int,
    n_kept: int,
    temperatures: Array,
    start: Start,
    rng: np.random.Generator,
) -> tuple[Kept, Start]:
    """Run one chain; return draws, and the states in which another run can continue it.

    Parameters
    ----------
    data, rules
        The patient, and the numbers of the model.
    n_moves : int
        Number of moves of each replica.
    n_unused : int
        Number of first moves that are not kept.
    n_kept : int
        Number of draws, evenly spaced.
    temperatures : numpy.ndarray, shape (n_replicas,)
        Temperatures of the replicas, 1 first, rising.
    start : Start
        State of each replica: silent, the last ones of a run, or draws of a fit to more data.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    scratch = _scratch_of(data)
    replicas = _silent_replicas(data, rules, len(temperatures), scratch)
    for r in range(len(temperatures)):
        _begin(replicas, r, start, data, rules, scratch)
    found: tuple[Kept, Start] = _sampled(
        data, rules, n_moves, n_unused, n_kept, temperatures, replicas, scratch, rng
    )
    return found


@jit
def _begin(
    replicas: Replicas, r: int, start: Start, data: Recording, rules: Rules, scratch: Scratch
) -> None:
    """Set a replica to its given state."""
    for s in range(start.active.shape[1]):
        for i in range(start.active.shape[2]):
            if start.active[r, s, i]:
                values = (
                    True, start.onset[r, s, i], start.offset[r, s, i], start.peak[r, s, i],
                    start.slope[r, s, i],
                )  # fmt: skip
                _set(replicas, r, s, i, values, data, rules)
    replicas.threshold[r] = start.threshold[r]
    replicas.patient_peak[r] = start.patient_peak[r]
    if start.active[r].any():
        for c in range(len(data.gain)):
            replicas.likelihood[r, c] = _log_channel_of(
                replicas, r, c, data, rules, scratch, replicas.errors[r, c]
            )
    replicas.prior[r] = _log_prior_of(replicas, r, data, rules, scratch)


@jit
def _sampled(
    data: Recording, rules: Rules, n_moves: int, n_unused: int, n_kept: int,
    temperatures: Array, replicas: Replicas, scratch: Scratch, rng: np.random.Generator,
) -> tuple[Kept, Start]:  # fmt: skip
    """Move the replicas, and keep draws of the coldest; return also the last states."""
    n_channels, n_regions = data.gain.shape
    n_seizures = len(data.bounds) - 1
    kept: Kept = _empty(n_kept, n_seizures, n_regions, n_channels)
    place = np.arange(len(temperatures))
    every = max((n_moves - n_unused) // n_kept, 1)
    done = 0
    for move in range(n_moves):
        for level in range(len(temperatures)):
            r = place[level]
            if move % _PATIENT_EVERY == 0:
                _move_patient(replicas, r, data, rules, temperatures[level], scratch, rng)
            _move_region(
                replicas, r, data, rules, temperatures[level], scratch,
                kept.accepted if level == 0 else kept.accepted_hot, rng,
            )  # fmt: skip
        if move % _SWAP_EVERY == 0:
            _swap(replicas, place, temperatures, rules, kept.swaps, rng)
        if move >= n_unused and (move - n_unused) % every == every - 1 and done < n_kept:
            _keep(kept, done, replicas, place[0], data, rules, scratch)
            done += 1
    end = Start(
        replicas.active[place], replicas.onset[place], replicas.offset[place],
        replicas.peak[place], replicas.slope[place], replicas.threshold[place],
        replicas.patient_peak[place],
    )  # fmt: skip
    return kept, end


@jit
def _scratch_of(data: Recording) -> Scratch:
    n_channels, n_times = data.observed.shape
    n_regions, n_seizures = data.gain.shape[1], len(data.bounds) - 1
    first, last, peak = np.empty(n_seizures), np.empty(n_seizures), np.empty(n_seizures)
    for s in range(n_seizures):
        first[s], last[s] = data.times[data.bounds[s]], data.times[data.bounds[s + 1] - 1]
    return Scratch(
        channel_scratch(n_times), np.zeros((n_channels, n_regions + 1)), np.zeros(n_channels),
        np.zeros(n_channels, np.bool_), np.zeros(n_regions), first, last, peak,
    )  # fmt: skip


@jit
def _silent_replicas(data: Recording, rules: Rules, count: int, scratch: Scratch) -> Replicas:
    """Return replicas in which no region seizes."""
    n_channels, n_times = data.observed.shape
    n, n_seizures = data.gain.shape[1], len(data.bounds) - 1
    shape = (count, n_seizures, n)
    replicas = Replicas(
        np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.zeros((count, n), np.bool_), np.zeros((count, n, n_times)),
        np.zeros((count, n)), np.zeros((count, n_channels, n + 1)),
        np.zeros((count, n_channels)), np.full(count, rules.threshold),
        np.full(count, rules.peak), np.zeros(count),
    )  # fmt: skip
    for r in range(count):
        for c in range(n_channels):
            replicas.likelihood[r, c] = _log_channel_of(
                replicas, r, c, data, rules, scratch, replicas.errors[r, c]
            )
        replicas.prior[r] = _log_prior_of(replicas, r, data, rules, scratch)
    return replicas


@jit
def _empty(n_kept: int, n_seizures: int, n_regions: int, n_channels: int) -> Kept:
    shape = (n_kept, n_seizures, n_regions)
    return Kept(
        np.zeros(shape, np.bool_), np.zeros(shape), np.zeros(shape), np.zeros(shape),
        np.zeros(shape), np.zeros((n_kept, n_regions)), np.zeros(n_kept), np.zeros(n_kept),
        np.zeros((max(n_kept // ERRORS_EVERY, 1), n_channels, n_regions + 1), np.float32),
        np.zeros(n_kept), np.zeros((2, N_KINDS)), np.zeros((2, N_KINDS)), np.zeros(2),
    )  # fmt: skip


@jit
def _log_channel_of(
    replicas: Replicas, r: int, c: int, data: Recording, rules: Rules, scratch: Scratch,
    errors: Array,
) -> float:  # fmt: skip
    value: float = log_channel(
        data.observed[c], data.gain[c], replicas.anywhere[r], replicas.power[r], replicas.top[r],
        errors, data.variance[c], rules, scratch.channel,
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
    replicas: Replicas, r: int, data: Recording, rules: Rules, temperature: float,
    scratch: Scratch, accepted: Array, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Propose one move of a region, and accept or reject it."""
    state = Regions(
        replicas.active[r], replicas.onset[r], replicas.offset[r], replicas.peak[r],
        replicas.slope[r],
    )  # fmt: skip
    s = int(rng.random() * len(scratch.first))
    kind, i, j, log_ratio, values = _propose(
        state, data, s, scratch.first[s], scratch.last[s], replicas.patient_peak[r], rules, rng
    )
    if kind < 0:
        return
    accepted[0, kind] += 1
    before = (
        state.active[s, i], state.onset[s, i], state.offset[s, i], state.peak[s, i],
        state.slope[s, i],
    )  # fmt: skip
    silent = (False, 0.0, 0.0, 0.0, 0.0)
    reach = replicas.top[r, i]
    if kind == EXCHANGE_ALL:
        scratch.peak[:] = state.peak[:, i]
        _exchange_all(
            replicas, r, i, j, scratch.peak + data.loudness[i] - data.loudness[j], data, rules
        )
    elif kind == EXCHANGE:
        _set(replicas, r, s, j, values, data, rules)
        _set(replicas, r, s, i, silent, data, rules)
    else:
        _set(replicas, r, s, i, values, data, rules)
    reach = max(reach, replicas.top[r, i])
    is_exchange = kind in (EXCHANGE, EXCHANGE_ALL)
    change = _likelihood_change(
        replicas, r, i, j if is_exchange else -1, reach, data, rules, scratch
    )
    prior = _log_prior_of(replicas, r, data, rules, scratch)
    total = (rules.tempering * change + prior - replicas.prior[r]) / temperature + log_ratio
    if math.log(rng.random()) < total:
        accepted[1, kind] += 1
        replicas.prior[r] = prior
        for c in range(len(scratch.touched)):
            if scratch.touched[c]:
                replicas.likelihood[r, c] = scratch.likelihood[c]
                replicas.errors[r, c] = scratch.errors[c]
        return
    if kind == EXCHANGE_ALL:
        _exchange_all(replicas, r, j, i, scratch.peak, data, rules)
        return
    if kind == EXCHANGE:
        _set(replicas, r, s, j, silent, data, rules)
    _set(replicas, r, s, i, before, data, rules)


@jit
def _exchange_all(
    replicas: Replicas, r: int, i: int, j: int, peak: Array, data: Recording, rules: Rules
) -> None:
    """Let region j seize instead of i in every seizure of i, with the given log powers."""
    for s in range(replicas.active.shape[1]):
        if replicas.active[r, s, i]:
            values = (
                True, replicas.onset[r, s, i], replicas.offset[r, s, i], peak[s],
                replicas.slope[r, s, i],
            )  # fmt: skip
            _set(replicas, r, s, j, values, data, rules)
            _set(replicas, r, s, i, (False, 0.0, 0.0, 0.0, 0.0), data, rules)


@jit
def _likelihood_change(
    replicas: Replicas, r: int, i: int, j: int, reach: float, data: Recording, rules: Rules,
    scratch: Scratch,
) -> float:  # fmt: skip
    """Return the change of the log likelihood over the channels that see the moved regions."""
    change = 0.0
    for c in range(len(scratch.touched)):
        sees = data.gain[c, i] * reach > LEFT_OUT
        if j >= 0 and data.gain[c, j] * replicas.top[r, j] > LEFT_OUT:
            sees = True
        scratch.touched[c] = sees
        if sees:
            scratch.errors[c] = replicas.errors[r, c]
            if not replicas.anywhere[r, i]:
                scratch.errors[c, i] = 0.0
            scratch.likelihood[c] = _log_channel_of(
                replicas, r, c, data, rules, scratch, scratch.errors[c]
            )
            change += scratch.likelihood[c] - replicas.likelihood[r, c]
    return change


@jit
def _set(
    replicas: Replicas, r: int, s: int, i: int, values: tuple[bool, float, float, float, float],
    data: Recording, rules: Rules,
) -> None:  # fmt: skip
    """Set a region in one seizure, and compute its power again."""
    active, onset, offset, peak, slope = values
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


@jit
def _log_onset_proposal(onset: float, hint: float, window: float) -> float:
    z = (onset - hint) / _PROPOSAL_S
    return math.log(0.5 / window + 0.5 * math.exp(-0.5 * z * z) / (_PROPOSAL_S * ROOT_2PI))


@jit
def _propose(
    state: Regions, data: Recording, s: int, first: float, last: float, patient_peak: float,
    rules: Rules, rng: np.random.Generator,
) -> tuple[int, int, int, float, tuple[bool, float, float, float, float]]:  # fmt: skip
    """Return a move: kind (-1: none), region, its partner, log ratio, and the new values."""
    window = last - first
    nothing = (-1, 0, 0, 0.0, (False, 0.0, 0.0, 0.0, 0.0))
    choice = rng.random()
    n = state.active.shape[1]
    if choice < 0.3:
        i = min(np.searchsorted(data.chance, rng.random()), n - 1)
        hint = data.hint_s[s, i]
        if state.active[s, i]:
            ratio = _log_onset_proposal(state.onset[s, i], hint, window)
            return (SWITCH, i, 0, ratio, (False, 0.0, 0.0, 0.0, 0.0))
        if rng.random() < 0.5:
            onset = first + window * rng.random()
        else:
            onset = hint + _PROPOSAL_S * rng.standard_normal()
        length = rules.length * window * math.exp(rules.length_sd * rng.standard_normal())
        peak = patient_peak + rules.peak_sd * rng.standard_normal()
        slope = rules.slope + rules.slope_sd * rng.standard_normal()
        if onset < first - 2.0 or onset > last:
            return nothing
        ratio = -_log_onset_proposal(onset, hint, window)
        return (SWITCH, i, 0, ratio, (True, onset, onset + length, peak, slope))
    i = _random_active(state.active[s], rng)
    if i < 0:
        return nothing
    onset, offset = state.onset[s, i], state.offset[s, i]
    peak, slope = state.peak[s, i], state.slope[s, i]
    if choice < 0.5:
        place = np.searchsorted(data.partner_chance[i], rng.random())
        place = min(place, data.partner.shape[1] - 1)
        j = data.partner[i, place]
        in_all = len(state.active) > 1 and rng.random() < 0.5
        if state.active[:, j].any() if in_all else state.active[s, j]:
            return nothing
        back = -1.0
        for q in range(data.partner.shape[1]):
            if data.partner[j, q] == i:
                back = _chance_of(data.partner_chance[j], q)
        if back <= 0.0:
            return nothing
        ratio = math.log(back / _chance_of(data.partner_chance[i], place))
        louder = data.loudness[i] - data.loudness[j]  # the same power in the channels
        for other_s in range(len(state.active)):
            if other_s == s or (in_all and state.active[other_s, i]):
                away = state.peak[other_s, i] - patient_peak
                ratio -= 0.5 * ((away + louder) ** 2 - away**2) / rules.peak_sd**2
        kind = EXCHANGE_ALL if in_all else EXCHANGE
        return (kind, i, j, ratio, (True, onset, offset, peak + louder, slope))
    if choice < 0.7:
        moved = onset + (0.3 if rng.random() < 0.6 else 2.5) * rng.standard_normal()
        if moved < first - 2.0 or moved > last or moved > offset - 1.0:
            return nothing
        ratio = _log_length(offset - moved, window, rules) - _log_length(
            offset - onset, window, rules
        )
        return (SHIFT, i, 0, ratio, (True, moved, offset, peak, slope))
    if choice < 0.85:
        other = peak + 0.35 * rng.standard_normal()
        ratio = -0.5 * ((other - patient_peak) ** 2 - (peak - patient_peak) ** 2)
        return (POWER, i, 0, ratio / rules.peak_sd**2, (True, onset, offset, other, slope))
    if choice < 0.93:
        moved = offset + (0.7 if rng.random() < 0.6 else 4.0) * rng.standard_normal()
        if moved < onset + 1.0:
            return nothing
        ratio = _log_length(moved - onset, window, rules) - _log_length(
            offset - onset, window, rules
        )
        return (END, i, 0, ratio, (True, onset, moved, peak, slope))
    other = slope + 0.5 * rng.standard_normal()
    ratio = -0.5 * ((other - rules.slope) ** 2 - (slope - rules.slope) ** 2) / rules.slope_sd**2
    return (SLOPE, i, 0, ratio, (True, onset, offset, peak, other))


@jit
def _random_active(active: NDArray[np.bool_], rng: np.random.Generator) -> int:
    """Return a region that seizes, each with equal probability; -1 if there is none."""
    count = active.sum()
    if count == 0:
        return -1
    wanted = int(rng.random() * count)
    for i in range(len(active)):
        if active[i]:
            if wanted == 0:
                return i
            wanted -= 1
    return -1


@jit
def _chance_of(cumulated: Array, place: int) -> float:
    return float(cumulated[place] - (cumulated[place - 1] if place > 0 else 0.0))


@jit
def _log_length(length: float, window: float, rules: Rules) -> float:
    """Return the log density of the duration of a region's seizure."""
    z = (math.log(length) - math.log(rules.length * window)) / rules.length_sd
    return -0.5 * z * z - math.log(length)
