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
    p_region : numpy.ndarray, shape (n_regions,)
        Share of the draws in which each region seizes.
    onset_s : numpy.ndarray, shape (n_regions,)
        Median second at which a region starts, over the draws in which it seizes; NaN where it
        seizes in none.
    """

    candidate: Candidate
    seizing: Array
    p_region: Array
    onset_s: Array

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
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(remaining_weights(candidate, draws).tobytes(), []).append(candidate)
    outcomes = {
        outcome.candidate: outcome
        for group in groups.values()
        for outcome in _simulate_group(group, draws, threshold)
    }
    return [outcomes[candidate] for candidate in candidates]


def _simulate_group(
    candidates: Sequence[Candidate], draws: FittedDraws, threshold: float
) -> list[Outcome]:
    """Simulate plans that leave one weight matrix, in one ensemble."""
    left = np.stack([presence(candidate, draws) for candidate in candidates])
    onset_step = _onset_steps(left, remaining_weights(candidates[0], draws), draws, threshold)
    return [
        _outcome(candidate, steps, draws)
        for candidate, steps in zip(candidates, onset_step, strict=True)
    ]


def _onset_steps(left: Array, weights: Array, draws: FittedDraws, threshold: float) -> Array:
    """Return the step at which each region starts, (n_plans, n_draws, n_regions); inf: never."""
    n_plans = len(left)
    present = np.repeat(left, draws.n_draws, axis=0)

    def tiled(array: Array) -> Array:
        return np.tile(array, (n_plans, 1)) if array.ndim == 2 else np.tile(array, n_plans)

    run = run_reduced(
        weights,
        ReducedMembers(
            x0=tiled(draws.x0),
            K=tiled(draws.K),
            tau0=tiled(draws.tau0),
            x_init=tiled(draws.x_init),
            z_init=tiled(draws.z_init),
            present=present,
        ),
        n_steps=len(draws.time_s) - 1,
        dt=draws.dt,
        I1=draws.I1,
        integrator=draws.integrator,
        threshold=threshold,
    )
    onset = np.where(present > 0, run.onset_step, np.inf)
    return onset.reshape(n_plans, draws.n_draws, -1)


def _outcome(candidate: Candidate, steps: Array, draws: FittedDraws) -> Outcome:
    """Summarise one plan's onsets, `steps` of the shape (n_draws, n_regions)."""
    seizes = np.isfinite(steps)
    seconds = np.where(seizes, draws.time_s[np.where(seizes, steps, 0).astype(int)], np.nan)
    onset = np.full(steps.shape[1], np.nan)
    ever = seizes.any(axis=0)
    onset[ever] = np.nanmedian(seconds[:, ever], axis=0)
    return Outcome(
        candidate,
        seizing=seizes.sum(axis=1).astype(np.float64),
        p_region=seizes.mean(axis=0),
        onset_s=onset,
    )
