"""Seizures of a patient: rows of events.tsv, or marks inside the recording."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.settings import SeegSettings

_NOT = {"no", "non", "not", "post", "pre", "interictal", "postictal", "preictal", "after", "before"}
_END = {"offset", "end", "stop", "off", "termination"}
_CODE = re.compile(r"sz(?:_[a-z]{1,4})*")


@dataclass(frozen=True)
class Seizure:
    """One marked seizure; `duration_s` is NaN where its end is not marked."""

    recording: Recording
    onset_s: float
    duration_s: float
    kind: str
    source: str

    @property
    def offset_s(self) -> float:
        """End of the seizure from the first sample of the recording."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class _Mark:
    """One event, wherever it was written."""

    onset_s: float
    duration_s: float
    text: str
    source: str


def find_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Find every marked seizure of a patient, in the order of recordings and time.

    A row of events.tsv is a seizure when one of `settings.event_columns` holds one of
    `settings.seizure_words` as a word of its own (``sz_foc_ia`` holds ``sz``). Two marks
    without duration, such as *seizure onset* and *seizure offset*, make one. Only a recording
    without an events.tsv is searched for marks inside the file: the table is the last word.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Columns and words.

    Returns
    -------
    tuple of Seizure
        Empty when nothing is marked.

    Raises
    ------
    InputError
        An events.tsv that cannot be read, or a seizure without a time.
    """
    found: list[Seizure] = []
    for recording in files.recordings:
        found += _pair(recording, _marks(recording, settings), settings)
    return tuple(found)


def find_lone_ends(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Find marks of an end that no onset goes before; `onset_s` is the end's time.

    Raises
    ------
    InputError
        An events.tsv that cannot be read.
    """
    found: list[Seizure] = []
    for recording in files.recordings:
        open_onsets = 0
        for mark in sorted(_marks(recording, settings), key=lambda m: m.onset_s):
            if not is_seizure(mark.text, settings.seizure_words) or mark.duration_s > 0:
                continue
            if not _tokens(mark.text) & _END:
                open_onsets = 1
            elif open_onsets:
                open_onsets = 0
            else:
                found.append(Seizure(recording, mark.onset_s, math.nan, mark.text, mark.source))
    return tuple(found)


def _marks(recording: Recording, settings: SeegSettings) -> list[_Mark]:
    """List the marks of a recording: its table's, or the file's where there is no table."""
    if recording.events is None:
        return _file_marks(recording)
    return _table_marks(recording.events, settings)


def is_seizure(text: str, words: Sequence[str]) -> bool:
    """Return whether a text names a seizure (*post-seizure* does not)."""
    tokens = _tokens(text)
    return bool(tokens & {word.casefold() for word in words}) and not tokens & _NOT


def seizure_mark(text: str, words: Sequence[str]) -> str | None:
    """Return a seizure's mark in plain words without anything else that was written beside it.

    Codes such as ``sz_foc_ia`` stay; *seizure onset, seen by Dr X* becomes ``seizure``, an end
    ``seizure offset``; None where the text names no seizure.
    """
    if not is_seizure(text, words):
        return None
    if _CODE.fullmatch(text.strip()):
        return text.strip()
    word = "seizure" if "seizure" in words else words[0]
    return f"{word} offset" if _tokens(text) & _END else word


def _tokens(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


def _table_marks(events: Path | None, settings: SeegSettings) -> list[_Mark]:
    """Rows of events.tsv with the text of their kind."""
    if events is None:
        return []
    table = read_table(events, required=["onset", "duration"])
    columns = [name for name in settings.event_columns if name in table]
    marks = []
    for position in range(len(table)):
        text = " ".join(str(table[c].iloc[position]) for c in columns)
        if not is_seizure(text, settings.seizure_words):
            continue
        where = f"{events.name}, row {position + 2}"
        onset = _number(table["onset"].iloc[position])
        if math.isnan(onset):
            raise InputError(
                "a seizure without a time",
                where=where,
                expected="onset in seconds from the first sample",
                hint="write the onset",
            )
        duration = _number(table["duration"].iloc[position])
        marks.append(_Mark(onset, duration, text, where))
    return marks


def _number(cell: object) -> float:
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _file_marks(recording: Recording) -> list[_Mark]:
    """List the marks written inside the recording."""
    from virtualbrain.io.recordings import read_header

    return [
        _Mark(mark.onset_s, mark.duration_s, mark.text.split("/", 1)[-1], recording.signal.name)
        for mark in read_header(recording.signal).annotations
    ]


def _pair(recording: Recording, marks: Iterable[_Mark], settings: SeegSettings) -> list[Seizure]:
    """Turn marks into seizures, joining a mark of an onset with the next mark of an end."""
    found: list[Seizure] = []
    for mark in sorted(marks, key=lambda m: m.onset_s):
        if not is_seizure(mark.text, settings.seizure_words):
            continue
        if _tokens(mark.text) & _END and not mark.duration_s > 0:
            if found and math.isnan(found[-1].duration_s):
                open_one = found.pop()
                found.append(_seizure(recording, open_one, mark.onset_s - open_one.onset_s))
            continue
        duration = mark.duration_s if mark.duration_s > 0 else math.nan
        found.append(Seizure(recording, mark.onset_s, duration, mark.text, mark.source))
    return found


def _seizure(recording: Recording, start: Seizure, duration_s: float) -> Seizure:
    return Seizure(recording, start.onset_s, duration_s, start.kind, start.source)


def require_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Return the seizures, of which there must be one.

    Raises
    ------
    InputError
        No seizure is marked.
    """
    seizures = find_seizures(files, settings)
    if seizures:
        return seizures
    ends = find_lone_ends(files, settings)
    tables = [r.events.name for r in files.recordings if r.events is not None]
    raise InputError(
        "no seizure is marked",
        where=", ".join(tables) or f"sub-{files.label}/ieeg",
        expected=f"a row with onset, duration and {' or '.join(settings.event_columns)} "
        f"holding the word {' or '.join(settings.seizure_words)}",
        hint="mark the seizure in events.tsv"
        + ("; `virtualbrain seizures` proposes the onset of a lone end" if ends else ""),
    )


def seizure_table(seizures: Sequence[Seizure]) -> pd.DataFrame:
    """Return the seizures as a table (recording, onset_s, duration_s, kind, source)."""
    return pd.DataFrame(
        [
            {
                "recording": s.recording.signal.name,
                "onset_s": s.onset_s,
                "duration_s": s.duration_s,
                "kind": s.kind,
                "source": s.source,
            }
            for s in seizures
        ]
    )
