r"""Refine where a recorded seizure starts by simulation on the surface.

A growing patch (`virtualbrain.cortex.focus_search`) has a round edge; a seizure of the surface
model runs faster where cortex is excitable, and jumps along the connectome. So seizures are
simulated from places that the patch leaves open. What is not known is drawn for each: size and
excitability of the focus, strength of the local coupling, K, tau0, and how far each region is
below its threshold. In each further round the simulations that fit best are changed a little.

The misfit E of a simulation is that of the patch, least over the start, the pace and the power P of
seizing cortex. Every vertex i that was tried counts with its least misfit, spread over the cortex
around it:

.. math:: p_v \propto a_v \sum_i n_i \exp(-k E_i - |r_v - r_i|^2 / 2 w^2)

with the area a, the tempering k and the distance w; n makes the sum over v of each part one.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.focus import nearest_first
from virtualbrain.cortex.focus_search import (
    FoundFocus,
    GrowthModel,
    SeizureData,
    fraction_left,
    sums_within,
)
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import Nodes, States, padded_weights
from virtualbrain.cortex.settings import CortexSettings
from virtualbrain.models.cortex import Cortex
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.models.parallel import usable_cores
from virtualbrain.models.reduced_physics import X0_PER_INPUT, critical_x0, equilibrium
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.surgery.draws import FittedDraws

Array = NDArray[np.float64]

_FARTHEST_MM = 40.0


@dataclass(frozen=True)
class SimulatedSearch:
    """Numbers of the search by simulation.

    Ranges are those of what is drawn. Chosen on synthetic foci, as the numbers of the patch are
    (`tests/benchmarks/measure_cortex.py focus`).

    Parameters
    ----------
    rounds, runs : int
        Rounds, and simulations in each.
    parents : int
        So many of the best simulations are changed in each further round.
    flatter : float
        Places of the first round are drawn with the probability of the patch to this power.
    first_mm, later_mm : float
        Places lie within this distance of those drawn from the patch, and of the parents.
    change : float
        Standard deviation of a change, as a fraction of the range.
    redrawn : float
        Fraction of the regions whose excitability is drawn again in a change.
    area_cm2 : tuple of float
        Area of the focus.
    above, below, elsewhere : tuple of float
        Distance of x0 from the threshold: above it in the focus, below it in the region of the
        focus and in the other regions.
    local : tuple of float
        Strength of the local coupling.
    K, tau0 : tuple of float
        Coupling of the regions, and time-scale separation; their logarithms are drawn.
    shifts_s : tuple of float
        Seconds from the marked onset to the first onset of the simulation.
    paces : tuple of float
        Factors of time.
    tempering : float
        Factor k of the misfit.
    width_mm : float
        Distance w.
    """

    rounds: int = 4
    runs: int = 120
    parents: int = 15
    flatter: float = 0.3
    first_mm: float = 8.0
    later_mm: float = 6.0
    change: float = 0.12
    redrawn: float = 0.2
    area_cm2: tuple[float, float] = (1.0, 4.0)
    above: tuple[float, float] = (0.2, 0.7)
    below: tuple[float, float] = (0.0, 0.1)
    elsewhere: tuple[float, float] = (0.03, 0.5)
    local: tuple[float, float] = (0.5, 1.5)
    K: tuple[float, float] = (0.5, 10.0)
    tau0: tuple[float, float] = (10.0, 40.0)
    shifts_s: tuple[float, ...] = (-1.0, 0.0, 1.0, 2.0)
    paces: tuple[float, ...] = (0.85, 1.0, 1.2)
    tempering: float = 0.03
    width_mm: float = 3.0


_DRAWN = ("area_cm2", "above", "below", "local", "K", "tau0")
_POSITIVE = ("K", "tau0")


@dataclass(frozen=True)
class Guess:
    """A simulated seizure: where it starts, and what is not known.

    Parameters
    ----------
    vertex : int
        Middle of the focus.
    numbers : numpy.ndarray, shape (6,)
        Place of each drawn number in its range, 0 to 1.
    regions : numpy.ndarray, shape (n_regions,)
        Place of each region's excitability in its range, 0 to 1.
    """

    vertex: int
    numbers: Array
    regions: Array


@dataclass(frozen=True)
class FocusSimulator:
    """Simulates guesses on the surface of a patient.

    Parameters
    ----------
    mesh : PatientMesh
        The surface.
    nodes : Nodes
        Its nodes.
    draws : FittedDraws
        The fit, which gives weights and times.
    kernel : LocalKernel
        Local kernel of integral 1.
    settings : CortexSettings
        Step and samples.
    search : SimulatedSearch
        Ranges.
    """

    mesh: PatientMesh
    nodes: Nodes
    draws: FittedDraws
    kernel: LocalKernel
    settings: CortexSettings
    search: SimulatedSearch

    def onsets(self, guesses: Sequence[Guess]) -> Array:
        """Return the onset of every node in every guess, shape (n_guesses, n_nodes)."""
        values = [self._values(guess) for guess in guesses]
        draws = replace(
            self.draws,
            K=np.array([one["K"] for one in values]),
            tau0=np.array([one["tau0"] for one in values]),
        )
        parts = [self._states(guess, one) for guess, one in zip(guesses, values, strict=True)]
        states = States(*(np.array(part) for part in zip(*parts, strict=True)))
        model = Simulator(self.mesh, self.nodes, draws, states, self.kernel, self.settings)
        _ = model.local  # once, before the threads

        def onset(number: int) -> Array:
            run = model.draw(number, (), values[number]["local"], n_threads=1)
            return np.asarray(run["onset_s"].to_numpy())

        # One thread for each simulation: threads of one would wait for each other at every step.
        with ThreadPoolExecutor(usable_cores()) as pool:
            return np.array(list(pool.map(onset, range(len(values)))))

    def _values(self, guess: Guess) -> dict[str, float]:
        """Return the drawn numbers by name."""
        values = {}
        for name, place in zip(_DRAWN, guess.numbers, strict=True):
            low, high = getattr(self.search, name)
            positive = name in _POSITIVE
            one = _within((np.log(low), np.log(high)) if positive else (low, high), place)
            values[name] = float(np.exp(one) if positive else one)
        return values

    def _states(self, guess: Guess, values: dict[str, float]) -> tuple[Array, Array, Array]:
        """Return x0, x and z of every node: at rest, with the focus above the threshold."""
        region, rest_current = self.nodes.region, self.draws.I1
        limit = float(critical_x0(values["tau0"], rest_current))
        x0 = limit - _within(self.search.elsewhere, guess.regions)
        x0[region[guess.vertex]] = limit - values["below"]
        x, z = equilibrium(x0, rest_current)
        weights = padded_weights(self.draws.weights, self.nodes)
        input_at_rest = weights @ x - weights.sum(axis=1) * x
        by_node = x0[region]
        by_node[_around(self.mesh.cortex, guess.vertex, values["area_cm2"])] = (
            limit + values["above"]
        )
        by_node -= X0_PER_INPUT * values["K"] * input_at_rest[region]
        return by_node, x[region], z[region]


def _within(limits: tuple[float, float], place: Array | float) -> Array:
    low, high = limits
    return np.asarray(low + (high - low) * np.asarray(place))


def _around(cortex: Cortex, vertex: int, area_cm2: float) -> NDArray[np.int64]:
    """Return the vertices of a patch; less where there is no more cortex."""
    distance = csgraph.dijkstra(cortex.distances_mm, indices=vertex, limit=_FARTHEST_MM)
    order, area = nearest_first(cortex, distance)
    return order[: int(np.searchsorted(area, area_cm2)) + 1]


@dataclass(frozen=True)
class Match:
    """A simulation beside the recordings, with the start, pace and power that fit best.

    Parameters
    ----------
    misfit : float
        Summed over the seizures; infinite if nothing seizes.
    seizing : tuple of numpy.ndarray of int, shape (n_bins,)
        Number of nodes that seize in each bin of each seizure, those with the first onsets.
    modelled : tuple of numpy.ndarray, shape (n_bins, n_channels)
        Log power of each seizure.
    """

    misfit: float
    seizing: tuple[NDArray[np.int64], ...] = ()
    modelled: tuple[Array, ...] = ()


def match(
    onset_s: Array,
    gain: Array,
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    search: SimulatedSearch,
) -> Match:
    """Compare a simulated seizure with the recorded ones.

    Parameters
    ----------
    onset_s : numpy.ndarray, shape (n_nodes,)
        Onsets; NaN where a node does not seize.
    gain : numpy.ndarray, shape (n_channels, n_nodes)
        Rows sum to one.
    seizures : sequence of SeizureData
        The recordings.
    model : GrowthModel
        Powers and the bound of the misfit.
    search : SimulatedSearch
        Starts and paces.
    """
    order = _by_onset(onset_s)
    if not len(order):
        return Match(float("inf"))
    after = onset_s[order] - onset_s[order[0]]
    shares = np.vstack([np.zeros(len(gain)), np.cumsum(gain[:, order], axis=1).T])
    starts = [(pace, shift) for pace in search.paces for shift in search.shifts_s]
    powers = np.expm1(model.log_powers)[:, None, None, None]
    summed, seizing, modelled = 0.0, [], []
    for data in seizures:
        begun = np.array(
            [
                np.searchsorted(after * pace + shift, data.middle_s, side="right")
                for pace, shift in starts
            ]
        )
        power = np.log1p(powers * shares[begun])  # (power, start, bin, channel)
        apart = (data.log_power - power) ** 2 * (0.5 / data.variance)
        misfit = np.minimum(apart, model.most).sum(axis=(2, 3))
        best = np.unravel_index(misfit.argmin(), misfit.shape)
        summed += float(misfit[best])
        seizing.append(begun[best[1]])
        modelled.append(power[best])
    return Match(summed, tuple(seizing), tuple(modelled))


def _by_onset(onset_s: Array) -> NDArray[np.int64]:
    """Return the nodes that seize in the order of their onsets."""
    return np.argsort(onset_s, kind="stable")[: int(np.isfinite(onset_s).sum())]


def refine_focus(
    simulator: FocusSimulator,
    gain: Array,
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    found: FoundFocus,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> FoundFocus:
    """Return the focus with the probabilities that simulations on the surface give.

    It is not supported if the best simulation explains less than a fifth of the recording.

    Parameters
    ----------
    simulator : FocusSimulator
        Surface, fit and ranges.
    gain : numpy.ndarray, shape (n_channels, n_nodes)
        Of `virtualbrain.cortex.channels.channel_gain`.
    seizures : sequence of SeizureData
        The recordings.
    model : GrowthModel
        Numbers of the misfit.
    found : FoundFocus
        Of `virtualbrain.cortex.focus_search.search_focus`.
    rng : numpy.random.Generator
        Random numbers.
    progress : callable, optional
        Called with the fraction done.

    Raises
    ------
    ModelError
        The mesh is too coarse for the kernel, or a step is unstable.
    """
    guesses, misfit, onset_s = _simulated(simulator, gain, seizures, model, found, rng, progress)
    cortex, search = simulator.mesh.cortex, simulator.search
    if not np.isfinite(misfit).any():
        return found
    probability = probability_of(cortex, [one.vertex for one in guesses], misfit, search)
    near = sums_within(cortex.vertices_mm, model.near_mm, probability)
    best = match(onset_s, gain, seizures, model, search)
    left = fraction_left(
        [(data.log_power, one) for data, one in zip(seizures, best.modelled, strict=True)]
    )
    areas = np.pad(cortex.areas_mm2, (0, len(onset_s) - cortex.n_vertices)) / 100.0
    area = np.cumsum([0.0, *areas[_by_onset(onset_s)]])
    return replace(
        found,
        probability=probability,
        near=near,
        vertex=int(near.argmax()),
        seizing_cm2=tuple(area[count] for count in best.seizing),
        left=left,
        supported=found.supported and left <= model.most_left_alone,
        simulations=len(guesses),
    )


def _simulated(
    simulator: FocusSimulator,
    gain: Array,
    seizures: Sequence[SeizureData],
    model: GrowthModel,
    found: FoundFocus,
    rng: np.random.Generator,
    progress: Progress | None,
) -> tuple[list[Guess], Array, Array]:
    """Return every simulated guess, its misfit, and the onsets of the best one."""
    search, tree = simulator.search, cKDTree(simulator.mesh.cortex.vertices_mm)
    n_regions = len(simulator.nodes.regions)
    guesses: list[Guess] = []
    misfit, best_onset_s = np.zeros(0), np.zeros(0)
    for number in range(search.rounds):
        if number == 0:
            new = first_guesses(found, tree, n_regions, search, rng)
        else:
            best = [guesses[k] for k in np.argsort(misfit, kind="stable")[: search.parents]]
            new = [changed(best, tree, search, rng) for _ in range(search.runs)]
        onsets = simulator.onsets(new)
        scores = np.array([match(one, gain, seizures, model, search).misfit for one in onsets])
        if scores.min() < misfit.min(initial=np.inf):
            best_onset_s = onsets[scores.argmin()]
        guesses, misfit = guesses + new, np.concatenate([misfit, scores])
        if progress is not None:
            progress((number + 1) / search.rounds)
    return guesses, misfit, best_onset_s


def first_guesses(
    found: FoundFocus,
    tree: cKDTree,
    n_regions: int,
    search: SimulatedSearch,
    rng: np.random.Generator,
) -> list[Guess]:
    """Draw guesses around the places that the patch leaves open."""
    flat = found.probability**search.flatter
    places = rng.choice(len(flat), search.runs, p=flat / flat.sum())
    return [
        Guess(
            _nearby(tree, int(place), search.first_mm, rng),
            rng.random(len(_DRAWN)),
            rng.random(n_regions),
        )
        for place in places
    ]


def changed(
    best: Sequence[Guess], tree: cKDTree, search: SimulatedSearch, rng: np.random.Generator
) -> Guess:
    """Draw one of the best guesses, the first ones more often, and change it."""
    parent = best[min(int(rng.exponential(len(best) / 3)), len(best) - 1)]
    numbers = parent.numbers + rng.normal(0.0, search.change, len(parent.numbers))
    again = rng.random(len(parent.regions)) < search.redrawn
    return Guess(
        _nearby(tree, parent.vertex, search.later_mm, rng),
        np.clip(numbers, 0.0, 1.0),
        np.where(again, rng.random(len(again)), parent.regions),
    )


def _nearby(tree: cKDTree, vertex: int, distance: float, rng: np.random.Generator) -> int:
    return int(rng.choice(tree.query_ball_point(tree.data[vertex], distance)))


def probability_of(
    cortex: Cortex, vertices: Sequence[int], misfit: Array, search: SimulatedSearch
) -> Array:
    """Return the probability of every vertex, which sums to one."""
    least = np.full(cortex.n_vertices, np.inf)
    np.minimum.at(least, np.asarray(vertices), misfit)
    tried = np.flatnonzero(np.isfinite(least))
    weight = np.exp(-search.tempering * (least[tried] - least[tried].min()))
    found = np.zeros(cortex.n_vertices)
    for vertex, share in zip(tried, weight / weight.sum(), strict=True):
        apart = ((cortex.vertices_mm - cortex.vertices_mm[vertex]) ** 2).sum(axis=1)
        around = cortex.areas_mm2 * np.exp(-apart / (2 * search.width_mm**2))
        found += share * around / around.sum()
    return found
