"""Virtual surgery on a network whose best plan is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.io.surgery_results import load_explanations
from virtualbrain.io.tables import write_table
from virtualbrain.quality_limits import NOT_FITTED
from virtualbrain.surgery.candidates import DONE, Candidate, resection
from virtualbrain.surgery.ranking import OUTCOME_COLUMNS
from virtualbrain.surgery.run import DO_NOT_USE, NO_BETTER, NOT_RANKED, Patient, run_surgery
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings

SETTINGS = SurgerySettings(draws=40, leading=5, largest=4, sham=30, confirm=0)


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def table(posterior, zones, regions, **known) -> pd.DataFrame:
    return run_surgery(posterior, Patient(zones, regions, **known), SETTINGS, generator()).outcomes


def test_true_ez_is_the_first_plan(posterior, zones, regions):
    found = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator())
    plans, about = found.outcomes, found.about()
    assert tuple(plans.columns) == OUTCOME_COLUMNS
    assert list(plans["rank"]) == list(range(1, len(plans) + 1))
    assert set(plans["regions"][0].split(",")) == {"r0", "r4"}
    assert plans["share_free"][0] == 1.0
    assert plans["p_seizure_free"][0] == pytest.approx(
        SeizureFreedom(about["p_elsewhere"], about["p_ez_sampled"]).probability(1.0)
    )
    assert plans["seizing_after"][0] == 0.0


def test_the_first_plan_holds_the_ez_and_its_regions_come_in_order_of_gain(
    posterior, zones, regions
):
    found = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator())
    plans = found.outcomes.set_index("candidate")
    assert plans["p_holds_ez"].iloc[0] > 0.9
    assert plans.loc["r0", "p_holds_ez"] < 0.1
    assert plans.loc[plans["kind"] == "sham", "p_holds_ez"].isna().all()
    assert {name for name, _ in found.gains} == {"r0", "r4"}
    shares = [share for _, share in found.gains]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_region_that_is_resected_in_part_is_not_held(posterior, zones, regions):
    part = Candidate("part", "clinical", ("r0", "r4"), (1.0, 0.4))
    whole = Candidate("whole", "clinical", ("r0", "r4"), (1.0, 1.0))
    plans = table(posterior, zones, regions, plans=(part, whole)).set_index("candidate")
    assert plans.loc["part", "p_holds_ez"] < 0.1
    assert plans.loc["whole", "p_holds_ez"] > 0.9


def test_without_surgery_the_recruited_regions_seize(posterior, zones, regions):
    plans = table(posterior, zones, regions).set_index("kind")
    assert plans.loc["none", "seizing_before"] == plans.loc["none", "seizing_after"] == 5.0


def test_sham_plans_are_worse_than_the_true_ez(posterior, zones, regions):
    plans = table(posterior, zones, regions)
    shams = plans[plans["kind"] == "sham"]
    assert (shams["share_free"] < 0.5).all()
    assert shams["regions"].isna().all()
    assert set(shams["n_regions"]) == set(plans.loc[plans["kind"] == "resection", "n_regions"])


def test_a_hypothesis_becomes_a_plan_of_its_own(posterior, zones, regions):
    plans = table(posterior, zones, regions, hypothesis=("r0", "r3"))
    clinical = plans[plans["kind"] == "clinical"].iloc[0]
    assert clinical["regions"] == "r0,r3"
    assert clinical["volume_mm3"] == 5000.0
    assert clinical["share_free"] < 0.1


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
    settings = SurgerySettings(draws=120, leading=5, largest=4, sham=1, confirm=0)
    first, second = (
        run_surgery(tree, Patient(zones, regions), settings, generator())
        .outcomes.query("kind != 'sham'")
        .drop(columns=["rank", "p_sham", "sentence"])
        .reset_index(drop=True)
        for tree in (posterior, shuffled)
    )
    pd.testing.assert_frame_equal(first, second)


def test_recruitment_states_onset_and_probability(posterior, zones, regions):
    result = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator())
    table = result.recruitment.set_index(["candidate", "region"])
    without = table.loc["no surgery"]
    assert (without.loc[["r0", "r1", "r2", "r4", "r5"], "p_seizing"] == 1).all()
    assert without.loc["r0", "onset_s"] < without.loc["r1", "onset_s"]
    assert without.loc["r3", "p_seizing"] == 0
    assert np.isnan(without.loc["r3", "onset_s"])
    seizing = without.dropna(subset="onset_s")
    assert (seizing["onset_low_s"] <= seizing["onset_s"]).all()
    assert (seizing["onset_s"] <= seizing["onset_high_s"]).all()
    best = result.outcomes["candidate"][0]
    assert (table.loc[best, "p_seizing"] == 0).all()
    assert set(result.recruitment["candidate"]) == set(
        result.outcomes.query("kind != 'sham'")["candidate"]
    )


def test_leading_plans_are_simulated_in_the_full_model(posterior, zones, regions):
    settings = replace(SETTINGS, confirm=1, confirm_draws=2)
    plans = run_surgery(posterior, Patient(zones, regions), settings, generator()).outcomes
    assert plans["p_seizure_free_6d"][0] == 1.0
    assert plans["p_seizure_free_6d"].notna().sum() == 1


def test_nothing_is_ranked_under_do_not_use(posterior, zones, regions):
    patient = Patient(zones, regions, verdict=DO_NOT_USE)
    found = run_surgery(posterior, patient, replace(SETTINGS, confirm=2), generator())
    assert found.outcomes["rank"].isna().all()
    assert found.outcomes["candidate"].tolist() == sorted(found.outcomes["candidate"])
    assert found.outcomes["p_seizure_free_6d"].isna().all()
    assert found.conclusion == NOT_RANKED


def test_explanations_are_written_and_read_as_computed(posterior, zones, regions, tmp_path):
    found = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator()).explanations
    assert list(found.table["regions"]) == ["r0,r4"]
    assert found.table.loc[0, "plan"] == "r0,r4"
    write_table(tmp_path / "explanations.tsv", found.table, found.about())
    (row,) = load_explanations(tmp_path / "explanations.tsv").rows
    assert (row.certain, row.possible, row.p, row.credible) == ("r0,r4", None, 1.0, True)


@pytest.mark.parametrize("verdict", [DO_NOT_USE, NOT_FITTED])
def test_a_fit_that_is_not_used_has_no_explanation(posterior, zones, regions, verdict, tmp_path):
    patient = Patient(zones, regions, verdict=verdict)
    found = run_surgery(posterior, patient, SETTINGS, generator()).explanations
    write_table(tmp_path / "explanations.tsv", found.table, found.about())
    read = load_explanations(tmp_path / "explanations.tsv")
    assert read.rows == ()
    assert np.isnan(read.index)


def test_no_better_than_sham_is_reported(posterior, zones, regions):
    hopeless = posterior.copy(deep=True)
    hopeless.attrs = posterior.attrs
    hopeless["posterior"]["x0"][:] = -1.6
    found = run_surgery(hopeless, Patient(zones, regions), SETTINGS, generator())
    assert found.conclusion == NO_BETTER
    assert found.outcomes["sentence"].str.contains("not clearly better than random plans").any()


def test_the_first_plan_is_better_than_chance_and_its_sentence_says_so(posterior, zones, regions):
    found = run_surgery(posterior, Patient(zones, regions), SETTINGS, generator())
    first = found.outcomes.iloc[0]
    assert found.conclusion == first["sentence"]
    assert first["sentence"].startswith("Resecting r0, r4 (6.0 cm³) leaves 0.0 of 5.0 seizing")
    assert "fewer than 5% of random plans of the same size do as well" in first["sentence"]
    assert first["p_sham"] < 0.05
    assert first["on_front"]


def test_clinical_plans_are_ranked_with_the_others(posterior, zones, regions):
    own = (resection(("r3",)), Candidate("part", "ablation", ("r0", "r4"), (0.6, 0.6)))
    plans = table(posterior, zones, regions, plans=own).set_index("candidate")
    assert plans.loc["r3", "share_free"] == 0.0
    assert plans.loc["part", "share_free"] == 1.0
    assert plans.loc["part", "volume_mm3"] == pytest.approx(0.6 * 6000)


def test_priced_regions_may_be_in_a_plan_and_are_named(posterior, zones, regions):
    patient = Patient(zones, regions, eloquent=(("r0", "speech"),))
    settings = replace(SETTINGS, eloquent="priced")
    first = run_surgery(posterior, patient, settings, generator()).outcomes.iloc[0]
    assert first["eloquent"] == "r0 (speech)"
    assert "it includes r0 (speech)" in first["sentence"]


def test_the_resection_that_was_done_is_a_plan_and_changes_no_other(posterior, zones, regions):
    settings = replace(SETTINGS, confirm=2, confirm_draws=2)
    done = Candidate(DONE, "clinical", ("r0", "r1", "r3", "r4", "r5", "r6"), (0.8,) * 6)

    def plan(**known):
        patient = Patient(zones, regions, hypothesis=("r0",), **known)
        return run_surgery(posterior, patient, settings, generator())

    without, with_it = plan(), plan(done=done)
    row = with_it.outcomes.set_index("candidate").loc[DONE]
    assert row["share_free"] == with_it.predicted["share_free"]
    assert row["p_seizure_free"] == with_it.predicted["p_seizure_free"]
    assert row["p_sham"] > 0
    changed = ["rank", "on_front"]
    kept = with_it.outcomes[with_it.outcomes["candidate"] != DONE]
    common = kept[kept["candidate"].isin(without.outcomes["candidate"])]
    pd.testing.assert_frame_equal(
        without.outcomes.drop(columns=changed), common.drop(columns=changed).reset_index(drop=True)
    )
    assert without.conclusion == with_it.conclusion
