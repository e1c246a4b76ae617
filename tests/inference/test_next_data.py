"""Value of the next electrode and seizure: properties of the analysis, on truths made by hand."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from inference.futures import Futures, States, futures_of, likelihoods, powers
from inference.next_data import (
    best_set,
    electrode_value,
    holds,
    largest_shares,
    p_right,
    plan_size,
    sets_of,
    shares,
    simulated,
    value_of,
)
from inference.next_seizure import explained, seizure_value
from inference.onsets.fit import sample_onsets
from inference.onsets.recording import unseen_regions
from inference.onsets.rules import Rules
from inference.onsets.sampler import fill_power
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings

N, N_TRUTHS, N_TIMES = 6, 60, 40
RULES = Rules()
SECONDS = np.linspace(-5.0, 40.0, N_TIMES)


@pytest.fixture
def futures() -> Futures:
    """Truths whose zone is region 0 in 60 % and region 1 in 40 %; each one seizes alone."""
    zone = np.where(np.arange(N_TRUTHS) % 5 < 3, 0, 1)
    active = np.zeros((N_TRUTHS, 1, N), dtype=bool)
    active[np.arange(N_TRUTHS), 0, zone] = True
    onset, offset = np.zeros(active.shape), np.full(active.shape, 30.0)
    states = States(active, onset, offset, np.full(active.shape, 4.0), np.ones(active.shape))
    power = np.zeros((N_TRUTHS, N, N_TIMES))
    for d, i in enumerate(zone):
        fill_power(SECONDS, 0.0, 30.0, 4.0, 1.0, 1.0, power[d, i])
    return Futures(
        states=states,
        p_zone=np.eye(N)[zone],
        weight=np.full(N_TRUTHS, 1 / N_TRUTHS),
        part=np.arange(N_TRUTHS) // 10,
        hidden=np.zeros((N_TRUTHS, N), dtype=bool),
        threshold=np.full(N_TRUTHS, RULES.threshold),
        patient_peak=np.full(N_TRUTHS, 4.0),
        power=power,
        unseen=np.zeros(N, dtype=bool),
    )


def valued(futures: Futures, log_factor: np.ndarray):
    truths = np.arange(N_TRUTHS)
    sets = sets_of(futures.weight @ futures.p_zone, 1)
    return value_of(log_factor, truths, futures.weight, futures, sets)


def test_a_set_holds_the_zone_as_often_as_by_counting():
    p = np.array([[0.7, 0.2, 0.4]])
    sets = np.array([[True, False, True], [False, True, False]])
    counted = np.zeros(2)
    for zone in product((False, True), repeat=3):
        chance = np.prod(np.where(zone, p[0], 1 - p[0]))
        counted += chance * (any(zone) & ~(np.array(zone) & ~sets).any(axis=1))
    assert np.allclose(holds(p, sets), counted)


def test_data_without_information_are_worth_nothing(futures):
    value = valued(futures, np.zeros((N_TRUTHS, N_TRUTHS)))
    assert value.gain == 0.0
    assert value.stated == 0.0
    assert value.entropy_drop == pytest.approx(0.0, abs=1e-12)
    assert value.flattened == 0.0


def test_data_that_show_the_zone_are_worth_what_is_missing(futures):
    zone = futures.p_zone.argmax(axis=1)
    value = valued(futures, np.where(zone[:, None] == zone, 0.0, -50.0))
    assert value.p_before == pytest.approx(0.6)
    assert value.gain == pytest.approx(0.4)
    assert value.stated == pytest.approx(0.4, abs=0.01)
    assert value.entropy_drop > 1.0


def test_the_value_is_never_negative_within_its_error(futures):
    rng = np.random.default_rng(3)
    for strength in (0.1, 1.0, 5.0):
        zone = futures.p_zone.argmax(axis=1)
        heard = zone + rng.standard_normal(N_TRUTHS) / strength
        factor = -0.5 * ((heard[:, None] - zone) * strength) ** 2
        value = valued(futures, factor)
        assert value.gain >= -3 * value.gain_error - 1e-12
        assert value.stated >= 0.0


def test_one_truth_alone_does_not_rule(futures):
    value = valued(futures, np.where(np.eye(N_TRUTHS, k=10) > 0, 0.0, -80.0))
    assert value.flattened > 0.5
    assert value.effective >= 2.9


def test_an_electrode_at_the_zones_is_worth_more_than_one_elsewhere(futures):
    rng = np.random.default_rng(1)
    data = fit_of().data._replace(variance=np.full(4, 0.25))
    at, elsewhere = np.full((4, N), 1e-6), np.full((4, N), 1e-6)
    at[:, 0], elsewhere[:, 4] = 1.0, 1.0
    near, far = (electrode_value(futures, gain, data, RULES, 1, rng) for gain in (at, elsewhere))
    assert near.gain == pytest.approx(0.4, abs=0.05)
    assert abs(far.gain) < 0.05
    assert near.entropy_drop > far.entropy_drop


def test_silent_channels_have_the_noise_of_the_model():
    rng = np.random.default_rng(2)
    variance = np.array([0.25, 1.0])
    signal = simulated(np.zeros((4000, N, N_TIMES)), np.full((2, N), 1 / N), variance, RULES, rng)
    nu = RULES.degrees_of_freedom
    assert np.allclose(signal.var(axis=(0, 2)), variance * nu / (nu - 2), rtol=0.05)
    steps = np.mean(signal[..., 1:] * signal[..., :-1]) / np.mean(signal**2)
    assert steps == pytest.approx((1 - RULES.samples) / (1 + RULES.samples), abs=0.02)


def test_a_recording_is_most_likely_under_its_own_truth(futures):
    rng = np.random.default_rng(4)
    gain = np.full((3, N), 0.01)
    gain[:, 0] = 0.95
    variance = np.full(3, 0.25)
    power = futures.power[[0, 3]]  # zones 0 and 1
    observed = simulated(np.repeat(power, 40, axis=0), gain, variance, RULES, rng)
    found = likelihoods(observed, gain, power, variance, RULES)
    own = np.repeat([0, 1], 40)
    assert np.mean(found.argmax(axis=1) == own) > 0.95


def test_a_region_that_starts_without_input_is_in_the_zone(futures):
    read, active = np.ones((1, N), dtype=bool), np.zeros((1, N), dtype=bool)
    active[0, 1] = True
    weights = np.ones((N, N)) - np.eye(N)
    onset, offset = np.zeros((1, N)), np.full((1, N), 20.0)
    p_zone = np.full((2, N), 0.1)
    p_zone[1] = 0.0
    total, after = explained(
        read, active, onset, offset, weights, (-5.0, 40.0), p_zone, np.full(2, 1.6), RULES
    )
    assert after[0, 0, 1] > 0.9
    assert (after[0, 0, [0, 2, 3, 4, 5]] < 0.1).all()
    assert total[0, 0] > total[0, 1] + 3


_FITS = []


def fit_of():
    """Fit a patient in whom no channel sees the regions 8 and 9; made once."""
    if not _FITS:
        rng, n, n_channels = np.random.default_rng(5), 10, 16
        gain = 0.001 + 0.001 * rng.random((n_channels, n))
        gain[np.arange(n_channels), np.arange(n_channels) % 8] += 1.0
        weights = np.full((n, n), 0.05)
        weights[2, 6] = weights[6, 2] = weights[8, 2] = weights[2, 8] = 3.0
        np.fill_diagonal(weights, 0.0)
        power = np.zeros((n, N_TIMES))
        for region, onset in ((2, 0.0), (6, 9.0)):
            fill_power(SECONDS, onset, 35.0, 4.0, 1.0, 1.0, power[region])
        clean = np.log1p(gain / gain.sum(axis=1, keepdims=True) @ power).T
        envelope = clean + 0.2 * rng.standard_normal(clean.shape)
        problem = Problem([envelope], gain, weights, times=[SECONDS])
        settings = Settings(moves=3000, draws=100, chains=2, cores=1, n_steps=60, extension=0)
        _FITS.append(sample_onsets(problem, load_priors("default"), settings))
    return _FITS[0]


def test_completed_draws_are_those_of_the_fit_where_channels_see():
    sample = fit_of()
    found = futures_of(sample, 0.05, np.random.default_rng(1))
    unseen = unseen_regions(sample.data.gain)
    assert list(np.flatnonzero(unseen)) == [8, 9]
    assert found.weight.sum() == pytest.approx(1.0)
    assert not found.hidden[:, ~unseen].any()
    assert (found.p_zone[found.hidden] == 1.0).all()
    assert found.states.active[..., unseen].any()
    seen = found.states.active[..., ~unseen]
    from_fit = np.concatenate([chain.active for chain in sample.chains])[..., ~unseen]
    assert {row.tobytes() for row in seen} <= {row.tobytes() for row in from_fit}
    again = powers(found.states, sample.data, sample.rules)
    assert np.array_equal(again, found.power)


def test_the_share_of_the_zone_is_gained_where_the_data_show_it(futures):
    zone = futures.p_zone.argmax(axis=1)
    value = valued(futures, np.where(zone[:, None] == zone, 0.0, -50.0))
    assert value.share == pytest.approx(0.4, abs=0.01)
    assert value.share_judged == pytest.approx(0.4)
    nothing = valued(futures, np.zeros((N_TRUTHS, N_TRUTHS)))
    assert nothing.share == nothing.share_judged == 0.0


def test_the_plan_of_the_largest_shares_holds_most_of_the_zone():
    p = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.5, 0.0]])
    assert np.allclose(shares(p), [[0.5, 0.5, 0, 0], [0, 0, 1, 0]])
    plans = largest_shares(np.array([[0.25, 0.2, 0.5, 0.0]]), 2)
    assert plans.tolist() == [[True, False, True, False]]


def test_the_present_plan_holds_the_zone_as_often_as_stated():
    found = futures_of(fit_of(), 0.05, np.random.default_rng(1))
    regions, p = best_set(found, plan_size(found))
    assert 2 in regions
    assert p_right(found, regions) == pytest.approx(p)
    more, p_more = best_set(found, len(regions) + 1)
    assert p_more >= p
    assert len(more) == len(regions) + 1


def test_one_more_seizure_is_worth_less_if_the_zone_is_known(futures):
    sample = fit_of()
    open_ = futures_of(sample, 0.05, np.random.default_rng(1))
    known = np.zeros_like(open_.p_zone)
    known[:, 2] = 1.0
    sure = replace(open_, p_zone=known, hidden=np.zeros_like(open_.hidden))
    values = [seizure_value(f, sample, 1, np.random.default_rng(2)) for f in (open_, sure)]
    assert values[1].gain == 0.0
    assert values[1].entropy_drop == pytest.approx(0.0, abs=1e-9)
    assert values[0].entropy_drop > 0.0
