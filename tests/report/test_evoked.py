"""The section on evoked responses: pictures, agreement with diffusion MRI, and differences."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.report.test_page import Page
from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.evoked import EvokedTables, write_evoked, write_no_responses
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.results import load_results
from virtualbrain.report.build import page_content, render
from virtualbrain.report.evoked import evoked_of
from virtualbrain.report.page import region_names
from virtualbrain.stimulation.regions import COLUMNS

N_SOURCES, N_TARGETS = 4, 12


def sites_table():
    return pd.DataFrame(
        {"site": ["A1-A2", "B1-B2"], "current_a": 0.004, "width_s": 0.0005, "n_trials": 10,
         "n_channels": 40, "n_n1": [10, 30], "pcist": [20.5, 31.25], "n_components": 7,
         "rate_hz": 1000.0}
    )  # fmt: skip


def pairs_table(amplitude):
    """Return pairs with these amplitudes, a frame of sources by targets; likely if large."""
    rows = []
    for source, row in amplitude.iterrows():
        for target, size in row.items():
            rows.append(
                {"stimulated": source, "recorded": target, "n_pairs": 3, "n_n1": 2 * (size > 0),
                 "amplitude_v": size, "amplitude_low_v": 0.5 * size, "amplitude_high_v": 2 * size,
                 "latency_s": 0.02, "latency_low_s": 0.01, "latency_high_s": 0.03,
                 "probability": float(size > 20e-6), "probability_low": 0.0,
                 "probability_high": 1.0}
            )  # fmt: skip
    return pd.DataFrame(rows)[list(COLUMNS)]


def with_responses(make_patient, folder, amplitude_of):
    """Copy a patient, add responses that `amplitude_of` returns for its weights."""
    out = folder / "out"
    shutil.copytree(make_patient(images=False), out)
    layout = PatientLayout(out, "01")
    weights = load_results(out, "01", ["default"]).weights.frame
    names = list(weights.index)
    known = weights.loc[names[:N_SOURCES], names[N_SOURCES : N_SOURCES + N_TARGETS]]
    pairs = pairs_table(amplitude_of(known))
    write_evoked(layout, EvokedTables(sites_table(), {}, pairs, {}), {})
    return load_results(out, "01", ["default"]), known


def part_of(results):
    return evoked_of(results, region_names(results))


def ranks(weights):
    """Return amplitudes of 1 µV and more in the order of the weights."""
    order = weights.to_numpy().ravel().argsort().argsort()
    return pd.DataFrame(
        1e-6 * (1 + order.reshape(weights.shape)), index=weights.index, columns=weights.columns
    )


@pytest.fixture(scope="module")
def similar(make_patient, tmp_path_factory):
    return with_responses(make_patient, tmp_path_factory.mktemp("similar"), ranks)


@pytest.fixture(scope="module")
def opposite(make_patient, tmp_path_factory):
    return with_responses(
        make_patient, tmp_path_factory.mktemp("opposite"), lambda w: 49e-6 - ranks(w)
    )


def text_of(results):
    """Return the words of the page, without the views, which take long."""
    return Page(render(page_content(results), {})).text


def test_both_pictures_show_every_measured_pair(similar):
    results, known = similar
    part = part_of(results)
    assert part.rows == tuple(map(spoken_name, known.index))
    for picture in part.maps:
        assert len(picture.cells) == known.size
        assert not any("not measured" in cell.text for cell in picture.cells)
    first = part.maps[0].cells[0]
    size = 1e6 * ranks(known).iloc[0, 0]
    names = spoken_name(known.index[0]), spoken_name(known.columns[0])
    assert first.text == f"{names[0]} → {names[1]}: {size:.0f} µV"


def test_agreement_is_the_rank_correlation(similar, opposite):
    for results, expected in ((similar[0], "agree well"), (opposite[0], "hardly agree")):
        sentence = part_of(results).sentences[-1]
        assert expected in sentence
        value = float(re.search(r"rank correlation ([−\d.]+)", sentence)[1].replace("−", "-"))
        assert value == pytest.approx(1.0 if expected == "agree well" else -1.0, abs=0.25)


def test_pairs_that_only_one_method_shows_are_named(similar, opposite):
    part = part_of(similar[0])
    assert part.evoked_only is None
    assert part.diffusion_only is None
    results, known = opposite
    part = part_of(results)
    strongest = known.stack().idxmax()
    cells = part.diffusion_only.rows[0]
    assert (cells[0].text, cells[1].text) == tuple(map(spoken_name, strongest))
    weakest = {known.loc[s, t] for s, t in known.stack().nsmallest(10).index}
    source, target = (cell.text for cell in part.evoked_only.rows[0][:2])
    named = {
        known.loc[s, t]
        for s in known.index
        for t in known.columns
        if (spoken_name(s), spoken_name(t)) == (source, target)
    }
    assert named <= weakest
    assert len(part.evoked_only.rows) <= 5


def test_the_page_states_counts_and_complexity(similar):
    text = text_of(similar[0])
    assert "Stimulation: evoked responses" in text
    assert "2 pairs of contacts were stimulated" in text
    assert "50 % of the channels responded" in text
    assert "PCIst is the complexity of the mean response (Comolatti 2019)" in text
    assert f"{N_SOURCES * N_TARGETS} connections, from {N_SOURCES} regions" in text


def test_without_stimulation_there_is_no_section(make_patient):
    results = load_results(make_patient(images=False), "01", ["default"])
    assert part_of(results) is None
    assert "evoked" not in results.missing
    text = text_of(results)
    assert "evoked responses" not in text
    assert "PCIst is" not in text


def test_a_problem_is_stated(make_patient, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(make_patient(images=False), out)
    write_no_responses(PatientLayout(out, "01"), "sub-01_events.tsv, row 3: the site is wrong", {})
    text = text_of(load_results(out, "01", ["default"]))
    assert "The evoked responses were not computed" in text
    assert "row 3: the site is wrong" in text


def test_sites_without_regions_show_complexity_only(make_patient, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(make_patient(images=False), out)
    write_evoked(PatientLayout(out, "01"), EvokedTables(sites_table(), {}, None, {}), {})
    part = part_of(load_results(out, "01", ["default"]))
    assert part.maps == ()
    assert "The contacts have no regions" in part.sentences[-1]
    assert [row[0].text for row in part.sites.rows] == ["B1-B2", "A1-A2"]
    assert np.isclose(float(part.sites.rows[0][4].sort), 31.25)
