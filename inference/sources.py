r"""Compute the source evidence: how early and strong the power of each region rises.

No seizure model is used. The powers of independent sources add up. Relative to rest, the power of
channel c is :math:`M_c(t) = 1 + \sum_i H_{ci} E_i(t)` with the excess :math:`E_i \ge 0` of region
i and :math:`H_{ci} \propto G_{ci}^{3/4}`, rows of unit sum. H is flatter than the gain, because
the contrasts of the gain are uncertain. The excess minimises the Itakura-Saito divergence, which
suits multiplicative noise (Févotte, Bertin and Durrieu 2009), plus a penalty on the sum of each
region, which keeps few regions active:

.. math:: \min_{E \ge 0} \sum_{c,t} \Big( \frac{V_c}{M_c} + \log M_c \Big) + \lambda \sum_{i,t} E_i.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_ndtr, logit, ndtri_exp

from inference.component_regions import regions_of_components
from inference.priors import Priors
from inference.problem import Problem
from virtualbrain.models.reduced_physics import critical_x0

Array = NDArray[np.float64]

PENALTY = 0.04
# Less than one flattens the gain: its contrast between near and far regions is uncertain.
GAIN_POWER = 0.75
N_ITERATIONS = 200
# Log power is clipped to this range.
ENVELOPE_RANGE = (-2.0, 12.0)
# Width of the smoothing, as a fraction of the window.
SMOOTHING = 0.07
ONSET_POWER = 5.0
LATENESS = 0.2
N_STEPS = 100
# Learned by `tests/benchmarks/learn_sources.py` from 120 synthetic patients, a quarter of them with
# an unsampled EZ.
BASE_RATE = 0.0290
INTERCEPT, OF_EARLY, OF_PEAK = -0.601, 1.088, 1.549
MINIMUM_EARLINESS = 0.02


def source_excess(envelope: Array, gain: Array, gain_power: float = GAIN_POWER) -> Array:
    """Return the power of every region above rest, as a multiple of rest.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Rows of unit sum.
    gain_power : float
        Exponent of the gain.

    Returns
    -------
    numpy.ndarray, shape (n_times, n_regions)
        Not negative.
    """
    from scipy.ndimage import uniform_filter1d  # slow to import

    width = max(round(SMOOTHING * len(envelope)), 1)
    smooth = uniform_filter1d(envelope, width, axis=0, mode="nearest")
    mixing = gain**gain_power
    mixing /= mixing.sum(axis=1, keepdims=True)
    return unmixed(np.exp(np.clip(smooth, *ENVELOPE_RANGE)), mixing)


def unmixed(power: Array, mixing: Array) -> Array:
    """Return the excess that explains the power of the channels, (n_times, n_regions).

    `power` is (n_times, n_channels), `mixing` (n_channels, n_regions). Multiplicative updates;
    each lowers the penalised divergence.
    """
    excess = np.full((len(power), mixing.shape[1]), 0.3)
    for _ in range(N_ITERATIONS):
        expected = 1.0 + excess @ mixing.T
        rise, fall = (power / expected**2) @ mixing, (1.0 / expected) @ mixing + PENALTY
        excess *= np.sqrt(rise / fall)
    return excess


def earliness(excess: Array) -> Array:
    r"""Return the earliness of every region and its peak log power, (n_regions, 2).

    The earliness is :math:`l_i e^{-(t_i - \min t) / 0.2 T}` with the mean log power
    :math:`l_i`, the time :math:`t_i` at which the power first exceeds five times rest, and the
    length T of the window. Both columns are divided by their largest value. The earliness of a
    region that never exceeds five times rest is zero.
    """
    log_power = np.log1p(excess)
    onset = _first_steps(log_power) / len(excess)
    first = onset.min() if np.isfinite(onset).any() else 0.0
    early = log_power.mean(axis=0) * np.exp(-(onset - first) / LATENESS)
    peak = log_power.max(axis=0)
    minimum = np.log(ONSET_POWER)  # where no region rises, no region leads
    return np.stack(
        [early / max(float(early.max()), 1e-12), peak / max(float(peak.max()), minimum)], axis=1
    )


def features(problem: Problem) -> Array:
    """Return the features of the evidence, (n_regions, 2): log earliness and peak.

    Earliness and peak are means over seizures.
    """
    envelopes, _ = problem.on_grid(N_STEPS)
    return _features([source_excess(envelope, problem.gain) for envelope in envelopes])


def _features(excesses: Sequence[Array]) -> Array:
    """Return log earliness and peak, means over seizures, (n_regions, 2)."""
    found = np.mean([earliness(excess) for excess in excesses], axis=0)
    return np.stack([np.log(found[:, 0] + MINIMUM_EARLINESS), found[:, 1]], axis=1)


def log_evidence(problem: Problem) -> Array:
    """Return the log factor of the source evidence on the odds of each region, (n_regions,).

    With components, the mean of the factor from the channels and the one from the components.
    """
    found = _log_factor(features(problem))
    separated = _component_excesses(problem)
    return 0.5 * (found + _log_factor(_features(separated))) if separated else found


def component_features(problem: Problem) -> Array | None:
    """Return peak and order of the power found in the components, (n_regions, 2).

    See `features` and `onset_order`. None without components.
    """
    separated = _component_excesses(problem)
    if not separated:
        return None
    order = np.mean([_order(excess) for excess in separated], axis=0)
    return np.stack([_features(separated)[:, 1], order], axis=1)


def _component_excesses(problem: Problem) -> list[Array]:
    """Return the power of every region in each seizure from the components; empty without any."""
    if problem.components is None:
        return []
    rows = regions_of_components(problem)
    separated = problem.components_on_grid(N_STEPS)
    return [source_excess(envelope, rows, gain_power=1.0) for envelope in separated]


def _log_factor(found: Array) -> Array:
    """Return the log factor on the odds from log earliness and peak, (n_regions,)."""
    early, peak = found.T
    return np.asarray(INTERCEPT + OF_EARLY * early + OF_PEAK * peak - logit(BASE_RATE))


def evidence_probability(evidence: Array) -> Array:
    """Return the probability to start seizures from the result of `log_evidence` alone, (n,)."""
    return np.asarray(expit(logit(BASE_RATE) + evidence))


def recorded_onsets(problem: Problem) -> Array:
    """Return when the source power of each region first exceeds five times rest, (n,).

    Seconds from the marked onset of the first seizure; NaN where it never does. No network.
    """
    envelopes, seconds = problem.on_grid(N_STEPS)
    first = _first_steps(np.log1p(source_excess(envelopes[0], problem.gain)))
    rises = np.isfinite(first)
    return np.asarray(np.where(rises, seconds[0][np.where(rises, first, 0).astype(int)], np.nan))


def onset_order(problem: Problem) -> Array:
    """Return how early the power of each region rises, 1 for the first and 0 for never, (n,).

    The mean over seizures; a baseline without any network.
    """
    envelopes, _ = problem.on_grid(N_STEPS)
    return np.asarray(np.mean([_order(source_excess(e, problem.gain)) for e in envelopes], axis=0))


def _order(excess: Array) -> Array:
    """Return 1 minus the delay to the first region, as a fraction of the window; 0 for never."""
    onset = _first_steps(np.log1p(excess)) / len(excess)
    rises = np.isfinite(onset)
    first = onset[rises].min(initial=1.0)
    return np.where(rises, 1.0 - (np.where(rises, onset, first) - first), 0.0)


def _first_steps(log_power: Array) -> Array:
    """Return the first step at which each region exceeds `ONSET_POWER`, infinite if none, (n,)."""
    started = log_power > np.log(ONSET_POWER)
    return np.where(started.any(axis=0), started.argmax(axis=0), np.inf)


def prior_log_odds(priors: Priors, problem: Problem) -> Array:
    """Return the prior log odds that each region starts seizures, without evidence, (n,)."""
    mean, sd = priors.of_regions(problem)
    above = (mean - float(critical_x0(priors.tau0.median))) / sd
    return np.asarray(log_ndtr(above) - log_ndtr(-above))


def informed_means(priors: Priors, problem: Problem, evidence: Array) -> Array:
    r"""Return the prior mean of x0 with the source evidence included, (n_regions,).

    The odds that a region starts seizures, :math:`P(x_{0,i} > x_{0,c})`, are multiplied by the
    evidence to the power `x0_sources.weight`. The mean is shifted to give these odds; the standard
    deviation stays. `evidence` is the result of `log_evidence`.
    """
    mean, sd = priors.of_regions(problem)
    if priors.x0_sources.weight == 0.0:
        return mean
    threshold = float(critical_x0(priors.tau0.median))
    odds = prior_log_odds(priors, problem) + priors.x0_sources.weight * evidence
    moved = -np.sign(odds) * ndtri_exp(log_expit(-np.abs(odds)))
    return np.asarray(threshold + sd * moved)
