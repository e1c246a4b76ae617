"""Convert contact coordinates to scanner RAS of the T1w in mm.

Coordinate frame and unit must be stated; they are never guessed.
"""

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
    """Coordinate frame and unit as stated in coordsystem.json."""

    frame: Frame
    mm_per_unit: float
    stated: str


def read_coordinate_system(content: Mapping[str, Any], where: str) -> CoordinateSystem:
    """Return the coordinate frame and unit of the contacts.

    Parameters
    ----------
    content : mapping
        Content of coordsystem.json.
    where : str
        File name, for messages.

    Raises
    ------
    InputError
        Coordinate frame or unit is missing, unknown or not convertible to scanner RAS.
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
    """Return the problems of a coordsystem.json."""
    problems = []
    unit = content.get("iEEGCoordinateUnits")
    if unit is None or not str(unit).strip():
        problems.append(
            _unit_error(
                "the coordinates have no unit",
                where,
                hint="state the unit of the coordinates in electrodes.tsv",
            )
        )
    elif str(unit).strip() not in MM_PER_UNIT:
        problems.append(
            _unit_error(
                f"unknown coordinate unit {unit!r}",
                where,
                hint="convert the coordinates in electrodes.tsv to mm, and state mm",
            )
        )
    stated = content.get("iEEGCoordinateSystem")
    if stated is None or not str(stated).strip():
        problems.append(
            _frame_error(
                "the coordinates have no coordinate frame",
                where,
                hint="state the coordinate frame of electrodes.tsv",
            )
        )
    elif _frame(str(stated).strip(), _description(content)) is None:
        problems.append(_frame_problem(str(stated).strip(), _description(content), where))
    return problems


def _frame(stated: str, description: str) -> Frame | None:
    """Return the coordinate frame of a keyword and its description; None if not supported."""
    if stated == "ScanRAS":
        return "scanner"
    if stated == "ACPC":
        return "acpc"
    return described_frame(description) if stated == "Other" else None


def described_frame(description: str) -> Frame | None:
    """Return the coordinate frame that a free description names, None if it names none."""
    if _TKRAS.search(description):
        return "tkras"
    return "scanner" if _SCANNER.search(description) else None


def _description(content: Mapping[str, Any]) -> str:
    return str(content.get("iEEGCoordinateSystemDescription") or "").strip()


def _frame_problem(stated: str, description: str, where: str) -> InputError:
    """Return the error that says why a coordinate frame is not supported."""
    if stated == "Pixels":
        return _frame_error("coordinates in pixels of a picture cannot be used", where)
    if stated == "Other" and description.casefold() in ("", "n/a"):
        return InputError(
            "the coordinate frame is Other without a description",
            where=f"{where}, iEEGCoordinateSystemDescription",
            expected="a description such as 'FreeSurfer tkRAS (surface RAS) of the T1w'",
            hint="describe the coordinate frame",
        )
    if stated == "Other":
        return _frame_error(f"unknown coordinate frame: Other ({description[:60]})", where)
    return _frame_error(f"the coordinate frame {stated} is not the patient's own", where)


def _unit_error(what: str, where: str, hint: str) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateUnits",
        expected="mm, cm or m",
        hint=hint,
    )


_CONVERT_HINT = "convert the coordinates to scanner RAS of the T1w, and state ScanRAS"


def _frame_error(what: str, where: str, hint: str = _CONVERT_HINT) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateSystem",
        expected="ScanRAS, ACPC (of an ACPC-aligned T1w), or Other with the description "
        "FreeSurfer tkRAS",
        hint=hint,
    )


def to_scanner_mm(
    coordinates: NDArray[np.float64], system: CoordinateSystem, freesurfer: Path | None, where: str
) -> NDArray[np.float64]:
    """Convert coordinates to scanner RAS of the T1w in mm.

    Parameters
    ----------
    coordinates : numpy.ndarray, shape (n_contacts, 3)
        Coordinates in the frame and unit of `system`; NaN rows stay NaN.
    system : CoordinateSystem
        Coordinate frame and unit stated in the dataset.
    freesurfer : Path, optional
        Folder of the FreeSurfer subject that defines tkRAS.
    where : str
        File name, for messages.

    Raises
    ------
    InputError
        The frame is tkRAS, and no FreeSurfer subject defines it.
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
        No FreeSurfer subject with orig.mgz or T1.mgz.
    """
    volumes = [] if freesurfer is None else [freesurfer / "mri" / n for n in ("orig.mgz", "T1.mgz")]
    volume = next((path for path in volumes if path.is_file()), None)
    if volume is None:
        raise InputError(
            "the coordinates are in FreeSurfer tkRAS, but there is no FreeSurfer subject",
            where=where,
            expected="derivatives/freesurfer/sub-<label>/mri/orig.mgz",
            hint="add the FreeSurfer subject, or convert the coordinates to scanner RAS",
        )
    header: Any = nib.load(volume).header
    return np.asarray(header.get_vox2ras() @ np.linalg.inv(header.get_vox2ras_tkr()))
