"""Evoked responses change the weights only where they were measured, by their precision."""

import numpy as np
import pandas as pd
import pytest

from inference.evoked_weights import FEWEST_PAIRS, with_evoked_responses

N, MEASURED = 14, 9
NAMES = [f"r{k}" for k in range(N)]


def network(seed=1):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.lognormal(0, 1.0, (N, N)), 1)
    return upper + upper.T


def pairs_of(response, names=NAMES, n=MEASURED):
    rows = [
        {"stimulated": names[i], "recorded": names[j], "amplitude_v": response[j, i]}
        for i in range(n)
        for j in range(n)
    ]
    return pd.DataFrame(rows)


def log_error(weights, true):
    i, j = np.triu_indices(MEASURED, 1)
    return np.std(np.log(weights[i, j]) - np.log(true[i, j]))


def noisy(true, sd, seed):
    error = np.triu(sd * np.random.default_rng(seed).standard_normal((N, N)), 1)
    return true * np.exp(error + error.T)


def test_only_measured_pairs_change_and_both_directions_agree():
    weights = network()
    found = with_evoked_responses(weights, NAMES, pairs_of(network(2)))
    assert found.n_pairs == MEASURED * (MEASURED - 1) // 2
    assert 0 < found.share < 1
    inside = np.zeros((N, N), dtype=bool)
    inside[:MEASURED, :MEASURED] = True
    np.testing.assert_array_equal(found.weights[~inside], weights[~inside])
    np.testing.assert_array_equal(found.weights, found.weights.T)
    assert (found.weights[inside] != weights[inside]).mean() > 0.7
    assert found.about()["EvokedResponses"]["pairs"] == found.n_pairs


@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_good_responses_correct_errors_of_the_weights_whatever_their_scale(scale):
    gains = []
    for seed in range(10):
        true = network(seed)
        measured = noisy(true, 0.5, seed + 100)
        response = scale * noisy(true, 0.3, seed + 200) ** 0.7
        found = with_evoked_responses(measured, NAMES, pairs_of(response))
        gains.append(log_error(measured, true) - log_error(found.weights, true))
    assert np.mean(gains) > 0.1


def test_responses_without_information_have_a_small_share():
    weights = network()
    rng = np.random.default_rng(3)
    poor = with_evoked_responses(weights, NAMES, pairs_of(rng.lognormal(0, 1, (N, N))))
    good = with_evoked_responses(weights, NAMES, pairs_of(noisy(weights, 0.2, 4)))
    assert poor.share < 0.3 < good.share


def test_a_response_without_a_tract_gives_a_weight_and_nothing_stays_nothing():
    weights = network()
    response = weights.copy()
    for i, j in ((0, 1), (2, 3)):
        weights[i, j] = weights[j, i] = 0.0
    response[2, 3] = response[3, 2] = 0.0
    found = with_evoked_responses(weights, NAMES, pairs_of(response)).weights
    assert found[0, 1] > 0
    assert found[2, 3] == 0


def test_too_few_pairs_or_unknown_regions_change_nothing():
    weights = network()
    few = with_evoked_responses(weights, NAMES, pairs_of(network(2), n=4))
    assert few.n_pairs < FEWEST_PAIRS
    unknown = with_evoked_responses(
        weights, NAMES, pairs_of(network(2), [f"other{k}" for k in range(N)])
    )
    for found in (few, unknown, with_evoked_responses(weights, NAMES, None)):
        np.testing.assert_array_equal(found.weights, weights)
        assert found.about() == {}
