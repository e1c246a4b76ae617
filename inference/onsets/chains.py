"""Run the chains of one patient: several stages, between which all learn from all.

A chain that has found an explanation shows it to the others: after each stage of the warm-up, the
states that all chains have visited become proposals of each (`inference.onsets.learned`). Nothing
is learned after the warm-up, so that every chain keeps the posterior.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.onsets.learned import Learned, lessons, nothing_learned, pooled
from inference.onsets.rules import Rules
from inference.onsets.sampler import (
    Kept,
    Replicas,
    Scratch,
    Start,
    advance,
    no_draws,
    replicas_at,
    scratch_of,
    states_of,
)
from inference.onsets.states import Recording

Array = NDArray[np.float64]
# How a function is applied to all chains: `map`, or that of a pool of threads.
Run = Callable[..., Iterable[Any]]

# The first lessons are drawn after this part of the warm-up, and the last at its end.
_FIRST_LESSONS = 0.4


class Length(NamedTuple):
    """Moves of each replica, first ones that are not kept, and draws, evenly spaced."""

    moves: int
    unused: int
    kept: int


@dataclass(frozen=True)
class _Chain:
    """State of a chain between two stages; `place` is the replica at each temperature."""

    replicas: Replicas
    place: NDArray[np.int64]
    scratch: Scratch
    kept: Kept
    rng: np.random.Generator


def sample_chains(
    data: Recording,
    rules: Rules,
    length: Length,
    temperatures: Array,
    starts: Sequence[Start],
    rngs: Sequence[np.random.Generator],
    run: Run = map,
    progress: Callable[[float], None] = lambda fraction: None,
) -> list[tuple[Kept, Start]]:
    """Run several chains; return draws of each, and the states in which it can be continued.

    Parameters
    ----------
    data, rules
        The patient, and the numbers of the model.
    length : Length
        Numbers of moves and draws.
    temperatures : numpy.ndarray, shape (n_replicas,)
        Temperatures of the replicas, 1 first, rising.
    starts : sequence of Start
        State of each chain's replicas: silent, the last ones of a run, or draws of another fit.
    rngs : sequence of numpy.random.Generator
        Source of random numbers of each chain.
    run
        How a function is applied to all chains; the draws do not depend on it.
    progress
        Called with the finished fraction of all moves.
    """
    chains = list(run(partial(_begun, data, rules, length.kept), starts, rngs))
    learned = _untaught(data)
    every = max((length.moves - length.unused) // length.kept, 1)
    stages = (0, int(_FIRST_LESSONS * length.unused), length.unused, length.moves)
    for begin, end in pairwise(stages):
        seen = [_untaught(data) for _ in chains]
        stage = (begin, end, length.unused)
        moved = run(
            partial(_advanced, data, rules, stage, every, temperatures, learned), chains, seen
        )
        for done, _ in enumerate(moved, 1):
            progress((begin + (end - begin) * done / len(chains)) / length.moves)
        if begin < end <= length.unused:
            learned = lessons(pooled(seen, rngs[0]), data.chance, data.partner_chance)
    return [(chain.kept, states_of(chain.replicas, chain.place)) for chain in chains]


def _untaught(data: Recording) -> Learned:
    """Return proposals that know only the recording."""
    untaught: Learned = nothing_learned(data.chance, data.partner_chance, len(data.bounds) - 1)
    return untaught


def _begun(
    data: Recording, rules: Rules, n_kept: int, start: Start, rng: np.random.Generator
) -> _Chain:
    """Return a chain before its first move."""
    n_channels, n_regions = data.gain.shape
    scratch = scratch_of(data)
    return _Chain(
        replicas=replicas_at(start, data, rules, scratch),
        place=np.arange(len(start.threshold)),
        scratch=scratch,
        kept=no_draws(n_kept, len(data.bounds) - 1, n_regions, n_channels),
        rng=rng,
    )


def _advanced(
    data: Recording,
    rules: Rules,
    stage: tuple[int, int, int],
    every: int,
    temperatures: Array,
    learned: Learned,
    chain: _Chain,
    seen: Learned,
) -> None:
    """Move a chain through one stage."""
    advance(
        data, rules, stage, every, temperatures, chain.replicas, chain.place, chain.scratch,
        learned, seen, chain.kept, chain.rng,
    )  # fmt: skip
