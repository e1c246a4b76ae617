"""Equilibria of a region, and the excitability from which it seizes by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ConvergenceError, ModelError
from virtualbrain.network import Network

Array = NDArray[np.float64]

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
            hint="raise tau0; fitted values lie between 5 and 100",
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


def network_equilibrium(
    network: Network, x0: ArrayLike, K: float, I1: float = REST_CURRENT
) -> tuple[Array, Array]:
    r"""Return an equilibrium of the coupled network, by Newton's method from the uncoupled one.

    It solves :math:`1 + I_1 - x_i^3 - 2x_i^2 = 4(x_i - x_{0,i}) - K\sum_j C_{ij}(x_j - x_i)`.

    Parameters
    ----------
    network : Network
        Normalised weights.
    x0 : array_like, shape (n_regions,)
        Excitability.
    K : float
        Global coupling.
    I1 : float
        Rest current.

    Returns
    -------
    x, z : numpy.ndarray, shape (n_regions,)
        The equilibrium.

    Raises
    ------
    ConvergenceError
        Newton's method did not end.
    """
    C = network.weights
    x0 = np.broadcast_to(np.asarray(x0, dtype=np.float64), (len(C),))
    laplacian = C - np.diag(C.sum(axis=1))
    x, _ = equilibrium(x0, I1)
    for _ in range(200):
        z = 1.0 + I1 - x**3 - 2.0 * x**2
        residual = z - 4.0 * (x - x0) + K * laplacian @ x
        if np.abs(residual).max() < 1e-11:
            return x, z
        slope = np.diag(-3.0 * x**2 - 4.0 * x - 4.0) + K * laplacian
        step = np.linalg.solve(slope, -residual)
        x = x + step * min(1.0, 0.5 / max(np.abs(step).max(), 1e-300))
    raise ConvergenceError(
        "no equilibrium of the network was found", hint="lower K, or check x0 and the weights"
    )


@dataclass(frozen=True)
class LinearStability:
    """Linear stability of a network's equilibrium on the slow manifold.

    Parameters
    ----------
    eigenvalues : numpy.ndarray, shape (n_regions,)
        Real parts, least stable first.
    eigenvectors : numpy.ndarray, shape (n_regions, n_regions)
        Columns in the order of the eigenvalues.
    propagation_strength : numpy.ndarray, shape (n_regions,)
        Share of each region in the leading modes, the largest one.
    """

    eigenvalues: Array
    eigenvectors: Array
    propagation_strength: Array

    def ranked(self, regions: Sequence[str]) -> pd.DataFrame:
        """Return regions by falling propagation strength."""
        table = pd.DataFrame(
            {"region": list(regions), "propagation_strength": self.propagation_strength}
        )
        return table.sort_values("propagation_strength", ascending=False, ignore_index=True)


def linear_stability(
    network: Network,
    x0: ArrayLike,
    K: float,
    *,
    tau0: float = 2857.0,
    n_modes: int | None = None,
    I1: float = REST_CURRENT,
) -> LinearStability:
    r"""Return which regions a seizure would be drawn to, from the network linearised at rest.

    On the left branch of the fast nullcline x follows z,
    :math:`F'(z) = dx/dz = 1/(-3x^2 - 4x)`, and the slow variables alone have the Jacobian

    .. math::
        J_{ii} &= \tfrac{1}{\tau_0}\left(-1 + F'_i (4 + K \sum_j C_{ij})\right) \\
        J_{ij} &= -\tfrac{1}{\tau_0} K C_{ij} F'_j

    at the equilibrium, regions beyond the fold first set back to just before it, where
    :math:`F'` is large and negative. The leading modes are those whose eigenvalues stand out at
    the low end; the propagation strength of a region is the size of their sum there, each
    weighted by its eigenvalue over the largest (Proix et al. 2017, Olmi et al. 2019).

    Parameters
    ----------
    network : Network
        Normalised weights.
    x0 : array_like, shape (n_regions,)
        Excitability.
    K : float
        Global coupling.
    tau0 : float
        Time-scale separation; scales all eigenvalues alike.
    n_modes : int, optional
        Leading modes; those before the widest gap in the ordered eigenvalues where missing.
    I1 : float
        Rest current.

    Returns
    -------
    LinearStability
        Eigenvalues, eigenvectors, strength.
    """
    C = network.weights
    x, _ = network_equilibrium(network, x0, K, I1)
    x = np.minimum(x, FOLD_X - 1e-3)
    slope = 1.0 / (-3.0 * x**2 - 4.0 * x)
    jacobian = -K * C * slope[np.newaxis, :]
    np.fill_diagonal(jacobian, -1.0 + slope * (4.0 + K * C.sum(axis=1)))
    spectrum, modes_found = np.linalg.eig(jacobian / tau0)
    order = np.argsort(spectrum.real)
    values, vectors = np.real(spectrum)[order], np.real(modes_found)[:, order]
    modes = _standing_out(values) if n_modes is None else n_modes
    weights = np.abs(values[:modes]) / np.abs(values[:modes]).max()
    strength = np.abs(_same_sign(vectors[:, :modes]) @ weights)
    return LinearStability(values, vectors, strength / strength.max())


def _standing_out(ascending: Array) -> int:
    """Return how many values lie before the widest gap in the lower half of the spectrum."""
    gaps = np.diff(ascending[: len(ascending) // 2 + 2])
    return int(np.argmax(gaps)) + 1 if len(gaps) else 1


def _same_sign(vectors: Array) -> Array:
    """Turn every eigenvector so that its largest entry is positive."""
    peaks = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return np.asarray(vectors * np.where(peaks < 0, -1.0, 1.0))


@dataclass(frozen=True)
class Recruitment:
    """What an excitability, a coupling and a connectome can do together.

    Parameters
    ----------
    table : pandas.DataFrame
        Per region: `x0`, `margin` (to the threshold, positive where it seizes by itself),
        `reachable_x0` (with every seizing neighbour pulling), `round` (0 seizes by itself, 1 and on
        recruited in that round, NaN never).
    verdict : str
        One plain sentence.
    """

    table: pd.DataFrame
    verdict: str

    @property
    def n_seizing(self) -> int:
        """Number of regions that seize by themselves."""
        return int((self.table["round"] == 0).sum())

    @property
    def n_recruited(self) -> int:
        """Number of regions that the network recruits."""
        return int((self.table["round"] > 0).sum())


def recruitment(
    network: Network,
    x0: ArrayLike,
    K: float,
    *,
    tau0: float = 2857.0,
    seizing_x: float = 0.3,
    I1: float = REST_CURRENT,
) -> Recruitment:
    r"""Tell which regions can be recruited at all, round after round.

    A region i loses its rest state when, at the fold :math:`x_i = -4/3`, the excitability it feels,
    :math:`x_{0,i} + \tfrac{K}{4} \sum_j C_{ij} (x_j - x_i)`, exceeds the critical value, with
    its seizing neighbours at `seizing_x` and the others at rest. Regions recruited in one round
    pull in the next. Whether a seizure lasts long enough to recruit them is left open.

    Parameters
    ----------
    network : Network
        Normalised weights.
    x0 : array_like, shape (n_regions,)
        Excitability.
    K : float
        Global coupling.
    tau0 : float
        Time-scale separation, for the critical value.
    seizing_x : float
        Where x is on average during a seizure.
    I1 : float
        Rest current.

    Returns
    -------
    Recruitment
        Table and verdict.
    """
    C = network.weights
    x0 = np.array(np.broadcast_to(np.asarray(x0, dtype=np.float64), (len(C),)))
    critical = float(critical_x0(tau0, I1))
    rest, _ = equilibrium(np.minimum(x0, critical), I1)
    rounds = np.where(x0 > critical, 0.0, np.nan)
    reachable = x0.copy()
    for number in range(1, len(C) + 1):
        seizing = ~np.isnan(rounds)
        pull = C @ np.where(seizing, seizing_x, rest) - C.sum(axis=1) * FOLD_X
        reachable = x0 + 0.25 * K * pull
        new = ~seizing & (reachable > critical)
        if not new.any():
            break
        rounds[new] = number
    table = pd.DataFrame(
        {
            "region": list(network.regions),
            "x0": x0,
            "margin": x0 - critical,
            "reachable_x0": reachable,
            "round": rounds,
        }
    )
    return Recruitment(table, _verdict(table, critical, K))


def _verdict(table: pd.DataFrame, critical: float, K: float) -> str:
    rounds = table["round"].to_numpy()
    alone, recruited = int((rounds == 0).sum()), int((rounds > 0).sum())
    names = table["region"].to_numpy()
    if not alone:
        x0 = table["x0"].to_numpy()
        return (
            f"No region seizes by itself: the most excitable, {names[x0.argmax()]}, has x0 = "
            f"{x0.max():.3f}, below the critical {critical:.3f}."
        )
    if not recruited:
        if alone == len(table):
            return f"All {alone} regions seize by themselves; there is none left to recruit."
        reachable = np.where(np.isnan(rounds), table["reachable_x0"].to_numpy(), -np.inf)
        return (
            f"{alone} regions seize by themselves and recruit none at K = {K:g}: the nearest, "
            f"{names[reachable.argmax()]}, is lifted to {reachable.max():.3f} of the critical "
            f"{critical:.3f}. Raise K or its x0, or look at how the weights are normalised."
        )
    return f"{alone} regions seize by themselves and can recruit {recruited} more."
