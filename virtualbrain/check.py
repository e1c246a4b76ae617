"""Every problem of a patient's input at minute 0, joined from the rooms that read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from virtualbrain.anatomy.check import check_anatomy
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.config import settings_from
from virtualbrain.diffusion.check import check_dwi, check_same_head
from virtualbrain.diffusion.settings import DiffusionSettings
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, find_patient
from virtualbrain.io.clinical import check_clinical
from virtualbrain.io.connectome import check_connectome, check_reference
from virtualbrain.privacy.personal_data import find_personal_data
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.check import check_pairs


def check_patient(
    bids: Path | str, label: str, config: Mapping[str, Any]
) -> list[VirtualBrainError]:
    """Find every problem of one patient's input without long work.

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
        One per problem; empty when the patient can be run.
    """
    try:
        files = find_patient(bids, label)
    except VirtualBrainError as error:
        return [error]
    structural = _structural_problems(files, config)
    if config["structure_only"]:
        return structural
    return [
        *structural,
        *check_seeg(files, settings_from(config["seeg"], SeegSettings, "seeg")),
        *check_clinical(files),
        *check_pairs(files),
    ]


def personal_data_of(bids: Path | str, label: str) -> list[str]:
    """Say where a patient's files still name the patient or tell a date of theirs.

    Parameters
    ----------
    bids : Path or str
        Root of the BIDS dataset.
    label : str
        The participant's label.

    Returns
    -------
    list of str
        One line for each place; empty too where the dataset itself cannot be read.
    """
    try:
        return find_personal_data(find_patient(bids, label))
    except VirtualBrainError:
        return []


def _structural_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Check what the connectome is made of: a ready one, or the images."""
    diffusion = settings_from(config["diffusion"], DiffusionSettings, "diffusion")
    problems = check_reference(diffusion.reference)
    if files.connectome is not None:
        return [*problems, *check_connectome(files.connectome)]
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
        cure="add one of the two",
    )
