r"""Calibrate the probability of being epileptogenic.

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
is p. Without components, s' and o' are zero, the constants are others, and nothing follows.

With components, a second step compares the regions that no channel sees. If the electrodes did not
sample the zone, it is there, most likely where the connections of the suspected regions lead:

.. math::
    \mathrm{logit}\, q_i = \pi_i + a' + b'\,(\mathrm{logit}\, p_i - \pi_i)
    + c' \log(h_i + 0.1) - d' u

with the log odds u that the zone was sampled (`virtualbrain.posterior.p_ez_sampled` of the q of the
regions that are seen), kept between -2 and 3, and the share :math:`h_i` of the connections with
suspected regions that leads to region i, 1 in the mean over the regions that are not seen.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from inference.priors import Priors
from inference.problem import Problem
from inference.sources import component_features, features, onset_order, prior_log_odds
from virtualbrain.posterior import connected_shares, loudest, p_ez_sampled
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


class UnseenConstants(NamedTuple):
    """Intercept and slopes of the second step: a' to d' of the module's equation."""

    intercept: float
    of_model: float
    of_share: float
    of_sampled: float


# From tests/benchmarks/learn_onset_calibration.py; see docs/lab-notes.
LEARNED = Constants(-1.095, 0.345, 3.889, 1.730, 6.036)
WITH_COMPONENTS = Constants(-1.203, 0.497, 4.747, 0.0, 3.073, -2.449, 2.427)
UNSEEN = UnseenConstants(0.220, 0.168, 0.704, 0.666)
# The log odds that the zone was sampled are kept in this range: they are uncertain too.
SAMPLED_RANGE = -2.0, 3.0
LEAST_SHARE = 0.1
# The rise of the power is read from envelopes of so many steps, as `observed_data` has.
RISE_STEPS = 200
# p_ez of the onset model is kept this far from 0 and 1.
LEAST_P_EZ = 0.01


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
    weights : numpy.ndarray, shape (n_regions, n_regions), optional
        Connection weights, which the second step reads.
    rise : float
        See `virtualbrain.posterior.largest_rise`.
    """

    prior_log_odds: Array
    p_model: Array
    p_recruited: Array
    peak: Array
    order: Array
    seen: Mask
    components: Array | None = None
    weights: Array | None = None
    rise: float = 0.0

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
        weights=problem.weights,
        rise=loudest(problem.on_grid(RISE_STEPS)[0].max(axis=(0, 1))),
    )


def calibrated(evidence: RegionEvidence, weight: float = 1.0) -> Array:
    """Return the calibrated probability of being epileptogenic, (n_regions,).

    Parameters
    ----------
    evidence : RegionEvidence
        From `evidence_of`.
    weight : float
        Weight of the source evidence, the prior `x0_sources.weight`; with 0 the result of the
        onset model is returned as it is, 1 or more is the calibration.
    """
    first = first_step(evidence, weight)
    if evidence.components is None or weight == 0.0:
        return first
    part = min(weight, 1.0) * ~evidence.seen
    return np.asarray(part * second_step(evidence, first) + (1.0 - part) * first)


def second_step(
    evidence: RegionEvidence, first: Array, constants: UnseenConstants = UNSEEN
) -> Array:
    """Return the probability of being epileptogenic, were the region not seen, (n_regions,).

    Parameters
    ----------
    evidence : RegionEvidence
        From `evidence_of`.
    first : numpy.ndarray, shape (n_regions,)
        From `first_step`.
    constants : UnseenConstants
        Intercept and slopes.
    """
    slopes = [constants.of_model, constants.of_share, -constants.of_sampled]
    odds = unseen_columns(evidence, first) @ slopes + constants.intercept
    return np.asarray(expit(odds + evidence.prior_log_odds))


def p_sampled(evidence: RegionEvidence, first: Array) -> float:
    """Return the probability that the electrodes sampled the zone, after the first step.

    Parameters
    ----------
    evidence : RegionEvidence
        From `evidence_of`.
    first : numpy.ndarray, shape (n_regions,)
        From `first_step`.
    """
    return p_ez_sampled(first * evidence.seen, evidence.rise)


def unseen_columns(evidence: RegionEvidence, first: Array) -> Array:
    """Return what the second step reads: model, connections, sampling; (n_regions, 3)."""
    share = np.ones(len(first))
    unseen = np.flatnonzero(~evidence.seen)
    if evidence.weights is not None and len(unseen):
        suspected = evidence.p_model * evidence.seen
        share[unseen] = connected_shares(evidence.weights, suspected, unseen) * len(unseen)
    low, high = expit(SAMPLED_RANGE)
    sampled = logit(np.clip(p_sampled(evidence, first), low, high))
    return np.stack(
        [
            evidence.model_log_odds,
            np.log(share + LEAST_SHARE),
            np.full(len(share), sampled),
        ],
        axis=1,
    )


def first_step(
    evidence: RegionEvidence, weight: float = 1.0, constants: Constants | None = None
) -> Array:
    """Return the probability of being epileptogenic after the first step, (n_regions,).

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
