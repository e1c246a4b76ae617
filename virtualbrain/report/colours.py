"""Map numbers to colours whose order is visible without colour vision."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np

GREY = (0.80, 0.80, 0.78)
FADE = 0.25
VIRIDIS = mpl.colormaps["viridis"]
"""Looked up once: every look-up copies the colours."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class ColourScale:
    """Viridis between two values; with a `floor`, grey below it and a transition above.

    `low` may be the larger value; then small numbers are bright.
    """

    low: float
    high: float
    floor: float | None = None

    def fraction(self, value: float) -> float:
        """Return the position of a value between `low` and `high`, 0 to 1."""
        return float(np.clip((value - self.low) / ((self.high - self.low) or 1.0), 0, 1))

    def __call__(self, value: float | None) -> Colour:
        """Return the colour of a value; grey without a value."""
        if value is None or not np.isfinite(value):
            return GREY
        red, green, blue = VIRIDIS(self.fraction(value))[:3]
        strength = self.strength(value)
        mixed = [g + strength * (c - g) for g, c in zip(GREY, (red, green, blue), strict=True)]
        return mixed[0], mixed[1], mixed[2]

    def strength(self, value: float) -> float:
        """Return the strength of the colour against grey, 0 to 1."""
        if self.floor is None:
            return 1.0
        return float(np.clip((self.fraction(value) - self.floor) / FADE, 0, 1))
