"""Change of the fitted network by a plan: connections and parameters."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

# Excitability of healthy tissue, far below the threshold of about -2.05.
HEALTHY_X0 = -3.0


@dataclass(frozen=True)
class Change:
    """Change of the network by a plan.

    Connections become :math:`p_i C'_{ij} p_j`.

    Parameters
    ----------
    present : numpy.ndarray, shape (n_regions,)
        Remaining fraction p of each region, 0 to 1; 0 if removed or disconnected.
    counted : numpy.ndarray of bool, shape (n_regions,)
        Regions that still exist and can seize.
    healthy : numpy.ndarray of bool, shape (n_regions,)
        Partly resected regions whose rest counts as healthy.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The weights C' after connections are cut; the same array if none is cut.
    carried : numpy.ndarray, shape (n_regions,)
        Remaining fraction of each region's outgoing connections.
    """

    present: Array
    counted: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    weights: Array
    carried: Array


def change_of(
    candidate: Candidate, regions: Sequence[str], weights: Array, settings: SurgerySettings
) -> Change:
    """Return the change of a network by a plan.

    The connections of a partly resected region are scaled by its remaining fraction. With a
    resected fraction of at least `settings.gone_share` the region is removed; otherwise its rest
    keeps the fitted excitability (``unchanged``) or counts as ``healthy``.

    Raises
    ------
    ModelError
        The network has no such region.
    """
    places = positions(candidate.regions, regions)
    present = np.ones(len(regions))
    counted = np.ones(len(regions), dtype=bool)
    healthy = np.zeros(len(regions), dtype=bool)
    if candidate.removes:
        taken, gone = np.array(candidate.taken), removed(candidate, settings)
        present[places] = np.where(gone, 0.0, 1.0 - taken)
        counted[places] = ~gone
        healthy[places] = ~gone & (settings.rest_of_region == "healthy")
    elif candidate.kind == "disconnection":
        present[places] = 0.0
    left = _without(candidate, regions, weights)
    return Change(present, counted, healthy, left, _carried(present, weights, left))


def removed(candidate: Candidate, settings: SurgerySettings) -> NDArray[np.bool_]:
    """Return which regions of a resection are removed: resected by at least `gone_share`."""
    return np.array(candidate.taken, dtype=np.float64) >= settings.gone_share


def positions(names: Sequence[str], regions: Sequence[str]) -> NDArray[np.int64]:
    """Return the positions of named regions.

    Raises
    ------
    ModelError
        The network has no such region.
    """
    place = {name: number for number, name in enumerate(regions)}
    for name in names:
        if name not in place:
            raise ModelError(
                f"the network has no region {name!r}",
                expected="a name of the region table",
                hint="check the spelling",
            )
    return np.array([place[name] for name in names], dtype=np.int64)


def _without(candidate: Candidate, regions: Sequence[str], weights: Array) -> Array:
    """Return the weights without the connections that the plan cuts."""
    if not candidate.edges:
        return weights
    left = weights.copy()
    one, other = (positions(side, regions) for side in zip(*candidate.edges, strict=True))
    left[one, other] = 0.0
    left[other, one] = 0.0
    return left


def _carried(present: Array, before: Array, after: Array) -> Array:
    """Return the remaining fraction of each region's outgoing connections."""
    if after is before:
        return present
    sent = before.sum(axis=0)
    left = np.divide(after.sum(axis=0), sent, out=np.ones_like(sent), where=sent > 0)
    return np.asarray(present * left)
