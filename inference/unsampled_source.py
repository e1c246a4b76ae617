"""Compare the best explanation of the recording with one from an unsampled region."""

from dataclasses import dataclass

import numpy as np

from inference.density import Density
from inference.initialisation import SEIZING, SILENT, Optimum, climb, with_x0
from virtualbrain.seeg.gain import LOW_OBSERVABILITY, observability

CANDIDATES = 6


@dataclass(frozen=True)
class Alternative:
    """The best explanation from an unsampled region.

    Parameters
    ----------
    region : str
        The unsampled region.
    margin : float
        Log density of the best optimum minus that of this explanation.
    """

    region: str
    margin: float


def unsampled_alternative(density: Density, best: Optimum) -> Alternative | None:
    """Search for the best explanation in which an unsampled region replaces the leading one.

    The leading region is made silent, an unsampled region is made to seize, and the log density
    is maximised from there. Candidates are the unsampled regions with the strongest connections
    to the leading one. With a margin near or below zero the recording cannot distinguish the two
    regions: the leading region may be where the seizure arrived, not where it started.

    Parameters
    ----------
    density : Density
        The log density.
    best : Optimum
        The best optimum.

    Returns
    -------
    Alternative or None
        None if every region is sampled.
    """
    problem = density.problem
    unsampled = np.flatnonzero(observability(problem.gain) < LOW_OBSERVABILITY)
    if len(unsampled) == 0:
        return None
    leading = int(np.argmax(density.named(best.point)["x0"]))
    strength = problem.weights[leading] + problem.weights[:, leading]
    near = unsampled[np.argsort(-strength[unsampled], kind="stable")][:CANDIDATES]
    near = near[near != leading]
    if len(near) == 0:
        return None
    found = []
    for region in near:
        silenced = with_x0(density, best.point, {leading: 0.5 * (SILENT + SEIZING)})
        start = with_x0(density, silenced, {int(region): SEIZING})
        found.append((climb(density, start, 80).value, problem.regions[int(region)]))
    value, name = max(found)
    return Alternative(name, float(best.value - value))
