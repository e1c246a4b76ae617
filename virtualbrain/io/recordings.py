"""Read the header and signal segments of recordings in any format; the signal is in volts."""

import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json as read_json
from virtualbrain.io.bids import Recording, json_beside, require_readable
from virtualbrain.io.brainvision import BrainVision, numbered_header, read_brainvision
from virtualbrain.io.clock import Clock, Pause
from virtualbrain.io.edf import Edf, read_edf, read_samples
from virtualbrain.io.fif import require_tags_in_order
from virtualbrain.io.mat import require_sound_mat
from virtualbrain.io.tables import read_table
from virtualbrain.io.text import is_single_byte

_EDF = (".edf", ".bdf")
_EDGE_TAPS = 20  # samples of the slower rate beside a resampled stretch
_BREAKS = ("new segment/", "boundary", "edge boundary", "bad boundary")
_SKIP = "bad_acq_skip"
_RUNNING_NUMBER = "Applying running numbers for duplicates"

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

    Parameters
    ----------
    path : Path
        The recording.
    names : tuple of str
        Names of the channels as in the file; unused inputs may share a name.
    rates_hz : tuple of float
        Sampling rate of each channel.
    duration_s : float
        Length of the signal without pauses.
    units : dict
        Units that the file states, by channel.
    annotations : tuple of Annotation
        Annotations in seconds of the signal.
    person : dict
        The patient's personal data in the file; empty without any.
    pauses : tuple of Pause
        Where the signal continues after a pause.
    clock : Clock, optional
        Clock time of the signal, if the file states it.
    notes : tuple of str
        What the user should know about the files.
    """

    path: Path
    names: tuple[str, ...]
    rates_hz: tuple[float, ...]
    duration_s: float
    units: dict[str, str]
    annotations: tuple[Annotation, ...]
    person: dict[str, str]
    pauses: tuple[Pause, ...] = ()
    clock: Clock | None = None
    notes: tuple[str, ...] = ()

    @property
    def rate_hz(self) -> float:
        """Sampling rate of the fastest channel."""
        return max(self.rates_hz)

    def stretch(self, time_s: float) -> tuple[float, float]:
        """Return start and end of the signal without a pause that contains a time.

        Parameters
        ----------
        time_s : float
            Seconds from the first sample.
        """
        edges = [0.0, *(pause.at_s for pause in self.pauses), self.duration_s]
        return next(
            ((start, stop) for start, stop in pairwise(edges) if time_s < stop),
            (edges[-2], edges[-1]),
        )


VOLTS = {"v": 1.0, "volt": 1.0, "volts": 1.0, "mv": 1e-3, "millivolt": 1e-3, "nv": 1e-9}
VOLTS |= dict.fromkeys(
    ("µv", "\u03bcv", "uv", "ƒêv", "muv", "microv", "uvolt", "microvolt", "microvolts"), 1e-6
)


def volts_per_unit(unit: str) -> float | None:
    """Return the volts of a unit; None if the unit is unknown or no voltage.

    Parameters
    ----------
    unit : str
        For example ``uV``; micro may be written with either Greek letter, also in Japanese
        encoding (read as ƒÊ).
    """
    return VOLTS.get(unit.strip().lower())


def read_header(path: Path | str) -> RecordingHeader:
    """Read channel names, sampling rates, length, units and annotations, not the signal.

    Parameters
    ----------
    path : Path or str
        BrainVision, EDF, BDF, FIF or EEGLAB.

    Raises
    ------
    InputError
        The file is missing or cannot be read.
    """
    path = Path(path)
    _require_existing(path)
    return _read_header(path, _version(path))


def _version(path: Path) -> tuple[tuple[int, int], ...]:
    """Return date and size of a recording's files, which change when it is written again."""
    parts = [path, *(path.with_suffix(ending) for ending in (".vmrk", ".eeg", ".fdt"))]
    stamps = [part.stat() for part in parts if part.is_file()]
    return tuple((stamp.st_mtime_ns, stamp.st_size) for stamp in stamps)


@lru_cache(maxsize=64)
def _read_header(path: Path, _version: tuple[tuple[int, int], ...]) -> RecordingHeader:
    """Read a header once for every version of a file."""
    if path.suffix.lower() in _EDF:
        return _edf_header(_edf(path))
    raw, names, units, notes = _open(path)
    annotations = tuple(_annotations(raw))
    rate_hz = float(raw.info["sfreq"])
    return RecordingHeader(
        path=path,
        names=names,
        rates_hz=(rate_hz,) * len(names),
        duration_s=raw.n_times / rate_hz,
        units=units,
        annotations=annotations,
        person=_person(raw.info.get("subject_info") or {}),
        pauses=_breaks(annotations),
        notes=notes,
    )


def _edf(path: Path) -> Edf:
    """Read the header of an EDF or BDF once for every version of the file."""
    return _edf_version(path, _version(path))


@lru_cache(maxsize=16)
def _edf_version(path: Path, _version: tuple[tuple[int, int], ...]) -> Edf:
    return read_edf(path)


def _edf_header(edf: Edf) -> RecordingHeader:
    """Return the header of an EDF or BDF, with annotations in the time of the signal."""
    to_signal = edf.clock.to_signal
    annotations = tuple(
        Annotation(
            to_signal(mark.onset_s),
            to_signal(mark.onset_s + mark.duration_s) - to_signal(mark.onset_s),
            mark.text,
        )
        for mark in edf.marks
    )
    pauses = edf.clock.pauses
    total_s = sum(pause.length_s for pause in pauses)
    note = (
        f"{edf.path.name}: pauses of {total_s:g} s in total, the first at {pauses[0].at_s:g} s of "
        "the signal; annotations converted from clock time"
        if pauses
        else ""
    )
    return RecordingHeader(
        path=edf.path,
        names=tuple(channel.name for channel in edf.channels),
        rates_hz=tuple(channel.rate_hz for channel in edf.channels),
        duration_s=edf.duration_s,
        units={channel.name: channel.unit for channel in edf.channels},
        annotations=annotations,
        person=_person(_edf_person(edf.patient)),
        pauses=pauses or _breaks(annotations),
        clock=edf.clock,
        notes=(note,) if note else (),
    )


def read_signal(
    path: Path | str,
    names: Sequence[str],
    start_s: float,
    stop_s: float,
    rate_hz: float | None = None,
) -> tuple[Signal, Signal]:
    """Read channels of a recording between two times, at one sampling rate.

    Channels of another rate are resampled with zero phase, so that every sample is at its time.

    Parameters
    ----------
    path : Path or str
        The recording.
    names : sequence of str
        Channels, spelt as in the file; the rows of the signal have this order.
    start_s, stop_s : float
        Seconds from the first sample; limited to the recording.
    rate_hz : float, optional
        Sampling rate of the result; by default the lowest of the channels.

    Returns
    -------
    signal : numpy.ndarray, shape (n_channels, n_samples)
        Signal in volts; in the file's unit for channels whose unit is unknown.
    times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the first sample of the recording.

    Raises
    ------
    InputError
        The file cannot be read.
    """
    path = Path(path)
    header = read_header(path)
    position = {name: i for i, name in enumerate(header.names)}
    rates = [header.rates_hz[position[name]] for name in names]
    common_hz = rate_hz or min(rates, default=header.rate_hz)
    n_times = round(header.duration_s * common_hz)
    start = min(max(round(start_s * common_hz), 0), n_times)
    stop = min(max(round(stop_s * common_hz), start), n_times)
    if stop == start:
        return np.zeros((len(names), 0)), np.zeros(0)
    order = [position[name] for name in names]
    read = _edf_rows if path.suffix.lower() in _EDF else _mne_rows
    rows = read(path, order, start, stop, common_hz)
    factors = [volts_per_unit(header.units.get(name, "V")) or 1.0 for name in names]
    return rows * np.array(factors)[:, None], np.arange(start, stop) / common_hz


def _edf_rows(path: Path, order: Sequence[int], start: int, stop: int, rate_hz: float) -> Signal:
    """Read channels of an EDF or BDF by position, in their own units."""
    edf = _edf(path)
    rows = np.zeros((len(order), stop - start))
    for row, i in zip(rows, order, strict=True):
        channel = edf.channels[i]
        ratio = Fraction(rate_hz / channel.rate_hz).limit_denominator(100_000)
        row[:] = _resampled(edf, i, start, stop, ratio)
    return rows


def _resampled(edf: Edf, i: int, start: int, stop: int, ratio: Fraction) -> Signal:
    """Return samples `start` to `stop` at `ratio` times the rate of a channel."""
    channel = edf.channels[i]
    if ratio == 1:
        return read_samples(edf, channel, start, stop)
    from scipy import signal as dsp  # slow to import, and seldom needed

    up, down = ratio.numerator, ratio.denominator
    margin = _EDGE_TAPS * max(1, -(-down // up))
    # Begin where samples of both rates are at the same time.
    first = max(0, (start * down // up - margin) // down * down)
    last = -(-stop * down // up) + margin
    values = read_samples(edf, channel, first, last)
    wanted = dsp.resample_poly(values, up, down, padtype="line")
    at = start - first * up // down
    return np.asarray(wanted[at : at + stop - start])


def _mne_rows(path: Path, order: Sequence[int], start: int, stop: int, _rate_hz: float) -> Signal:
    """Read channels of any other format by position; undo the scale that MNE gives them."""
    raw, _, units, _ = _open(path)
    try:
        rows = raw.get_data(picks=sorted(order), start=start, stop=stop)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the signal cannot be read ({error})",
            where=path.name,
            expected="a complete recording",
            hint="check that the file was copied completely",
        ) from error
    signal = np.asarray(rows, dtype=np.float64)[np.argsort(np.argsort(order))]
    if not units:
        return signal
    # MNE takes units that it does not know for volts.
    scales = np.array([raw.info["chs"][i]["range"] for i in order], dtype=np.float64)
    return np.asarray(signal / scales[:, None])


def read_channels_table(recording: Recording) -> pd.DataFrame | None:
    """Read channels.tsv; None if the recording has none.

    Names are text, types are upper case, and a missing status is ``good``. Other words than good
    and bad are kept.

    Raises
    ------
    InputError
        The table cannot be read, or has no column name or type.
    """
    if recording.channels is None:
        return None
    table = read_table(
        recording.channels, ["name", "type"], ["units", "status", "status_description"]
    )
    table["name"] = table["name"].astype(str)
    table["type"] = table["type"].astype(str).str.upper()
    if "status" not in table:
        table["status"] = "good"
    stated = ["" if pd.isna(s) else str(s).casefold() for s in table["status"]]
    table["status"] = ["good" if status in ("", "n/a") else status for status in stated]
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


def _require_existing(path: Path) -> None:
    require_readable(path)
    if not path.exists():
        raise InputError(
            "no such recording",
            where=str(path),
            expected="an existing file",
            hint="check the path",
        )


def _open(path: Path) -> tuple[Any, tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Open a recording without reading its signal; return also names, units and notes."""
    import mne  # slow to import, and not needed to read events.tsv

    _require_existing(path)
    suffix = path.suffix.lower()
    parts = read_brainvision(path) if suffix == ".vhdr" else None
    if suffix == ".fif":
        require_tags_in_order(path)
    if suffix == ".set":
        require_sound_mat(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if parts is None:
                raw = mne.io.read_raw(path, preload=False, verbose="warning")
            else:
                raw = _open_brainvision(path, parts)
    except Exception as error:  # readers raise anything on a broken file
        raise InputError(
            f"the recording cannot be read ({(str(error).splitlines() or [''])[0]})",
            where=path.name,
            expected="a format that MNE reads, with all files of the recording in one folder",
            hint="check that all files were copied completely",
        ) from error
    if parts is not None and len(parts.names) == len(raw.ch_names):
        units = dict(zip(parts.names, parts.units, strict=True))
        return raw, parts.names, units, parts.notes
    numbered = any(_RUNNING_NUMBER in str(warning.message) for warning in caught)
    return raw, _without_numbers(raw.ch_names) if numbered else tuple(raw.ch_names), {}, ()


def _open_brainvision(path: Path, parts: BrainVision) -> Any:
    """Open the files that belong to a BrainVision header."""
    import mne

    files = {
        "data_fname": str(parts.signal.absolute()),
        "marker_fname": str(parts.markers.absolute()) if parts.markers else False,
    }
    is_plain = path.suffix == ".vhdr" and is_single_byte(path)
    if is_plain and len(set(parts.names)) == len(parts.names):
        return mne.io.read_raw_brainvision(path, overrides=files, verbose="warning")
    with tempfile.TemporaryDirectory() as folder:
        numbered = Path(folder) / f"{path.stem}.vhdr"
        numbered.write_text(numbered_header(path), encoding="utf-8")
        return mne.io.read_raw_brainvision(numbered, overrides=files, verbose="warning")


def _without_numbers(names: Sequence[str]) -> tuple[str, ...]:
    """Undo the running numbers that MNE gives to repeated names (``X-0``, ``X-1``)."""
    bases = [name.rpartition("-")[0] for name in names]
    counts = {base: bases.count(base) for base in bases if base}
    numbered = {
        base
        for base, count in counts.items()
        if count > 1 and {f"{base}-{i}" for i in range(count)} <= set(names)
    }
    return tuple(
        base if base in numbered else name for name, base in zip(names, bases, strict=True)
    )


def _breaks(annotations: Sequence[Annotation]) -> tuple[Pause, ...]:
    """Return the pauses that annotations mark: new segments, boundaries and skips."""
    edges: set[float] = set()
    for mark in annotations:
        text = mark.text.casefold()
        if text.startswith(_BREAKS) and mark.onset_s > 0:
            edges.add(mark.onset_s)
        if text.startswith(_SKIP):  # its samples are in the file, but were not recorded
            edges |= {mark.onset_s, mark.onset_s + mark.duration_s}
    return tuple(Pause(edge, float("nan")) for edge in sorted(edges))


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


def _edf_person(patient: str) -> dict[str, str]:
    """Return the fields of an EDF+ patient identification: code, sex, birthday, name."""
    parts = patient.split(" ")
    if len(parts) < 4:
        return {}
    names = parts[3].split("_")
    keys = {1: ["last_name"], 2: ["first_name", "last_name"]}
    chosen = keys.get(len(names), ["first_name", "middle_name", "last_name"])
    if len(names) > 3:
        names, chosen = [parts[3]], ["last_name"]
    birthday = parts[2] if re.fullmatch(r"\d{2}-[A-Za-z]{3}-\d{4}", parts[2]) else ""
    return {**dict(zip(chosen, names, strict=True)), "birthday": birthday}


def _person(info: Mapping[str, Any]) -> dict[str, str]:
    """Return the personal data of a header, without pseudonyms."""
    found = {}
    for key in ("last_name", "first_name", "middle_name", "birthday"):
        value = str(info.get(key) or "").strip()
        if value.casefold() not in _ANONYMOUS and not value.upper().startswith("X_"):
            found[key] = value
    return found
