"""How often a region with such a p_ez was in the EZ of synthetic patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualbrain.report.numbers import is_number


@dataclass(frozen=True)
class Reliability:
    """Observed frequency of the EZ among regions with a p_ez of `low` to `high`.

    Parameters
    ----------
    low, high : float
        Range of p_ez.
    seen : tuple of float
        Fraction of these regions that were in the true EZ: lowest and highest of the cohorts, or
        twice the same number.
    n_regions : int
        Number of these regions.
    patients : str
        The synthetic patients.
    measured : str
        Date of the measurement.
    """

    low: float
    high: float
    seen: tuple[float, float]
    n_regions: int
    patients: str
    measured: str

    @property
    def words(self) -> str:
        """The fraction in per cent."""
        low, high = (f"{100 * end:.0f}" for end in self.seen)
        return f"{low} %" if low == high else f"{low}–{high} %"


WITH_COMPONENTS = " with components"
_COHORTS = "134 synthetic patients with a sampled EZ, 70 early, 40 late and 24 fast"
_SEPARATED = "140 synthetic patients with a sampled EZ, 60 early, 40 late and 40 fast"
_THIRTY = "30 synthetic patients with a sampled EZ"
# From `virtualbrain validate`; see docs/validation.md. Measure again after a change of the fit.
MEASURED: Mapping[str, tuple[Reliability, ...]] = {
    "onsets": (
        Reliability(0.1, 0.3, (0.17, 0.21), 175, _COHORTS, "2026-11-29"),
        Reliability(0.3, 0.5, (0.25, 0.36), 97, _COHORTS, "2026-11-29"),
        Reliability(0.5, 0.7, (0.44, 0.63), 86, _COHORTS, "2026-11-29"),
        Reliability(0.7, 0.9, (0.78, 0.94), 135, _COHORTS, "2026-11-29"),
        Reliability(0.9, 1.0, (0.93, 0.97), 115, _COHORTS, "2026-11-29"),
    ),
    f"onsets{WITH_COMPONENTS}": (
        Reliability(0.1, 0.3, (0.27, 0.35), 154, _SEPARATED, "2026-12-01"),
        Reliability(0.3, 0.5, (0.50, 0.59), 70, _SEPARATED, "2026-12-01"),
        Reliability(0.5, 0.7, (0.53, 0.65), 59, _SEPARATED, "2026-12-01"),
        Reliability(0.7, 0.9, (0.82, 0.91), 79, _SEPARATED, "2026-12-01"),
        Reliability(0.9, 1.0, (0.93, 0.97), 141, _SEPARATED, "2026-12-01"),
    ),
    "nuts": (
        Reliability(0.80, 0.95, (0.6, 0.6), 17, _THIRTY, "2026-11-23"),
        Reliability(0.95, 1.0, (0.9, 0.9), 30, _THIRTY, "2026-11-23"),
    ),
}


def measured_for(figures: Mapping[str, Any]) -> tuple[Reliability, ...]:
    """Return what was measured for such a fit; empty where nothing was.

    Parameters
    ----------
    figures : mapping
        Figures of diagnostics.json.
    """
    with_them = WITH_COMPONENTS if figures.get("n_components") else ""
    return MEASURED.get(str(figures.get("method")) + with_them, ())


def reliability_of(p_ez: float, measured: tuple[Reliability, ...]) -> Reliability | None:
    """Return the measurement that holds for a p_ez; None where there is none."""
    if not is_number(p_ez):
        return None
    return next((r for r in reversed(measured) if r.low <= p_ez <= r.high), None)


def reliability_sentence(shown: Sequence[Reliability | None]) -> str:
    """Return in one sentence what was measured for the numbers that are shown, highest first."""
    known = sorted({one for one in shown if one is not None}, key=lambda one: -one.low)
    if not known:
        return "How often such a number was right has not been measured."
    ranges = [
        f"{100 * one.low:.0f} to {100 * one.high:.0f} % were in the EZ in {one.words} "
        f"({one.n_regions} regions)"
        for one in known
    ]
    first = known[0]
    return (
        f"In {first.patients} ({first.measured}), regions with a P(EZ) of {', of '.join(ranges)}."
    )
