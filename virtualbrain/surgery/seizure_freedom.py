r"""Predict the probability of seizure freedom after a plan.

The fitted model is simulated for draws in which a suspected region starts seizures and no other
region does. In a fraction s of them no region seizes after the plan. Two more things must hold:
no region that is not suspected starts seizures, and the electrodes sampled the EZ,

.. math:: P(\text{seizure-free}) = s \, (1 - p_\text{elsewhere}) \, P(\text{EZ sampled}).

Nothing here is learned from outcomes. The probability is calibrated as far as p_ez and
P(EZ sampled) are; docs/validation.md shows how well, on synthetic patients.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SeizureFreedom:
    """The rule of one patient, the same for all plans.

    Parameters
    ----------
    p_elsewhere : float
        Probability that a region that is not suspected starts seizures.
    p_sampled : float
        Probability that the electrodes sampled the EZ (`virtualbrain.posterior.p_ez_sampled`).
    fitted : bool
        Whether the draws come from a fit; without one the fraction of draws is returned as it is.
    """

    p_elsewhere: float
    p_sampled: float
    fitted: bool = True

    def probability(self, share: float) -> float:
        """Return P(seizure-free) of a plan after which no region seizes in `share` of the draws."""
        if not self.fitted:
            return share
        return share * (1.0 - self.p_elsewhere) * self.p_sampled
