"""Read the results of the command `cortex` that belong to a fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.anatomy import Surface
from virtualbrain.io.atomic import read_json
from virtualbrain.io.gifti import load_gifti
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum
from virtualbrain.io.result_files import Table, columns_of, load_table, rows_of
from virtualbrain.io.tables import sidecar_of

_POINTS, _TRIANGLES = "NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE"
_MODELS = ("surface", "simulated", "region")


@dataclass(frozen=True)
class CortexOutcome:
    """One row of desc-outcome.tsv; the fields are its columns."""

    surgery: str
    draws: int
    removed_cm2: float
    share_free: float
    recruited_cm2: float
    recruited_low_cm2: float
    recruited_high_cm2: float


@dataclass(frozen=True)
class FoundPlace:
    """Where on the cortex the recording says that the seizure starts (`--find-focus`).

    Parameters
    ----------
    region : str
        Its region.
    centre_mm : tuple of float
        The place, scanner RAS.
    p_near : float
        Probability that the seizure starts within `near_mm` of it.
    near_mm : float
        Distance.
    supported : bool
        One place explains the recording; otherwise the rest says nothing.
    simulations : int
        Simulations that it comes from; 0: from a growing patch alone.
    """

    region: str
    centre_mm: tuple[float, ...]
    p_near: float
    near_mm: float
    supported: bool
    simulations: int = 0


@dataclass(frozen=True)
class CortexRun:
    """One run of the command `cortex`.

    Parameters
    ----------
    name : str
        Its name.
    page : str
        Page of the movie, relative to the results.
    table : Table
        desc-outcome.tsv.
    outcomes : tuple of CortexOutcome
        Before surgery, and after it if there was one.
    agreement : mapping
        Agreement of `surface`, `simulated` and `region` with the recorded onsets, as
        `virtualbrain.cortex.channels.agreement` returns it.
    local : float
        Strength of the local coupling.
    foci : int
        Number of foci, stated or found.
    found : FoundPlace, optional
        Where the seizure starts, if that was searched.
    searched : bool
        The surgery is the smallest resection of a search.
    surfaces : mapping of str to Surface
        The simulated surface by hemisphere; all regions are 0.
    onset_s : mapping of str to numpy.ndarray
        Median onset of every vertex before surgery, NaN where it does not seize.
    """

    name: str
    page: str
    table: Table
    outcomes: tuple[CortexOutcome, ...]
    agreement: Mapping[str, Mapping[str, Any]]
    local: float
    foci: int
    found: FoundPlace | None
    searched: bool
    surfaces: Mapping[str, Surface]
    onset_s: Mapping[str, NDArray[np.float64]]


def load_cortex_run(layout: PatientLayout, priors: str, name: str) -> CortexRun:
    """Read one run.

    Raises
    ------
    InputError
        It belongs to another fit, or a file is damaged.
    """
    outcome = layout.cortex_result(priors, name, "desc-outcome.tsv")
    table = load_table(outcome, columns_of(CortexOutcome))
    about = table.sidecar
    if about["Posterior"] != checksum(layout.posterior(priors)):
        raise InputError(
            "the run belongs to an earlier fit",
            where=outcome.name,
            hint="run virtualbrain cortex again",
        )
    channels = read_json(sidecar_of(layout.cortex_result(priors, name, "desc-channels_onsets.tsv")))
    surfaces, onset_s = _onsets(layout, priors, name)
    return CortexRun(
        name=name,
        page=layout.cortex_page(priors, name).relative_to(layout.out).as_posix(),
        table=table,
        outcomes=rows_of(table.frame, CortexOutcome),
        agreement={kind: channels[kind.capitalize()] for kind in _MODELS},
        local=float(about["LocalStrength"]),
        foci=len(about["Foci"]),
        found=_found(layout, priors, name) if about.get("FindFocus") is not None else None,
        searched="SmallestResection" in about,
        surfaces=surfaces,
        onset_s=onset_s,
    )


def _found(layout: PatientLayout, priors: str, name: str) -> FoundPlace | None:
    """Read where the search for the focus ended; None without a search."""
    path = sidecar_of(layout.cortex_result(priors, name, "desc-focus_regions.tsv"))
    if not path.is_file():
        return None
    try:
        found = read_json(path)["Found"]
        return FoundPlace(
            str(found["Region"]),
            tuple(float(value) for value in found["Centre"]),
            float(found["PNear"]),
            float(found["Near"]),
            bool(found["Supported"]),
            int(found.get("Simulations", 0)),  # lacking before they were simulated
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("no readable place of the focus", where=path.name) from error


def _onsets(
    layout: PatientLayout, priors: str, name: str
) -> tuple[dict[str, Surface], dict[str, NDArray[np.float64]]]:
    """Read the simulated surfaces, and the median onset of their vertices."""
    surfaces, onset_s = {}, {}
    for side in "LR":
        path = layout.cortex_result(priors, name, f"hemi-{side}_cortex.surf.gii")
        if path.is_file():
            shape = layout.cortex_result(priors, name, f"hemi-{side}_desc-before_onset.shape.gii")
            surfaces[side], onset_s[side] = _surface_with_onsets(path, shape)
    return surfaces, onset_s


def _surface_with_onsets(path: Path, shape: Path) -> tuple[Surface, NDArray[np.float64]]:
    try:
        image = load_gifti(path)
        points = np.asarray(image.agg_data(_POINTS), dtype=np.float64)
        triangles = np.asarray(image.agg_data(_TRIANGLES), dtype=np.int64)
        onset_s = np.asarray(load_gifti(shape).darrays[0].data, dtype=np.float64)
    except Exception as error:  # damaged files raise many kinds
        raise InputError("missing or unreadable surface or onsets", where=path.name) from error
    n = len(points)
    if onset_s.shape != (n,) or not 0 <= triangles.min() <= triangles.max() < n:
        raise InputError("surface and onsets do not fit together", where=shape.name)
    return Surface(points, triangles, np.zeros(n, dtype=np.int32)), onset_s
