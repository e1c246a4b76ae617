r"""What the sources' power says of the zone before any model of seizures: who is early and strong.

Sources that are independent of each other add up in power. Relative to rest, the power of
channel c is :math:`M_c(t) = 1 + \sum_i H_{ci} E_i(t)` with the excess :math:`E_i \ge 0` of region
i and :math:`H_{ci} \propto G_{ci}^{3/4}`, rows of unit sum: flatter than the gain, whose contrasts
are not known that well. The excess is found under multiplicative noise (Itakura-Saito
divergence, Févotte, Bertin and Durrieu 2009) with a price on each region's sum, which leaves few
regions active:

.. math:: \min_{E \ge 0} \sum_{c,t} \Big( \frac{V_c}{M_c} + \log M_c \Big) + \lambda \sum_{i,t} E_i.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.special import log_expit, log_ndtr, logit, ndtri_exp

from inference.priors import Priors
from inference.problem import Problem
from virtualbrain.models.reduced_physics import critical_x0

Array = NDArray[np.float64]

PRICE = 0.04
# Less than one: what a channel sees from afar is surer than how much more it sees from nearby.
GAIN_POWER = 0.75
N_ITERATIONS = 200
# Log power: beyond these an envelope says no more than that a channel is silent, or loud.
ENVELOPE_RANGE = (-2.0, 12.0)
# Share of the window over which the envelope is smoothed.
SMOOTHING = 0.07
ONSET_POWER = 5.0
LATENESS = 0.2
N_STEPS = 100
# Learned from 120 virtual patients, a quarter of them with an unsampled zone, by
# `tests/benchmarks/learn_sources.py`.
BASE_RATE = 0.0290
INTERCEPT, OF_EARLY, OF_PEAK = -0.601, 1.088, 1.549
LEAST_EARLY = 0.02


def source_excess(envelope: Array, gain: Array) -> Array:
    """Return the regions' power above rest, as a multiple of rest.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Rows of unit sum.

    Returns
    -------
    numpy.ndarray, shape (n_times, n_regions)
        Not negative.
    """
    width = max(round(SMOOTHING * len(envelope)), 1)
    smooth = uniform_filter1d(envelope, width, axis=0, mode="nearest")
    mixing = gain**GAIN_POWER
    mixing /= mixing.sum(axis=1, keepdims=True)
    return unmixed(np.exp(np.clip(smooth, *ENVELOPE_RANGE)), mixing)


def unmixed(power: Array, mixing: Array) -> Array:
    """Return the excess that explains the channels' power (n_times, n_channels) by a mixing.

    Multiplicative steps, each of which lowers the priced divergence.
    """
    excess = np.full((len(power), mixing.shape[1]), 0.3)
    for _ in range(N_ITERATIONS):
        expected = 1.0 + excess @ mixing.T
        wanted, given = (power / expected**2) @ mixing, (1.0 / expected) @ mixing + PRICE
        excess *= np.sqrt(wanted / given)
    return excess


def earliness(excess: Array) -> Array:
    r"""Return log energy of every region discounted by lateness, and its peak, (n_regions, 2).

    A region of mean log power l whose power first passes five times rest at :math:`t_i` has
    :math:`l_i e^{-(t_i - \min t) / 0.2 T}` with T the window's length. Both columns are relative to
    the largest; regions that never start have zero in the first.
    """
    log_power = np.log1p(excess)
    started = log_power > np.log(ONSET_POWER)
    onset = np.where(started.any(axis=0), started.argmax(axis=0) / len(excess), np.inf)
    first = onset.min() if np.isfinite(onset).any() else 0.0
    early = log_power.mean(axis=0) * np.exp(-(onset - first) / LATENESS)
    peak = log_power.max(axis=0)
    least = np.log(ONSET_POWER)  # a recording in which nothing starts has no leading region
    return np.stack(
        [early / max(float(early.max()), 1e-12), peak / max(float(peak.max()), least)], axis=1
    )


def features(problem: Problem) -> Array:
    """Return what the odds are made of, (n_regions, 2): logarithm of `earliness`, and peak.

    Both from the mean over seizures.
    """
    envelopes, _ = problem.on_grid(N_STEPS)
    found = np.mean([earliness(source_excess(e, problem.gain)) for e in envelopes], axis=0)
    return np.stack([np.log(found[:, 0] + LEAST_EARLY), found[:, 1]], axis=1)


def log_evidence(problem: Problem) -> Array:
    """Return the logarithm of the sources' factor on each region's odds, (n_regions,)."""
    early, peak = features(problem).T
    return np.asarray(INTERCEPT + OF_EARLY * early + OF_PEAK * peak - logit(BASE_RATE))


def informed_means(priors: Priors, problem: Problem, evidence: Array) -> Array:
    r"""Return the prior mean of every region's x0 with the sources' evidence in it, (n_regions,).

    The odds that a region seizes by itself, :math:`P(x_{0,i} > x_{0,c})`, are multiplied by the
    evidence to the power `x0_sources.weight`; the mean moves to where these odds hold at the
    sd of before. `evidence` is that of `log_evidence`.
    """
    mean, sd = priors.of_regions(problem)
    if priors.x0_sources.weight == 0.0:
        return mean
    threshold = float(critical_x0(priors.tau0.median))
    above = (mean - threshold) / sd
    odds = log_ndtr(above) - log_ndtr(-above) + priors.x0_sources.weight * evidence
    moved = -np.sign(odds) * ndtri_exp(log_expit(-np.abs(odds)))
    return np.asarray(threshold + sd * moved)
