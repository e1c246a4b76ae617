"""Derive verdict, ranked regions and ranked plans of the report from the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.fit_results import Posterior, ZoneRow
from virtualbrain.io.results import PatientResults, PriorResults
from virtualbrain.io.surgery_results import Outcomes, PlanRow
from virtualbrain.models.reduced_physics import REST_CURRENT
from virtualbrain.posterior import seizure_threshold
from virtualbrain.quality_limits import NOT_FITTED
from virtualbrain.report.numbers import is_number, percent, probability_interval
from virtualbrain.report.words import in_words, operation
from virtualbrain.seeg.gain import LOW_OBSERVABILITY
from virtualbrain.surgery.candidates import DONE
from virtualbrain.surgery.seizure_freedom import SeizureFreedom

Array = NDArray[np.float64]

N_LEADING_REGIONS = 5
N_LEADING_PLANS = 3
LEAST_GAIN = 0.01
# R-hat above which chains disagree (Gelman and Rubin 1992); small errors of p_ez are none.
FAR_R_HAT = 1.1
SUSPECTED = 0.3
# Regions that seize in a smaller fraction of the draws are not named.
SELDOM = 0.1
NOT_STATED = "not stated"
VERDICT_WORDS = {
    "interpretable": "Interpretable",
    "caution": "Interpret with caution",
    "do-not-use": "Do not use",
    NOT_FITTED: "Nothing was fitted",
    "missing": "No verdict",
}


@dataclass(frozen=True)
class Verdict:
    """Verdict on the fit with its reasons; only a `usable` fit is ranked in the report.

    `summary` says in plain words what a fit whose chains disagree means; else it is empty.
    """

    key: str
    words: str
    reasons: tuple[str, ...]
    usable: bool
    summary: str = ""


@dataclass(frozen=True)
class Region:
    """One region of zones.tsv.

    `index` is the position among the regions of the report.
    """

    index: int
    name: str
    hemisphere: str
    rank: int
    p_ez: float
    p_pz: float
    x0: tuple[float, float, float]
    x0_prior: float
    onset_s: float
    onset_recorded_s: float
    observability: float
    information_gain: float
    p_evidence: float
    hypothesis_zone: str | None

    @property
    def in_hypothesis(self) -> bool:
        """True where the clinical hypothesis names the region."""
        return self.hypothesis_zone is not None

    @property
    def in_hypothesised_ez(self) -> bool:
        """True where the clinical hypothesis names the region, and not as propagation zone."""
        return self.in_hypothesis and self.hypothesis_zone != "PZ"

    @property
    def spoken(self) -> str:
        """The anatomical name with its side; the label where none is known."""
        return spoken_name(self.name)

    @property
    def unseen(self) -> bool:
        """True where the observability is low."""
        return is_number(self.observability) and self.observability < LOW_OBSERVABILITY


@dataclass(frozen=True)
class Plan:
    """One plan of outcomes.tsv, with the interval of its probability."""

    index: int
    rank: int
    candidate: str
    kind: str
    regions: tuple[str, ...]
    region_indices: tuple[int, ...]
    volume_cm3: float
    eloquent: str
    before: float
    after: tuple[float, float, float]
    p_seizure_free: float
    p_interval: tuple[float, float] | None
    transmission_change: float = float("nan")
    p_sham: float = float("nan")
    p_six_dimensional: float = float("nan")
    share_free: float = float("nan")
    p_holds_ez: float = float("nan")
    target: float = float("nan")
    sentence: str = ""

    @property
    def touches_eloquent(self) -> bool:
        """True where the plan takes an eloquent region."""
        return self.eloquent not in ("none", NOT_STATED)

    @property
    def misses_target(self) -> bool:
        """True where fewer draws than asked are without a seizure."""
        return self.share_free < self.target

    @property
    def named_by_regions(self) -> bool:
        """True where the name of the plan lists its regions."""
        return tuple(self.candidate.split(" + ")) == self.regions

    @property
    def title(self) -> str:
        """The plan as an operation; its own name where somebody gave it one."""
        named = in_words(self.candidate, self.regions)
        if not self.regions or self.kind in ("none", "sham", "disconnection"):
            return named
        described = operation(self.kind, self.regions)
        if described and len(self.regions) > 1:
            described += f", {len(self.regions)} regions"
        if not self.named_by_regions:
            return f"{named}: {described}" if described else named
        return described[:1].upper() + described[1:] if described else named


def group_connectome(results: PatientResults) -> str:
    """Return the name of the group whose connectome is used; empty: it is the patient's own."""
    quality = results.quality.get("connectome")
    return str(quality.figures.get("GroupConnectome", "")) if quality else ""


def template_anatomy(results: PatientResults) -> bool:
    """Return whether the anatomy is that of the template, because there is no MRI."""
    quality = results.quality.get("connectome")
    return bool(quality and quality.figures.get("Anatomy"))


def verdict_of(priors: PriorResults) -> Verdict:
    """Return the verdict on the fit; a fit without a known verdict is not usable."""
    if priors.diagnostics is None:
        reason = "There are no diagnostics of the fit: " + priors.missing.get("diagnostics", "")
        return Verdict("missing", VERDICT_WORDS["missing"], (reason,), usable=False)
    key = priors.diagnostics.verdict
    if key not in VERDICT_WORDS:
        key = "missing"
    usable = key in ("interpretable", "caution", NOT_FITTED)
    summary = unsettled(priors.diagnostics.figures)
    return Verdict(key, VERDICT_WORDS[key], priors.diagnostics.reasons, usable, summary)


def unsettled(figures: Mapping[str, Any]) -> str:
    """Return a sentence on a fit whose chains disagree; empty where they nearly agree."""
    usual_error = figures.get("thresholds", {}).get("p_ez_error", (np.inf,))[0]
    error = _number(figures, "p_ez_error_max")
    is_wide = error > usual_error
    if not is_wide and not _number(figures, "r_hat_max") > FAR_R_HAT:
        return ""
    change = f": another run could change a P(EZ) by {100 * error:.0f} points" if is_wide else ""
    return f"The fit has not settled{change}. Repeat it with more moves before you use its numbers."


def _number(figures: Mapping[str, Any], name: str) -> float:
    value = figures.get(name)
    return float(value) if value is not None and is_number(value) else float("nan")


def regions_of(priors: PriorResults, names: Sequence[str]) -> tuple[Region, ...]:
    """Return the rows of zones.tsv in their order; `names` are the regions of the report."""
    if priors.zones is None:
        return ()
    position = {name: i for i, name in enumerate(names)}
    return tuple(
        _region(row, position[row.region]) for row in priors.zones.rows if row.region in position
    )


def _region(row: ZoneRow, index: int) -> Region:
    return Region(
        index=index,
        name=row.region,
        hemisphere=row.hemisphere or "–",
        rank=row.rank,
        p_ez=row.p_ez,
        p_pz=row.p_pz,
        x0=(row.x0_mean, row.x0_low, row.x0_high),
        x0_prior=row.prior_x0_mean,
        onset_s=row.onset_s,
        onset_recorded_s=row.onset_recorded_s,
        observability=row.observability,
        information_gain=row.information_gain,
        p_evidence=row.p_evidence,
        hypothesis_zone=row.in_hypothesis,
    )


def hypothesis_stated(regions: Sequence[Region]) -> bool:
    """Return whether a clinical hypothesis was stated: it names at least one region."""
    return any(region.in_hypothesis for region in regions)


def threshold_of(posterior: Posterior | None) -> float | None:
    """Return the excitability above which a region seizes alone, at the mean fitted tau0."""
    if posterior is None:
        return None
    return float(np.mean(seizure_threshold(posterior.parameters, _rest_current(posterior))))


def _rest_current(posterior: Posterior) -> float:
    return float(posterior.attributes.get("I1", REST_CURRENT))


def plans_of(priors: PriorResults, names: Sequence[str]) -> tuple[Plan, ...]:
    """Return the rows of outcomes.tsv in their order; `names` are the regions of the report."""
    if priors.outcomes is None:
        return ()
    position = {name: i for i, name in enumerate(names)}
    rows, n_draws = enumerate(priors.outcomes.rows), effective_draws(priors)
    return tuple(_plan(i, row, position, priors.outcomes, n_draws) for i, row in rows)


def _plan(
    index: int,
    row: PlanRow,
    position: Mapping[str, int],
    outcomes: Outcomes,
    n_draws: float,
) -> Plan:
    regions = row.region_names
    return Plan(
        index=index,
        rank=int(row.rank) if is_number(row.rank) else index + 1,
        candidate=row.candidate,
        kind=row.kind,
        regions=regions,
        region_indices=tuple(position[name] for name in regions if name in position),
        volume_cm3=row.volume_mm3 / 1000,
        eloquent=row.eloquent or ("none" if outcomes.eloquent_stated else NOT_STATED),
        before=row.seizing_before,
        after=(row.seizing_after, row.seizing_after_low, row.seizing_after_high),
        p_seizure_free=row.p_seizure_free,
        p_interval=_plan_interval(row, outcomes, n_draws),
        transmission_change=row.transmission_change,
        p_sham=row.p_sham,
        p_six_dimensional=row.p_seizure_free_6d,
        share_free=row.share_free,
        p_holds_ez=row.p_holds_ez,
        target=outcomes.target,
        sentence=row.sentence,
    )


def effective_draws(priors: PriorResults) -> float:
    r"""Return the number of independent draws that the simulated draws of the plans are worth.

    The Monte Carlo error e of a probability p is that of p (1 - p) / e² independent draws; p is the
    P(EZ) with the largest error.
    """
    n_draws = float(priors.outcomes.n_draws) if priors.outcomes else 0.0
    figures = priors.diagnostics.figures if priors.diagnostics else {}
    error, region = _number(figures, "p_ez_error_max"), figures.get("p_ez_error_region")
    p_ez = [row.p_ez for row in priors.zones.rows if row.region == region] if priors.zones else []
    if not p_ez or not error > 0:
        return n_draws
    return min(n_draws, max(p_ez[0] * (1.0 - p_ez[0]) / error**2, 1.0))


def _plan_interval(row: PlanRow, outcomes: Outcomes, n_draws: float) -> tuple[float, float]:
    if row.kind == "none":  # see `virtualbrain.surgery.ranking`
        return probability_interval(row.share_free, n_draws)
    return freedom_interval(row.share_free, outcomes, n_draws)


def freedom_of(outcomes: Outcomes) -> SeizureFreedom:
    """Return the rule by which P(seizure-free) follows from the draws of this patient."""
    return SeizureFreedom(outcomes.p_elsewhere, outcomes.p_sampled, outcomes.fitted)


def freedom_interval(share_free: float, outcomes: Outcomes, n_draws: float) -> tuple[float, float]:
    """Return the sampling interval of `share_free`, scaled as `p_seizure_free` is."""
    low, high = probability_interval(share_free, n_draws)
    rule = freedom_of(outcomes)
    return rule.probability(low), rule.probability(high)


def freedom_rule(outcomes: Outcomes) -> str:
    """Return how P(seizure-free) follows from the draws, with the patient's numbers."""
    if not outcomes.fitted:
        return "It is the share of draws in which no region seizes."
    return (
        "It is the share of draws in which no region seizes, times the probability that no other "
        f"region starts seizures ({percent(1.0 - outcomes.p_elsewhere)}), times the probability "
        f"that the electrodes sampled the EZ ({percent(outcomes.p_sampled)})."
    )


def conclusion_of(priors: PriorResults) -> str:
    """Return the conclusion on all plans; empty where it repeats the sentence of a plan."""
    if priors.outcomes is None:
        return ""
    conclusion = priors.outcomes.conclusion
    return "" if any(row.sentence == conclusion for row in priors.outcomes.rows) else conclusion


def leading_regions(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the first regions of the ranking."""
    return tuple(sorted(regions, key=lambda region: region.rank)[:N_LEADING_REGIONS])


def leading_plans(plans: Sequence[Plan]) -> tuple[Plan, ...]:
    """Return the first proposed plans of the ranking: no sham, no surgery, not what was done.

    A plan that only adds regions to an earlier one, for less than one more draw in a hundred, is
    left out.
    """
    real = [plan for plan in plans if plan.kind not in ("none", "sham") and plan.candidate != DONE]
    kept: list[Plan] = []
    for plan in sorted(real, key=lambda plan: plan.rank):
        if not any(_adds_nothing(plan, earlier) for earlier in kept):
            kept.append(plan)
    return tuple(kept[:N_LEADING_PLANS])


def _adds_nothing(plan: Plan, earlier: Plan) -> bool:
    is_more = plan.kind == earlier.kind and set(plan.regions) > set(earlier.regions)
    return is_more and plan.share_free < earlier.share_free + LEAST_GAIN


def done_plan(plans: Sequence[Plan]) -> Plan | None:
    """Return the resection that was done; None if none was stated."""
    return next((plan for plan in plans if plan.candidate == DONE), None)


def suspected_unseen(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Return the regions of low observability with a high p_ez or p_pz."""
    return tuple(r for r in regions if r.unseen and (r.p_ez >= SUSPECTED or r.p_pz >= SUSPECTED))
