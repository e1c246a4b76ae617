"""The leading plans again with the six-dimensional Epileptor, in seconds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import FOLD_X, SEIZING_X1_6D, critical_x0, equilibrium
from virtualbrain.models.seizure_detection import seizures
from virtualbrain.models.simulation import Options, simulate_ensemble
from virtualbrain.network import Network
from virtualbrain.surgery.candidates import Candidate, no_surgery
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.interventions import Change, change_of
from virtualbrain.surgery.outcome import onset_steps, remaining_x0
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

R = 0.00035
SAMPLE_RATE_HZ = 32.0
# The model dips below its threshold between discharges, and is above it for a few of them at least.
LEAST_SEIZURE_S, BRIDGE_S = 1.0, 2.0
NOISE = {"x2": 2.5e-4, "y2": 2.5e-4}


@dataclass(frozen=True)
class SixDimensional:
    """Fitted draws after a plan as members of a six-dimensional ensemble.

    Parameters
    ----------
    network : Network
        Weights that the plan leaves.
    model : Epileptor
        Parameters, one row per draw.
    initial : dict of str to numpy.ndarray, shape (n_draws, n_regions)
        Start of every state, where the fitted states start.
    present : numpy.ndarray, shape (n_draws, n_regions)
        Shares that go on taking part.
    """

    network: Network
    model: Epileptor
    initial: dict[str, Array]
    present: Array


def six_dimensional(
    draws: FittedDraws, change: Change, settings: SurgerySettings, ceiling: float = np.inf
) -> SixDimensional:
    r"""Carry fitted draws over to six dimensions.

    The time scale of the slow variable in seconds is kept:
    :math:`t_t\, r = 10^{-3} / (\tau_0 s)` with s the seconds of one fitted unit of time and r
    fixed, and so is every region's distance to its threshold, which depends on tau0. Regions
    below it start at rest; those above start where they reach it when the fit lets them seize.

    Parameters
    ----------
    draws : FittedDraws
        The fitted network.
    change : Change
        What a plan does to it.
    settings : SurgerySettings
        When a fitted region seizes.
    ceiling : float
        No region's x0 lies above its threshold and this.
    """
    seconds_per_unit = float(np.diff(draws.time_s).mean()) / draws.dt
    slowness_s = draws.tau0 * seconds_per_unit
    threshold = critical_x0(1.0 / R, draws.I1)
    distance = remaining_x0(draws, change) - critical_x0(draws.tau0, draws.I1)[:, None]
    x0 = threshold + np.minimum(distance, ceiling)
    return SixDimensional(
        network=Network(change.weights, regions=draws.regions),
        model=Epileptor(
            x0=x0, K=draws.K[:, None], tt=1e-3 / (slowness_s * R)[:, None], r=R, Iext=draws.I1
        ),
        initial=_start(x0 - threshold, x0, _wait_s(draws, settings), slowness_s, draws.I1),
        present=np.tile(change.present, (draws.n_draws, 1)),
    )


def _wait_s(draws: FittedDraws, settings: SurgerySettings) -> Array:
    """Return seconds until each region seizes in the fit without surgery; the end where never."""
    unchanged = change_of(no_surgery(), draws.regions, draws.weights, settings)
    (steps,) = onset_steps([unchanged], draws, settings)
    step_s = float(np.diff(draws.time_s).mean())
    return np.asarray(np.minimum(steps, len(draws.time_s) - 1) * step_s)


def _start(
    distance: Array, x0: Array, wait_s: Array, slowness_s: Array, I1: float
) -> dict[str, Array]:
    """Return states at rest; above the threshold, on the way to the fast nullcline's fold."""
    fold_z = 1.0 + I1 - FOLD_X**3 - 2.0 * FOLD_X**2
    x_rest, z_rest = equilibrium(np.where(distance > 0, x0 - distance, x0), I1)
    falling = np.maximum(fold_z - 4.0 * (FOLD_X - x0), 0.0) / slowness_s[:, None]
    z = np.where(distance > 0, fold_z + wait_s * falling, z_rest)
    # The left branch of the fast nullcline, to second order about the fold.
    x = np.where(distance > 0, FOLD_X - np.sqrt(np.maximum(z - fold_z, 0.0) / 2.0), x_rest)
    return {
        "x1": x, "y1": 1.0 - 5.0 * x**2, "z": z,
        "x2": np.full_like(x, -1.05), "y2": np.zeros_like(x), "g": 0.1 * x,
    }  # fmt: skip


def onsets_in_six_dimensions(
    candidate: Candidate,
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> Array:
    """Return when each region starts to seize after a plan, seconds from the marked onset.

    Parameters
    ----------
    candidate : Candidate
        The plan.
    draws : FittedDraws
        The fitted network; every draw is one run over the recorded seizure's time.
    settings : SurgerySettings
        What becomes of a region that is partly taken out.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
        Infinity where a region does not seize or is gone.
    """
    change = change_of(candidate, draws.regions, draws.weights, settings)
    made = six_dimensional(draws, change, settings)
    run = simulate_ensemble(
        made.network, made.model, n_members=draws.n_draws,
        duration=float(draws.time_s[-1] - draws.time_s[0]), seed=rng, noise=NOISE,
        initial=made.initial, present=made.present, sample_rate=SAMPLE_RATE_HZ,
        options=Options(keep=("x1",), dtype="float32"),
    )  # fmt: skip
    found = seizures(
        run["time"].to_numpy(), run["x1"].transpose("member", "time", "region").to_numpy(),
        threshold=SEIZING_X1_6D, least_duration=LEAST_SEIZURE_S, bridge=BRIDGE_S,
    )  # fmt: skip
    return np.where(change.counted, found.onset + draws.time_s[0], np.inf)


def confirmed(
    candidates: Sequence[Candidate],
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return, by plan, the share of a few draws in which six dimensions show no seizure."""
    few = draws.thinned(settings.confirm_draws, rng)
    return {
        plan.name: float(
            (~np.isfinite(onsets_in_six_dimensions(plan, few, settings, rng)).any(axis=1)).mean()
        )
        for plan in candidates
    }
