r"""Transform the density to coordinates in which the posterior is nearly round.

NUTS takes long steps in such coordinates. There are two changes of coordinates.

The first replaces x0 of each region by x of its rest state, the solution of

.. math:: x^3 + 2 x^2 + 4 x - 1 - I_1 = 4 x_0.

A channel records x of a silent region. So combinations of regions that the gain cannot
distinguish lie on straight lines in x at rest, and on curves in x0.

The second is linear: the curvature at the mode becomes the identity.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.density import Density
from inference.initialisation import climb
from virtualbrain.models.reduced_physics import equilibrium, rest_x0

Array = NDArray[np.float64]

# Below this x at rest the map is continued as a line. Without it x0 would fall so steeply with x
# that the prior alone would force short steps.
STRAIGHT_BELOW = -2.4
# In units of the curvature of the prior.
LEAST_CURVATURE = 0.3


def excitability_of(x: Array) -> tuple[Array, Array, Array]:
    """Return x0 of regions that rest at `x`, its derivative d, and the derivative of log d."""
    kept = np.maximum(x, STRAIGHT_BELOW)
    x0, slope = rest_x0(kept)
    x0 = x0 + slope * (x - kept)
    bend = np.where(x > STRAIGHT_BELOW, (6.0 * kept + 4.0) / (4.0 * slope), 0.0)
    return x0, slope, bend


def resting_x(x0: Array) -> Array:
    """Return x of uncoupled regions at rest: the inverse of `excitability_of`."""
    lowest, slope, _ = excitability_of(np.array(STRAIGHT_BELOW))
    return np.asarray(equilibrium(np.maximum(x0, lowest))[0] + np.minimum(x0 - lowest, 0.0) / slope)


@dataclass(frozen=True)
class Rounded:
    """A density around a mode, in coordinates in which it is nearly standard normal.

    Parameters
    ----------
    density : Density
        The log density in standardised coordinates.
    centre : numpy.ndarray, shape (size,)
        The mode, with x at rest in place of x0.
    root : numpy.ndarray, shape (size, size)
        Symmetric square root of the inverse curvature at the mode.
    log_evidence : float
        Log evidence of the mode by Laplace's approximation, up to a constant that is the same for
        all modes of a density.
    """

    density: Density
    centre: Array
    root: Array
    log_evidence: float

    def point(self, move: Array) -> Array:
        """Return the standardised vector of the point at `move` from the mode."""
        return to_point(self.density, self.centre + self.root @ move)

    def __call__(self, move: Array) -> tuple[float, Array]:
        """Return log density and gradient at `move` from the mode, Jacobian included."""
        value, slope = rest_density(self.density, self.centre + self.root @ move)
        return value, self.root @ slope


def to_point(density: Density, rested: Array) -> Array:
    """Return the standardised vector of one that holds x at rest in place of x0."""
    point = rested.copy()
    where, centre, scale = _x0_part(density)
    point[where] = (excitability_of(rested[where])[0] - centre) / scale
    return point


def to_rested(density: Density, point: Array) -> Array:
    """Return the inverse of `to_point`."""
    rested = point.copy()
    where, centre, scale = _x0_part(density)
    rested[where] = resting_x(centre + scale * point[where])
    return rested


def rest_density(density: Density, rested: Array) -> tuple[float, Array]:
    """Return log density and gradient in x at rest, with the Jacobian of the map."""
    where, centre, scale = _x0_part(density)
    x0, slope, bend = excitability_of(rested[where])
    point = rested.copy()
    point[where] = (x0 - centre) / scale
    value, gradient = density(point)
    gradient[where] = gradient[where] * slope / scale + bend
    return value + float(np.log(slope).sum()), gradient


def rounded_about(density: Density, point: Array, n_iterations: int = 500) -> Rounded:
    """Find the mode near a standardised vector and transform the density by its curvature.

    Curvatures below `LEAST_CURVATURE` are replaced by it.
    """
    mode = climb(
        lambda rested: rest_density(density, rested), to_rested(density, point), n_iterations, 30
    )
    eigenvalues, vectors = np.linalg.eigh(-hessian(density, mode.point))
    spread = 1.0 / np.sqrt(np.maximum(eigenvalues, LEAST_CURVATURE))
    log_evidence = mode.value + float(np.log(spread).sum())
    return Rounded(density, mode.point, (vectors * spread) @ vectors.T, log_evidence)


def hessian(density: Density, rested: Array, step: float = 1e-4) -> Array:
    """Return the Hessian of `rest_density` by finite differences of its gradient, symmetrised."""
    size = len(rested)
    rows = np.empty((size, size))
    for i in range(size):
        shift = np.zeros(size)
        shift[i] = step
        above = rest_density(density, rested + shift)[1]
        rows[i] = (above - rest_density(density, rested - shift)[1]) / (2 * step)
    return (rows + rows.T) / 2


def _x0_part(density: Density) -> tuple[slice, Array, Array]:
    where = density.layout.slices["x0"]
    return where, density.layout.centre[where], density.layout.scale[where]
