"""Sets of regions that hold the epileptogenic zone of the posterior draws."""

from collections.abc import Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings


class DrawsOfZones(Protocol):
    """Draws whose zones are known, such as `FittedDraws` and `ZoneDraws`."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names."""

    @property
    def in_ez(self) -> NDArray[np.bool_]:
        """Suspected regions that start seizures, (n_draws, n_regions)."""


def p_holds_ez(regions: Sequence[str], draws: DrawsOfZones) -> float:
    """Return the fraction of draws in which a set holds all suspected regions that start seizures.

    Parameters
    ----------
    regions : sequence of str
        The set.
    draws : DrawsOfZones
        The zones; draws in which no suspected region starts seizures count as missed.
    """
    outside = ~np.isin(draws.regions, list(regions))
    missed = (draws.in_ez & outside).any(axis=1)
    return float(np.mean(draws.in_ez.any(axis=1) & ~missed))


def smallest_holding(
    choices: Sequence[str],
    draws: DrawsOfZones,
    settings: SurgerySettings,
    constraints: ResectionConstraints,
) -> tuple[str, ...]:
    """Return the smallest allowed set that holds the zone with the target probability.

    If none does, return the allowed set that holds it most often; empty if no set is allowed.

    Parameters
    ----------
    choices : sequence of str
        Regions that may be resected, the most probable first.
    draws, settings, constraints
        The zones, the target and largest size, and the constraints on one operation.
    """
    best: tuple[str, ...] = ()
    best_p = -1.0
    for size in range(1, min(settings.largest, len(choices)) + 1):
        for regions in combinations(choices, size):
            p = p_holds_ez(regions, draws)
            if p > best_p and constraints.allows(regions):
                best, best_p = regions, p
        if best_p >= settings.target:
            break
    return best
