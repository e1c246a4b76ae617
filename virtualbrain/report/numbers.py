"""How numbers are shown, and the interval that no probability goes without."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.stats import beta

CI_PROB = 0.9


def is_number(value: Any) -> bool:
    """Tell whether a cell holds a finite number."""
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )


def show(value: Any, digits: int = 3) -> str:
    """Return a number with so many significant digits, text as it is, nothing as a dash."""
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
    """Return a probability as a whole per cent, with the ends told from certainty."""
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
    r"""Return the interval of a probability that was counted from posterior draws.

    The quantiles of :math:`\mathrm{Beta}(n p + 1/2, n (1 - p) + 1/2)` (Jeffreys), where n is the
    effective number of draws; they tell how well the sampler knows the probability, not whether
    the model is right.

    Parameters
    ----------
    p : float
        The share of draws, 0 to 1.
    n_effective : float
        The effective number of draws behind it.
    ci_prob : float
        Mass of the interval.
    """
    n = max(float(n_effective), 1.0)
    tail = (1 - ci_prob) / 2
    ends = (float(beta.ppf(q, n * p + 0.5, n * (1 - p) + 0.5)) for q in (tail, 1 - tail))
    low, high = ends
    return min(low, p), max(high, p)


def truth(value: Any) -> bool:
    """Tell whether a cell says yes or names something, rather than no or nothing."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return False
    return str(value).strip().lower() not in {"", "false", "0", "0.0", "no", "n", "n/a", "none"}


def lookup(nested: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first value under one of `names` anywhere in nested mappings, else None."""
    names = tuple(names)
    for name in names:
        if name in nested and nested[name] is not None:
            return nested[name]
    for value in nested.values():
        if isinstance(value, Mapping):
            found = lookup(value, names)
            if found is not None:
                return found
    return None
