"""Validate virtual surgery: apply plans from a fit to the true 6D model of the patient."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import hypergeom

from inference.validate import problem_of
from virtualbrain.io.atomic import write_json
from virtualbrain.io.tables import write_table
from virtualbrain.models.reduced_physics import SEIZING_X1_6D
from virtualbrain.models.simulation import Options, simulate_ensemble
from virtualbrain.seeg.gain import LOW_OBSERVABILITY, observability
from virtualbrain.surgery.candidates import sham_plans
from virtualbrain.surgery.run import Patient, Surgery, run_surgery
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.synthetic.scores import calibration_error
from virtualbrain.synthetic.validation_cohort import ValidationCohort
from virtualbrain.synthetic.validation_patient import (
    DURATION_S,
    NOISE,
    TrueModel,
    ValidationPatient,
)

Array = NDArray[np.float64]

# A plan succeeds if at most this fraction of the regions that seized before it seizes after it.
SUCCESS_SHARE = 0.1
N_PLANS = 10
N_SHAM = 10
# Number of regions that are scored as advice for another electrode.
N_ADVISED = 3
_RATE_HZ = 64.0


def seizing_without(
    true_model: TrueModel, removed: Sequence[Sequence[str]], seed: int
) -> NDArray[np.bool_]:
    """Return which regions seize after each resection in the true model, (n_sets, n_regions)."""
    gone = np.array([[name in taken for name in true_model.network.regions] for taken in removed])
    run = simulate_ensemble(
        true_model.network, true_model.model, n_members=len(removed), duration=DURATION_S,
        seed=seed, noise=NOISE, sample_rate=_RATE_HZ, initial=true_model.initial,
        present=1.0 - gone, options=Options(keep=("x1",), dtype="float32"),
    )  # fmt: skip
    x1 = run["x1"].transpose("member", "time", "region").to_numpy()
    return np.asarray((x1 > SEIZING_X1_6D).any(axis=1) & ~gone)


@dataclass
class SurgeryScorer:
    """Plan from each fit of a validation, then score the plans on the true model.

    Called once per fit by `run_validation`; the tables are written after every patient.

    Parameters
    ----------
    cohort : ValidationCohort
        The patients, who are drawn again after the plans are made.
    out : Path, optional
        Folder for ``surgery.tsv`` and ``surgery.json``.
    settings : SurgerySettings
        Settings of the surgery stage.
    scores : list of pandas.DataFrame
        Scores of the patients so far.
    """

    cohort: ValidationCohort
    out: Path | None = None
    settings: SurgerySettings = field(default_factory=SurgerySettings)
    scores: list[pd.DataFrame] = field(default_factory=list)

    def __call__(
        self, number: int, posterior: xr.DataTree, zones: pd.DataFrame, verdict: str
    ) -> None:
        """Plan, then score the plans on the true model of patient `number` (from 0)."""
        seed = self.cohort.seed
        surgery = plan_from_fit(posterior, zones, self.settings, seed + number)
        patient = self.cohort.draw(number)
        self.scores.append(score_surgery(number + 1, patient, surgery, verdict, seed))
        self.write()

    def write(self) -> None:
        """Write the tables of all patients so far."""
        if self.out is not None:
            about = {"Description": "Plans applied to the true models", "Seed": self.cohort.seed}
            write_table(self.out / "surgery.tsv", self.table, about)
            write_json(self.out / "surgery.json", {"seed": self.cohort.seed, **self.summary()})

    @property
    def table(self) -> pd.DataFrame:
        """Scores of all patients so far."""
        return pd.concat(self.scores, ignore_index=True)

    def summary(self) -> dict[str, Any]:
        """Return the summary of all patients so far."""
        return summarise_surgery(self.table)


def plan_from_fit(
    posterior: xr.DataTree, zones: pd.DataFrame, settings: SurgerySettings, seed: int
) -> Surgery:
    """Plan as the pipeline does, without the truth.

    Plans are ranked for every verdict, because the scores are reported by verdict.
    """
    regions = pd.DataFrame({"name": zones["region"], "volume": 1000.0})
    without = replace(settings, confirm=0, explore=0)
    return run_surgery(posterior, Patient(zones, regions), without, np.random.default_rng(seed))


def true_zone_ends_seizures(n_patients: int, cohort: ValidationCohort) -> pd.DataFrame:
    """Resect the true zone in the true models of a validation's patients, without a fit.

    Returns
    -------
    pandas.DataFrame
        Columns ``patient sampled zone seizing_before seizing_after``.
    """
    rows = []
    for number in range(n_patients):
        patient = cohort.draw(number)
        zone = patient.true_zone
        before, after = seizing_without(
            patient.truth.true_model, [(), zone], cohort.seed + number
        ).sum(axis=1)
        rows.append((number + 1, cohort.is_sampled(number), len(zone), int(before), int(after)))
    columns = ["patient", "sampled", "zone", "seizing_before", "seizing_after"]
    return pd.DataFrame(rows, columns=columns)


def score_surgery(
    number: int,
    patient: ValidationPatient,
    surgery: Surgery,
    verdict: str,
    seed: int,
) -> pd.DataFrame:
    """Apply plans to the true model.

    The plans are: no surgery, resection of the true zone, the first resections of the ranking, and
    random resections (sham) of the size of the first.

    Returns
    -------
    pandas.DataFrame
        Columns ``patient sampled verdict plan kind place regions n_regions p_seizure_free
        share_free true_before true_after free success advised by_chance``. `place` is the rank of
        a resection, from 1. `advised`: a region of the zone is among the first three regions
        advised for another electrode. `by_chance`: probability of that for three random
        unsampled regions.
    """
    true_model = patient.truth.true_model
    names = list(true_model.network.regions)
    table = surgery.outcomes.query("kind == 'resection'").head(N_PLANS)
    size = int(table["n_regions"].iloc[0])
    shams = sham_plans(names, [size], N_SHAM, np.random.default_rng([seed, number]))[size]
    rows: list[dict[str, Any]] = [
        {"plan": "none", "kind": "none", "removed": (), "p_seizure_free": np.nan},
        {
            "plan": "true zone",
            "kind": "truth",
            "removed": patient.true_zone,
            "p_seizure_free": np.nan,
        },
    ]
    for place, row in enumerate(table.to_dict("records"), start=1):
        rows.append(
            {"plan": row["candidate"], "kind": "plan", "place": place,
             "removed": tuple(str(row["regions"]).split(",")),
             "p_seizure_free": row["p_seizure_free"], "share_free": row["share_free"]}
        )  # fmt: skip
    rows += [
        {"plan": plan.name, "kind": "sham", "removed": plan.regions, "p_seizure_free": np.nan}
        for plan in shams
    ]
    seizing = seizing_without(true_model, [row["removed"] for row in rows], seed + number)
    after = seizing.sum(axis=1)
    before = int(after[0])
    scored = pd.DataFrame(rows)
    scored["n_regions"] = scored["removed"].map(len)
    scored["regions"] = scored.pop("removed").map(",".join)
    return scored.assign(
        patient=number, sampled=patient.truth.sampled, verdict=verdict, true_before=before,
        true_after=after, free=after == 0, success=after <= SUCCESS_SHARE * before,
        **score_advice(patient, surgery.next_regions["region"].head(N_ADVISED)),
    )  # fmt: skip


def score_advice(patient: ValidationPatient, advised: Iterable[str]) -> dict[str, float]:
    """Return whether advised regions include one of the zone, and the probability by chance."""
    zone = set(patient.true_zone)
    hardly = observability(problem_of(patient).gain) < LOW_OBSERVABILITY
    n_unsampled = int(hardly.sum())
    n_zone = int((hardly & patient.truth.ez).sum())
    by_chance = hypergeom(n_unsampled, n_zone, min(N_ADVISED, n_unsampled)).sf(0)
    return {"advised": float(bool(zone & set(advised))), "by_chance": float(by_chance)}


def summarise_surgery(scores: pd.DataFrame) -> dict[str, Any]:
    """Return how often plans end seizures in the true model, and the calibration error.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of `score_surgery` for all patients.
    """
    kinds = scores["kind"]
    plans = scores[kinds == "plan"]
    summary: dict[str, Any] = {
        "true_zone_ends_seizures": float(scores.loc[kinds == "truth", "free"].mean()),
        "patients": int(scores["patient"].nunique()),
    }
    for name, sampled in (("sampled", True), ("unsampled", False)):
        chosen = scores[scores["sampled"] == sampled]
        if chosen.empty:
            continue
        first = chosen[(chosen["kind"] == "plan") & (chosen["place"] == 1)]
        summary[name] = {
            "first_plan_succeeds": float(first["success"].mean()),
            "first_plan_p_seizure_free": float(first["p_seizure_free"].mean()),
            "first_plan_free": float(first["free"].mean()),
            "sham_succeeds": float(chosen.loc[chosen["kind"] == "sham", "success"].mean()),
            "calibration_error": _calibration(plans[plans["sampled"] == sampled]),
            "advice_meets_zone": float(first["advised"].mean()),
            "advice_by_chance": float(first["by_chance"].mean()),
        }
    summary["calibration_error"] = _calibration(plans)
    return summary


def _calibration(plans: pd.DataFrame) -> float:
    """Return the calibration error of p_seizure_free over plans."""
    return calibration_error(
        plans["p_seizure_free"].to_numpy(dtype=np.float64), plans["free"].to_numpy(dtype=bool), 5
    )
