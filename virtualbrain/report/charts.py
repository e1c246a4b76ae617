"""Compute the geometry of the charts that the templates draw as SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.report.findings import Plan, Region
from virtualbrain.report.numbers import is_number

Array = NDArray[np.float64]
KINDS_WITH_VOLUME = ("clinical", "resection", "ablation")


@dataclass(frozen=True)
class Scale:
    """A linear map from values to chart coordinates, with round ticks."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, clipped to the axis."""
        fraction = (value - self.low) / ((self.high - self.low) or 1.0)
        return round(self.start + min(max(fraction, 0.0), 1.0) * (self.end - self.start), 1)

    def many(self, values: Array) -> list[float]:
        """Return the coordinates of several values, each as by calling the scale."""
        fractions = (values - self.low) / ((self.high - self.low) or 1.0)
        places = self.start + np.clip(fractions, 0.0, 1.0) * (self.end - self.start)
        return [float(place) for place in np.round(places, 1)]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Round values with their text."""
        step = _round_step((self.high - self.low) / 5)
        first = np.ceil(self.low / step - 1e-9) * step
        values = np.arange(first, self.high + step * 1e-6, step)
        return [(float(v), f"{v:.10g}".replace("-", "−")) for v in np.round(values, 10) + 0.0]


def _round_step(rough: float) -> float:
    if rough <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough))


@dataclass(frozen=True)
class ForestRow:
    """Prior and posterior excitability of one region."""

    region: Region
    y: float
    prior: tuple[float, float] | None


@dataclass(frozen=True)
class Forest:
    """Forest plot: prior and posterior excitability of the first regions."""

    width: float
    height: float
    scale: Scale
    rows: tuple[ForestRow, ...]
    threshold: float | None


def forest(
    regions: Sequence[Region],
    prior: dict[str, tuple[float, float]],
    threshold: float | None,
    n_rows: int = 20,
) -> Forest | None:
    """Return the forest plot of the first regions; `prior` holds mean and sd by name."""
    chosen = regions[:n_rows]
    if not chosen:
        return None
    spans = {r.name: _span(prior.get(r.name)) for r in chosen}
    ends = [value for r in chosen for value in r.x0]
    ends += [value for span in spans.values() if span for value in span]
    if threshold is not None:
        ends.append(threshold)
    height = 22.0
    rows = tuple(
        ForestRow(region, 14 + height * i, spans[region.name]) for i, region in enumerate(chosen)
    )
    margin = 0.04 * (max(ends) - min(ends) or 1.0)
    scale = Scale(min(ends) - margin, max(ends) + margin, 220, 700)
    return Forest(720, 14 + height * len(rows) + 34, scale, rows, threshold)


def _span(prior: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the 90 % interval of a normal prior."""
    if prior is None:
        return None
    mean, sd = prior
    return mean - 1.645 * sd, mean + 1.645 * sd


@dataclass(frozen=True)
class ParetoPoint:
    """A plan by its volume and the number of regions still seizing."""

    plan: Plan
    x: float
    y: float
    y_low: float
    y_high: float
    on_front: bool


@dataclass(frozen=True)
class Pareto:
    """Pareto chart: volume against regions still seizing, for every plan."""

    width: float
    height: float
    x: Scale
    y: Scale
    points: tuple[ParetoPoint, ...]
    front: str
    sham: tuple[float, float] | None


def pareto(plans: Sequence[Plan]) -> Pareto | None:
    """Return the Pareto chart; None without a plan of known volume."""
    usable = [p for p in plans if is_number(p.volume_cm3)]
    if not usable:
        return None
    top = max(max(p.before, *p.after) for p in usable)
    x = Scale(0, max(1.0, *(p.volume_cm3 for p in usable)) * 1.05, 60, 700)
    y = Scale(0, top * 1.05 or 1.0, 330, 16)
    real = [p for p in usable if p.kind in KINDS_WITH_VOLUME]
    best = front_of([(p.volume_cm3, p.after[0]) for p in real])
    front = {real[i].index for i in best}
    sham = [p.after[0] for p in plans if p.kind == "sham"]
    points = tuple(
        ParetoPoint(
            p,
            x(p.volume_cm3),
            y(p.after[0]),
            y(p.after[1]),
            y(p.after[2]),
            p.index in front,
        )
        for p in usable
    )
    stairs = _staircase([point for point in points if point.on_front])
    between = (y(max(sham)), y(min(sham))) if sham else None
    return Pareto(720, 380, x, y, points, stairs, between)


def front_of(points: Sequence[tuple[float, float]]) -> set[int]:
    """Return the indices of points that no other point dominates; small values are better."""
    order = sorted(range(len(points)), key=lambda i: points[i])
    front: set[int] = set()
    best = float("inf")
    for i in order:
        if points[i][1] < best:
            front.add(i)
            best = points[i][1]
    return front


def _staircase(points: Sequence[ParetoPoint]) -> str:
    ordered = sorted(points, key=lambda point: point.x)
    if not ordered:
        return ""
    parts = [f"M{ordered[0].x} {ordered[0].y}"]
    parts += [f"H{point.x}V{point.y}" for point in ordered[1:]]
    return "".join(parts)


def polyline(xs: Array, ys: Array, x: Scale, y: Scale) -> str:
    """Return the points of an SVG polyline; values that are not finite are left out."""
    shown = np.isfinite(xs) & np.isfinite(ys)
    return " ".join(f"{a},{b}" for a, b in zip(x.many(xs[shown]), y.many(ys[shown]), strict=True))


def band(xs: Array, low: Array, high: Array, x: Scale, y: Scale) -> str:
    """Return the points of an SVG polygon between two curves."""
    return f"{polyline(xs, low, x, y)} {polyline(xs[::-1], high[::-1], x, y)}"
