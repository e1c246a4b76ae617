"""Virtual surgery on a network whose best plan is known."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtualbrain.errors import ConfigError, ModelError
from virtualbrain.surgery.candidates import (
    Candidate,
    leading_plans,
    no_surgery,
    sham_plans,
)
from virtualbrain.surgery.draws import draws_from
from virtualbrain.surgery.outcome import presence, remaining_weights, simulate_plans
from virtualbrain.surgery.ranking import OUTCOME_COLUMNS
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.search import smallest_plan
from virtualbrain.surgery.settings import SurgerySettings

SETTINGS = SurgerySettings(draws=40, leading=5, sham=10)


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def table(posterior, zones, regions, **known) -> pd.DataFrame:
    return run_surgery(posterior, Patient(zones, regions, **known), SETTINGS, generator()).outcomes


def test_the_true_zone_is_the_first_plan(posterior, zones, regions):
    plans = table(posterior, zones, regions)
    assert tuple(plans.columns) == OUTCOME_COLUMNS
    assert list(plans["rank"]) == list(range(1, len(plans) + 1))
    assert set(plans["regions"][0].split(",")) == {"r0", "r4"}
    assert plans["p_seizure_free"][0] == 1.0
    assert plans["seizing_after"][0] == 0.0


def test_without_surgery_the_recruited_regions_seize(posterior, zones, regions):
    plans = table(posterior, zones, regions).set_index("kind")
    assert plans.loc["none", "seizing_before"] == plans.loc["none", "seizing_after"] == 5.0


def test_shams_are_worse_than_the_true_zone(posterior, zones, regions):
    plans = table(posterior, zones, regions)
    shams = plans[plans["kind"] == "sham"]
    assert (shams["p_seizure_free"] < 0.5).all()
    assert shams["regions"].isna().all()
    assert set(shams["n_regions"]) == set(plans.loc[plans["kind"] == "resection", "n_regions"])


def test_a_hypothesis_becomes_a_plan_of_its_own(posterior, zones, regions):
    plans = table(posterior, zones, regions, hypothesis=("r0", "r3"))
    clinical = plans[plans["kind"] == "clinical"].iloc[0]
    assert clinical["regions"] == "r0,r3"
    assert clinical["volume_mm3"] == 5000.0
    assert clinical["p_seizure_free"] < 0.1


def test_an_eloquent_region_is_in_no_plan_but_the_clinical_one(posterior, zones, regions):
    plans = table(posterior, zones, regions, hypothesis=("r0",), eloquent=(("r0", "speech"),))
    ours = plans[~plans["kind"].isin(["clinical", "none"])]
    assert not ours["regions"].dropna().str.split(",").map(lambda names: "r0" in names).any()
    assert plans.set_index("kind").loc["clinical", "eloquent"] == "r0 (speech)"


def test_same_seed_same_table(posterior, zones, regions):
    pd.testing.assert_frame_equal(
        table(posterior, zones, regions), table(posterior, zones, regions)
    )


def test_region_order_does_not_matter(posterior, zones, regions):
    order = np.random.default_rng(0).permutation(8)
    shuffled = posterior.isel(region=order, source=order)
    shuffled.attrs = posterior.attrs
    settings = SurgerySettings(draws=120, leading=5, sham=1)
    first, second = (
        run_surgery(tree, Patient(zones, regions), settings, generator())
        .outcomes.query("kind != 'sham'")
        .drop(columns="rank")
        .reset_index(drop=True)
        for tree in (posterior, shuffled)
    )
    pd.testing.assert_frame_equal(first, second)


def test_a_region_taken_out_takes_part_in_nothing(posterior):
    draws = draws_from(posterior, 20, generator())
    everything = Candidate("all", "resection", draws.regions)
    (outcome,) = simulate_plans([everything], draws, 0.0)
    assert (outcome.seizing == 0).all()
    left = presence(Candidate("one", "resection", ("r1",)), draws)
    assert left.sum() == 7
    assert left[1] == 0


def test_disconnecting_an_isolated_region_changes_nothing(posterior):
    alone = posterior.copy(deep=True)
    alone["constant_data"]["weights"][7, :] = 0.0
    alone["constant_data"]["weights"][:, 7] = 0.0
    draws = draws_from(alone, 20, generator())
    cut = Candidate("cut r7", "disconnection", ("r7",))
    np.testing.assert_array_equal(remaining_weights(cut, draws), draws.weights)
    before, after = simulate_plans([no_surgery(), cut], draws, 0.0)
    np.testing.assert_array_equal(before.seizing, after.seizing)


def test_disconnection_stops_the_spread_but_not_the_region(posterior):
    draws = draws_from(posterior, 20, generator())
    cut = Candidate("cut", "disconnection", ("r0", "r4"))
    (outcome,) = simulate_plans([cut], draws, 0.0)
    assert (outcome.seizing == 2).all()


def test_the_search_finds_the_smallest_plan(posterior):
    draws = draws_from(posterior, 20, generator())
    found = smallest_plan(["r1", "r0", "r2", "r4"], draws, SETTINGS)
    assert found is not None
    assert set(found.candidate.regions) == {"r0", "r4"}
    assert smallest_plan([], draws, SETTINGS) is None


def test_plans_hold_no_set_twice():
    plans = leading_plans(["a", "b", "c"], SurgerySettings(largest=3))
    sets = [frozenset(plan.regions) for plan in plans]
    assert len(sets) == len(set(sets)) == 7


def test_shams_are_distinct_regions_of_the_wanted_size():
    groups = sham_plans(["a", "b", "c"], [1, 2, 2, 9], 4, generator())
    assert sorted(groups) == [1, 2]
    assert all(len(set(plan.regions)) == 2 for plan in groups[2])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Candidate("x", "resection"), "empty"),
        (lambda: Candidate("x", "resection", ("a", "a")), "twice"),
    ],
)
def test_impossible_plans_are_refused(make, words):
    with pytest.raises(ModelError, match=words):
        make()


def test_an_unknown_region_is_refused(posterior):
    draws = draws_from(posterior, 5, generator())
    with pytest.raises(ModelError, match="no region 'nowhere'"):
        simulate_plans([Candidate("x", "resection", ("nowhere",))], draws, 0.0)


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"target": 1.0}, {"interval": 0.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SurgerySettings(**wrong)


def test_recruitment_tells_when_and_how_surely(posterior, zones, regions):
    result = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator())
    table = result.recruitment.set_index(["candidate", "region"])
    without = table.loc["no surgery"]
    assert (without.loc[["r0", "r1", "r2", "r4", "r5"], "p_seizing"] == 1).all()
    assert without.loc["r0", "onset_s"] < without.loc["r1", "onset_s"]
    assert without.loc["r3", "p_seizing"] == 0
    assert np.isnan(without.loc["r3", "onset_s"])
    best = result.outcomes["candidate"][0]
    assert (table.loc[best, "p_seizing"] == 0).all()
    assert set(result.recruitment["candidate"]) == set(
        result.outcomes.query("kind != 'sham'")["candidate"]
    )


def test_a_chain_without_weight_gives_no_draw(posterior):
    weighted = posterior.copy()
    weighted.attrs = posterior.attrs
    weighted["posterior"]["K"][1, :] = 99.0
    weighted["sample_stats"] = xr.DataTree(xr.Dataset({"weight": ("chain", [1.0, 0.0])}))
    draws = draws_from(weighted, 100, generator())
    assert draws.n_draws == 100
    assert (draws.K < 99).all()


def test_draws_are_shared_out_by_weight(posterior):
    weighted = posterior.copy()
    weighted.attrs = posterior.attrs
    weighted["posterior"]["K"][1, :] = 99.0
    weighted["sample_stats"] = xr.DataTree(xr.Dataset({"weight": ("chain", [0.75, 0.25])}))
    draws = draws_from(weighted, 40, generator())
    assert (draws.K == 99).sum() == 10
