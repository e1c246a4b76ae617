"""Export maps, plans and contacts as NIfTI in MNI152."""

import tempfile
from pathlib import Path

import numpy as np

from virtualbrain.anatomy.quality import LIMITS
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.anatomy.template_space import (
    TEMPLATE_SPACE,
    TemplateSpace,
    register_to_template,
)
from virtualbrain.config import settings_from
from virtualbrain.errors import InputError
from virtualbrain.export.nifti import write_contacts, write_maps
from virtualbrain.export.patient import ExportPatient, Images
from virtualbrain.export.tables import write_electrodes
from virtualbrain.export.volumes import LabelGrid
from virtualbrain.io.atomic import read_json
from virtualbrain.io.images import read_image

_FRAME = "MNI152 (ICBM 2009a nonlinear symmetric), RAS"


def write_mni(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Register the template, and write p_ez, observability, leading plans and contacts in it.

    The label image is resampled by nearest neighbour and the maps are made from it, so that a
    region keeps its value. Contacts are transformed as points.

    Parameters
    ----------
    patient : ExportPatient
        The patient.
    folder : Path
        Folder of the files.

    Returns
    -------
    tuple of str
        What is left out, and a remark on the registration.

    Raises
    ------
    InputError
        The patient has no images.
    ToolError
        The registration failed.
    """
    images = patient.images("mni")
    with tempfile.TemporaryDirectory() as scratch:
        space = _registered(patient, images, Path(scratch))
        labels = space.labels(images.labels)
        contacts = patient.contacts()
        known = np.isfinite(contacts[["x", "y", "z"]]).all(axis=1)
        points = contacts.loc[known, ["x", "y", "z"]].to_numpy(dtype=float)
        contacts.loc[known, ["x", "y", "z"]] = space.points(points)
    about = {
        "CoordinateSystem": _FRAME,
        "CoordinateUnits": "mm",
        "TemplateOverlap": space.overlap,
    }
    prefix = f"space-{TEMPLATE_SPACE}_"
    write_maps(patient, folder, LabelGrid(labels, images.index_of), prefix, about)
    write_contacts(folder, patient, contacts, labels, prefix, about)
    write_electrodes(folder, patient, contacts, TEMPLATE_SPACE, _FRAME)
    limit = LIMITS["template_overlap"]
    return (*patient.notes, f"{limit.title}: {space.overlap:.2f} ({limit.bounds})")


def _registered(patient: ExportPatient, images: Images, folder: Path) -> TemplateSpace:
    """Register the template with the settings and the seed of the run."""
    layout = patient.layout
    stated = read_json(layout.provenance).get("configuration", {})
    if "anatomy" not in stated:
        raise InputError(
            "the provenance states no settings of the anatomy",
            where=layout.provenance.name,
            expected="results of a complete run",
            hint="run the pipeline until the report",
        )
    settings = settings_from(stated["anatomy"], AnatomySettings, "anatomy")
    return register_to_template(
        images.t1,
        read_image(layout.brain_mask),
        read_image(layout.tissues, dimensions=4),
        settings,
        folder,
        int(stated.get("seed", 0)),
    )
