"""The input files of a patient in a BIDS dataset, the participants and the recordings' formats.

Which of several files is meant: `virtualbrain.io.patient_search`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from virtualbrain.errors import InputError
from virtualbrain.io.safe_files import visible

READABLE_SUFFIXES = (".vhdr", ".edf", ".bdf", ".fif", ".set")
UNREADABLE_FORMATS = {
    ".nwb": "NWB",
    ".mefd": "MEF3",
    ".ds": "CTF",
    ".mef": "MEF2",
    ".trc": "Micromed TRC",
    ".lay": "Persyst",
    ".cnt": "CNT",
    ".e": "Nicolet",
    ".m00": "Nihon Kohden",
    ".ns5": "Blackrock",
    ".rhd": "Intan",
    ".mat": "MATLAB",
    ".gz": "gzip",
    ".zip": "zip",
}
"""Formats of recordings that cannot be read; .mefd and .ds are folders."""
RECORDING_SUFFIXES = (*READABLE_SUFFIXES, *UNREADABLE_FORMATS)
_LABEL = re.compile(r"[A-Za-z0-9]+")
_MASK = re.compile(r".*_mask\.nii(\.gz)?")


@dataclass(frozen=True)
class DwiSeries:
    """One diffusion series: image, b-values, directions, and sidecar if there is one."""

    image: Path
    bval: Path
    bvec: Path
    sidecar: Path | None


@dataclass(frozen=True)
class EpiImage:
    """A b = 0 image of fmap/ with another phase encoding direction than the series."""

    image: Path
    sidecar: Path


@dataclass(frozen=True)
class Recording:
    """One SEEG recording with the tables that belong to it."""

    signal: Path
    channels: Path | None
    events: Path | None


@dataclass(frozen=True)
class PatientFiles:
    """Every input of one patient.

    `freesurfer` and `connectome` are folders, or None if the dataset has none. `epi` are the
    images of fmap/ whose sidecars name a diffusion series of the patient. `atlas` is that of the
    ready connectome if the user chose one. `channel_tables` are the channels.tsv of recordings that
    are not in the dataset or cannot be read. With `uses_template` the anatomy is that of the
    template, because there is no MRI, and the contacts are in MNI152. `notes` state which of
    several files were chosen.
    """

    bids: Path
    label: str
    t1: Path | None
    dwi: tuple[DwiSeries, ...]
    recordings: tuple[Recording, ...]
    electrodes: Path | None
    coordsystem: Path | None
    freesurfer: Path | None
    connectome: Path | None
    hypothesis: Path | None
    eloquent: Path | None
    lesion: Path | None
    epi: tuple[EpiImage, ...] = ()
    plans: Path | None = None
    resected: Path | None = None
    channel_tables: tuple[Path, ...] = ()
    atlas: str = ""
    uses_template: bool = False
    notes: tuple[str, ...] = ()

    @property
    def has_tractography(self) -> bool:
        """Whether the connectome is computed from the patient's diffusion series."""
        return self.connectome is None and bool(self.dwi)

    @property
    def uses_group(self) -> bool:
        """Whether the connectome is that of a group."""
        return self.connectome is None and not self.has_tractography

    def anatomy_files(self) -> tuple[Path, ...]:
        """Return the T1w, the files of the FreeSurfer subject and the lesion mask."""
        return _present(self.t1, self.lesion, *within(self.freesurfer))

    def dwi_files(self) -> tuple[Path, ...]:
        """Return images, b-values, directions and sidecars of the series, and the fmap/ images."""
        parts = [(s.image, s.bval, s.bvec, s.sidecar) for s in self.dwi]
        maps = [path for epi in self.epi for path in (epi.image, epi.sidecar)]
        return _present(*(path for series in parts for path in series), *maps)

    def connectome_files(self) -> tuple[Path, ...]:
        """Return the files of the connectome in the dataset."""
        return _present(*within(self.connectome))

    def seeg_files(self) -> tuple[Path, ...]:
        """Return the recordings, their sidecars and tables."""
        paths: list[Path | None] = [self.electrodes, self.coordsystem]
        for recording in self.recordings:
            paths += [*signal_parts(recording.signal), json_beside(recording.signal)]
            paths += [recording.channels, recording.events]
        return _present(*paths, *self.channel_tables)

    def marked_tables(self) -> tuple[Path, ...]:
        """Return the tables in which clinicians may have marked contacts."""
        own = (recording.channels for recording in self.recordings)
        return _present(self.electrodes, *own, *self.channel_tables)

    def clinical_files(self) -> tuple[Path, ...]:
        """Return the clinical tables: hypothesis, eloquent regions, plans, resection, masks."""
        tables = _present(self.hypothesis, self.eloquent, self.plans, self.resected)
        if self.plans is None:
            return tables
        masks = [path for path in within(self.plans.parent) if _MASK.fullmatch(path.name)]
        return tuple(dict.fromkeys((*tables, *masks)))

    def all_files(self) -> tuple[Path, ...]:
        """Return all input files, sorted, including the files in folders."""
        parts = (
            self.anatomy_files(),
            self.dwi_files(),
            self.connectome_files(),
            self.seeg_files(),
            self.clinical_files(),
        )
        return tuple(sorted({path for part in parts for path in part}))


def _present(*paths: Path | None) -> tuple[Path, ...]:
    """Return the paths that are existing files."""
    return tuple(path for path in paths if path is not None and path.is_file())


def within(folder: Path | None) -> list[Path]:
    """Return the content of a folder at any depth, without hidden files."""
    return visible(folder.rglob("*")) if folder is not None else []


def check_label(label: str) -> str:
    """Return a participant label without ``sub-``.

    Raises
    ------
    InputError
        The label contains other characters than letters and digits (it is a path, for example).
    """
    bare = label.removeprefix("sub-")
    if not _LABEL.fullmatch(bare):
        raise InputError(
            f"the participant label {label!r} is not a label",
            expected="letters and digits only, such as 01",
            hint="give the label, not a path; rename the folder of a participant whose label has "
            "other characters",
        )
    return bare


def require_dataset(bids: Path | str) -> Path:
    """Return the folder if it is a BIDS dataset.

    Raises
    ------
    InputError
        The folder does not exist or has no dataset_description.json.
    """
    root = Path(bids)
    if not root.is_dir():
        raise InputError(
            "no such folder",
            where=str(root),
            expected="the root of a BIDS dataset",
            hint="check the path",
        )
    if not (root / "dataset_description.json").is_file():
        raise InputError(
            "no dataset_description.json",
            where=str(root),
            expected="the root of a BIDS dataset",
            hint="give the folder with dataset_description.json and the sub-* folders",
        )
    return root


def participants(bids: Path | str) -> tuple[str, ...]:
    """Return the labels of all participants, sorted.

    Raises
    ------
    InputError
        The folder is not a dataset or has no participant.
    """
    root = require_dataset(bids)
    folders = sorted(path.name for path in root.glob("sub-*") if path.is_dir())
    unusable = [name for name in folders if not _LABEL.fullmatch(name.removeprefix("sub-"))]
    if unusable:
        first = "sub-" + re.sub(r"[^A-Za-z0-9]", "", unusable[0].removeprefix("sub-"))
        raise InputError(
            f"folders whose label has other characters than letters and digits: "
            f"{', '.join(unusable)}",
            where=str(root),
            expected="sub- and then letters and digits",
            hint=f"rename the folder and the files in it, for example to {first}, or choose other "
            "participants with --participant-label",
        )
    if not folders:
        raise InputError(
            "no participant",
            where=str(root),
            expected="folders named sub-<label>",
            hint="check that the path is the root of the dataset",
        )
    return tuple(sorted(check_label(name) for name in folders))


def electrodes_to_write(files: PatientFiles) -> tuple[Path, Path]:
    """Return the paths for a patient's electrodes.tsv and coordsystem.json in scanner RAS."""
    folder = files.bids / f"sub-{files.label}" / "ieeg"
    stem = f"sub-{files.label}"
    if files.recordings:
        folder = files.recordings[0].signal.parent
        sessions = [part for part in folder.parts if part.startswith("ses-")]
        stem = "_".join([stem, *sessions[-1:]])
    frame = f"{stem}_space-ScanRAS"
    return folder / f"{frame}_electrodes.tsv", folder / f"{frame}_coordsystem.json"


def json_beside(path: Path) -> Path:
    """Return the path of the sidecar of a recording or image (it may not exist)."""
    stem = path.name
    for ending in (".gz", *RECORDING_SUFFIXES, ".nii"):
        if stem.lower().endswith(ending):
            stem = stem[: -len(ending)]
    return path.with_name(stem + ".json")


def signal_parts(signal: Path) -> list[Path]:
    """Return the files that a recording may have (BrainVision has three, EEGLAB one or two)."""
    if signal.suffix.lower() == ".vhdr":
        return [signal, *(signal.with_suffix(end) for end in (".vmrk", ".eeg", ".dat"))]
    if signal.suffix.lower() == ".set":
        return [signal, signal.with_suffix(".fdt")]
    return [signal]


def require_readable(signal: Path) -> None:
    """Raise an error if a recording has a format that cannot be read.

    Raises
    ------
    InputError
        The format is one of `UNREADABLE_FORMATS`.
    """
    name = UNREADABLE_FORMATS.get(signal.suffix.lower())
    if name is not None:
        raise InputError(
            f"recordings in the format {name} cannot be read",
            where=signal.name,
            expected="BrainVision, EDF, BDF, FIF or EEGLAB",
            hint="convert the recording, or leave it out with --filter-file",
        )
