import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import virtualbrain
from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import (
    Epileptor,
    Epileptor2D,
    EpileptorRestingState,
    EpileptorStimulation,
)
from virtualbrain.models.simulation import (
    Options,
    ensemble_chunks,
    member_generators,
    simulate,
    simulate_ensemble,
)
from virtualbrain.models.stimulus import pulse_train
from virtualbrain.network import Network

NOISE = {"x2": 2.5e-4, "y2": 2.5e-4, "x1": 1e-4}


def small_network(n=20, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 1, (n, n)) * (rng.random((n, n)) < 0.5)
    lengths = rng.uniform(5, 60, (n, n))
    return Network(weights, lengths, [f"r{i}" for i in range(n)]).normalised()


def excitability(n=20):
    x0 = np.full(n, -2.3)
    x0[:3] = -1.6
    return x0


def test_public_names_come_from_the_package():
    run = virtualbrain.simulate(small_network(), virtualbrain.Epileptor(x0=-2.4), duration=0.1)
    assert run["lfp"].dims == ("time", "region")
    assert set(virtualbrain.Epileptor.states) < set(run.data_vars)
    np.testing.assert_allclose(run["time"].values[[0, -1]], [1 / 256, 26 / 256])
    np.testing.assert_allclose(run["lfp"], run["x2"] - run["x1"], atol=1e-12)


def test_resting_network_stays_at_rest():
    model = Epileptor(x0=-2.4)
    run = simulate(small_network(), model, duration=1.0)
    rest = model.rest(1, 20)[0]
    for k, name in enumerate(model.states):
        np.testing.assert_allclose(run[name].values[-1], rest[k], atol=1e-3)


@pytest.mark.parametrize("coupling", ["held", "exact"])
@pytest.mark.parametrize("noise", [None, NOISE])
def test_members_equal_their_single_runs(coupling, noise):
    network, n = small_network(), 20
    rng = np.random.default_rng(4)
    x0 = excitability() + rng.normal(0, 0.05, (7, n))
    K = rng.uniform(0.5, 2, (7, 1))
    present = (rng.random((7, n)) < 0.8).astype(float)
    start = Epileptor(x0=x0).rest(7, n) + rng.normal(0, 0.01, (7, 6, n))
    options = Options(keep=("lfp", "z"), coupling=coupling)
    ensemble = simulate_ensemble(
        network, Epileptor(x0=x0, K=K), n_members=7, duration=0.5, seed=3, noise=noise,
        initial=start, present=present, options=options,
    )  # fmt: skip
    generators = member_generators(3, 7)
    for m in (0, 4, 6):
        single = simulate(
            network, Epileptor(x0=x0[m], K=K[m]), duration=0.5, seed=generators[m], noise=noise,
            initial=start[m], present=present[m], options=options,
        )  # fmt: skip
        np.testing.assert_allclose(ensemble["lfp"][m], single["lfp"], atol=1e-10)
        np.testing.assert_allclose(ensemble["z"][m], single["z"], atol=1e-10)


def test_more_regions_than_one_tile():
    network = small_network(300)
    start = Epileptor().rest(1, 300)[0]
    start[0] += np.linspace(0, 0.1, 300)
    run = simulate(network, Epileptor(x0=-2.4, K=1.0, r=0.5), duration=5e-5, dt=5e-5,
                   initial=start, sample_rate=None, options=Options("euler"))  # fmt: skip
    coupling = network.weights @ start[0] - network.weights.sum(axis=1) * start[0]
    rate = 0.5 * (4 * (start[0] + 2.4) - start[2] - coupling)
    np.testing.assert_allclose(run["z"].values[0], start[2] + 0.05 * rate, atol=1e-12)


def test_a_seizing_neighbour_pushes_towards_seizure():
    chain = Network(np.array([[0.0, 0.0], [1.0, 0.0]]))
    x0 = np.array([-1.6, -2.2])
    highest = {
        K: simulate(chain, Epileptor(x0=x0, K=K), duration=0.6)["x1"].values[:, 1].max()
        for K in (0, 1)
    }
    assert highest[0] < -1.4
    assert highest[1] > 0.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_permuting_the_regions_permutes_the_run(seed):
    rng = np.random.default_rng(seed)
    network, x0, order = small_network(seed=seed), excitability(), rng.permutation(20)
    moved = Network(network.weights[np.ix_(order, order)])
    run = simulate(network, Epileptor(x0=x0, K=1.0), duration=0.05)
    other = simulate(moved, Epileptor(x0=x0[order], K=1.0), duration=0.05)
    np.testing.assert_allclose(other["lfp"].values, run["lfp"].values[:, order], atol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.floats(-2.6, -1.2), st.integers(0, 100))
def test_an_unconnected_region_changes_nothing(extra_x0, seed):
    network = small_network(seed=seed)
    wider = Network(np.pad(network.weights, ((0, 1), (0, 1))))
    x0 = excitability()
    run = simulate(network, Epileptor(x0=x0, K=1.0), duration=0.05)
    other = simulate(wider, Epileptor(x0=np.append(x0, extra_x0), K=1.0), duration=0.05)
    np.testing.assert_allclose(other["lfp"].values[:, :-1], run["lfp"].values, atol=1e-12)


@pytest.mark.parametrize(
    ("integrator", "coupling", "order"),
    [("euler", "held", 1), ("heun", "held", 1), ("heun", "exact", 2)],
)
def test_order_of_convergence(integrator, coupling, order):
    network, start = small_network(), Epileptor().rest(1, 20)[0]
    start[0] += np.linspace(0, 0.3, 20)
    model = Epileptor(x0=-2.2, K=1.0, Kvf=1.0, r=0.01)

    def end(steps):
        run = simulate(network, model, duration=5e-4, dt=5e-4 / steps, sample_rate=None,
                       initial=start, options=Options(integrator, coupling))  # fmt: skip
        return run["x1"].values[-1]

    exact = end(5120)
    errors = [np.abs(end(steps) - exact).max() for steps in (80, 160, 320)]
    measured = np.log2(np.array(errors[:-1]) / errors[1:])
    assert measured == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize("integrator", ["euler", "heun"])
def test_stationary_variance_of_a_linear_process(integrator):
    # y2 far left of x2 = -0.25 is y2' = -y2 / tau + noise: variance D tau.
    n, D, tau = 1024, 1e-4, 2.0
    run = simulate(
        Network(np.zeros((n, n))), Epileptor(x0=-2.4, tau=tau, bb=0.0, Iext2=-1.0),
        duration=0.1, seed=1, noise={"y2": D}, sample_rate=100.0,
        options=Options(integrator, keep=("y2",)),
    )  # fmt: skip
    late = run["y2"].values[2:]
    assert late.var() == pytest.approx(D * tau, rel=0.04)
    assert abs(late.mean()) < 4 * np.sqrt(D * tau / late.size)
    correlation = np.corrcoef(late.T[:50])
    assert np.abs(correlation - np.eye(50)).mean() < 0.35


def test_the_seed_determines_the_noise():
    arguments = {"duration": 0.05, "noise": NOISE}
    runs = [
        simulate(small_network(), Epileptor(x0=-2.3), seed=seed, **arguments) for seed in (1, 1, 2)
    ]
    xr.testing.assert_equal(runs[0], runs[1])
    assert not np.allclose(runs[0]["lfp"], runs[2]["lfp"])
    with pytest.raises(ModelError, match="seed"):
        simulate(small_network(), Epileptor(), **arguments)


def test_averages_are_means_of_all_steps():
    network, model = small_network(), Epileptor(x0=-1.6)
    every = simulate(network, model, duration=0.1, dt=5e-5, sample_rate=None)
    means = simulate(network, model, duration=0.1, dt=5e-5, sample_rate=1000.0,
                     options=Options(average=True))  # fmt: skip
    expected = every["lfp"].values.reshape(100, 20, 20).mean(axis=1)
    np.testing.assert_allclose(means["lfp"].values, expected, atol=1e-12)
    np.testing.assert_allclose(means["time"].values[0], 0.5e-3)
    last = simulate(network, model, duration=0.1, dt=5e-5, sample_rate=1000.0)
    np.testing.assert_allclose(last["lfp"].values, every["lfp"].values[19::20], atol=1e-12)


def test_resection_removes_rows_and_columns_of_the_weights():
    network = small_network()
    present = np.ones(20)
    present[[0, 5]] = [0.0, 0.5]
    cut = Network(network.weights * present[:, None] * present)
    run = simulate(network, Epileptor(x0=excitability(), K=1.0), duration=0.3, present=present)
    other = simulate(cut, Epileptor(x0=excitability(), K=1.0), duration=0.3)
    np.testing.assert_allclose(run["lfp"], other["lfp"], atol=1e-9)


def test_zero_delays_equal_no_delays():
    network = small_network()
    near = Network(network.weights, np.zeros((20, 20)), network.regions)
    plain = simulate(near, Epileptor(x0=-1.6, K=1.0), duration=0.1)
    delayed = simulate(near, Epileptor(x0=-1.6, K=1.0), duration=0.1,
                       options=Options(speed_m_per_s=3.0))  # fmt: skip
    np.testing.assert_allclose(plain["lfp"], delayed["lfp"], atol=1e-10)


def test_an_unstable_step_at_rest_is_refused():
    network = small_network()
    with pytest.raises(ModelError, match="unstable"):
        simulate(network, Epileptor(x0=-2.8), duration=0.1, dt=1e-4)
    assert np.isfinite(simulate(network, Epileptor(x0=-2.8), duration=0.1, dt=5e-5)["x1"]).all()


def test_an_unstable_step_after_a_seizure_is_refused():
    with pytest.raises(ModelError, match="unstable"):
        simulate(Network(np.zeros((2, 2))), Epileptor(x0=-1.6), duration=3.0, dt=1e-4)


def test_a_run_that_diverges_is_refused():
    with pytest.raises(ModelError, match="diverged"):
        simulate(small_network(), Epileptor(x0=-2.0), duration=0.1, initial={"x1": -40.0})


def test_output_to_a_file_equals_output_in_memory(tmp_path):
    arguments = {"n_members": 9, "duration": 0.2, "seed": 2, "noise": NOISE,
                 "options": Options(keep=("lfp",), memory_limit_bytes=200_000)}  # fmt: skip
    network, model = small_network(), Epileptor(x0=excitability(), K=1.0)
    chunks = list(ensemble_chunks(network, model, **arguments))
    assert len(chunks) > 1
    in_memory = simulate_ensemble(network, model, **arguments)
    with simulate_ensemble(network, model, output=tmp_path / "run.nc", **arguments) as stored:
        np.testing.assert_array_equal(stored["lfp"], in_memory["lfp"])
        assert list(stored["region"].values) == list(network.regions)


def test_samples_beyond_the_memory_limit_are_refused():
    with pytest.raises(ModelError, match="output="):
        simulate_ensemble(
            small_network(), Epileptor(), n_members=50, duration=10.0,
            options=Options(keep=("lfp",), memory_limit_bytes=2_000_000),
        )  # fmt: skip


def test_stimulation_fills_the_accumulator_and_starts_a_seizure():
    network = Network(np.zeros((2, 2)))
    train = pulse_train([1.0, 0.0], amplitude=1.0, frequency_hz=50.0, width_s=1e-3,
                        duration_s=2.0, onset_s=0.1)  # fmt: skip
    model = EpileptorStimulation(x0=-2.3, r2=0.01)
    run = simulate(network, model, duration=2.5, stimulus=train)
    quiet = simulate(network, Epileptor(x0=-2.3), duration=2.5)
    assert run["m"].max(dim="time").values[0] > 1.8
    assert run["x1"].max(dim="time").values[0] > 0.5
    np.testing.assert_allclose(run["x1"].values[:, 1], quiet["x1"].values[:, 1], atol=1e-9)


def test_resting_state_rhythm_is_part_of_the_lfp():
    run = simulate(small_network(), EpileptorRestingState(x0=-2.4, p=0.3, K_rs=0.1, a_rs=1.7402),
                   duration=0.5)  # fmt: skip
    expected = 0.3 * (run["x2"] - run["x1"]) + 0.7 * run["x_rs"]
    np.testing.assert_allclose(run["lfp"], expected, atol=1e-12)


def test_both_2d_forms_differ_only_for_positive_x():
    kind = {"duration": 0.3, "sample_rate": 1000.0}
    network = Network(np.zeros((1, 1)))
    cubic = simulate(network, Epileptor2D(x0=-1.6, form="cubic"), **kind)["x1"].values[:, 0]
    tvb = simulate(network, Epileptor2D(x0=-1.6, form="tvb"), **kind)["x1"].values[:, 0]
    first = np.flatnonzero(cubic > 0)[0]
    np.testing.assert_allclose(cubic[: first - 1], tvb[: first - 1], atol=1e-12)
    assert np.abs(cubic - tvb).max() > 0.05


@pytest.mark.parametrize(
    "invalid",
    [
        {"initial": np.zeros((3, 20))},
        {"initial": {"x9": 0.0}},
        {"present": np.full(20, 1.5)},
        {"noise": {"z9": 1.0}, "seed": 1},
        {"duration": -1.0},
        {"options": Options(speed_m_per_s=-1.0)},
        {"options": Options(integrator="rk4")},
    ],
)
def test_invalid_arguments_are_refused(invalid):
    arguments = {"duration": 0.1, **invalid}
    with pytest.raises(ModelError):
        simulate(small_network(), Epileptor(), **arguments)
