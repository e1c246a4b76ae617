"""Read the quantities of a posterior that inference, surgery and report share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.models.reduced_physics import REST_CURRENT, critical_x0

Array = NDArray[np.float64]

# Regions with a smaller p_ez are left out of the expected number of EZ regions.
HARDLY_SUSPECTED = 0.05


class SampledConstants(NamedTuple):
    """Intercept and slopes of the log odds that the EZ is sampled; see `p_ez_sampled`."""

    intercept: float
    per_log_regions: float
    per_log_odds: float
    per_rise: float = 0.0


# Learned as in tests/benchmarks/learn_onset_calibration.py, from the patients of
# docs/lab-notes/2026-12-01-independent-components.md.
SAMPLED = SampledConstants(-2.192, 4.966, 0.429)
SAMPLED_WITH_RISE = SampledConstants(-9.717, 3.845, 0.0, 2.562)
# The rise of a recording is that of so many channels that rise most.
_LOUDEST = 3
# The largest p_ez is kept in this range: hardly any of the patients had one outside.
_LARGEST_P_EZ = 0.3, 0.96


@dataclass(frozen=True)
class PlanOf:
    """The plan of a posterior, and how often a plan holds the zone of its draws, as functions."""

    first: Callable[[xr.DataTree], tuple[str, ...]]
    holds: Callable[[xr.DataTree, tuple[str, ...]], float]


@dataclass(frozen=True)
class ZoneList:
    """The explanations that a fit lists.

    Parameters
    ----------
    zone : tuple of str
        Regions of the most probable zone of the first explanation.
    named : frozenset of str
        Regions that are certain or possible in a listed explanation.
    count : int
        Explanations listed.
    index : float
        Degeneracy index.
    """

    zone: tuple[str, ...]
    named: frozenset[str]
    count: int
    index: float


def simulated_x0(samples: xr.Dataset) -> xr.DataArray:
    """Return the x0 with which the model reproduces the seizure, from the group `posterior`.

    This is `x0_fitted`. A posterior without model error has only the regions' own `x0`.
    """
    return samples["x0_fitted" if "x0_fitted" in samples else "x0"]


def chain_weights(sample_stats: xr.Dataset | xr.DataTree | None, n_chains: int) -> Array:
    """Return the stacking weight of every chain; equal weights where the fit stored none."""
    if sample_stats is None or "weight" not in sample_stats:
        return np.full(n_chains, 1.0 / n_chains)
    weights = np.asarray(sample_stats["weight"].to_numpy(), dtype=np.float64)
    return np.asarray(weights / weights.sum())


def seizure_threshold(samples: xr.Dataset, I1: float = REST_CURRENT) -> Array:
    r"""Return the excitability threshold of every draw, shape (chain, draw).

    A region has one x0 for all seizures. The threshold :math:`x_{0,c}(\tau_0)` depends on tau0,
    which is fitted for each seizure. The threshold of a draw is the mean of
    :math:`x_{0,c}(\tau_0)` over seizures: every seizure counts equally, and a region exceeds it
    when its distance to the threshold, averaged over seizures, is positive. The threshold at the
    mean tau0 is a different number, because :math:`x_{0,c}` is not linear in tau0; long seizures
    would dominate it.

    Parameters
    ----------
    samples : xarray.Dataset
        The group `posterior`; tau0 has the dims chain and draw, and seizure if there are several.
    I1 : float
        Rest current of the fit.
    """
    tau0 = samples["tau0"].transpose("chain", "draw", ...).to_numpy()
    each = critical_x0(tau0, I1)
    return np.asarray(each.reshape(each.shape[0], each.shape[1], -1).mean(axis=2))


def starts_seizures(samples: xr.Dataset, I1: float = REST_CURRENT) -> xr.DataArray:
    """Return in which draws a region starts seizures: its own x0 exceeds the threshold.

    Parameters
    ----------
    samples : xarray.Dataset
        The group `posterior`.
    I1 : float
        Rest current of the fit.

    Returns
    -------
    xarray.DataArray of bool
        Dims (chain, draw, region).
    """
    x0 = samples["x0"].transpose("chain", "draw", "region")
    return x0 > seizure_threshold(samples, I1)[..., None]


def effective_zones(posterior: xr.DataTree, suspicion: float = HARDLY_SUSPECTED) -> float:
    r"""Return the effective number of zones of the draws, :math:`\exp(-\sum_k p_k \log p_k)`.

    The zone of a draw is the set of regions with a p_ez of at least `suspicion` that start
    seizures in it; draws without any are left out. Few draws make the number too small.

    Parameters
    ----------
    posterior : xarray.DataTree
        The fit.
    suspicion : float
        Smallest p_ez of a suspected region.

    Returns
    -------
    float
        NaN where no suspected region starts seizures in any draw.
    """
    samples = posterior["posterior"].to_dataset()
    starts = starts_seizures(samples, float(posterior.attrs["I1"])).to_numpy()
    n_chains, n_draws, _ = starts.shape
    weights = chain_weights(posterior.children.get("sample_stats"), n_chains)
    starts = starts[..., weights @ starts.mean(axis=1) >= suspicion].reshape(n_chains * n_draws, -1)
    weight = np.repeat(weights, n_draws) * starts.any(axis=1)
    if weight.sum() == 0.0:
        return float("nan")
    _, of_zone = np.unique(starts, axis=0, return_inverse=True)
    return effective_count(np.bincount(of_zone.reshape(-1), weight) / weight.sum())


def effective_count(p: Array) -> float:
    r"""Return the effective number of alternatives, :math:`\exp(-\sum_k p_k \log p_k)`."""
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def expected_ez_regions(p_ez: Array) -> float:
    """Return the expected number of EZ regions: the sum of p_ez over the suspected regions.

    Regions with a p_ez below `HARDLY_SUSPECTED` are left out. The prior alone gives every region
    a p_ez of about 0.01, which would add up over many regions.
    """
    return float(p_ez[p_ez >= HARDLY_SUSPECTED].sum())


def signs_of_sampling(p_ez: Array) -> tuple[float, float]:
    """Return two numbers that show whether the EZ was sampled, finite for all p_ez.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_regions,)
        Probability of being epileptogenic.

    Returns
    -------
    tuple of float
        Logarithm of the expected number of EZ regions, and log odds of the largest p_ez.
    """
    from scipy.special import logit  # slow to import

    largest = np.clip(p_ez.max(), *_LARGEST_P_EZ)
    return float(np.log(expected_ez_regions(p_ez) + 0.1)), float(logit(largest))


def largest_rise(posterior: xr.DataTree) -> float | None:
    """Return how much the power of the loudest channels rises; None without a recording.

    The mean, over the three channels that rise most, of their largest log power above rest.

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    """
    if "observed_data" not in posterior:
        return None
    envelope = posterior["observed_data"]["envelope"]
    return loudest(envelope.max([name for name in envelope.dims if name != "channel"]).to_numpy())


def loudest(rise: Array) -> float:
    """Return the mean of the three largest rises of log power, of one number per channel."""
    return float(np.sort(rise)[-_LOUDEST:].mean())


def p_ez_sampled(p_ez: Array, rise: float | None = None) -> float:
    r"""Return the probability that the electrodes sampled the EZ.

    It is the frequency among synthetic patients with as large a rise r of the power and as many
    expected EZ regions m, or, without r, with as large a p_ez of the leading region,

    .. math:: \mathrm{logit}\, P = a + b \log(m + 0.1) + c\, \mathrm{logit} \max_i p_i + d\, r.

    c is zero with r.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_regions,)
        Probability of being epileptogenic.
    rise : float, optional
        From `largest_rise`.
    """
    from scipy.special import expit  # slow to import

    log_regions, log_odds = signs_of_sampling(p_ez)
    constants = SAMPLED if rise is None else SAMPLED_WITH_RISE
    return float(
        expit(
            constants.intercept
            + constants.per_log_regions * log_regions
            + constants.per_log_odds * log_odds
            + constants.per_rise * (rise or 0.0)
        )
    )


def p_ez_sampled_of(posterior: xr.DataTree, p_ez: Array) -> float:
    """Return the probability that the electrodes sampled the EZ, as the fit found it.

    A fit that stored none gets that of its p_ez (`p_ez_sampled`).

    Parameters
    ----------
    posterior : xarray.DataTree
        The result of `inference.fit`.
    p_ez : numpy.ndarray, shape (n_regions,)
        Probability of being epileptogenic.
    """
    stored = posterior.attrs.get("p_ez_sampled")
    return p_ez_sampled(p_ez, largest_rise(posterior)) if stored is None else float(stored)


def connected_shares(weights: Array, p_ez: Array, unseen: NDArray[np.int64]) -> Array:
    """Return each unseen region's share of the connections with suspected regions, (n_unseen,).

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    p_ez : numpy.ndarray, shape (n_regions,)
        Probability of being epileptogenic.
    unseen : numpy.ndarray of int, shape (n_unseen,)
        Positions of the unseen regions.
    """
    strength = ((weights + weights.T) @ p_ez)[unseen]
    total = strength.sum()
    return strength / total if total > 0 else np.full(len(unseen), 1.0 / max(len(unseen), 1))


def first_seizure[Values: (xr.DataArray, xr.Dataset)](values: Values) -> Values:
    """Return the values of the first seizure; values without a dimension seizure are unchanged."""
    return values.isel(seizure=0) if "seizure" in values.dims else values
