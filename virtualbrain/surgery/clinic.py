"""The clinic's own plans, and the resection that was done, as plans on the patient's network."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from virtualbrain.errors import InputError
from virtualbrain.io.clinical import PlanRow
from virtualbrain.network import Matrix
from virtualbrain.surgery.candidates import Candidate
from virtualbrain.surgery.connections import callosotomy, tract_plan
from virtualbrain.surgery.masks import shares_in_mask

CALLOSOTOMY = ("callosotomy",)


def plan_of(row: PlanRow, regions: pd.DataFrame, weights: Matrix, images: Any = None) -> Candidate:
    """Return a plan of the clinic's table as a candidate.

    Parameters
    ----------
    row : PlanRow
        From `io.clinical.read_plans`, not a stimulation.
    regions : pandas.DataFrame
        Region table in the order of the weights.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights.
    images : tuple of nibabel images, optional
        The mask and the region labels, where the row names a mask.

    Raises
    ------
    InputError
        A region that the patient's atlas does not have, or a mask outside the brain.
    """
    require_regions((*row.regions, *row.to), regions, row.where, CALLOSOTOMY)
    if row.mask is not None:
        shares = shares_in_mask(*images, regions, row.mask.name)
        return taking(row.name, shares, "ablation" if row.kind == "ablation" else "resection")
    names = regions["name"].tolist()
    if row.kind != "disconnection":
        return Candidate(row.name, "ablation" if row.kind == "ablation" else "resection",
                         row.regions)  # fmt: skip
    if row.regions == CALLOSOTOMY:
        return callosotomy(regions, weights)
    if row.to:
        return tract_plan(row.name, row.regions, row.to, names, weights)
    return Candidate(row.name, "disconnection", row.regions)


def taking(name: str, shares: Mapping[str, float], kind: Any = "clinical") -> Candidate:
    """Return the plan that takes these shares of regions."""
    return Candidate(name, kind, tuple(shares), tuple(shares.values()))


def require_regions(
    names: Sequence[str], regions: pd.DataFrame, where: str, also: Sequence[str] = ()
) -> None:
    """Refuse a name that the region table does not have.

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
                cure="use the names of the region table",
            )  # fmt: skip
