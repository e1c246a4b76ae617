"""Disconnection plans: by linear stability, by modules, of a tract, of the corpus callosum."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.stability import linear_stability
from virtualbrain.network import Network
from virtualbrain.surgery.candidates import Candidate, Edge
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.network_change import positions

Array = NDArray[np.float64]
EDGE_COUNTS = (5, 10, 20)


def connections_between(
    one: Collection[str], other: Collection[str], regions: Sequence[str], weights: Array
) -> tuple[Edge, ...]:
    """Return the connections between two groups of regions, each once.

    Raises
    ------
    ModelError
        The network has no such region.
    """
    place = dict(zip((*one, *other), positions((*one, *other), regions), strict=True))
    pairs = {
        (min(a, b), max(a, b))
        for a in one
        for b in other
        if a != b and weights[place[a], place[b]] + weights[place[b], place[a]] > 0
    }
    return tuple(sorted(pairs))


def tract_plan(
    name: str, one: Collection[str], other: Collection[str], regions: Sequence[str], weights: Array
) -> Candidate:
    """Return the plan that cuts all connections between two groups of regions.

    Raises
    ------
    ModelError
        There is no connection between them, or a region is unknown.
    """
    return Candidate(name, "disconnection", edges=connections_between(one, other, regions, weights))


def callosotomy(regions: pd.DataFrame, weights: Array) -> Candidate:
    """Return the plan that cuts all connections between left and right cortex.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table in the order of the weights: ``name``, ``hemisphere`` (L or R) and, if
        known, ``structure``.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights.

    Raises
    ------
    ModelError
        Hemispheres are unknown, or there is no interhemispheric connection.
    """
    cortex = regions[regions["structure"] == "cortex"] if "structure" in regions else regions
    if "hemisphere" not in regions:
        raise ModelError(
            "callosotomy needs the hemisphere of every region", expected="a column hemisphere"
        )
    left, right = (cortex.loc[cortex["hemisphere"] == side, "name"].tolist() for side in "LR")
    return tract_plan("callosotomy", left, right, regions["name"].tolist(), weights)


def plans_by_stability(
    leading: Sequence[str], draws: FittedDraws, counts: Sequence[int] = EDGE_COUNTS
) -> list[Candidate]:
    """Return plans that cut the connections along which the seizure spreads (Olmi 2019).

    The network is linearised at rest at the draws' mean. Connections of the leading regions are
    ordered by weight times the propagation strength of the region at their other end.
    """
    strength = propagation_strength(draws)
    place = {name: i for i, name in enumerate(draws.regions)}
    others = [name for name in draws.regions if name not in set(leading)]
    edges = connections_between(leading, others, draws.regions, draws.weights)

    def pull(edge: Edge) -> float:
        start, end = (place[name] for name in sorted(edge, key=lambda name: name not in leading))
        return float(draws.weights[end, start] * strength[end])

    ordered = sorted(edges, key=lambda edge: (-pull(edge), edge))
    return [
        Candidate(
            f"cut {count} connections by linear stability",
            "disconnection",
            edges=tuple(ordered[:count]),
        )
        for count in counts
        if count <= len(ordered)
    ]


def propagation_strength(draws: FittedDraws) -> Array:
    """Return the propagation strength of each region, from the network at rest."""
    network = Network(draws.weights, regions=draws.regions)
    found = linear_stability(
        network, draws.x0.mean(axis=0), float(draws.K.mean()), tau0=float(draws.tau0.mean())
    )
    return found.propagation_strength


def module_plan(leading: Sequence[str], draws: FittedDraws, seed: int) -> list[Candidate]:
    """Return the plan that disconnects the leading regions' modules from the others (An 2019).

    Modules are communities of the connectome by the Louvain method; no plan if all regions are in
    one module.
    """
    import networkx as nx  # slow to import

    # Sorted by name: the result must not depend on the order of the table.
    names = sorted(draws.regions)
    place = positions(names, draws.regions)
    weights = draws.weights[np.ix_(place, place)]
    graph = nx.relabel_nodes(nx.from_numpy_array(weights + weights.T), dict(enumerate(names)))
    modules = nx.community.louvain_communities(graph, weight="weight", seed=seed)
    inside = set().union(*(module for module in modules if module & set(leading)))
    edges = connections_between(inside, set(draws.regions) - inside, draws.regions, draws.weights)
    return (
        [Candidate("disconnect the modules of the focus", "disconnection", edges=edges)]
        if edges
        else []
    )
