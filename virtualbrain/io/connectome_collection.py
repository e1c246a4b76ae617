"""Read the connectomes of several persons from one folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from virtualbrain.connectome import REGION_COLUMNS, Connectome, mirrored
from virtualbrain.errors import InputError
from virtualbrain.io.connectome import read_given_connectome
from virtualbrain.io.connectome_folder import matching, place_of
from virtualbrain.io.tables import read_matrix

EXPECTED = (
    "one subfolder for each person with a connectome in a known format, The Virtual Brain's zips, "
    "or NAME.tsv with named weights"
)
_NOT_WEIGHTS = ("_dseg.tsv", "_stat-length_relmat.tsv")


def read_connectomes(folder: Path, regions: tuple[str, ...]) -> dict[str, Connectome]:
    """Read the connectomes of several persons, in the order of some regions.

    Parameters
    ----------
    folder : Path
        One entry for each person: a subfolder or zip as `read_given_connectome` reads it, or a
        named matrix of weights ``NAME.tsv``. Beside such matrices, tract lengths
        (``*_stat-length_relmat.tsv``) and region tables (``*_dseg.tsv``) are left out.
    regions : tuple of str
        The regions; others of a connectome are left out.

    Returns
    -------
    dict of str to Connectome
        By the name of the subfolder or file; lengths of named matrices are 0.

    Raises
    ------
    InputError
        The folder has no connectome; a connectome lacks a region, is not square or symmetric, has
        a negative weight or no connection, or two entries have the same name.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=str(folder), expected=EXPECTED,
                         hint="check --connectomes")  # fmt: skip
    found: dict[str, Connectome] = {}
    for path in _entries(folder):
        name = path.name if path.is_dir() else path.name.split(".")[0]
        if name in found:
            raise InputError(f"two connectomes of the name {name}", where=place_of(folder),
                             expected="one entry for each person",
                             hint="rename or remove one of them")  # fmt: skip
        found[name] = _ordered(_read(path), regions, path)
    if not found:
        raise InputError("no connectome in the folder", where=place_of(folder), expected=EXPECTED,
                         hint="check --connectomes")  # fmt: skip
    return found


def _entries(folder: Path) -> list[Path]:
    """Return the entries of a folder that are connectomes, sorted."""
    return [
        path
        for path in matching(folder, "*")
        if path.is_dir()
        or path.suffix.lower() == ".zip"
        or (path.suffix.lower() == ".tsv" and not path.name.endswith(_NOT_WEIGHTS))
    ]


def _read(path: Path) -> Connectome:
    if path.suffix.lower() != ".tsv" or path.is_dir():
        return read_given_connectome(path)
    matrix = read_matrix(path)
    rows, columns = [list(map(str, axis)) for axis in (matrix.index, matrix.columns)]
    if sorted(rows) != sorted(columns):
        odd = sorted(set(rows) ^ set(columns))
        raise InputError(
            f"{len(rows)} rows and {len(columns)} columns"
            + (f"; {odd[0]} is only one of both" if odd else ""),
            where=path.name,
            expected="a square matrix: the same regions as rows and columns",
            hint="write the matrix again with all names",
        )
    matrix.columns = pd.Index(columns)
    weights = mirrored(matrix.loc[:, rows].to_numpy(dtype=np.float64))
    regions = pd.DataFrame(dict.fromkeys(REGION_COLUMNS, np.nan), index=range(len(rows)))
    regions = regions.assign(index=np.arange(1, len(rows) + 1), name=rows)
    try:
        return Connectome(regions, weights, np.zeros_like(weights), "named matrix")
    except InputError as error:
        raise error.at(path.name) from error


def _ordered(connectome: Connectome, regions: tuple[str, ...], path: Path) -> Connectome:
    missing = [name for name in regions if name not in connectome.names]
    if missing:
        raise InputError(
            f"no region {missing[0]} ({len(missing)} of {len(regions)} are missing)",
            where=path.name,
            expected=f"all regions of the patient; found {connectome.n_regions}, such as "
            f"{connectome.names[0]}",
            hint="use connectomes of the patient's atlas, with the names of its region table",
        )
    found = connectome.ordered(regions)
    if not found.weights.any():
        raise InputError("no connection between the regions of the patient", where=path.name,
                         expected="weights above 0", hint="check the file")  # fmt: skip
    return replace(found, source=path.name)
