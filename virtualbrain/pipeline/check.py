"""Check patients' input files; the checks of all packages in one list."""

import hashlib
import json
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.config import settings_from
from virtualbrain.errors import ConfigError, InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, check_label
from virtualbrain.io.clinical import check_clinical
from virtualbrain.io.connectome import (
    check_reference,
    read_placed_connectome,
    read_ready_connectome,
)
from virtualbrain.io.connectome_folder import place_of
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import Roots, files_of, owner_of, read_records
from virtualbrain.io.patient_search import search_patient
from virtualbrain.io.safe_files import require_safe
from virtualbrain.io.tables import read_table
from virtualbrain.io.text import encoding_notes
from virtualbrain.io.versions import versions
from virtualbrain.pipeline.stages import STRUCTURAL, last_stage
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.pulses import is_stimulated

_MANY = 24
"""Smallest number of patients that is checked in several processes."""
_READ = ("until", "structure_only", "files", "anatomy", "diffusion", "seeg")
"""Parts of the configuration that a check reads."""


def checked_part(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the configuration that `check_patient` reads; others need no new check."""
    return {name: config[name] for name in _READ}


def checked_settings(config: Mapping[str, Any]) -> str:
    """Return a checksum of the part of the configuration that a check reads; see `is_checked`."""
    text = json.dumps(checked_part(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def is_checked(out: Path, bids: Path | str, label: str, config: Mapping[str, Any]) -> bool:
    """Return whether the workflow has checked these files with these settings and this version.

    Files that were touched since then count as others, because Snakemake repeats their check.

    Parameters
    ----------
    out : Path
        The output folder.
    bids, label, config
        As in `check_patient`.
    """
    try:
        record = {one.stage: one for one in read_records(out, owner_of(label))}.get("check")
        if record is None or record.versions != versions():
            return False
        if record.settings.get("checked") != checked_settings(config):
            return False
        files, problems = search_patient(bids, label, file_settings(config))
    except VirtualBrainError:
        return False
    roots = Roots(out, Path(bids).absolute())
    found = {roots.name(path.absolute()): path for path in files_of(files.all_files())}
    return (
        not problems
        and record.inputs.keys() == found.keys()
        and all(record.inputs[name].is_untouched(path) for name, path in found.items())
    )


def is_prepared(out: Path, bids: Path | str, label: str, config: Mapping[str, Any]) -> bool:
    """Return whether a run has checked these files (`is_checked`) and read all that need a check.

    Its connectome, envelopes and gain are there; what a fit needs beyond them, stages read again.

    Parameters
    ----------
    out, bids, label, config
        As in `is_checked`.
    """
    layout = PatientLayout(out, label)
    done = layout.inputs.is_file() and layout.gain.is_file() and layout.connectome.is_dir()
    return done and is_checked(out, bids, label, config)


def file_settings(config: Mapping[str, Any]) -> FileSettings:
    """Return what the user says about the files of the dataset."""
    return settings_from(config["files"], FileSettings, "files")


def check_participants(bids: Path | str, *, outside_links: bool = False) -> list[VirtualBrainError]:
    """Return the problems of participants.tsv; the file may be missing."""
    path = Path(bids) / "participants.tsv"
    try:
        if path.exists() or path.is_symlink():
            require_safe(Path(bids), path, outside_links=outside_links)
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
        The run's configuration, or its `checked_part`.

    Returns
    -------
    list of VirtualBrainError
        One per problem; empty if the patient can be run.
    """
    try:
        files, problems = search_patient(bids, label, file_settings(config))
    except VirtualBrainError as error:
        return [error]
    if problems:
        return problems
    structural = _structural_problems(files, config)
    if last_stage(config) in STRUCTURAL:
        return structural
    from virtualbrain.seeg.check import check_seeg  # slow to import, as the next
    from virtualbrain.surgery.check import check_pairs

    found = [
        *structural,
        *check_seeg(files, settings_from(config["seeg"], SeegSettings, "seeg")),
        *([] if structural else _distance_problems(files, config)),
        *_template_problems(files, config),
        *check_clinical(files),
        *check_pairs(files),
    ]
    return list({str(problem): problem for problem in found}.values())


def notes_of(bids: Path | str, label: str, config: Mapping[str, Any]) -> list[str]:
    """Return what the user should know of the input files, although they can be used.

    Parameters
    ----------
    bids, label, config
        As in `check_patient`.

    Returns
    -------
    list of str
        One line per choice between several files, one on a group connectome, one on the distance
        of the contacts from the regions of a ready connectome, one per kind of note on the files'
        content, and one per place of a name or a date; empty if the dataset cannot be read.
    """
    from virtualbrain.privacy.personal_data import find_personal_data  # slow to import, as the next
    from virtualbrain.seeg.check import seeg_notes

    try:
        files, _ = search_patient(bids, label, file_settings(config))
    except VirtualBrainError:
        return []
    notes = [*files.notes]
    if files.uses_template:
        notes.append(
            "no MRI of this patient: the contacts are placed in the template MNI152; the verdict "
            "is caution at best"
        )
    notes += [*_group_notes(files, config), *_distance_to_regions(files, config)]
    notes += encoding_notes(files.all_files())
    if last_stage(config) not in STRUCTURAL:
        seeg = settings_from(config["seeg"], SeegSettings, "seeg")
        notes += [*seeg_notes(files, seeg), *_stimulation_notes(files, seeg)]
    found = find_personal_data(files)
    hint = "`virtualbrain deidentify` writes a copy without this information"
    return [*notes, *found, *([hint] if found else [])]


def _stimulation_notes(files: PatientFiles, settings: SeegSettings) -> list[str]:
    """Return why the responses to single pulses cannot be computed; the fit does not need them."""
    if not is_stimulated(files):
        return []
    from virtualbrain.stimulation.spes import check_spes  # slow to import

    problems = check_spes(files, settings)
    return [f"evoked responses are left out: {problem}" for problem in problems]


def _structural_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Check the sources of the connectome: a ready connectome, or the images."""
    from virtualbrain.diffusion.settings import DiffusionSettings  # slow to import

    diffusion = settings_from(config["diffusion"], DiffusionSettings, "diffusion")
    problems = check_reference(diffusion.reference)
    if files.connectome is not None:
        return [*problems, *_connectome_problems(files.connectome, files.atlas)]
    from virtualbrain.anatomy.check import check_anatomy, expected_regions  # slow to import, too
    from virtualbrain.anatomy.settings import AnatomySettings
    from virtualbrain.diffusion.check import check_dwi
    from virtualbrain.diffusion.group_connectome import check_group
    from virtualbrain.diffusion.mrtrix import check_programs

    anatomy = settings_from(config["anatomy"], AnatomySettings, "anatomy").of_patient(files.label)
    read = cache(read_image)  # two checks need the T1
    problems += check_anatomy(files, anatomy, read)
    if files.t1 is None and files.freesurfer is None and not files.uses_template:
        problems.append(_no_t1(files))
    if files.uses_template and anatomy.atlas_space == "T1w" and anatomy.atlas_image:
        problems.append(_atlas_in_t1(files))
    if last_stage(config) == "anatomy":
        return problems
    if files.uses_group:
        return [*problems, *check_group(diffusion, expected_regions(anatomy), files.label)]
    t1 = None if problems else files.t1
    return [*problems, *check_programs(), *check_dwi(files.dwi, files.epi, diffusion, t1, read)]


def _group_notes(files: PatientFiles, config: Mapping[str, Any]) -> list[str]:
    """Return the note that a group connectome is used; its own problems are reported elsewhere."""
    if not files.uses_group or last_stage(config) == "anatomy":
        return []
    from virtualbrain.diffusion.group_connectome import check_group, group_note  # slow to import
    from virtualbrain.diffusion.settings import DiffusionSettings

    settings = settings_from(config["diffusion"], DiffusionSettings, "diffusion")
    return [] if check_group(settings, (), files.label) else [group_note(settings)]


def _connectome_problems(folder: Path, atlas: str) -> list[VirtualBrainError]:
    """Check a ready connectome and the frame of its region centres."""
    from virtualbrain.seeg.region_centres import centre_problems  # slow to import

    try:
        connectome = read_placed_connectome(folder, atlas)
    except VirtualBrainError as error:
        return [error]
    return [*centre_problems(connectome.regions, place_of(folder))]


def _distance_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Check that the contacts are near the region centres of a ready connectome."""
    from virtualbrain.seeg.region_centres import distance_problems  # slow to import

    found = _contacts_and_regions(files, config)
    return [] if found is None else [*distance_problems(files, *found)]


def _template_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Check that contacts in MNI152 are inside the template's brain."""
    if not files.uses_template:
        return []
    from virtualbrain.anatomy.template import template_brain  # slow to import, as the next
    from virtualbrain.seeg.contacts import read_contacts
    from virtualbrain.seeg.template_contacts import template_problems

    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    try:
        contacts = read_contacts(files, settings)
    except VirtualBrainError:
        return []  # reported by the check of the contacts
    points = contacts[["x", "y", "z"]].to_numpy(float)
    return [*template_problems(files, points, template_brain(), settings)]


def _distance_to_regions(files: PatientFiles, config: Mapping[str, Any]) -> list[str]:
    """Return the distance of the contacts from the region centres of a ready connectome."""
    from virtualbrain.seeg.region_centres import distance_note  # slow to import

    found = None if last_stage(config) in STRUCTURAL else _contacts_and_regions(files, config)
    return [] if found is None else [distance_note(*found)]


def _contacts_and_regions(
    files: PatientFiles, config: Mapping[str, Any]
) -> tuple[NDArray[np.float64], pd.DataFrame, SeegSettings] | None:
    """Read contacts and the regions of a ready connectome; None if one of them is missing.

    Their own problems are reported by other checks.
    """
    from virtualbrain.seeg.contacts import read_contacts  # slow to import

    if files.connectome is None or files.electrodes is None:
        return None
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    try:
        contacts = read_contacts(files, settings)
        regions = read_ready_connectome(files.connectome, files.atlas).regions
    except VirtualBrainError:
        return None
    points = contacts[["x", "y", "z"]].to_numpy(float)
    places = regions[["x", "y", "z"]].to_numpy(float)
    if not all(np.isfinite(rows).all(axis=1).any() for rows in (points, places)):
        return None
    return points, regions, settings


def _no_t1(files: PatientFiles) -> InputError:
    return InputError(
        "no T1w image and no ready connectome",
        where=f"sub-{files.label}",
        expected=f"a T1w image in sub-{files.label}, or derivatives/connectome/sub-{files.label}; "
        "or contacts in MNI152, which are placed in the template",
        hint="add the missing files",
    )


def _atlas_in_t1(files: PatientFiles) -> ConfigError:
    return ConfigError(
        f"the atlas is in the space of the T1w image, but sub-{files.label} has none",
        where="anatomy.atlas_space",
        expected="an atlas in MNI space",
        hint="use the built-in atlas, or one in MNI space",
    )
