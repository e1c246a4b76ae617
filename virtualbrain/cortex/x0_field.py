"""Excitability that varies smoothly within each region."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import Nodes, States
from virtualbrain.models.reduced_physics import critical_x0, equilibrium
from virtualbrain.surgery.draws import FittedDraws

Array = NDArray[np.float64]

_WIDTH_MM = 5.0
_TIMES = 3  # of smoothing
_BELOW_THRESHOLD = 0.02


def x0_fields(
    mesh: PatientMesh, nodes: Nodes, n_draws: int, sd: float, rng: np.random.Generator
) -> Array:
    """Draw deviations of x0 from the mean of its region.

    White noise is smoothed three times by a Gauss kernel of 5 mm along the cortex, within each
    region. The mean over the area of a region is 0, so the region keeps its fitted x0.

    Parameters
    ----------
    mesh, nodes
        The surface and its nodes.
    n_draws : int
        Number of fields.
    sd : float
        Standard deviation within a region.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_vertices)
    """
    n, areas = nodes.n_vertices, mesh.cortex.areas_mm2
    smooth = _smoothing(mesh, nodes)
    field = rng.standard_normal((n, n_draws)) / np.sqrt(areas)[:, None]
    for _ in range(_TIMES):
        field = smooth @ field
    members = sparse.csr_array(
        (np.ones(n), (nodes.region[:n], np.arange(n))), shape=(len(nodes.regions), n)
    )
    total = np.maximum(members @ areas, 1e-12)[:, None]

    def by_region(values: Array) -> Array:
        return (members @ (values * areas[:, None]) / total)[nodes.region[:n]]

    field -= by_region(field)
    spread = np.sqrt(by_region(field**2).mean(axis=1, keepdims=True))
    scaled = np.divide(field, spread, out=np.zeros_like(field), where=spread > 1e-12)
    return np.asarray(sd * scaled.T)


def _smoothing(mesh: PatientMesh, nodes: Nodes) -> sparse.csr_array:
    """Return the weights of a mean over nearby cortex of the same region; rows sum to one."""
    pairs, region = sparse.coo_array(mesh.cortex.distances_mm), nodes.region
    same = region[pairs.row] == region[pairs.col]
    row, col, distance = pairs.row[same], pairs.col[same], pairs.data[same]
    every = np.arange(nodes.n_vertices)
    row, col = np.concatenate([row, every]), np.concatenate([col, every])
    distance = np.concatenate([distance, np.zeros(len(every))])
    weight = np.exp(-0.5 * (distance / _WIDTH_MM) ** 2) * mesh.cortex.areas_mm2[col]
    weight /= np.bincount(row, weights=weight)[row]
    return sparse.csr_array((weight, (row, col)), shape=(len(every), len(every)))


def with_field(states: States, draws: FittedDraws, field: Array) -> States:
    """Return states with deviations (n_draws, n_vertices) of x0; what rests stays at rest."""
    n = field.shape[1]
    x0, x, z = (part.copy() for part in (states.x0, states.x, states.z))
    limit = critical_x0(draws.tau0, draws.I1)[:, None] - _BELOW_THRESHOLD
    old_x, old_z = equilibrium(np.minimum(x0[:, :n], limit), draws.I1)
    x0[:, :n] += field
    new_x, new_z = equilibrium(np.minimum(x0[:, :n], limit), draws.I1)
    x[:, :n] += new_x - old_x
    z[:, :n] += new_z - old_z
    return States(x0, x, z)
