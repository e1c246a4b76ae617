r"""How far the model's promise of seizure freedom is to be believed.

In the fitted model a plan leaves no seizing region in a share s of the posterior draws. The model
is not the brain: on virtual patients, whose sources obey another model on another connectome,
plans kept their promise less often where s was high and more often where it was low. Told is

.. math:: \mathrm{logit}\, p = a + b\, \mathrm{logit}\, \frac{n s + 1/2}{n + 1},

with n the number of draws. It leaves the order of plans as it is. It holds where the electrodes saw
the zone; where they missed it the share is as high and hardly any promise is kept.
"""

import numpy as np
from scipy.special import expit, logit

# From tests/benchmarks/learn_promise.py; see docs/validation.md.
INTERCEPT, SLOPE = -0.420, 0.374


def believed(share: float, n_draws: int) -> float:
    """Return the probability of seizure freedom that a share of `n_draws` draws stands for."""
    return float(expit(INTERCEPT + SLOPE * evidence(share, n_draws)))


def evidence(share: float, n_draws: int) -> float:
    """Return the log odds of a share of draws, finite where it is none or all."""
    return float(logit((n_draws * np.clip(share, 0.0, 1.0) + 0.5) / (n_draws + 1)))
