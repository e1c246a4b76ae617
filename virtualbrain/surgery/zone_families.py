r"""Regions that an explanation names: a family of zones.

An explanation merges zones of many draws. It names the regions that are certain, those that are
possible, and those that the recording does not exclude. Every zone that holds all certain regions
and no region that is not named belongs to it.

A region below the suspicion is not excluded if its probability with masking is at least `NAMED`,

.. math:: q_j = p_j + m \max_i p_i L_{ij}

with the likeness L of the gains (`virtualbrain.seeg.gain.likeness`). The true regions that a fit
misses lie mostly behind a probable one that the same channels see. Regions that no channel sees
are not named for masking.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.seeg.gain import LOW_OBSERVABILITY, likeness, observability

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A region belongs to an explanation for certain, or possibly, from these frequencies in its draws.
CERTAIN, POSSIBLE = 0.95, 0.05
# Chosen on synthetic patients: docs/lab-notes/2026-11-29-list-of-zones.md.
MASKED, NAMED = 0.15, 0.03


@dataclass(frozen=True)
class Family:
    """Regions that an explanation names.

    Parameters
    ----------
    certain, possible : numpy.ndarray of bool, shape (n_suspected,)
        Suspected regions in at least `CERTAIN`, or in `POSSIBLE` to `CERTAIN`, of its draws.
    n_not_excluded : int
        Regions below the suspicion that may belong to it.
    """

    certain: Mask
    possible: Mask
    n_not_excluded: int

    @property
    def n_zones(self) -> int:
        """Number of zones, none of them empty."""
        free = int(self.possible.sum()) + self.n_not_excluded
        return int(2**free) - (not self.certain.any())


def family_of(frequency: Array, n_not_excluded: int) -> Family:
    """Return the family of an explanation.

    Parameters
    ----------
    frequency : numpy.ndarray, shape (n_suspected,)
        Fraction of its draws in which each suspected region starts seizures.
    n_not_excluded : int
        Regions below the suspicion that the recording does not exclude.
    """
    certain = frequency >= CERTAIN
    return Family(certain, (frequency >= POSSIBLE) & ~certain, n_not_excluded)


def with_masking(p_ez: Array, gain: Array) -> Array:
    """Return the probability of each region with masking by others, (n_regions,).

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_regions,)
        Probability to start seizures.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Non-negative gain.
    """
    behind = (p_ez[:, None] * likeness(gain)).max(axis=0)
    return np.asarray(np.minimum(p_ez + MASKED * behind, 1.0))


def not_excluded(p_ez: Array, gain: Array, suspicion: float) -> Mask:
    """Return the regions below the suspicion that the recording does not exclude, (n_regions,)."""
    seen = observability(gain) >= LOW_OBSERVABILITY
    named = (p_ez >= NAMED) | (seen & (with_masking(p_ez, gain) >= NAMED))
    return np.asarray(named & (p_ez < suspicion))
