"""What a plan does to the fitted network: one transformation of connections and parameters."""

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
    """A plan as a transformation of the network.

    Connections become :math:`p_i C'_{ij} p_j`.

    Parameters
    ----------
    present : numpy.ndarray, shape (n_regions,)
        The shares p that go on taking part, 0 to 1: zero for what is taken out or cut off.
    counted : numpy.ndarray of bool, shape (n_regions,)
        Regions that still exist and can seize.
    healthy : numpy.ndarray of bool, shape (n_regions,)
        Regions whose rest counts as healthy tissue.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The weights C' after connections were cut; the very ones given where none is.
    carried : numpy.ndarray, shape (n_regions,)
        Share of each region's outgoing connections that the plan leaves.
    """

    present: Array
    counted: NDArray[np.bool_]
    healthy: NDArray[np.bool_]
    weights: Array
    carried: Array


def change_of(
    candidate: Candidate, regions: Sequence[str], weights: Array, settings: SurgerySettings
) -> Change:
    """Return what a plan does to a network.

    Of a region that is partly taken out the connections are scaled by what is left of it. Where
    `settings.gone_share` or more is taken nothing of it is left; of the others the rest stays as
    excitable as it was fitted (``unchanged``), or counts as ``healthy``.

    Raises
    ------
    ModelError
        A region that the network does not have.
    """
    places = positions(candidate.regions, regions)
    present = np.ones(len(regions))
    counted = np.ones(len(regions), dtype=bool)
    healthy = np.zeros(len(regions), dtype=bool)
    if candidate.removes:
        taken = np.array(candidate.taken)
        gone = taken >= settings.gone_share
        present[places] = np.where(gone, 0.0, 1.0 - taken)
        counted[places] = ~gone
        healthy[places] = ~gone & (settings.rest_of_region == "healthy")
    elif candidate.kind == "disconnection":
        present[places] = 0.0
    left = _without(candidate, regions, weights)
    return Change(present, counted, healthy, left, _carried(present, weights, left))


def positions(names: Sequence[str], regions: Sequence[str]) -> NDArray[np.int64]:
    """Return where named regions stand.

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
    """Return the weights without the plan's cut connections."""
    if not candidate.edges:
        return weights
    left = weights.copy()
    one, other = (positions(side, regions) for side in zip(*candidate.edges, strict=True))
    left[one, other] = 0.0
    left[other, one] = 0.0
    return left


def _carried(present: Array, before: Array, after: Array) -> Array:
    """Return the share of each region's outgoing connections that is left."""
    if after is before:
        return present
    sent = before.sum(axis=0)
    left = np.divide(after.sum(axis=0), sent, out=np.ones_like(sent), where=sent > 0)
    return np.asarray(present * left)
