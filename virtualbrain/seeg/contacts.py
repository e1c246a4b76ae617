"""Read contacts from electrodes.tsv, or place them between the end points of each electrode."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.coordsystem import MM_PER_UNIT, CoordinateSystem, read_coordinate_system
from virtualbrain.io.recordings import read_json
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.coordinates import to_scanner_mm
from virtualbrain.seeg.names import bare_name, by_key, rows_of, split_contact, tidy
from virtualbrain.seeg.settings import SeegSettings

COLUMNS = ("name", "x", "y", "z")
"""Columns that electrodes.tsv must have."""
MICRO_COLUMNS = ("type", "group", "description")
"""Columns of electrodes.tsv that may name micro contacts."""
DEFAULT_SPACING_MM = 3.5
PLAUSIBLE_SPACING_MM = (1.0, 25.0)
_FAR_MM = 1000.0
_NO_NUMBER = ("", "n/a", "na", "nan", "none", "null", "-")
REPEATED = "repeated"
"""Mark in the column `shared` of a contact whose exact name has several places."""


def read_contacts(files: PatientFiles, settings: SeegSettings | None = None) -> pd.DataFrame:
    """Read a patient's contacts in scanner RAS of the T1w.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings, optional
        Frame and unit stated by the user.

    Returns
    -------
    pandas.DataFrame
        ``name electrode number x y z micro``; mm; NaN where the coordinates are n/a.

    Raises
    ------
    InputError
        A file is missing or invalid, no contact has coordinates, or the spacing of the contacts
        does not fit the stated unit.
    """
    if files.electrodes is None:
        raise InputError(
            "no electrodes.tsv",
            where=f"sub-{files.label}/ieeg",
            expected="a table with name, x, y, z of every contact",
            hint=f"add sub-{files.label}_electrodes.tsv and sub-{files.label}_coordsystem.json",
        )
    system = coordinate_system(files, settings)
    table = read_table(files.electrodes, COLUMNS, MICRO_COLUMNS)
    stated = stated_coordinates(table, files.electrodes.name)
    problems = contact_problems(table, stated, system, files.electrodes.name)
    if problems:
        raise problems[0]
    positions = to_scanner_mm(stated, system, files.freesurfer, files.electrodes.name)
    return contact_table([str(name) for name in table["name"]], positions, _is_micro(table))


def coordinate_system(
    files: PatientFiles, settings: SeegSettings | None = None
) -> CoordinateSystem:
    """Read the coordinate frame and unit of a patient's contacts.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings, optional
        Frame and unit stated by the user; they replace those of the dataset.

    Raises
    ------
    InputError
        Neither the dataset nor the user states them, or they cannot be used.
    """
    stated = settings or SeegSettings()
    if files.coordsystem is not None:
        content, where = read_json(files.coordsystem), files.coordsystem.name
    elif stated.frame and stated.units:
        content, where = {}, f"sub-{files.label}/ieeg"
    else:
        raise InputError(
            "no coordsystem.json: unit and coordinate frame of the contacts are unknown",
            where=f"sub-{files.label}/ieeg",
            expected="a coordsystem.json with iEEGCoordinateSystem and iEEGCoordinateUnits",
            hint=f"add sub-{files.label}_coordsystem.json for electrodes.tsv, or set seeg.frame "
            "and seeg.units",
        )
    return read_coordinate_system(
        content, where, stated.frame, stated.units, template=files.uses_template
    )


def contact_table(
    names: Sequence[str], positions: NDArray[np.float64], micro: Sequence[bool] | None = None
) -> pd.DataFrame:
    """Return contacts as a table, one row per name.

    Parameters
    ----------
    names : sequence of str
        Names as written.
    positions : numpy.ndarray, shape (n_contacts, 3)
        Scanner RAS, mm.
    micro : sequence of bool, optional
        Which are micro contacts.

    Returns
    -------
    pandas.DataFrame
        ``name electrode number x y z micro written row shared``: name as written, row of the
        table, and the key of contacts that only their names as written distinguish (else empty).
    """
    rows = _distinct_rows(names, positions)
    split = [split_contact(row.written) for row in rows]
    kept = [row.position for row in rows]
    return pd.DataFrame(
        {
            "name": [row.name for row in rows],
            "electrode": [electrode for electrode, _ in split],
            "number": pd.array([number for _, number in split], dtype="Int64"),
            "x": positions[kept, 0],
            "y": positions[kept, 1],
            "z": positions[kept, 2],
            "micro": [False if micro is None else micro[i] for i in kept],
            "written": [row.written for row in rows],
            "row": [row.last + 2 for row in rows],
            "shared": [row.shared for row in rows],
        }
    )


@dataclass(frozen=True)
class _Row:
    """A row of the contacts: position, last repetition, name, and the key it shares with others."""

    position: int
    last: int
    name: str
    written: str
    shared: str


def _distinct_rows(names: Sequence[str], positions: NDArray[np.float64]) -> list[_Row]:
    """Return one row per contact, in the order of the table.

    Rows that spell one name differently are one contact if only one of them has coordinates, or
    all have the same. Otherwise they keep their names as written.
    """
    written = [tidy(name) for name in names]
    rows = []
    for key, group in by_key(names).items():
        located = [i for i in group if np.isfinite(positions[i]).all()] or group[:1]
        places = positions[located]
        if np.array_equal(places, np.tile(places[0], (len(places), 1)), equal_nan=True):
            i = located[0]
            rows.append(_Row(i, i, bare_name(names[i]), written[i], ""))
            continue
        for i in located:
            same = [j for j in located if written[j] == written[i]]
            if i == same[0]:
                # Rows of exactly one name cannot be distinguished by any channel.
                shared = key if len(same) == 1 else f"{key}, {REPEATED}"
                rows.append(_Row(i, same[-1], written[i], written[i], shared))
    return sorted(rows, key=lambda row: row.position)


def stated_coordinates(table: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Return the columns x, y, z as numbers, NaN where a cell is empty or n/a.

    Several contacts at 0 0 0 were not placed; theirs are NaN, too.

    Raises
    ------
    InputError
        A cell is neither a number nor n/a nor empty.
    """
    coordinates = np.full((len(table), 3), np.nan)
    wrong: dict[int, str] = {}
    for j, axis in enumerate("xyz"):
        for i, cell in enumerate(table[axis]):
            text = "" if cell is None else str(cell).strip()
            if text.casefold() in _NO_NUMBER:
                continue
            try:
                coordinates[i, j] = float(text)
            except ValueError:
                wrong.setdefault(i, f"{axis} of {table['name'].iloc[i]} is {text!r}")
    if wrong:
        has_comma = any("," in text for text in wrong.values())
        raise InputError(
            "; ".join(wrong.values()),
            where=f"{where}, {rows_of([i + 2 for i in wrong])}",
            expected="a number, n/a or an empty cell",
            hint="write a decimal point, not a comma"
            if has_comma
            else "write n/a where a position is unknown",
        )
    at_origin = (coordinates == 0).all(axis=1)
    if at_origin.sum() > 1:
        coordinates[at_origin] = np.nan
    return coordinates


def contact_problems(
    table: pd.DataFrame, stated: NDArray[np.float64], system: CoordinateSystem, where: str
) -> list[InputError]:
    """Return the problems of the contacts' names and coordinates."""
    problems = []
    names = [str(name) for name in table["name"]]
    if not np.isfinite(stated).all(axis=1).any():
        problems.append(
            InputError(
                "no contact has coordinates",
                where=where,
                expected="x, y, z of every contact (n/a only where a position is unknown)",
                hint="enter the coordinates, or compute them with `virtualbrain contacts`",
            )
        )
        return problems
    spacing = contact_spacing_mm(names, stated * system.mm_per_unit)
    low, high = PLAUSIBLE_SPACING_MM
    if not math.isnan(spacing) and not low <= spacing <= high:
        problems.append(_spacing_error(spacing, system, where))
    far = (np.abs(stated * system.mm_per_unit) > _FAR_MM).any(axis=1)
    if far.any() and not problems:
        row = int(np.argmax(far))
        problems.append(
            InputError(
                f"the contact {names[row]} is more than {_FAR_MM:g} mm from the origin",
                where=f"{where}, row {row + 2}",
                expected="coordinates inside the head",
                hint="correct the coordinates or iEEGCoordinateUnits, or set seeg.units",
            )
        )
    return problems


def contact_spacing_mm(names: Sequence[str], positions: NDArray[np.float64]) -> float:
    """Return the median distance of neighbouring contacts on an electrode (NaN without any)."""
    at = {split_contact(name): point for name, point in zip(names, positions, strict=True)}
    steps = [
        float(np.linalg.norm(at[electrode, number + 1] - point))
        for (electrode, number), point in at.items()
        if number is not None and (electrode, number + 1) in at
    ]
    steps = [step for step in steps if math.isfinite(step)]
    return float(np.median(steps)) if steps else math.nan


def _spacing_error(spacing: float, system: CoordinateSystem, where: str) -> InputError:
    """Return the error for a unit that does not fit the spacing; name a unit that does."""
    low, high = PLAUSIBLE_SPACING_MM
    fits = [
        unit
        for unit, factor in MM_PER_UNIT.items()
        if low <= spacing / system.mm_per_unit * factor <= high
    ]
    stated = next(u for u, factor in MM_PER_UNIT.items() if factor == system.mm_per_unit)
    hint = f"the coordinates look like {fits[0]}: set seeg.units: {fits[0]}, or " if fits else ""
    return InputError(
        f"with the stated unit {stated}, neighbouring contacts are "
        f"{float(f'{spacing:.3g}'):g} mm apart",
        where=where,
        expected=f"{low:g} to {high:g} mm",
        hint=f"{hint}correct iEEGCoordinateUnits or the coordinates",
    )


def _is_micro(table: pd.DataFrame) -> list[bool]:
    """Return which contacts are micro contacts by their type, group or description."""
    columns = [table[name] for name in MICRO_COLUMNS if name in table]
    if not columns:
        return [False] * len(table)
    rows = zip(*columns, strict=True)
    return [any("micro" in str(cell).casefold() for cell in row) for row in rows]


def contacts_from_endpoints(
    endpoints: pd.DataFrame,
    default_spacing_mm: float = DEFAULT_SPACING_MM,
    slack_mm: float = DEFAULT_SPACING_MM,
) -> pd.DataFrame:
    r"""Place the contacts of each electrode along the line from its target to its entry.

    Contact i is at :math:`t + s_i (e - t) / |e - t|`, where :math:`s_i` is the sum of the
    spacings before it; contact 1 is at the target.

    Parameters
    ----------
    endpoints : pandas.DataFrame
        ``electrode target_x target_y target_z entry_x entry_y entry_z n_contacts`` and, if it
        differs from `default_spacing_mm`, ``spacing_mm``: numbers separated by spaces, repeated
        as often as needed. Scanner RAS, mm.
    default_spacing_mm : float
        Distance of neighbouring contacts, centre to centre.
    slack_mm : float
        By how much the end points may be closer together than the first and last contact.

    Returns
    -------
    pandas.DataFrame
        As `read_contacts`.

    Raises
    ------
    InputError
        Target and entry are equal, or too close together.
    """
    names: list[str] = []
    positions: list[NDArray[np.float64]] = []
    for position, row in enumerate(endpoints.to_dict("records")):
        target = np.array([float(row[f"target_{axis}"]) for axis in "xyz"])
        entry = np.array([float(row[f"entry_{axis}"]) for axis in "xyz"])
        n_contacts = int(row["n_contacts"])
        length = float(np.linalg.norm(entry - target))
        depth = _depths(row.get("spacing_mm"), n_contacts, default_spacing_mm)
        if length == 0 or depth[-1] > length + slack_mm:
            raise InputError(
                f"the electrode {row['electrode']} is too short: its {n_contacts} contacts need "
                f"{depth[-1]:g} mm, but its end points are {length:.1f} mm apart",
                where=f"row {position + 2} of the end points",
                expected="end points at least as far apart as the first and last contact",
                hint="check target, entry, n_contacts and spacing_mm",
            )
        positions += list(target + np.outer(depth, (entry - target) / length))
        names += [f"{row['electrode']}{i + 1}" for i in range(n_contacts)]
    return contact_table(names, np.array(positions))


def _depths(pattern: Any, n_contacts: int, default_mm: float) -> NDArray[np.float64]:
    """Return the distance of every contact from the target."""
    steps = [float(step) for step in str(pattern).split()] if pattern and pattern == pattern else []
    steps = steps or [default_mm]
    repeated_steps = [steps[i % len(steps)] for i in range(n_contacts - 1)]
    return np.concatenate([[0.0], np.cumsum(repeated_steps)])
