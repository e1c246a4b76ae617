"""The local kernel of the cortex: weights between vertices by geodesic distance."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from virtualbrain.errors import ModelError

Array = NDArray[np.float64]

_LARGEST_OWN_WEIGHT = 0.25  # of the integral of the kernel


@dataclass(frozen=True, kw_only=True)
class LocalKernel:
    r"""Strength of the connection between two points of the cortex, per mm² of the source.

    .. math::
        k(d) = \frac{a}{2b} e^{-d/b} \text{ (laplace)}, \quad
        k(d) = a\, e^{-d^2/(2b^2)} \text{ (gauss)}, \quad k(d) = 0 \text{ for } d > cutoff

    Parameters
    ----------
    shape : {"laplace", "gauss"}
        Form of the decay. ``laplace`` is the kernel of Sip et al. 2021.
    width_mm : float
        b.
    amplitude : float
        a.
    cutoff_mm : float
        Geodesic distance beyond which there is no connection.

    Raises
    ------
    ModelError
        An unknown shape, or a length or amplitude that is not above zero.
    """

    shape: Literal["laplace", "gauss"] = "laplace"
    width_mm: float = 1.0
    amplitude: float = 1.0
    cutoff_mm: float = 10.0

    def __post_init__(self) -> None:
        if self.shape not in ("laplace", "gauss"):
            raise ModelError(f"unknown kernel {self.shape!r}", expected="laplace or gauss")
        for name in ("width_mm", "amplitude", "cutoff_mm"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ModelError(f"{name} of the kernel is not positive", expected="above zero")

    def __call__(self, distance_mm: Array) -> Array:
        """Return the strength at each distance, 1/mm²."""
        d, b = np.asarray(distance_mm, dtype=np.float64), self.width_mm
        if self.shape == "laplace":
            strength = self.amplitude / (2.0 * b) * np.exp(-d / b)
        else:
            strength = self.amplitude * np.exp(-0.5 * (d / b) ** 2)
        return np.where(d <= self.cutoff_mm, strength, 0.0)

    @property
    def integral(self) -> float:
        """Input of a point whose whole surroundings are active and flat."""
        c, b = self.cutoff_mm, self.width_mm
        if self.shape == "laplace":
            return float(np.pi * self.amplitude * (b - (b + c) * np.exp(-c / b)))
        return float(2.0 * np.pi * self.amplitude * b**2 * (1.0 - np.exp(-0.5 * (c / b) ** 2)))

    def weights(self, distances: sparse.csr_array, areas_mm2: Array) -> sparse.csr_array:
        """Return the local weights: kernel times the area of the source.

        A vertex is connected to itself, as a patch of cortex is. The areas make the input
        independent of the density of the vertices, if the mesh resolves the kernel.

        Parameters
        ----------
        distances : scipy.sparse.csr_array, shape (n, n)
            Geodesic distances in mm of neighbouring vertices; the diagonal is ignored.
        areas_mm2 : numpy.ndarray, shape (n,)
            Area of each vertex.

        Returns
        -------
        scipy.sparse.csr_array, shape (n, n)
            Row i = into vertex i; on a grid (`on_grid`).

        Raises
        ------
        ModelError
            The mesh is too coarse for the kernel: the weight of a vertex into itself is more than
            a quarter of the integral of the kernel, in the median.
        """
        self._refuse_coarse_mesh(areas_mm2)
        pairs = sparse.coo_array(distances)
        apart = (pairs.row != pairs.col) & (pairs.data <= self.cutoff_mm)
        i, j, d = pairs.row[apart], pairs.col[apart], pairs.data[apart]
        own = np.arange(len(areas_mm2))
        values = np.concatenate([self(d) * areas_mm2[j], self(np.zeros(len(own))) * areas_mm2])
        where = (np.concatenate([i, own]), np.concatenate([j, own]))
        weights = sparse.csr_array((values, where), shape=distances.shape)
        return on_grid(weights)

    def _refuse_coarse_mesh(self, areas_mm2: Array) -> None:
        """Raise an error if one vertex holds a large part of the kernel."""
        fraction = float(self(np.zeros(1))[0] * np.median(areas_mm2)) / self.integral
        if fraction > _LARGEST_OWN_WEIGHT:
            spacing = float(np.sqrt(np.median(areas_mm2)))
            raise ModelError(
                f"a mesh with {spacing:.2g} mm between vertices does not resolve a kernel of "
                f"{self.width_mm:g} mm: a vertex holds {fraction:.0%} of it",
                expected=f"at most {_LARGEST_OWN_WEIGHT:.0%}",
                hint="use a finer mesh or a wider kernel",
            )


def on_grid(weights: sparse.csr_array) -> sparse.csr_array:
    """Round weights to multiples of one power of two, so that their sums are exact.

    Every sum of weights into a vertex is then a number without rounding error, in any order and
    after any number of additions and subtractions. The rounding is at most 2**-53 of the largest
    sum of weights into a vertex.
    """
    largest = float(np.asarray(abs(weights).sum(axis=1)).max(initial=0.0))
    if largest == 0.0:
        return weights.copy()
    unit = 2.0 ** (np.ceil(np.log2(largest)) - 52.0)
    rounded = weights.copy()
    rounded.data = np.rint(rounded.data / unit) * unit
    return rounded
