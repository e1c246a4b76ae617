"""Put fits with other connectomes into words: which changes leave the zone's answer alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.fit_results import ConnectomeRow, OtherConnectomes
from virtualbrain.io.results import PatientResults
from virtualbrain.report.numbers import is_number, percent, show
from virtualbrain.report.tables import (
    Cell,
    Column,
    View,
    download_of,
    number_cell,
    percent_cell,
    region_cell,
)

Row = ConnectomeRow
Named = Callable[[str], str]

WORDS = {
    "factors": "random factors on all connections",
    "zone-recruited": "random factors on connections between the EZ and recruited regions",
    "zone-others": "random factors on the other connections of the EZ",
    "rest": "random factors on connections without the EZ",
    "zone-strength": "half or double strength of all connections that leave the EZ",
    "rewired": "rewiring that keeps the strength of every region",
    "rewired-distance": "rewiring among pairs of regions of similar distance",
    "weakest": "removal of the weaker half of the connections",
    "removed": "removal of the stated connections",
}
"""Kinds of variants, in words."""

PERSONS = {"person": "connectomes of other persons or groups"}

STRUCTURE = {
    "zone_strength": "the strengths of the connections that leave the EZ",
    "zone_recruited": "the connections between the EZ and recruited regions",
    "zone_others": "the other connections of the EZ",
    "rest": "the connections without the EZ",
}
"""Changes of structure, in words."""

# A kind of change counts if p_ez moves this many times as far as between repeated fits.
CLEAR = 2.0
# Chance of any of the tested rank correlations.
CHANCE = 0.05


@dataclass(frozen=True)
class Others:
    """The part of the report on other connectomes."""

    sentences: tuple[str, ...]
    view: View


def others_of(results: PatientResults, names: Sequence[str]) -> Others | None:
    """Return the part on other connectomes; None where no such fits were computed."""
    found = results.main.other_connectomes
    if found is None or len(found.rows) < 2:
        return None
    columns = (
        Column("Connectome", False),
        Column("Likeness", True, "rank correlation of its weights with the patient's own"),
        Column("First region", False),
        Column("P(EZ)", True, "of the first region with the own connectome, ± Monte Carlo error"),
        Column("Moved", True, "half the summed change of all P(EZ): so many regions exchanged"),
        Column("Shared", True, "of the regions in either list of explanations, those in both"),
        Column("Plan", False),
        Column("Plan holds", True, "draws in which the plan of the own connectome holds the EZ"),
    )
    position = {name: i for i, name in enumerate(names)}
    view = View("other-connectomes", "Fits with other connectomes.", columns,
                tuple(_cells(row, position) for row in found.rows),
                download_of(found.table))  # fmt: skip
    return Others(sentences(found, spoken_name), view)


def sentences(found: OtherConnectomes, named: Named) -> tuple[str, ...]:
    """Return whether the answer stays with other connectomes, and which changes leave it alone.

    Parameters
    ----------
    found : OtherConnectomes
        connectomes.tsv.
    named : callable
        Gives the name of a region in words.
    """
    own, rows = found.rows[0], found.rows[1:]
    again = [row for row in rows if row.kind == "again"]
    persons = [row for row in rows if row.kind == "person"]
    others = [row for row in rows if row.kind in WORDS]
    return (
        *_stable(own, again, "repeated with the own connectome", named),
        *_stable(own, persons, "each with the connectome of another person or group", named),
        *_stable(own, others, "each with a variant of the own connectome", named),
        *_by_kind(rows),
        *_effects(found),
    )


def _stable(own: Row, rows: Sequence[Row], what: str, named: Named) -> Iterator[str]:
    """Return whether first region, zone and plan stay."""
    if not rows:
        return
    p_ez = [row.p_ez for row in rows]
    first = sum(row.rank == 1 for row in rows)
    zone = sum(row.same_zone for row in rows)
    held = [row.p_plan_holds for row in rows if is_number(row.p_plan_holds)]
    plan = (
        f"; the plan of the own connectome holds the EZ in {_between(held)} of the draws "
        f"({percent(own.p_plan_holds)} of its own)"
        if held
        else ""
    )
    yield (
        f"{len(rows)} {'fit' if len(rows) == 1 else 'fits'}, {what}: no region is clearly more "
        f"probable than {named(own.region)} in {first}; its P(EZ) is "
        f"{_between(p_ez)}; the most probable zone is the same in {zone}{plan}."
    )


def _between(values: Sequence[float]) -> str:
    """Return the smallest and the largest value in words; one if they read the same."""
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


def _by_kind(rows: Sequence[Row]) -> Iterator[str]:
    """Return which kinds of changes move p_ez further than a repeated fit does."""
    again = [row.moved for row in rows if row.kind == "again"]
    if not again:
        return
    scatter = fmean(again)
    moved = {
        words: fmean(values)
        for kind, words in {**PERSONS, **WORDS}.items()
        if (values := [row.moved for row in rows if row.kind == kind])
    }
    quiet = [words for words, value in moved.items() if value <= CLEAR * scatter]
    loud = sorted((w for w in moved if w not in quiet), key=lambda words: -moved[words])
    yield (
        f"A repeated fit moves all P(EZ) together by {show(scatter, 2)} regions. "
        + ("Changes that leave the answer alone (less than twice that): "
           + "; ".join(f"{words} ({show(moved[words], 2)})" for words in quiet) + ". "
           if quiet else "No kind of change leaves the answer alone. ")
        + ("Changes that move it: "
           + "; ".join(f"{words} ({show(moved[words], 2)})" for words in loud) + "."
           if loud else "No kind of change moves it further.")
    )  # fmt: skip


def _effects(found: OtherConnectomes) -> Iterator[str]:
    """Return the change of structure that goes best with the size of the answer's change."""
    effects = [one for one in found.table.sidecar.get("Effects", []) if one["chance"] is not None]
    if not effects:
        return
    best = min(effects, key=lambda one: (one["chance"], -abs(one["partial"])))
    if best["chance"] * len(effects) > CHANCE:
        yield (
            f"Over {best['n']} other connectomes, the change of no group of connections goes with "
            "the size of the change of the answer, at equal changes of the others, more than by "
            "chance."
        )
        return
    more = "more" if best["partial"] > 0 else "less"
    answer = "P(EZ) moves" if best["answer"] == "moved" else "often the plan misses the EZ"
    yield (
        f"The more {STRUCTURE[best['structure']]} change, at equal changes of the others, the "
        f"{more} {answer} (partial rank correlation {best['partial']:.2f} over {best['n']} "
        "connectomes)."
    )


def _cells(row: Row, position: dict[str, int]) -> tuple[Cell, ...]:
    own = row.kind == "own"
    plan = (row.plan or "").split(",") if row.plan else []
    return (
        Cell("own" if own else row.name, f"{row.kind} {row.name}", WORDS.get(row.kind, "")),
        number_cell(row.similarity, 2),
        region_cell(row.first_region, position.get(row.first_region)),
        Cell(f"{percent(row.p_ez)} ± {percent(row.p_ez_error)}", repr(row.p_ez), bar=row.p_ez),
        number_cell(row.moved, 2),
        percent_cell(row.overlap),
        Cell(
            ("same" if row.same_plan and not own else "")
            or ", ".join(map(spoken_name, plan))
            or "none",
            row.plan or "",
            row.plan or "",
        ),
        percent_cell(row.p_plan_holds),
    )
