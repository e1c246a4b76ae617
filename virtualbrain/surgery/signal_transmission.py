r"""Change of signal transmission in the healthy network by a plan (after An et al. 2019).

With the excitability of healthy tissue in every region, the network is at rest. A weak constant
stimulus u shifts the equilibrium of the 2D Epileptor by

.. math:: \delta x = (D + K (S - C))^{-1} u, \quad D_{ii} = 3 x_i^2 + 4 x_i + 4

with C the weights and S their row sums on the diagonal. Entry (i, j) of the inverse is the
response of region i to stimulating region j.
"""

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.reduced_physics import equilibrium
from virtualbrain.surgery.network_change import HEALTHY_X0, Change

Array = NDArray[np.float64]


def responses(weights: Array, K: float, I1: float) -> Array:
    """Return the response of each region (row) to a stimulus in each (column).

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights, row i = into region i.
    K : float
        Global coupling.
    I1 : float
        Rest current.
    """
    x, _ = equilibrium(HEALTHY_X0, I1)
    stiffness = 3.0 * float(x) ** 2 + 4.0 * float(x) + 4.0
    away = stiffness + K * weights.sum(axis=1)
    return np.asarray(np.linalg.inv(np.diag(away) - K * weights))


def transmission_change(change: Change, weights: Array, K: float, I1: float) -> float:
    """Return the relative change of the responses between the remaining regions by a plan.

    Returns
    -------
    float
        Sum of the absolute changes over the sum of the responses before, both over all pairs of
        different regions that still exist: 0 unchanged, 1 as large as the transmission itself.
    """
    kept = np.flatnonzero(change.counted)
    after = change.present[:, None] * change.weights * change.present
    pairs = ~np.eye(len(kept), dtype=bool)
    old = responses(weights, K, I1)[np.ix_(kept, kept)][pairs]
    new = responses(after, K, I1)[np.ix_(kept, kept)][pairs]
    total = float(np.abs(old).sum())
    return float(np.abs(new - old).sum() / total) if total > 0 else 0.0
