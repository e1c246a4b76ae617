"""Candidate plans."""

import pytest

from virtualbrain.errors import ConfigError, ModelError
from virtualbrain.surgery.candidates import Candidate, disconnections, leading_plans, sham_plans
from virtualbrain.surgery.settings import ApproachSettings, StimulationSettings, SurgerySettings


def test_plans_are_not_repeated():
    plans = leading_plans(["a", "b", "c"], SurgerySettings(largest=3))
    sets = [frozenset(plan.regions) for plan in plans]
    assert len(sets) == len(set(sets)) == 7


def test_disconnections_are_not_repeated():
    assert [plan.regions for plan in disconnections(["a"])] == [("a",)]
    assert disconnections([]) == []


def test_sham_plans_have_distinct_regions_of_the_given_size(generator):
    groups = sham_plans(["a", "b", "c"], [0, 1, 2, 2, 9], 4, generator)
    assert sorted(groups) == [1, 2]
    assert all(len(set(plan.regions)) == 2 for plan in groups[2])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("resection",), "empty"),
        (("resection", ("a", "a")), "repeats a region"),
        (("ablation", ("a", "b"), (0.5,)), "1 resected fractions"),
        (("ablation", ("a",), (1.5,)), "outside 0 to 1"),
    ],
)
def test_impossible_plans_are_refused(arguments, words):
    with pytest.raises(ModelError, match=words):
        Candidate("x", *arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"draws": 0}, {"target": 1.0}, {"interval": 0.0}, {"confirm": -1}, {"gone_share": 0.0},
        {"rest_of_region": "sad"}, {"eloquent": "spoken"},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SurgerySettings(**wrong)


def test_impossible_nested_settings_are_refused():
    with pytest.raises(ConfigError, match="radius_mm"):
        ApproachSettings(radius_mm=-1)
    with pytest.raises(ConfigError, match="width_s"):
        StimulationSettings(width_s=0)
