r"""How far the model's promise of seizure freedom is to be believed.

In the fitted model a plan leaves no seizing region in a share s of the posterior draws. The model
is not the brain: on virtual patients, whose sources obey another model on another connectome,
plans kept their promise less often where s was high and more often where it was low, and hardly
ever where the electrodes had missed the epileptogenic zone. There the posterior expects few
regions to start seizures by themselves: what is seen was recruited from elsewhere. Told is

.. math:: \mathrm{logit}\, p = a + b\, \mathrm{logit}\, \frac{n s + 1/2}{n + 1} + c \log (m + 0.1),

with n the number of draws and m the expected number of regions that start seizures. It leaves the
order of a patient's plans as it is. How often the electrodes had seen the zone follows from m.
"""

import numpy as np
from scipy.special import expit, logit

# From tests/benchmarks/learn_surgery_calibration.py; see docs/validation.md.
INTERCEPT, PER_EVIDENCE, PER_STARTS = -4.425, 0.545, 3.444
SEEN_INTERCEPT, SEEN_PER_STARTS = -1.328, 4.681


def believed(share: float, n_draws: int, expected_ez_regions: float) -> float:
    """Return the probability of seizure freedom that a plan is believed to have.

    Parameters
    ----------
    share : float
        Share of the draws in which no region seizes.
    n_draws : int
        How many draws.
    expected_ez_regions : float
        Expected number of regions that start seizures (`virtualbrain.io.results`).
    """
    return float(
        expit(
            INTERCEPT
            + PER_EVIDENCE * evidence(share, n_draws)
            + PER_STARTS * log_starts(expected_ez_regions)
        )
    )


def evidence(share: float, n_draws: int) -> float:
    """Return the log odds of a share of draws, finite where it is none or all."""
    return float(logit((n_draws * np.clip(share, 0.0, 1.0) + 0.5) / (n_draws + 1)))


def log_starts(expected_ez_regions: float) -> float:
    """Return the logarithm of the expected number of starts, finite where it is zero."""
    return float(np.log(expected_ez_regions + 0.1))


def p_ez_sampled(expected_ez_regions: float) -> float:
    """Return how often electrodes had seen the zone of virtual patients with such a fit."""
    return float(expit(SEEN_INTERCEPT + SEEN_PER_STARTS * log_starts(expected_ez_regions)))
