"""Scores of virtual surgery on the true model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inference.validate import problem_of
from inference.validate_surgery import (
    SurgeryScorer,
    score_advice,
    score_surgery,
    summarise_surgery,
)
from virtualbrain.surgery.run import Surgery
from virtualbrain.synthetic import validation_cohort
from virtualbrain.synthetic.validation_cohort import ValidationCohort

SEED = 900


@pytest.fixture(scope="module")
def drawn():
    return ValidationCohort(SEED).draw(0)


@pytest.mark.slow
def test_patient_is_the_same_at_every_draw_and_has_its_true_model(drawn):
    validation_cohort._drawn.cache_clear()
    same = ValidationCohort(SEED).draw(0)
    assert same is not drawn
    np.testing.assert_array_equal(drawn.gain, same.gain)
    model = drawn.truth.true_model
    np.testing.assert_array_equal(drawn.truth.x0, np.asarray(model.model.x0))
    assert model.network.regions == tuple(problem_of(drawn).regions)


def plans(*rows: tuple[str, float]) -> Surgery:
    table = pd.DataFrame(
        {"candidate": name, "kind": "resection", "regions": name, "p_seizure_free": p,
         "share_free": p, "n_regions": name.count(",") + 1}
        for name, p in rows
    )  # fmt: skip
    advice = pd.DataFrame({"region": [name for name, _ in rows]})
    return Surgery(
        outcomes=table, recruitment=table, candidates={}, stimulation=table, next_regions=advice,
        predicted=None, subsets=table, conclusion="", p_elsewhere=0.0, explained=1.0,
        expected_ez_regions=1.0, p_sampled=1.0, eloquent=(), target=0.9,
    )  # fmt: skip


@pytest.mark.slow
def test_resection_of_the_true_zone_ends_seizures_and_of_a_random_region_does_not(drawn):
    patient = drawn
    names = np.array(problem_of(patient).regions)
    zone, other = ",".join(names[patient.truth.ez]), names[~patient.truth.ez][0]
    scores = score_surgery(1, patient, plans((zone, 0.9), (other, 0.2)), "caution", 3)
    by_kind = scores.set_index("kind")
    assert by_kind.loc["truth", "true_after"] == 0
    assert by_kind.loc["none", "true_after"] == by_kind.loc["truth", "true_before"] > 2
    first, second = by_kind.loc["plan"].itertuples()
    assert (first.success, second.success) == (True, False)
    assert set(by_kind.loc["sham", "n_regions"]) == {patient.truth.ez.sum()}
    summary = summarise_surgery(scores)
    assert summary["true_zone_ends_seizures"] == 1.0
    assert summary["sampled"]["first_plan_succeeds"] == 1.0
    assert summary["sampled"]["sham_succeeds"] < 0.5
    assert summary["calibration_error"] == pytest.approx(0.15)


def test_scorer_plans_before_it_uses_the_truth(monkeypatch, tmp_path):
    order: list[str] = []

    def plan(*_: object) -> str:
        order.append("plan")
        return "plans"

    class Cohort:
        seed = 1

        def draw(self, number: int) -> str:
            order.append("truth")
            return "patient"

    def score(number: int, *rest: object) -> pd.DataFrame:
        order.append("score")
        assert rest[:2] == ("patient", "plans")
        return pd.DataFrame(
            {"patient": number, "sampled": True, "kind": ["none", "truth", "plan", "sham"],
             "place": [np.nan, np.nan, 1, np.nan], "p_seizure_free": [np.nan, np.nan, 0.8, np.nan],
             "success": [False, True, True, False], "free": [False, True, True, False],
             "advised": 1.0, "by_chance": 0.1}
        )  # fmt: skip

    for name, stand_in in (("plan_from_fit", plan), ("score_surgery", score)):
        monkeypatch.setattr(f"inference.validate_surgery.{name}", stand_in)
    scorer = SurgeryScorer(Cohort(), tmp_path)
    for number in range(2):
        scorer(number, None, None, "caution")
    assert order == ["plan", "truth", "score"] * 2
    assert scorer.summary()["patients"] == 2
    assert scorer.summary()["calibration_error"] == pytest.approx(0.2)
    assert (tmp_path / "surgery.tsv").is_file()


def test_advice_is_compared_with_the_zone(drawn):
    patient = drawn
    names = np.array(problem_of(patient).regions)
    gain = patient.gain.copy()
    gain[:, patient.truth.ez] *= 1e-9
    unsampled = replace(patient, gain=gain)
    found = score_advice(unsampled, names[patient.truth.ez][:1])
    assert found["advised"] == 1.0
    assert 0 < found["by_chance"] < 0.5
    assert score_advice(unsampled, names[~patient.truth.ez][:3])["advised"] == 0.0
    assert score_advice(patient, [])["advised"] == 0.0
