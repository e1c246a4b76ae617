"""Where a region begins: its resting state by x0, and the wall beyond which x0 is not believed."""

import numpy as np

from inference.kernels.common import I1, Array, jit, logistic, softplus

FREE, REST = 0, 1

# Rest is taken a little below the fold: regions above the threshold have no rest of their own.
REST_CAP = -2.075
REST_WIDTH = 0.02
FOLD_MARGIN = 0.02
_Z_FOLD = 1.0 + I1 - 32.0 / 27.0
# Above the oscillatory window a region rests in an active state, which a free offset hides: no x0
# is believed beyond a wall there, a Gaussian's flank of this width.
X0_CEILING = -1.1
X0_WALL = 0.1


@jit
def _rest_state(x0: float, shift: float) -> tuple[float, float, float, float]:
    """Return z(0), x(0), dz(0)/dx0 and dx(0)/dz(0) of a region resting on the left branch."""
    u = (REST_CAP - x0) / REST_WIDTH
    capped = REST_CAP - REST_WIDTH * softplus(u)
    slope = logistic(u)
    x = -2.0
    for _ in range(30):
        step = (x * x * x + 2 * x * x + 4 * x - 1.0 - I1 - 4 * capped) / (3 * x * x + 4 * x + 4)
        x -= step
        if abs(step) < 1e-13:
            break
    z = 4.0 * (x - capped) + shift
    dz_dx0 = 4.0 * (4.0 / (3 * x * x + 4 * x + 4) - 1.0) * slope
    v = (z - _Z_FOLD - FOLD_MARGIN) / FOLD_MARGIN
    z_branch = _Z_FOLD + FOLD_MARGIN + FOLD_MARGIN * softplus(v)
    x = -4.0 / 3.0 - np.sqrt((z_branch - _Z_FOLD) / 2.0) - 0.1
    for _ in range(60):
        step = (x * x * x + 2 * x * x - 1.0 - I1 + z_branch) / (3 * x * x + 4 * x)
        x -= step
        if abs(step) < 1e-13:
            break
    return z, x, dz_dx0, -logistic(v) / (3 * x * x + 4 * x)


@jit
def initial_states(
    x0: Array, x_init: Array, z_init: Array, rule: int
) -> tuple[Array, Array, Array, Array]:
    """Return z(0), x(0) and their slopes (S, n); with REST, `z_init` is a shift from rest."""
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
    r"""Return :math:`-\tfrac12 \sum_i ((x_{0,i} - c) / w)^2` over x0 above c; adds to its slope."""
    total = 0.0
    for i in range(x0.size):
        beyond = (x0[i] - X0_CEILING) / X0_WALL
        if beyond > 0.0:
            total -= 0.5 * beyond * beyond
            slope[i] -= beyond / X0_WALL
    return total
