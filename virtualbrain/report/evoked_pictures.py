"""Draw evoked responses and the connectome of diffusion MRI as two pictures side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from virtualbrain.anatomy.spoken_names import spoken_name
from virtualbrain.report.colours import VIRIDIS
from virtualbrain.report.numbers import show

# Pixels: height of a row, above the first row, between the pictures, mean width of a letter.
_ROW, _TOP, _GAP, _LETTER = 14, 28, 24, 5.8
_NOT_MEASURED = "#d9d9d4"
_NOTHING = "#ffffff"


@dataclass(frozen=True)
class HeatCell:
    """A cell of a picture: position, colour, and the text of its tooltip."""

    column: int
    row: int
    colour: str
    text: str


@dataclass(frozen=True)
class HeatMap:
    """A picture of regions stimulated (rows) by regions recorded (columns)."""

    title: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True)
class Frame:
    """Geometry of two pictures side by side that share the names of the rows, in pixels."""

    n_rows: int
    n_columns: int
    left: int
    below: int

    @property
    def size(self) -> int:
        """Width of a cell: at least that of a line of text."""
        return min(max(440 // self.n_columns, 13), 24)

    @property
    def width(self) -> int:
        """Width of the drawing."""
        return self.x(1, self.n_columns) + 8

    @property
    def height(self) -> int:
        """Height of the drawing."""
        return self.y(self.n_rows) + self.below

    def x(self, number: int, column: int) -> int:
        """Return the left edge of a column of picture `number`."""
        return self.left + number * (self.size * self.n_columns + _GAP) + self.size * column

    def y(self, row: int) -> int:
        """Return the upper edge of a row."""
        return _TOP + _ROW * row


def frame_of(rows: Sequence[str], columns: Sequence[str]) -> Frame:
    """Return the geometry of two pictures with these names of rows and columns."""
    left, below = (12 + round(_LETTER * max(map(len, side))) for side in (rows, columns))
    return Frame(len(rows), len(columns), left, below)


def heat_map(
    title: str, pairs: pd.DataFrame, value: str, rows: Sequence[str], columns: Sequence[str]
) -> HeatMap:
    """Colour each measured pair by its rank; nothing is white.

    Parameters
    ----------
    title : str
        Title of the picture.
    pairs : pandas.DataFrame
        Pairs with ``stimulated``, ``recorded`` and the column `value`.
    value : str
        ``amplitude_v`` (in volts) or ``weight``.
    rows, columns : sequence of str
        Regions stimulated and recorded.
    """
    values = pairs[value].to_numpy(float)
    ranks = np.zeros(len(values))
    some = values > 0
    if some.any():
        ranks[some] = pd.Series(values[some]).rank() / int(some.sum())
    at = {(row.stimulated, row.recorded): k for k, row in enumerate(pairs.itertuples(index=False))}
    cells = []
    for i, source in enumerate(rows):
        for j, target in enumerate(columns):
            k = at.get((source, target))
            if k is not None and np.isfinite(values[k]):
                words = f"{1e6 * values[k]:.0f} µV" if value == "amplitude_v" else show(values[k])
                colour = _colour(ranks[k]) if values[k] > 0 else _NOTHING
            else:
                words, colour = "not measured", _NOT_MEASURED
            text = f"{spoken_name(source)} → {spoken_name(target)}: {words}"
            cells.append(HeatCell(j, i, colour, text))
    return HeatMap(title, tuple(cells))


def _colour(fraction: float) -> str:
    return str(to_hex(VIRIDIS(round(20 * fraction) / 20)))
