"""Prepare the data quality of every stage for the report: figures, notes, corrections."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualbrain.io.quality_results import Correction, Quality
from virtualbrain.report.numbers import show
from virtualbrain.report.privacy import scrub, scrub_text

_STAGES = (
    ("anatomy", "MRI"),
    ("dwi", "Diffusion MRI"),
    ("connectome", "Connectome"),
    ("seeg", "SEEG"),
)
_MOST_VALUES = 8


@dataclass(frozen=True)
class StageQuality:
    """The data quality of one stage as the report shows it.

    Parameters
    ----------
    stage, title : str
        Key and heading of the stage.
    present : bool
        True where the stage wrote a quality file.
    notes : tuple of str
        Sentences on figures outside their quality limits.
    corrections : tuple of Correction
        Corrections of the diffusion series.
    rows : tuple of (str, str)
        Figures: name and value.
    """

    stage: str
    title: str
    present: bool
    notes: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    rows: tuple[tuple[str, str], ...] = ()


def quality_of(quality: Mapping[str, Quality]) -> tuple[StageQuality, ...]:
    """Return the data quality of every stage, in the order of the pipeline."""
    return tuple(_of_stage(stage, title, quality.get(stage)) for stage, title in _STAGES)


def _of_stage(stage: str, title: str, quality: Quality | None) -> StageQuality:
    if quality is None:
        return StageQuality(stage, title, present=False)
    return StageQuality(
        stage=stage,
        title=title,
        present=True,
        notes=tuple(scrub_text(note) for note in quality.notes),
        corrections=tuple(
            Correction(one.name, one.done, scrub_text(one.how)) for one in quality.corrections
        ),
        rows=tuple(
            (key.replace("_", " "), words)
            for key, value in scrub(quality.figures).items()
            if (words := _in_words(value))
        ),
    )


def _in_words(value: Any) -> str:
    """Return a figure as text; an empty text where it is too long for a cell."""
    if isinstance(value, Mapping):
        parts = [f"{key}: {_in_words(one)}" for key, one in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [_in_words(one) for one in value]
    else:
        return show(value)
    return ", ".join(parts) if 0 < len(parts) <= _MOST_VALUES else ""
