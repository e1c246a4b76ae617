import numpy as np
import pytest

from inference.onsets.onset_matching import (
    HIGHEST_Z,
    Network,
    Search,
    Targets,
    match_onsets,
    rest_z,
    x_on_branch,
)
from virtualbrain.models.reduced import run_reduced
from virtualbrain.models.reduced_physics import critical_x0

N_DRAWS, N, N_STEPS = 40, 12, 100
EZ, RECRUITED = [0, 1], [2, 3, 4]
TAU0 = 80.0
THRESHOLD = float(critical_x0(TAU0))


def made_network(rng):
    weights = rng.random((N, N)) * (1 - np.eye(N))
    weights *= N / weights.sum()
    return Network(
        weights, rng.uniform(1, 3, N_DRAWS), np.full(N_DRAWS, TAU0), n_steps=N_STEPS, dt=0.35
    )


def made_targets(rng):
    active = np.zeros((N_DRAWS, N), bool)
    active[:, EZ + RECRUITED] = True
    onset = np.zeros((N_DRAWS, N))
    onset[:, EZ] = rng.uniform(3, 20, (N_DRAWS, 2))
    onset[:, RECRUITED] = rng.uniform(30, 80, (N_DRAWS, 3))
    return Targets(active, onset, free=np.zeros((N_DRAWS, N), bool))


def first_search(rng, top=0.8):
    ez = np.zeros((N_DRAWS, N), bool)
    ez[:, EZ] = True
    x0 = np.where(ez, THRESHOLD + 0.3, rng.uniform(-2.5, THRESHOLD - 0.1, (N_DRAWS, N)))
    search = Search(np.where(ez, x0, -3.6), np.where(ez, x0, THRESHOLD + top), at_rest=~ez)
    return search, x0, np.where(ez, HIGHEST_Z, rest_z(x0))


def onsets(network, x0, z):
    draws = np.arange(len(x0))
    members = network.members(draws, x0, z)
    return run_reduced(network.weights, members, n_steps=N_STEPS - 1, dt=network.dt).onset_step


def test_the_network_seizes_at_the_targets_and_nowhere_else():
    rng = np.random.default_rng(1)
    network, targets = made_network(rng), made_targets(rng)
    x0, z = match_onsets(network, targets, *first_search(rng))
    seized = onsets(network, x0, z)
    error = np.abs(seized - targets.onset_step)
    assert error[:, EZ].max() < 2
    assert np.isfinite(seized[:, RECRUITED]).all()
    assert error[:, RECRUITED].mean() < 1.5
    assert not np.isfinite(np.delete(seized, EZ + RECRUITED, axis=1)).any()


def test_only_epileptogenic_regions_leave_the_rest_state_at_the_start():
    rng = np.random.default_rng(2)
    network, targets = made_network(rng), made_targets(rng)
    search, x0, z = first_search(rng)
    x0, z = match_onsets(network, targets, search, x0, z)
    np.testing.assert_array_equal(x0[:, EZ], THRESHOLD + 0.3)
    np.testing.assert_allclose(np.delete(z, EZ, axis=1), np.delete(rest_z(x0), EZ, axis=1))
    # Where the weights suffice, recruited regions stay below the threshold, so that none of them
    # seizes once the others are silent.
    own = np.minimum(x0, THRESHOLD - 0.02)
    own[:, EZ] = -3.0
    assert not np.isfinite(onsets(network, own, rest_z(own))).any()


def test_regions_without_connections_need_an_excitability_above_the_threshold():
    rng = np.random.default_rng(3)
    network, targets = made_network(rng), made_targets(rng)
    network.weights[2], network.weights[3] = 0.0, 4.0 * network.weights[3]
    x0, _ = match_onsets(network, targets, *first_search(rng))
    assert (x0[:, 2] > THRESHOLD).all()
    assert np.median(x0[:, 3]) < np.median(x0[:, 2])


def test_a_later_seizure_keeps_x0_and_moves_the_initial_states():
    rng = np.random.default_rng(4)
    network, targets = made_network(rng), made_targets(rng)
    x0, _ = match_onsets(network, targets, *first_search(rng))
    again = made_targets(rng)
    again.active[:, 4] = False  # this one was recruited in the first seizure only
    search = Search(x0, x0, at_rest=np.zeros((N_DRAWS, N), bool))
    same, z = match_onsets(network, again, search, x0, rest_z(x0))
    np.testing.assert_array_equal(same, x0)
    seized = onsets(network, x0, z)
    assert np.abs(seized - again.onset_step)[:, EZ].max() < 2
    assert not np.isfinite(seized[:, 4:]).any()


def test_free_regions_are_left_alone():
    rng = np.random.default_rng(5)
    network, targets = made_network(rng), made_targets(rng)
    targets.active[:, 1], targets.free[:, 1] = False, True
    search, x0, z = first_search(rng)
    found_x0, found_z = match_onsets(network, targets, search, x0, z)
    np.testing.assert_array_equal(found_x0[:, 1], x0[:, 1])
    np.testing.assert_array_equal(found_z[:, 1], z[:, 1])


def test_draws_do_not_depend_on_each_other():
    rng = np.random.default_rng(6)
    network, targets = made_network(rng), made_targets(rng)
    search, x0, z = first_search(rng)
    together = match_onsets(network, targets, search, x0, z)
    one = slice(7, 8)
    alone = match_onsets(
        Network(network.weights, network.K[one], network.tau0[one], N_STEPS, network.dt),
        Targets(targets.active[one], targets.onset_step[one], targets.free[one]),
        Search(search.latest_x0[one], search.earliest_x0[one], search.at_rest[one]),
        x0[one], z[one],
    )  # fmt: skip
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a[one], b, rtol=0, atol=1e-12)


def test_initial_x_is_on_the_branch_or_at_rest():
    x0 = np.array([-2.4, -2.4])
    z = np.array([rest_z(x0)[0], HIGHEST_Z])
    x = x_on_branch(x0, z)
    assert 4 * (x[0] - x0[0]) - z[0] == pytest.approx(0, abs=1e-12)
    assert -2.5 < x[1] < -4 / 3
