"""Surgical plans: resections, disconnections, ablations, stimulations and sham plans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from virtualbrain.errors import ModelError
from virtualbrain.surgery.settings import SurgerySettings

Kind = Literal["none", "clinical", "resection", "disconnection", "ablation", "stimulation", "sham"]
Edge = tuple[str, str]
DONE = "the resection that was done"
REMOVING: tuple[Kind, ...] = ("clinical", "resection", "ablation", "sham")


@dataclass(frozen=True)
class Candidate:
    """One plan.

    Parameters
    ----------
    name : str
        Name in tables and in the report.
    kind : str
        none, clinical, resection, disconnection, ablation, stimulation or sham.
    regions : tuple of str
        Resected regions; for a disconnection, the regions that are disconnected; for a
        stimulation, the regions with the strongest field.
    shares : tuple of float
        Resected fraction of each region, above 0 and at most 1; empty: 1 for every region.
    edges : tuple of (str, str)
        Connections that are cut, in both directions.
    """

    name: str
    kind: Kind
    regions: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        if not self.regions and not self.edges and self.kind != "none":
            raise ModelError(f"the plan {self.name!r} is empty", expected="a region or connection")
        if len(set(self.regions)) != len(self.regions):
            raise ModelError(f"the plan {self.name!r} repeats a region")
        if self.shares and len(self.shares) != len(self.regions):
            raise ModelError(
                f"the plan {self.name!r} has {len(self.shares)} resected fractions",
                expected=f"one for each of its {len(self.regions)} regions",
            )
        if not all(0 < share <= 1 for share in self.shares):
            raise ModelError(
                f"the plan {self.name!r} has a resected fraction outside 0 to 1",
                expected="above 0, at most 1",
            )

    @property
    def removes(self) -> bool:
        """Whether the plan resects tissue."""
        return self.kind in REMOVING

    @property
    def taken(self) -> tuple[float, ...]:
        """Resected fraction of each region."""
        return (self.shares or (1.0,) * len(self.regions)) if self.removes else ()


def no_surgery() -> Candidate:
    """Return the plan without surgery, the reference of all others."""
    return Candidate("no surgery", "none")


def resection(regions: Sequence[str]) -> Candidate:
    """Return the resection of complete regions."""
    return Candidate(" + ".join(regions), "resection", tuple(regions))


def clinical_plan(regions: Sequence[str]) -> list[Candidate]:
    """Return the resection of the clinical hypothesis; empty without a hypothesis."""
    return [Candidate("clinical hypothesis", "clinical", tuple(regions))] if regions else []


def leading_plans(leading: Sequence[str], settings: SurgerySettings) -> list[Candidate]:
    """Return resections of each leading region, each pair, and the first 3, 4, … regions."""
    sets: list[tuple[str, ...]] = [(region,) for region in leading]
    sets += combinations(leading, 2)
    sets += [tuple(leading[:size]) for size in range(3, settings.largest + 1)]
    return [
        resection(regions)
        for regions in dict.fromkeys(sets)
        if len(regions) <= min(settings.largest, len(leading))
    ]


def disconnections(leading: Sequence[str]) -> list[Candidate]:
    """Return plans that disconnect the first one and the first two leading regions."""
    return [
        Candidate(f"disconnect {' + '.join(regions)}", "disconnection", regions)
        for regions in dict.fromkeys((tuple(leading[:1]), tuple(leading[:2])))
        if regions
    ]


def sham_plans(
    regions: Sequence[str], sizes: Iterable[int], count: int, rng: np.random.Generator
) -> dict[int, list[Candidate]]:
    """Return random resections of each size, drawn from all regions that may be resected."""
    return {
        size: [
            Candidate(
                f"sham {size}-{number + 1}",
                "sham",
                tuple(str(name) for name in rng.choice(list(regions), size, replace=False)),
            )
            for number in range(count)
        ]
        for size in sorted(set(sizes))
        if 0 < size <= len(regions)
    }
