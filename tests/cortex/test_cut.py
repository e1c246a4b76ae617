"""Subpial cuts: no local connection crosses them, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csgraph

from tests.cortex.conftest import CENTRE, SETTINGS, STARTS
from virtualbrain.anatomy.cortical_mesh import geodesic_distances
from virtualbrain.cortex.cut import Cut, crossed_triangles
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.mesh import PatientMesh
from virtualbrain.cortex.network import nodes_of, states_of
from virtualbrain.cortex.resection import Sphere, Surgery, operated
from virtualbrain.errors import InputError
from virtualbrain.models.cortex import Cortex
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.models.reduced_physics import critical_x0

REACH = 8.0


def ring(height_mm, n=24, side="L", part=1.0):
    """Points around a hemisphere at one height."""
    angle = np.linspace(0.0, part * 2 * np.pi, n)
    radius = np.sqrt(20.0**2 - height_mm**2)
    points = np.c_[radius * np.cos(angle), radius * np.sin(angle), np.full(n, height_mm)]
    return tuple(tuple(point) for point in points + CENTRE[side])


def sheet(n=24, spacing=1.5):
    """A flat sheet."""
    grid = np.arange(n) * spacing
    points = np.array([[x, y, 0.0] for y in grid for x in grid])
    corner = np.array([y * n + x for y in range(n - 1) for x in range(n - 1)])
    triangles = np.concatenate(
        [np.c_[corner, corner + 1, corner + n + 1], np.c_[corner, corner + n + 1, corner + n]]
    )
    distances = geodesic_distances(points, triangles, REACH)
    areas = np.full(len(points), spacing**2)
    cortex = Cortex(points, areas, distances, ("ctx-lh-b0",) * len(points))
    return PatientMesh(cortex, triangles, np.full(len(points), "L"), REACH)


def joined(mesh, one, other):
    """Return whether two vertices are connected over the local coupling."""
    _, piece = csgraph.connected_components(mesh.cortex.distances_mm, directed=False)
    return piece[one] == piece[other]


def cut_of(mesh, *cuts):
    return mesh.cut_through(np.any([crossed_triangles(mesh, cut) for cut in cuts], axis=0))


def test_a_cut_through_a_sheet_parts_it_and_keeps_distances_on_each_side():
    mesh = sheet()
    points = mesh.cortex.vertices_mm
    cut = cut_of(mesh, Cut(((17.1, -3.0, 0.5), (17.1, 40.0, -0.5))))
    left = points[:, 0] < 17.1
    matrix = cut.cortex.distances_mm
    assert matrix[left][:, ~left].nnz == 0
    assert np.array_equal(cut.cortex.areas_mm2, mesh.cortex.areas_mm2)
    far = left & (points[:, 0] < 15.5)
    difference = matrix[far][:, far] - mesh.cortex.distances_mm[far][:, far]
    assert abs(difference).max() < 1e-9
    assert not joined(cut, 0, len(points) - 1)


def test_a_path_goes_around_the_end_of_a_cut():
    mesh = sheet()
    points = mesh.cortex.vertices_mm
    cut = cut_of(mesh, Cut(((17.1, -3.0, 0.0), (17.1, 17.1, 0.0))))
    at = {(x, y): int(np.linalg.norm(points - [x, y, 0], axis=1).argmin())
          for x in (16.5, 18.0) for y in (6.0, 15.0, 16.5, 18.0, 24.0)}  # fmt: skip
    before, after = mesh.cortex.distances_mm, cut.cortex.distances_mm
    assert before[at[16.5, 6.0], at[18.0, 6.0]] == pytest.approx(1.5)
    assert after[at[16.5, 6.0], at[18.0, 6.0]] == 0.0  # farther than the reach
    around = after[at[16.5, 15.0], at[18.0, 15.0]]
    assert around == pytest.approx(after[at[18.0, 15.0], at[16.5, 15.0]])
    assert 3.0 < around < REACH
    assert after[at[16.5, 24.0], at[18.0, 24.0]] == pytest.approx(1.5)
    # no path is shorter than before
    both = (after > 0).multiply(before > 0)
    assert (after - before).multiply(both).min() > -1e-9


def front(mesh, draws, cuts=()):
    """Return the onsets of a seizure that starts at the left edge of a sheet, no white matter."""
    draws = replace(draws, weights=np.zeros_like(draws.weights))
    nodes = nodes_of(mesh, draws.regions)
    kernel = LocalKernel(width_mm=2.5, cutoff_mm=REACH)
    kernel = replace(kernel, amplitude=1.0 / kernel.integral)
    states = states_of(draws, nodes)
    starts = mesh.cortex.vertices_mm[:, 0] < 5.0
    x0 = np.where(starts, -1.6, critical_x0(draws.tau0, draws.I1)[:, None] - 0.05)
    states.x0[:, : nodes.n_vertices] = x0
    before = Simulator(mesh, nodes, draws, states, kernel, replace(SETTINGS, local=1.2))
    if cuts:
        found = operated(before, Surgery(cuts=cuts), {}, (), 0.5).simulator
        before = replace(before, mesh=found.mesh)
    return before.draw(0)["onset_s"].to_numpy()[: nodes.n_vertices]


def test_a_cut_stops_a_front_and_a_gap_in_it_lets_it_pass(draws):
    mesh = sheet()
    x = mesh.cortex.vertices_mm[:, 0]
    free = front(mesh, draws)
    assert np.isfinite(free[x > 25.0]).all()
    stopped = front(mesh, draws, [Cut(((17.1, -3.0, 0.0), (17.1, 40.0, 0.0)))])
    assert np.isfinite(stopped[x < 17.0]).all()
    assert not np.isfinite(stopped[x > 17.2]).any()
    open_end = front(mesh, draws, [Cut(((17.1, -3.0, 0.0), (17.1, 17.1, 0.0)))])
    passed = np.isfinite(open_end) & (x > 17.2)
    assert passed.any()
    assert (open_end[passed] >= free[passed] - 1e-9).all()
    behind = (x > 17.2) & (x < 21.0) & (mesh.cortex.vertices_mm[:, 1] < 6.0)
    late = np.where(np.isfinite(open_end), open_end, np.inf)
    assert np.median(late[behind]) > np.median(free[behind]) + 1.0


def test_a_ring_of_cuts_parts_a_hemisphere_and_leaves_white_matter(mesh, plan, draws):
    nodes = nodes_of(mesh, draws.regions)
    before = Simulator(mesh, nodes, draws, states_of(draws, nodes), plan.kernel, SETTINGS)
    rings = [Cut(ring(height)) for height in (-10.0, 0.0)]
    found = operated(before, Surgery(cuts=rings), {}, (), 0.5)
    assert not found.removed.any()
    assert found.removed_cm2 == 0.0
    assert np.array_equal(found.simulator.weights, draws.weights)
    own = np.flatnonzero(nodes.names[: nodes.n_vertices] == STARTS)
    z = mesh.cortex.vertices_mm[:, 2]
    inside = own[(z[own] > -8.0) & (z[own] < -2.0)]
    above = np.flatnonzero((mesh.sides == "L") & (z > 3.0))
    assert found.simulator.local[above][:, inside].nnz == 0
    # what starts and what white matter recruits still seizes; beyond the cut it is recruited later
    ensemble, uncut = found.simulator.ensemble(), before.ensemble()
    assert ensemble.seizes[:, inside].all()
    assert ensemble.seizes[:, nodes.names == "Left-Thalamus"].all()
    beyond = np.flatnonzero((mesh.sides == "L") & (z < -11.0) & (z > -13.0))
    later = np.median(ensemble.onset_s[:, beyond]) - np.median(uncut.onset_s[:, beyond])
    assert later > 0.5


def test_a_cut_beside_a_resection_is_that_of_the_remaining_surface(mesh, plan, draws):
    nodes = nodes_of(mesh, draws.regions)
    before = Simulator(mesh, nodes, draws, states_of(draws, nodes), plan.kernel, SETTINGS)
    ball = Sphere(tuple(CENTRE["L"] + [-20.0, 0, 0]), 7.0)
    found = operated(before, Surgery(volumes=[ball], cuts=[Cut(ring(0.0))]), {}, (), 0.5)
    left = found.simulator.mesh
    whole = geodesic_distances(left.cortex.vertices_mm, left.triangles, mesh.reach_mm)
    assert abs(left.cortex.distances_mm - whole).max() < 1e-3


def test_a_cut_in_the_air_or_without_length_is_refused(mesh):
    with pytest.raises(InputError, match="mm from the point 0,90,90"):
        crossed_triangles(mesh, Cut(((0.0, 90.0, 90.0), (0.0, 95.0, 90.0))))
    with pytest.raises(InputError, match="without length"):
        Cut(((1.0, 2.0, 3.0),))
    with pytest.raises(InputError, match="without length"):
        Cut(((1.0, 2.0, 3.0), (1.0, 2.0, 3.0)))
    with pytest.raises(InputError, match="not a length"):
        Cut(((1.0, 2.0, 3.0), (4.0, 2.0, 3.0)), depth_mm=0.0)
    short = CENTRE["L"] + np.array([[-20.0, 0.01, 0], [-20.0, 0.02, 0]])
    with pytest.raises(InputError, match="crosses no cortex"):
        crossed_triangles(mesh, Cut(tuple(map(tuple, short)), depth_mm=0.01))
