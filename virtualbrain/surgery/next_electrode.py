r"""Where to look next: the unseen regions whose recording would change the choice of a plan most.

Where the electrodes saw the zone, a region that is not suspected may be one more start of seizures.
A region that is not suspected is not taken out. Were it known whether region r starts seizures,
r would be taken out too where it does, and the plan chosen for each answer. The value of knowing is
the gain in the expected probability of no seizure,

.. math:: v_r = P(r)\, \max_p P(free_{p + r} \mid r) + P(\bar r)\, \max_p P(free_p \mid \bar r)
          - \max_p P(free_p)

over the plans at hand that leave r alone. Where they missed the zone, what is suspected was
recruited from the zone, so that a region r hides it by the share :math:`h_r` of its connections
with the suspected ones, :math:`h_r \propto \sum_j w_{rj} P(j)` over the unseen regions. No plan at
hand ends seizures there, one that takes the zone out does. Together, with :math:`q` from
`virtualbrain.posterior.p_ez_sampled`,

.. math:: V_r = q\, v_r + (1 - q)\, h_r.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.posterior import p_ez_sampled
from virtualbrain.seeg.gain import HARDLY_SEEN
from virtualbrain.surgery.candidates import resection
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.outcome import Outcome, simulate_plans
from virtualbrain.surgery.settings import SurgerySettings

Array = NDArray[np.float64]
COLUMNS = ("region", "p_start", "p_unsampled", "observability", "value")
MOST_REGIONS = 8


def next_regions(
    zones: pd.DataFrame,
    draws: FittedDraws,
    outcomes: Sequence[Outcome],
    settings: SurgerySettings,
) -> pd.DataFrame:
    """Rank hardly seen regions by what their recording would be worth to the plan.

    Parameters
    ----------
    zones : pandas.DataFrame
        ``region`` and ``observability`` of every region.
    draws : FittedDraws
        The fitted network with every region suspected (`draws_from` with a suspicion of zero), so
        that what the recording does not tell is not taken as innocent.
    outcomes : sequence of Outcome
        Resections on the same draws.
    settings : SurgerySettings
        Of the simulation.

    Returns
    -------
    pandas.DataFrame
        Columns ``region p_start p_unsampled observability value``, most valuable first;
        `p_unsampled` is the probability that the EZ is unsampled and lies in this region,
        `value` a difference of probabilities.
    """
    place = {name: i for i, name in enumerate(draws.regions)}
    seen = p_ez_sampled(draws.expected_ez_regions)
    unseen = zones.loc[zones["observability"] < HARDLY_SEEN, ["region", "observability"]]
    at = np.array([place[name] for name in unseen["region"]], dtype=np.int64)
    unseen = unseen.assign(
        p_start=draws.starts.mean(axis=0)[at], p_unsampled=(1.0 - seen) * hiding_shares(draws, at)
    )
    likely = (seen * unseen["p_start"] + unseen["p_unsampled"]).sort_values(
        ascending=False, kind="stable"
    )
    unseen = unseen.loc[likely.index[:MOST_REGIONS]]
    values = [
        _value(str(name), place[str(name)], outcomes, draws, settings) for name in unseen["region"]
    ]
    table = unseen.assign(value=seen * np.array(values) + unseen["p_unsampled"])[list(COLUMNS)]
    return table.sort_values("value", ascending=False, kind="stable", ignore_index=True)


def hiding_shares(draws: FittedDraws, unseen: NDArray[np.int64]) -> Array:
    """Return how likely each unseen region hides the zone, if one of them does, (n_unseen,)."""
    symmetric = draws.weights + draws.weights.T
    strength = (symmetric @ draws.starts.mean(axis=0))[unseen]
    total = strength.sum()
    return strength / total if total > 0 else np.full(len(unseen), 1.0 / max(len(unseen), 1))


def _value(
    region: str,
    position: int,
    plans: Sequence[Outcome],
    draws: FittedDraws,
    settings: SurgerySettings,
) -> float:
    """Return the value of knowing whether a region starts seizures."""
    starts = draws.starts[:, position]
    share = float(starts.mean())
    plain = [plan for plan in plans if region not in plan.candidate.regions]
    if share in (0.0, 1.0) or not plain:
        return 0.0
    wider = [resection((*plan.candidate.regions, region)) for plan in plain]
    with_it = _free(simulate_plans(wider, draws, settings))
    without = _free(plain)
    guilty = with_it[:, starts].mean(axis=1).max()
    innocent = without[:, ~starts].mean(axis=1).max()
    gain = share * guilty + (1 - share) * innocent - without.mean(axis=1).max()
    return max(0.0, round(float(gain), 12))


def _free(outcomes: Sequence[Outcome]) -> Array:
    """Return which draws are without a seizure, (n_plans, n_draws)."""
    return np.array([outcome.seizing == 0 for outcome in outcomes], dtype=np.float64)
