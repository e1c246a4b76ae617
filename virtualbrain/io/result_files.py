"""Read result files into typed rows, and record why a file is missing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.errors import VirtualBrainError
from virtualbrain.io.atomic import read_json
from virtualbrain.io.tables import read_matrix, read_table, sidecar_of

UNREADABLE = (
    VirtualBrainError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
)


@dataclass(frozen=True)
class Table:
    """A table with the unchanged text of its file, for download."""

    file: str
    frame: pd.DataFrame
    text: str
    sidecar: Mapping[str, Any] = field(default_factory=dict)


def load_table(path: Path, columns: Sequence[str] = ()) -> Table:
    """Read a table that has these columns, with its sidecar.

    Raises
    ------
    InputError
        The table or its sidecar cannot be read, or a column is missing.
    """
    frame = read_table(path, required=columns)
    return Table(path.name, frame, path.read_text(encoding="utf-8"), read_json(sidecar_of(path)))


def load_matrix(path: Path) -> Table:
    """Read a named matrix with its sidecar.

    Raises
    ------
    InputError
        The matrix or its sidecar cannot be read.
    """
    frame = read_matrix(path)
    return Table(path.name, frame, path.read_text(encoding="utf-8"), read_json(sidecar_of(path)))


def columns_of(row: type[Any]) -> tuple[str, ...]:
    """Return the columns that a table of this dataclass must have: fields without a default."""
    return tuple(one.name for one in fields(row) if one.default is MISSING)


def rows_of[Row](frame: pd.DataFrame, row: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a table as dataclasses whose fields are the columns.

    Missing text is None where the field allows it; a missing number is NaN. A field with a default
    may have no column.
    """
    kinds = {one.name: one.type for one in fields(row)}  # type: ignore[arg-type]
    return tuple(
        row(**{name: _cell(record[name], kind) for name, kind in kinds.items() if name in record})
        for record in frame.to_dict("records")
    )


def _cell(value: Any, kind: Any) -> Any:
    """Return a cell as the type of its field."""
    if kind is float:
        return float(value)
    if kind is int:
        return int(value)
    if kind is bool:
        return str(value) == "True"
    missing = value is None or (isinstance(value, (float, np.floating)) and np.isnan(value))
    return None if missing and kind == (str | None) else str(value)


@dataclass
class PartReader:
    """Reads the parts of an output folder and records why a part is missing."""

    out: Path
    missing: dict[str, str] = field(default_factory=dict)

    def part[Part](
        self, name: str, path: Path, read: Callable[[Path], Part], stage: str
    ) -> Part | None:
        """Read a file; if that fails, record the reason and return None."""
        if not path.is_file():
            self.missing[name] = (
                f"{self._short(path)} was not written: {stage} did not run or did not finish"
            )
            return None
        try:
            return read(path)
        except UNREADABLE as error:
            detail = str(error).replace(str(path), path.name).replace(str(self.out), "OUT")
            self.missing[name] = f"{self._short(path)} cannot be read ({detail})"
            return None

    def _short(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()
