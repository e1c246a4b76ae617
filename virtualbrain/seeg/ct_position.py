"""Find where along its centre line an electrode's contacts are; the deep end decides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.seeg.ct_axis import ARC_STEP_MM, Levels, Points, Volume

Flags = NDArray[np.bool_]

_CONTACT_MM = 2.0
_CONTACT_RADIUS_MM = 0.4
_CORE_MM = 0.6
_BESIDE_MM = 2.0
_WIDEST_MM = 6.0
_THICK_FACTOR = 2.0
# Weights of the score; a contact whose place is as dark as tissue costs 1.
_UNKNOWN_COST = 0.5
_DEEPER_WEIGHTS = (1.5, 1.0)
_OTHER_WEIGHT = 0.3
_TAIL_WEIGHT = 0.5
_MODULATION_WEIGHT = 3.0
_AWAY = 0.6
_UNSEEN = 0.4
_FURTHER_RISE = 0.08
_FURTHER_SHARE = 0.5


@dataclass(frozen=True)
class Profile:
    """What the CT shows along a centre line, one value every 0.1 mm.

    Parameters
    ----------
    share : numpy.ndarray
        Intensity on the line; 0 in tissue, 1 in a contact, limited to 1.
    beside : numpy.ndarray
        Largest share within 2 mm of the line, limited to 1.
    radius_mm : numpy.ndarray
        Radius at which the mean share of a ring falls below one half.
    other : numpy.ndarray of bool
        Whether another electrode is so near that the metal may be its own.
    """

    share: Points
    beside: Points
    radius_mm: Points
    other: Flags

    @property
    def thick(self) -> Flags:
        """Where the metal is twice as thick as a contact: a bolt, or bone."""
        metal = self.radius_mm[self.radius_mm > 0]
        usual = float(np.percentile(metal, 40)) if len(metal) else np.inf
        return np.asarray(self.radius_mm > _THICK_FACTOR * usual)

    @property
    def blooming_mm(self) -> float:
        """By how much a contact appears thicker than it is."""
        thin = self.radius_mm[(self.radius_mm > 0) & ~self.thick]
        return max(float(np.median(thin)) - _CONTACT_RADIUS_MM, 0.0) if len(thin) else 0.0


@dataclass(frozen=True)
class Position:
    """Place of contact 1 along a centre line.

    Parameters
    ----------
    first_mm : float
        Best distance of contact 1 from the start of the line.
    next_mm : float
        Best distance among those that are at least 0.6 of a spacing away from it.
    margin : float
        Difference of their scores; infinite if there is no other.
    contrast : float
        Mean share in the contacts divided by the mean share midway between them.
    unseen : tuple of int
        Numbers of the contacts at whose place there is no metal.
    thick_mm : float
        Where a bolt or bone begins, from the last contact; NaN if none is seen.
    further : bool
        Whether something like a further contact follows the last one.
    hidden : bool
        Whether another electrode hides the deep end.
    """

    first_mm: float
    next_mm: float
    margin: float
    contrast: float
    unseen: tuple[int, ...]
    thick_mm: float
    further: bool
    hidden: bool


def profile(ct: Volume, line: Points, level: Levels, other: Flags) -> Profile:
    """Return what the CT shows along a centre line (n, 3)."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    first = np.cross(tangent, np.eye(3)[np.argmin(np.abs(tangent.mean(axis=0)))])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    angles = (np.arange(8) * np.pi / 4)[:, None, None]
    ring = np.cos(angles) * first + np.sin(angles) * second
    radii = np.arange(0.0, _WIDEST_MM, 0.2)
    shares = np.stack([level.share(ct.at(line + radius * ring)) for radius in radii])
    rings = shares.mean(axis=1)
    core = (rings[0] + 2 * rings[int(np.argmin(np.abs(radii - _CORE_MM)))]) / 3
    beside = shares[radii <= _BESIDE_MM].max(axis=(0, 1))
    below = rings < 0.5
    radius_mm = np.where(below.any(axis=0), radii[below.argmax(axis=0)], _WIDEST_MM)
    return Profile(np.minimum(core, 1), np.minimum(beside, 1), radius_mm, other)


def locate(
    seen: Profile, depth: Points, spacing_mm: float, low_mm: float, high_mm: float
) -> Position:
    r"""Find the place of contact 1 between two distances from the start of the centre line.

    For contact 1 at :math:`a` and contacts at depths :math:`d_i`, the score is

    .. math:: 3 (\bar q_{contact} - \bar q_{gap}) - \sum_i (1 - q(a + d_i))^2
              - \sum_{j=1,2} w_j e(a - j s) - E - T / 2

    with the share :math:`q` along the line, the spacing :math:`s`, and :math:`e` between 0
    (tissue) and 1 (metal) one and two spacings deeper than contact 1: an electrode ends there.
    :math:`E` compares the edge of contact 1 with that of a cylinder of 2 mm that blooms, which
    decides where contacts merge. :math:`T` is the rise of a further contact after the last. A
    contact inside a bolt or beside another electrode costs one half, whatever is seen there.

    Parameters
    ----------
    seen : Profile
        What the CT shows along the line.
    depth : numpy.ndarray
        Distance of every contact from contact 1, mm.
    spacing_mm : float
        Usual spacing of the contacts.
    low_mm, high_mm : float
        Limits of the place of contact 1.
    """
    firsts = np.arange(low_mm, high_mm, ARC_STEP_MM)
    score = _scores(seen, depth, spacing_mm, firsts)
    best = int(score.argmax())
    away = np.abs(firsts - firsts[best]) >= _AWAY * spacing_mm
    following = int(np.where(away, score, -np.inf).argmax())
    first = float(firsts[best])
    tail = first + depth[-1] + spacing_mm
    return Position(
        first_mm=first,
        next_mm=float(firsts[following]),
        margin=float(score[best] - score[following]) if away.any() else np.inf,
        contrast=_contrast(seen, first, depth, spacing_mm),
        unseen=_unseen(seen, first + depth),
        thick_mm=_thick_mm(seen, first + float(depth[-1])),
        further=_is_further_contact(seen, tail, first + depth, spacing_mm),
        hidden=bool(_at(seen.other, np.array([first, first - spacing_mm])).all()),
    )


def _at[T: np.generic](values: NDArray[T], distances: Points) -> NDArray[T]:
    """Return values of the profile at distances along the line; beyond it, those of its ends."""
    index = np.rint(distances / ARC_STEP_MM).astype(int)
    return np.asarray(values[np.clip(index, 0, len(values) - 1)])


def _gaps(depth: Points, spacing_mm: float) -> Points:
    """Return the depths midway between neighbouring contacts."""
    if len(depth) > 1:
        return np.asarray((depth[1:] + depth[:-1]) / 2)
    return np.array([-spacing_mm / 2, spacing_mm / 2])


def _scores(seen: Profile, depth: Points, spacing_mm: float, firsts: Points) -> Points:
    """Return the score of every place of contact 1."""
    places = firsts[:, None] + depth
    contact = _at(seen.share, places)
    unknown = _at(seen.thick | seen.other, places)
    filled = np.where(unknown, _UNKNOWN_COST, (1 - contact) ** 2).sum(axis=1)
    deeper = firsts[:, None] - spacing_mm * np.array([1.0, 2.0])
    metal = np.clip((_at(seen.beside, deeper) - 0.1) / 0.6, 0, 1)
    metal = metal * np.where(_at(seen.other, deeper), _OTHER_WEIGHT, 1.0)
    gap = _at(seen.share, firsts[:, None] + _gaps(depth, spacing_mm))
    modulation = contact.mean(axis=1) - gap.mean(axis=1)
    tail = _rise(seen, firsts + depth[-1] + spacing_mm, spacing_mm)
    return np.asarray(
        _MODULATION_WEIGHT * modulation
        - filled
        - metal @ np.array(_DEEPER_WEIGHTS)
        - _edge(seen, firsts)
        - _TAIL_WEIGHT * tail
    )


def _edge(seen: Profile, firsts: Points) -> Points:
    """Return how far the deep edge of contact 1 differs from a cylinder that blooms."""
    half = _CONTACT_MM / 2 + seen.blooming_mm
    expected = ((half + 0.7, 0.0), (half, 0.5), (half - 0.7, 1.0))
    return np.sum([(_at(seen.share, firsts - at) - q) ** 2 for at, q in expected], axis=0)


def _rise(seen: Profile, places: Points, spacing_mm: float) -> Points:
    """Return by how much the share at places exceeds that half a spacing away, if it is thin."""
    around = [_at(seen.share, places + half * spacing_mm) for half in (-0.5, 0.5)]
    rise = np.clip(_at(seen.share, places) - np.maximum(*around), 0, 1)
    return np.where(_at(seen.thick | seen.other, places), 0.0, rise)


def _is_further_contact(seen: Profile, tail: float, places: Points, spacing_mm: float) -> bool:
    """Return whether what follows the last contact rises at least half as much as a contact."""
    usual = float(np.median(_rise(seen, places, spacing_mm)))
    rise = float(_rise(seen, np.array([tail]), spacing_mm)[0])
    return rise > max(_FURTHER_RISE, _FURTHER_SHARE * usual)


def _contrast(seen: Profile, first: float, depth: Points, spacing_mm: float) -> float:
    contact = float(_at(seen.share, first + depth).mean())
    gap = float(_at(seen.share, first + _gaps(depth, spacing_mm)).mean())
    return contact / max(gap, 1e-3)


def _unseen(seen: Profile, places: Points) -> tuple[int, ...]:
    """Return the numbers of contacts that are much darker than the others."""
    share = _at(seen.share, places)
    return tuple(int(i) + 1 for i in np.flatnonzero(share < _UNSEEN * np.median(share)))


def _thick_mm(seen: Profile, last: float) -> float:
    """Return where the first thick metal begins, from the last contact."""
    thick = np.flatnonzero(seen.thick) * ARC_STEP_MM - last
    near = thick[thick > -3 * _CONTACT_MM]
    return float(near[0]) if len(near) else np.nan
