"""Compare speed and memory of virtual surgery with a loop over single runs and with TVB.

Run directly or by ``make bench``: 86 regions, 200 plans on 200 posterior draws. The limits are
120 s on two cores and 2 GiB. The loop and TVB run a few of the 40,000 simulations; their times are
extrapolated to all.
"""

import logging
import re
import time
import warnings
from pathlib import Path

import numpy as np

from virtualbrain.models.reduced import ReducedMembers, run_reduced
from virtualbrain.models.reduced_physics import critical_x0, equilibrium
from virtualbrain.network import normalise_weights
from virtualbrain.surgery.candidates import no_surgery, resection
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.outcome import simulate_plans
from virtualbrain.surgery.settings import SurgerySettings

N_REGIONS, N_PLANS, N_DRAWS, N_STEPS = 86, 200, 200, 100
N_ALL = N_PLANS * N_DRAWS
N_LOOP, N_TVB = 400, 10
LIMIT_S, LIMIT_MIB = 120, 2048


def fitted_draws(rng):
    weights = rng.lognormal(0, 2, (N_REGIONS, N_REGIONS))
    x0 = rng.normal(-2.5, 0.15, (N_DRAWS, N_REGIONS))
    x0[:, :3] = rng.uniform(-1.9, -1.6, (N_DRAWS, 3))
    x_init, z_init = equilibrium(np.minimum(x0, -2.1))
    tau0 = rng.uniform(8, 20, N_DRAWS)
    return FittedDraws(
        regions=tuple(f"r{i}" for i in range(N_REGIONS)),
        weights=normalise_weights(weights + weights.T),
        x0=x0, own_x0=x0, in_ez=x0 > critical_x0(tau0)[:, None], x_init=x_init, z_init=z_init,
        K=rng.uniform(1, 3, N_DRAWS), tau0=tau0, dt=0.1, time_s=np.linspace(-5, 40, N_STEPS + 1),
        I1=3.1, integrator="euler", explained=1.0, p_elsewhere=0.0, expected_ez_regions=3.0,
        p_sampled=1.0,
    )  # fmt: skip


def plans_of(rng, regions):
    sizes = rng.integers(1, 5, N_PLANS - 1)
    sets = [tuple(rng.choice(regions, size, replace=False)) for size in sizes]
    return [no_surgery(), *(resection(chosen) for chosen in sets)]


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def one_by_one(draws):
    """Run single simulations of the same length in a Python loop."""
    for k in range(N_LOOP):
        d = k % N_DRAWS
        run_reduced(
            draws.weights,
            ReducedMembers(draws.x0[[d]], draws.K[[d]], draws.tau0[[d]], draws.x_init[[d]],
                           draws.z_init[[d]]),
            n_steps=N_STEPS, dt=draws.dt,
        )  # fmt: skip


def in_tvb(draws):
    """Run N_TVB simulations of TVB's two-dimensional Epileptor; return the seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tvb.simulator import lab

        connectivity = lab.connectivity.Connectivity(
            weights=draws.weights, tract_lengths=np.zeros_like(draws.weights),
            centres=np.zeros((N_REGIONS, 3)), region_labels=np.array(draws.regions),
            speed=np.array([np.inf]),
        )  # fmt: skip
        connectivity.configure()
        took = 0.0
        for d in range(N_TVB):
            simulator = lab.simulator.Simulator(
                model=lab.models.Epileptor2D(
                    x0=draws.x0[d], r=1 / draws.tau0[[d]], Ks=-draws.K[[d]]
                ),
                connectivity=connectivity, coupling=lab.coupling.Difference(a=np.array([1.0])),
                integrator=lab.integrators.EulerDeterministic(dt=draws.dt),
                monitors=[lab.monitors.Raw()],
            )  # fmt: skip
            simulator.configure()
            length = N_STEPS * draws.dt
            took += seconds(lambda s=simulator, n=length: s.run(simulation_length=n))
    return took


def peak_mib():
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main():
    logging.disable(logging.WARNING)
    rng = np.random.default_rng(0)
    draws = fitted_draws(rng)
    plans = plans_of(rng, draws.regions)
    simulate_plans(plans[:2], draws.thinned(4, rng), SurgerySettings())
    cpu = time.process_time()
    ours = seconds(lambda: simulate_plans(plans, draws, SurgerySettings()))
    cpu = time.process_time() - cpu
    peak = peak_mib()
    one_by_one(draws)
    loop = seconds(lambda: one_by_one(draws)) / N_LOOP * N_ALL
    tvb = in_tvb(draws) / N_TVB * N_ALL
    print(f"{N_PLANS} plans on {N_DRAWS} draws, {N_REGIONS} regions, {N_STEPS} steps")
    print(f"  one ensemble        {ours:8.1f} s (limit: {LIMIT_S} s), {cpu:.1f} s of CPU")
    print(f"  peak memory         {peak:8.0f} MiB (limit: {LIMIT_MIB} MiB)")
    print(f"  loop of single runs {loop:8.1f} s, {loop / ours:.1f} times as long ({N_LOOP} run)")
    print(f"  The Virtual Brain   {tvb:8.0f} s, {tvb / ours:.0f} times as long ({N_TVB} run)")


if __name__ == "__main__":
    main()
