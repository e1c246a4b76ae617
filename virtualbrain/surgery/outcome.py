"""Simulate plans on posterior draws: seizing regions before and after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.network_change import HEALTHY_X0, Change, change_of
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]
# Distance below the threshold of a region that is above it only by its prior and is not suspected.
_NOT_SUSPECTED_DISTANCE = 0.1
_REGIONS_AT_ONCE = 4_000_000  # members times regions of one simulation


@dataclass(frozen=True)
class Outcome:
    """Outcome of a plan on every posterior draw.

    Parameters
    ----------
    candidate : Candidate
        The plan.
    seizing : numpy.ndarray, shape (n_draws,)
        Number of regions that seize after it, without removed regions.
    p_region : numpy.ndarray, shape (n_regions,)
        Fraction of the draws in which each region seizes.
    onset_s : numpy.ndarray, shape (n_regions,)
        Median onset over the draws in which the region seizes; NaN if it never seizes.
    onset_range_s : numpy.ndarray, shape (2, n_regions)
        Interval of the onset over those draws.
    """

    candidate: Candidate
    seizing: Array
    p_region: Array
    onset_s: Array
    onset_range_s: Array

    @property
    def share_free(self) -> float:
        """Fraction of the draws in which no region seizes."""
        return float(np.mean(self.seizing == 0))


def remaining_x0(draws: FittedDraws, change: Change) -> Array:
    r"""Return the excitability after a plan, shape (n_draws, n_regions).

    The fit reproduces the seizure with :math:`\tilde x_0 = x_0 + e`. If a region is not an EZ
    region and e > 0, e stands for network input that is missing in the weights and the gain. It is
    lost with its source: e is scaled by the remaining fraction of the EZ regions, each weighted
    by the remaining fraction of its connections. An EZ region starts seizures whatever happens to
    other regions, and keeps the larger of both values.
    """
    threshold = critical_x0(draws.tau0, draws.I1)[:, None]
    own = np.where(draws.own_x0 > threshold, threshold - _NOT_SUSPECTED_DISTANCE, draws.own_x0)
    network_part = np.where(draws.in_ez, 0.0, np.maximum(draws.x0 - own, 0.0))
    n_starts = draws.in_ez.sum(axis=1)
    left = draws.in_ez @ change.carried / np.maximum(n_starts, 1)
    left = np.where(n_starts > 0, left, 1.0)
    x0 = np.where(draws.in_ez, np.maximum(draws.x0, draws.own_x0), draws.x0)
    x0 = x0 - (1.0 - left[:, None]) * network_part
    return np.where(change.healthy, np.minimum(x0, HEALTHY_X0), x0)


def simulate_plans(
    candidates: Sequence[Candidate], draws: FittedDraws, settings: SurgerySettings
) -> list[Outcome]:
    """Simulate every plan on every posterior draw.

    Plans that leave the same connections run in one ensemble. A region taken out loses its
    connections and is left out of the count; one that is cut off keeps its tissue and may go
    on seizing by itself, which counts.

    Parameters
    ----------
    candidates : sequence of Candidate
        The plans.
    draws : FittedDraws
        The fitted network.
    settings : SurgerySettings
        When a region seizes, and what becomes of a region that is partly taken out.

    Raises
    ------
    ModelError
        A plan names a region that the network does not have.
    """
    parts = [_steps(candidates, part, settings) for part in draws.by_connectome()]
    return [
        _outcome(plan, np.concatenate([part[number] for part in parts]), draws, settings.interval)
        for number, plan in enumerate(candidates)
    ]


def simulate_unknown_plans(
    candidates: Sequence[Candidate],
    known: Iterable[Outcome],
    draws: FittedDraws,
    settings: SurgerySettings,
) -> list[Outcome]:
    """Return the outcome of every plan; known resections are not simulated again.

    Parameters
    ----------
    candidates : sequence of Candidate
        The plans.
    known : iterable of Outcome
        Outcomes on the same draws; those of resections of complete regions are used.
    draws, settings
        As in `simulate_plans`.
    """
    found = {
        frozenset(outcome.candidate.regions): outcome
        for outcome in known
        if _is_complete_resection(outcome.candidate)
    }
    same = [
        found.get(frozenset(plan.regions)) if _is_complete_resection(plan) else None
        for plan in candidates
    ]
    new = [plan for plan, one in zip(candidates, same, strict=True) if one is None]
    simulated = iter(simulate_plans(new, draws, settings))
    return [
        next(simulated) if one is None else replace(one, candidate=plan)
        for plan, one in zip(candidates, same, strict=True)
    ]


def _is_complete_resection(plan: Candidate) -> bool:
    return plan.kind == "resection" and set(plan.taken) == {1.0}


def _steps(
    candidates: Sequence[Candidate], draws: FittedDraws, settings: SurgerySettings
) -> list[Array]:
    """Return the onset steps (n_draws, n_regions) after every plan, for draws of one network."""
    changes = [change_of(plan, draws.regions, draws.weights, settings) for plan in candidates]
    groups: dict[bytes | None, list[int]] = {}
    for number, change in enumerate(changes):
        key = None if change.weights is draws.weights else change.weights.tobytes()
        groups.setdefault(key, []).append(number)
    most = max(1, _REGIONS_AT_ONCE // draws.x0.size)
    found: dict[int, Array] = {}
    for group in groups.values():
        for start in range(0, len(group), most):
            part = group[start : start + most]
            steps = onset_steps([changes[n] for n in part], draws, settings)
            found |= dict(zip(part, steps, strict=True))
    return [found[number] for number in range(len(candidates))]


def onset_steps(changes: Sequence[Change], draws: FittedDraws, settings: SurgerySettings) -> Array:
    """Return when each region starts, in steps, after changes that leave the same weights.

    Returns
    -------
    numpy.ndarray, shape (n_changes, n_draws, n_regions)
        Infinity where a region does not seize or is gone.
    """
    n_plans = len(changes)

    def tiled(array: Array) -> Array:
        return np.tile(array, (n_plans, 1)) if array.ndim == 2 else np.tile(array, n_plans)

    run = run_reduced(
        changes[0].weights,
        ReducedMembers(
            x0=np.concatenate([remaining_x0(draws, change) for change in changes]),
            K=tiled(draws.K),
            tau0=tiled(draws.tau0),
            x_init=tiled(draws.x_init),
            z_init=tiled(draws.z_init),
            present=np.repeat([change.present for change in changes], draws.n_draws, axis=0),
        ),
        n_steps=len(draws.time_s) - 1,
        dt=draws.dt,
        I1=draws.I1,
        integrator=draws.integrator,
        threshold=settings.seizing_threshold,
    )
    onset = run.onset_step.reshape(n_plans, draws.n_draws, -1)
    counted = np.array([change.counted for change in changes])
    return np.where(counted[:, None, :], onset, np.inf)


def _outcome(candidate: Candidate, steps: Array, draws: FittedDraws, interval: float) -> Outcome:
    """Summarise one plan's onsets, `steps` of the shape (n_draws, n_regions)."""
    seizes = np.isfinite(steps)
    seconds = np.where(seizes, draws.time_s[np.where(seizes, steps, 0).astype(int)], np.nan)
    low, middle, high = _quantiles(seconds, [(1 - interval) / 2, 0.5, (1 + interval) / 2])
    return Outcome(
        candidate,
        seizing=seizes.sum(axis=1).astype(np.float64),
        p_region=seizes.mean(axis=0),
        onset_s=middle,
        onset_range_s=np.stack([low, high]),
    )


def _quantiles(seconds: Array, levels: Sequence[float]) -> list[Array]:
    """Return quantiles (nearest rank) of every column, NaN left out; NaN where nothing is left."""
    ordered = np.sort(seconds, axis=0)  # NaN goes last
    last = np.maximum(np.isfinite(seconds).sum(axis=0) - 1, 0)
    return [
        np.take_along_axis(ordered, np.rint(level * last).astype(int)[None], axis=0)[0]
        for level in levels
    ]
