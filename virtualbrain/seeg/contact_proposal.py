"""Propose contacts from end points and a CT, draw them, and write them after approval."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.bids import PatientFiles, electrodes_to_write
from virtualbrain.io.images import read_image
from virtualbrain.io.tables import read_table, write_table
from virtualbrain.rigid_registration import RegistrationTask, register_all
from virtualbrain.seeg.contacts import (
    DEFAULT_SPACING_MM,
    PLAUSIBLE_SPACING_MM,
    contacts_from_endpoints,
    stated_coordinates,
)
from virtualbrain.seeg.ct_contacts import (
    CLEAR_MARGIN,
    CtElectrode,
    draw_electrodes,
    find_contacts,
)

_ENDS = tuple(f"{end}_{axis}" for end in ("target", "entry") for axis in "xyz")
# Below this contrast the contacts of an electrode cannot be separated in the CT.
_CLEAR_CONTRAST = 1.3
_FAR_MM = 3.0
_BONE_HU = 300.0


@dataclass(frozen=True)
class ContactChoices:
    """Settings for the proposal of contacts.

    Parameters
    ----------
    spacing_mm : float
        Centre-to-centre distance for electrodes without their own in the table of end points.
    metal : float, optional
        Intensity in the CT above which a voxel is metal; chosen from the image if missing.
    register : bool
        Register the CT to the T1w first (rigid registration).
    approve : bool
        Write the current proposal of the output folder into the dataset.
    """

    spacing_mm: float = DEFAULT_SPACING_MM
    metal: float | None = None
    register: bool = False
    approve: bool = False


def propose_contacts(
    files: PatientFiles,
    endpoints: Path | str,
    ct: Path | str | None,
    out: Path | str,
    choices: ContactChoices,
) -> list[str]:
    """Propose contacts and draw them or, on approval, write the proposal into the dataset.

    Parameters
    ----------
    files : PatientFiles
        The patient's files; registration needs the T1w.
    endpoints : Path or str
        Table as for `contacts.contacts_from_endpoints`: target, entry and number of contacts of
        every electrode, in scanner RAS of the T1w, mm.
    ct : Path or str, optional
        CT after implantation, on any linear scale; without it, contacts are placed by end points
        and spacing alone.
    out : Path or str
        Folder for the proposal and its figures.
    choices : ContactChoices
        Spacing, threshold, registration, approval.

    Returns
    -------
    list of str
        Result for each electrode, one line on those that the CT does not decide, and the next
        step.

    Raises
    ------
    InputError
        A table or image is invalid, an electrode has no metal, there is no proposal to approve,
        it has contacts without coordinates, or the dataset already has contacts.
    """
    proposal = Path(out) / f"sub-{files.label}_desc-proposal_electrodes.tsv"
    if choices.approve:
        return _approve(files, proposal)
    low, high = PLAUSIBLE_SPACING_MM
    if not low <= choices.spacing_mm <= high:
        raise InputError(
            f"the spacing is {choices.spacing_mm:g} mm",
            where="--spacing",
            expected=f"{low:g} to {high:g} mm",
            hint="write the distance of neighbouring contacts in mm",
        )
    table = read_endpoints(Path(endpoints))
    if ct is None:
        contacts = contacts_from_endpoints(table, choices.spacing_mm)
        lines = [f"{len(contacts)} contacts placed by end points and spacing, without a CT"]
    else:
        image = read_image(ct)
        if choices.register:
            image = _register(image, files, Path(out))
        spaced = _with_spacing(table, choices.spacing_mm)
        electrodes = find_contacts(image, spaced, choices.metal)
        figure = proposal.with_suffix(".png")
        draw_electrodes(image, electrodes, figure)
        contacts = pd.concat([_decided_contacts(electrode) for electrode in electrodes])
        lines = [*_metal(electrodes, choices), *map(_line, electrodes), *_refusal(electrodes)]
        lines.append(f"check the figure {figure}")
    write_table(proposal, _electrodes_table(contacts), _coordsystem())
    return [*lines, f"{proposal} is a proposal: correct it if needed, then run with --approve"]


def read_endpoints(path: Path) -> pd.DataFrame:
    """Read the end points of the electrodes.

    Raises
    ------
    InputError
        A column is missing, an electrode occurs twice, or a cell is not a number.
    """
    table = read_table(path, required=["electrode", *_ENDS, "n_contacts"])
    table["electrode"] = table["electrode"].astype(str)
    for column in (*_ENDS, "n_contacts"):
        numbers = pd.to_numeric(table[column], errors="coerce")
        wrong = ~np.isfinite(numbers) | ((column == "n_contacts") & (numbers < 1))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise InputError(
                f"{column} of {table['electrode'][row]} is {table[column][row]}",
                where=f"{path.name}, row {row + 2}",
                expected="a number of 1 or more" if column == "n_contacts" else "a number in mm",
                hint="correct the number of contacts"
                if column == "n_contacts"
                else "write a decimal point, not a comma",
            )
        table[column] = numbers
    _require_spacings(table, path.name)
    _require_yes_or_no(table, path.name)
    duplicated = table["electrode"].duplicated()
    if duplicated.any():
        row = int(np.argmax(duplicated))
        raise InputError(
            f"the electrode {table['electrode'][row]} occurs twice",
            where=f"{path.name}, row {row + 2}",
            expected="one row per electrode",
            hint="rename or remove one of the rows",
        )
    return table


def _require_spacings(table: pd.DataFrame, where: str) -> None:
    """Raise an error if a cell of the column `spacing_mm` has no plausible distances."""
    low, high = PLAUSIBLE_SPACING_MM
    cells = table["spacing_mm"] if "spacing_mm" in table else pd.Series(dtype=object)
    for row, cell in enumerate(cells):
        if cell is None or cell != cell:
            continue
        steps = pd.to_numeric(pd.Series(str(cell).split()), errors="coerce")
        if not steps.between(low, high).all():
            raise InputError(
                f"spacing_mm of {table['electrode'][row]} is {cell}",
                where=f"{where}, row {row + 2}",
                expected=f"numbers from {low:g} to {high:g}, separated by spaces",
                hint="write the distance of neighbouring contacts in mm, with a decimal point",
            )


def _require_yes_or_no(table: pd.DataFrame, where: str) -> None:
    """Raise an error if the column `exact` has another word than yes or no."""
    if "exact" not in table:
        return
    cells = table["exact"].fillna("no").astype(str).str.strip().str.casefold()
    wrong = ~cells.isin(["yes", "no", ""])
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"exact of {table['electrode'][row]} is {table['exact'][row]}",
            where=f"{where}, row {row + 2}",
            expected="yes (the target is on contact 1, within half a spacing) or no",
            hint="write yes or no",
        )


def _with_spacing(table: pd.DataFrame, spacing_mm: float) -> pd.DataFrame:
    """Return the table with a spacing for every electrode."""
    own = table["spacing_mm"] if "spacing_mm" in table else pd.Series(np.nan, table.index)
    return table.assign(spacing_mm=[s if s == s else str(spacing_mm) for s in own.astype(object)])


def _decided_contacts(electrode: CtElectrode) -> pd.DataFrame:
    """Return the contacts of an electrode, without coordinates if the CT does not decide."""
    if electrode.decided:
        return electrode.contacts
    return electrode.contacts.assign(x=np.nan, y=np.nan, z=np.nan)


def _metal(electrodes: tuple[CtElectrode, ...], choices: ContactChoices) -> list[str]:
    """Return how bright metal is, if it was chosen from the image."""
    if choices.metal is not None:
        return []
    low, high = (f(e.level.threshold for e in electrodes) for f in (min, max))
    return [f"metal: above {low:.0f} to {high:.0f} in this CT, chosen from the image"]


def _refusal(electrodes: tuple[CtElectrode, ...]) -> list[str]:
    """Return one line on the electrodes whose position the CT does not decide."""
    names = [electrode.name for electrode in electrodes if not electrode.decided]
    if not names:
        return []
    return [
        f"NOT DECIDED: {', '.join(names)}: the contacts fit in more than one place (margin below "
        f"{CLEAR_MARGIN:g}, or contacts not seen, or another electrode at the deep end), and have "
        "no coordinates in the proposal; in the figure choose + or x, correct n_contacts and "
        "spacing_mm, move the target onto contact 1, and write yes in its column exact"
    ]


def _line(electrode: CtElectrode) -> str:
    """Return the result for one electrode as one line."""
    text = f"{electrode.name}: {len(electrode.contacts)} contacts, {electrode.summary}"
    position = electrode.position
    last = len(electrode.contacts)
    if np.isfinite(position.thick_mm):
        side = "beyond" if position.thick_mm > 0 else "before"
        text += f", bolt or bone from {abs(position.thick_mm):.0f} mm {side} contact {last}"
    if position.unseen:
        text += f": NOT SEEN in the CT: contact {', '.join(map(str, position.unseen))}"
    if position.further:
        text += f": A FURTHER CONTACT may follow contact {last}, check n_contacts"
    if position.contrast < _CLEAR_CONTRAST:
        text += ": CONTACTS NOT SEPARABLE in the CT, check number and spacing"
    if electrode.moved_mm > _FAR_MM:
        text += ": FAR FROM THE END POINTS, check which contact is number 1"
    if electrode.decided:
        return text
    towards = "towards the entry" if electrode.next_shift_mm > 0 else "deeper"
    return f"{text}: NOT DECIDED, the next best is {abs(electrode.next_shift_mm):.1f} mm {towards}"


def _register(ct: nib.Nifti1Image, files: PatientFiles, out: Path) -> nib.Nifti1Image:
    """Register a CT to scanner RAS of the T1w (affine only), and draw both for approval."""
    if files.t1 is None:
        raise InputError(
            "no T1w image to register the CT to",
            where=f"sub-{files.label}/anat",
            expected=f"sub-{files.label}_T1w.nii.gz",
            hint="add the T1w image, or omit --register if the CT is registered already",
        )
    t1 = read_image(files.t1)
    # Without limits, metal and air would dominate the similarity.
    values = np.clip(np.asarray(ct.dataobj, dtype=np.float32), -200, 1500)
    task = RegistrationTask(
        fixed=np.asarray(t1.dataobj, dtype=np.float32),
        moving=values,
        fixed_affine=t1.affine,
        moving_affine=ct.affine,
        from_centres=True,
        shrink=(8, 4, 2),
        iterations=(500, 250, 100),
    )
    (t1_to_ct,) = register_all([task], 1)
    moved = nib.Nifti1Image(np.asarray(ct.dataobj), np.linalg.inv(t1_to_ct) @ ct.affine)
    draw_registration(t1, moved, out / f"sub-{files.label}_desc-registration_ct.png")
    return moved


def draw_registration(t1: nib.Nifti1Image, ct: nib.Nifti1Image, path: Path) -> None:
    """Draw the bone of a CT as a contour on three planes of the T1w, for approval."""
    from matplotlib.figure import Figure
    from nibabel.processing import resample_from_to

    bone = resample_from_to(ct, t1, order=1, cval=-1000.0)
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axis, panel in enumerate(figure.subplots(1, 3)):
        middle = t1.shape[axis] // 2
        under, over = (np.take(np.asarray(i.dataobj), middle, axis).T for i in (t1, bone))
        panel.imshow(under, cmap="gray", origin="lower")
        if over.min() < _BONE_HU < over.max():
            panel.contour(over, [_BONE_HU], colors="C1", linewidths=0.7)
        panel.set_axis_off()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _electrodes_table(contacts: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": contacts["name"],
            **{axis: contacts[axis].round(3) for axis in "xyz"},
            "size": "n/a",
            "group": contacts["electrode"],
        }
    )


def _coordsystem() -> dict[str, Any]:
    return {
        "iEEGCoordinateSystem": "ScanRAS",
        "iEEGCoordinateUnits": "mm",
        "iEEGCoordinateSystemDescription": "Scanner RAS of the T1w",
    }


def _approve(files: PatientFiles, proposal: Path) -> list[str]:
    """Write an approved proposal as electrodes.tsv and coordsystem.json."""
    if not proposal.is_file():
        raise InputError(
            "there is no proposal to approve",
            where=str(proposal),
            expected="the table of a proposal",
            hint="run the same command without --approve first, and check the figure",
        )
    table = read_table(proposal, required=["name", "x", "y", "z", "size"])
    known = np.isfinite(stated_coordinates(table, proposal.name)).all(axis=1)
    if not known.all():
        missing = [str(name) for name in table["name"][~known]]
        raise InputError(
            f"{len(missing)} contacts have no coordinates: {', '.join(missing)}",
            where=proposal.name,
            expected="x, y, z of every contact",
            hint="correct the end points and run the proposal again, enter the coordinates, or "
            "remove the rows of contacts that cannot be found",
        )
    if files.electrodes is not None:
        raise InputError(
            "the dataset already has contacts",
            where=files.electrodes.name,
            expected="a dataset without electrodes.tsv",
            hint="move this file out of the dataset if the proposal is to replace it",
        )
    electrodes, coordsystem = electrodes_to_write(files)
    with atomic_path(electrodes) as temporary:
        table.to_csv(temporary, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
    write_json(coordsystem, _coordsystem())
    return [f"{len(table)} contacts written to {electrodes}"]
