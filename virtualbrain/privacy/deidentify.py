"""Write a de-identified copy of a dataset."""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import write_json
from virtualbrain.io.bids import READABLE_SUFFIXES, PatientFiles, json_beside
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.io.images import open_image, read_image
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.recordings import read_json
from virtualbrain.io.tables import read_table
from virtualbrain.privacy.deface import face_free_mask, mask_for_series
from virtualbrain.privacy.metadata import clean_image, clean_sidecar, clean_table
from virtualbrain.privacy.personal_data import has_date
from virtualbrain.privacy.recordings import copy_recording

Mask = NDArray[np.bool_]
FaceFinder = Callable[[nib.Nifti1Image, int], Mask | None]
SHIFT_DAYS = (365, 3650)


@dataclass(frozen=True)
class Change:
    """Change to one file; `file` is relative to the dataset."""

    file: str
    what: str


@dataclass(frozen=True)
class CopyChoices:
    """Settings of a de-identified copy.

    Parameters
    ----------
    shift_days : int
        Number of days by which all dates are moved into the past; it is not stored.
    seizure_words : tuple of str
        Words that mark an event as a seizure; other events are left out.
    seed : int
        Seed of the registration used for defacing.
    find_face : callable
        Function that returns the voxels of a T1w image to keep.
    files : FileSettings
        What the user says about sessions, files and links.
    """

    shift_days: int
    seizure_words: tuple[str, ...]
    seed: int = 1
    find_face: FaceFinder = face_free_mask
    files: FileSettings = field(default_factory=FileSettings)


def deidentify(
    bids: Path | str, copy: Path | str, labels: Sequence[str], choices: CopyChoices
) -> list[Change]:
    """Write a copy of patients without names, true dates, free text and faces.

    Only files that the pipeline knows are copied. Each is rewritten with fields that cannot
    identify a person. All other files are left out and listed. The copy is written atomically.

    Parameters
    ----------
    bids : Path or str
        Root of the dataset; it is not changed.
    copy : Path or str
        New folder for the copy.
    labels : sequence of str
        Participants to copy.
    choices : CopyChoices
        Date shift, seizure words, seed and defacing.

    Returns
    -------
    list of Change
        One entry per file changed or left out.

    Raises
    ------
    InputError
        The copy exists or is inside the dataset, or a file cannot be read or de-identified.
    """
    source, target = Path(bids), Path(copy)
    _require_new_folder(source, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".deidentify-", dir=target.parent) as scratch:
        work = Path(scratch) / "copy"
        changes = _copy_dataset(source, work, labels)
        for label in labels:
            changes += _Copier(find_patient(source, label, choices.files), work, choices).copy()
        work.replace(target)
    copied = {change.file for change in changes}
    return changes + _left_out(source, target, labels, copied)


def _require_new_folder(source: Path, target: Path) -> None:
    if target.exists():
        raise InputError(
            "the folder of the copy already exists",
            where=str(target),
            expected="a folder that does not exist yet",
            hint="choose another folder",
        )
    if target.resolve().is_relative_to(source.resolve()):
        raise InputError(
            "the copy would be inside the dataset",
            where=str(target),
            expected="a folder outside the dataset",
            hint="choose another folder",
        )


def _copy_dataset(source: Path, work: Path, labels: Sequence[str]) -> list[Change]:
    """Write a new dataset description, and participants.tsv with its standard columns."""
    version = read_json(source / "dataset_description.json").get("BIDSVersion", "1.10.0")
    description = {"Name": "De-identified copy", "BIDSVersion": version, "DatasetType": "raw"}
    write_json(work / "dataset_description.json", description)
    changes = [Change("dataset_description.json", "rewritten")]
    path = source / "participants.tsv"
    if path.is_file():
        table = read_table(path, required=["participant_id"])
        table = table[table["participant_id"].isin([f"sub-{label}" for label in labels])]
        kept, removed = clean_table(path.name, table, ())
        _write_tsv(work / path.name, kept)
        changes.append(Change(path.name, ", ".join([*removed, "other participants removed"])))
    return changes


def _write_tsv(path: Path, table: pd.DataFrame) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")


class _Copier:
    """Copies one patient's files and records the changes."""

    def __init__(self, files: PatientFiles, work: Path, choices: CopyChoices) -> None:
        self.files, self.work, self.choices = files, work, choices
        self.changes: list[Change] = []

    def copy(self) -> list[Change]:
        """Copy all known files of the patient."""
        files = self.files
        keep, t1 = self._t1()
        for series in files.dwi:
            self._series(series.image, keep, t1)
            for part in (series.bval, series.bvec):
                self._copy_unchanged(part)
        if files.lesion is not None:
            self._image(files.lesion, None, "")
        for recording in files.recordings:
            if recording.signal.suffix.lower() not in READABLE_SUFFIXES:
                continue  # listed as left out
            target = self._target(recording.signal)
            words = self.choices.seizure_words
            for what in copy_recording(recording.signal, target, self.choices.shift_days, words):
                self._note(recording.signal, what)
            self._sidecar(json_beside(recording.signal))
            self._tables(recording.channels, recording.events)
        self._tables(files.electrodes, *files.channel_tables, files.hypothesis, files.eloquent)
        if files.coordsystem is not None:
            self._sidecar(files.coordsystem)
        for path in files.connectome_files():
            if path.suffix == ".json":
                self._sidecar(path)
            else:
                self._copy_unchanged(path)
        return self.changes

    def _target(self, path: Path) -> Path:
        target = self.work / path.relative_to(self.files.bids)
        target.parent.mkdir(parents=True, exist_ok=True)
        if has_date(path):
            self._note(path, "the FILE NAME CONTAINS A DATE: rename the file")
        return target

    def _note(self, path: Path, what: str) -> None:
        self.changes.append(Change(path.relative_to(self.files.bids).as_posix(), what))

    def _t1(self) -> tuple[Mask | None, nib.Nifti1Image | None]:
        """Copy the T1w without its face; return the mask of voxels to keep, and the image."""
        path = self.files.t1
        if path is None:
            return None, None
        t1 = read_image(path)
        keep = self.choices.find_face(t1, self.choices.seed)
        change = "no face: skull-stripped image" if keep is None else "face removed"
        self._image(path, keep, change)
        self._sidecar(json_beside(path))
        return keep, t1

    def _image(self, path: Path, keep: Mask | None, what: str) -> None:
        nib.save(clean_image(open_image(path), keep), self._target(path))
        self._note(path, ", ".join(filter(None, [what, "header rewritten"])))

    def _series(self, path: Path, keep: Mask | None, t1: nib.Nifti1Image | None) -> None:
        """Copy a diffusion series without the face, located with the mask of the T1w."""
        if t1 is None:
            raise InputError(
                "the diffusion series cannot be defaced without a T1w image",
                where=path.name,
                expected="a T1w image of the same session",
                hint="add the T1w image, or move the diffusion series out of the dataset",
            )
        image = open_image(path)
        mask = None if keep is None else mask_for_series(keep, t1, image, path.name)
        self._image(path, mask, "" if mask is None else "face removed")
        self._sidecar(json_beside(path))

    def _sidecar(self, path: Path) -> None:
        if not path.is_file():
            return
        kept, removed = clean_sidecar(read_json(path))
        write_json(self._target(path), kept)
        if removed:
            self._note(path, f"removed: {', '.join(removed)}")

    def _tables(self, *paths: Path | None) -> None:
        for path in paths:
            if path is None:
                continue
            words = self.choices.seizure_words
            kept, removed = clean_table(path.name, read_table(path), words)
            _write_tsv(self._target(path), kept)
            if removed:
                self._note(path, f"removed: {', '.join(removed)}")

    def _copy_unchanged(self, path: Path) -> None:
        if path.is_file():
            shutil.copyfile(path, self._target(path))


def _left_out(source: Path, target: Path, labels: Iterable[str], noted: set[str]) -> list[Change]:
    """List the patients' files and the files at the dataset's root that were not copied."""
    found = []
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        name = path.relative_to(source).as_posix()
        own = any(f"sub-{label}" in path.parts or "/" not in name for label in labels)
        if (
            own
            and name not in noted
            and not (target / name).exists()
            and not _part_of_recording(path)
        ):
            found.append(Change(name, "left out"))
    return found


def _part_of_recording(path: Path) -> bool:
    """Return whether a file is part of a BrainVision recording that was copied."""
    return path.suffix in (".eeg", ".vmrk") and path.with_suffix(".vhdr").exists()
