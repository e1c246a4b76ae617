"""Find the input files of a patient in a BIDS dataset, and check that they are safe to read."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.errors import InputError
from virtualbrain.io.text import read_text

RECORDING_SUFFIXES = (".vhdr", ".edf", ".fif", ".set", ".nwb", ".mefd", ".bdf")
_LABEL = re.compile(r"[A-Za-z0-9]+")
_NAME = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")


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
    images of fmap/ whose sidecars name a diffusion series of the patient.
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

    def anatomy_files(self) -> tuple[Path, ...]:
        """Return the T1w, the files of the FreeSurfer subject and the lesion mask."""
        return _present(self.t1, self.lesion, *_within(self.freesurfer))

    def dwi_files(self) -> tuple[Path, ...]:
        """Return images, b-values, directions and sidecars of the series, and the fmap/ images."""
        parts = [(s.image, s.bval, s.bvec, s.sidecar) for s in self.dwi]
        maps = [path for epi in self.epi for path in (epi.image, epi.sidecar)]
        return _present(*(path for series in parts for path in series), *maps)

    def connectome_files(self) -> tuple[Path, ...]:
        """Return the files of the connectome in the dataset."""
        return _present(*_within(self.connectome))

    def seeg_files(self) -> tuple[Path, ...]:
        """Return the recordings, their sidecars and tables."""
        paths: list[Path | None] = [self.electrodes, self.coordsystem]
        for recording in self.recordings:
            paths += [*_signal_parts(recording.signal), json_beside(recording.signal)]
            paths += [recording.channels, recording.events]
        return _present(*paths)

    def clinical_files(self) -> tuple[Path, ...]:
        """Return the clinical tables: hypothesis, eloquent regions, plans, resection, masks."""
        tables = _present(self.hypothesis, self.eloquent, self.plans, self.resected)
        if self.plans is None:
            return tables
        masks = sorted(self.plans.parent.glob("*_mask.nii*"))
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


def _within(folder: Path | None) -> list[Path]:
    """List the content of a folder at any depth."""
    return sorted(folder.rglob("*")) if folder is not None else []


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


def find_patient(bids: Path | str, label: str) -> PatientFiles:
    """Find all input files of a participant.

    Parameters
    ----------
    bids : Path or str
        Root of the BIDS dataset.
    label : str
        The participant, with or without ``sub-``.

    Raises
    ------
    InputError
        The participant does not exist, the label is a path, there are two T1w images, a symbolic
        link points outside the dataset, or a file has an unsafe name or is not a regular file.
    """
    root = require_dataset(bids)
    label = check_label(label)
    folder = root / f"sub-{label}"
    _require_inside(root.resolve(), folder)
    if not folder.is_dir():
        raise InputError(
            f"no participant sub-{label}",
            where=str(root),
            expected="one of " + ", ".join(f"sub-{name}" for name in participants(root)),
            hint="check the participant label",
        )
    derivatives = root / "derivatives"
    clinical = derivatives / "clinical" / f"sub-{label}"
    dwi = tuple(_dwi_series(root, p) for p in _inside(root, _in(folder, "dwi", "*_dwi.nii*")))
    return PatientFiles(
        bids=root,
        label=label,
        t1=_only(_inside(root, _in(folder, "anat", "*_T1w.nii*")), "T1w image"),
        dwi=dwi,
        recordings=tuple(_recordings(root, folder)),
        electrodes=_only(_inside(root, _in(folder, "ieeg", "*_electrodes.tsv")), "electrodes.tsv"),
        coordsystem=_only(
            _inside(root, _in(folder, "ieeg", "*_coordsystem.json")), "coordsystem.json"
        ),
        freesurfer=_folder(root, derivatives / "freesurfer" / f"sub-{label}", any_name=True),
        connectome=_folder(root, derivatives / "connectome" / f"sub-{label}"),
        hypothesis=_file(root, clinical / f"sub-{label}_hypothesis.tsv"),
        eloquent=_file(root, clinical / f"sub-{label}_eloquent.tsv"),
        plans=_file(root, clinical / f"sub-{label}_plans.tsv"),
        resected=_resected(root, clinical, label),
        lesion=_only(
            _inside(
                root,
                [
                    *_in(folder, "anat", "*_label-lesion_mask.nii*"),
                    *(derivatives.glob(f"*/sub-{label}/anat/*_label-lesion_mask.nii*")),
                ],
            ),
            "lesion mask",
        ),
        epi=_epi_images(root, _inside(root, _in(folder, "fmap", "*_epi.nii*")), dwi),
    )


def _in(folder: Path, kind: str, pattern: str) -> list[Path]:
    """List the files of one data type, with or without session folders."""
    return sorted([*folder.glob(f"{kind}/{pattern}"), *folder.glob(f"ses-*/{kind}/{pattern}")])


def _inside(root: Path, paths: Iterable[Path]) -> list[Path]:
    """Return the paths; raise an error for links out of the dataset, pipes and unsafe names."""
    base = root.resolve()
    return [_plain_file(base, path) for path in paths]


def require_plain(root: Path, path: Path) -> Path:
    """Return a path that is a regular file inside the dataset.

    Raises
    ------
    InputError
        It is outside the dataset, has an unsafe name, or is a folder, a pipe or a device.
    """
    return _plain_file(root.resolve(), path)


def _plain_file(base: Path, path: Path, *, any_name: bool = False) -> Path:
    if not any_name and not _NAME.fullmatch(path.name):
        raise InputError(
            f"the file name {path.name!r} contains unsupported characters",
            where=path.parent.name,
            expected="only letters, digits and _ - + .",
            hint="rename the file",
        )
    _require_inside(base, path)
    if path.exists() and not path.is_file():
        raise InputError(
            "not a regular file",
            where=path.name,
            expected="a file, not a folder, pipe or device",
            hint="copy the file into the dataset",
        )
    return path


def _require_inside(base: Path, path: Path) -> None:
    """Raise an error if a symbolic link points outside the dataset or to itself."""
    try:
        inside = path.resolve().is_relative_to(base)
    except (OSError, RuntimeError):
        raise InputError(
            "a symbolic link points to itself",
            where=path.name,
            expected="a file inside the dataset",
            hint="replace the link by the file",
        ) from None
    if not inside:
        raise InputError(
            "a symbolic link points outside the dataset",
            where=path.name,
            expected="a file inside the dataset",
            hint="replace the link by a copy of the file",
        )


def _only(paths: list[Path], what: str) -> Path | None:
    """Return the only path, or None; two or more are an error."""
    if len(paths) > 1:
        raise InputError(
            f"{len(paths)} files for the {what}",
            where=", ".join(path.name for path in paths),
            expected="one file",
            hint="keep the file to use, and move the others out of the dataset",
        )
    return paths[0] if paths else None


def _resected(root: Path, clinical: Path, label: str) -> Path | None:
    """Find the performed resection: a mask or a table of regions."""
    found = [
        *_inside(root, sorted(clinical.glob("*_desc-resected_mask.nii*"))),
        *_present(_file(root, clinical / f"sub-{label}_resected.tsv")),
    ]
    return _only(found, "performed resection")


def _file(root: Path, path: Path) -> Path | None:
    if not path.is_symlink() and not path.exists():
        return None
    return _plain_file(root.resolve(), path)


def _folder(root: Path, path: Path, *, any_name: bool = False) -> Path | None:
    """Return a folder; raise an error if anything in it points outside the dataset."""
    if not path.is_symlink() and not path.exists():
        return None
    base = root.resolve()
    _require_inside(base, path)
    for found in sorted(path.rglob("*")):
        if found.is_symlink() or not found.is_dir():
            _plain_file(base, found, any_name=any_name)
    return path if path.is_dir() else None


def _dwi_series(root: Path, image: Path) -> DwiSeries:
    bval, bvec = _beside(image, ".bval"), _beside(image, ".bvec")
    return DwiSeries(
        image=image,
        bval=_file(root, bval) or bval,
        bvec=_file(root, bvec) or bvec,
        sidecar=_file(root, json_beside(image)),
    )


def _beside(image: Path, ending: str) -> Path:
    return image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ending)


def _epi_images(
    root: Path, images: Iterable[Path], dwi: Iterable[DwiSeries]
) -> tuple[EpiImage, ...]:
    """Return the images of fmap/ whose sidecar names a diffusion series of this patient."""
    names = {one.image.name for one in dwi}
    sources = {name for one in dwi for name in _listed(one.sidecar, "B0FieldSource")}
    found = []
    for image in images:
        sidecar = _file(root, json_beside(image))
        intended = {target.rpartition("/")[2] for target in _listed(sidecar, "IntendedFor")}
        shared = sources & set(_listed(sidecar, "B0FieldIdentifier"))
        if sidecar is not None and (intended & names or shared):
            found.append(EpiImage(image, sidecar))
    return tuple(found)


def _listed(sidecar: Path | None, key: str) -> list[str]:
    """Return a key's text or texts; empty if the sidecar is invalid (reported by its check)."""
    try:
        stated: Any = json.loads(read_text(sidecar)).get(key) if sidecar else None
    except (ValueError, OSError, AttributeError):
        return []
    return [str(one) for one in stated] if isinstance(stated, list) else [stated] if stated else []


def _recordings(root: Path, folder: Path) -> list[Recording]:
    """List all iEEG recordings with their channels.tsv and events.tsv."""
    found = []
    for path in _inside(root, _in(folder, "ieeg", "*_ieeg.*")):
        if path.suffix.lower() not in RECORDING_SUFFIXES:
            continue
        stem = path.name.split("_ieeg.")[0]
        for part in _signal_parts(path):
            _file(root, part)
        found.append(
            Recording(
                signal=path,
                channels=_file(root, path.with_name(stem + "_channels.tsv")),
                events=_file(root, path.with_name(stem + "_events.tsv")),
            )
        )
    return found


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
        stem = stem.removesuffix(ending)
    return path.with_name(stem + ".json")


def _signal_parts(signal: Path) -> list[Path]:
    """List the files of a recording (BrainVision has three)."""
    if signal.suffix == ".vhdr":
        return [signal, signal.with_suffix(".vmrk"), signal.with_suffix(".eeg")]
    return [signal]
