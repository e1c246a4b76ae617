"""Find a patient's seizures in events.tsv or in the annotations of the recording."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.recordings import read_header
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.settings import SeegSettings

_NOT = {"no", "non", "not", "post", "pre", "interictal", "postictal", "preictal", "after", "before"}
_END = {"offset", "end", "stop", "off", "termination"}
_CODE = re.compile(r"sz(?:_[a-z]{1,4})*")


@dataclass(frozen=True)
class Seizure:
    """One marked seizure; `duration_s` is NaN if its offset is not marked."""

    recording: Recording
    onset_s: float
    duration_s: float
    kind: str
    source: str

    @property
    def offset_s(self) -> float:
        """Offset of the seizure, in seconds from the first sample of the recording."""
        return self.onset_s + self.duration_s


@dataclass(frozen=True)
class _Mark:
    """One event of events.tsv or of the recording's annotations."""

    onset_s: float
    duration_s: float
    text: str
    source: str


def find_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Find every marked seizure of a patient, in the order of recordings and time.

    A row of events.tsv is a seizure if one of `settings.event_columns` contains one of
    `settings.seizure_words` as a separate word (``sz_foc_ia`` contains ``sz``). Two events
    without duration, such as *seizure onset* and *seizure offset*, form one seizure. Annotations
    of the recording are used only if there is no events.tsv.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Columns and words that mark a seizure.

    Returns
    -------
    tuple of Seizure
        Empty if no seizure is marked.

    Raises
    ------
    InputError
        An events.tsv cannot be read, or a seizure has no onset.
    """
    found: list[Seizure] = []
    for recording in files.recordings:
        found += _pair(recording, _marks(recording, settings), settings)
    return tuple(found)


def find_ends_without_onset(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Find marked offsets without a preceding onset; `onset_s` is the time of the offset.

    Raises
    ------
    InputError
        An events.tsv cannot be read.
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
    """List the marks of a recording: from events.tsv or, without it, from the annotations."""
    if recording.events is None:
        return _file_marks(recording)
    return _table_marks(recording.events, settings)


def is_seizure(text: str, words: Sequence[str]) -> bool:
    """Return whether a text marks a seizure (*post-seizure* does not)."""
    tokens = _tokens(text)
    return bool(tokens & {word.casefold() for word in words}) and not tokens & _NOT


def seizure_mark(text: str, words: Sequence[str]) -> str | None:
    """Return the standard mark of a seizure, without any other text; None if it is no seizure.

    Codes such as ``sz_foc_ia`` are kept. *seizure onset, noted by Dr X* becomes ``seizure``, a
    marked end ``seizure offset``.
    """
    if not is_seizure(text, words):
        return None
    if _CODE.fullmatch(text.strip()):
        return text.strip()
    word = "seizure" if "seizure" in words else words[0]
    return f"{word} offset" if _tokens(text) & _END else word


def _tokens(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


def _table_marks(events: Path, settings: SeegSettings) -> list[_Mark]:
    """List the seizure marks of events.tsv."""
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
                "the seizure has no onset",
                where=where,
                expected="onset in seconds from the first sample of the recording",
                hint="enter the onset",
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
    """List the annotations of the recording as marks."""
    return [
        _Mark(mark.onset_s, mark.duration_s, mark.text.split("/", 1)[-1], recording.signal.name)
        for mark in read_header(recording.signal).annotations
    ]


def _pair(recording: Recording, marks: Iterable[_Mark], settings: SeegSettings) -> list[Seizure]:
    """Form seizures from marks: join a marked onset with the next marked end."""
    found: list[Seizure] = []
    for mark in sorted(marks, key=lambda m: m.onset_s):
        if not is_seizure(mark.text, settings.seizure_words):
            continue
        if _tokens(mark.text) & _END and not mark.duration_s > 0:
            if found and math.isnan(found[-1].duration_s):
                start = found.pop()
                found.append(replace(start, duration_s=mark.onset_s - start.onset_s))
            continue
        duration = mark.duration_s if mark.duration_s > 0 else math.nan
        found.append(Seizure(recording, mark.onset_s, duration, mark.text, mark.source))
    return found


def require_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Return the seizures of a patient; there must be at least one.

    Raises
    ------
    InputError
        No seizure is marked.
    """
    seizures = find_seizures(files, settings)
    if not seizures:
        raise no_seizure_error(files, settings)
    return seizures


def no_seizure_error(files: PatientFiles, settings: SeegSettings) -> InputError:
    """Return the error for a patient without a marked seizure."""
    ends = find_ends_without_onset(files, settings)
    tables = [r.events.name for r in files.recordings if r.events is not None]
    return InputError(
        "no seizure is marked",
        where=", ".join(tables) or f"sub-{files.label}/ieeg",
        expected="a row with onset, duration, and the word "
        f"{' or '.join(settings.seizure_words)} in {' or '.join(settings.event_columns)}",
        hint="mark the seizure in events.tsv"
        + (" (`virtualbrain seizures` proposes the missing onset of a marked end)" if ends else ""),
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
