"""Excitability that varies within a region."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.cortex.conftest import SETTINGS, STARTS, label_image, region_table
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.network import nodes_of, states_of
from virtualbrain.cortex.resection import Sphere, Surgery, operated, taken_of_images
from virtualbrain.cortex.x0_field import with_field, x0_fields

SD = 0.05


@pytest.fixture(scope="module")
def nodes(mesh, draws):
    return nodes_of(mesh, draws.regions)


@pytest.fixture(scope="module")
def field(mesh, nodes, draws):
    return x0_fields(mesh, nodes, draws.n_draws, SD, np.random.default_rng(3))


@pytest.fixture(scope="module")
def simulator(mesh, plan, nodes, draws, field):
    states = with_field(states_of(draws, nodes), draws, field)
    settings = replace(SETTINGS, local=0.0)
    return Simulator(mesh, nodes, draws, states, plan.kernel, settings, field=field)


def test_every_region_keeps_its_mean_and_has_the_spread(mesh, nodes, draws, field):
    areas, region = mesh.cortex.areas_mm2, nodes.region[: nodes.n_vertices]
    assert field.shape == (draws.n_draws, nodes.n_vertices)
    for number in np.unique(region):
        own = region == number
        weight = areas[own] / areas[own].sum()
        np.testing.assert_allclose(field[:, own] @ weight, 0.0, atol=1e-12)
        spread = np.sqrt(((field[:, own] ** 2) @ weight).mean())
        assert spread == pytest.approx(SD)


def test_near_vertices_are_alike_and_far_ones_are_not(mesh, nodes, field):
    own = np.flatnonzero(nodes.names[: nodes.n_vertices] == STARTS)
    points = mesh.cortex.vertices_mm[own]
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    product = np.einsum("di,dj->ij", field[:, own], field[:, own]) / len(field) / SD**2
    near = product[(apart > 0) & (apart < 4)].mean()
    far = product[apart > 25].mean()
    assert near > 0.7
    assert abs(far) < 0.4


def test_the_most_excitable_part_of_the_region_seizes_first(simulator, nodes, field):
    own = nodes.names == STARTS
    own[nodes.n_vertices :] = False
    onset = simulator.ensemble().onset_s
    for number in range(len(onset)):
        values = field[number, own[: nodes.n_vertices]]
        assert spearmanr(values, onset[number, own])[0] < -0.9


def test_resting_cortex_stays_at_rest(simulator, nodes):
    quiet = nodes.names == "ctx-rh-b2"
    run = simulator.draw(0)["x1"].to_numpy()[:, quiet]
    assert np.ptp(run, axis=0).max() < 0.05


def test_surgery_keeps_the_field(simulator, field):
    surgery = Surgery(volumes=(Sphere((-46.0, 0.0, -5.0), 6.0),))
    taken = taken_of_images(surgery, label_image(), region_table(), ["Left-Thalamus"])
    cut = operated(simulator, surgery, taken, (), 0.5)
    np.testing.assert_array_equal(cut.simulator.field, field[:, cut.kept])
