"""Find identifying information in a patient's files."""

import re
from pathlib import Path
from typing import Any

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
    """Return one line for each header, sidecar or file name with a name or a date.

    Checks headers of recordings (name, birth date), sidecars of recordings and images, free text
    in image headers, and dates in file names. Free text in events and faces in images are not
    checked, so an empty result does not prove that the files are anonymous.

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
    return [*lines, *(f"{name}: the file name contains a date" for name in dated)]


def has_date(path: Path) -> bool:
    """Return whether a file name contains a date (for example in the session label)."""
    return _DATE.search(path.name) is not None


def _recording_lines(path: Path) -> list[str]:
    """Return the personal fields of a recording's header; `check` reports unreadable files."""
    try:
        person = read_header(path).person
    except InputError:
        return []
    return [
        f"{path.name}: the header contains the patient's {key.replace('_', ' ')}" for key in person
    ]


def _sidecar_lines(path: Path) -> list[str]:
    """Return the keys of a sidecar that hold personal data."""
    if not path.is_file():
        return []
    try:
        content = read_json(path)
    except InputError:
        return []
    return [
        f"{path.name}: {key} is not empty"
        for key, value in content.items()
        if PERSONAL_KEYS.search(key) and str(value).strip().casefold() not in _EMPTY
    ]


def _image_lines(path: Path) -> list[str]:
    """Return the fields of an image header that contain a date or a name."""
    from nibabel import load  # slow to import, as the next
    from nibabel.filebasedimages import ImageFileError

    try:
        header: Any = load(path).header
    except (OSError, ImageFileError):
        return []
    lines = []
    for key in ("descrip", "aux_file", "db_name", "intent_name"):
        if key not in header:
            continue
        text = bytes(header[key].tobytes()).decode("latin-1").strip("\x00 ")
        if _DATE.search(text) or "^" in text:
            lines.append(f"{path.name}: the header field {key} contains a name or a date")
    return lines
