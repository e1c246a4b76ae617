"""Draws from the posterior: NUTS from the best modes, or Laplace about them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.density import Density
from inference.starts import Optimum, Progress

Array = NDArray[np.float64]

STAT_NAMES = {
    "diverging": "diverging",
    "depth": "tree_depth",
    "n_steps": "n_steps",
    "step_size": "step_size",
    "mean_tree_accept": "acceptance_rate",
    "energy": "energy",
    "logp": "lp",
    "maxdepth_reached": "reached_max_treedepth",
}


def sample_nuts(
    density: Density, starts: Sequence[Array], seed: int, progress: Progress | None = None
) -> tuple[Array, xr.Dataset]:
    """Run one NUTS chain from each start.

    Parameters
    ----------
    density : Density
        The log density.
    starts : sequence of arrays (size,)
        Flat standardised vectors, one per chain.
    seed : int
        Of the sampler.
    progress : callable, optional
        Told the stage and the share of it that is done.

    Returns
    -------
    points : numpy.ndarray, shape (chain, draw, size)
        Draws, standardised.
    stats : xarray.Dataset
        Sampler statistics, dims (chain, draw).
    """
    total = len(starts)
    finished: list[Any] = []
    # every chain is a job of its own, so that each has its own start and its own seed
    with ThreadPoolExecutor(density.settings.cores) as pool:
        jobs = pool.map(
            lambda job: _run_chain(density, *job),
            zip(starts, chain_seeds(seed, total), strict=True),
        )
        for trace in jobs:
            finished.append(trace)
            if progress is not None:
                progress("sampling", len(finished) / total)
    points = np.concatenate([trace.posterior["point"].to_numpy() for trace in finished])
    stats = xr.concat([trace.sample_stats.to_dataset() for trace in finished], dim="chain")
    return points, tidy_stats(stats)


def chain_seeds(seed: int, count: int) -> list[int]:
    """Return one seed per chain."""
    return [int(word) for word in np.random.SeedSequence(seed).generate_state(count)]


def _run_chain(density: Density, start: Array, seed: int) -> Any:
    import nutpie

    settings = density.settings
    model = _fused_model(density, start, whitening(density, start))
    return nutpie.sample(
        model, chains=1, cores=1, tune=settings.tune, draws=settings.draws,
        seed=seed, adaptation="low_rank",
        target_accept=settings.target_accept, maxdepth=settings.max_depth, save_warmup=False,
        progress_bar=False,
    )  # fmt: skip


def whitening(density: Density, point: Array) -> Array:
    """Return the symmetric square root of the inverse curvature at a point.

    In coordinates so whitened the mode is round, whatever the gain's condition: NUTS adapts
    from there. Directions less curved than the prior are given the prior's spread.
    """
    eigenvalues, vectors = np.linalg.eigh(-_hessian(density, point))
    return np.asarray((vectors / np.sqrt(np.maximum(eigenvalues, 1.0))) @ vectors.T)


def _fused_model(density: Density, start: Array, root: Array) -> Any:
    """Wrap the fused density for nutpie, whitened about a fixed start."""
    import nutpie

    def make_logp() -> Callable[..., tuple[float, Array]]:
        def whitened(move: Array) -> tuple[float, Array]:
            value, slope = density(start + root @ move)
            return value, root @ slope

        return whitened

    def make_expand(*_: Any) -> Callable[..., dict[str, Array]]:
        return lambda move: {"point": start + root @ move}

    return nutpie.compiled_pyfunc.from_pyfunc(
        ndim=density.layout.size,
        make_logp_fn=make_logp,
        make_expand_fn=make_expand,
        expanded_dtypes=[np.dtype("float64")],
        expanded_shapes=[(density.layout.size,)],
        expanded_names=["point"],
        make_initial_point_fn=lambda seed: np.zeros(density.layout.size),
    )


def tidy_stats(stats: xr.Dataset) -> xr.Dataset:
    """Keep the statistics that ArviZ knows, under its names."""
    kept = {new: stats[old] for old, new in STAT_NAMES.items() if old in stats}
    return xr.Dataset(kept).assign_coords(chain=np.arange(stats.sizes["chain"]))


def sample_laplace(
    density: Density, optima: Sequence[Optimum], rng: np.random.Generator
) -> tuple[Array, xr.Dataset]:
    """Draw from a Normal about each optimum with the inverse Hessian as covariance.

    The Hessian is the central difference of the exact gradient; directions in which the
    optimum is no maximum take the prior's spread.
    """
    settings = density.settings
    points, values = [], []
    for optimum in optima:
        eigenvalues, vectors = np.linalg.eigh(-_hessian(density, optimum.point))
        spread = 1.0 / np.sqrt(np.maximum(eigenvalues, 1.0))
        noise = rng.standard_normal((settings.draws, density.layout.size))
        draws = optimum.point + (noise * spread) @ vectors.T
        points.append(draws)
        values.append([density(draw)[0] for draw in draws])
    return np.stack(points), xr.Dataset({"lp": (("chain", "draw"), np.array(values))})


def _hessian(density: Density, point: Array, step: float = 1e-4) -> Array:
    """Return the symmetrised Hessian of the log density."""
    size = len(point)
    hessian = np.empty((size, size))
    for i in range(size):
        shift = np.zeros(size)
        shift[i] = step
        hessian[i] = (density(point + shift)[1] - density(point - shift)[1]) / (2 * step)
    return (hessian + hessian.T) / 2
