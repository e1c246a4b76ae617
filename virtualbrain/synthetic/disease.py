"""Draw the disease of a synthetic patient: the zone and the excitability of every region.

Demo patients (`draw_disease`) and validation patients (`draw_sampled_zone`, `draw_excitability`)
follow different rules. Both are kept: another rule would change the patient that a seed gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.reduced_physics import FOLD_X0
from virtualbrain.network import Network
from virtualbrain.synthetic.spread import slow_onsets

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PROPOSALS = 60
_NEAR_X0 = FOLD_X0 - 0.025
# Length of a seizure of the 6D model without neighbours, in tau0.
_SEIZURE_SLOW_TIME = 0.25
_LATEST_RECRUITMENT = 0.8  # fraction of a seizure within which other regions must be recruited

# Relative gain above which a region can be in a sampled zone, and below which in an unsampled one.
SAMPLED_GAIN, UNSAMPLED_GAIN = 0.6, 0.12


class NoSpreadError(ModelError):
    """The requested spread of the seizure is impossible on this connectome."""


@dataclass(frozen=True)
class SeizureSettings:
    """Disease and seizure of a demo patient.

    Parameters
    ----------
    n_epileptogenic : int
        Regions in the epileptogenic zone.
    recruited : tuple of int
        Fewest and most regions that the network recruits.
    K : tuple of float
        Range of the coupling, for weights normalised by ``strength``.
    tau0 : float
        Time-scale separation of the 6D model.
    units_per_second : float
        Model time per second: fast discharges of about 15 Hz, spike-and-wave of 1 to 3 Hz.
    quiet_s, after_s : float
        Least time before the first onset, and time recorded after the last end.
    duration_s : tuple of float
        Shortest and longest seizure, first onset to last end.
    rate_hz : float
        Sampling rate.
    attempts : int
        Largest number of draws.
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
    """Zone, excitability and coupling of a demo patient.

    Parameters
    ----------
    regions : tuple of str
        Names in the order of `x0`.
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability; a region above about -2.06 seizes without its neighbours.
    K : float
        Coupling, for weights normalised by ``strength``.
    epileptogenic, susceptible : tuple of str
        Regions above the threshold, and connected regions just below it.
    """

    regions: tuple[str, ...]
    x0: Array
    K: float
    epileptogenic: tuple[str, ...]
    susceptible: tuple[str, ...]


# ---- demo patients ------------------------------------------------------------------------


def draw_disease(
    network: Network,
    candidates: Sequence[str],
    rng: np.random.Generator,
    settings: SeizureSettings,
    centres_mm: Array | None = None,
) -> Disease:
    """Draw an epileptogenic zone (x0 about -1.6) and susceptible regions near it.

    The first epileptogenic region is any of the candidates with equal probability. Each proposal
    adds other epileptogenic regions near it and a cluster of regions that get much of their input
    from the zone, with an x0 of -2.09 to -2.34. All others have -3.3 to -2.6. The proposals are
    tried in the slow limit of the model (`slow_onsets`). Among those that recruit the requested
    number of regions, the one with the longest delays is chosen.

    Raises
    ------
    NoSpreadError
        No proposal recruits the requested number of regions on this network.
    """
    K = float(rng.uniform(*settings.K))
    allowed = [network.regions.index(name) for name in candidates]
    first = int(rng.choice(allowed))
    zones = [
        _draw_zone_around(
            network.weights, first, allowed, settings.n_epileptogenic, rng, centres_mm
        )
        for _ in range(_PROPOSALS)
    ]
    clusters = [_draw_cluster(network.weights, zone, settings.recruited, rng) for zone in zones]
    x0 = np.stack(
        [_excitability(network.n_regions, *pair, rng) for pair in zip(zones, clusters, strict=True)]
    )
    onsets = slow_onsets(network.weights, K, x0, [np.array(zone) for zone in zones])
    best = _widest_spread(onsets, settings.recruited)
    names = network.regions
    return Disease(
        tuple(names),
        x0[best],
        K,
        tuple(names[i] for i in zones[best]),
        tuple(names[i] for i in clusters[best]),
    )


def _draw_zone_around(
    weights: Array,
    first: int,
    allowed: list[int],
    size: int,
    rng: np.random.Generator,
    centres_mm: Array | None,
) -> list[int]:
    """Draw regions of one hemisphere within 55 mm of the first, preferably connected to it."""
    others = [i for i in allowed if i != first and _is_near(centres_mm, first, i)]
    if len(others) < size - 1:
        others = [i for i in allowed if i != first]
    chances = weights[first, others] + 0.02
    more = rng.choice(others, size - 1, replace=False, p=chances / chances.sum())
    return [first, *(int(i) for i in more)]


def _is_near(centres_mm: Array | None, one: int, other: int) -> bool:
    if centres_mm is None:
        return True
    same_side = centres_mm[one, 0] * centres_mm[other, 0] > 0
    return bool(same_side and np.linalg.norm(centres_mm[one] - centres_mm[other]) < 55.0)


def _draw_cluster(
    weights: Array, zone: list[int], size: tuple[int, int], rng: np.random.Generator
) -> list[int]:
    """Draw regions that get a large fraction of their input from those already chosen."""
    inside = list(zone)
    strength = np.maximum(weights.sum(axis=1), 1e-12)
    for _ in range(int(rng.integers(size[0], size[1] + 1))):
        fraction = weights[:, inside].sum(axis=1) / strength
        fraction[inside] = 0.0
        leading = np.argsort(-fraction)[:6]
        chances = fraction[leading] ** 2 + 1e-9
        inside.append(int(rng.choice(leading, p=chances / chances.sum())))
    return inside[len(zone) :]


def _excitability(n: int, zone: list[int], cluster: list[int], rng: np.random.Generator) -> Array:
    """Draw the x0 of every region."""
    x0 = rng.uniform(-3.3, -2.6, n)
    x0[zone] = rng.normal(-1.6, 0.04, len(zone))
    x0[cluster] = _NEAR_X0 - rng.uniform(0.0, 1.0) * rng.uniform(0.0, 0.25, len(cluster))
    return x0


def _widest_spread(onsets: Array, wanted: tuple[int, int]) -> int:
    """Choose the proposal that recruits the wanted number of regions with the longest delays."""
    recruited = (onsets > 0) & (onsets < _LATEST_RECRUITMENT * _SEIZURE_SLOW_TIME)
    n_recruited = recruited.sum(axis=1)
    good = (n_recruited >= wanted[0]) & (n_recruited <= wanted[1])
    if not good.any():
        raise NoSpreadError(
            f"none of {len(onsets)} proposals recruits {wanted[0]} to {wanted[1]} regions",
            expected="a connectome on which a seizure can spread",
            hint="use another seed or a larger range of K",
        )
    delays = np.where(recruited, onsets, 0.0).sum(axis=1) / np.maximum(n_recruited, 1)
    return int(np.where(good, delays, -1.0).argmax())


# ---- validation patients ------------------------------------------------------------------


def largest_relative_gain(gain: Array) -> Array:
    """Return the largest gain of each region, relative to the largest gain of the channel."""
    relative = gain / gain.sum(axis=1, keepdims=True)
    return np.asarray((relative / relative.max(axis=1, keepdims=True)).max(axis=0))


def draw_sampled_zone(
    gain: Array, weights: Array, sampled: bool, rng: np.random.Generator
) -> Mask | None:
    """Draw one to three connected regions, all sampled or all unsampled.

    Parameters
    ----------
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Gain of any scale.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights of any scale.
    sampled : bool
        Whether a channel must see each region of the zone, or none may.
    rng : numpy.random.Generator
        Source of the choice.

    Returns
    -------
    numpy.ndarray of bool, shape (n_regions,), or None
        The zone; None where fewer than three regions are allowed.
    """
    largest = largest_relative_gain(gain)
    allowed = np.flatnonzero(largest >= SAMPLED_GAIN if sampled else largest <= UNSAMPLED_GAIN)
    if len(allowed) < 3:
        return None
    first = int(rng.choice(allowed))
    others = [i for i in np.argsort(-weights[first])[:12] if i in allowed and i != first]
    wanted = int(rng.integers(1, 4))
    chosen = [first, *[int(i) for i in rng.permutation(others)[: wanted - 1]]]
    ez = np.zeros(len(weights), dtype=bool)
    ez[chosen] = True
    return ez


def draw_excitability(ez: Mask, weights: Array, rng: np.random.Generator) -> Array:
    """Draw x0: high in the zone, near threshold in some of its neighbours, low elsewhere."""
    x0 = rng.normal(-2.5, 0.15, len(ez))
    strength = weights[:, ez].sum(axis=1)
    strength[ez] = 0
    near = np.argsort(-strength)[: int(rng.integers(3, 8))]
    x0[near] = rng.uniform(-2.35, -2.15, len(near))
    x0[ez] = rng.uniform(-1.9, -1.6, int(ez.sum()))
    return np.asarray(np.where(ez, x0, np.minimum(x0, -2.12)))
