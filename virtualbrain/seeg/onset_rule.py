"""The rule of an onset: the first run of activity that lasts."""

import numpy as np
from numpy.typing import NDArray


def first_held(active: NDArray[np.bool_], n_hold: int) -> NDArray[np.int64]:
    """Return the start of the first active run of at least half of `n_hold` frames.

    -1 if there is no such run, or if fewer than `n_hold` frames are active in total.
    """
    first = np.full(len(active), -1, dtype=np.int64)
    for i, row in enumerate(active):
        if row.sum() < n_hold:
            continue
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
        runs = edges.reshape(-1, 2)
        long = runs[runs[:, 1] - runs[:, 0] >= n_hold / 2]
        if len(long):
            first[i] = long[0, 0]
    return first
