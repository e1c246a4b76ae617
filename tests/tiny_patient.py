"""Write a tiny patient with a ready connectome, whose files tests change one by one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.io.edf_files import Channel, EdfFile
from virtualbrain.config import load_config
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.patient_search import find_patient
from virtualbrain.pipeline.check import check_patient, notes_of

CONTACTS = ("A1", "A2", "A3", "A4")
REGIONS = "abc"


def discharge(
    count: int, rate_hz: float, length_s: float, onset_s: float, seed: int = 3
) -> list[np.ndarray]:
    """Return background of 20 µV with a discharge of 12 Hz from `onset_s` for six seconds."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(rate_hz * length_s)) / rate_hz
    seizing = (times >= onset_s) & (times < onset_s + 6)
    return [
        20 * rng.standard_normal(len(times))
        + (300 - 60 * k) * np.sin(2 * np.pi * 12 * times) * seizing
        for k in range(count)
    ]


@dataclass
class TinyPatient:
    """Files of a patient with one electrode, one seizure at 12 s and six regions."""

    root: Path
    contacts: Sequence[str] = CONTACTS
    channels: Sequence[str] | None = None
    rate_hz: float = 64.0
    length_s: float = 30.0
    onset_s: float = 12.0
    stem: str = "sub-01_task-ictal_run-01"
    session: str = ""
    edf: Mapping[str, object] = field(default_factory=dict)
    extra: Sequence[Channel] = ()
    suffix: str = ".edf"
    config: Mapping[str, object] = field(default_factory=dict)

    def write(self) -> "TinyPatient":
        """Write every file."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.json("dataset_description.json", {"Name": "tiny", "BIDSVersion": "1.9.0"})
        names = list(self.channels or self.contacts)
        self.signal(names)
        self.table("electrodes", ["name", "x", "y", "z", "size"], self.places())
        self.json(
            self.ieeg / "sub-01_coordsystem.json",
            {"iEEGCoordinateSystem": "ScanRAS", "iEEGCoordinateUnits": "mm"},
        )
        self.table(
            f"{self.stem}_channels",
            ["name", "type", "units", "status"],
            [[name, "SEEG", "uV", "good"] for name in names],
        )
        self.table(
            f"{self.stem}_events",
            ["onset", "duration", "trial_type"],
            [[self.onset_s, 6.0, "seizure"]],
        )
        self.json(self.ieeg / f"{self.stem}_ieeg.json", {"TaskName": "ictal"})
        self.connectome()
        return self

    @property
    def ieeg(self) -> Path:
        """Folder of the recordings."""
        parts = ["sub-01", *([f"ses-{self.session}"] if self.session else []), "ieeg"]
        return self.root.joinpath(*parts)

    def places(self) -> list[list[object]]:
        """Return the rows of electrodes.tsv: contacts every 3.5 mm."""
        return [[name, -36.5 + 3.5 * k, 10, 5, 5] for k, name in enumerate(self.contacts)]

    def signal(self, names: Sequence[str], stem: str = "") -> Path:
        """Write the recording."""
        parts = discharge(len(names), self.rate_hz, self.length_s, self.onset_s)
        channels = [Channel(n, self.rate_hz, s) for n, s in zip(names, parts, strict=True)]
        path = self.ieeg / f"{stem or self.stem}_ieeg{self.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return EdfFile([*channels, *self.extra], **self.edf).write(path)

    def table(
        self,
        name: str | Path,
        header: Sequence[str],
        rows: Sequence[Sequence[object]],
        encoding: str = "utf-8",
        end: str = "\n",
    ) -> Path:
        """Write a table of the folder ieeg; `name` without ``sub-01_`` and ending is enough."""
        path = self.ieeg / (f"{name}.tsv" if str(name).startswith("sub-") else f"sub-01_{name}.tsv")
        lines = ["\t".join(map(str, row)) for row in [header, *rows]]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((end.join(lines) + end).encode(encoding))
        return path

    def events(self, *rows: Sequence[object], header: Sequence[str] = ()) -> "TinyPatient":
        """Write other events."""
        self.table(f"{self.stem}_events", header or ["onset", "duration", "trial_type"], rows)
        return self

    def json(
        self, path: str | Path, content: Mapping[str, object], encoding: str = "utf-8"
    ) -> Path:
        """Write a sidecar; a relative path is within the dataset."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
        return target

    def regions(self) -> list[tuple[str, float, float, float]]:
        """Return names and centres of the regions."""
        places = ((-36, 10, 5), (-20, 10, 5), (-30, -40, 30))
        return [
            (f"ctx-{side}-{letter}", sign * x, y, z)
            for side, sign in (("lh", 1), ("rh", -1))
            for letter, (x, y, z) in zip(REGIONS, places, strict=True)
        ]

    @property
    def connectome_folder(self) -> Path:
        """Folder of the ready connectome."""
        return self.root / "derivatives/connectome/sub-01"

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and lengths."""
        rng = np.random.default_rng(7)
        weights = np.triu(rng.lognormal(1, 1, (6, 6)), 1)
        weights += weights.T
        return weights, np.where(weights > 0, 42.0, 0.0)

    def connectome(self) -> None:
        """Write the connectome as named matrices."""
        folder = self.connectome_folder
        folder.mkdir(parents=True, exist_ok=True)
        names = [row[0] for row in self.regions()]
        header = "index name hemisphere structure x y z area volume".split()
        rows = [
            [i, n, "L" if "lh" in n else "R", "cortex", x, y, z, 100, 5000]
            for i, (n, x, y, z) in enumerate(self.regions(), 1)
        ]
        lines = ["\t".join(map(str, row)) for row in [header, *rows]]
        (folder / "sub-01_atlas-Tiny_dseg.tsv").write_text("\n".join(lines) + "\n")
        for stat, matrix in zip(("streamlines", "length"), self.matrices(), strict=True):
            rows = [[n, *np.round(row, 3)] for n, row in zip(names, matrix, strict=True)]
            lines = ["\t".join(map(str, row)) for row in [["name", *names], *rows]]
            path = folder / f"sub-01_atlas-Tiny_stat-{stat}_relmat.tsv"
            path.write_text("\n".join(lines) + "\n")

    # ---- what the product says ----------------------------------------------------------

    def settings(self) -> dict[str, object]:
        """Return the configuration of a run, with the changes of `config`."""
        config = load_config()
        for key, value in self.config.items():
            config[key] = {**config[key], **value} if isinstance(value, dict) else value
        return config

    def problems(self) -> list[str]:
        """Return the problems that the check finds, in lines."""
        return [str(error) for error in check_patient(self.root, "01", self.settings())]

    def notes(self) -> list[str]:
        """Return the notes of the check."""
        return notes_of(self.root, "01", self.settings())

    def files(self) -> PatientFiles:
        """Return the files that the product chooses."""
        return find_patient(self.root, "01")
