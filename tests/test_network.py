"""The network of regions and the normalisation of its weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virtualbrain.errors import ModelError
from virtualbrain.network import Network, normalise_weights


def random_weights(n: int = 6, seed: int = 0) -> np.ndarray:
    weights = np.random.default_rng(seed).lognormal(size=(n, n))
    return weights + weights.T


def test_the_diagonal_of_the_weights_is_zero():
    network = Network(np.ones((3, 3)))
    assert np.diag(network.weights).tolist() == [0, 0, 0]
    assert network.regions == ("region-1", "region-2", "region-3")


def test_the_array_of_the_caller_is_not_changed():
    weights = np.ones((3, 3))
    Network(weights)
    assert weights[0, 0] == 1


@given(scale=st.floats(1e-6, 1e9), method=st.sampled_from(["strength", "max", "p95"]))
def test_normalised_weights_do_not_depend_on_the_unit(scale, method):
    weights = random_weights()
    np.testing.assert_allclose(
        normalise_weights(scale * weights, method), normalise_weights(weights, method)
    )


def test_each_rule_scales_as_documented():
    weights = random_weights()
    assert normalise_weights(weights, "strength").sum(axis=1).mean() == pytest.approx(1)
    assert normalise_weights(weights, "max").max() == 1
    assert normalise_weights(weights, "p95").max() == 1
    off_diagonal = ~np.eye(6, dtype=bool)
    np.testing.assert_array_equal(
        normalise_weights(weights, "none")[off_diagonal], weights[off_diagonal]
    )


@given(seed=st.integers(0, 100))
def test_permuting_regions_permutes_the_result(seed):
    order = np.random.default_rng(seed).permutation(6)
    weights = random_weights(seed=seed)
    expected = normalise_weights(weights)[np.ix_(order, order)]
    np.testing.assert_allclose(normalise_weights(weights[np.ix_(order, order)]), expected)


def test_weights_without_connections_stay_zero():
    assert not normalise_weights(np.zeros((3, 3))).any()


def test_the_network_stores_its_normalisation():
    network = Network(random_weights(), regions=list("abcdef")).normalised("max")
    assert network.normalisation == "max"
    assert network.regions == tuple("abcdef")


def test_isolated_regions_are_listed():
    weights = random_weights(4)
    weights[2, :] = weights[:, 2] = 0
    assert Network(weights, regions=list("abcd")).isolated() == ("c",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weights": np.ones((2, 3))}, "square"),
        ({"weights": np.array([[0, np.nan], [1, 0]])}, "not finite"),
        ({"weights": np.array([[0, -1.0], [1, 0]])}, "negative"),
        ({"weights": np.ones((2, 2)), "regions": ["a"]}, "1 region names for 2"),
        ({"weights": np.ones((2, 2)), "regions": ["a", "a"]}, "a occurs twice"),
        ({"weights": np.ones((2, 2)), "lengths": np.ones((3, 3))}, "lengths have the shape"),
    ],
)
def test_invalid_networks_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        Network(**arguments)


def test_unknown_rule_is_refused():
    with pytest.raises(ModelError, match="unknown normalisation 'sum'"):
        normalise_weights(np.ones((2, 2)), "sum")  # type: ignore[arg-type]
