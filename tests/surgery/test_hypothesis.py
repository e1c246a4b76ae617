"""Networks drawn from a hypothesis: the zone as stated, uncertain parameters and connections."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.surgery.conftest import REGIONS, chain_weights
from virtualbrain.errors import ConfigError, InputError, ModelError
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.quality_limits import NOT_FITTED
from virtualbrain.surgery.candidates import DONE, Candidate, no_surgery
from virtualbrain.surgery.draws import draws_from
from virtualbrain.surgery.hypothesis import hypothesis_draws, spread_of, zones_of_hypothesis
from virtualbrain.surgery.outcome import simulate_plans
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import HypothesisSettings, SurgerySettings

SETTINGS = HypothesisSettings(draws=40, connectomes=4, full_model_draws=4, duration_s=30.0)
SURGERY = SurgerySettings(draws=40, leading=4, largest=3, sham=10, confirm=0)


def zone(**regions: tuple[str, float]) -> pd.DataFrame:
    rows = [(name, kind, p) for name, (kind, p) in regions.items()]
    return pd.DataFrame(rows, columns=["region", "zone", "probability"])


def draw(stated: pd.DataFrame, settings: HypothesisSettings = SETTINGS, seed: int = 1):
    rng = np.random.default_rng(seed)
    return hypothesis_draws(chain_weights(), stated, REGIONS, settings, SURGERY, rng)


@pytest.fixture(scope="module")
def tree():
    return draw(zone(r0=("EZ", 1.0), r3=("EZ", 0.5), r1=("PZ", 1.0)))


def test_only_the_stated_zone_is_above_the_threshold(tree):
    samples = tree["posterior"].to_dataset().isel(chain=0)
    distance = samples["x0"].to_numpy() - critical_x0(samples["tau0"].to_numpy())[:, None]
    share = dict(zip(REGIONS, (distance > 0).mean(axis=0), strict=True))
    assert share["r0"] == 1.0
    assert 0.2 < share["r3"] < 0.8
    assert all(share[name] == 0 for name in REGIONS if name not in ("r0", "r3"))
    others = [i for i, name in enumerate(REGIONS) if name not in ("r0", "r1", "r3")]
    assert distance[:, 1].mean() > distance[:, others].mean()


def test_parameters_and_connections_differ_between_draws(tree):
    samples = tree["posterior"].to_dataset().isel(chain=0)
    assert samples["K"].std() > 0
    assert samples["tau0"].std() > 0
    connectome = samples["connectome"].to_numpy()
    assert (np.diff(connectome) >= 0).all()
    assert set(connectome) == {0, 1, 2, 3}
    drawn = tree["constant_data"]["drawn_weights"].to_numpy()
    np.testing.assert_allclose(drawn, drawn.swapaxes(1, 2))
    assert np.ptp(drawn, axis=0).max() > 0.1
    fixed = draw(zone(r0=("EZ", 1.0)), replace(SETTINGS, weight_sd_log=0.0))["constant_data"]
    for weights in fixed["drawn_weights"].to_numpy():
        np.testing.assert_allclose(weights, fixed["weights"])


def test_every_draw_seizes_without_surgery(tree):
    draws = draws_from(tree, SETTINGS.draws, np.random.default_rng(1))
    (outcome,) = simulate_plans([no_surgery()], draws, SURGERY)
    assert (outcome.seizing > 0).all()
    assert 0 < tree.attrs["accepted"] <= 1


def test_draws_are_simulated_with_their_own_connections(tree):
    draws = draws_from(tree, SETTINGS.draws, np.random.default_rng(1))
    plans = [no_surgery(), Candidate("cut", "disconnection", (), edges=(("r0", "r1"),))]
    together = simulate_plans(plans, draws, SURGERY)
    for plan, outcome in zip(plans, together, strict=True):
        parts = [simulate_plans([plan], part, SURGERY)[0] for part in draws.by_connectome()]
        assert len(parts) == 4
        np.testing.assert_array_equal(
            outcome.seizing, np.concatenate([part.seizing for part in parts])
        )


def test_the_same_seed_gives_the_same_draws():
    stated = zone(r4=("EZ", 0.7))
    one, again, other = draw(stated), draw(stated), draw(stated, seed=2)
    np.testing.assert_array_equal(one["posterior"]["x0"], again["posterior"]["x0"])
    assert not np.array_equal(one["posterior"]["x0"], other["posterior"]["x0"])


@pytest.mark.parametrize("stated", [zone(), zone(r1=("PZ", 1.0))])
def test_a_hypothesis_without_ez_is_refused(stated):
    with pytest.raises(InputError, match="no EZ region"):
        draw(stated)


def test_a_zone_that_never_seizes_is_an_error():
    held = replace(SETTINGS, K_median=20.0, K_sd_log=0.0, ez_above=0.05, ez_sd=0.0)
    with pytest.raises(ModelError, match=r"lower hypothesis\.K_median"):
        draw(zone(r1=("EZ", 1.0)), held)


@pytest.mark.parametrize("setting", [{"draws": 0}, {"ez_sd": -1.0}, {"K_median": 0.0}])
def test_a_wrong_setting_is_refused(setting):
    with pytest.raises(ConfigError, match=f"hypothesis.{next(iter(setting))}"):
        HypothesisSettings(**setting)


def test_surgery_on_the_draws_resects_the_zone_and_calibrates_nothing(tree, regions):
    stated = zone(r0=("EZ", 1.0), r3=("EZ", 0.5), r1=("PZ", 1.0))
    rng = np.random.default_rng(2)
    zones = zones_of_hypothesis(tree, stated, spread_of(tree, SETTINGS, SURGERY, rng))
    assert zones["region"].tolist()[:2] == ["r0", "r3"]
    assert zones["in_hypothesis"].dropna().to_dict() == {0: "EZ", 1: "EZ"} | {
        int(zones.index[zones["region"] == "r1"][0]): "PZ"
    }
    assert zones["observability"].isna().all()
    assert zones.loc[0, "onset_s"] >= 0
    done = Candidate(DONE, "clinical", ("r0", "r3"), (1.0, 0.2))
    patient = Patient(
        zones.drop(columns="observability"), regions, hypothesis=("r0", "r3"), done=done,
        verdict=NOT_FITTED,
    )  # fmt: skip
    found = run_surgery(tree, patient, SURGERY, rng)
    plans = found.outcomes.set_index("candidate")
    np.testing.assert_array_equal(plans["p_seizure_free"], plans["share_free"])
    assert plans.loc["clinical hypothesis", "share_free"] == 1.0
    assert plans.loc["no surgery", "share_free"] == 0.0
    share_r3 = float(zones.loc[zones["region"] == "r3", "p_ez"].iloc[0])
    # Without r3 the seizures end only in the draws in which r3 is not epileptogenic.
    assert plans.loc[DONE, "share_free"] == pytest.approx(1.0 - share_r3, abs=0.1)
    assert found.predicted["p_seizure_free"] == found.predicted["share_free"]
    assert not found.about()["Fitted"]
    assert (
        not plans["sentence"]
        .str.contains("synthetic|calibrated|probability of seizure freedom")
        .any()
    )
