"""Part of the report on the command `cortex`."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from tests.anatomy.test_cortical_mesh import sphere
from tests.report.test_page import Page
from virtualbrain.io.anatomy import write_mesh, write_vertex_values
from virtualbrain.io.atomic import write_text
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.results import load_results
from virtualbrain.io.tables import write_table
from virtualbrain.report.build import build_report
from virtualbrain.report.cortex_section import on_cortex_of

SMALL = {"n_regions": 20, "n_channels": 24, "n_plans": 6, "images": False}
AGREES = {"recorded": 12, "both": 9, "extra": 2, "rank_correlation": 0.71, "median_error_s": 1.25}


def write_run(layout, name, surgery=False, foci=(), above_mm=5.0):
    """Write a run in which the cortex above a height seizes."""
    about = {"Posterior": checksum(layout.posterior("default")), "LocalStrength": 0.8}
    about |= {"Foci": list(foci)}
    row = {"draws": 10, "removed_cm2": 0.0, "share_free": 0.0, "recruited_cm2": 31.0,
           "recruited_low_cm2": 12.0, "recruited_high_cm2": 64.0}  # fmt: skip
    rows = [{"surgery": "before", **row}]
    if surgery:
        after = {"surgery": "after", "removed_cm2": 8.2, "share_free": 0.7, "recruited_cm2": 0.0}
        rows.append({**row, **after})

    def path(rest):
        return layout.cortex_result("default", name, rest)

    points, triangles = sphere(300)
    for side, x in (("L", -40.0), ("R", 40.0)):
        write_mesh(path(f"hemi-{side}_cortex.surf.gii"), points + np.r_[x, 0.0, 0.0], triangles, {})
        onset = np.where(points[:, 2] > above_mm, points[:, 2], np.nan).astype(np.float32)
        write_vertex_values(path(f"hemi-{side}_desc-before_onset.shape.gii"), onset, side)
    models = {
        "Surface": AGREES,
        "Simulated": {**AGREES, "both": 7},
        "Region": {**AGREES, "both": 8},
    }
    write_table(path("desc-channels_onsets.tsv"), pd.DataFrame({"name": ["A1"]}), about | models)
    write_table(path("desc-outcome.tsv"), pd.DataFrame(rows), about)
    write_text(layout.cortex_page("default", name), "<!DOCTYPE html>")


@pytest.fixture
def patient(make_patient, tmp_path):
    """Results without a run of the command."""
    out = tmp_path / "out"
    shutil.copytree(make_patient(**SMALL), out)
    return PatientLayout(out, "01")


def results_of(layout):
    return load_results(layout.out, "01", ("default",))


def section(layout):
    page = build_report(results_of(layout), layout.report).read_text(encoding="utf-8")
    return page.split('<section id="cortex"')[1].split("</section")[0]


def test_outcome_and_agreement_of_a_run_are_shown_with_its_movie(patient):
    write_run(patient, "workflow", surgery=True)
    html = section(patient)
    words = Page(html).text
    assert "31 cm² of cortex seize (median of 10 draws of the fit; 90 % of them: 12 to 64" in words
    assert (
        "After the surgery of the run workflow (8.2 cm² taken out), nothing seizes in 70 %" in words
    )
    assert "(0.8) is a choice and is not fitted" in words
    for count in ("9 of 12", "7 of 12", "8 of 12", "0.71"):
        assert count in words
    links = {attrs["href"] for tag, attrs in Page(html).tags if tag == "a" and attrs.get("href")}
    movie = {link for link in links if not link.startswith("data:")}
    assert movie == {"sub-01/cortex/default/workflow/sub-01_cortex.html"}
    assert (patient.report.parent / movie.pop()).is_file()


def test_picture_shows_where_cortex_seizes_and_its_times(patient):
    write_run(patient, "workflow")
    shown = on_cortex_of(results_of(patient))
    assert 5.0 < shown.earliest_s < 7.0
    assert 17.0 < shown.latest_s <= 20.0
    write_run(patient, "workflow", above_mm=15.0)
    less = on_cortex_of(results_of(patient))
    assert less.picture.source != shown.picture.source
    write_run(patient, "workflow", above_mm=1e6)
    assert on_cortex_of(results_of(patient)).picture is None
    assert "No cortex seizes in half of the draws." in Page(section(patient)).text


def test_a_run_without_focus_and_surgery_is_the_one_that_is_drawn(patient):
    write_run(patient, "a-focus", foci=[{"Vertex": 3}])
    write_run(patient, "b-surgery", surgery=True)
    assert on_cortex_of(results_of(patient)).main.name == "b-surgery"
    sidecar = patient.cortex_result("default", "b-surgery", "desc-outcome.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"SmallestResection": {}}))
    assert "smallest resection that was found in the run b-surgery" in Page(section(patient)).text
    write_run(patient, "c-plain")
    shown = on_cortex_of(results_of(patient))
    assert shown.main.name == "c-plain"
    assert [row[0].text for row in shown.outcomes.rows] == [
        "c-plain", "b-surgery", "b-surgery", "a-focus"
    ]  # fmt: skip


def write_found(layout, name, **changes):
    found = {"Region": "ctx-lh-insula", "Centre": [-38.42, 4.0, 1.6], "PNear": 0.87, "Near": 10.0}
    table = layout.cortex_result("default", name, "desc-focus_regions.tsv")
    found |= {"Supported": True, "Simulations": 480}
    outcome = layout.cortex_result("default", name, "desc-outcome.json")
    outcome.write_text(json.dumps(json.loads(outcome.read_text()) | {"FindFocus": 2.0}))
    write_table(table, pd.DataFrame({"region": ["a"], "p": [1.0]}), {"Found": found | changes})
    return table.with_suffix(".json")


def test_the_place_that_was_found_is_stated(patient):
    write_run(patient, "plain")
    write_run(patient, "search", foci=[{"Vertex": 3}])
    assert "place the start" not in Page(section(patient)).text
    sidecar = write_found(patient, "search")
    words = Page(section(patient)).text
    assert "Simulations on this cortex place the start" in words
    assert (
        "place the start within 10 mm of -38, 4, 2 mm (scanner RAS; left insula) with "
        "probability 87 %" in words
    )
    assert "the whole region starts at once" in words  # the plain run is drawn
    shutil.rmtree(patient.cortex_page("default", "plain").parent)
    words = Page(section(patient)).text
    assert "Seizures start at the place that was found." in words
    assert "stated as a hypothesis" not in words
    about = json.loads(sidecar.read_text())
    del about["Found"]["Simulations"]  # as an earlier version wrote it
    sidecar.write_text(json.dumps(about))
    assert "A growing patch places the start within 10 mm" in Page(section(patient)).text


def test_no_place_is_stated_where_one_does_not_explain_the_recording(patient):
    write_run(patient, "search")
    sidecar = write_found(patient, "search", Supported=False)
    words = Page(section(patient)).text
    assert "No single place on the cortex explains the recording." in words
    assert "-38" not in words
    sidecar.write_text('{"Found": {"Region": "a"}}')
    assert on_cortex_of(results_of(patient)) is None
    assert any("search" in name for name in results_of(patient).main.missing)


def test_runs_of_another_fit_or_damaged_ones_are_named_and_not_shown(patient):
    assert on_cortex_of(results_of(patient)) is None
    page = build_report(results_of(patient), patient.report).read_text(encoding="utf-8")
    assert "#cortex" not in page
    for name in ("older", "damaged", "unfinished", "good"):
        write_run(patient, name)
    sidecar = patient.cortex_result("default", "older", "desc-outcome.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"Posterior": "another"}))
    patient.cortex_result("default", "damaged", "hemi-L_cortex.surf.gii").write_text("none")
    patient.cortex_page("default", "unfinished").unlink()
    results = results_of(patient)
    assert [run.name for run in results.main.cortex] == ["good"]
    assert "earlier fit" in results.main.missing["cortex older"]
    shown = on_cortex_of(results)
    assert shown.older == ("damaged", "older")
    assert "cannot be read: damaged, older." in Page(section(patient)).text


def test_withheld_with_an_unusable_fit(make_patient, tmp_path):
    shutil.copytree(make_patient(verdict="do-not-use", **SMALL), tmp_path / "out")
    layout = PatientLayout(tmp_path / "out", "01")
    write_run(layout, "workflow")
    page = build_report(results_of(layout), layout.report).read_text(encoding="utf-8")
    assert '<section id="cortex"' not in page
