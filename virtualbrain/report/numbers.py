"""Format numbers, and compute the interval of a probability estimated from draws."""

from typing import Any

import numpy as np

CI_PROB = 0.9


def is_number(value: Any) -> bool:
    """Return True for a finite number."""
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )


def show(value: Any, digits: int = 3) -> str:
    """Return a number with this many significant digits; text unchanged; a missing value as –."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if not is_number(value):
        return "–" if value is None or isinstance(value, (float, np.floating)) else str(value)
    if value == 0:
        return "0"
    if isinstance(value, (int, np.integer)) or (abs(value) < 1e6 and value == int(value)):
        return f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 1e4 else str(int(value))
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:.{decimals}f}".replace("-", "−")


def percent(value: Any) -> str:
    """Return a probability in whole per cent; <1 % and >99 % where it is not exactly 0 or 1."""
    if not is_number(value):
        return "–"
    if 0 < value < 0.01:
        return "<1 %"
    if 0.99 < value < 1:
        return ">99 %"
    return f"{100 * value:.0f} %"


def probability_interval(
    p: float, n_effective: float, ci_prob: float = CI_PROB
) -> tuple[float, float]:
    r"""Return the sampling interval of a probability estimated from posterior draws.

    The ends are quantiles of :math:`\mathrm{Beta}(n p + 1/2, n (1 - p) + 1/2)` (Jeffreys), where
    n is the effective number of draws. The interval covers the Monte Carlo error, not the error
    of the model.

    Parameters
    ----------
    p : float
        Proportion of the draws, 0 to 1.
    n_effective : float
        Effective number of draws.
    ci_prob : float
        Probability inside the interval.
    """
    from scipy.special import betaincinv  # slow to import

    n = max(float(n_effective), 1.0)
    tail = (1 - ci_prob) / 2
    ends = (float(betaincinv(n * p + 0.5, n * (1 - p) + 0.5, q)) for q in (tail, 1 - tail))
    low, high = ends
    return min(low, p), max(high, p)
