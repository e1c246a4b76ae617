"""Draw the figure that shows how well T1 and diffusion series are aligned."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from virtualbrain.io.atomic import atomic_path

Volume = NDArray[np.float32]
_COLUMNS = 6
_INCH = 1.5
_OUTLINE = "#ffb000"


def draw_alignment(
    path: Path, background: Volume, white: Volume, inside: NDArray[np.bool_]
) -> None:
    """Draw slices of the diffusion series with the outline of the T1's white matter.

    Parameters
    ----------
    path : Path
        PNG to write.
    background : numpy.ndarray, shape (nx, ny, nz)
        Mean b = 0 volume in RAS orientation.
    white : numpy.ndarray, shape (nx, ny, nz)
        Probability of white matter on the same grid.
    inside : numpy.ndarray of bool, shape (nx, ny, nz)
        Brain mask; nothing is drawn outside.
    """
    figure = Figure(figsize=(_COLUMNS * _INCH, 2 * _INCH), dpi=100, facecolor="black")
    FigureCanvasAgg(figure)
    shown = np.where(inside, background, 0)
    top = float(np.quantile(shown[inside], 0.98)) if inside.any() else 1.0
    for row, axis in enumerate((2, 1)):  # axial above, coronal below
        for column, index in enumerate(_slices(inside, axis)):
            axes = figure.add_subplot(2, _COLUMNS, row * _COLUMNS + column + 1)
            axes.set_axis_off()
            axes.imshow(shown.take(index, axis).T, cmap="gray", vmin=0, vmax=top, origin="lower")
            outline = white.take(index, axis).T
            if outline.min() < 0.5 < outline.max():
                axes.contour(outline, levels=[0.5], colors=_OUTLINE, linewidths=0.6)
            for letter, x in (("L", 0.06), ("R", 0.94)):
                axes.text(x, 0.92, letter, transform=axes.transAxes, ha="center", va="center",
                          fontsize=9, fontweight="bold", color="white")  # fmt: skip
    figure.subplots_adjust(0, 0, 1, 1, 0.02, 0.02)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", facecolor="black", metadata={"Software": None})


def _slices(inside: NDArray[np.bool_], axis: int) -> list[int]:
    """Return the indices of slices at equal distances through the brain along an axis."""
    others = tuple(i for i in range(3) if i != axis)
    filled = np.flatnonzero(inside.any(axis=others))
    low, high = (filled[0], filled[-1]) if len(filled) else (0, inside.shape[axis] - 1)
    return [int(index) for index in np.linspace(low, high, _COLUMNS + 2).round()[1:-1]]
