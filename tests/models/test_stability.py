import numpy as np
import pandas as pd
import pytest

from virtualbrain.models.epileptor import Epileptor2D
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import equilibrium
from virtualbrain.models.simulation import simulate
from virtualbrain.models.stability import linear_stability, network_equilibrium, recruitment
from virtualbrain.network import Network


def network_of(n=12, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.random((n, n))
    return Network(weights + weights.T).normalised()


def test_the_network_equilibrium_is_constant_in_time():
    network, x0 = network_of(), np.linspace(-2.6, -2.2, 12)
    x, z = network_equilibrium(network, x0, 1.0)
    run = simulate(network, Epileptor2D(x0=x0, K=1.0), duration=0.5, initial=np.stack([x, z]))
    np.testing.assert_allclose(run["x1"].values[-1], x, atol=1e-9)


def test_eigenvalues_equal_those_of_the_slow_dynamics():
    network, K, tau0 = network_of(), 0.8, 50.0
    x0 = np.linspace(-2.6, -2.2, 12)
    found = linear_stability(network, x0, K, tau0=tau0)
    _, z = network_equilibrium(network, x0, K)

    def slow(z):
        x = -4 / 3 - 0.5 * np.ones_like(z)
        for _ in range(60):
            x = x - (4.1 - x**3 - 2 * x**2 - z) / (-3 * x**2 - 4 * x)
        coupling = network.weights @ x - network.weights.sum(axis=1) * x
        return (4 * (x - x0) - z - K * coupling) / tau0

    step = 1e-6 * np.eye(12)
    jacobian = np.array([(slow(z + e) - slow(z - e)) / 2e-6 for e in step]).T
    np.testing.assert_allclose(found.eigenvalues, np.sort(np.linalg.eigvals(jacobian).real),
                               rtol=1e-5)  # fmt: skip


def test_the_most_excitable_region_ranks_first_and_its_neighbour_second():
    weights = np.full((8, 8), 0.05)
    weights[3, 2] = weights[2, 3] = 3.0
    network = Network(weights).normalised()
    x0 = np.full(8, -2.4)
    x0[2] = -1.9
    table = linear_stability(network, x0, 1.0).ranked(network.regions)
    assert list(table["region"][:2]) == ["region-3", "region-4"]
    assert isinstance(table, pd.DataFrame)


def test_the_verdict_states_the_result():
    network = network_of()
    assert "No region seizes" in recruitment(network, -2.4, 1.0).verdict
    x0 = np.full(12, -3.5)
    x0[0] = -1.6
    weak = recruitment(network, x0, 0.5)
    assert weak.n_seizing == 1
    assert weak.n_recruited == 0
    assert "recruit none" in weak.verdict
    pair = Network(np.array([[0.0, 0.0], [1.0, 0.0]]))
    assert recruitment(pair, x0[:2], 6.0).n_recruited == 1


@pytest.mark.parametrize("K", [0.3, 0.6, 1.2, 2.5])
def test_recruitment_agrees_with_simulation(K):
    network = Network(np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    x0 = np.array([-1.6, -2.25, -2.45])
    outlook = recruitment(network, x0, K, tau0=30.0)
    x, z = equilibrium(np.minimum(x0, -2.1))
    run = run_reduced(
        network.weights, ReducedMembers(x0[None], [K], [30.0], x, z), n_steps=5000, dt=0.05
    )
    expected = outlook.table["round"].notna().to_numpy()
    np.testing.assert_array_equal(np.isfinite(run.onset_step[0]), expected)
