r"""Rank unsampled regions by the value of another electrode there.

If the EZ is sampled, an unsampled region r may be one more EZ region. If an electrode showed
whether r starts seizures, the best plan could be chosen for each answer, with r resected if it
does. The value of this information is the gain in the expected probability of seizure freedom,

.. math:: v_r = P(r)\, \max_p P(free_{p + r} \mid r) + P(\bar r)\, \max_p P(free_p \mid \bar r)
          - \max_p P(free_p)

over the plans without r. If the EZ is unsampled, the suspected regions were recruited from it, and
region r is the EZ with probability :math:`h_r \propto \sum_j w_{rj} P(j)`, its connections with the
suspected regions, over the unsampled regions. Then no present plan ends the seizures, but a plan
with the EZ does. Together, with :math:`q` from
`virtualbrain.posterior.p_ez_sampled`,

.. math:: V_r = q\, v_r + (1 - q)\, h_r.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.posterior import connected_shares
from virtualbrain.seeg.gain import LOW_OBSERVABILITY
from virtualbrain.surgery.candidates import resection
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.outcome import Outcome, simulate_plans
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]
COLUMNS = ("region", "p_ez", "p_unsampled", "observability", "value")
MOST_REGIONS = 8


def next_regions(
    zones: pd.DataFrame,
    draws: FittedDraws,
    outcomes: Sequence[Outcome],
    settings: SurgerySettings,
) -> pd.DataFrame:
    """Rank regions of low observability by the value of recording there.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``region`` and ``observability`` of every region.
    draws : FittedDraws
        The fitted network with every region suspected (`draws_from` with a suspicion of zero):
        a region without data is not taken as healthy.
    outcomes : sequence of Outcome
        Resections on the same draws.
    settings : SurgerySettings
        Settings of the simulation.

    Returns
    -------
    pandas.DataFrame
        Columns ``region p_ez p_unsampled observability value``, most valuable first;
        `p_unsampled` is the probability that the EZ is unsampled and lies in this region,
        `value` a difference of probabilities.
    """
    place = {name: i for i, name in enumerate(draws.regions)}
    seen = draws.p_sampled
    unseen = zones.loc[zones["observability"] < LOW_OBSERVABILITY, ["region", "observability"]]
    at = np.array([place[name] for name in unseen["region"]], dtype=np.int64)
    unseen = unseen.assign(
        p_ez=draws.in_ez.mean(axis=0)[at],
        p_unsampled=(1.0 - seen) * unsampled_ez_probabilities(draws, at),
    )
    likely = (seen * unseen["p_ez"] + unseen["p_unsampled"]).sort_values(
        ascending=False, kind="stable"
    )
    unseen = unseen.loc[likely.index[:MOST_REGIONS]]
    values = [
        _value(str(name), place[str(name)], outcomes, draws, settings) for name in unseen["region"]
    ]
    table = unseen.assign(value=seen * np.array(values) + unseen["p_unsampled"])[list(COLUMNS)]
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def unsampled_ez_probabilities(draws: FittedDraws, unseen: NDArray[np.int64]) -> Array:
    """Return P(region is the EZ) for each unsampled region, if the EZ is unsampled; (n_unseen,)."""
    return connected_shares(draws.weights, draws.in_ez.mean(axis=0), unseen)


def _value(
    region: str,
    position: int,
    plans: Sequence[Outcome],
    draws: FittedDraws,
    settings: SurgerySettings,
) -> float:
    """Return the value of knowing whether a region starts seizures: a gain in probability."""
    in_ez = draws.in_ez[:, position]
    p_ez = float(in_ez.mean())
    plain = [plan for plan in plans if region not in plan.candidate.regions]
    if p_ez in (0.0, 1.0) or not plain:
        return 0.0
    wider = [resection((*plan.candidate.regions, region)) for plan in plain]
    with_it = _free(simulate_plans(wider, draws, settings))
    without = _free(plain)
    free_if_ez = with_it[:, in_ez].mean(axis=1).max()
    free_if_not = without[:, ~in_ez].mean(axis=1).max()
    gain = p_ez * free_if_ez + (1 - p_ez) * free_if_not - without.mean(axis=1).max()
    return max(0.0, round(float(gain), 12))


def _free(outcomes: Sequence[Outcome]) -> Array:
    """Return 1 for draws without a seizing region, else 0; (n_plans, n_draws)."""
    return np.array([outcome.seizing == 0 for outcome in outcomes], dtype=np.float64)
