"""Define stimuli: currents over time, distributed over the regions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from virtualbrain.errors import ModelError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stimulus:
    """Waveforms that are constant between samples, and their strength in every region.

    Parameters
    ----------
    waveforms : numpy.ndarray, shape (n_samples, n_sources)
        Current over time, in the unit of the model: as Iext in an Epileptor, kHz per ms in the
        mean field.
    sites : numpy.ndarray, shape (n_sources, n_regions)
        Factor of each waveform in every region.
    interval_s : float
        Seconds between samples.
    onset_s : float
        Seconds from the start of the run to the first sample.
    """

    waveforms: Array
    sites: Array
    interval_s: float
    onset_s: float = 0.0

    def at_steps(self, dt_s: float, n_steps: int) -> Array:
        """Return the waveforms at the middle of every step.

        Parameters
        ----------
        dt_s : float
            Seconds per step.
        n_steps : int
            Number of steps from the start of the run.

        Returns
        -------
        numpy.ndarray, shape (n_steps, n_sources)
            The current of each source; zero before and after the stimulus.

        Raises
        ------
        ModelError
            The step is longer than a sample; a pulse could fall between two steps.
        """
        if dt_s > self.interval_s * (1 + 1e-9):
            raise ModelError(
                f"a step of {dt_s:g} s is longer than the samples of the stimulus "
                f"({self.interval_s:g} s)",
                expected="a step no longer than a pulse",
                hint="give a smaller dt",
            )
        times = (np.arange(n_steps) + 0.5) * dt_s - self.onset_s
        samples = np.floor(times / self.interval_s).astype(np.int64)
        inside = (samples >= 0) & (samples < len(self.waveforms))
        waves = np.zeros((n_steps, self.waveforms.shape[1]))
        waves[inside] = self.waveforms[samples[inside]]
        return waves


def pulse_train(
    sites: ArrayLike,
    *,
    amplitude: float,
    frequency_hz: float,
    width_s: float,
    duration_s: float,
    onset_s: float = 0.0,
) -> Stimulus:
    """Return a train of charge-balanced pulses: a positive phase, then a negative one.

    Parameters
    ----------
    sites : array_like, shape (n_regions,)
        Factor of the current in every region.
    amplitude : float
        Current of a phase, in the unit of the model; see `Stimulus`.
    frequency_hz : float
        Pulses per second.
    width_s : float
        Duration of one phase in seconds.
    duration_s, onset_s : float
        Duration and start of the train, in seconds.

    Returns
    -------
    Stimulus
        The train.

    Raises
    ------
    ModelError
        A value is not positive, or both phases do not fit between two pulses.
    """
    if min(frequency_hz, width_s, duration_s) <= 0 or 2 * width_s * frequency_hz > 1 + 1e-9:
        raise ModelError(
            f"phases of {width_s:g} s at {frequency_hz:g} Hz",
            expected="positive numbers, and both phases shorter than the time between pulses",
        )
    samples = np.arange(round(duration_s / width_s))
    pulse_start = np.floor((samples + 0.5) * width_s * frequency_hz) / frequency_hz
    phase = np.floor(((samples + 0.5) * width_s - pulse_start) / width_s + 1e-9).astype(int)
    wave = np.select([phase == 0, phase == 1], [amplitude, -amplitude], 0.0)
    regions = np.atleast_2d(np.asarray(sites, dtype=np.float64))
    return Stimulus(wave[:, None], regions, interval_s=width_s, onset_s=onset_s)
