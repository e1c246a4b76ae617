"""Explanations: zones of the draws, grouped by a stated rule."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.surgery.explanations import COLUMNS, explanations, separated
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.zone_clusters import (
    effective_number,
    grouped,
    monte_carlo_error,
    zone_draws,
)
from virtualbrain.surgery.zone_families import MASKED, NAMED

NAMES = ("a", "b", "c", "d", "e")
TABLE = pd.DataFrame({"name": NAMES, "volume": 1000.0})
THRESHOLD = float(critical_x0(15.0))


def made_posterior(chains, onsets=None) -> xr.DataTree:
    """Return a posterior whose draws have these zones, given as strings such as "ab"."""
    starts = np.array([[[name in zone for name in NAMES] for zone in zones] for zones in chains])
    lead = ("chain", "draw")
    samples = xr.Dataset(
        {
            "x0": ((*lead, "region"), np.where(starts, THRESHOLD + 0.3, THRESHOLD - 0.3)),
            "tau0": (lead, np.full(starts.shape[:2], 15.0)),
        },
        coords={"region": list(NAMES)},
    )
    if onsets is not None:
        samples["onset_s"] = ((*lead, "region"), np.asarray(onsets, dtype=float))
    gain = np.eye(len(NAMES))[:4] + 0.01
    constant = xr.Dataset(
        {"gain": (("channel", "region"), gain)},
        coords={"channel": ["A1-A2", "A2-A3", "B1-B2", "B2-B3"], "region": list(NAMES)},
    )
    tree = xr.DataTree.from_dict({"/posterior": samples, "/constant_data": constant})
    tree.attrs = {"I1": 3.1}
    return tree


def repeated(seed=0, n_chains=2, **counts) -> list[list[str]]:
    """Return the chains of draws with these counts per chain, in random order."""
    rng = np.random.default_rng(seed)
    zones = [zone for zone, count in counts.items() for _ in range(count)]
    return [list(rng.permutation(zones)) for _ in range(n_chains)]


def peaks(chains) -> list[str]:
    found = grouped(zone_draws(made_posterior(chains), 0.05))
    return ["".join(sorted(peak)) for peak in found.peaks]


def test_an_exchange_of_regions_is_two_explanations():
    assert peaks(repeated(ab=50, ac=30)) == ["ab", "ac"]


def test_a_region_that_is_uncertain_by_itself_is_one_explanation():
    assert peaks(repeated(ab=50, a=30, abc=20)) == ["ab"]


def test_a_probable_zone_between_two_peaks_joins_them():
    assert peaks(repeated(ab=50, abc=15, ac=30)) == ["ab"]
    assert peaks(repeated(ab=50, abc=14, ac=30)) == ["ab", "ac"]


def test_independent_regions_are_one_explanation_however_many_zones_they_form():
    rng = np.random.default_rng(3)
    chains = [
        ["a" + "".join(name for name in "bcde" if rng.random() < 0.5) for _ in range(800)]
        for _ in range(2)
    ]
    assert len(peaks(chains)) == 1


def test_few_draws_join_the_nearest_explanation():
    draws = zone_draws(made_posterior(repeated(ab=60, cd=39, bcde=1)), 0.0)
    found = grouped(draws)
    assert found.peaks == (frozenset("ab"), frozenset("cd"))
    assert found.zones[1] == {frozenset("cd"), frozenset("bcde")}
    assert found.p == pytest.approx([0.6, 0.4])


def test_every_draw_belongs_to_the_explanation_that_lists_its_zone():
    rng = np.random.default_rng(5)
    some = ["ab", "ac", "b", "bd", "e", "de", "abc"]
    draws = zone_draws(made_posterior([list(rng.choice(some, 200)) for _ in range(3)]), 0.0)
    found = grouped(draws)
    assert found.p.sum() == pytest.approx(1.0)
    assert np.all(np.diff(found.p) <= 0)
    for row, number in zip(draws.in_ez, found.of_draw, strict=True):
        zone = frozenset(np.array(NAMES)[row])
        assert [zone in zones for zones in found.zones].index(True) == number
    assert sum(len(zones) for zones in found.zones) == len(set(map(bytes, draws.in_ez)))


def test_the_order_of_draws_and_regions_changes_nothing():
    chains = repeated(ab=40, ac=30, bd=20, d=10)
    assert peaks(chains) == peaks([zones[::-1] for zones in chains])


def test_unsuspected_regions_and_draws_without_a_zone_are_left_out():
    draws = zone_draws(made_posterior(repeated(ab=60, abe=2, e=2, d=36)), 0.05)
    assert draws.regions == ("a", "b", "d")
    assert draws.explained == pytest.approx(0.98)
    assert len(draws.in_ez) == 196


def test_effective_number_of_equal_groups_is_their_number():
    assert effective_number(np.array([0, 0, 1, 1, 2, 2])) == pytest.approx(3.0)
    assert effective_number(np.zeros(5, dtype=int)) == pytest.approx(1.0)


def test_monte_carlo_error_is_that_of_independent_draws_or_of_chains_that_disagree():
    rng = np.random.default_rng(1)
    errors = []
    for _ in range(60):
        chains = [list(rng.choice(["a", "b"], 250)) for _ in range(4)]
        draws = zone_draws(made_posterior(chains), 0.05)
        errors.append(monte_carlo_error(lambda m, d=draws: d.in_ez[m].mean(axis=0)[:1], draws)[0])
    assert np.mean(errors) == pytest.approx(np.sqrt(0.25 / 1000), rel=0.35)
    split = zone_draws(made_posterior([["a"] * 50, ["b"] * 50]), 0.05)
    error = monte_carlo_error(lambda m: split.in_ez[m].mean(axis=0)[:1], split)
    assert error == pytest.approx([0.5], abs=0.01)


ZONES = (0.55, 0.25, 0.12, 0.08)


def listed(chains, onsets=None, **choices):
    constraints = ResectionConstraints(TABLE, forbidden=choices.pop("forbidden", ()))
    return explanations(made_posterior(chains, onsets), SurgerySettings(**choices), constraints)


def test_the_list_ends_at_the_credible_probability_and_the_odds():
    found = listed(repeated(ab=55, ac=25, d=12, e=8))
    assert list(found.table.columns) == list(COLUMNS)
    assert list(found.table["regions"]) == ["a,b", "a,c", "d", "e"]
    assert list(found.table["credible"]) == [True] * 4
    few = listed(repeated(ab=87, ac=8, d=5))
    assert list(few.table["p"]) == pytest.approx([0.87, 0.08])
    assert few.about()["Listed"] == pytest.approx(0.95)
    assert few.index_zones == pytest.approx(few.index)  # every zone is an explanation
    assert found.index_zones == pytest.approx(np.exp(-sum(p * np.log(p) for p in ZONES)))
    assert few.index == pytest.approx(np.exp(-sum(p * np.log(p) for p in (0.87, 0.08, 0.05))))


def test_certain_and_possible_regions_and_plan():
    found = listed(repeated(ab=50, abc=8, ac=2, d=40), target=0.9).table
    first = found.iloc[0]
    assert (first["certain"], first["possible"]) == ("a,b", "c")
    assert first["not_excluded"] is None
    assert list(found["n_zones"]) == [2, 1]
    assert first["plan"] == "a,b,c"
    assert (first["p_plan_holds"], first["p_plan_holds_all"]) == pytest.approx((1.0, 0.6))
    assert found.iloc[1]["plan"] == "d"


def test_every_explanation_names_the_regions_that_are_not_excluded():
    found = listed(repeated(ab=50, abe=4, d=46), suspicion=0.05)
    assert list(found.table["not_excluded"]) == ["e", "e"]
    assert list(found.table["n_zones"]) == [2, 2]
    assert found.about()["NotExcluded"] == {"Masked": MASKED, "Named": NAMED}


def test_a_plan_contains_no_forbidden_region():
    found = listed(repeated(ab=60, d=40), forbidden=("a", "d")).table
    assert found.iloc[0]["plan"] == "b"
    assert found.iloc[0]["p_plan_holds"] == 0.0
    assert pd.isna(found.iloc[1]["plan"])


def test_the_region_that_differs_most_and_the_order_come_from_the_onsets():
    chains = repeated(ab=30, ac=20)
    zones = np.array(chains)
    onsets = np.full((*zones.shape, 5), np.nan)
    onsets[..., 0] = 1.0
    onsets[..., 1] = np.where(zones == "ab", 0.5, 9.0)
    onsets[..., 3] = np.where(zones == "ac", 4.0, np.nan)
    onsets[0, :3, 4] = 2.0
    table = listed(chains, onsets).table
    assert list(table["order"]) == ["b,a", "a,d,b"]
    second = table.iloc[1]
    assert second["distinct_region"] in ("b", "d")
    assert second["distinctness"] == pytest.approx(1.0)
    assert second["distinct_channel"] == {"b": "A2-A3", "d": "B2-B3"}[second["distinct_region"]]
    assert pd.isna(table.iloc[0]["distinct_region"])


def test_a_fit_without_onsets_has_no_order():
    table = listed(repeated(ab=30, ac=20)).table
    assert table["order"].isna().all()
    assert table["distinct_region"].isna().all()


def test_a_fit_in_which_no_region_is_suspected_has_no_explanation():
    found = listed([[""] * 20, [""] * 20])
    assert found.table.empty
    assert np.isnan(found.index)


def test_separation_counts_a_region_that_does_not_seize_as_latest():
    never, early = np.full(10, np.inf), np.arange(10.0)
    assert separated(never, early) == separated(early, never) == 1.0
    assert separated(never, never) == separated(early, early) == 0.0
    rng = np.random.default_rng(2)
    one, other = rng.integers(0, 6, 40) * 1.0, rng.integers(2, 9, 30) * 1.0
    pairs = np.sign(other[None] - one[:, None]).mean()
    assert separated(one, other) == pytest.approx(abs(pairs))
