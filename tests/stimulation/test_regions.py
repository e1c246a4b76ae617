"""Responses are summarised by the regions of sites and channels, with intervals."""

import shutil

import numpy as np
import pandas as pd
import pytest

from tests.stimulation.conftest import write_spes
from virtualbrain.cli import main
from virtualbrain.io.evoked import read_evoked
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.tables import read_matrix, read_table, sidecar_of, write_matrix, write_table
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.contact_regions import contact_regions
from virtualbrain.stimulation.regions import (
    COLUMNS,
    STATS,
    comparable_sizes,
    regional_responses,
)
from virtualbrain.stimulation.spes import run_spes

NAN = np.nan
CONTACTS = ["A1", "A2", "A3", "B1", "B2", "C1", "C2"]
REGION_OF = {"A1": "a", "A2": "a", "A3": "b", "B1": "c", "B2": "c", "C1": "d"}  # C2: white matter


def tables_of(rows, columns, amplitude, latency=None, probability=None):
    amplitude = np.array(amplitude, dtype=float)
    values = {
        "amplitude_v": amplitude,
        "latency_s": np.where(np.isfinite(amplitude), 0.02, NAN) if latency is None else latency,
        "probability": np.isfinite(amplitude) * 1.0 if probability is None else probability,
    }
    return {
        name: pd.DataFrame(value, index=rows, columns=columns) for name, value in values.items()
    }


def summarised(tables, seed=1):
    names = [*tables["probability"].index, *tables["probability"].columns]
    contacts_of = {name: name.split("-") for name in names}
    found = regional_responses(tables, contacts_of, REGION_OF, np.random.default_rng(seed))
    return found, found.pairs.set_index(["stimulated", "recorded"])


def test_amplitude_is_the_mean_absolute_n1_and_zero_without_one():
    tables = tables_of(["A1-A2"], ["B1", "B2", "C1"], [[100e-6, -50e-6, NAN]])
    _, pairs = summarised(tables)
    assert pairs.loc[("a", "c"), "amplitude_v"] == pytest.approx(75e-6)
    assert pairs.loc[("a", "c"), ["n_pairs", "n_n1"]].tolist() == [2, 2]
    assert pairs.loc[("a", "d"), "amplitude_v"] == 0
    assert pairs.loc[("a", "d"), ["n_pairs", "n_n1"]].tolist() == [1, 0]
    assert np.isnan(pairs.loc[("a", "d"), "latency_s"])


def test_pairs_across_a_border_count_for_both_regions():
    tables = tables_of(["A2-A3"], ["B1-B2", "C1-C2"], [[1e-6, 2e-6]])
    _, pairs = summarised(tables)
    assert set(pairs.index) == {(s, t) for s in "ab" for t in "cd"}


def test_channels_that_were_not_used_are_not_measured():
    tables = tables_of(["A1-A2"], ["B1", "C1"], [[NAN, 1e-6]], probability=[[NAN, 1.0]])
    found, pairs = summarised(tables)
    assert ("a", "c") not in pairs.index
    matrix = found.matrix("amplitude_v")
    assert matrix.loc["a", "d"] == pytest.approx(1e-6)
    assert "c" not in matrix


def test_intervals_hold_the_figure_and_are_missing_with_one_pair():
    rng = np.random.default_rng(3)
    amplitude = rng.normal(100e-6, 20e-6, (2, 4))
    latency, probability = rng.uniform(0.01, 0.04, (2, 4)), rng.uniform(0.5, 1, (2, 4))
    tables = tables_of(
        ["A1-A2", "A1"], ["B1", "B2", "B1-B2", "C1"], amplitude, latency, probability
    )
    _, pairs = summarised(tables)
    row = pairs.loc[("a", "c")]
    expected = np.abs(amplitude[:, :3]).mean(), np.median(latency[:, :3]), probability[:, :3].mean()
    for stat, value in zip(("amplitude", "latency", "probability"), expected, strict=True):
        unit = {"amplitude": "_v", "latency": "_s", "probability": ""}[stat]
        assert row[stat + unit] == pytest.approx(value)
        assert row[f"{stat}_low{unit}"] < value < row[f"{stat}_high{unit}"]
    # the standard error of six values gives about the same interval
    wide = (row["amplitude_high_v"] - row["amplitude_low_v"]) / 2
    assert wide == pytest.approx(1.64 * np.abs(amplitude[:, :3]).std() / np.sqrt(6), rel=0.2)
    single = summarised(tables_of(["A1"], ["B1"], [[5e-6]]))[1].loc[("a", "c")]
    assert np.isnan(single[[c for c in COLUMNS if "low" in c or "high" in c]].astype(float)).all()


def known_gain(channels, seed=2):
    """Return a gain of four regions, and one that no channel sees."""
    rng = np.random.default_rng(seed)
    gain = pd.DataFrame(rng.uniform(0.1, 1, (len(channels), 4)), channels, list("abcd"))
    return gain.assign(unseen=0.0)


def summarised_with(tables, gain, seed=1):
    names = [*tables["probability"].index, *tables["probability"].columns]
    contacts_of = {name: name.split("-") for name in names}
    found = regional_responses(tables, contacts_of, REGION_OF, np.random.default_rng(seed), gain)
    return found.pairs.set_index(["stimulated", "recorded"])


CHANNELS = ["A3", "B1", "B2", "C1", "B1-B2"]


def test_regions_of_equal_size_are_recovered_through_any_gain():
    tables = tables_of(["A1-A2"], CHANNELS, [[7e-6, -7e-6, 7e-6, -7e-6, 7e-6]])
    pairs = summarised_with(tables, known_gain(CHANNELS))
    assert set(pairs.index) == {("a", region) for region in "bcd"}
    assert pairs["amplitude_v"].tolist() == pytest.approx([7e-6] * 3)
    assert "unseen" not in pairs.index.get_level_values("recorded")


def test_a_gain_that_sees_its_own_region_only_gives_the_mean():
    tables = tables_of(["A1-A2"], CHANNELS, [[1e-6, 2e-6, 4e-6, 8e-6, 3e-6]])
    own = [["b"], ["c"], ["c"], ["d"], ["c"]]
    gain = pd.DataFrame([[float(r in o) for r in "abcd"] for o in own], CHANNELS, list("abcd"))
    expected = summarised(tables)[1]["amplitude_v"]
    pd.testing.assert_series_equal(summarised_with(tables, gain)["amplitude_v"], expected)
    assert expected.to_dict() == pytest.approx(
        {("a", "b"): 1e-6, ("a", "c"): 3e-6, ("a", "d"): 8e-6}
    )


def test_the_gain_adds_half_its_share_to_the_weight_of_a_channel():
    tables = tables_of(["A1-A2"], ["B1", "C1"], [[6e-6, 2e-6]])
    gain = pd.DataFrame([[3.0, 1.0], [1.0, 1.0]], ["B1", "C1"], ["c", "d"])
    pairs = summarised_with(tables, gain)
    expected = (1.375 * 6e-6 + 0.25 * 2e-6) / (1.375 + 0.25)
    assert pairs.loc[("a", "c"), "amplitude_v"] == pytest.approx(expected)
    assert pairs.loc[("a", "c"), "n_pairs"] == 1


def test_order_of_channels_and_scale_of_the_gain_have_no_influence():
    rng = np.random.default_rng(4)
    sites, amplitude = ["A1-A2", "A1"], rng.normal(size=(2, len(CHANNELS)))
    background = rng.uniform(1, 3, amplitude.shape)
    gain = known_gain(CHANNELS)
    order = rng.permutation(len(CHANNELS))
    found = []
    for at, of_gain in ((np.arange(len(CHANNELS)), gain), (order, 5 * gain.iloc[::-1, ::-1])):
        names = [CHANNELS[k] for k in at]
        tables = tables_of(sites, names, amplitude[:, at])
        tables["background_v"] = pd.DataFrame(background[:, at], sites, names)
        found.append(summarised_with(tables, of_gain))
    figures = ["n_pairs", "n_n1", "amplitude_v", "latency_s", "probability"]
    pd.testing.assert_frame_equal(found[1][figures], found[0][figures])


def test_a_channel_that_the_gain_lacks_counts_by_its_contacts():
    tables = tables_of(["A1-A2"], ["B1", "B2"], [[6e-6, 2e-6]])
    gain = known_gain(["B1"])
    share = gain.loc["B1", "c"] / gain.loc["B1"].sum()
    expected = ((1 + share / 2) * 6e-6 + 2e-6) / (2 + share / 2)
    found = summarised_with(tables, gain).loc[("a", "c"), "amplitude_v"]
    assert found == pytest.approx(expected)


def test_sizes_are_those_at_equal_background():
    amplitude = pd.DataFrame([[4.0, -2.0, 3.0], [8.0, NAN, NAN]], ["s", "t"], ["x", "y", "z"])
    background = pd.DataFrame([[2.0, 1.0, 6.0], [2.0, 1.0, NAN]], ["s", "t"], ["x", "y", "z"])
    found = comparable_sizes(amplitude, background)
    np.testing.assert_allclose(found, [[4.0, 4.0, 1.0], [8.0, 0.0, 0.0]])
    np.testing.assert_allclose(comparable_sizes(3 * amplitude, 3 * background), 3 * found)


def test_intervals_hold_the_amplitude_with_a_gain():
    rng = np.random.default_rng(3)
    channels = ["B1", "B2", "B1-B2", "C1", "A3"]
    tables = tables_of(["A1-A2", "A1"], channels, rng.normal(100e-6, 20e-6, (2, 5)))
    row = summarised_with(tables, known_gain(channels)).loc[("a", "c")]
    assert row["amplitude_low_v"] < row["amplitude_v"] < row["amplitude_high_v"]


def test_same_seed_gives_the_same_intervals():
    tables = tables_of(["A1-A2"], ["B1", "B2"], [[1e-6, 3e-6]])
    pd.testing.assert_frame_equal(summarised(tables)[0].pairs, summarised(tables)[0].pairs)


def with_regions(small_spes, folder, column):
    """Write a dataset whose electrodes.tsv names the regions: one for each electrode."""
    regions = [f"region-{name[0]}" for name in small_spes.names]
    regions[0] = "Unknown"
    table = pd.DataFrame({"name": small_spes.names, column: regions})
    return write_spes(folder, small_spes, electrodes=table)


@pytest.mark.parametrize("column", ["region", "DKT_label_text"])
def test_regions_are_read_from_electrodes(small_spes, tmp_path, column):
    files = with_regions(small_spes, tmp_path / "bids", column)
    found = contact_regions(files, PatientLayout(tmp_path / "out", "01"))
    assert found.region_of == {
        name: f"region-{name[0]}" for name in small_spes.names if name != small_spes.names[0]
    }
    assert column in found.source


def test_regions_of_the_results_come_first(small_spes, tmp_path):
    files = with_regions(small_spes, tmp_path / "bids", "region")
    layout = PatientLayout(tmp_path / "out", "01")
    names = list(small_spes.names)
    table = pd.DataFrame({"name": names, "electrode": [n[0] for n in names], "number": 1})
    for column in ("x", "y", "z", "p_region"):
        table[column] = 0.5
    table = table.assign(region="own", tissue="grey", status="good")
    table.loc[0, "region"] = None
    write_table(layout.contacts, table, {})
    found = contact_regions(files, layout)
    assert found.region_of == dict.fromkeys(names[1:], "own")
    assert found.source == layout.contacts.name


@pytest.fixture(scope="module")
def written(small_spes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("regions")
    with_regions(small_spes, folder / "bids", "region")
    assert main(["complexity", str(folder / "bids"), str(folder / "out")]) == 0
    return folder


def test_the_command_writes_pairs_and_matrices_of_regions(written):
    files = find_patient(written / "bids", "01")
    layout = PatientLayout(written / "out", "01")
    spes = run_spes(files, SeegSettings(), np.random.default_rng(1))
    regions = contact_regions(files, layout)
    pairs = read_table(layout.evoked_pairs)
    assert list(pairs.columns) == list(COLUMNS)
    used = int(spes.probability.notna().sum().sum())
    assert pairs["n_pairs"].sum() >= used > 0
    assert set(pairs["stimulated"]) <= set(regions.region_of.values())
    for stat, column in zip(("amplitude", "latency", "probability"), STATS, strict=True):
        matrix = read_matrix(layout.evoked_regional(stat))
        for row in pairs.itertuples():
            value = matrix.loc[row.stimulated, row.recorded]
            np.testing.assert_equal(value, getattr(row, column))
        assert sidecar_of(layout.evoked_regional(stat)).is_file()


def test_the_gain_of_the_results_weights_the_amplitudes(written, tmp_path):
    bids, out = written / "bids", tmp_path / "out"
    shutil.copytree(written / "out", out)
    layout = PatientLayout(out, "01")
    before = read_evoked(layout).pairs
    channels = list(read_matrix(layout.evoked("probability")).columns)
    regions = sorted(set(before.frame["recorded"]))
    values = np.random.default_rng(1).uniform(0.1, 1, (len(channels), len(regions)))
    write_matrix(layout.gain, values, channels, regions, {})
    assert main(["complexity", str(bids), str(out)]) == 0
    after = read_evoked(layout).pairs
    assert "no gain" in before.sidecar["RegionalAmplitude"]
    assert before.sidecar["Gain"] == "n/a"
    assert "by the gain" in after.sidecar["RegionalAmplitude"]
    assert after.sidecar["Gain"] == layout.gain.name
    assert not np.allclose(after.frame["amplitude_v"], before.frame["amplitude_v"])
    same = ["stimulated", "recorded", "n_pairs", "n_n1", "latency_s", "probability"]
    pd.testing.assert_frame_equal(after.frame[same], before.frame[same])


def test_written_tables_are_read(written):
    found = read_evoked(PatientLayout(written / "out", "01"))
    assert len(found.sites.frame) == 3
    assert list(found.pairs.frame.columns) == list(COLUMNS)
    assert "column region" in found.sites.sidecar["Regions"]
    assert found.problem == ""


def test_tables_of_regions_are_removed_if_contacts_have_none_now(small_spes, tmp_path):
    bids, out = tmp_path / "bids", tmp_path / "out"
    with_regions(small_spes, bids, "region")
    assert main(["complexity", str(bids), str(out)]) == 0
    layout = PatientLayout(out, "01")
    assert layout.evoked_pairs.is_file()
    write_spes(bids, small_spes)
    assert main(["complexity", str(bids), str(out)]) == 0
    assert not layout.evoked_pairs.exists()
    assert read_evoked(layout).pairs is None
