"""Lists of explanations and ablations of synthetic patients, scored against the truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inference import ablation, full_sample
from inference.priors import load_priors
from inference.settings import Settings
from inference.validate import fit_patient, judge, problem_of, run_validation
from inference.validate_degeneracy import (
    AblationFits,
    DegeneracyScorer,
    score_ablation,
    score_list,
    summarise_degeneracy,
)
from virtualbrain import cli
from virtualbrain.errors import FAULT_OF_INPUT
from virtualbrain.io.atomic import read_json
from virtualbrain.io.tables import read_table
from virtualbrain.surgery.explanations import Explanations
from virtualbrain.synthetic.validation_cohort import ValidationCohort

QUICK = Settings(moves=500, draws=40, chains=2, cores=1, n_steps=40, extension=0.0)
ZONES = pd.DataFrame(
    {"region": ["a", "b", "c", "d", "e"], "p_ez": [0.9, 0.6, 0.2, 0.04, 0.01],
     "observability": [0.9, 0.9, 0.9, 0.9, 0.01]}
)  # fmt: skip


def listed(*rows: dict) -> Explanations:
    defaults = {"credible": True, "certain": None, "possible": None, "not_excluded": None,
                "plan": None, "n_zones": 4}  # fmt: skip
    table = pd.DataFrame([{**defaults, **row} for row in rows])
    zones = tuple(frozenset([frozenset(["a", "b"])]) for _ in rows)
    return Explanations(table, 1.5, 0.1, 3.0, 1.0, zones)


FIRST = {"certain": "a", "possible": "b", "not_excluded": "d", "plan": "a,b"}


@pytest.mark.parametrize(
    ("zone", "right"),
    [
        (("a", "b"), {"in_family", "without_excluded", "in_draws", "plan_right", "in_leading"}),
        (("a",), {"in_family", "without_excluded", "plan_right", "in_leading"}),
        (("a", "d"), {"in_family"}),
        (("b",), {"plan_right", "in_leading"}),
        (("a", "c"), {"in_leading"}),
        (("a", "e"), set()),
    ],
)
def test_a_list_is_right_if_an_explanation_has_the_zone_among_its_zones(zone, right):
    found = score_list(listed(FIRST), ZONES, zone)
    names = ("in_family", "without_excluded", "in_draws", "plan_right", "in_leading")
    assert {name for name in names if found[name]} == right
    assert found["first_right"] == ("a" in zone)
    assert (found["n_named"], found["n_certain"], found["n_possible"]) == (3, 1, 2)
    assert found["left_out"] == pytest.approx(0.2)  # e is not seen


def test_an_explanation_that_is_not_credible_does_not_count():
    found = score_list(listed(FIRST, {"certain": "c", "credible": False}), ZONES, ("c",))
    assert not found["in_family"]
    assert (found["n_listed"], found["n_zones"]) == (2, 4)


def test_an_empty_list_is_wrong():
    empty = replace(listed(FIRST), table=listed(FIRST).table.iloc[:0], zones=())
    found = score_list(empty, ZONES, ("a",))
    assert not found["in_family"]
    assert not found["plan_right"]
    assert found["n_zones"] == 0


def rows_of(*plans: str | None) -> pd.DataFrame:
    n = len(plans)
    return pd.DataFrame(
        {"kind": ["all", *["kept"] * (n - 1)], "part": [None, *["electrode"] * (n - 1)],
         "name": [f"{k} electrodes" for k in range(n)], "plan": plans, "first_region": "a",
         "fraction": 0.3, "p_ez": 0.5, "clear": False, "same_plan": True, "p_plan_holds": 0.5}
    )  # fmt: skip


def test_plans_of_subsets_are_compared_with_the_true_zone():
    found = score_ablation(rows_of("a,b", "a", None), ("a", "b"))
    assert list(found["plan_right"]) == [True, False, False]
    assert list(found["found"]) == [1.0, 0.5, 0.0]
    assert found["first_right"].all()


def test_the_summary_separates_unsampled_zones_and_kinds_of_subsets():
    lists = pd.DataFrame(
        [{"sampled": kind, **score_list(listed(FIRST), ZONES, zone)}
         for kind, zone in ((True, ("a",)), (True, ("c",)), (False, ("e",)))]
    )  # fmt: skip
    subsets = score_ablation(rows_of("a,b", "a", None), ("a", "b")).assign(sampled=True)
    found = summarise_degeneracy(lists, subsets)
    assert found["sampled"]["patients"] == 2
    assert found["sampled"]["in_family"] == 0.5
    assert found["unsampled"]["in_family"] == 0.0
    ablated = found["sampled"]["ablation"]
    assert set(ablated) == {"all", "kept electrode 25%"}
    assert ablated["kept electrode 25%"]["fits"] == 2
    assert ablated["kept electrode 25%"]["found"] == 0.25
    assert "ablation" not in summarise_degeneracy(lists, pd.DataFrame())["sampled"]


class _NoTruth:
    """Stands for the truth of a patient; any look at it fails."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the truth was read: {name}")


@pytest.mark.slow
def test_the_truth_is_not_read_before_the_last_fit(monkeypatch):
    cohort = ValidationCohort(5, "early")
    patient = cohort.draw(0)
    posterior = fit_patient(problem_of(patient), 5, 0, QUICK, "default")
    hidden = replace(patient, truth=_NoTruth())
    monkeypatch.setattr(ablation, "MOVES", 60)
    monkeypatch.setattr(ablation, "DRAWS", 20)
    monkeypatch.setattr(full_sample, "MOVES", 600)
    monkeypatch.setattr(ablation, "SECONDS", ())
    monkeypatch.setattr(ValidationCohort, "draw", lambda self, number: hidden)
    fits = AblationFits(load_priors(), QUICK)
    fitted = []
    real = ablation.sample_onsets

    def counted(*arguments, **options):
        fitted.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(ablation, "sample_onsets", counted)
    scorer = DegeneracyScorer(cohort, ablation=fits)
    with pytest.raises(AssertionError, match="the truth was read"):
        scorer(0, posterior, *judge(posterior))
    assert len(fitted) > len(np.unique(patient.electrode))  # every subset was fitted before


@pytest.mark.slow
def test_tables_of_explanations_and_subsets_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(ablation, "MOVES", 60)
    monkeypatch.setattr(ablation, "DRAWS", 20)
    monkeypatch.setattr(ablation, "SECONDS", (10.0,))
    monkeypatch.setattr(full_sample, "MOVES", 600)
    cohort = ValidationCohort(5, "early")
    scorer = DegeneracyScorer(cohort, tmp_path, ablation=AblationFits(load_priors(), QUICK))
    run_validation(1, cohort, settings=QUICK, on_fit=scorer)
    patient = cohort.draw(0)
    lists, subsets = (read_table(tmp_path / f"{n}.tsv") for n in ("explanations", "ablation"))
    assert list(lists["patient"]) == [1]
    assert lists["n_zone"].iloc[0] == patient.truth.ez.sum()
    without = subsets[(subsets["kind"] == "without") & (subsets["part"] == "electrode")]
    assert len(without) == len(np.unique(patient.electrode))
    expected = subsets["first_region"].isin(patient.true_zone).map(str)
    assert list(subsets["first_right"].map(str)) == list(expected)
    again = DegeneracyScorer(cohort)
    again.add_json(scorer.as_json())
    pd.testing.assert_frame_equal(again.table, scorer.table)
    assert again.summary() == scorer.summary()
    written = read_json(tmp_path / "degeneracy.json")
    assert written["sampled"]["ablation"]["without electrode"]["fits"] == len(without)


def test_an_ablation_of_another_method_is_one_line(tmp_path, capsys):
    settings = tmp_path / "nuts.yaml"
    settings.write_text("inference: {method: nuts}\n")
    out = tmp_path / "out"
    asked = ["validate", "--ablation", "--config", str(settings), "--out", str(out)]
    assert cli.main(asked) == FAULT_OF_INPUT
    assert "no ablation with the method nuts" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
