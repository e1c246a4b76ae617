"""Collect the numbers per region by which images and 3D views are coloured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import entr

from virtualbrain.report import numbers
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.findings import Region

GREY_BELOW = 0.05


@dataclass(frozen=True)
class Metric:
    """A number per region by which the views can be coloured.

    Early onsets are bright; regions of low probability fade into grey. `from_fit` is True for
    numbers that are shown only where the fit is usable.
    """

    key: str
    title: str
    values: tuple[float | None, ...]
    scale: ColourScale
    unit: str
    from_fit: bool


def uncertainty_bits(p: float) -> float:
    r"""Return the entropy of a yes-or-no answer in bits.

    .. math:: -p \log_2 p - (1 - p) \log_2 (1 - p)

    It is 0 for a sure answer and 1 where both answers are as likely; NaN for NaN.
    """
    return float((entr(p) + entr(1.0 - p)) / np.log(2.0))


def region_metrics(regions: Sequence[Region], n_regions: int, ranked: bool) -> tuple[Metric, ...]:
    """Return the numbers by which regions can be coloured; without ranking only observability."""

    def metric(key: str, title: str, values: Mapping[int, float], unit: str = "") -> Metric:
        column = [values.get(i) for i in range(n_regions)]
        clean = [v if numbers.is_number(v) else None for v in column]
        present = [v for v in clean if v is not None]
        is_fraction = key in ("p_ez", "uncertainty", "p_pz", "observability")
        low = 0.0 if is_fraction else min(present, default=0.0)
        high = 1.0 if is_fraction and max(present, default=0.0) <= 1 else max(present, default=1.0)
        if key == "onset_s":
            low, high = high, low
        floor = GREY_BELOW if key in ("p_ez", "uncertainty", "p_pz") else None
        scale = ColourScale(low, high, floor)
        return Metric(key, title, tuple(clean), scale, unit, key != "observability")

    found = [
        metric("p_ez", "P(EZ): starts seizures", {r.index: r.p_ez for r in regions}),
        metric(
            "uncertainty",
            "Uncertainty of P(EZ)",
            {r.index: uncertainty_bits(r.p_ez) for r in regions},
            "bit",
        ),
        metric("p_pz", "P(PZ): recruited by the network", {r.index: r.p_pz for r in regions}),
        metric("onset_s", "Predicted onset", {r.index: r.onset_s for r in regions}, "s"),
        metric("x0", "Excitability x₀", {r.index: r.x0[0] for r in regions}),
        metric("observability", "Observability", {r.index: r.observability for r in regions}),
    ]
    return tuple(
        m for m in found if any(v is not None for v in m.values) and (ranked or not m.from_fit)
    )
