"""Find onset, offset and order of the seizures of all regions in a simulation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError
from virtualbrain.models.reduced_physics import SEIZING_X1_ANY


@dataclass(frozen=True)
class Seizures:
    """First seizure of every region.

    Parameters
    ----------
    onset, offset : numpy.ndarray, shape (..., n_regions)
        Seconds. Infinite where there is no seizure; the offset also where the run ends first.
    """

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]

    @property
    def seizing(self) -> NDArray[np.bool_]:
        """True for regions that seize."""
        return np.isfinite(self.onset)

    @property
    def order(self) -> NDArray[np.float64]:
        """Rank of each region's onset from 1; NaN where it does not seize."""
        ranks = np.full(self.onset.shape, np.nan)
        ordered = np.argsort(np.argsort(self.onset, axis=-1, kind="stable"), axis=-1) + 1.0
        ranks[self.seizing] = ordered[self.seizing]
        return ranks


def seizures(
    time: ArrayLike,
    x1: ArrayLike,
    *,
    threshold: float = SEIZING_X1_ANY,
    least_duration: float = 0.0,
    bridge: float = 0.0,
) -> Seizures:
    """Find the first seizure of every region.

    A region seizes while x1 is above the threshold. Periods separated by no more than `bridge` are
    one seizure. Periods shorter than `least_duration` are ignored. The six-dimensional model falls
    below the threshold between discharges, so it needs a bridge of a few discharges.

    Parameters
    ----------
    time : array_like, shape (n_times,)
        Seconds.
    x1 : array_like, shape (..., n_times, n_regions)
        The fast variable.
    threshold : float
        Between the rest branch (below -4/3) and the seizure branch.
    least_duration, bridge : float
        Seconds.

    Returns
    -------
    Seizures
        Onset and offset per region.

    Raises
    ------
    ModelError
        The lengths of time and x1 differ.
    """
    times = np.asarray(time, dtype=np.float64)
    above = np.asarray(x1) > threshold
    if above.ndim < 2 or above.shape[-2] != len(times):
        raise ModelError(
            f"x1 has the shape {above.shape} for {len(times)} times",
            expected="(..., n_times, n_regions)",
        )
    columns = np.moveaxis(above, -2, -1).reshape(-1, len(times))
    found = np.array([_first_period(times, c, least_duration, bridge) for c in columns])
    shape = (*above.shape[:-2], above.shape[-1])
    return Seizures(found[:, 0].reshape(shape), found[:, 1].reshape(shape))


def _first_period(
    times: NDArray[np.float64], above: NDArray[np.bool_], least: float, bridge: float
) -> tuple[float, float]:
    """Return start and end of the first long enough period of one region."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], above, [False]]).astype(np.int8)))
    first, last = edges[::2], edges[1::2]
    if not len(first):
        return np.inf, np.inf
    apart = times[first[1:]] - times[last[:-1] - 1] > bridge
    starts = first[np.concatenate([[True], apart])]
    ends = last[np.concatenate([apart, [True]])]
    for start, end in zip(starts, ends, strict=True):
        open_end = end == len(times)
        if open_end or times[end] - times[start] >= least:
            return float(times[start]), np.inf if open_end else float(times[end])
    return np.inf, np.inf


def seizure_table(run: xr.Dataset, **arguments: float) -> pd.DataFrame:
    """Return one row per seizing region in the order of recruitment.

    Parameters
    ----------
    run : xarray.Dataset
        From `simulate`, with x1 kept.
    **arguments
        Arguments of `seizures`.

    Returns
    -------
    pandas.DataFrame
        Columns rank, region, onset_s, offset_s.

    Raises
    ------
    ModelError
        x1 was not kept.
    """
    if "x1" not in run:
        raise ModelError("the run kept no x1", hint='keep "x1" in the options')
    found = seizures(run["time"].values, run["x1"].transpose(..., "time", "region").values,
                     **arguments)  # fmt: skip
    table = pd.DataFrame(
        {
            "rank": found.order,
            "region": run["region"].values,
            "onset_s": found.onset,
            "offset_s": found.offset,
        }
    )
    seizing: pd.DataFrame = table.loc[found.seizing].sort_values("rank", ignore_index=True)
    return seizing.astype({"rank": int})
