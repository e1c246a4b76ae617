"""Fit one seizure with other connectomes: what changes in structure leave the zone's answer alone.

The chains start from draws of the fit with the patient's own connectome, so that few moves suffice.
The own connectome is fitted again with other random numbers: a change that is not larger than
between these fits says nothing about structure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from inference.ablation import CHAINS, DRAWS, MOVES, Subset, starts_from
from inference.answers import Answer, answer_of, compared
from inference.connectome_variants import Groups, Variant, Zones, groups_of, variants
from inference.initialisation import Progress
from inference.onsets.fit import STEPS_FACTOR, OnsetSample, posterior_of, sample_onsets
from inference.problem import Problem
from virtualbrain.network import normalise_weights
from virtualbrain.posterior import PlanOf, ZoneList

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_P = 0.5
# Random orders that give the chance of a rank correlation.
_ORDERS = 4000
FEWEST = 10
STRUCTURE = ("zone_strength", "zone_recruited", "zone_others", "rest")
ANSWER = ("moved", "holds_less")
EFFECTS = ("structure", "answer", "n", "rank_correlation", "partial", "chance")
COLUMNS = (
    "kind", "name", "similarity", *STRUCTURE, "region", "rank", "p_ez", "p_ez_error",
    "first_region", "first_p_ez", "moved", "changed_region", "change", "change_error", "clear",
    "zone", "same_zone", "overlap", "n_explanations", "index", "verdict", "plan", "same_plan",
    "p_plan_holds",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Connectomes to fit, beside the patient's own.

    Parameters
    ----------
    persons : mapping of str to numpy.ndarray
        Weights of other persons or groups by name, in the order of the problem's regions.
    variants : int
        Variants of each kind; see `inference.connectome_variants.variants`.
    removed : sequence of sequences of str
        Regions among which the connections are removed, one variant each.
    centres_mm : numpy.ndarray, shape (n_regions, 3), optional
        Centres of the regions; without them, or if one is not finite, no variant is rewired among
        pairs of similar distance.
    """

    persons: dict[str, Array]
    variants: int = 0
    removed: Sequence[Sequence[str]] = ()
    centres_mm: Array | None = None


@dataclass(frozen=True)
class Population:
    """Answers with other connectomes.

    Parameters
    ----------
    table : pandas.DataFrame
        One row for each connectome, the patient's own first:

        - ``kind name``: see `inference.connectome_variants.Variant`; ``own`` is the reference.
        - Change of structure from the own connectome, both scaled as in the fit: ``similarity``,
          rank correlation of the weights; ``zone_strength``, logarithm of the factor on the summed
          weight of the zone's connections to other regions; ``zone_recruited zone_others rest``:
          summed absolute change of the weights, over the old sum, of the connections between the
          zone and recruited regions, of the other connections of the zone, and of the rest.
        - ``region rank p_ez`` to ``first_p_ez``, ``changed_region`` to ``clear``, and ``verdict``
          to ``p_plan_holds``: see `inference.ablation.ablate`. ``moved``: half the summed absolute
          change of all p_ez.
        - ``zone``: regions of the first explanation, and whether they are those of the reference
          (``same_zone``); ``overlap``: regions that both lists of explanations name, over those
          that one of them names; ``n_explanations index``: explanations and degeneracy index.
    effects : pandas.DataFrame
        Rank correlation over all other connectomes of a change of structure (``structure``) with a
        change of the answer (``answer``: ``moved``, or ``holds_less``, how much less often the
        plan of the reference holds the zone): ``n``, ``rank_correlation``, ``partial``, the same
        at equal ranks of the other changes of structure, and ``chance``, the probability of a
        partial one that large in random order. Empty with fewer than ten.
    zone, recruited : tuple of str
        Regions of the reference by which connections are grouped.
    """

    table: pd.DataFrame
    effects: pd.DataFrame
    zone: tuple[str, ...]
    recruited: tuple[str, ...]


def refit(
    sample: OnsetSample, wanted: Wanted, plan: PlanOf, listed: Callable[[xr.DataTree], ZoneList],
    seed: int, progress: Progress | None = None,
) -> Population:  # fmt: skip
    """Explain the same seizures with other connectomes.

    Parameters
    ----------
    sample : OnsetSample
        Fit with the patient's own connectome: `inference.full_sample.sample_all`. The other fits
        have its priors and settings, and the rules of its connectome (own or of a group).
    wanted : Wanted
        The other connectomes.
    plan : PlanOf
        The plan of a posterior.
    listed : callable
        The explanations of a posterior.
    seed : int
        Of the variants and of the fits.
    progress : callable, optional
        Called with the name of the connectome and the fraction that is done.

    Raises
    ------
    InputError
        Connections to remove do not exist.
    """
    problem, rng = sample.density.problem, np.random.default_rng([seed, 4])
    with threadpool_limits(1, user_api="blas"):
        posterior = posterior_of(sample)
        own, own_list = answer_of(sample, posterior, plan), listed(posterior)
        zones = zones_of(own)
        others = [
            *(Variant("person", name, weights) for name, weights in wanted.persons.items()),
            *variants(np.asarray(problem.weights), zones, wanted.variants, wanted.removed,
                      problem.regions, rng, _distance_of(wanted.centres_mm)),
        ]  # fmt: skip
        rows = [_row("own", "own", problem.weights, problem, zones, (own, own_list), None)]
        for number, variant in enumerate(others):
            one = _sampled(sample, variant.weights, seed + 1 + number, rng)
            tree = posterior_of(one)
            found = answer_of(one, tree, plan, own), listed(tree)
            rows.append(_row(variant.kind, variant.name, one.density.problem.weights, problem,
                             zones, found, (own, own_list)))  # fmt: skip
            if progress is not None:
                progress(variant.name, (number + 1) / len(others))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    effects = effects_of(table, np.random.default_rng([seed, 5]))
    zone, recruited = (
        tuple(name for name, chosen in zip(problem.regions, mask, strict=True) if chosen)
        for mask in (zones.zone, zones.recruited)
    )
    return Population(table, effects, zone, recruited)


def _distance_of(centres_mm: Array | None) -> Array | None:
    """Return the distance of every pair of regions; None if a centre is unknown."""
    if centres_mm is None or not np.isfinite(centres_mm).all():
        return None
    return np.asarray(np.linalg.norm(centres_mm[:, None] - centres_mm, axis=-1))


def zones_of(answer: Answer) -> Zones:
    """Return the zone of a fit, its first region at least, and the recruited regions."""
    zone = answer.p_ez >= LEAST_P
    zone[answer.regions.index(answer.ranked[0])] = True
    return Zones(zone, (answer.p_pz >= LEAST_P) & ~zone)


def _sampled(
    sample: OnsetSample, weights: Array, seed: int, rng: np.random.Generator
) -> OnsetSample:
    """Fit the same data with other weights, from draws of a fit."""
    density, problem = sample.density, sample.density.problem
    other = replace(
        problem, weights=weights, envelope=list(problem.envelope), times=list(problem.times)
    )
    settings = replace(
        density.settings, moves=MOVES, extension=0.0, draws=DRAWS, chains=CHAINS, seed=seed,
        n_steps=density.settings.n_steps // STEPS_FACTOR,
    )  # fmt: skip
    everything = Subset(
        "all", "", "", tuple(range(problem.n_channels)), tuple(range(problem.n_seizures))
    )
    starts = starts_from(sample.chains, everything, problem, rng)
    return sample_onsets(other, density.priors, settings, starts=starts)


def _row(
    kind: str, name: str, weights: Array, problem: Problem, zones: Zones,
    found: tuple[Answer, ZoneList], reference: tuple[Answer, ZoneList] | None,
) -> dict[str, Any]:  # fmt: skip
    """Return one connectome and its answer as a row of the table."""
    answer, listed = found
    own, own_list = reference or found
    union = listed.named | own_list.named
    return {
        "kind": kind,
        "name": name,
        **structure_of(weights, problem.weights, zones),
        **compared(answer, own),
        "moved": 0.5 * float(np.abs(answer.p_ez - own.p_ez).sum()),
        "zone": ",".join(listed.zone) or None,
        "same_zone": set(listed.zone) == set(own_list.zone),
        "overlap": len(listed.named & own_list.named) / len(union) if union else 1.0,
        "n_explanations": listed.count,
        "index": listed.index,
    }


def structure_of(weights: Array, own: Array, zones: Zones) -> dict[str, float]:
    """Return how far weights differ from the patient's own; see `Population`."""
    new, old = (normalise_weights(np.asarray(w), "strength") for w in (weights, own))
    upper = np.triu_indices(len(old), 1)
    groups: Groups = groups_of(zones)
    border = np.outer(zones.zone, ~zones.zone)
    return {
        "similarity": _rank_correlation(new[upper], old[upper]),
        "zone_strength": _log_ratio(new[border].sum(), old[border].sum()),
        "zone_recruited": _change(new, old, groups.zone_recruited),
        "zone_others": _change(new, old, groups.zone_others),
        "rest": _change(new, old, groups.rest),
    }


def _change(new: Array, old: Array, group: Mask) -> float:
    total = old[group].sum()
    return _rounded(np.abs(new - old)[group].sum() / total) if total > 0 else float("nan")


def _log_ratio(new: float, old: float) -> float:
    return _rounded(np.log(new / old)) if new > 0 and old > 0 else float("nan")


def _rounded(change: float) -> float:
    """Return a change without rounding errors, which would have ranks."""
    return round(float(change), 9)


def _rank_correlation(one: Array, other: Array) -> float:
    """Return Spearman's rank correlation; NaN if one of them is constant."""
    a, b = _centred_ranks(one), _centred_ranks(other)
    return float(a @ b) if a.any() and b.any() else float("nan")


def _centred_ranks(values: Array) -> Array:
    """Return ranks with the mean 0 and the norm 1; zeros if all values are equal."""
    ranks = rankdata(values) - 0.5 * (len(values) + 1)
    norm = np.linalg.norm(ranks)
    return np.asarray(ranks / norm if norm > 0 else 0.0 * ranks)


def _beside(values: Array, others: Array) -> Array:
    """Return centred ranks minus what the ranks of other columns explain, with the norm 1."""
    ranks = _centred_ranks(values)
    if others.shape[1]:
        columns = np.stack([_centred_ranks(column) for column in others.T], axis=1)
        ranks = ranks - columns @ np.linalg.lstsq(columns, ranks, rcond=None)[0]
    norm = np.linalg.norm(ranks)
    return np.asarray(ranks / norm if norm > 1e-9 else 0.0 * ranks)


def _partial(
    one: Array, other: Array, beside: Array, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the partial rank correlation, and the probability of such a one in random order."""
    a, b = _beside(one, beside), _beside(other, beside)
    if not a.any() or not b.any():
        return float("nan"), float("nan")
    found = float(a @ b)
    by_chance = rng.permuted(np.tile(a, (_ORDERS, 1)), axis=1) @ b
    return found, float(np.mean(np.abs(by_chance) >= abs(found) - 1e-9))


def effects_of(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rank correlations of changes of structure with changes of the answer.

    Parameters
    ----------
    table : pandas.DataFrame
        `Population.table`; fits of the own connectome are left out.
    rng : numpy.random.Generator
        Draws the random orders.
    """
    others = table[~table["kind"].isin(["own", "again"])]
    sizes = others[list(STRUCTURE)].abs().dropna(axis=1, how="all")
    own = float(table["p_plan_holds"].iloc[0])
    changed = pd.DataFrame(
        {"moved": others["moved"], "holds_less": own - others["p_plan_holds"]}
    ).dropna()
    known = sizes.index[sizes.notna().all(axis=1)].intersection(changed.index)
    rows = []
    for structure in map(str, sizes if len(known) >= FEWEST else ()):
        size = sizes.loc[known, structure].to_numpy(float)
        beside = sizes.loc[known].drop(columns=structure).to_numpy(float)
        for answer in ANSWER:
            change = changed.loc[known, answer].to_numpy(float)
            partial, chance = _partial(size, change, beside, rng)
            rows.append({"structure": structure, "answer": answer, "n": len(known),
                         "rank_correlation": _rank_correlation(size, change),
                         "partial": partial, "chance": chance})  # fmt: skip
    return pd.DataFrame(rows, columns=list(EFFECTS))
