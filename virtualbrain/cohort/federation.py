"""Share aggregates of patients between sites without identifying a person.

Each site writes counts, sums and histograms; the files of several sites are merged by addition.
A site withholds every table of counts with a cell of one to four patients and every sum that one
patient dominates. It refuses to write a second file if the patients differ from an earlier file's
by fewer than five, because the difference of the two would identify them.
Method: Medical Informatics Platform (Redolfi et al., Front. Neurol. 2020).
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json, write_json
from virtualbrain.io.versions import versions

SMALLEST = 5
"""Smallest number of patients in a published cell."""
LEVELS = (32, 16, 8, 4, 2, 1)
"""Numbers of bins, finest first; each level merges pairs of bins of the previous one."""
FORMAT = 1
_DOMINANT = 0.5

RANGES = {
    "n_seizures": (0.0, 32.0),
    "share_of_regions_not_seen": (0.0, 1.0),
    "leading_p_ez": (0.0, 1.0),
    "spared_share": (0.0, 1.0),
}
"""Numbers of each patient, and the ranges of their histograms."""
KINDS = ("verdict", "leading_hemisphere", "plan_kind")
"""Categories of each patient."""


@dataclass(frozen=True)
class Record:
    """One patient's contribution to the aggregates; `regions` are the suspected regions."""

    label: str
    numbers: Mapping[str, float | None]
    words: Mapping[str, str]
    regions: frozenset[str]


def aggregate(records: Sequence[Record], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts, sums and histograms, each over five or more patients.

    Parameters
    ----------
    records : sequence of Record
        One per patient.
    setting : mapping
        Settings that must be equal at all sites (atlas, priors).

    Returns
    -------
    dict
        ``n_patients``; ``counts`` by category; ``regions`` (number of patients in whom a region is
        suspected); ``numbers`` with n, sum, sum of squares and histogram. Withheld values are
        None.

    Raises
    ------
    InputError
        Fewer than five patients.
    """
    if len(records) < SMALLEST:
        raise InputError(
            f"{len(records)} patients",
            expected=f"{SMALLEST} or more, because a sum over fewer could identify a person",
        )
    n = len(records)
    names = sorted({name for record in records for name in record.regions})
    in_whom = {name: sum(name in record.regions for record in records) for name in names}
    return {
        "format": FORMAT,
        "setting": dict(setting),
        "software": versions()["virtualbrain"],
        "smallest_cell": SMALLEST,
        "n_patients": n,
        "counts": {kind: _counts(record.words[kind] for record in records) for kind in KINDS},
        "regions": {k: c if _safe(c) and _safe(n - c) else None for k, c in in_whom.items()},
        "numbers": {
            name: _moments([record.numbers[name] for record in records], bounds)
            for name, bounds in RANGES.items()
        },
    }


def _safe(count: int) -> bool:
    """Return whether a cell holds no patient or enough patients."""
    return count == 0 or count >= SMALLEST


def _counts(words: Iterable[str]) -> dict[str, int] | None:
    """Count words; None if one is rare, because the other counts would reveal it."""
    found: dict[str, int] = {}
    for word in words:
        found[word] = found.get(word, 0) + 1
    return dict(sorted(found.items())) if all(map(_safe, found.values())) else None


def _moments(values: Sequence[float | None], bounds: tuple[float, float]) -> dict[str, Any] | None:
    """Return the moments of a number; None if few have it, few lack it, or one dominates."""
    present = [float(v) for v in values if v is not None and math.isfinite(v)]
    if len(present) < SMALLEST or not _safe(len(values) - len(present)):
        return None
    low, high = bounds
    if any(_dominated([abs(v - end) for v in present]) for end in (low, high)):
        return None
    histogram = _histogram(present, low, high)
    return {
        "n": len(present),
        "sum": math.fsum(present),
        "sum_of_squares": math.fsum(v * v for v in present),
        "bounds": [low, high],
        "histogram": histogram,
    }


def _dominated(parts: Sequence[float]) -> bool:
    """Return whether a sum reveals its largest part (dominance rule of statistical offices).

    A sum of zeros reveals every part.
    """
    total = math.fsum(parts)
    return total <= 0 or max(parts) > _DOMINANT * total


def _histogram(values: Sequence[float], low: float, high: float) -> list[int]:
    """Return the finest histogram in which every occupied bin holds enough patients."""
    for bins in LEVELS:
        counts = [0] * bins
        for value in values:
            place = math.floor((value - low) / (high - low) * bins)
            counts[min(max(place, 0), bins - 1)] += 1
        if all(map(_safe, counts)):
            return counts
    return [len(values)]


# ---- merging ----------------------------------------------------------------------------


def merge(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the aggregates of several sites.

    Counts and sums are added. A value that one site withholds is withheld. Histograms get the
    coarsest level of all sites.

    Parameters
    ----------
    parts : sequence of mapping
        From `aggregate` or `read_aggregate`.

    Raises
    ------
    InputError
        No aggregate, the same aggregate twice, or sites with different settings.
    """
    _require_mergeable(parts)
    regions = sorted({name for part in parts for name in part["regions"]})
    return {
        **{key: parts[0][key] for key in ("format", "setting", "software", "smallest_cell")},
        "n_patients": sum(part["n_patients"] for part in parts),
        "counts": {k: _added([part["counts"].get(k) for part in parts]) for k in KINDS},
        "regions": {k: _sum([part["regions"].get(k, 0) for part in parts]) for k in regions},
        "numbers": {k: _merged([part["numbers"].get(k) for part in parts]) for k in RANGES},
    }


def _require_mergeable(parts: Sequence[Mapping[str, Any]]) -> None:
    if not parts:
        raise InputError("no aggregate", expected="one file per site")
    seen = {hashlib.sha256(repr(_sorted(part)).encode()).hexdigest() for part in parts}
    if len(seen) != len(parts):
        raise InputError("the same aggregate twice", expected="one file per site")
    for part in parts[1:]:
        for key, value in parts[0]["setting"].items():
            if part["setting"].get(key) != value:
                raise InputError(
                    f"the sites differ in {key}: {value} and {part['setting'].get(key)}",
                    expected="the same atlas, priors and settings at every site",
                )


def _sorted(value: Any) -> Any:
    """Return a mapping as lists sorted by key."""
    if isinstance(value, Mapping):
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return value


def _sum(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _added(tables: Sequence[Mapping[str, int] | None]) -> dict[str, int] | None:
    """Add tables of counts; a missing word counts zero."""
    known = [table for table in tables if table is not None]
    if len(known) < len(tables):
        return None
    words = sorted({word for table in known for word in table})
    return {word: sum(table.get(word, 0) for table in known) for word in words}


def _merged(moments: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    known = [one for one in moments if one is not None]
    if len(known) < len(moments):
        return None
    bins = min(len(one["histogram"]) for one in known)
    histograms = [_coarser(one["histogram"], bins) for one in known]
    return {
        "n": sum(one["n"] for one in known),
        "sum": math.fsum(one["sum"] for one in known),
        "sum_of_squares": math.fsum(one["sum_of_squares"] for one in known),
        "bounds": list(known[0]["bounds"]),
        "histogram": [sum(column) for column in zip(*histograms, strict=True)],
    }


def _coarser(counts: Sequence[int], bins: int) -> list[int]:
    """Merge neighbouring bins until `bins` remain."""
    step = len(counts) // bins
    return [sum(counts[i : i + step]) for i in range(0, len(counts), step)]


# ---- figures ----------------------------------------------------------------------------


def figures(aggregated: Mapping[str, Any]) -> dict[str, float]:
    """Return means, standard deviations and fractions of an aggregate, by name.

    Mean ``S/n``, variance ``(Q - S²/n)/(n - 1)`` of the sum S and the sum of squares Q.
    """
    n = aggregated["n_patients"]
    found: dict[str, float] = {"n_patients": float(n)}
    for kind, counts in aggregated["counts"].items():
        found |= {f"{kind}={word}": count / n for word, count in (counts or {}).items()}
    for name, count in aggregated["regions"].items():
        if count is not None:
            found[f"region={name}"] = count / n
    for name, one in aggregated["numbers"].items():
        if one is not None:
            found[f"{name}.mean"] = one["sum"] / one["n"]
            spread = one["sum_of_squares"] - one["sum"] ** 2 / one["n"]
            found[f"{name}.sd"] = math.sqrt(max(spread, 0.0) / (one["n"] - 1))
    return found


# ---- files ------------------------------------------------------------------------------


def write_aggregate(
    path: Path, aggregated: Mapping[str, Any], labels: Iterable[str], history: Path
) -> None:
    """Write an aggregate unless its difference from an earlier one would identify a person.

    Parameters
    ----------
    path : Path
        File for other sites.
    aggregated : mapping
        From `aggregate`.
    labels : iterable of str
        Labels of the patients.
    history : Path
        This site's list of patients in earlier aggregates; it must stay at the site.

    Raises
    ------
    InputError
        The patients differ by one to four from those of an earlier file.
    """
    labels = sorted(labels)
    earlier = read_json(history)["written"] if history.is_file() else []
    for before in earlier:
        for changed in (set(labels) - set(before), set(before) - set(labels)):
            if not _safe(len(changed)):
                raise InputError(
                    f"{len(changed)} patients differ from an earlier aggregate",
                    expected=f"no difference, or {SMALLEST} or more: the difference of two sums "
                    "could identify a person",
                    hint="wait for more patients, or leave out the new ones",
                )
    if labels not in earlier:
        write_json(history, {"written": [*earlier, labels]})
    write_json(path, aggregated)


def read_aggregate(path: Path) -> dict[str, Any]:
    """Read and validate another site's aggregate.

    Raises
    ------
    InputError
        The file is not an aggregate of this version, or its counts are inconsistent.
    """
    content = read_json(path)
    try:
        valid = _is_valid(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        valid = False
    if not valid:
        raise InputError(
            "not an aggregate of this version",
            where=path.name,
            expected="a file written by virtualbrain cohort --export-aggregate",
        )
    return content


def _is_valid(content: Mapping[str, Any]) -> bool:
    n = content["n_patients"]
    cells = [c for table in content["counts"].values() for c in (table or {}).values()]
    cells += [count for count in content["regions"].values() if count is not None]
    numbers = [one for one in content["numbers"].values() if one is not None]
    return (
        content["format"] == FORMAT
        and isinstance(n, int)
        and n >= SMALLEST
        and isinstance(content["setting"], dict)
        and set(content["counts"]) == set(KINDS)
        and set(content["numbers"]) == set(RANGES)
        and all(isinstance(c, int) and 0 <= c <= n and _safe(c) for c in cells)
        and all(_is_valid_number(one, n) for one in numbers)
    )


def _is_valid_number(one: Mapping[str, Any], n: int) -> bool:
    finite = all(math.isfinite(one[key]) for key in ("sum", "sum_of_squares"))
    counts = one["histogram"]
    return bool(
        finite
        and SMALLEST <= one["n"] <= n
        and len(counts) in LEVELS
        and all(isinstance(c, int) and _safe(c) for c in counts)
        and sum(counts) == one["n"]
    )
