"""Quality limits: usual ranges of figures, and sentences for figures outside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# Verdicts on a fit, as in diagnostics.json.
INTERPRETABLE, CAUTION, DO_NOT_USE = "interpretable", "caution", "do-not-use"
# In its place where a hypothesis was simulated and nothing was fitted.
NOT_FITTED = "not-fitted"


@dataclass(frozen=True)
class QualityLimit:
    """The usual range of a figure, and the range in which results may be used at all.

    Parameters
    ----------
    low, high : float
        Usual range, ends included. Outside it a reader is warned.
    title : str
        Name of the figure, a noun phrase.
    meaning : str
        What a value outside the range means for a reader.
    reject_low, reject_high : float
        Range outside which results are not used; infinite where there is no such limit.
    """

    low: float
    high: float
    title: str
    meaning: str = ""
    reject_low: float = -np.inf
    reject_high: float = np.inf

    @property
    def range(self) -> str:
        """The usual range in words."""
        if self.low == self.high:
            return f"{self.low:g}"
        if np.isinf(self.high):
            return f"{self.low:g} or more"
        if np.isinf(self.low):
            return f"{self.high:g} or less"
        return f"{self.low:g} to {self.high:g}"

    @property
    def bounds(self) -> str:
        """The usual range and the bounds beyond which results are not used, in words."""
        text = f"usual: {self.range}"
        if np.isfinite(self.reject_low):
            text += f"; not used below {self.reject_low:g}"
        if np.isfinite(self.reject_high):
            text += f"; not used above {self.reject_high:g}"
        return text

    @property
    def heading(self) -> str:
        """The title with a capital letter."""
        return self.title[:1].upper() + self.title[1:]

    def is_unusual(self, value: float) -> bool:
        """Return whether a value is outside the usual range or not a number."""
        return not self.low <= value <= self.high

    def is_rejected(self, value: float) -> bool:
        """Return whether results with this value are not used."""
        if np.isinf(self.reject_low) and np.isinf(self.reject_high):
            return False
        return not self.reject_low <= value <= self.reject_high

    def sentence(self, value: float, subject: str = "") -> str:
        """Return the figure, its usual range and its meaning as text.

        Parameters
        ----------
        value : float
            The figure.
        subject : str
            Name of what the figure belongs to, such as a region.
        """
        name = f"{self.heading} for {subject}" if subject else self.heading
        shown = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # 2043, not 2.04e+03
        return f"{name}: {shown} ({self.bounds}). {self.meaning}".strip()


def outside(figures: Mapping[str, Any], limits: Mapping[str, QualityLimit]) -> list[str]:
    """Return a sentence for each figure that is outside its usual range or not a number.

    Missing figures are skipped.

    Parameters
    ----------
    figures : mapping
        Figures by name.
    limits : mapping of str to QualityLimit
        Limits by the figures' names.
    """
    return [
        limit.sentence(figures[name])
        for name, limit in limits.items()
        if isinstance(figures.get(name), (int, float)) and limit.is_unusual(figures[name])
    ]


# Limits of the figures in diagnostics.json.
FIT_LIMITS: Mapping[str, QualityLimit] = {
    "r_hat_max": QualityLimit(
        -np.inf,
        1.05,
        "largest R-hat of x0",
        "Far above 1 the chains found different answers, and no probability is reliable.",
        reject_high=1.5,
    ),
    "p_ez_error_max": QualityLimit(
        -np.inf,
        0.05,
        "Monte Carlo error of p_ez",
        "Another run of the sampler would change this probability by about as much.",
        reject_high=0.15,
    ),
    "ess_bulk_min": QualityLimit(
        100.0,
        np.inf,
        "smallest bulk ESS of x0",
        "With few independent draws the mean of x0 is uncertain.",
    ),
    "ess_tail_min": QualityLimit(
        100.0,
        np.inf,
        "smallest tail ESS of x0",
        "With few independent draws the ends of the intervals are uncertain.",
    ),
    "divergent_share": QualityLimit(
        -np.inf,
        0.01,
        "share of divergent transitions",
        "Where transitions diverge, part of the posterior may be unexplored.",
        reject_high=0.1,
    ),
    "depth_saturation": QualityLimit(
        -np.inf,
        0.05,
        "share of transitions at the maximum tree depth",
        "Many such transitions mean slow sampling; part of the posterior may be unexplored.",
    ),
    "e_bfmi_min": QualityLimit(
        0.3,
        np.inf,
        "smallest E-BFMI",
        "With a low value the sampler moves slowly between likely and unlikely states.",
    ),
    "coverage_90": QualityLimit(
        0.75,
        np.inf,
        "share of the recording inside the predicted 90 % band",
        "Outside this band the model does not reproduce the recording.",
        reject_low=0.5,
    ),
    "explained": QualityLimit(
        0.5,
        np.inf,
        "share of the envelope's variance that the model explains",
        "The model does not reproduce the rest of the recording.",
        reject_low=0.2,
    ),
    "unsampled_margin": QualityLimit(
        3.0,
        np.inf,
        "log density lost when an unsampled region replaces the leading one",
        "With a small loss the recording cannot distinguish the two regions.",
    ),
    "leading_p_ez": QualityLimit(
        0.9,
        np.inf,
        "p_ez of the leading region",
        "In synthetic patients with a sampled EZ, the first region was wrong in one of six below "
        "this limit, and in one of 24 above it.",
    ),
    "p_ez_sampled": QualityLimit(
        0.8,
        np.inf,
        "probability that the electrodes sampled the EZ",
        "It is the frequency among synthetic patients with as many expected EZ regions near the "
        "electrodes and as large a rise of the channels' power. Where the electrodes did not "
        "sample the EZ, they recorded propagation only, and the leading regions are wrong.",
    ),
    "effective_zones": QualityLimit(
        -np.inf,
        20.0,
        "effective number of different zones in the draws",
        "In synthetic patients without any other reason for caution, the first region was wrong in "
        "one of six above this limit, and in one of 30 below it.",
    ),
    "modes": QualityLimit(
        1,
        1,
        "number of posterior modes",
        "Each mode is another explanation of the recording with other regions. The weights give "
        "the share of the posterior in each.",
    ),
}

# Keys of `thresholds` in diagnostics.json.
_STORED_AS = {
    "r_hat_max": "r_hat",
    "ess_bulk_min": "ess",
    "ess_tail_min": "ess",
    "p_ez_error_max": "p_ez_error",
    "divergent_share": "divergent_share",
    "depth_saturation": "depth_saturation",
    "e_bfmi_min": "e_bfmi",
    "coverage_90": "coverage_90",
    "explained": "explained",
    "unsampled_margin": "unsampled_margin",
    "leading_p_ez": "leading_p_ez",
    "p_ez_sampled": "p_ez_sampled",
    "effective_zones": "effective_zones",
}


def stored_fit_limits() -> dict[str, float | list[float]]:
    """Return `FIT_LIMITS` as written in diagnostics.json: the usual bound, or usual and reject."""
    stored: dict[str, float | list[float]] = {}
    for name, key in _STORED_AS.items():
        limit = FIT_LIMITS[name]
        below = np.isinf(limit.low)
        usual = limit.high if below else limit.low
        reject = limit.reject_high if below else limit.reject_low
        stored[key] = usual if np.isinf(reject) else [usual, reject]
    return stored


def fit_limits_from(stored: Mapping[str, Any]) -> dict[str, QualityLimit]:
    """Return `FIT_LIMITS` with the bounds of a diagnostics.json; the inverse of the above.

    Limits that the file does not hold keep their bounds.
    """
    limits = dict(FIT_LIMITS)
    for name, key in _STORED_AS.items():
        if key not in stored:
            continue
        usual, *reject = np.atleast_1d(stored[key]).tolist()
        if np.isinf(FIT_LIMITS[name].low):
            bounds = {"high": usual, "reject_high": reject[0] if reject else np.inf}
        else:
            bounds = {"low": usual, "reject_low": reject[0] if reject else -np.inf}
        limits[name] = replace(FIT_LIMITS[name], **bounds)
    return limits
