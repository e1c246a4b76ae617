"""Run NUTS on the PyMC model itself, compiled by PyTensor and numba."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.density import Density
from inference.initialisation import Progress
from inference.layout import POSITIVE
from inference.model import build_model
from inference.reparameterisation import Rounded
from inference.sampling import chain_seeds, tidy_stats

Array = NDArray[np.float64]


def sample_pymc(
    modes: list[Rounded], seed: int, progress: Progress | None = None
) -> tuple[Array, xr.Dataset]:
    """Run one chain from each mode on the compiled PyMC model.

    Parameters and results are those of `sample_nuts`. The coordinates are those of PyMC, so the
    model is sampled as usual.
    """
    import nutpie

    density = modes[0].density
    settings = density.settings
    model = build_model(density.problem, density.priors, settings, density.tempering)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = nutpie.compile_pymc_model(model)

    def run(job: tuple[Rounded, int]) -> xr.DataTree:
        start = density.unconstrained(job[0].point(np.zeros(density.layout.size)))
        placed = replace(compiled, initial_point_func=lambda _: start.copy())
        trace: xr.DataTree = nutpie.sample(
            placed, chains=1, cores=1, tune=settings.tune, draws=settings.draws, seed=job[1],
            adaptation="low_rank", target_accept=settings.target_accept,
            maxdepth=settings.max_depth, save_warmup=False, progress_bar=False,
        )  # fmt: skip
        return trace

    traces = []
    with ThreadPoolExecutor(settings.cores) as pool:
        for trace in pool.map(run, zip(modes, chain_seeds(seed, len(modes)), strict=True)):
            traces.append(trace)
            if progress is not None:
                progress("sampling", len(traces) / len(modes))
    points = np.concatenate([_points(density, trace) for trace in traces])
    stats = xr.concat([trace["sample_stats"].to_dataset() for trace in traces], dim="chain")
    return points, tidy_stats(stats)


def _points(density: Density, trace: xr.DataTree) -> Array:
    """Return the draws as flat standardised vectors, (chain, draw, size)."""
    parts = []
    for name in density.layout.slices:
        values = trace["posterior"][name].to_numpy()
        values = values.reshape(*values.shape[:2], -1)
        parts.append(np.log(values) if name in POSITIVE else values)
    return density.standardised(np.concatenate(parts, axis=-1))
