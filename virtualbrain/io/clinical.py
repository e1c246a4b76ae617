"""What the clinic believes: the hypothesis of the epileptogenic zone and the eloquent regions."""

from pathlib import Path

import pandas as pd

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table

ZONES = ("EZ", "PZ")


def read_hypothesis(path: Path) -> pd.DataFrame:
    """Read the clinical hypothesis.

    Returns
    -------
    pandas.DataFrame
        Columns ``name`` (a region or a contact), ``zone`` (EZ or PZ) and ``source``.

    Raises
    ------
    InputError
        No column that names a region or contact, or a zone that is neither EZ nor PZ.
    """
    table = read_table(path, required=["zone"])
    named = [column for column in ("region", "contact", "name") if column in table]
    if not named:
        raise InputError(
            "no column region or contact",
            where=path.name,
            expected="columns region (or contact), zone, source",
            cure=f"the header has {', '.join(table.columns)}",
        )
    zone = table["zone"].astype(str).str.upper()
    wrong = table.index[~zone.isin(ZONES)]
    if len(wrong):
        raise InputError(
            f"the zone {table['zone'][wrong[0]]}",
            where=f"{path.name}, row {wrong[0] + 2}",
            expected="EZ or PZ",
        )
    name = table[named].bfill(axis=1).iloc[:, 0].astype(str)
    source = table["source"] if "source" in table else pd.Series("", index=table.index)
    return pd.DataFrame({"name": name, "zone": zone, "source": source.fillna("")})


def read_eloquent(path: Path) -> pd.DataFrame:
    """Read the eloquent regions: columns ``region`` and ``function``."""
    table = read_table(path, required=["region", "function"])
    return table[["region", "function"]].astype(str)


def require_known(names: pd.Series, known: set[str], path: Path, what: str) -> None:
    """Refuse a name that the patient's tables do not have.

    Raises
    ------
    InputError
        The first unknown name, with its row.
    """
    unknown = names.index[~names.isin(known)]
    if len(unknown):
        raise InputError(
            f"unknown {what} {names[unknown[0]]}",
            where=f"{path.name}, row {unknown[0] + 2}",
            expected=f"a {what} of this patient",
            cure="use the names of the region table and of electrodes.tsv",
        )


def check_clinical(files: PatientFiles) -> list[VirtualBrainError]:
    """Find problems in the clinical tables, names aside (regions are known only later)."""
    problems: list[VirtualBrainError] = []
    for path, reader in ((files.hypothesis, read_hypothesis), (files.eloquent, read_eloquent)):
        if path is None:
            continue
        try:
            reader(path)
        except VirtualBrainError as error:
            problems.append(error)
    return problems


def hypothesis_regions(files: PatientFiles, layout: PatientLayout) -> pd.DataFrame | None:
    """Return the clinical hypothesis by region; a contact stands for the region it lies in.

    Parameters
    ----------
    files : PatientFiles
        The patient's input.
    layout : PatientLayout
        Where region table and contacts stand.

    Returns
    -------
    pandas.DataFrame or None
        Columns ``region`` and ``zone``, no region twice (EZ before PZ); None without hypothesis.

    Raises
    ------
    InputError
        A name that is neither a region nor a contact, or a contact outside every region.
    """
    if files.hypothesis is None:
        return None
    table = read_hypothesis(files.hypothesis)
    regions = set(read_table(layout.connectome_regions, ["name"])["name"])
    contacts = read_table(layout.contacts, ["name", "region"]).set_index("name")["region"]
    known = regions | set(contacts.index)
    require_known(table["name"], known, files.hypothesis, "region or contact")
    table["region"] = [name if name in regions else contacts[name] for name in table["name"]]
    outside = table.index[table["region"].isna()]
    if len(outside):
        raise InputError(
            f"the contact {table['name'][outside[0]]} lies in no region",
            where=f"{files.hypothesis.name}, row {outside[0] + 2}",
            cure="name a region instead",
        )
    ordered = table.sort_values("zone", kind="stable").drop_duplicates("region")
    return ordered[["region", "zone"]].reset_index(drop=True)


def eloquent_regions(files: PatientFiles, layout: PatientLayout) -> tuple[tuple[str, str], ...]:
    """Return (region, function) of every eloquent region; empty where none are given.

    Raises
    ------
    InputError
        A region that the patient's atlas does not have.
    """
    if files.eloquent is None:
        return ()
    table = read_eloquent(files.eloquent)
    known = set(read_table(layout.connectome_regions, ["name"])["name"])
    require_known(table["region"], known, files.eloquent, "region")
    return tuple(zip(table["region"], table["function"], strict=True))
