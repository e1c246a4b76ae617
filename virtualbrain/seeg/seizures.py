"""Find a patient's seizures in events.tsv or in the annotations of the recording."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.mark_words import folded, tokens, words_in
from virtualbrain.io.recordings import RecordingHeader, read_header
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.names import rows_of
from virtualbrain.seeg.settings import SeegSettings

_SAME_SEIZURE_S = 60.0
"""Marks without an end within this time are marks of one seizure (electrical, clinical onset)."""
_TOUCH_S = 1.0
"""Seizures with a shorter time between them are parts of one seizure."""
_AGREE_S = 0.05
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


@dataclass(frozen=True)
class SeizureMarks:
    """What is marked in a patient's recordings.

    Parameters
    ----------
    seizures : tuple of Seizure
        Seizures in the order of recordings and time.
    ends : tuple of Seizure
        Marked offsets without an onset; `onset_s` is the time of the offset.
    notes : tuple of str
        Marks that were joined, left out or converted.
    remarks : tuple of str
        Places of remarks of zero duration, which are not seizures.
    """

    seizures: tuple[Seizure, ...]
    ends: tuple[Seizure, ...]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]


def read_marks(files: PatientFiles, settings: SeegSettings) -> SeizureMarks:
    """Read every seizure mark of a patient.

    A row of events.tsv is a mark if one of `settings.event_columns` contains one of
    `settings.seizure_words` as a separate word (``sz_foc_ia`` contains ``sz``). Marks that overlap
    or are repeated are one seizure. Two marks without duration, such as *seizure onset* and
    *seizure offset*, form one seizure. A mark of an end never starts a seizure. A mark of zero
    duration without a word for onset and without an end is a remark, and no seizure unless
    `settings.zero_duration_is_seizure`. Annotations of the recording are used only if there is no
    events.tsv; a recording without one that cannot be read is left out if another has a seizure.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Columns and words that mark a seizure.

    Raises
    ------
    InputError
        An events.tsv cannot be read, a seizure has no onset, or times after a pause of the
        recording can be read in two ways.
    """
    found, unreadable = [], []
    for recording in files.recordings:
        if recording.events is None:
            try:
                read_header(recording.signal)
            except InputError as error:
                unreadable.append(error)
                continue
        found.append(_read_recording(recording, settings))
    if unreadable and not any(one.seizures for one in found):
        raise unreadable[0]
    left_out = [f"left out, because there is no events.tsv and {error}" for error in unreadable]
    return SeizureMarks(
        seizures=tuple(s for one in found for s in one.seizures),
        ends=tuple(s for one in found for s in one.ends),
        notes=(*left_out, *(n for one in found for n in one.notes)),
        remarks=tuple(r for one in found for r in one.remarks),
    )


def find_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Return every marked seizure; see `read_marks`."""
    return read_marks(files, settings).seizures


def find_ends_without_onset(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Return marked offsets without a preceding onset; see `read_marks`."""
    return read_marks(files, settings).ends


def _read_recording(recording: Recording, settings: SeegSettings) -> SeizureMarks:
    """Read the marks of a recording: from events.tsv or, without it, from the annotations."""
    notes: list[str] = []
    if recording.events is None:
        marks = _file_marks(recording)
    else:
        stated = _table_marks(recording.events, settings)
        marks, notes = _in_signal_time(recording, stated, settings)
    joined = _Joiner(recording, settings)
    for mark in sorted(marks, key=lambda m: m.onset_s):
        if is_seizure(mark.text, settings.seizure_words):
            joined.add(mark)
    joined.close()
    if joined.remarks and not settings.zero_duration_is_seizure:
        joined.notes.append(
            f"remarks of zero duration, not taken as seizures: {', '.join(joined.remarks)} "
            "(seeg.zero_duration_is_seizure: true takes them)"
        )
    return SeizureMarks(
        tuple(joined.found), tuple(joined.ends), (*notes, *joined.notes), tuple(joined.remarks)
    )


def is_seizure(text: str, words: Sequence[str]) -> bool:
    """Return whether a text marks a seizure (*post-seizure* does not)."""
    found = tokens(text)
    return bool(found & {folded(word) for word in words}) and not found & words_in(found).none


def seizure_mark(text: str, words: Sequence[str]) -> str | None:
    """Return the standard mark of a seizure, without any other text; None if it is no seizure.

    Codes such as ``sz_foc_ia`` are kept. *seizure onset, noted by Dr X* becomes ``seizure onset``,
    a marked end ``seizure offset``.
    """
    if not is_seizure(text, words):
        return None
    if _CODE.fullmatch(text.strip()):
        return text.strip()
    word = "seizure" if "seizure" in words else words[0]
    if is_end(text):
        return f"{word} offset"
    return f"{word} onset" if _starts(text) else word


def is_end(text: str) -> bool:
    """Return whether a text marks the end of a seizure (*onset to end* does not)."""
    found = tokens(text)
    return bool(found & words_in(found).end) and not _starts(text)


def _starts(text: str) -> bool:
    """Return whether a text has a word for the start of a seizure."""
    found = tokens(text)
    return bool(found & words_in(found).start)


def _table_marks(events: Path, settings: SeegSettings) -> list[_Mark]:
    """List the seizure marks of events.tsv."""
    table = read_table(events, ["onset", "duration"], settings.event_columns)
    columns = [name for name in settings.event_columns if name in table]
    marks: list[_Mark] = []
    without_onset: list[int] = []
    wrong: dict[int, str] = {}
    for position in range(len(table)):
        text = " ".join(str(table[c].iloc[position]) for c in columns)
        if not is_seizure(text, settings.seizure_words):
            continue
        where = f"{events.name}, row {position + 2}"
        try:
            onset = _number(table["onset"].iloc[position], "onset")
            duration = _number(table["duration"].iloc[position], "duration")
        except ValueError as error:
            wrong[position + 2] = str(error)
            continue
        if math.isnan(onset):
            without_onset.append(position + 2)
        marks.append(_Mark(onset, duration, text, where))
    if wrong:
        raise _no_number_error(wrong, events.name)
    if without_onset:
        one = len(without_onset) == 1
        raise InputError(
            "the seizure has no onset" if one else f"{len(without_onset)} seizures have no onset",
            where=f"{events.name}, {rows_of(without_onset)}",
            expected="onset in seconds from the first sample of the recording",
            hint="enter the onset",
        )
    return marks


def _number(cell: object, column: str) -> float:
    """Return a cell as a number, NaN if it is empty or n/a; ValueError names any other text."""
    text = str(cell).strip()
    if cell is None or text.casefold() in ("", "n/a", "na", "nan", "none"):
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"the {column} of the seizure is {text!r}") from None


def _no_number_error(wrong: Mapping[int, str], where: str) -> InputError:
    """Return the error for all rows in which a time is no number."""
    return InputError(
        "; ".join(wrong.values()),
        where=f"{where}, {rows_of(list(wrong))}",
        expected="a number of seconds, or n/a",
        hint="write a decimal point"
        if any("," in text for text in wrong.values())
        else "enter the seconds",
    )


def _in_signal_time(
    recording: Recording, marks: list[_Mark], settings: SeegSettings
) -> tuple[list[_Mark], list[str]]:
    """Convert the times of events.tsv to the time of a signal with pauses.

    Clock time and time of the signal differ after the first pause only. Without
    `settings.event_clock`, the annotations of the recording decide.
    """
    header = _header_with_pauses(recording)
    if header is None or header.clock is None:
        return marks, []
    first_s = header.pauses[0].at_s
    late = [mark for mark in marks if mark.onset_s > first_s or _end_of(mark) > first_s]
    if not late or settings.event_clock == "signal":
        return marks, []
    clock = header.clock
    converted = [
        replace(
            mark,
            onset_s=clock.to_signal(mark.onset_s),
            duration_s=clock.to_signal(_end_of(mark)) - clock.to_signal(mark.onset_s)
            if mark.duration_s > 0
            else mark.duration_s,
        )
        for mark in marks
    ]
    note = f"{recording.signal.name}: times of events.tsv converted from clock time"
    if settings.event_clock == "clock":
        return converted, [note]
    own = [a.onset_s for a in header.annotations if is_seizure(a.text, settings.seizure_words)]
    as_clock = all(_near(clock.to_signal(mark.onset_s), own) for mark in late)
    as_signal = all(_near(mark.onset_s, own) for mark in late)
    if as_clock and not as_signal:
        return converted, [f"{note}, as the annotations of the recording show"]
    if as_signal and not as_clock:
        return marks, []
    pause = header.pauses[0]
    raise InputError(
        f"{recording.signal.name} has pauses (the first at {pause.at_s:g} s for "
        f"{pause.length_s:g} s), and the times of the seizures after it may or may not "
        "include them",
        where=", ".join(mark.source for mark in late),
        expected="seeg.event_clock: clock or signal",
        hint="set clock if the times include the pauses, signal if they count samples",
    )


def _header_with_pauses(recording: Recording) -> RecordingHeader | None:
    """Return the header of a recording with pauses; None for others and unreadable ones."""
    if recording.signal.suffix.lower() not in (".edf", ".bdf"):
        return None  # other formats give no clock time
    try:
        header = read_header(recording.signal)
    except InputError:
        return None  # reported by the check of the recording
    return header if header.pauses else None


def _end_of(mark: _Mark) -> float:
    return mark.onset_s + (mark.duration_s if mark.duration_s > 0 else 0.0)


def _near(time_s: float, times_s: Iterable[float]) -> bool:
    return any(abs(time_s - other) <= _AGREE_S for other in times_s)


def _file_marks(recording: Recording) -> list[_Mark]:
    """List the annotations of the recording as marks."""
    return [
        _Mark(
            mark.onset_s,
            mark.duration_s,
            mark.text.split("/", 1)[-1],
            f"{recording.signal.name} at {mark.onset_s:g} s",
        )
        for mark in read_header(recording.signal).annotations
    ]


class _Joiner:
    """Form seizures from marks that are added in the order of time."""

    def __init__(self, recording: Recording, settings: SeegSettings) -> None:
        self.recording, self.settings = recording, settings
        self.found: list[Seizure] = []
        self.ends: list[Seizure] = []
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self._open: _Mark | None = None
        self._sources: list[str] = []

    def add(self, mark: _Mark) -> None:
        """Add a mark: an end, a seizure with duration, or an onset or remark without."""
        if is_end(mark.text):
            self._end(mark)
        elif mark.duration_s > 0:
            self._span(mark)
        else:
            self._point(mark)

    def close(self) -> None:
        """Finish the seizure that has no end yet."""
        if self._open is None:
            self._note_joined()
        self._flush()
        self._note_joined()

    def _end(self, mark: _Mark) -> None:
        if self._open is not None:
            start, self._open = self._open, None
            self._append(start, mark.onset_s - start.onset_s)
        elif not self._within_last(mark):
            end = Seizure(self.recording, mark.onset_s, math.nan, mark.text, mark.source)
            self.ends.append(end)

    def _span(self, mark: _Mark) -> None:
        if self._open is not None and self._is_near(self._open, mark):
            start, self._open = self._open, None
            if self._is_onset(start):
                self._sources.append(mark.source)
                self._append(start, mark.onset_s + mark.duration_s - start.onset_s)
                return
            self.remarks += self._sources
            self._sources = []
        self._flush()
        if not self._within_last(mark):
            self._note_joined()
            self._sources = [mark.source]
            self._append(mark, mark.duration_s)
            return
        last = self.found.pop()
        self._sources.append(mark.source)
        stop_s = max(last.offset_s, mark.onset_s + mark.duration_s)
        self.found.append(replace(last, duration_s=stop_s - last.onset_s))

    def _point(self, mark: _Mark) -> None:
        if self._within_last(mark):
            self._sources.append(mark.source)
            return
        if self._open is not None and self._is_near(self._open, mark):
            if self._is_onset(self._open) or not self._is_onset(mark):
                self._sources.append(mark.source)
                return
            self.remarks += self._sources
            self._open, self._sources = None, []
        self._flush()
        self._note_joined()
        self._open, self._sources = mark, [mark.source]

    def _flush(self) -> None:
        """Take the open mark as a seizure without a marked end, or as a remark."""
        mark, self._open = self._open, None
        if mark is None:
            return
        if self._is_onset(mark):
            self._append(mark, math.nan)
        else:
            self.remarks += self._sources
            self._sources = []

    def _append(self, mark: _Mark, duration_s: float) -> None:
        self.found.append(Seizure(self.recording, mark.onset_s, duration_s, mark.text, mark.source))

    def _note_joined(self) -> None:
        """Note the marks that form the last seizure, if they are several."""
        if len(self._sources) > 1 and self.found:
            last = self.found[-1]
            self.notes.append(
                f"{len(self._sources)} marks of one seizure at {last.onset_s:g} s: "
                f"{', '.join(self._sources)}"
            )
        self._sources = []

    def _within_last(self, mark: _Mark) -> bool:
        """Return whether a mark begins within the last seizure or directly after it."""
        if self._open is not None or not self.found:
            return False
        return mark.onset_s <= self.found[-1].offset_s + _TOUCH_S

    @staticmethod
    def _is_near(first: _Mark, second: _Mark) -> bool:
        return second.onset_s - first.onset_s <= _SAME_SEIZURE_S

    def _is_onset(self, mark: _Mark) -> bool:
        """Return whether a mark without duration begins a seizure although no end follows."""
        found = tokens(mark.text)
        return (
            mark.duration_s != 0
            or (_starts(mark.text) and not found & words_in(found).end)
            or self.settings.zero_duration_is_seizure
        )


def require_seizures(files: PatientFiles, settings: SeegSettings) -> tuple[Seizure, ...]:
    """Return the seizures of a patient; there must be at least one.

    Raises
    ------
    InputError
        No seizure is marked.
    """
    return require_marks(files, settings).seizures


def require_marks(files: PatientFiles, settings: SeegSettings) -> SeizureMarks:
    """Return the marks of a patient with at least one seizure.

    Raises
    ------
    InputError
        No seizure is marked.
    """
    marks = read_marks(files, settings)
    if not marks.seizures:
        raise no_seizure_error(files, settings, marks)
    return marks


def no_seizure_error(
    files: PatientFiles, settings: SeegSettings, marks: SeizureMarks
) -> InputError:
    """Return the error for a patient without a marked seizure."""
    tables = [r.events.name for r in files.recordings if r.events is not None]
    hint = _hint_on_columns(files, settings) or "mark the seizure in events.tsv"
    if marks.ends:
        hint += " (`virtualbrain seizures` proposes the missing onset of a marked end)"
    if marks.remarks:
        hint += (
            f", with its duration; {', '.join(marks.remarks)} is a remark of zero duration, "
            "which seeg.zero_duration_is_seizure: true takes as a seizure"
        )
    return InputError(
        "no seizure is marked",
        where=", ".join(tables) or f"sub-{files.label}/ieeg",
        expected="a row with onset, duration, and a word of seeg.seizure_words "
        f"({', '.join(settings.seizure_words)}) in {' or '.join(settings.event_columns)}",
        hint=hint,
    )


def _hint_on_columns(files: PatientFiles, settings: SeegSettings) -> str:
    """Return a hint if other columns of events.tsv than the configured ones mark a seizure."""
    found: dict[str, None] = {}
    for recording in files.recordings:
        if recording.events is None:
            continue
        table = read_table(recording.events)
        for column in table:
            texts = [str(cell) for cell in table[column]]
            if any(is_seizure(text, settings.seizure_words) for text in texts):
                found.setdefault(str(column))
    names = ", ".join(found)
    return f"set seeg.event_columns: [{names}], which mentions a seizure" if found else ""


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
