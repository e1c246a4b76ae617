"""Virtual patients, and a validation that opens the truth only after the fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inference import validate
from inference.patients import SEEN, draw_patient
from inference.problem import Problem
from inference.settings import Settings
from virtualbrain.io.atomic import read_json

pytestmark = pytest.mark.slow
QUICK = Settings(
    method="laplace", n_steps=40, starts=2, exchange_rounds=1, chains=2, draws=30, cores=2
)


@pytest.fixture(scope="module")
def patients():
    return {s: draw_patient(np.random.default_rng([3, s]), bool(s)) for s in (0, 1)}


def sight(patient):
    gain = patient.problem.gain
    return (gain / gain.max(axis=1, keepdims=True)).max(axis=0)


def test_zones_are_seen_or_not_as_asked(patients):
    assert sight(patients[1])[patients[1].truth.ez].min() >= SEEN
    assert sight(patients[0])[patients[0].truth.ez].max() < SEEN


def test_patients_have_the_size_and_the_courses_that_were_asked(patients):
    for patient in patients.values():
        problem, truth = patient.problem, patient.truth
        assert 86 <= problem.n_regions <= 100
        assert 80 <= problem.n_channels <= 140
        assert 1 <= truth.ez.sum() <= 3
        assert truth.recruited.sum() >= 2
        assert not (truth.ez & truth.recruited).any()
        assert np.isfinite(problem.envelope[0]).all()


def test_what_the_fit_is_given_holds_no_truth(patients):
    assert isinstance(patients[1].problem, Problem)
    assert patients[1].problem.hypothesis is None
    assert patients[1].problem.regions[0] == "region-1"


def test_a_validation_fits_before_it_scores_and_writes_everything(tmp_path, monkeypatch):
    order = []
    fit, score = validate.fit, validate.score
    monkeypatch.setattr(validate, "fit", lambda *a, **k: order.append("fit") or fit(*a, **k))
    monkeypatch.setattr(validate, "score", lambda *a, **k: order.append("score") or score(*a, **k))
    lines = []
    found = validate.run_validation(1, 5, tmp_path, QUICK, progress=lines.append)
    assert order[0] == "fit"
    assert order[1:].count("fit") == 0
    assert len(lines) == 1
    assert "patient 1 (sampled)" in lines[0]
    assert set(found.patients["method"]) == {"fit", "nnls", "nearest"}
    assert ((found.regions["fit"] >= 0) & (found.regions["fit"] <= 1)).all()
    assert read_json(tmp_path / "summary.json")["seed"] == 5
    assert (tmp_path / "calibration.png").stat().st_size > 0
    assert len(pd.read_csv(tmp_path / "patients.tsv", sep="\t")) == 3


def test_ranks_of_a_right_model_are_neither_all_low_nor_all_high(small_problem, small_settings):
    from inference.priors import Priors

    settings = replace(small_settings, method="laplace", chains=1, draws=50, starts=4)
    ranks = validate.rank_histograms(small_problem, Priors(), settings, 3, seed=2)
    x0 = ranks.loc[ranks["parameter"] == "x0", "rank"]
    assert len(x0) == 3 * small_problem.n_regions
    assert 0.25 < x0.mean() < 0.75
    assert x0.std() > 0.15
