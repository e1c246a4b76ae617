"""Whether a region that the electrodes hardly see would explain the recording as well."""

from dataclasses import dataclass

import numpy as np

from inference.density import Density
from inference.initialisation import SEIZING, SILENT, Optimum, climb, with_x0
from virtualbrain.seeg.gain import HARDLY_SEEN, observability

CANDIDATES = 6


@dataclass(frozen=True)
class Alternative:
    """The best explanation from an unseen region, and how much worse it is (log density)."""

    region: str
    margin: float


def unsampled_alternative(density: Density, best: Optimum) -> Alternative | None:
    """Silence the leading region, light an unseen neighbour in its place, and climb.

    Candidates are the unseen regions most strongly connected to the leading one. A margin
    near zero or below it says that the recording cannot tell the two apart: the first place may
    be where the seizure arrived, not where it started.

    Parameters
    ----------
    density : Density
        The log density.
    best : Optimum
        The best optimum.

    Returns
    -------
    Alternative or None
        None where every region is seen.
    """
    problem = density.problem
    unseen = np.flatnonzero(observability(problem.gain) < HARDLY_SEEN)
    if len(unseen) == 0:
        return None
    leading = int(np.argmax(density.named(best.point)["x0"]))
    strength = problem.weights[leading] + problem.weights[:, leading]
    near = unseen[np.argsort(-strength[unseen], kind="stable")][:CANDIDATES]
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
