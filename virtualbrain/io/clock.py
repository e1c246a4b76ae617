"""Convert clock time to the time of a signal with pauses."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_JITTER_S = 0.01
_JITTER_SAMPLES = 2.0


@dataclass(frozen=True)
class Pause:
    """A pause of the recording; `at_s` in seconds of the signal, `length_s` NaN if unknown."""

    at_s: float
    length_s: float


@dataclass(frozen=True, eq=False)
class Clock:
    """Clock times at which the records of a signal start, in seconds from the first.

    Parameters
    ----------
    starts_s : numpy.ndarray, shape (n_records,)
        Starts of the records.
    record_s : float
        Length of a record.
    rate_hz : float
        Sampling rate of the fastest channel; gaps of less than two samples or 10 ms are no pauses.
    """

    starts_s: NDArray[np.float64]
    record_s: float
    rate_hz: float

    @cached_property
    def _gaps_s(self) -> NDArray[np.float64]:
        return np.diff(self.starts_s) - self.record_s

    @property
    def _jitter_s(self) -> float:
        return max(_JITTER_S, _JITTER_SAMPLES / self.rate_hz)

    @property
    def in_order(self) -> bool:
        """Whether no record starts before the end of the one before."""
        return bool((self._gaps_s > -self._jitter_s).all())

    @cached_property
    def pauses(self) -> tuple[Pause, ...]:
        """Pauses between the records."""
        found = np.flatnonzero(self._gaps_s > self._jitter_s)
        return tuple(Pause(float(self.record_s * (i + 1)), float(self._gaps_s[i])) for i in found)

    def to_signal(self, clock_s: float) -> float:
        """Return the time in the signal; a time within a pause becomes the start of the pause."""
        record = max(int(np.searchsorted(self.starts_s, clock_s, side="right")) - 1, 0)
        within = clock_s - float(self.starts_s[record])
        if record < len(self.starts_s) - 1:
            within = min(within, self.record_s)
        return record * self.record_s + within
