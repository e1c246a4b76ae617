r"""Find x0 and z(0) with which the network seizes at given times.

Each region is set as if it ran alone, by bisection, with what it received from the others in the
last run of the whole network; then the network runs again (waveform relaxation, Lelarasmee 1982,
doi:10.1109/TCAD.1982.1270004). Onsets follow from earlier ones, so few rounds suffice.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.parallel import run_chunks
from virtualbrain.models.reduced import ReducedMembers, first_step_with_input, run_reduced
from virtualbrain.models.reduced_physics import FOLD_Z, equilibrium, left_branch_expansion

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]

# z(0) of a region that does not start at rest: below the fold it seizes at once.
LOWEST_Z, HIGHEST_Z = FOLD_Z - 0.6, FOLD_Z + 1.5
# Above this x0 the rest state is unstable or nearly so; that of this x0 is used.
_REST_X0 = -2.1
_N_BISECTIONS, _N_ROUNDS, _FIRST_HASTE = 9, 8, 0.7
# After these rounds only a part of each change is made, so that regions do not swing.
_WHOLE_ROUNDS, _PART = 4, 0.7
# Regions that seize against the targets get a lower x0, or a higher z(0), by these steps.
_QUIET_X0, _QUIET_Z = 0.15, 0.3
_DRAWS_TOGETHER = 100


@dataclass(frozen=True)
class Network:
    """The network and its parameters in every draw.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    K, tau0 : numpy.ndarray, shape (n_draws,)
        Coupling, and time scale of the slow variable.
    n_steps : int
        Number of states, the initial one included.
    dt : float
        Model time per step.
    """

    weights: Array
    K: Array
    tau0: Array
    n_steps: int
    dt: float

    @cached_property
    def others(self) -> Array:
        """Weights without those of regions to themselves."""
        return np.asarray(self.weights * (1.0 - np.eye(len(self.weights))))

    def members(self, draws: Places, x0: Array, z: Array) -> ReducedMembers:
        """Return some draws, with these x0 and z(0), for the simulation."""
        return ReducedMembers(
            x0, self.K[draws], self.tau0[draws], x_init=x_on_branch(x0, z), z_init=z
        )


@dataclass(frozen=True)
class Targets:
    """What should happen in one seizure of every draw.

    Parameters
    ----------
    active : numpy.ndarray of bool, shape (n_draws, n_regions)
        Regions that seize.
    onset_step : numpy.ndarray, shape (n_draws, n_regions)
        When, in steps.
    free : numpy.ndarray of bool, shape (n_draws, n_regions)
        Regions that may seize though they are not active.
    """

    active: Mask
    onset_step: Array
    free: Mask


@dataclass(frozen=True)
class Search:
    """Where the states of the regions are searched.

    With a haste of 0 to 1 a region starts earlier and earlier: its x0 rises from `latest_x0` to
    `earliest_x0`; its z(0) is at rest, or falls from `HIGHEST_Z` to `LOWEST_Z`.

    Parameters
    ----------
    latest_x0, earliest_x0 : numpy.ndarray, shape (n_draws, n_regions)
        Bounds of x0.
    at_rest : numpy.ndarray of bool, shape (n_draws, n_regions)
        Regions that start at rest.
    """

    latest_x0: Array
    earliest_x0: Array
    at_rest: Mask

    def states(self, haste: Array, draws: Places, regions: Places) -> tuple[Array, Array]:
        """Return x0 and z(0) of one region for each of some draws."""
        late, early = self.latest_x0[draws, regions], self.earliest_x0[draws, regions]
        x0 = late + haste * (early - late)
        z = HIGHEST_Z - haste * (HIGHEST_Z - LOWEST_Z)
        return x0, np.where(self.at_rest[draws, regions], rest_z(x0), z)


@dataclass(frozen=True)
class _Seizing:
    """Seizing regions, one entry for each region of each of some draws.

    `place` is the place of the draw among these draws; `target` is in steps.
    """

    draws: Places
    place: Places
    regions: Places
    target: Array

    @property
    def at(self) -> tuple[Places, Places]:
        """Where the entries are in arrays of the shape (n_draws, n_regions)."""
        return self.draws, self.regions

    @classmethod
    def of(cls, targets: Targets, draws: Places) -> "_Seizing":
        place, regions = np.nonzero(targets.active[draws])
        target = np.maximum(targets.onset_step[draws[place], regions], 1.0)
        return cls(draws[place], place, regions, target)


def rest_z(x0: Array) -> Array:
    """Return z of the rest state."""
    return equilibrium(np.minimum(x0, _REST_X0))[1]


def x_on_branch(x0: Array, z: Array) -> Array:
    """Return x(0): on the left branch at z(0), or at rest where z(0) is the rest state."""
    rest, z_rest = equilibrium(np.minimum(x0, _REST_X0))
    return np.where(z == z_rest, rest, left_branch_expansion(z))


def match_onsets(
    network: Network, targets: Targets, search: Search, x0: Array, z: Array
) -> tuple[Array, Array]:
    """Return x0 and z(0) with which the regions seize at their targets.

    Where a target cannot be reached, the region starts as near to it as the search allows.

    Parameters
    ----------
    network, targets, search
        The network, what should happen, and where to search.
    x0, z : numpy.ndarray, shape (n_draws, n_regions)
        States of the regions that do not seize.

    Returns
    -------
    x0, z : numpy.ndarray, shape (n_draws, n_regions)
        States of all regions.
    """
    x0, z = x0.copy(), z.copy()

    def work(part: slice) -> None:
        _match(network, targets, search, x0, z, np.arange(len(x0))[part])

    run_chunks(work, len(x0), _DRAWS_TOGETHER)
    return x0, z


def _match(
    network: Network, targets: Targets, search: Search, x0: Array, z: Array, draws: Places
) -> None:
    """Set the states of some draws; those that are right leave."""
    haste = np.full(x0.shape, _FIRST_HASTE)
    seizing = _Seizing.of(targets, draws)
    x0[seizing.at], z[seizing.at] = search.states(haste[seizing.at], *seizing.at)
    for number in range(_N_ROUNDS):
        run = run_reduced(
            network.weights, network.members(draws, x0[draws], z[draws]),
            n_steps=network.n_steps - 1, dt=network.dt, keep_traces=True,
        )  # fmt: skip
        wrong = np.isfinite(run.onset_step) & ~(targets.active | targets.free)[draws]
        if number > 0:  # in the first round the onsets are far from the targets
            _quieten(search, x0, z, draws, wrong)
        error = run.onset_step[seizing.place, seizing.regions] - seizing.target
        stay = wrong.any(axis=1)
        stay[seizing.place[np.abs(error) >= 1.0]] = True
        draws = draws[stay]
        if len(draws) == 0:
            return
        seizing = _Seizing.of(targets, draws)
        received = (run.traces[stay, :-1] @ network.others.T)[seizing.place, :, seizing.regions]
        part = 1.0 if number < _WHOLE_ROUNDS else _PART
        found = _least_haste(network, search, seizing, received)
        haste[seizing.at] += part * (found - haste[seizing.at])
        x0[seizing.at], z[seizing.at] = search.states(haste[seizing.at], *seizing.at)


def _quieten(search: Search, x0: Array, z: Array, draws: Places, wrong: Mask) -> None:
    """Keep regions from seizing."""
    place, regions = np.nonzero(wrong)
    at = draws[place], regions
    at_rest = search.at_rest[at]
    x0[at] -= np.where(at_rest, _QUIET_X0, 0.0)
    z[at] = np.where(at_rest, rest_z(x0[at]), np.maximum(z[at] + _QUIET_Z, HIGHEST_Z))


def _least_haste(network: Network, search: Search, seizing: _Seizing, received: Array) -> Array:
    """Return the least haste with which each region is not late, given what it receives."""
    strength = network.others.sum(axis=1)[seizing.regions]
    low, high = np.zeros(len(received)), np.ones(len(received))
    for _ in range(_N_BISECTIONS):
        middle = 0.5 * (low + high)
        states = search.states(middle, *seizing.at)
        members = network.members(seizing.draws, *states)
        late = first_step_with_input(received, strength, members, dt=network.dt) > seizing.target
        low, high = np.where(late, middle, low), np.where(late, high, middle)
    return high
