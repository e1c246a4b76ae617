"""Small synthetic patients with recordings of known content, in several formats."""

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mne
import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.patient_search import find_patient

RATE_HZ = 512.0
DURATION_S = 70.0
ONSET_S = 35.0
SEIZURE_S = 22.0
# Seizing contacts of the electrode A, with the delay of each after the marked onset.
DELAYS_S: Mapping[str, float] = {"A1": 0.0, "A2": 0.0, "A3": 4.0}


@dataclass
class Patient:
    """A synthetic patient; a test can change every part before it is written."""

    signal: np.ndarray
    names: list[str]
    contacts: pd.DataFrame
    channels: pd.DataFrame
    events: pd.DataFrame
    coordsystem: dict[str, object]
    rate_hz: float = RATE_HZ
    sidecar: dict[str, object] = field(default_factory=lambda: {"PowerLineFrequency": 50})
    kind: str = "vhdr"

    def write(self, folder: Path) -> PatientFiles:
        """Write the patient as a BIDS dataset and find its files."""
        ieeg = folder / "sub-01" / "ieeg"
        ieeg.mkdir(parents=True, exist_ok=True)
        (folder / "dataset_description.json").write_text('{"Name": "t", "BIDSVersion": "1.10.0"}')
        stem = "sub-01_task-seizure"
        write_recording(ieeg / f"{stem}_ieeg.{self.kind}", self.signal, self.names, self.rate_hz)
        write_tsv(ieeg / f"{stem}_channels.tsv", self.channels)
        write_tsv(ieeg / f"{stem}_events.tsv", self.events)
        write_tsv(ieeg / "sub-01_electrodes.tsv", self.contacts)
        (ieeg / "sub-01_coordsystem.json").write_text(json.dumps(self.coordsystem))
        (ieeg / f"{stem}_ieeg.json").write_text(json.dumps(self.sidecar))
        return find_patient(folder, "01")


def write_tsv(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def write_recording(path: Path, signal: np.ndarray, names: list[str], rate_hz: float) -> None:
    """Write volts as BrainVision, EDF or FIF."""
    if path.suffix == ".fif":
        info = mne.create_info(names, rate_hz, "seeg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mne.io.RawArray(signal, info, verbose="error").save(path, fmt="double", verbose="error")
    elif path.suffix == ".vhdr":
        import pybv

        pybv.write_brainvision(
            data=signal,
            sfreq=rate_hz,
            ch_names=names,
            fname_base=path.stem,
            folder_out=path.parent,
            resolution=0.01,
            fmt="binary_float32",
            overwrite=True,
        )
    else:
        import edfio

        signals = [
            edfio.EdfSignal(row * 1e6, rate_hz, label=name, physical_dimension="uV")
            for name, row in zip(names, signal, strict=True)
        ]
        edfio.Edf(signals).write(path)


def simulate(rng: np.random.Generator, names: list[str], rate_hz: float = RATE_HZ) -> np.ndarray:
    """Simulate 1/f noise shared along an electrode, mains noise, and bursts of seizing contacts."""
    n = round(DURATION_S * rate_hz)
    times = np.arange(n) / rate_hz
    scale = np.sqrt(np.arange(n // 2 + 1) + 5.0)

    def noise() -> np.ndarray:
        row = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) / scale, n)
        return row / row.std()

    common = {name[0]: noise() for name in names}
    rows = []
    for name in names:
        row = 20e-6 * common[name[0]] + 15e-6 * noise()
        row += 5e-6 * np.sin(2 * np.pi * 50 * times + rng.uniform(0, 6))
        if name in DELAYS_S:
            seizing = (times >= ONSET_S + DELAYS_S[name]) & (times < ONSET_S + SEIZURE_S)
            row += (
                200e-6
                * seizing
                * np.sin(2 * np.pi * 25 * times + rng.uniform(0, 6))
                * (1 + 0.3 * rng.standard_normal(n))
            )
        rows.append(row)
    return np.array(rows)


@pytest.fixture(scope="session")
def base_signal() -> np.ndarray:
    return simulate(np.random.default_rng(7), contact_names())


def contact_names() -> list[str]:
    return [f"{electrode}{i}" for electrode in "AB" for i in range(1, 9)]


@pytest.fixture
def patient(base_signal: np.ndarray) -> Patient:
    """Two electrodes of eight contacts: A along x at y = 0, B along x at y = 30."""
    names = contact_names()
    x = [10.0 + 3.5 * (i % 8) for i in range(16)]
    contacts = pd.DataFrame(
        {"name": names, "x": x, "y": [0.0] * 8 + [30.0] * 8, "z": [5.0] * 16, "size": [5.0] * 16}
    )
    channels = pd.DataFrame(
        {
            "name": names,
            "type": "SEEG",
            "units": "µV",
            "low_cutoff": 0.1,
            "high_cutoff": 200.0,
            "status": "good",
            "status_description": "n/a",
        }
    )
    events = pd.DataFrame({"onset": [ONSET_S], "duration": [SEIZURE_S], "trial_type": ["sz_foc"]})
    frame: dict[str, object] = {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"}
    return Patient(base_signal.copy(), names, contacts, channels, events, frame)


@pytest.fixture
def regions() -> pd.DataFrame:
    """Four slabs of 16 mm along x, in which the label image is 1, 2, 3, 4."""
    centres = [[8.0 + 16 * k, 15.0, 5.0] for k in range(4)]
    return pd.DataFrame(
        {
            "index": [1, 2, 3, 4],
            "name": ["ctx-lh-one", "ctx-lh-two", "ctx-lh-three", "Left-Four"],
            "hemisphere": "L",
            "structure": ["cortex", "cortex", "cortex", "subcortex"],
            "x": [c[0] for c in centres],
            "y": [c[1] for c in centres],
            "z": [c[2] for c in centres],
            "area": np.nan,
            "volume": 16.0 * 60 * 40,
        }
    )


@pytest.fixture
def labels() -> nib.Nifti1Image:
    """Label image of `regions`: x from 0 to 64 mm, y from -15 to 45, z from -15 to 25."""
    volume = np.repeat(np.arange(1, 5), 8)[:, None, None] * np.ones((1, 30, 20))
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = [1.0, -14.0, -14.0]
    return nib.Nifti1Image(volume.astype(np.int16), affine)


@pytest.fixture
def recorder() -> Callable[[Path, np.ndarray, list[str], float], None]:
    return write_recording
