"""Read the quality files of the stages: figures, notes and corrections."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from virtualbrain.io.atomic import read_json

# Keys of every sidecar (`virtualbrain.pipeline.job.sidecar`) and of the parts read apart.
_NOT_FIGURES = {
    "Sources",
    "ConfigurationHash",
    "GeneratedBy",
    "Versions",
    "notes",
    "corrections",
}


@dataclass(frozen=True)
class Correction:
    """One correction of the diffusion series: if it was done, and how or why not."""

    name: str
    done: bool
    how: str


@dataclass(frozen=True)
class Quality:
    """The quality of one stage's results.

    Parameters
    ----------
    figures : mapping
        Figures by name.
    notes : tuple of str
        Sentences on figures outside their quality limits.
    corrections : tuple of Correction
        Corrections of the diffusion series; empty for the other stages.
    """

    figures: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()


def load_anatomy_quality(path: Path) -> Quality:
    """Read the quality of the anatomy, whose figures have their own key."""
    content = read_json(path)
    return Quality(content["figures"], tuple(content["notes"]))


def load_diffusion_quality(path: Path) -> Quality:
    """Read the quality of the diffusion series, with its corrections."""
    content = read_json(path)
    corrections = tuple(Correction(**one) for one in content["corrections"])
    return Quality(_figures(content), tuple(content["notes"]), corrections)


def load_quality(path: Path) -> Quality:
    """Read the quality of the connectome or of the SEEG."""
    content = read_json(path)
    return Quality(_figures(content), tuple(content["notes"]))


def _figures(content: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in _NOT_FIGURES}
