"""Numbers per region by which the pictures and views are coloured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from virtualbrain.report import numbers
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.findings import Region

GREY_BELOW = 0.05


@dataclass(frozen=True)
class Metric:
    """A number per region by which the views can be coloured.

    Early onsets stand at the bright end; regions of little probability fade into grey.
    """

    key: str
    title: str
    values: tuple[float | None, ...]
    scale: ColourScale
    unit: str
    finding: bool


def region_metrics(regions: Sequence[Region], n_regions: int, ranked: bool) -> tuple[Metric, ...]:
    """Return the numbers by which regions can be coloured; probabilities only where they count."""

    def metric(key: str, title: str, values: Mapping[int, float], unit: str = "") -> Metric:
        column = [values.get(i) for i in range(n_regions)]
        clean = [v if numbers.is_number(v) else None for v in column]
        present = [v for v in clean if v is not None]
        is_share = key in ("p_ez", "p_pz", "observability")
        low = 0.0 if is_share else min(present, default=0.0)
        high = 1.0 if is_share and max(present, default=0.0) <= 1 else max(present, default=1.0)
        if key == "onset_s":
            low, high = high, low
        floor = GREY_BELOW if key in ("p_ez", "p_pz") else None
        scale = ColourScale(low, high, floor)
        return Metric(key, title, tuple(clean), scale, unit, key != "observability")

    found = [
        metric("p_ez", "P(EZ): seizes by itself", {r.index: r.p_ez for r in regions}),
        metric("p_pz", "P(PZ): recruited by the network", {r.index: r.p_pz for r in regions}),
        metric("onset_s", "Predicted onset", {r.index: r.onset_s for r in regions}, "s"),
        metric("x0", "Excitability x₀", {r.index: r.x0[0] for r in regions}),
        metric("observability", "Observability", {r.index: r.observability for r in regions}),
    ]
    return tuple(
        m for m in found if any(v is not None for v in m.values) and (ranked or not m.finding)
    )
