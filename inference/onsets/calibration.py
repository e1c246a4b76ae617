r"""Calibrate the probability of being epileptogenic, and draw epileptogenic regions with it.

The onset model is too sure of itself: its errors of gain and connectome are only roughly those of a
patient. The calibrated probability q weighs its result p against what the sources show without any
network. In synthetic patients of known truth

.. math::
    \mathrm{logit}\, q_i = \pi_i + a + b\,(\mathrm{logit}\, p_i - \pi_i)
    + c\, s_i + d\, o_i - e\, r_i + f\, s'_i + g\, o'_i

with the prior log odds :math:`\pi`, the peak s and the order o of the source power, both between 0
and 1, the same :math:`s'` and :math:`o'` found in the independent components, and the probability r
that the region seizes because the network recruits it: what the network explains counts less. p is
kept between 0.01 and 0.99. Of a region that no channel sees well the sources show nothing: there q
is p. Without components, s' and o' are zero and the constants are others.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from inference.priors import Priors
from inference.problem import Problem
from inference.sources import component_features, features, onset_order, prior_log_odds
from virtualbrain.seeg.gain import LOW_OBSERVABILITY, observability

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Constants(NamedTuple):
    """Intercept and slopes of the calibration: a to g of the module's equation."""

    intercept: float
    of_model: float
    of_peak: float
    of_order: float
    of_recruited: float
    of_component_peak: float = 0.0
    of_component_order: float = 0.0


# From tests/benchmarks/learn_onset_calibration.py; see docs/lab-notes.
LEARNED = Constants(-1.095, 0.345, 3.889, 1.730, 6.036)
WITH_COMPONENTS = Constants(-1.203, 0.497, 4.747, 0.0, 3.073, -2.449, 2.427)
# p_ez of the onset model is kept this far from 0 and 1.
LEAST_P_EZ = 0.01
# So many successive draws are put into a random order when epileptogenic regions are drawn.
SUCCESSIVE = 50
_FURTHEST_LOG_ODDS = 40.0
_N_BISECTIONS = 50


@dataclass(frozen=True)
class RegionEvidence:
    """What the calibration reads, for every region.

    Parameters
    ----------
    prior_log_odds : numpy.ndarray, shape (n_regions,)
        Prior log odds of being epileptogenic.
    p_model : numpy.ndarray, shape (n_regions,)
        Probability of being epileptogenic by the onset model.
    p_recruited : numpy.ndarray, shape (n_regions,)
        Probability that the region seizes and is not epileptogenic, by the onset model.
    peak, order : numpy.ndarray, shape (n_regions,)
        See `inference.sources.features` and `inference.sources.onset_order`.
    seen : numpy.ndarray of bool, shape (n_regions,)
        Regions that channels see well.
    components : numpy.ndarray, shape (n_regions, 2), optional
        Peak and order found in the independent components; None without components.
    """

    prior_log_odds: Array
    p_model: Array
    p_recruited: Array
    peak: Array
    order: Array
    seen: Mask
    components: Array | None = None

    @property
    def model_log_odds(self) -> Array:
        """Log odds by the onset model, without the prior; bounded."""
        kept = np.clip(self.p_model, LEAST_P_EZ, 1.0 - LEAST_P_EZ)
        return np.asarray(logit(kept) - self.prior_log_odds)


def evidence_of(problem: Problem, priors: Priors, p_ez: Array, active: Mask) -> RegionEvidence:
    """Collect what the calibration reads.

    Parameters
    ----------
    problem, priors
        Recording and priors.
    p_ez : numpy.ndarray, shape (n_draws, n_regions)
        Probability of being epileptogenic, given the onsets of each draw.
    active : numpy.ndarray of bool, shape (n_draws, n_seizures, n_regions)
        Regions that seize.
    """
    return RegionEvidence(
        prior_log_odds=prior_log_odds(priors, problem),
        p_model=p_ez.mean(axis=0),
        p_recruited=np.mean(active.any(axis=1) * (1.0 - p_ez), axis=0),
        peak=features(problem)[:, 1],
        order=onset_order(problem),
        seen=observability(problem.gain) >= LOW_OBSERVABILITY,
        components=component_features(problem),
    )


def calibrated(
    evidence: RegionEvidence, weight: float = 1.0, constants: Constants | None = None
) -> Array:
    """Return the calibrated probability of being epileptogenic, (n_regions,).

    Parameters
    ----------
    evidence : RegionEvidence
        From `evidence_of`.
    weight : float
        Weight of the source evidence, the prior `x0_sources.weight`; with 0 the result of the
        onset model is returned as it is, 1 or more is the calibration.
    constants : Constants, optional
        Intercept and slopes; by default those learned with or without components.
    """
    if constants is None:
        constants = LEARNED if evidence.components is None else WITH_COMPONENTS
    odds = (
        constants.intercept
        + evidence.prior_log_odds
        + constants.of_model * evidence.model_log_odds
        + constants.of_peak * evidence.peak
        + constants.of_order * evidence.order
        - constants.of_recruited * evidence.p_recruited
    )
    if evidence.components is not None:
        slopes = [constants.of_component_peak, constants.of_component_order]
        odds = odds + evidence.components @ slopes
    part = min(weight, 1.0) * evidence.seen
    return np.asarray(part * expit(odds) + (1.0 - part) * evidence.p_model)


def shifted(p_ez: Array, mean: Array) -> Array:
    """Shift the log odds of each region by the same number in all draws, to a given mean.

    Draws in which a region was likely stay the likelier ones, so that the sets of regions that the
    draws hold together are kept.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_draws, n_regions)
        Probability in each draw.
    mean : numpy.ndarray, shape (n_regions,)
        Mean wanted over the draws.

    Returns
    -------
    numpy.ndarray, shape (n_draws, n_regions)
    """
    odds = np.clip(logit(p_ez), -_FURTHEST_LOG_ODDS, _FURTHEST_LOG_ODDS)
    low = np.full(len(mean), -2.0 * _FURTHEST_LOG_ODDS)
    high = -low
    for _ in range(_N_BISECTIONS):
        middle = 0.5 * (low + high)
        below = expit(odds + middle).mean(axis=0) < mean
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(expit(odds + 0.5 * (low + high)))


def drawn(p_ez: Array, rng: np.random.Generator) -> Mask:
    """Draw which regions are epileptogenic, with the least Monte Carlo error of their frequency.

    Systematic sampling: in a random order of each `SUCCESSIVE` draws, a region is epileptogenic
    where the sum of its probabilities passes a whole number. Its frequency differs from the mean
    probability by less than one draw, in all draws and in each part of a chain.

    Parameters
    ----------
    p_ez : numpy.ndarray, shape (n_draws, n_regions)
        Probability in each draw.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    numpy.ndarray of bool, shape (n_draws, n_regions)
    """
    part = np.arange(len(p_ez)) // SUCCESSIVE
    order = np.argsort(part[:, None] + rng.random(p_ez.shape), axis=0)
    summed = np.cumsum(np.take_along_axis(p_ez, order, axis=0), axis=0) + rng.random(p_ez.shape[1])
    passes = np.diff(np.floor(summed), axis=0, prepend=0.0) > 0.0
    ez = np.empty(p_ez.shape, dtype=bool)
    np.put_along_axis(ez, order, passes, axis=0)
    return ez
