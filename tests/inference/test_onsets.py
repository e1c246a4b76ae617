"""The onset model: its likelihood, its prior, its sampler, and the dynamics made from onsets."""

import math
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numba import typeof
from scipy.integrate import trapezoid
from scipy.optimize import minimize
from scipy.stats import norm, t

import inference
from inference.diagnosis import diagnose
from inference.onsets.chains import Length, sample_chains
from inference.onsets.channels import channel_scratch, log_channel
from inference.onsets.convergence import has_converged
from inference.onsets.dynamics import Onsets, dynamics_of
from inference.onsets.fit import rules_of
from inference.onsets.moves import EXCHANGE_ALL
from inference.onsets.recording import recording_of
from inference.onsets.recruitment import input_until, log_prior_of_onsets
from inference.onsets.rules import Rules
from inference.onsets.sampler import fill_power, silent_start
from inference.priors import Priors
from inference.problem import Problem
from inference.settings import Settings
from inference.zone_table import zones
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.posterior import starts_seizures

N, M, EZ, RECRUITED = 10, 30, 2, 6
SECONDS = np.arange(-5.0, 45.0, 0.5)
ONSET_S = {EZ: 0.0, RECRUITED: 9.0}
SETTINGS = Settings(moves=4000, draws=60, chains=2, cores=2, n_steps=60, extension=0)


def power_of(onset_s: dict[int, float]) -> np.ndarray:
    power = np.zeros((N, len(SECONDS)))
    for region, onset in onset_s.items():
        fill_power(SECONDS, onset, 35.0, 4.0, 1.0, 1.0, power[region])
    return power


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(5)
    gain = 0.01 + 0.02 * rng.random((M, N))
    gain[np.arange(M), np.arange(M) % N] += 1.0
    gain /= gain.sum(axis=1, keepdims=True)
    weights = np.full((N, N), 0.05)
    weights[EZ, RECRUITED] = weights[RECRUITED, EZ] = 3.0
    np.fill_diagonal(weights, 0.0)
    clean = np.log1p(gain @ power_of(ONSET_S)).T
    return Problem([clean + 0.2 * rng.standard_normal(clean.shape)], gain, weights, times=[SECONDS])


@pytest.fixture(scope="module")
def posterior(problem):
    return inference.fit(problem, settings=SETTINGS)


def channel_value(observed, gain, power, rules):
    seizing = np.flatnonzero(power.max(axis=1))
    return log_channel(
        observed, gain, seizing, power, power.max(axis=1), np.zeros(len(gain) + 1), 0.25, rules,
        channel_scratch(len(observed)),
    )  # fmt: skip


def test_gain_errors_are_integrated_out():
    rules = Rules(lower=0.4, higher=0.4, channel=0.3, samples=0.3)
    power, gain = power_of({EZ: 0.0}), np.zeros(N)
    gain[EZ] = 0.4
    observed = np.log1p(0.7 * gain @ power) + 0.1 * np.sin(SECONDS)

    delta, alpha = np.linspace(-3.0, 2.0, 201)[:, None], np.linspace(-1.5, 1.5, 121)
    factor = np.exp(delta + alpha)[..., None]
    squares = ((observed - np.log1p(factor * (gain @ power))) ** 2).sum(axis=-1)
    nu, n = rules.degrees_of_freedom, len(observed) * rules.samples
    likelihood = (1.0 + rules.samples * squares / (nu * 0.25)) ** (-0.5 * (nu + n))
    prior = t(rules.error_degrees, scale=0.4).pdf(delta) * norm(scale=0.3).pdf(alpha)
    exact = math.log(trapezoid(trapezoid(likelihood * prior, alpha), delta[:, 0]))
    assert channel_value(observed, gain, power, rules) == pytest.approx(exact, abs=0.15)


def test_single_precision_is_enough_for_a_channel():
    rng, rules = np.random.default_rng(3), Rules()
    power, gain = power_of({0: -2.0, 3: 1.0, EZ: 0.0, N - 1: 4.0}), rng.random(N) / N
    seizing = np.flatnonzero(power.max(axis=1))
    observed = np.log1p(1.5 * gain @ power) + 0.3 * rng.standard_normal(len(SECONDS))
    degrees, samples, nu = rules.degrees_of_freedom, rules.samples, rules.error_degrees
    weight, scale = degrees + len(SECONDS) * samples, degrees * 0.25

    def terms(errors):
        own, shared = errors[:-1], errors[-1]
        parts = (gain[seizing] * np.exp(own + shared))[:, None] * power[seizing]
        total = 1.0 + parts.sum(axis=0)
        squares = ((observed - np.log(total)) ** 2).sum()
        spread = np.where(own < 0, rules.lower, rules.higher)
        cost = 0.5 * weight * np.log1p(samples * squares / scale)
        cost += 0.5 * (nu + 1) * np.log1p(own**2 / (nu * spread**2)).sum()
        cost += 0.5 * (shared / rules.channel) ** 2
        share = np.vstack([parts, total - 1.0]) / total
        precision = np.append((nu + 1) / (nu * spread**2 + own**2), rules.channel**-2)
        strength = weight * samples / (scale + samples * squares)
        return cost, strength * share @ share.T + np.diag(precision)

    start = np.zeros(len(seizing) + 1)
    mode = minimize(lambda e: terms(e)[0], start, tol=1e-10, options={"gtol": 1e-6}).x
    cost, matrix = terms(mode)
    own = math.log(2.0 * rules.error_density / (rules.lower + rules.higher))
    exact = len(seizing) * own - math.log(rules.channel) - cost
    exact -= 0.5 * np.linalg.slogdet(matrix)[1]

    errors, scratch = np.zeros(N + 1), channel_scratch(len(SECONDS))
    for _ in range(8):  # each begins where the last one ended
        value = log_channel(
            observed.astype(np.float32), gain, seizing, power.astype(np.float32),
            power.max(axis=1), errors, 0.25, rules, scratch,
        )  # fmt: skip
    assert value == pytest.approx(exact, abs=1e-4)


def test_channel_prefers_the_region_that_it_sees():
    rules, gain = Rules(), np.full(N, 0.01)
    gain[EZ] = 0.9
    observed = np.log1p(gain @ power_of({EZ: 0.0}))
    seen, other = (channel_value(observed, gain, power_of({i: 0.0}), rules) for i in (EZ, 0))
    assert seen > other + 2


def test_the_order_of_an_array_in_memory_does_not_compile_the_sampler_again(problem):
    other = replace(
        problem, gain=np.asfortranarray(problem.gain), weights=np.asfortranarray(problem.weights)
    )
    assert other.weights.flags.f_contiguous
    data = [recording_of(one, np.full(N, 0.3), 40, 0.25) for one in (problem, other)]
    assert typeof(data[0]) == typeof(data[1])
    assert all(array.flags.c_contiguous for array in data[1])


def test_input_is_the_weighted_seizing_time():
    weights = np.zeros((3, 3))
    weights[0, 1], weights[0, 2] = 2.0, 1.0
    seizing = np.array([1, 2])
    onset, offset = np.array([0.0, 1.0, 4.0]), np.array([0.0, 5.0, 20.0])
    rules = Rules(delay_s=0.0, weak_input=0.0)
    total, now = input_until(0, 10.0, seizing, onset, offset, weights, rules)
    assert total == pytest.approx(2.0 * 4.0 + 1.0 * 6.0)
    assert now == pytest.approx(1.0)


def test_a_region_with_input_is_less_likely_epileptogenic():
    active = np.ones((1, 2), bool)
    onset, offset = np.array([[0.0, 8.0]]), np.full((1, 2), 40.0)
    found = {}
    for weight in (0.0, 1.0):
        weights, p_ez = np.array([[0.0, weight], [weight, 0.0]]), np.zeros(2)
        log_prior_of_onsets(
            active, onset, offset, weights, np.array([-5.0]), np.array([50.0]),
            np.full(2, 0.02), 1.6, Rules(weak_input=0.0), p_ez,
        )  # fmt: skip
        found[weight] = p_ez.copy()
    assert found[0.0].min() > 0.99
    assert found[1.0][0] > 0.99
    assert found[1.0][1] < 0.5


def drawn(data, rules, n_moves, n_kept):
    start = silent_start(data, rules, 1)
    length = Length(n_moves, n_moves // 3, n_kept)
    rngs = [np.random.default_rng(2)]
    ((kept, _),) = sample_chains(data, rules, length, np.array([1.0]), [start], rngs)
    return kept


@pytest.mark.slow
def test_sampler_returns_the_prior_without_data(problem):
    """Without likelihood and connections, a region seizes with its prior probability."""
    rules = Rules(tempering=0.0, weak_input=0.0, early=0.0)
    prior_p_ez = np.full(N, 0.3)
    data = recording_of(problem, prior_p_ez, 40, rules.noise)
    data = data._replace(weights=np.zeros((N, N)))
    kept = drawn(data, rules, 60_000, 2000)
    window = SECONDS[-1] - SECONDS[0]
    seizing = 0.3 * (window + 2.0) / window
    silent = 0.7 + 0.3 * rules.p_silent
    expected = seizing / (seizing + silent)
    assert kept.active.mean() == pytest.approx(expected, abs=0.04)
    onset = kept.onset[kept.active]
    assert onset.mean() == pytest.approx(0.5 * (SECONDS[0] - 2 + SECONDS[-1]), abs=2.5)


@pytest.mark.slow
def test_sampler_returns_the_prior_of_two_seizures_without_data(problem):
    """Exchanges in one and in all seizures keep the prior, with any loudness of the regions."""
    rules = Rules(tempering=0.0, weak_input=0.0, early=0.0)
    double = replace(problem, envelope=[problem.envelope[0]] * 2, times=[SECONDS] * 2)
    prior_p_ez = np.linspace(0.1, 0.5, N)
    data = recording_of(double, prior_p_ez, 40, rules.noise)
    unheard = np.full((M, N), 1e-9)  # a likelihood of no weight need not be computed
    data = data._replace(weights=np.zeros((N, N)), loudness=np.linspace(-0.5, 0.5, N), gain=unheard)
    kept = drawn(data, rules, 600_000, 4000)
    window = SECONDS[-1] - SECONDS[0]
    seizing = (window + 2.0) / window
    in_one = seizing + rules.p_silent
    total = prior_p_ez * in_one**2 + 1.0 - prior_p_ez
    both = kept.active.all(axis=1)
    assert kept.accepted[1, EXCHANGE_ALL] > 500
    np.testing.assert_allclose(both.mean(axis=0), prior_p_ez * seizing**2 / total, atol=0.06)
    np.testing.assert_allclose(
        kept.active.mean(axis=(0, 1)), prior_p_ez * seizing * in_one / total, atol=0.06
    )


@pytest.mark.slow
def test_fit_separates_the_zone_from_the_recruited_region(problem, posterior):
    table = zones(posterior).set_index("region")
    names = list(problem.regions)
    assert table["p_ez"].idxmax() == names[EZ]
    assert table.loc[names[EZ], "p_ez"] > 0.6
    assert table.loc[names[RECRUITED], "p_ez"] < 0.5
    assert table.loc[names[RECRUITED], "p_pz"] > table.loc[names[RECRUITED], "p_ez"]
    assert table.loc[names[RECRUITED], "onset_s"] == pytest.approx(9.0, abs=1.5)
    assert diagnose(posterior)["figures"]["explained"] > 0.8


@pytest.mark.slow
def test_the_same_seed_gives_the_same_fit_on_any_number_of_cores(problem, posterior):
    again = inference.fit(problem, settings=replace(SETTINGS, cores=1))
    for name in ("x0", "onset_s", "z_init"):
        np.testing.assert_array_equal(posterior["posterior"][name], again["posterior"][name])


@pytest.mark.slow
def test_dynamics_reproduce_the_onsets(problem):
    n_steps, dt, n_draws = 200, 0.1, 6
    active = np.zeros((n_draws, 1, N), bool)
    onset, ez = np.zeros((n_draws, 1, N)), np.zeros((n_draws, N), bool)
    active[:, 0, [EZ, RECRUITED]] = True
    onset[:, 0, EZ], onset[:, 0, RECRUITED] = 20.0, 90.0
    ez[:, EZ] = True
    onsets = Onsets(active, onset, np.full(onset.shape, 110.0), ez)
    found = dynamics_of(onsets, problem, Priors(), n_steps, dt, np.random.default_rng(1))
    threshold = critical_x0(found.tau0)
    assert (found.x0[:, EZ] > threshold[:, 0]).all()
    assert (np.delete(found.x0, EZ, axis=1) < threshold).all()
    members = ReducedMembers(
        found.x0_fitted, found.K, found.tau0[:, 0],
        x_init=found.x_init[:, 0], z_init=found.z_init[:, 0],
    )  # fmt: skip
    seized = run_reduced(problem.weights, members, n_steps=n_steps - 1, dt=dt).onset_step
    assert np.abs(seized[:, EZ] - 20.0).max() < 2
    late = np.abs(seized[:, RECRUITED] - 90.0)
    # With a large K the region starts when the other one ends, at about 75, or never.
    assert np.median(late) < 2
    assert late.max() < 20
    assert not np.isfinite(np.delete(seized, [EZ, RECRUITED], axis=1)).any()


@pytest.mark.slow
def test_draws_start_seizures_where_the_model_says(posterior):
    samples = posterior["posterior"].to_dataset()
    starts = starts_seizures(samples).mean(("chain", "draw")).to_numpy()
    np.testing.assert_allclose(
        zones(posterior).set_index("region").loc[list(samples["region"].to_numpy()), "p_ez"],
        starts, atol=1e-9,
    )  # fmt: skip


@pytest.mark.slow
def test_several_seizures_share_the_zone(problem):
    double = Problem(
        [problem.envelope[0], problem.envelope[0]], problem.gain, problem.weights,
        times=[SECONDS, SECONDS],
    )  # fmt: skip
    found = inference.fit(double, settings=SETTINGS)
    assert found["posterior"]["onset_s"].sizes["seizure"] == 2
    assert zones(found)["region"].iloc[0] == problem.regions[EZ]


def test_a_group_connectome_makes_the_input_count_less(problem):
    priors = Priors()
    own, group = rules_of(problem, priors), rules_of(replace(problem, group_connectome="g"), priors)
    assert own == Rules()
    added = priors.group_connectome.input_sd_log
    assert group.threshold_sd == pytest.approx(math.hypot(own.threshold_sd, added))
    assert group.weak_input == priors.group_connectome.weak_input > own.weak_input

    def log_odds(rules, weight):
        weights, p_ez = np.array([[0.0, weight], [weight, 0.0]]), np.zeros(2)
        log_prior_of_onsets(
            np.ones((1, 2), bool), np.array([[0.0, 8.0]]), np.full((1, 2), 40.0), weights,
            np.array([-5.0]), np.array([50.0]), np.full(2, 0.02), 1.6, rules, p_ez,
        )  # fmt: skip
        return math.log(p_ez[1] / (1.0 - p_ez[1]))

    contrast = [log_odds(rules, 0.01) - log_odds(rules, 0.66) for rules in (own, group)]
    assert contrast[0] > 1.5 * contrast[1] > 0


def made_posterior(x0):
    """A posterior with given draws of x0, (n_chains, n_draws, n_regions); onsets in seconds."""
    lead = ("chain", "draw")
    samples = xr.Dataset(
        {"x0": ((*lead, "region"), x0), "tau0": (lead, np.full(x0.shape[:2], 10.0))},
        coords={"region": [f"r{i}" for i in range(x0.shape[2])]},
    )
    weight = xr.Dataset({"weight": ("chain", np.full(len(x0), 1 / len(x0)))})
    tree = xr.DataTree.from_dict({"posterior": samples, "sample_stats": weight})
    tree.attrs["I1"] = 3.1
    return tree


@pytest.mark.parametrize(
    ("shift", "n_draws", "expected"), [(0.0, 2000, True), (0.8, 2000, False), (0.0, 60, False)]
)
def test_chains_have_converged_if_they_agree_and_are_long_enough(shift, n_draws, expected):
    rng = np.random.default_rng(3)
    x0 = critical_x0(10.0) + rng.standard_normal((4, n_draws, 3))
    x0[0, :, 1] += shift
    assert has_converged(made_posterior(x0)) is expected
    assert has_converged(made_posterior(x0[:1]))  # a single chain cannot be judged


@pytest.mark.slow
def test_chains_that_have_not_converged_are_continued(problem, posterior):
    longer = inference.fit(problem, settings=replace(SETTINGS, extension=1.0))
    assert longer.attrs["continued"] == 1  # 120 draws cannot be precise enough
    assert posterior.attrs["continued"] == 0
    assert not np.array_equal(longer["posterior"]["x0"], posterior["posterior"]["x0"])
    assert longer["posterior"].sizes == posterior["posterior"].sizes


@pytest.mark.slow
def test_a_chain_goes_on_from_its_last_state(problem):
    rules = Rules()
    data = recording_of(problem, np.full(N, 0.1), 40, rules.noise)
    rngs = [np.random.default_rng(8)]
    start, temperatures = silent_start(data, rules, 2), np.array([1.0, 1.5])
    ((first, end),) = sample_chains(data, rules, Length(3000, 0, 3000), temperatures, [start], rngs)
    ((next_draw, _),) = sample_chains(data, rules, Length(1, 0, 1), temperatures, [end], rngs)
    assert first.active[-1].any()
    np.testing.assert_array_equal(end.active[0], first.active[-1])
    changed = (next_draw.active[0] != end.active[0]) | (next_draw.onset[0] != end.onset[0])
    assert changed.sum() <= 2  # one move changes two regions at most
