"""Convergence diagnostics and the verdict."""

import sys

import numpy as np
import pytest

import inference
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.posterior import starts_seizures
from virtualbrain.quality_limits import FIT_LIMITS

N_CHAINS, N_DRAWS = 4, 500


@pytest.fixture
def posterior(quick):
    """Posterior with four chains of independent draws in one mode; no region starts seizures."""
    picked = {"chain": [0] * N_CHAINS, "draw": [0] * N_DRAWS}
    held = quick.isel(picked, missing_dims="ignore").copy(deep=True)
    held.attrs["method"] = "nuts"
    rng = np.random.default_rng(0)
    x0 = held["posterior"]["x0"]
    x0.values[...] = -3.0 + 0.1 * rng.standard_normal(x0.shape)
    held["sample_stats"]["mode"].values[...] = 0
    held["sample_stats"]["weight"].values[...] = 1 / N_CHAINS
    return held


def figures_of(posterior):
    return inference.diagnose(posterior)["figures"]


def slow(rng, shape, length):
    """Return a sign per chain and draw that changes every `length` draws on average."""
    turns = rng.random(shape) < 1 / length
    return np.where(np.cumsum(turns, axis=-1) % 2, 1.0, -1.0)


def test_p_ez_error_is_zero_where_no_draw_crosses_the_threshold(posterior):
    assert figures_of(posterior)["p_ez_error_max"] == 0.0


def test_p_ez_error_of_independent_draws_is_binomial(posterior):
    threshold = critical_x0(posterior["posterior"]["tau0"].to_numpy())
    rng = np.random.default_rng(1)
    x0 = posterior["posterior"]["x0"]
    x0.values[..., 2] = threshold.reshape(N_CHAINS, N_DRAWS, -1).mean(-1) + rng.choice(
        [-0.1, 0.1], (N_CHAINS, N_DRAWS)
    )
    figures = figures_of(posterior)
    assert figures["p_ez_error_region"] == str(posterior["posterior"]["region"].to_numpy()[2])
    assert figures["p_ez_error_max"] == pytest.approx(0.5 / np.sqrt(N_CHAINS * N_DRAWS), rel=0.2)


@pytest.mark.parametrize("stays", [400, 10**9])
def test_slowly_switching_chains_give_do_not_use(posterior, stays):
    """The second case: chains that never switch, with different constant values."""
    sign = slow(np.random.default_rng(2), (N_CHAINS, N_DRAWS), stays)
    sign[0], sign[1] = -sign[0], -sign[1]
    posterior["posterior"]["x0"].values[..., 2] = -2.05 + 0.8 * sign
    assert 0 < starts_seizures(posterior["posterior"].to_dataset())[..., 2].mean() < 1
    found = inference.diagnose(posterior)
    assert found["figures"]["p_ez_error_max"] > FIT_LIMITS["p_ez_error_max"].reject_high
    assert found["verdict"] == "do-not-use"


def test_slow_draws_far_above_the_threshold_give_caution(posterior):
    """p_ez is certain; x0 is not."""
    sign = slow(np.random.default_rng(3), (N_CHAINS, N_DRAWS), 60)
    noise = 0.05 * np.random.default_rng(4).standard_normal(sign.shape)
    posterior["posterior"]["x0"].values[..., 2] = -1.5 + 0.05 * sign + noise
    found = inference.diagnose(posterior)
    assert found["figures"]["ess_bulk_min"] < 100
    assert found["figures"]["p_ez_error_max"] == 0.0
    assert any("bulk ESS" in reason for reason in found["reasons"])
    assert not any("error of p_ez" in reason for reason in found["reasons"])


@pytest.mark.parametrize(("sources", "unsampled"), [(0, True), (1, True), (3, False)])
def test_few_expected_ez_regions_give_a_warning_of_an_unsampled_ez(posterior, sources, unsampled):
    posterior["posterior"]["x0"].values[..., :sources] = -1.5
    posterior["observed_data"]["envelope"].values[..., 0, :3] = 3.5  # as seizures rise
    found = inference.diagnose(posterior)
    assert found["figures"]["expected_ez_regions"] == pytest.approx(sources)
    assert (found["figures"]["p_ez_sampled"] < 0.5) == unsampled
    assert ("may not have sampled the EZ" in found["reasons"][0]) == unsampled  # most serious first


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("group_connectome", "a cohort", "those of a group (a cohort)"),
        ("template_anatomy", 1, "placed in the template brain MNI152"),
    ],
)
def test_a_fit_without_the_patients_own_images_is_never_interpretable(
    posterior, monkeypatch, attribute, value, words
):
    module = sys.modules["inference.diagnosis"]
    monkeypatch.setattr(module, "_sampled_ez_reasons", lambda figures: [])
    monkeypatch.setattr(module, "_leading_region_reasons", lambda figures: [])
    monkeypatch.setattr(module, "FIT_LIMITS", {"modes": FIT_LIMITS["modes"]})
    assert inference.diagnose(posterior)["verdict"] == "interpretable"
    posterior.attrs[attribute] = value
    found = inference.diagnose(posterior)
    assert found["verdict"] == "caution"
    assert words in found["reasons"][0]
    assert found["figures"][attribute]


@pytest.mark.parametrize(("regions", "cautious"), [(3, False), (5, True)])
def test_many_different_zones_call_for_caution(posterior, regions, cautious):
    """Every subset of some regions is equally frequent: 2 to their number, less the empty one."""
    subsets = np.arange(N_DRAWS) % 2**regions
    for i in range(regions):
        posterior["posterior"]["x0"].values[..., i] = np.where(subsets >> i & 1, -1.5, -3.0)
    found = inference.diagnose(posterior)
    assert found["figures"]["effective_zones"] == pytest.approx(2**regions - 1, rel=0.01)
    assert any("different zones" in reason for reason in found["reasons"]) == cautious


def test_without_a_suspected_region_there_is_no_number_of_zones(posterior):
    assert figures_of(posterior)["effective_zones"] is None
