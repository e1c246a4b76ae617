"""Prior sets beside each other, beliefs in a picture, and what no electrode sees."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import inference
from inference.compare import compare_priors, zone_changes
from inference.density import build_density
from inference.initialisation import climb
from inference.plots import plot_prior_predictive
from inference.priors import Normal, Priors
from inference.problem import Problem
from inference.unsampled_source import unsampled_alternative
from virtualbrain.seeg.gain import observability

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def posteriors(small_problem, small_settings):
    quick = replace(small_settings, method="laplace")
    beliefs = {"default": Priors(), "silent": Priors(name="silent", x0=Normal(-3.5, 0.05))}
    return {name: inference.fit(small_problem, b, quick) for name, b in beliefs.items()}


def test_beliefs_that_rule_the_seizure_out_predict_it_worse(posteriors):
    table = compare_priors(posteriors)
    assert list(table["priors"]) == ["default", "silent"]
    assert table["difference"].iloc[0] == 0
    assert table["difference"].iloc[1] < -10
    assert table["weight"].sum() == pytest.approx(1)


def test_the_share_of_samples_that_a_fit_counted_does_not_decide(posteriors):
    louder = posteriors["default"].copy(deep=True)
    louder["log_likelihood"]["envelope"] = 2 * louder["log_likelihood"]["envelope"]
    louder.attrs["tempering"] *= 2
    pd.testing.assert_frame_equal(
        compare_priors({"default": louder, "silent": posteriors["silent"]}),
        compare_priors(posteriors),
    )


def test_the_change_is_where_the_beliefs_differ(posteriors, small_truth):
    table = zone_changes(posteriors)
    assert table["region"].iloc[0] == f"region-{int(np.argmax(small_truth)) + 1}"
    assert table["change"].is_monotonic_decreasing
    assert (table["change"] == table[["default", "silent"]].max(axis=1)
            - table[["default", "silent"]].min(axis=1)).all()  # fmt: skip


def test_the_prior_predictive_is_a_picture(small_problem, small_settings, tmp_path):
    path = tmp_path / "prior.png"
    plot_prior_predictive(small_problem, Priors(), small_settings, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_an_unseen_region_is_weighed_against_the_first(small_problem, small_settings):
    gain = small_problem.gain.copy()
    gain[:, 5] = 0.0
    blind = Problem(small_problem.envelope, gain, small_problem.weights, times=small_problem.times)
    density = build_density(blind, Priors(), small_settings, 0.3)
    best = climb(density, np.zeros(density.layout.size), 300)
    found = unsampled_alternative(density, best)
    assert found is not None
    unseen = observability(gain) < 0.1
    assert unseen[5]
    assert found.region in np.array(blind.regions)[unseen]
    assert np.isfinite(found.margin)


def test_where_everything_is_seen_nothing_is_hidden(small_problem, small_settings):
    gain = np.eye(12)
    envelope = np.tile(small_problem.envelope[0][:, :1], (1, 12))
    density = build_density(
        Problem(envelope, gain, small_problem.weights), Priors(), small_settings, 0.3
    )
    assert unsampled_alternative(density, climb(density, np.zeros(density.layout.size), 5)) is None
