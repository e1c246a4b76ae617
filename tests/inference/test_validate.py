"""Validation patients, and a validation that uses the truth only after the fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inference import validate
from inference.problem import Problem
from inference.settings import Settings
from virtualbrain.io.atomic import read_json
from virtualbrain.synthetic.disease import SAMPLED_GAIN
from virtualbrain.synthetic.validation_cohort import ValidationCohort
from virtualbrain.synthetic.validation_patient import draw_validation_patient

pytestmark = pytest.mark.slow
QUICK = Settings(
    method="laplace", n_steps=40, starts=2, exchange_rounds=1, chains=2, draws=30, cores=2
)


@pytest.fixture(scope="module")
def patients():
    return {s: draw_validation_patient(np.random.default_rng([3, s]), bool(s)) for s in (0, 1)}


def largest_relative_gain(patient):
    gain = validate.problem_of(patient).gain
    return (gain / gain.max(axis=1, keepdims=True)).max(axis=0)


def test_zone_is_sampled_or_unsampled_as_requested(patients):
    assert largest_relative_gain(patients[1])[patients[1].truth.ez].min() >= SAMPLED_GAIN
    assert largest_relative_gain(patients[0])[patients[0].truth.ez].max() < SAMPLED_GAIN


def test_patients_have_realistic_sizes_and_a_spreading_seizure(patients):
    for patient in patients.values():
        problem, truth = validate.problem_of(patient), patient.truth
        assert 86 <= problem.n_regions <= 100
        assert 80 <= problem.n_channels <= 140
        assert 1 <= truth.ez.sum() <= 3
        assert truth.recruited.sum() >= 2
        assert not (truth.ez & truth.recruited).any()
        assert np.isfinite(problem.envelope[0]).all()


def test_fitted_problem_has_no_truth(patients):
    problem = validate.problem_of(patients[1])
    assert isinstance(problem, Problem)
    assert problem.hypothesis is None
    assert problem.regions[0] == "region-1"


def test_validation_fits_before_it_scores_and_writes_all_files(tmp_path, monkeypatch):
    order = []
    fit, score = validate.fit, validate.zone_scores
    monkeypatch.setattr(validate, "fit", lambda *a, **k: order.append("fit") or fit(*a, **k))
    monkeypatch.setattr(
        validate, "zone_scores", lambda *a, **k: order.append("score") or score(*a, **k)
    )
    lines = []
    found = validate.run_validation(1, ValidationCohort(5), tmp_path, QUICK, progress=lines.append)
    assert order[0] == "fit"
    assert order[1:].count("fit") == 0
    assert len(lines) == 1
    assert "patient 1 (sampled)" in lines[0]
    assert set(found.patients["method"]) == set(validate.METHODS)
    assert ((found.regions["fit"] >= 0) & (found.regions["fit"] <= 1)).all()
    assert read_json(tmp_path / "summary.json")["seed"] == 5
    assert (tmp_path / "calibration.png").stat().st_size > 0
    assert len(pd.read_csv(tmp_path / "patients.tsv", sep="\t")) == len(validate.METHODS)


def test_ranks_under_the_true_model_are_spread_around_a_half(small_problem, small_settings):
    from inference.priors import Priors

    settings = replace(small_settings, method="laplace", chains=1, draws=50, starts=4)
    ranks = validate.rank_histograms(small_problem, Priors(), settings, 3, seed=2)
    x0 = ranks.loc[ranks["parameter"] == "x0", "rank"]
    assert len(x0) == 3 * small_problem.n_regions
    assert 0.25 < x0.mean() < 0.75
    assert x0.std() > 0.15
