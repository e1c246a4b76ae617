"""Compare the speed of the adaptive-exponential mean field with The Virtual Brain.

Run directly or by ``make bench``. Runs of both alternate in one process; times are the best of
several, so that load on the machine slows both.
"""

import numpy as np

from tests.benchmarks.bench_models import seconds
from tests.models.tvb_lab import quiet_tvb
from virtualbrain.models.mean_field import AdExMeanField
from virtualbrain.models.mean_field_simulation import simulate_mean_field
from virtualbrain.network import Network

N_REGIONS = 68
DT_MS = 0.1
SPEED = 4.0
REPEATS = 5
NEEDED = 50


def network_with_delays():
    """Return a network with one connection in two and tract lengths up to 180 mm."""
    rng = np.random.default_rng(0)
    shape = (N_REGIONS, N_REGIONS)
    weights = rng.lognormal(0, 1, shape) * (rng.random(shape) < 0.3)
    lengths = rng.uniform(10, 90, shape)
    return Network(weights + weights.T, lengths + lengths.T).normalised()


def tvb_simulator(network):
    with quiet_tvb() as lab:
        from tvb.simulator.models.zerlaut import ZerlautAdaptationSecondOrder

        model = AdExMeanField()
        theirs = ZerlautAdaptationSecondOrder()
        for name in model.parameters:
            if name != "coupling":
                default = getattr(theirs, name)
                setattr(theirs, name, np.array([getattr(model, name)]).astype(default.dtype))
        n = network.n_regions
        connectivity = lab.connectivity.Connectivity(
            weights=network.weights, tract_lengths=network.lengths, centres=np.zeros((n, 3)),
            region_labels=np.array(network.regions), speed=np.array([SPEED]),
        )  # fmt: skip
        connectivity.configure()
        nsig = np.array([0, 0, 0, 0, 0, 0, 0, 1.0])
        simulator = lab.simulator.Simulator(
            model=theirs, connectivity=connectivity,
            coupling=lab.coupling.Linear(a=np.array([0.3])),
            integrator=lab.integrators.HeunStochastic(
                dt=DT_MS, noise=lab.noise.Additive(nsig=nsig)
            ),
            monitors=[lab.monitors.SubSample(period=1.0)],
        )  # fmt: skip
        simulator.configure()
        simulator.run(simulation_length=5.0)
    return simulator


def run_ours(network, n_members, n_steps):
    simulate_mean_field(
        network, AdExMeanField(), duration=n_steps * DT_MS * 1e-3, dt=DT_MS * 1e-3, seed=1,
        noise=1.0, speed_m_per_s=SPEED, n_members=n_members,
    )  # fmt: skip


def main():
    network = network_with_delays()
    simulator = tvb_simulator(network)
    run_ours(network, 1, 100)
    jobs = {
        "tvb": (lambda: simulator.run(simulation_length=300 * DT_MS), 300),
        "single": (lambda: run_ours(network, 1, 5000), 5000),
        "ensemble": (lambda: run_ours(network, 8, 2500), 20_000),
    }
    best = dict.fromkeys(jobs, np.inf)
    for _ in range(REPEATS):
        for name, (function, _) in jobs.items():
            best[name] = min(best[name], seconds(function))
    rate = {name: steps / best[name] for name, (_, steps) in jobs.items()}
    edges = int((network.weights > 0).sum())
    print(f"adaptive-exponential mean field, {N_REGIONS} regions, {edges} connections with delays,")
    print("Heun with noise, steps per second; ensemble of 8: steps of all members together")
    print(f"  The Virtual Brain {rate['tvb']:>10,.0f}")
    for name in ("single", "ensemble"):
        ratio = rate[name] / rate["tvb"]
        print(f"  {name:<17} {rate[name]:>10,.0f}   {ratio:6.0f} times (aim: {NEEDED})")


if __name__ == "__main__":
    main()
