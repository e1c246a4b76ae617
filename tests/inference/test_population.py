"""Other connectomes: what a variant changes and keeps, and the fits with them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import population
from inference.connectome_variants import (
    Zones,
    groups_of,
    rewired,
    variants,
    with_factors,
    without,
    without_weakest,
)
from inference.onsets.fit import sample_onsets
from inference.onsets.sampler import fill_power
from inference.population import Wanted, effects_of, refit, structure_of
from inference.priors import load_priors
from inference.problem import Problem
from inference.settings import Settings
from virtualbrain.errors import InputError
from virtualbrain.network import normalise_weights
from virtualbrain.posterior import PlanOf, ZoneList

N, M, EZ, RECRUITED = 10, 30, 2, 6
SECONDS = np.arange(-5.0, 45.0, 0.5)
REGIONS = [f"region-{i + 1}" for i in range(N)]


def connectome(seed: int, n: int = N, density: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.lognormal(0, 1.5, (n, n)) * (rng.random((n, n)) < density), 1)
    return weights + weights.T


def zones_at(zone: list[int], recruited: list[int], n: int = N) -> Zones:
    return Zones(np.isin(np.arange(n), zone), np.isin(np.arange(n), recruited))


ZONES = zones_at([EZ, 4], [RECRUITED, 7])


def test_every_pair_of_regions_is_in_one_group():
    groups = groups_of(ZONES)
    count = sum(g.astype(int) for g in (groups.zone_recruited, groups.zone_others, groups.rest))
    assert np.array_equal(count, 1 - np.eye(N, dtype=int))
    assert groups.zone_recruited.sum() == 2 * 2 * 2


@given(st.integers(0, 2**32 - 1), st.sampled_from(["zone_recruited", "zone_others", "rest"]))
def test_factors_change_only_their_group_and_keep_its_summed_weight(seed, name):
    weights, group = connectome(seed), getattr(groups_of(ZONES), name)
    changed = with_factors(weights, group, np.random.default_rng(seed))
    assert np.array_equal(changed, changed.T)
    assert np.array_equal(changed[~group], weights[~group])
    assert changed[group].sum() == pytest.approx(weights[group].sum())
    assert not np.isclose(changed[group], weights[group]).all()


@pytest.mark.parametrize("density", [0.3, 1.0])
def test_rewiring_keeps_every_strength_and_little_else(density):
    weights = connectome(1, 60, density)
    found = rewired(weights, np.random.default_rng(2))
    assert np.array_equal(found, found.T)
    assert (np.diag(found) == 0).all()
    assert found.sum(axis=1) == pytest.approx(weights.sum(axis=1), rel=2e-3)
    upper = np.triu_indices(60, 1)
    assert abs(np.corrcoef(found[upper], weights[upper])[0, 1]) < 0.5


def test_rewiring_by_distance_keeps_strengths_and_the_fall_with_distance():
    rng = np.random.default_rng(12)
    places = rng.uniform(0, 100, (60, 3))
    distance_mm = np.linalg.norm(places[:, None] - places, axis=-1)
    weights = connectome(13, 60) ** 0.5 * np.exp(-distance_mm / 18.0)
    upper = np.triu_indices(60, 1)
    kept, lost = rewired(weights, rng, distance_mm), rewired(weights, rng)
    assert np.array_equal(kept, kept.T)
    assert kept.sum(axis=1) == pytest.approx(weights.sum(axis=1), rel=2e-3)
    assert not np.isclose(kept[upper], weights[upper]).any()
    nearness = [
        pd.Series(w[upper]).corr(pd.Series(-distance_mm[upper]), method="spearman")
        for w in (weights, kept, lost)
    ]
    assert nearness[1] > 0.9 * nearness[0] > 0.5
    assert abs(nearness[2]) < 0.5 * nearness[0]


def test_rewiring_leaves_a_region_without_connections_alone():
    weights = connectome(3)
    weights[0] = weights[:, 0] = 0.0
    found = rewired(weights, np.random.default_rng(4))
    assert not found[0].any()
    assert found[1:, 1:].sum(axis=1) == pytest.approx(weights.sum(axis=1)[1:], rel=2e-3)


@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.floats(0.05, 1.0))
def test_any_network_can_be_rewired(seed, n, density):
    weights = connectome(seed, n, density)
    found = rewired(weights, np.random.default_rng(seed))
    assert found.sum(axis=1) == pytest.approx(weights.sum(axis=1), rel=2e-3)
    assert (found >= 0).all()


def test_the_weaker_half_of_the_connections_is_removed():
    weights = connectome(6)
    found = without_weakest(weights)
    left = found > 0
    assert np.array_equal(found[left], weights[left])
    assert left.sum() == pytest.approx(0.5 * (weights > 0).sum(), abs=2)
    assert weights[left].min() > weights[~left].max()


def test_stated_connections_are_removed_and_no_other():
    weights = connectome(7)
    found = without(weights, ["region-1", "region-3"], REGIONS)
    assert found[0, 2] == found[2, 0] == 0
    assert ((found != weights).sum()) == 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["region-1", "nowhere"], "no region nowhere"),
        (["region-1"], "no connection among region-1"),
        (["region-1", "region-2"], "no connection among region-1, region-2"),
    ],
)
def test_connections_that_do_not_exist_are_an_error(names, words):
    weights = connectome(8)
    weights[0, 1] = weights[1, 0] = 0.0
    with pytest.raises(InputError, match=words):
        without(weights, names, REGIONS)


def test_variants_are_seeded_and_every_kind_comes_as_often_as_asked():
    weights = connectome(9)

    def made():
        rng = np.random.default_rng(1)
        return list(variants(weights, ZONES, 2, [REGIONS[:2]], REGIONS, rng))

    one, other = made(), made()
    assert all(np.array_equal(a.weights, b.weights) for a, b in zip(one, other, strict=True))
    counts = pd.Series([v.kind for v in one]).value_counts().to_dict()
    twice = ("again", "factors", "zone-recruited", "zone-others", "rest", "rewired")
    assert counts == dict.fromkeys((*twice, "zone-strength"), 2) | {"weakest": 1, "removed": 1}
    assert len({v.name for v in one}) == len(one)


def test_distances_add_a_kind_and_leave_the_other_variants_as_they_are():
    weights = connectome(9)
    distance_mm = np.abs(np.subtract.outer(np.arange(N), np.arange(N))).astype(float)

    def made(distance_mm=None):
        rng = np.random.default_rng(1)
        return list(variants(weights, ZONES, 2, [], REGIONS, rng, distance_mm))

    without_it, with_it = made(), made(distance_mm)
    pairs = zip(without_it, with_it[:-2], strict=True)
    assert all(np.array_equal(a.weights, b.weights) for a, b in pairs)
    assert [v.kind for v in with_it[-2:]] == ["rewired-distance"] * 2


def test_the_change_of_structure_is_in_the_group_that_was_changed():
    weights = normalise_weights(connectome(10), "strength")
    same = structure_of(weights, weights, ZONES)
    assert same.pop("similarity") == pytest.approx(1.0)
    assert set(same.values()) == {0.0}
    changed = with_factors(weights, groups_of(ZONES).rest, np.random.default_rng(11))
    found = structure_of(changed, weights, ZONES)
    assert found["rest"] > 0.1
    for name in ("zone_strength", "zone_recruited", "zone_others"):
        assert found[name] == pytest.approx(0.0, abs=1e-9)
    double = weights.copy()
    border = np.outer(ZONES.zone, ~ZONES.zone)
    double[border | border.T] *= 2.0
    assert 0 < structure_of(double, weights, ZONES)["zone_strength"] < np.log(2)


def test_scaled_weights_are_no_change_of_structure():
    weights = connectome(12)
    found = structure_of(7.0 * weights, weights, ZONES)
    assert found["rest"] == pytest.approx(0.0, abs=1e-9)


def table_with(change: np.ndarray, moved: np.ndarray) -> pd.DataFrame:
    rows = len(change)
    table = pd.DataFrame({name: np.zeros(rows) for name in population.STRUCTURE})
    other = np.random.default_rng(3).random((rows, 2))
    table = table.assign(kind="factors", moved=moved, p_plan_holds=0.9 - 0.1 * moved, rest=change,
                         zone_recruited=other[:, 0], zone_strength=other[:, 1])  # fmt: skip
    own = table.iloc[:1].assign(kind="own", moved=0.0, p_plan_holds=0.9)
    again = table.iloc[:1].assign(kind="again", moved=99.0)
    return pd.concat([own, again, table], ignore_index=True)


def test_an_effect_of_structure_is_found_and_a_constant_one_is_not():
    change = np.linspace(0, 1, 12)
    effects = effects_of(table_with(change, change**2), np.random.default_rng(1))
    effects = effects.set_index(["structure", "answer"])
    assert set(effects["n"]) == {12}
    assert effects.loc[("rest", "moved"), "rank_correlation"] == pytest.approx(1.0)
    assert effects.loc[("rest", "moved"), "partial"] > 0.99
    assert effects.loc[("rest", "moved"), "chance"] < 0.001
    assert np.isnan(effects.loc[("zone_recruited", "moved"), "partial"])  # nothing is left
    assert effects.loc[("rest", "holds_less"), "rank_correlation"] == pytest.approx(1.0)
    assert np.isnan(effects.loc[("zone_others", "moved"), "rank_correlation"])


def test_a_change_that_only_goes_with_another_one_has_no_partial_effect():
    rng = np.random.default_rng(4)
    change = rng.random(60)
    table = table_with(change, change + 0.02 * rng.random(60))
    table["zone_others"] = np.r_[0.0, 0.0, change + 0.2 * rng.random(60)]
    effects = effects_of(table, rng).set_index(["structure", "answer"])
    assert effects.loc[("zone_others", "moved"), "rank_correlation"] > 0.8
    assert abs(effects.loc[("zone_others", "moved"), "partial"]) < 0.3
    assert effects.loc[("rest", "moved"), "partial"] > 0.9


def test_the_chance_of_an_effect_of_nothing_is_even():
    rng = np.random.default_rng(2)
    chances = []
    for _ in range(40):
        table = table_with(rng.random(12), rng.random(12))
        effects = effects_of(table, rng)
        chances.append(effects[effects["structure"] == "rest"]["chance"].iloc[0])
    assert 0.3 < np.mean(chances) < 0.7
    assert effects_of(table.head(5), rng).empty  # three other connectomes


@pytest.fixture(scope="module")
def sample():
    """A fit of a seizure that starts in one region and recruits the one it is connected with."""
    rng = np.random.default_rng(5)
    gain = 0.001 + 0.001 * rng.random((M, N))
    gain[np.arange(M), np.arange(M) % N] += 1.0
    gain /= gain.sum(axis=1, keepdims=True)
    weights = np.full((N, N), 0.05) + 0.02 * connectome(13) / connectome(13).max()
    weights[EZ, RECRUITED] = weights[RECRUITED, EZ] = 3.0
    np.fill_diagonal(weights, 0.0)
    power = np.zeros((N, len(SECONDS)))
    for region, onset in ((EZ, 0.0), (RECRUITED, 9.0)):
        fill_power(SECONDS, onset, 35.0, 4.0, 1.0, 1.0, power[region])
    clean = np.log1p(gain @ power).T
    problem = Problem(
        [clean + 0.2 * rng.standard_normal(clean.shape)], gain, weights, times=[SECONDS]
    )
    settings = Settings(moves=5000, draws=150, chains=2, cores=1, n_steps=60, extension=0.0)
    return sample_onsets(problem, load_priors(), settings)


PLAN = PlanOf(lambda tree: (f"region-{EZ + 1}",), lambda tree, plan: 1.0)


def listed(tree) -> ZoneList:
    return ZoneList((f"region-{EZ + 1}",), frozenset([f"region-{EZ + 1}"]), 1, 1.0)


@pytest.mark.slow
def test_a_connection_that_explains_recruitment_carries_the_answer(sample):
    """Without it the recruited region starts seizures; with another one it stays recruited."""
    weights = np.asarray(sample.density.problem.weights)
    elsewhere = with_factors(
        weights, groups_of(zones_at([EZ], [RECRUITED])).rest, np.random.default_rng(1)
    )
    wanted = Wanted({"other": elsewhere}, 0, [[f"region-{EZ + 1}", f"region-{RECRUITED + 1}"]])
    found = refit(sample, wanted, PLAN, listed, seed=1)
    table = found.table.set_index("kind")
    assert list(table.index) == ["own", "person", "removed"]
    assert found.zone == (f"region-{EZ + 1}",)
    assert found.recruited == (f"region-{RECRUITED + 1}",)
    assert table.loc["own", "moved"] == 0.0
    assert table.loc["own", "similarity"] == pytest.approx(1.0)
    assert table.loc["person", "moved"] < 0.15
    assert table.loc["removed", "moved"] > 0.2
    assert table.loc["removed", "changed_region"] == f"region-{RECRUITED + 1}"
    assert table.loc["removed", "change"] > 0.4
    assert table.loc["removed", "clear"]
    assert table["same_zone"].all()
    assert found.effects.empty


@pytest.mark.slow
def test_a_warm_fit_agrees_with_a_cold_one(sample):
    weights = np.asarray(sample.density.problem.weights).copy()
    weights[EZ, RECRUITED] = weights[RECRUITED, EZ] = 0.0
    rng = np.random.default_rng(2)
    warm = population._sampled(sample, weights, 7, rng)
    problem = warm.density.problem
    settings = Settings(moves=6000, draws=150, chains=2, cores=1, n_steps=60, extension=0.0)
    cold = sample_onsets(problem, load_priors(), settings)
    means = [np.mean([c.p_ez.mean(axis=0) for c in s.chains], axis=0) for s in (cold, warm)]
    assert means[1] == pytest.approx(means[0], abs=0.1)
    assert warm.density.settings.n_steps == cold.density.settings.n_steps
