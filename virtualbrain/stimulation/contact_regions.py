"""Find the region of each contact of a patient, for evoked responses."""

from dataclasses import dataclass

import numpy as np

from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_contacts
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.contacts import contact_table

REGION_COLUMNS = ("region", "DKT_label_text", "Destrieux_label_text")
"""Columns of electrodes.tsv that may name regions; the first that exists is read."""
_NO_REGION = {"", "n/a", "none", "unknown"}


@dataclass(frozen=True)
class ContactRegions:
    """Region of each contact in grey matter, by the contact's name, and where they are from."""

    region_of: dict[str, str]
    source: str


def contact_regions(files: PatientFiles, layout: PatientLayout) -> ContactRegions:
    """Return the regions of contacts: those of the SEEG results, else of electrodes.tsv.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    layout : PatientLayout
        The patient's results.

    Returns
    -------
    ContactRegions
        Empty if no table names regions.

    Raises
    ------
    InputError
        A table cannot be read.
    """
    if layout.contacts.is_file():
        table = read_contacts(layout.contacts)
        return ContactRegions(_named(table["name"], table["region"]), layout.contacts.name)
    if files.electrodes is None:
        return ContactRegions({}, "")
    table = read_table(files.electrodes, ["name"], REGION_COLUMNS)
    column = next((name for name in REGION_COLUMNS if name in table), None)
    if column is None:
        return ContactRegions({}, "")
    names = [str(name) for name in table["name"]]
    contacts = contact_table(names, np.full((len(names), 3), np.nan))
    regions = table[column].iloc[contacts["row"] - 2]
    source = f"column {column} of {files.electrodes.name}"
    return ContactRegions(_named(contacts["name"], regions), source)


def _named(names: object, regions: object) -> dict[str, str]:
    """Return the regions by the names of the contacts that have one."""
    pairs = zip(names, regions, strict=True)  # type: ignore[call-overload]
    return {
        str(name): region
        for name, region in pairs
        if isinstance(region, str) and region.casefold() not in _NO_REGION
    }
