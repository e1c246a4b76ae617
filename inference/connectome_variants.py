"""Seeded variants of a connectome: other weights in stated groups of connections.

Every group of connections keeps its summed weight, unless the variant is about that sum, so that
the scaling of the weights leaves the other groups as they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kind = Literal[
    "person", "again", "factors", "zone-recruited", "zone-others", "rest", "zone-strength",
    "rewired", "weakest", "rewired-distance", "removed",
]  # fmt: skip

# Standard deviation of the logarithm of a random factor. The weights of one person against the
# mean of others have 0.7 (research series) to 1.6 (clinical series).
LOG_SD = 1.0
STRENGTHS = (0.5, 2.0)
WEAKEST = 0.5
# A rewired network has the strengths of the old one up to this fraction.
_STRENGTH_ERROR, _MOST_STEPS = 1e-3, 20_000
# Places without a connection get this fraction of the smallest weight before the strengths are
# restored: otherwise a region may have no connection that can be scaled.
_FLOOR = 1e-3
# Pairs of similar distance: one of so many groups of equal size, from the nearest to the farthest.
_DISTANCE_GROUPS = 20


@dataclass(frozen=True)
class Zones:
    """Zone and recruited regions of a fit.

    Parameters
    ----------
    zone, recruited : numpy.ndarray of bool, shape (n_regions,)
        Regions that start seizures, and those that the network recruits.
    """

    zone: Mask
    recruited: Mask


@dataclass(frozen=True)
class Variant:
    """Another connectome of the same regions.

    Parameters
    ----------
    kind : str
        ``person``: that of another person or group. ``again``: the patient's own. Others:
        `variants`.
    name : str
        Name of the person, or what was changed.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The weights.
    """

    kind: Kind
    name: str
    weights: Array


@dataclass(frozen=True)
class Groups:
    """Pairs of regions in three groups that do not overlap, (n_regions, n_regions).

    Parameters
    ----------
    zone_recruited, zone_others, rest : numpy.ndarray of bool
        Pairs of a region of the zone and a recruited one; other pairs with a region of the zone;
        pairs without any.
    """

    zone_recruited: Mask
    zone_others: Mask
    rest: Mask


def groups_of(zones: Zones) -> Groups:
    """Return the groups of pairs of regions."""
    z, r = zones.zone, zones.recruited & ~zones.zone
    between = np.outer(z, r) | np.outer(r, z)
    outside = np.outer(~z, ~z)
    np.fill_diagonal(outside, False)
    touching = ~np.outer(~z, ~z) & ~between
    np.fill_diagonal(touching, False)
    return Groups(between, touching, outside)


def variants(
    weights: Array, zones: Zones, count: int, removed: Sequence[Sequence[str]],
    regions: Sequence[str], rng: np.random.Generator, distance_mm: Array | None = None,
) -> Iterator[Variant]:  # fmt: skip
    """Yield variants of a connectome.

    With a count, so many of each random kind: the same connectome ``again``; random ``factors`` on
    all connections; on those of the zone with recruited regions (``zone-recruited``), on the other
    ones of the zone (``zone-others``), on the ``rest``; and a ``rewired`` network. Then all
    connections of the zone with others times the factors `STRENGTHS` (``zone-strength``), and the
    network without the ``weakest`` half of the connections. With distances, networks rewired among
    pairs of similar distance (``rewired-distance``). Without the stated connections in any case
    (``removed``).

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Symmetric weights.
    zones : Zones
        Zone and recruited regions.
    count : int
        Variants of each random kind; 0: none, only the stated ones.
    removed : sequence of sequences of str
        The connections among the regions of each sequence are removed.
    regions : sequence of str
        Names of the regions.
    rng : numpy.random.Generator
        Source of random numbers.
    distance_mm : numpy.ndarray, shape (n_regions, n_regions), optional
        Distance of every pair.
    """
    groups = groups_of(zones)
    chosen: tuple[tuple[Kind, Mask], ...] = (
        ("factors", weights > 0),
        ("zone-recruited", groups.zone_recruited),
        ("zone-others", groups.zone_others),
        ("rest", groups.rest),
    )
    for number in range(1, count + 1):
        yield Variant("again", f"own, fit {number + 1}", weights)
        for kind, group in chosen:
            if weights[group].any():
                yield Variant(kind, f"{kind} {number}", with_factors(weights, group, rng))
        yield Variant("rewired", f"rewired {number}", rewired(weights, rng))
    if count:
        border = np.outer(zones.zone, ~zones.zone) | np.outer(~zones.zone, zones.zone)
        for factor in STRENGTHS if weights[border].any() else ():
            scaled = np.where(border, factor * weights, weights)
            yield Variant("zone-strength", f"zone x {factor:g}", scaled)
        yield Variant("weakest", f"without the weakest {WEAKEST:.0%}", without_weakest(weights))
    for number in range(1, count + 1) if distance_mm is not None else ():
        near = rewired(weights, rng, distance_mm)
        yield Variant("rewired-distance", f"rewired by distance {number}", near)
    for names in removed:
        yield Variant("removed", f"without {','.join(names)}", without(weights, names, regions))


def with_factors(weights: Array, group: Mask, rng: np.random.Generator) -> Array:
    """Return weights with a random log-normal factor on each connection of a group.

    The weights stay symmetric, and the summed weight of the group stays the same.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Symmetric weights.
    group : numpy.ndarray of bool, shape (n_regions, n_regions)
        Symmetric: pairs that change.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    normal = np.triu(rng.standard_normal(weights.shape), 1)
    changed = weights * np.exp(LOG_SD * (normal + normal.T))
    kept = weights[group].sum() / max(changed[group].sum(), np.finfo(float).tiny)
    return np.where(group, kept * changed, weights)


def rewired(weights: Array, rng: np.random.Generator, distance_mm: Array | None = None) -> Array:
    """Return weights in random order among all pairs of regions, with the old strengths.

    Weights of all pairs of connected regions, also those of zero, are shuffled; then every region
    is scaled (w_ij d_i d_j) until its summed weight is the old one. A region that has nearly all
    connections keeps them.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Symmetric weights.
    rng : numpy.random.Generator
        Source of random numbers.
    distance_mm : numpy.ndarray, shape (n_regions, n_regions), optional
        Distance or tract length of every pair. With it, weights are shuffled among pairs of similar
        distance only; without it, distance plays no part.
    """
    if not weights.any():
        return weights
    joined = np.flatnonzero(weights.sum(axis=1) > 0)
    inside = weights[np.ix_(joined, joined)]
    upper = np.triu_indices(len(joined), 1)
    floor = _FLOOR * inside[inside > 0].min()
    shuffled = np.zeros_like(inside)
    raised = np.maximum(inside[upper], floor)
    if distance_mm is None:
        shuffled[upper] = rng.permutation(raised)
    else:
        shuffled[upper] = _shuffled_by(distance_mm[np.ix_(joined, joined)][upper], raised, rng)
    shuffled += shuffled.T
    result = np.zeros_like(weights)
    result[np.ix_(joined, joined)] = _with_strengths(shuffled, inside.sum(axis=1))
    return result


def _shuffled_by(distance_mm: Array, values: Array, rng: np.random.Generator) -> Array:
    """Return values in random order among those of similar distance."""
    found = np.empty_like(values)
    for group in np.array_split(np.argsort(distance_mm, kind="stable"), _DISTANCE_GROUPS):
        found[group] = values[rng.permutation(group)]
    return found


def _with_strengths(weights: Array, strength: Array) -> Array:
    """Return w_ij d_i d_j with the stated sums of the rows."""
    scale = np.sqrt(strength / weights.sum(axis=1))
    for _ in range(_MOST_STEPS):
        sums = scale * (weights @ scale)
        if np.abs(sums / strength - 1.0).max() < _STRENGTH_ERROR:
            break
        scale = scale * np.sqrt(strength / sums)
    return np.asarray(weights * np.outer(scale, scale))


def without_weakest(weights: Array) -> Array:
    """Return weights without the weakest `WEAKEST` of the connections."""
    limit = np.quantile(weights[weights > 0], WEAKEST) if weights.any() else 0.0
    return np.where(weights > limit, weights, 0.0)


def without(weights: Array, names: Sequence[str], regions: Sequence[str]) -> Array:
    """Return weights without the connections among some regions.

    Raises
    ------
    InputError
        A region is unknown, there are fewer than two, or none of them are connected.
    """
    where, hint = "--without-connections", "use the region names of zones.tsv"
    unknown = [name for name in names if name not in regions]
    if unknown:
        raise InputError(f"no region {unknown[0]}", where=where,
                         expected=f"a region of the connectome, such as {regions[0]}",
                         hint=hint)  # fmt: skip
    inside = np.isin(list(regions), list(names))
    among = np.outer(inside, inside)
    if inside.sum() < 2 or not weights[among].any():
        raise InputError(
            f"no connection among {', '.join(names)}", where=where,
            expected="two or more connected regions", hint=hint,
        )  # fmt: skip
    return np.where(among, 0.0, weights)
