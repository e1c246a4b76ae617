"""Measures of the zones, and the baselines of a validation."""

import numpy as np
import pytest

from virtualbrain.synthetic.baselines import nearest_baseline, nnls_baseline
from virtualbrain.synthetic.scores import (
    calibration_curve,
    calibration_error,
    top_k_recall,
    zone_scores,
)


def test_scores_of_a_perfect_and_a_reversed_ranking():
    ez = np.array([True, True, False, False, False])
    good = zone_scores(np.array([0.9, 0.8, 0.1, 0.2, 0.0]), ez)
    assert good["auc_pr"] == good["top_k_recall"] == good["f1"] == 1
    bad = zone_scores(np.array([0.0, 0.1, 0.9, 0.8, 0.7]), ez)
    assert bad["auc_roc"] == 0
    assert bad["precision"] == bad["recall"] == 0


def test_precision_is_low_if_every_region_is_called_epileptogenic():
    ez = np.arange(84) < 2
    everything = zone_scores(np.full(84, 0.99), ez)
    assert everything["precision"] == pytest.approx(2 / 84)
    assert everything["auc_pr"] < 0.05


def test_ties_do_not_favour_the_zone():
    ez = np.array([False, False, True, True])
    assert top_k_recall(np.zeros(4), ez) == 0


def test_calibrated_probabilities_have_little_error():
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    ez = rng.random(20_000) < probability
    assert calibration_error(probability, ez) < 0.02
    assert calibration_error(1 - probability, ez) > 0.4
    assert calibration_curve(probability, ez)["regions"].sum() == 20_000


def test_baselines_find_the_region_of_high_and_early_power():
    times = np.arange(60) * 0.5
    envelope = np.zeros((60, 3))
    envelope[10:, 1] = 4.0
    envelope[40:, 2] = 4.0
    gain = np.eye(3) + 0.01
    gain /= gain.sum(axis=1, keepdims=True)
    nearest = nearest_baseline(envelope, times, np.array([0, 1, 2]), 3)
    assert np.argmax(nnls_baseline(envelope, gain)) == 1
    assert list(np.argsort(-nearest)) == [1, 2, 0]
