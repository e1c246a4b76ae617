"""Search for the smallest resection that reaches a target probability of seizure freedom."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from virtualbrain.surgery.candidates import resection
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.outcome import Outcome, simulate_plans
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings

Regions = tuple[str, ...]
# With at least this many choices, simulated annealing follows the greedy search.
MANY_REGIONS = 12
_ANNEALING_DRAWS = 50
_WALKERS, _ROUNDS = 8, 30
_HOT, _COLD = 0.3, 0.01
_COST_OF_A_REGION = 0.02


@dataclass
class Search:
    """Search for the smallest plan; each set of regions is simulated once.

    Parameters
    ----------
    choices : sequence of str
        Regions that may be resected.
    draws : FittedDraws
        The fitted network.
    settings : SurgerySettings
        Target probability, largest size.
    constraints : ResectionConstraints
        Constraints on one operation.
    """

    choices: Sequence[str]
    draws: FittedDraws
    settings: SurgerySettings
    constraints: ResectionConstraints

    def __post_init__(self) -> None:
        self._known: dict[frozenset[str], Outcome] = {}

    @property
    def known(self) -> tuple[Outcome, ...]:
        """The outcomes that were simulated."""
        return tuple(self._known.values())

    def outcomes(self, sets: Iterable[Regions]) -> list[Outcome]:
        """Return the outcomes of the sets that meet the constraints."""
        able = {frozenset(s): s for s in sets if s and self.constraints.allows(s)}
        new = [resection(s) for key, s in able.items() if key not in self._known]
        for outcome in simulate_plans(new, self.draws, self.settings):
            self._known[frozenset(outcome.candidate.regions)] = outcome
        return [self._known[key] for key in able]

    def smallest(self, rng: np.random.Generator) -> Outcome | None:
        """Return the smallest plan found that reaches the target, otherwise the best one.

        Regions are added one by one, exchanged while that improves the plan, and removed if they
        are not needed. With many choices, simulated annealing searches for a better plan.
        """
        best: Outcome | None = None
        while self._incomplete(best) and (grown := self._grown(best)):
            best = self._exchanged(grown)
        if best is None:
            return None
        found = [self._pruned(best)]
        if len(self.choices) >= MANY_REGIONS:
            found += [self._pruned(self._exchanged(o)) for o in self._annealed(best, rng)]
        return min(found, key=self._cost)

    def one_by_one(self, regions: Regions) -> list[Outcome]:
        """Return the outcomes of the plan as its regions are added, the most useful first.

        Stops where the constraints do not allow one of the remaining regions next.
        """
        steps: list[Outcome] = []
        taken: Regions = ()
        while len(taken) < len(regions):
            rest = [region for region in regions if region not in taken]
            best = _best(self.outcomes((*taken, region) for region in rest))
            if best is None:
                break
            steps.append(best)
            taken = best.candidate.regions
        return steps

    def _incomplete(self, best: Outcome | None) -> bool:
        if best is None:
            return True
        small = len(best.candidate.regions) < self.settings.largest
        return small and best.share_free < self.settings.target

    def _grown(self, best: Outcome | None) -> Outcome | None:
        """Return the best plan with one more region, if the constraints allow one."""
        taken = best.candidate.regions if best else ()
        return _best(self.outcomes((*taken, r) for r in self.choices if r not in taken))

    def _exchanged(self, best: Outcome) -> Outcome:
        """Exchange one region for another while that improves the plan."""
        taken = best.candidate.regions
        swaps = (
            tuple(new if region == old else region for region in taken)
            for old in taken
            for new in self.choices
            if new not in taken
        )
        other = _best(self.outcomes(swaps))
        if other is not None and _badness(other) < _badness(best):
            return self._exchanged(other)
        return best

    def _pruned(self, best: Outcome) -> Outcome:
        """Remove regions without which the plan is as good."""
        regions = best.candidate.regions
        smaller = _best(self.outcomes(tuple(r for r in regions if r != out) for out in regions))
        if smaller is None:
            return best
        least = min(self.settings.target, best.share_free)
        as_good = smaller.share_free >= least and (
            least > 0 or smaller.seizing.mean() <= best.seizing.mean()
        )
        return self._pruned(smaller) if as_good else best

    def _cost(self, outcome: Outcome) -> tuple[float, float, float]:
        """Return the sort key: shortfall from the target, number of regions, seizing regions."""
        short = max(0.0, self.settings.target - outcome.share_free)
        return short, float(len(outcome.candidate.regions)), float(outcome.seizing.mean())

    def _annealed(self, start: Outcome, rng: np.random.Generator) -> list[Outcome]:
        """Return the final plans of simulated annealing, simulated on all draws."""
        few = Search(
            self.choices, self.draws.thinned(_ANNEALING_DRAWS, rng), self.settings, self.constraints
        )
        walkers = [start.candidate.regions] * _WALKERS
        energy = few.energies(walkers)
        for temperature in np.geomspace(_HOT, _COLD, _ROUNDS):
            steps = [self._step(walker, rng) for walker in walkers]
            tried = few.energies(steps)
            for i, step in enumerate(steps):
                if rng.random() < np.exp(min(0.0, (energy[i] - tried[i]) / temperature)):
                    walkers[i], energy[i] = step, tried[i]
        return self.outcomes(walkers)

    def energies(self, sets: Sequence[Regions]) -> list[float]:
        """Return the energies of annealing: seizing regions, and a cost per region."""
        found = {frozenset(o.candidate.regions): o for o in self.outcomes(sets)}
        return [_energy(found[frozenset(s)]) if frozenset(s) in found else np.inf for s in sets]

    def _step(self, taken: Regions, rng: np.random.Generator) -> Regions:
        """Add, remove or exchange one region at random."""
        others = [region for region in self.choices if region not in taken]
        moves: list[Callable[[], Regions]] = []
        if others and len(taken) < self.settings.largest:
            moves.append(lambda: (*taken, str(rng.choice(others))))
        if len(taken) > 1:
            moves.append(lambda: _without_one(taken, rng))
        if others:
            moves.append(lambda: (*_without_one(taken, rng), str(rng.choice(others))))
        return moves[int(rng.integers(len(moves)))]() if moves else taken


def _without_one(taken: Regions, rng: np.random.Generator) -> Regions:
    out = int(rng.integers(len(taken)))
    return taken[:out] + taken[out + 1 :]


def _energy(outcome: Outcome) -> float:
    left = float(outcome.seizing.mean()) / len(outcome.p_region)
    size = len(outcome.candidate.regions)
    return 1.0 - outcome.share_free + left + _COST_OF_A_REGION * size


def _badness(outcome: Outcome) -> tuple[float, float]:
    return -outcome.share_free, float(outcome.seizing.mean())


def _best(outcomes: Sequence[Outcome]) -> Outcome | None:
    return min(outcomes, key=lambda o: (*_badness(o), o.candidate.name), default=None)
