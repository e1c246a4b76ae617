"""The threshold model against its own arithmetic, and its sampler against known onsets."""

import numpy as np
import pytest

from inference.problem import Problem
from inference.threshold import STRONG, onset_times, region_onsets, second_opinion


def test_an_uncoupled_region_takes_one_over_its_rate():
    c = np.array([2.0, 1.0])
    found = onset_times(c, np.zeros((2, 2)), STRONG, 1e6)
    rate = np.exp(0.5 * ((1 - c) * STRONG[0] + (1 + c) * STRONG[1]))
    np.testing.assert_allclose(found, 1 / rate)


def test_a_seizing_neighbour_hastens_the_onset():
    c = np.array([3.0, 0.0])
    weights = np.array([[0.0, 0.0], [0.3, 0.0]])
    alone = onset_times(c, np.zeros((2, 2)), STRONG, 1e9)
    coupled = onset_times(c, weights, STRONG, 1e9)
    assert coupled[0] == pytest.approx(alone[0])
    assert alone[0] < coupled[1] < alone[1]


def test_the_limit_ends_it():
    assert np.isinf(onset_times(np.full(3, -3.0), np.ones((3, 3)), STRONG, 90.0)).all()


def _patient():
    rng = np.random.default_rng(0)
    n = 10
    times = np.arange(160) * 0.5 - 5
    envelope = 0.1 * rng.standard_normal((160, n))
    envelope[times > 0, 2] += 3.0
    envelope[times > 12, 5] += 3.0
    weights = rng.random((n, n)) * 0.1
    weights[5, 2] = weights[2, 5] = 1.0
    return Problem(envelope, np.eye(n) + 0.01, weights, times=times)


def test_onsets_are_read_per_region():
    onsets = region_onsets(_patient())
    assert onsets[2] == pytest.approx(0.5)
    assert onsets[5] == pytest.approx(12.5)
    assert np.isinf(np.delete(onsets, [2, 5])).all()


def test_the_regions_that_seize_lead():
    """Which of the two was first the short chain does not settle: each can explain the other."""
    table = second_opinion(_patient(), seed=3).table
    assert set(table["region"][:2]) == {"region-3", "region-6"}
    assert table["p_ez"][:2].sum() > 0.8
    assert (table["p_ez"][2:] < 0.2).all()
