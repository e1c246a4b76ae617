"""The sampler's diagnostics in words, and the limits that follow from this patient's own data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from virtualbrain.io.results import PatientResults
from virtualbrain.report.findings import Region, suspected_unseen
from virtualbrain.report.numbers import is_number, lookup, show

Sense = Literal["below", "above"]


@dataclass(frozen=True)
class Threshold:
    """A figure of the diagnosis, its limits, and what it means in plain words."""

    names: tuple[str, ...]
    title: str
    sense: Sense
    good: float
    bad: float | None
    meaning: str
    gate: str


@dataclass(frozen=True)
class Finding:
    """A judged figure: state is good, fair, poor or absent."""

    title: str
    value: str
    limit: str
    state: str
    words: str
    meaning: str


THRESHOLDS = (
    Threshold(
        ("r_hat_max", "max_r_hat", "rhat_max", "max_rhat", "r_hat", "rhat"),
        "Chains agree (R-hat)",
        "below",
        1.05,
        1.5,
        "Independent searches must end in the same place. Far above 1, they found different "
        "answers and no probability on this page would mean anything.",
        "r_hat",
    ),
    Threshold(
        ("p_ez_error_max",),
        "Worst-known p_ez (Monte Carlo error)",
        "below",
        0.05,
        0.15,
        "By how much the probability of the worst-known region would change from one run of the "
        "sampler to the next.",
        "p_ez_error",
    ),
    Threshold(
        ("ess_bulk_min", "min_ess_bulk", "ess_bulk"),
        "Independent draws, centre (bulk ESS)",
        "above",
        100,
        None,
        "How many independent samples the middle of the worst-known parameter rests on.",
        "ess",
    ),
    Threshold(
        ("ess_tail_min", "min_ess_tail", "ess_tail"),
        "Independent draws, ends (tail ESS)",
        "above",
        100,
        None,
        "The same for the ends of the intervals: with few, the intervals are not to be trusted.",
        "ess",
    ),
    Threshold(
        (
            "divergent_share",
            "divergence_fraction",
            "divergences_fraction",
            "fraction_divergent",
            "p_divergent",
        ),
        "Share of divergent steps",
        "below",
        0.01,
        0.1,
        "Places where the sampler could not follow the posterior and may have left a corner "
        "unexplored.",
        "divergent_share",
    ),
    Threshold(
        ("depth_saturation", "tree_depth_saturation", "depth_saturated", "max_depth_fraction"),
        "Steps cut short (tree depth)",
        "below",
        0.05,
        None,
        "Share of steps that ran into the longest allowed path: sampling is slow, and the "
        "posterior may be explored in part only.",
        "depth_saturation",
    ),
    Threshold(
        ("e_bfmi_min", "min_e_bfmi", "bfmi_min", "e_bfmi", "ebfmi", "bfmi"),
        "Energy explored (E-BFMI)",
        "above",
        0.3,
        None,
        "Whether the sampler moves freely between likely and unlikely states.",
        "e_bfmi",
    ),
    Threshold(
        ("ppc_coverage", "posterior_predictive_coverage", "coverage", "coverage_90"),
        "Recording inside its predicted band",
        "above",
        0.75,
        0.5,
        "Share of the recorded envelope inside the band that the fitted model predicts. A good "
        "fit misses few points; a perfect one is suspicious.",
        "coverage_90",
    ),
    Threshold(
        ("explained", "explained_variance"),
        "Recording explained",
        "above",
        0.5,
        0.2,
        "Share of the recorded envelope's variance that the fitted model accounts for.",
        "explained",
    ),
    Threshold(
        ("p_ez_sampled",),
        "Electrodes saw the zone",
        "above",
        0.5,
        None,
        "How often they had, on virtual patients of whom the fit expects as many regions to start "
        "seizures by themselves. Where the zone was missed, what is seen was recruited from "
        "elsewhere, and first places are wrong.",
        "p_ez_sampled",
    ),
)


def judge(figures: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return every figure that is there, with its threshold and a judgement in words."""
    judged = (_judge_one(threshold, figures) for threshold in THRESHOLDS)
    modes = _judge_modes(figures)
    return tuple(finding for finding in (*judged, modes) if finding is not None)


def _judge_one(threshold: Threshold, figures: Mapping[str, Any]) -> Finding | None:
    value = _scalar(lookup(figures, threshold.names), threshold.sense)
    if value is None:
        return None
    good, bad = _limits(threshold, figures)
    sign = 1 if threshold.sense == "below" else -1
    if sign * value <= sign * good:
        state, words = "good", "as it should be"
    elif bad is None or sign * value <= sign * bad:
        state, words = "fair", "read with care"
    else:
        state, words = "poor", "not good enough"
    relation = "at most" if threshold.sense == "below" else "at least"
    limit = f"good: {relation} {good:g}" + ("" if bad is None else f"; poor beyond {bad:g}")
    return Finding(threshold.title, show(value), limit, state, words, threshold.meaning)


def _limits(threshold: Threshold, figures: Mapping[str, Any]) -> tuple[float, float | None]:
    """Return the limits that the diagnosis used, the page's own where it does not say."""
    used = (figures.get("thresholds") or {}).get(threshold.gate)
    if isinstance(used, (int, float)):
        return float(used), None
    if isinstance(used, (list, tuple)) and len(used) == 2 and all(map(is_number, used)):
        return float(used[0]), float(used[1])
    return threshold.good, threshold.bad


def _scalar(value: Any, sense: Sense) -> float | None:
    """Return the worst of several numbers, for a figure may stand per chain."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        numbers = [float(item) for item in value if is_number(item)]
        if not numbers:
            return None
        return max(numbers) if sense == "below" else min(numbers)
    return float(value) if is_number(value) else None


def _judge_modes(figures: Mapping[str, Any]) -> Finding | None:
    modes = lookup(figures, ("n_modes", "modes"))
    if isinstance(modes, (list, tuple)):
        modes = len(modes)
    if not is_number(modes):
        return None
    weights = lookup(figures, ("mode_weights", "modes_weights", "weights"))
    shares = ", ".join(f"{100 * w:.0f} %" for w in weights or () if is_number(w))
    return Finding(
        "Separate explanations (modes)",
        show(modes) + (f" ({shares})" if modes > 1 and shares else ""),
        "good: 1",
        "good" if modes <= 1 else "fair",
        "one explanation found" if modes <= 1 else "more than one explanation fits the recording",
        "With more than one mode the seizure can be explained in different ways, each with its "
        "own regions; the shares say how much of the posterior each holds.",
    )


def limits_of(results: PatientResults, regions: Sequence[Region]) -> tuple[str, ...]:
    """Return the limits of this patient's results, from what is missing, flagged or unseen."""
    return tuple(
        sentence
        for sentence in (
            _unseen_regions(regions),
            _suspected(regions),
            _few_seizures(results),
            _bad_contacts(results),
            _no_diffusion(results),
            _isolated(results),
            _method(results),
            "The model knows the regions of one atlas, an average time course per region and the "
            "connections that diffusion MRI sees: no cell types, no delays within a region, no "
            "change of the network over time.",
        )
        if sentence
    )


def _unseen_regions(regions: Sequence[Region]) -> str:
    unseen = [region for region in regions if region.unseen]
    if not unseen:
        return ""
    return (
        f"{len(unseen)} of {len(regions)} regions are hardly seen by any channel; what the page "
        "says of them comes from the priors and the network, not from the recording."
    )


def _suspected(regions: Sequence[Region]) -> str:
    silent = suspected_unseen(regions)
    if not silent:
        return ""
    names = ", ".join(region.name for region in silent[:6])
    return f"Suspected without being recorded: {names}. Only another electrode can tell."


def _few_seizures(results: PatientResults) -> str:
    if len(results.seizures) != 1:
        return ""
    return "One seizure was fitted; another may start or spread differently."


def _bad_contacts(results: PatientResults) -> str:
    if results.contacts is None or "status" not in results.contacts.frame:
        return ""
    frame = results.contacts.frame
    bad = int((frame["status"] != "good").sum())
    outside = int((frame["tissue"] == "outside").sum()) if "tissue" in frame else 0
    if not bad and not outside:
        return ""
    return (
        f"Of {len(frame)} contacts {bad} are marked bad and were not fitted, and {outside} lie "
        "outside the brain."
    )


def _no_diffusion(results: PatientResults) -> str:
    if "dwi" in results.quality or results.weights is None:
        return ""
    return "The connectome came ready-made: how it was measured could not be checked here."


def _isolated(results: PatientResults) -> str:
    if results.weights is None:
        return ""
    matrix = results.weights.frame.to_numpy()
    alone = results.weights.frame.index[(matrix.sum(0) + matrix.sum(1)) == 0]
    if not len(alone):
        return ""
    return f"Without any connection, so never recruited in the model: {', '.join(alone)}."


def _method(results: PatientResults) -> str:
    posterior = results.main.posterior
    if posterior is None or posterior.attributes.get("method") != "laplace":
        return ""
    return (
        "The fit is a Gaussian approximation around the best solution (Laplace), not a full "
        "sample: its intervals tend to be too narrow."
    )


def hypothesis_agreement(regions: Sequence[Region]) -> dict[str, tuple[Region, ...]]:
    """Split regions by what the model (p_ez of one half or more) and the clinic say."""
    found = [region for region in regions if region.p_ez >= 0.5]
    return {
        "both": tuple(region for region in found if region.in_hypothesis),
        "model": tuple(region for region in found if not region.in_hypothesis),
        "clinic": tuple(r for r in regions if r.in_hypothesis and not r.p_ez >= 0.5),
    }


def rank_correlation(first: Sequence[Region], second: Sequence[Region]) -> float:
    """Return Spearman's correlation of two rankings of the same regions."""
    other = {region.name: region.rank for region in second}
    pairs = [(r.rank, other[r.name]) for r in first if r.name in other]
    if len(pairs) < 3:
        return float("nan")
    ranks = pd.DataFrame(pairs).rank()
    return float(ranks[0].corr(ranks[1]))
