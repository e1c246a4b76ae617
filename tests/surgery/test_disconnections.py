"""Disconnection plans, and their effect on signal transmission."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.models.stability import network_equilibrium
from virtualbrain.network import Network
from virtualbrain.surgery.candidates import Candidate, no_surgery, resection
from virtualbrain.surgery.disconnections import (
    callosotomy,
    connections_between,
    module_plan,
    plans_by_stability,
    tract_plan,
)
from virtualbrain.surgery.network_change import HEALTHY_X0, change_of
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.signal_transmission import responses, transmission_change

SETTINGS = SurgerySettings()


def test_connections_between_groups_are_counted_once(draws):
    both = connections_between(["r0", "r1"], ["r1", "r0"], draws.regions, draws.weights)
    assert both == (("r0", "r1"),)
    with pytest.raises(ModelError, match="no region 'nowhere'"):
        connections_between(["nowhere"], ["r0"], draws.regions, draws.weights)


def test_a_tract_that_does_not_exist_is_an_empty_plan(draws):
    with pytest.raises(ModelError, match="empty"):
        tract_plan("none", ["r0"], ["r0"], draws.regions, draws.weights)


def test_callosotomy_cuts_interhemispheric_connections_only(draws):
    table = pd.DataFrame(
        {"name": draws.regions, "hemisphere": ["L"] * 4 + ["R"] * 4, "structure": "cortex"}
    )
    plan = callosotomy(table, draws.weights)
    assert len(plan.edges) == 16
    left = change_of(plan, draws.regions, draws.weights, SETTINGS).weights
    assert (left[:4, 4:] == 0).all()
    np.testing.assert_array_equal(left[:4, :4], draws.weights[:4, :4])
    with pytest.raises(ModelError, match="hemisphere of every region"):
        callosotomy(table.drop(columns="hemisphere"), draws.weights)


def test_linear_stability_cuts_the_strongest_way_out_of_the_focus_first(draws):
    (plan,) = plans_by_stability(["r0", "r4"], draws, counts=[3])
    assert set(plan.edges) == {("r0", "r1"), ("r0", "r2"), ("r4", "r5")}


def test_modules_agree_with_the_cut_of_networkx(draws):
    (plan,) = module_plan(["r0"], draws, seed=1)
    graph = nx.from_numpy_array(draws.weights)
    assert len(plan.edges) == nx.cut_size(graph, {0, 1, 2})


def test_responses_agree_with_the_equilibrium_moved_by_a_stimulus(draws):
    K, push = 1.5, 1e-5
    network = Network(draws.weights)
    x0 = np.full(8, HEALTHY_X0)
    rest, _ = network_equilibrium(network, x0, K)
    # A current u moves the fast nullcline as 4 x0 moves the slow one.
    moved, _ = network_equilibrium(network, x0 + push / 4 * (np.arange(8) == 2), K)
    np.testing.assert_allclose(
        responses(draws.weights, K, 3.1)[:, 2], (moved - rest) / push, rtol=1e-4
    )


def test_transmission_changes_only_if_a_connection_is_cut(draws):
    def changed(plan):
        change = change_of(plan, draws.regions, draws.weights, SETTINGS)
        return transmission_change(change, draws.weights, 1.5, 3.1)

    assert changed(no_surgery()) == 0.0
    hub, leaf = changed(resection(("r0",))), changed(resection(("r6",)))
    assert 0 < leaf < hub
    assert changed(Candidate("cut", "disconnection", ("r0",))) > hub
    assert changed(resection(draws.regions)) == 0.0
