"""Use evoked responses as information on the connection weights of the fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

DIFFUSION_SD_LOG = 0.5
FEWEST_PAIRS = 20
_FLOOR = 0.5


@dataclass(frozen=True)
class EvokedWeights:
    """A connectome that evoked responses changed.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The weights.
    n_pairs : int
        Measured pairs of regions; the weights of all others are unchanged.
    share : float
        Weight of the responses, 0 to 1, in the logarithm of the measured weights.
    """

    weights: Array
    n_pairs: int
    share: float

    def about(self) -> dict[str, Any]:
        """Return the entry of the sidecars.

        Returns
        -------
        dict
            Measured pairs and share; empty if nothing was changed.
        """
        if self.share == 0:
            return {}
        return {"EvokedResponses": {"pairs": self.n_pairs, "share": round(self.share, 4)}}


def with_evoked_responses(
    weights: Array, regions: Sequence[str], pairs: pd.DataFrame | None
) -> EvokedWeights:
    r"""Change the weights of a connectome where evoked responses were measured.

    The responses are first scaled to weights by their ranks: the measured pair with the k-th
    largest response gets the k-th largest weight of the measured pairs, :math:`s`. Then

    .. math::
        \log w' = (1 - \alpha) \log w + \alpha \log s, \qquad
        \alpha = \min(1, \sigma^2 / \mathrm{Var}(\log w - \log s))

    with :math:`\sigma` = 0.5, the standard deviation of the error of a logarithmic weight of
    diffusion MRI: the two are weighted by their variances, since the difference, over pairs with a
    weight, contains both errors. Both directions of a pair are averaged, since diffusion MRI has no
    direction. Weights of zero count as half of the smallest measured one; a pair without weight and
    response stays without.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights of diffusion MRI, symmetric, of any scale.
    regions : sequence of str
        Names of the regions.
    pairs : pandas.DataFrame, optional
        Responses between regions with ``stimulated``, ``recorded`` and ``amplitude_v``; regions
        that the connectome lacks are left out.

    Returns
    -------
    EvokedWeights
        With fewer than 20 measured pairs the weights are unchanged and the share is 0.

    References
    ----------
    Scaling by ranks is quantile normalisation (Bolstad 2003, doi:10.1093/bioinformatics/19.2.185);
    responses as effective connectivity: Keller 2014, doi:10.1098/rstb.2013.0528.
    """
    if pairs is None:
        return EvokedWeights(weights, 0, 0.0)
    response = _both_directions(regions, pairs)
    i, j = np.nonzero(np.triu(np.isfinite(response), 1))
    own = weights[i, j]
    if len(i) < FEWEST_PAIRS or not (own > 0).any():
        return EvokedWeights(weights, len(i), 0.0)
    size = response[i, j]
    logs = np.log(np.maximum(own, _FLOOR * own[own > 0].min()))
    scaled = np.interp(pd.Series(size).rank(), np.arange(1, len(own) + 1), np.sort(logs))
    difference = float(np.var((logs - scaled)[own > 0]))
    share = 1.0 if difference <= DIFFUSION_SD_LOG**2 else DIFFUSION_SD_LOG**2 / difference
    changed = np.exp((1 - share) * logs + share * scaled)
    changed[(own == 0) & (size == 0)] = 0.0
    found = weights.copy()
    found[i, j] = found[j, i] = changed
    return EvokedWeights(found, len(i), share)


def _both_directions(regions: Sequence[str], pairs: pd.DataFrame) -> Array:
    """Return the response of each pair, the mean over its measured directions; NaN elsewhere."""
    place = {name: k for k, name in enumerate(regions)}
    total, count = np.zeros((2, len(regions), len(regions)))
    for source, target, size in zip(
        pairs["stimulated"], pairs["recorded"], pairs["amplitude_v"], strict=True
    ):
        if source in place and target in place:
            i, j = place[source], place[target]
            for a, b in ((i, j), (j, i)):
                total[a, b] += size
                count[a, b] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
