"""Posterior draws as arrays: the patient's network with its uncertainty."""

from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.io.results import chain_weights, expected_ez_regions, simulated_x0
from virtualbrain.models.reduced_physics import critical_x0

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FittedDraws:
    """Draws of the fitted network.

    Parameters
    ----------
    regions : tuple of str
        Names.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Normalised weights, as fitted.
    x0 : numpy.ndarray, shape (n_draws, n_regions)
        Excitability with which the fit repeats the seizure.
    own_x0 : numpy.ndarray, shape (n_draws, n_regions)
        The regions' own excitability, without the model's error.
    starts : numpy.ndarray of bool, shape (n_draws, n_regions)
        Which regions start seizures: own x0 above the threshold, and suspected at all.
    x_init, z_init : numpy.ndarray, shape (n_draws, n_regions)
        Initial states.
    K, tau0 : numpy.ndarray, shape (n_draws,)
        Coupling and time-scale separation.
    dt, I1 : float
        Step and rest current, model units.
    time_s : numpy.ndarray, shape (n_states,)
        Seconds from the marked onset of every state of the fit, the start included.
    integrator : {"euler", "heun"}
        The scheme of the fit.
    explained : float
        Share of the posterior in which a suspected region starts the seizure; the draws are of that
        share.
    p_elsewhere : float
        Probability that a region which is not suspected seizes by itself all the same.
    expected_ez_regions : float
        Expected number of regions that start seizures, over the whole posterior.
    """

    regions: tuple[str, ...]
    weights: Array
    x0: Array
    own_x0: Array
    starts: NDArray[np.bool_]
    x_init: Array
    z_init: Array
    K: Array
    tau0: Array
    dt: float
    time_s: Array
    I1: float
    integrator: Literal["euler", "heun"]
    explained: float
    p_elsewhere: float
    expected_ez_regions: float

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.K)

    def thinned(self, n_draws: int, rng: np.random.Generator) -> "FittedDraws":
        """Return at most so many of the draws, in their order."""
        if n_draws >= self.n_draws:
            return self
        chosen = np.sort(rng.choice(self.n_draws, n_draws, replace=False))
        per_draw = ("x0", "own_x0", "starts", "x_init", "z_init", "K", "tau0")
        return replace(self, **{name: getattr(self, name)[chosen] for name in per_draw})


def draws_from(
    posterior: xr.DataTree, n_draws: int, rng: np.random.Generator, suspicion: float = 0.0
) -> FittedDraws:
    """Take draws from a posterior, each chain as often as its weight says.

    Chains that ended in different modes carry stacking weights; a chain without weight gives no
    draw. Within a chain draws are taken without replacement while there are enough.

    A region is suspected where it starts seizures with at least the probability `suspicion`. The
    many others, each of which the prior alone lets start seizures once in a hundred draws, are
    taken not to; what they add up to is kept apart as `p_elsewhere`. A seizure was recorded, and
    it started somewhere: draws in which no suspected region starts it are left out, unless all are
    of that kind.

    Several seizures share everything but their initial states: the first seizure's are taken.

    Parameters
    ----------
    posterior : xarray.DataTree
        As the inference writes it.
    n_draws : int
        How many.
    rng : numpy.random.Generator
        Chooses the draws.
    suspicion : float
        Least probability that makes a region a possible start.
    """
    samples = posterior["posterior"].to_dataset()
    if "seizure" in samples.dims:
        samples = samples.isel(seizure=0)
    weights = chain_weights(posterior.children.get("sample_stats"), samples.sizes["chain"])
    attributes = posterior.attrs
    above = _above_threshold(samples, float(attributes["I1"]))
    p_start = weights @ above.mean(axis=1)
    suspected = p_start >= suspicion
    starts = above & suspected
    useful = starts.any(axis=-1)
    explained = float(weights @ useful.mean(axis=1))
    chosen = _chosen(weights, useful if explained > 0 else np.ones_like(useful), n_draws, rng)
    samples = samples.stack(sample=("chain", "draw")).transpose("sample", ...)
    samples = samples.isel(sample=chosen)

    def array(name: str) -> Array:
        return np.ascontiguousarray(samples[name].to_numpy(), dtype=np.float64)

    return FittedDraws(
        regions=tuple(str(name) for name in samples["region"].to_numpy()),
        weights=np.asarray(posterior["constant_data"]["weights"], dtype=np.float64),
        x0=np.ascontiguousarray(simulated_x0(samples).to_numpy(), dtype=np.float64),
        own_x0=array("x0"),
        starts=starts.reshape(-1, len(suspected))[chosen],
        x_init=array("x_init"),
        z_init=array("z_init"),
        K=array("K"),
        tau0=array("tau0"),
        dt=float(attributes["dt"]),
        time_s=_times(posterior["constant_data"].to_dataset()),
        I1=float(attributes["I1"]),
        integrator=cast(Literal["euler", "heun"], str(attributes["integrator"])),
        explained=explained,
        p_elsewhere=float(1.0 - np.prod(1.0 - p_start[~suspected])),
        expected_ez_regions=expected_ez_regions(p_start),
    )


def _above_threshold(samples: xr.Dataset, I1: float) -> NDArray[np.bool_]:
    """Return where a region's own x0 lies above the threshold, (chain, draw, region)."""
    x0 = samples["x0"].transpose("chain", "draw", "region").to_numpy()
    tau0 = samples["tau0"].transpose("chain", "draw").to_numpy()
    return np.asarray(x0 > critical_x0(tau0, I1)[..., None])


def _times(constants: xr.Dataset) -> Array:
    """Return the seconds of the first seizure's states."""
    times = constants["time_s"]
    if "seizure" in times.dims:
        times = times.isel(seizure=0)
    return np.asarray(times.to_numpy(), dtype=np.float64)


def _chosen(
    weights: Array, useful: NDArray[np.bool_], wanted: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return positions of useful draws, chain after chain, as many as each chain's weight says."""
    draws_per_chain = useful.shape[1]
    shares = weights * useful.mean(axis=1)
    total = min(wanted, useful.size)
    counts = np.floor(shares / shares.sum() * total).astype(int)
    largest_rest = np.argsort(counts - shares / shares.sum() * total, kind="stable")
    counts[largest_rest[: total - counts.sum()]] += 1
    parts = []
    for chain, count in enumerate(counts):
        able = np.flatnonzero(useful[chain])
        often, rest = divmod(int(count), max(len(able), 1))
        part = np.concatenate([np.tile(able, often), rng.choice(able, size=rest, replace=False)])
        parts.append(chain * draws_per_chain + np.sort(part))
    return np.concatenate(parts).astype(np.int64)
