"""The moves of the onset sampler and what they learn: the draws follow the posterior exactly."""

import math

import numpy as np
import pytest

from inference.kernels.common import jit
from inference.onsets import recording
from inference.onsets.chains import Length, sample_chains
from inference.onsets.channels import channel_scratch, log_channel
from inference.onsets.learned import (
    BEFORE_S,
    N_NUMBERS,
    N_STATES,
    draw_state,
    lessons,
    log_density,
    look,
    nothing_learned,
    pooled,
)
from inference.onsets.moves import (
    EXCHANGE,
    EXCHANGE_ALL,
    REDRAW,
    REPLACE,
    REPLACE_ALL,
    SWITCH,
    SWITCH_ALL,
)
from inference.onsets.recording import recording_of, unseen_regions
from inference.onsets.recruitment import log_prior_of_onsets
from inference.onsets.rules import Rules
from inference.onsets.sampler import fill_power, silent_start
from inference.problem import Problem

SECONDS = np.arange(-5.0, 45.0, 0.5)
FIRST, LAST, HINT, PEAK = -5.0, 45.0, 12.0, 4.0
RULES = Rules()


def uniform(n):
    """Cumulated probabilities of n regions, and of the partners of each."""
    partner = np.cumsum((1.0 - np.eye(n)) / (n - 1), axis=1)
    return np.cumsum(np.full(n, 1.0 / n)), partner


def learned_from(states, n=3, looks_without=0):
    """Proposals of a chain in which region 1 seized in some states, (onset, end, power, slope)."""
    chance, partner = uniform(n)
    seen, rng = nothing_learned(chance, partner, 1), np.random.default_rng(1)
    silent = np.zeros((1, n), bool)
    for state in states:
        active = silent.copy()
        active[0, 1] = True
        values = [np.full((1, n), value) for value in state]
        look(seen, active, *values, rng)
    for _ in range(looks_without):
        look(seen, silent, *np.zeros((4, 1, n)), rng)
    return seen, lessons(seen, chance, partner)


@jit
def log_densities(learned, states, peak, rules):
    found = np.empty(len(states))
    for k in range(len(states)):
        state = (states[k, 0], states[k, 1], states[k, 2], states[k, 3])
        found[k] = log_density(learned, 0, 1, state, HINT, FIRST, LAST, peak, rules)
    return found


@jit
def draws_of(learned, n, peak, rules, rng):
    found = np.empty((n, N_NUMBERS))
    for k in range(n):
        state = draw_state(learned, 0, 1, HINT, FIRST, LAST, peak, rules, rng)
        for a in range(N_NUMBERS):
            found[k, a] = state[a]
    return found


def scattered(count, onset_s=3.0):
    rng = np.random.default_rng(4)
    onset = onset_s + 0.5 * rng.standard_normal(count)
    return np.stack(
        [onset, onset + 15.0 + rng.random(count), 4.5 + 0.3 * rng.standard_normal(count),
         1.2 + 0.3 * rng.standard_normal(count)], axis=1,
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 5, 200])
def test_the_density_of_a_proposal_is_that_of_its_draws(count):
    """Weighted draws of the prior have the moments of the draws of the proposal."""
    _, learned = learned_from(scattered(count))
    rng, n = np.random.default_rng(2), 60_000
    window = LAST - FIRST
    # a prior near the states, so that few weights count
    rules = RULES._replace(peak_sd=0.6, slope_sd=0.6, length=0.33, length_sd=0.2)
    prior = np.stack(
        [FIRST - BEFORE_S + (window + BEFORE_S) * rng.random(n),
         math.log(rules.length * window) + rules.length_sd * rng.standard_normal(n),
         4.3 + rules.peak_sd * rng.standard_normal(n),
         rules.slope + rules.slope_sd * rng.standard_normal(n)], axis=1,
    )  # fmt: skip
    weight = (window + BEFORE_S) * np.exp(log_densities(learned, prior, 4.3, rules))
    drawn = draws_of(learned, n, 4.3, rules, rng)
    assert weight.mean() == pytest.approx(1.0, abs=0.05)
    for number in range(N_NUMBERS):
        found = (weight * prior[:, number]).mean()
        assert found == pytest.approx(drawn[:, number].mean(), abs=0.05 * abs(found) + 0.1)


def test_of_many_visited_states_each_is_remembered_as_often():
    seen, _ = learned_from([(float(k), k + 20.0, 4.0, 1.0) for k in range(4000)])
    assert seen.held[0, 1] == N_STATES
    assert 1200 < seen.state[0, 1, :, 0].mean() < 2800
    assert seen.held[0, [0, 2]].sum() == 0


def test_chains_learn_from_all_visited_states():
    """Each visited state counts once, although every chain remembers as many."""
    often, _ = learned_from([(10.0, 30.0, 4.0, 1.0)] * 3000, looks_without=500)
    rarely, _ = learned_from([(2.0, 20.0, 4.0, 1.0)] * 1000)
    never, _ = learned_from([], looks_without=100)
    together = pooled([often, rarely, never], np.random.default_rng(3))
    assert together.looks[0] == 4600
    assert together.visits[0].tolist() == [0, 4000, 0]
    assert together.held[0].tolist() == [0, N_STATES, 0]
    onsets = together.state[0, 1, :, 0]
    assert set(onsets) == {2.0, 10.0}
    assert 0.5 * N_STATES < (onsets == 10.0).sum() < 0.95 * N_STATES
    assert pooled([rarely], np.random.default_rng(3)) is rarely


def test_regions_that_seize_in_some_states_only_are_proposed_more_often():
    chance, partner = uniform(3)
    _, unsure = learned_from(scattered(100), looks_without=100)
    _, sure = learned_from(scattered(100))
    assert np.diff(unsure.chance, prepend=0.0)[1] > 0.7
    assert np.allclose(sure.chance, chance)
    assert unsure.partner_chance[0, 1] > partner[0, 1]
    for learned in (unsure, sure):
        assert learned.chance[-1] == pytest.approx(1.0)
        assert learned.partner_chance[:, -1] == pytest.approx(np.ones(3))
        assert np.diff(learned.partner_chance, axis=1, prepend=0.0).diagonal() == pytest.approx(0.0)


def made_problem(gain, seizures=(((0, 1.0), (2, 14.0)),)):
    """A patient in whom regions seize from the given onsets.

    By default one of two regions with similar gain seizes early, the third later.
    """
    n, rng = gain.shape[1], np.random.default_rng(5)
    envelopes = []
    for seizing in seizures:
        power = np.zeros((n, len(SECONDS)))
        for region, onset in seizing:
            fill_power(SECONDS, onset, 30.0, 3.5, 1.0, 1.0, power[region])
        clean = np.log1p(gain @ power).T
        envelopes.append(clean + 0.3 * rng.standard_normal(clean.shape))
    weights = 0.3 * (1.0 - np.eye(n))
    return Problem(envelopes, gain, weights, times=[SECONDS] * len(seizures))


@jit
def log_targets(states, threshold, data, rules, scratch):
    """Log density of states one by one, without the prior of all but the onsets."""
    active, onset, offset, peak, slope = states
    n_seizures, n = active.shape[1:]
    first, last = data.times[data.bounds[:-1]], data.times[data.bounds[1:] - 1]
    found = np.zeros(len(threshold))
    power, errors = np.zeros((n, len(data.times))), np.zeros(n + 1)
    seizing = np.zeros(n, np.bool_)
    for k in range(len(threshold)):
        power[:], seizing[:] = 0.0, False
        top = np.zeros(n)
        for s in range(n_seizures):
            part = slice(data.bounds[s], data.bounds[s + 1])
            for i in np.flatnonzero(active[k, s]):
                seizing[i] = True
                highest = fill_power(
                    data.times[part], onset[k, s, i], offset[k, s, i], peak[k, s, i],
                    slope[k, s, i], rules.rise_s, power[i, part],
                )  # fmt: skip
                top[i] = max(top[i], highest)
        for c in range(len(data.gain)):
            errors[:] = 0.0
            value = 0.0
            for _ in range(2):  # the second begins at the mode
                value = log_channel(
                    data.observed[c], data.gain[c], np.flatnonzero(seizing), power, top, errors,
                    data.variance[c], rules, scratch,
                )  # fmt: skip
            found[k] += rules.tempering * value
        found[k] += log_prior_of_onsets(
            active[k], onset[k], offset[k], data.weights, first, last, data.prior_p_ez,
            threshold[k], rules, np.zeros(n),
        )  # fmt: skip
    return found


def importance(data, rules, n, rng):
    """P(seizes) and mean onset of each region in each seizure, from weighted draws of the prior."""
    first, window = data.times[0], data.times[-1] - data.times[0]
    shape = (n, len(data.bounds) - 1, data.gain.shape[1])
    active = rng.random(shape) < 0.5
    onset = first - BEFORE_S + (window + BEFORE_S) * rng.random(shape)
    length = rules.length * window * np.exp(rules.length_sd * rng.standard_normal(shape))
    patient = rules.peak + rules.peak_sd_patient * rng.standard_normal((n, 1, 1))
    peak = patient + rules.peak_sd * rng.standard_normal(shape)
    slope = rules.slope + rules.slope_sd * rng.standard_normal(shape)
    threshold = rules.threshold + rules.threshold_sd_patient * rng.standard_normal(n)
    states = (active, onset, onset + length, peak, slope)
    log_weight = log_targets(states, threshold, data, rules, channel_scratch(len(data.times)))
    log_weight += active.sum(axis=(1, 2)) * math.log(window + BEFORE_S)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    assert 1.0 / (weight**2).sum() > 400
    seizing = np.einsum("k,ksi->si", weight, active)
    return seizing, np.einsum("k,ksi->si", weight, active * onset) / seizing


@pytest.mark.slow
@pytest.mark.parametrize(("temperatures", "judges"), [([1.0], 3), ([1.0, 1.6], 1)])
def test_draws_of_a_small_problem_are_those_of_weighted_draws_of_the_prior(
    temperatures, judges, monkeypatch
):
    """Every kind of move keeps the posterior: against importance sampling without any move."""
    gain = np.array([[0.6, 0.35, 0.05], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7]])
    # small errors of the gain, so that a channel's likelihood hardly depends on where its search
    # for the mode began, and data that leave all regions in doubt
    rules = Rules(lower=0.15, higher=0.15, channel=0.15, samples=0.03)
    monkeypatch.setattr(recording, "SEE_MOST", judges)  # of three channels
    data = recording_of(made_problem(gain), np.array([0.3, 0.2, 0.2]), 40, rules.noise)
    assert (data.sees_most.sum(axis=1) == judges).all()
    wanted, onset = importance(data, rules, 150_000, np.random.default_rng(6))
    start = silent_start(data, rules, len(temperatures))
    ((kept, _),) = sample_chains(
        data, rules, Length(200_000, 20_000, 4000), np.array(temperatures), [start],
        [np.random.default_rng(7)],
    )  # fmt: skip
    for kind in (SWITCH, EXCHANGE, REPLACE, REDRAW):
        assert kept.accepted[1, kind] > 500
    assert_agree(kept.active, kept.onset, wanted, onset)


def assert_agree(active, onset, wanted, onset_s):
    """Draws agree with P(seizes) and the mean onset of each region in each seizure."""
    np.testing.assert_allclose(active.mean(axis=0), wanted, atol=0.03)
    found = (active * onset).sum(axis=0) / active.sum(axis=0)
    np.testing.assert_allclose(found, onset_s, atol=1.0)


@pytest.mark.slow
def test_draws_of_two_seizures_are_those_of_weighted_draws_of_the_prior():
    """Moves of one seizure and of all keep the posterior; three chains learn from each other."""
    gain = np.array([[0.55, 0.45], [0.65, 0.35]])
    rules = Rules(lower=0.15, higher=0.15, channel=0.15, samples=0.03)
    problem = made_problem(gain, (((0, 1.0),), ((1, 9.0),)))
    data = recording_of(problem, np.array([0.3, 0.3]), 40, rules.noise)
    wanted, onset = importance(data, rules, 300_000, np.random.default_rng(6))
    temperatures = np.array([1.0, 1.6])
    chains = sample_chains(
        data, rules, Length(120_000, 20_000, 2500), temperatures,
        [silent_start(data, rules, 2)] * 3, np.random.default_rng(7).spawn(3),
    )  # fmt: skip
    for kept, _ in chains:
        for kind in (SWITCH, SWITCH_ALL, EXCHANGE_ALL, REPLACE, REPLACE_ALL):
            assert kept.accepted[1, kind] > 200, kind
    active = np.concatenate([kept.active for kept, _ in chains])
    assert_agree(active, np.concatenate([kept.onset for kept, _ in chains]), wanted, onset)


def test_a_region_that_no_channel_sees_never_seizes():
    gain = np.array([[0.55, 0.42, 0.03], [0.45, 0.52, 0.03], [0.5, 0.47, 0.03], [0.6, 0.37, 0.03]])
    data = recording_of(made_problem(gain), np.full(3, 0.3), 40, RULES.noise)
    assert unseen_regions(data.gain).tolist() == [False, False, True]
    ((kept, _),) = sample_chains(
        data, RULES, Length(6000, 1000, 1000), np.array([1.0, 2.0]),
        [silent_start(data, RULES, 2)], [np.random.default_rng(3)],
    )  # fmt: skip
    assert kept.active[:, 0, :2].any(axis=0).all()
    assert not kept.active[:, 0, 2].any()
