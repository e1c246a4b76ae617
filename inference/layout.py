"""Order of the fitted parameters in a flat vector, with the prior centre and scale of each."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings

Array = NDArray[np.float64]

# These are fitted as logarithms.
POSITIVE = ("K", "tau0", "amplitude", "noise")
NOT_FITTED = -1


class Starts(NamedTuple):
    """First position of each parameter in the flat vector, for compiled code."""

    x0: int
    z_init: int
    K: int
    tau0: int
    amplitude: int
    level: int
    offset: int
    noise: int
    x_init: int = NOT_FITTED


@dataclass(frozen=True)
class Layout:
    """Position, shape, prior centre and prior scale of each fitted parameter.

    Parameters
    ----------
    slices, shapes : dict
        Position in the flat vector, and shape, by name.
    starts : Starts
        First position of each parameter; the same as in `slices`.
    centre, scale : numpy.ndarray, shape (size,)
        Prior mean and standard deviation in the unconstrained coordinates.
    """

    slices: dict[str, slice]
    shapes: dict[str, tuple[int, ...]]
    starts: Starts
    centre: Array
    scale: Array

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        return len(self.centre)


def build_layout(
    problem: Problem, priors: Priors, settings: Settings, x0_mean: Array, x0_sd: Array
) -> Layout:
    """Lay out the parameters in the order of the PyMC model."""
    n, s, m = problem.n_regions, problem.n_seizures, problem.n_channels
    parts: list[tuple[str, tuple[int, ...], Any, Any]] = [("x0", (n,), x0_mean, x0_sd)]
    if settings.initial == "free":
        parts.append(("x_init", (s, n), priors.x_init.mean, priors.x_init.sd))
    parts += [
        ("z_init", (s, n), priors.z_init.mean, priors.z_init.sd),
        ("K", (), np.log(priors.K.median), priors.K.sd_log),
        ("tau0", (s,), np.log(priors.tau0.median), priors.tau0.sd_log),
        ("amplitude", (), np.log(priors.amplitude.median), priors.amplitude.sd_log),
        ("level", (), priors.level.mean, priors.level.sd),
        ("offset", (m,), priors.level.mean, priors.offset.sd),
        ("noise", (), np.log(priors.noise.median), priors.noise.sd_log),
    ]
    slices: dict[str, slice] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    centre, scale, first = [], [], 0
    for name, shape, middle, spread in parts:
        count = int(np.prod(shape))
        slices[name], shapes[name] = slice(first, first + count), shape
        centre.append(np.broadcast_to(middle, count))
        scale.append(np.broadcast_to(spread, count))
        first += count
    starts = Starts(**{name: where.start for name, where in slices.items()})
    return Layout(slices, shapes, starts, np.concatenate(centre), np.concatenate(scale))
