"""Draw from the posterior by NUTS, or by Laplace's approximation at the modes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.initialisation import Progress
from inference.reparameterisation import Rounded

Array = NDArray[np.float64]

# Starting points of chains are this many standard deviations from their mode.
START_SCATTER = 0.5
# The density falls steeply where a region begins to seize. A momentum of fixed length is deflected
# there; one of random length diverges. Without jitter no step is longer than the tuned one.
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
    """Run one NUTS chain from each mode.

    Parameters
    ----------
    modes : sequence of Rounded
        Mode and coordinates of each chain; one per chain.
    seed : int
        Seed of the sampler and of the starting points.
    progress : callable, optional
        Called with the name of the step and the fraction of it that is done.

    Returns
    -------
    points : numpy.ndarray, shape (chain, draw, size)
        Draws, standardised.
    stats : xarray.Dataset
        Sampler statistics, dims (chain, draw).
    """
    total = len(modes)
    finished: list[Any] = []
    # One job per chain: each chain has its own starting point and seed.
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
    """Wrap a transformed density for nutpie, with a random starting point near the mode."""
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
    """Return a random starting point, halved towards the mode until its density is usual there.

    It is in the coordinates of `Rounded`, with the mode at zero.
    """
    size = mode.density.layout.size
    start: Array = START_SCATTER * rng.standard_normal(size)
    # A normal log density is size / 2 lower at one standard deviation in every coordinate.
    least = mode(np.zeros(size))[0] - size / 2
    while not mode(start)[0] >= least:
        start /= 2
    return start


def tidy_stats(stats: xr.Dataset) -> xr.Dataset:
    """Return the sampler statistics that ArviZ uses, under the names of ArviZ."""
    kept = {new: stats[old] for old, new in STAT_NAMES.items() if old in stats}
    return xr.Dataset(kept).assign_coords(chain=np.arange(stats.sizes["chain"]))


def sample_laplace(modes: Sequence[Rounded], rng: np.random.Generator) -> tuple[Array, xr.Dataset]:
    """Draw from Laplace's approximation at each mode: a standard normal in its coordinates."""
    points, values = [], []
    for mode in modes:
        moves = rng.standard_normal((mode.density.settings.draws, mode.density.layout.size))
        points.append([mode.point(move) for move in moves])
        values.append([mode(move)[0] for move in moves])
    return np.array(points), xr.Dataset({"lp": (("chain", "draw"), np.array(values))})
