"""Search for the smallest resection that leaves a stated share of the draws without a seizure.

A resection is a union of places in which seizures start, grown by one margin. A place is the part
of a region that starts seizures in some draws: a stated focus, the whole region, or a nucleus.
First it is simulated in which draws each place seizes alone; a union that leaves such a place in
too many draws is not tried. Plans are simulated from the smallest volume on; the first that reaches
the share is then shrunk as long as it does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph

from virtualbrain.cortex.ensemble import Ensemble, Simulator
from virtualbrain.cortex.focus import Focus
from virtualbrain.cortex.network import States, calm_nodes, states_of
from virtualbrain.cortex.resection import Operated, Surgery, operated
from virtualbrain.cortex.x0_field import with_field
from virtualbrain.errors import InputError, ModelError
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.models.simulation_worker import Progress
from virtualbrain.surgery.network_change import Change
from virtualbrain.surgery.outcome import remaining_x0

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

MARGINS_MM = (0.0, 3.0, 6.0, 10.0)
"""Margins by which the places are grown."""
SHRUNK_MM = (-2.0, -4.0, -6.0)
"""Margins by which the first union that works is shrunk."""
MOST_PLANS = 24
"""Resections that are simulated at most before one works."""
_MOST_PLACES = 10  # the most frequent ones; unions of these are searched


@dataclass(frozen=True)
class Smallest:
    """The smallest resection of a search.

    Parameters
    ----------
    surgery : Surgery
        The resection.
    operated : Operated
        The model after it.
    places : tuple of str
        Regions whose places of onset it holds.
    margin_mm : float
        Margin around the places; below zero: they are shrunk.
    area_cm2, volume_cm3 : float
        Cortex that is taken out, and its volume with the thickness of the cortex and nuclei.
    centre_mm : tuple of float or None
        Middle of the cortex that is taken out, scanner RAS; None if nuclei alone are taken.
    radius_mm : float
        Largest distance of what is taken out from its middle, in a straight line.
    share_free : float
        Share of draws without a seizure.
    plans, simulations : int
        Resections that were tried, and draws that were simulated for it.
    """

    surgery: Surgery
    operated: Operated
    places: tuple[str, ...]
    margin_mm: float
    area_cm2: float
    volume_cm3: float
    centre_mm: tuple[float, float, float] | None
    radius_mm: float
    share_free: float
    plans: int
    simulations: int


@dataclass(frozen=True)
class Place:
    """Part of a region in which seizures start.

    Parameters
    ----------
    region : str
        The region.
    vertices : numpy.ndarray of int
        Its vertices that start seizures in any draw; empty for a nucleus.
    draws : numpy.ndarray of bool, shape (n_draws,)
        Draws in which it seizes alone, so that no resection that leaves it is enough.
    """

    region: str
    vertices: NDArray[np.int64]
    draws: Flags


@dataclass(frozen=True)
class Plan:
    """A resection of the search: its places, margin, and volume."""

    union: tuple[Place, ...]
    margin_mm: float
    surgery: Surgery
    volume_cm3: float


@dataclass
class Search:
    """What the plans of a search have in common, and what was simulated so far.

    Parameters
    ----------
    simulator : Simulator
        The model before surgery.
    share : float
        Least share of draws without a seizure.
    foci : sequence of Focus
        As they were given to the model.
    gone_share : float
        As of `operated`.
    thickness_mm : float
        Thickness of the cortex.
    nuclei_cm3 : mapping of str to float
        Volume of regions without vertices.
    """

    simulator: Simulator
    share: float
    foci: Sequence[Focus] = ()
    gone_share: float = 0.5
    thickness_mm: float = 2.5
    nuclei_cm3: Mapping[str, float] = field(default_factory=dict)
    plans: int = 0
    simulations: int = 0

    def plan(self, union: tuple[Place, ...], margin_mm: float) -> Plan:
        """Return the resection of places with a margin; nuclei are taken whole."""
        together = np.concatenate([place.vertices for place in union])
        vertices = np.flatnonzero(_grown(self.simulator, together, margin_mm))
        nuclei = tuple(place.region for place in union if not len(place.vertices))
        area = float(self.simulator.mesh.cortex.areas_mm2[vertices].sum())
        volume = area * self.thickness_mm / 1000.0
        volume += sum(self.nuclei_cm3.get(name, 0.0) for name in nuclei)
        return Plan(union, margin_mm, Surgery(regions=nuclei, vertices=vertices.tolist()), volume)

    def result(self, plan: Plan) -> tuple[Operated, float] | None:
        """Simulate a plan; None if it does not reach the share.

        The simulation ends when too many draws have seized.
        """
        taken = dict.fromkeys(plan.surgery.regions, 1.0)
        after = operated(self.simulator, plan.surgery, taken, self.foci, self.gone_share)
        n, seized = self.simulator.draws.n_draws, 0
        allowed = n - int(np.ceil(self.share * n - 1e-9))
        self.plans += 1
        for number in range(n):
            seized += _seizes(after.simulator, number)
            self.simulations += 1
            if seized > allowed:
                return None
        return after, 1.0 - seized / n


def require_share(share: float) -> None:
    """Raise an error if a share is none.

    Raises
    ------
    InputError
        Not above 0, or above 1.
    """
    if not 0.0 < share <= 1.0:
        raise InputError(
            f"--smallest-resection {share:g}", expected="a share of the draws above 0 and up to 1"
        )


def smallest_resection(
    search: Search, before: Ensemble, progress: Progress | None = None
) -> Smallest:
    """Search the smallest resection after which a share of the draws has no seizure.

    Parameters
    ----------
    search : Search
        The model and the share.
    before : Ensemble
        Seizures before surgery.
    progress : callable, optional
        Called with the share of `MOST_PLANS` that was tried.

    Raises
    ------
    InputError
        The share is not above 0 and at most 1.
    ModelError
        No tried resection reaches the share, or it is reached without one.
    """
    require_share(search.share)
    if before.share_free >= search.share:
        raise ModelError(
            f"{before.share_free:.0%} of the draws have no seizure before surgery",
            expected=f"fewer than {search.share:.0%}, the share that is wanted",
        )
    for plan in _plans(search, places_of_onset(search, before)):
        found = search.result(plan)
        if progress is not None:
            progress(search.plans / MOST_PLANS)
        if found is not None:
            return _described(search, *_shrunk(search, plan, found))
        if search.plans >= MOST_PLANS:
            break
    raise ModelError(
        f"none of {search.plans} resections leaves {search.share:.0%} of the draws without a "
        "seizure",
        hint="state a smaller share, or a focus as a hypothesis",
    )


def _shrunk(
    search: Search, plan: Plan, found: tuple[Operated, float]
) -> tuple[Plan, tuple[Operated, float]]:
    """Return the smallest shrunk plan that still works."""
    if plan.margin_mm > 0:
        return plan, found
    for margin in SHRUNK_MM:
        smaller = search.plan(plan.union, margin)
        if not smaller.surgery:
            break
        if smaller.volume_cm3 >= plan.volume_cm3:
            continue  # thinner than a vertex
        result = search.result(smaller)
        if result is None:
            break
        plan, found = smaller, result
    return plan, found


def _described(search: Search, plan: Plan, found: tuple[Operated, float]) -> Smallest:
    after, free = found
    centre, radius = _extent(search.simulator, plan.surgery)
    return Smallest(
        surgery=plan.surgery,
        operated=after,
        places=tuple(place.region for place in plan.union),
        margin_mm=plan.margin_mm,
        area_cm2=after.removed_cm2,
        volume_cm3=plan.volume_cm3,
        centre_mm=centre,
        radius_mm=radius,
        share_free=free,
        plans=search.plans,
        simulations=search.simulations,
    )


def places_of_onset(search: Search, before: Ensemble) -> list[Place]:
    """Return the places in which seizures start, the most frequent first.

    A node may start a seizure in a draw if it seizes and its excitability, as after a resection of
    all other EZ regions, is above the threshold. In a draw without such a node, the first that
    seizes may. Of the draws of a place, those are kept in which it seizes alone.
    """
    draws, nodes = search.simulator.draws, search.simulator.nodes
    above = _states(search).x0 > critical_x0(draws.tau0, draws.I1)[:, None]
    starts = above & before.seizes
    onset = np.where(before.seizes, before.onset_s, np.inf)
    first = (onset <= onset.min(axis=1, keepdims=True)) & before.seizes
    starts |= first & ~starts.any(axis=1, keepdims=True)
    found = []
    for k, region in enumerate(nodes.regions):
        own = nodes.region == k
        active = starts & own
        if active.any():
            used = np.flatnonzero(active.any(axis=0))
            alone = _seizes_alone(search, own, np.flatnonzero(active.any(axis=1)))
            found.append(Place(region, used[used < nodes.n_vertices], alone))
    return sorted(found, key=lambda place: (-int(place.draws.sum()), place.region))


def _states(search: Search) -> States:
    """Return the states without the input of any EZ region; EZ regions keep their excitability."""
    simulator, draws = search.simulator, search.simulator.draws
    ones = np.ones(len(draws.regions))
    x0 = remaining_x0(draws, Change(ones, ones > 0, ones < 0, draws.weights, np.zeros_like(ones)))
    states = states_of(draws, simulator.nodes, x0, search.foci, simulator.only_foci)
    return states if simulator.field is None else with_field(states, draws, simulator.field)


def _seizes_alone(search: Search, own: Flags, which: NDArray[np.int64]) -> Flags:
    """Return in which draws a region seizes while all others are below the threshold.

    What it receives from the other places is lost, so such a draw seizes after every resection
    that leaves the place.
    """
    states, simulator = _states(search), search.simulator
    calm_nodes(states, simulator.draws, ~own)
    alone = replace(simulator, states=states)
    found = np.zeros(simulator.draws.n_draws, dtype=bool)
    for number in which:
        found[number] = _seizes(alone, int(number))
        search.simulations += 1
    return found


def _plans(search: Search, places: Sequence[Place]) -> Iterator[Plan]:
    """Return plans that may be enough, the smallest volume first."""
    starts = np.array([place.draws for place in places])
    picks = chain.from_iterable(
        combinations(range(min(len(places), _MOST_PLACES)), count)
        for count in range(1, _MOST_PLACES + 1)
    )
    unions = [
        tuple(places[k] for k in picked)
        for picked in picks
        if (~np.delete(starts, picked, axis=0).any(axis=0)).mean() >= search.share
    ]
    whole = sorted((search.plan(union, 0.0) for union in unions), key=lambda one: one.volume_cm3)
    # A larger union needs no margin before all smaller ones had theirs.
    few = [plan.union for plan in whole[:MOST_PLANS]]
    found = [
        search.plan(union, margin)
        for union in few
        for margin in MARGINS_MM
        if margin == 0 or any(len(place.vertices) for place in union)
    ]
    return iter(sorted(found, key=lambda one: one.volume_cm3))


def _grown(simulator: Simulator, vertices: NDArray[np.int64], margin_mm: float) -> Flags:
    """Return a patch grown, or shrunk from its border, by a geodesic margin."""
    cortex = simulator.mesh.cortex
    inside = np.zeros(cortex.n_vertices, dtype=bool)
    inside[vertices] = True
    if margin_mm == 0 or not len(vertices):
        return inside
    source = np.flatnonzero(inside if margin_mm > 0 else ~inside)
    if not len(source):
        return inside
    away = csgraph.dijkstra(
        cortex.distances_mm, indices=source, limit=abs(margin_mm), min_only=True
    )
    reached = np.isfinite(away)
    return np.asarray(reached if margin_mm > 0 else ~reached)


def _seizes(simulator: Simulator, number: int) -> bool:
    """Return whether anything seizes in a draw."""
    onset = simulator.draw(number)["onset_s"].to_numpy()
    counted = True if simulator.gone is None else ~simulator.gone
    return bool((np.isfinite(onset) & counted).any())


def _extent(
    simulator: Simulator, surgery: Surgery
) -> tuple[tuple[float, float, float] | None, float]:
    """Return the middle of the cortex that is taken out, and the farthest distance from it."""
    if not len(surgery.vertices):
        return None, 0.0
    own = list(surgery.vertices)
    points, areas = simulator.mesh.cortex.vertices_mm[own], simulator.mesh.cortex.areas_mm2[own]
    centre = np.average(points, axis=0, weights=areas)
    x, y, z = (float(value) for value in centre)
    return (x, y, z), float(np.linalg.norm(points - centre, axis=1).max())
