"""Initial states of the regions, and the upper limit of x0."""

import numpy as np

from inference.kernels.common import Array, jit, left_branch_x, logistic, rest_x, softplus
from virtualbrain.models.reduced_physics import FOLD_Z

FREE, REST = 0, 1

# The rest state is limited to a little below the threshold: above it a region has none.
REST_CAP = -2.075
REST_WIDTH = 0.02
FOLD_MARGIN = 0.02
# Above the oscillatory window a region rests in an active state, which a free offset hides. The
# density therefore falls off above X0_CEILING like a Normal of standard deviation X0_WALL.
X0_CEILING = -1.1
X0_WALL = 0.1


@jit
def _rest_state(x0: float, shift: float) -> tuple[float, float, float, float]:
    """Return z(0), x(0), dz(0)/dx0 and dx(0)/dz(0) of a region at rest on the left branch."""
    u = (REST_CAP - x0) / REST_WIDTH
    capped = REST_CAP - REST_WIDTH * softplus(u)
    slope = logistic(u)
    x = rest_x(capped)
    z = 4.0 * (x - capped) + shift
    dz_dx0 = 4.0 * (4.0 / (3 * x * x + 4 * x + 4) - 1.0) * slope
    v = (z - FOLD_Z - FOLD_MARGIN) / FOLD_MARGIN
    x = left_branch_x(FOLD_Z + FOLD_MARGIN + FOLD_MARGIN * softplus(v))
    return z, x, dz_dx0, -logistic(v) / (3 * x * x + 4 * x)


@jit
def initial_states(
    x0: Array, x_init: Array, z_init: Array, rule: int
) -> tuple[Array, Array, Array, Array]:
    """Return z(0), x(0), dz(0)/dx0 and dx(0)/dz(0), each (S, n).

    With the rule REST, `z_init` is added to the z of the rest state and `x_init` is not used.
    With FREE, `x_init` and `z_init` are the initial states.
    """
    n_seizures, n = z_init.shape
    z = z_init.copy()
    x = np.empty((n_seizures, n))
    dz = np.zeros((n_seizures, n))
    dx = np.zeros((n_seizures, n))
    for s in range(n_seizures):
        for i in range(n):
            if rule == REST:
                z[s, i], x[s, i], dz[s, i], dx[s, i] = _rest_state(x0[i], z_init[s, i])
            else:
                x[s, i] = x_init[s, i]
    return z, x, dz, dx


@jit
def wall(x0: Array, slope: Array) -> float:
    r"""Return the log density of the upper limit of x0 and add its gradient to `slope`.

    It is :math:`-\tfrac12 \sum_i ((x_{0,i} - c) / w)^2` over the regions with x0 above c, with
    c = `X0_CEILING` and w = `X0_WALL`.
    """
    total = 0.0
    for i in range(x0.size):
        beyond = (x0[i] - X0_CEILING) / X0_WALL
        if beyond > 0.0:
            total -= 0.5 * beyond * beyond
            slope[i] -= beyond / X0_WALL
    return total
