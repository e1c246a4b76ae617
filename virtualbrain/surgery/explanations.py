"""List the explanations of a recording: different zones that the data cannot separate."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from virtualbrain.posterior import effective_zones, first_seizure
from virtualbrain.surgery.ez_sets import p_holds_ez, smallest_holding
from virtualbrain.surgery.resection_constraints import ResectionConstraints
from virtualbrain.surgery.settings import SurgerySettings
from virtualbrain.surgery.zone_clusters import (
    SADDLE,
    SMALLEST,
    Grouped,
    ZoneDraws,
    effective_number,
    grouped,
    monte_carlo_error,
    zone_draws,
)
from virtualbrain.surgery.zone_families import MASKED, NAMED, family_of, not_excluded

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Listed are explanations with at least this fraction of the best one's probability, and the most
# probable ones that together have this probability.
FACTOR = 0.1
CREDIBLE = 0.95
# Regions of the order of recruitment: those that seize in at least half of the draws.
_OFTEN = 0.5
MOST_IN_ORDER = 12
COLUMNS = (
    "rank", "regions", "p", "p_error", "odds", "credible", "certain", "possible",
    "not_excluded", "n_zones", "order", "plan", "p_plan_holds", "p_plan_holds_all",
    "distinct_region", "distinct_channel", "distinctness", "onset_s", "onset_best_s", "p_seizing",
    "p_seizing_best",
)  # fmt: skip


@dataclass(frozen=True)
class Explanations:
    """Explanations of a recording.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each listed explanation, the most probable first:

        - ``regions``: its most probable zone; ``certain``, ``possible`` and ``not_excluded``:
          see `virtualbrain.surgery.zone_families`. ``n_zones``: zones that hold all certain and
          no other regions than these three; all of them belong to the explanation.
        - ``p`` with its Monte Carlo error ``p_error``; ``odds``: p over that of the first row;
          ``credible``: in the 95 % credible list.
        - ``order``: regions in the order of their median onsets, those that seize in at least half
          of its draws.
        - ``plan``: smallest resection that holds the zone with the target probability if this
          explanation is true (``p_plan_holds``); ``p_plan_holds_all``: over all explanations.
        - ``distinct_region``: region whose onset differs most from the first explanation, and
          ``distinct_channel``, which sees it best. ``distinctness`` is 0 (no difference) to 1
          (all draws differ); median onsets and probabilities of seizing in this explanation and
          in the first.
    index, index_error : float
        Degeneracy index: effective number of explanations, with its Monte Carlo error.
    index_zones : float
        Effective number of zones before they are merged; few draws make it too small.
    explained : float
        Probability that a suspected region starts the seizure; all other probabilities are given
        this.
    zones : tuple of frozenset of frozenset of str
        Zones of each listed explanation.
    """

    table: pd.DataFrame
    index: float
    index_error: float
    index_zones: float
    explained: float
    zones: tuple[frozenset[frozenset[str]], ...]

    def about(self) -> dict[str, Any]:
        """Return the entries of the table's sidecar."""
        return {
            "DegeneracyIndex": self.index,
            "DegeneracyIndexError": self.index_error,
            "EffectiveZones": self.index_zones,
            "Explained": self.explained,
            "Listed": float(self.table["p"].sum()),
            "CredibleProbability": CREDIBLE,
            "OddsFactor": FACTOR,
            "Merged": {"Saddle": SADDLE, "SmallestProbability": SMALLEST},
            "NotExcluded": {"Masked": MASKED, "Named": NAMED},
        }


def no_explanations() -> Explanations:
    """Return an empty list, for a fit that is not to be used."""
    nothing = float("nan")
    return Explanations(pd.DataFrame(columns=list(COLUMNS)), nothing, nothing, nothing, nothing, ())


def explanations(
    posterior: xr.DataTree, settings: SurgerySettings, constraints: ResectionConstraints
) -> Explanations:
    """Return the explanations of a recording; by `virtualbrain.surgery.zone_clusters`.

    Parameters
    ----------
    posterior : xarray.DataTree
        The fit.
    settings : SurgerySettings
        Smallest p_ez of a suspected region; target and largest size of a plan.
    constraints : ResectionConstraints
        Constraints on one operation.
    """
    draws = zone_draws(posterior, settings.suspicion)
    if not draws.explained:
        return no_explanations()
    groups = grouped(draws)

    def probabilities(used: Mask) -> Array:
        return np.bincount(groups.of_draw[used], minlength=len(groups.p)) / used.sum()

    def index(used: Mask) -> Array:
        return np.array([effective_number(groups.of_draw[used])])

    error = monte_carlo_error(probabilities, draws)
    courses = _courses(posterior, draws)
    open_regions = _not_excluded(posterior, draws, settings)
    n_listed = int(_listed(groups.p).sum())
    rows = [
        {
            "rank": number + 1,
            "p": groups.p[number],
            "p_error": error[number],
            "odds": groups.p[number] / groups.p[0],
            "credible": groups.p[:number].sum() < CREDIBLE,
            **_named(number, groups, draws, open_regions),
            "order": _order(groups.of_draw == number, courses),
            **_plan(draws.picked(groups.of_draw == number), draws, settings, constraints),
            **_distinct(number, groups, draws, courses),
        }
        for number in range(n_listed)
    ]
    return Explanations(
        table=pd.DataFrame(rows, columns=list(COLUMNS)),
        index=effective_number(groups.of_draw),
        index_error=float(monte_carlo_error(index, draws)[0]),
        index_zones=effective_zones(posterior, settings.suspicion),
        explained=draws.explained,
        zones=groups.zones[:n_listed],
    )


def _listed(p: Array) -> Mask:
    """Return which explanations are listed; p falls."""
    before = np.cumsum(p) - p
    return np.asarray((p >= FACTOR * p[0]) | (before < CREDIBLE))


@dataclass(frozen=True)
class _Courses:
    """Onsets of all regions in the draws, infinite where a region does not seize.

    `onset` is (n_draws, n_regions), or None for a fit without onsets; `channel` is the channel
    that sees each region best, empty where none does.
    """

    regions: tuple[str, ...]
    onset: Array | None
    channel: tuple[str, ...]


def _courses(posterior: xr.DataTree, draws: ZoneDraws) -> _Courses:
    """Return the onsets in the draws, of the first seizure."""
    samples, constants = posterior["posterior"].to_dataset(), posterior["constant_data"]
    regions = tuple(str(name) for name in samples["region"].to_numpy())
    onset = None
    if "onset_s" in samples:
        values = first_seizure(samples["onset_s"]).transpose("chain", "draw", "region").to_numpy()
        onset = np.nan_to_num(values[draws.chain, draws.draw], nan=np.inf)
    return _Courses(regions, onset, _best_channels(constants, len(regions)))


def _best_channels(constants: xr.DataTree | xr.DataArray, n_regions: int) -> tuple[str, ...]:
    if "gain" not in constants:
        return ("",) * n_regions
    gain = constants["gain"].transpose("channel", "region")
    names, values = gain["channel"].to_numpy(), gain.to_numpy()
    best = values.argmax(axis=0)
    return tuple(str(names[c]) if values[c, i] > 0 else "" for i, c in enumerate(best))


def _not_excluded(
    posterior: xr.DataTree, draws: ZoneDraws, settings: SurgerySettings
) -> tuple[str, ...]:
    """Return the regions below the suspicion that are not excluded, the most probable first."""
    constants, gain = posterior["constant_data"], np.zeros((0, len(draws.p_ez)))
    if "gain" in constants:
        gain = constants["gain"].transpose("channel", "region").to_numpy()
    named = not_excluded(draws.p_ez, gain, settings.suspicion)
    names = posterior["posterior"]["region"].to_numpy()
    return tuple(str(names[i]) for i in np.argsort(-draws.p_ez, kind="stable") if named[i])


def _named(
    number: int, groups: Grouped, draws: ZoneDraws, open_regions: tuple[str, ...]
) -> dict[str, str | int | None]:
    """Return the regions of an explanation, and how many zones they form."""
    p = draws.in_ez[groups.of_draw == number].mean(axis=0)
    family = family_of(p, len(open_regions))

    def names(mask: Mask) -> str | None:
        by_p = [i for i in np.argsort(-p, kind="stable") if mask[i]]
        return ",".join(draws.regions[i] for i in by_p) or None

    return {
        "regions": names(np.isin(draws.regions, list(groups.peaks[number]))),
        "certain": names(family.certain),
        "possible": names(family.possible),
        "not_excluded": ",".join(open_regions) or None,
        "n_zones": family.n_zones,
    }


def _order(chosen: Mask, courses: _Courses) -> str | None:
    if courses.onset is None:
        return None
    median = np.median(courses.onset[chosen], axis=0)
    seizing = np.isfinite(courses.onset[chosen]).mean(axis=0) >= _OFTEN
    order = [i for i in np.argsort(median, kind="stable") if seizing[i]]
    return ",".join(courses.regions[i] for i in order[:MOST_IN_ORDER]) or None


def _plan(
    own: ZoneDraws, draws: ZoneDraws, settings: SurgerySettings, constraints: ResectionConstraints
) -> dict[str, Any]:
    """Return the smallest plan for an explanation, and how often it holds the zone."""
    plan = smallest_plan(own, settings, constraints)
    return {
        "plan": ",".join(plan) or None,
        "p_plan_holds": p_holds_ez(plan, own),
        "p_plan_holds_all": p_holds_ez(plan, draws),
    }


def smallest_plan(
    draws: ZoneDraws, settings: SurgerySettings, constraints: ResectionConstraints
) -> tuple[str, ...]:
    """Return the smallest allowed set that holds the zone with the target probability.

    See `virtualbrain.surgery.ez_sets.smallest_holding`; the choices are the most probable regions.
    """
    p = draws.in_ez.mean(axis=0) if draws.explained else np.zeros(0)
    by_p = [draws.regions[i] for i in np.argsort(-p, kind="stable") if p[i] > 0]
    able = [name for name in by_p if constraints.allows((name,))]
    return smallest_holding(able[: settings.leading], draws, settings, constraints)


def _distinct(number: int, groups: Grouped, draws: ZoneDraws, courses: _Courses) -> dict[str, Any]:
    """Return the region whose onset differs most between an explanation and the first."""
    if number == 0 or courses.onset is None:
        return {}
    own, best = (courses.onset[groups.of_draw == n] for n in (number, 0))
    separation = np.array([separated(own[:, i], best[:, i]) for i in range(own.shape[1])])
    region = int(separation.argmax())
    return {
        "distinct_region": courses.regions[region],
        "distinct_channel": courses.channel[region] or None,
        "distinctness": separation[region],
        **_times(own[:, region], ("onset_s", "p_seizing")),
        **_times(best[:, region], ("onset_best_s", "p_seizing_best")),
    }


def _times(onset: Array, names: Sequence[str]) -> dict[str, float]:
    """Return median onset over the draws in which a region seizes, and how often it does."""
    seizes = np.isfinite(onset)
    median = float(np.median(onset[seizes])) if seizes.any() else float("nan")
    return {names[0]: median, names[1]: float(seizes.mean())}


def separated(one: Array, other: Array) -> float:
    r"""Return how far two samples of onsets are apart, :math:`|P(a < b) - P(a > b)|`, 0 to 1.

    An infinite onset (no seizure) is later than any other, and equal to another infinite one.
    """
    ordered = np.sort(other)
    later = len(other) - np.searchsorted(ordered, one, side="right")
    earlier = np.searchsorted(ordered, one, side="left")
    return float(abs((later - earlier).mean()) / len(other))
