"""The surface simulation is equal to that of The Virtual Brain."""

import warnings

import numpy as np
import pytest

from tests.models.sheets import sheet, triangles_of_sheet, tvb_simulator
from virtualbrain.models.cortex import CortexOptions, FiringCoupling, simulate_cortex
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.local_kernel import LocalKernel
from virtualbrain.network import Network

N_X, N_Y, SPACING, DT = 24, 16, 0.5, 0.2
STATES = Epileptor.states
REST = np.array([-1.46, -9.69, 2.95, -1.11, 0.0, -0.146])
NAMES = ["left-a", "left-b", "right-a", "right-b", "thalamus"]


@pytest.fixture(autouse=True)
def double_precision(monkeypatch):
    """Make TVB store weights and past states in double precision, to compare all digits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tvb.simulator import history

    for kind in (history.BaseHistory, history.DenseHistory, history.SparseHistory):
        for attribute in vars(kind).values():
            if type(attribute).__name__ == "NDArray" and attribute.dtype == "f":
                monkeypatch.setattr(attribute, "dtype", "d")


def case(rng, speed=None):
    """Return two sheets without local connection, four regions on them, and a subcortical one."""
    x = np.repeat(np.arange(N_X), N_Y) // (N_X // 4)
    cortex = sheet(N_X, N_Y, SPACING, regions=[NAMES[k] for k in x], gap=N_X * SPACING / 2 - 0.25)
    areas = cortex.areas_mm2 * rng.uniform(0.6, 1.5, cortex.n_vertices)
    object.__setattr__(cortex, "areas_mm2", areas)
    lengths = rng.uniform(1, 30, (5, 5))
    network = Network(rng.uniform(0, 1, (5, 5)), np.round(lengths + lengths.T), NAMES)
    k = 0.318
    coupling = FiringCoupling(fast=0.5534 * k, between=0.2, speed_m_per_s=speed)
    x0 = rng.uniform(-2.4, -1.7, cortex.n_vertices + 1)
    return cortex, network, coupling, x0, x


def fractions_of(cortex, region):
    total = np.bincount(region, weights=cortex.areas_mm2)
    return np.append(cortex.areas_mm2 / total[region], 1.0)


def both(rng, start, n_steps, speed=None):
    cortex, network, coupling, x0, region = case(rng, speed)
    weights = LocalKernel(cutoff_mm=5.0).weights(cortex.distances_mm, cortex.areas_mm2)
    ours = simulate_cortex(
        cortex, Epileptor(x0=x0, tt=0.17, r=1 / 20000), kernel=weights, coupling=coupling,
        network=network, duration=n_steps * DT * 1e-3, dt=DT * 1e-3, initial=start,
        sample_rate=None, options=CortexOptions(keep=STATES, dtype="float64"),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tvb.simulator.models.epileptor import Epileptor as TvbEpileptor
    model = TvbEpileptor(
        x0=x0, tt=np.array([0.17]), r=np.array([1 / 20000]), Kvf=np.array([1.0]),
        variables_of_interest=STATES,
    )  # fmt: skip
    simulator = tvb_simulator(
        cortex.vertices_mm, triangles_of_sheet(N_X, N_Y), weights, fractions_of(cortex, region),
        region, network, model, coupling, start, DT,
    )  # fmt: skip
    ((_, series),) = simulator.run(simulation_length=n_steps * DT)
    return ours, series[..., 0]


def largest_difference(ours, theirs):
    return max(np.abs(ours[s].values - theirs[:, k]).max() for k, s in enumerate(STATES))


def test_one_step_of_random_states_equals_tvb():
    rng = np.random.default_rng(1)
    n = N_X * N_Y + 1
    start = np.array([rng.uniform(low, high, n) for low, high in
                      [(-2, 1), (-15, 2), (-0.5, 5), (-2, 0.5), (0, 2), (-1, 1)]])  # fmt: skip
    ours, theirs = both(rng, start, 1)
    assert largest_difference(ours, theirs) < 1e-10


@pytest.mark.parametrize("speed", [None, 3.0])
def test_spreading_seizure_equals_tvb(speed):
    rng = np.random.default_rng(2)
    n = N_X * N_Y + 1
    start = REST[:, np.newaxis] + rng.normal(0, 0.02, (6, n))
    start[2, ::2] = rng.uniform(2.3, 2.9, (n + 1) // 2)
    ours, theirs = both(rng, start, 2000, speed)
    active = ours["x1"].values > -1.0
    assert 0.2 < active[-500:].mean() < 0.99
    assert np.abs(np.diff(active, axis=0)).sum() > 1000
    assert largest_difference(ours, theirs) < 1e-6
