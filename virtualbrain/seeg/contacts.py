"""Contacts: from electrodes.tsv, or from the end points of each electrode."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.recordings import read_json
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.coordinates import (
    MM_PER_UNIT,
    CoordinateSystem,
    read_coordinate_system,
    to_scanner_mm,
)
from virtualbrain.seeg.names import bare_name, repeated, split_contact

DEFAULT_SPACING_MM = 3.5
_PLAUSIBLE_SPACING_MM = (1.0, 25.0)
_FAR_MM = 1000.0


def read_contacts(files: PatientFiles) -> pd.DataFrame:
    """Read a patient's contacts in the T1's scanner RAS.

    Returns
    -------
    pandas.DataFrame
        ``name electrode number x y z micro``; mm; NaN where the place is n/a.

    Raises
    ------
    InputError
        A file is missing or wrong; no place is given; names repeat; the spacing of the
        contacts does not fit the stated unit.
    """
    if files.electrodes is None:
        raise InputError(
            "no electrodes.tsv",
            where=f"sub-{files.label}/ieeg",
            expected="name, x, y, z of every contact",
            hint="add sub-<label>_electrodes.tsv and its coordsystem.json",
        )
    system = coordinate_system(files)
    table = read_table(files.electrodes, required=["name", "x", "y", "z"])
    stated = stated_coordinates(table, files.electrodes.name)
    problems = contact_problems(table, stated, system, files.electrodes.name)
    if problems:
        raise problems[0]
    places = to_scanner_mm(stated, system, files.freesurfer, files.electrodes.name)
    return contact_table([str(name) for name in table["name"]], places, _is_micro(table))


def coordinate_system(files: PatientFiles) -> CoordinateSystem:
    """Read the frame and unit of a patient's contacts.

    Raises
    ------
    InputError
        There is no coordsystem.json, or it cannot be used.
    """
    if files.coordsystem is None:
        raise InputError(
            "the coordinates have neither unit nor frame: no coordsystem.json",
            where=f"sub-{files.label}/ieeg",
            expected="iEEGCoordinateSystem and iEEGCoordinateUnits",
            hint="add the coordsystem.json that belongs to electrodes.tsv",
        )
    return read_coordinate_system(read_json(files.coordsystem), files.coordsystem.name)


def contact_table(
    names: Sequence[str], places: NDArray[np.float64], micro: Sequence[bool] | None = None
) -> pd.DataFrame:
    """Return contacts as a table, one row per name.

    Parameters
    ----------
    names : sequence of str
        As written; kept beside the bare name.
    places : numpy.ndarray, shape (n_contacts, 3)
        Scanner RAS, mm.
    micro : sequence of bool, optional
        Which are micro contacts.
    """
    split = [split_contact(name) for name in names]
    return pd.DataFrame(
        {
            "name": [bare_name(name) for name in names],
            "electrode": [electrode for electrode, _ in split],
            "number": pd.array([number for _, number in split], dtype="Int64"),
            "x": places[:, 0],
            "y": places[:, 1],
            "z": places[:, 2],
            "micro": [False] * len(names) if micro is None else list(micro),
        }
    )


def stated_coordinates(table: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Return the columns x, y, z as numbers.

    Raises
    ------
    InputError
        A cell is neither a number nor n/a.
    """
    coordinates = np.full((len(table), 3), np.nan)
    for j, axis in enumerate("xyz"):
        for i, cell in enumerate(table[axis]):
            if cell is None or (isinstance(cell, float) and math.isnan(cell)):
                continue
            try:
                coordinates[i, j] = float(cell)
            except ValueError:
                raise InputError(
                    f"{axis} of {table['name'].iloc[i]} is {cell!r}",
                    where=f"{where}, row {i + 2}",
                    expected="a number or n/a",
                    hint="write a decimal point, not a comma",
                ) from None
    return coordinates


def contact_problems(
    table: pd.DataFrame, stated: NDArray[np.float64], system: CoordinateSystem, where: str
) -> list[InputError]:
    """Return every fault of the contacts' names and places."""
    problems = []
    names = [str(name) for name in table["name"]]
    for name in repeated(names):
        row = len(names) - names[::-1].index(name) + 1
        problems.append(
            InputError(
                f"the contact {name} stands twice",
                where=f"{where}, row {row}",
                expected="one row per contact (A1, A01 and POL A1 are the same)",
                hint="remove or rename one",
            )
        )
    if not np.isfinite(stated).all(axis=1).any():
        problems.append(
            InputError(
                "no contact has coordinates",
                where=where,
                expected="x, y, z of every contact, n/a only where a place is unknown",
                hint="fill in the coordinates, or make them from the electrodes' end points",
            )
        )
        return problems
    spacing = contact_spacing_mm(names, stated * system.mm_per_unit)
    low, high = _PLAUSIBLE_SPACING_MM
    if not math.isnan(spacing) and not low <= spacing <= high:
        problems.append(_spacing_error(spacing, system, where))
    far = (np.abs(stated * system.mm_per_unit) > _FAR_MM).any(axis=1)
    if far.any() and not problems:
        row = int(np.argmax(far))
        problems.append(
            InputError(
                f"the contact {names[row]} lies more than {_FAR_MM:g} mm from the frame's centre",
                where=f"{where}, row {row + 1}",
                expected="coordinates inside a head",
                hint="correct the coordinates or their unit",
            )
        )
    return problems


def contact_spacing_mm(names: Sequence[str], places: NDArray[np.float64]) -> float:
    """Return the median distance between neighbours on an electrode (NaN without any)."""
    at = {split_contact(name): place for name, place in zip(names, places, strict=True)}
    steps = [
        float(np.linalg.norm(at[electrode, number + 1] - place))
        for (electrode, number), place in at.items()
        if number is not None and (electrode, number + 1) in at
    ]
    steps = [step for step in steps if math.isfinite(step)]
    return float(np.median(steps)) if steps else math.nan


def _spacing_error(spacing: float, system: CoordinateSystem, where: str) -> InputError:
    """Say that the unit does not fit, and which one would."""
    low, high = _PLAUSIBLE_SPACING_MM
    fits = [
        unit
        for unit, factor in MM_PER_UNIT.items()
        if low <= spacing / system.mm_per_unit * factor <= high
    ]
    hint = f"the numbers look like {fits[0]}: " if fits else ""
    return InputError(
        f"neighbouring contacts lie {spacing:.3g} mm apart in the stated unit",
        where=where,
        expected=f"between {low:g} and {high:g} mm",
        hint=f"{hint}correct iEEGCoordinateUnits or the coordinates",
    )


def _is_micro(table: pd.DataFrame) -> list[bool]:
    """Whether a contact is a micro contact, as its type or group says."""
    columns = [name for name in ("type", "group", "description") if name in table]
    return [
        any("micro" in str(table[name].iloc[i]).casefold() for name in columns)
        for i in range(len(table))
    ]


def contacts_from_endpoints(
    endpoints: pd.DataFrame, default_spacing_mm: float = DEFAULT_SPACING_MM
) -> pd.DataFrame:
    r"""Place the contacts of each electrode along the line from its target to its entry.

    Contact i lies at :math:`t + s_i (e - t) / |e - t|` with :math:`s_i` the sum of the
    spacings before it; contact 1 is at the target.

    Parameters
    ----------
    endpoints : pandas.DataFrame
        ``electrode target_x target_y target_z entry_x entry_y entry_z n_contacts`` and, where
        it is not `default_spacing_mm`, ``spacing_mm``: numbers separated by spaces, repeated
        as often as needed. Scanner RAS, mm.
    default_spacing_mm : float
        Centre to centre.

    Returns
    -------
    pandas.DataFrame
        As `read_contacts`.

    Raises
    ------
    InputError
        Target and entry are the same place, or nearer than the contacts are long.
    """
    names: list[str] = []
    places: list[NDArray[np.float64]] = []
    for position, row in enumerate(endpoints.to_dict("records")):
        target = np.array([float(row[f"target_{axis}"]) for axis in "xyz"])
        entry = np.array([float(row[f"entry_{axis}"]) for axis in "xyz"])
        n_contacts = int(row["n_contacts"])
        length = float(np.linalg.norm(entry - target))
        depth = _depths(row.get("spacing_mm"), n_contacts, default_spacing_mm)
        if length == 0 or depth[-1] > length + default_spacing_mm:
            raise InputError(
                f"{n_contacts} contacts over {depth[-1]:g} mm on the electrode "
                f"{row['electrode']}, whose end points lie {length:.1f} mm apart",
                where=f"row {position + 2}",
                expected="end points at least as far apart as the contacts",
                hint="check target, entry, number and spacing",
            )
        places += list(target + np.outer(depth, (entry - target) / length))
        names += [f"{row['electrode']}{i + 1}" for i in range(n_contacts)]
    return contact_table(names, np.array(places))


def _depths(pattern: Any, n_contacts: int, default_mm: float) -> NDArray[np.float64]:
    """Distance of every contact from the target."""
    steps = [float(step) for step in str(pattern).split()] if pattern and pattern == pattern else []
    steps = steps or [default_mm]
    repeated_steps = [steps[i % len(steps)] for i in range(n_contacts - 1)]
    return np.concatenate([[0.0], np.cumsum(repeated_steps)])
