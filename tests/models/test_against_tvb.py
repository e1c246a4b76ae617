"""Rates and simulations are equal to those of The Virtual Brain."""

import warnings

import numpy as np
import pytest

from tests.models.tvb_lab import quiet_tvb
from virtualbrain.models.compile import compiled
from virtualbrain.models.epileptor import Epileptor, Epileptor2D, EpileptorRestingState
from virtualbrain.models.rates import block_rates
from virtualbrain.models.simd_layout import LANES, from_blocks, n_blocks, to_blocks
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network

N_STATES = 10_000


@pytest.fixture(scope="module")
def tvb():
    with quiet_tvb() as lab:
        from tvb.simulator.models import epileptor, epileptor_rs

        lab.epileptor, lab.epileptor_rs = epileptor, epileptor_rs
        yield lab


def model_rates(model, states, coupling):
    """Return the rates of every region, by the compiled function that the integrator uses."""
    n_regions = states.shape[1]
    blocks = to_blocks(states[np.newaxis])
    rates = np.empty_like(blocks)
    all_block_rates(
        model.code, n_blocks(n_regions), len(model.states), len(model.parameters), blocks.ravel(),
        to_blocks(coupling[np.newaxis]).ravel(), np.zeros(n_blocks(n_regions) * LANES),
        to_blocks(model.packed(1, n_regions)).ravel(), rates.reshape(-1),
    )  # fmt: skip
    return from_blocks(rates, n_regions)[0]


@compiled()
def all_block_rates(
    model, n_blocks, n_states, n_parameters, states, coupling, stimulus, parameters, rates
):
    inputs = np.empty(3 * LANES)
    for b in range(n_blocks):
        inputs[:] = coupling[b * 3 * LANES : (b + 1) * 3 * LANES]
        s, p = b * n_states * LANES, b * n_parameters * LANES
        block_rates(model, states, s, inputs, stimulus, b * LANES, parameters, p, rates, s)


def random_parameters(rng, names, n):
    spread = {"modification": None, "tau": (5, 15), "x0": (-3, -1), "r": (1e-4, 1e-3)}
    return {name: rng.uniform(*spread.get(name, (-2, 4)), n) for name in names}


def states_of_every_branch(rng, n_states):
    states = rng.uniform(-2.5, 2.5, (n_states, N_STATES))
    states[1 if n_states == 2 else 2] = rng.uniform(-1.5, 6, N_STATES)
    return states


SIX = ["x0", "r", "tt", "a", "b", "c", "d", "Iext", "Iext2", "slope", "tau", "aa", "bb", "Kvf",
       "Kf"]  # fmt: skip
TWO = ["x0", "r", "tt", "a", "b", "c", "d", "Iext", "slope", "Kvf"]
RESTING = [*SIX, "tau_rs", "I_rs", "a_rs", "b_rs", "d_rs", "e_rs", "f_rs", "alpha_rs", "beta_rs",
           "gamma_rs", "K_rs"]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "names", "extra"),
    [
        (Epileptor, ("epileptor", "Epileptor"), SIX, {"modification": False}),
        (Epileptor, ("epileptor", "Epileptor"), SIX, {"modification": True}),
        (Epileptor2D, ("epileptor", "Epileptor2D"), TWO, {"modification": False}),
        (Epileptor2D, ("epileptor", "Epileptor2D"), TWO, {"modification": True}),
        (EpileptorRestingState, ("epileptor_rs", "EpileptorRestingState"), RESTING, {}),
    ],
)
def test_rates_equal_those_of_tvb_on_every_branch(tvb, ours, theirs, names, extra):
    rng = np.random.default_rng(5)
    parameters = random_parameters(rng, names, N_STATES)
    for positive in ("tt", "r"):
        parameters[positive] = np.abs(parameters[positive]) + 1e-4
    K = rng.uniform(0, 3, N_STATES)
    form = {"form": "tvb"} if ours is Epileptor2D else {}
    model = ours(K=K, **parameters, **extra, **form)
    states = states_of_every_branch(rng, len(ours.states))
    coupling = rng.normal(size=(3, N_STATES))
    their_extra = {k: np.array([v]) for k, v in extra.items()}
    reference = getattr(getattr(tvb, theirs[0]), theirs[1])(Ks=-K, **parameters, **their_extra)
    their_coupling = coupling[: len(reference.cvar)]
    expected = reference.dfun(states[..., None], their_coupling[..., None])[..., 0]
    z = states[1 if len(states) == 2 else 2]
    assert min((z < 0).sum(), (states[0] < 0).sum(), (states[0] >= 0).sum()) > 500
    if len(states) > 2:
        assert min((states[3] < -0.25).sum(), (states[3] >= -0.25).sum()) > 500
    found = model_rates(model, states, coupling)
    scale = np.maximum(np.abs(expected), 1.0)
    assert np.max(np.abs(found - expected) / scale) < 1e-12


def tvb_run(tvb, weights, model, start, n_steps, dt, lengths=None, speed=np.inf):
    n = len(weights)
    lengths = np.zeros((n, n)) if lengths is None else lengths
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connectivity = tvb.connectivity.Connectivity(
            weights=weights, tract_lengths=lengths, centres=np.zeros((n, 3)),
            region_labels=np.array([f"r{i}" for i in range(n)]), speed=np.array([speed]),
        )  # fmt: skip
        connectivity.configure()
        simulator = tvb.simulator.Simulator(
            model=model, connectivity=connectivity,
            coupling=tvb.coupling.Difference(a=np.array([1.0])),
            integrator=tvb.integrators.HeunDeterministic(dt=dt),
            monitors=[tvb.monitors.Raw()], initial_conditions=start,
        )  # fmt: skip
        simulator.configure()
        ((_, series),) = simulator.run(simulation_length=n_steps * dt)
    return series[..., 0]


def demo_network(rng, n=76):
    weights = rng.lognormal(0, 1.5, (n, n)) * (rng.random((n, n)) < 0.4)
    lengths = np.round(rng.uniform(5, 80, (n, n)))
    return Network(weights + weights.T, lengths + lengths.T).normalised()


def states_and_start(rng, n=76):
    rest = np.array([-1.8, -13.0, 3.4, -1.0, 0.01, -0.1])
    return rest[:, None] + rng.normal(0, 0.05, (6, n))


@pytest.fixture
def double_precision(tvb, monkeypatch):
    """Make TVB store weights and past states in double precision, to compare all digits."""
    from tvb.simulator import history

    for kind in (history.BaseHistory, history.DenseHistory, history.SparseHistory):
        for field in vars(kind).values():
            if type(field).__name__ == "NDArray" and field.dtype == "f":
                monkeypatch.setattr(field, "dtype", "d")


def test_run_near_rest_equals_unmodified_tvb(tvb):
    rng = np.random.default_rng(3)
    network = demo_network(rng)
    start = np.repeat(np.array([-1.8, -15.0, 3.6, -1.0, 0.01, 0.0])[:, None], 76, axis=1)
    x0 = np.where(np.arange(76) < 3, -1.6, -2.4)
    theirs = tvb.epileptor.Epileptor(
        x0=x0, Ks=np.array([-1.0]), variables_of_interest=["x1", "y1", "z", "x2", "y2", "g"]
    )
    expected = tvb_run(tvb, network.weights, theirs, start[None, :, :, None], 4000, 0.05)
    run = simulate(
        network, Epileptor(x0=x0, K=1.0), duration=0.2, dt=5e-5, sample_rate=None, initial=start
    )
    for k, name in enumerate(Epileptor.states):
        np.testing.assert_allclose(run[name].values, expected[:, k], rtol=0, atol=1e-7)


@pytest.mark.usefixtures("double_precision")
def test_seizing_network_equals_tvb(tvb):
    rng = np.random.default_rng(2)
    n_steps, dt, K, Kf, Kvf = 4000, 0.05, 1.3, 0.02, 0.01
    network, start = demo_network(rng), states_and_start(rng)
    x0 = rng.uniform(-2.6, -1.5, 76)
    start[2, :20] = 2.8
    theirs = tvb.epileptor.Epileptor(
        x0=x0, Ks=np.array([-K]), Kf=np.array([Kf]), Kvf=np.array([Kvf]),
        variables_of_interest=["x1", "y1", "z", "x2", "y2", "g"],
    )  # fmt: skip
    expected = tvb_run(tvb, network.weights, theirs, start[None, :, :, None], n_steps, dt)
    run = simulate(
        network, Epileptor(x0=x0, K=K, Kf=Kf, Kvf=Kvf), duration=n_steps * dt * 1e-3,
        dt=dt * 1e-3, sample_rate=None, initial=start,
    )  # fmt: skip
    assert run.sizes["time"] == n_steps
    assert (run["x1"] > 0).any(dim="time").sum() >= 10
    for k, name in enumerate(Epileptor.states):
        np.testing.assert_allclose(run[name].values, expected[:, k], rtol=0, atol=1e-7)


@pytest.mark.usefixtures("double_precision")
def test_run_with_delays_equals_tvb(tvb):
    rng = np.random.default_rng(3)
    n_steps, dt = 1000, 0.05
    network, start = demo_network(rng), states_and_start(rng)
    start[2, :20] = 2.8
    theirs = tvb.epileptor.Epileptor(
        x0=np.array([-1.6]), Ks=np.array([-1.0]), Kvf=np.array([0.1]),
        variables_of_interest=["x1", "y1", "z", "x2", "y2", "g"],
    )  # fmt: skip
    n_past = int(np.rint(network.lengths.max() / 6.0 / dt)) + 1
    past = np.repeat(start[None, :, :, None], n_past, axis=0)
    expected = tvb_run(tvb, network.weights, theirs, past, n_steps, dt, network.lengths, 6.0)
    run = simulate(
        network, Epileptor(x0=-1.6, K=1.0, Kvf=0.1), duration=n_steps * dt * 1e-3, dt=dt * 1e-3,
        sample_rate=None, initial=start, options=Options(speed_m_per_s=6.0),
    )  # fmt: skip
    for k, name in enumerate(Epileptor.states):
        np.testing.assert_allclose(run[name].values, expected[:, k], rtol=0, atol=1e-7)
