"""Part of the report on seizures on the cortical surface: onsets, outcome, link to the movie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.io.cortex_results import CortexOutcome, CortexRun
from virtualbrain.io.results import PatientResults
from virtualbrain.report.colours import ColourScale
from virtualbrain.report.drawing import StaticImage, brain_views
from virtualbrain.report.numbers import is_number, percent, show
from virtualbrain.report.tables import Cell, Column, View, download_of, number_cell, percent_cell

Array = NDArray[np.float64]

_VIEWS = ("left", "right", "left, medial", "right, medial")
_STEPS = 24  # colours between the first and the last onset
_MOST_SENTENCES = 2  # the table lists all runs
_MODELS = {
    "surface": "point by point on the cortex",
    "simulated": "region by region, same draws",
    "region": "region by region, onsets of the fit",
}


@dataclass(frozen=True)
class OnCortex:
    """The part of the report on seizures on the cortical surface.

    Parameters
    ----------
    main : CortexRun
        The run that is shown: one without a stated focus and without surgery if there is one.
    sentences : tuple of str
        What seizes, where it starts if that was searched, and what surgery changes.
    picture : StaticImage or None
        Median onset before surgery; None where nothing seizes in half of the draws.
    earliest_s, latest_s : float
        Ends of the colours.
    outcomes, agreement : View
        Outcome of every run, and agreement of the main run with the recording.
    older : tuple of str
        Runs that are not shown, because they belong to another fit or are damaged.
    """

    main: CortexRun
    sentences: tuple[str, ...]
    picture: StaticImage | None
    earliest_s: float
    latest_s: float
    outcomes: View
    agreement: View
    older: tuple[str, ...]


def on_cortex_of(results: PatientResults) -> OnCortex | None:
    """Return the part on the cortical surface; None without a run that belongs to the fit."""
    runs = results.main.cortex
    if not runs:
        return None
    main = runs[0]
    earliest, latest = _span(main)
    surgeries = [run for run in runs if len(run.outcomes) > 1]
    older = [name for name in results.main.missing if name.startswith("cortex ")]
    return OnCortex(
        main=main,
        sentences=(_seizing(main), *_starts(runs), *map(_operated, surgeries[:_MOST_SENTENCES])),
        picture=_picture(main, earliest, latest),
        earliest_s=earliest,
        latest_s=latest,
        outcomes=_outcomes(runs),
        agreement=_agreement(main),
        older=tuple(name.removeprefix("cortex ") for name in older),
    )


def _span(run: CortexRun) -> tuple[float, float]:
    onsets = [values[np.isfinite(values)] for values in run.onset_s.values()]
    found = np.concatenate([*onsets, np.zeros(0)])
    return (float(found.min()), float(found.max())) if len(found) else (np.nan, np.nan)


def _seizing(run: CortexRun) -> str:
    before = run.outcomes[0]
    area, low, high = (
        show(value, 2)
        for value in (before.recruited_cm2, before.recruited_low_cm2, before.recruited_high_cm2)
    )
    focus = " if seizures start in the focus" if run.foci else ""
    return (
        f"In the model {area} cm² of cortex seize{focus} (median of {before.draws} draws of the "
        f"fit; 90 % of them: {low} to {high} cm²)."
    )


def _starts(runs: Sequence[CortexRun]) -> tuple[str, ...]:
    """Say where the seizure starts, from the first run that searched it."""
    found = next((run.found for run in runs if run.found is not None), None)
    if found is None:
        return ()
    if not found.supported:
        return ("No single place on the cortex explains the recording.",)
    place = ", ".join(f"{value:.0f}" for value in found.centre_mm)
    what = "Simulations on this cortex place" if found.simulations else "A growing patch places"
    return (
        f"{what} the start within {found.near_mm:g} mm of {place} mm "
        f"(scanner RAS; {spoken_name(found.region)}) with probability {percent(found.p_near)}.",
    )


def _operated(run: CortexRun) -> str:
    after = run.outcomes[1]
    removed = after.removed_cm2
    taken = f"{show(removed, 2)} cm² taken out" if removed else "no cortex taken out"
    surgery = "smallest resection that was found in" if run.searched else "surgery of"
    return (
        f"After the {surgery} the run {run.name} ({taken}), nothing seizes in "
        f"{percent(after.share_free)} of the draws."
    )


def _picture(run: CortexRun, earliest: float, latest: float) -> StaticImage | None:
    """Return views of the cortex; vertices with the same step of the onset count as a region."""
    if not is_number(earliest):
        return None
    edges = np.linspace(earliest, latest, _STEPS)
    surfaces = {
        side: surface._replace(regions=_steps(run.onset_s[side], earliest, latest))
        for side, surface in run.surfaces.items()
    }
    return brain_views(
        surfaces,
        {k + 1: float(edge) for k, edge in enumerate(edges)},
        ColourScale(latest, earliest),
        None,
        "Cortex of both hemispheres, from outside and from the midline, coloured by the median "
        "onset of the modelled seizure",
        views=_VIEWS,
    )


def _steps(onset_s: Array, earliest: float, latest: float) -> NDArray[np.int32]:
    """Return the step of the colours of each onset from 1; 0 without an onset."""
    share = (onset_s - earliest) / max(latest - earliest, 1e-9)
    return np.where(np.isfinite(share), 1 + np.rint(share * (_STEPS - 1)), 0).astype(np.int32)


def _outcomes(runs: Sequence[CortexRun]) -> View:
    columns = (
        Column("Run", False, "opens the movie"),
        Column("Surgery", False),
        Column("Taken out (cm²)", True),
        Column("No seizure", True, "share of draws in which no cortex and no nucleus seizes"),
        Column("Cortex that seizes (cm²)", True, "median over draws, and 90 % interval"),
    )
    rows = [_outcome(run, row) for run in runs for row in run.outcomes]
    return View(
        "cortex-outcomes", "Outcome on the cortex, before and after surgery.", columns,
        tuple(rows), download_of(runs[0].table) if len(runs) == 1 else None,
    )  # fmt: skip


def _outcome(run: CortexRun, row: CortexOutcome) -> tuple[Cell, ...]:
    low, high = show(row.recruited_low_cm2, 2), show(row.recruited_high_cm2, 2)
    return (
        Cell(run.name, run.name, link=run.page),
        Cell(row.surgery, row.surgery),
        number_cell(row.removed_cm2, 2),
        percent_cell(row.share_free),
        Cell(f"{show(row.recruited_cm2, 2)} ({low}–{high})", repr(row.recruited_cm2)),
    )


def _agreement(run: CortexRun) -> View:
    columns = (
        Column("Model", False),
        Column("Onset found", True, "of the channels with a recorded onset"),
        Column("Other channels", True, "with an onset in the model only"),
        Column("Order", True, "rank correlation of modelled and recorded onsets"),
        Column("Median error (s)", True),
    )
    rows = [_agrees(words, run.agreement[kind]) for kind, words in _MODELS.items()]
    caption = "Modelled onsets beside the recorded ones."
    return View("cortex-agreement", caption, columns, tuple(rows), None)


def _agrees(words: str, found: Mapping[str, Any]) -> tuple[Cell, ...]:
    both, recorded = found["both"], found["recorded"]
    return (
        Cell(words, words),
        Cell(f"{both} of {recorded}", repr(float(both))),
        number_cell(found["extra"]),
        number_cell(found["rank_correlation"], 2),
        number_cell(found["median_error_s"], 2),
    )
