"""Draw the zone, the excitability and the waits of a validation patient in a scenario."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.synthetic.disease import (
    SAMPLED_GAIN,
    draw_excitability,
    draw_sampled_zone,
    largest_relative_gain,
)
from virtualbrain.synthetic.scenarios import Scenario

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LATE_DISTANCE_MM = 50.0
LATE_WAIT_S = (6.0, 16.0)
LATE_X0 = (-1.95, -1.7)
# A resting x0, with which the late region is left out while the coupling is chosen.
_SILENT_X0 = -2.6
# In the scenario fast few neighbours of the zone are susceptible, all close to the threshold.
FAST_COUPLING = (1.0, 1.2)
FAST_SPEED = 1.5
FAST_X0 = (-2.12, -2.08)
_FAST_RESTING_X0 = -2.4
_FAST_SUSCEPTIBLE = (2, 5)
FAST_DELAY_S = 2.0
# Wait of the part of the zone that does not start a seizure, several-seizure scenario.
OTHER_PART_WAIT_S = 25.0
_FEWEST_BEFORE_LATE = 2


@dataclass(frozen=True)
class Zone:
    """The zone of a validation patient.

    Parameters
    ----------
    ez : numpy.ndarray of bool, shape (n_regions,)
        Regions of the zone.
    late : numpy.ndarray of bool, shape (n_regions,)
        Regions of the zone that start late; none but in the scenario late.
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability.
    """

    ez: Mask
    late: Mask
    x0: Array

    @property
    def early(self) -> Mask:
        """Regions of the zone that start first."""
        return self.ez & ~self.late

    @property
    def x0_without_late(self) -> Array:
        """Excitability with the late regions at rest."""
        return np.where(self.late, _SILENT_X0, self.x0)


def draw_zone(
    scenario: Scenario,
    gain: Array,
    weights: Array,
    centres_mm: Array,
    sampled: bool,
    rng: np.random.Generator,
) -> Zone | None:
    """Draw the zone and the excitability; None where the head does not allow the scenario."""
    if scenario == "late":
        return _late_zone(gain, weights, centres_mm, rng)
    ez = draw_sampled_zone(gain, weights, sampled, rng)
    if ez is None or (scenario == "several" and ez.sum() < 2):
        return None
    x0 = draw_excitability(ez, weights, rng)
    if scenario == "fast":
        x0 = _with_fast_neighbours(x0, ez, weights, rng)
    return Zone(ez, np.zeros_like(ez), x0)


def _with_fast_neighbours(x0: Array, ez: Mask, weights: Array, rng: np.random.Generator) -> Array:
    """Put the regions that are most connected with the zone close to the threshold, others not."""
    strength = np.where(ez, 0.0, weights[:, ez].sum(axis=1))
    near = np.argsort(-strength)[: int(rng.integers(*_FAST_SUSCEPTIBLE))]
    changed = np.where(ez, x0, np.minimum(x0, _FAST_RESTING_X0))
    changed[near] = rng.uniform(*FAST_X0, len(near))
    return np.asarray(changed)


def _late_zone(
    gain: Array, weights: Array, centres_mm: Array, rng: np.random.Generator
) -> Zone | None:
    """Draw one or two connected regions and one that is far from them, all sampled."""
    allowed = np.flatnonzero(largest_relative_gain(gain) >= SAMPLED_GAIN)
    if len(allowed) < 4:
        return None
    chosen = [int(rng.choice(allowed))]
    near = [int(i) for i in np.argsort(-weights[chosen[0]])[:12] if i in allowed]
    near = [i for i in near if i != chosen[0]]
    if near and rng.random() < 0.5:
        chosen.append(int(rng.choice(near)))
    gaps = centres_mm[:, None] - centres_mm[None, chosen]
    distance = np.linalg.norm(gaps, axis=-1).min(axis=1)
    connection = weights[:, chosen].sum(axis=1)
    weak = connection <= np.median(connection)
    far = [i for i in allowed if distance[i] > LATE_DISTANCE_MM and weak[i]]
    if not far:
        return None
    ez, late = np.zeros((2, len(weights)), dtype=bool)
    late[int(rng.choice(far))] = True
    ez[chosen] = True
    x0 = draw_excitability(ez, weights, rng)
    x0[late] = rng.uniform(*LATE_X0)
    return Zone(ez | late, late, x0)


def draw_waits(
    scenario: Scenario, zone: Zone, shortest_s: float, rng: np.random.Generator
) -> list[Array]:
    """Return for each seizure the seconds after which each region of the zone would start."""
    n = len(zone.x0)
    first = shortest_s + rng.uniform(0, 3.0, n)
    if scenario == "late":
        return [np.where(zone.late, first + rng.uniform(*LATE_WAIT_S), first)]
    if scenario != "several":
        return [first]
    order = rng.permutation(np.flatnonzero(zone.ez))
    starters = [order[:1], order[1:]]
    if rng.random() < 0.4:
        starters.append(order)
    waits = []
    for starting in starters:
        wait = shortest_s + rng.uniform(0, 3.0, n)
        waits.append(np.where(np.isin(np.arange(n), starting), wait, wait + OTHER_PART_WAIT_S))
    return waits


def follows(scenario: Scenario, zone: Zone, onset_s: Array) -> bool:
    """Return whether the first seizure spreads as the scenario says."""
    recruited = np.isfinite(onset_s) & ~zone.ez
    if not 2 <= recruited.sum() <= 15 or not np.isfinite(onset_s[zone.ez]).any():
        return False
    if scenario == "late":
        before = (onset_s[recruited] < onset_s[zone.late].max()).sum()
        return bool(np.isfinite(onset_s[zone.ez]).all() and before >= _FEWEST_BEFORE_LATE)
    if scenario == "fast":
        last = onset_s[zone.ez].max()
        return bool((onset_s[recruited] < last + FAST_DELAY_S).mean() >= 0.5)
    return True
