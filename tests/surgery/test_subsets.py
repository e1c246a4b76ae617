"""Outcomes of all subsets of the leading regions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import ConfigError
from virtualbrain.surgery import outcome as simulation
from virtualbrain.surgery.candidates import no_surgery, resection
from virtualbrain.surgery.draws import draws_from
from virtualbrain.surgery.outcome import simulate_plans
from virtualbrain.surgery.run import DO_NOT_USE, NOT_FITTED, Patient, run_surgery
from virtualbrain.surgery.seizure_freedom import SeizureFreedom
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.subsets import COLUMNS, explored_regions, subset_outcomes, subsets_of

SETTINGS = SurgerySettings(draws=40, leading=5, largest=3, explore=4, sham=10, confirm=0)


def run(posterior, zones, regions, settings=SETTINGS, **known):
    rng = np.random.default_rng(3)
    return run_surgery(posterior, Patient(zones, regions, **known), settings, rng)


@pytest.mark.parametrize(
    "chosen", [("r0", "r2"), ("r0", "r4", "r1", "r2")], ids=["known", "simulated only here"]
)
def test_a_row_equals_a_direct_simulation(posterior, zones, regions, chosen):
    found = run(posterior, zones, regions)
    row = found.subsets.set_index("regions").loc[",".join(chosen)]
    draws = draws_from(posterior, 40, np.random.default_rng(3), SETTINGS.suspicion)
    before, after = simulate_plans([no_surgery(), resection(chosen)], draws, SETTINGS)
    assert row["seizing_before"] == before.seizing.mean()
    assert row["seizing_after"] == after.seizing.mean()
    assert row["share_free"] == after.share_free
    assert row["p_seizure_free"] == SeizureFreedom(found.p_elsewhere, found.p_sampled).probability(
        after.share_free
    )
    volume = dict(zip(regions["name"], regions["volume"], strict=True))
    assert row["volume_mm3"] == sum(volume[name] for name in chosen)
    often = np.flatnonzero(after.p_region >= 0.1)
    remaining = set() if pd.isna(row["remaining"]) else set(row["remaining"].split(","))
    assert remaining == {draws.regions[i] for i in often}


def test_every_subset_has_one_row_and_those_of_the_search_are_the_same(posterior, zones, regions):
    found = run(posterior, zones, regions)
    table = found.subsets
    assert tuple(table.columns) == COLUMNS
    names = table["regions"].str.split(",").map(frozenset)
    assert len(table) == names.nunique() == 15
    assert set().union(*names) == {"r0", "r4", "r1", "r2"}
    plans = found.outcomes[found.outcomes["kind"] == "resection"]
    plans = plans.assign(key=plans["regions"].str.split(",").map(frozenset))
    both = plans.merge(table.assign(key=names), on="key", suffixes=("", "_subset"))
    assert len(both) >= 10
    for column in ("p_seizure_free", "seizing_after", "volume_mm3", "p_sham", "p_holds_ez"):
        pd.testing.assert_series_equal(
            both[column], both[f"{column}_subset"], check_names=False, obj=column
        )


def test_what_was_simulated_is_not_simulated_again(posterior, draws, monkeypatch):
    known = simulate_plans([resection(("r4", "r0")), resection(("r0",))], draws, SETTINGS)
    simulated: list[int] = []
    steps = simulation.onset_steps

    def counted(changes, *rest):
        simulated.append(len(changes))
        return steps(changes, *rest)

    monkeypatch.setattr(simulation, "onset_steps", counted)
    found = subset_outcomes(("r0", "r4", "r1"), known, draws, SETTINGS)
    assert sum(simulated) == 5
    assert [o.candidate.regions for o in found] == subsets_of(("r0", "r4", "r1"))


def test_exploring_changes_no_other_table(posterior, zones, regions):
    with_it, without = (
        run(
            posterior, zones, regions, replace(SETTINGS, explore=number, confirm=1, confirm_draws=2)
        )
        for number in (4, 0)
    )
    pd.testing.assert_frame_equal(with_it.outcomes, without.outcomes)
    pd.testing.assert_frame_equal(with_it.recruitment, without.recruitment)
    assert without.subsets.empty
    assert tuple(without.subsets.columns) == COLUMNS


@pytest.mark.parametrize("verdict", [DO_NOT_USE, NOT_FITTED])
def test_nothing_is_offered_without_a_ranked_fit(posterior, zones, regions, verdict):
    assert run(posterior, zones, regions, verdict=verdict).subsets.empty


def test_eloquent_regions_can_be_chosen_and_are_named(posterior, zones, regions):
    table = run(posterior, zones, regions, eloquent=(("r0", "speech"),)).subsets
    takes = table["regions"].str.split(",").map(lambda names: "r0" in names)
    assert takes.any()
    assert (table.loc[takes, "eloquent"] == "r0 (speech)").all()
    assert not table.loc[takes, "allowed"].any()
    assert table.loc[~takes, "eloquent"].isna().all()
    assert table.loc[~takes, "allowed"].all()


def test_the_regions_of_the_first_resection_are_among_the_explored():
    ranked = ["a", "b", "c", "d", "e"]
    assert explored_regions(ranked, ("e", "b"), 3) == ("a", "b", "e")
    assert explored_regions(ranked, (), 2) == ("a", "b")
    assert explored_regions(ranked, ("e", "b"), 0) == ()


def test_too_many_explored_regions_are_refused():
    with pytest.raises(ConfigError, match=r"surgery\.explore is 9"):
        SurgerySettings(explore=9)
