"""Aggregates of sites equal pooled figures and identify no person."""

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virtualbrain.cohort.federation import (
    KINDS,
    RANGES,
    SMALLEST,
    Record,
    aggregate,
    figures,
    merge,
    read_aggregate,
    write_aggregate,
)
from virtualbrain.errors import InputError

SETTING = {"atlas": "A", "priors": "default"}


def record(label: int, rng: np.random.Generator, **numbers: float | None) -> Record:
    drawn = {name: float(rng.uniform(low, high)) for name, (low, high) in RANGES.items()}
    return Record(
        label=f"{label:03d}",
        numbers=drawn | numbers,
        words={kind: str(rng.choice(["a", "b"])) for kind in KINDS},
        regions=frozenset(str(r) for r in ("R1", "R2", "R3") if rng.random() < 0.5),
    )


def site(count: int, seed: int) -> list[Record]:
    rng = np.random.default_rng(seed)
    return [record(i, rng) for i in range(count)]


@pytest.mark.parametrize("seeds", [(1, 2), (3, 4), (5, 6)])
def test_two_sites_equal_the_pooled_patients(seeds):
    one, two = site(60, seeds[0]), site(83, seeds[1])
    merged = figures(merge([aggregate(one, SETTING), aggregate(two, SETTING)]))
    pooled = figures(aggregate(one + two, SETTING))
    assert merged.keys() == pooled.keys()
    for name, value in pooled.items():
        assert merged[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name
    # both equal pandas on the individual patients
    frame = pd.DataFrame([r.numbers for r in one + two])
    for name in RANGES:
        assert merged[f"{name}.mean"] == pytest.approx(frame[name].mean(), rel=1e-12)
        assert merged[f"{name}.sd"] == pytest.approx(frame[name].std(), rel=1e-11)
    words = pd.Series([r.words["verdict"] for r in one + two]).value_counts(normalize=True)
    assert merged["verdict=a"] == pytest.approx(words["a"], rel=1e-12)
    assert merged["region=R1"] == np.mean(["R1" in r.regions for r in one + two])


def test_order_of_sites_does_not_matter():
    parts = [aggregate(site(n, seed), SETTING) for n, seed in ((40, 1), (50, 2), (60, 3))]
    results = [merge(order) for order in itertools.permutations(parts)]
    nested = merge([merge(parts[:2]), parts[2]])
    for one in [*results, nested]:
        assert figures(one) == pytest.approx(figures(results[0]), rel=1e-13)


def test_merged_histogram_equals_the_pooled_one():
    one, two = site(200, 7), site(300, 8)
    merged = merge([aggregate(one, SETTING), aggregate(two, SETTING)])
    found = merged["numbers"]["leading_p_ez"]["histogram"]
    values = [r.numbers["leading_p_ez"] for r in one + two]
    expected = np.histogram(values, bins=len(found), range=(0, 1))[0]
    assert found == expected.tolist()


@pytest.mark.parametrize("count", range(SMALLEST))
def test_fewer_than_five_patients_are_never_summed(count):
    with pytest.raises(InputError, match=f"{count} patients"):
        aggregate(site(count, 1), SETTING)


def test_rare_word_withholds_its_entire_table():
    records = site(20, 1)
    words = ["a"] * 19 + ["rare"]
    for one, word in zip(records, words, strict=True):
        one.words["verdict"] = word  # type: ignore[index]
    text = json.dumps(aggregate(records, SETTING))
    assert "rare" not in text
    assert aggregate(records, SETTING)["counts"]["verdict"] is None


def test_number_that_few_patients_lack_is_withheld():
    rng = np.random.default_rng(1)
    records = [record(i, rng) for i in range(18)] + [record(18, rng, leading_p_ez=None)]
    assert aggregate(records, SETTING)["numbers"]["leading_p_ez"] is None


def test_region_of_all_but_few_patients_is_withheld():
    rng = np.random.default_rng(1)
    records = [record(i, rng) for i in range(20)]
    regions = [frozenset({"R"})] * 18 + [frozenset()] * 2
    records = [
        Record(r.label, r.numbers, r.words, s) for r, s in zip(records, regions, strict=True)
    ]
    assert aggregate(records, SETTING)["regions"]["R"] is None


def test_sum_dominated_by_one_patient_is_withheld():
    """Nine zeros and one 0.8: sum and sum of squares would reveal that patient's value."""
    rng = np.random.default_rng(1)
    values = [0.0] * 9 + [0.8]
    records = [record(i, rng, spared_share=v) for i, v in enumerate(values)]
    assert aggregate(records, SETTING)["numbers"]["spared_share"] is None


def test_value_withheld_by_one_site_is_withheld_in_the_merged_file():
    """Otherwise the other site could subtract its own figures from the merged ones."""
    rare = site(20, 1)
    rare[0].words["verdict"] = "rare"  # type: ignore[index]
    merged = merge([aggregate(rare, SETTING), aggregate(site(30, 2), SETTING)])
    assert merged["counts"]["verdict"] is None


values = st.lists(st.floats(0, 1), min_size=5, max_size=40)


@settings(max_examples=100, deadline=None)
@given(values)
def test_no_cell_rests_on_one_to_four_people(drawn):
    """No published cell, and no complement of one, is small, whatever the patients are."""
    rng = np.random.default_rng(len(drawn))
    records = [record(i, rng, spared_share=v) for i, v in enumerate(drawn)]
    n = len(records)
    content = aggregate(records, SETTING)
    cells = [c for table in content["counts"].values() for c in (table or {}).values()]
    cells += [c for count in content["regions"].values() if count for c in (count, n - count)]
    for one in content["numbers"].values():
        if one is not None:
            cells += [*one["histogram"], one["n"], n - one["n"]]
    assert all(cell == 0 or cell >= SMALLEST for cell in cells)


def test_second_file_that_would_identify_a_patient_is_refused(tmp_path):
    """Attack: the file of twenty patients minus the file of nineteen is the twentieth."""
    records = site(20, 3)
    history = tmp_path / "history.json"
    first = aggregate(records[:19], SETTING)
    write_aggregate(tmp_path / "a.json", first, [r.label for r in records[:19]], history)
    second = aggregate(records, SETTING)
    # without the rule the attack would work
    stolen = second["numbers"]["leading_p_ez"]["sum"] - first["numbers"]["leading_p_ez"]["sum"]
    assert stolen == pytest.approx(records[19].numbers["leading_p_ez"])
    with pytest.raises(InputError, match="1 patients differ"):
        write_aggregate(tmp_path / "b.json", second, [r.label for r in records], history)
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_attacker_who_knows_all_others_learns_nothing_of_a_small_group(size):
    """Published figures do not depend on the values of a small group."""
    rng = np.random.default_rng(size)
    common = [record(i, rng, leading_p_ez=None) for i in range(15)]
    published = []
    for seed in range(5):
        other = np.random.default_rng(100 + seed)
        group = [
            Record(f"x{i}", c.numbers | {"leading_p_ez": float(other.random())}, c.words, c.regions)
            for i, c in enumerate(common[:size])
        ]
        published.append(aggregate([*common, *group], SETTING)["numbers"]["leading_p_ez"])
    assert published == [None] * 5


def test_file_contains_no_label_and_no_value(tmp_path):
    records = [
        Record(f"secret{i}", r.numbers, r.words, r.regions) for i, r in enumerate(site(12, 5))
    ]
    path = tmp_path / "a.json"
    write_aggregate(path, aggregate(records, SETTING), [r.label for r in records], tmp_path / "h")
    text = path.read_text()
    assert "secret" not in text
    for one in records:
        assert not any(repr(v) in text for v in one.numbers.values() if v is not None)


def test_file_is_read_as_written(tmp_path):
    content = aggregate(site(50, 1), SETTING)
    write_aggregate(tmp_path / "a.json", content, ["x"], tmp_path / "h.json")
    assert figures(read_aggregate(tmp_path / "a.json")) == figures(content)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"n_patients": 3},
        {"n_patients": "20"},
        {"counts": []},
        {"counts": {key: {"a": 2} for key in KINDS}},
        {"regions": {"R": -1}},
        {"numbers": {}},
        {"numbers": {key: {"n": 5, "sum": None} for key in RANGES}},
        {"setting": None},
    ],
)
def test_invalid_file_is_refused(tmp_path, change):
    content = aggregate(site(50, 1), SETTING) | change
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="not an aggregate of this version"):
        read_aggregate(tmp_path / "a.json")


def test_incompatible_sites_are_refused():
    one = aggregate(site(20, 1), SETTING)
    with pytest.raises(InputError, match="twice"):
        merge([one, json.loads(json.dumps(one))])
    with pytest.raises(InputError, match="differ in priors"):
        merge([one, aggregate(site(20, 2), SETTING | {"priors": "mine"})])
    with pytest.raises(InputError, match="no aggregate"):
        merge([])


def test_withheld_values_have_no_figures():
    records = [
        Record(r.label, r.numbers, dict.fromkeys(KINDS, r.label), r.regions) for r in site(9, 1)
    ]
    found = figures(aggregate(records, SETTING))
    assert not any(name.startswith("verdict") for name in found)
    assert all(math.isfinite(value) for value in found.values())
