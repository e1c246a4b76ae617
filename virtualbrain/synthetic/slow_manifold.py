"""Slow manifold of the Epileptor: left branch, fold, and states at rest or before a seizure.

At rest x follows z on the left branch of the fast nullcline z = 4.1 - x³ - 2x², and
z' = (4(x - x0) - z - K Σ C (x_j - x_i)) / tau0. A region starts to seize at the fold.

The demo patient and the validation patient follow the branch with different numerical methods.
Both are kept: another method would change the patient that a seed gives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FOLD_X, FOLD_Z = -4.0 / 3.0, 4.1 - 32.0 / 27.0
THRESHOLD_X0 = FOLD_X - FOLD_Z / 4.0  # of a single region, in the limit of a slow z

_FOLD_MARGIN_X = 0.02
_STEPS_BEFORE_FOLD = 2000
_NEAR_FOLD_Z = 2.95
_STEP_S = 0.05


def nullcline_z[T: (float, Array)](x: T) -> T:
    """Return the z at which x is an equilibrium of the fast variable."""
    return 4.1 - x**3 - 2 * x**2


def left_branch(z: Array, x: Array) -> Array:
    """Return x on the left branch for each z, by Newton's method from a nearby x."""
    x = np.minimum(x, FOLD_X - 0.01)
    for _ in range(3):
        x = np.minimum(x - (z - nullcline_z(x)) / (3 * x**2 + 4 * x), FOLD_X - 0.003)
    return np.asarray(x)


def left_branch_near_fold(z: Array | float) -> Array:
    """Return x on the left branch for each z, to second order about the fold."""
    return np.asarray(-4 / 3 - 0.5 * np.sqrt(np.maximum(2 * (z - 4.1) + 64 / 27, 0)))


def resting_x(x0: Array) -> Array:
    """Solve x³ + 2x² + 4x = 4.1 + 4 x0 for the resting state of an uncoupled region."""
    x = np.full_like(x0, -2.0)
    for _ in range(30):
        x -= (x**3 + 2 * x**2 + 4 * x - 4.1 - 4 * x0) / (3 * x**2 + 4 * x + 4)
    return x


def set_left_branch(states: Array, x: Array | float, z: Array | float) -> None:
    """Set x1, y1, z and g of the six states, shape (6, ...), to a point of the left branch."""
    states[0], states[1], states[2], states[5] = x, 1.0 - 5.0 * x**2, z, 0.1 * x


def state_before_fold(
    x0: float, strength: float, received: float, slow_time: float
) -> tuple[float, float]:
    """Return (x, z) of a coupled region some time before it reaches the fold.

    The slow dynamics are integrated backwards in time along the left branch.

    Parameters
    ----------
    x0 : float
        Excitability.
    strength : float
        K times the sum of the weights into the region.
    received : float
        K times the weighted sum of the neighbours' x.
    slow_time : float
        Time before the fold in units of tau0.
    """
    x = FOLD_X - _FOLD_MARGIN_X
    dt = slow_time / _STEPS_BEFORE_FOLD
    for _ in range(_STEPS_BEFORE_FOLD):
        dz = 4 * (x - x0) - nullcline_z(x) - (received - strength * x)
        x += dt * dz / (3 * x**2 + 4 * x)  # dx = -dz / (3x² + 4x), backwards
        x = min(x, FOLD_X - _FOLD_MARGIN_X)
    return x, nullcline_z(x)


def z_before_fold(x0: float, wait_s: float, rate: float) -> float:
    """Return z of an uncoupled region `wait_s` seconds before it is close to the fold.

    Parameters
    ----------
    x0 : float
        Excitability.
    wait_s : float
        Seconds, in steps of 0.05.
    rate : float
        Rate of the slow variable per second, 1000 times its speed in the 6D model.
    """
    z: Any = np.float64(_NEAR_FOLD_Z)
    for _ in range(int(wait_s / _STEP_S)):
        z -= _STEP_S * rate * (4 * (left_branch_near_fold(z) - x0) - z)
    return float(z)
