"""Judge the convergence diagnostics in words, and state the limits of this patient's results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.io.results import PatientResults
from virtualbrain.quality_limits import QualityLimit, fit_limits_from
from virtualbrain.report.findings import (
    Region,
    group_connectome,
    suspected_unseen,
    template_anatomy,
)
from virtualbrain.report.numbers import is_number, percent, show


@dataclass(frozen=True)
class Finding:
    """A judged figure: state is good, fair or poor."""

    title: str
    value: str
    limit: str
    state: str
    words: str
    meaning: str


def judge(figures: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Judge every figure of diagnostics.json that has a limit.

    The bounds are those that the inference used; they are stored in `thresholds`.
    """
    limits = fit_limits_from(figures.get("thresholds") or {})
    return tuple(
        _judge_one(limit, figures[name], _mode_weights(figures) if name == "modes" else "")
        for name, limit in limits.items()
        if is_number(figures.get(name))
    )


def _judge_one(limit: QualityLimit, value: float, detail: str) -> Finding:
    if limit.is_rejected(value):
        state, words = "poor", "outside the limit for use"
    elif limit.is_unusual(value):
        state, words = "fair", "outside the usual range"
    else:
        state, words = "good", "within the usual range"
    shown = show(value) + detail
    return Finding(limit.heading, shown, limit.bounds, state, words, limit.meaning)


def _mode_weights(figures: Mapping[str, Any]) -> str:
    """Return the weights of several modes in parentheses."""
    weights = figures.get("mode_weights") or ()
    if figures["modes"] <= 1 or not weights:
        return ""
    return " (weights " + ", ".join(percent(weight) for weight in weights) + ")"


def limits_of(results: PatientResults, regions: Sequence[Region]) -> tuple[str, ...]:
    """Return the limits of the results of this patient, one sentence each."""
    observability = (_unseen_regions(regions), _suspected(regions))
    return tuple(filter(None, (*observability, *other_limits(results))))


def other_limits(results: PatientResults) -> tuple[str, ...]:
    """Return the limits without those of observability, which the first page has already."""
    return tuple(
        sentence
        for sentence in (
            _few_seizures(results),
            _bad_contacts(results),
            _no_mri(results),
            _no_diffusion(results),
            _data_notes(results),
            _isolated(results),
            _method(results),
            "The model has the regions of one atlas, one mean time course per region and the "
            "connections found by diffusion MRI. It has no cell types, no delays within a region "
            "and no change of the network over time.",
        )
        if sentence
    )


def _unseen_regions(regions: Sequence[Region]) -> str:
    unseen = [region for region in regions if region.unseen]
    if not unseen:
        return ""
    return (
        f"No channel sees {len(unseen)} of {len(regions)} regions well. Results for these regions "
        "come from the priors and the network, not from the recording."
    )


def _suspected(regions: Sequence[Region]) -> str:
    silent = suspected_unseen(regions)
    if not silent:
        return ""
    names = ", ".join(region.name for region in silent[:6])
    return f"Suspected but unsampled regions: {names}. Only another electrode can confirm them."


def _few_seizures(results: PatientResults) -> str:
    if len(results.seizures) != 1:
        return ""
    return "One seizure was fitted; other seizures may start or spread differently."


def _bad_contacts(results: PatientResults) -> str:
    if results.contacts is None or "status" not in results.contacts.frame:
        return ""
    frame = results.contacts.frame
    bad = int((frame["status"] != "good").sum())
    outside = int((frame["tissue"] == "outside").sum()) if "tissue" in frame else 0
    if not bad and not outside:
        return ""
    parts = [f"{bad} are marked bad and were not fitted"] if bad else []
    parts += [f"{outside} are outside the brain"] if outside else []
    return f"Of {len(frame)} contacts, {' and '.join(parts)}."


def _data_notes(results: PatientResults) -> str:
    notes = [note for quality in results.quality.values() for note in quality.notes]
    if not notes:
        return ""
    first = notes[0].rstrip(".")
    return f"Notes on the quality of the data: {len(notes)}, under Reliability. The first: {first}."


def _no_mri(results: PatientResults) -> str:
    if not template_anatomy(results):
        return ""
    return (
        "The regions are those of the template MNI152. Gyri differ between people by up to a "
        "centimetre: the region of a contact is uncertain, and no lesion or resection is known."
    )


def _no_diffusion(results: PatientResults) -> str:
    if "dwi" in results.quality or results.weights is None:
        return ""
    group = group_connectome(results)
    if group:
        return (
            f"The connections are those of a group ({group}). Between people, the weight of a "
            "connection varies by a factor of two and more: the spread of the seizure and the "
            "effect of plans are uncertain."
        )
    return "The connectome was provided with the data; its measurement could not be checked."


def _isolated(results: PatientResults) -> str:
    if results.weights is None:
        return ""
    matrix = results.weights.frame.to_numpy()
    alone = results.weights.frame.index[(matrix.sum(0) + matrix.sum(1)) == 0]
    if not len(alone):
        return ""
    return f"Regions without any connection, never recruited in the model: {', '.join(alone)}."


def _method(results: PatientResults) -> str:
    posterior = results.main.posterior
    if posterior is None or posterior.attributes.get("method") != "laplace":
        return ""
    return (
        "The posterior is a Laplace approximation (Gaussian around the best solution), not "
        "sampled: its intervals tend to be too narrow."
    )


def hypothesis_agreement(regions: Sequence[Region]) -> dict[str, tuple[Region, ...]]:
    """Split regions into those in the EZ by model (p_ez of at least 0.5) and hypothesis, or one."""
    found = [region for region in regions if region.p_ez >= 0.5]
    return {
        "both": tuple(region for region in found if region.in_hypothesised_ez),
        "model": tuple(region for region in found if not region.in_hypothesised_ez),
        "clinic": tuple(r for r in regions if r.in_hypothesised_ez and not r.p_ez >= 0.5),
    }


def zone_auc(regions: Sequence[Region]) -> float:
    """Return how often p_ez is larger in a region of the clinical hypothesis than in another.

    Over all pairs of a region of the hypothesis and another region, ties counted half; 0.5 means
    no agreement. NaN if the hypothesis names no region, or all.
    """
    inside = np.array([region.p_ez for region in regions if region.in_hypothesis])
    outside = np.array([region.p_ez for region in regions if not region.in_hypothesis])
    if not len(inside) or not len(outside):
        return float("nan")
    difference = inside[:, None] - outside[None]
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def rank_correlation(first: Sequence[Region], second: Sequence[Region]) -> float:
    """Return the Spearman correlation of two rankings of the same regions."""
    other = {region.name: region.rank for region in second}
    pairs = [(r.rank, other[r.name]) for r in first if r.name in other]
    if len(pairs) < 3:
        return float("nan")
    ranks = pd.DataFrame(pairs).rank()
    return float(ranks[0].corr(ranks[1]))
