"""Simulate the seizure of a demo patient, and detect the seizing regions of any 6D run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import (
    SEIZING_X1_6D,
    SEIZING_X1_6D_SLIDING,
    rest_x_newton,
)
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network
from virtualbrain.synthetic.disease import Disease, SeizureSettings
from virtualbrain.synthetic.slow_manifold import set_left_branch, state_before_fold

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST_SEIZURE_S = 3


@dataclass(frozen=True)
class Seizure:
    """Simulated activity of all regions.

    Parameters
    ----------
    regions : tuple of str
        Names in the order of the columns.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the start of the recording.
    lfp : numpy.ndarray, shape (n_times, n_regions)
        Field potential, x2 - x1.
    x1 : numpy.ndarray, shape (n_times, n_regions)
        Fast population.
    onset_s, end_s : numpy.ndarray, shape (n_regions,)
        NaN where the region does not seize.
    """

    regions: tuple[str, ...]
    times_s: Array
    lfp: NDArray[np.float32]
    x1: NDArray[np.float32]
    onset_s: Array
    end_s: Array

    @property
    def seizing(self) -> tuple[str, ...]:
        """Regions that seize, earliest first."""
        order = np.argsort(self.onset_s)
        return tuple(self.regions[i] for i in order if np.isfinite(self.onset_s[i]))

    @property
    def first_onset_s(self) -> float:
        """Onset of the first region."""
        return float(np.nanmin(self.onset_s))

    @property
    def last_end_s(self) -> float:
        """End of the last region."""
        return float(np.nanmax(self.end_s))


# ---- simulation ---------------------------------------------------------------------------


def simulate_seizure(
    network: Network, disease: Disease, rng: np.random.Generator, settings: SeizureSettings
) -> Seizure:
    """Run the 6D Epileptor from rest through one seizure.

    Epileptogenic regions start on the left branch and reach the fold some seconds after
    `quiet_s`; all others start at rest. The recording ends `after_s` after the last end.
    """
    duration = settings.quiet_s + 25.0 + settings.duration_s[1] + settings.after_s
    model = Epileptor(
        x0=disease.x0,
        K=disease.K,
        r=1.0 / settings.tau0,
        seconds_per_unit=1.0 / settings.units_per_second,
    )
    run = simulate(
        network,
        model,
        duration=duration,
        seed=rng,
        initial=_initial_states(network, disease, model, rng, settings),
        noise={"x1": 1e-4, "y1": 1e-4, "x2": 2e-4, "y2": 2e-4},
        sample_rate=settings.rate_hz,
        options=Options(keep=("lfp", "x1"), dtype="float32"),
    )
    x1 = run["x1"].to_numpy()
    onset_s, end_s = first_seizures(x1, settings.rate_hz)
    n_kept = len(x1)
    if np.isfinite(end_s).any():
        n_kept = min(n_kept, int(np.floor(np.nanmax(end_s) + settings.after_s) * settings.rate_hz))
    times_s = np.arange(n_kept) / settings.rate_hz
    return Seizure(
        tuple(network.regions), times_s, run["lfp"].to_numpy()[:n_kept], x1[:n_kept], onset_s, end_s
    )


def _initial_states(
    network: Network,
    disease: Disease,
    model: Epileptor,
    rng: np.random.Generator,
    settings: SeizureSettings,
) -> Array:
    """Return resting states, epileptogenic regions some time before the fold."""
    shape = (6, network.n_regions)
    states: Array = np.array(np.broadcast_to(model.rest(1, network.n_regions)[0], shape))
    rest = rest_x_newton(np.minimum(disease.x0, -2.2))
    first_s = settings.quiet_s + float(rng.uniform(6.0, 14.0))
    for number, name in enumerate(disease.epileptogenic):
        i = network.regions.index(name)
        wait_s = first_s + (0.0 if number == 0 else float(rng.uniform(1.0, 5.0)))
        x, z = state_before_fold(
            float(disease.x0[i]),
            disease.K * network.weights[i].sum(),
            disease.K * float(network.weights[i] @ rest),
            wait_s * settings.units_per_second / settings.tau0,
        )
        set_left_branch(states[:, i], x, z)
    return states


# ---- detection ----------------------------------------------------------------------------


def first_seizures(x1: NDArray[np.floating], rate_hz: float) -> tuple[Array, Array]:
    """Return onset and end of every region's first seizure, in seconds; NaN where there is none.

    A region seizes while x1 is above -0.8 for more than half of a sliding second, for at
    least 3 s.

    Parameters
    ----------
    x1 : numpy.ndarray, shape (n_times, n_regions)
        Fast population.
    rate_hz : float
        Sampling rate.
    """
    fraction = uniform_filter1d(
        (x1 > SEIZING_X1_6D_SLIDING).astype(np.float32), int(rate_hz), axis=0
    )
    onset_s, end_s = np.full(x1.shape[1], np.nan), np.full(x1.shape[1], np.nan)
    for i in np.flatnonzero((fraction > 0.5).any(axis=0)):
        edges = np.diff((fraction[:, i] > 0.5).astype(np.int8), prepend=0)
        starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        for start in starts:
            later = ends[ends > start]
            stop = later[0] if len(later) else len(x1)
            if stop - start >= _LEAST_SEIZURE_S * rate_hz:
                onset_s[i] = start / rate_hz
                end_s[i] = stop / rate_hz if len(later) else np.nan
                break
    return onset_s, end_s


def seizing_at(x1: NDArray[np.floating], rate_hz: float) -> Mask:
    """Return which regions seize at each time: x1 exceeds -0.5 within half a second of it.

    Parameters
    ----------
    x1 : numpy.ndarray, shape (n_times, n_regions)
        Fast population.
    rate_hz : float
        Sampling rate.
    """
    return np.asarray(maximum_filter1d(x1, int(rate_hz), axis=0) > SEIZING_X1_6D)
