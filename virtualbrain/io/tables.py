"""Read and write tab-separated tables and named matrices with their JSON sidecars."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.number_text import is_number
from virtualbrain.io.text import read_text

MISSING = "n/a"
_NO_NUMBER = ("", MISSING, "N/A", "NA", "na")
"""Cells that are missing in a column of numbers; in a column of text only n/a is."""
_LIMIT_BYTES = 256 * 2**20


def sidecar_of(path: Path | str) -> Path:
    """Return the path of the JSON sidecar of a table."""
    return Path(path).with_suffix(".json")


def write_table(path: Path | str, table: pd.DataFrame, sidecar: Mapping[str, Any]) -> None:
    """Write a table as TSV and its sidecar, each atomically.

    Numbers are written with all digits. Missing values are ``n/a``.

    Parameters
    ----------
    path : Path or str
        A path with the extension ``.tsv``; the sidecar has the extension ``.json``.
    table : pandas.DataFrame
        The table; its index is not written.
    sidecar : mapping
        Units, sources and settings.
    """
    write_json(sidecar_of(path), sidecar)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, na_rep=MISSING, lineterminator="\n")


def read_table(
    path: Path | str, required: Sequence[str] = (), optional: Sequence[str] = ()
) -> pd.DataFrame:
    """Read a TSV of any encoding in which ``n/a`` is a missing value.

    A column is numeric if all its values are numbers, else text. Names such as ``None`` or
    ``NA`` are text: only ``n/a`` is missing, and empty cells in a column of numbers. Spaces around
    cells and empty cells at the end of the rows are left out.

    Parameters
    ----------
    path : Path or str
        The table.
    required : sequence of str
        Required columns.
    optional : sequence of str
        Other columns. Both are also found if they are written in another case (``Status``).

    Raises
    ------
    InputError
        The file is missing, empty, not text or not tab-separated, or a column is missing.
    """
    path = Path(path)
    rows = _without_empty_end(_read_rows(path))
    header, body = _in_known_case(rows[0], [*required, *optional]), rows[1:]
    missing = [name for name in required if name not in header]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}",
            where=path.name,
            expected=f"the columns {', '.join(required)}, separated by tabs",
            hint=_separator_hint(header),
        )
    if len(set(header)) != len(header):
        repeated = next(name for name in header if header.count(name) > 1)
        raise InputError(
            f"the column {repeated} occurs twice",
            where=path.name,
            expected="a different name for every column",
            hint="rename or remove one of them",
        )
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise InputError(
                f"the row has {len(row)} cells",
                where=f"{path.name}, row {number}",
                expected=f"{len(header)} cells separated by tabs",
                hint="write n/a for a missing value",
            )
    columns = {name: _column([row[i] for row in body]) for i, name in enumerate(header)}
    return pd.DataFrame(columns, columns=header)


def _read_rows(path: Path) -> list[list[str]]:
    """Return the cells of all rows that are not blank."""
    if not path.is_file():
        raise InputError("no such file", where=str(path), hint="check the path and the label")
    if path.stat().st_size > _LIMIT_BYTES:
        raise InputError(
            f"the table is larger than {_LIMIT_BYTES >> 20} MiB",
            where=path.name,
            expected="a table of this patient",
            hint="check that this is the right file",
        )
    text = read_text(path)
    if "\x00" in text:
        raise InputError(
            "the file is not text",
            where=path.name,
            expected="a table of text",
            hint="save the table as text in UTF-8",
        )
    lines = [line for line in StringIO(text, newline=None) if line.strip()]
    if not lines:
        raise InputError(
            "the table is empty",
            where=path.name,
            expected="a header row",
            hint="fill in the table, or remove the file",
        )
    try:
        found = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        return [[cell.strip() for cell in row] for row in found]
    except csv.Error as error:
        raise InputError(
            f"not a table ({error})",
            where=path.name,
            expected="cells separated by tabs",
            hint="save the table as TSV",
        ) from None


def _without_empty_end(rows: list[list[str]]) -> list[list[str]]:
    """Remove the last columns if they are empty in every row, as spreadsheets write them."""
    width = max((i for i, cell in enumerate(rows[0], start=1) if cell), default=0)
    if width == 0 or any(any(row[width:]) for row in rows):
        return rows
    return [row[:width] for row in rows]


def _in_known_case(header: list[str], known: Sequence[str]) -> list[str]:
    """Return the header with known columns that are written in another case renamed."""
    exact = set(header)
    spelt = {name.casefold(): name for name in known if name not in exact}
    return [name if name in known else spelt.get(name.casefold(), name) for name in header]


def _separator_hint(header: Sequence[str]) -> str:
    if len(header) == 1 and any(mark in header[0] for mark in ",;"):
        return "save the table with tabs: the header has commas or semicolons"
    return f"the header has: {', '.join(header)}"


def _column(cells: Sequence[str]) -> "pd.Series | NDArray[np.generic]":
    """Convert cells to numbers if all present cells are numbers, else keep them as text."""
    present = [cell for cell in cells if cell not in _NO_NUMBER]
    if not present and any(cell not in (MISSING, "") for cell in cells):
        return pd.Series([None if cell == MISSING else cell for cell in cells], dtype=object)
    try:
        values = [float(cell) for cell in present]
    except ValueError:
        return pd.Series([None if cell == MISSING else cell for cell in cells], dtype=object)
    if present and len(present) == len(cells) and all(_is_integer(cell) for cell in present):
        try:
            return np.array([int(cell) for cell in cells], dtype=np.int64)
        except OverflowError:
            pass  # more digits than whole numbers have here
    numbers = iter(values)
    return np.array(
        [np.nan if cell in _NO_NUMBER else next(numbers) for cell in cells], dtype=float
    )


def _is_integer(cell: str) -> bool:
    return cell.lstrip("+-").isdigit()


def write_matrix(
    path: Path | str,
    matrix: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    sidecar: Mapping[str, Any],
) -> None:
    """Write a matrix with column names in the header and row names in the first column.

    Parameters
    ----------
    path : Path or str
        A path with the extension ``.tsv``.
    matrix : numpy.ndarray, shape (n_rows, n_columns)
        The matrix.
    rows, columns : sequence of str
        Names of the rows and columns, by which files are aligned.
    sidecar : mapping
        Units, sources and settings.
    """
    frame = pd.DataFrame(np.asarray(matrix), columns=list(columns))
    frame.insert(0, "name", list(rows), allow_duplicates=False)
    write_table(path, frame, sidecar)


def read_matrix(path: Path | str) -> pd.DataFrame:
    """Read a named matrix; the index of the result has the row names.

    Raises
    ------
    InputError
        A name occurs twice or a cell is not a number.
    """
    table = read_table(path)
    names = table.iloc[:, 0].astype(str)
    if names.duplicated().any():
        raise InputError(
            f"the name {names[names.duplicated()].iloc[0]} occurs twice",
            where=Path(path).name,
            expected="one row per name",
            hint="remove one of the rows",
        )
    body = table.iloc[:, 1:]
    for column, kind in body.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise _no_number(body[column], str(column), Path(path).name)
    matrix = body.astype(float)
    matrix.index = pd.Index(names, name="name")
    return matrix


def _no_number(cells: pd.Series, column: str, where: str) -> InputError:
    """Return the error for the first cell of a matrix that is no number."""
    row, cell = next((i, c) for i, c in enumerate(cells) if c is not None and not is_number(c))
    return InputError(
        f"the column {column} contains text ({str(cell)[:40]!r})",
        where=f"{where}, row {row + 2}",
        expected="names in the header row and the first column, numbers elsewhere",
        hint="write a decimal point, not a comma"
        if is_number(str(cell).replace(",", "."))
        else "correct the cells of this column",
    )
