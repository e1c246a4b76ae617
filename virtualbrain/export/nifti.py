"""Export maps, plans and contacts as NIfTI on the grid of the T1."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.export.patient import SCANNER_RAS, ExportPatient
from virtualbrain.export.volumes import (
    CONTACT_RADIUS_MM,
    LabelGrid,
    contact_image,
    plan_mask,
    region_map,
)
from virtualbrain.io.atomic import write_json
from virtualbrain.io.images import write_image
from virtualbrain.io.tables import write_table

_OBSERVABILITY = "how well the channels see each region, from the gain alone, 0 to 1"
_P_EZ = "posterior probability that each region starts seizures"
_OUTSIDE = "; 0 outside all regions, NaN in a region that was not fitted"


def write_nifti(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Write p_ez, observability, leading plans and contacts on the grid of the T1.

    Parameters
    ----------
    patient : ExportPatient
        The patient.
    folder : Path
        Folder of the files.

    Returns
    -------
    tuple of str
        What is left out.

    Raises
    ------
    InputError
        The patient has no images.
    """
    images = patient.images("nifti")
    grid = LabelGrid(images.labels, images.index_of)
    frame = {"CoordinateSystem": SCANNER_RAS, "CoordinateUnits": "mm"}
    write_maps(patient, folder, grid, "", frame)
    write_contacts(folder, patient, patient.contacts(), images.labels, "", frame)
    return patient.notes


def write_maps(
    patient: ExportPatient, folder: Path, grid: LabelGrid, space: str, about: Mapping[str, Any]
) -> None:
    """Write the maps of the regions and the masks of the plans.

    Parameters
    ----------
    patient : ExportPatient
        The patient.
    folder : Path
        Folder of the files.
    grid : LabelGrid
        The regions in the space of the export.
    space : str
        Part of the file names; empty: the space of the T1.
    about : mapping
        Further entries of the sidecars: the frame.
    """
    zones = patient.zones().set_index("region")
    columns = {"observability": _OBSERVABILITY} | ({"p_ez": _P_EZ} if patient.usable else {})
    for column, meaning in columns.items():
        entries = patient.about(Description=meaning + _OUTSIDE, Sources=["zones.tsv"], **about)
        path = folder / patient.name(f"{space}stat-{column.replace('_', '')}_map.nii.gz")
        value = {str(name): float(number) for name, number in zones[column].items()}
        _write(path, region_map(grid, value), entries)
    for plan in patient.plans:
        entries = patient.about(Sources=["outcomes.tsv"], **plan.about(), **about)
        path = folder / patient.name(f"{space}{plan.file_part}_mask.nii.gz")
        _write(path, plan_mask(grid, plan.regions), entries)


def write_contacts(
    folder: Path,
    patient: ExportPatient,
    contacts: pd.DataFrame,
    grid: nib.Nifti1Image,
    space: str,
    about: Mapping[str, Any],
) -> None:
    """Write the contacts as an image, with a table of its values.

    Parameters
    ----------
    folder : Path
        Folder of the files.
    patient : ExportPatient
        The patient.
    contacts : pandas.DataFrame
        Contacts in the space of the export.
    grid : nibabel.Nifti1Image
        The voxel grid.
    space : str
        Part of the file names; empty: the space of the T1.
    about : mapping
        Further entries of the sidecars: the frame.
    """
    meaning = (
        f"row of the table in a sphere of {CONTACT_RADIUS_MM} mm around each contact; 0 elsewhere"
    )
    image = contact_image(contacts, grid)
    path = folder / patient.name(f"{space}desc-contacts_dseg.nii.gz")
    write_image(path, image)
    table = contacts[["name", "electrode", "x", "y", "z", "region"]].copy()
    table.insert(0, "index", np.arange(1, len(table) + 1))
    entries = patient.about(Description=meaning, Sources=["contacts.tsv"], **about)
    write_table(folder / patient.name(f"{space}desc-contacts_dseg.tsv"), table, entries)


def _write(path: Path, image: nib.Nifti1Image, about: Mapping[str, Any]) -> None:
    write_image(path, image)
    write_json(path.with_suffix("").with_suffix(".json"), about)
