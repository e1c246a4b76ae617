"""Copy recordings without name, birth date, true dates and free text; keep the signal."""

import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import BinaryIO

from virtualbrain.errors import InputError
from virtualbrain.io.brainvision import read_brainvision
from virtualbrain.io.text import decode, read_text
from virtualbrain.seeg.seizures import seizure_mark

Words = tuple[str, ...]
_EDF_FIRST = date(1985, 1, 1)  # earliest date that an EDF header can hold
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_KEPT_SECTIONS = ("common infos", "binary infos", "ascii infos", "channel infos", "coordinates")
_BLOCK_RECORDS = 256


def copy_recording(source: Path, target: Path, shift_days: int, words: Words) -> list[str]:
    """Copy a recording without identifying information.

    Parameters
    ----------
    source, target : Path
        BrainVision header, EDF, BDF or FIF, and its copy in the same format.
    shift_days : int
        Number of days by which all dates are moved into the past.
    words : tuple of str
        Words that mark a seizure; all other annotations of the file are removed.

    Returns
    -------
    list of str
        Description of each change.

    Raises
    ------
    InputError
        The format is not supported, or the header cannot be read.
    """
    copiers: dict[str, Callable[[Path, Path, int, Words], list[str]]] = {
        ".edf": _copy_edf,
        ".bdf": _copy_edf,
        ".vhdr": _copy_brainvision,
        ".fif": _copy_fif,
    }
    if source.suffix.lower() not in copiers:
        raise InputError(
            f"recordings in the format {source.suffix} cannot be de-identified",
            where=source.name,
            expected="BrainVision, EDF, BDF or FIF",
            hint="convert the recording first",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    return copiers[source.suffix.lower()](source, target, shift_days, words)


# ---- EDF and BDF ----------------------------------------------------------------------------


def _copy_edf(source: Path, target: Path, shift_days: int, words: Words) -> list[str]:
    """Copy an EDF or BDF; clear patient, recording and transducers, shift dates, clean marks."""
    with source.open("rb") as reader, target.open("wb") as writer:
        head = reader.read(256)
        try:
            n_signals, start = int(head[252:256]), _edf_date(head[168:176])
            signals = reader.read(256 * n_signals)
            labels = [signals[16 * i : 16 * i + 16].decode("latin-1") for i in range(n_signals)]
            at = 216 * n_signals
            counts = [int(signals[at + 8 * i : at + 8 * i + 8]) for i in range(n_signals)]
        except ValueError:
            raise InputError(
                "the header cannot be read",
                where=source.name,
                expected="a valid EDF or BDF header",
                hint="export the recording again",
            ) from None
        moved = max(start - timedelta(days=shift_days), _EDF_FIRST)
        writer.write(_edf_head(head, moved))
        transducers = slice(16 * n_signals, 96 * n_signals)
        writer.write(signals[: transducers.start] + b" " * (80 * n_signals))
        writer.write(signals[transducers.stop :])
        size = 3 if source.suffix.lower() == ".bdf" else 2
        marks = [i for i, name in enumerate(labels) if name.strip().endswith("Annotations")]
        dropped = _copy_records(reader, writer, [size * n for n in counts], marks, words)
    changes = ["patient and recording fields cleared", "dates shifted", "transducers cleared"]
    return changes + ([f"{dropped} annotations other than seizures removed"] if dropped else [])


def _edf_date(field: bytes) -> date:
    day, month, year = (int(part) for part in field.decode("ascii").split("."))
    return date(1900 + year if year >= 85 else 2000 + year, month, day)


def _edf_head(head: bytes, moved: date) -> bytes:
    """Return the fixed part of the header with empty patient and recording fields."""
    day = f"{moved.day:02d}-{_MONTHS[moved.month - 1]}-{moved.year}"
    recording = f"Startdate {day} X X X".encode().ljust(80)
    start = f"{moved.day:02d}.{moved.month:02d}.{moved.year % 100:02d}".encode()
    return head[:8] + b"X X X X".ljust(80) + recording + start + head[176:]


def _copy_records(
    reader: BinaryIO, writer: BinaryIO, sizes: list[int], marks: list[int], words: Words
) -> int:
    """Copy the data records with cleaned annotations; return how many were removed."""
    dropped, record = 0, sum(sizes)
    while block := bytearray(reader.read(record * _BLOCK_RECORDS)):
        for start in range(0, len(block), record):
            for signal in marks:
                begin = start + sum(sizes[:signal])
                field = slice(begin, begin + sizes[signal])
                cleaned, n = _clean_annotations(bytes(block[field]), words, Path(reader.name).name)
                block[field] = cleaned
                dropped += n
        writer.write(block)
    return dropped


def _clean_annotations(field: bytes, words: Words, file: str) -> tuple[bytes, int]:
    """Return an annotation field with time and seizures only, and the number removed."""
    kept, dropped = b"", 0
    for entry in filter(None, field.split(b"\x00")):
        when, *texts = entry.split(b"\x14")
        marks = [seizure_mark(decode(text)[0], words) for text in texts if text]
        plain = [mark.encode() for mark in marks if mark is not None]
        dropped += len(marks) - len(plain)
        if not kept or plain:  # the first entry is the time of the record
            empty = [b""] if entry.startswith(when + b"\x14\x14") else []
            kept += b"\x14".join([when, *empty, *plain, b""]) + b"\x00"
    if len(kept) > len(field):
        raise InputError(
            "a standard name of a seizure does not fit into the annotations of the recording",
            where=file,
            expected="annotations with some free space",
            hint="export the recording with more space for annotations, or as BrainVision",
        )
    return kept.ljust(len(field), b"\x00"), dropped


# ---- BrainVision ----------------------------------------------------------------------------


def _copy_brainvision(source: Path, target: Path, shift_days: int, words: Words) -> list[str]:
    """Copy a BrainVision header, markers and signal without comments and user sections."""
    lines = read_text(source).splitlines()
    own = read_brainvision(source)
    parts = {"datafile": ".eeg", "markerfile": ".vmrk"}
    kept, section = [], ""
    for line in lines:
        heading = re.match(r"\s*\[(.+)\]", line)
        section = heading[1].strip().casefold() if heading else section
        key = line.partition("=")[0].casefold()
        if key in parts:
            line = f"{line.partition('=')[0]}={target.stem}{parts[key]}"
        if line.startswith(";") or key == "codepage":
            continue
        if not section or section in _KEPT_SECTIONS:
            kept.append(line)
        if heading and section == "common infos":
            kept.append("Codepage=UTF-8")
    target.write_text("\n".join(kept) + "\n", encoding="utf-8")
    shutil.copyfile(own.signal, target.with_suffix(".eeg"))
    changes = ["comments removed", "dates shifted"]
    if own.markers is not None:
        dropped = _copy_markers(own.markers, target, shift_days, words)
        changes += [f"{dropped} annotations other than seizures removed"] if dropped else []
    return changes


def _copy_markers(source: Path, target: Path, shift_days: int, words: Words) -> int:
    """Write segments with shifted dates and seizures; return how many markers were removed."""
    kept, dropped = [], 0
    for line in read_text(source).splitlines():
        mark = re.match(r"Mk\d+=([^,]*),([^,]*),(.*)", line)
        if mark is None:
            continue
        kind, text, position = mark.groups()
        if kind == "New Segment":
            kept.append(f"{kind},,{_shifted_position(position, shift_days)}")
        elif (plain := seizure_mark(text, words)) is not None:
            kept.append(f"Comment,{plain},{position}")
        else:
            dropped += 1
    head = [
        "Brain Vision Data Exchange Marker File, Version 1.0\n\n[Common Infos]\nCodepage=UTF-8",
        f"DataFile={target.stem}.eeg\n\n[Marker Infos]",
    ]
    rows = [f"Mk{i}={row}" for i, row in enumerate(kept, start=1)]
    target.with_suffix(".vmrk").write_text("\n".join([*head, *rows]) + "\n", encoding="utf-8")
    return dropped


def _shifted_position(position: str, shift_days: int) -> str:
    """Shift the date at the end of a new segment's entry (YYYYMMDDhhmmss...)."""
    head, _, stamp = position.rpartition(",")
    try:
        day = date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8])) - timedelta(days=shift_days)
    except ValueError:
        return f"{head},0" if len(stamp) > 8 else position
    return f"{head},{day:%Y%m%d}{stamp[8:]}"


# ---- FIF ------------------------------------------------------------------------------------


def _copy_fif(source: Path, target: Path, shift_days: int, words: Words) -> list[str]:
    """Copy a FIF, anonymised by MNE, with the seizures of its annotations."""
    import mne

    raw = mne.io.read_raw(source, preload=False, verbose="error")
    texts = [seizure_mark(str(text), words) for text in raw.annotations.description]
    kept = raw.annotations[[i for i, text in enumerate(texts) if text is not None]]
    kept.description = [text for text in texts if text is not None]
    raw.set_annotations(kept, verbose="error")
    raw.anonymize(daysback=shift_days, verbose="error")
    raw.save(target, fmt="single" if raw.orig_format == "single" else "double", verbose="error")
    dropped = len(texts) - len(kept)
    changes = ["subject and operator removed", "dates shifted"]
    return changes + ([f"{dropped} annotations other than seizures removed"] if dropped else [])
