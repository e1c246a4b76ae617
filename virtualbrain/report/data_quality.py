"""What the page says of the data's quality: notes, corrections made and not made, figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualbrain.report.numbers import show

_STAGES = (
    ("anatomy", "MRI"),
    ("dwi", "Diffusion"),
    ("connectome", "Connectome"),
    ("seeg", "SEEG"),
)
_SIDECAR = {"Sources", "ConfigurationHash", "GeneratedBy", "Versions", "notes", "corrections"}
_MOST_VALUES = 8


@dataclass(frozen=True)
class Correction:
    """One correction of the diffusion series: whether it was made, and how or why not."""

    name: str
    done: bool
    how: str


@dataclass(frozen=True)
class StageQuality:
    """One stage's part of the table.

    Parameters
    ----------
    stage, title : str
        Its key and its heading.
    there : bool
        Whether the stage left figures.
    notes : tuple of str
        Sentences on what is out of the ordinary.
    corrections : tuple of Correction
        Of the diffusion series.
    rows : tuple of (str, str)
        Figures by name.
    """

    stage: str
    title: str
    there: bool
    notes: tuple[str, ...]
    corrections: tuple[Correction, ...]
    rows: tuple[tuple[str, str], ...]


def quality_of(quality: Mapping[str, Mapping[str, Any]]) -> tuple[StageQuality, ...]:
    """Return the quality of every stage in the order in which the data pass them."""
    return tuple(_of_stage(stage, title, quality.get(stage)) for stage, title in _STAGES)


def _of_stage(stage: str, title: str, content: Mapping[str, Any] | None) -> StageQuality:
    content = content or {}
    nested = content.get("figures")
    figures = {**content, **nested} if isinstance(nested, Mapping) else content
    return StageQuality(
        stage=stage,
        title=title,
        there=bool(content),
        notes=tuple(str(note) for note in content.get("notes") or ()),
        corrections=tuple(
            Correction(str(one["name"]), bool(one["done"]), str(one["how"]))
            for one in content.get("corrections") or ()
        ),
        rows=tuple(
            (key.replace("_", " "), words)
            for key, value in figures.items()
            if key not in _SIDECAR and key != "figures" and (words := _in_words(value))
        ),
    )


def _in_words(value: Any) -> str:
    """Return a figure as text; nothing for one too long to be read in a cell."""
    if isinstance(value, Mapping):
        parts = [f"{key}: {_in_words(one)}" for key, one in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [_in_words(one) for one in value]
    else:
        return show(value)
    return ", ".join(parts) if 0 < len(parts) <= _MOST_VALUES else ""
