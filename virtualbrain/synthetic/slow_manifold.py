"""States of synthetic patients on the left branch: at rest, or some time before a seizure.

A region follows the left branch of the fast nullcline (`virtualbrain.models.reduced_physics`) and
starts to seize at the fold.

The demo patient and the validation patient follow the branch with different numerical methods.
Both are kept: another method would change the patient that a seed gives.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.reduced_physics import FOLD_X, left_branch_expansion, nullcline_z

Array = NDArray[np.float64]

_FOLD_MARGIN_X = 0.02
_STEPS_BEFORE_FOLD = 2000
_NEAR_FOLD_Z = 2.95
_STEP_S = 0.05


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
        z -= _STEP_S * rate * (4 * (left_branch_expansion(z) - x0) - z)
    return float(z)
