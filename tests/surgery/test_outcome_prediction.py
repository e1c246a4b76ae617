"""Predictions against outcomes, and advice for another electrode."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.surgery.candidates import Candidate, resection
from virtualbrain.surgery.draws import draws_from
from virtualbrain.surgery.next_electrode import COLUMNS, next_regions, unsampled_ez_probabilities
from virtualbrain.surgery.outcome import simulate_plans
from virtualbrain.surgery.outcome_prediction import predicted_outcome, score_predictions
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings

SETTINGS = SurgerySettings()


def test_the_resection_that_was_done_is_predicted(draws):
    whole = Candidate("done", "clinical", ("r0", "r4"), (0.9, 0.9))
    found = predicted_outcome(whole, draws, SETTINGS)
    assert found["share_free"] == 1.0
    assert found["p_seizure_free"] == SeizureFreedom(
        draws.p_elsewhere, draws.p_sampled
    ).probability(1.0)
    half = predicted_outcome(resection(("r0",)), draws, SETTINGS)
    assert half["share_free"] == 0.0
    assert half["seizing_after"] < half["seizing_before"] == 5.0


def test_scores_of_right_and_wrong_predictions():
    free = {str(i): i % 2 == 0 for i in range(12)}
    right = score_predictions({key: float(value) for key, value in free.items()}, free)
    assert (right.auc, right.brier, right.calibration_error) == (1.0, 0.0, pytest.approx(0.0))
    wrong = score_predictions({key: 1.0 - value for key, value in free.items()}, free)
    assert (wrong.auc, wrong.brier) == (0.0, 1.0)
    assert (wrong.n_free, wrong.n_not_free) == (6, 6)


def test_calibration_compares_groups():
    p = {str(i): 0.2 if i < 10 else 0.8 for i in range(20)}
    free = {str(i): i in {0, 1, *range(10, 18)} for i in range(20)}
    found = score_predictions(p, free)
    assert sum(group.n_patients for group in found.groups) == 20
    assert found.calibration_error < 0.15


def test_too_few_patients_get_no_auc():
    found = score_predictions({"1": 0.9, "2": 0.1}, {"1": True, "2": False})
    assert found.auc is None
    assert score_predictions({"1": 0.5}, {"2": True}) is None


def test_unsampled_region_that_may_start_seizures_has_the_highest_value(posterior, generator):
    tree = posterior.copy(deep=True)
    tree.attrs = posterior.attrs
    tree["posterior"]["x0"][:, ::2, 7] = -1.6
    tree["posterior"]["x0"][:, ::12, 6] = -1.6
    draws = replace(draws_from(tree, 100, generator), p_sampled=1.0)  # the zone was seen
    zones = pd.DataFrame({"region": draws.regions, "observability": [0.9] * 5 + [0.01] * 3})
    plans = simulate_plans([resection(("r0", "r4")), resection(("r0",))], draws, SETTINGS)
    table = next_regions(zones, draws, plans, SETTINGS)
    assert tuple(table.columns) == COLUMNS
    assert table["region"].tolist() == ["r7", "r6", "r5"]
    assert table["value"][0] == pytest.approx(table["p_ez"][0], abs=0.1)
    assert table["value"][2] == 0.0
    assert np.isclose(table["p_ez"][0], 0.5, atol=0.1)


def test_unsampled_ez_is_expected_where_connections_to_suspected_regions_are_strong(draws):
    zones = pd.DataFrame({"region": draws.regions, "observability": [0.9] * 5 + [0.01] * 3})
    plans = simulate_plans([resection(("r0", "r4"))], draws, SETTINGS)
    missed = replace(draws, p_sampled=0.3)
    weights = draws.weights.copy()
    weights[0, 6] = weights[6, 0] = 10 * weights.max()
    table = next_regions(zones, replace(missed, weights=weights), plans, SETTINGS)
    assert table["region"][0] == "r6"
    assert table["p_unsampled"].sum() == pytest.approx(0.7)
    sure = next_regions(zones, replace(draws, p_sampled=0.999), plans, SETTINGS)
    assert sure["p_unsampled"].sum() < 0.01


def test_unsampled_regions_are_equally_likely_without_ez_regions_or_connections(draws):
    nowhere = replace(draws, in_ez=np.zeros_like(draws.in_ez))
    shares = unsampled_ez_probabilities(nowhere, np.array([2, 5, 6, 7]))
    assert shares.tolist() == [0.25] * 4
    assert unsampled_ez_probabilities(nowhere, np.array([], dtype=int)).size == 0
