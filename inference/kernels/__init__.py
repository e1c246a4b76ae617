r"""Compiled sweeps of the fitted network model and their adjoints; arrays in, arrays out.

The model, with :math:`r_i = \sum_j C_{ij}` and one time constant per seizure:

.. math::
    x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
    z_i' &= \frac{1}{\tau_0} \Big( 4 (x_i - x_{0,i}) - z_i
            - K_i \big( \textstyle\sum_j C_{ij} x_j - r_i x_i \big) \Big)

Every array is C-contiguous float64. Dimensions: S seizures, T time steps, n regions, m channels.
"""

from inference.kernels.common import I1, Array
from inference.kernels.likelihood import log_likelihood, log_likelihood_by
from inference.kernels.observation import (
    LINEAR,
    LOGPOWER,
    NO_PRODUCTS,
    Products,
    observe,
    products_with_gain,
)
from inference.kernels.rest import FREE, REST, X0_CEILING, X0_WALL, initial_states, wall
from inference.kernels.sweeps import EULER, HEUN, sweep, sweep_adjoint

__all__ = [
    "EULER",
    "FREE",
    "HEUN",
    "I1",
    "LINEAR",
    "LOGPOWER",
    "NO_PRODUCTS",
    "REST",
    "X0_CEILING",
    "X0_WALL",
    "Array",
    "Products",
    "initial_states",
    "log_likelihood",
    "log_likelihood_by",
    "observe",
    "products_with_gain",
    "sweep",
    "sweep_adjoint",
    "wall",
]
