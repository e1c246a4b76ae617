"""Take posterior draws of the fitted network as arrays."""

from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.posterior import (
    chain_weights,
    expected_ez_regions,
    first_seizure,
    p_ez_sampled_of,
    simulated_x0,
    starts_seizures,
)

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
        Fitted excitability, with which the model reproduces the seizure.
    own_x0 : numpy.ndarray, shape (n_draws, n_regions)
        The regions' own excitability, without the model error.
    in_ez : numpy.ndarray of bool, shape (n_draws, n_regions)
        Suspected regions that start seizures: own x0 above the threshold.
    x_init, z_init : numpy.ndarray, shape (n_draws, n_regions)
        Initial states.
    K, tau0 : numpy.ndarray, shape (n_draws,)
        Coupling and time-scale separation.
    dt, I1 : float
        Step and rest current, model units.
    time_s : numpy.ndarray, shape (n_states,)
        Seconds from the marked onset of every state of the fit, the initial state included.
    integrator : {"euler", "heun"}
        Integrator of the fit.
    explained : float
        Probability that at least one suspected region starts seizures; the draws are taken from
        this part of the posterior.
    p_elsewhere : float
        Probability that a region that is not suspected starts seizures.
    expected_ez_regions : float
        Expected number of EZ regions, over the whole posterior.
    p_sampled : float
        Probability that the electrodes sampled the EZ.
    connectome : numpy.ndarray of int, shape (n_draws,), optional
        Position of each draw's weights in `drawn_weights`, in ascending order; without it every
        draw has `weights`.
    drawn_weights : numpy.ndarray, shape (n_connectomes, n_regions, n_regions), optional
        Weights that were drawn with the other parameters; `weights` is then the measured one.
    """

    regions: tuple[str, ...]
    weights: Array
    x0: Array
    own_x0: Array
    in_ez: NDArray[np.bool_]
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
    p_sampled: float
    connectome: NDArray[np.int64] | None = None
    drawn_weights: Array | None = None

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.K)

    def thinned(self, n_draws: int, rng: np.random.Generator) -> "FittedDraws":
        """Return a random subset of at most `n_draws` draws, in their order."""
        if n_draws >= self.n_draws:
            return self
        return self._picked(np.sort(rng.choice(self.n_draws, n_draws, replace=False)))

    def by_connectome(self) -> "tuple[FittedDraws, ...]":
        """Return the draws in parts that share their weights, in the order of the draws."""
        if self.connectome is None or self.drawn_weights is None:
            return (self,)
        parts = []
        for number in np.unique(self.connectome):
            own = self._picked(np.flatnonzero(self.connectome == number))
            weights = self.drawn_weights[number]
            parts.append(replace(own, weights=weights, connectome=None, drawn_weights=None))
        return tuple(parts)

    def _picked(self, chosen: NDArray[np.int64]) -> "FittedDraws":
        """Return some of the draws."""
        per_draw = ["x0", "own_x0", "in_ez", "x_init", "z_init", "K", "tau0"]
        per_draw += [] if self.connectome is None else ["connectome"]
        return replace(self, **{name: getattr(self, name)[chosen] for name in per_draw})


def draws_from(
    posterior: xr.DataTree, n_draws: int, rng: np.random.Generator, suspicion: float = 0.0
) -> FittedDraws:
    """Take draws from a posterior, from each chain in proportion to its stacking weight.

    A chain without weight gives no draw. Within a chain, draws are taken without replacement as
    long as there are enough.

    A region is suspected if it starts seizures with at least the probability `suspicion`. All
    other regions are assumed not to start seizures, because the prior alone gives each of them a
    probability of about 0.01; together they make up `p_elsewhere`. Draws in which no suspected
    region starts seizures are left out, because a seizure was recorded, unless there are no others.

    With several seizures, tau0 and the initial states are those of the first one. Whether a region
    starts seizures depends on all of them; see `virtualbrain.posterior.seizure_threshold`.

    Parameters
    ----------
    posterior : xarray.DataTree
        The posterior that the inference wrote.
    n_draws : int
        Number of draws.
    rng : numpy.random.Generator
        Source of random numbers.
    suspicion : float
        Smallest probability with which a region is suspected.
    """
    samples = posterior["posterior"].to_dataset()
    weights = chain_weights(posterior.children.get("sample_stats"), samples.sizes["chain"])
    attributes = posterior.attrs
    above = starts_seizures(samples, float(attributes["I1"])).to_numpy()
    samples = first_seizure(samples)
    p_ez = weights @ above.mean(axis=1)
    suspected = p_ez >= suspicion
    starts = above & suspected
    useful = starts.any(axis=-1)
    explained = float(weights @ useful.mean(axis=1))
    chosen = chosen_draws(weights, useful if explained > 0 else np.ones_like(useful), n_draws, rng)
    samples = samples.stack(sample=("chain", "draw")).transpose("sample", ...)
    samples = samples.isel(sample=chosen)

    def array(name: str) -> Array:
        return np.ascontiguousarray(samples[name].to_numpy(), dtype=np.float64)

    constants = posterior["constant_data"].to_dataset()
    drawn = "connectome" in samples
    return FittedDraws(
        regions=tuple(str(name) for name in samples["region"].to_numpy()),
        weights=np.asarray(constants["weights"], dtype=np.float64),
        x0=np.ascontiguousarray(simulated_x0(samples).to_numpy(), dtype=np.float64),
        own_x0=array("x0"),
        in_ez=starts.reshape(-1, len(suspected))[chosen],
        x_init=array("x_init"),
        z_init=array("z_init"),
        K=array("K"),
        tau0=array("tau0"),
        dt=float(attributes["dt"]),
        time_s=_times(constants),
        I1=float(attributes["I1"]),
        integrator=cast(Literal["euler", "heun"], str(attributes["integrator"])),
        explained=explained,
        p_elsewhere=float(1.0 - np.prod(1.0 - p_ez[~suspected])),
        expected_ez_regions=expected_ez_regions(p_ez),
        p_sampled=p_ez_sampled_of(posterior, p_ez),
        connectome=samples["connectome"].to_numpy() if drawn else None,
        drawn_weights=constants["drawn_weights"].to_numpy() if drawn else None,
    )


def _times(constants: xr.Dataset) -> Array:
    """Return the times of the states of the first seizure, in seconds."""
    return np.asarray(first_seizure(constants["time_s"]).to_numpy(), dtype=np.float64)


def chosen_draws(
    weights: Array, useful: NDArray[np.bool_], wanted: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the positions of useful draws, chain by chain, in proportion to the chain weights.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_chains,)
        Weights of the chains.
    useful : numpy.ndarray of bool, shape (n_chains, n_draws)
        Draws that may be chosen.
    wanted : int
        Number of draws; a chain with too few useful ones repeats them.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    draws_per_chain = useful.shape[1]
    shares = weights * useful.mean(axis=1)
    total = min(wanted, useful.size)
    counts = np.floor(shares / shares.sum() * total).astype(int)
    largest_remainder = np.argsort(counts - shares / shares.sum() * total, kind="stable")
    counts[largest_remainder[: total - counts.sum()]] += 1
    parts = []
    for chain, count in enumerate(counts):
        able = np.flatnonzero(useful[chain])
        often, rest = divmod(int(count), max(len(able), 1))
        part = np.concatenate([np.tile(able, often), rng.choice(able, size=rest, replace=False)])
        parts.append(chain * draws_per_chain + np.sort(part))
    return np.concatenate(parts).astype(np.int64)
