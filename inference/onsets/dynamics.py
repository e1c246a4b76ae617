r"""Find excitability and initial states with which the 2D network reproduces given onsets.

The regions are set one after another, earliest first: the onset of a region depends on those that
seize before it. An epileptogenic region has an x0 above the threshold; z(0) decides when it reaches
the fold. A recruited region starts at rest; its x0 decides when the input of the others carries it
over the fold. Both are found by bisection with runs of the network itself,
for all draws at once.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inference.priors import Priors
from inference.problem import Problem
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import (
    FOLD_Z,
    critical_x0,
    equilibrium,
    left_branch_expansion,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# x0 of an epileptogenic region above the threshold: mean and standard deviation.
EZ_ABOVE, EZ_ABOVE_SD, EZ_ABOVE_LEAST = 0.35, 0.12, 0.05
# x0 of regions whose turn has not come, and bounds of the bisection.
SILENT_X0, LOWEST_X0 = -3.2, -3.6
# The x0 of a region that is not epileptogenic is this much below the threshold, at least.
BELOW_THRESHOLD = 0.02
# z(0) of an epileptogenic region: below the fold it starts at once.
LOWEST_Z, HIGHEST_Z = FOLD_Z - 0.6, FOLD_Z + 1.5
N_BISECTIONS = 9
DRAWS_TOGETHER = 200
# A region that did not seize may rest nearer to the threshold than the prior mean, which keeps
# others less from seizing: shift of its mean, and factor on its standard deviation.
SILENT_SHIFT, SILENT_SD_FACTOR = 0.25, 0.25
# Draws whose recruited regions start later than this many steps get a larger K.
LATE_STEPS, K_FACTOR, K_ROUNDS = 12.0, 1.6, 3
# Regions that seize against the onsets get a lower x0, in this many rounds.
QUIET_ROUNDS, QUIET_STEP = 6, 0.15
TAU0_RANGE = (5.0, 100.0)
_REST_X0 = -2.1
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
    K : numpy.ndarray, shape (n_draws,)
        Coupling.
    tau0 : numpy.ndarray, shape (n_draws, n_seizures)
        Time scale of the slow variable.
    x_init, z_init : numpy.ndarray, shape (n_draws, n_seizures, n_regions)
        Initial states.
    """

    x0: Array
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
    ez_x0 = threshold[:, None] + np.maximum(above, EZ_ABOVE_LEAST)
    x_init, z_init = np.empty((2, n_draws, n_seizures, n))
    for s in range(n_seizures):
        seizure = _Seizure(onsets.active[:, s], onsets.onset_step[:, s], onsets.ez)
        network = _Network(problem.weights, K, tau0[:, s], n_steps, dt)
        if s == 0:
            x0, z, K = _first_seizure(seizure, network, x0, ez_x0, threshold)
        else:
            z = _later_seizure(seizure, network, x0)
        z_init[:, s] = z
        x_init[:, s] = _x_of(x0, z)
    return Dynamics(x0, K, tau0, x_init, z_init)


@dataclass(frozen=True)
class _Network:
    """The network and its parameters in every draw."""

    weights: Array
    K: Array
    tau0: Array
    n_steps: int
    dt: float

    def onsets(self, x0: Array, z: Array, rows: NDArray[np.intp], until: float = np.inf) -> Array:
        """Return the first seizing step of each region, infinite if none, for some draws.

        Onsets after the step `until` are not looked for.
        """
        members = ReducedMembers(x0, self.K[rows], self.tau0[rows], x_init=_x_of(x0, z), z_init=z)
        n_steps = int(min(self.n_steps - 1, np.ceil(until) + 1))
        return run_reduced(self.weights, members, n_steps=n_steps, dt=self.dt).onset_step

    def late(
        self, x0: Array, z: Array, rows: NDArray[np.intp], region: NDArray[np.intp], target: Array
    ) -> Mask:
        """Return in which draws a region, one per draw, starts after its target step or never.

        Draws with similar targets run together: no run is longer than its last target.
        """
        late = np.empty(len(rows), dtype=bool)
        for part in np.array_split(np.argsort(target), -(-len(rows) // DRAWS_TOGETHER)):
            onset = self.onsets(x0[part], z[part], rows[part], until=target[part].max())
            late[part] = onset[np.arange(len(part)), region[part]] > target[part]
        return late


@dataclass(frozen=True)
class _Seizure:
    """Targets of one seizure."""

    active: Mask
    onset_step: Array
    ez: Mask

    @property
    def order(self) -> NDArray[np.intp]:
        """Seizing regions by onset, then the others, (n_draws, n_regions)."""
        return np.argsort(np.where(self.active, self.onset_step, np.inf), axis=1, kind="stable")


def _x_of(x0: Array, z: Array) -> Array:
    """Return x(0): on the left branch at z(0), or at rest where z(0) is the rest state."""
    rest, z_rest = equilibrium(np.minimum(x0, _REST_X0))
    return np.where(z == z_rest, rest, left_branch_expansion(z))


def _rest_z(x0: Array) -> Array:
    return equilibrium(np.minimum(x0, _REST_X0))[1]


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
    members = ReducedMembers(x0, np.ones(len(tau0)), tau0, x_init=_x_of(x0, z), z_init=z)
    run = run_reduced(np.zeros((1, 1)), members, n_steps=n_steps, dt=dt, keep_traces=True)
    if run.x is None:
        raise RuntimeError("no traces")
    seizing = run.x[:, :, 0] > 0.0
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


def _first_seizure(
    seizure: _Seizure, network: _Network, silent: Array, ez_x0: Array, threshold: Array
) -> tuple[Array, Array, Array]:
    """Return x0, z(0) and K that give the onsets of the first seizure.

    Where the input of the others does not suffice to recruit a region, K is raised. Some regions
    are not recruited even then: errors of the connectome are not modelled.
    """
    x0, z, K = silent.copy(), _rest_z(silent), network.K.copy()
    rows = np.arange(len(x0))
    for number in range(K_ROUNDS + 1):
        x0[rows] = np.where(seizure.active[rows] | seizure.ez[rows], SILENT_X0, silent[rows])
        z[rows] = _rest_z(x0[rows])
        part = replace(network, K=K)
        _set_in_order(seizure, part, x0, z, ez_x0, threshold - BELOW_THRESHOLD, rows)
        onset = part.onsets(x0[rows], z[rows], rows)
        recruited = seizure.active[rows] & ~seizure.ez[rows]
        late = recruited & (onset > seizure.onset_step[rows] + LATE_STEPS)
        rows = rows[late.any(axis=1)]
        if len(rows) == 0 or number == K_ROUNDS:
            break
        K[rows] *= K_FACTOR
    silent_ez = seizure.ez & ~seizure.active
    x0[silent_ez] = ez_x0[silent_ez]
    z[silent_ez] = HIGHEST_Z
    return *_quieted(seizure, replace(network, K=K), x0, z), K


def _set_in_order(
    seizure: _Seizure, network: _Network, x0: Array, z: Array, ez_x0: Array, highest: Array,
    wanted: NDArray[np.intp],
) -> None:  # fmt: skip
    """Set the seizing regions of some draws, earliest first, each by bisection."""
    order, count = seizure.order, seizure.active.sum(axis=1)
    for place in range(int(count[wanted].max(initial=0))):
        rows = wanted[count[wanted] > place]
        region = order[rows, place]
        target = np.maximum(seizure.onset_step[rows, region], 1.0)
        low, high = np.zeros(len(rows)), np.ones(len(rows))
        for _ in range(N_BISECTIONS):
            middle = 0.5 * (low + high)
            _place(seizure, x0, z, rows, region, middle, ez_x0, highest)
            late = network.late(x0[rows], z[rows], rows, region, target)
            low, high = np.where(late, middle, low), np.where(late, high, middle)
        _place(seizure, x0, z, rows, region, high, ez_x0, highest)


def _place(
    seizure: _Seizure, x0: Array, z: Array, rows: NDArray[np.intp], region: NDArray[np.intp],
    haste: Array, ez_x0: Array, highest: Array,
) -> None:  # fmt: skip
    """Set x0 and z(0) of one region per draw; with a larger `haste` (0 to 1) it starts earlier.

    An epileptogenic region has a lower z(0), a recruited one a larger x0.
    """
    own = seizure.ez[rows, region]
    recruited = LOWEST_X0 + haste * (highest[rows] - LOWEST_X0)
    x0[rows, region] = np.where(own, ez_x0[rows, region], recruited)
    z[rows, region] = np.where(own, HIGHEST_Z - haste * (HIGHEST_Z - LOWEST_Z), _rest_z(recruited))


def _quieted(seizure: _Seizure, network: _Network, x0: Array, z: Array) -> tuple[Array, Array]:
    """Lower the x0 of regions that seize against the onsets."""
    rows = np.arange(len(x0))
    for _ in range(QUIET_ROUNDS):
        wrong = np.isfinite(network.onsets(x0[rows], z[rows], rows))
        wrong &= ~seizure.active[rows] & ~seizure.ez[rows]
        rows = rows[wrong.any(axis=1)]
        if len(rows) == 0:
            break
        wrong = wrong[wrong.any(axis=1)]
        lowered = np.where(wrong, x0[rows] - QUIET_STEP, x0[rows])
        x0[rows] = lowered
        z[rows] = np.where(wrong, _rest_z(lowered), z[rows])
    return x0, z


def _later_seizure(seizure: _Seizure, network: _Network, x0: Array) -> Array:
    """Return z(0) that gives the onsets of a later seizure with the same x0."""
    z = np.where(seizure.ez, HIGHEST_Z, _rest_z(x0))
    order, count = seizure.order, seizure.active.sum(axis=1)
    z[seizure.active] = HIGHEST_Z
    for place in range(int(count.max(initial=0))):
        rows = np.flatnonzero(count > place)
        region = order[rows, place]
        target = np.maximum(seizure.onset_step[rows, region], 1.0)
        low, high = np.full(len(rows), LOWEST_Z), np.full(len(rows), HIGHEST_Z)
        for _ in range(N_BISECTIONS):
            middle = 0.5 * (low + high)
            z[rows, region] = middle
            late = network.late(x0[rows], z[rows], rows, region, target)
            low, high = np.where(late, low, middle), np.where(late, middle, high)
        z[rows, region] = 0.5 * (low + high)
    return z
