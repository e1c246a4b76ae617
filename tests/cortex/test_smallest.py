"""The smallest resection: near a known focus, and no larger than it must be."""

from dataclasses import replace

import numpy as np
import pytest

from tests.cortex.conftest import CENTRE, NAMES, SETTINGS, STARTS
from virtualbrain.cortex import smallest
from virtualbrain.cortex.ensemble import Simulator
from virtualbrain.cortex.focus import focus_around, nearest_vertex
from virtualbrain.cortex.network import nodes_of, states_of
from virtualbrain.cortex.smallest import Search, places_of_onset, smallest_resection
from virtualbrain.errors import InputError, ModelError

OTHER = "ctx-rh-b2"


def model(mesh, plan, draws, foci=(), only=False):
    nodes = nodes_of(mesh, draws.regions)
    states = states_of(draws, nodes, None, foci, only)
    return Simulator(mesh, nodes, draws, states, plan.kernel, SETTINGS, only)


def searched(simulator, share, foci=(), **more):
    search = Search(simulator, share, foci, **more)
    return smallest_resection(search, simulator.ensemble()), search


@pytest.fixture(scope="module")
def focus(mesh):
    return focus_around(mesh.cortex, nearest_vertex(mesh.cortex, CENTRE["L"] + [-19, 0, -5]), 1.5)


def starting(draws, region, which, x0=-1.6):
    """Draws of which some start seizures in another region, and no more in the first."""
    changed = draws.x0.copy()
    changed[which, NAMES.index(STARTS)] = -3.2
    changed[which, NAMES.index(region)] = x0
    in_ez = draws.in_ez.copy()
    in_ez[which] = np.array(NAMES) == region
    return replace(draws, x0=changed, own_x0=changed, in_ez=in_ez)


def test_known_focus_is_found_and_nothing_smaller_is_enough(mesh, plan, draws, focus):
    simulator = model(mesh, plan, draws, [focus], only=True)
    found, search = searched(simulator, 1.0, [focus])
    assert found.share_free == 1.0
    assert found.operated.simulator.ensemble().share_free == 1.0
    assert STARTS in found.places
    assert found.area_cm2 <= focus.area_cm2 + 1e-9
    assert found.area_cm2 == pytest.approx(found.operated.removed_cm2)
    assert found.volume_cm3 == pytest.approx(found.area_cm2 * 0.25)
    away = np.linalg.norm(np.array(found.centre_mm) - mesh.cortex.vertices_mm[focus.centre])
    assert away < 3.0
    assert 5.0 < found.radius_mm < 11.0
    places = tuple(places_of_onset(search, simulator.ensemble()))
    assert set(np.concatenate([one.vertices for one in places])) == set(focus.vertices)
    assert search.plan(places, smallest.SHRUNK_MM[-1]).volume_cm3 < found.volume_cm3
    for margin in smallest.SHRUNK_MM:
        smaller = search.plan(places, margin)
        assert smaller.volume_cm3 <= search.plan(places, 0.0).volume_cm3
        if smaller.volume_cm3 < found.volume_cm3:
            assert not smaller.surgery or search.result(smaller) is None


def test_places_of_enough_draws_are_taken_and_no_more(mesh, plan, draws):
    mixed = starting(draws, OTHER, [4, 5])
    simulator = model(mesh, plan, mixed)
    some, _ = searched(simulator, 0.6)
    assert some.places == (STARTS,)
    assert some.share_free == pytest.approx(4 / 6)
    both, _ = searched(simulator, 1.0)
    assert set(both.places) == {STARTS, OTHER}
    assert both.share_free == 1.0
    assert both.area_cm2 > some.area_cm2
    assert both.operated.removed[some.surgery.vertices].all()


def test_a_region_that_starts_only_with_the_input_of_another_is_left(mesh, plan, draws):
    x0, own = draws.x0.copy(), draws.own_x0.copy()
    x0[:, NAMES.index(OTHER)], own[:, NAMES.index(OTHER)] = -1.6, -3.2
    changed = replace(draws, x0=x0, own_x0=own)
    simulator = model(mesh, plan, changed)
    ensemble = simulator.ensemble()
    assert ensemble.seizes[:, simulator.nodes.names == OTHER].all()
    found, _ = searched(simulator, 1.0)
    assert found.places == (STARTS,)
    assert found.share_free == 1.0


def test_a_nucleus_that_starts_seizures_is_taken_whole_and_counts(mesh, plan, draws):
    nucleus = starting(draws, "Left-Thalamus", list(range(6)))
    simulator = model(mesh, plan, nucleus)
    found, _ = searched(simulator, 1.0, nuclei_cm3={"Left-Thalamus": 8.0})
    assert found.surgery.regions == ("Left-Thalamus",)
    assert found.area_cm2 == 0.0
    assert found.volume_cm3 == 8.0
    assert found.centre_mm is None
    assert found.operated.simulator.ensemble().share_free == 1.0


def test_cheaper_places_come_first_and_simulations_stop_early(mesh, plan, draws):
    mixed = starting(draws, "Left-Thalamus", [3, 4, 5])
    simulator = model(mesh, plan, mixed)
    cheap, _ = searched(simulator, 0.5, nuclei_cm3={"Left-Thalamus": 0.1})
    assert cheap.places == ("Left-Thalamus",)
    dear, search = searched(simulator, 0.5, nuclei_cm3={"Left-Thalamus": 100.0})
    assert dear.places == (STARTS,)
    thalamus = [p for p in places_of_onset(search, simulator.ensemble()) if not len(p.vertices)]
    before = search.simulations
    assert replace(search, share=1.0).result(search.plan(tuple(thalamus), 0.0)) is None
    strict = replace(search, share=1.0, simulations=0)
    strict.result(strict.plan(tuple(thalamus), 0.0))
    assert strict.simulations == 1
    assert search.simulations == before


def test_faults_of_the_search(mesh, plan, draws, focus, monkeypatch):
    simulator = model(mesh, plan, draws, [focus], only=True)
    ensemble = simulator.ensemble()
    for share in (0.0, 1.1, np.nan):
        with pytest.raises(InputError, match="--smallest-resection"):
            smallest_resection(Search(simulator, share, [focus]), ensemble)
    quiet = replace(ensemble, onset_s=np.full_like(ensemble.onset_s, np.nan))
    with pytest.raises(ModelError, match="have no seizure before"):
        smallest_resection(Search(simulator, 0.5, [focus]), quiet)
    # a resection that is never enough ends with the stated number of plans
    monkeypatch.setattr(smallest, "_seizes", lambda *_: True)
    monkeypatch.setattr(smallest, "MOST_PLANS", 2)
    search = Search(simulator, 0.5, [focus])
    with pytest.raises(ModelError, match="none of 2 resections"):
        smallest_resection(search, ensemble)
    parts = len(places_of_onset(replace(search), ensemble))
    assert search.simulations == parts * 6 + 2 * 4
