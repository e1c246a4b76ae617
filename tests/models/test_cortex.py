"""The surface simulation: sums by event, threads, noise, areas, hemispheres, and fronts."""

import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq
from scipy.spatial import cKDTree

from tests.models.sheets import sheet
from virtualbrain.errors import ModelError
from virtualbrain.models.cortex import Cortex, CortexOptions, FiringCoupling, simulate_cortex
from virtualbrain.models.epileptor import Epileptor, Epileptor2D
from virtualbrain.models.local_kernel import LocalKernel, on_grid
from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import equilibrium
from virtualbrain.network import Network

KERNEL = LocalKernel(cutoff_mm=5.0)
DT = 2e-4
ALL = FiringCoupling(fast=0.18, slow=0.3, low_pass=0.02, between=0.2)


def model_of(x0):
    return Epileptor(x0=x0, tt=0.17, r=1 / 20000, bb=6.0)


def random_start(rng, n):
    ranges = [(-2, 1), (-15, 2), (2, 4), (-2, 0.5), (0, 2), (-0.3, 0)]
    return np.array([rng.uniform(low, high, n) for low, high in ranges])


def run(cortex, model, coupling=ALL, kernel=KERNEL, n_steps=500, keep=Epileptor.states, **more):
    options = CortexOptions(keep=keep, dtype="float64", n_threads=more.pop("n_threads", None))
    return simulate_cortex(
        cortex, model, kernel=kernel, coupling=coupling, duration=n_steps * DT, dt=DT,
        sample_rate=more.pop("sample_rate", None), options=options, **more,
    )  # fmt: skip


def dense_rates(model, coupling, weights, s, current):
    """Return the rates with all sums computed from the states."""
    x1, y1, z, x2, y2, g = s
    sum_1 = weights @ (x1 > coupling.threshold_x1)
    sum_2 = weights @ (x2 > coupling.threshold_x2)
    gain = np.where(x1 < 0, 3 * x1 - x1**2, 0.6 * (z - 4) ** 2 - x2)
    floor = np.where(z < 0, -0.1 * z**7, 0.0)
    return model.tt * np.array([
        y1 - z + 3.1 + gain * x1 + coupling.fast * sum_1 + current,
        1 - 5 * x1**2 - y1,
        model.r * (4 * (x1 - model.x0) + floor - z),
        -y2 + x2 - x2**3 + 0.45 + model.bb * g - 0.3 * (z - 3.5) + coupling.slow * sum_2,
        (np.where(x2 < -0.25, 0.0, 6 * (x2 + 0.25)) - y2) / 10,
        -0.01 * (g - 0.1 * x1 - coupling.low_pass * sum_1),
    ])  # fmt: skip


def test_sums_by_event_equal_dense_sums():
    rng = np.random.default_rng(4)
    regions = [f"r{k // 100}" for k in range(400)]
    cortex = sheet(20, 20, 0.5, regions=regions)
    network = Network(rng.uniform(0, 1, (4, 4)))
    network = Network(network.weights, regions=[f"r{k}" for k in range(4)])
    model, start = model_of(rng.uniform(-2.4, -1.7, 400)), random_start(rng, 400)
    found = run(cortex, model, network=network, initial=start)
    weights = KERNEL.weights(cortex.distances_mm, cortex.areas_mm2)
    region, s, dt = np.repeat(np.arange(4), 100), start.copy(), DT * 1e3
    crossings = 0
    for step in range(500):
        active = s[0] > ALL.threshold_x1
        fired = np.bincount(region, weights=active / 100)
        current = (ALL.between * network.weights @ fired)[region]
        first = dense_rates(model, ALL, weights, s, current)
        second = dense_rates(model, ALL, weights, s + dt * first, current)
        s = s + dt / 2 * (first + second)
        crossings += np.count_nonzero((s[0] > ALL.threshold_x1) != active)
        for k, name in enumerate(Epileptor.states):
            np.testing.assert_allclose(found[name].values[step], s[k], rtol=0, atol=1e-9)
    assert crossings > 300


def test_without_local_coupling_the_surface_is_the_fitted_region_model():
    rng = np.random.default_rng(11)
    names = [f"r{k}" for k in range(6)]
    cortex = sheet(20, 20, 0.5, regions=[f"r{k // 100}" for k in range(400)])
    weights = rng.uniform(0, 1, (6, 6)) * (1 - np.eye(6))
    x0 = np.array([-1.5, -2.0, -2.25, -2.1, -2.08, -2.3])
    start = np.array(equilibrium(np.minimum(x0, -2.2)))
    region = np.concatenate([np.repeat(np.arange(4), 100), [4, 5]])
    areas = rng.uniform(0.1, 0.4, 400)
    cortex = Cortex(cortex.vertices_mm, areas, cortex.distances_mm, cortex.regions)
    model = Epileptor2D(x0=x0[region], K=0.5, r=1 / 20, seconds_per_unit=1.0)
    found = {
        n: simulate_cortex(
            cortex, model, kernel=KERNEL, coupling=FiringCoupling(threshold_x1=0.0),
            network=Network(weights, regions=names), initial=start[:, region], duration=30.0,
            dt=0.002, sample_rate=10.0,
            options=CortexOptions(keep=("x1",), dtype="float64", n_threads=n),
        )
        for n in (1, 2, 3)
    }  # fmt: skip
    assert found[1].equals(found[2])
    assert found[1].equals(found[3])
    regions = run_reduced(
        weights, ReducedMembers(x0[None], np.array([0.5]), np.array([20.0]), *start[:, None]),
        n_steps=15_000, dt=0.002, integrator="heun", keep_traces=True,
    )  # fmt: skip
    onset = np.where(np.isfinite(regions.onset_step[0]), regions.onset_step[0] * 0.002, np.nan)
    assert 2 <= np.isfinite(onset).sum() < 6
    np.testing.assert_allclose(found[1]["onset_s"].values, onset[region], rtol=0, atol=0.01)
    expected = regions.x[0, 50::50][:, region]
    assert abs(expected).max() > 0.5
    np.testing.assert_allclose(found[1]["x1"].values, expected, rtol=0, atol=0.02)


def test_weights_on_the_grid_have_exact_sums_in_any_order():
    rng = np.random.default_rng(5)
    dense = rng.lognormal(0, 2, (50, 50))
    weights = on_grid(sparse.csr_array(dense)).toarray()
    np.testing.assert_allclose(weights, dense, rtol=0, atol=2.0**-52 * dense.sum(axis=1).max())
    forward, total = weights.sum(axis=1), np.zeros(50)
    for k in rng.permutation(50):
        total += weights[:, k]
    assert np.array_equal(forward, total)
    for k in rng.permutation(50):
        total -= weights[:, k]
    assert not total.any()


def test_result_is_independent_of_the_number_of_threads():
    rng = np.random.default_rng(6)
    cortex = sheet(24, 20, 0.5)
    model, start = model_of(rng.uniform(-2.4, -1.7, 480)), random_start(rng, 480)
    noise = {"x1": 1e-4, "x2": 1e-3, "y2": 1e-3}
    more = {"initial": start, "noise": noise, "seed": 3}
    one, two, three = (run(cortex, model, n_threads=n, **more) for n in (1, 2, 3))
    assert one.equals(two)
    assert one.equals(three)
    assert not one.equals(run(cortex, model, initial=start, noise=noise, seed=4))


def test_noise_has_the_stated_intensity_and_is_independent_between_vertices():
    cortex = sheet(30, 30, 0.5)
    still = {"x1": -1.46, "z": 2.95}
    quiet = run(cortex, model_of(-2.3), initial=still, n_steps=1)
    noisy = run(cortex, model_of(-2.3), initial=still, n_steps=1, noise={"x2": 1e-3}, seed=1)
    steps = (noisy["x2"] - quiet["x2"]).values[0]
    # Heun adds the noise once; its effect on the rates is of higher order.
    assert steps.std() == pytest.approx(np.sqrt(2 * 1e-3 * DT * 1e3), rel=0.12)
    assert abs(np.corrcoef(steps[:-1], steps[1:])[0, 1]) < 0.12
    assert abs((noisy["x1"] - quiet["x1"]).values).max() < 1e-3


def test_areas_carry_weight_and_not_the_number_of_vertices():
    rng = np.random.default_rng(7)
    cortex = sheet(16, 16, 0.5)
    pairs = sparse.coo_array(cortex.distances_mm)
    one = sparse.coo_array((np.zeros(256), (np.arange(256), np.arange(256))), shape=(256, 256))
    i, j = np.concatenate([pairs.row, one.row]), np.concatenate([pairs.col, one.col])
    d = np.concatenate([pairs.data, one.data])
    halves = [(i + a * 256, j + b * 256) for a in (0, 1) for b in (0, 1)]
    twice = sparse.coo_array(
        (np.tile(d, 4), tuple(np.concatenate([h[k] for h in halves]) for k in (0, 1))),
        shape=(512, 512),
    )  # fmt: skip
    doubled = Cortex(
        np.tile(cortex.vertices_mm, (2, 1)), np.tile(cortex.areas_mm2, 2) / 2,
        sparse.csr_array(twice), list(cortex.regions) * 2,
    )  # fmt: skip
    x0, start = rng.uniform(-2.4, -1.7, 256), random_start(rng, 256)
    network = Network(np.zeros((1, 1)), regions=["a"])
    whole = run(cortex, model_of(x0), network=network, initial=start)
    split = run(doubled, model_of(np.tile(x0, 2)), network=network, initial=np.tile(start, 2))
    for name in Epileptor.states:
        np.testing.assert_allclose(
            split[name].values, np.tile(whole[name].values, 2), rtol=0, atol=1e-9
        )


def test_region_without_vertices_is_recruited_through_the_network():
    weights = np.zeros((2, 2))
    weights[1, 0] = 1.0
    cortex = sheet(16, 16, 0.5)
    found = {}
    for between in (0.0, 1.0):
        coupling = FiringCoupling(fast=0.18, between=between)
        found[between] = run(
            cortex, model_of(-2.3), coupling, network=Network(weights, regions=["a", "thalamus"]),
            initial={"z": np.append(np.full(256, 2.4), 3.02)}, n_steps=5000, sample_rate=100.0,
        )["onset_s"]  # fmt: skip
    assert list(found[1.0]["region"].values[[0, -1]]) == ["a", "thalamus"]
    assert np.isnan(found[0.0][-1])
    assert found[1.0][-1] > found[1.0][:-1].min()


FRONT = Epileptor2D(x0=-2.3, tt=0.17, r=1 / 20000)
FAST = 0.15
START = {"x1": -1.546, "z": 3.015}


def half_plane(kernel, distance):
    """Return the input of a point at a distance from an active half-plane."""

    def line(s):
        reach = np.sqrt(max(kernel.cutoff_mm**2 - s**2, 0.0))
        return 2 * quad(lambda y: float(kernel(np.hypot(s, y))), 0, reach)[0]

    return quad(line, distance, kernel.cutoff_mm)[0]


def front_speed(kernel):
    """Return the speed in mm/s at which a point just reaches the threshold as the front arrives.

    A plane front of constant speed is a solution if the input that it sends ahead raises x1 of a
    resting point to the threshold exactly when it arrives.
    """
    grid = np.linspace(0, kernel.cutoff_mm, 60)
    table = np.array([half_plane(kernel, s) for s in grid])

    def excess(speed):
        def rates(t, s):
            x, z = s
            drive = FAST * np.interp(-speed * t * 1e-3, grid, table)
            slow = FRONT.r * (4 * (x - FRONT.x0) - z)
            return FRONT.tt * (4.1 - x**3 - 2 * x**2 - z + drive), FRONT.tt * slow

        begin = -kernel.cutoff_mm / speed * 1e3
        reached = lambda t, s: s[0] - 0.5  # noqa: E731
        reached.terminal = True
        end = solve_ivp(rates, (begin, 0), list(START.values()), rtol=1e-8, events=reached)
        return end.y[0, -1] + 1.0

    return brentq(excess, 1.0, 400.0, xtol=1e-3)


def cylinder(n_x, n_y, spacing, cutoff):
    """Return a sheet that is periodic in y."""
    cortex = sheet(n_x, n_y, spacing)
    tree = cKDTree(cortex.vertices_mm, boxsize=(1e6, n_y * spacing, 1e6))
    pairs = tree.sparse_distance_matrix(tree, cutoff, output_type="coo_matrix")
    return Cortex(cortex.vertices_mm, cortex.areas_mm2, sparse.csr_array(pairs), cortex.regions)


@pytest.mark.parametrize(
    "kernel", [KERNEL, LocalKernel(shape="gauss", amplitude=0.5, cutoff_mm=5.0)]
)
def test_plane_front_has_the_speed_of_theory(kernel):
    cortex = cylinder(75, 26, 0.4, 5.0)
    x = cortex.vertices_mm[:, 0]
    found = run(
        cortex, FRONT, FiringCoupling(fast=FAST), kernel,
        initial={**START, "x1": np.where(x < 5, 0.0, START["x1"])},
        n_steps=6000, sample_rate=100.0, keep=("x1",),
    )  # fmt: skip
    ahead = (x > 14) & (x < 24)
    slope = np.polyfit(x[ahead], found["onset_s"].values[ahead], 1)[0]
    assert 1 / slope == pytest.approx(front_speed(kernel), rel=0.03)


def test_front_on_a_flat_sheet_is_circular():
    cortex = sheet(80, 80, 0.5)
    r = np.linalg.norm(cortex.vertices_mm - cortex.vertices_mm.mean(axis=0), axis=1)
    found = run(
        cortex, FRONT, FiringCoupling(fast=FAST),
        initial={**START, "x1": np.where(r < 5, 0.0, START["x1"])},
        n_steps=6000, sample_rate=100.0, keep=("x1",),
    )  # fmt: skip
    onset = found["onset_s"].values
    ring = (r > 11) & (r < 13)
    slope, start = np.polyfit(r[ring], onset[ring], 1)
    from_circle = (onset[ring] - start - slope * r[ring]) / slope
    assert np.abs(from_circle).max() < 0.5
    assert 1 / slope == pytest.approx(front_speed(KERNEL), rel=0.2)


def test_hemispheres_without_connection_stay_apart():
    middle = 7.25
    cortex = sheet(30, 20, 0.5, gap=middle)
    x = cortex.vertices_mm[:, 0]
    found = run(
        cortex, FRONT, FiringCoupling(fast=FAST),
        initial={**START, "x1": np.where((x > 4) & (x < middle), 0.0, START["x1"])},
        n_steps=5000, sample_rate=100.0, keep=("x1",),
    )  # fmt: skip
    reached = np.isfinite(found["onset_s"].values)
    assert reached[x < 4].all()
    assert not reached[x > middle].any()


def test_mesh_that_does_not_resolve_the_kernel_is_refused():
    with pytest.raises(ModelError, match="does not resolve"):
        run(sheet(12, 12, 2.0), model_of(-2.3))


def test_parameters_that_vary_and_couplings_of_the_network_model_are_refused():
    cortex = sheet(8, 8, 0.5)
    with pytest.raises(ModelError, match="only x0 may vary"):
        run(cortex, Epileptor(r=np.full(64, 1e-4)))
    with pytest.raises(ModelError, match="coupled by firing"):
        run(cortex, Epileptor(K=1.0))
    with pytest.raises(ModelError, match="no region a"):
        run(cortex, model_of(-2.3), network=Network(np.zeros((1, 1)), regions=["b"]))
    with pytest.raises(ModelError, match="MiB"):
        simulate_cortex(
            cortex, model_of(-2.3), kernel=KERNEL, coupling=ALL, duration=1000.0,
            options=CortexOptions(memory_limit_bytes=2**20),
        )  # fmt: skip
    with pytest.raises(ModelError, match="unstable"):
        run(cortex, Epileptor(x0=-2.3, tt=5.0))
