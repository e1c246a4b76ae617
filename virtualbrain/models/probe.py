# mypy: allow-untyped-defs
# The compiler of the loop infers its types.
"""The rates of a model at given states, by the very code that integrates."""

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.compile import compiled
from virtualbrain.models.epileptor import Model
from virtualbrain.models.rates import block_rates
from virtualbrain.models.simd_layout import LANES, from_blocks, n_blocks, to_blocks

Array = NDArray[np.float64]


def model_rates(
    model: Model, states: Array, coupling: Array, current: float | Array = 0.0
) -> Array:
    """Return the rates of every region.

    Parameters
    ----------
    model : Epileptor, Epileptor2D, EpileptorRestingState or EpileptorStimulation
        Equations and parameters.
    states : numpy.ndarray, shape (n_states, n_regions)
        In the order of `model.states`.
    coupling : numpy.ndarray, shape (3, n_regions)
        Coupling sums of x1, x2 and x_rs.
    current : float or numpy.ndarray, shape (n_regions,)
        Stimulus.

    Returns
    -------
    numpy.ndarray, shape (n_states, n_regions)
        Per unit of model time.
    """
    n_regions = states.shape[1]
    blocks = to_blocks(np.asarray(states, dtype=np.float64)[np.newaxis])
    rates = np.empty_like(blocks)
    stimulus = np.broadcast_to(np.asarray(current, dtype=np.float64), (n_regions,))
    _all_blocks(
        model.code, n_blocks(n_regions), len(model.states), len(model.parameters),
        blocks.ravel(), to_blocks(np.asarray(coupling, dtype=np.float64)[np.newaxis]).ravel(),
        to_blocks(stimulus[np.newaxis, np.newaxis]).ravel(),
        to_blocks(model.packed(1, n_regions)).ravel(), rates.reshape(-1),
    )  # fmt: skip
    return np.asarray(from_blocks(rates, n_regions)[0])


@compiled()
def _all_blocks(
    model, n_blocks, n_states, n_parameters, states, coupling, stimulus, parameters, rates
):
    """Go through all blocks."""
    inputs = np.empty(3 * LANES)
    for b in range(n_blocks):
        inputs[:] = coupling[b * 3 * LANES : (b + 1) * 3 * LANES]
        s, p = b * n_states * LANES, b * n_parameters * LANES
        block_rates(model, states, s, inputs, stimulus, b * LANES, parameters, p, rates, s)
