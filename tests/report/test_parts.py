"""Check the modules behind the report: numbers, privacy, findings, charts, meshes, cohort."""

import gzip
import json
import shutil
import struct
from base64 import b64decode
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from virtualbrain.io.anatomy import Surface
from virtualbrain.io.fit_results import Diagnostics, Posterior, ZoneRow, Zones
from virtualbrain.io.result_files import Table
from virtualbrain.io.results import PriorResults, load_results
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.report import (
    assets,
    charts,
    colours,
    diagnostics,
    findings,
    numbers,
    onsets,
    seizure_fit,
)
from virtualbrain.report.cohort import build_cohort, summary_of
from virtualbrain.report.metrics import uncertainty_bits
from virtualbrain.report.privacy import scrub, scrub_text
from virtualbrain.report.scene import first_label, mz3, pack, simplify
from virtualbrain.report.tables import with_interval


# numbers ---------------------------------------------------------------------------------
@given(st.floats(0, 1), st.floats(1, 1e5))
def test_an_interval_contains_its_probability_and_narrows_with_draws(p, n):
    low, high = numbers.probability_interval(p, n)
    assert 0 <= low <= p <= high <= 1
    finer = numbers.probability_interval(p, 100 * n)
    assert finer[1] - finer[0] <= high - low + 1e-12


def test_an_interval_has_its_nominal_coverage():
    n, p = 200, 0.3
    chance = binom.pmf(np.arange(n + 1), n, p)
    ends = [numbers.probability_interval(k / n, n) for k in range(n + 1)]
    covered = sum(c for c, (low, high) in zip(chance, ends, strict=True) if low <= p <= high)
    assert covered == pytest.approx(numbers.CI_PROB, abs=0.03)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.123"), (12345, "12\u202f345"), (-2.04, "−2.04"), (None, "–"), (True, "yes")],
)
def test_numbers_are_shown_briefly(value, shown):
    assert numbers.show(value) == shown


def test_a_probability_is_written_with_its_interval():
    assert with_interval(0.5, (0.4, 0.6)) == "50 % (40–60)"
    assert numbers.percent(0.999) == ">99 %"
    assert numbers.percent(0.001) == "<1 %"


# privacy ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("read /home/dr.alice/bids/sub-01_T1w.nii.gz now", "read …/sub-01_T1w.nii.gz now"),
        ("in /home/alice", "in …"),
        (r"C:\Users\alice\x.tsv", "…/x.tsv"),
        ("~/data/x.json", "…/x.json"),
        ("sub-01/anat/x.nii.gz and 3/4 of K/tau", "sub-01/anat/x.nii.gz and 3/4 of K/tau"),
        ("see https://example.org/a/b.html", "see https://example.org/a/b.html"),
        ("file:///home/alice/x", "…"),
    ],
)
def test_absolute_paths_are_removed(text, clean):
    assert scrub_text(text) == clean


def test_users_and_hosts_are_removed_at_any_depth():
    nested = {"a": [{"user": "alice", "n": 1}], "HostName": "x", "/home/alice/b.tsv": "ok"}
    assert scrub(nested) == {"a": [{"n": 1}], "…/b.tsv": "ok"}


# embedding -------------------------------------------------------------------------------
@given(st.text())
def test_embedded_json_reads_back_and_cannot_end_its_element(text):
    embedded = assets.embedded_json({"name": text})
    assert json.loads(embedded) == {"name": text}
    assert "<" not in embedded
    assert "\u2028" not in embedded


def test_the_viewer_cannot_end_its_script_element():
    viewer = assets.viewer()
    assert len(viewer) > 1_000_000
    assert "</script" not in viewer


# findings --------------------------------------------------------------------------------
def _priors(x0: np.ndarray, weight: np.ndarray | None = None, **rest) -> PriorResults:
    n = x0.shape[-1]
    names = [f"r{i}" for i in range(n)]
    tau0 = np.full(x0.shape[:2], 10.0)
    parameters = xr.Dataset(
        {"x0": (("chain", "draw", "region"), x0), "tau0": (("chain", "draw"), tau0)},
        coords={"region": names},
    )
    stats = xr.Dataset() if weight is None else xr.Dataset({"weight": ("chain", weight)})
    above = (x0 > critical_x0(10.0)).mean((0, 1))
    rows = tuple(_zone(i + 1, name, float(above[i])) for i, name in enumerate(names))
    diagnostics = rest.get("diagnostics")
    return PriorResults(
        name="default",
        diagnostics=Diagnostics(*diagnostics, {}) if diagnostics else None,
        zones=Zones(Table("zones.tsv", pd.DataFrame(rows), ""), rows),
        posterior=Posterior({"I1": 3.1}, parameters, xr.Dataset(), stats, xr.DataArray()),
        outcomes=None,
        recruitment=None,
        missing={},
    )


def _zone(rank: int, region: str, p_ez: float) -> ZoneRow:
    numbers = dict.fromkeys((f.name for f in fields(ZoneRow) if f.type is float), 0.0)
    return ZoneRow(
        **numbers | {"p_ez": p_ez},
        rank=rank,
        region=region,
        hemisphere=None,
        in_hypothesis=None,
    )


@pytest.mark.parametrize(
    ("diagnostics", "ranked"),
    [
        (("interpretable", ()), True),
        (("caution", ("one",)), True),
        (("do-not-use", ("one",)), False),
        (("a new word", ()), False),
        (None, False),
    ],
)
def test_only_a_usable_fit_is_ranked(diagnostics, ranked):
    priors = _priors(np.full((1, 4, 2), -3.0), diagnostics=diagnostics)
    assert findings.verdict_of(priors).usable is ranked


def test_a_plan_named_by_its_regions_is_recognised():
    plan = findings.Plan(
        0, 1, "a + b", "resection", ("a", "b"), (0, 1), 1.0, "", 2.0, (0.0, 0.0, 1.0), 0.5, None
    )
    assert plan.named_by_regions
    assert not replace(plan, candidate="clinical hypothesis").named_by_regions


@pytest.mark.parametrize(
    ("p_ez", "named", "auc"),
    [
        ([0.9, 0.1, 0.2], [True, False, False], 1.0),
        ([0.1, 0.9, 0.2], [True, False, False], 0.0),
        ([0.5, 0.5, 0.1, 0.9], [True, False, False, False], 0.5),
        ([0.5, 0.5], [False, False], np.nan),
    ],
)
def test_agreement_of_p_ez_with_the_hypothesis(p_ez, named, auc):
    rows = tuple(_zone(i + 1, f"r{i}", p) for i, p in enumerate(p_ez))
    rows = tuple(
        replace(row, in_hypothesis="EZ" if yes else None)
        for row, yes in zip(rows, named, strict=True)
    )
    priors = replace(
        _priors(np.full((1, 4, len(p_ez)), -3.0)),
        zones=Zones(Table("zones.tsv", pd.DataFrame(rows), ""), rows),
    )
    regions = findings.regions_of(priors, [row.region for row in rows])
    assert diagnostics.zone_auc(regions) == pytest.approx(auc, nan_ok=True)


# onsets ----------------------------------------------------------------------------------
def _channel(name, regions, recorded_s, modelled_s=0.0):
    return onsets.ChannelOnset(name, regions, recorded_s, modelled_s)


def _modelled(**onset_s):
    priors = _priors(np.full((1, 4, len(onset_s)), -3.0))
    found = findings.regions_of(priors, [f"r{i}" for i in range(len(onset_s))])
    pairs = zip(found, onset_s.items(), strict=True)
    return [replace(region, name=name, onset_s=value) for region, (name, value) in pairs]


def test_a_model_that_starts_elsewhere_is_named():
    recorded = [_channel("A1-A2", ("a", "b"), -0.5), _channel("C1-C2", ("c",), 4.0)]
    (warning,) = onsets.onset_warnings(recorded, 0.9, _modelled(a=6.0, b=np.nan, c=0.1))
    assert "first modelled region c (0.10 s), first recorded channel A1-A2 (a, −0.50 s)" in warning
    assert not onsets.onset_warnings(recorded, 0.9, _modelled(a=6.0, b=0.0, c=0.1))


def test_channels_that_start_together_all_count():
    recorded = [_channel("A1-A2", ("a",), 0.0), _channel("C1-C2", ("c",), 0.8)]
    assert not onsets.onset_warnings(recorded, float("nan"), _modelled(a=6.0, b=2.0, c=0.1))


def test_another_order_of_channels_is_named():
    (warning,) = onsets.onset_warnings([], 0.2, ())
    assert "rank correlation 0.2" in warning


# trust -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ({"r_hat_max": 1.01}, "good"),
        ({"r_hat_max": 1.2}, "fair"),
        ({"r_hat_max": 2.0}, "poor"),
        ({"r_hat_max": 1.2, "thresholds": {"r_hat": [1.01, 1.1]}}, "poor"),
        ({"ess_bulk_min": 50.0}, "fair"),
        ({"e_bfmi_min": 0.1}, "fair"),
        ({"modes": 3, "mode_weights": [0.5, 0.3, 0.2]}, "fair"),
    ],
)
def test_figures_are_judged_by_the_limits_that_were_used(figures, state):
    (judged,) = diagnostics.judge(figures)
    assert judged.state == state
    assert judged.meaning


def test_figures_that_are_not_there_are_not_judged():
    assert diagnostics.judge({"r_hat_max": None, "e_bfmi_min": None}) == ()


# recording -------------------------------------------------------------------------------
def test_channels_are_in_electrode_order():
    names = ["B10-B11", "A'2-A'3", "A2-A3", "B1-B2", "A10-A11", "B2-B3"]
    ordered = seizure_fit.electrode_order(names)
    assert ordered.index("A2-A3") < ordered.index("A10-A11") < ordered.index("B1-B2")
    assert ordered[-2:] == ["B2-B3", "B10-B11"]


@pytest.mark.parametrize("onset", [2.0, 11.0])
def test_the_onset_of_an_envelope_is_the_step_and_no_short_burst(onset):
    times = np.linspace(-5, 20, 501)
    envelope = 3.0 / (1 + np.exp(-(times - onset) / 0.1))
    assert seizure_fit.envelope_onset(times, envelope) == pytest.approx(onset, abs=0.06)
    burst = np.where(np.abs(times + 2.0) < 0.2, 4.0, envelope)
    assert seizure_fit.envelope_onset(times, burst) == pytest.approx(onset, abs=0.06)
    assert np.isnan(seizure_fit.envelope_onset(times, np.zeros(501)))


def test_channels_whose_envelope_does_not_rise_come_last_and_give_no_warning():
    recorded = {"A1-A2": np.nan, "B1-B2": 3.0, "C1-C2": 2.0, "D1-D2": 1.0}
    fits = [
        SimpleNamespace(channel=n, onset_s=s, onset_predicted_s=1.0) for n, s in recorded.items()
    ]
    seizure = SimpleNamespace(onsets={"A1-A2": 0.0, "B1-B2": 0.0, "C1-C2": 0.0})
    results = SimpleNamespace(gain=None)
    found = onsets.channel_onsets(results, seizure, SimpleNamespace(fits=fits))
    assert [one.channel for one in found] == ["C1-C2", "B1-B2", "A1-A2"]
    assert not onsets.onset_warnings(found[2:], float("nan"), _modelled(a=6.0, b=2.0, c=0.1))


# charts and colours ----------------------------------------------------------------------
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=30))
def test_the_front_holds_exactly_the_points_that_no_other_dominates(points):
    front = charts.front_of(points)
    for i, (x, y) in enumerate(points):
        beaten = any((a <= x and b <= y) and (a < x or b < y) for a, b in points)
        assert not (beaten and i in front)
        if not beaten:
            assert any(points[j] == (x, y) for j in front)


@given(st.floats(-1e3, 1e3), st.floats(0.01, 1e3))
def test_ticks_are_round_and_inside(low, width):
    scale = charts.Scale(low, low + width, 0, 100)
    values = [value for value, _ in scale.ticks]
    assert 2 <= len(values) <= 12
    assert all(low - 1e-6 <= v <= low + width + 1e-6 for v in values)
    assert scale(low) == 0
    assert scale(low + width) == 100


def test_small_probabilities_are_grey_and_early_onsets_bright():
    scale = colours.ColourScale(0, 1, 0.05)
    assert scale(0.01) == pytest.approx(colours.GREY)
    assert scale(None) == colours.GREY
    assert scale(1.0)[0] > 0.9
    onset = colours.ColourScale(12, 0)
    assert sum(onset(0.5)) > sum(onset(11))


def test_an_answer_is_least_certain_at_one_half():
    assert [uncertainty_bits(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.0, 1.0, 0.0])
    assert uncertainty_bits(0.11) == pytest.approx(0.5, abs=0.001)
    assert np.isnan(uncertainty_bits(np.nan))


# meshes ----------------------------------------------------------------------------------
def _sphere(n: int) -> Surface:
    angle, height = np.meshgrid(np.linspace(0, 2 * np.pi, n), np.linspace(-1, 1, n))
    radius = np.sqrt(1 - height**2)
    points = np.c_[
        (radius * np.cos(angle)).ravel(), (radius * np.sin(angle)).ravel(), height.ravel()
    ]
    corner = np.arange(n * (n - 1)).reshape(n - 1, n)[:, :-1].ravel()
    triangles = np.r_[
        np.c_[corner, corner + 1, corner + n], np.c_[corner + 1, corner + n + 1, corner + n]
    ]
    return Surface(50 * points, triangles, (points[:, 2] > 0).astype(np.int64) + 1)


def test_a_simplified_surface_keeps_position_and_regions():
    full = _sphere(150)
    small = simplify(full, 3000)
    assert len(small.vertices) <= 3000
    assert np.abs(np.linalg.norm(small.vertices, axis=1) - 50).max() < 2.5
    assert small.triangles.max() < len(small.vertices)
    upper = small.vertices[:, 2] > 5
    assert (small.regions[upper] == 2).all()
    assert simplify(small, 3000) is small


def test_a_mesh_can_be_read_from_its_bytes():
    surface = _sphere(20)
    content = gzip.decompress(b64decode(pack(mz3(surface))))
    magic, _, n_triangles, n_vertices, _ = struct.unpack("<HHIII", content[:16])
    assert (magic, n_triangles, n_vertices) == (23117, len(surface.triangles), 400)
    triangles = np.frombuffer(content, "<i4", 3 * n_triangles, 16).reshape(-1, 3)
    vertices = np.frombuffer(content, "<f4", offset=16 + 12 * n_triangles).reshape(-1, 3)
    np.testing.assert_array_equal(triangles, surface.triangles)
    np.testing.assert_allclose(vertices, surface.vertices, rtol=1e-6)


@pytest.mark.parametrize("n", [10, 86, 200, 1000])
def test_the_first_label_is_above_the_values_that_niivue_rounds_up(n):
    n_colours = n + first_label(n)
    assert first_label(n) - 1 > 2 / 256 * n_colours


# results, cohort --------------------------------------------------------------------
def test_missing_results_have_reasons_without_paths(tmp_path):
    results = load_results(tmp_path, "01", ["default"])
    assert results.main.zones is None
    assert results.main.missing["zones"].startswith("sub-01/inference/default/zones.tsv")
    assert not any(str(tmp_path) in reason for reason in results.missing.values())
    with pytest.raises(ValueError, match="at least one"):
        load_results(tmp_path, "01", [])


def test_a_broken_file_is_a_missing_part_with_a_reason(tmp_path, make_patient):
    out = tmp_path / "out"
    shutil.copytree(make_patient(images=False, n_regions=12, n_channels=12, n_plans=4), out)
    zones = out / "sub-01/inference/default/zones.tsv"
    zones.write_text(zones.read_text().splitlines()[0] + "\n1\n")
    (out / "sub-01/inference/default/diagnostics.json").write_text("{")
    (out / "sub-01/inference/default/posterior.nc").write_bytes(b"no netCDF")
    results = load_results(out, "01", ["default"])
    assert "row 2" in results.main.missing["zones"]
    assert "cannot be read" in results.main.missing["diagnostics"]
    assert "cannot be read" in results.main.missing["posterior"]
    assert not any(str(out) in reason for reason in results.main.missing.values())
    assert results.main.outcomes is not None


def test_the_cohort_lists_patients_and_withholds_failed_fits(make_patient, tmp_path):
    small = {"images": False, "n_regions": 12, "n_channels": 12, "n_plans": 4}
    good = load_results(make_patient(**small), "01", ["default"])
    bad = load_results(make_patient(label="02", verdict="do-not-use", **small), "02", ["default"])
    text = build_cohort([summary_of(bad), summary_of(good)], tmp_path).read_text("utf-8")
    assert text.index("sub-01.html") < text.index("sub-02.html")
    row = text[text.index("sub-02.html") :]
    assert row.count("withheld") == 2
    assert good.main.zones.rows[0].region in text
    assert "Research use only" in text


def test_the_cohort_scores_predictions_from_sums_only(make_patient, tmp_path):
    small = {"images": False, "n_regions": 12, "n_channels": 12, "n_plans": 4}
    summary = summary_of(load_results(make_patient(**small), "01", ["default"]))
    assert summary.predicted == 0.8
    many = [
        replace(summary, label=str(i), predicted=(0.1, 0.9)[i < 6 or i == 9]) for i in range(12)
    ]
    free = {str(i): i < 6 for i in range(12)}
    text = build_cohort(many, tmp_path, free).read_text("utf-8")
    section = text[text.index("Predicted and actual outcome") :]
    assert "6 seizure-free" in section
    assert "AUC 0.92" in section
    assert "sub-" not in section[: section.index("</section>")]
    assert "Predicted and actual" not in build_cohort(many, tmp_path).read_text("utf-8")
