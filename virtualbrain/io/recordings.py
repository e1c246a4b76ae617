"""Read the header and signal segments of recordings in any format; the signal is in volts."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json as read_json
from virtualbrain.io.bids import Recording, json_beside, require_readable
from virtualbrain.io.tables import read_table

_EDF_BLOCK = 256  # bytes of the fixed header, and of the header of each signal

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Annotation:
    """An annotation of the recording; `onset_s` counts from its first sample."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class RecordingHeader:
    """Header of a recording.

    `units` holds the units of channels that the file states, `person` the patient's personal
    data in the file (empty without any).
    """

    path: Path
    names: tuple[str, ...]
    rate_hz: float
    n_samples: int
    units: dict[str, str]
    annotations: tuple[Annotation, ...]
    person: dict[str, str]

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.n_samples / self.rate_hz


def read_header(path: Path | str) -> RecordingHeader:
    """Read channel names, sampling rate, length, units and annotations, not the signal.

    Parameters
    ----------
    path : Path or str
        BrainVision, EDF, BDF, FIF or EEGLAB.

    Raises
    ------
    InputError
        The file is missing or cannot be read, or a channel name occurs twice.
    """
    raw = _open(Path(path))
    return RecordingHeader(
        path=Path(path),
        names=tuple(raw.ch_names),
        rate_hz=float(raw.info["sfreq"]),
        n_samples=int(raw.n_times),
        units={str(k): str(v) for k, v in (getattr(raw, "_orig_units", None) or {}).items()},
        annotations=tuple(_annotations(raw)),
        person=_person(raw),
    )


def read_signal(
    path: Path | str, names: Sequence[str], start_s: float, stop_s: float
) -> tuple[Signal, Signal]:
    """Read channels of a recording between two times.

    Parameters
    ----------
    path : Path or str
        The recording.
    names : sequence of str
        Channels, spelt as in the file; the rows of the signal have this order.
    start_s, stop_s : float
        Seconds from the first sample; limited to the recording.

    Returns
    -------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal in volts.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the first sample of the recording.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    raw = _open(Path(path))
    rate_hz = float(raw.info["sfreq"])
    start = min(max(round(start_s * rate_hz), 0), raw.n_times)
    stop = min(max(round(stop_s * rate_hz), start), raw.n_times)
    if stop == start:
        return np.zeros((len(names), 0)), np.zeros(0)
    order = [raw.ch_names.index(name) for name in names]
    try:
        rows = raw.get_data(picks=sorted(order), start=start, stop=stop)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the signal cannot be read ({error})",
            where=Path(path).name,
            expected="a complete recording",
            hint="check that the file was copied completely",
        ) from error
    signal = np.asarray(rows, dtype=np.float64)[np.argsort(np.argsort(order))]
    return signal, np.arange(start, stop) / rate_hz


def read_channels_table(recording: Recording) -> pd.DataFrame | None:
    """Read channels.tsv; None if the recording has none.

    Names are text, types are upper case, and a missing status is ``good``.

    Raises
    ------
    InputError
        The table cannot be read, or has no column name or type.
    """
    if recording.channels is None:
        return None
    table = read_table(recording.channels, required=["name", "type"])
    table["name"] = table["name"].astype(str)
    table["type"] = table["type"].astype(str).str.upper()
    if "status" not in table:
        table["status"] = "good"
    table["status"] = [str(s).lower() if isinstance(s, str) else "good" for s in table["status"]]
    return table


def read_recording_sidecar(recording: Recording) -> dict[str, Any]:
    """Read the JSON sidecar of a recording; empty if there is none.

    Raises
    ------
    InputError
        It is not a JSON object.
    """
    path = json_beside(recording.signal)
    return read_json(path) if path.is_file() else {}


def _open(path: Path) -> Any:
    """Open a recording without reading its signal."""
    import mne  # slow to import, and not needed to read events.tsv

    require_readable(path)
    if not path.exists():
        raise InputError(
            "no such recording",
            where=str(path),
            expected="an existing file",
            hint="check the path",
        )
    if path.suffix == ".vhdr":
        _require_parts_beside(path)
    if path.suffix.lower() in (".edf", ".bdf"):
        _require_complete_header(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            raw = mne.io.read_raw(path, preload=False, verbose="warning")
    except Exception as error:  # readers raise anything on a broken file
        raise InputError(
            f"the recording cannot be read ({str(error).splitlines()[0]})",
            where=path.name,
            expected="a format that MNE reads, with all files of the recording in one folder",
            hint="check that all files were copied completely",
        ) from error
    duplicates = [str(w.message) for w in caught if "not unique" in str(w.message)]
    if duplicates:
        raise InputError(
            f"a channel name occurs twice ({duplicates[0].split(':', 1)[-1].strip()})",
            where=path.name,
            expected="one name per channel",
            hint="rename one of the channels, in the recording and in channels.tsv",
        )
    return raw


def _require_parts_beside(header: Path) -> None:
    """Raise an error if a BrainVision header names files of another folder."""
    for line in header.read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("DataFile", "MarkerFile") and Path(value).name != value.strip():
            raise InputError(
                f"{key.strip()} names a file of another folder",
                where=header.name,
                expected="a file in the folder of the header",
                hint="enter the file name without a folder, and put the file beside the header",
            )


def _require_complete_header(path: Path) -> None:
    """Raise an error if an EDF or BDF ends within its header; MNE would take long to read it."""
    with path.open("rb") as stream:
        count = stream.read(_EDF_BLOCK)[252:256].strip()
    if count.isdigit() and path.stat().st_size < _EDF_BLOCK * (1 + int(count)):
        raise InputError(
            f"the recording is truncated: it ends within the header of its {int(count)} signals",
            where=path.name,
            expected="a complete recording",
            hint="check that the file was copied completely",
        )


def _annotations(raw: Any) -> list[Annotation]:
    """List the annotations, with onsets from the first sample."""
    shift = raw.first_time if raw.annotations.orig_time is not None else 0.0
    return [
        Annotation(float(onset) - float(shift), float(duration), str(text))
        for onset, duration, text in zip(
            raw.annotations.onset,
            raw.annotations.duration,
            raw.annotations.description,
            strict=True,
        )
    ]


_ANONYMOUS = {"", "x", "n/a", "anonymous", "anonymized", "unknown", "mne_anonymize", "none", "0"}


def _person(raw: Any) -> dict[str, str]:
    """Return the personal data of a header, without pseudonyms."""
    info = raw.info.get("subject_info") or {}
    found = {}
    for key in ("last_name", "first_name", "middle_name", "birthday"):
        value = str(info.get(key) or "").strip()
        if value.casefold() not in _ANONYMOUS and not value.upper().startswith("X_"):
            found[key] = value
    return found
