"""Virtual surgery against the truth: plans from a fit, applied to the patient's own 6D model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import hypergeom

from inference import patients
from inference.patients import TrueModel, VirtualPatient, draw_patient
from inference.scores import calibration_error
from inference.validate import is_sampled
from virtualbrain.io.atomic import write_json
from virtualbrain.io.tables import write_table
from virtualbrain.models.reduced_physics import SEIZING_X1_6D
from virtualbrain.models.simulation import Options, simulate_ensemble
from virtualbrain.seeg.gain import HARDLY_SEEN, observability
from virtualbrain.surgery.candidates import sham_plans
from virtualbrain.surgery.run import Patient, Surgery, run_surgery
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

# A plan succeeds when at most this share of the regions that seized before seizes after it.
SUCCESS_SHARE = 0.1
N_PLANS = 10
N_SHAM = 10
# An electrode more is advised to so many regions.
N_ADVISED = 3
_RATE_HZ = 64.0


def draw_with_model(seed: int, number: int, sampled: bool) -> tuple[VirtualPatient, TrueModel]:
    """Draw the patient that a validation draws, and open the model behind it."""
    patient = draw_patient(np.random.default_rng([seed, number]), sampled)
    return patient, patient.truth.behind


def seizing_without(
    behind: TrueModel, removed: Sequence[Sequence[str]], seed: int
) -> NDArray[np.bool_]:
    """Return what seizes in truth after each set of regions was taken out, (n_sets, n_regions)."""
    gone = np.array([[name in taken for name in behind.network.regions] for taken in removed])
    run = simulate_ensemble(
        behind.network, behind.model, n_members=len(removed), duration=patients.DURATION_S,
        seed=seed, noise=patients.NOISE, sample_rate=_RATE_HZ, initial=behind.initial,
        present=1.0 - gone, options=Options(keep=("x1",), dtype="float32"),
    )  # fmt: skip
    x1 = run["x1"].transpose("member", "time", "region").to_numpy()
    return np.asarray((x1 > SEIZING_X1_6D).any(axis=1) & ~gone)


@dataclass
class SurgeryScorer:
    """Plans from each fit of a validation, then holds the plans against the patient's true model.

    Called once per fit, as `run_validation` goes along; tables are written after every patient.

    Parameters
    ----------
    seed : int
        Of the validation: the patients are drawn again from it, after the plans are made.
    out : Path, optional
        Folder for ``surgery.tsv`` and ``surgery.json``.
    settings : SurgerySettings
        Of the stage.
    """

    seed: int
    out: Path | None = None
    settings: SurgerySettings = field(default_factory=SurgerySettings)
    scores: list[pd.DataFrame] = field(default_factory=list)

    def __call__(
        self, number: int, sampled: bool, posterior: xr.DataTree, zones: pd.DataFrame, verdict: str
    ) -> None:
        """Plan, open the truth of patient `number` (from 0), and score."""
        surgery = plan_from_fit(posterior, zones, self.settings, self.seed + number)
        patient, true_model = draw_with_model(self.seed, number, sampled)
        self.scores.append(
            score_surgery(number + 1, patient, true_model, surgery, verdict, self.seed)
        )
        self.write()

    def write(self) -> None:
        """Write the tables of all patients so far."""
        if self.out is not None:
            about = {"Description": "Plans applied to the true models", "Seed": self.seed}
            write_table(self.out / "surgery.tsv", self.table, about)
            write_json(self.out / "surgery.json", {"seed": self.seed, **self.summary()})

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
    """Plan as the pipeline does; the truth is not at hand here.

    Plans are ranked whatever the verdict: scores are given by verdict.
    """
    regions = pd.DataFrame({"name": zones["region"], "volume": 1000.0})
    without = replace(settings, confirm=0)
    return run_surgery(posterior, Patient(zones, regions), without, np.random.default_rng(seed))


def true_zone_ends_seizures(n_patients: int, seed: int) -> pd.DataFrame:
    """Take exactly the true zone out of the true models of a validation's patients; no fit.

    Returns
    -------
    pandas.DataFrame
        Columns ``patient sampled zone seizing_before seizing_after``.
    """
    rows = []
    for number in range(n_patients):
        sampled = is_sampled(number)
        patient, true_model = draw_with_model(seed, number, sampled)
        zone = _true_zone(patient)
        before, after = seizing_without(true_model, [(), zone], seed + number).sum(axis=1)
        rows.append((number + 1, sampled, len(zone), int(before), int(after)))
    columns = ["patient", "sampled", "zone", "seizing_before", "seizing_after"]
    return pd.DataFrame(rows, columns=columns)


def _true_zone(patient: VirtualPatient) -> tuple[str, ...]:
    return tuple(
        name
        for name, inside in zip(patient.problem.regions, patient.truth.ez, strict=True)
        if inside
    )


def score_surgery(
    number: int,
    patient: VirtualPatient,
    true_model: TrueModel,
    surgery: Surgery,
    verdict: str,
    seed: int,
) -> pd.DataFrame:
    """Apply plans to the true model: the first place where the truth is opened.

    Applied are no surgery, the true zone, the first removals of the ranking, and random removals as
    large as the first.

    Returns
    -------
    pandas.DataFrame
        Columns ``patient sampled verdict plan kind place regions n_regions p_seizure_free
        share_free true_before true_after free success advised by_chance``; `place` counts removals
        from 1. `advised` says whether a region of the zone is among the first three that another
        electrode is advised to, `by_chance` how often it is among three unseen regions at random.
    """
    names = list(patient.problem.regions)
    table = surgery.outcomes.query("kind == 'resection'").head(N_PLANS)
    size = int(table["n_regions"].iloc[0])
    shams = sham_plans(names, [size], N_SHAM, np.random.default_rng([seed, number]))[size]
    rows: list[dict[str, Any]] = [
        {"plan": "none", "kind": "none", "removed": (), "p_seizure_free": np.nan},
        {
            "plan": "true zone",
            "kind": "truth",
            "removed": _true_zone(patient),
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


def score_advice(patient: VirtualPatient, advised: Iterable[str]) -> dict[str, float]:
    """Tell whether advised regions meet the zone, and how often as many at random would."""
    zone = set(_true_zone(patient))
    hardly = observability(patient.problem.gain) < HARDLY_SEEN
    n_unseen = int(hardly.sum())
    n_zone = int((hardly & patient.truth.ez).sum())
    by_chance = hypergeom(n_unseen, n_zone, min(N_ADVISED, n_unseen)).sf(0)
    return {"advised": float(bool(zone & set(advised))), "by_chance": float(by_chance)}


def summarise_surgery(scores: pd.DataFrame) -> dict[str, Any]:
    """Return what share of plans ends seizures in the truth, and how honest the promise is.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of `score_surgery` of all patients.
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
