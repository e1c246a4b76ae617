"""The fitted network on the nodes of a surface: vertices, then regions without vertices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.cortex.focus import Focus
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.errors import InputError
from virtualbrain.models.reduced_physics import critical_x0, equilibrium
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.network_change import HEALTHY_X0

Array = NDArray[np.float64]

# Distance below the threshold of cortex that does not start seizures, as in virtual surgery.
_BELOW_THRESHOLD = 0.1


@dataclass(frozen=True)
class Nodes:
    """The nodes of a surface and the regions that they belong to.

    Parameters
    ----------
    regions : tuple of str
        Regions of the network: the fitted ones, then those of the surface that were not fitted.
    region : numpy.ndarray of int, shape (n_nodes,)
        Region of each node.
    n_vertices : int
        The first nodes are vertices; the others are regions without vertices.
    """

    regions: tuple[str, ...]
    region: NDArray[np.int64]
    n_vertices: int

    @property
    def names(self) -> NDArray[np.str_]:
        """Name of the region of each node."""
        return np.array(self.regions)[self.region]


def nodes_of(mesh: PatientMesh, fitted: Sequence[str]) -> Nodes:
    """Return the nodes of a surface.

    Raises
    ------
    InputError
        No region of the surface was fitted.
    """
    own = dict.fromkeys(str(name) for name in mesh.cortex.regions)
    if not set(own) & set(fitted):
        raise InputError(
            "no region of the surface was fitted",
            expected="surface and posterior of one atlas",
            hint="run the pipeline again",
        )
    regions = (*fitted, *(name for name in own if name not in set(fitted)))
    place = {name: k for k, name in enumerate(regions)}
    of_vertex = np.array([place[str(name)] for name in mesh.cortex.regions], dtype=np.int64)
    alone = np.setdiff1d(np.arange(len(regions)), of_vertex)
    return Nodes(regions, np.concatenate([of_vertex, alone]), len(of_vertex))


def padded(values: Array, nodes: Nodes, fill: float) -> Array:
    """Return values of the fitted regions (last axis) with a value for regions not fitted."""
    missing = len(nodes.regions) - values.shape[-1]
    widths = [(0, 0)] * (values.ndim - 1) + [(0, missing)]
    return np.pad(values, widths, constant_values=fill)


def padded_weights(weights: Array, nodes: Nodes) -> Array:
    """Return the weights with regions that were not fitted, which have no connection."""
    missing = len(nodes.regions) - len(weights)
    return np.pad(weights, ((0, missing), (0, missing)))


@dataclass(frozen=True)
class States:
    """Excitability and initial states of every draw.

    Parameters
    ----------
    x0, x, z : numpy.ndarray, shape (n_draws, n_nodes)
        Excitability, and the initial states.
    """

    x0: Array
    x: Array
    z: Array


def states_of(
    draws: FittedDraws,
    nodes: Nodes,
    x0: Array | None = None,
    foci: Sequence[Focus] = (),
    only_foci: bool = False,
) -> States:
    """Return what each draw gives every node: the values of its region.

    A focus starts seizures as its region does in the draw, or, if the region does not, as the
    most excitable region of the draw. The rest of the region is put below the threshold. Other
    regions are those of the draw; with `only_foci` they are put below the threshold as well.

    Parameters
    ----------
    draws : FittedDraws
        The fitted network.
    nodes : Nodes
        The surface.
    x0 : numpy.ndarray, shape (n_draws, n_fitted), optional
        Excitability in place of that of the draws, for example after surgery.
    foci : sequence of Focus
        Patches in which seizures start; one without vertices was taken out.
    only_foci : bool
        No seizure starts elsewhere.
    """
    by_region = draws.x0 if x0 is None else x0
    rest = [float(value) for value in equilibrium(HEALTHY_X0)]
    values = [
        padded(part, nodes, fill)[:, nodes.region]
        for part, fill in (
            (by_region, HEALTHY_X0),
            (draws.x_init, rest[0]),
            (draws.z_init, rest[1]),
        )
    ]
    states = States(*values)
    calm = {nodes.regions.index(focus.region) for focus in foci}
    if only_foci:
        calm |= set(range(len(nodes.regions)))
    for region in sorted(calm):
        calm_nodes(states, draws, nodes.region == region)
    for focus in (focus for focus in foci if len(focus.vertices)):
        _place_focus(states, draws, nodes, by_region, focus)
    return states


def calm_nodes(states: States, draws: FittedDraws, own: NDArray[np.bool_]) -> None:
    """Put nodes below the threshold, at rest; those that are below keep their values."""
    calm = critical_x0(draws.tau0, draws.I1) - _BELOW_THRESHOLD
    lower = np.minimum(states.x0[:, own], calm[:, None])
    changed = lower < states.x0[:, own]
    x, z = equilibrium(lower, draws.I1)
    states.x[:, own] = np.where(changed, x, states.x[:, own])
    states.z[:, own] = np.where(changed, z, states.z[:, own])
    states.x0[:, own] = lower


def _place_focus(states: States, draws: FittedDraws, nodes: Nodes, x0: Array, focus: Focus) -> None:
    """Give the vertices of a focus the values of a region that starts seizures."""
    region, every = nodes.regions.index(focus.region), np.arange(draws.n_draws)
    without = ~draws.in_ez.any(axis=1, keepdims=True)  # then the most excitable of all
    model = np.where(draws.in_ez | without, x0, -np.inf).argmax(axis=1)
    if region < x0.shape[1]:
        model = np.where(draws.in_ez[:, region], region, model)
    for target, source in ((states.x0, x0), (states.x, draws.x_init), (states.z, draws.z_init)):
        target[:, focus.vertices] = source[every, model][:, None]
