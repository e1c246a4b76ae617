r"""Value of the patient's own connectome before it is measured, for a fit with that of a group.

Possible own connectomes k are drawn around the group's: each weight with a log-normal factor. Each
possible truth d (`inference.futures`) has onsets. Their density :math:`L_{kd}` given a connectome
is the prior of the onsets (`inference.onsets.recruitment`), with the rules of an own connectome. So
a connectome speaks for a truth with the factor

.. math:: L_{kd} / M_d, \qquad M_d = \frac{1}{K} \sum_k L_{kd}

and, behind a truth t, connectome k is found with the probability :math:`L_{kt} / (K M_t)`: averaged
over the connectomes, the probabilities afterwards are those of today. The same densities say for
each connectome which regions were recruited, and so change the probability of each region to be in
the zone. Recording and gain stay, and so does their likelihood.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, logsumexp

from inference.connectome_variants import LOG_SD
from inference.futures import Futures
from inference.kernels.common import jit
from inference.next_data import Value, drawn_truths, sets_of, value_of
from inference.onsets.fit import OnsetSample
from inference.onsets.recruitment import log_prior_of_onsets
from inference.onsets.rules import Rules
from virtualbrain.network import normalise_weights

Array = NDArray[np.float64]

N_CONNECTOMES = 100
_CERTAIN = 1e-9
_N_BISECTIONS = 45


def connectome_value(
    futures: Futures, sample: OnsetSample, size: int, rng: np.random.Generator,
    log_sd: float = LOG_SD,
) -> Value:  # fmt: skip
    """Return the value of the patient's own connectome in place of that of the fit.

    Parameters
    ----------
    futures : Futures
        Possible truths.
    sample : OnsetSample
        The fit, with the connectome of a group.
    size : int
        Regions of a plan.
    rng : numpy.random.Generator
        Source of random numbers.
    log_sd : float
        Standard deviation of the logarithm of a person's weight over the group's; weights of zero
        stay zero. 0: the group's weights are the patient's.
    """
    log_l, p_ez = densities(futures, sample, drawn_connectomes(sample.data.weights, log_sd, rng))
    factor = log_l - (logsumexp(log_l, axis=0) - math.log(len(log_l)))
    after = shifted_zones(futures.p_zone, p_ez, factor)
    truths, omega = drawn_truths(futures, np.zeros(len(futures.unseen), dtype=bool), rng)
    found = found_connectomes(factor[:, truths], rng)
    sets = sets_of(futures.weight @ futures.p_zone, size)
    zones = after[found, truths]
    return value_of(factor[found], truths, omega, futures, sets, after[found], zones)


def drawn_connectomes(weights: Array, log_sd: float, rng: np.random.Generator) -> Array:
    """Return possible own connectomes around a group's, scaled, (n_connectomes, n, n)."""
    found = []
    for _ in range(N_CONNECTOMES):
        normal = np.triu(rng.standard_normal(weights.shape), 1)
        found.append(normalise_weights(weights * np.exp(log_sd * (normal + normal.T)), "strength"))
    return np.stack(found)


def densities(futures: Futures, sample: OnsetSample, connectomes: Array) -> tuple[Array, Array]:
    """Return log densities of the onsets of each truth with each connectome, and the zones then.

    Returns
    -------
    numpy.ndarray, shape (n_connectomes, n)
        Log densities, zone integrated out.
    numpy.ndarray, shape (n_connectomes, n, n_regions)
        Probability that each region is in the zone, given the onsets.
    """
    bounds, times = sample.data.bounds, sample.data.times
    prior = np.where(futures.hidden, 1.0 - _CERTAIN, sample.data.prior_p_ez)
    states = futures.states
    found: tuple[Array, Array] = _densities(
        states.active, states.onset, states.offset, np.ascontiguousarray(connectomes),
        np.ascontiguousarray(times[bounds[:-1]]), np.ascontiguousarray(times[bounds[1:] - 1]),
        prior, futures.threshold, Rules(),
    )  # fmt: skip
    return found


@jit
def _densities(
    active: NDArray[np.bool_], onset: Array, offset: Array, connectomes: Array, first: Array,
    last: Array, prior: Array, threshold: Array, rules: Rules,
) -> tuple[Array, Array]:  # fmt: skip
    n_connectomes, n, n_regions = len(connectomes), len(threshold), prior.shape[1]
    log_l, p_ez = np.zeros((n_connectomes, n)), np.zeros((n_connectomes, n, n_regions))
    for k in range(n_connectomes):
        for d in range(n):
            log_l[k, d] = log_prior_of_onsets(
                active[d], onset[d], offset[d], connectomes[k], first, last, prior[d],
                threshold[d], rules, p_ez[k, d],
            )  # fmt: skip
    return log_l, p_ez


def shifted_zones(p_zone: Array, p_ez: Array, log_factor: Array) -> Array:
    """Return the probability of each region in each truth with each connectome.

    The odds of `p_ez` are multiplied by one number for each truth and region, so that the mean over
    the connectomes behind the truth is `p_zone`. Regions that are surely in the zone or outside
    stay there.

    Parameters
    ----------
    p_zone : numpy.ndarray, shape (n, n_regions)
        Probabilities today.
    p_ez : numpy.ndarray, shape (n_connectomes, n, n_regions)
        Probabilities given the onsets, by the prior.
    log_factor : numpy.ndarray, shape (n_connectomes, n)
        How often each connectome is behind each truth, up to a factor.

    Returns
    -------
    numpy.ndarray, shape (n_connectomes, n, n_regions)
    """
    behind = np.exp(log_factor - logsumexp(log_factor, axis=0))
    after = np.repeat(p_zone[None], len(p_ez), axis=0)
    for i in np.flatnonzero(((p_zone > 0) & (p_zone < 1)).any(axis=0)):
        open_ = np.flatnonzero((p_zone[:, i] > 0) & (p_zone[:, i] < 1))
        odds = logit(np.clip(p_ez[:, open_, i], _CERTAIN, 1.0 - _CERTAIN))
        after[:, open_, i] = _with_mean(odds, behind[:, open_], p_zone[open_, i])
    return after


def _with_mean(odds: Array, behind: Array, mean: Array) -> Array:
    """Return probabilities of log odds plus one number for each column, with weighted means."""
    low, high = np.full(len(mean), -60.0), np.full(len(mean), 60.0)
    for _ in range(_N_BISECTIONS):
        middle = 0.5 * (low + high)
        above = (behind * expit(odds + middle)).sum(axis=0) > mean
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(expit(odds + 0.5 * (low + high)))


def found_connectomes(log_factor: Array, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the connectome behind each truth from log factors (n_connectomes, n_truths)."""
    cumulated = np.cumsum(np.exp(log_factor - logsumexp(log_factor, axis=0)), axis=0)
    drawn = (rng.random(cumulated.shape[1]) > cumulated).sum(axis=0)
    return np.asarray(np.minimum(drawn, len(log_factor) - 1))
