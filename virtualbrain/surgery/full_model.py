"""Simulate plans with the full (6D) Epileptor, in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import (
    FOLD_X,
    SEIZING_X1_6D,
    critical_x0,
    equilibrium,
    nullcline_z,
)
from virtualbrain.models.seizure_detection import Seizures, seizures
from virtualbrain.models.simulation import DEFAULT_STEP, Options, simulate_ensemble
from virtualbrain.network import Network
from virtualbrain.surgery.candidates import Candidate, no_surgery
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.network_change import Change, change_of
from virtualbrain.surgery.outcome import onset_steps, remaining_x0
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

R = 0.00035
SAMPLE_RATE_HZ = 32.0
# x1 falls below the threshold between discharges; a seizure has several discharges.
LEAST_SEIZURE_S, BRIDGE_S = 1.0, 2.0
# Fraction of the usual step, if that is unstable.
_SHORTER = 0.5
NOISE = {"x2": 2.5e-4, "y2": 2.5e-4}


@dataclass(frozen=True)
class FullModel:
    """Posterior draws after a plan as an ensemble of the full model.

    Parameters
    ----------
    network : Network
        Weights after the plan.
    model : Epileptor
        Parameters; one row per draw.
    initial : dict of str to numpy.ndarray, shape (n_draws, n_regions)
        Initial states, from the fitted initial states.
    present : numpy.ndarray, shape (n_draws, n_regions)
        Remaining fraction of each region.
    """

    network: Network
    model: Epileptor
    initial: dict[str, Array]
    present: Array


def full_model(
    draws: FittedDraws, change: Change, settings: SurgerySettings, ceiling: float = np.inf
) -> FullModel:
    r"""Convert posterior draws of the 2D model to the full model.

    Two things are kept: the time scale of the slow variable in seconds,
    :math:`t_t\, r = 10^{-3} / (\tau_0 s)` with s the seconds per unit of model time and r fixed,
    and every region's distance to its threshold, which depends on tau0. Regions below the threshold
    start at rest; regions above it start such that they seize at the fitted onset.

    Parameters
    ----------
    draws : FittedDraws
        The fitted network.
    change : Change
        Change by the plan.
    settings : SurgerySettings
        Seizing threshold.
    ceiling : float
        Upper limit of x0, relative to the threshold.
    """
    seconds_per_unit = float(np.diff(draws.time_s).mean()) / draws.dt
    slowness_s = draws.tau0 * seconds_per_unit
    threshold = critical_x0(1.0 / R, draws.I1)
    distance = remaining_x0(draws, change) - critical_x0(draws.tau0, draws.I1)[:, None]
    x0 = threshold + np.minimum(distance, ceiling)
    return FullModel(
        network=Network(change.weights, regions=draws.regions),
        model=Epileptor(
            x0=x0, K=draws.K[:, None], tt=1e-3 / (slowness_s * R)[:, None], r=R, Iext=draws.I1
        ),
        initial=_start(x0 - threshold, x0, _wait_s(draws, settings), slowness_s, draws.I1),
        present=np.tile(change.present, (draws.n_draws, 1)),
    )


def _wait_s(draws: FittedDraws, settings: SurgerySettings) -> Array:
    """Return the fitted onset of each region without surgery; the end if it never seizes."""
    unchanged = change_of(no_surgery(), draws.regions, draws.weights, settings)
    (steps,) = onset_steps([unchanged], draws, settings)
    step_s = float(np.diff(draws.time_s).mean())
    return np.asarray(np.minimum(steps, len(draws.time_s) - 1) * step_s)


def _start(
    distance: Array, x0: Array, wait_s: Array, slowness_s: Array, I1: float
) -> dict[str, Array]:
    """Return initial states: at rest, or before the fold for regions above the threshold."""
    fold_z = nullcline_z(FOLD_X, I1)
    x_rest, z_rest = equilibrium(np.where(distance > 0, x0 - distance, x0), I1)
    falling = np.maximum(fold_z - 4.0 * (FOLD_X - x0), 0.0) / slowness_s[:, None]
    z = np.where(distance > 0, fold_z + wait_s * falling, z_rest)
    # Left branch of the fast nullcline, second order around the fold.
    x = np.where(distance > 0, FOLD_X - np.sqrt(np.maximum(z - fold_z, 0.0) / 2.0), x_rest)
    return {
        "x1": x, "y1": 1.0 - 5.0 * x**2, "z": z,
        "x2": np.full_like(x, -1.05), "y2": np.zeros_like(x), "g": 0.1 * x,
    }  # fmt: skip


def full_model_onsets(
    candidate: Candidate,
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> Array:
    """Return the onset of each region after a plan, in seconds from the marked onset.

    Parameters
    ----------
    candidate : Candidate
        The plan.
    draws : FittedDraws
        The fitted network; every draw is simulated for the duration of the recorded seizure.
    settings : SurgerySettings
        Treatment of partly resected regions.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
        Infinity if a region does not seize or is removed.
    """
    parts = [_onsets(candidate, part, settings, rng) for part in draws.by_connectome()]
    return np.concatenate(parts)


def _onsets(
    candidate: Candidate, draws: FittedDraws, settings: SurgerySettings, rng: np.random.Generator
) -> Array:
    """Return the onsets in draws of one network."""
    change = change_of(candidate, draws.regions, draws.weights, settings)
    made = full_model(draws, change, settings)
    try:
        run = _simulated(made, draws, rng)
    except ModelError:  # strong coupling drives x1 so low that the usual step is unstable
        run = _simulated(made, draws, rng, shorter=_SHORTER)
    onset = seizures_of_run(run).onset
    return np.where(change.counted, onset + draws.time_s[0], np.inf)


def _simulated(
    made: FullModel, draws: FittedDraws, rng: np.random.Generator, shorter: float | None = None
) -> xr.Dataset:
    """Simulate the ensemble, with the usual step or a fraction of it."""
    usual = DEFAULT_STEP / float(np.max(np.asarray(made.model.tt))) * made.model.seconds_per_unit
    return simulate_ensemble(
        made.network, made.model, n_members=draws.n_draws,
        duration=float(draws.time_s[-1] - draws.time_s[0]), seed=rng, noise=NOISE,
        initial=made.initial, present=made.present, sample_rate=SAMPLE_RATE_HZ,
        dt=None if shorter is None else shorter * usual,
        options=Options(keep=("x1",), dtype="float32"),
    )  # fmt: skip


def seizures_of_run(run: xr.Dataset) -> Seizures:
    """Return the seizures of a simulation or an ensemble of the full model."""
    x1 = run["x1"].transpose(..., "time", "region").to_numpy()
    return seizures(
        run["time"].to_numpy(), x1, threshold=SEIZING_X1_6D, least_duration=LEAST_SEIZURE_S,
        bridge=BRIDGE_S,
    )  # fmt: skip


def p_seizure_free_full_model(
    candidates: Sequence[Candidate],
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the fraction of a few draws without a seizure in the full model, by plan."""
    few = draws.thinned(settings.confirm_draws, rng)
    return {
        plan.name: float(
            (~np.isfinite(full_model_onsets(plan, few, settings, rng)).any(axis=1)).mean()
        )
        for plan in candidates
    }
