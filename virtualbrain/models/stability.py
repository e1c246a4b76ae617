"""Analyse a network in two dimensions: equilibrium, linear stability, possible recruitment."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ConvergenceError
from virtualbrain.models.reduced_physics import (
    FOLD_X,
    REST_CURRENT,
    X0_PER_INPUT,
    critical_x0,
    equilibrium,
    nullcline_z,
)
from virtualbrain.network import Network

Array = NDArray[np.float64]


def network_equilibrium(
    network: Network, x0: ArrayLike, K: float, I1: float = REST_CURRENT
) -> tuple[Array, Array]:
    r"""Return an equilibrium of the coupled network by Newton's method.

    It solves :math:`1 + I_1 - x_i^3 - 2x_i^2 = 4(x_i - x_{0,i}) - K\sum_j C_{ij}(x_j - x_i)`,
    starting from the equilibrium without coupling.

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
        Newton's method did not converge.
    """
    C = network.weights
    x0 = np.broadcast_to(np.asarray(x0, dtype=np.float64), (len(C),))
    laplacian = C - np.diag(C.sum(axis=1))
    x, _ = equilibrium(x0, I1)
    for _ in range(200):
        z = nullcline_z(x, I1)
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
        Participation of each region in the leading modes; the largest is 1.
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
    r"""Rank the regions by how likely a seizure propagates to them; linearise the network at rest.

    On the left branch of the fast nullcline x follows z with
    :math:`F'(z) = dx/dz = 1/(-3x^2 - 4x)`. The slow variables have the Jacobian

    .. math::
        J_{ii} &= \tfrac{1}{\tau_0}\left(-1 + F'_i (4 + K \sum_j C_{ij})\right) \\
        J_{ij} &= -\tfrac{1}{\tau_0} K C_{ij} F'_j

    at the equilibrium. Regions beyond the fold are first moved to just before it, where
    :math:`F'` is large and negative. The leading modes have the lowest eigenvalues, up to the
    widest gap between two of them. The propagation strength of a region is the absolute value of
    its entry in the sum of the leading eigenvectors, each weighted by its eigenvalue relative to
    the largest (Proix et al. 2017, Olmi et al. 2019).

    Parameters
    ----------
    network : Network
        Normalised weights.
    x0 : array_like, shape (n_regions,)
        Excitability.
    K : float
        Global coupling.
    tau0 : float
        Time scale of the slow variable; scales all eigenvalues by the same factor.
    n_modes : int, optional
        Number of leading modes; by default those before the widest gap of the eigenvalues.
    I1 : float
        Rest current.

    Returns
    -------
    LinearStability
        Eigenvalues, eigenvectors and propagation strength.
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
    modes = _n_before_widest_gap(values) if n_modes is None else n_modes
    weights = np.abs(values[:modes]) / np.abs(values[:modes]).max()
    strength = np.abs(_same_sign(vectors[:, :modes]) @ weights)
    return LinearStability(values, vectors, strength / strength.max())


def _n_before_widest_gap(ascending: Array) -> int:
    """Return the number of values before the widest gap in the lower half of the spectrum."""
    gaps = np.diff(ascending[: len(ascending) // 2 + 2])
    return int(np.argmax(gaps)) + 1 if len(gaps) else 1


def _same_sign(vectors: Array) -> Array:
    """Change the sign of eigenvectors so that the largest entry of each is positive."""
    peaks = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return np.asarray(vectors * np.where(peaks < 0, -1.0, 1.0))


@dataclass(frozen=True)
class Recruitment:
    """Regions that seize alone and regions that the network can recruit.

    Parameters
    ----------
    table : pandas.DataFrame
        Per region: `x0`; `margin` above the threshold; `reachable_x0`, the effective excitability
        with the input of all seizing neighbours; `round`, 0 for regions that start seizures, 1 or
        more for the round in which a region is recruited, NaN for never.
    verdict : str
        Summary in one sentence.
    """

    table: pd.DataFrame
    verdict: str

    @property
    def n_seizing(self) -> int:
        """Number of regions that start seizures."""
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
    r"""Find the regions that the network can recruit, round by round.

    The effective excitability of region i at the fold :math:`x_i = -4/3` is
    :math:`x_{0,i} + \tfrac{K}{4} \sum_j C_{ij} (x_j - x_i)`, with seizing neighbours at `seizing_x`
    and the others at rest. The region is recruited when this exceeds the threshold. Regions
    recruited in one round count as seizing in the next. The duration of the seizure is not
    considered: it may end before a region is recruited.

    Parameters
    ----------
    network : Network
        Normalised weights.
    x0 : array_like, shape (n_regions,)
        Excitability.
    K : float
        Global coupling.
    tau0 : float
        Time scale of the slow variable, for the threshold.
    seizing_x : float
        Mean x during a seizure.
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
        coupling = C @ np.where(seizing, seizing_x, rest) - C.sum(axis=1) * FOLD_X
        reachable = x0 + X0_PER_INPUT * K * coupling
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
            f"No region seizes: the highest x0 is {x0.max():.3f} in {names[x0.argmax()]}, below "
            f"the threshold {critical:.3f}."
        )
    if not recruited:
        if alone == len(table):
            return f"All {alone} regions start seizures; no region remains to recruit."
        reachable = np.where(np.isnan(rounds), table["reachable_x0"].to_numpy(), -np.inf)
        return (
            f"{alone} regions start seizures and recruit none at K = {K:g}: the highest effective "
            f"x0 is {reachable.max():.3f} in {names[reachable.argmax()]}, below the threshold "
            f"{critical:.3f}. Raise K or its x0, or check how the weights are normalised."
        )
    return f"{alone} regions start seizures and can recruit {recruited} more."
