"""Coordinate frames and units of contacts: brought to the T1's scanner RAS in mm, never guessed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError

Frame = Literal["scanner", "acpc", "tkras"]
MM_PER_UNIT: Mapping[str, float] = {"m": 1000.0, "cm": 10.0, "mm": 1.0}

_TKRAS = re.compile(r"tk[\s_-]*r(?:as|eg)|surface[\s_-]*ras|tkr\b", re.IGNORECASE)
_SCANNER = re.compile(r"scanner[\s_-]*ras|scan[\s_-]*ras", re.IGNORECASE)


@dataclass(frozen=True)
class CoordinateSystem:
    """Frame and unit as coordsystem.json states them."""

    frame: Frame
    mm_per_unit: float
    stated: str


def read_coordinate_system(content: Mapping[str, Any], where: str) -> CoordinateSystem:
    """Return frame and unit of the contacts' coordinates.

    Parameters
    ----------
    content : mapping
        The object in coordsystem.json.
    where : str
        The file's name, for messages.

    Raises
    ------
    InputError
        Frame or unit is missing, unknown, or cannot be brought to the T1.
    """
    problems = coordinate_system_problems(content, where)
    if problems:
        raise problems[0]
    stated = str(content["iEEGCoordinateSystem"]).strip()
    unit = str(content["iEEGCoordinateUnits"]).strip()
    frame = _frame(stated, _description(content))
    assert frame is not None
    return CoordinateSystem(frame, MM_PER_UNIT[unit], stated)


def coordinate_system_problems(content: Mapping[str, Any], where: str) -> list[InputError]:
    """Return everything that keeps a coordsystem.json from being used."""
    problems = []
    unit = content.get("iEEGCoordinateUnits")
    if unit is None or not str(unit).strip():
        problems.append(_unit_error("the coordinates have no unit", where))
    elif str(unit).strip() not in MM_PER_UNIT:
        problems.append(_unit_error(f"the unit {unit!r} of the coordinates cannot be used", where))
    stated = content.get("iEEGCoordinateSystem")
    if stated is None or not str(stated).strip():
        problems.append(_frame_error("the coordinates have no frame", where))
    elif _frame(str(stated).strip(), _description(content)) is None:
        problems.append(_frame_problem(str(stated).strip(), _description(content), where))
    return problems


def _frame(stated: str, description: str) -> Frame | None:
    """Return the frame that a keyword and its description name, if it can be used."""
    if stated == "ScanRAS":
        return "scanner"
    if stated == "ACPC":
        return "acpc"
    if stated == "Other" and _TKRAS.search(description):
        return "tkras"
    if stated == "Other" and _SCANNER.search(description):
        return "scanner"
    return None


def _description(content: Mapping[str, Any]) -> str:
    return str(content.get("iEEGCoordinateSystemDescription") or "").strip()


def _frame_problem(stated: str, description: str, where: str) -> InputError:
    """Say why a frame cannot be used."""
    if stated == "Pixels":
        return _frame_error("pixels of a picture are no place in the brain", where)
    if stated == "Other" and description.casefold() in ("", "n/a"):
        return InputError(
            "the frame is Other without a description",
            where=f"{where}, iEEGCoordinateSystemDescription",
            expected="a description such as FreeSurfer tkRAS (surface RAS) of the T1w",
            hint="describe the frame",
        )
    if stated == "Other":
        return _frame_error(f"the frame Other ({description[:60]}) is not known", where)
    return _frame_error(f"the frame {stated} is not the patient's own", where)


def _unit_error(what: str, where: str) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateUnits",
        expected="mm, cm or m",
        hint="state the unit in which electrodes.tsv was written",
    )


def _frame_error(what: str, where: str) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateSystem",
        expected="ScanRAS, ACPC of an ACPC-aligned T1w, or Other described as FreeSurfer tkRAS",
        hint="write the contacts in the T1w's scanner RAS and state it",
    )


def to_scanner_mm(
    coordinates: NDArray[np.float64], system: CoordinateSystem, freesurfer: Path | None, where: str
) -> NDArray[np.float64]:
    """Bring coordinates to the T1's scanner RAS in mm.

    Parameters
    ----------
    coordinates : numpy.ndarray, shape (n_contacts, 3)
        In the frame and unit of `system`; NaN rows stay NaN.
    system : CoordinateSystem
        As stated by the dataset.
    freesurfer : Path, optional
        FreeSurfer subject whose volume defines tkRAS.
    where : str
        The file, for messages.

    Raises
    ------
    InputError
        tkRAS without a FreeSurfer subject that defines it.
    """
    scaled = np.asarray(coordinates, dtype=np.float64) * system.mm_per_unit
    if system.frame != "tkras":
        return scaled
    matrix = tkras_to_scanner(freesurfer, where)
    return scaled @ matrix[:3, :3].T + matrix[:3, 3]


def tkras_to_scanner(freesurfer: Path | None, where: str) -> NDArray[np.float64]:
    """Return the affine from FreeSurfer's tkRAS to scanner RAS.

    Raises
    ------
    InputError
        There is no FreeSurfer subject with orig.mgz or T1.mgz.
    """
    volumes = [] if freesurfer is None else [freesurfer / "mri" / n for n in ("orig.mgz", "T1.mgz")]
    volume = next((path for path in volumes if path.is_file()), None)
    if volume is None:
        raise InputError(
            "coordinates in FreeSurfer's tkRAS, but no FreeSurfer subject that defines it",
            where=where,
            expected="derivatives/freesurfer/sub-<label>/mri/orig.mgz",
            hint="give the subject, or write the contacts in scanner RAS",
        )
    header: Any = nib.load(volume).header
    return np.asarray(header.get_vox2ras() @ np.linalg.inv(header.get_vox2ras_tkr()))
