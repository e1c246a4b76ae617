"""Find excitability and initial states with which the 2D network reproduces given onsets.

An epileptogenic region has an x0 above the threshold; z(0) decides when it reaches the fold. A
recruited region starts at rest; its x0 decides when the input of the others carries it over the
fold. In later seizures x0 is known, and z(0) decides for all regions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.onsets.onset_matching import (
    HIGHEST_Z,
    Network,
    Search,
    Targets,
    match_onsets,
    rest_z,
    x_on_branch,
)
from inference.priors import Priors
from inference.problem import Problem
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import FOLD_Z, critical_x0

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# x0 of an epileptogenic region above the threshold: mean and standard deviation.
EZ_ABOVE, EZ_ABOVE_SD, EZ_ABOVE_LEAST = 0.35, 0.12, 0.05
# x0 of a recruited region: not below this, and not further above the threshold, where the weights
# give it too little input.
LOWEST_X0, MOST_MISSING = -3.6, 0.8
# The x0 of a region that is not epileptogenic is this much below the threshold, at least.
BELOW_THRESHOLD = 0.02
# A region that did not seize may rest nearer to the threshold than the prior mean, which keeps
# others less from seizing: shift of its mean, and factor on its standard deviation.
SILENT_SHIFT, SILENT_SD_FACTOR = 0.25, 0.25
TAU0_RANGE = (5.0, 100.0)
_LENGTH_X0 = -1.7


@dataclass(frozen=True)
class Onsets:
    """Onsets of draws: which regions seize and which are epileptogenic.

    Parameters
    ----------
    active : numpy.ndarray of bool, shape (n_draws, n_seizures, n_regions)
        Regions that seize.
    onset_step, length_steps : numpy.ndarray, shape (n_draws, n_seizures, n_regions)
        Onset and duration in steps of the model.
    ez : numpy.ndarray of bool, shape (n_draws, n_regions)
        Regions that start seizures by themselves.
    """

    active: Mask
    onset_step: Array
    length_steps: Array
    ez: Mask


@dataclass(frozen=True)
class Dynamics:
    """Parameters and initial states of the 2D network, one set per draw.

    Parameters
    ----------
    x0 : numpy.ndarray, shape (n_draws, n_regions)
        Excitability: above the threshold in epileptogenic regions, below it elsewhere.
    x0_fitted : numpy.ndarray, shape (n_draws, n_regions)
        Excitability that reproduces the onsets: a recruited region has more than `x0` where the
        network gives it too little input.
    K : numpy.ndarray, shape (n_draws,)
        Coupling.
    tau0 : numpy.ndarray, shape (n_draws, n_seizures)
        Time scale of the slow variable.
    x_init, z_init : numpy.ndarray, shape (n_draws, n_seizures, n_regions)
        Initial states.
    """

    x0: Array
    x0_fitted: Array
    K: Array
    tau0: Array
    x_init: Array
    z_init: Array


def dynamics_of(
    onsets: Onsets,
    problem: Problem,
    priors: Priors,
    n_steps: int,
    dt: float,
    rng: np.random.Generator,
) -> Dynamics:
    """Return the dynamics that reproduce the onsets of every draw.

    Parameters
    ----------
    onsets : Onsets
        Draws of the onset model.
    problem, priors
        Connectome, and priors of x0 and K.
    n_steps : int
        Number of states, the initial one included.
    dt : float
        Model time per step.
    rng : numpy.random.Generator
        Draws x0 of silent and epileptogenic regions, and K.
    """
    n_draws, n_seizures, n = onsets.active.shape
    K = priors.K.median * np.exp(priors.K.sd_log * rng.uniform(-1.0, 1.0, n_draws))
    tau0 = _tau0_of(onsets, n_steps, dt)
    threshold = critical_x0(tau0).mean(axis=1)
    x0 = _silent_x0(onsets, problem, priors, threshold, rng)
    above = EZ_ABOVE + EZ_ABOVE_SD * rng.standard_normal((n_draws, n))
    x0 = np.where(onsets.ez, threshold[:, None] + np.maximum(above, EZ_ABOVE_LEAST), x0)
    x_init, z_init = np.empty((2, n_draws, n_seizures, n))
    for s in range(n_seizures):
        targets = Targets(onsets.active[:, s], onsets.onset_step[:, s], onsets.ez)
        network = Network(problem.weights, K, tau0[:, s], n_steps, dt)
        if s == 0:
            lowest = np.where(onsets.ez, x0, LOWEST_X0)
            highest = np.where(onsets.ez, x0, threshold[:, None] + MOST_MISSING)
            search = Search(lowest, highest, at_rest=~onsets.ez)
        else:
            search = Search(x0, x0, at_rest=np.zeros_like(onsets.ez))
        z = np.where(onsets.ez, HIGHEST_Z, rest_z(x0))
        x0, z = match_onsets(network, targets, search, x0, z)
        z_init[:, s] = z
        x_init[:, s] = x_on_branch(x0, z)
    own = np.where(onsets.ez, x0, np.minimum(x0, threshold[:, None] - BELOW_THRESHOLD))
    return Dynamics(own, x0, K, tau0, x_init, z_init)


def _tau0_of(onsets: Onsets, n_steps: int, dt: float) -> Array:
    """Return the tau0 with which a region seizes for the median duration, (draws, seizures)."""
    length = np.where(onsets.active, onsets.length_steps, np.nan)
    none = ~onsets.active.any(axis=2)
    length[none] = 0.5 * n_steps
    median = np.nanmedian(length, axis=2)
    grid = np.geomspace(*TAU0_RANGE, 25)
    return np.asarray(np.interp(median, _lengths(grid, dt), grid))


def _lengths(tau0: Array, dt: float) -> Array:
    """Return the duration in steps of the seizure of a single region, for each tau0."""
    n_steps = int(1.2 * TAU0_RANGE[1] / dt)
    x0 = np.full((len(tau0), 1), _LENGTH_X0)
    z = np.full_like(x0, FOLD_Z + 1e-3)
    members = ReducedMembers(x0, np.ones(len(tau0)), tau0, x_init=x_on_branch(x0, z), z_init=z)
    run = run_reduced(np.zeros((1, 1)), members, n_steps=n_steps, dt=dt, keep_traces=True)
    seizing = run.traces[:, :, 0] > 0.0
    first = seizing.argmax(axis=1)
    ended = ~seizing & (np.arange(n_steps + 1) > first[:, None])
    return np.asarray(np.where(ended.any(axis=1), ended.argmax(axis=1), n_steps) - first, float)


def _silent_x0(
    onsets: Onsets, problem: Problem, priors: Priors, threshold: Array, rng: np.random.Generator
) -> Array:
    """Draw the x0 of all regions from the prior, below the threshold."""
    mean, sd = priors.of_regions(problem)
    x0 = mean + SILENT_SHIFT + SILENT_SD_FACTOR * sd * rng.standard_normal(onsets.ez.shape)
    return np.minimum(x0, threshold[:, None] - 0.05 - 0.05 * rng.random(onsets.ez.shape))
