"""Equilibria of a region, and the excitability from which it seizes by itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError

REST_CURRENT = 3.1
FOLD_X = -4.0 / 3.0


def critical_x0(tau0: ArrayLike, I1: float = REST_CURRENT) -> NDArray[np.float64]:
    r"""Return the excitability above which a single region seizes by itself.

    The rest state of the two-dimensional Epileptor loses its stability by a Hopf bifurcation
    where the trace of the Jacobian vanishes, :math:`-3x^2 - 4x = 1/\tau_0`, left of the fold at
    :math:`x = -4/3` which it reaches as :math:`\tau_0 \to \infty`; then
    :math:`x_{0,c} = x - z/4` with :math:`z = 1 + I_1 - x^3 - 2x^2`.

    Parameters
    ----------
    tau0 : array_like
        Time-scale separation, more than 3/4; infinity gives the fold.
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
            cure="raise tau0; fitted values lie between 5 and 100",
        )
    x = (-2.0 - np.sqrt(4.0 - 3.0 / tau0)) / 3.0
    return np.asarray(x - (1.0 + I1 - x**3 - 2.0 * x**2) / 4.0)


def equilibrium(
    x0: ArrayLike, I1: float = REST_CURRENT
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Return the one equilibrium of an uncoupled region of the two-dimensional form.

    It solves :math:`x^3 + 2x^2 + 4x - (1 + I_1) - 4x_0 = 0`, whose left side only grows;
    :math:`z = 4(x - x_0)`.

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
