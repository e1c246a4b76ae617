"""Read the clinicians' marks of contacts: seizure onset zone and performed resection.

Public datasets and hospitals mark contacts in channels.tsv or electrodes.tsv, in columns of their
own (``soz``, ``resected``, ``rz``) or as words of ``status_description``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.tables import read_table

Kind = Literal["soz", "resected"]
KINDS: tuple[Kind, ...] = ("soz", "resected")
WORDS_OF_KIND: Mapping[Kind, str] = {"soz": "seizure onset zone", "resected": "resected"}

_DESCRIPTION = "status_description"
_NAMES: Mapping[Kind, frozenset[str]] = {
    "soz": frozenset(("soz", "issoz", "insoz", "onsetzone", "seizureonsetzone", "seizureonset")),
    "resected": frozenset(
        ("resect", "resected", "resection", "isresected", "inresection", "rz", "resectionzone",
         "resectedzone")
    ),
}  # fmt: skip
"""Names of columns and words of cells, without everything but letters."""
_YES = frozenset(("1", "1.0", "yes", "y", "true", "t"))
_NO = frozenset(("0", "0.0", "no", "n", "false", "f"))
_MISSING = frozenset(("", "n/a", "na", "nan", "none", "null", "-"))
_SEPARATORS = re.compile(r"[,;/|+&]|\band\b")
_MENTIONED: Mapping[Kind, re.Pattern[str]] = {
    "soz": re.compile(r"\bsoz\b|onset", re.IGNORECASE),
    "resected": re.compile(r"resect", re.IGNORECASE),
}


@dataclass(frozen=True)
class TableMarks:
    """Marks of one table.

    Parameters
    ----------
    path : Path
        channels.tsv or electrodes.tsv.
    marked : mapping of str to tuple of str
        Marked names, as written, for each kind that the table states.
    problems : tuple of InputError
        Cells that are neither yes nor no, one error for each column.
    notes : tuple of str
        Descriptions that name a kind, but are no mark.
    """

    path: Path
    marked: Mapping[Kind, tuple[str, ...]]
    problems: tuple[InputError, ...] = ()
    notes: tuple[str, ...] = ()


def read_marks(files: PatientFiles) -> tuple[TableMarks, ...]:
    """Read the marks of every table of a patient's channels and contacts.

    A table that cannot be read has none; the check of its recording reports it.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    """
    found = []
    for path in files.marked_tables():
        try:
            table = read_table(path, required=["name"])
        except InputError:
            continue
        found.append(marks_of(table, path))
    return tuple(found)


def marks_of(table: pd.DataFrame, path: Path) -> TableMarks:
    """Return the marks of a table.

    Parameters
    ----------
    table : pandas.DataFrame
        With the column ``name``. Columns named soz or resected (also resect, rz, seizure_onset_zone
        and the like) hold yes, no, true, false, 1, 0, n/a, or the name of the kind. A
        ``status_description`` marks a row by whole words (``soz``, ``resect``, ``soz,resect``).
    path : Path
        Its file.
    """
    names = [str(name) for name in table["name"]]
    marked: dict[Kind, list[str]] = {}
    problems, notes = [], []
    for column in map(str, table.columns):
        kind = _kind_of(column)
        cells = [_text(cell) for cell in table[column]]
        if kind is not None and any(cell.casefold() not in _MISSING for cell in cells):
            read = [_answer(cell, kind) for cell in cells]
            chosen = [name for name, yes in zip(names, read, strict=True) if yes]
            marked[kind] = marked.get(kind, []) + chosen
            problems += _unknown(column, cells, read, path)
        elif column == _DESCRIPTION:
            for kind in KINDS:
                chosen = [
                    name
                    for name, cell in zip(names, cells, strict=True)
                    if kind in map(_kind_of, _SEPARATORS.split(cell.casefold()))
                ]
                if chosen:
                    marked[kind] = marked.get(kind, []) + chosen
                notes += _unclear(kind, names, cells, chosen, path)
    unique = {kind: tuple(dict.fromkeys(chosen)) for kind, chosen in marked.items()}
    return TableMarks(path, unique, tuple(problems), tuple(notes))


def _text(cell: Any) -> str:
    return "" if cell is None or cell != cell else str(cell).strip()


def _kind_of(words: str) -> Kind | None:
    """Return the kind that a column or a cell names; None for anything else."""
    letters = re.sub(r"[\s_.-]", "", words).casefold()
    return next((kind for kind in KINDS if letters in _NAMES[kind]), None)


def _answer(cell: str, kind: Kind) -> bool | None:
    """Return whether a cell of a kind's column marks its row; None if it cannot be read."""
    word = cell.casefold()
    if word in _YES:
        return True
    if word in _NO or word in _MISSING:
        return False
    kinds = [_kind_of(part) for part in _SEPARATORS.split(word)]
    return None if None in kinds else kind in kinds


def _unknown(
    column: str, cells: Sequence[str], read: Sequence[bool | None], path: Path
) -> list[InputError]:
    """Return the error for all cells of a column that are neither yes nor no."""
    rows = [number for number, answer in enumerate(read) if answer is None]
    if not rows:
        return []
    values = ", ".join(repr(value) for value in dict.fromkeys(cells[number] for number in rows))
    numbers = ", ".join(str(number + 2) for number in rows)
    return [
        InputError(
            f"the column {column} holds {values}",
            where=f"{path.name}, row{'s' if len(rows) > 1 else ''} {numbers}",
            expected="yes, no, 1, 0, true, false or n/a",
            hint=f"correct the column {column}, or rename it if it does not mark contacts",
        )
    ]


def _unclear(
    kind: Kind, names: Sequence[str], cells: Sequence[str], chosen: Sequence[str], path: Path
) -> list[str]:
    """Return a note on descriptions that mention a kind among other words."""
    unclear = [
        f"{name} ({cell})"
        for name, cell in zip(names, cells, strict=True)
        if name not in chosen and _MENTIONED[kind].search(cell)
    ]
    if not unclear:
        return []
    return [
        f"{path.name}: {_DESCRIPTION} mentions {WORDS_OF_KIND[kind]}, but is no mark: "
        + ", ".join(unclear)
    ]


def check_marks(files: PatientFiles) -> list[InputError]:
    """Return the marks that can be read neither as yes nor as no.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    """
    return [problem for marks in read_marks(files) for problem in marks.problems]
