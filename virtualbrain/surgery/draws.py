"""Posterior draws as arrays: the patient's network with its uncertainty."""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.io.results import simulated_x0

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
    x0, x_init, z_init : numpy.ndarray, shape (n_draws, n_regions)
        Excitability and initial states.
    K, tau0 : numpy.ndarray, shape (n_draws,)
        Coupling and time-scale separation.
    dt, I1 : float
        Step and rest current, model units.
    time_s : numpy.ndarray, shape (n_states,)
        Seconds from the marked onset of every state of the fit, the start included.
    integrator : {"euler", "heun"}
        The scheme of the fit.
    """

    regions: tuple[str, ...]
    weights: Array
    x0: Array
    x_init: Array
    z_init: Array
    K: Array
    tau0: Array
    dt: float
    time_s: Array
    I1: float
    integrator: Literal["euler", "heun"]

    @property
    def n_draws(self) -> int:
        """Number of draws."""
        return len(self.K)

    def position(self, region: str) -> int:
        """Return where a region stands.

        Raises
        ------
        ModelError
            The network has no such region.
        """
        try:
            return self.regions.index(region)
        except ValueError:
            raise ModelError(
                f"the network has no region {region!r}",
                expected="a name of the region table",
                cure="check the spelling",
            ) from None


def draws_from(posterior: xr.DataTree, n_draws: int, rng: np.random.Generator) -> FittedDraws:
    """Take draws from a posterior, each chain as often as its weight says.

    Chains that ended in different modes carry stacking weights; a chain without weight gives no
    draw. Within a chain draws are taken without replacement while there are enough.

    Several seizures share everything but their initial states: the first seizure's are taken.

    Parameters
    ----------
    posterior : xarray.DataTree
        As the inference writes it.
    n_draws : int
        How many.
    rng : numpy.random.Generator
        Chooses the draws.
    """
    samples = posterior["posterior"].to_dataset()
    chosen = _chosen(_chain_weights(posterior), samples.sizes["draw"], n_draws, rng)
    samples = samples.stack(sample=("chain", "draw")).transpose("sample", ...)
    samples = samples.isel(sample=chosen)
    if "seizure" in samples.dims:
        samples = samples.isel(seizure=0)
    attributes = posterior.attrs

    def array(name: str) -> Array:
        return np.ascontiguousarray(samples[name].to_numpy(), dtype=np.float64)

    return FittedDraws(
        regions=tuple(str(name) for name in samples["region"].to_numpy()),
        weights=np.asarray(posterior["constant_data"]["weights"], dtype=np.float64),
        x0=np.ascontiguousarray(simulated_x0(samples).to_numpy(), dtype=np.float64),
        x_init=array("x_init"),
        z_init=array("z_init"),
        K=array("K"),
        tau0=array("tau0"),
        dt=float(attributes["dt"]),
        time_s=_times(posterior["constant_data"].to_dataset()),
        I1=float(attributes["I1"]),
        integrator=cast(Literal["euler", "heun"], str(attributes["integrator"])),
    )


def _times(constants: xr.Dataset) -> Array:
    """Return the seconds of the first seizure's states."""
    times = constants["time_s"]
    if "seizure" in times.dims:
        times = times.isel(seizure=0)
    return np.asarray(times.to_numpy(), dtype=np.float64)


def _chain_weights(posterior: xr.DataTree) -> Array:
    """Return the weight of every chain, equal ones where the fit stored none."""
    n_chains = posterior["posterior"].sizes["chain"]
    stored = "sample_stats" in posterior.children and "weight" in posterior["sample_stats"]
    if not stored:
        return np.full(n_chains, 1.0 / n_chains)
    weights = np.asarray(posterior["sample_stats"]["weight"].to_numpy(), dtype=np.float64)
    return np.asarray(weights / weights.sum())


def _chosen(
    weights: Array, draws_per_chain: int, wanted: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return positions of draws, chain after chain, as many of each as its weight says."""
    total = min(wanted, len(weights) * draws_per_chain)
    counts = np.floor(weights * total).astype(int)
    largest_rest = np.argsort(counts - weights * total, kind="stable")
    counts[largest_rest[: total - counts.sum()]] += 1
    parts = []
    for chain, count in enumerate(counts):
        often, rest = divmod(int(count), draws_per_chain)
        part = rng.choice(draws_per_chain, size=rest, replace=False)
        whole = np.tile(np.arange(draws_per_chain), often)
        parts.append(chain * draws_per_chain + np.sort(np.concatenate([whole, part])))
    return np.concatenate(parts).astype(np.int64)
