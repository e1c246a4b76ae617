"""Search for the smallest resection that leaves no seizure with a wanted probability."""

from collections.abc import Sequence

from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.draws import FittedDraws
from virtualbrain.surgery.outcome import Outcome, simulate_plans
from virtualbrain.surgery.settings import SurgerySettings


def smallest_plan(
    leading: Sequence[str], draws: FittedDraws, settings: SurgerySettings
) -> Outcome | None:
    """Grow a resection region by region, then try to leave each one out again.

    Each step adds the region that leaves the fewest seizures; the search ends at the wanted
    probability of no seizure or at the largest size allowed.

    Parameters
    ----------
    leading : sequence of str
        Regions that may be taken out.
    draws : FittedDraws
        The fitted network.
    settings : SurgerySettings
        The wanted probability, the largest size.

    Returns
    -------
    Outcome or None
        The plan found; None where no region may be taken out.
    """
    best: Outcome | None = None
    while _wanting(best, settings) and (grown := _grown(best, leading, draws, settings)):
        best = grown
    return _pruned(best, draws, settings) if best else None


def _wanting(best: Outcome | None, settings: SurgerySettings) -> bool:
    if best is None:
        return True
    small = len(best.candidate.regions) < settings.largest
    return small and best.p_seizure_free < settings.target


def _grown(
    best: Outcome | None,
    leading: Sequence[str],
    draws: FittedDraws,
    settings: SurgerySettings,
) -> Outcome | None:
    """Return the best plan with one region more, if there is a region more."""
    taken = best.candidate.regions if best else ()
    plans = [_plan((*taken, region)) for region in leading if region not in taken]
    return _best(simulate_plans(plans, draws, settings.seizing_threshold)) if plans else None


def _pruned(best: Outcome, draws: FittedDraws, settings: SurgerySettings) -> Outcome:
    """Leave out regions without which the plan is as good."""
    regions = best.candidate.regions
    if len(regions) < 2:
        return best
    plans = [_plan(tuple(r for r in regions if r != left_out)) for left_out in regions]
    smaller = _best(simulate_plans(plans, draws, settings.seizing_threshold))
    if smaller.p_seizure_free >= min(settings.target, best.p_seizure_free):
        return _pruned(smaller, draws, settings)
    return best


def _plan(regions: tuple[str, ...]) -> Candidate:
    return Candidate(" + ".join(regions), "resection", regions)


def _best(outcomes: Sequence[Outcome]) -> Outcome:
    return min(outcomes, key=lambda o: (-o.p_seizure_free, o.seizing.mean(), o.candidate.name))
