"""What the clinic believes: the hypothesis of the epileptogenic zone and the eloquent regions."""

from pathlib import Path

import pandas as pd

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
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
