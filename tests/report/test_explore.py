"""Plans chosen by hand, and distances to eloquent regions."""

import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from virtualbrain.io.result_files import Table
from virtualbrain.io.results import load_results
from virtualbrain.report.build import build_report, page_content
from virtualbrain.report.eloquent import CENTRES, VOXELS, eloquent_regions_of
from virtualbrain.report.numbers import show
from virtualbrain.report.tables import with_interval

SMALL = {"priors": ("default",), "images": False, "n_regions": 30, "n_channels": 24, "n_plans": 9}


@pytest.fixture
def results(make_patient):
    return load_results(make_patient(**SMALL), "01", ("default",))


def explored(results):
    return page_content(results)["explored"]


def test_a_mask_of_regions_has_the_answers_of_its_row(results):
    found = explored(results)
    names = [region.name for region in found.regions]
    rows = {frozenset(row.region_names): row for row in results.main.subsets.rows}
    assert len(found.data["plans"]) == len(rows) == 2 ** len(names) - 1
    for mask in (0b11, 0b101001):
        chosen = [name for place, name in enumerate(names) if mask >> place & 1]
        row, plan = rows[frozenset(chosen)], found.data["plans"][str(mask)]
        assert plan["p"].startswith(with_interval(row.p_seizure_free, (0, 1)).split(" (")[0])
        assert plan["after"] == pytest.approx(row.seizing_after, abs=1e-3)
        answers = {question: words for question, words, _ in plan["facts"]}
        assert show(row.volume_mm3 / 1000, 2) in answers["Volume"]
        assert answers["Eloquent tissue"].startswith("takes") == bool(row.eloquent)
        assert {index for index, _ in plan["seizing"]} == {
            results.weights.frame.index.get_loc(name) for name, _ in row.seizing
        }


def test_the_same_plan_of_the_table_is_named(results):
    row = results.main.subsets.rows[6]
    outcomes = results.main.outcomes
    name = " + ".join(row.region_names)
    first = replace(outcomes.rows[0], candidate=name, kind="resection", regions=row.regions)
    main = replace(results.main, outcomes=replace(outcomes, rows=(first, *outcomes.rows[1:])))
    plans = explored(replace(results, priors=(main,))).data["plans"]
    assert [plan["plan"] for plan in plans.values() if plan["plan"] >= 0] == [0]


def test_the_table_shows_subsets_of_up_to_two_and_the_file_holds_all(results, tmp_path):
    page = build_report(results, tmp_path / "a.html").read_text("utf-8")
    table = page.split('data-table="subsets"')[1].split("</table>")[0]
    assert table.count("<tr>") == 1 + 6 + 15
    assert 'download="subsets.tsv"' in page
    assert re.search(r"no other region starts seizures \(54 %\)", page)


def test_nothing_is_offered_for_a_refused_fit(make_patient, tmp_path):
    out = make_patient(**SMALL | {"verdict": "do-not-use"})
    results = load_results(out, "01", ("default",))
    assert explored(results) is None
    page = build_report(results, tmp_path / "a.html").read_text("utf-8")
    assert 'id="explore"' not in page
    assert 'data-table="subsets"' not in page


def test_a_missing_table_is_named_and_its_reason(make_patient, tmp_path):
    results = load_results(make_patient(**SMALL, skip=("subsets",)), "01", ("default",))
    page = build_report(results, tmp_path / "a.html").read_text("utf-8")
    assert "The table of combinations of regions is missing" in page


# eloquent regions ------------------------------------------------------------------------
def labelled(results, affine):
    """Return results with four regions in a label image, of which the last is eloquent."""
    grid = np.zeros((30, 20, 20), dtype=np.int16)
    grid[1:6, 5:12, 5:12] = 1
    grid[9:12, 3:9, 4:9] = 2
    grid[20:25, 8:15, 2:9] = 3
    grid[27:29, 2:5, 10:14] = 4
    frame = pd.DataFrame(
        {"index": [1, 2, 3, 4], "name": list("abcd"), "x": [0.0, 10, 30, 40], "y": 0.0, "z": 0.0}
    )
    outcomes = replace(results.main.outcomes, eloquent=(("c", "hand"), ("d", "language")))
    return grid, replace(
        results,
        labels=nib.Nifti1Image(grid, affine),
        regions=Table("r.tsv", frame, ""),
        priors=(replace(results.main, outcomes=outcomes),),
    )


def test_distances_equal_those_of_all_pairs_of_voxels(results):
    affine = nib.affines.from_matvec(np.diag([1.5, 2.0, 1.0]), [7, -3, 2])
    affine[0, 1] = 0.3
    grid, changed = labelled(results, affine)
    found = eloquent_regions_of(changed, set("abcd"))
    place = {
        name: nib.affines.apply_affine(affine, np.argwhere(grid == label))
        for label, name in enumerate("abcd", 1)
    }
    nearest = found.nearest(("a", "b"))
    assert nearest.region == "c"
    assert nearest.distance_mm == pytest.approx(cdist(place["b"], place["c"]).min())
    assert found.measured == VOXELS
    assert nearest.words == f"c, hand, {nearest.distance_mm:.0f} mm"


def test_an_eloquent_region_of_the_plan_is_not_its_neighbour(results):
    found = eloquent_regions_of(labelled(results, np.eye(4))[1], set("abcd"))
    assert found.nearest(("a", "c")).region == "d"
    assert found.nearest(("c", "d")) is None
    assert found.nearest_words(("c", "d")) == "not known"
    assert found.nearest(()) is None


def test_without_labels_distances_are_between_centres_and_say_so(results):
    changed = replace(labelled(results, np.eye(4))[1], labels=None)
    found = eloquent_regions_of(changed, set("abcd"))
    assert found.measured == CENTRES
    assert found.nearest(("a", "b")).distance_mm == pytest.approx(20)


def test_the_page_states_the_nearest_eloquent_region_and_between_what(results, tmp_path):
    page = build_report(results, tmp_path / "a.html").read_text("utf-8")
    first = page.split('<section id="brain"')[0]
    assert re.search(r"Nearest eloquent</dt><dd>[^<]+, (hand|language), \d+ mm", first)
    assert "between the centres of the regions" in first
    plans = page.split('data-table="plans"')[1].split("</table>")[0]
    assert re.search(r", (hand|language), \d+ mm", plans)


def test_eloquent_regions_that_nobody_stated_have_no_distance(results):
    outcomes = replace(results.main.outcomes, eloquent=(), eloquent_stated=False)
    changed = replace(results, priors=(replace(results.main, outcomes=outcomes),))
    found = eloquent_regions_of(changed, set("abcd"))
    assert found.nearest(("a",)) is None
    assert found.nearest_words(("a",)) == "not stated"
    column = [c.title for c in page_content(changed)["plans_view"].columns].index(
        "Nearest eloquent"
    )
    words = {row[column].text for row in page_content(changed)["plans_view"].rows}
    assert words <= {"not stated", "–"}
