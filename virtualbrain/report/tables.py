"""Build the tables of the report: cells to sort and filter, and the file for download."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.result_files import Table
from virtualbrain.io.results import PatientResults
from virtualbrain.report.assets import data_url
from virtualbrain.report.eloquent import EloquentRegions
from virtualbrain.report.findings import NOT_STATED, Plan, Region, hypothesis_stated
from virtualbrain.report.numbers import CI_PROB, is_number, percent, show
from virtualbrain.report.onsets import ChannelOnset
from virtualbrain.report.reliability import Reliability, reliability_of
from virtualbrain.report.seizure_fit import ONSET_RULE
from virtualbrain.report.words import in_words


@dataclass(frozen=True)
class Cell:
    """A cell: its text, its sort key, and the full number as tooltip (`title`)."""

    text: str
    sort: str
    title: str = ""
    region: int | None = None
    plan: int | None = None
    bar: float | None = None
    link: str | None = None


@dataclass(frozen=True)
class Column:
    """A column: heading, True for numbers, an explanation as tooltip (`hint`), `printed`."""

    title: str
    numeric: bool
    hint: str = ""
    printed: bool = True


@dataclass(frozen=True)
class Download:
    """A file for download: its name and its text as a data URL."""

    name: str
    url: str


@dataclass(frozen=True)
class View:
    """A table of the report."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    download: Download | None


def download_of(table: Table | None) -> Download | None:
    """Return the download of a table's unchanged file."""
    return None if table is None else Download(table.file, data_url(table.text))


def number_cell(value: Any, digits: int = 3) -> Cell:
    """Return a cell for a number; missing ones sort last."""
    if not is_number(value):
        return Cell(show(value), "")
    return Cell(show(value, digits), repr(float(value)), repr(value))


def percent_cell(value: Any) -> Cell:
    """Return a cell for a probability or proportion, in per cent."""
    if not is_number(value):
        return number_cell(value)
    return Cell(percent(value), repr(float(value)), repr(value))


def probability_cell(p: float, interval: tuple[float, float] | None = None) -> Cell:
    """Return a cell for a probability, with its interval if there is one."""
    text = percent(p) if interval is None else with_interval(p, interval)
    return Cell(text, repr(p), repr(p), bar=p)


def region_cell(label: str, index: int | None) -> Cell:
    """Return a cell for a region: its anatomical name, with its label as tooltip."""
    name = spoken_name(label)
    return Cell(name, name.lower(), label if label != name else "", region=index)


def nearest_cell(eloquent: EloquentRegions, regions: Sequence[str]) -> Cell:
    """Return a cell for the nearest eloquent region that a plan does not take."""
    nearest = eloquent.nearest(regions)
    if nearest is None:
        return Cell(eloquent.nearest_words(regions), "")
    padded = f"{nearest.distance_mm:08.3f}"  # the text of a cell is sorted as text
    return Cell(nearest.words, padded, f"{nearest.distance_mm!r} mm")


def with_interval(p: float, interval: tuple[float, float]) -> str:
    """Return a probability and its interval as text."""
    return f"{percent(p)} ({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"


def zones_view(
    regions: Sequence[Region], table: Table, ranked: bool, measured: tuple[Reliability, ...] = ()
) -> View:
    """Return the table of zones; without ranking it is alphabetical and has no rank."""
    ordered = sorted(regions, key=lambda r: r.rank if ranked else r.spoken)
    columns = (
        *((Column("Rank", True),) if ranked else ()),
        Column("Region", False),
        Column("Side", False),
        Column("P(EZ)", True, "probability that the region starts seizures"),
        Column("Was right", True, "regions with such a P(EZ) in the EZ of synthetic patients"),
        Column(
            "P(PZ)",
            True,
            "probability that the network recruits the region",
        ),
        Column("P(EZ), no network", True, "from early and strong sources alone"),
        Column("Excitability x₀", True, f"posterior mean and {CI_PROB:.0%} interval"),
        Column("Prior x₀", True, "mean excitability assumed before the recording was used", False),
        Column("Modelled onset (s)", True, "seconds from the marked onset"),
        Column(
            "Recorded onset (s)",
            True,
            "rise of the region's source power, without the network; seconds from the marked onset",
        ),
        Column("Observability", True, "how well the channels record the region, 0 to 1"),
        Column("Information (nats)", True, "how much the recording changed the prior of x₀", False),
        Column("Hypothesis", False, "zone that the clinical hypothesis gives the region"),
        Column("Label", False, "name of the region in the files", printed=False),
    )
    stated = hypothesis_stated(regions)
    rows = tuple(_zone_row(region, ranked, stated, measured) for region in ordered)
    caption = "Ranked regions." if ranked else "Regions in alphabetical order, not ranked."
    return View("zones", caption, columns, rows, download_of(table))


def _zone_row(
    region: Region, ranked: bool, hypothesis_stated: bool, measured: tuple[Reliability, ...]
) -> tuple[Cell, ...]:
    mean, low, high = region.x0
    reliability = reliability_of(region.p_ez, measured)
    return (
        *((number_cell(region.rank),) if ranked else ()),
        region_cell(region.name, region.index),
        Cell(region.hemisphere, region.hemisphere),
        probability_cell(region.p_ez),
        Cell(reliability.words, repr(reliability.seen[0])) if reliability else Cell("–", ""),
        probability_cell(region.p_pz),
        number_cell(region.p_evidence, 2),
        Cell(
            f"{show(mean)} [{show(low)},\u00a0{show(high)}]",
            repr(mean),
            f"{mean!r} [{low!r}, {high!r}]",
        ),
        number_cell(region.x0_prior),
        number_cell(region.onset_s),
        number_cell(region.onset_recorded_s),
        number_cell(region.observability, 2),
        number_cell(region.information_gain, 2),
        _hypothesis_cell(region, hypothesis_stated),
        Cell(region.name, region.name.lower()),
    )


def _hypothesis_cell(region: Region, stated: bool) -> Cell:
    if not stated:
        return Cell(NOT_STATED, "2")
    zone = region.hypothesis_zone
    return Cell("no", "1") if zone is None else Cell(zone, "0")


def plans_view(
    plans: Sequence[Plan], table: Table, ranked: bool, eloquent: EloquentRegions
) -> View:
    """Return the table of plans; without ranking it is alphabetical and has no rank."""
    ordered = sorted(plans, key=lambda p: p.rank if ranked else p.title.lower())
    columns = (
        *((Column("Rank", True),) if ranked else ()),
        Column("Plan", False),
        Column("Kind", False),
        Column("Regions", False),
        Column("Volume (cm³)", True, "grey matter, without white matter"),
        Column("Eloquent", False),
        Column(
            "Nearest eloquent",
            False,
            f"nearest eloquent region that the plan does not take; distance {eloquent.measured}",
        ),
        Column("Seizing before", True, "regions that seize without surgery"),
        Column(
            "Seizing after",
            True,
            "regions that seize after the plan: mean and interval",
        ),
        Column(
            "P(seizure-free)",
            True,
            "predicted probability of seizure freedom",
        ),
        Column(
            "Seizure-free (6D)",
            True,
            "draws without seizing regions in the 6D model",
        ),
        Column(
            "Holds the EZ",
            True,
            "draws in which the plan holds all regions that start seizures",
        ),
        Column("Sham plans as good", True, "sham plans of this size that do as well"),
        Column("Transmission", True, "change of signal transmission between the remaining regions"),
        Column("Labels", False, "names of the regions in the files", printed=False),
    )
    rows = tuple(_plan_row(plan, ranked, eloquent) for plan in ordered)
    caption = "Ranked plans." if ranked else "Plans in alphabetical order, not ranked."
    return View("plans", caption, columns, rows, download_of(table))


def _plan_row(plan: Plan, ranked: bool, eloquent: EloquentRegions) -> tuple[Cell, ...]:
    after, low, high = plan.after
    return (
        *((number_cell(plan.rank),) if ranked else ()),
        Cell(plan.title, plan.title.lower(), plan.candidate, plan=plan.index),
        Cell(plan.kind, plan.kind),
        Cell(
            ", ".join(map(spoken_name, plan.regions)) or "–",
            str(len(plan.regions)),
            ", ".join(plan.regions),
        ),
        number_cell(plan.volume_cm3),
        Cell(in_words(plan.eloquent, plan.regions), "1" if plan.touches_eloquent else "0"),
        nearest_cell(eloquent, plan.regions)
        if plan.kind not in ("none", "sham")
        else Cell("–", ""),
        number_cell(plan.before),
        Cell(
            f"{show(after)} [{show(low)},\u00a0{show(high)}]",
            repr(after),
            f"{after!r} [{low!r}, {high!r}]",
        ),
        probability_cell(plan.p_seizure_free, plan.p_interval),
        *(
            _proportion_cell(v)
            for v in (
                plan.p_six_dimensional,
                plan.p_holds_ez,
                plan.p_sham,
                plan.transmission_change,
            )
        ),
        Cell(", ".join(plan.regions) or "–", ", ".join(plan.regions).lower()),
    )


def _proportion_cell(value: float) -> Cell:
    """Return a cell in per cent, with one decimal below 10 %."""
    if not is_number(value):
        return Cell("–", "")
    return Cell(percent(value) if value >= 0.1 else f"{value:.1%}", repr(value), repr(value))


def plain_view(
    key: str,
    table: Table,
    headings: Mapping[str, str],
    names: Sequence[str],
    caption: str,
    probabilities: Collection[str] = (),
) -> View:
    """Return chosen columns of a table.

    Parameters
    ----------
    key : str
        Key of the view in the page.
    table : Table
        The file.
    headings : mapping of str to str
        Heading by column of the file, in the order of the view.
    names : sequence of str
        Regions of the report.
    caption : str
        Caption.
    probabilities : collection of str
        Columns shown in per cent.
    """
    position = {name: i for i, name in enumerate(names)}
    numeric = {name: table.frame[name].dtype.kind in "fi" for name in headings}

    def cell(name: str, value: Any) -> Cell:
        if name in ("region", "first_region") and isinstance(value, str):
            return region_cell(value, position.get(value))
        if name in probabilities:
            return percent_cell(value)
        return number_cell(value) if numeric[name] else Cell(show(value), show(value).lower())

    rows = tuple(
        tuple(cell(name, row[name]) for name in headings) for row in table.frame.to_dict("records")
    )
    columns = tuple(Column(title, numeric[name]) for name, title in headings.items())
    return View(key, caption, columns, rows, download_of(table))


def contacts_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the table of contacts."""
    if results.contacts is None:
        return None
    columns = {
        "name": "Contact",
        "electrode": "Electrode",
        "region": "Region",
        "p_region": "Region share",
        "tissue": "Tissue",
        "status": "Status",
        "x": "x (mm)",
        "y": "y (mm)",
        "z": "z (mm)",
    }
    return plain_view("contacts", results.contacts, columns, names, "All contacts.")


def stimulation_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the table of stimulated pairs; None where no stimulation was planned."""
    table = results.main.stimulation
    if table is None or table.frame.empty:
        return None
    columns = {
        "pair": "Pair",
        "amplitude_ma": "Current (mA)",
        "p_evoked": "P(starts a seizure)",
        "first_region": "Most frequent first region",
        "p_first": "P(first region)",
        "p_stopped": "P(stops a seizure)",
        "n_seizures": "Detected seizures",
    }
    caption = "Stimulation at the planned pairs."
    probabilities = ("p_evoked", "p_first", "p_stopped")
    return plain_view("stimulation", table, columns, names, caption, probabilities)


def next_view(results: PatientResults, names: Sequence[str]) -> View | None:
    """Return the regions where another electrode would improve the plans most."""
    table = results.main.next_regions
    if table is None or table.frame.empty:
        return None
    columns = {
        "region": "Region",
        "p_ez": "P(EZ)",
        "p_unsampled": "P(unsampled EZ)",
        "observability": "Observability",
        "value": "Gain in P(seizure-free)",
    }
    caption = "Regions for another electrode, most valuable first."
    probabilities = ("p_ez", "p_unsampled", "value")
    return plain_view("next", table, columns, names, caption, probabilities)


def onsets_view(number: int, onsets: Sequence[ChannelOnset], names: Sequence[str]) -> View | None:
    """Return recorded and modelled onsets of the channels of one seizure; None without any."""
    if not onsets:
        return None
    position = {name: i for i, name in enumerate(names)}
    columns = (
        Column("Channel", False),
        Column("Region", False, "region of the largest gain on the channel"),
        Column("Recorded onset (s)", True, f"the envelope {ONSET_RULE}"),
        Column("Modelled onset (s)", True, f"the predicted envelope {ONSET_RULE}"),
        Column("Difference (s)", True, "modelled minus recorded"),
    )
    rows = tuple(
        (
            Cell(one.channel, one.channel.lower()),
            _first_region(one.regions, position),
            number_cell(one.recorded_s),
            number_cell(one.modelled_s),
            number_cell(one.modelled_s - one.recorded_s),
        )
        for one in onsets
    )
    caption = f"Onsets of the channels in seizure {number}, earliest first."
    return View(f"onsets-{number}", caption, columns, rows, None)


def _first_region(regions: Sequence[str], position: Mapping[str, int]) -> Cell:
    if not regions:
        return Cell("–", "")
    return region_cell(regions[0], position.get(regions[0]))


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
    return plain_view("channels", results.channels, columns, names, "All channels.")
