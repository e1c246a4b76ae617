"""The search for a focus by simulations on the surface."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tests.cortex.conftest import SETTINGS, gain_around
from virtualbrain.cortex.focus_search import FoundFocus, GrowthModel, SeizureData, sums_within
from virtualbrain.cortex.focus_simulation import (
    FocusSimulator,
    Guess,
    SimulatedSearch,
    _around,
    changed,
    first_guesses,
    match,
    probability_of,
    refine_focus,
)
from virtualbrain.cortex.network import nodes_of, padded_weights

MODEL = GrowthModel()
SEARCH = SimulatedSearch(runs=40, rounds=3)
LOG_POWER = 3.0


@pytest.fixture(scope="module")
def simulator(mesh, plan, draws):
    return FocusSimulator(mesh, nodes_of(mesh, draws.regions), draws, plan.kernel, SETTINGS, SEARCH)


@pytest.fixture(scope="module")
def gain(simulator):
    """Channels all around the cortex, and one in the nucleus."""
    cortex = simulator.mesh.cortex
    gain = np.zeros((51, len(simulator.nodes.region)))
    gain[:50, : cortex.n_vertices] = gain_around(cortex, 50)
    gain[50, cortex.n_vertices :] = 1.0
    return gain


def middle(simulator, point):
    apart = np.linalg.norm(simulator.mesh.cortex.vertices_mm - point, axis=1)
    return int(apart.argmin())


def guess_at(simulator, point, seed=1):
    rng = np.random.default_rng(seed)
    return Guess(middle(simulator, point), rng.random(6), rng.random(len(simulator.nodes.regions)))


def recording(onset_s, gain, shift=0.0, pace=1.0, n_bins=25):
    """Return what channels see of a simulation, without noise."""
    after = (onset_s - np.nanmin(onset_s)) * pace + shift
    middles = (np.arange(n_bins) + 0.5) * MODEL.bin_s
    seizing = after[None] <= middles[:, None]
    power = np.log1p(np.expm1(LOG_POWER) * (seizing @ gain.T))
    return SeizureData(power, 0.9 * power, np.full(len(gain), MODEL.noise**2), middles)


def found_with(simulator, probability):
    near = sums_within(simulator.mesh.cortex.vertices_mm, MODEL.near_mm, probability)
    return FoundFocus(probability, near, int(near.argmax()), MODEL.near_mm, (), 0.1, 0.1, True)


def test_all_but_the_focus_is_at_rest(simulator):
    guess = guess_at(simulator, (-45, 0, 0))
    values = simulator._values(guess)
    x0, x, z = simulator._states(guess, values)
    nodes = simulator.nodes
    focus = _around(simulator.mesh.cortex, guess.vertex, values["area_cm2"])
    weights = padded_weights(simulator.draws.weights, nodes)
    by_region = np.array([x[nodes.region == k].mean() for k in range(len(nodes.regions))])
    drive = (weights @ by_region - weights.sum(axis=1) * by_region)[nodes.region]
    slope_x = 1.0 - x**3 - 2.0 * x**2 - z + simulator.draws.I1
    slope_z = 4.0 * (x - x0) - z - values["K"] * drive
    np.testing.assert_allclose(slope_x, 0.0, atol=1e-8)
    away = np.setdiff1d(np.arange(len(x)), focus)
    np.testing.assert_allclose(slope_z[away], 0.0, atol=1e-8)
    assert (slope_z[focus] < 0).all()


def test_numbers_lie_in_their_ranges(simulator):
    for place in (0.0, 1.0):
        values = simulator._values(Guess(0, np.full(6, place), np.zeros(9)))
        for name, value in values.items():
            assert value == pytest.approx(getattr(SEARCH, name)[int(place)])


@pytest.mark.parametrize("place", [0.0, 1.0])
def test_a_seizure_starts_in_a_focus_of_the_drawn_area(simulator, place):
    guess = guess_at(simulator, (-45, 0, 0))
    guess = replace(guess, numbers=np.array([place, *guess.numbers[1:]]))
    cortex, wanted = simulator.mesh.cortex, SEARCH.area_cm2[int(place)]
    focus = _around(cortex, guess.vertex, wanted)
    assert cortex.areas_mm2[focus].sum() / 100 == pytest.approx(wanted, abs=0.1)
    (onset,) = simulator.onsets([guess])
    assert set(np.flatnonzero(onset == np.nanmin(onset))) <= set(focus)
    assert np.isfinite(onset[focus]).all()


def test_own_recording_has_no_misfit_whatever_the_start_and_pace(simulator, gain):
    (onset,) = simulator.onsets([guess_at(simulator, (-45, 0, 0))])
    for shift, pace in ((0.0, 1.0), (2.0, 1.2), (-1.0, 0.85)):
        data = recording(onset, gain, shift, pace)
        found = match(onset, gain, [data], MODEL, SEARCH)
        assert found.misfit == pytest.approx(0.0, abs=1e-9)
        np.testing.assert_allclose(found.modelled[0], data.log_power)
    wrong = simulator.onsets([guess_at(simulator, (45, 0, 0))])[0]
    assert match(wrong, gain, [data], MODEL, SEARCH).misfit > 100.0


def test_misfit_of_two_seizures_is_the_sum(simulator, gain):
    (onset,) = simulator.onsets([guess_at(simulator, (-45, 0, 0))])
    noise = np.random.default_rng(3).normal(0, 0.3, (25, len(gain)))
    one, other = recording(onset, gain), recording(onset, gain, 2.0)
    one, other = (replace(d, log_power=d.log_power + noise) for d in (one, other))
    each = [match(onset, gain, [data], MODEL, SEARCH).misfit for data in (one, other)]
    assert match(onset, gain, [one, other], MODEL, SEARCH).misfit == pytest.approx(sum(each))


def test_a_second_without_samples_does_not_move_the_others(simulator, gain):
    (onset,) = simulator.onsets([guess_at(simulator, (-45, 0, 0))])
    data, every = recording(onset, gain), np.arange(25) % 6 != 4
    short = replace(data, log_power=data.log_power[every], middle_s=data.middle_s[every])
    assert match(onset, gain, [short], MODEL, SEARCH).misfit == pytest.approx(0.0, abs=1e-9)


def test_where_nothing_seizes_the_misfit_is_infinite(gain):
    nothing = np.zeros((5, len(gain)))
    data = SeizureData(nothing, nothing, np.ones(len(gain)), np.arange(5) + 0.5)
    silent = np.full(gain.shape[1], np.nan)
    assert match(silent, gain, [data], MODEL, SEARCH).misfit == np.inf


def test_probability_is_one_in_all_and_highest_at_the_best(simulator):
    cortex = simulator.mesh.cortex
    a, b = middle(simulator, (-45, 0, 0)), middle(simulator, (45, 0, 0))
    p = probability_of(cortex, [a, b, a], np.array([20.0, 10.0, 15.0]), SEARCH)
    assert p.sum() == pytest.approx(1.0)
    left = cortex.vertices_mm[:, 0] < 0
    assert p[left].sum() / p[~left].sum() == pytest.approx(np.exp(-SEARCH.tempering * 5.0))
    density = p / cortex.areas_mm2
    assert density.argmax() == b
    assert np.where(left, density, 0).argmax() == a
    unheard = probability_of(cortex, [a, b], np.array([np.inf, 10.0]), SEARCH)
    assert unheard[a] == pytest.approx(0.0, abs=1e-12)


def test_first_places_are_near_those_of_the_patch_and_further_ones_near_the_best(simulator):
    vertices = simulator.mesh.cortex.vertices_mm
    tree, rng = cKDTree(vertices), np.random.default_rng(1)
    a = middle(simulator, (-45, 0, 0))
    probability = np.zeros(len(vertices))
    probability[a] = 1.0
    first = first_guesses(found_with(simulator, probability), tree, 9, SEARCH, rng)
    away = np.linalg.norm(vertices[[g.vertex for g in first]] - vertices[a], axis=1)
    assert 0 < away.max() <= SEARCH.first_mm
    assert len({g.vertex for g in first}) > 5
    for _ in range(20):
        new = changed(first[:1], tree, SEARCH, rng)
        moved = np.linalg.norm(vertices[new.vertex] - vertices[first[0].vertex])
        assert moved <= SEARCH.later_mm
        assert ((new.numbers >= 0) & (new.numbers <= 1)).all()
        assert not (new.numbers == first[0].numbers).all()


def test_simulations_correct_a_patch_that_points_beside_the_focus(simulator, gain):
    """The patch is sure of a place 14 mm away, and leaves the true one open."""
    vertices = simulator.mesh.cortex.vertices_mm
    truth = guess_at(simulator, (-42, 11, 4), seed=8)
    (onset,) = simulator.onsets([truth])
    data = recording(onset, gain, 1.0)
    noise = np.random.default_rng(2).normal(0, 0.2, data.log_power.shape)
    data = replace(data, log_power=data.log_power + noise)
    beside = middle(simulator, (-42, -3, 4))
    apart = np.linalg.norm(vertices - vertices[beside], axis=1)
    probability = np.exp(-((apart / 8.0) ** 2))
    start = found_with(simulator, probability / probability.sum())
    assert np.linalg.norm(vertices[start.vertex] - vertices[truth.vertex]) > 10.0
    shown = []
    found = refine_focus(
        simulator, gain, [data], MODEL, start, np.random.default_rng(5), shown.append
    )
    assert np.linalg.norm(vertices[found.vertex] - vertices[truth.vertex]) < 6.0
    assert found.probability.sum() == pytest.approx(1.0)
    assert found.near[found.vertex] == found.near.max()
    assert found.simulations == SEARCH.rounds * SEARCH.runs
    assert shown[-1] == 1.0
    assert found.left < 0.2
    assert found.supported
    (area,) = found.seizing_cm2
    assert (np.diff(area) >= 0).all()
    assert area[-1] > 1.0


def test_where_no_simulation_explains_the_recording_no_place_is_supported(simulator, gain):
    few = replace(simulator, search=replace(SEARCH, runs=10, rounds=2))
    high = np.zeros((25, len(gain)))
    high[:3] = LOG_POWER  # on all sides, and over when a simulated seizure grows
    data = SeizureData(high, 0.9 * high, np.ones(len(gain)), np.arange(25) + 0.5)
    n = simulator.mesh.cortex.n_vertices
    start = found_with(simulator, np.full(n, 1.0 / n))
    found = refine_focus(few, gain, [data], MODEL, start, np.random.default_rng(1))
    assert start.supported
    assert found.left > MODEL.most_left_alone
    assert not found.supported
