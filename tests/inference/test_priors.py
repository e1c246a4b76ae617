"""Reading of prior sets, their error messages, and the prior of x0."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from inference.density import build_density
from inference.priors import Priors, Weight, load_priors, prior_names
from inference.problem import Problem
from virtualbrain.errors import ConfigError


def test_default_file_equals_the_defaults_of_the_class():
    assert load_priors("default") == Priors(description=load_priors("default").description)


@pytest.mark.parametrize("name", prior_names())
def test_every_prior_set_of_the_project_loads(name):
    assert load_priors(name).name == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x0: {mean: -3, sd: 0.5}\ntua0: {median: 20, sd_log: 0.5}", "did you mean 'tau0'"),
        ("x0: {mean: -3, std: 0.5}", "did you mean 'sd'"),
        ("x0: {mean: -3}", "x0 has no sd"),
        ("x0: {mean: -3, sd: 0}", "above zero"),
        ("K: {median: none, sd_log: 1}", "expected a number"),
        ("x0: -3", "expected {mean: number"),
        ("group_connectome: {input_sd_log: 1, weak_input: 0, x0_sd: -1}", "zero or more"),
        ("group_connectome: {input_sd_log: 1, weak_input: 0}", "has no x0_sd"),
        ("- 1", "expected a mapping"),
        ("x0: {mean: [", "not YAML"),
    ],
)
def test_errors_are_reported_in_one_line(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        load_priors(path)
    assert "\n" not in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_prior_set_suggests_a_known_one():
    with pytest.raises(ConfigError, match="did you mean default"):
        load_priors("defualt")


def test_hypothesis_and_lesion_change_the_prior_of_their_regions_only():
    names = ["a", "b", "c", "d"]
    table = pd.DataFrame({"region": ["b", "c"], "zone": ["EZ", "PZ"]})
    rng = np.random.default_rng(0)
    problem = Problem(
        rng.random((30, 3)), rng.random((3, 4)), rng.random((4, 4)), regions=names,
        hypothesis=table, lesion=["a"],
    )  # fmt: skip
    plain = load_priors("default")
    assert set(plain.of_regions(problem)[0]) == {plain.x0.mean}
    clinical = load_priors("hypothesis")
    mean, _ = clinical.of_regions(problem)
    assert mean[1] > mean[2] > mean[0] == mean[3]
    lesion = load_priors("lesion").of_regions(problem)[0]
    assert lesion[0] > lesion[1] == lesion[3]


def _problem(weights):
    rng = np.random.default_rng(0)
    n = len(weights)
    return Problem(rng.random((30, 3)), rng.random((3, n)), weights)


def _chain():
    """Four regions in a row and one isolated region."""
    weights = np.zeros((5, 5))
    for i in range(3):
        weights[i, i + 1] = weights[i + 1, i] = 1.0
    return weights


def test_connected_regions_are_correlated_and_isolated_ones_are_not():
    correlation = Priors().correlation(_problem(_chain()))
    np.testing.assert_allclose(np.diag(correlation), 1.0)
    assert correlation[0, 1] > correlation[0, 2] > 0
    assert correlation[0, 3] == 0
    np.testing.assert_array_equal(correlation[4, :4], 0.0)
    assert np.linalg.eigvalsh(correlation).min() > -1e-12


def test_neighbour_weight_zero_makes_regions_independent():
    priors = Priors(x0_neighbours=Weight(0.0))
    problem = _problem(_chain())
    np.testing.assert_array_equal(priors.correlation(problem), np.eye(5))
    expected = (priors.x0.sd**2 + priors.x0_error.sd**2) * np.eye(5)
    np.testing.assert_allclose(priors.fitted_covariance(problem), expected)


def test_correlation_is_independent_of_order_and_unit_of_the_weights():
    rng = np.random.default_rng(1)
    weights = np.triu(rng.lognormal(0, 2, (7, 7)), 1)
    weights += weights.T
    order = rng.permutation(7)
    plain = Priors().correlation(_problem(weights))
    moved = Priors().correlation(_problem(1000 * weights[np.ix_(order, order)]))
    np.testing.assert_allclose(moved, plain[np.ix_(order, order)], rtol=1e-12)


def test_prior_draws_have_the_prior_covariance(small_problem, small_settings):
    density = build_density(small_problem, Priors(), small_settings)
    rng = np.random.default_rng(2)
    draws = np.array([density.drawn_from_prior(rng) for _ in range(8000)])
    x0 = density.named(draws)["x0"]
    expected = Priors().fitted_covariance(small_problem)
    np.testing.assert_allclose(np.cov(x0.T), expected, atol=0.05 * expected.max())
    where = density.layout.slices["offset"]
    scatter = density.named(draws)["offset"] - density.named(draws)["level"][:, None]
    assert scatter.std() == pytest.approx(Priors().offset.sd, rel=0.02)
    assert where.stop - where.start == small_problem.n_channels


def test_a_negative_neighbour_weight_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("x0_neighbours: {weight: -1}")
    with pytest.raises(ConfigError, match="zero or more"):
        load_priors(path)


def test_a_group_connectome_widens_the_model_error_and_nothing_else():
    own = _problem(_chain())
    group = replace(own, group_connectome="a cohort")
    priors = Priors()
    wider = priors.fitted_covariance(group) - priors.fitted_covariance(own)
    np.testing.assert_allclose(wider, priors.group_connectome.x0_sd**2 * np.eye(5), atol=1e-12)
    np.testing.assert_array_equal(priors.own_covariance(group), priors.own_covariance(own))
