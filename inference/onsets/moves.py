"""Propose a move of one region: switch, exchange, a new state, or a shift of one number.

Each returns the logarithm of the ratio by which proposals back and forth, and the prior of
duration, log power and slope, enter the acceptance. With several seizures every second switch,
exchange or replacement concerns all of them: regions tend to seize in each or in none.
"""

import math

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.learned import BEFORE_S, Learned, draw_state, log_density
from inference.onsets.rules import Rules
from inference.onsets.states import Change, Recording, Regions

Array = NDArray[np.float64]

# Kinds of moves. A replaced region hands its place to one with a state of its own; exchanged ones
# keep onset and end, and the power that reaches the channels.
SWITCH, EXCHANGE, SHIFT, POWER, END, SLOPE, EXCHANGE_ALL, REPLACE, REDRAW = range(9)
SWITCH_ALL, REPLACE_ALL = 9, 10
N_KINDS = 11
# Probabilities of switch, exchange, replacement, new state, shift, power and end, cumulated.
_SHARES = (0.3, 0.42, 0.62, 0.72, 0.82, 0.89, 0.95)
_IN_ALL = 0.5
_SHORTEST_S = 1.0
# The sides of a change; not of Python: numba compiles a copy for each constant.
_REGION, _PARTNER = np.arange(2)

Numbers = tuple[float, float, float, float]
# Kind (-1: no move), region, its partner (-1: none), log ratio.
Move = tuple[int, int, int, float]
_NOTHING = (-1, 0, -1, 0.0)


@jit
def propose(
    state: Regions, data: Recording, learned: Learned, s: int, first: Array, last: Array,
    patient_peak: float, rules: Rules, change: Change, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Propose a move in seizure s, or in all; the new states go to `change`."""
    choice = rng.random()
    move: Move = _NOTHING
    change.moved[:] = False
    if choice < _SHARES[0]:
        i = min(np.searchsorted(learned.chance, rng.random()), state.active.shape[1] - 1)
    else:
        i = _random_active(state.active[s], rng)
    if i < 0:
        return move
    if choice < _SHARES[0]:
        move = _switch(state, data, learned, s, i, first, last, patient_peak, rules, change, rng)
    elif choice < _SHARES[1]:
        move = _exchange(state, data, learned, s, i, patient_peak, rules, change, rng)
    elif choice < _SHARES[3]:
        j = _partner(learned, i, rng) if choice < _SHARES[2] else i
        move = _replace(
            state, data, learned, s, i, j, first, last, patient_peak, rules, change, rng
        )
    else:
        move = _shift(state, s, i, choice, first[s], last[s], patient_peak, rules, change, rng)
    return move


@jit
def _in_all(n_seizures: int, rng: np.random.Generator) -> bool:
    """Draw whether a move concerns all seizures."""
    return n_seizures > 1 and rng.random() < _IN_ALL


@jit
def _switch(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, first: Array, last: Array,
    patient_peak: float, rules: Rules, change: Change, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Switch a region off, or on with a drawn state."""
    n_seizures = len(state.active)
    in_all = _in_all(n_seizures, rng)
    was_on = state.active[s, i]
    ratio = 0.0
    for one in range(n_seizures):
        if one != s and not in_all:
            continue
        if state.active[one, i] != was_on:  # on in some only
            return _NOTHING
        hint, low, high = data.hint_s[one, i], first[one], last[one]
        if was_on:
            old = _numbers(state, one, i)
            ratio += log_density(learned, one, i, old, hint, low, high, patient_peak, rules)
            _silence(change, _REGION, one)
            continue
        new = draw_state(learned, one, i, hint, low, high, patient_peak, rules, rng)
        if not _is_possible(new, low, high):
            return _NOTHING
        ratio -= log_density(learned, one, i, new, hint, low, high, patient_peak, rules)
        _seize(change, _REGION, one, new)
    return (SWITCH_ALL if in_all else SWITCH, i, -1, ratio)


@jit
def _replace(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, j: int, first: Array,
    last: Array, patient_peak: float, rules: Rules, change: Change, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Let region j, with a drawn state, seize instead of i; or draw a new state if they are one."""
    n_seizures = len(state.active)
    in_all = j != i and _in_all(n_seizures, rng)
    if j != i and (state.active[:, j].any() if in_all else state.active[s, j]):
        return _NOTHING
    ratio = 0.0
    for one in range(n_seizures):
        if one != s and not (in_all and state.active[one, i]):
            continue
        low, high, old = first[one], last[one], _numbers(state, one, i)
        new = draw_state(learned, one, j, data.hint_s[one, j], low, high, patient_peak, rules, rng)
        if not _is_possible(new, low, high):
            return _NOTHING
        ratio += log_density(
            learned, one, i, old, data.hint_s[one, i], low, high, patient_peak, rules
        ) - log_density(learned, one, j, new, data.hint_s[one, j], low, high, patient_peak, rules)
        if j != i:
            _silence(change, _REGION, one)
        _seize(change, _REGION if j == i else _PARTNER, one, new)
    if j == i:
        return (REDRAW, i, -1, ratio)
    return (REPLACE_ALL if in_all else REPLACE, i, j, ratio + _log_way_back(learned, i, j))


@jit
def _exchange(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, patient_peak: float,
    rules: Rules, change: Change, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Let another region seize instead of i at the same time, in one or in all seizures."""
    j = _partner(learned, i, rng)
    in_all = _in_all(len(state.active), rng)
    if state.active[:, j].any() if in_all else state.active[s, j]:
        return _NOTHING
    ratio = _log_way_back(learned, i, j)
    louder = data.loudness[i] - data.loudness[j]  # the same power in the channels
    for one in range(len(state.active)):
        if one != s and not (in_all and state.active[one, i]):
            continue
        away = state.peak[one, i] - patient_peak
        ratio -= 0.5 * ((away + louder) ** 2 - away**2) / rules.peak_sd**2
        _silence(change, _REGION, one)
        _put(
            change, _PARTNER, one, state.onset[one, i], state.offset[one, i],
            state.peak[one, i] + louder, state.slope[one, i],
        )  # fmt: skip
    return (EXCHANGE_ALL if in_all else EXCHANGE, i, j, ratio)


@jit
def _shift(
    state: Regions, s: int, i: int, choice: float, first: float, last: float, patient_peak: float,
    rules: Rules, change: Change, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Change the onset, the log power, the end or the slope of a region."""
    onset, offset = state.onset[s, i], state.offset[s, i]
    peak, slope = state.peak[s, i], state.slope[s, i]
    window = last - first
    if choice < _SHARES[4]:
        moved = onset + (0.3 if rng.random() < 0.5 else 2.5) * rng.standard_normal()
        if moved < first - BEFORE_S or moved > last or moved > offset - _SHORTEST_S:
            return _NOTHING
        ratio = _log_length(offset - moved, window, rules)
        ratio -= _log_length(offset - onset, window, rules)
        _put(change, _REGION, s, moved, offset, peak, slope)
        return (SHIFT, i, -1, ratio)
    if choice < _SHARES[5]:
        other = peak + 0.6 * rng.standard_normal()
        ratio = -0.5 * ((other - patient_peak) ** 2 - (peak - patient_peak) ** 2)
        _put(change, _REGION, s, onset, offset, other, slope)
        return (POWER, i, -1, ratio / rules.peak_sd**2)
    if choice < _SHARES[6]:
        moved = offset + (1.0 if rng.random() < 0.5 else 5.0) * rng.standard_normal()
        if moved < onset + _SHORTEST_S:
            return _NOTHING
        ratio = _log_length(moved - onset, window, rules)
        ratio -= _log_length(offset - onset, window, rules)
        _put(change, _REGION, s, onset, moved, peak, slope)
        return (END, i, -1, ratio)
    other = slope + 0.9 * rng.standard_normal()
    ratio = -0.5 * ((other - rules.slope) ** 2 - (slope - rules.slope) ** 2) / rules.slope_sd**2
    _put(change, _REGION, s, onset, offset, peak, other)
    return (SLOPE, i, -1, ratio)


@jit
def _numbers(state: Regions, s: int, i: int) -> Numbers:
    """Return onset, logarithm of the duration, log power and slope."""
    onset = state.onset[s, i]
    return onset, math.log(state.offset[s, i] - onset), state.peak[s, i], state.slope[s, i]


@jit
def _seize(change: Change, side: int, s: int, numbers: Numbers) -> None:
    """Let a region seize with onset, logarithm of the duration, log power and slope."""
    onset, length, peak, slope = numbers
    _put(change, side, s, onset, onset + math.exp(length), peak, slope)


@jit
def _put(
    change: Change, side: int, s: int, onset: float, offset: float, peak: float, slope: float
) -> None:
    """Let a region seize with these numbers."""
    change.moved[s] = True
    new = change.new[side, s]
    new[0], new[1], new[2], new[3], new[4] = 1.0, onset, offset, peak, slope


@jit
def _silence(change: Change, side: int, s: int) -> None:
    """Let a region not seize."""
    change.moved[s] = True
    for k in range(change.new.shape[2]):
        change.new[side, s, k] = 0.0


@jit
def _is_possible(numbers: Numbers, first: float, last: float) -> bool:
    return first - BEFORE_S <= numbers[0] <= last and numbers[1] >= math.log(_SHORTEST_S)


@jit
def _partner(learned: Learned, i: int, rng: np.random.Generator) -> int:
    """Return the region that takes the place of i."""
    chance = learned.partner_chance[i]
    return min(int(np.searchsorted(chance, rng.random())), len(chance) - 1)


@jit
def _log_way_back(learned: Learned, i: int, j: int) -> float:
    """Return the log ratio of choosing i as partner of j, and j as partner of i."""
    back = _chance_of(learned.partner_chance[j], i)
    return math.log(back / _chance_of(learned.partner_chance[i], j))


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
