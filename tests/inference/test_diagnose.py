"""The verdict hangs on what is read: p_ez, and how well the draws tell it."""

import numpy as np
import pytest

import inference
from inference.diagnose import P_EZ_ERROR_STOP
from inference.zones import above_threshold
from virtualbrain.models.reduced_physics import critical_x0

N_CHAINS, N_DRAWS = 4, 500


@pytest.fixture
def posterior(quick):
    """Draws of a fit, to be written over: four chains about one mode, independent draws."""
    picked = {"chain": [0] * N_CHAINS, "draw": [0] * N_DRAWS}
    held = quick.isel(picked, missing_dims="ignore").copy(deep=True)
    held.attrs["method"] = "nuts"
    rng = np.random.default_rng(0)
    x0 = held["posterior"]["x0"]
    x0.values[...] = -3.0 + 0.1 * rng.standard_normal(x0.shape)
    held["sample_stats"]["mode"].values[...] = 0
    held["sample_stats"]["weight"].values[...] = 1 / N_CHAINS
    return held


def told(posterior):
    return inference.diagnose(posterior)["figures"]


def slow(rng, shape, length):
    """Return a sign that stays for `length` draws on average, per chain."""
    turns = rng.random(shape) < 1 / length
    return np.where(np.cumsum(turns, axis=-1) % 2, 1.0, -1.0)


def test_regions_that_never_cross_their_threshold_have_no_error(posterior):
    assert told(posterior)["p_ez_error_max"] == 0.0


def test_independent_draws_have_the_error_of_a_coin(posterior):
    threshold = critical_x0(posterior["posterior"]["tau0"].to_numpy())
    rng = np.random.default_rng(1)
    x0 = posterior["posterior"]["x0"]
    x0.values[..., 2] = threshold.reshape(N_CHAINS, N_DRAWS, -1).mean(-1) + rng.choice(
        [-0.1, 0.1], (N_CHAINS, N_DRAWS)
    )
    figures = told(posterior)
    assert figures["p_ez_error_region"] == str(posterior["posterior"]["region"].to_numpy()[2])
    assert figures["p_ez_error_max"] == pytest.approx(0.5 / np.sqrt(N_CHAINS * N_DRAWS), rel=0.2)


@pytest.mark.parametrize("stays", [400, 10**9])
def test_chains_that_seldom_change_their_mind_are_not_to_be_used(posterior, stays):
    """Down to chains that never do, each with a constant answer of its own."""
    sign = slow(np.random.default_rng(2), (N_CHAINS, N_DRAWS), stays)
    sign[0], sign[1] = -sign[0], -sign[1]
    posterior["posterior"]["x0"].values[..., 2] = -2.05 + 0.8 * sign
    assert 0 < above_threshold(posterior)[..., 2].mean() < 1
    found = inference.diagnose(posterior)
    assert found["figures"]["p_ez_error_max"] > P_EZ_ERROR_STOP
    assert found["verdict"] == "do-not-use"


def test_slow_draws_far_above_the_threshold_call_for_caution_only(posterior):
    """That a region seizes is sure; how excitable it is, is not."""
    sign = slow(np.random.default_rng(3), (N_CHAINS, N_DRAWS), 60)
    noise = 0.05 * np.random.default_rng(4).standard_normal(sign.shape)
    posterior["posterior"]["x0"].values[..., 2] = -1.5 + 0.05 * sign + noise
    found = inference.diagnose(posterior)
    assert found["figures"]["ess_bulk_min"] < 100
    assert found["figures"]["p_ez_error_max"] == 0.0
    assert any("Few independent draws" in reason for reason in found["reasons"])
    assert not any("p_ez of" in reason for reason in found["reasons"])


@pytest.mark.parametrize(("sources", "missed"), [(0, True), (1, True), (3, False)])
def test_few_regions_that_start_seizures_say_that_the_zone_was_missed(posterior, sources, missed):
    posterior["posterior"]["x0"].values[..., :sources] = -1.5
    found = inference.diagnose(posterior)
    assert found["figures"]["expected_ez_regions"] == pytest.approx(sources)
    assert (found["figures"]["p_ez_sampled"] < 0.5) == missed
    assert ("may have missed the zone" in found["reasons"][0]) == missed  # the gravest first
