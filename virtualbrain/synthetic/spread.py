"""Predict which regions a zone recruits, without the six-dimensional model.

The demo patient is proposed in the limit of a slow z (`slow_onsets`). The validation patient takes
its coupling from a coarse run of the two-dimensional model (`recruiting_coupling`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import (
    FOLD_X,
    FOLD_Z,
    equilibrium,
    left_branch_expansion,
    left_branch_step,
    nullcline_z,
    rest_x_newton,
)
from virtualbrain.network import normalise_weights

Array = NDArray[np.float64]

# Of the 6D model without neighbours: mean x1 in a seizure, z at its end.
_SEIZURE_X, _SEIZURE_END_Z = 0.28, 4.02
_ONSET_Z = FOLD_Z - 0.008  # the six equations leave the fold slowly

_COUPLINGS = (1.0, 6.0, 8)  # lowest, highest, number
_RECRUITED = (3, 12)
_RUN_TAU0, _RUN_STEPS, _RUN_DT = 200.0, 1199, 0.1
# Start of the 2D run: x0 of resting regions at most, z of the zone.
_RESTING_X0, _ZONE_Z = -2.1, 2.95


def slow_onsets(weights: Array, K: float, x0: Array, seizing: Sequence[NDArray[np.intp]]) -> Array:
    """Return when each region starts to seize, in the limit of a slow z.

    x lies on the left branch of 4.1 - x³ - 2x² = z at rest and at 0.28 in a seizure. A seizure
    starts at z = 2.91 and ends at z = 4.02; z' = 4(x - x0) - z - K Σ C (x_j - x_i). The six
    equations recruit later, by a factor of up to two, because they pass the fold slowly.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights.
    K : float
        Coupling.
    x0 : numpy.ndarray, shape (n_draws, n_regions)
        Excitabilities.
    seizing : sequence of arrays
        Regions that seize from time 0, for each draw.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
        Onset in units of tau0: 0 for those of `seizing`, infinite where there is none.
    """
    active = np.zeros(x0.shape, dtype=bool)
    for row, group in enumerate(seizing):
        active[row, group] = True
    zone = active.copy()
    onsets = np.where(zone, 0.0, np.inf)
    x = np.where(zone, FOLD_X - 0.05, rest_x_newton(np.minimum(x0, -2.08)))
    z = nullcline_z(x)
    strength, dt = weights.sum(axis=1), 0.005
    for step in range(-60, int(0.5 / dt)):
        if step == 0:
            z = np.where(zone, FOLD_Z, z)
        now = active & (step >= 0)
        sent = np.where(now, _SEIZURE_X, x)
        dz = 4 * (sent - x0) - z - K * (sent @ weights.T - strength * sent)
        z = np.where(zone & (step < 0), z, z + dt * dz)
        start = (z <= _ONSET_Z) & ~active & np.isinf(onsets) & (step >= 0)
        onsets[start] = step * dt
        active = (active | start) & (z < _SEIZURE_END_Z)
        x = left_branch_step(np.maximum(z, FOLD_Z + 1e-4), x)
    return onsets


def recruiting_coupling(
    weights: Array, x0: Array, ez: NDArray[np.bool_], rng: np.random.Generator
) -> float | None:
    """Draw a coupling with which the 2D model recruits 3 to 12 regions; None if there is none.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights of any scale; normalised by ``strength``.
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability.
    ez : numpy.ndarray, shape (n_regions,)
        The zone, which is close to the fold at the start.
    rng : numpy.random.Generator
        Source of the order in which couplings are tried.
    """
    couplings = rng.permutation(np.linspace(*_COUPLINGS))
    _, z = equilibrium(np.minimum(x0, _RESTING_X0))
    z[ez] = _ZONE_Z
    run = run_reduced(
        normalise_weights(weights, "strength"),
        ReducedMembers(x0, couplings, _RUN_TAU0, x_init=left_branch_expansion(z), z_init=z),
        n_steps=_RUN_STEPS,
        dt=_RUN_DT,
    )
    recruited = (np.isfinite(run.onset_step) & ~ez).sum(axis=1)
    good = (recruited >= _RECRUITED[0]) & (recruited <= _RECRUITED[1])
    return float(couplings[good.argmax()]) if good.any() else None
