"""Export the leading plans as DICOM SEG with the T1 as a DICOM series."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.errors import InputError
from virtualbrain.export.choices import ExportChoices
from virtualbrain.export.dicom_grid import slice_grid
from virtualbrain.export.dicom_segmentation import plan_segmentation
from virtualbrain.export.dicom_series import OUTLINE, Study, make_uid, mr_series, stored_values
from virtualbrain.export.patient import ExportPatient, Images
from virtualbrain.export.plans import PlanExtent
from virtualbrain.export.volumes import LabelGrid, plan_mask
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.versions import versions

_T1, _SEG, _BURNT = 1, 2, 3


def write_dicom(patient: ExportPatient, folder: Path, choices: ExportChoices) -> tuple[str, ...]:
    """Write the T1 as a DICOM series and the leading plans as DICOM SEG.

    With `choices.burn_in` a second series has the outline of one plan in its slices, for software
    that reads no SEG. The T1 shows the face: the files identify the patient.

    Parameters
    ----------
    patient : ExportPatient
        The patient.
    folder : Path
        Folder of the files.
    choices : ExportChoices
        The user's confirmation, and the plan to draw.

    Returns
    -------
    tuple of str
        What is left out.

    Raises
    ------
    InputError
        The research use is not confirmed, there is no plan with known tissue, the plan to draw is
        none of them, or the patient has no images.
    """
    require_confirmed(choices)
    images = patient.images("dicom")
    chosen = _plan_to_draw(patient, choices)
    grid = slice_grid(images.t1)
    regions = LabelGrid(images.labels, images.index_of)
    masks = [
        grid.slices(np.asarray(plan_mask(regions, plan.regions).dataobj)).astype(bool)
        for plan in patient.plans
    ]
    study = _study(patient, images, masks)
    stored = stored_values(np.asarray(images.t1.dataobj, dtype=np.float32))
    slices = np.asarray(grid.slices(stored), dtype=np.uint16)
    series = mr_series(grid, slices, study, _T1, "RESEARCH USE ONLY virtualbrain: T1w")
    _save(series, folder / "t1")
    _save_one(
        plan_segmentation(series, masks, patient.plans, study, _SEG),
        folder / patient.name("plans_seg.dcm"),
    )
    if chosen is not None:
        mask = masks[patient.plans.index(chosen)]
        drawn = np.where(outlines(mask), OUTLINE, slices).astype(np.uint16)
        title = f"RESEARCH USE ONLY virtualbrain: T1w with plan {chosen.number}"
        _save(mr_series(grid, drawn, study, _BURNT, title), folder / f"t1-plan{chosen.number}")
    plans = {str(i): plan.about() for i, plan in enumerate(patient.plans, start=1)}
    about = patient.about(
        CoordinateSystem="LPS, the patient coordinates of DICOM; grid of the T1w image",
        Segments=plans,
        BurntIn=None if chosen is None else chosen.name,
        Identifying="the T1w image shows the face",
    )
    write_json(folder / patient.name("dicom.json"), about)
    return patient.notes


def require_confirmed(choices: ExportChoices) -> None:
    """Raise an error if the user did not confirm the research use.

    Raises
    ------
    InputError
        The option is missing.
    """
    if not choices.confirm_research_use:
        raise InputError(
            "DICOM files can reach clinical systems, and this software is for research only",
            where="--format dicom",
            expected="a confirmation",
            hint="add --confirm-research-use if the files will not guide an operation",
        )


def outlines(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the voxels of a mask at its border within the slice, shape (slices, rows, columns)."""
    cross = ndimage.generate_binary_structure(2, 1)[None]
    return np.asarray(mask & ~ndimage.binary_erosion(mask, cross))


def _plan_to_draw(patient: ExportPatient, choices: ExportChoices) -> PlanExtent | None:
    """Return the plan of --burn-in; None without the option."""
    if not patient.plans:
        raise InputError(
            "there is no plan to export" + "".join(f" ({note})" for note in patient.notes),
            where=f"sub-{patient.label}, --format dicom",
            expected="a leading plan that resects complete regions",
            hint="inspect the report; --format nifti exports the maps without plans",
        )
    if not choices.burn_in:
        return None
    found = [plan for plan in patient.plans if plan.number == choices.burn_in]
    if not found:
        known = ", ".join(str(plan.number) for plan in patient.plans)
        raise InputError(
            f"there is no plan {choices.burn_in}", where="--burn-in", expected=f"one of {known}"
        )
    return found[0]


def _study(patient: ExportPatient, images: Images, masks: Sequence[NDArray[np.bool_]]) -> Study:
    """Return identifiers that depend on the T1, and on the plans where those are in a file."""
    content = hashlib.sha256(np.ascontiguousarray(images.t1.dataobj).tobytes())
    content.update(np.asarray(images.t1.affine, dtype=float).tobytes())
    anatomy = f"{patient.label} {content.hexdigest()}"
    for mask in masks:
        content.update(np.packbits(mask).tobytes())
    version = versions()["virtualbrain"]
    names = " ".join(plan.name for plan in patient.plans)
    return Study(
        label=patient.label,
        version=version,
        study_uid=make_uid("study", anatomy),
        frame_uid=make_uid("frame", anatomy),
        content=f"{patient.label} {patient.priors} {version} {content.hexdigest()} {names}",
    )


def _save(series: Sequence[Any], folder: Path) -> None:
    """Write the slices of a series."""
    for number, dataset in enumerate(series, start=1):
        _save_one(dataset, folder / f"slice-{number:04d}.dcm")


def _save_one(dataset: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        dataset.save_as(temporary, enforce_file_format=True)
