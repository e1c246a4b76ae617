"""Form a matrix from rows of numbers, also from the rows of one triangle."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def square_matrix(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return rows of numbers as a matrix; a triangle gets zeros beside it.

    Rows of 1, 2, … n numbers are the lower triangle with its diagonal; rows of n, … 2, 1 numbers
    the upper triangle.

    Raises
    ------
    ValueError
        The lengths of the rows differ in another way.
    """
    lengths, n = [len(row) for row in rows], len(rows)
    if n > 1 and lengths in (list(range(1, n + 1)), list(range(n, 0, -1))):
        matrix = np.zeros((n, n))
        for i, row in enumerate(rows):
            at = slice(0, i + 1) if lengths[0] == 1 else slice(i, n)
            matrix[i, at] = row
        return matrix
    return np.array(rows, dtype=np.float64)
