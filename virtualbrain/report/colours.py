"""From a number to a colour that every eye can order."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np

GREY = (0.80, 0.80, 0.78)
FADE = 0.25

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class ColourScale:
    """Viridis between two values; with a `floor`, grey below it and fading in above.

    `low` may be the larger value: then the small numbers are the bright ones.
    """

    low: float
    high: float
    floor: float | None = None

    def share(self, value: float) -> float:
        """Return where a value lies between `low` and `high`, 0 to 1."""
        return float(np.clip((value - self.low) / ((self.high - self.low) or 1.0), 0, 1))

    def __call__(self, value: float | None) -> Colour:
        """Return the colour of a value; grey where there is none."""
        if value is None or not np.isfinite(value):
            return GREY
        red, green, blue = mpl.colormaps["viridis"](self.share(value))[:3]
        strength = self.strength(value)
        mixed = [g + strength * (c - g) for g, c in zip(GREY, (red, green, blue), strict=True)]
        return mixed[0], mixed[1], mixed[2]

    def strength(self, value: float) -> float:
        """Return how far a colour stands out from grey, 0 to 1."""
        if self.floor is None:
            return 1.0
        return float(np.clip((self.share(value) - self.floor) / FADE, 0, 1))
