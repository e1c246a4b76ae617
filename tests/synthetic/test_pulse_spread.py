"""A pulse spreads through a network of 6D Epileptors: graded, with delays, and no seizure."""

import numpy as np
import pytest

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import simulate
from virtualbrain.network import Network
from virtualbrain.synthetic.pulse_spread import X0, pulse_spread


def star(weights, lengths_mm):
    """Return a network in which region 0 projects to the others."""
    n = len(weights) + 1
    w, lengths = np.zeros((n, n)), np.zeros((n, n))
    w[1:, 0], lengths[1:, 0] = weights, lengths_mm
    return w, lengths


def test_the_deflection_grows_with_the_weight():
    size, _ = pulse_spread(*star([0.01, 0.02, 0.04, 0.08], [40.0] * 4))
    found = size[1:, 0]
    assert found[0] > 0
    # nearly linear: far below the threshold
    np.testing.assert_allclose(found[1:] / found[:-1], 2.0, rtol=0.15)


def test_the_deflection_arrives_after_the_conduction():
    _, time_s = pulse_spread(*star([0.05, 0.05, 0.05], [20.0, 60.0, 120.0]))
    late = np.diff(time_s[1:, 0])
    # 4 m/s: 10 and 15 ms, on a grid of 1 ms
    np.testing.assert_allclose(late, [0.010, 0.015], atol=1.1e-3)


def test_nothing_arrives_without_a_connection():
    size, time_s = pulse_spread(*star([0.05, 0.0], [40.0, 0.0]))
    assert size[2, 0] == 0
    assert np.isnan(time_s[2, 0])
    assert size[0, 1] == size[0, 2] == 0


def test_a_path_of_two_connections_is_weaker_and_later():
    w, lengths = np.zeros((2, 3, 3))
    w[1, 0] = w[2, 1] = 0.2
    lengths[1, 0] = lengths[2, 1] = 40.0
    size, time_s = pulse_spread(w, lengths)
    assert size[1, 0] > 3 * size[2, 0] > 0
    assert time_s[2, 0] > time_s[1, 0] + 0.008


def test_regions_stay_far_from_a_seizure():
    network = Network(np.zeros((1, 1)), None, ["a"])
    model = Epileptor(x0=X0, K=0.0)
    run = simulate(network, model, duration=5.0, initial={"x1": [0.5]}, sample_rate=200.0)
    assert float(run["x1"].isel(time=slice(200, None)).max()) < -1.5


def test_the_stimulated_region_deflects_most():
    rng = np.random.default_rng(1)
    w = rng.uniform(0, 0.2, (5, 5))
    np.fill_diagonal(w, 0)
    size, _ = pulse_spread(w, np.where(w > 0, 50.0, 0.0))
    assert (size.argmax(axis=0) == np.arange(5)).all()
    assert size.max() == pytest.approx(0.4, abs=0.1)
