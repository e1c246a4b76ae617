"""Export electrodes as CSV and BIDS, regions and plans as CSV."""

from pathlib import Path
from typing import Any

import pandas as pd

from virtualbrain.export.patient import SCANNER_RAS, ExportPatient
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.tables import write_table

_ELECTRODE_COLUMNS = {
    "name": "name of the contact",
    "x": "mm, in the frame of the coordsystem.json beside this table",
    "y": "mm, in the frame of the coordsystem.json beside this table",
    "z": "mm, in the frame of the coordsystem.json beside this table",
    "size": "surface in mm2; not known",
    "group": "depth electrode",
    "region": "region of the contact",
}


def write_csv(patient: ExportPatient, folder: Path) -> tuple[str, ...]:
    """Write electrodes as CSV and BIDS; with a usable fit, regions and plans as CSV.

    Coordinates of the CSV are in both RAS and LPS, and its column names say so.

    Parameters
    ----------
    patient : ExportPatient
        The patient; no image is needed.
    folder : Path
        Folder of the files.

    Returns
    -------
    tuple of str
        What is left out.

    Raises
    ------
    InputError
        There is no table of contacts.
    """
    contacts = patient.contacts()
    _write_frame(folder / patient.name("electrodes.csv"), electrode_table(contacts))
    write_electrodes(folder, patient, contacts, "ScanRAS", SCANNER_RAS)
    if patient.usable:
        _write_frame(folder / patient.name("regions.csv"), patient.zones())
        outcomes = patient.results.main.outcomes
        if outcomes is not None:
            _write_frame(folder / patient.name("plans.csv"), outcomes.table.frame)
    write_json(folder / patient.name("tables.json"), patient.about(CoordinateSystem=SCANNER_RAS))
    return () if patient.usable else patient.notes


def electrode_table(contacts: pd.DataFrame) -> pd.DataFrame:
    """Return the contacts with coordinates in RAS and in LPS, in mm."""
    table = contacts[["name", "electrode", "number"]].copy()
    for axis in "xyz":
        table[f"{axis}_ras_mm"] = contacts[axis].round(3)
    for axis, sign in zip("xyz", (-1.0, -1.0, 1.0), strict=True):
        table[f"{axis}_lps_mm"] = (sign * contacts[axis]).round(3) + 0.0  # no minus zero
    return table.join(contacts[["region", "p_region", "tissue", "status"]])


def write_electrodes(
    folder: Path, patient: ExportPatient, contacts: pd.DataFrame, space: str, description: str
) -> None:
    """Write electrodes.tsv and coordsystem.json of BIDS.

    Parameters
    ----------
    folder : Path
        Folder of the files.
    patient : ExportPatient
        The patient.
    contacts : pandas.DataFrame
        Contacts in the space, mm.
    space : str
        Keyword of BIDS for the coordinate frame.
    description : str
        The frame in words.
    """
    table = pd.DataFrame(
        {
            "name": contacts["name"],
            **{axis: contacts[axis].round(3) for axis in "xyz"},
            "size": "n/a",
            "group": contacts["electrode"],
            "region": contacts["region"],
        }
    )
    columns = {name: {"Description": text} for name, text in _ELECTRODE_COLUMNS.items()}
    write_table(folder / patient.name(f"space-{space}_electrodes.tsv"), table, columns)
    system: dict[str, Any] = {
        "iEEGCoordinateSystem": space,
        "iEEGCoordinateUnits": "mm",
        "iEEGCoordinateSystemDescription": description,
    }
    write_json(folder / patient.name(f"space-{space}_coordsystem.json"), system)


def _write_frame(path: Path, table: pd.DataFrame) -> None:
    """Write a table with commas; a missing value is an empty cell."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
