"""Source evidence: unmixing, earliness and its effect on the prior means."""

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm

from inference.priors import Normal, Priors, Weight
from inference.problem import Problem
from inference.sources import PENALTY, earliness, informed_means, log_evidence, unmixed
from virtualbrain.models.reduced_physics import critical_x0


@pytest.fixture
def gain() -> np.ndarray:
    """Gain of thirty channels, each near one of ten regions."""
    rng = np.random.default_rng(3)
    gain = 0.05 * rng.random((30, 10))
    gain[np.arange(30), np.arange(30) % 10] += 1.0
    return gain / gain.sum(axis=1, keepdims=True)


def rising(onsets: dict[int, int], n_times: int = 80, n_regions: int = 10) -> np.ndarray:
    """Return the excess of regions that rise to fifty times rest at a given sample."""
    excess = np.zeros((n_times, n_regions))
    for region, start in onsets.items():
        excess[start:, region] = 50.0
    return excess


def recorded(excess, gain, noise=0.0, seed=0):
    power = 1.0 + excess @ gain.T
    return np.log(power) + noise * np.random.default_rng(seed).standard_normal(power.shape)


def problem_of(excess, gain, noise=0.3):
    n = gain.shape[1]
    return Problem(recorded(excess, gain, noise), gain, np.ones((n, n)) - np.eye(n))


def test_unmixing_finds_the_simulated_sources_only(gain):
    excess = rising({2: 20, 7: 45})
    found = unmixed(np.exp(recorded(excess, gain)), gain)
    assert (found[60, [2, 7]] > 50.0 / 1.5).all()
    others = [i for i in range(10) if i not in (2, 7)]
    assert found[:, others].max() < 1.0


def test_excess_minimises_the_penalised_divergence(gain):
    power = np.exp(recorded(rising({4: 10}), gain, 0.5))

    def loss(excess):
        expected = 1.0 + excess @ gain.T
        return (power / expected + np.log(expected)).sum() + PENALTY * excess.sum()

    found = unmixed(power, gain)
    assert (found >= 0).all()
    rng = np.random.default_rng(1)
    for size in (1e-2, 1e-1, 1.0):
        moved = found * np.exp(size * rng.standard_normal(found.shape))
        assert loss(moved) > loss(found)


def test_the_earlier_of_two_equal_sources_has_the_larger_earliness(gain):
    early = earliness(rising({1: 15, 6: 40}))[:, 0]
    assert early[1] == 1.0
    assert 0 < early[6] < 0.6
    assert early[[0, 2, 3]].max() == 0.0


def test_evidence_is_independent_of_the_order_of_regions_and_channels(gain):
    excess = rising({2: 20, 7: 45})
    plain = log_evidence(problem_of(excess, gain, 0.0))
    order = np.random.default_rng(2).permutation(10)
    moved = log_evidence(problem_of(excess[:, order], gain[:, order], 0.0))
    np.testing.assert_allclose(moved, plain[order], rtol=1e-9)
    channels = np.random.default_rng(2).permutation(30)
    mixed = log_evidence(problem_of(excess, gain[channels], 0.0))
    np.testing.assert_allclose(mixed, plain, rtol=1e-9)
    assert plain.argmax() == 2
    assert plain[2] > 1 > 0 > plain[0]


def test_evidence_of_a_quiet_recording_is_negative_everywhere(gain):
    quiet = log_evidence(problem_of(rising({}), gain, 0.2))
    assert np.isfinite(quiet).all()
    assert quiet.max() < 0


def test_weight_zero_keeps_the_prior_means(gain):
    problem = problem_of(rising({2: 20}), gain)
    priors = Priors(x0_sources=Weight(0.0))
    evidence = log_evidence(problem)
    np.testing.assert_array_equal(informed_means(priors, problem, evidence), priors.x0.mean)


@pytest.mark.parametrize("weight", [0.5, 1.0])
def test_prior_odds_are_multiplied_by_the_evidence(gain, weight):
    problem = problem_of(rising({2: 20}), gain)
    priors = Priors(x0_sources=Weight(weight))
    evidence = np.linspace(-3, 5, 10)
    mean = informed_means(priors, problem, evidence)
    threshold = float(critical_x0(priors.tau0.median))

    def odds(centre):
        return logit(norm.sf(threshold, centre, priors.x0.sd))

    np.testing.assert_allclose(odds(mean) - odds(priors.x0.mean), weight * evidence, atol=1e-9)


def test_narrow_priors_give_finite_means(gain):
    problem = problem_of(rising({2: 20}), gain)
    for centre in (-6.0, -1.0):
        priors = Priors(x0=Normal(centre, 0.05))
        mean = informed_means(priors, problem, np.array([-6.0, 6.0] * 5))
        assert np.isfinite(mean).all()
        assert np.sign(mean[1] - mean[0]) == 1
