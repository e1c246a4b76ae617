"""Read clinical tables: hypothesis, eloquent regions, plans, performed resection and outcome."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.clinical_marks import KINDS, check_marks
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.marked_regions import YES, marked_regions, zone_of_contacts
from virtualbrain.io.tables import read_table

ZONES = ("EZ", "PZ")
_ZONE_COLUMNS = ("region", "zone", "probability")
PLAN_KINDS = ("resection", "disconnection", "ablation", "stimulation")
ENGEL = ("I", "II", "III", "IV")
_ENGEL_OF_DIGIT = dict(zip("1234", ENGEL, strict=True))


def read_hypothesis(path: Path) -> pd.DataFrame:
    """Read the clinical hypothesis.

    Returns
    -------
    pandas.DataFrame
        Columns ``name`` (a region or a contact), ``zone`` (EZ or PZ) and ``source``.

    Raises
    ------
    InputError
        There is no column region or contact, or a zone is neither EZ nor PZ.
    """
    table = read_table(path, required=["zone"])
    named = [column for column in ("region", "contact", "name") if column in table]
    if not named:
        raise InputError(
            "no column region or contact",
            where=path.name,
            expected="the columns region (or contact), zone and source",
            hint=f"the header has {', '.join(table.columns)}",
        )
    zone = table["zone"].astype(str).str.upper()
    wrong = table.index[~zone.isin(ZONES)]
    if len(wrong):
        raise InputError(
            f"unknown zone {str(table['zone'][wrong[0]])!r}",
            where=f"{path.name}, row {wrong[0] + 2}",
            expected="EZ or PZ",
            hint="correct the column zone",
        )
    name = table[named].bfill(axis=1).iloc[:, 0].astype(str)
    source = table["source"] if "source" in table else pd.Series("", index=table.index)
    return pd.DataFrame({"name": name, "zone": zone, "source": source.fillna("")})


def read_eloquent(path: Path) -> pd.DataFrame:
    """Read the eloquent regions: columns ``region`` and ``function``."""
    table = read_table(path, required=["region", "function"])
    return table[["region", "function"]].astype(str)


def require_known(names: pd.Series, known: set[str], path: Path, what: str) -> None:
    """Raise an error if a name is not in the patient's tables.

    Raises
    ------
    InputError
        A name is unknown; the message states its row.
    """
    unknown = names.index[~names.isin(known)]
    if len(unknown):
        raise InputError(
            f"unknown {what} {names[unknown[0]]}",
            where=f"{path.name}, row {unknown[0] + 2}",
            expected=f"a {what} of this patient",
            hint="use the names of the region table, or of electrodes.tsv for contacts",
        )


def check_clinical(files: PatientFiles) -> list[VirtualBrainError]:
    """Return the problems of the clinical tables, except unknown names (regions come later)."""
    problems: list[VirtualBrainError] = []
    readers: tuple[tuple[Path | None, Callable[[Path], object]], ...] = (
        (files.hypothesis, read_hypothesis),
        (files.eloquent, read_eloquent),
        (files.plans, read_plans),
        (files.resected, read_resected),
    )
    for path, reader in readers:
        if path is None:
            continue
        try:
            reader(path)
        except VirtualBrainError as error:
            problems.append(error)
    return [*problems, *check_marks(files)]


@dataclass(frozen=True)
class PlanRow:
    """One row of the clinic's table of plans.

    `regions` and `to` are names of regions, `mask` is a file beside the table, and `pair` names
    two contacts.
    """

    name: str
    kind: str
    regions: tuple[str, ...]
    to: tuple[str, ...]
    mask: Path | None
    pair: str | None
    where: str


def read_plans(path: Path) -> tuple[PlanRow, ...]:
    """Read the clinic's plans.

    Columns ``name`` and ``kind``, and as the kind requires: ``regions`` (separated by commas;
    ``callosotomy`` for a disconnection of the hemispheres), ``to`` (a disconnection cuts only the
    connections from `regions` to these), ``mask`` (a NIfTI file beside the table) and ``pair``.

    Raises
    ------
    InputError
        A kind is unknown, a plan has no target, or a mask does not exist.
    """
    table = read_table(path, required=["name", "kind"])
    rows = tuple(
        _plan_row(path, number, row) for number, row in enumerate(table.to_dict("records"), start=2)
    )
    names = [row.name for row in rows]
    for row in rows:
        if names.count(row.name) > 1:
            raise InputError(
                f"the plan {row.name} occurs twice",
                where=row.where,
                expected="one row per plan",
                hint="rename one of the plans",
            )
    return rows


def _plan_row(path: Path, number: int, row: Mapping[Any, Any]) -> PlanRow:
    """Check one row of the table of plans."""
    where, kind = f"{path.name}, row {number}", str(row["kind"])
    if kind not in PLAN_KINDS:
        raise InputError(
            f"unknown kind of plan {kind!r}",
            where=where,
            expected="one of " + ", ".join(PLAN_KINDS),
            hint="correct the column kind",
        )
    regions, to = (_names(row.get(column)) for column in ("regions", "to"))
    mask = row.get("mask")
    pair = row.get("pair")
    mask_path = path.parent / str(mask) if isinstance(mask, str) else None
    if kind == "stimulation" and not isinstance(pair, str):
        raise InputError(
            "no contacts to stimulate",
            where=where,
            expected="two contacts in the column pair, such as A1-A2",
            hint="enter the pair of contacts",
        )
    if kind != "stimulation" and not regions and mask_path is None:
        raise InputError(
            "the plan has no target",
            where=where,
            expected="regions in the column regions, or a file in the column mask",
            hint="enter the regions or the mask",
        )
    if mask_path is not None and (kind == "disconnection" or regions):
        raise InputError(
            "a mask cannot be combined with regions or with a disconnection",
            where=where,
            expected="either regions or a mask; regions for a disconnection",
            hint="remove the mask or the regions",
        )
    if mask_path is not None:
        read_image(mask_path)
    return PlanRow(str(row["name"]), kind, regions, to, mask_path,
                   str(pair) if isinstance(pair, str) else None, where)  # fmt: skip


def _names(cell: Any) -> tuple[str, ...]:
    """Return the names of a cell, which commas separate."""
    return tuple(n.strip() for n in cell.split(",") if n.strip()) if isinstance(cell, str) else ()


def read_resected(path: Path) -> pd.DataFrame | None:
    """Read the regions of the performed resection; None if it is a mask.

    Returns
    -------
    pandas.DataFrame or None
        Columns ``region`` and ``share``, the resected fraction (1 if the table has none).

    Raises
    ------
    InputError
        The table has no rows, or a share is outside 0 to 1.
    """
    if path.suffix != ".tsv":
        read_image(path)
        return None
    table = read_table(path, required=["region"])
    if table.empty:
        raise InputError(
            "the resection has no region: the table is empty",
            where=path.name,
            expected="one row per resected region",
            hint="enter the resected regions, or remove the file",
        )
    share = table["share"] if "share" in table else pd.Series(1.0, index=table.index)
    wrong = table.index[~(pd.to_numeric(share, errors="coerce").between(0, 1, "right"))]
    if len(wrong):
        raise InputError(
            f"the share {share[wrong[0]]} is not a resected fraction",
            where=f"{path.name}, row {wrong[0] + 2}",
            expected="a number above 0 and at most 1",
            hint="correct the column share",
        )
    return pd.DataFrame({"region": table["region"].astype(str), "share": share.astype(float)})


def read_outcome_classes(bids: Path) -> dict[str, bool]:
    """Return for each label whether the patient is seizure-free (Engel I, or ILAE 1 or 2).

    The classes are in the columns ``engel`` (I to IV or 1 to 4, subclasses A to D ignored) or
    ``ilae`` (1 to 6) of participants.tsv. Patients without a class are left out.

    Raises
    ------
    InputError
        An unknown class.
    """
    path = bids / "participants.tsv"
    if not path.is_file():
        return {}
    found = {}
    for number, row in enumerate(read_table(path, ["participant_id"]).to_dict("records"), start=2):
        label = str(row["participant_id"]).removeprefix("sub-")
        free = _seizure_free(row, f"{path.name}, row {number}")
        if free is not None:
            found[label] = free
    return found


def _seizure_free(row: Mapping[Any, Any], where: str) -> bool | None:
    """Return whether a row's class means freedom from disabling seizures; None without one."""
    engel, ilae = row.get("engel"), row.get("ilae")
    if engel is not None and not pd.isna(engel):
        text = engel if isinstance(engel, str) else f"{engel:g}"
        bare = text.strip().upper().rstrip("ABCD")
        bare = _ENGEL_OF_DIGIT.get(bare, bare)
        if bare not in ENGEL:
            raise InputError(
                f"unknown Engel class {text!r}",
                where=where,
                expected="I, II, III or IV (or 1 to 4)",
                hint="correct the column engel",
            )
        return bare == "I"
    if ilae is None or pd.isna(ilae):
        return None
    if ilae not in range(1, 7):
        raise InputError(
            f"unknown ILAE class {ilae}",
            where=where,
            expected="a number from 1 to 6",
            hint="correct the column ilae",
        )
    return bool(ilae <= 2)


def hypothesis_regions(files: PatientFiles, layout: PatientLayout) -> pd.DataFrame | None:
    """Return the clinical hypothesis by region; a contact is replaced by its region.

    Without a table of the hypothesis, contacts that are marked as seizure onset zone state it
    (`virtualbrain.io.marked_regions`).

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    layout : PatientLayout
        File layout of the patient's results.

    Returns
    -------
    pandas.DataFrame or None
        Columns ``region`` and ``zone``, one row per region (EZ before PZ); None without a
        hypothesis and without marks.

    Raises
    ------
    InputError
        A name is neither a region nor a contact, or a contact is outside all regions.
    """
    if files.hypothesis is None:
        marked = marked_contacts(layout)
        zone = zone_of_contacts(marked) if marked is not None else None
        return None if zone is None else zone[["region", "zone"]]
    table = read_hypothesis(files.hypothesis)
    regions = set(read_table(layout.connectome_regions, ["name"])["name"])
    contacts = read_table(layout.contacts, ["name", "region"]).set_index("name")["region"]
    known = regions | set(contacts.index)
    require_known(table["name"], known, files.hypothesis, "region or contact")
    table["region"] = [name if name in regions else contacts[name] for name in table["name"]]
    outside = table.index[table["region"].isna()]
    if len(outside):
        raise InputError(
            f"the contact {table['name'][outside[0]]} is in no region",
            where=f"{files.hypothesis.name}, row {outside[0] + 2}",
            expected="a contact inside a region",
            hint="enter a region instead",
        )
    ordered = table.sort_values("zone", kind="stable").drop_duplicates("region")
    return ordered[["region", "zone"]].reset_index(drop=True)


def probable_zone(
    files: PatientFiles, regions: Collection[str], contacts: pd.DataFrame | None
) -> pd.DataFrame | None:
    """Return the clinical hypothesis by region, with probabilities.

    Contacts of the hypothesis, and contacts marked as seizure onset zone, are converted as in
    `virtualbrain.io.marked_regions`. A region that the hypothesis names has the probability 1.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    regions : collection of str
        Names of the regions.
    contacts : pandas.DataFrame, optional
        Contacts with ``region_probabilities`` and marks.

    Returns
    -------
    pandas.DataFrame or None
        Columns ``region``, ``zone`` and ``probability``; None without a hypothesis.

    Raises
    ------
    InputError
        A name is neither a region nor a contact.
    """
    if files.hypothesis is None:
        found = None if contacts is None else marked_regions(contacts, "soz").assign(zone="EZ")
        return None if found is None or found.empty else found[list(_ZONE_COLUMNS)]
    table = read_hypothesis(files.hypothesis)
    implanted = set() if contacts is None else set(contacts["name"].astype(str))
    require_known(table["name"], set(regions) | implanted, files.hypothesis, "region or contact")
    parts = [table.assign(region=table["name"], probability=1.0)[table["name"].isin(set(regions))]]
    if contacts is not None:
        for zone in ZONES:
            named = set(table.loc[table["zone"] == zone, "name"]) - set(regions)
            stated = [YES if str(name) in named else "no" for name in contacts["name"]]
            parts.append(marked_regions(contacts.assign(stated=stated), "stated").assign(zone=zone))
    joined = pd.concat([part[list(_ZONE_COLUMNS)] for part in parts])
    joined = joined.sort_values("probability", ascending=False, kind="stable")
    return joined.drop_duplicates(["region", "zone"]).reset_index(drop=True)


def marked_contacts(layout: PatientLayout) -> pd.DataFrame | None:
    """Return the contacts with the clinicians' marks; None without any mark."""
    if not layout.contacts.is_file():
        return None
    contacts = read_table(layout.contacts, ["name"])
    has_marks = "region_probabilities" in contacts and any(kind in contacts for kind in KINDS)
    return contacts if has_marks else None


def eloquent_regions(files: PatientFiles, layout: PatientLayout) -> tuple[tuple[str, str], ...]:
    """Return (region, function) of every eloquent region; empty without a table.

    Raises
    ------
    InputError
        A region is not in the patient's region table.
    """
    if files.eloquent is None:
        return ()
    table = read_eloquent(files.eloquent)
    known = set(read_table(layout.connectome_regions, ["name"])["name"])
    require_known(table["region"], known, files.eloquent, "region")
    return tuple(zip(table["region"], table["function"], strict=True))
