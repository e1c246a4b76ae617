"""Tables of the page: columns to sort and filter, and the file's own text to download."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualbrain.io.results import PatientResults, Table
from virtualbrain.report.assets import data_address
from virtualbrain.report.findings import Plan, Region
from virtualbrain.report.numbers import is_number, percent, show


@dataclass(frozen=True)
class Cell:
    """What a cell shows, what it sorts by, and the full number behind it."""

    text: str
    sort: str
    title: str = ""
    region: int | None = None
    plan: int | None = None
    bar: float | None = None
    link: str | None = None


@dataclass(frozen=True)
class Column:
    """A column's heading, whether it holds numbers, and what it means."""

    title: str
    numeric: bool
    hint: str = ""


@dataclass(frozen=True)
class Download:
    """A file's name and text as a link."""

    name: str
    address: str


@dataclass(frozen=True)
class View:
    """A table as the page shows it."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    download: Download | None


def download_of(table: Table | None) -> Download | None:
    """Return the link under which a table's file is saved as it is."""
    return None if table is None else Download(table.file, data_address(table.text))


def number_cell(value: Any, digits: int = 3) -> Cell:
    """Return a cell for a number; missing ones sort last."""
    if not is_number(value):
        return Cell(show(value), "")
    return Cell(show(value, digits), repr(float(value)), repr(value))


def share_cell(value: Any) -> Cell:
    """Return a cell for a share or probability, in per cent."""
    if not is_number(value):
        return number_cell(value)
    return Cell(percent(value), repr(float(value)), repr(value))


def probability_cell(p: float, interval: tuple[float, float] | None) -> Cell:
    """Return a probability with its interval; without one the cell says so."""
    if not is_number(p):
        return Cell("–", "")
    if interval is None:
        return Cell(f"{percent(p)} (interval unknown)", repr(p), repr(p), bar=p)
    return Cell(with_interval(p, interval), repr(p), repr(p), bar=p)


def with_interval(p: float, interval: tuple[float, float] | None) -> str:
    """Return a probability and its interval as text."""
    if interval is None:
        return f"{percent(p)} (interval unknown)"
    return f"{percent(p)} ({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"


def zones_view(
    regions: Sequence[Region], table: Table | None, ranked: bool, ci: str, key: str = "zones"
) -> View:
    """Return the table of zones; unranked it is in alphabetical order and shows no rank."""
    ordered = sorted(regions, key=lambda r: r.rank if ranked else r.name)
    columns = (
        *((Column("Rank", True),) if ranked else ()),
        Column("Region", False),
        Column("Side", False),
        Column("P(EZ)", True, "probability that the region seizes by itself"),
        Column("P(PZ)", True, "probability that the network recruits it without that"),
        Column("Excitability x₀", True, f"posterior mean and {ci} interval"),
        Column("Prior x₀", True, "what was assumed before the recording"),
        Column("Onset (s)", True, "predicted start after the marked onset"),
        Column("Observability", True, "how well the channels see it, 0 to 1"),
        Column("Information (nats)", True, "how much the recording changed the prior"),
        Column("Hypothesis", False, "named by the clinical hypothesis"),
    )
    rows = tuple(_zone_row(region, ranked) for region in ordered)
    caption = "Ranked regions." if ranked else "Regions in alphabetical order, not ranked."
    return View(key, caption, columns, rows, download_of(table))


def _zone_row(region: Region, ranked: bool) -> tuple[Cell, ...]:
    mean, low, high = region.x0
    return (
        *((number_cell(region.rank),) if ranked else ()),
        Cell(region.name, region.name.lower(), region=region.index),
        Cell(region.hemisphere, region.hemisphere),
        probability_cell(region.p_ez, region.p_ez_interval),
        probability_cell(region.p_pz, region.p_pz_interval),
        Cell(
            f"{show(mean)} [{show(low)}, {show(high)}]",
            repr(mean) if is_number(mean) else "",
            f"{mean!r} [{low!r}, {high!r}]",
        ),
        number_cell(region.x0_prior),
        number_cell(region.onset_s),
        number_cell(region.observability, 2),
        number_cell(region.information_gain, 2),
        Cell("yes" if region.in_hypothesis else "no", "0" if region.in_hypothesis else "1"),
    )


def plans_view(
    plans: Sequence[Plan], table: Table | None, ranked: bool, names: Sequence[str]
) -> View:
    """Return the table of plans; unranked it is in alphabetical order and shows no rank."""
    ordered = sorted(plans, key=lambda p: p.rank if ranked else p.candidate)
    columns = (
        *((Column("Rank", True),) if ranked else ()),
        Column("Plan", False),
        Column("Kind", False),
        Column("Regions", False),
        Column("Volume (cm³)", True),
        Column("Eloquent", False),
        Column("Seizing before", True),
        Column("Seizing after", True, "mean and interval over posterior draws"),
        Column(
            "P(seizure-free)",
            True,
            "how often plans that promised as much, after fits like this one, ended seizures on "
            "virtual patients",
        ),
        Column("In six dimensions", True, "the same share with the full model, on fewer draws"),
        Column("As good by chance", True, "share of random plans of this size that do as well"),
        Column("Transmission", True, "change of the other regions' own signal transmission"),
    )
    rows = tuple(_plan_row(plan, ranked) for plan in ordered)
    caption = "Ranked plans." if ranked else "Plans in alphabetical order, not ranked."
    return View("plans", caption, columns, rows, download_of(table))


def _plan_row(plan: Plan, ranked: bool) -> tuple[Cell, ...]:
    after, low, high = plan.after
    return (
        *((number_cell(plan.rank),) if ranked else ()),
        Cell(plan.candidate, plan.candidate.lower(), plan=plan.index),
        Cell(plan.kind, plan.kind),
        Cell(", ".join(plan.regions) or "–", str(len(plan.regions))),
        number_cell(plan.volume_cm3),
        Cell(plan.eloquent or "no", "1" if plan.eloquent else "0"),
        number_cell(plan.before),
        Cell(
            f"{show(after)} [{show(low)}, {show(high)}]",
            repr(after) if is_number(after) else "",
            f"{after!r} [{low!r}, {high!r}]",
        ),
        probability_cell(plan.p_seizure_free, plan.p_interval),
        *(_share_cell(v) for v in (plan.p_six_dimensional, plan.p_sham, plan.transmission_change)),
    )


def _share_cell(share: float) -> Cell:
    if not is_number(share):
        return Cell("–", "")
    return Cell(percent(share) if share >= 0.1 else f"{share:.1%}", repr(share), repr(share))


def plain_view(
    key: str,
    table: Table,
    columns: Mapping[str, str],
    names: Sequence[str],
    caption: str,
    mark_region: Callable[[Any], bool] = lambda value: isinstance(value, str),
    shares: Collection[str] = (),
) -> View:
    """Return chosen columns of a table as they are; `columns` maps the file's to headings.

    Columns of `shares` stand in per cent.
    """
    place = {name: i for i, name in enumerate(names)}
    present = [name for name in columns if name in table.frame]
    numeric = {name: table.frame[name].dtype.kind in "fi" for name in present}

    def cell(name: str, value: Any) -> Cell:
        if name == "region" and mark_region(value):
            return Cell(value, value.lower(), region=place.get(value))
        if name in shares:
            return share_cell(value)
        return number_cell(value) if numeric[name] else Cell(show(value), show(value).lower())

    rows = tuple(
        tuple(cell(name, row[name]) for name in present) for row in table.frame.to_dict("records")
    )
    headings = tuple(Column(columns[name], numeric[name]) for name in present)
    return View(key, caption, headings, rows, download_of(table))


def contacts_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the table of contacts."""
    if results.contacts is None:
        return None
    columns = {
        "name": "Contact",
        "electrode": "Electrode",
        "region": "Region",
        "p_region": "Share of region nearby",
        "tissue": "Tissue",
        "status": "Status",
        "x": "x (mm)",
        "y": "y (mm)",
        "z": "z (mm)",
    }
    return plain_view("contacts", results.contacts, columns, names, "Every contact.")


def stimulation_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the table of stimulated pairs; None where no plan stimulates."""
    table = results.main.stimulation
    if table is None or table.frame.empty:
        return None
    columns = {
        "pair": "Pair",
        "amplitude_ma": "Current (mA)",
        "p_evoked": "Starts a seizure",
        "first_region": "Most often first in",
        "p_first": "How often",
        "p_stopped": "Stops a seizure",
        "n_seizures": "Seizures detected",
    }
    shares = ("p_evoked", "p_first", "p_stopped")
    caption = "Stimulation at planned pairs."
    return plain_view("stimulation", table, columns, names, caption, shares=shares)


def next_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the hardly seen regions whose recording would be worth most to the plans."""
    table = results.main.next_regions
    if table is None or table.frame.empty:
        return None
    columns = {
        "region": "Region",
        "p_start": "P(starts seizures)",
        "p_unsampled": "P(hides the zone)",
        "observability": "Observability",
        "value": "Gain in chance of a good plan",
    }
    shares = ("p_start", "p_unsampled", "value")
    caption = "Where another electrode would tell most."
    return plain_view("next", table, columns, names, caption, shares=shares)


def channels_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the table of channels."""
    if results.channels is None:
        return None
    columns = {
        "name": "Channel",
        "anode": "Anode",
        "cathode": "Cathode",
        "onset_s": "Measured onset (s)",
        "status": "Status",
        "x": "x (mm)",
        "y": "y (mm)",
        "z": "z (mm)",
    }
    return plain_view("channels", results.channels, columns, names, "Every channel.")
