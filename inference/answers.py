"""What a fit says, and how it differs from another fit of the same patient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from inference.diagnosis import diagnose
from inference.onsets.fit import OnsetSample, calibrated_p_ez
from inference.zone_table import zones
from virtualbrain.posterior import PlanOf

Array = NDArray[np.float64]

# A change counts if it is larger than this many Monte Carlo errors.
CLEAR = 2.0
_BATCHES = 5


@dataclass(frozen=True)
class Answer:
    """What a fit says.

    Parameters
    ----------
    regions : tuple of str
        Names of the regions, in the order of the next three.
    p_ez, error : numpy.ndarray, shape (n_regions,)
        Probability of starting seizures, calibrated, and its Monte Carlo error.
    p_pz : numpy.ndarray, shape (n_regions,)
        Probability of being recruited.
    ranked : tuple of str
        Regions, the most probable first.
    verdict : str
        See `inference.diagnose`.
    plan : tuple of str
        The plan of this fit.
    p_plan_holds : float
        How often a plan, that of the fit it is compared with, holds the zone of these draws.
    """

    regions: tuple[str, ...]
    p_ez: Array
    error: Array
    p_pz: Array
    ranked: tuple[str, ...]
    verdict: str
    plan: tuple[str, ...]
    p_plan_holds: float


def answer_of(
    sample: OnsetSample, posterior: xr.DataTree, plan: PlanOf, reference: Answer | None = None
) -> Answer:
    """Return what a fit says.

    Parameters
    ----------
    sample : OnsetSample
        The fit.
    posterior : xarray.DataTree
        Its posterior.
    plan : PlanOf
        The plan of a posterior.
    reference : Answer, optional
        The fit whose plan is tried on these draws; by default this one.
    """
    shape = np.stack([chain.p_ez for chain in sample.chains]).shape
    p_ez, error = mean_and_error(calibrated_p_ez(sample).reshape(shape))
    first = plan.first(posterior)
    ranked, regions = zones(posterior), tuple(sample.density.problem.regions)
    return Answer(
        regions=regions,
        p_ez=p_ez,
        error=error,
        p_pz=ranked.set_index("region").loc[list(regions), "p_pz"].to_numpy(float),
        ranked=tuple(ranked["region"]),
        verdict=str(diagnose(posterior)["verdict"]),
        plan=first,
        p_plan_holds=plan.holds(posterior, first if reference is None else reference.plan),
    )


def mean_and_error(p_ez: Array) -> tuple[Array, Array]:
    """Return the mean of the draws (chain, draw, region), and its Monte Carlo error.

    The error is that of the means of the chains, or of the means of parts of the chains; the
    larger one counts.
    """
    n_chains, n_draws, n = p_ez.shape
    length = n_draws // _BATCHES
    parts = p_ez[:, : length * _BATCHES].reshape(n_chains * _BATCHES, length, n).mean(axis=1)
    of_chains = p_ez.mean(axis=1)
    error = parts.std(axis=0, ddof=1) / np.sqrt(len(parts))
    if n_chains > 1:
        error = np.maximum(error, of_chains.std(axis=0, ddof=1) / np.sqrt(n_chains))
    return of_chains.mean(axis=0), error


def compared(answer: Answer, reference: Answer) -> dict[str, Any]:
    """Return an answer beside that of a reference, as columns of a table."""
    leading = reference.ranked[0]
    place = answer.regions.index(leading)
    change = answer.p_ez - reference.p_ez
    error = np.hypot(answer.error, reference.error)
    most = int(np.abs(change).argmax())
    itself = answer is reference
    return {
        "region": leading,
        "rank": _rank(answer, place),
        "p_ez": answer.p_ez[place],
        "p_ez_error": answer.error[place],
        "first_region": answer.ranked[0],
        "first_p_ez": answer.p_ez[answer.regions.index(answer.ranked[0])],
        "changed_region": None if itself else answer.regions[most],
        "change": np.nan if itself else change[most],
        "change_error": np.nan if itself else error[most],
        "clear": bool(abs(change[most]) > CLEAR * error[most]) and not itself,
        "verdict": answer.verdict,
        "plan": ",".join(answer.plan) or None,
        "same_plan": set(answer.plan) == set(reference.plan),
        "p_plan_holds": answer.p_plan_holds,
    }


def _rank(answer: Answer, place: int) -> int:
    """Return a region's rank: one more than the regions whose p_ez is clearly larger."""
    larger = answer.p_ez - answer.p_ez[place]
    return 1 + int((larger > CLEAR * np.hypot(answer.error, answer.error[place])).sum())
