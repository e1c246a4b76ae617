"""Compare predicted and observed outcomes of patients whose onset and resected contacts are marked.

Each patient has contacts in a template brain, the clinicians' marks and an Engel or ILAE class, and
neither MRI nor recording. The hypothesis is simulated on a group connectome of the template's
regions (`virtualbrain.pipeline.hypothesis`); the resection that was done is one of its plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray

from virtualbrain.anatomy.atlases import Atlas
from virtualbrain.anatomy.regions import region_table
from virtualbrain.connectome import REGION_COLUMNS, TEMPLATE_FRAME, Connectome
from virtualbrain.diffusion.group_connectome import group_of_patient
from virtualbrain.errors import InputError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.coordsystem import MM_PER_UNIT, CoordinateSystem
from virtualbrain.io.marked_regions import is_marked
from virtualbrain.io.tables import read_table
from virtualbrain.pipeline.hypothesis import Case, placed_case
from virtualbrain.seeg.contacts import contact_problems, contact_table, stated_coordinates
from virtualbrain.seeg.settings import SeegSettings

Array = NDArray[np.float64]

PREDICTORS: Mapping[str, str] = {
    "p_seizure_free": "predicted outcome: draws without a seizure after the performed resection",
    "share_onset_resected": "fraction of the onset contacts that were resected",
    "n_resected": "number of resected contacts",
}
# Template positions are uncertain by several millimetres; the ball around a contact is larger.
BALL_MM = 5.0
# MNI305, the frame of FreeSurfer's fsaverage, to MNI152 (FreeSurfer wiki, CoordinateSystems).
MNI305_TO_MNI152 = np.array(
    [
        [0.9975, -0.0073, 0.0176, -0.0429],
        [0.0146, 1.0009, -0.0024, 1.5496],
        [-0.0130, -0.0093, 0.9971, 1.1840],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_RESAMPLES, _INTERVAL = 10_000, 0.95


@dataclass(frozen=True)
class Comparison:
    """How well a predictor separates seizure-free patients from the others.

    Parameters
    ----------
    predictor : str
        A key of `PREDICTORS`.
    auc, low, high : float
        Area under the ROC curve, 0.5 without information, and its 95 % interval.
    n_free, n_not_free : int
        Patients with each outcome.
    """

    predictor: str
    auc: float
    low: float
    high: float
    n_free: int
    n_not_free: int


def template_connectome(group: Connectome, atlas: Atlas) -> Connectome:
    """Return a group connectome with the regions and places of a template atlas.

    Raises
    ------
    InputError
        The group connectome lacks a region of the atlas.
    """
    labels = np.asarray(atlas.image.dataobj)
    regions = region_table(atlas.table, labels, atlas.image.affine, {})[list(REGION_COLUMNS)]
    return group_of_patient(group, regions, TEMPLATE_FRAME)


def template_case(
    files: PatientFiles, connectome: Connectome, atlas: Atlas, settings: SeegSettings
) -> Case:
    """Place contacts with coordinates in a template brain.

    Parameters
    ----------
    files : PatientFiles
        The patient's files; coordsystem.json must state fsaverage, MNI305 or MNI152.
    connectome : Connectome
        Regions of the template.
    atlas : Atlas
        Label image in MNI152.
    settings : SeegSettings
        The unit, if the dataset states it wrongly.

    Raises
    ------
    InputError
        There are no contacts, or their frame or unit cannot be used.
    """
    if files.electrodes is None or files.coordsystem is None:
        raise InputError(
            "no electrodes.tsv with coordsystem.json",
            where=f"sub-{files.label}",
            expected="contacts in a template brain",
        )
    content, where = read_json(files.coordsystem), files.coordsystem.name
    unit = settings.units or str(content.get("iEEGCoordinateUnits", ""))
    if unit not in MM_PER_UNIT:
        raise InputError(
            f"unknown unit {unit!r}",
            where=where,
            expected=", ".join(MM_PER_UNIT),
            hint="correct iEEGCoordinateUnits, or set seeg.units",
        )
    table = read_table(files.electrodes, required=["name", "x", "y", "z"])
    stated = stated_coordinates(table, files.electrodes.name)
    system = CoordinateSystem("scanner", MM_PER_UNIT[unit], "template")
    for problem in contact_problems(table, stated, system, files.electrodes.name):
        raise problem
    positions = apply_affine(_to_mni152(content, where), stated * system.mm_per_unit)
    contacts = contact_table([str(name) for name in table["name"]], positions)
    ball = replace(settings, ball_radius_mm=BALL_MM)
    return placed_case(files, connectome, contacts, (atlas.image, None), ball)


def _to_mni152(content: Mapping[str, Any], where: str) -> Array:
    """Return the affine from the stated template frame to MNI152."""
    frame = str(content.get("iEEGCoordinateSystem", ""))
    if frame.casefold() in ("fsaverage", "mni305", "fsaveragesym"):
        return MNI305_TO_MNI152
    if frame.casefold().startswith(("mni152", "icbm152", "mnicolin", "icbm452")):
        return np.eye(4)
    raise InputError(
        f"the coordinate system {frame!r} is not that of a template",
        where=where,
        expected="fsaverage, MNI305 or MNI152 (with any ending)",
        hint="use `virtualbrain simulate-hypothesis` for contacts in the patient's own frame",
    )


def marked_counts(contacts: pd.DataFrame) -> dict[str, float]:
    """Return the numbers of contacts, onset contacts and resected contacts, and the baselines."""
    onset, resected = is_marked(contacts, "soz"), is_marked(contacts, "resected")
    both = int((onset & resected).sum())
    return {
        "n_contacts": float(len(contacts)),
        "n_onset": float(onset.sum()),
        "n_resected": float(resected.sum()),
        "share_onset_resected": both / onset.sum() if onset.any() else float("nan"),
    }


def compare(table: pd.DataFrame, rng: np.random.Generator) -> list[Comparison]:
    """Return the AUC of every predictor for seizure-free against not, with its interval.

    Patients in whom a predictor is missing do not count for it. The interval is the percentile
    interval of a bootstrap over patients, within each outcome.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``seizure_free`` and those of `PREDICTORS`.
    rng : numpy.random.Generator
        Draws the resamples.

    Raises
    ------
    InputError
        All patients have the same outcome.
    """
    found = []
    for predictor in PREDICTORS:
        rows = table.dropna(subset=[predictor])
        free = rows.loc[rows["seizure_free"], predictor].to_numpy(float)
        others = rows.loc[~rows["seizure_free"], predictor].to_numpy(float)
        if not len(free) or not len(others):
            raise InputError(
                "all patients have the same outcome",
                where="participants.tsv",
                expected="patients with and without seizures after surgery",
            )
        wins = (free[:, None] > others) + 0.5 * (free[:, None] == others)
        one = rng.multinomial(len(free), np.full(len(free), 1 / len(free)), _RESAMPLES)
        other = rng.multinomial(len(others), np.full(len(others), 1 / len(others)), _RESAMPLES)
        samples = ((one @ wins) * other).sum(axis=1) / wins.size
        tail = (1.0 - _INTERVAL) / 2.0
        low, high = np.quantile(samples, [tail, 1.0 - tail])
        auc = float(wins.mean())
        found.append(Comparison(predictor, auc, float(low), float(high), len(free), len(others)))
    return found


def row_of(
    label: str, free: bool, case: Case, predicted: Mapping[str, float] | None
) -> dict[str, Any]:
    """Return a patient's row: outcome, prediction and baselines.

    Parameters
    ----------
    label : str
        The participant.
    free : bool
        Whether the patient became seizure-free.
    case : Case
        The simulated case, with contacts.
    predicted : mapping or None
        As from `virtualbrain.pipeline.hypothesis.predict_done`.
    """
    found = predicted or {}
    names = ("p_seizure_free", "seizing_before", "seizing_after", "n_regions")
    return {
        "participant_id": f"sub-{label}",
        "seizure_free": free,
        **{name: float(found.get(name, float("nan"))) for name in names},
        **(marked_counts(case.contacts) if case.contacts is not None else {}),
    }
