"""Checks of the data of a fit, and resampling."""

import logging

import numpy as np
import pandas as pd
import pytest

from inference.problem import Problem
from virtualbrain.errors import InputError, ModelError


def _parts(n=4, m=3, n_times=30):
    rng = np.random.default_rng(0)
    return rng.random((n_times, m)), rng.random((m, n)) + 0.1, rng.random((n, n))


def test_gain_rows_sum_to_one_and_names_have_defaults():
    problem = Problem(*_parts())
    np.testing.assert_allclose(problem.gain.sum(axis=1), 1)
    assert problem.regions[0] == "region-1"
    assert problem.weights.sum(axis=1).mean() == pytest.approx(1)


def _set(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e, g, w: (_set(e, (3, 1), np.nan), g, w), "channel channel-2, sample 3"),
        (lambda e, g, w: (e, _set(g, (0, 1), -1), w), "negative value"),
        (lambda e, g, w: (e, _set(g, (0, 1), np.inf), w), "not finite"),
        (lambda e, g, w: (e, _set(g, 2, 0.0), w), "sees no region"),
        (lambda e, g, w: (e, g[:, :3], w), "shape"),
        (lambda e, g, w: (e[:, :1], g[:1], w), "two or more"),
        (lambda e, g, w: (e[:5], g, w), "or more times"),
        (lambda e, g, w: (np.zeros_like(e), g, w), "constant"),
        (lambda e, g, w: ([e, e[:, :2]], g, w), "channels"),
    ],
)
def test_invalid_arrays_are_refused_in_one_line(change, words):
    with pytest.raises(InputError, match=words) as caught:
        Problem(*change(*_parts()))
    assert "\n" not in str(caught.value)


def test_weights_must_be_square():
    envelope, gain, weights = _parts()
    with pytest.raises(ModelError, match="square"):
        Problem(envelope, gain, weights[:3])


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (np.arange(30) ** 1.5, "uniform"),
        (np.arange(29), "29 times for 30"),
        (np.zeros(30), "increase"),
    ],
)
def test_times_must_be_uniform(times, words):
    with pytest.raises(InputError, match=words):
        Problem(*_parts(), times=times)


def test_names_must_match():
    with pytest.raises(InputError, match="is repeated"):
        Problem(*_parts(), channels=["a", "a", "b"])
    with pytest.raises(InputError, match="2 channel names for 3"):
        Problem(*_parts(), channels=["a", "b"])
    with pytest.raises(InputError, match="no region Atlantis"):
        Problem(*_parts(), hypothesis=pd.DataFrame({"region": ["Atlantis"], "zone": ["EZ"]}))
    with pytest.raises(InputError, match="EZ or PZ"):
        Problem(*_parts(), hypothesis=pd.DataFrame({"region": ["region-1"], "zone": ["HZ"]}))


def test_a_warning_names_isolated_regions(caplog):
    envelope, gain, weights = _parts()
    weights[2] = weights[:, 2] = 0
    with caplog.at_level(logging.WARNING):
        problem = Problem(envelope, gain, weights)
    assert "region-3" in caplog.text
    assert problem.isolated == ("region-3",)


def test_resampling_preserves_means():
    times = np.linspace(-5, 40, 181)
    ramp = np.stack([times, 2 * times + 1], axis=1)
    problem = Problem(ramp, np.ones((2, 4)), np.ones((4, 4)), times=times)
    envelope, seconds = problem.on_grid(50)
    inner = slice(2, -2)
    # a sample represents its whole step: means differ by less than a tenth of a step
    np.testing.assert_allclose(envelope[0, inner, 0], seconds[0, inner], atol=0.025)
    np.testing.assert_allclose(envelope[0, inner, 1], 2 * seconds[0, inner] + 1, atol=0.05)


def test_each_seizure_has_its_own_time_axis():
    envelope, gain, weights = _parts()
    problem = Problem(
        [envelope, envelope[:25]], gain, weights, times=[np.arange(30.0), np.arange(25) * 2.0]
    )
    grid, seconds = problem.on_grid(20)
    assert grid.shape == (2, 20, 3)
    assert list(seconds[:, -1]) == [29, 48]
