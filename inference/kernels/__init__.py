r"""Compiled functions of the fit: integrate the network, compare it with envelopes, differentiate.

The model has one time constant per seizure; :math:`r_i = \sum_j C_{ij}`:

.. math::
    x_i' &= 1 - x_i^3 - 2 x_i^2 - z_i + I_1 \\
    z_i' &= \frac{1}{\tau_0} \Big( 4 (x_i - x_{0,i}) - z_i
            - K_i \big( \textstyle\sum_j C_{ij} x_j - r_i x_i \big) \Big)

Every array is C-contiguous float64. Dimensions: S seizures, T time steps, n regions, m channels.
`bar_` marks the derivative of the log likelihood with respect to a quantity (its cotangent).
"""

from inference.kernels.common import Array
from inference.kernels.likelihood import (
    LikelihoodOptions,
    ValueAndGradient,
    log_likelihood,
    log_likelihood_with_products,
)
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
    "LINEAR",
    "LOGPOWER",
    "NO_PRODUCTS",
    "REST",
    "X0_CEILING",
    "X0_WALL",
    "Array",
    "LikelihoodOptions",
    "Products",
    "ValueAndGradient",
    "initial_states",
    "log_likelihood",
    "log_likelihood_with_products",
    "observe",
    "products_with_gain",
    "sweep",
    "sweep_adjoint",
    "wall",
]
