"""Group chains into posterior modes and weight them by PSIS-LOO stacking."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

from inference.density import Density

Array = NDArray[np.float64]

MAX_DRAWS = 200


def pointwise_log_likelihood(density: Density, points: Array) -> Array:
    """Return the log likelihood of every channel and seizure, (..., S * m).

    The whole time course of a channel is one observation. Its samples are not independent, so a
    single sample left out would be predicted from its neighbours.
    """
    flat = points.reshape(-1, points.shape[-1])
    values = np.stack([_per_channel(density, point) for point in flat])
    return values.reshape(points.shape[:-1] + values.shape[1:])


def _per_channel(density: Density, point: Array) -> Array:
    noise = float(density.named(point)["noise"])
    residual = (density.envelope - density.expected(point)) / noise
    nu = density.settings.degrees_of_freedom
    if density.settings.noise_family == "normal":
        value = -0.5 * residual**2 - 0.5 * np.log(2 * np.pi)
    else:
        value = -0.5 * (nu + 1) * np.log1p(residual**2 / nu) + (
            gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(np.pi * nu)
        )
    return np.asarray(density.tempering * (value - np.log(noise)).sum(axis=1).ravel())


def weigh_chains(density: Density, points: Array) -> dict[str, NDArray[Any]]:
    """Return the stacking weight and mode of each chain, and the log likelihood behind them.

    Chains whose means differ by less than their pooled spread allows are one mode. The weights
    maximise the leave-one-channel-out predictive density of the mixture (PSIS-LOO stacking).

    Parameters
    ----------
    density : Density
        The density that was sampled.
    points : numpy.ndarray, shape (chain, draw, size)
        Draws.

    Returns
    -------
    dict
        ``weight`` (chain), ``mode`` (chain), ``log_likelihood`` (chain, draw, observation),
        ``elpd`` (chain) and ``pareto_k`` (chain), the largest Pareto k of each chain.
    """
    thin = max(1, points.shape[1] // MAX_DRAWS)
    log_likelihood = pointwise_log_likelihood(density, points[:, ::thin])
    elpd, largest_k = leave_one_out(log_likelihood)
    mode = group_chains(points[..., density.layout.slices["x0"]])
    by_mode = np.stack([elpd[mode == k].mean(axis=0) for k in range(mode.max() + 1)])
    mode_weights = stack(by_mode)
    counts = np.bincount(mode)
    return {
        "weight": mode_weights[mode] / counts[mode],
        "mode": mode,
        "log_likelihood": log_likelihood,
        "elpd": elpd.sum(axis=1),
        "pareto_k": largest_k,
    }


def group_chains(x0: Array) -> NDArray[np.int64]:
    """Return the mode of each chain from its draws of x0 (chain, draw, region)."""
    mean, sd = x0.mean(axis=1), x0.std(axis=1)
    mode = np.full(len(x0), -1)
    for chain in range(len(x0)):
        for other in range(chain):
            spread = np.sqrt((sd[chain] ** 2 + sd[other] ** 2) / 2) + 1e-12
            if (np.abs(mean[chain] - mean[other]) / spread).max() < 1.5:
                mode[chain] = mode[other]
                break
        if mode[chain] < 0:
            mode[chain] = mode.max() + 1
    return mode


def leave_one_out(log_likelihood: Array) -> tuple[Array, Array]:
    """Return the PSIS-LOO log density per chain and observation, and the largest k per chain."""
    from arviz_stats.base.array import array_stats  # slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        smooth: Any = array_stats.psislw
        log_ratio, k = smooth(np.moveaxis(log_likelihood, 1, -1), axis=-1)
    # psislw negates its input: it takes log likelihoods and returns normalised log weights
    values = logsumexp(log_ratio + np.moveaxis(log_likelihood, 1, -1), axis=-1)
    return values, np.asarray(k).max(axis=-1)


def stack(elpd: Array) -> Array:
    """Return the mode weights that maximise the log score; `elpd` is (mode, observation)."""
    if len(elpd) == 1:
        return np.ones(1)
    scores = np.exp(elpd - elpd.max(axis=0))

    def loss(logits: Array) -> float:
        weights = np.exp(logits - logits.max())
        return -float(np.log(weights / weights.sum() @ scores + 1e-300).sum())

    found = minimize(loss, np.zeros(len(elpd)), method="BFGS")
    weights = np.exp(found.x - found.x.max())
    return np.asarray(weights / weights.sum())
