"""Read the clinic's plans and the resection that was done as plans on the patient's network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.clinical import PlanRow, marked_contacts, read_plans, read_resected
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.marked_regions import resection_of_contacts
from virtualbrain.network import Matrix
from virtualbrain.surgery.candidates import DONE, Candidate
from virtualbrain.surgery.disconnections import callosotomy, tract_plan
from virtualbrain.surgery.resected_fraction import shares_in_mask

CALLOSOTOMY = ("callosotomy",)


@dataclass(frozen=True)
class ClinicalPlans:
    """The clinic's plans, and the resection that was done.

    Parameters
    ----------
    plans : tuple of Candidate
        Resections, ablations and disconnections.
    pairs : tuple of str
        Bipolar pairs to stimulate.
    done : Candidate or None
        The resection that was done.
    """

    plans: tuple[Candidate, ...] = ()
    pairs: tuple[str, ...] = ()
    done: Candidate | None = None


def clinical_plans(
    files: PatientFiles, layout: PatientLayout, connectome: Connectome
) -> ClinicalPlans:
    """Read the clinic's plans and the resection that was done.

    Parameters
    ----------
    files : PatientFiles
        The patient's input.
    layout : PatientLayout
        Paths of the results; masks need the label image.
    connectome : Connectome
        Regions and weights.

    Raises
    ------
    InputError
        A plan names an unknown region, or a mask is outside the brain.
    """
    rows = read_plans(files.plans) if files.plans is not None else ()
    return ClinicalPlans(
        plans=tuple(_plan(row, layout, connectome) for row in rows if row.kind != "stimulation"),
        pairs=tuple(str(row.pair) for row in rows if row.kind == "stimulation"),
        done=_done(files.resected, layout, connectome.regions),
    )


def plan_of(row: PlanRow, regions: pd.DataFrame, weights: Matrix, images: Any = None) -> Candidate:
    """Return one row of the clinic's table as a plan.

    Parameters
    ----------
    row : PlanRow
        Row of `io.clinical.read_plans`; not a stimulation.
    regions : pandas.DataFrame
        Region table in the order of the weights.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights.
    images : tuple of nibabel images, optional
        Mask and label image, if the row names a mask.

    Raises
    ------
    InputError
        A region is not in the patient's atlas, or the mask is outside the brain.
    """
    require_regions((*row.regions, *row.to), regions, row.where, CALLOSOTOMY)
    if row.mask is not None:
        mask, labels = images
        shares = shares_in_mask(mask, labels, regions, row.mask.name)
        return partial_resection(
            row.name, shares, "ablation" if row.kind == "ablation" else "resection"
        )
    names = regions["name"].tolist()
    if row.kind != "disconnection":
        return Candidate(row.name, "ablation" if row.kind == "ablation" else "resection",
                         row.regions)  # fmt: skip
    if row.regions == CALLOSOTOMY:
        return callosotomy(regions, weights)
    if row.to:
        return tract_plan(row.name, row.regions, row.to, names, weights)
    return Candidate(row.name, "disconnection", row.regions)


def partial_resection(name: str, shares: Mapping[str, float], kind: Any = "clinical") -> Candidate:
    """Return the plan with these resected fractions."""
    return Candidate(name, kind, tuple(shares), tuple(shares.values()))


def require_regions(
    names: Sequence[str], regions: pd.DataFrame, where: str, also: Sequence[str] = ()
) -> None:
    """Raise an error for a name that is not in the region table.

    Raises
    ------
    InputError
        The first unknown name.
    """
    known = {*regions["name"], *also}
    for name in names:
        if name not in known:
            raise InputError(
                f"unknown region {name}", where=where, expected="a region of this patient",
                hint="use the names of the region table",
            )  # fmt: skip


def _plan(row: PlanRow, layout: PatientLayout, connectome: Connectome) -> Candidate:
    images = None if row.mask is None else (read_image(row.mask), read_image(layout.labels))
    return plan_of(row, connectome.regions, connectome.weights, images)


def _done(path: Path | None, layout: PatientLayout, regions: pd.DataFrame) -> Candidate | None:
    """Return the resection that was done: by its table or mask, else by the marked contacts."""
    if path is None:
        contacts = marked_contacts(layout)
        fractions = resection_of_contacts(contacts) if contacts is not None else {}
        return partial_resection(DONE, fractions) if fractions else None
    table = read_resected(path)
    if table is None:
        shares = shares_in_mask(read_image(path), read_image(layout.labels), regions, path.name)
        return partial_resection(DONE, shares)
    require_regions(table["region"].tolist(), regions, path.name)
    return partial_resection(DONE, dict(zip(table["region"], table["share"], strict=True)))
