"""What all kernels share: how they are compiled, the model's current, logistic curves."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

I1 = 3.1

# No fastmath: it would let a cold and a warm cache differ in the last bit, and chains with them.
jit: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


@jit
def softplus(u: float) -> float:
    """Return log(1 + exp(u))."""
    if u > 30.0:
        return u
    return float(np.log1p(np.exp(u)))


@jit
def logistic(u: float) -> float:
    """Return 1 / (1 + exp(-u))."""
    return float(1.0 / (1.0 + np.exp(-u)))
