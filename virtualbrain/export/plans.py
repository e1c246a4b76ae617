"""Find the tissue that a plan resects."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from virtualbrain.report.findings import Plan
from virtualbrain.surgery.candidates import REMOVING

_SAME_VOLUME = 1e-6


@dataclass(frozen=True)
class PlanExtent:
    """A leading plan that resects complete regions.

    Parameters
    ----------
    number : int
        Position among the leading plans, from 1; part of the file names.
    name : str
        Name of the plan in outcomes.tsv.
    kind : str
        resection or ablation.
    regions : tuple of str
        Its regions.
    volume_mm3 : float
        Volume of the regions: grey matter, without the white matter between them.
    p_seizure_free : float
        Calibrated probability of seizure freedom.
    """

    number: int
    name: str
    kind: str
    regions: tuple[str, ...]
    volume_mm3: float
    p_seizure_free: float

    @property
    def file_part(self) -> str:
        """The part of the file names."""
        return f"desc-plan{self.number}"

    def about(self) -> dict[str, object]:
        """Return the plan for a sidecar."""
        return {
            "Plan": self.name,
            "Kind": self.kind,
            "Regions": list(self.regions),
            "VolumeMm3": self.volume_mm3,
            "PSeizureFree": self.p_seizure_free,
            "Extent": "grey matter of these regions; the white matter between them is not included",
        }


def extents_of(
    plans: Sequence[Plan], regions: pd.DataFrame
) -> tuple[tuple[PlanExtent, ...], tuple[str, ...]]:
    """Return the plans whose tissue is known, and why the others are left out.

    A plan resects complete regions if its volume is that of its regions. The extent of a partial
    resection is the clinic's mask, which is not a result.

    Parameters
    ----------
    plans : sequence of Plan
        Leading plans, the first one first.
    regions : pandas.DataFrame
        Region table with ``name`` and ``volume``.
    """
    volume = dict(zip(regions["name"], regions["volume"], strict=True))
    found, notes = [], []
    for number, plan in enumerate(plans, start=1):
        whole = float(sum(volume.get(name, np.nan) for name in plan.regions))
        reason = _unknown_extent(plan, whole)
        if reason:
            notes.append(f"plan {number} ({plan.candidate}) has no mask: {reason}")
            continue
        found.append(
            PlanExtent(number, plan.candidate, plan.kind, plan.regions, whole, plan.p_seizure_free)
        )
    return tuple(found), tuple(notes)


def _unknown_extent(plan: Plan, whole_mm3: float) -> str:
    """Return why the tissue of a plan is not known; empty if it is."""
    if plan.kind not in REMOVING or not plan.regions:
        return "it resects no tissue"
    if not np.isclose(plan.volume_cm3 * 1000, whole_mm3, rtol=_SAME_VOLUME, equal_nan=True):
        return "it resects regions in part; use the mask that the clinic drew"
    return ""
