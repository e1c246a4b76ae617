"""A seizure with known truth: who seizes by itself, who is recruited, and when."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import (
    FOLD_X,
    FOLD_X0,
    FOLD_Z,
    SEIZING_X1_6D_SLIDING,
    left_branch_step,
    nullcline_z,
    rest_x_newton,
)
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network

_LOG = logging.getLogger(__name__)

Array = NDArray[np.float64]

# Of the 6D model without neighbours: mean x1 in seizure, z at its end, its length in tau0.
_SEIZING_X, _SEIZURE_END_Z, _SEIZURE_SLOW_TIME = 0.28, 4.02, 0.25
_REACH = 0.8  # share of a seizure within which others must be recruited
_NEAR_X0 = FOLD_X0 - 0.025
_START_Z = FOLD_Z - 0.008  # the fold is left behind slowly
_PROPOSALS = 60


class NoSpreadError(ModelError):
    """A seizure does not spread on this connectome as asked for."""


@dataclass(frozen=True)
class SeizureSettings:
    """What a drawn patient's disease and seizure look like.

    Parameters
    ----------
    n_epileptogenic : int
        Regions that seize by themselves.
    recruited : tuple of int
        Fewest and most regions that the network recruits.
    K : tuple of float
        Range of the coupling, for weights normalised by ``strength``.
    tau0 : float
        Time-scale separation of the 6D model.
    units_per_second : float
        Model time per second: fast discharges of about 15 Hz, spike-and-wave of 1 to 3 Hz.
    quiet_s, after_s : float
        Least time before the first onset, and what is kept after the last end.
    duration_s : tuple of float
        Shortest and longest seizure, first onset to last end.
    rate_hz : float
        Samples per second.
    """

    n_epileptogenic: int = 2
    recruited: tuple[int, int] = (3, 7)
    K: tuple[float, float] = (0.9, 2.0)
    tau0: float = 10_000.0
    units_per_second: float = 78.0
    quiet_s: float = 62.0
    after_s: float = 25.0
    duration_s: tuple[float, float] = (30.0, 80.0)
    rate_hz: float = 512.0
    attempts: int = 60


@dataclass(frozen=True)
class Disease:
    """Excitability of every region, before anything has been simulated.

    Parameters
    ----------
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability; above about -2.06 a region seizes by itself.
    K : float
        Coupling, for weights normalised by ``strength``.
    epileptogenic, susceptible : tuple of str
        Regions above the threshold, and those just below it beside them.
    """

    regions: tuple[str, ...]
    x0: Array
    K: float
    epileptogenic: tuple[str, ...]
    susceptible: tuple[str, ...]


@dataclass(frozen=True)
class Seizure:
    """What the regions did.

    Parameters
    ----------
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the start of the recording.
    lfp : numpy.ndarray, shape (n_times, n_regions)
        x2 - x1.
    x1 : numpy.ndarray, shape (n_times, n_regions)
        Fast population.
    onset_s, end_s : numpy.ndarray, shape (n_regions,)
        NaN where the region does not seize.
    """

    regions: tuple[str, ...]
    times_s: Array
    lfp: NDArray[np.float32]
    x1: NDArray[np.float32]
    onset_s: Array
    end_s: Array

    @property
    def seizing(self) -> tuple[str, ...]:
        """Regions that seize, earliest first."""
        order = np.argsort(self.onset_s)
        return tuple(self.regions[i] for i in order if np.isfinite(self.onset_s[i]))

    @property
    def first_onset_s(self) -> float:
        """Onset of the first region."""
        return float(np.nanmin(self.onset_s))

    @property
    def last_end_s(self) -> float:
        """End of the last region."""
        return float(np.nanmax(self.end_s))


@dataclass(frozen=True)
class VirtualPatient:
    """A disease with the seizure it causes on a network."""

    network: Network
    disease: Disease
    seizure: Seizure
    attempts: int

    @property
    def recruited(self) -> tuple[str, ...]:
        """Regions that seize without being epileptogenic, earliest first."""
        own = set(self.disease.epileptogenic)
        return tuple(name for name in self.seizure.seizing if name not in own)


def draw_patient(
    network: Network,
    candidates: Sequence[str],
    rng: np.random.Generator,
    settings: SeizureSettings | None = None,
    centres_mm: Array | None = None,
) -> VirtualPatient:
    """Draw diseases until one makes an acceptable seizure.

    A draw is taken when every epileptogenic region seizes, none of the regions before
    `quiet_s`, the number recruited lies within `recruited`, and everything has ended after a
    time within `duration_s`; otherwise all of it is drawn again, `attempts` times at most.

    Parameters
    ----------
    network : Network
        The true connectome, of any scale; it is normalised by ``strength``.
    candidates : sequence of str
        Regions that may be epileptogenic.
    rng : numpy.random.Generator
        Source of all that is random.
    settings : SeizureSettings, optional
        Bounds.
    centres_mm : numpy.ndarray, shape (n_regions, 3), optional
        Centroids: with them the epileptogenic regions lie within 55 mm of each other.

    Raises
    ------
    ModelError
        No draw was acceptable.
    """
    settings = settings or SeizureSettings()
    scaled = network.normalised("strength")
    for attempt in range(1, settings.attempts + 1):
        try:
            disease = draw_disease(scaled, candidates, rng, settings, centres_mm)
        except NoSpreadError as error:
            fault = error.what
            continue
        seizure = simulate_seizure(scaled, disease, rng, settings)
        fault = _fault(disease, seizure, settings)
        if not fault:
            return VirtualPatient(scaled, disease, seizure, attempt)
        _LOG.info("draw %d is not taken: %s", attempt, fault)
    raise ModelError(
        f"none of {settings.attempts} drawn patients had a seizure as asked for; the last: {fault}",
        hint="give another seed, or wider bounds",
    )


def _fault(disease: Disease, seizure: Seizure, settings: SeizureSettings) -> str:
    """Say why a seizure is not acceptable; nothing if it is."""
    seizing = seizure.seizing
    silent = [name for name in disease.epileptogenic if name not in seizing]
    if silent:
        return f"{', '.join(silent)} did not seize"
    if seizure.first_onset_s < settings.quiet_s:
        return f"a seizure after {seizure.first_onset_s:.0f} s"
    n_recruited = len(seizing) - len(disease.epileptogenic)
    if not settings.recruited[0] <= n_recruited <= settings.recruited[1]:
        return f"{n_recruited} regions recruited"
    if np.isnan(seizure.end_s[np.isfinite(seizure.onset_s)]).any():
        return "a region did not end"
    if any(name not in disease.epileptogenic for name in seizing[:1]):
        return f"{seizing[0]} seized first"
    length = seizure.last_end_s - seizure.first_onset_s
    if not settings.duration_s[0] <= length <= settings.duration_s[1]:
        return f"a seizure of {length:.0f} s"
    return ""


# ---- the disease --------------------------------------------------------------------------


def draw_disease(
    network: Network,
    candidates: Sequence[str],
    rng: np.random.Generator,
    settings: SeizureSettings,
    centres_mm: Array | None = None,
) -> Disease:
    """Draw who seizes by themselves (x0 about -1.6) and who is near the threshold beside them.

    The first epileptogenic region is any of the candidates, each with the same chance.
    Proposals are a group of epileptogenic regions around it and a cluster of regions that get
    much of their input from it, with an x0 of -2.09 to -2.34; all others have -3.3 to -2.6. They
    are tried in the slow limit of the model (`slow_onsets`), and the one is kept that recruits as
    many regions as asked for over the longest time.

    Raises
    ------
    NoSpreadError
        No proposal recruits as many as asked for on this network.
    """
    K = float(rng.uniform(*settings.K))
    able = [network.regions.index(name) for name in candidates]
    first = int(rng.choice(able))
    owns = [
        _group(network.weights, first, able, settings.n_epileptogenic, rng, centres_mm)
        for _ in range(_PROPOSALS)
    ]
    clusters = [_cluster(network.weights, own, settings.recruited, rng) for own in owns]
    x0 = np.stack(
        [_excitability(network.n_regions, *pair, rng) for pair in zip(owns, clusters, strict=True)]
    )
    onsets = slow_onsets(network.weights, K, x0, [np.array(own) for own in owns])
    best = _widest_spread(onsets, settings.recruited)
    names = network.regions
    return Disease(
        tuple(names),
        x0[best],
        K,
        tuple(names[i] for i in owns[best]),
        tuple(names[i] for i in clusters[best]),
    )


def _cluster(
    weights: Array, own: list[int], size: tuple[int, int], rng: np.random.Generator
) -> list[int]:
    """Draw regions that get a large share of their input from those already chosen."""
    inside = list(own)
    strength = np.maximum(weights.sum(axis=1), 1e-12)
    for _ in range(int(rng.integers(size[0], size[1] + 1))):
        share = weights[:, inside].sum(axis=1) / strength
        share[inside] = 0.0
        leading = np.argsort(-share)[:6]
        chances = share[leading] ** 2 + 1e-9
        inside.append(int(rng.choice(leading, p=chances / chances.sum())))
    return inside[len(own) :]


def _excitability(n: int, own: list[int], cluster: list[int], rng: np.random.Generator) -> Array:
    """Draw the x0 of every region."""
    x0 = rng.uniform(-3.3, -2.6, n)
    x0[own] = rng.normal(-1.6, 0.04, len(own))
    x0[cluster] = _NEAR_X0 - rng.uniform(0.0, 1.0) * rng.uniform(0.0, 0.25, len(cluster))
    return x0


def _widest_spread(onsets: Array, wanted: tuple[int, int]) -> int:
    """Choose the proposal with as many recruited as asked for and the longest delays."""
    recruited = (onsets > 0) & (onsets < _REACH * _SEIZURE_SLOW_TIME)
    n_recruited = recruited.sum(axis=1)
    good = (n_recruited >= wanted[0]) & (n_recruited <= wanted[1])
    if not good.any():
        raise NoSpreadError(
            f"none of {len(onsets)} proposals recruits {wanted[0]} to {wanted[1]} regions",
            expected="a connectome on which a seizure can spread",
            hint="give another seed or a larger range of K",
        )
    delays = np.where(recruited, onsets, 0.0).sum(axis=1) / np.maximum(n_recruited, 1)
    return int(np.where(good, delays, -1.0).argmax())


def _group(
    weights: Array,
    first: int,
    able: list[int],
    size: int,
    rng: np.random.Generator,
    centres_mm: Array | None,
) -> list[int]:
    """Draw regions of one hemisphere within 55 mm of the first, sooner those joined to it."""
    others = [i for i in able if i != first and _near(centres_mm, first, i)]
    if len(others) < size - 1:
        others = [i for i in able if i != first]
    chances = weights[first, others] + 0.02
    more = rng.choice(others, size - 1, replace=False, p=chances / chances.sum())
    return [first, *(int(i) for i in more)]


def _near(centres_mm: Array | None, one: int, other: int) -> bool:
    if centres_mm is None:
        return True
    same_side = centres_mm[one, 0] * centres_mm[other, 0] > 0
    return bool(same_side and np.linalg.norm(centres_mm[one] - centres_mm[other]) < 55.0)


def slow_onsets(weights: Array, K: float, x0: Array, seizing: Sequence[NDArray[np.intp]]) -> Array:
    """Follow the model in the limit of a slow z: when does each region start to seize.

    x lies on the left branch of 4.1 - x³ - 2x² = z at rest and at 0.28 in seizure, which
    starts at z = 2.91 and ends at z = 4.02; z' = 4(x - x0) - z - K Σ C (x_j - x_i). The six
    equations recruit later, up to twice: they pass the fold slowly.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights.
    K : float
        Coupling.
    x0 : numpy.ndarray, shape (n_draws, n_regions)
        Excitabilities.
    seizing : sequence of arrays
        Regions that seize from time 0, per draw.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
        Onset in units of tau0: 0 for those of `seizing`, infinite where there is none.
    """
    active = np.zeros(x0.shape, dtype=bool)
    for row, group in enumerate(seizing):
        active[row, group] = True
    own = active.copy()
    onsets = np.where(own, 0.0, np.inf)
    x = np.where(own, FOLD_X - 0.05, rest_x_newton(np.minimum(x0, -2.08)))
    z = nullcline_z(x)
    strength, dt = weights.sum(axis=1), 0.005
    for step in range(-60, int(0.5 / dt)):
        if step == 0:
            z = np.where(own, FOLD_Z, z)
        now = active & (step >= 0)
        seen = np.where(now, _SEIZING_X, x)
        dz = 4 * (seen - x0) - z - K * (seen @ weights.T - strength * seen)
        z = np.where(own & (step < 0), z, z + dt * dz)
        start = (z <= _START_Z) & ~active & np.isinf(onsets) & (step >= 0)
        onsets[start] = step * dt
        active = (active | start) & (z < _SEIZURE_END_Z)
        x = left_branch_step(np.maximum(z, FOLD_Z + 1e-4), x)
    return onsets


# ---- the seizure --------------------------------------------------------------------------


def simulate_seizure(
    network: Network, disease: Disease, rng: np.random.Generator, settings: SeizureSettings
) -> Seizure:
    """Run the 6D Epileptor from rest through one seizure.

    Epileptogenic regions start on their way down to the fold, so that they reach it after
    `quiet_s` and some seconds; all others start at rest. The recording is cut `after_s` after
    the last end.
    """
    duration = settings.quiet_s + 25.0 + settings.duration_s[1] + settings.after_s
    model = Epileptor(
        x0=disease.x0,
        K=disease.K,
        r=1.0 / settings.tau0,
        seconds_per_unit=1.0 / settings.units_per_second,
    )
    run = simulate(
        network,
        model,
        duration=duration,
        seed=rng,
        initial=_start(network, disease, model, rng, settings),
        noise={"x1": 1e-4, "y1": 1e-4, "x2": 2e-4, "y2": 2e-4},
        sample_rate=settings.rate_hz,
        options=Options(keep=("lfp", "x1"), dtype="float32"),
    )
    x1 = run["x1"].to_numpy()
    onset_s, end_s = seizing_times(x1, settings.rate_hz)
    n_kept = len(x1)
    if np.isfinite(end_s).any():
        n_kept = min(n_kept, int(np.floor(np.nanmax(end_s) + settings.after_s) * settings.rate_hz))
    times_s = np.arange(n_kept) / settings.rate_hz
    return Seizure(
        tuple(network.regions), times_s, run["lfp"].to_numpy()[:n_kept], x1[:n_kept], onset_s, end_s
    )


def _start(
    network: Network,
    disease: Disease,
    model: Epileptor,
    rng: np.random.Generator,
    settings: SeizureSettings,
) -> Array:
    """Return states at which epileptogenic regions have some time to go."""
    shape = (6, network.n_regions)
    states: Array = np.array(np.broadcast_to(model.rest(1, network.n_regions)[0], shape))
    rest = rest_x_newton(np.minimum(disease.x0, -2.2))
    first_s = settings.quiet_s + float(rng.uniform(6.0, 14.0))
    for number, name in enumerate(disease.epileptogenic):
        i = network.regions.index(name)
        wait_s = first_s + (0.0 if number == 0 else float(rng.uniform(1.0, 5.0)))
        x, z = _before_the_fold(
            float(disease.x0[i]),
            disease.K * network.weights[i].sum(),
            disease.K * float(network.weights[i] @ rest),
            wait_s * settings.units_per_second / settings.tau0,
        )
        states[:3, i] = x, 1.0 - 5.0 * x**2, z
        states[5, i] = 0.1 * x
    return states


def _before_the_fold(
    x0: float, strength: float, pull: float, slow_time: float
) -> tuple[float, float]:
    """Return (x, z) some time before the fold, going back along the left branch."""
    x, steps = FOLD_X - 0.02, 2000
    dt = slow_time / steps
    for _ in range(steps):
        z = nullcline_z(x)
        dz = 4 * (x - x0) - z - (pull - strength * x)
        x += dt * dz / (3 * x**2 + 4 * x)  # dx = -dz / (3x² + 4x), backwards
        x = min(x, FOLD_X - 0.02)
    return x, nullcline_z(x)


def seizing_times(x1: NDArray[np.floating], rate_hz: float) -> tuple[Array, Array]:
    """Return onset and end of every region's first seizure, in seconds; NaN where there is none.

    A region seizes while x1 lies above -0.8 for more than half of a sliding second, for at
    least 3 s.

    Parameters
    ----------
    x1 : numpy.ndarray, shape (n_times, n_regions)
        Fast population.
    rate_hz : float
        Samples per second.
    """
    share = uniform_filter1d((x1 > SEIZING_X1_6D_SLIDING).astype(np.float32), int(rate_hz), axis=0)
    onset_s, end_s = np.full(x1.shape[1], np.nan), np.full(x1.shape[1], np.nan)
    for i in np.flatnonzero((share > 0.5).any(axis=0)):
        edges = np.diff((share[:, i] > 0.5).astype(np.int8), prepend=0)
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        for start in starts:
            later = ends[ends > start]
            stop = later[0] if len(later) else len(x1)
            if stop - start >= 3 * rate_hz:
                onset_s[i] = start / rate_hz
                end_s[i] = stop / rate_hz if len(later) else np.nan
                break
    return onset_s, end_s
