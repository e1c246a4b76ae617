"""Compare speed and memory of the simulator with The Virtual Brain and, if installed, JAX.

Run directly or by ``make bench``. Times are the best wall-clock times of several runs in one
process. Runs of TVB and of this project alternate, so that load on the machine slows both.
"""

import logging
import re
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import Options, simulate, simulate_ensemble
from virtualbrain.network import Network

NOISE = {"x2": 2.5e-4, "y2": 2.5e-4}
DT_S = 5e-5
REPEATS = 5


def network_of(n_regions):
    rng = np.random.default_rng(0)
    weights = rng.lognormal(0, 2, (n_regions, n_regions))
    return Network(weights + weights.T).normalised()


def excitability(n_regions):
    x0 = np.full(n_regions, -2.4)
    x0[:3] = -1.6
    return x0


def tvb_simulator(network, noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tvb.simulator import lab
        from tvb.simulator.models.epileptor import Epileptor as TvbEpileptor

        n = network.n_regions
        connectivity = lab.connectivity.Connectivity(
            weights=network.weights, tract_lengths=np.zeros((n, n)), centres=np.zeros((n, 3)),
            region_labels=np.array(network.regions), speed=np.array([np.inf]),
        )  # fmt: skip
        connectivity.configure()
        nsig = np.array([0, 0, 0, 2.5e-4, 2.5e-4, 0])
        integrator = (
            lab.integrators.HeunStochastic(dt=0.05, noise=lab.noise.Additive(nsig=nsig))
            if noisy
            else lab.integrators.HeunDeterministic(dt=0.05)
        )
        simulator = lab.simulator.Simulator(
            model=TvbEpileptor(x0=excitability(n), Ks=np.array([-1.0])),
            connectivity=connectivity, coupling=lab.coupling.Difference(a=np.array([1.0])),
            integrator=integrator, monitors=[lab.monitors.SubSample(period=4.0)],
        )  # fmt: skip
        simulator.configure()
        simulator.run(simulation_length=5.0)
    return simulator


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def best_rates(jobs):
    """Return steps per second of each job (name -> (function, steps)); the jobs alternate."""
    best = dict.fromkeys(jobs, np.inf)
    for _ in range(REPEATS):
        for name, (function, _) in jobs.items():
            best[name] = min(best[name], seconds(function))
    return {name: steps / best[name] for name, (_, steps) in jobs.items()}


def our_jobs(network, noisy, n_steps, n_members):
    model = Epileptor(x0=excitability(network.n_regions), K=1.0)
    options = Options(keep=("lfp",))
    chance = {"noise": NOISE, "seed": 1} if noisy else {}

    def single():
        simulate(network, model, duration=n_steps * DT_S, dt=DT_S, options=options, **chance)

    def ensemble():
        simulate_ensemble(
            network, model, n_members=n_members, duration=n_steps / 8 * DT_S, dt=DT_S,
            options=options, **chance,
        )  # fmt: skip

    return {"single": (single, n_steps), "ensemble": (ensemble, n_members * n_steps / 8)}


def product_speed(size=1500):
    """Return the speed of a matrix product on all cores, flop per second."""
    matrix = np.random.default_rng(0).random((size, size))
    matrix @ matrix
    return 2 * size**3 / min(seconds(lambda: matrix @ matrix) for _ in range(8))


def jax_rates(network, noisy, n_steps):
    """Return steps per second of the same equations in JAX, or None if JAX is not installed."""
    try:
        import jax
        import jax.numpy as jnp
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    weights, x0 = jnp.asarray(network.weights), jnp.asarray(excitability(network.n_regions))
    strength = weights.sum(axis=1)
    scale = jnp.sqrt(2 * 0.05 * jnp.array([0, 0, 0, 2.5e-4, 2.5e-4, 0]))[:, None]

    def rates(s, c1):
        x1, y1, z, x2, y2, g = s
        gain = jnp.where(x1 < 0, 3 * x1 - x1**2, 0.6 * (z - 4) ** 2 - x2)
        recovery = jnp.where(x2 < -0.25, 0.0, 6 * (x2 + 0.25))
        return jnp.stack([
            y1 - z + 3.1 + gain * x1, 1 - 5 * x1**2 - y1,
            0.00035 * (4 * (x1 - x0) - z - c1),
            -y2 + x2 - x2**3 + 0.45 + 2 * g - 0.3 * (z - 3.5), (recovery - y2) / 10,
            -0.01 * (g - 0.1 * x1),
        ])  # fmt: skip

    def step(s, key):
        c1 = weights @ s[0] - strength * s[0]
        kick = scale * jax.random.normal(key, s.shape) if noisy else 0.0
        first = rates(s, c1)
        second = rates(s + 0.05 * first + kick, c1)
        return s + 0.025 * (first + second) + kick, None

    start = jnp.tile(jnp.array([-1.8, -13.0, 3.4, -1.0, 0.0, -0.1])[:, None], network.n_regions)
    run = jax.jit(lambda s, keys: jax.lax.scan(step, s, keys)[0])
    keys = jax.random.split(jax.random.key(0), n_steps)
    run(start, keys).block_until_ready()
    return n_steps / min(seconds(lambda: run(start, keys).block_until_ready()) for _ in range(3))


def print_speed():
    print("76 regions, Heun, steps per second; ensemble of 32: steps of all members together")
    network = network_of(76)
    for noisy, needed in ((False, (50, 120)), (True, (25, 80))):
        simulator = tvb_simulator(network, noisy)
        jobs = our_jobs(network, noisy, 80_000, 32)
        for function, _ in jobs.values():
            function()
        jobs["tvb"] = (lambda s=simulator: s.run(simulation_length=100.0), 2000)
        rate = best_rates(jobs)
        jax_rate = jax_rates(network, noisy, 20_000)
        print(f"  {'with' if noisy else 'without'} noise")
        print(f"    The Virtual Brain {rate['tvb']:>12,.0f}")
        print(f"    JAX, single run   {f'{jax_rate:>12,.0f}' if jax_rate else 'not installed':>12}")
        for name, limit in zip(("single", "ensemble"), needed, strict=True):
            ratio = rate[name] / rate["tvb"]
            print(f"    {name:<17} {rate[name]:>12,.0f}   {ratio:6.0f} x TVB (limit: {limit})")


def print_growth():
    print("Growth with regions, without noise; share of the speed of a matrix product")
    print("  regions        single   ensemble of 32   product share")
    for n_regions in (76, 84, 162, 400, 1000):
        network = network_of(n_regions)
        n_steps = max(8_000, int(80_000 * (76 / n_regions) ** 2))
        speeds, rates = [], {"single": 0.0, "ensemble": 0.0}
        for _ in range(3):
            speeds.append(product_speed())
            found = best_rates(our_jobs(network, False, n_steps, 32))
            rates = {name: max(rates[name], found[name]) for name in rates}
        share = 2 * n_regions**2 * rates["ensemble"] / max(speeds)
        print(
            f"  {n_regions:>7} {rates['single']:>13,.0f} {rates['ensemble']:>16,.0f} {share:>14.2f}"
        )


def peak_mib():
    """Return the peak memory of this process, without that of the parent (as in ru_maxrss)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def peak_memory_of_ensemble():
    """Run 256 members of 162 regions over 60 s, LFP at 256 Hz; print the peak in MiB."""
    network = network_of(162)
    # Ten times slower than in TVB: a seizure lasts ten seconds.
    model = Epileptor(x0=excitability(162), K=1.0, tt=0.1)
    before = peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run = simulate_ensemble(
            network, model, n_members=256, duration=60.0, sample_rate=256.0,
            options=Options(keep=("lfp",), dtype="float32"),
            output=Path(folder) / "ensemble.nc",
        )  # fmt: skip
        took, kept = time.perf_counter() - start, run["lfp"].nbytes / 2**20
        run.close()
    peak = peak_mib()
    print("256 runs of 162 regions over 60 s, LFP at 256 Hz, single precision, to a file")
    print(f"  peak {peak:,.0f} MiB (limit: 2048), {before:,.0f} MiB before the run;")
    print(f"  {kept:,.0f} MiB of samples; {took:,.0f} s")


def print_memory():
    """Measure in a new process, so that nothing else contributes to the peak."""
    subprocess.run([sys.executable, __file__, "--memory"], check=True)


def main():
    logging.disable(logging.WARNING)
    if "--memory" in sys.argv:
        peak_memory_of_ensemble()
        return
    print_speed()
    print_growth()
    sys.stdout.flush()
    if "--quick" not in sys.argv:
        print_memory()


if __name__ == "__main__":
    main()
