"""Check evoked responses and cut their baseline and response windows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError

Array = NDArray[np.float64]
Window = tuple[float, float]

MIN_SAMPLES = 3


def checked_response(
    response: ArrayLike, times_s: ArrayLike, dims: Sequence[str]
) -> tuple[Array, Array]:
    """Return a response and its times as arrays.

    Parameters
    ----------
    response : array_like
        The response; its last dimension is time.
    times_s : array_like, shape (n_samples,)
        Seconds from the stimulus.
    dims : sequence of str
        Names of the dimensions.

    Raises
    ------
    ModelError
        Wrong number of dimensions, no channel, other times than samples, times that do not
        increase, or values that are not finite.
    """
    values, times = np.asarray(response, dtype=np.float64), np.asarray(times_s, dtype=np.float64)
    if values.ndim != len(dims) or 0 in values.shape:
        raise ModelError(
            f"the response has the shape {values.shape}",
            expected=f"({', '.join(f'n_{name}s' for name in dims)}), none of them zero",
        )
    if times.shape != values.shape[-1:]:
        raise ModelError(
            f"times of shape {times.shape} for {values.shape[-1]} samples",
            expected="one time per sample",
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ModelError("the times do not increase", expected="seconds from the stimulus")
    if not np.isfinite(values).all():
        raise ModelError(
            "the response has values that are not finite",
            expected="numbers",
            hint="leave out the channel or the trial",
        )
    return values, times


def window_slices(times: Array, baseline_s: Window, response_s: Window) -> tuple[slice, slice]:
    """Return the samples of the baseline and of the response.

    A window begins at the sample next to its start and ends before the sample next to its end.

    Raises
    ------
    ModelError
        A window is outside the times, too short, or the response begins within the baseline.
    """
    if baseline_s[1] > response_s[0]:
        raise ModelError(
            f"the response from {response_s[0]:g} s begins before the baseline ends "
            f"({baseline_s[1]:g} s)",
            expected="the baseline first",
        )
    return _slice(times, baseline_s, "baseline"), _slice(times, response_s, "response")


def _slice(times: Array, window: Window, name: str) -> slice:
    step = float(np.diff(times).max(initial=0.0))
    if not times[0] - step <= window[0] < window[1] <= times[-1] + step:
        raise ModelError(
            f"the {name} from {window[0]:g} to {window[1]:g} s is outside the times",
            expected=f"a window from {times[0]:g} to {times[-1]:g} s",
        )
    start = int(np.abs(times - window[0]).argmin())
    # A window may end one step after the last sample.
    stop = len(times) if window[1] > times[-1] else int(np.abs(times - window[1]).argmin())
    if stop - start < MIN_SAMPLES:
        raise ModelError(
            f"the {name} has {stop - start} samples", expected=f"at least {MIN_SAMPLES}"
        )
    return slice(start, stop)


def require_varying_baseline(baseline: Array) -> None:
    """Raise an error if a channel is constant in the baseline, shape (n_channels, n_samples).

    Raises
    ------
    ModelError
        The first such channel.
    """
    flat = np.flatnonzero(np.ptp(baseline, axis=1) == 0)
    if flat.size:
        raise ModelError(
            f"channel {flat[0]} (of 0 to {len(baseline) - 1}) is constant in the baseline",
            expected="a baseline that varies",
            hint="leave out the channel; simulate with noise",
        )
