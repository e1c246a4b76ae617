"""The stage of virtual surgery: from posterior, zones and clinical tables to ranked plans."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.surgery.candidates import (
    Candidate,
    clinical_plan,
    disconnections,
    leading_plans,
    no_surgery,
    sham_plans,
)
from virtualbrain.surgery.draws import FittedDraws, draws_from
from virtualbrain.surgery.outcome import Outcome, simulate_plans
from virtualbrain.surgery.ranking import outcome_table, recruitment_table
from virtualbrain.surgery.search import smallest_plan
from virtualbrain.surgery.settings import SurgerySettings


@dataclass(frozen=True)
class Patient:
    """What is known of the patient beside the fit.

    Parameters
    ----------
    zones : pandas.DataFrame
        Ranked regions, as in zones.tsv.
    regions : pandas.DataFrame
        Region table (volumes).
    hypothesis : tuple of str
        Regions that the clinic holds epileptogenic.
    eloquent : mapping of str to str, as tuple of pairs
        Regions that must not be taken out, with their function.
    """

    zones: pd.DataFrame
    regions: pd.DataFrame
    hypothesis: tuple[str, ...] = ()
    eloquent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Surgery:
    """What the stage hands on.

    Parameters
    ----------
    outcomes : pandas.DataFrame
        The columns of outcomes.tsv, ranked.
    recruitment : pandas.DataFrame
        ``candidate region onset_s p_seizing`` for every plan but the shams.
    """

    outcomes: pd.DataFrame
    recruitment: pd.DataFrame


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
        Zones, volumes, hypothesis, eloquent regions.
    settings : SurgerySettings
        What to try.
    rng : numpy.random.Generator
        Chooses the draws and the sham plans.

    Returns
    -------
    Surgery
        Ranked plans, and when each region starts after each.
    """
    draws = draws_from(posterior, settings.draws, rng)
    spared = {region for region, _ in patient.eloquent}
    leading = [name for name in patient.zones["region"] if name not in spared]
    leading = leading[: settings.leading]
    plans = _plans(leading, patient, draws, settings)
    sizes = sorted({len(plan.regions) for plan in plans if plan.kind != "none"})
    allowed = [region for region in draws.regions if region not in spared]
    shams = sham_plans(allowed, sizes, settings.sham, rng)
    outcomes = simulate_plans(plans, draws, settings.seizing_threshold)
    pooled = [_pooled(size, group, draws, settings) for size, group in shams.items()]
    everything = [*outcomes, *pooled]
    return Surgery(
        outcomes=outcome_table(everything, patient.regions, patient.eloquent, settings),
        recruitment=recruitment_table(outcomes, draws.regions),
    )


def _plans(
    leading: Sequence[str], patient: Patient, draws: FittedDraws, settings: SurgerySettings
) -> list[Candidate]:
    """Return every plan but the shams, none twice."""
    plans = [
        no_surgery(),
        *clinical_plan(patient.hypothesis),
        *leading_plans(leading, settings),
        *disconnections(leading),
    ]
    found = smallest_plan(leading, draws, settings)
    known = {(plan.kind, frozenset(plan.regions)) for plan in plans}
    if found and ("resection", frozenset(found.candidate.regions)) not in known:
        plans.append(found.candidate)
    return plans


def _pooled(
    size: int, group: Sequence[Candidate], draws: FittedDraws, settings: SurgerySettings
) -> Outcome:
    """Return random plans of one size as one outcome over all of their draws."""
    outcomes = simulate_plans(group, draws, settings.seizing_threshold)
    label = f"sham: {len(group)} random plans of {size} region{'s' if size > 1 else ''}"
    regions = tuple(f"any-{number + 1}" for number in range(size))
    return Outcome(
        Candidate(label, "sham", regions),
        seizing=np.concatenate([outcome.seizing for outcome in outcomes]),
        p_region=np.mean([outcome.p_region for outcome in outcomes], axis=0),
        onset_s=np.full(len(draws.regions), np.nan),
    )
