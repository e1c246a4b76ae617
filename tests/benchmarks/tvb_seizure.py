"""Simulate seizures with The Virtual Brain: 6D Epileptors, difference coupling, stochastic Heun.

A run has every region twice: once in the network, once alone. So one run shows which regions seize
alone, and which only where the network recruits them. Couplings are proposed by this project's fast
simulator of the same equations; what counts is the run of The Virtual Brain.
"""

import logging
import warnings
from dataclasses import dataclass

import numpy as np

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import FOLD_X, FOLD_Z, nullcline_z
from virtualbrain.models.seizure_detection import seizures
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network

RATE_HZ = 512.0
LONGEST_S = 80.0
# Kept after the last region has ended.
AFTER_S = 8.0
EARLIEST_ONSET_S = 13.0
RECRUITED = (2, 8)
FEWEST_BEFORE_LATE = 2
_STEP = 0.05  # longest step in model time
_CHUNK_S = 4.0
_NEAR_FOLD_Z = FOLD_Z + 0.02
_NEAR_FOLD_X = FOLD_X - 0.02
# Place of a zone region on the rest branch while its neighbours' rest is computed.
_WAITING_X = -1.45
_SEIZING = {"threshold": -0.5, "least_duration": 3.0, "bridge": 1.5}


@dataclass(frozen=True)
class Dynamics:
    """Parameters of one patient's seizure.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        True weights; the mean row sum is one.
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability.
    K, tt, r, nsig : float
        Coupling, speed, slowness, and intensity of the noise on x2 and y2.
    initial : numpy.ndarray, shape (6, n_regions)
        States at the start.
    """

    weights: np.ndarray
    x0: np.ndarray
    K: float
    tt: float
    r: float
    nsig: float
    initial: np.ndarray

    @property
    def network(self) -> Network:
        """The network of the true weights."""
        return Network(self.weights)

    @property
    def model(self) -> Epileptor:
        """The same equations in this project."""
        return Epileptor(x0=self.x0, K=self.K, r=self.r, tt=self.tt)


@dataclass(frozen=True)
class TvbRun:
    """A run of The Virtual Brain.

    Parameters
    ----------
    source : numpy.ndarray, shape (n_times, n_regions)
        x2 - x1 of the regions in the network, at `RATE_HZ`.
    onset_s, end_s : numpy.ndarray, shape (n_regions,)
        In the network; infinite where a region does not seize.
    alone_s : numpy.ndarray, shape (n_regions,)
        Onset of the regions alone; infinite where a region does not seize.
    """

    source: np.ndarray
    onset_s: np.ndarray
    end_s: np.ndarray
    alone_s: np.ndarray


# ---- start ----------------------------------------------------------------------------------


def resting_x(weights: np.ndarray, x0: np.ndarray, K: float, zone: np.ndarray) -> np.ndarray:
    """Return x of every region at rest in the network; regions of the zone wait on their branch.

    Newton's method on 4 (x - x0) - z(x) - K sum_j w_ij (x_j - x_i) = 0.
    """
    x = np.full(len(x0), -1.7)
    x[zone] = _WAITING_X
    free = np.flatnonzero(~zone)
    strength = weights.sum(axis=1)
    for _ in range(60):
        value = 4 * (x - x0) - nullcline_z(x) - K * (weights @ x - strength * x)
        slope = np.diag(4 + 3 * x**2 + 4 * x + K * strength) - K * weights
        step = np.linalg.solve(slope[np.ix_(free, free)], value[free])
        x[free] = np.minimum(x[free] - np.clip(step, -0.2, 0.2), _NEAR_FOLD_X)
        if np.abs(step).max(initial=0.0) < 1e-9:
            break
    return x


def waiting_z(x0: float, pull: tuple[float, float], wait_s: float, rate: float) -> float | None:
    """Return z of a region some time before it starts; None if it never reaches the fold.

    Integrates z' backwards along the rest branch, with the neighbours at rest.

    Parameters
    ----------
    x0 : float
        Excitability.
    pull : tuple of float
        K sum_j w_ij x_j and K sum_j w_ij.
    wait_s : float
        Seconds until the start.
    rate : float
        Rate of z per second.
    """
    x, dt = float(_NEAR_FOLD_X), 0.02
    for _ in range(int(wait_s / dt)):
        drift = 4 * (x - x0) - nullcline_z(x) - (pull[0] - pull[1] * x)
        if drift >= 0:
            return None
        x = min(x + dt * rate * drift / (3 * x**2 + 4 * x), _NEAR_FOLD_X)
    return float(nullcline_z(x))


def initial_states(
    weights: np.ndarray, x0: np.ndarray, K: float, wait_s: np.ndarray, rate: float
) -> np.ndarray | None:
    """Return the states (6, n_regions) at the start; None if a zone region would not start.

    Parameters
    ----------
    weights, x0, K
        See `Dynamics`.
    wait_s : numpy.ndarray, shape (n_regions,)
        Seconds until each region of the zone starts; NaN for others, which rest.
    rate : float
        Rate of z per second, 1000 tt r.
    """
    zone = np.isfinite(wait_s)
    x = resting_x(weights, x0, K, zone)
    z = nullcline_z(x)
    for i in np.flatnonzero(zone):
        pull = (K * float(weights[i] @ x), K * float(weights[i].sum()))
        found = waiting_z(float(x0[i]), pull, float(wait_s[i]), rate)
        if found is None:
            return None
        z[i] = found
        x[i] = _branch_x(found)
    states = np.zeros((6, len(x0)))
    states[0], states[1], states[2], states[3], states[5] = x, 1 - 5 * x**2, z, -1.05, 0.1 * x
    return states


def _branch_x(z: float) -> float:
    """Return x on the rest branch, the lowest root of 4.1 - x^3 - 2 x^2 = z."""
    return float(np.roots([1.0, 2.0, 0.0, z - 4.1]).real.min())


# ---- the two simulators -----------------------------------------------------------------------


def fast_onsets(dynamics: Dynamics, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return onset and end of every region in this project's simulator."""
    run = simulate(
        dynamics.network, dynamics.model, duration=LONGEST_S, seed=seed, sample_rate=64.0,
        initial=dynamics.initial, noise={"x2": dynamics.nsig, "y2": dynamics.nsig},
        options=Options(keep=("x1",), n_threads=1),
    )  # fmt: skip
    found = seizures(run["time"].to_numpy(), run["x1"].to_numpy(), **_SEIZING)
    return found.onset, found.offset


def tvb_simulator(dynamics: Dynamics, seed: int):
    """Return The Virtual Brain's simulator of all regions in the network, then all alone."""
    lab, difference = load_tvb()
    n = len(dynamics.x0)
    weights = np.zeros((2 * n, 2 * n))
    weights[:n, :n] = dynamics.weights
    connectivity = lab.connectivity.Connectivity(
        weights=weights, tract_lengths=np.zeros((2 * n, 2 * n)), centres=np.zeros((2 * n, 3)),
        region_labels=np.arange(2 * n).astype(str), speed=np.array([np.inf]),
    )  # fmt: skip
    connectivity.configure()
    per_sample = int(np.ceil(1000 / RATE_HZ * dynamics.tt / _STEP))
    noise = lab.noise.Additive(nsig=np.array([0, 0, 0, dynamics.nsig, dynamics.nsig, 0.0]))
    noise.random_stream.seed(seed)
    simulator = lab.simulator.Simulator(
        model=lab.models.Epileptor(
            x0=np.tile(dynamics.x0, 2), Ks=np.array([-dynamics.K]), tt=np.array([dynamics.tt]),
            r=np.array([dynamics.r]), variables_of_interest=("x2 - x1", "x1"),
        ),
        connectivity=connectivity, coupling=difference(a=np.array([1.0])),
        integrator=lab.integrators.HeunStochastic(dt=1000 / RATE_HZ / per_sample, noise=noise),
        initial_conditions=np.tile(dynamics.initial, 2)[None, :, :, None],
        monitors=[lab.monitors.SubSample(period=1000 / RATE_HZ)],
    )  # fmt: skip
    simulator.configure()
    return simulator


def load_tvb():
    """Return TVB's library, and its difference coupling as a matrix product (without delays)."""
    logging.getLogger("tvb").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tvb.simulator import lab

    class InstantDifference(lab.coupling.Difference):
        def __call__(self, step, history):
            x = history.buffer[(step - 1) % history.n_time]
            weights = history.weights
            return self.a * (weights @ x - weights.sum(axis=1)[:, None] * x)

    return lab, InstantDifference


def tvb_run(
    dynamics: Dynamics, zone: np.ndarray, seed: int, longest_s: float = LONGEST_S
) -> TvbRun:
    """Run The Virtual Brain until the seizure is over and the zone has seized alone.

    Parameters
    ----------
    dynamics : Dynamics
        The patient.
    zone : numpy.ndarray of bool, shape (n_regions,)
        Regions of the zone.
    seed : int
        Seed of the noise.
    longest_s : float
        Seconds after which the run ends in any case.
    """
    simulator = tvb_simulator(dynamics, seed)
    parts = []
    while len(parts) * _CHUNK_S < longest_s:
        ((_, values),) = simulator.run(simulation_length=1000 * _CHUNK_S)
        parts.append(values[..., 0].astype(np.float32))
        run = _as_run(np.concatenate(parts), len(dynamics.x0))
        if _is_over(run, zone, len(parts) * _CHUNK_S):
            break
    return run


def _as_run(values: np.ndarray, n: int) -> TvbRun:
    times = np.arange(1, len(values) + 1) / RATE_HZ
    found = seizures(times, values[:, 1], **_SEIZING)
    return TvbRun(values[:, 0, :n], found.onset[:n], found.offset[:n], found.onset[n:])


def _is_over(run: TvbRun, zone: np.ndarray, now_s: float) -> bool:
    seizing = np.isfinite(run.onset_s)
    return bool(
        seizing.any()
        and (run.end_s[seizing] < now_s - AFTER_S).all()
        and np.isfinite(run.alone_s[zone]).all()
    )


# ---- what a patient must do -------------------------------------------------------------------


def spreads(onset_s: np.ndarray, end_s: np.ndarray, zone: np.ndarray, late: np.ndarray) -> bool:
    """Return whether a seizure goes as the scenario says.

    All regions of the zone seize, 2 to 8 others are recruited, and all end. Without a late region
    the zone starts before all recruited ones; a late region starts after at least two of them.

    Parameters
    ----------
    onset_s, end_s : numpy.ndarray, shape (n_regions,)
        Infinite where a region does not seize, or not end.
    zone, late : numpy.ndarray of bool, shape (n_regions,)
        Regions of the zone, and the one that starts late.
    """
    seizing = np.isfinite(onset_s)
    recruited = onset_s[seizing & ~zone]
    if not seizing[zone].all() or not RECRUITED[0] <= len(recruited) <= RECRUITED[1]:
        return False
    if onset_s.min() < EARLIEST_ONSET_S or not np.isfinite(end_s[seizing]).all():
        return False
    if end_s[seizing].max() > LONGEST_S - AFTER_S:
        return False
    early = onset_s[zone & ~late].max()
    if late.any():
        return bool((recruited < onset_s[late].min()).sum() >= FEWEST_BEFORE_LATE)
    return bool(early < recruited.min())


def zone_seizes_alone(run: TvbRun, zone: np.ndarray) -> bool:
    """Return whether the zone seizes without a network, and no recruited region does."""
    recruited = np.isfinite(run.onset_s) & ~zone
    return bool(np.isfinite(run.alone_s[zone]).all() and np.isinf(run.alone_s[recruited]).all())
