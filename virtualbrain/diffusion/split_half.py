"""Estimate how well a connectome would repeat, from two halves of its streamlines."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


def split_half_agreement(parts: Sequence[Array]) -> float:
    r"""Return the expected rank correlation of a connectome with one of as many new streamlines.

    The parts are divided into two halves. Their rank correlation :math:`r` is that of half the
    streamlines; the formula of Spearman and Brown gives that of all, :math:`2r / (1 + r)`
    (Spearman 1910, doi:10.1111/j.2044-8295.1910.tb00206.x).

    Parameters
    ----------
    parts : sequence of numpy.ndarray, shape (n_regions, n_regions)
        Streamline counts of independent parts of equal size, two or more and even in number.

    Returns
    -------
    float
        0 to 1. Pairs of regions without a streamline in either half do not count.
    """
    first, second = (np.sum(parts[start::2], axis=0) for start in (0, 1))
    upper = np.triu_indices(len(first), 1)
    one, other = first[upper], second[upper]
    connected = (one > 0) | (other > 0)
    pairs = one[connected], other[connected]
    if not connected.any() or any(np.ptp(counts) == 0 for counts in pairs):
        return 0.0
    r = max(0.0, float(stats.spearmanr(*pairs).statistic))
    return 2 * r / (1 + r)
