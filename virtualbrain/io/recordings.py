"""Recordings: header and stretches of signal, in volts, whatever the format."""

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
from virtualbrain.io.bids import Recording, json_beside
from virtualbrain.io.tables import read_table

_EDF_BLOCK = 256  # bytes of the header, and of what it says of each signal

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Annotation:
    """A mark inside the recording; `onset_s` from its first sample."""

    onset_s: float
    duration_s: float
    text: str


@dataclass(frozen=True)
class RecordingHeader:
    """What a recording says of itself.

    `units` holds the unit of each channel as the file states it, where it does; `person` what
    the file says about the patient, empty when it says nothing.
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
        """Length of the recording."""
        return self.n_samples / self.rate_hz


def read_header(path: Path | str) -> RecordingHeader:
    """Read names, rate, length, units and marks of a recording, not its signal.

    Parameters
    ----------
    path : Path or str
        Any recording that MNE reads (BrainVision, EDF, BDF, FIF, EEGLAB, NWB, MEF3, ...).

    Raises
    ------
    InputError
        No such file, a format that cannot be read, or a channel name that stands twice.
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
    """Read some channels of a recording between two times.

    Parameters
    ----------
    path : Path or str
        The recording.
    names : sequence of str
        Channels, spelt as in the file; the rows come in this order.
    start_s, stop_s : float
        From the first sample; cut to what was recorded.

    Returns
    -------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        In volts.
    times_s : numpy.ndarray, shape (n_samples,)
        From the first sample of the recording.

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
            hint="check that the file was copied whole",
        ) from error
    signal = np.asarray(rows, dtype=np.float64)[np.argsort(np.argsort(order))]
    return signal, np.arange(start, stop) / rate_hz


def read_channels_table(recording: Recording) -> pd.DataFrame | None:
    """Read channels.tsv; None where the recording has none.

    Names are text, types upper case, a missing status is ``good``.

    Raises
    ------
    InputError
        The table cannot be read or lacks name or type.
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
    """Read the JSON beside a recording; empty where there is none.

    Raises
    ------
    InputError
        It is not a JSON object.
    """
    path = json_beside(recording.signal)
    return read_json(path) if path.is_file() else {}


def _open(path: Path) -> Any:
    """Open a recording without its signal."""
    import mne  # slow to import; the seizure table must be readable without it

    if not path.exists():
        raise InputError("no such recording", where=str(path), hint="check the path")
    if path.suffix == ".vhdr":
        _require_parts_beside(path)
    if path.suffix.lower() in (".edf", ".bdf"):
        _require_whole_header(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            raw = mne.io.read_raw(path, preload=False, verbose="warning")
    except Exception as error:  # readers raise anything on a broken file
        raise InputError(
            f"the recording cannot be read ({str(error).splitlines()[0]})",
            where=path.name,
            expected="a recording that MNE reads, all of its files beside it",
            hint="check that every file was copied whole",
        ) from error
    doubled = [str(w.message) for w in caught if "not unique" in str(w.message)]
    if doubled:
        raise InputError(
            f"a channel name stands twice ({doubled[0].split(':', 1)[-1].strip()})",
            where=path.name,
            expected="one name per channel",
            hint="rename the channels in the recording and in channels.tsv",
        )
    return raw


def _require_parts_beside(header: Path) -> None:
    """Refuse a BrainVision header whose other files do not lie beside it."""
    for line in header.read_text("utf-8", errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("DataFile", "MarkerFile") and Path(value).name != value.strip():
            raise InputError(
                f"{key.strip()} names a file of another folder",
                where=header.name,
                expected="a file beside the header",
                hint="write the bare name of the file",
            )


def _require_whole_header(path: Path) -> None:
    """Refuse an EDF or BDF that ends before the header of its signals, which MNE reads for long."""
    with path.open("rb") as stream:
        count = stream.read(_EDF_BLOCK)[252:256].strip()
    if count.isdigit() and path.stat().st_size < _EDF_BLOCK * (1 + int(count)):
        raise InputError(
            f"the recording cannot be read: it ends within the header of its {int(count)} signals",
            where=path.name,
            hint="check that every file was copied whole",
        )


def _annotations(raw: Any) -> list[Annotation]:
    """List the marks, their onset counted from the first sample."""
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


_NO_ONE = {"", "x", "n/a", "anonymous", "anonymized", "unknown", "mne_anonymize", "none", "0"}


def _person(raw: Any) -> dict[str, str]:
    """Return what a header says about the patient beyond a pseudonym."""
    info = raw.info.get("subject_info") or {}
    found = {}
    for key in ("last_name", "first_name", "middle_name", "birthday"):
        value = str(info.get(key) or "").strip()
        if value.casefold() not in _NO_ONE and not value.upper().startswith("X_"):
            found[key] = value
    return found
