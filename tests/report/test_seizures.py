"""Seizures side by side."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from virtualbrain.io.results import load_results
from virtualbrain.report.build import build_report
from virtualbrain.report.seizures import onsets_by_region, side_by_side

REGION_OF = {"A1-A2": "a", "A2-A3": "a", "B1-B2": "b", "C1-C2": "c"}


def seizure(number, onsets, start=-5.0):
    times = np.arange(start, 20, 0.5)
    courses = {name: (times > onsets.get(name, 99)) * 4.0 for name in REGION_OF}
    frame = pd.DataFrame({"time_s": times, **courses})
    return SimpleNamespace(number=number, onsets=onsets, envelope=SimpleNamespace(frame=frame))


def patient(*seizures):
    gain = pd.DataFrame(0.1, index=list(REGION_OF), columns=list("abc"))
    for channel, region in REGION_OF.items():
        gain.loc[channel, region] = 2.0
    return SimpleNamespace(seizures=seizures, gain=SimpleNamespace(frame=gain))


ONE = {"A1-A2": 4.0, "A2-A3": 6.0, "B1-B2": 1.0}
TWO = {"A2-A3": 3.0, "B1-B2": 2.0, "C1-C2": 0.5}


def test_a_region_starts_with_its_first_channel_and_the_order_is_that_of_all_seizures():
    table = onsets_by_region([seizure(1, ONE), seizure(2, TWO)], REGION_OF)
    assert list(table.index) == ["c", "b", "a"]
    assert table[1].tolist()[1:] == [1.0, 4.0]
    assert np.isnan(table.loc["c", 1])
    assert table[2].tolist() == [0.5, 2.0, 3.0]


def test_all_panels_have_one_order_and_one_time_axis():
    found = side_by_side(patient(seizure(1, ONE), seizure(2, TWO, start=-2.0)), list("abc"))
    assert found.regions == ("c", "b", "a")
    assert found.scale.low == -2.0
    assert [panel.first for panel in found.panels] == ["b", "c"]
    assert {panel.image.height for panel in found.panels} == {3 * 13}
    marks = found.panels[0].marks
    assert [top for _, top in marks] == pytest.approx([100 / 3, 200 / 3], abs=1e-2)
    assert [left for left, _ in marks] == [found.scale(1.0), found.scale(4.0)]
    assert [cell.text for cell in found.view.rows[2]] == ["a", "4", "3", "1"]


def test_the_order_of_the_onsets_is_compared_over_common_regions():
    names = [f"r{i}" for i in range(6)]
    gain = pd.DataFrame(np.eye(6), index=[f"c{i}" for i in range(6)], columns=names)
    times = np.arange(-5, 20, 0.5)
    frame = pd.DataFrame({"time_s": times, **{f"c{i}": times for i in range(6)}})

    def one(number, onsets):
        return SimpleNamespace(
            number=number,
            onsets={f"c{i}": float(t) for i, t in enumerate(onsets)},
            envelope=SimpleNamespace(frame=frame),
        )

    seizures = (one(1, [1, 2, 3, 4, 5, 6]), one(2, [6, 5, 4, 3, 2, 1]), one(3, [1, 2, 3]))
    results = SimpleNamespace(seizures=seizures, gain=SimpleNamespace(frame=gain))
    panels = side_by_side(results, names).panels
    assert [panel.correlation for panel in panels[:2]] == pytest.approx([1.0, -1.0])
    assert panels[2].n_common == 3
    assert np.isnan(panels[2].correlation)


def test_one_seizure_has_nothing_beside_it():
    assert side_by_side(patient(seizure(1, ONE)), list("abc")) is None
    assert side_by_side(patient(seizure(1, {}), seizure(2, {})), list("abc")) is None


def test_the_page_shows_every_seizure(make_patient, tmp_path):
    small = {"priors": ("default",), "images": False, "n_regions": 30, "n_channels": 24}
    out = make_patient(**small, n_plans=6, n_seizures=3)
    page = build_report(load_results(out, "01", ["default"]), tmp_path / "a.html").read_text(
        "utf-8"
    )
    part = page.split("The seizures side by side")[1].split("<h3>")[0]
    assert all(f'<div class="rows-head">Seizure {number}</div>' in part for number in (1, 2, 3))
    assert part.count("<img") == 3
    assert "rank correlation with seizure 1" in part
