"""What a recording fixes: contraction, directions, trade-off of x0 with K, and profiles."""

import numpy as np
import pytest
import xarray as xr

from inference.contraction import Draws, contraction, directions, draws_of, profile, slope
from inference.density import build_density
from inference.identifiability import (
    COLUMNS,
    expected_slope,
    identifiability,
    leading_regions,
    mean_slope,
    prior_of,
)
from inference.onsets.fit import posterior_of, sample_onsets
from inference.onsets.prior_draws import OFTEN, prior_draws
from inference.onsets.recording import unseen_regions
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings

CHAINS, DRAWS = 4, 1500
NAMES = ["ctx-lh-insula", "ctx-rh-insula", "Left-Amygdala"]


def normal(covariance, seed, mean=0.0) -> Draws:
    rng = np.random.default_rng(seed)
    n = len(covariance)
    values = mean + rng.standard_normal((CHAINS, DRAWS, n)) @ np.linalg.cholesky(covariance).T
    return draws_of(values, np.full((CHAINS, DRAWS), 1.0 / (CHAINS * DRAWS)))


PRIOR = np.array([[1.0, 0.3, 0.0], [0.3, 4.0, 0.0], [0.0, 0.0, 0.25]])
SEEN, NOISE = np.array([1.0, 0.5, 0.0]), 0.3


def observed(prior=PRIOR, seen=SEEN):
    """Posterior covariance after one observation of a combination with Normal noise."""
    return np.linalg.inv(np.linalg.inv(prior) + np.outer(seen, seen) / NOISE**2)


def test_the_contraction_of_a_normal_is_the_analytic_one():
    found, error = contraction(normal(observed(), 1), normal(PRIOR, 2))
    expected = 1.0 - np.diag(observed()) / np.diag(PRIOR)
    assert (np.abs(found - expected) < 4.0 * error).all()
    assert (error < 0.06).all()
    assert abs(found[2]) < 4.0 * error[2]  # the observation does not touch it


def test_the_observed_combination_contracts_most_and_the_others_not_at_all():
    found = directions(normal(observed(), 1), normal(PRIOR, 2))
    variance = SEEN @ PRIOR @ SEEN
    assert found.contraction[-1] == pytest.approx(variance / (variance + NOISE**2), abs=0.01)
    assert found.contraction[:-1] == pytest.approx(0.0, abs=0.06)
    assert (np.diff(found.contraction) >= 0).all()
    moved = PRIOR @ SEEN / np.sqrt(np.diag(PRIOR))
    assert found.loadings[-1] == pytest.approx(moved / np.linalg.norm(moved), abs=0.05)


def test_order_and_units_of_the_parameters_change_nothing():
    after, before = normal(observed(), 1), normal(PRIOR, 2)
    order, units = np.array([2, 0, 1]), np.array([1e-3, 50.0, 7.0])

    def changed(draws):
        return Draws(draws.values[:, order] * units, draws.weights, draws.chain, draws.part)

    one, other = directions(after, before), directions(changed(after), changed(before))
    assert other.contraction == pytest.approx(one.contraction)
    assert other.loadings == pytest.approx(one.loadings[:, order], abs=1e-8)


def test_data_that_only_widen_have_a_contraction_below_zero():
    found, _ = contraction(normal(4.0 * PRIOR, 1), normal(PRIOR, 2))
    assert found == pytest.approx(-3.0, abs=0.3)


def test_a_parameter_that_does_not_vary_in_the_prior_has_no_contraction():
    after, before = normal(PRIOR, 1), normal(PRIOR, 2)
    before.values[:, 0] = 1.0
    before.values[:, 1] = np.nan
    found, _ = contraction(after, before)
    assert np.isnan(found[:2]).all()
    assert np.isfinite(found[2])


def test_weights_count_as_repetition():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((1, 600, 2))
    wide = values.copy()
    wide[:, 300:] *= 3.0
    weights = np.where(np.arange(600) < 300, 3.0, 1.0)[None] / 1200.0
    repeated = np.concatenate([wide[:, :300]] * 3 + [wide[:, 300:]], axis=1)
    equal = np.full((1, 1200), 1 / 1200)
    prior = normal(np.eye(2), 5)
    assert contraction(draws_of(wide, weights), prior)[0] == pytest.approx(
        contraction(draws_of(repeated, equal), prior)[0]
    )


def test_a_slope_and_its_correlation_are_found():
    rng = np.random.default_rng(4)
    K = rng.lognormal(0.5, 0.5, (CHAINS, DRAWS))
    x0 = -2.0 - 0.03 * K + 0.02 * rng.standard_normal(K.shape)
    draws = draws_of(np.stack([K, x0], axis=-1), np.full(K.shape, 1.0 / K.size))
    correlation, found, error = slope(draws)
    assert abs(found + 0.03) < 4.0 * error
    assert error < 0.001
    assert correlation == pytest.approx(np.corrcoef(K.ravel(), x0.ravel())[0, 1])


def test_a_profile_shows_where_the_second_number_is_high():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((CHAINS, DRAWS))
    density = -2.0 * (x - 1.0) ** 2
    posterior = draws_of(np.stack([x, density], axis=-1), np.full(x.shape, 1.0 / x.size))
    found = profile(posterior, normal(np.eye(1), 6), 5)
    assert found.p == pytest.approx(0.2, abs=0.01)
    assert found.p_prior == pytest.approx(0.2, abs=0.05)
    assert found.value.argmax() == 3  # the bin of 0.25 to 0.84 standard deviations
    assert found.p @ found.value == pytest.approx(0.0, abs=1e-9)
    assert (found.value_error < 0.6).all()


def test_the_predicted_slope_is_a_quarter_of_the_input_before_the_fold():
    states = np.full((1, 10, 3), -1.6)
    states[0, :, 1] = 0.4  # seizes all the time: an input of 0.5 * 2.0
    states[0, 6:, 0] = -0.9  # past the fold, no longer counted
    states[0, 6:, 2] = 3.0
    assert mean_slope(states, np.array([0.0, 0.5, 0.25]), 0) == pytest.approx(-0.25)
    states[0, :, 0] = 0.0
    assert np.isnan(mean_slope(states, np.array([0.0, 0.5, 0.25]), 0))


def test_the_predicted_slope_is_that_of_the_draws_with_the_role():
    tree = tree_of(draws(np.random.default_rng(1)))
    x = tree["sources"]["x"].to_numpy()
    x[:] = -1.6
    x[:, :, 0] = 0.4  # an input of 2.0 to the third region, which starts nothing
    x[:5, 4:, 2] = 0.4  # recruited in five of twenty draws
    x[5:, :, 1] = -1.1  # a further input of 0.5 where it stays silent
    found = [expected_slope(tree, NAMES[2], role) for role in ("recruited", "silent")]
    assert found == pytest.approx([-0.5, -0.625])
    assert expected_slope(tree, NAMES[2], "does not start") == pytest.approx(-0.59375)
    assert np.isnan(expected_slope(tree, NAMES[2], "starts"))


def tree_of(values: dict, seed=0) -> xr.DataTree:
    """A posterior of three regions; the second starts, K trades off with x0 of the first."""
    n = len(NAMES)
    lead = ("chain", "draw")
    dims = {"x0": (*lead, "region"), "tau0": lead, "K": lead, "noise": lead}
    samples = xr.Dataset(
        {name: (dims[name], one) for name, one in values.items()}, coords={"region": NAMES}
    )
    x = np.random.default_rng(seed).normal(-1.6, 0.01, (20, 8, n))
    constants = xr.Dataset(
        {
            "weights": (("region", "source"), np.ones((n, n)) - np.eye(n)),
            "gain": (("channel", "region"), np.eye(n) + 0.1),
            "x0_prior_mean": ("region", np.full(n, -2.5)),
            "x0_prior_sd": ("region", np.full(n, 0.2)),
            "hypothesis": ("region", [""] * n),
            "time_s": ("time", np.arange(8.0)),
        },
        coords={"region": NAMES},
    )
    sources = xr.Dataset(
        {"x": (("sample", "time", "region"), x),
         "above_threshold": (("sample", "region"), np.tile([True, True, False], (20, 1)))},
        coords={"region": NAMES},
    )  # fmt: skip
    tree = xr.DataTree.from_dict(
        {"posterior": samples, "constant_data": constants, "sources": sources,
         "sample_stats": xr.Dataset({"lp": (lead, np.zeros((CHAINS, DRAWS)))})}
    )  # fmt: skip
    tree.attrs.update({"I1": 3.1, "method": "nuts", "initial": "rest"})
    return tree


def draws(rng, sd=0.2, **changed):
    shape = (CHAINS, DRAWS)
    x0 = np.array([-2.0, -1.7, -2.6]) + sd * rng.standard_normal((*shape, 3))
    found = {"x0": x0, "K": np.exp(0.6 * rng.standard_normal(shape)),
             "tau0": np.exp(3.0 + 0.3 * rng.standard_normal(shape)),
             "noise": np.exp(0.5 * rng.standard_normal(shape))}  # fmt: skip
    return found | changed


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(8)
    prior = tree_of(draws(rng))["posterior"].to_dataset().drop_vars("noise")
    after = draws(rng)
    after["noise"] = np.exp(0.05 * rng.standard_normal((CHAINS, DRAWS)))
    traded = rng.standard_normal((CHAINS, DRAWS))
    # Only the sum of log K and x0 of the first region is known, in prior standard deviations.
    after["K"] = np.exp(0.6 * traded)
    after["x0"][..., 0] = -2.0 - 0.2 * traded + 0.01 * rng.standard_normal((CHAINS, DRAWS))
    return identifiability(tree_of(after), prior)


def test_a_parameter_that_follows_from_others_in_the_prior_has_no_direction_of_its_own():
    rng = np.random.default_rng(8)
    before = draws(rng)
    before["x0"][..., 1] = 0.5 * before["x0"][..., 0] - 0.7
    found = identifiability(tree_of(draws(rng)), tree_of(before)["posterior"].to_dataset())
    named = found[found["kind"].isin(["least", "most"])]
    assert NAMES[0] in set(named["region"])
    assert NAMES[1] not in set(named["region"])
    assert named["contraction"].notna().all()


def test_a_trade_off_is_named(table):
    assert list(table.columns) == list(COLUMNS)
    first = table[(table["kind"] == "least") & (table["number"] == 1)].set_index(
        ["parameter", "region"]
    )["loading"]
    assert first["K", None] * first["x0", NAMES[0]] < 0
    assert abs(first["K", None]) == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert abs(first["x0", NAMES[1]]) < 0.2
    most = table[(table["kind"] == "most") & (table["number"] == 1)]
    assert (most["contraction"] > 0.99).all()
    loading = most.set_index(["parameter", "region"])["loading"]
    assert loading["K", None] * loading["x0", NAMES[0]] > 0
    role = table[(table["kind"] == "role") & (table["region"] == NAMES[0])].iloc[0]
    assert role["role"] == "starts"
    assert role["correlation"] < -0.8


def test_a_parameter_that_the_data_do_not_touch_does_not_contract(table):
    rows = table[table["kind"] == "parameter"].set_index(["parameter", "region"])
    for key in (("x0", NAMES[2]), ("tau0", None)):
        assert abs(rows.loc[key, "contraction"]) < 4.0 * rows.loc[key, "contraction_error"]


def test_without_a_prior_there_is_no_contraction(table):
    rows = table[table["kind"] == "parameter"].set_index("parameter")
    assert np.isnan(rows.loc["noise", "contraction"])
    assert rows.loc["noise", "sd"] == pytest.approx(0.05, abs=0.005)
    assert "noise" not in set(table[table["kind"].isin(["least", "most"])]["parameter"])


def test_the_prior_of_the_network_is_the_one_of_the_fit(small_problem, small_settings):
    priors = load_priors("default")
    density = build_density(small_problem, priors, small_settings)
    found = prior_of(density, 1500, np.random.default_rng(9))
    sd = np.sqrt(np.diag(priors.fitted_covariance(small_problem)))
    assert found["x0_fitted"].std(("chain", "draw")).to_numpy() == pytest.approx(sd, rel=0.12)
    own = np.sqrt(np.diag(priors.own_covariance(small_problem)))
    assert found["x0"].std(("chain", "draw")).to_numpy() == pytest.approx(own, rel=0.12)
    assert np.log(found["K"]).std() == pytest.approx(priors.K.sd_log, rel=0.1)


def test_a_fit_of_the_network_has_all_its_parameters(quick, small_problem, small_settings):
    density = build_density(small_problem, load_priors("default"), small_settings)
    found = identifiability(quick, prior_of(density, 300, np.random.default_rng(9)))
    rows = found[found["kind"] == "parameter"]
    assert set(rows["parameter"]) == {
        "x0", "z_init", "K", "tau0", "amplitude", "level", "noise", "offset",
    }  # fmt: skip
    assert rows["contraction"].notna().all()
    offsets = rows[rows["parameter"] == "offset"]
    assert list(offsets["channel"]) == list(small_problem.channels)
    assert (offsets["contraction"] > 0.3).all()  # every channel shows its own level


@pytest.fixture(scope="module")
def sample(small_problem):
    settings = Settings(moves=300, draws=60, chains=1, cores=1, n_steps=60)
    return sample_onsets(small_problem, load_priors("default"), settings)


def test_every_seizure_has_its_own_tau0(small_problem):
    rng, one = np.random.default_rng(4), small_problem.envelope[0]
    problem = Problem(
        [one, one + 0.1 * rng.standard_normal(one.shape)], small_problem.gain,
        small_problem.weights, times=[small_problem.times[0]] * 2,
    )  # fmt: skip
    settings = Settings(moves=300, draws=60, chains=2, cores=1, n_steps=60, extension=0)
    sample = sample_onsets(problem, load_priors("default"), settings)
    posterior = posterior_of(sample)
    leading, _ = leading_regions(posterior)
    found = identifiability(posterior, prior_draws(sample, 80, leading, rng))
    tau0 = found[(found["kind"] == "parameter") & (found["parameter"] == "tau0")]
    assert list(tau0["seizure"]) == [1, 2]
    assert tau0["contraction"].notna().all()
    states = found[(found["kind"] == "parameter") & (found["parameter"] == "z_init")]
    assert len(states) == 2 * problem.n_regions


def test_prior_draws_do_not_read_the_recording(sample, small_problem):
    problem = small_problem
    noise = 0.1 * np.random.default_rng(1).standard_normal(problem.envelope[0].shape)
    other = Problem(
        noise, problem.gain, problem.weights,
        times=problem.times, normalisation=problem.normalisation,
    )  # fmt: skip
    settings = Settings(moves=300, draws=60, chains=1, cores=1, n_steps=60)
    silent = sample_onsets(other, load_priors("default"), settings)
    one, two = (prior_draws(s, 40, (), np.random.default_rng(2)) for s in (sample, silent))
    xr.testing.assert_allclose(one, two)


def test_prior_draws_hold_stated_regions_and_their_weights_undo_it(sample):
    often = [sample.density.problem.regions[2]]
    found = prior_draws(sample, 600, often, np.random.default_rng(3))
    weight = found["weight"].to_numpy().ravel()
    assert weight.sum() == pytest.approx(1.0)
    threshold = -2.06
    starts = found["x0"].sel(region=often[0]).to_numpy().ravel() > threshold
    assert starts.mean() == pytest.approx(OFTEN, abs=0.06)
    assert weight @ starts < 0.05
    unseen = unseen_regions(sample.data.gain)
    assert found["onset_s"].isnull().to_numpy()[..., unseen].all()
    assert found["onset_s"].notnull().any()
