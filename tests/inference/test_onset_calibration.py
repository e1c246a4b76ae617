"""The calibration of the onset model, and the draws of epileptogenic regions made from it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from inference.diagnosis import diagnose
from inference.onsets.calibration import (
    RegionEvidence,
    calibrated,
    evidence_of,
    first_step,
    p_sampled,
)
from inference.onsets.ez_draws import SUCCESSIVE, drawn, shifted
from inference.onsets.fit import posterior_of, sample_onsets
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones

SETTINGS = Settings(moves=2000, draws=100, chains=2, extension=0)


@pytest.fixture
def evidence():
    rng = np.random.default_rng(3)
    return RegionEvidence(
        prior_log_odds=np.full(6, -3.5),
        p_model=rng.random(6),
        p_recruited=0.5 * rng.random(6),
        peak=rng.random(6),
        order=rng.random(6),
        seen=np.ones(6, dtype=bool),
    )


def test_without_source_evidence_the_model_is_left_as_it_is(evidence):
    assert np.array_equal(calibrated(evidence, 0.0), evidence.p_model)


def test_the_model_is_kept_where_no_channel_sees_the_region(evidence):
    seen = np.array([True, False, True, False, True, True])
    found = calibrated(replace(evidence, seen=seen))
    assert np.array_equal(found == evidence.p_model, ~seen)


@pytest.mark.parametrize(
    ("field", "sign"), [("p_model", 1), ("peak", 1), ("order", 1), ("p_recruited", -1)]
)
def test_more_of_each_moves_the_probability_one_way(evidence, field, sign):
    more = np.clip(getattr(evidence, field) + 0.1, 0.05, 0.98)
    less = np.clip(getattr(evidence, field), 0.02, 0.9)
    high = calibrated(replace(evidence, **{field: more}))
    low = calibrated(replace(evidence, **{field: less}))
    assert (sign * (high - low) > 0.0).all()


def test_prior_odds_multiply_the_odds_where_the_model_follows_them(evidence):
    raised = replace(
        evidence,
        prior_log_odds=evidence.prior_log_odds + 1.0,
        p_model=np.full(6, 0.5),
    )
    base = replace(evidence, p_model=np.full(6, 1.0 / (1.0 + np.e)))
    assert logit(calibrated(raised)) - logit(calibrated(base)) == pytest.approx(np.ones(6))


@pytest.fixture
def half_seen(evidence):
    """Return evidence with components of which no channel sees the last three regions."""
    return replace(
        evidence,
        p_model=np.array([0.9, 0.3, 0.1, 0.02, 0.02, 0.02]),
        seen=np.arange(6) < 3,
        components=np.full((6, 2), 0.5),
        weights=np.ones((6, 6)),
        rise=2.5,
    )


def test_unseen_regions_follow_the_connections_of_the_suspected_ones(half_seen):
    base = calibrated(half_seen)
    assert base[4] == base[3] == base[5]
    weights = half_seen.weights.copy()
    weights[0, 4] = weights[4, 0] = 5.0
    found = calibrated(replace(half_seen, weights=weights))
    assert found[4] > base[4]
    assert found[3] == found[5] < base[3]
    assert np.array_equal(found[:3], base[:3])


def test_unseen_regions_are_likelier_where_the_zone_seems_unsampled(half_seen):
    louder = replace(half_seen, rise=3.5)
    assert p_sampled(louder, first_step(louder)) > p_sampled(half_seen, first_step(half_seen))
    assert (calibrated(louder)[3:] < calibrated(half_seen)[3:]).all()
    assert np.array_equal(calibrated(louder)[:3], calibrated(half_seen)[:3])


def test_seen_regions_and_fits_without_components_have_no_second_step(half_seen):
    assert np.array_equal(calibrated(half_seen)[:3], first_step(half_seen)[:3])
    bare = replace(half_seen, components=None)
    assert np.array_equal(calibrated(bare), first_step(bare))
    assert np.array_equal(calibrated(half_seen, 0.0), half_seen.p_model)
    middle = calibrated(half_seen, 0.5)[3:]
    assert middle == pytest.approx((calibrated(half_seen)[3:] + half_seen.p_model[3:]) / 2)


def test_without_suspected_regions_unseen_ones_are_alike(half_seen):
    weights = np.random.default_rng(5).random((6, 6))
    found = calibrated(replace(half_seen, p_model=np.zeros(6), weights=weights))
    assert np.isfinite(found).all()
    assert found[3] == pytest.approx(found[4]) == pytest.approx(found[5])


def test_shifted_draws_have_the_wanted_mean_and_keep_their_order():
    rng = np.random.default_rng(1)
    p_ez = rng.beta(0.2, 0.5, (400, 5))
    p_ez[::7, 2], p_ez[1::7, 2] = 0.0, 1.0
    mean = np.array([0.001, 0.2, 0.5, 0.9, 0.999])
    found = shifted(p_ez, mean)
    assert found.mean(axis=0) == pytest.approx(mean, abs=1e-9)
    for region in range(5):
        assert (np.diff(found[np.argsort(p_ez[:, region]), region]) >= 0.0).all()


def test_drawn_frequencies_miss_the_mean_by_less_than_one_draw():
    rng = np.random.default_rng(2)
    p_ez = rng.random((300, 40))
    frequency = drawn(p_ez, rng).mean(axis=0)
    assert (abs(frequency - p_ez.mean(axis=0)) < 1.0 / 300 + 1e-12).all()
    part = p_ez[:SUCCESSIVE]
    assert (abs(drawn(part, rng).sum(axis=0) - part.sum(axis=0)) < 1.0 + 1e-9).all()
    half = drawn(np.full((2000, 2), 0.5), rng)
    assert (half[:, 0] & half[:, 1]).mean() == pytest.approx(0.25, abs=0.04)  # independent


def test_a_region_is_drawn_where_it_is_likely():
    rng = np.random.default_rng(4)
    p_ez = np.tile([[0.0], [1.0], [0.3]], (100, 1))
    found = drawn(p_ez, rng)[:, 0]
    assert not found[0::3].any()
    assert found[1::3].all()


def test_zones_of_a_fit_are_the_calibrated_probabilities():
    rng = np.random.default_rng(8)
    gain = rng.random((12, 8)) ** 4
    gain /= gain.sum(axis=1, keepdims=True)
    seconds = np.arange(-5.0, 30.0, 0.5)
    rise = np.clip(seconds, 0.0, 1.0)[:, None] * 4.0 * (gain.argmax(axis=1) == 3)
    weights = rng.random((8, 8))
    weights += weights.T
    np.fill_diagonal(weights, 0.0)
    problem = Problem(
        [rise + 0.1 * rng.standard_normal((len(seconds), 12))], gain, weights, times=[seconds]
    )
    priors = load_priors("default")
    sample = sample_onsets(problem, priors, SETTINGS)
    posterior = posterior_of(sample)
    table = zones(posterior).set_index("region").loc[list(problem.regions)]
    p_ez = np.concatenate([chain.p_ez for chain in sample.chains])
    active = np.concatenate([chain.active for chain in sample.chains])
    evidence = evidence_of(problem, priors, p_ez, active)
    wanted = calibrated(evidence)
    assert table["p_ez"].to_numpy() == pytest.approx(wanted, abs=1.0 / len(p_ez))
    assert posterior.attrs["p_ez_sampled"] == p_sampled(evidence, first_step(evidence))
    assert diagnose(posterior)["figures"]["p_ez_sampled"] == posterior.attrs["p_ez_sampled"]
