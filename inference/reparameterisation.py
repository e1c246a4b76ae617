r"""Coordinates in which the posterior is nearly round: NUTS takes long steps in them.

What a channel sees of a silent region is its resting x, and x rests where

.. math:: x^3 + 2 x^2 + 4 x - 1 - I_1 = 4 x_0,

so directions in which the gain is blind are straight in the resting x and curved in x0. The
first change of coordinates is therefore from x0 to the resting x, region by region; the second
is linear, by the curvature at the mode.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.density import Density
from inference.initialisation import climb
from inference.kernels import I1
from virtualbrain.models.stability import equilibrium

Array = NDArray[np.float64]

# Below this resting x the map is continued as a line: further down, x0 falls so steeply with x
# that the prior alone would dictate short steps.
STRAIGHT_BELOW = -2.4
# In units of the prior's curvature.
LEAST_CURVATURE = 0.3


def excitability_of(x: Array) -> tuple[Array, Array, Array]:
    """Return x0 of regions that rest at `x`, its slope, and the slope of its slope's logarithm."""
    kept = np.maximum(x, STRAIGHT_BELOW)
    slope = (3.0 * kept**2 + 4.0 * kept + 4.0) / 4.0
    x0 = (kept**3 + 2.0 * kept**2 + 4.0 * kept - 1.0 - I1) / 4.0 + slope * (x - kept)
    bend = np.where(x > STRAIGHT_BELOW, (6.0 * kept + 4.0) / (4.0 * slope), 0.0)
    return x0, slope, bend


def resting_x(x0: Array) -> Array:
    """Return the x at which regions of excitability `x0` rest, uncoupled; see `excitability_of`."""
    lowest, slope, _ = excitability_of(np.array(STRAIGHT_BELOW))
    return np.asarray(equilibrium(np.maximum(x0, lowest))[0] + np.minimum(x0 - lowest, 0.0) / slope)


@dataclass(frozen=True)
class Rounded:
    """A density about a mode, in coordinates that are nearly standard Normal.

    Parameters
    ----------
    density : Density
        The log density in standardised coordinates.
    centre : numpy.ndarray, shape (size,)
        The mode, with the resting x in the place of x0.
    root : numpy.ndarray, shape (size, size)
        Symmetric square root of the inverse curvature there.
    log_evidence : float
        Log of the volume under the Normal that touches the density at the mode, up to a constant
        that all modes of one density share (Laplace).
    """

    density: Density
    centre: Array
    root: Array
    log_evidence: float

    def point(self, move: Array) -> Array:
        """Return the standardised point that a move leads to."""
        return to_point(self.density, self.centre + self.root @ move)

    def __call__(self, move: Array) -> tuple[float, Array]:
        """Return log density (volume of the map included) and gradient at a move."""
        value, slope = rest_density(self.density, self.centre + self.root @ move)
        return value, self.root @ slope


def to_point(density: Density, rested: Array) -> Array:
    """Return the standardised point of a vector that holds resting x instead of x0."""
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
    """Return log density and gradient in resting x, the map's volume included."""
    where, centre, scale = _x0_part(density)
    x0, slope, bend = excitability_of(rested[where])
    point = rested.copy()
    point[where] = (x0 - centre) / scale
    value, gradient = density(point)
    gradient[where] = gradient[where] * slope / scale + bend
    return value + float(np.log(slope).sum()), gradient


def rounded_about(density: Density, point: Array, n_iterations: int = 500) -> Rounded:
    """Climb to the mode nearest to a standardised point and measure the curvature there.

    Directions less curved than `LEAST_CURVATURE` are taken to be as wide as that.
    """
    mode = climb(
        lambda rested: rest_density(density, rested), to_rested(density, point), n_iterations, 30
    )
    eigenvalues, vectors = np.linalg.eigh(-hessian(density, mode.point))
    spread = 1.0 / np.sqrt(np.maximum(eigenvalues, LEAST_CURVATURE))
    log_evidence = mode.value + float(np.log(spread).sum())
    return Rounded(density, mode.point, (vectors * spread) @ vectors.T, log_evidence)


def hessian(density: Density, rested: Array, step: float = 1e-4) -> Array:
    """Return the symmetrised Hessian of `rest_density`, by differences of its exact gradient."""
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
