"""Measure the speed of the fit: density and gradient, first sample, four chains.

The density is compared with one written in pytensor.scan. The problem has the size of the
published one: 84 regions, 162 channels, 130 steps. Run directly or by ``make bench``. The argument
is a folder with the published weights.npy and gain.npy; without it a random problem of the same
size is used.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import arviz as az
import numpy as np
import pytensor
import pytensor.tensor as pt
import xarray as xr
from threadpoolctl import threadpool_limits

from inference import kernels
from inference.density import build_density
from inference.fitting import choose_modes
from inference.initialisation import find_optima
from inference.priors import LogNormal, Normal, Priors, Scatter, Weight
from inference.problem import Problem
from inference.reparameterisation import rounded_about
from inference.sampling import sample_nuts
from inference.settings import Settings
from virtualbrain.models.reduced_physics import REST_CURRENT

PUBLISHED_S_PER_CHAIN = 16_488
EZ, PZ = (6, 34), (5, 11, 27)
# Published priors (initial x -2 ± 0.1 and z 5 ± 0.1, K 1 ± 0.1, tau0 fixed), except x0 ~ N(-3, 1)
# and the noise, which is scaled to a gain with rows of unit sum.
PRIORS = Priors(
    x0=Normal(-3, 1), x_init=Normal(-2, 0.1), z_init=Normal(5, 0.1), K=LogNormal(1, 0.1),
    tau0=LogNormal(10, 1e-3), amplitude=LogNormal(2, 0.5), level=Normal(10, 0.01),
    offset=Scatter(1), noise=LogNormal(0.1, 0.33), x0_error=Scatter(1e-6),
    x0_neighbours=Weight(0.0), x0_sources=Weight(0.0),
)  # fmt: skip
PUBLISHED = replace(PRIORS, x0=Normal(-3.5, 0.1), noise=LogNormal(1, 0.33))
SETTINGS = Settings(
    method="nuts",
    n_steps=130, observation="linear", noise_family="normal", initial="free",
    tempering=1.0, tune=400, draws=1000, max_depth=10, starts=16, target_accept=0.98,
)  # fmt: skip


def matrices(n_regions, n_channels, folder):
    if folder is not None:
        weights, gain = (np.load(folder / f"{name}.npy") for name in ("weights", "gain"))
        weights = weights / weights.max()
    else:
        rng = np.random.default_rng(84)
        place = rng.uniform(-60, 60, (n_regions, 3))
        distance = np.linalg.norm(place[:, None] - place[None], axis=-1)
        weights = np.exp(-distance / 20) * rng.lognormal(0, 1, distance.shape)
        weights = np.triu(weights, 1) + np.triu(weights, 1).T
        weights = 0.4 * weights / weights.max()
        contacts = place[rng.integers(n_regions, size=n_channels)] + rng.normal(
            0, 8, (n_channels, 3)
        )
        gain = 1e3 / (9 + ((contacts[:, None] - place[None]) ** 2).sum(axis=-1))
    weights = weights.copy()
    np.fill_diagonal(weights, 0)
    return weights, gain


def problem_of(n_regions=84, n_channels=162, folder=None, noise=0.1, raw=False):
    """Simulate the problem; `raw` does not normalise the rows of the gain."""
    weights, gain = matrices(n_regions, n_channels, folder)
    x0 = np.full(n_regions, -3.5)
    x0[list(EZ)], x0[list(PZ)] = -1.6, -2.4
    shape = (1, n_regions)
    x, _ = kernels.sweep(
        x0, np.full(shape, -2.0), np.full(shape, 5.0), np.ones(n_regions), np.array([10.0]),
        weights, 130, 0.1, kernels.EULER,
    )  # fmt: skip
    seen = gain if raw else gain / gain.sum(axis=1, keepdims=True)
    mean = 2 * x[0] @ seen.T + 10
    envelope = mean + noise * np.random.default_rng(1).standard_normal(mean.shape)
    problem = Problem(envelope, gain, weights, normalisation="none")
    if raw:
        object.__setattr__(problem, "gain", gain)
    return problem


def milliseconds(function, repeats=50):
    function()
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            function()
        best = min(best, (time.perf_counter() - start) / repeats)
    return 1e3 * best


def scan_density(density):
    """Return the same log density written in pytensor.scan and compiled with numba."""
    problem, layout = density.problem, density.layout
    point = pt.dvector("point")
    flat = layout.centre + layout.scale * point
    value = {
        name: flat[where].reshape(layout.shapes[name]) if layout.shapes[name] else flat[where][0]
        for name, where in layout.slices.items()
    }
    weights, rows = pt.constant(problem.weights), pt.constant(problem.weights.sum(axis=1))
    big_k, tau0 = pt.exp(value["K"]), pt.exp(value["tau0"])[0]

    def step(x, z):
        pull = weights @ x - rows * x
        fx = 1 - x**3 - 2 * x**2 - z + REST_CURRENT
        return x + 0.1 * fx, z + 0.1 * (4 * (x - value["x0"]) - z - big_k * pull) / tau0

    start = [value["x_init"][0], value["z_init"][0]]
    states = pytensor.scan(step, outputs_info=start, n_steps=129, return_updates=False)
    xs = pt.concatenate([start[0][None], states[0]])
    mean = pt.exp(value["amplitude"]) * (xs @ problem.gain.T) + value["offset"]
    residual = (density.envelope[0] - mean) / pt.exp(value["noise"])
    likelihood = (-0.5 * residual**2 - value["noise"]).sum()
    scale = density.priors.offset.sd
    offsets = ((value["offset"] - value["level"]) / scale) ** 2
    others = pt.concatenate([point[: layout.slices["offset"].start], point[layout.slices["noise"]]])
    beyond = pt.maximum((value["x0"] - kernels.X0_CEILING) / kernels.X0_WALL, 0.0)
    total = likelihood - 0.5 * ((others**2).sum() + offsets.sum() + (beyond**2).sum())
    return pytensor.function([point], [total, pt.grad(total, point)], mode="NUMBA")


def bench_gradient(folder):
    density = build_density(problem_of(folder=folder), PRIORS, SETTINGS)
    point = 0.1 * np.random.default_rng(0).standard_normal(density.layout.size)
    start = time.perf_counter()
    scan = scan_density(density)
    ours, reference = density(point), scan(point)
    compiled = time.perf_counter() - start
    np.testing.assert_allclose(ours[1], reference[1], rtol=1e-6, atol=1e-6)
    fused, slow = milliseconds(lambda: density(point)), milliseconds(lambda: scan(point))
    print(f"value and gradient, 84 regions: {fused:.2f} ms; pytensor.scan {slow:.2f} ms "
          f"(ratio {slow / fused:.1f}, limit 2.5; scan compiled in {compiled:.0f} s)")  # fmt: skip
    for n_regions in (162, 400):
        larger = build_density(problem_of(n_regions), PRIORS, SETTINGS)
        taken = milliseconds(partial(larger, np.zeros(larger.layout.size)), 10)
        print(f"value and gradient, {n_regions} regions: {taken:.2f} ms")


FIRST_SAMPLE = """
import sys, numpy as np
sys.path.insert(0, "tests/benchmarks")
import bench_inference as b
settings = b.replace(b.SETTINGS, tune=1, draws=1, max_depth=1)
density = b.build_density(b.problem_of(), b.PRIORS, settings)
mode = b.rounded_about(density, np.zeros(density.layout.size), 20)
b.sample_nuts([mode], 1)
"""


def bench_first_sample():
    with tempfile.TemporaryDirectory() as cache:
        for name, limit in (("cold", 40), ("warm", 10)):
            start = time.perf_counter()
            env = {"NUMBA_CACHE_DIR": cache, "PATH": "/usr/bin:/bin", "HOME": cache}
            subprocess.run([sys.executable, "-c", FIRST_SAMPLE], check=True, env=env)
            print(
                f"first sample, {name} cache: {time.perf_counter() - start:.1f} s (limit {limit} s)"
            )


def bench_chains(problem, priors, name, limit):
    start = time.perf_counter()
    density = build_density(problem, priors, SETTINGS)
    with threadpool_limits(1, user_api="blas"):
        optima = find_optima(density, np.random.default_rng(1))
        modes = choose_modes(density, optima[:1], SETTINGS)
        points, stats = sample_nuts(modes, 1)
    seconds = time.perf_counter() - start
    x0 = xr.Dataset({"x0": (("chain", "draw", "region"), density.named(points)["x0"])})
    r_hat, bulk = float(az.rhat(x0)["x0"].max()), float(az.ess(x0)["x0"].min())
    tail = float(az.ess(x0, method="tail")["x0"].min())
    deep = float((stats["tree_depth"] >= SETTINGS.max_depth).mean())
    first = np.argsort(-density.named(points)["x0"].mean(axis=(0, 1)))[:5].tolist()
    depths = np.bincount(stats["tree_depth"].to_numpy().ravel()).tolist()
    print(f"four chains, {name}: {seconds:.0f} s, R-hat {r_hat:.3f}, ESS bulk {bulk:.0f} "
          f"tail {tail:.0f}, divergences {int(stats['diverging'].sum())}, at maximum depth "
          f"{deep:.1%}, depths {depths}, first regions {first} ({limit})", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="folder with weights.npy and gain.npy")
    folder = parser.parse_args().folder
    bench_gradient(folder)
    bench_first_sample()
    bench_chains(problem_of(folder=folder), PRIORS, "x0 ~ N(-3, 1)",
                 "limits: 300 s, R-hat 1.01, ESS 400")  # fmt: skip
    bench_chains(problem_of(folder=folder, noise=1.0, raw=True), PUBLISHED, "as published",
                 f"published: {PUBLISHED_S_PER_CHAIN} s per chain")  # fmt: skip


if __name__ == "__main__":
    main()

__all__ = ["replace", "rounded_about"]
