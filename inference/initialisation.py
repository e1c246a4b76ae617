"""Find starting points of the chains: optimise an ensemble, then exchange leading regions.

The gradient is nearly zero while no region seizes. So the starting points lie near the threshold
or come from the data. Where a neighbour explains a channel as well as the true region does, the
optimisation stops at a local optimum; exchange moves swap one region for the other.
"""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls

from inference.density import Density

Array = NDArray[np.float64]
Progress = Callable[[str, float], None]
_LOG = logging.getLogger(__name__)

# x0 of regions in a starting point.
NEAR_THRESHOLD = -2.3
SILENT = -3.0
SEIZING = -1.8


@dataclass(frozen=True)
class Optimum:
    """A local optimum: flat standardised vector and its log density."""

    point: Array
    value: float


def climb(
    density: Callable[[Array], tuple[float, Array]],
    start: Array,
    n_iterations: int,
    remembered: int = 20,
) -> Optimum:
    """Maximise a density from a starting point by L-BFGS with a memory of `remembered` steps."""

    def downhill(point: Array) -> tuple[float, Array]:
        value, slope = density(point)
        if not (np.isfinite(value) and np.isfinite(slope).all()):
            return 1e10, np.zeros_like(point)
        return -value, -slope

    found = minimize(
        downhill, start, jac=True, method="L-BFGS-B",
        options={"maxiter": n_iterations, "maxfun": 2 * n_iterations, "maxcor": remembered},
    )  # fmt: skip
    return Optimum(found.x, -float(found.fun))


def find_optima(
    density: Density, rng: np.random.Generator, progress: Progress | None = None
) -> list[Optimum]:
    """Return local optima, best first: those of the ensemble, improved by exchange moves.

    Parameters
    ----------
    density : Density
        The log density to maximise.
    rng : numpy.random.Generator
        Draws the scattered starting points.
    progress : callable, optional
        Called with the name of the step and the fraction of it that is done.
    """
    settings = density.settings
    begins = list(ensemble(density, settings.starts, rng))
    with ThreadPoolExecutor(settings.cores) as pool:
        screened = _collect(
            pool.map(lambda start: climb(density, start, 60), begins),
            len(begins),
            "starts",
            progress,
        )
        screened.sort(key=lambda optimum: -optimum.value)
        kept = list(
            pool.map(lambda o: climb(density, o.point, 300), screened[: max(4, settings.chains)])
        )
        kept.sort(key=lambda optimum: -optimum.value)
        for number in range(settings.exchange_rounds):
            better = _exchange(density, kept[0], pool)
            if progress is not None:
                progress("exchange", (number + 1) / settings.exchange_rounds)
            if better.value <= kept[0].value + 0.5:
                break
            kept.insert(0, better)
    _LOG.info("log density of the best optima: %s", [round(o.value, 1) for o in kept[:6]])
    return kept


def _collect(
    results: Iterable[Optimum], total: int, stage: str, progress: Progress | None
) -> list[Optimum]:
    """Collect results and report how many there are."""
    collected = []
    for result in results:
        collected.append(result)
        if progress is not None:
            progress(stage, len(collected) / total)
    return collected


def ensemble(density: Density, count: int, rng: np.random.Generator) -> Iterable[Array]:
    """Yield starting points of four kinds, the first four without scatter.

    The kinds are: all regions near the threshold, x0 from the power of the sources, the strongest
    sources seizing, and the regions with the most source evidence seizing.
    """
    problem = density.problem
    sources = source_estimate(density)
    ranks = np.argsort(np.argsort(-sources))
    early = np.argsort(np.argsort(-density.evidence))
    for number in range(count):
        kind = number % 4
        scatter = 0.0 if number < 4 else 0.15
        if kind == 0:
            x0 = np.full(problem.n_regions, NEAR_THRESHOLD - 0.05 * (number // 4))
        elif kind == 1:
            x0 = SILENT + (SEIZING + 0.2 - SILENT) * np.sqrt(sources / max(sources.max(), 1e-12))
        elif kind == 2:
            x0 = np.where(ranks < 1 + number // 4, SEIZING, NEAR_THRESHOLD - 0.1)
        elif kind == 3:
            x0 = np.where(early < 1 + number // 4, SEIZING, NEAR_THRESHOLD - 0.1)
        x0 = x0 + scatter * rng.standard_normal(problem.n_regions)
        point = density.flat({"x0": np.clip(x0, -4.5, -1.5)})
        if number >= 4:
            for name in ("K", "tau0", "amplitude"):
                where = density.layout.slices[name]
                point[where] += 0.7 * rng.standard_normal(where.stop - where.start)
        yield point


def source_estimate(density: Density) -> Array:
    """Return the mean power of each region (n,) that explains the power of the channels."""
    gain = density.problem.gain
    power = np.expm1(np.clip(density.envelope, 0, 30)).mean(axis=(0, 1))
    if density.settings.observation == "linear":
        power = np.clip(density.envelope - density.envelope.min(), 0, None).mean(axis=(0, 1))
    scale = np.maximum(power, np.median(power) + 1e-9)
    estimate, _ = nnls(gain / scale[:, None], power / scale, maxiter=50 * gain.shape[1])
    return np.asarray(estimate)


def _exchange(density: Density, best: Optimum, pool: ThreadPoolExecutor) -> Optimum:
    """Try every exchange move briefly, optimise from the best few, and return the best optimum."""
    trials = list(_exchange_moves(density, best.point))
    quick = list(pool.map(lambda point: climb(density, point, 25), trials))
    quick.sort(key=lambda optimum: -optimum.value)
    climbed = list(pool.map(lambda o: climb(density, o.point, 300), quick[:4]))
    return max([best, *climbed], key=lambda optimum: optimum.value)


def _exchange_moves(density: Density, point: Array, leading: int = 8) -> Iterable[Array]:
    """Yield copies of a point in which one or two regions change.

    A leading region becomes silent, another region starts to seize, or a leading region is
    exchanged for one with a similar gain.
    """
    problem = density.problem
    values = density.named(point)
    order = np.argsort(-values["x0"])
    on = order[:leading]
    likely = np.argsort(-density.evidence)
    off = [i for i in [*likely[:leading], *order[leading : 2 * leading]] if i not in set(on)]
    for i in on:
        yield with_x0(density, point, {int(i): SILENT})
    for j in off:
        yield with_x0(density, point, {int(j): SEIZING})
    for i in on[: leading // 2]:
        near = np.argsort(-_gain_similarity(problem.gain, int(i)))[:4]
        for j in near:
            if j != i:
                yield with_x0(density, point, {int(i): SILENT, int(j): float(values["x0"][i])})


def _gain_similarity(gain: Array, region: int) -> Array:
    """Return the cosine between the gain column of one region and that of every region."""
    norms = np.linalg.norm(gain, axis=0) + 1e-12
    return np.asarray(gain.T @ gain[:, region] / (norms * norms[region]))


def with_x0(density: Density, point: Array, x0: dict[int, float]) -> Array:
    """Return a copy of a flat vector with some regions' x0 replaced."""
    copy = point.copy()
    where = density.layout.slices["x0"]
    part, centre, scale = copy[where], density.layout.centre[where], density.layout.scale[where]
    for region, value in x0.items():
        part[region] = (value - centre[region]) / scale[region]
    return copy
