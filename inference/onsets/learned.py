r"""Proposals that chains learn during their warm-up: which regions seize, and how.

For each region the states in which it seized are sampled. A new state of a region is drawn near one
of them, chosen at random (a kernel density), or from the prior with the onset near the one found in
the source powers; so the jump from one explanation to another lands where the other one is likely.
Regions that seize in some of the visited states and not in others are proposed more often. All of
this is fixed before the first draw is kept, so the chain keeps the posterior.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.recruitment import ROOT_2PI
from inference.onsets.rules import Rules

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

# States that are remembered of each region, and the probability that one of them is used.
N_STATES, FROM_STATES = 32, 0.8
# Of a state: onset, logarithm of the duration, log power and slope.
N_NUMBERS = 4
# Width of the kernels: fraction of the standard deviation of the states, and the least.
_WIDTH = 0.6
_LEAST_WIDTH = (0.2, 0.1, 0.15, 0.2)
# Scatter of a proposed onset about the one found in the source powers, seconds.
_HINT_S = 1.5
# A region may start this long before the window.
BEFORE_S = 2.0
# How much of the choice of regions stays as it was before the warm-up.
_UNLEARNED, _PARTNER_UNLEARNED = 0.3, 0.03


class Learned(NamedTuple):
    """What the moves have learned.

    Parameters
    ----------
    chance : numpy.ndarray, shape (n_regions,)
        Probability with which a region is chosen for a switch, cumulated.
    partner_chance : numpy.ndarray, shape (n_regions, n_regions)
        Probability with which a region (row) is exchanged for each other, cumulated.
    state : numpy.ndarray, shape (n_seizures, n_regions, N_STATES, N_NUMBERS)
        States in which a region seized.
    held : numpy.ndarray of int, shape (n_seizures, n_regions)
        Number of these states.
    width : numpy.ndarray, shape (n_seizures, n_regions, N_NUMBERS)
        Standard deviations of the kernels.
    visits : numpy.ndarray of int, shape (n_seizures, n_regions)
        Number of visited states in which the region seizes.
    looks : numpy.ndarray of int, shape (1,)
        Number of visited states.
    """

    chance: Array
    partner_chance: Array
    state: Array
    held: Integers
    width: Array
    visits: Integers
    looks: Integers


@jit
def nothing_learned(chance: Array, partner_chance: Array, n_seizures: int) -> Learned:
    """Return proposals that know only the recording."""
    n = len(chance)
    return Learned(
        chance.copy(), partner_chance.copy(), np.zeros((n_seizures, n, N_STATES, N_NUMBERS)),
        np.zeros((n_seizures, n), np.int64), np.ones((n_seizures, n, N_NUMBERS)),
        np.zeros((n_seizures, n), np.int64), np.zeros(1, np.int64),
    )  # fmt: skip


@jit
def look(
    learned: Learned, active: Mask, onset: Array, offset: Array, peak: Array, slope: Array,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Remember a visited state; of each region every visited one with the same probability."""
    learned.looks[0] += 1
    for s in range(active.shape[0]):
        for i in range(active.shape[1]):
            if not active[s, i]:
                continue
            learned.visits[s, i] += 1
            place = learned.held[s, i]
            if place == N_STATES:
                place = int(rng.random() * learned.visits[s, i])
                if place >= N_STATES:
                    continue
            else:
                learned.held[s, i] += 1
            state = learned.state[s, i, place]
            state[0] = onset[s, i]
            state[1] = math.log(offset[s, i] - onset[s, i])
            state[2] = peak[s, i]
            state[3] = slope[s, i]


def pooled(seen: Sequence[Learned], rng: np.random.Generator) -> Learned:
    """Return the visited states of several chains together.

    Of each region as many states are kept as one chain remembers, each visited one with the same
    probability.

    Parameters
    ----------
    seen : sequence of Learned
        Filled by `look`.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    if len(seen) == 1:
        return seen[0]
    first = seen[0]
    together: Learned = nothing_learned(first.chance, first.partner_chance, len(first.held))
    for one in seen:
        together.visits[:] += one.visits
        together.looks[:] += one.looks
    for s, i in np.argwhere(together.visits > 0):
        held = [one.held[s, i] for one in seen]
        states = np.concatenate([one.state[s, i, :n] for one, n in zip(seen, held, strict=True)])
        visits = np.array([one.visits[s, i] for one in seen])
        stands_for = np.repeat(visits / np.maximum(held, 1), held)
        count = min(len(states), N_STATES)
        chosen = rng.choice(len(states), count, replace=False, p=stands_for / stands_for.sum())
        together.state[s, i, :count] = states[chosen]
        together.held[s, i] = count
    return together


@jit
def lessons(seen: Learned, chance: Array, partner_chance: Array) -> Learned:
    """Return proposals from the visited states.

    Parameters
    ----------
    seen : Learned
        Filled by `look`.
    chance, partner_chance : numpy.ndarray
        Cumulated probabilities before the warm-up.
    """
    n_seizures, n = seen.held.shape
    new: Learned = nothing_learned(chance, partner_chance, n_seizures)
    new.state[:] = seen.state
    new.held[:] = seen.held
    often = np.zeros(n)  # in any seizure
    unsure = np.zeros(n)
    for i in range(n):
        for s in range(n_seizures):
            part = seen.visits[s, i] / max(seen.looks[0], 1)
            often[i] = max(often[i], part)
            unsure[i] = max(unsure[i], math.sqrt(part * (1.0 - part)))
            for k in range(N_NUMBERS):
                spread = seen.state[s, i, : seen.held[s, i], k].std() if seen.held[s, i] else 0.0
                new.width[s, i, k] = max(_WIDTH * spread, _LEAST_WIDTH[k])
    if unsure.sum() > 0.0:
        own = unsure / unsure.sum()
        new.chance[:] = (1.0 - _UNLEARNED) * np.cumsum(own) + _UNLEARNED * chance
    for i in range(n):
        before = 0.0
        total = 0.0
        for j in range(n):
            own_chance = partner_chance[i, j] - before
            before = partner_chance[i, j]
            total += own_chance * (_PARTNER_UNLEARNED + often[j])
            new.partner_chance[i, j] = total
        new.partner_chance[i] /= total
    return new


@jit
def draw_state(
    learned: Learned, s: int, i: int, hint: float, first: float, last: float, patient_peak: float,
    rules: Rules, rng: np.random.Generator,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Draw onset, logarithm of the duration, log power and slope of a region that seizes."""
    count = learned.held[s, i]
    if rng.random() < FROM_STATES * count / N_STATES:
        state = learned.state[s, i, int(rng.random() * count)]
        width = learned.width[s, i]
        return (
            state[0] + width[0] * rng.standard_normal(),
            state[1] + width[1] * rng.standard_normal(),
            state[2] + width[2] * rng.standard_normal(),
            state[3] + width[3] * rng.standard_normal(),
        )
    if rng.random() < 0.5:
        onset = first - BEFORE_S + (last - first + BEFORE_S) * rng.random()
    else:
        onset = hint + _HINT_S * rng.standard_normal()
    return (
        onset,
        math.log(rules.length * (last - first)) + rules.length_sd * rng.standard_normal(),
        patient_peak + rules.peak_sd * rng.standard_normal(),
        rules.slope + rules.slope_sd * rng.standard_normal(),
    )


@jit
def log_density(
    learned: Learned, s: int, i: int, state: tuple[float, float, float, float], hint: float,
    first: float, last: float, patient_peak: float, rules: Rules,
) -> float:  # fmt: skip
    """Return the log density of `draw_state`, minus that of the prior of all but the onset."""
    z = (state[0] - hint) / _HINT_S
    density = 0.5 / (last - first + BEFORE_S)
    density += 0.5 * math.exp(-0.5 * z * z) / (_HINT_S * ROOT_2PI)
    count = learned.held[s, i]
    if count == 0:
        return math.log(density)
    part = FROM_STATES * count / N_STATES
    width, total = learned.width[s, i], 0.0
    for k in range(count):
        near = learned.state[s, i, k]
        squares = 0.0
        for a in range(N_NUMBERS):
            squares += ((state[a] - near[a]) / width[a]) ** 2
        total += math.exp(-0.5 * squares)
    total /= count * ROOT_2PI**N_NUMBERS * width[0] * width[1] * width[2] * width[3]
    length = (state[1] - math.log(rules.length * (last - first))) / rules.length_sd
    peak = (state[2] - patient_peak) / rules.peak_sd
    slope = (state[3] - rules.slope) / rules.slope_sd
    squares = length**2 + peak**2 + slope**2
    prior = math.exp(-0.5 * squares) / (
        ROOT_2PI**3 * rules.length_sd * rules.peak_sd * rules.slope_sd
    )
    return math.log((1.0 - part) * density + part * total / max(prior, 1e-300))
