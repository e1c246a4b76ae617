r"""Rates, rest state, fold and seizure thresholds of the fitted two-dimensional Epileptor.

.. math::
    x' &= 1 + I_1 - x^3 - 2x^2 - z \\
    z' &= \frac{1}{\tau_0}\Big(4 (x - x_0) - z - K \sum_j C_{ij} (x_j - x_i)\Big)

A region rests on the left branch of the nullcline x' = 0. The branch ends at a fold, where the
seizure starts.

Some quantities are solved for by several functions: the compiled fit, the simulated patients and
the simulator round in different ways, and results must stay the same to the last digit.
`tests/models/test_reduced_physics.py` holds the solvers equal. Functions whose docstring says
"plain numbers" contain no NumPy calls on arrays, so that numba can compile them.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError

Array = NDArray[np.float64]

REST_CURRENT = 3.1
# Extremum and inflection of the cubic 1 - x³ - 2x²: x rises slowly near the first, then fast.
FOLD_X, INFLECTION_X = -4.0 / 3.0, -2.0 / 3.0
FOLD_Z = 1.0 + REST_CURRENT - 32.0 / 27.0
# The threshold x0_c in the limit of a large tau0; `critical_x0` gives it for a finite tau0.
FOLD_X0 = FOLD_X - FOLD_Z / 4.0
# z' = 4 (x - x0) - z - input: an input changes x0 by a quarter.
X0_PER_INPUT = 0.25

# A region seizes while its fast variable is above one of these thresholds. Which one depends on
# the model and on how its trace is treated.
# 2D: x rests below the fold (-1.33) and has no discharges, so the sign of x decides.
SEIZING_X_2D = 0.0
# 6D, with pauses between discharges bridged: every discharge crosses this value.
SEIZING_X1_6D = -0.5
# 6D, for the fraction of a sliding second that is above: lower, because x1 falls between
# discharges.
SEIZING_X1_6D_SLIDING = -0.8
# Any model: halfway between the rest branch and the seizure branch.
SEIZING_X1_ANY = -1.0


# ---- rates --------------------------------------------------------------------------------


def fast_rate(x: float, z: float, I1: float = REST_CURRENT) -> float:
    """Return x'; plain numbers."""
    return 1.0 + I1 - x * x * (x + 2.0) - z


def slow_drift(x: float, z: float, x0: float, drive: float) -> float:
    """Return tau0 z', with `drive` = K times the coupling sum; plain numbers."""
    return 4.0 * (x - x0) - z - drive


def nullcline_z[Real: (float, Array)](x: Real, I1: float = REST_CURRENT) -> Real:
    """Return the z at which x' = 0."""
    return 1.0 + I1 - x**3 - 2.0 * x**2


# ---- threshold ----------------------------------------------------------------------------


def critical_x0(tau0: ArrayLike, I1: float = REST_CURRENT) -> Array:
    r"""Return the threshold x0_c: the excitability above which a single region seizes.

    The rest state loses its stability by a Hopf bifurcation where the trace of the Jacobian is
    zero, :math:`-3x^2 - 4x = 1/\tau_0`. The bifurcation lies left of the fold at
    :math:`x = -4/3` and reaches it as :math:`\tau_0 \to \infty`. Then
    :math:`x_{0,c} = x - z/4` with :math:`z = 1 + I_1 - x^3 - 2x^2`.

    Parameters
    ----------
    tau0 : array_like
        Time scale of the slow variable, more than 3/4; infinity gives the fold.
    I1 : float
        Rest current.

    Returns
    -------
    numpy.ndarray
        The critical excitability, the shape of `tau0`.

    Raises
    ------
    ModelError
        A `tau0` without a bifurcation.
    """
    tau0 = np.asarray(tau0, dtype=np.float64)
    if not (tau0 > 0.75).all():
        raise ModelError(
            "no seizure threshold for this tau0",
            expected="tau0 above 0.75, the least with which a region can lose its rest state",
            hint="raise tau0; fitted values lie between 5 and 100",
        )
    x = (-2.0 - np.sqrt(4.0 - 3.0 / tau0)) / 3.0
    return np.asarray(x - nullcline_z(x, I1) / 4.0)


# ---- rest state ---------------------------------------------------------------------------


def equilibrium(x0: ArrayLike, I1: float = REST_CURRENT) -> tuple[Array, Array]:
    r"""Return the equilibrium of an uncoupled region in closed form.

    It solves :math:`x^3 + 2x^2 + 4x - (1 + I_1) - 4x_0 = 0`. The left side is monotonic, so there
    is one solution; :math:`z = 4(x - x_0)`.

    Parameters
    ----------
    x0 : array_like
        Excitability.
    I1 : float
        Rest current.

    Returns
    -------
    x, z : numpy.ndarray
        The equilibrium, each of the shape of `x0`.
    """
    x0 = np.asarray(x0, dtype=np.float64)
    # Depressed cubic t^3 + 8/3 t + q with x = t - 2/3, solved by sinh because p > 0.
    p = 8.0 / 3.0
    q = 16.0 / 27.0 - 8.0 / 3.0 - (1.0 + I1) - 4.0 * x0
    scale = np.sqrt(p / 3.0)
    t = -2.0 * scale * np.sinh(np.arcsinh(1.5 * q / (p * scale)) / 3.0)
    x = t - 2.0 / 3.0
    return np.asarray(x), np.asarray(4.0 * (x - x0))


def rest_x0(x: Array, I1: float = REST_CURRENT) -> tuple[Array, Array]:
    """Return the x0 whose equilibrium is at `x`, and its derivative: inverse of `equilibrium`."""
    x0 = (x**3 + 2.0 * x**2 + 4.0 * x - 1.0 - I1) / 4.0
    return x0, (3.0 * x**2 + 4.0 * x + 4.0) / 4.0


def rest_x_newton(x0: Array) -> Array:
    """Return x of the equilibrium by Newton's method, for the synthetic patients."""
    x = np.full_like(x0, -2.0)
    for _ in range(30):
        x -= (x**3 + 2 * x**2 + 4 * x - (1.0 + REST_CURRENT) - 4 * x0) / (3 * x**2 + 4 * x + 4)
    return x


def rest_x_scalar(x0: float) -> float:
    """Return x of the equilibrium by Newton's method, for the compiled fit; plain numbers."""
    x = -2.0
    for _ in range(30):
        step = (x * x * x + 2 * x * x + 4 * x - 1.0 - REST_CURRENT - 4 * x0) / (
            3 * x * x + 4 * x + 4
        )
        x -= step
        if abs(step) < 1e-13:
            break
    return x


# ---- left branch of the nullcline ---------------------------------------------------------


def left_branch_expansion(z: Array) -> Array:
    """Return x on the left branch by its second-order expansion about the fold."""
    distance = 2 * (z - (1.0 + REST_CURRENT)) + 64 / 27
    return np.asarray(FOLD_X - 0.5 * np.sqrt(np.maximum(distance, 0)))


def left_branch_step(z: Array, x: Array) -> Array:
    """Return x on the left branch by three Newton steps from a near `x`, kept off the fold."""
    x = np.minimum(x, FOLD_X - 0.01)
    for _ in range(3):
        x = np.minimum(x - (z - nullcline_z(x)) / (3 * x**2 + 4 * x), FOLD_X - 0.003)
    return np.asarray(x)


def left_branch_scalar(z: float) -> float:
    """Return x on the left branch by Newton's method, for the compiled fit; plain numbers."""
    x = FOLD_X - np.sqrt((z - FOLD_Z) / 2.0) - 0.1
    for _ in range(60):
        step = (x * x * x + 2 * x * x - 1.0 - REST_CURRENT + z) / (3 * x * x + 4 * x)
        x -= step
        if abs(step) < 1e-13:
            break
    return float(x)
