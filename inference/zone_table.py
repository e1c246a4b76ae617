"""Summarise the posterior of every region in the table zones.tsv."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.anatomy.region_names import hemisphere_of
from virtualbrain.models.reduced_physics import SEIZING_X_2D
from virtualbrain.posterior import chain_weights, first_seizure, starts_seizures
from virtualbrain.seeg.gain import observability

Array = NDArray[np.float64]

COLUMNS = (
    "rank", "region", "hemisphere", "p_ez", "p_pz", "x0_mean", "x0_sd", "x0_low", "x0_high",
    "onset_s", "observability", "prior_x0_mean", "information_gain", "in_hypothesis", "p_evidence",
    "onset_recorded_s",
)  # fmt: skip
INTERVAL = (0.05, 0.95)


def zones(posterior: xr.DataTree) -> pd.DataFrame:
    r"""Rank the regions by the probability that they start seizures.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.

    Returns
    -------
    pandas.DataFrame
        One row per region, ranked by ``p_ez``, then by mean excitability:

        - ``p_ez``: probability that the region starts seizures, :math:`P(x_0 > x_{0,c}(\tau_0))`;
          see `virtualbrain.posterior.seizure_threshold` for several seizures.
        - ``p_pz``: probability that the region seizes but does not start seizures; with p_ez at
          most 1.
        - ``onset_s``: median onset in the draws in which the region seizes, in seconds from the
          marked onset of the first seizure; missing where it seizes in less than half of them.
        - ``x0_low`` and ``x0_high``: ends of the 90 % interval.
        - ``observability``: see `virtualbrain.seeg.gain.observability`.
        - ``p_evidence``: probability to start seizures from the source evidence alone, and
          ``onset_recorded_s``: onset of the region's source power in the first seizure; both
          without the network (`inference.sources`).
        - ``information_gain``: Kullback-Leibler divergence from prior to posterior of x0, in
          nats, both taken as Normal.
    """
    regions = [str(name) for name in posterior["posterior"]["region"].to_numpy()]
    x0, weights, starts = _draws(posterior)
    mean = weights @ x0
    sd = np.sqrt(weights @ (x0 - mean) ** 2)
    low, high = (_quantile(x0, weights, q) for q in INTERVAL)
    p_ez = np.clip(weights @ starts, 0.0, 1.0)  # the weights sum to one up to rounding
    p_pz, onset = _recruited(posterior, p_ez)
    constants = posterior["constant_data"]
    prior_mean = constants["x0_prior_mean"].to_numpy()
    prior_sd = constants["x0_prior_sd"].to_numpy()
    table = pd.DataFrame(
        {
            "region": regions,
            "hemisphere": [hemisphere_of(name) for name in regions],
            "p_ez": p_ez,
            "p_pz": p_pz,
            "x0_mean": mean,
            "x0_sd": sd,
            "x0_low": low,
            "x0_high": high,
            "onset_s": onset,
            "observability": observability(constants["gain"].to_numpy()),
            "prior_x0_mean": prior_mean,
            "information_gain": _divergence(mean, sd, prior_mean, prior_sd),
            "in_hypothesis": [str(zone) or None for zone in constants["hypothesis"].to_numpy()],
            "p_evidence": _constant(constants, "p_evidence"),
            "onset_recorded_s": _constant(constants, "onset_recorded_s"),
        }
    )
    table = table.sort_values(["p_ez", "x0_mean"], ascending=False, kind="stable")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.reset_index(drop=True)[list(COLUMNS)]


def _constant(constants: xr.DataTree | xr.DataArray, name: str) -> Array:
    """Return a value of every region; NaN where an older posterior does not hold it."""
    if name not in constants:
        return np.full(constants.sizes["region"], np.nan)
    return np.asarray(constants[name].to_numpy(), dtype=np.float64)


def _draws(posterior: xr.DataTree) -> tuple[Array, Array, Array]:
    """Return x0 (draws, n), weights (draws), and 1.0 where a region starts seizures (draws, n)."""
    samples = posterior["posterior"].to_dataset()
    x0 = samples["x0"].transpose("chain", "draw", "region").to_numpy()
    n_chains, n_draws, n = x0.shape
    weights = chain_weights(posterior.children.get("sample_stats"), n_chains)
    weights = np.repeat(weights / n_draws, n_draws)
    starts = starts_seizures(samples, float(posterior.attrs["I1"])).to_numpy()
    return x0.reshape(-1, n), weights, starts.reshape(-1, n).astype(np.float64)


def _quantile(values: Array, weights: Array, q: float) -> Array:
    """Return a weighted quantile of every column."""
    order = np.argsort(values, axis=0)
    summed = np.cumsum(weights[order], axis=0)
    rows = np.minimum((summed < q).sum(axis=0), len(values) - 1)
    ordered = np.take_along_axis(values, order, axis=0)
    return np.asarray(np.take_along_axis(ordered, rows[None], axis=0)[0])


def _recruited(posterior: xr.DataTree, p_ez: Array) -> tuple[Array, Array]:
    r"""Return the probability that each region is recruited, and its median onset in seconds.

    :math:`P(PZ) = P(\mathrm{seizes} \mid x_0 \le x_{0,c})\,(1 - P(EZ))`. Few draws are simulated;
    P(EZ) comes from all of them, so that the two probabilities fit together.
    """
    samples = posterior["posterior"].to_dataset()
    if "onset_s" in samples:
        return _recruited_in_draws(samples, float(posterior.attrs["I1"]), p_ez)
    x = first_seizure(posterior["sources"].to_dataset()["x"])
    time_s = first_seizure(posterior["constant_data"].to_dataset()["time_s"])
    seizing = x.transpose("sample", "time", "region").to_numpy() > SEIZING_X_2D
    seizes = seizing.any(axis=1)
    starts = posterior["sources"]["above_threshold"].to_numpy()
    onset = np.where(seizes, time_s.to_numpy()[seizing.argmax(axis=1)], np.nan)
    often = seizes.mean(axis=0) >= 0.5
    median = np.full(len(often), np.nan)
    if often.any():
        median[often] = np.nanmedian(onset[:, often], axis=0)
    return _p_recruited(seizes, starts, p_ez), median


def _p_recruited(seizes: NDArray[np.bool_], starts: NDArray[np.bool_], p_ez: Array) -> Array:
    """Return P(PZ) from draws, shape (n_draws, n_regions); zero where all draws start seizures."""
    able = (~starts).sum(axis=0)
    return np.asarray((1.0 - p_ez) * (seizes & ~starts).sum(axis=0) / np.maximum(able, 1))


def _recruited_in_draws(samples: xr.Dataset, I1: float, p_ez: Array) -> tuple[Array, Array]:
    """Return the same from the sampled onsets."""
    onset = first_seizure(samples["onset_s"]).transpose("chain", "draw", "region")
    seizes = onset.notnull()
    starts = starts_seizures(samples, I1).to_numpy()
    n = starts.shape[-1]
    recruited = _p_recruited(seizes.to_numpy().reshape(-1, n), starts.reshape(-1, n), p_ez)
    often = seizes.mean(("chain", "draw")) >= 0.5
    median = onset.median(("chain", "draw"), skipna=True).where(often)
    return recruited, median.to_numpy()


def _divergence(mean: Array, sd: Array, prior_mean: Array, prior_sd: Array) -> Array:
    """Return KL(posterior | prior) of two Normals."""
    ratio = np.maximum(sd, 1e-9) / prior_sd
    shift = (mean - prior_mean) / prior_sd
    return np.asarray(0.5 * (ratio**2 + shift**2 - 1.0) - np.log(ratio))
