import numpy as np
import pytest

from virtualbrain.errors import ModelError
from virtualbrain.models.reduced import ReducedMembers, first_step_with_input, run_reduced
from virtualbrain.models.reduced_physics import critical_x0, equilibrium


def members(rng, m=6, n=14, **changes):
    given = {
        "x0": rng.normal(-2.2, 0.4, (m, n)), "K": rng.uniform(0, 2, m),
        "tau0": rng.uniform(8, 30, m), "x_init": rng.normal(-1.8, 0.1, (m, n)),
        "z_init": rng.normal(3.2, 0.1, (m, n)), "present": rng.random((m, n)),
    }  # fmt: skip
    return ReducedMembers(**{**given, **changes})


def weights_of(rng, n=14):
    return rng.random((n, n)) / n


def by_hand(weights, given, k, n_steps, dt, heun):
    C = weights * given.present[k][:, None] * given.present[k]
    np.fill_diagonal(C, 0)

    def rates(x, z):
        coupling = C @ x - C.sum(axis=1) * x
        dz = 4 * (x - given.x0[k]) - z - given.K[k] * coupling
        return 4.1 - x**3 - 2 * x**2 - z, dz / given.tau0[k]

    x, z = given.x_init[k], given.z_init[k]
    xs = [x]
    for _ in range(n_steps):
        dx, dz = rates(x, z)
        if heun:
            ex, ez = rates(x + dt * dx, z + dt * dz)
            dx, dz = 0.5 * (dx + ex), 0.5 * (dz + ez)
        x, z = x + dt * dx, z + dt * dz
        xs.append(x)
    return np.array(xs)


@pytest.mark.parametrize("integrator", ["euler", "heun"])
@pytest.mark.parametrize("n", [14, 300])
def test_traces_equal_plain_numpy(integrator, n):
    rng = np.random.default_rng(1)
    weights, given = weights_of(rng, n), members(rng, n=n)
    run = run_reduced(weights, given, n_steps=120, dt=0.1, integrator=integrator, keep_traces=True)
    for k in range(6):
        expected = by_hand(weights, given, k, 120, 0.1, integrator == "heun")
        np.testing.assert_allclose(run.x[k], expected, atol=1e-10)
        above = expected > 0
        onset = np.where(above.any(axis=0), above.argmax(axis=0), np.inf)
        np.testing.assert_array_equal(run.onset_step[k], onset)


def test_members_do_not_depend_on_each_other():
    rng = np.random.default_rng(2)
    weights, given = weights_of(rng), members(rng, m=200)
    together = run_reduced(weights, given, n_steps=100, dt=0.1)
    alone = ReducedMembers(**{k: v[57:58] for k, v in vars(given).items()})
    np.testing.assert_array_equal(
        run_reduced(weights, alone, n_steps=100, dt=0.1).onset_step[0], together.onset_step[57]
    )


def test_a_removed_region_has_no_connections():
    rng = np.random.default_rng(3)
    weights = weights_of(rng)
    present = np.ones((1, 14))
    present[0, 2] = 0
    given = members(rng, m=1, present=present)
    cut = weights.copy()
    cut[2], cut[:, 2] = 0, 0
    a = run_reduced(weights, given, n_steps=100, dt=0.1, keep_traces=True)
    b = run_reduced(cut, members(np.random.default_rng(3), m=1), n_steps=1, dt=0.1)
    complete = ReducedMembers(**{**vars(given), "present": None})
    c = run_reduced(cut, complete, n_steps=100, dt=0.1, keep_traces=True)
    assert b.x is None
    np.testing.assert_allclose(a.x, c.x, atol=1e-12)


def test_initial_states_are_at_rest_by_default():
    run = run_reduced(np.zeros((3, 3)), ReducedMembers([[-2.4, -2.2, -1.6]], [1.0], [10.0]),
                      n_steps=50, dt=0.1, keep_traces=True)  # fmt: skip
    np.testing.assert_allclose(run.x[0], np.tile(run.x[0, 0], (51, 1)), atol=1e-9)


def test_invalid_inputs_are_refused():
    rng = np.random.default_rng(4)
    given, weights = members(rng), weights_of(rng)
    with pytest.raises(ModelError, match="memory_limit_bytes"):
        run_reduced(weights, given, n_steps=100, dt=0.1, keep_traces=True, memory_limit_bytes=1000)
    with pytest.raises(ModelError, match="diverged"):
        run_reduced(weights, members(rng, x_init=np.full((6, 14), -9.0)), n_steps=100, dt=0.1)
    with pytest.raises(ModelError, match="x0"):
        run_reduced(weights, members(rng, x0=np.zeros((6, 5))), n_steps=10, dt=0.1)
    with pytest.raises(ModelError, match="present"):
        run_reduced(weights, members(rng, present=np.full((6, 14), 2.0)), n_steps=10, dt=0.1)


def test_the_trace_of_the_jacobian_is_zero_at_the_threshold():
    tau0 = np.array([3.0, 10.0, 100.0, np.inf])
    np.testing.assert_allclose(critical_x0(tau0), [-1.9765, -2.0369, -2.0595, -2.06204], atol=5e-5)
    x, _ = equilibrium(critical_x0(tau0))
    np.testing.assert_allclose(-3 * x**2 - 4 * x, 1 / tau0, atol=1e-12)
    with pytest.raises(ModelError, match="tau0"):
        critical_x0(0.5)


@pytest.mark.parametrize("tau0", [10.0, 20.0])
def test_the_rest_state_loses_stability_at_the_threshold(tau0):
    x0 = critical_x0(tau0) + np.array([-2e-3, 2e-3])
    x, z = equilibrium(x0)
    members = ReducedMembers(x0[None], [0.0], [tau0], x + 1e-5, z)
    run = run_reduced(np.zeros((2, 2)), members, n_steps=20_000, dt=0.02, integrator="heun",
                      keep_traces=True)  # fmt: skip
    swing = np.abs(run.x[0] - x)
    early, late = swing[:5000].max(axis=0), swing[-5000:].max(axis=0)
    assert late[0] < 0.5 * early[0]
    assert late[1] > 2.0 * early[1]


def test_the_equilibrium_lies_on_the_nullcline():
    x0 = np.linspace(-5, -1, 50)
    x, z = equilibrium(x0)
    np.testing.assert_allclose(4.1 - x**3 - 2 * x**2, z, atol=1e-10)
    np.testing.assert_allclose(z, 4 * (x - x0), atol=1e-12)


def test_a_region_alone_seizes_as_in_the_network_whose_input_it_gets():
    rng = np.random.default_rng(8)
    weights, given = weights_of(rng), members(rng, present=None)
    run = run_reduced(weights, given, n_steps=150, dt=0.1, keep_traces=True)
    assert 0.2 < np.isfinite(run.onset_step).mean() < 1.0
    others = weights * (1 - np.eye(14))
    for region in range(14):
        own = ReducedMembers(
            given.x0[:, region], given.K, given.tau0,
            x_init=given.x_init[:, region], z_init=given.z_init[:, region],
        )  # fmt: skip
        strength = np.full(6, others[region].sum())
        onset = first_step_with_input(run.x[:, :-1] @ others[region], strength, own, dt=0.1)
        np.testing.assert_array_equal(onset, run.onset_step[:, region])


def test_a_region_that_seizes_at_the_start_has_the_onset_0():
    own = ReducedMembers([-2.0, -2.0], [1.0, 1.0], [10.0, 10.0], x_init=[0.5, -1.9], z_init=3.4)
    onset = first_step_with_input(np.zeros((2, 20)), np.zeros(2), own, dt=0.1)
    np.testing.assert_array_equal(onset, [0.0, np.inf])


def test_a_region_alone_needs_its_initial_states():
    with pytest.raises(ModelError, match="no initial states"):
        first_step_with_input(
            np.zeros((1, 5)), np.zeros(1), ReducedMembers([-2.0], [1.0], [10.0]), dt=0.1
        )
    run = run_reduced(np.zeros((1, 1)), ReducedMembers([[-2.0]], [1.0], [10.0]), n_steps=5, dt=0.1)
    with pytest.raises(RuntimeError, match="keep_traces"):
        _ = run.traces
