"""Propose a move of one region: switch, exchange, a new state, or a shift of one number.

Each returns the logarithm of the ratio by which proposals back and forth, and the prior of
duration, log power and slope, enter the acceptance.
"""

import math

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.learned import BEFORE_S, Learned, draw_state, log_density
from inference.onsets.rules import Rules
from inference.onsets.states import Recording, Regions

Array = NDArray[np.float64]

# Kinds of moves. A replaced region hands its place to one with a state of its own; exchanged ones
# keep onset and end, and the power that reaches the channels.
SWITCH, EXCHANGE, SHIFT, POWER, END, SLOPE, EXCHANGE_ALL, REPLACE, REDRAW = range(9)
N_KINDS = 9
# Probabilities of switch, exchange, replacement, new state, shift, power and end, cumulated.
_SHARES = (0.3, 0.42, 0.62, 0.72, 0.82, 0.89, 0.95)
_SILENT = (False, 0.0, 0.0, 0.0, 0.0)
_SHORTEST_S = 1.0

Values = tuple[bool, float, float, float, float]
Move = tuple[int, int, int, float, Values]
# Kind -1: no move.
_NOTHING = (-1, 0, 0, 0.0, _SILENT)


@jit
def propose(
    state: Regions, data: Recording, learned: Learned, s: int, first: float, last: float,
    patient_peak: float, rules: Rules, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Return a move in seizure s: kind (-1: none), region, its partner, log ratio, new values."""
    choice = rng.random()
    move: Move = _NOTHING
    if choice < _SHARES[0]:
        i = min(np.searchsorted(learned.chance, rng.random()), state.active.shape[1] - 1)
    else:
        i = _random_active(state.active[s], rng)
    if i < 0:
        return move
    if choice < _SHARES[0]:
        move = _switch(state, data, learned, s, i, first, last, patient_peak, rules, rng)
    elif choice < _SHARES[1]:
        move = _exchange(state, data, learned, s, i, patient_peak, rules, rng)
    elif choice < _SHARES[3]:
        j = _partner(learned, i, rng) if choice < _SHARES[2] else i
        move = _replace(state, data, learned, s, i, j, first, last, patient_peak, rules, rng)
    else:
        move = _shift(state, s, i, choice, first, last, patient_peak, rules, rng)
    return move


@jit
def _switch(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, first: float, last: float,
    patient_peak: float, rules: Rules, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Switch a region off, or on with a drawn state."""
    hint = data.hint_s[s, i]
    if state.active[s, i]:
        old = _numbers(state, s, i)
        ratio = log_density(learned, s, i, old, hint, first, last, patient_peak, rules)
        return (SWITCH, i, 0, ratio, _SILENT)
    new = draw_state(learned, s, i, hint, first, last, patient_peak, rules, rng)
    if not _is_possible(new, first, last):
        return _NOTHING
    ratio = -log_density(learned, s, i, new, hint, first, last, patient_peak, rules)
    return (SWITCH, i, 0, ratio, _values(new))


@jit
def _replace(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, j: int, first: float,
    last: float, patient_peak: float, rules: Rules, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Let region j, with a drawn state, seize instead of i; or draw a new state if they are one."""
    if j != i and state.active[s, j]:
        return _NOTHING
    new = draw_state(learned, s, j, data.hint_s[s, j], first, last, patient_peak, rules, rng)
    if not _is_possible(new, first, last):
        return _NOTHING
    ratio = log_density(
        learned, s, i, _numbers(state, s, i), data.hint_s[s, i], first, last, patient_peak, rules
    ) - log_density(learned, s, j, new, data.hint_s[s, j], first, last, patient_peak, rules)
    if j == i:
        return (REDRAW, i, 0, ratio, _values(new))
    return (REPLACE, i, j, ratio + _log_way_back(learned, i, j), _values(new))


@jit
def _exchange(
    state: Regions, data: Recording, learned: Learned, s: int, i: int, patient_peak: float,
    rules: Rules, rng: np.random.Generator,
) -> Move:  # fmt: skip
    """Let another region seize instead of i at the same time, in one or in all seizures."""
    j = _partner(learned, i, rng)
    in_all = len(state.active) > 1 and rng.random() < 0.5
    if state.active[:, j].any() if in_all else state.active[s, j]:
        return _NOTHING
    ratio = _log_way_back(learned, i, j)
    louder = data.loudness[i] - data.loudness[j]  # the same power in the channels
    for other_s in range(len(state.active)):
        if other_s == s or (in_all and state.active[other_s, i]):
            away = state.peak[other_s, i] - patient_peak
            ratio -= 0.5 * ((away + louder) ** 2 - away**2) / rules.peak_sd**2
    values = (
        True, state.onset[s, i], state.offset[s, i], state.peak[s, i] + louder, state.slope[s, i]
    )  # fmt: skip
    return (EXCHANGE_ALL if in_all else EXCHANGE, i, j, ratio, values)


@jit
def _shift(
    state: Regions, s: int, i: int, choice: float, first: float, last: float, patient_peak: float,
    rules: Rules, rng: np.random.Generator,
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
        return (SHIFT, i, 0, ratio, (True, moved, offset, peak, slope))
    if choice < _SHARES[5]:
        other = peak + 0.6 * rng.standard_normal()
        ratio = -0.5 * ((other - patient_peak) ** 2 - (peak - patient_peak) ** 2)
        return (POWER, i, 0, ratio / rules.peak_sd**2, (True, onset, offset, other, slope))
    if choice < _SHARES[6]:
        moved = offset + (1.0 if rng.random() < 0.5 else 5.0) * rng.standard_normal()
        if moved < onset + _SHORTEST_S:
            return _NOTHING
        ratio = _log_length(moved - onset, window, rules)
        ratio -= _log_length(offset - onset, window, rules)
        return (END, i, 0, ratio, (True, onset, moved, peak, slope))
    other = slope + 0.9 * rng.standard_normal()
    ratio = -0.5 * ((other - rules.slope) ** 2 - (slope - rules.slope) ** 2) / rules.slope_sd**2
    return (SLOPE, i, 0, ratio, (True, onset, offset, peak, other))


@jit
def _numbers(state: Regions, s: int, i: int) -> tuple[float, float, float, float]:
    """Return onset, logarithm of the duration, log power and slope."""
    onset = state.onset[s, i]
    return onset, math.log(state.offset[s, i] - onset), state.peak[s, i], state.slope[s, i]


@jit
def _values(numbers: tuple[float, float, float, float]) -> Values:
    onset, length, peak, slope = numbers
    return True, onset, onset + math.exp(length), peak, slope


@jit
def _is_possible(numbers: tuple[float, float, float, float], first: float, last: float) -> bool:
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
