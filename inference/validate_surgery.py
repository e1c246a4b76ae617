"""Virtual surgery against the truth: plans made from a fit, applied to the patient's own 6D model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from inference import patients
from inference.patients import VirtualPatient
from inference.scores import calibration_error
from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import Options, simulate_ensemble
from virtualbrain.network import Network, normalise_weights
from virtualbrain.surgery.candidates import sham_plans
from virtualbrain.surgery.run import Patient, Surgery, run_surgery
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]

# A plan succeeds when at most this share of the regions that seized before seizes after it.
SUCCESS_SHARE = 0.1
N_PLANS = 10
N_SHAM = 10
_RATE_HZ = 64.0


@dataclass(frozen=True)
class TrueModel:
    """The six-dimensional model behind a virtual patient; no fit may see it."""

    network: Network
    model: Epileptor
    initial: Array

    def seizing(self, removed: Sequence[Sequence[str]], seed: int) -> NDArray[np.bool_]:
        """Return what seizes after each set of regions was taken out, (n_sets, n_regions)."""
        gone = np.array([[name in taken for name in self.network.regions] for taken in removed])
        run = simulate_ensemble(
            self.network, self.model, n_members=len(removed), duration=patients.DURATION_S,
            seed=seed, noise={"x2": 2.5e-4, "y2": 2.5e-4}, sample_rate=_RATE_HZ,
            initial=self.initial, present=1.0 - gone, options=Options(keep=("x1",), dtype="float32"),
        )  # fmt: skip
        x1 = run["x1"].transpose("member", "time", "region").to_numpy()
        return np.asarray((x1 > patients.SEIZING_X1).any(axis=1) & ~gone)


def draw_with_model(seed: int, number: int, sampled: bool) -> tuple[VirtualPatient, TrueModel]:
    """Draw the patient that a validation draws, and keep the model behind it.

    The winning try is drawn again from the generator's state before it.

    Raises
    ------
    ModelError
        The second drawing differs from the first.
    """
    rng = np.random.default_rng([seed, number])
    for _ in range(200):
        state = rng.bit_generator.state
        patient = patients._try_patient(rng, sampled)
        if patient is not None:
            again = np.random.default_rng()
            again.bit_generator.state = state
            return patient, _model_behind(patient, sampled, again)
    raise RuntimeError("no seizure that spreads and ends was found in 200 tries")


def _model_behind(patient: VirtualPatient, sampled: bool, rng: np.random.Generator) -> TrueModel:
    """Draw a patient's true network and model again."""
    head = patients._draw_head(rng)
    weights = patients._with_errors(patients._draw_connectome(head.centres, rng), rng)
    gain = patients._ball_gain(head, rng)
    ez = patients._choose_zone(gain, weights, sampled, rng)
    if ez is None or not np.array_equal(ez, patient.truth.ez):
        raise ModelError("the patient drawn again is another one")
    x0 = patients._draw_excitability(ez, weights, rng)
    coupling = patients._recruiting_coupling(weights, x0, rng)
    if coupling != patient.truth.coupling or not np.array_equal(x0, patient.truth.x0):
        raise ModelError("the patient drawn again is another one")
    speed, slowness = float(rng.uniform(0.06, 0.1)), float(rng.uniform(1.0e-4, 1.6e-4))
    wait = patients.BASELINE_S + 5.0 + rng.uniform(0, 3.0, len(x0))
    return TrueModel(
        Network(normalise_weights(weights, "strength"), regions=patient.problem.regions,
                normalisation="strength"),
        Epileptor(x0=x0, K=coupling, r=slowness, tt=speed),
        patients._waiting(x0, wait, 1000 * speed * slowness),
    )  # fmt: skip


def surgery_of(
    posterior: xr.DataTree, zones: pd.DataFrame, verdict: str, seed: int,
    settings: SurgerySettings | None = None,
) -> Surgery:  # fmt: skip
    """Plan from a fit as the pipeline does; the truth is not at hand here.

    Plans are ranked whatever the verdict, which the scores keep beside them.
    """
    choices = replace(settings or SurgerySettings(), confirm=0)
    regions = pd.DataFrame({"name": zones["region"], "volume": 1000.0})
    del verdict
    return run_surgery(
        posterior, Patient(zones, regions), choices, np.random.default_rng(seed)
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
        true_before true_after free success``; `place` counts removals from 1.
    """
    names = list(patient.problem.regions)
    zone = [name for name, inside in zip(names, patient.truth.ez, strict=True) if inside]
    table = surgery.outcomes.query("kind == 'resection'").head(N_PLANS)
    size = int(table["n_regions"].iloc[0])
    shams = sham_plans(names, [size], N_SHAM, np.random.default_rng([seed, number]))[size]
    rows: list[dict[str, Any]] = [
        {"plan": "none", "kind": "none", "removed": (), "p_seizure_free": np.nan},
        {"plan": "true zone", "kind": "truth", "removed": tuple(zone), "p_seizure_free": np.nan},
    ]
    for place, row in enumerate(table.to_dict("records"), start=1):
        rows.append(
            {"plan": row["candidate"], "kind": "plan", "place": place,
             "removed": tuple(str(row["regions"]).split(",")),
             "p_seizure_free": row["p_seizure_free"]}
        )  # fmt: skip
    rows += [
        {"plan": plan.name, "kind": "sham", "removed": plan.regions, "p_seizure_free": np.nan}
        for plan in shams
    ]
    after = true_model.seizing([row["removed"] for row in rows], seed + number).sum(axis=1)
    before = int(after[0])
    scored = pd.DataFrame(rows)
    scored["n_regions"] = scored["removed"].map(len)
    scored["regions"] = scored.pop("removed").map(",".join)
    return scored.assign(
        patient=number, sampled=patient.truth.sampled, verdict=verdict, true_before=before,
        true_after=after, free=after == 0, success=after <= SUCCESS_SHARE * before,
    )  # fmt: skip


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
        }
    summary["calibration_error"] = _calibration(plans)
    return summary


def _calibration(plans: pd.DataFrame) -> float:
    """Return the calibration error of p_seizure_free over plans."""
    return calibration_error(
        plans["p_seizure_free"].to_numpy(dtype=np.float64), plans["free"].to_numpy(dtype=bool), 5
    )
