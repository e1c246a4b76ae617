"""Draws from the posterior: NUTS from the best modes, or Laplace about them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.initialisation import Progress
from inference.reparameterisation import Rounded

Array = NDArray[np.float64]

# Chains begin this many standard deviations from their mode.
START_SCATTER = 0.5
# The density falls off a cliff where a region begins to seize. A momentum of fixed length is turned
# there instead of being flung away, and no step is made longer than the one that was tuned.
DYNAMICS = {"microcanonical_trajectory": True, "step_size_jitter": 0.0}

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
    modes: Sequence[Rounded], seed: int, progress: Progress | None = None
) -> tuple[Array, xr.Dataset]:
    """Run one NUTS chain about each mode.

    Parameters
    ----------
    modes : sequence of Rounded
        Where each chain runs, in the coordinates that are round there; one per chain.
    seed : int
        Of the sampler and of the chains' starts.
    progress : callable, optional
        Told the stage and the share of it that is done.

    Returns
    -------
    points : numpy.ndarray, shape (chain, draw, size)
        Draws, standardised.
    stats : xarray.Dataset
        Sampler statistics, dims (chain, draw).
    """
    total = len(modes)
    finished: list[Any] = []
    # every chain is a job of its own, so that each has its own start and its own seed
    with ThreadPoolExecutor(modes[0].density.settings.cores) as pool:
        jobs = pool.map(
            lambda job: _run_chain(*job), zip(modes, chain_seeds(seed, total), strict=True)
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


def _run_chain(mode: Rounded, seed: int) -> Any:
    import nutpie

    settings = mode.density.settings
    return nutpie.sample(
        _fused_model(mode, seed), chains=1, cores=1, tune=settings.tune, draws=settings.draws,
        seed=seed, target_accept=settings.target_accept, maxdepth=settings.max_depth,
        save_warmup=False, progress_bar=False, **DYNAMICS,
    )  # fmt: skip


def _fused_model(mode: Rounded, seed: int) -> Any:
    """Wrap a rounded density for nutpie, with a start scattered about the mode."""
    import nutpie

    size = mode.density.layout.size
    start = scattered_start(mode, np.random.default_rng(seed))

    def make_logp() -> Callable[..., tuple[float, Array]]:
        return mode

    def make_expand(*_: Any) -> Callable[..., dict[str, Array]]:
        return lambda move: {"point": mode.point(move)}

    return nutpie.compiled_pyfunc.from_pyfunc(
        ndim=size,
        make_logp_fn=make_logp,
        make_expand_fn=make_expand,
        expanded_dtypes=[np.dtype("float64")],
        expanded_shapes=[(size,)],
        expanded_names=["point"],
        make_initial_point_fn=lambda _: start.copy(),
    )


def scattered_start(mode: Rounded, rng: np.random.Generator) -> Array:
    """Return a move at random, drawn nearer to the mode while it ends on a cliff."""
    size = mode.density.layout.size
    start: Array = START_SCATTER * rng.standard_normal(size)
    # a Normal loses size / 2 at one standard deviation of every coordinate
    least = mode(np.zeros(size))[0] - size / 2
    while not mode(start)[0] >= least:
        start /= 2
    return start


def tidy_stats(stats: xr.Dataset) -> xr.Dataset:
    """Keep the statistics that ArviZ knows, under its names."""
    kept = {new: stats[old] for old, new in STAT_NAMES.items() if old in stats}
    return xr.Dataset(kept).assign_coords(chain=np.arange(stats.sizes["chain"]))


def sample_laplace(modes: Sequence[Rounded], rng: np.random.Generator) -> tuple[Array, xr.Dataset]:
    """Draw from the Normal that touches the density at each mode, in its round coordinates."""
    points, values = [], []
    for mode in modes:
        moves = rng.standard_normal((mode.density.settings.draws, mode.density.layout.size))
        points.append([mode.point(move) for move in moves])
        values.append([mode(move)[0] for move in moves])
    return np.array(points), xr.Dataset({"lp": (("chain", "draw"), np.array(values))})
