"""Gates: where a figure of quality usually lies, and the sentence for one that lies elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Gate:
    """The usual range of a figure; outside it a reader is told, and nothing stops.

    Parameters
    ----------
    low, high : float
        The range.
    title : str
        What the figure is, in words.
    meaning : str
        What follows for a reader.
    """

    low: float
    high: float
    title: str
    meaning: str = ""

    @property
    def range(self) -> str:
        """The range in words."""
        if np.isinf(self.high):
            return f"{self.low:g} or more"
        return f"{self.low:g} to {self.high:g}"


def outside(figures: Mapping[str, Any], gates: Mapping[str, Gate]) -> list[str]:
    """Return a sentence for each figure that lies outside its gate, or is no number.

    A figure that is not there is not judged.

    Parameters
    ----------
    figures : mapping
        Figures by name.
    gates : mapping of str to Gate
        Gates by the figures' names.
    """
    return [
        f"The {gate.title} is {figures[name]:.3g}; usual is {gate.range}. {gate.meaning}".strip()
        for name, gate in gates.items()
        if isinstance(figures.get(name), (int, float))
        and not gate.low <= figures[name] <= gate.high
    ]
