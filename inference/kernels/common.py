"""Compiler settings, model equations and logistic functions that all kernels use."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models import reduced_physics
from virtualbrain.models.compile import compiled, inner

Array = NDArray[np.float64]

# No fastmath: it would let a cold and a warm cache differ in the last bit, and chains with them.
jit: Any = compiled()

# Inlined, because they are called in innermost loops.
fast_rate = inner(forceinline=True)(reduced_physics.fast_rate)
slow_drift = inner(forceinline=True)(reduced_physics.slow_drift)
rest_x = jit(reduced_physics.rest_x_scalar)
left_branch_x = jit(reduced_physics.left_branch_scalar)


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
