"""Constraints on one operation, and the search for the smallest plan."""

import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import ConfigError
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.search import MANY_REGIONS, Search
from virtualbrain.surgery.settings import ApproachSettings, SurgerySettings


@pytest.fixture
def head() -> pd.DataFrame:
    """Four regions in a row, 20 mm apart, the last one on the other side."""
    return pd.DataFrame(
        {"name": list("abcd"), "hemisphere": ["L", "L", "L", "R"], "x": [0.0, 20.0, 60.0, 80.0],
         "y": 0.0, "z": 0.0, "volume": 4000.0}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "allowed", "refused"),
    [
        ({"one_side": True}, "abc", "cd"),
        ({"contiguous": True}, "ab", "bc"),
        ({"radius_mm": 15.0}, "ab", "ac"),
        ({"volume_mm3": 8000.0}, "ad", "abc"),
    ],
)
def test_limits(head, limits, allowed, refused):
    approach = ResectionConstraints(head, ApproachSettings(**limits))
    assert approach.allows(allowed)
    assert not approach.allows(refused)
    assert ResectionConstraints(head).allows(refused)


def test_forbidden_regions_are_never_allowed(head):
    approach = ResectionConstraints(head, forbidden={"b"})
    assert approach.allows("ac")
    assert not approach.allows("abc")


def test_a_limit_without_its_column_is_refused(head):
    with pytest.raises(ConfigError, match="column volume"):
        ResectionConstraints(head.drop(columns="volume"), ApproachSettings(volume_mm3=5.0))


def test_the_search_finds_the_smallest_plan(draws, regions, generator):
    search = Search(
        ["r1", "r0", "r2", "r4"], draws, SurgerySettings(), ResectionConstraints(regions)
    )
    found = search.smallest(generator)
    assert found is not None
    assert set(found.candidate.regions) == {"r0", "r4"}
    assert (
        Search([], draws, SurgerySettings(), ResectionConstraints(regions)).smallest(generator)
        is None
    )


def test_exchange_corrects_a_wrong_first_region(draws, regions):
    search = Search(draws.regions, draws, SurgerySettings(), ResectionConstraints(regions))
    (wrong,) = search.outcomes([("r1", "r4")])
    assert set(search._exchanged(wrong).candidate.regions) == {"r0", "r4"}


def test_search_respects_the_constraints(draws, regions, generator):
    approach = ResectionConstraints(regions, ApproachSettings(volume_mm3=1500.0))
    found = Search(draws.regions, draws, SurgerySettings(), approach).smallest(generator)
    assert found is not None
    assert found.candidate.regions == ("r0",)


def test_annealing_agrees_with_the_greedy_search(draws, regions, generator, monkeypatch):
    monkeypatch.setattr("virtualbrain.surgery.search.MANY_REGIONS", len(draws.regions))
    assert len(draws.regions) < MANY_REGIONS
    search = Search(draws.regions, draws, SurgerySettings(), ResectionConstraints(regions))
    (start,) = search.outcomes([("r3",)])
    ends = [search._pruned(end) for end in search._annealed(start, generator)]
    assert {"r0", "r4"} in [set(end.candidate.regions) for end in ends]
    found = search.smallest(generator)
    assert found is not None
    assert set(found.candidate.regions) == {"r0", "r4"}
    assert np.isfinite(search.energies([("r0",)])).all()
