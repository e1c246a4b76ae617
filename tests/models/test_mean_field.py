"""The adaptive-exponential mean field is equal to that of The Virtual Brain."""

import warnings

import numpy as np
import pytest

from tests.models.tvb_lab import quiet_tvb
from virtualbrain.errors import ModelError
from virtualbrain.models.compile import compiled
from virtualbrain.models.mean_field import SLEEP_B_E, AdExMeanField
from virtualbrain.models.mean_field_rates import Parameters, rates
from virtualbrain.models.mean_field_simulation import simulate_mean_field
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

N_REGIONS = 12
SPEED = 4.0


@pytest.fixture(scope="module")
def tvb():
    with quiet_tvb() as lab:
        from tvb.simulator.models import zerlaut

        lab.zerlaut = zerlaut
        yield lab


def tvb_model(tvb, model):
    """Return the model of The Virtual Brain with the same parameters."""
    theirs = tvb.zerlaut.ZerlautAdaptationSecondOrder()
    for name in (*model.parameters, "P_e", "P_i"):
        if name != "coupling":
            default = getattr(theirs, name)
            value = np.atleast_1d(np.asarray(getattr(model, name), dtype=float))
            setattr(theirs, name, value.astype(default.dtype))
    theirs.variables_of_interest = list(model.states)
    return theirs


def random_states(rng, n):
    return np.array([
        rng.uniform(0, 0.08, n), rng.uniform(0, 0.09, n), rng.uniform(0, 5e-4, n),
        rng.uniform(-5e-4, 5e-4, n), rng.uniform(0, 5e-4, n), rng.uniform(0, 200, n),
        rng.uniform(0, 50, n), rng.normal(0, 2, n),
    ])  # fmt: skip


@compiled()
def rates_of_regions(states, coupling, P_e, P_i, parameters, found):
    for r in range(states.shape[1]):
        x = states[:, r]
        values = rates(
            x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], coupling[r], P_e, P_i, parameters
        )
        for k in range(8):
            found[k, r] = values[k]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"b_e": SLEEP_B_E, "a_e": 4.0, "a_i": 1.0, "b_i": 2.0, "tau_w_i": 300.0, "T": 20.0},
        {"tau_i": 7.0, "K_ext_i": 50.0, "external_input_ex_in": 1e-3, "S_i": 1.4, "g": 0.25},
    ],
)
def test_rates_equal_those_of_tvb(tvb, changes):
    rng = np.random.default_rng(1)
    model = AdExMeanField(**changes)
    states, coupling = random_states(rng, 2000), rng.uniform(-5e-4, 2e-3, 2000)
    theirs = tvb_model(tvb, model)
    expected = theirs.dfun(states[..., None], coupling[None, :, None])[..., 0]
    values = model.packed(1, 1)[0, 0]
    found = np.empty_like(states)
    rates_of_regions(
        states, coupling, np.array(model.P_e), np.array(model.P_i), Parameters(*values), found
    )
    # Their derivatives are finite differences, whose rounding is seen in the rates of E and I.
    assert np.abs(found - expected)[:2].max() < 1e-10
    assert np.abs(found - expected)[2:5].max() < 1e-12
    np.testing.assert_allclose(found[5:], expected[5:], rtol=1e-12, atol=1e-12)
    inputs = coupling + model.weight_noise * states[7] + model.external_input_ex_ex
    assert min((inputs < 0).sum(), (inputs > 0).sum()) > 20


def network(seed, n=N_REGIONS):
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 1, (n, n)) * (rng.random((n, n)) < 0.5)
    lengths = rng.uniform(5, 90, (n, n))
    return Network(weights, lengths).normalised()


def start_of(rng, n=N_REGIONS):
    states = random_states(rng, n)
    states[2:5] *= 0.01
    return states


@pytest.fixture
def double_precision(tvb, monkeypatch):
    """Make TVB store weights and past states in double precision, to compare all digits."""
    from tvb.simulator import history

    for kind in (history.BaseHistory, history.DenseHistory, history.SparseHistory):
        for field in vars(kind).values():
            if type(field).__name__ == "NDArray" and field.dtype == "f":
                monkeypatch.setattr(field, "dtype", "d")


def tvb_run(tvb, connectome, model, start, n_steps, dt_ms):
    n = connectome.n_regions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connectivity = tvb.connectivity.Connectivity(
            weights=connectome.weights, tract_lengths=connectome.lengths,
            centres=np.zeros((n, 3)), region_labels=np.array(connectome.regions),
            speed=np.array([SPEED]),
        )  # fmt: skip
        connectivity.configure()
        n_past = int(np.rint(connectome.lengths.max() / SPEED / dt_ms)) + 1
        simulator = tvb.simulator.Simulator(
            model=tvb_model(tvb, model), connectivity=connectivity,
            coupling=tvb.coupling.Linear(a=np.array([float(model.coupling)])),
            integrator=tvb.integrators.HeunDeterministic(dt=dt_ms),
            monitors=[tvb.monitors.Raw()],
            initial_conditions=np.repeat(start[None, :, :, None], n_past, axis=0),
        )  # fmt: skip
        simulator.configure()
        ((_, series),) = simulator.run(simulation_length=n_steps * dt_ms)
    return series[..., 0]


@pytest.mark.slow
@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("b_e", [5.0, SLEEP_B_E])
def test_run_with_delays_equals_tvb(tvb, b_e):
    n_steps, model, connectome = 1500, AdExMeanField(b_e=b_e), network(2)
    start = start_of(np.random.default_rng(3))
    expected = tvb_run(tvb, connectome, model, start, n_steps, 0.1)
    run = simulate_mean_field(
        connectome, model, duration=n_steps * 1e-4, sample_rate=None, speed_m_per_s=SPEED,
        initial=dict(zip(model.states, start, strict=True)), keep=model.states,
    )  # fmt: skip
    first = np.abs(run["E"].values[0, 0] - expected[0, 0]).max()
    assert first < 1e-10
    for k, name in enumerate(model.states):
        np.testing.assert_allclose(
            run[name].values[0], expected[:, k], rtol=1e-6, atol=1e-6, err_msg=name
        )
    assert np.ptp(run["E"].values[0], axis=0).min() > 1e-3


def test_noise_and_stimulus_equal_a_heun_loop_over_the_rates_of_tvb(tvb):
    model, connectome, n_steps, dt = AdExMeanField(), network(4), 150, 0.1
    stimulus = Stimulus(np.full((1, 1), 2e-3), np.eye(1, N_REGIONS, 3), 5e-3, onset_s=5e-3)
    start = start_of(np.random.default_rng(5))
    run = simulate_mean_field(
        connectome, model, duration=n_steps * dt * 1e-3, seed=7, noise=1.0, stimulus=stimulus,
        initial=dict(zip(model.states, start, strict=True)), sample_rate=None,
        speed_m_per_s=None, keep=model.states,
    )  # fmt: skip
    theirs = tvb_model(tvb, model)
    rng = np.random.default_rng(7).spawn(1)[0]
    kicks = np.sqrt(2 * dt) * rng.standard_normal((n_steps, N_REGIONS))
    x = start.copy()
    for step in range(n_steps):
        coupling = (model.coupling * connectome.weights @ x[0])[None, :, None]
        added = np.zeros_like(x)
        added[7] = kicks[step]
        added[0, 3] = dt * 2e-3 if 50 <= step < 100 else 0.0
        first = theirs.dfun(x[..., None], coupling)[..., 0]
        ahead = x + dt * first + added
        ahead[:2] = np.maximum(ahead[:2], 0)
        second = theirs.dfun(ahead[..., None], coupling)[..., 0]
        x = x + dt / 2 * (first + second) + added
        x[:2] = np.maximum(x[:2], 0)
        for k, name in enumerate(model.states):
            np.testing.assert_allclose(run[name].values[0, step], x[k], rtol=0, atol=1e-9)
    assert run["E"].values[0, 99, 3] > run["E"].values[0, 49, 3] + 2e-3


def test_noise_has_the_stated_intensity():
    run = simulate_mean_field(
        Network(np.zeros((40, 40))), AdExMeanField(), duration=2.0, seed=1, noise=0.5,
        speed_m_per_s=None, keep=("ou_drift",),
    )  # fmt: skip
    # Stationary variance of an Ornstein-Uhlenbeck process: D tau.
    assert run["ou_drift"].values[0, 200:].var() == pytest.approx(2.5, rel=0.05)


def test_members_differ_by_noise_and_parameters_and_do_not_depend_on_threads():
    model = AdExMeanField(b_e=[[5.0], [5.0], [60.0]])
    arguments = {"duration": 0.3, "seed": 3, "noise": 1.0, "n_members": 3}
    run = simulate_mean_field(network(1), model, **arguments)
    same = simulate_mean_field(network(1), model, n_threads=1, **arguments)
    np.testing.assert_array_equal(run["E"].values, same["E"].values)
    assert run["E"].dims == ("member", "time", "region")
    assert run["E"].attrs["units"] == "kHz"
    assert np.abs(run["E"].values[0] - run["E"].values[1]).max() > 1e-5
    alone = simulate_mean_field(network(1), AdExMeanField(), duration=0.3, seed=3, noise=1.0)
    np.testing.assert_array_equal(run["E"].values[0], alone["E"].values[0])


def test_samples_are_those_of_every_step():
    fine = simulate_mean_field(network(1), AdExMeanField(), duration=0.05, sample_rate=None)
    coarse = simulate_mean_field(network(1), AdExMeanField(), duration=0.05, sample_rate=1000.0)
    np.testing.assert_allclose(coarse["time"].values, fine["time"].values[9::10], atol=1e-12)
    np.testing.assert_array_equal(coarse["E"].values, fine["E"].values[:, 9::10])


def test_weak_adaptation_gives_steady_activity_and_strong_adaptation_slow_waves():
    weights = np.ones((8, 8)) / 7
    connectome = Network(weights, np.full((8, 8), 50.0))
    run = simulate_mean_field(
        connectome, AdExMeanField(b_e=[[5.0], [SLEEP_B_E]]), duration=5.0, n_members=2, seed=1,
        noise=1.0,
    )  # fmt: skip
    wake, sleep = 1e3 * run["E"].sel(time=slice(1.5, None)).mean("region").values
    assert 1.0 < wake.min() < wake.max() < 10.0
    assert sleep.min() < 0.3
    assert sleep.max() > 4.0
    assert 0.2 < (sleep < 0.5).mean() < 0.9


BAD = [
    ({"duration": -1.0}, "positive numbers"),
    ({"noise": 1.0}, "noise without a seed"),
    ({"speed_m_per_s": 0.0}, "above zero"),
    ({"keep": ("x1",)}, "unknown state 'x1'"),
    ({"initial": {"E": -1.0}}, "negative"),
    ({"initial": {"E": np.zeros(5)}}, "the initial E has the shape"),
    ({"sample_rate": -5.0}, "sample rate"),
    ({"stimulus": Stimulus(np.ones((1, 1)), np.ones((1, 3)), 0.05)}, "sites of shape"),
    ({"duration": 1e7}, "expected at most"),
    (
        {"dt": 5e-3, "sample_rate": None, "duration": 2.0, "initial": {"W_i": 1.0}},
        "the run diverges",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_bad_arguments_are_refused_in_one_line(changes, message):
    with pytest.raises(ModelError, match=message) as error:
        simulate_mean_field(network(1), AdExMeanField(), **{"duration": 0.01, **changes})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"T": 0.0}, "T is not positive"),
        ({"b_e": np.nan}, "b_e is not finite"),
        ({"g": 1.0}, "g is not a fraction"),
        ({"P_e": (1.0,)}, "ten coefficients"),
    ],
)
def test_bad_parameters_are_refused(changes, message):
    with pytest.raises(ModelError, match=message):
        AdExMeanField(**changes)


def test_delays_need_tract_lengths():
    with pytest.raises(ModelError, match="delays without tract lengths"):
        simulate_mean_field(Network(np.zeros((2, 2))), AdExMeanField(), duration=0.01)


def test_a_parameter_of_another_shape_is_refused():
    with pytest.raises(ModelError, match="b_e has the shape"):
        simulate_mean_field(network(1), AdExMeanField(b_e=np.ones(5)), duration=0.01)
