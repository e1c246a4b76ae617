"""Draw when each region has started to seize, as the onset model samples it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.io.fit_results import Posterior
from virtualbrain.report.charts import Scale
from virtualbrain.report.drawing import StaticImage, raster
from virtualbrain.report.findings import SELDOM
from virtualbrain.report.seizure_fit import of_seizure

Array = NDArray[np.float64]

N_ROWS = 30


@dataclass(frozen=True)
class RegionTimes:
    """Regions by their median onset, and the image: one row each, probability by time."""

    regions: tuple[str, ...]
    image: StaticImage
    scale: Scale


def region_times(
    posterior: Posterior | None, number: int, times: Array, row_height: int, width: int
) -> RegionTimes | None:
    """Return the probability that each region has started by a time; None without onsets.

    Only the onset model samples the onsets of regions.

    Parameters
    ----------
    posterior : Posterior or None
        The fit.
    number : int
        The seizure.
    times : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset.
    row_height, width : int
        Size of the image in pixels.
    """
    if posterior is None or "onset_s" not in posterior.parameters:
        return None
    onset = of_seizure(posterior.parameters["onset_s"], number)
    draws = onset.transpose("chain", "draw", "region").to_numpy()
    draws = draws.reshape(-1, draws.shape[-1])
    names = [str(name) for name in onset["region"].to_numpy()]
    order = rows_of(draws)
    if not order:
        return None
    started = started_by(draws[:, order], times)
    alt = f"Probability that each region has started to seize, seizure {number}"
    image = raster(started, row_height, width, (0.0, 1.0), alt)
    scale = Scale(float(times[0]), float(times[-1]), 0, 100)
    return RegionTimes(tuple(names[i] for i in order), image, scale)


def rows_of(draws: Array) -> Sequence[int]:
    """Return the regions that seize in at least a tenth of the draws, by median onset."""
    seizes = np.isfinite(draws).mean(axis=0)
    often = [int(i) for i in np.flatnonzero(seizes >= SELDOM)]
    median = {i: float(np.nanmedian(draws[:, i])) for i in often}
    return sorted(often, key=lambda i: (median[i], i))[:N_ROWS]


def started_by(draws: Array, times: Array) -> Array:
    """Return the fraction of draws with an onset up to each time, shape (n_regions, n_times)."""
    started: Array = (draws[:, :, None] <= times).mean(axis=0)
    return started
