"""What a plan does to the fitted network: seizing regions before and after, over the draws."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.draws import FittedDraws

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """A plan's effect on every posterior draw.

    Parameters
    ----------
    candidate : Candidate
        The plan.
    seizing : numpy.ndarray, shape (n_draws,)
        Regions that seize after it; regions taken out never count.
    """

    candidate: Candidate
    seizing: Array

    @property
    def p_seizure_free(self) -> float:
        """Share of the draws in which no region seizes."""
        return float(np.mean(self.seizing == 0))


def presence(candidate: Candidate, draws: FittedDraws) -> Array:
    """Return the share of each region that a plan leaves, shape (n_regions,)."""
    left = np.ones(len(draws.regions))
    if candidate.kind != "disconnection":
        left[[draws.position(region) for region in candidate.regions]] = 0.0
    return left


def remaining_weights(candidate: Candidate, draws: FittedDraws) -> Array:
    """Return the weights that a plan leaves, shape (n_regions, n_regions)."""
    weights = draws.weights.copy()
    if candidate.kind == "disconnection":
        cut = [draws.position(region) for region in candidate.regions]
        weights[cut, :] = 0.0
        weights[:, cut] = 0.0
    return weights


def simulate_plans(
    candidates: Sequence[Candidate], draws: FittedDraws, threshold: float
) -> list[Outcome]:
    """Simulate every plan on every posterior draw.

    A region taken out loses its connections, and is left out of the count; one that is cut off
    keeps its tissue and may go on seizing by itself, which counts.

    Parameters
    ----------
    candidates : sequence of Candidate
        The plans.
    draws : FittedDraws
        The fitted network.
    threshold : float
        A region seizes when its x exceeds this.
    """
    outcomes = {}
    whole = [c for c in candidates if c.kind != "disconnection"]
    for candidate, seizing in zip(whole, _seizing(whole, draws, threshold), strict=True):
        outcomes[candidate] = Outcome(candidate, seizing)
    for candidate in candidates:
        if candidate.kind == "disconnection":
            (seizing,) = _seizing([candidate], draws, threshold)
            outcomes[candidate] = Outcome(candidate, seizing)
    return [outcomes[candidate] for candidate in candidates]


def _seizing(candidates: Sequence[Candidate], draws: FittedDraws, threshold: float) -> list[Array]:
    """Count seizing regions per draw for plans that share one weight matrix, in one ensemble."""
    if not candidates:
        return []
    left = np.stack([presence(candidate, draws) for candidate in candidates])
    n_plans = len(left)
    present = np.repeat(left, draws.n_draws, axis=0)

    def tiled(array: Array) -> Array:
        return np.tile(array, (n_plans, 1)) if array.ndim == 2 else np.tile(array, n_plans)

    run = run_reduced(
        remaining_weights(candidates[0], draws),
        ReducedMembers(
            x0=tiled(draws.x0),
            K=tiled(draws.K),
            tau0=tiled(draws.tau0),
            x_init=tiled(draws.x_init),
            z_init=tiled(draws.z_init),
            present=present,
        ),
        n_steps=draws.n_steps,
        dt=draws.dt,
        I1=draws.I1,
        integrator=draws.integrator,
        threshold=threshold,
    )
    counted = np.isfinite(run.onset_step) & (present > 0)
    return list(counted.sum(axis=1).reshape(n_plans, draws.n_draws).astype(np.float64))
