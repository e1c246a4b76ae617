"""The search for the place where a recorded seizure starts."""

import itertools
import json

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from scipy.sparse import csgraph

from inference.posterior import save
from tests.cortex.conftest import STARTS, gain_around, posterior_tree, write_fitted
from virtualbrain import cli
from virtualbrain.cortex.focus_search import (
    GrowthModel,
    _blocks,
    _growth,
    _misfits,
    patch_shares,
    search_focus,
    seizure_data,
    sums_within,
)
from virtualbrain.errors import FAULT_OF_INPUT, InputError
from virtualbrain.io.cortex_results import load_cortex_run
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table

MODEL = GrowthModel()
LOG_POWER = 3.2
TIMES_S = np.arange(-5.0, 20.0, 0.25)
SMALL = ("--vertices", "1600", "--draws", "3")


@pytest.fixture(scope="module")
def gain(mesh):
    return gain_around(mesh.cortex, 60)


def middle(mesh, point):
    return int(np.linalg.norm(mesh.cortex.vertices_mm - point, axis=1).argmin())


def areas_cm2(onset_s=0.0, speed=0.6):
    """Area of a patch that starts with 1 cm² and grows."""
    return np.where(onset_s <= TIMES_S, 1.0 + speed * np.maximum(TIMES_S - onset_s, 0), 0.0)


def recorded(mesh, gain, starts, noise=0.2, seed=1):
    """Return the envelope of patches that grow around vertices, (n_times, n_channels)."""
    distance = csgraph.dijkstra(mesh.cortex.distances_mm, indices=list(starts))
    shares = np.zeros((len(TIMES_S), len(gain)))
    for row, areas in zip(distance, starts.values(), strict=True):
        order = np.argsort(row, kind="stable")
        size = np.cumsum(mesh.cortex.areas_mm2[order]) / 100.0
        counts = np.searchsorted(size, areas)
        shares += np.array([gain[:, order[:count]].sum(axis=1) for count in counts])
    clean = np.log1p(np.expm1(LOG_POWER) * shares)
    return clean + np.random.default_rng(seed).normal(0, noise, clean.shape), clean


def data_of(mesh, gain, starts, seed=1):
    envelope, clean = recorded(mesh, gain, starts, seed=seed)
    return seizure_data(envelope, clean, TIMES_S, MODEL)


@pytest.mark.parametrize("point", [(-45, 0, 0), (-26, 15, 12), (30, -19, 2)])
def test_place_and_growth_of_a_patch_are_found(mesh, gain, point):
    start = middle(mesh, point)
    data = data_of(mesh, gain, {start: areas_cm2(3.0)})
    found = search_focus(mesh.cortex, gain, [data], MODEL)
    vertices = mesh.cortex.vertices_mm
    assert np.linalg.norm(vertices[found.vertex] - vertices[start]) < 4.0
    assert found.probability.sum() == pytest.approx(1.0)
    assert found.near[found.vertex] == found.near.max() == found.p_near
    inside = np.linalg.norm(vertices - vertices[found.vertex], axis=1) <= MODEL.near_mm
    assert found.p_near == pytest.approx(found.probability[inside].sum())
    (patch,) = found.seizing_cm2
    assert (np.diff(patch) >= 0).all()
    assert patch[1] == 0.0
    assert patch[-1] == pytest.approx(areas_cm2(3.0)[-1], rel=0.3)
    assert found.supported
    assert found.left < 0.1
    by_region = found.by_region(mesh.cortex.regions)
    assert next(iter(by_region)) == mesh.cortex.regions[start]
    assert sum(by_region.values()) == pytest.approx(1.0)


def test_two_places_are_not_taken_for_one(mesh, gain):
    starts = {middle(mesh, (-45, 0, 0)): areas_cm2(), middle(mesh, (45, 0, 0)): areas_cm2()}
    found = search_focus(mesh.cortex, gain, [data_of(mesh, gain, starts)], MODEL)
    assert not found.supported
    assert found.left > MODEL.most_left * found.left_by_regions


def test_a_second_seizure_from_the_same_place_makes_it_surer(mesh, gain):
    start = middle(mesh, (-40, 12, -6))
    seizures = [
        data_of(mesh, gain[:6], {start: areas_cm2(onset, 0.3)}, seed)
        for onset, seed in ((0.0, 1), (5.0, 2))
    ]
    one = search_focus(mesh.cortex, gain[:6], seizures[:1], MODEL)
    both = search_focus(mesh.cortex, gain[:6], seizures, MODEL)
    assert both.p_near > one.p_near
    assert [len(patch) for patch in both.seizing_cm2] == [20, 20]


def test_silence_says_nothing_about_the_place(mesh, gain):
    quiet = np.random.default_rng(0).normal(0, 0.2, (len(TIMES_S), len(gain)))
    data = seizure_data(quiet, np.zeros_like(quiet), TIMES_S, MODEL)
    found = search_focus(mesh.cortex, gain, [data], MODEL)
    assert found.p_near < 0.2
    assert not found.supported  # the fitted regions explain as little


def test_shares_are_sums_of_the_gain_over_the_nearest_cortex(mesh, gain):
    v = middle(mesh, (-26, 20, 0))
    shares = patch_shares(mesh.cortex, gain, np.array([v]))[0]
    assert (shares[0] == 0).all()
    assert (np.diff(shares, axis=0) >= 0).all()
    distance = csgraph.dijkstra(mesh.cortex.distances_mm, indices=v)
    order = np.argsort(distance, kind="stable")
    count = int((np.cumsum(mesh.cortex.areas_mm2[order]) < 200.0).sum()) + 1
    np.testing.assert_allclose(shares[4], gain[:, order[:count]].sum(axis=1))


def test_where_other_regions_are_far_a_patch_fills_its_own_first(mesh, gain):
    v = middle(mesh, (-26, 20, -9))  # beside the border of two bands
    own = np.asarray(mesh.cortex.regions) == mesh.cortex.regions[v]
    area = mesh.cortex.areas_mm2[own].sum() / 100.0
    assert area > 4.0
    inside = gain * own
    plain, own_first = (patch_shares(mesh.cortex, inside, np.array([v]), f)[0] for f in (1.0, 50.0))
    whole = patch_shares(mesh.cortex, gain, np.array([v]), 50.0)[0]
    np.testing.assert_allclose(own_first[:7], whole[:7])  # up to 3.9 cm² nothing of others
    assert (own_first >= plain - 1e-12).all()
    assert own_first[6].sum() > 1.1 * plain[6].sum()


def test_many_vertices_are_tried_few_at_once():
    for n in (1600, 160_000):
        regions = np.repeat(["a", "b"], [n // 4, n - n // 4])
        blocks = list(_blocks(regions))
        assert max(len(one) for one in blocks) * n <= 8_000_000
        assert all(len(set(regions[one])) == 1 for one in blocks)
        assert sorted(np.concatenate(blocks)) == list(range(n))


def test_sums_of_what_is_near_are_those_of_all_pairs():
    rng = np.random.default_rng(6)
    points, values = rng.uniform(0, 30, (4500, 3)), rng.random(4500)
    some = rng.choice(4500, 50)
    apart = np.linalg.norm(points[some, None] - points, axis=2)
    expected = ((apart <= 4.0) * values).sum(axis=1)
    np.testing.assert_allclose(sums_within(points, 4.0, values)[some], expected)


def test_growth_is_the_best_of_all_that_never_shrink():
    rng = np.random.default_rng(2)
    observed, modelled = rng.normal(size=(5, 3)), rng.normal(size=(2, 4, 3))
    weight, most = np.array([0.5, 1.0, 2.0]), 1.5
    found = _misfits(observed, modelled, weight, most)
    for i in range(2):
        cost = np.minimum((observed[:, None] - modelled[i]) ** 2 * weight, most).sum(axis=2)
        every = itertools.combinations_with_replacement(range(4), 5)
        sums = {path: cost[np.arange(5), list(path)].sum() for path in every}
        assert found[i] == pytest.approx(min(sums.values()))
        assert tuple(_growth(cost)) == min(sums, key=sums.get)


def test_bins_are_means_and_the_rest_adds_to_the_variance():
    values = np.arange(len(TIMES_S), dtype=float)[:, None] / 10
    data = seizure_data(values, 2 * values, TIMES_S, MODEL)
    assert data.log_power.shape == (20, 1)
    assert data.log_power[3, 0] == pytest.approx(values[(TIMES_S >= 3) & (TIMES_S < 4)].mean())
    np.testing.assert_allclose(data.by_regions, 2 * data.log_power)
    assert data.variance[0] == pytest.approx(0.25**2 + values[TIMES_S < -1].var())
    with pytest.raises(InputError, match="ends before the marked onset"):
        seizure_data(values[:10], values[:10], TIMES_S[:10], MODEL)


def test_bins_know_their_time_where_samples_are_rare():
    times = np.arange(-6.0, 30.0, 1.2)
    data = seizure_data(np.zeros((30, 2)), np.zeros((30, 2)), times, MODEL)
    assert list(data.middle_s[:6]) == [0.5, 1.5, 2.5, 3.5, 4.5, 6.5]
    assert len(data.middle_s) == len(data.log_power)


def test_an_envelope_without_numbers_is_refused():
    values = np.zeros((len(TIMES_S), 2))
    values[30, 1] = np.nan
    with pytest.raises(InputError, match="no numbers"):
        seizure_data(values, values, TIMES_S, MODEL)


# ---- the command ----------------------------------------------------------------------------


def fitted_with_envelope(out, power, explained):
    """Write results of a fit that predicts a part of the power (n_times, n_channels)."""
    layout = write_fitted(out)
    tree = posterior_tree()
    envelope = power(tree["constant_data"]["time_s"].to_numpy())
    tree["observed_data"] = xr.DataTree(xr.Dataset({"envelope": (("time", "channel"), envelope)}))
    tree["posterior_predictive"] = xr.DataTree(
        xr.Dataset(
            {"envelope": (("quantile", "time", "channel"), explained * envelope[None])},
            coords={"quantile": [0.5]},
        )
    )
    save(tree, layout.posterior("default"))
    return layout


def test_command_finds_a_focus_and_places_it(tmp_path, capsys):
    def power(time_s):
        return np.where(time_s[:, None] >= 0, [0.1, 0.4, 1.0, 2.5, 0, 0, 0, 0], 0.0)

    layout = fitted_with_envelope(tmp_path, power, 0.6)
    assert cli.main(["cortex", str(tmp_path), *SMALL, "--find-focus", "1.5"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the seizure starts within 10 mm of" in said
    assert "the best of 480 simulations leaves" in said
    name = "desc-focus_regions"
    table = read_table(layout.cortex_result("default", "seizure", f"{name}.tsv"))
    about = json.loads(layout.cortex_result("default", "seizure", f"{name}.json").read_text())
    assert table["p"].sum() == pytest.approx(1.0)
    assert table["region"][0] == STARTS
    found = about["Found"]
    assert found["Supported"]
    assert found["Simulations"] == 480
    run = json.loads(layout.cortex_result("default", "seizure", "cortex.json").read_text())
    assert [focus["Vertex"] for focus in run["Foci"]] == [found["Vertex"]]
    left = nib.load(
        layout.cortex_result("default", "seizure", "hemi-L_desc-focus_pnear.shape.gii")
    ).agg_data()
    assert left.max() == pytest.approx(found["PNear"], abs=1e-6)
    image = nib.load(layout.cortex_result("default", "seizure", "desc-focus_pnear.nii.gz"))
    assert np.nanmax(image.get_fdata()) == pytest.approx(found["PNear"], abs=0.05)


def test_command_places_no_focus_where_one_place_explains_too_little(tmp_path, capsys):
    def power(time_s):
        return np.where(time_s[:, None] >= 0, [3.0, 0, 0, 2.5, 0, 3.0, 0, 3.0], 0.0)

    layout = fitted_with_envelope(tmp_path, power, 0.98)
    assert cli.main(["cortex", str(tmp_path), *SMALL, "--find-focus"]) == 0
    assert "one place on the cortex does not explain the recording" in " ".join(
        capsys.readouterr().err.split()
    )
    run = json.loads(layout.cortex_result("default", "seizure", "cortex.json").read_text())
    assert run["Foci"] == []


def test_a_stated_and_a_found_focus_exclude_each_other(tmp_path, capsys):
    write_fitted(tmp_path)
    options = ["--find-focus", "--focus", "3,2"]
    assert cli.main(["cortex", str(tmp_path), *SMALL, *options]) == FAULT_OF_INPUT
    assert "--focus and --find-focus" in capsys.readouterr().err


def test_without_a_found_focus_seizures_start_where_the_fit_says(tmp_path, capsys):
    def power(time_s):
        return np.where(time_s[:, None] >= 0, [3.0, 0, 0, 2.5, 0, 3.0, 0, 3.0], 0.0)

    layout = fitted_with_envelope(tmp_path, power, 0.98)
    assert cli.main(["cortex", str(tmp_path), *SMALL, "--find-focus", "--only-focus"]) == 0
    assert "where the fit says" in " ".join(capsys.readouterr().err.split())
    table = read_table(layout.cortex_result("default", "seizure", "desc-outcome.tsv"))
    assert table["recruited_cm2"][0] > 1.0
    assert table["share_free"][0] == 0.0
    focus = layout.cortex_result("default", "seizure", "desc-focus_regions.json")
    assert load_cortex_run(layout, "default", "seizure").found is not None
    kept = focus.read_text()
    operated = layout.cortex_result("default", "seizure", "desc-after_onset.nii.gz")
    operated.touch()  # of an earlier run with surgery
    assert cli.main(["cortex", str(tmp_path), *SMALL]) == 0
    assert not list(focus.parent.glob("*focus*"))
    assert not operated.exists()
    focus.write_text(kept)  # a folder that an earlier version left behind
    assert load_cortex_run(layout, "default", "seizure").found is None


@pytest.mark.parametrize("area", ["0", "-1", "nan", "inf"])
def test_a_focus_without_area_is_refused_before_the_search(tmp_path, capsys, area):
    write_fitted(tmp_path)
    options = [f"--find-focus={area}"]
    assert cli.main(["cortex", str(tmp_path), *SMALL, *options]) == FAULT_OF_INPUT
    assert "an area above zero" in capsys.readouterr().err
    assert not PatientLayout(tmp_path, "01").cortex.exists()


def test_a_posterior_without_envelopes_is_refused_before_the_search(tmp_path, capsys):
    write_fitted(tmp_path)
    assert cli.main(["cortex", str(tmp_path), *SMALL, "--find-focus"]) == FAULT_OF_INPUT
    said = capsys.readouterr().err
    assert "the posterior has no envelopes" in said
    assert not PatientLayout(tmp_path, "01").cortex.exists()
