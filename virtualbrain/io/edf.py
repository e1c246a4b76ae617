"""Read headers, annotations and samples of EDF and BDF files, each channel at its own rate.

The libraries at hand read samples of a slower channel from the start of its record, or give
annotations in clock time although the samples have pauses (EDF+D).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.clock import Clock
from virtualbrain.io.text import decode

_BLOCK = 256  # bytes of the fixed header, and of the header of each signal
_FIELDS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # widths of the fields of a signal's header
_ANNOTATIONS = ("edf annotations", "bdf annotations")
_ENTRY = re.compile(
    rb"^(?P<onset>[+-]\d+(?:\.\d*)?)(?:\x15(?P<duration>\d+(?:\.\d*)?))?\x14(?P<texts>.*)$", re.S
)

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class EdfChannel:
    """One signal of the file.

    `first` and `n` are its first sample in a data record and their number; a digital value d is
    `scale` * d + `offset`, in `unit`.
    """

    name: str
    unit: str
    rate_hz: float
    first: int
    n: int
    scale: float
    offset: float


@dataclass(frozen=True)
class Mark:
    """An annotation in clock time: seconds from the start of the first data record."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class Layout:
    """Place and size of the data records.

    `size` is the number of samples of a record, `width` the number of bytes of a sample.
    """

    header_bytes: int
    n_records: int
    record_s: float
    size: int
    width: int


@dataclass(frozen=True)
class Edf:
    """Header of an EDF or BDF file."""

    path: Path
    patient: str
    channels: tuple[EdfChannel, ...]
    marks: tuple[Mark, ...]
    clock: Clock
    layout: Layout

    @property
    def duration_s(self) -> float:
        """Length of the signal in seconds, without pauses."""
        return self.layout.n_records * self.layout.record_s


def read_edf(path: Path) -> Edf:
    """Read the header and the annotations, not the samples.

    Raises
    ------
    InputError
        The file is not an EDF or BDF, has no complete data record, or its records are not in the
        order of time.
    """
    head, fields = _read_head(path)
    counts = [_integer(cell, path, "number of samples per record") for cell in fields[8]]
    if min(counts) < 0 or sum(counts) < 1:
        raise _broken(path, "it has no signal")
    layout = _layout(path, head, counts)
    first = np.cumsum([0, *counts])
    is_mark = [_text(cell).casefold() in _ANNOTATIONS for cell in fields[0]]
    channels = tuple(
        _channel(path, [column[i] for column in fields], int(first[i]), layout.record_s)
        for i, count in enumerate(counts)
        if count > 0 and not is_mark[i]
    )
    if not channels:
        raise _broken(path, "it has annotations, but no signal")
    marks = np.flatnonzero(is_mark)
    columns = [_column(path, layout, int(first[i]), counts[i]) for i in marks]
    starts, annotations = _annotations(columns)
    fastest = max(channel.rate_hz for channel in channels)
    origin = starts[0] if starts and starts[0] is not None else 0.0
    return Edf(
        path=path,
        patient=head[8:88].decode("latin-1").strip(),
        channels=channels,
        marks=tuple(replace(mark, onset_s=mark.onset_s - origin) for mark in annotations),
        clock=_clock(path, _text(head[192:236]), starts, layout, fastest),
        layout=layout,
    )


def _read_head(path: Path) -> tuple[bytes, list[list[bytes]]]:
    """Return the fixed part of the header, and the cells of each field of the channels."""
    with path.open("rb") as stream:
        head = stream.read(_BLOCK)
        count = _integer(head[252:256], path, "number of signals")
        if count < 1:
            raise _broken(path, f"the number of signals is {count}")
        _require_complete_header(path, count)
        block = stream.read(_BLOCK * count)
    columns, at = [], 0
    for width in _FIELDS:
        columns.append([block[at + i * width : at + (i + 1) * width] for i in range(count)])
        at += width * count
    return head, columns


def _layout(path: Path, head: bytes, counts: Sequence[int]) -> Layout:
    """Return the place and size of the data records; trust the file's size more than the header."""
    header_bytes = _integer(head[184:192], path, "length of the header")
    if header_bytes != _BLOCK * (1 + len(counts)):
        raise _broken(path, f"the header states a length of {header_bytes} bytes")
    width = _sample_bytes(head, path)
    n_records = (path.stat().st_size - header_bytes) // (sum(counts) * width)
    stated = _text(head[236:244])
    if stated.isdecimal():
        n_records = min(n_records, int(stated))
    if n_records < 1:
        raise _broken(path, "it has no complete data record")
    record_s = _number(head[244:252], path, "duration of a record") or 1.0
    if not record_s > 0:
        raise _broken(path, f"the duration of a record is {record_s:g} s")
    return Layout(header_bytes, n_records, record_s, sum(counts), width)


def _sample_bytes(head: bytes, path: Path) -> int:
    """Return the bytes of a sample: by the first byte of the header, else by the file's ending."""
    stated = {b"\xff": 3, b"0": 2}.get(head[:1])
    return stated or (3 if path.suffix.lower() == ".bdf" else 2)


def read_samples(edf: Edf, channel: EdfChannel, start: int, stop: int) -> Signal:
    """Return samples of a channel in its own unit, at its own rate.

    Parameters
    ----------
    edf : Edf
        The file's header.
    channel : EdfChannel
        One of its channels.
    start, stop : int
        First sample, and the sample after the last; limited to the recording.
    """
    stop = min(stop, edf.layout.n_records * channel.n)
    start = min(max(start, 0), stop)
    if start == stop:
        return np.zeros(0)
    records = slice(start // channel.n, -(-stop // channel.n))
    raw = _column(edf.path, edf.layout, channel.first, channel.n, records)
    skipped = records.start * channel.n
    digital = _integers(raw.reshape(-1, edf.layout.width))[start - skipped : stop - skipped]
    return np.asarray(digital * channel.scale + channel.offset)


def _column(
    path: Path, layout: Layout, first: int, n: int, records: slice = slice(None)
) -> NDArray[np.uint8]:
    """Return the bytes of one signal, shape (n_records, n_bytes)."""
    shape = (layout.n_records, layout.size * layout.width)
    mapped = np.memmap(path, np.uint8, "r", offset=layout.header_bytes, shape=shape)
    columns = slice(first * layout.width, (first + n) * layout.width)
    return np.ascontiguousarray(mapped[records, columns])


def _integers(raw: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Convert little-endian samples of two or three bytes, shape (n_samples, n_bytes)."""
    if raw.shape[1] == 2:
        return raw.view("<i2")[:, 0].astype(np.int32)
    padded = np.zeros((len(raw), 4), np.uint8)
    padded[:, 1:] = raw
    return padded.view("<i4")[:, 0] >> 8  # keeps the sign


def _require_complete_header(path: Path, count: int) -> None:
    """Raise an error if the file ends within its header."""
    if count > 0 and path.stat().st_size < _BLOCK * (1 + count):
        raise InputError(
            f"the recording is truncated: it ends within the header of its {count} signals",
            where=path.name,
            expected="a complete recording",
            hint="check that the file was copied completely",
        )


def _channel(path: Path, cells: list[bytes], first: int, record_s: float) -> EdfChannel:
    """Return a channel from the cells of its header."""
    n = int(_text(cells[8]))
    low, high, digital_low, digital_high = (
        _number(cell, path, f"range of {_text(cells[0])}") for cell in cells[3:7]
    )
    # A range of zero has no scale; the digital values are then the signal.
    steps = digital_high - digital_low or 1.0
    scale = ((high - low) or 1.0) / steps
    return EdfChannel(
        name=_text(cells[0]),
        unit=_text(cells[2]),
        rate_hz=n / record_s,
        first=first,
        n=n,
        scale=scale,
        offset=low - digital_low * scale,
    )


def _annotations(
    columns: Sequence[NDArray[np.uint8]],
) -> tuple[list[float | None], list[Mark]]:
    """Return the start of every record (None where it is not stated), and the annotations."""
    starts: list[float | None] = []
    marks: list[Mark] = []
    for position, column in enumerate(columns):
        for row in column:
            start = None
            for number, entry in enumerate(row.tobytes().split(b"\x00")):
                match = _ENTRY.match(entry)
                if match is None:
                    continue
                onset = float(match["onset"])
                texts = match["texts"].split(b"\x14")
                if number == 0 and not texts[0]:
                    start = onset
                duration = float(match["duration"] or 0)
                marks += [Mark(onset, duration, decode(text)[0]) for text in texts if text]
            if position == 0:
                starts.append(start)
    return starts, marks


def _clock(
    path: Path,
    kind: str,
    starts: Sequence[float | None],
    layout: Layout,
    fastest_hz: float,
) -> Clock:
    """Return the times at which the records start, from the first."""
    n_records, record_s = layout.n_records, layout.record_s
    even = np.arange(n_records, dtype=np.float64) * record_s
    if not starts or starts[0] is None:
        return Clock(even, record_s, fastest_hz)
    known = [i for i, start in enumerate(starts) if start is not None]
    stated = np.array([starts[i] for i in known], dtype=np.float64) - float(starts[0])
    # A record without a time follows its predecessor.
    before = np.searchsorted(known, np.arange(n_records), side="right") - 1
    times = stated[before] + even - even[np.array(known)[before]]
    clock = Clock(times, record_s, fastest_hz)
    if clock.in_order:
        return clock
    if not kind.upper().startswith(("EDF+D", "BDF+D")):
        return Clock(even, record_s, fastest_hz)  # stated to have no pauses
    raise InputError(
        "the data records are not in the order of time, or overlap",
        where=path.name,
        expected="records that follow each other, with or without pauses",
        hint="export the recording again",
    )


def _text(cell: bytes) -> str:
    return decode(cell.split(b"\x00")[0])[0].strip()


def _number(cell: bytes, path: Path, what: str) -> float:
    try:
        value = float(_text(cell).replace(",", "."))
    except ValueError:
        raise _broken(path, f"the {what} is {_text(cell)!r}") from None
    if not np.isfinite(value):
        raise _broken(path, f"the {what} is {_text(cell)!r}")
    return value


def _integer(cell: bytes, path: Path, what: str) -> int:
    try:
        return int(_text(cell))
    except ValueError:
        raise _broken(path, f"the {what} is {_text(cell)!r}") from None


def _broken(path: Path, what: str) -> InputError:
    return InputError(
        f"the recording cannot be read ({what})",
        where=path.name,
        expected="a valid EDF or BDF",
        hint="check that the file was copied completely, or export the recording again",
    )
