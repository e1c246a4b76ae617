"""A fitted patient on the surface: draws, focus, surgery, and what the channels see."""

from dataclasses import replace

import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import sparse

from tests.cortex.conftest import (
    CENTRE,
    FOLLOWS,
    NAMES,
    SETTINGS,
    STARTS,
    channel_table,
    contact_table,
    label_image,
    region_table,
    surfaces,
)
from virtualbrain.anatomy.cortical_mesh import geodesic_distances
from virtualbrain.cortex.channels import (
    agreement,
    channel_gain,
    channel_onsets,
    median_channel_onsets,
    onset_share,
)
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.focus import focus_around, nearest_vertex
from virtualbrain.cortex.mesh import arrays_of, mesh_from, mesh_plan
from virtualbrain.cortex.network import nodes_of, states_of
from virtualbrain.cortex.resection import (
    Mask,
    Sphere,
    Surgery,
    operated,
    removed_vertices,
    taken_of_images,
)
from virtualbrain.cortex.run import on_voxels
from virtualbrain.errors import ConfigError, InputError
from virtualbrain.io.cortex import read_arrays, write_arrays
from virtualbrain.models.reduced_physics import critical_x0
from virtualbrain.seeg.gain import Sources, power_gain
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.network_change import Change
from virtualbrain.surgery.outcome import onset_steps
from virtualbrain.surgery.settings import SurgerySettings

SEEG = SeegSettings()


@pytest.fixture(scope="module")
def nodes(mesh, draws):
    return nodes_of(mesh, draws.regions)


def model(mesh, plan, draws, foci=(), **more):
    settings = replace(SETTINGS, **more)
    nodes = nodes_of(mesh, draws.regions)
    return Simulator(mesh, nodes, draws, states_of(draws, nodes, foci=foci), plan.kernel, settings)


@pytest.fixture(scope="module")
def simulator(mesh, plan, draws):
    return model(mesh, plan, draws)


@pytest.fixture(scope="module")
def ensemble(simulator):
    return simulator.ensemble()


def after(simulator, surgery, foci=()):
    names = ["Left-Thalamus"]
    taken = taken_of_images(surgery, label_image(), region_table(), names)
    return operated(simulator, surgery, taken, foci, 0.5)


def where(nodes, *regions):
    return np.isin(nodes.names, regions)


def test_without_local_coupling_draws_have_the_onsets_of_the_region_model(mesh, plan, draws):
    found = model(mesh, plan, draws, local=0.0, step=draws.dt / 4).ensemble()
    ones = np.ones(len(NAMES))
    none = Change(ones, ones > 0, ones < 0, draws.weights, ones)
    fine = replace(draws, dt=draws.dt / 4, time_s=np.linspace(-5, 45, 1001))
    steps = onset_steps([none], fine, SurgerySettings())[0]
    expected = np.where(np.isfinite(steps), fine.time_s[np.where(np.isfinite(steps), steps, 0)
                        .astype(int)], np.nan)  # fmt: skip
    nodes = nodes_of(mesh, draws.regions)
    assert np.isfinite(expected).any(axis=0).sum() == 1 + len(FOLLOWS)
    np.testing.assert_allclose(found.onset_s, expected[:, nodes.region], rtol=0, atol=0.11)


def test_local_coupling_spreads_the_seizure_over_the_border_first(simulator, ensemble, mesh, nodes):
    onset, below = ensemble.onset_s[0], where(nodes, "ctx-lh-b0")
    z = mesh.cortex.vertices_mm[:, 2]
    reached = below[: len(z)] & np.isfinite(onset[: len(z)])
    near, far = reached & (z > -12.0), reached & (z < -18.0)
    assert near.sum() > 5
    assert far.sum() > 5
    assert np.median(onset[: len(z)][near]) < np.median(onset[: len(z)][far])
    alone = replace(simulator, settings=replace(SETTINGS, local=0.0)).ensemble()
    assert np.ptp(alone.onset_s[0][below]) == 0.0


def test_area_and_share_free_count_what_seizes(ensemble, mesh, nodes):
    of_start = mesh.cortex.areas_mm2[where(nodes, STARTS)[: nodes.n_vertices]].sum() / 100
    assert (ensemble.recruited_cm2 >= of_start - 1e-9).all()
    assert ensemble.share_free == 0.0
    assert not ensemble.seizes[:, where(nodes, "ctx-rh-b0", "ctx-rh-b3")].any()
    assert (ensemble.end_s > ensemble.onset_s)[ensemble.seizes].all()
    typical = ensemble.recruited_cm2[ensemble.typical]
    assert (ensemble.recruited_cm2 <= typical).sum() >= 3


def test_focus_has_its_area_and_hangs_together(mesh):
    centre = nearest_vertex(mesh.cortex, CENTRE["L"] + np.array([-20.0, 0, -5]))
    focus = focus_around(mesh.cortex, centre, 2.0)
    area = mesh.cortex.areas_mm2[focus.vertices].sum() / 100
    assert area == pytest.approx(focus.area_cm2)
    assert 2.0 <= area < 2.0 + mesh.cortex.areas_mm2.max() / 100
    arc = 20 * np.arccos(1 - area * 100 / (2 * np.pi * 400))  # radius of a cap of that area
    away = mesh.cortex.vertices_mm[focus.vertices] - mesh.cortex.vertices_mm[centre]
    assert np.linalg.norm(away, axis=1).max() < arc + 2.0
    near = sparse.csr_array(mesh.cortex.distances_mm)[focus.vertices][:, focus.vertices]
    assert sparse.csgraph.connected_components(near)[0] == 1
    with pytest.raises(InputError, match="no vertex -1"):
        focus_around(mesh.cortex, -1, 2.0)
    with pytest.raises(InputError, match="less than"):
        focus_around(mesh.cortex, centre, 400.0)
    with pytest.raises(InputError, match="mm from the centre"):
        nearest_vertex(mesh.cortex, np.array([0.0, 200, 0]))


def test_only_the_focus_of_its_region_starts_seizures(mesh, plan, draws, nodes):
    centre = nearest_vertex(mesh.cortex, CENTRE["L"] + np.array([-20.0, 0, -5]))
    focus = focus_around(mesh.cortex, centre, 2.0)
    assert focus.region == STARTS
    states = states_of(draws, nodes, foci=[focus])
    inside = np.isin(np.arange(len(nodes.region)), focus.vertices)
    own, at = where(nodes, STARTS), NAMES.index(STARTS)
    limit = critical_x0(draws.tau0, draws.I1)
    assert (states.x0[:, inside] == draws.x0[:, [at]]).all()
    assert (states.x0[:, own & ~inside] < limit[:, None]).all()
    others = ~own & ~inside
    assert np.array_equal(states.x0[:, others], states_of(draws, nodes).x0[:, others])
    found = model(mesh, plan, draws, foci=[focus], local=0.0).ensemble()
    assert found.seizes[:, inside].all()
    assert not found.seizes[:, own & ~inside].any()


def test_focus_in_a_quiet_region_takes_the_most_excitable_one_of_the_draw(mesh, draws, nodes):
    centre = nearest_vertex(mesh.cortex, CENTRE["R"] + np.array([20.0, 0, 0]))
    focus = focus_around(mesh.cortex, centre, 1.0)
    states = states_of(draws, nodes, foci=[focus])
    assert (states.x0[:, focus.vertices] == draws.x0.max(axis=1)[:, None]).all()
    assert (states.x0[:, where(nodes, STARTS)] > -1.8).all()
    alone = states_of(draws, nodes, foci=[focus], only_foci=True)
    outside = ~np.isin(np.arange(len(nodes.region)), focus.vertices)
    assert (alone.x0[:, outside] < critical_x0(draws.tau0, draws.I1)[:, None]).all()
    assert np.array_equal(alone.x0[:, focus.vertices], states.x0[:, focus.vertices])


def test_focus_never_takes_what_a_recruited_region_lacks_of_input(mesh, draws, nodes):
    centre = nearest_vertex(mesh.cortex, CENTRE["R"] + np.array([20.0, 0, 0]))
    focus = focus_around(mesh.cortex, centre, 1.0)
    recruited = next(k for k, name in enumerate(NAMES) if name not in (STARTS, focus.region))
    x0 = draws.x0.copy()
    x0[:, recruited] = draws.x0.max() + 0.3
    states = states_of(replace(draws, x0=x0), nodes, foci=[focus])
    assert (states.x0[:, focus.vertices] == draws.x0[:, [NAMES.index(STARTS)]]).all()


def test_distances_around_a_gap_are_those_of_the_remaining_surface(mesh):
    removed = Sphere(tuple(CENTRE["L"] + [-20.0, 0, 0]), 7.0).holds(mesh.cortex.vertices_mm)
    left, kept = mesh.without(removed)
    whole = geodesic_distances(left.cortex.vertices_mm, left.triangles, mesh.reach_mm)
    difference = abs(left.cortex.distances_mm - whole)
    assert difference.max() < 1e-3  # stored distances have single precision
    before = mesh.cortex.distances_mm[kept][:, kept]
    assert (left.cortex.distances_mm - before).max() > 0.5 or before.nnz > whole.nnz
    assert not removed[kept].any()


def test_resection_of_the_start_ends_all_seizures(simulator, nodes):
    found = after(simulator, Surgery(regions=(STARTS,)))
    assert found.taken == {STARTS: 1.0}
    assert found.removed.sum() == where(nodes, STARTS).sum()
    result = found.simulator.ensemble()
    assert result.share_free == 1.0
    assert (result.recruited_cm2 == 0).all()


class AllBut:
    """Tissue of a region without a vertex in its middle."""

    def __init__(self, mesh, nodes, region):
        points = mesh.cortex.vertices_mm[where(nodes, region)[: nodes.n_vertices]]
        self.points = np.delete(points, len(points) // 2, axis=0)

    def holds(self, points):
        return np.linalg.norm(points[:, None] - self.points, axis=-1).min(axis=1) < 1e-6


def test_a_vertex_that_is_left_alone_is_gone_with_its_region(simulator, mesh, nodes):
    found = after(simulator, Surgery(volumes=(AllBut(mesh, nodes, STARTS),)))
    assert found.taken[STARTS] == 1.0
    assert found.simulator.ensemble().share_free == 1.0


def test_resection_elsewhere_leaves_the_seizure(simulator, ensemble, nodes):
    found = after(simulator, Surgery(regions=("ctx-rh-b2",)))
    result = found.simulator.ensemble()
    assert result.share_free == 0.0
    np.testing.assert_allclose(result.recruited_cm2, ensemble.recruited_cm2, rtol=1e-6)


def test_resection_of_a_nucleus_removes_it_from_the_count(simulator, draws):
    found = after(simulator, Surgery(volumes=(Sphere(tuple(CENTRE["L"]), 8.0),)))
    assert found.taken == {"Left-Thalamus": 1.0}
    assert not found.removed.any()
    result = found.simulator.ensemble()
    assert not result.seizes[:, -1].any()
    part = after(simulator, Surgery(volumes=(Sphere(tuple(CENTRE["L"] - [8.0, 0, 0]), 8.0),)))
    share = part.taken["Left-Thalamus"]
    assert 0.0 < share < 0.5
    weights = part.simulator.weights
    assert weights[-1, 1] == pytest.approx((1 - share) * draws.weights[-1, 1])


def test_disconnected_start_seizes_alone(simulator, nodes):
    found = after(simulator, Surgery(disconnected=(STARTS,)))
    assert not found.removed.any()
    result = found.simulator.ensemble()
    assert result.seizes[:, where(nodes, STARTS)].all()
    assert not result.seizes[:, ~where(nodes, STARTS)].any()


def test_removed_focus_leaves_its_region_quiet(mesh, plan, draws):
    centre = nearest_vertex(mesh.cortex, CENTRE["L"] + np.array([-20.0, 0, -5]))
    focus = focus_around(mesh.cortex, centre, 1.0)
    before = model(mesh, plan, draws, foci=[focus])
    ball = Sphere(tuple(mesh.cortex.vertices_mm[centre]), 9.0)
    found = after(before, Surgery(volumes=(ball,)), foci=[focus])
    assert found.removed[focus.vertices].all()
    assert 0 < found.taken[STARTS] < 1
    assert found.simulator.ensemble().share_free == 1.0


def test_mask_takes_what_its_sphere_takes(mesh):
    ball = Sphere((-44.0, 3.0, 4.0), 10.0)
    image = label_image()
    fine = np.diag([0.5, 0.5, 0.5, 1.0])
    fine[:3, 3] = [-56, -10, -10]
    shape = (48, 52, 56)
    places = apply_affine(fine, np.argwhere(np.ones(shape, dtype=bool)))
    mask = Mask(ball.holds(places).reshape(shape), fine, "lesion.nii.gz")
    one = removed_vertices(mesh, Surgery(volumes=(ball,)))
    other = removed_vertices(mesh, Surgery(volumes=(mask,)))
    assert one.sum() > 50
    assert (one != other).sum() <= 0.06 * one.sum()
    with pytest.raises(InputError, match="the mask is empty"):
        Mask.of(image.__class__(np.zeros((3, 3, 3), np.uint8), np.eye(4)), "m.nii")


def test_plan_that_takes_nothing_is_refused(simulator):
    with pytest.raises(InputError, match="takes out no cortex"):
        after(simulator, Surgery(volumes=(Sphere((0.0, 100.0, 0.0), 5.0),)))


def test_gain_is_that_of_the_project_and_sums_to_one(mesh, nodes):
    channels, contacts = channel_table(), contact_table()
    gain = channel_gain(mesh, nodes, channels, contacts, region_table(), label_image(), SEEG)
    assert gain.shape == (len(channels), len(nodes.region))
    np.testing.assert_allclose(gain.sum(axis=1), 1.0)
    cortex = mesh.cortex
    vertices = Sources(
        cortex.vertices_mm, cortex.areas_mm2 * 2.5, nodes.region[: nodes.n_vertices],
        mesh.normals, "surface",
    )  # fmt: skip
    weights = np.zeros((len(channels), len(contacts)))
    for k, row in enumerate(channels.to_dict("records")):
        for name, sign in ((row["anode"], 1), (row["cathode"], -1)):
            weights[k, list(contacts["name"]).index(name)] = sign
    direct = power_gain(
        contacts[list("xyz")].to_numpy(), weights, vertices, len(NAMES), SEEG.clamp_mm, dipole=True
    )
    by_region = np.zeros((len(channels), len(NAMES)))
    np.add.at(by_region.T, nodes.region, gain.T)
    cortical = direct[:, :-1]
    np.testing.assert_allclose(
        by_region[:, :-1] / by_region[:, :-1].sum(axis=1, keepdims=True),
        cortical / cortical.sum(axis=1, keepdims=True),
    )  # fmt: skip
    # The innermost channel is the nearest to the nucleus, the outer ones to the band outside.
    assert by_region[0, -1] == by_region[:4, -1].max()
    assert by_region[3].argmax() == NAMES.index(STARTS)
    with pytest.raises(InputError, match="has no coordinates"):
        broken = contacts.assign(x=np.where(contacts["name"] == "A1", np.nan, contacts["x"]))
        channel_gain(mesh, nodes, channels, broken, region_table(), label_image(), SEEG)


def test_channel_onset_is_when_the_share_is_reached():
    rng = np.random.default_rng(3)
    gain = rng.random((5, 40))
    gain /= gain.sum(axis=1, keepdims=True)
    onset = np.where(rng.random(40) < 0.6, rng.uniform(0, 20, 40), np.nan)
    for share in (0.01, 0.2, 0.5, 0.9):
        found = channel_onsets(gain, onset, share)
        for k in range(5):
            times = [t for t in np.sort(onset[np.isfinite(onset)])
                     if gain[k, onset <= t].sum() >= share]  # fmt: skip
            expected = times[0] if times else np.nan
            np.testing.assert_equal(found[k], expected)
    assert np.isnan(channel_onsets(gain, np.full(40, np.nan), 0.1)).all()


def test_share_follows_from_power_and_factor():
    # 1 + P share = factor
    assert 1 + np.expm1(3.0) * onset_share(3.0, 4.5) == pytest.approx(4.5)
    assert onset_share(0.1, 4.5) == 0.9
    assert onset_share(None, 4.5) == 0.1


def test_median_onset_needs_half_of_the_draws():
    onset = np.array([[1.0, np.nan], [3.0, np.nan], [2.0, 5.0], [np.nan, np.nan]])
    found, share = median_channel_onsets(np.eye(2), onset, 0.5)
    np.testing.assert_equal(found, [2.0, np.nan])
    np.testing.assert_equal(share, [0.75, 0.25])


def test_agreement_counts_and_ranks():
    recorded = np.array([1.0, 2.0, 3.0, 4.0, np.nan, 6.0])
    found = agreement(recorded, np.array([2.0, 3.0, 5.0, 9.0, 1.0, np.nan]))
    assert found == {
        "recorded": 5, "both": 4, "extra": 1, "rank_correlation": pytest.approx(1.0),
        "median_error_s": 1.5,
    }  # fmt: skip
    assert agreement(recorded, np.full(6, np.nan))["rank_correlation"] is None


def test_stored_surface_is_the_same_and_another_key_or_damage_is_noticed(mesh, tmp_path):
    path = tmp_path / "mesh.npz"
    write_arrays(path, arrays_of(mesh), "one")
    same = mesh_from(read_arrays(path, "one"))
    assert (same.cortex.distances_mm != mesh.cortex.distances_mm).nnz == 0
    assert np.array_equal(same.cortex.vertices_mm, mesh.cortex.vertices_mm)
    assert tuple(same.cortex.regions) == tuple(str(r) for r in mesh.cortex.regions)
    assert np.array_equal(same.triangles, mesh.triangles)
    assert np.array_equal(same.sides, mesh.sides)
    assert read_arrays(path, "two") is None
    path.write_bytes(path.read_bytes()[:2000])
    assert read_arrays(path, "one") is None


def test_voxels_take_the_value_of_the_nearest_vertex_of_their_region(simulator, nodes):
    labels, regions = label_image(), region_table()
    values = np.arange(len(nodes.region), dtype=float)
    found = np.asarray(on_voxels(simulator, values, regions, labels).dataobj)
    numbers = np.asarray(labels.dataobj)
    assert np.isnan(found[numbers == 0]).all()
    assert np.unique(found[numbers == 20]) == len(values) - 1
    vertices = simulator.mesh.cortex.vertices_mm
    for index, name in ((1, "ctx-lh-b0"), (7, "ctx-rh-b2")):
        own = np.flatnonzero(nodes.names[: len(vertices)] == name)
        for voxel in np.argwhere(numbers == index)[::40]:
            away = np.linalg.norm(vertices[own] - apply_affine(labels.affine, voxel), axis=1)
            assert away[own == found[tuple(voxel)]] == away.min()


def test_kernel_follows_the_spacing_and_more_vertices_than_there_are_is_refused():
    fine, coarse = (mesh_plan(surfaces(), replace(SETTINGS, n_vertices=n)) for n in (1600, 400))
    assert coarse.kernel.width_mm == pytest.approx(2 * fine.kernel.width_mm, rel=0.01)
    assert fine.kernel.width_mm == pytest.approx(1.5 * fine.spacing_mm, abs=0.01)
    assert fine.kernel.integral == pytest.approx(1.0)
    stated = mesh_plan(surfaces(), replace(SETTINGS, width_mm=3.0))
    assert stated.kernel.width_mm == 3.0
    with pytest.raises(ConfigError, match="2000 vertices wanted"):
        mesh_plan(surfaces(), replace(SETTINGS, n_vertices=2000))


def test_cortex_that_was_not_fitted_is_healthy(mesh, draws):
    kept = [k for k, name in enumerate(NAMES) if name != "ctx-rh-b3"]
    fewer = replace(
        draws, regions=tuple(NAMES[k] for k in kept), weights=draws.weights[np.ix_(kept, kept)],
        **{f: getattr(draws, f)[:, kept] for f in ("x0", "own_x0", "in_ez", "x_init", "z_init")},
    )  # fmt: skip
    nodes = nodes_of(mesh, fewer.regions)
    assert nodes.regions[-1] == "ctx-rh-b3"
    states = states_of(fewer, nodes)
    assert (states.x0[:, where(nodes, "ctx-rh-b3")] == -3.0).all()
    with pytest.raises(InputError, match="no region of the surface was fitted"):
        nodes_of(mesh, ("other",))


def test_channels_of_the_start_come_before_the_one_that_sees_the_nucleus(ensemble, mesh, nodes):
    gain = channel_gain(
        mesh, nodes, channel_table(), contact_table(), region_table(), label_image(), SEEG
    )
    onset, share = median_channel_onsets(gain, ensemble.onset_s, 0.13)
    assert np.isfinite(onset[:4]).all()
    assert (share[:4] == 1.0).all()
    assert (onset[1:4] < 5.0).all()
    assert onset[0] > onset[1:4].max()
