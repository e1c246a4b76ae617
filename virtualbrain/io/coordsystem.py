"""Read coordinate frame and unit of the contacts from coordsystem.json, or from the settings.

Both must be stated, by the dataset or by the user; they are never guessed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from virtualbrain.errors import InputError

Frame = Literal["scanner", "acpc", "tkras", "mni"]
FRAMES: Mapping[str, Frame] = {
    "scanras": "scanner",
    "scanner": "scanner",
    "native": "scanner",
    "t1w": "scanner",
    "individual": "scanner",
    "acpc": "acpc",
    "tkras": "tkras",
}
"""Frames by the words that a user may write in `seeg.frame`, in lower case."""
TEMPLATE_WORDS = ("mni", "mni152")
"""Words in `seeg.frame` for MNI152, for a patient without MRI."""
MM_PER_UNIT: Mapping[str, float] = {"m": 1000.0, "cm": 10.0, "mm": 1.0}
_UNIT_WORDS = re.compile(r"(milli|centi|)met(?:er|re)s?", re.IGNORECASE)
_UNIT_OF_WORD = {"milli": "mm", "centi": "cm", "": "m"}

_TKRAS = re.compile(r"tk[\s_-]*r(?:as|eg)|surface[\s_-]*ras|tkr\b", re.IGNORECASE)
_SCANNER = re.compile(r"scanner|scan[\s_-]*ras", re.IGNORECASE)
_OWN = re.compile(
    r"\bnative\b|\bT1w?\b|\bT1[\s_-]*weighted|\bindividual\b"
    r"|\bnati(?:f|ves?|v[eo][rnms]?|va)\b|\bindividu(?:el|elle|eller|eel|ele|ale)\b"
    r"|\b(?:patient|subject)(?:['’]?s)?[\s_-]+(?:own|space|native|mri?\b|anatomy)",
    re.IGNORECASE,
)
_ACPC = re.compile(r"\bAC[\s_-]*PC\b|anterior commissure", re.IGNORECASE)
_TEMPLATE = re.compile(
    r"MNI|talairach|ICBM|\btemplate|fsaverage|normali[sz]ed|standard[\s_-]+(?:space|brain)|colin|IXI"
    r"|NIHPD",
    re.IGNORECASE,
)
_MNI152 = re.compile(r"MNI[\s_-]*152|ICBM[\s_-]*152", re.IGNORECASE)
_MNI = re.compile(r"\bMNI\b|MNI[\s_-]*152|ICBM[\s_-]*152", re.IGNORECASE)
_OTHER_TEMPLATE = re.compile(
    r"talairach|fsaverage|colin|\bMNI[\s_-]*305|\b305\b|IXI|NIHPD|\bnot\b", re.IGNORECASE
)
_ELSEWHERE = re.compile(
    r"\b(?:LPS|LAS|LPI|LAI|RPI|RAI|PIL|PIR|ASL|ASR)\b|left[\s,-]+posterior|voxel|pixel|\bijk\b"
    r"|indices|leksell|stereota|\bnot\b|\bneither\b|n't\b"
    r"|\bCTF\b|neuromag|head[\s_-]+coordinate|mirrored|flipped"
    r"|\b(?:nicht|kein\w*|pas|non|niet|geen|sin)\b",
    re.IGNORECASE,
)
_PROGRAMS = re.compile(
    r"\bITK\b|\bANTs\b|\bDICOM\b|brainlab|medtronic|stealth|navigation|robot|\bROSA\b|neuromate",
    re.IGNORECASE,
)
"""Programs and devices whose coordinates have other axes, unless RAS is stated."""
_RAS = re.compile(r"\bRAS\b|scan[\s_-]*ras", re.IGNORECASE)
_CT = re.compile(r"\bCT\b|tomogra", re.IGNORECASE)
_MRI = re.compile(r"\bT1|\bMRI?\b", re.IGNORECASE)
_FREESURFER = re.compile(r"free[\s_-]*surfer|\bfsnative\b|recon-all", re.IGNORECASE)


@dataclass(frozen=True)
class CoordinateSystem:
    """Coordinate frame and unit of the contacts.

    Parameters
    ----------
    frame : {"scanner", "acpc", "tkras", "mni"}
        The frame; ``mni`` is the template MNI152, for a patient without MRI.
    mm_per_unit : float
        Millimetres per unit of the coordinates.
    stated : str
        The frame as the dataset states it; empty if it states none.
    notes : tuple of str
        What settings replaced, for the report.
    """

    frame: Frame
    mm_per_unit: float
    stated: str
    notes: tuple[str, ...] = ()


def read_coordinate_system(
    content: Mapping[str, Any],
    where: str,
    frame: str = "",
    units: str = "",
    *,
    template: bool = False,
) -> CoordinateSystem:
    """Return the coordinate frame and unit of the contacts.

    Parameters
    ----------
    content : mapping
        Content of coordsystem.json.
    where : str
        File name, for messages.
    frame, units : str
        Frame and unit stated by the user; empty: those of the dataset.
    template : bool
        The anatomy is that of the template: the frame must be MNI152. Otherwise it must be the
        patient's own.

    Raises
    ------
    InputError
        Coordinate frame or unit is missing, unknown, or not one of the anatomy.
    """
    problems = coordinate_system_problems(content, where, frame, units, template=template)
    if problems:
        raise problems[0]
    stated, unit = _text(content, "iEEGCoordinateSystem"), _text(content, "iEEGCoordinateUnits")
    found: Frame | None = "mni"
    if not template:
        found = FRAMES[frame.casefold()] if frame else _frame(stated, _description(content))
    used = units or _unit(unit)
    assert found is not None
    assert used is not None
    notes = []
    if frame:
        notes.append(_note("coordinate frame", found, "seeg.frame", stated or "none"))
    if units:
        notes.append(_note("unit", units, "seeg.units", unit or "none"))
    return CoordinateSystem(found, MM_PER_UNIT[used], stated, tuple(notes))


def _note(what: str, value: str, setting: str, stated: str) -> str:
    return (
        f"{what} of the contacts: {value}, from the setting {setting} (the dataset states {stated})"
    )


def coordinate_system_problems(
    content: Mapping[str, Any],
    where: str,
    frame: str = "",
    units: str = "",
    *,
    template: bool = False,
) -> list[InputError]:
    """Return the problems of a coordsystem.json; what the user states is not a problem."""
    problems = []
    unit, stated = _text(content, "iEEGCoordinateUnits"), _text(content, "iEEGCoordinateSystem")
    if not units and not unit:
        problems.append(
            _unit_error(
                "the coordinates have no unit",
                where,
                hint="state the unit of the coordinates in electrodes.tsv, or set seeg.units",
            )
        )
    elif not units and _unit(unit) is None:
        problems.append(
            _unit_error(
                f"unknown coordinate unit {unit!r}",
                where,
                hint="convert the coordinates in electrodes.tsv to mm and state mm, or set "
                "seeg.units",
            )
        )
    if template:
        is_mni = frame.casefold() in TEMPLATE_WORDS if frame else is_mni152(content)
        return problems if is_mni else [*problems, _not_in_the_template(frame or stated, where)]
    if frame.casefold() in TEMPLATE_WORDS:
        return [*problems, _frame_error(f"seeg.frame is {frame}, but there is an MRI", where)]
    if frame:
        return problems
    if not stated:
        problems.append(
            _frame_error(
                "the coordinates have no coordinate frame",
                where,
                hint="state the coordinate frame of electrodes.tsv, or set seeg.frame",
            )
        )
    elif _frame(stated, _description(content)) is None:
        problems.append(_frame_problem(stated, _description(content), where))
    return problems


def is_mni152(content: Mapping[str, Any]) -> bool:
    """Return whether a coordsystem.json states the template MNI152, in any of its versions.

    MNI305, Talairach, Colin 27 and fsaverage are other spaces.
    """
    stated, description = _text(content, "iEEGCoordinateSystem"), _description(content)
    if _OTHER_TEMPLATE.search(description) and not _MNI152.match(stated):
        return False
    if stated.casefold() == "other":
        return _MNI.search(description) is not None
    return _MNI.search(stated) is not None and not _OTHER_TEMPLATE.search(stated)


def frame_of(content: Mapping[str, Any]) -> Frame | None:
    """Return the frame that a coordsystem.json states; None if it cannot be used."""
    stated = _text(content, "iEEGCoordinateSystem")
    return _frame(stated, _description(content)) if stated else None


def _unit(stated: str) -> str | None:
    """Return a unit's symbol, also of a unit in words; None if it is unknown."""
    word = _UNIT_WORDS.fullmatch(stated)
    if word:
        return _UNIT_OF_WORD[word[1].lower()]
    return stated.lower() if stated.lower() in MM_PER_UNIT else None


def _frame(stated: str, description: str) -> Frame | None:
    """Return the coordinate frame of a keyword and its description; None if not supported."""
    keyword = stated.casefold()
    if keyword == "other":
        return described_frame(description)
    if keyword not in FRAMES:
        return described_frame(stated)
    return None if _contradicts(FRAMES[keyword], description) else FRAMES[keyword]


def _contradicts(frame: Frame, description: str) -> bool:
    """Return whether a description names another frame than the keyword, and not this one."""
    if frame == "tkras" or _SCANNER.search(description):
        return False
    is_template = _TEMPLATE.search(description) and not _OWN.search(description)
    return bool(_TKRAS.search(description) or (frame == "scanner" and is_template))


def described_frame(description: str) -> Frame | None:
    """Return the coordinate frame that a description names; None if it names none or several.

    "tkRAS" and "surface RAS" are FreeSurfer's frame; "scanner", "native", "T1w" and "individual"
    the scanner's; "AC-PC" that of an aligned T1w. A template, voxels, another orientation, a CT
    without the MRI, FreeSurfer without its frame, or a program or device whose axes differ (ITK,
    DICOM, a robot; unless RAS is stated) is none of them.
    """
    if _TEMPLATE.search(description) or _ELSEWHERE.search(description):
        return None
    if _PROGRAMS.search(description) and not _RAS.search(description):
        return None
    is_scanner = _SCANNER.search(description) is not None
    if _TKRAS.search(description):
        return None if is_scanner else "tkras"
    if _CT.search(description) and not _MRI.search(description):
        return None
    if _FREESURFER.search(description) and not is_scanner:
        return None
    if _ACPC.search(description):
        return "acpc"
    return "scanner" if is_scanner or _OWN.search(description) else None


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    text = "" if value is None else str(value).strip()
    return "" if text.casefold() == "n/a" else text


def _description(content: Mapping[str, Any]) -> str:
    return _text(content, "iEEGCoordinateSystemDescription")


def _frame_problem(stated: str, description: str, where: str) -> InputError:
    """Return the error that says why a coordinate frame is not supported."""
    if stated == "Pixels":
        return _frame_error("coordinates in pixels of a picture cannot be used", where)
    if stated.casefold() == "other" and not description:
        return InputError(
            "the coordinate frame is Other without a description",
            where=f"{where}, iEEGCoordinateSystemDescription",
            expected="a description such as 'FreeSurfer tkRAS (surface RAS) of the T1w'",
            hint="describe the coordinate frame, or set seeg.frame",
        )
    if stated.casefold() == "other":
        return _frame_error(
            f"the description of the coordinate frame Other names none that can be used, or "
            f"several ({description[:80]})",
            where,
            hint="describe one frame, or set seeg.frame to the frame of the coordinates",
        )
    if stated.casefold() in FRAMES:
        return _frame_error(
            f"the coordinate frame is {stated}, but its description names another one "
            f"({description[:80]})",
            where,
            hint="correct one of them, or set seeg.frame to the frame of the coordinates",
        )
    return _frame_error(f"the coordinate frame {stated} is not the patient's own", where)


def _not_in_the_template(stated: str, where: str) -> InputError:
    return InputError(
        "the contacts are to be placed in the template, and their coordinate frame is "
        f"{stated or 'not stated'}",
        where=f"{where}, iEEGCoordinateSystem",
        expected="MNI152, such as MNI152NLin2009cAsym",
        hint="set seeg.frame to MNI if the coordinates are in MNI152, or files.template to false",
    )


def _unit_error(what: str, where: str, hint: str) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateUnits",
        expected="mm, cm or m",
        hint=hint,
    )


_CONVERT_HINT = (
    "convert the coordinates to scanner RAS of the T1w, and state ScanRAS; contacts in MNI152 can "
    "be placed in the template with files.template"
)


def _frame_error(what: str, where: str, hint: str = _CONVERT_HINT) -> InputError:
    return InputError(
        what,
        where=f"{where}, iEEGCoordinateSystem",
        expected="ScanRAS, ACPC (of an ACPC-aligned T1w), or Other with a description: FreeSurfer "
        "tkRAS, or scanner, native or T1w space",
        hint=hint,
    )
