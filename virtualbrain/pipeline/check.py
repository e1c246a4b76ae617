"""Check patients' input files; the checks of all packages in one list."""

import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from virtualbrain.config import settings_from
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, check_label, find_patient, require_plain
from virtualbrain.io.clinical import check_clinical
from virtualbrain.io.connectome import check_connectome, check_reference
from virtualbrain.io.tables import read_table
from virtualbrain.io.text import encoding_notes
from virtualbrain.seeg.settings import SeegSettings

_MANY = 24
"""Smallest number of patients that is checked in several processes."""


def check_participants(bids: Path | str) -> list[VirtualBrainError]:
    """Return the problems of participants.tsv; the file may be missing."""
    path = Path(bids) / "participants.tsv"
    try:
        if path.exists() or path.is_symlink():
            require_plain(Path(bids), path)
            labels = read_table(path, required=["participant_id"])["participant_id"]
            for label in map(str, labels):
                if not label.startswith("sub-"):
                    raise InputError(
                        f"invalid participant_id {label!r}",
                        where=path.name,
                        expected="sub- and then letters or digits, such as sub-01",
                    )
                check_label(label)
    except VirtualBrainError as error:
        return [error]
    return []


def check_patients(
    bids: Path | str, labels: Sequence[str], config: Mapping[str, Any], processes: int
) -> dict[str, list[VirtualBrainError]]:
    """Return every problem of several patients, checked in several processes if there are many.

    Parameters
    ----------
    bids, config
        As in `check_patient`.
    labels : sequence of str
        The participants' labels.
    processes : int
        Largest number of processes.

    Returns
    -------
    dict of str to list of VirtualBrainError
        By label, in the order given.
    """
    one = partial(check_patient, bids, config=config)
    if len(labels) < _MANY or processes < 2:
        return {label: one(label) for label in labels}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        return dict(zip(labels, pool.map(one, labels, chunksize=8), strict=True))


def check_patient(
    bids: Path | str, label: str, config: Mapping[str, Any]
) -> list[VirtualBrainError]:
    """Return every problem of one patient's input files, without long computations.

    Parameters
    ----------
    bids : Path or str
        Root of the BIDS dataset.
    label : str
        The participant's label.
    config : mapping
        The run's configuration.

    Returns
    -------
    list of VirtualBrainError
        One per problem; empty if the patient can be run.
    """
    try:
        files = find_patient(bids, label)
    except VirtualBrainError as error:
        return [error]
    structural = _structural_problems(files, config)
    if config["structure_only"]:
        return structural
    from virtualbrain.seeg.check import check_seeg  # slow to import, as the next
    from virtualbrain.surgery.check import check_pairs

    return [
        *structural,
        *check_seeg(files, settings_from(config["seeg"], SeegSettings, "seeg")),
        *check_clinical(files),
        *check_pairs(files),
    ]


def personal_data_of(bids: Path | str, label: str) -> list[str]:
    """Return the places of names and dates of the patient in the input files.

    Parameters
    ----------
    bids : Path or str
        Root of the BIDS dataset.
    label : str
        The participant's label.

    Returns
    -------
    list of str
        One line per place; empty if the dataset cannot be read.
    """
    from virtualbrain.privacy.personal_data import find_personal_data  # slow to import

    try:
        return find_personal_data(find_patient(bids, label))
    except VirtualBrainError:
        return []


def notes_of(bids: Path | str, label: str, config: Mapping[str, Any]) -> list[str]:
    """Return what the user should know of the input files, although they can be used.

    Parameters
    ----------
    bids, label, config
        As in `check_patient`.

    Returns
    -------
    list of str
        One line per kind of note; empty if the dataset cannot be read.
    """
    try:
        files = find_patient(bids, label)
    except VirtualBrainError:
        return []
    notes = encoding_notes(files.all_files())
    if config["structure_only"]:
        return notes
    from virtualbrain.seeg.check import seeg_notes  # slow to import

    return [*notes, *seeg_notes(files, settings_from(config["seeg"], SeegSettings, "seeg"))]


def _structural_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Check the sources of the connectome: a ready connectome, or the images."""
    from virtualbrain.diffusion.settings import DiffusionSettings  # slow to import

    diffusion = settings_from(config["diffusion"], DiffusionSettings, "diffusion")
    problems = check_reference(diffusion.reference)
    if files.connectome is not None:
        return [*problems, *check_connectome(files.connectome)]
    from virtualbrain.anatomy.check import check_anatomy  # slow to import, as the next
    from virtualbrain.anatomy.settings import AnatomySettings
    from virtualbrain.diffusion.check import check_dwi, check_same_head

    anatomy = settings_from(config["anatomy"], AnatomySettings, "anatomy").of_patient(files.label)
    problems += check_anatomy(files, anatomy)
    if files.t1 is None and files.freesurfer is None:
        problems.append(_no_structure(files, "T1w image"))
    if not files.dwi:
        problems.append(_no_structure(files, "diffusion series"))
    problems += check_dwi(files.dwi, files.epi, diffusion)
    if not problems and files.t1 is not None and files.dwi:
        problems += check_same_head(files.t1, files.dwi[0])
    return problems


def _no_structure(files: PatientFiles, what: str) -> InputError:
    return InputError(
        f"no {what} and no ready connectome",
        where=f"sub-{files.label}",
        expected=f"a {what} in sub-{files.label}, or derivatives/connectome/sub-{files.label}",
        hint="add the missing files",
    )
