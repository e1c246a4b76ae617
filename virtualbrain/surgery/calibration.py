r"""Calibrate the predicted probability of seizure freedom.

In the fitted model a plan leaves no seizing region in a fraction s of the posterior draws. In
synthetic patients, simulated with another model on another connectome, s was too extreme: plans
with high s succeeded less often, plans with low s more often, and with an unsampled EZ hardly any
plan succeeded. With an unsampled EZ the posterior expects few EZ regions, because the sampled
regions were recruited. The calibrated probability is

.. math:: \mathrm{logit}\, p = a + b\, \mathrm{logit}\, \frac{n s + 1/2}{n + 1} + c \log (m + 0.1),

with n the number of draws and m the expected number of EZ regions. The order of a patient's
plans does not change. The probability that the EZ is sampled follows from m.
"""

import numpy as np
from scipy.special import expit, logit

from virtualbrain.posterior import log_expected_ez_regions

# From tests/benchmarks/learn_surgery_calibration.py; see docs/validation.md.
INTERCEPT, PER_EVIDENCE, PER_EZ_REGIONS = -4.425, 0.545, 3.444


def calibrated_p_seizure_free(share: float, n_draws: int, expected_ez_regions: float) -> float:
    """Return the calibrated probability of seizure freedom of a plan.

    Parameters
    ----------
    share : float
        Fraction of the draws in which no region seizes.
    n_draws : int
        Number of draws.
    expected_ez_regions : float
        Expected number of EZ regions (`virtualbrain.posterior`).
    """
    return float(
        expit(
            INTERCEPT
            + PER_EVIDENCE * log_odds(share, n_draws)
            + PER_EZ_REGIONS * log_expected_ez_regions(expected_ez_regions)
        )
    )


def log_odds(share: float, n_draws: int) -> float:
    """Return the log odds of a fraction of draws, finite at 0 and 1."""
    return float(logit((n_draws * np.clip(share, 0.0, 1.0) + 0.5) / (n_draws + 1)))
