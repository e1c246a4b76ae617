r"""How much narrower a posterior is than its prior: arrays of draws, without names.

The contraction of a parameter is :math:`1 - \mathrm{var}_{post} / \mathrm{var}_{prior}`: 1 if the
data fix it, 0 if they say nothing, below 0 if they leave it less certain than before. Combinations
:math:`w^T\theta` of parameters with posterior covariance C and prior covariance P are ranked by
:math:`C w = \lambda P w`; the contraction of each is :math:`1 - \lambda`. Along the direction
:math:`P w` the others do not move. The order and the units of the parameters change nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Statistic = Callable[[Array], Array]

# Parts of a chain for the errors; neighbouring draws are alike.
PARTS = 5
# Fewer finite draws than this give no variance.
FEWEST = 30
# A variance below this part of the squared mean is rounding.
_ROUNDING = 1e-24
# A column with less than this part of its variance left, given the others, follows from them.
_LEFT = 1e-9


@dataclass(frozen=True)
class Draws:
    """Draws with their weights.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_draws, n_parameters)
        NaN where a parameter has no value.
    weights : numpy.ndarray, shape (n_draws,)
        Sum 1.
    chain, part : numpy.ndarray of int, shape (n_draws,)
        Chain, and part of a chain, of each draw.
    """

    values: Array
    weights: Array
    chain: Integers
    part: Integers

    def column(self, values: Array) -> "Draws":
        """Return the same draws of one other number, shape (n_draws,)."""
        return Draws(values[:, None], self.weights, self.chain, self.part)

    def of(self, rows: NDArray[np.bool_]) -> "Draws":
        """Return some of the draws, with weights of the sum 1."""
        weights = self.weights[rows]
        return Draws(self.values[rows], weights / weights.sum(), self.chain[rows], self.part[rows])


def draws_of(values: Array, weights: Array, parts: int = PARTS) -> Draws:
    """Return draws of chains after one another.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_chains, n_draws, n_parameters)
        Draws.
    weights : numpy.ndarray, shape (n_chains, n_draws)
        Sum 1.
    parts : int
        Parts of each chain.
    """
    n_chains, n_draws, n = values.shape
    chain = np.repeat(np.arange(n_chains), n_draws)
    part = chain * parts + np.tile(np.arange(n_draws) * parts // n_draws, n_chains)
    return Draws(values.reshape(-1, n), weights.reshape(-1), chain, part)


def moments(values: Array, weights: Array) -> tuple[Array, Array]:
    """Return mean and variance of every column over its finite draws; NaN with too few."""
    finite = np.isfinite(values)
    counted = np.where(finite, weights[:, None], 0.0)
    total = counted.sum(axis=0)
    enough = (finite & (weights[:, None] > 0)).sum(axis=0) >= FEWEST
    counted = np.divide(counted, total, out=np.full_like(counted, np.nan), where=enough)
    filled = np.where(finite, values, 0.0)
    mean = (counted * filled).sum(axis=0)
    variance = (counted * (filled - mean) ** 2).sum(axis=0)
    return mean, np.where(variance <= _ROUNDING * mean**2, 0.0, variance)


def covariance(values: Array, weights: Array) -> Array:
    """Return the covariance of the columns, (n_parameters, n_parameters)."""
    apart = values - weights @ values
    return np.asarray((apart * weights[:, None]).T @ apart)


def error_of(statistic: Statistic, draws: Draws) -> Array:
    """Return the Monte Carlo error of a statistic of the weights.

    Jackknife over chains, and over parts of chains; the larger of both.
    """
    return np.asarray(np.fmax(*(_jackknife(statistic, draws.weights, groups)
                                for groups in (draws.chain, draws.part))))  # fmt: skip


def _jackknife(statistic: Statistic, weights: Array, groups: Integers) -> Array:
    names = np.unique(groups[weights > 0])
    if len(names) < 2:
        return np.full_like(statistic(weights), np.nan)
    kept = [np.where(groups == name, 0.0, weights) for name in names]
    without = np.stack([statistic(one / one.sum()) for one in kept])
    spread = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(np.sqrt((len(names) - 1) / len(names) * spread))


def contraction(posterior: Draws, prior: Draws) -> tuple[Array, Array]:
    """Return the contraction of every column and its Monte Carlo error.

    NaN where the prior has no values, or does not vary.
    """

    def variance(draws: Draws) -> Statistic:
        return lambda weights: moments(draws.values, weights)[1]

    after, before = (variance(draws)(draws.weights) for draws in (posterior, prior))
    before = np.where(before > 0.0, before, np.nan)
    ratio = after / before
    error = np.hypot(
        error_of(variance(posterior), posterior) / before,
        ratio * error_of(variance(prior), prior) / before,
    )
    return 1.0 - ratio, error


def independent(draws: Draws) -> list[int]:
    """Return the columns that vary and do not follow linearly from those before them."""
    apart = (draws.values - draws.weights @ draws.values) * np.sqrt(draws.weights)[:, None]
    found: list[int] = []
    basis = np.zeros((len(apart), 0))
    for k, column in enumerate(apart.T):
        left = column - basis @ (basis.T @ column)
        left -= basis @ (basis.T @ left)  # once more, for rounding
        if left @ left > _LEFT * (column @ column):
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
            found.append(k)
    return found


@dataclass(frozen=True)
class Directions:
    """Combinations of parameters, from the least to the most contraction.

    Parameters
    ----------
    contraction, error : numpy.ndarray, shape (n,)
        Contraction of each combination, and its Monte Carlo error for fixed weights.
    loadings : numpy.ndarray, shape (n, n_parameters)
        The direction, in prior standard deviations of the parameters; length 1, the largest
        loading is positive.
    """

    contraction: Array
    error: Array
    loadings: Array


def directions(posterior: Draws, prior: Draws) -> Directions:
    """Return the directions of least to most contraction.

    Parameters
    ----------
    posterior, prior : Draws
        Of the same parameters, without missing values; in the prior every one varies, and none
        follows from the others (`independent`).
    """
    sd = np.sqrt(np.diag(covariance(prior.values, prior.weights)))
    after = covariance(posterior.values / sd, posterior.weights)
    before = covariance(prior.values / sd, prior.weights)
    _, combinations = eigh(after, before)
    combinations = combinations[:, ::-1]
    found = [
        contraction(
            posterior.column(posterior.values / sd @ w), prior.column(prior.values / sd @ w)
        )
        for w in combinations.T
    ]
    moved = (before @ combinations).T
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    largest = np.take_along_axis(moved, np.abs(moved).argmax(axis=1)[:, None], axis=1)
    return Directions(
        contraction=np.array([float(value[0]) for value, _ in found]),
        error=np.array([float(error[0]) for _, error in found]),
        loadings=moved * np.sign(largest),
    )


def slope(draws: Draws) -> tuple[float, float, float]:
    """Return correlation and slope of the second column on the first, and the slope's error."""

    def regression(weights: Array) -> Array:
        c = covariance(draws.values, weights)
        return np.array([c[0, 1] / c[0, 0] if c[0, 0] > 0 else np.nan])

    c = covariance(draws.values, draws.weights)
    spread = np.sqrt(c[0, 0] * c[1, 1])
    correlation = c[0, 1] / spread if spread > 0 else np.nan
    error = float(error_of(regression, draws)[0])
    return float(correlation), float(regression(draws.weights)[0]), error


@dataclass(frozen=True)
class Profile:
    """A second number along a parameter, in bins of equal posterior probability.

    Parameters
    ----------
    low, high : numpy.ndarray, shape (n_bins,)
        Ends of the bins.
    p, p_error, p_prior : numpy.ndarray, shape (n_bins,)
        Probability of each bin with its Monte Carlo error, and in the prior.
    value, value_error : numpy.ndarray, shape (n_bins,)
        Mean of the second number minus its mean over all draws, and the Monte Carlo error.
    """

    low: Array
    high: Array
    p: Array
    p_error: Array
    p_prior: Array
    value: Array
    value_error: Array


def profile(posterior: Draws, prior: Draws, n_bins: int) -> Profile:
    """Return the profile along a parameter.

    Parameters
    ----------
    posterior : Draws
        Two columns: the parameter, and the second number.
    prior : Draws
        The parameter.
    n_bins : int
        Bins; equal ends are joined.
    """
    x, second = posterior.values.T
    order = np.argsort(x, kind="stable")
    summed = np.cumsum(posterior.weights[order])
    inner = x[order][np.searchsorted(summed, np.arange(1, n_bins) / n_bins)]
    ends = np.unique(np.concatenate([[x.min()], inner, [x.max()]]))
    inside = _bins(x, ends)

    def probability(weights: Array) -> Array:
        return np.asarray(weights @ inside)

    def mean(weights: Array) -> Array:
        total = weights @ inside
        summed = (weights * second) @ inside
        each = np.divide(summed, total, out=np.full_like(summed, np.nan), where=total > 0)
        return np.asarray(each - float(weights @ second))

    return Profile(
        low=ends[:-1],
        high=ends[1:],
        p=probability(posterior.weights),
        p_error=error_of(probability, posterior),
        p_prior=prior.weights @ _bins(prior.values[:, 0], ends),
        value=mean(posterior.weights),
        value_error=error_of(mean, posterior),
    )


def _bins(x: Array, ends: Array) -> Array:
    """Return 1.0 where a draw lies in a bin, (n_draws, n_bins); the last bin holds its end."""
    place = np.searchsorted(ends, x, side="right") - 1
    place = np.where(x == ends[-1], len(ends) - 2, place)
    return np.asarray(place[:, None] == np.arange(len(ends) - 1), dtype=np.float64)
