"""What a patient's files still say about who the patient is."""

import re
from pathlib import Path
from typing import Any

import nibabel as nib

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, json_beside
from virtualbrain.io.recordings import read_header, read_json

PERSONAL_KEYS = re.compile(
    r"patient|birth|^subject_?name|first_?name|last_?name|operator|physician|institution(name|al)"
    r"|accession|serial|acquisition_?date|study_?date|series_?date|content_?date",
    re.IGNORECASE,
)
_EMPTY = ("", "n/a", "anonymous")
_DATE = re.compile(r"(?<!\d)(19|20)\d\d[-./]?(0[1-9]|1[0-2])[-./]?([0-2]\d|3[01])(?!\d)")


def find_personal_data(files: PatientFiles) -> list[str]:
    """Return one line for every place that still names the patient or a date of theirs.

    Looks at recording headers (name, birth date), the sidecars of recordings and images, and
    the free text of image headers, and dates in file names. Finding nothing proves nothing:
    free text in events and faces in images are not looked at.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    """
    lines: list[str] = []
    for recording in files.recordings:
        lines += _recording_lines(recording.signal)
        lines += _sidecar_lines(json_beside(recording.signal))
    images = [files.t1, *(series.image for series in files.dwi)]
    for image in images:
        if image is not None:
            lines += _image_lines(image)
            lines += _sidecar_lines(json_beside(image))
    named = [*images, *(recording.signal for recording in files.recordings)]
    dated = [path.name for path in named if path is not None and has_date(path)]
    return [*lines, *(f"{name}: the file's name holds a date" for name in dated)]


def has_date(path: Path) -> bool:
    """Return whether a file's name holds a date (the session label does at times)."""
    return _DATE.search(path.name) is not None


def _recording_lines(path: Path) -> list[str]:
    """Say what a recording's header holds; one that cannot be read is told by the check."""
    try:
        person = read_header(path).person
    except InputError:
        return []
    return [
        f"{path.name}: the header holds the patient's {key.replace('_', ' ')}" for key in person
    ]


def _sidecar_lines(path: Path) -> list[str]:
    if not path.is_file():
        return []
    try:
        content = read_json(path)
    except InputError:
        return []
    return [
        f"{path.name}: {key} is filled in"
        for key, value in content.items()
        if PERSONAL_KEYS.search(key) and str(value).strip().casefold() not in _EMPTY
    ]


def _image_lines(path: Path) -> list[str]:
    """Say where an image's header holds a date or a name."""
    try:
        header: Any = nib.load(path).header
    except (OSError, nib.filebasedimages.ImageFileError):
        return []
    lines = []
    for key in ("descrip", "aux_file", "db_name", "intent_name"):
        if key not in header:
            continue
        text = bytes(header[key].tobytes()).decode("latin-1").strip("\x00 ")
        if _DATE.search(text) or "^" in text:
            lines.append(f"{path.name}: the header's {key} holds a name or a date")
    return lines
