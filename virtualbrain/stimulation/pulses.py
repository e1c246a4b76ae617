"""Read the single pulses of SPES from events.tsv, and find what is wrong with them."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.names import key_of, parse_channel

TRIAL_TYPE = "electrical_stimulation"
SITE = "electrical_stimulation_site"
CURRENT = "electrical_stimulation_current"
WIDTHS = ("electrical_stimulation_pulsewidth", "electrical_stimulation_pulse_width")
SUB_TYPE = "sub_type"
LONGEST_PULSE_S = 0.05
LARGEST_CURRENT_A = 0.05


@dataclass(frozen=True)
class Pulse:
    """One pulse of electrical stimulation.

    Parameters
    ----------
    onset_s : float
        Seconds from the first sample of the recording.
    anode, cathode : str
        The stimulated contacts, as named in electrodes.tsv.
    current_a, width_s : float
        Current and width of the pulse; NaN if not stated.
    row : int
        Row of events.tsv.
    """

    onset_s: float
    anode: str
    cathode: str
    current_a: float
    width_s: float
    row: int

    @property
    def pair(self) -> frozenset[str]:
        """The stimulated contacts, without the direction of the current."""
        return frozenset((self.anode, self.cathode))


@dataclass(frozen=True)
class Pulses:
    """The pulses of a recording in the order of time, problems with them, and notes."""

    pulses: tuple[Pulse, ...]
    problems: tuple[InputError, ...]
    notes: tuple[str, ...]


def read_pulses(events: Path | None, contacts: Sequence[str], separation_s: float) -> Pulses:
    """Read the rows of events.tsv whose trial_type is electrical_stimulation.

    Rows with a sub_type (as RESPect writes it) are used only if it contains SPES.

    Parameters
    ----------
    events : Path, optional
        The table of a recording; None if it has none.
    contacts : sequence of str
        Names of the patient's contacts.
    separation_s : float
        Shortest time between two pulses: baseline and response must not overlap.

    Returns
    -------
    Pulses
        One problem of each kind, with its first row.
    """
    if events is None:
        return Pulses((), (), ())
    try:
        table = read_table(events, required=["onset", "duration"])
    except InputError as error:
        return Pulses((), (error,), ())
    rows, notes = _stimulation_rows(table)
    if not len(rows):
        return Pulses((), (), notes)
    if SITE not in table:
        return Pulses((), (_no_sites(f"{events.name}, row {rows[0] + 2}"),), notes)
    known = {key_of(name): name for name in contacts}
    problems: dict[str, InputError] = {}
    pulses = []
    for row in rows:
        record = {str(key): value for key, value in table.loc[row].items()}
        pulse = _pulse(record, row + 2, events.name, known)
        if isinstance(pulse, Pulse):
            pulses.append(pulse)
        else:
            problems.setdefault(*pulse)
    pulses.sort(key=lambda pulse: pulse.onset_s)
    return Pulses(
        tuple(pulses), (*problems.values(), *_overlaps(pulses, separation_s, events.name)), notes
    )


def is_stimulated(files: PatientFiles) -> bool:
    """Return whether an events.tsv of a patient marks single pulses, valid or not.

    A table that cannot be read counts, so that its problem is reported.
    """
    return any(_marks_pulses(recording.events) for recording in files.recordings)


def _marks_pulses(events: Path | None) -> bool:
    try:
        return events is not None and bool(_stimulation_rows(read_table(events))[0])
    except InputError:
        return True


def no_pulses_error(where: str) -> InputError:
    """Return the error for a patient without stimulation."""
    return InputError(
        "no electrical stimulation is marked",
        where=where,
        expected=f"rows of events.tsv with trial_type {TRIAL_TYPE}, one for each pulse",
        hint=f"mark every pulse, with its two contacts in the column {SITE}",
    )


def _stimulation_rows(table: pd.DataFrame) -> tuple[list[int], tuple[str, ...]]:
    """Return the positions of the rows with a single pulse, and a note on those left out."""
    if "trial_type" not in table:
        return [], ()
    kinds = [str(kind).casefold() for kind in table["trial_type"]]
    rows = [row for row, kind in enumerate(kinds) if kind == TRIAL_TYPE]
    if SUB_TYPE not in table:
        return rows, ()
    stated = {row: table[SUB_TYPE].iloc[row] for row in rows}
    other = [
        row
        for row, kind in stated.items()
        if isinstance(kind, str) and "spes" not in kind.casefold()
    ]
    kinds_left_out = Counter(str(stated[row]) for row in other)
    notes = [f"{n} stimulations of sub_type {kind} left out" for kind, n in kinds_left_out.items()]
    return [row for row in rows if row not in set(other)], tuple(notes)


def _pulse(
    record: dict[str, Any], row: int, table: str, known: dict[str, str]
) -> Pulse | tuple[str, InputError]:
    """Return the pulse of a row, or the kind of problem and its error."""
    where = f"{table}, row {row}"
    onset, duration = _number(record["onset"]), _number(record["duration"])
    current = _number(record.get(CURRENT))
    width = next((_number(record[name]) for name in WIDTHS if name in record), math.nan)
    site = record[SITE]
    if not isinstance(site, str):
        return "no site", _no_sites(where)
    pair = parse_channel(site)
    names = [None if one is None else known.get(key_of(one)) for one in (pair.anode, pair.cathode)]
    if None in names or names[0] == names[1]:
        return "site", InputError(
            f"the site {site} is no pair of contacts",
            where=where,
            expected=f"two contacts of electrodes.tsv in the column {SITE}, such as A1-A2",
            hint="correct the names, or add the contacts to electrodes.tsv",
        )
    if math.isnan(onset):
        return "onset", InputError(
            "the stimulation has no onset",
            where=where,
            expected="onset in seconds from the first sample of the recording",
            hint="enter the onset",
        )
    if duration > LONGEST_PULSE_S:
        return "train", InputError(
            f"the stimulation lasts {duration:g} s",
            where=where,
            expected=f"one row for each pulse, of at most {LONGEST_PULSE_S:g} s",
            hint="mark every pulse of the train, or give trains another trial_type",
        )
    if current > LARGEST_CURRENT_A or width > LONGEST_PULSE_S:
        large, name, unit, example = (
            (current, CURRENT, "ampere", "0.004 for 4 mA")
            if current > LARGEST_CURRENT_A
            else (width, "pulse width", "seconds", "0.001 for 1 ms")
        )
        return "unit", InputError(
            f"{name} is {large:g}",
            where=where,
            expected=f"a number in {unit}, at most {LARGEST_CURRENT_A:g}",
            hint=f"write {example}",
        )
    return Pulse(onset, str(names[0]), str(names[1]), current, width, row)


def _overlaps(pulses: Sequence[Pulse], separation_s: float, table: str) -> list[InputError]:
    """Return one error if pulses follow each other too closely."""
    close = [
        (first, second)
        for first, second in itertools.pairwise(pulses)
        if second.onset_s - first.onset_s < separation_s
    ]
    if not close:
        return []
    first, second = close[0]
    more = f" (and {len(close) - 1} more)" if len(close) > 1 else ""
    return [
        InputError(
            f"stimulations overlap: this one begins {second.onset_s - first.onset_s:.3g} s after "
            f"that of row {first.row}{more}",
            where=f"{table}, row {second.row}",
            expected=f"at least {separation_s:g} s between pulses",
            hint="give trains another trial_type than single pulses, or correct the onsets",
        )
    ]


def _no_sites(where: str) -> InputError:
    return InputError(
        "the stimulation has no site",
        where=where,
        expected=f"two contacts in the column {SITE}, such as A1-A2",
        hint="enter the stimulated contacts",
    )


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan
