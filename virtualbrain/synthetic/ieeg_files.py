"""Write the recording of a demo patient as iEEG-BIDS."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mne
import mne_bids
import numpy as np
import pandas as pd
from mne_bids import BIDSPath

from virtualbrain.io.atomic import write_json
from virtualbrain.synthetic.demo_patient import DemoPatient
from virtualbrain.synthetic.demo_spes import StimulationRecording
from virtualbrain.synthetic.recording import SeegRecording
from virtualbrain.synthetic.seizure import Seizure

_TASK = "ictal"
_STIMULATION = "spes"
_TASKS = {
    _TASK: "long-term recording at rest, with a spontaneous seizure",
    _STIMULATION: "single pulses at pairs of contacts",
}
_HIGH_PASS_HZ = 0.1
_FAULTS = {"flat": "no contact", "noisy": "noisy", "loose": "loose plug"}


@dataclass(frozen=True)
class Event:
    """A row of events.tsv, in seconds."""

    onset_s: float
    duration_s: float
    trial_type: str


def mark_events(
    recording: SeegRecording, seizure: Seizure, rng: np.random.Generator
) -> tuple[Event, ...]:
    """Return the events that a clinic would mark, the seizure onset with an error of up to 0.5 s.

    The onset is the earliest true onset of the channels without faults, or that of the first
    region if no channel shows the seizure. Other events describe the circumstances.
    """
    faulty = set(recording.status.loc[recording.status["fault"] != "none", "name"])
    pairs = recording.channel_onsets
    good = ~pairs["anode"].isin(faulty) & ~pairs["cathode"].isin(faulty)
    visible = pairs.loc[good, "onset_s"].min()
    start = float(visible) if np.isfinite(visible) else seizure.first_onset_s
    onset = round(start + float(np.clip(rng.normal(0.0, 0.25), -0.5, 0.5)), 1)
    end = round(seizure.last_end_s + float(np.clip(rng.normal(0.0, 0.5), -1.0, 1.0)), 1)
    return (
        Event(round(float(rng.uniform(8.0, 15.0)), 1), 10.0, "eyes closed"),
        Event(round(float(rng.uniform(25.0, 40.0)), 1), 0.0, "nurse enters"),
        Event(onset, round(end - onset, 1), "seizure"),
        Event(round(onset + float(rng.uniform(4.0, 8.0)), 1), 0.0, "alarm pressed"),
    )


def write_ieeg(
    root: Path,
    label: str,
    patient: DemoPatient,
    events: Sequence[Sequence[Event]],
    t1: str | None,
) -> None:
    """Write signals, channels, events, electrodes and coordinate system of one patient.

    Parameters
    ----------
    root : Path
        Root of the BIDS dataset.
    label : str
        The participant, without ``sub-``.
    patient : DemoPatient
        Contacts and signals.
    events : sequence of sequences of Event
        Rows of events.tsv of each recording.
    t1 : str, optional
        The T1w image that defines the coordinates, relative to the dataset's root.
    """
    folder = root / f"sub-{label}" / "ieeg"
    for number, (recording, own) in enumerate(zip(patient.recordings, events, strict=True), 1):
        run = f"{number:02d}"
        _write_recording(root, label, _TASK, _raw(recording, own), recording, run)
    _write_electrodes(folder, label, patient.contacts)
    _write_coordsystem(folder, label, t1)


def write_stimulation(
    root: Path, label: str, patient: DemoPatient, stimulation: StimulationRecording
) -> None:
    """Write a recording of single pulses beside that of the seizure.

    Parameters
    ----------
    root, label, patient
        As in `write_ieeg`, which writes the electrodes.
    stimulation : StimulationRecording
        Signals and pulses.
    """
    info = mne.create_info(list(stimulation.names), stimulation.rate_hz, "seeg")
    raw = mne.io.RawArray(1e-6 * stimulation.signal_uv.astype(np.float64), info, verbose="error")
    _mark(raw, patient.recordings[0])
    folder = _write_recording(root, label, _STIMULATION, raw, patient.recordings[0])
    events = folder / f"sub-{label}_task-{_STIMULATION}_run-01_events.tsv"
    stimulation.events.to_csv(events, sep="\t", index=False, lineterminator="\n")
    columns = {
        "electrical_stimulation_site": "stimulated contacts",
        "electrical_stimulation_type": "shape of the pulse",
    }
    units = {"electrical_stimulation_current": "A", "electrical_stimulation_pulsewidth": "s"}
    content: dict[str, dict[str, str]] = {c: {"Description": text} for c, text in columns.items()}
    content |= {column: {"Units": unit} for column, unit in units.items()}
    write_json(events.with_suffix(".json"), content)


def _write_recording(
    root: Path,
    label: str,
    task: str,
    raw: mne.io.RawArray,
    recording: SeegRecording,
    run: str = "01",
) -> Path:
    """Write signal, channels and events of one recording; return its folder."""
    path = BIDSPath(subject=label, task=task, run=run, datatype="ieeg", root=root)
    with warnings.catch_warnings():
        # mne-bids warns of every array that it converts to EDF, and of contacts without a
        # montage; electrodes.tsv is written by `write_ieeg`.
        warnings.simplefilter("ignore")
        mne_bids.write_raw_bids(
            raw,
            path,
            format="EDF",
            physical_range="channelwise",
            allow_preload=True,
            overwrite=True,
            verbose="error",
        )
    stem = f"sub-{label}_task-{task}_run-{run}"
    folder = root / f"sub-{label}" / "ieeg"
    for name in ("electrodes.tsv", "electrodes.json", "coordsystem.json"):
        (folder / f"sub-{label}_{name}").unlink(missing_ok=True)  # they are empty without a montage
    _complete_sidecar(folder / f"{stem}_ieeg.json", _TASKS[task])
    _complete_channels(folder / f"{stem}_channels.tsv", recording)
    return folder


def _raw(recording: SeegRecording, events: Sequence[Event]) -> mne.io.RawArray:
    """Return the recording in volts with its annotations."""
    names = [*recording.contacts["name"], "ECG"]
    kinds = ["seeg"] * len(recording.contacts) + ["ecg"]
    info = mne.create_info(names, recording.rate_hz, kinds)
    volts = 1e-6 * np.vstack([recording.signal_uv, recording.ecg_uv]).astype(np.float64)
    raw = mne.io.RawArray(volts, info, verbose="error")
    _mark(raw, recording)
    raw.set_annotations(
        mne.Annotations(
            [event.onset_s for event in events],
            [event.duration_s for event in events],
            [event.trial_type for event in events],
        )
    )
    return raw


def _mark(raw: mne.io.RawArray, recording: SeegRecording) -> None:
    """State mains frequency and bad channels."""
    raw.info["line_freq"] = 50
    marked = recording.status["marked"].to_numpy(dtype=bool)
    raw.info["bads"] = recording.status.loc[marked, "name"].tolist()


def _complete_sidecar(path: Path, task: str) -> None:
    """Add the reference and the task, which mne-bids does not know."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["iEEGReference"] = "a contact in white matter"
    content["TaskDescription"] = task
    write_json(path, content)


def _complete_channels(path: Path, recording: SeegRecording) -> None:
    """Add the columns that mne-bids does not know: reference, electrode, filter, reasons."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    contacts = recording.contacts.set_index("name")["electrode"]
    status = recording.status.set_index("name")
    bad = [name in status.index and bool(status["marked"][name]) for name in table["name"]]
    table["low_cutoff"] = str(_HIGH_PASS_HZ)
    table.insert(5, "reference", ["n/a" if n == "ECG" else "white matter" for n in table["name"]])
    table.insert(6, "group", [str(contacts.get(name, "n/a")) for name in table["name"]])
    table["status_description"] = [
        _FAULTS[status["fault"][name]] if is_bad else "n/a"
        for name, is_bad in zip(table["name"], bad, strict=True)
    ]
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def _write_electrodes(folder: Path, label: str, contacts: pd.DataFrame) -> None:
    """Write the contacts in mm; mne-bids would convert them to metres."""
    table = pd.DataFrame(
        {
            "name": contacts["name"],
            "x": contacts["x"].round(3),
            "y": contacts["y"].round(3),
            "z": contacts["z"].round(3),
            "size": 5.0,
            "hemisphere": np.where(contacts["electrode"].str.endswith("'"), "L", "R"),
            "group": contacts["electrode"],
            "type": "depth",
        }
    )
    path = folder / f"sub-{label}_space-ScanRAS_electrodes.tsv"
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def _write_coordsystem(folder: Path, label: str, t1: str | None) -> None:
    content = {
        "iEEGCoordinateSystem": "ScanRAS",
        "iEEGCoordinateUnits": "mm",
        "iEEGCoordinateSystemDescription": "Scanner RAS of the T1-weighted image",
        "iEEGCoordinateProcessingDescription": "none",
    }
    if t1 is not None:
        content["IntendedFor"] = f"bids::{t1}"
    write_json(folder / f"sub-{label}_space-ScanRAS_coordsystem.json", content)
