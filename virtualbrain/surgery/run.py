"""Run virtual surgery: posterior, zones and clinical tables in, ranked plans out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.quality_limits import DO_NOT_USE, NOT_FITTED
from virtualbrain.surgery.candidates import (
    Candidate,
    clinical_plan,
    disconnections,
    leading_plans,
    no_surgery,
    resection,
    sham_plans,
)
from virtualbrain.surgery.disconnections import module_plan, plans_by_stability
from virtualbrain.surgery.draws import FittedDraws, draws_from
from virtualbrain.surgery.explanations import Explanations, explanations, no_explanations
from virtualbrain.surgery.ez_sets import p_holds_ez, smallest_holding
from virtualbrain.surgery.full_model import p_seizure_free_full_model
from virtualbrain.surgery.network_change import change_of, removed
from virtualbrain.surgery.next_electrode import COLUMNS, next_regions
from virtualbrain.surgery.outcome import Outcome, simulate_plans, simulate_unknown_plans
from virtualbrain.surgery.outcome_prediction import predicted_outcome
from virtualbrain.surgery.ranking import (
    RankingCriteria,
    any_better_than_sham,
    outcome_table,
    recruitment_table,
)
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.search import Search
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.signal_transmission import transmission_change
from virtualbrain.surgery.stimulation import site_of, stimulation_table
from virtualbrain.surgery.subsets import explored_regions, subset_outcomes, subset_table

N_PLANS_FOR_ADVICE = 6
NOT_RANKED = "Plans are not ranked: the verdict of the fit is do-not-use."
NO_BETTER = "No plan is better than random plans of the same size."


@dataclass(frozen=True)
class Patient:
    """Patient data besides the fit.

    Parameters
    ----------
    zones : pandas.DataFrame
        Ranked regions, as in zones.tsv.
    regions : pandas.DataFrame
        Region table (volumes; hemispheres and centres if resections are constrained).
    hypothesis : tuple of str
        EZ regions of the clinical hypothesis.
    eloquent : mapping of str to str, as tuple of pairs
        Eloquent regions and their functions.
    plans : tuple of Candidate
        Plans of the clinic.
    pairs : tuple of str
        Bipolar pairs whose stimulation is simulated.
    done : Candidate, optional
        The resection that was done; one more plan, which changes no other.
    gain : pandas.DataFrame, optional
        Channels by regions; needed for stimulation.
    verdict : str
        Verdict of the fit; with ``do-not-use`` nothing is ranked, with ``not-fitted`` (draws of a
        hypothesis) P(seizure-free) is the fraction of draws.
    """

    zones: pd.DataFrame
    regions: pd.DataFrame
    hypothesis: tuple[str, ...] = ()
    eloquent: tuple[tuple[str, str], ...] = ()
    plans: tuple[Candidate, ...] = ()
    pairs: tuple[str, ...] = ()
    done: Candidate | None = None
    gain: pd.DataFrame | None = None
    verdict: str = "interpretable"

    @property
    def is_fitted(self) -> bool:
        """Whether the draws are those of a fit, not of a hypothesis."""
        return self.verdict != NOT_FITTED

    @property
    def functions(self) -> frozenset[str]:
        """Names of the eloquent regions."""
        return frozenset(region for region, _ in self.eloquent)


@dataclass(frozen=True)
class Surgery:
    """Results of virtual surgery.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        The columns of outcomes.tsv, ranked.
    recruitment : pandas.DataFrame
        ``candidate region onset_s onset_low_s onset_high_s p_seizing`` for every plan except
        sham plans.
    candidates : mapping of str to Candidate
        Plans by name, without sham plans.
    stimulation : pandas.DataFrame
        Seizures that stimulation at each pair evokes and stops.
    next_regions : pandas.DataFrame
        Regions of low observability where another electrode would be most valuable.
    predicted : mapping of str to float, or None
        Prediction for the resection that was done.
    subsets : pandas.DataFrame
        Resections of all subsets of the leading regions (`surgery.subsets.COLUMNS`); no rows
        without a ranking.
    conclusion : str
        Conclusion over all plans, one sentence.
    p_elsewhere : float
        Probability that a region outside the suspected ones starts seizures.
    explained : float
        Fraction of the posterior in which a suspected region starts the seizure.
    expected_ez_regions : float
        Expected number of EZ regions.
    p_sampled : float
        Probability that the electrodes sampled the EZ.
    eloquent : tuple of (region, function)
        Eloquent regions that were stated.
    target : float
        Fraction of draws without a seizure that a plan should reach.
    gains : tuple of (str, float)
        Regions of the first resection, the most useful first, and the fraction of draws without a
        seizure once each is added.
    fitted : bool
        Whether the draws come from a fit; else `p_seizure_free` equals `share_free`.
    explanations : Explanations
        Zones that explain the recording about equally well; empty where nothing is ranked.
    """

    outcomes: pd.DataFrame
    recruitment: pd.DataFrame
    candidates: Mapping[str, Candidate]
    stimulation: pd.DataFrame
    next_regions: pd.DataFrame
    predicted: Mapping[str, float] | None
    subsets: pd.DataFrame
    conclusion: str
    p_elsewhere: float
    explained: float
    expected_ez_regions: float
    p_sampled: float
    eloquent: tuple[tuple[str, str], ...]
    target: float
    gains: tuple[tuple[str, float], ...] = ()
    fitted: bool = True
    explanations: Explanations = field(default_factory=no_explanations)

    def about(self) -> dict[str, object]:
        """Return the entries of every table's sidecar."""
        return {
            "Conclusion": self.conclusion,
            "p_elsewhere": self.p_elsewhere,
            "explained": self.explained,
            "expected_ez_regions": self.expected_ez_regions,
            "p_ez_sampled": self.p_sampled,
            "EloquentStated": bool(self.eloquent),
            "Eloquent": [list(pair) for pair in self.eloquent],
            "Target": self.target,
            "Fitted": self.fitted,
            "Gains": [list(gain) for gain in self.gains],
            "Connections": {
                name: [list(edge) for edge in plan.edges]
                for name, plan in self.candidates.items()
                if plan.edges
            },
        }


def run_surgery(
    posterior: xr.DataTree,
    patient: Patient,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> Surgery:
    """Simulate and rank surgical plans over the posterior.

    Parameters
    ----------
    posterior : xarray.DataTree
        The fit.
    patient : Patient
        Zones, volumes, hypothesis, eloquent regions, plans, verdict.
    settings : SurgerySettings
        Settings.
    rng : numpy.random.Generator
        Chooses the draws and the sham plans.

    Returns
    -------
    Surgery
        Ranked plans, and the onset of each region after each plan.
    """
    draws = draws_from(posterior, settings.draws, rng, settings.suspicion)
    search = _search(patient, draws, settings)
    done = [patient.done] if patient.done is not None else []
    (apart,) = rng.spawn(1)  # the resection that was done does not change the other plans
    plans = _plans(patient, search, rng)
    shams = _shams(plans, patient, draws, settings, rng)
    shams = _shams(done, patient, draws, settings, apart) | shams
    plans += done
    outcomes = simulate_unknown_plans(plans, search.known, draws, settings)
    criteria = RankingCriteria(
        regions=patient.regions,
        freedom=SeizureFreedom(draws.p_elsewhere, draws.p_sampled, patient.is_fitted),
        eloquent=patient.eloquent,
        transmission=_transmission(plans, draws, settings),
        p_holds_ez=_p_holds_ez(plans, draws, settings),
        shams=shams,
        ranked=patient.verdict != DO_NOT_USE,
    )
    pooled = [_pooled(size, group, draws) for size, group in shams.items()]
    table = outcome_table([*outcomes, *pooled], criteria, settings)
    by_name = {plan.name: plan for plan in plans}
    return Surgery(
        outcomes=_with_confirmation(table, by_name, patient.done, draws, settings, rng),
        recruitment=recruitment_table(outcomes, draws.regions),
        candidates=by_name,
        stimulation=_stimulation(patient, draws, settings, rng),
        next_regions=_next_regions(posterior, patient, outcomes, settings, rng),
        predicted=_predicted(patient, draws, settings),
        subsets=_subsets(patient, search, outcomes, table, criteria),
        conclusion=_conclusion(_proposed(table, patient.done), criteria.ranked),
        p_elsewhere=draws.p_elsewhere,
        explained=draws.explained,
        expected_ez_regions=draws.expected_ez_regions,
        p_sampled=draws.p_sampled,
        eloquent=patient.eloquent,
        target=settings.target,
        gains=_gains(table, search) if criteria.ranked else (),
        fitted=criteria.freedom.fitted,
        explanations=_explanations(posterior, patient, settings),
    )


def _predicted(
    patient: Patient, draws: FittedDraws, settings: SurgerySettings
) -> dict[str, float] | None:
    if patient.done is None:
        return None
    return predicted_outcome(patient.done, draws, settings, fitted=patient.is_fitted)


def _p_holds_ez(
    plans: Sequence[Candidate], draws: FittedDraws, settings: SurgerySettings
) -> dict[str, float]:
    """Return how often the regions that a resection removes hold the zone, by plan name."""
    return {
        plan.name: p_holds_ez(np.array(plan.regions)[removed(plan, settings)].tolist(), draws)
        for plan in plans
        if plan.removes
    }


def _explanations(
    posterior: xr.DataTree, patient: Patient, settings: SurgerySettings
) -> Explanations:
    """Return the explanations of the recording; none without a ranking or without a fit."""
    if patient.verdict in (DO_NOT_USE, NOT_FITTED):
        return no_explanations()
    return explanations(posterior, settings, constraints_of(patient, settings))


def constraints_of(patient: Patient, settings: SurgerySettings) -> ResectionConstraints:
    """Return the constraints on one operation of a patient."""
    forbidden = patient.functions if settings.eloquent == "forbidden" else frozenset[str]()
    return ResectionConstraints(patient.regions, settings.approach, forbidden)


def _search(patient: Patient, draws: FittedDraws, settings: SurgerySettings) -> Search:
    """Return the search over the leading regions that may be resected."""
    constraints = constraints_of(patient, settings)
    able = [name for name in patient.zones["region"] if constraints.allows((name,))]
    return Search(able[: settings.leading], draws, settings, constraints)


def _subsets(
    patient: Patient,
    search: Search,
    outcomes: Sequence[Outcome],
    table: pd.DataFrame,
    criteria: RankingCriteria,
) -> pd.DataFrame:
    """Return the table of all subsets of the leading regions; no rows without a ranked fit."""
    draws, settings = search.draws, search.settings
    found: list[Outcome] = []
    if criteria.ranked and criteria.freedom.fitted:
        ranked = [str(name) for name in patient.zones["region"]]
        regions = explored_regions(ranked, _first_resection(table), settings.explore)
        found = subset_outcomes(regions, [*outcomes, *search.known], draws, settings)
    before = float(table["seizing_before"].iloc[0])
    return subset_table(found, before, draws, criteria, settings, search.constraints.allows)


def _first_resection(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the regions of the first resection; empty without one."""
    first = table.loc[table["kind"] == "resection", "regions"].head(1)
    return () if first.empty else tuple(str(first.iloc[0]).split(","))


def _gains(table: pd.DataFrame, search: Search) -> tuple[tuple[str, float], ...]:
    """Return the regions of the first resection, and the free draws as each is added."""
    steps = search.one_by_one(_first_resection(table))
    return tuple((step.candidate.regions[-1], step.share_free) for step in steps)


def _plans(patient: Patient, search: Search, rng: np.random.Generator) -> list[Candidate]:
    """Return all plans except sham plans, without duplicates."""
    leading, draws, settings = search.choices, search.draws, search.settings
    allows = search.constraints.allows
    plans = [plan for plan in leading_plans(leading, settings) if allows(plan.regions)]
    holding = smallest_holding(leading, draws, settings, search.constraints)
    plans += [resection(holding)] if holding else []
    found = search.smallest(rng)
    if found is not None:
        plans.append(found.candidate)
    first = found.candidate.regions if found is not None else ()
    if first:
        plans += [*plans_by_stability(first, draws), *module_plan(first, draws, seed=1)]
    own = [*clinical_plan(patient.hypothesis), *patient.plans]
    return _without_duplicates([no_surgery(), *own, *plans, *disconnections(leading)])


def _without_duplicates(plans: Sequence[Candidate]) -> list[Candidate]:
    """Drop plans that equal an earlier plan."""
    kept: dict[tuple[object, ...], Candidate] = {}
    for plan in plans:
        what = frozenset(zip(plan.regions, plan.taken or plan.regions, strict=True))
        kept.setdefault((plan.kind, what, frozenset(plan.edges)), plan)
    return list(kept.values())


def _shams(
    plans: Sequence[Candidate],
    patient: Patient,
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> dict[int, list[Outcome]]:
    """Return the outcomes of random plans, for every size of a plan."""
    allowed = [region for region in draws.regions if region not in patient.functions]
    groups = sham_plans(allowed, {len(plan.regions) for plan in plans}, settings.sham, rng)
    return {size: simulate_plans(group, draws, settings) for size, group in groups.items()}


def _pooled(size: int, group: Sequence[Outcome], draws: FittedDraws) -> Outcome:
    """Pool the outcomes of random plans of one size."""
    label = f"sham: {len(group)} random plans of {size} region{'s' if size > 1 else ''}"
    regions = tuple(f"any-{number + 1}" for number in range(size))
    return Outcome(
        Candidate(label, "sham", regions),
        seizing=np.concatenate([outcome.seizing for outcome in group]),
        p_region=np.mean([outcome.p_region for outcome in group], axis=0),
        onset_s=np.full(len(draws.regions), np.nan),
        onset_range_s=np.full((2, len(draws.regions)), np.nan),
    )


def _transmission(
    plans: Sequence[Candidate], draws: FittedDraws, settings: SurgerySettings
) -> dict[str, float]:
    """Return the change of signal transmission in the healthy network, by plan."""
    K = float(np.median(draws.K))
    return {
        plan.name: transmission_change(
            change_of(plan, draws.regions, draws.weights, settings), draws.weights, K, draws.I1
        )
        for plan in plans
    }


def _with_confirmation(
    table: pd.DataFrame,
    plans: Mapping[str, Candidate],
    done: Candidate | None,
    draws: FittedDraws,
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Add the outcomes of the leading plans in the full model; none without a ranking."""
    proposed = _proposed(table, done)
    real = proposed[~proposed["kind"].isin(["none", "sham", "stimulation"])]
    real = real[real["rank"].notna()]
    leading = [plans[name] for name in real["candidate"].head(settings.confirm)]
    found = p_seizure_free_full_model(leading, draws, settings, rng)
    return table.assign(p_seizure_free_6d=table["candidate"].map(found))


def _proposed(table: pd.DataFrame, done: Candidate | None) -> pd.DataFrame:
    """Return the plans without the resection that was done."""
    return table if done is None else table[table["candidate"] != done.name]


def _conclusion(table: pd.DataFrame, ranked: bool) -> str:
    """Return the conclusion over all plans in one sentence."""
    if not ranked:
        return NOT_RANKED
    if not any_better_than_sham(table):
        return NO_BETTER
    real = table[~table["kind"].isin(["none", "sham"])]
    return str(real["sentence"].iloc[0])


def _stimulation(
    patient: Patient, draws: FittedDraws, settings: SurgerySettings, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the seizures that stimulation at the clinic's pairs evokes and stops."""
    gain = pd.DataFrame() if patient.gain is None else patient.gain
    sites = [site_of(pair, gain, draws.regions) for pair in patient.pairs]
    return stimulation_table(sites, draws, settings, rng)


def _next_regions(
    posterior: xr.DataTree,
    patient: Patient,
    outcomes: Sequence[Outcome],
    settings: SurgerySettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return regions for another electrode; none without a ranking or without observability."""
    if patient.verdict == DO_NOT_USE or "observability" not in patient.zones:
        return pd.DataFrame(columns=list(COLUMNS))
    # Every region is suspected: a region without data is not taken as healthy.
    draws = draws_from(posterior, settings.draws, rng)
    removing = [o for o in outcomes if o.candidate.kind == "resection"]
    removing = sorted(removing, key=lambda o: -o.share_free)[:N_PLANS_FOR_ADVICE]
    again = simulate_plans([o.candidate for o in removing], draws, settings)
    return next_regions(patient.zones, draws, again, settings)
