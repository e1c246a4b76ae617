"""Simulate how single pulses spread in a network of 6D Epileptors far below the threshold."""

import numpy as np
from numpy.typing import NDArray

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.simulation import simulate
from virtualbrain.models.simulation_plan import Options
from virtualbrain.models.stimulus import Stimulus
from virtualbrain.network import Network

Array = NDArray[np.float64]

X0 = -2.6
"""Excitability of every region; seizures need more than about -2.1."""
_FAST_COUPLING = 0.5
_SECONDS_PER_UNIT = 1e-3
_SPEED_M_PER_S = 4.0
# A region without any connection answers in proportion to this current, and fires beyond 2.
_CURRENT, _PULSE_S, _ONSET_S = 1.5, 0.005, 0.002
_WINDOW_S = 0.1
_RATE_HZ = 1000.0


def pulse_spread(weights: Array, lengths_mm: Array) -> tuple[Array, Array]:
    r"""Simulate a pulse at each region of a network, and return what arrives in every other.

    The fast subsystems are coupled, :math:`\dot x_{1,i} \ni K_{vf} \sum_j w_{ij} (x_{1,j} -
    x_{1,i})`, with delays of conduction at 4 m/s. The pulse is a current of 5 ms in the equation of
    x1. No region leaves its resting branch for a seizure.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights normalised by strength, target by source.
    lengths_mm : numpy.ndarray, shape (n_regions, n_regions)
        Lengths of the connections.

    Returns
    -------
    tuple of numpy.ndarray, both of shape (n_regions, n_regions)
        Largest deflection of x1 within 100 ms (target by source; unit of the model), and its time
        after the pulse in seconds, NaN where nothing arrives.
    """
    n = len(weights)
    network = Network(weights, lengths_mm, [str(k) for k in range(n)], "strength")
    quiet, _ = _run(network, np.zeros(n))
    size, time_s = np.zeros((n, n)), np.full((n, n), np.nan)
    for source in range(n):
        x1, times_s = _run(network, np.eye(n)[source])
        away = np.abs(x1 - quiet)
        largest = away.argmax(axis=0)
        size[:, source] = away.max(axis=0)
        time_s[:, source] = np.where(size[:, source] > 0, times_s[largest], np.nan)
    return size, time_s


def _run(network: Network, site: Array) -> tuple[Array, Array]:
    """Return x1 from the pulse on, (n_samples, n_regions), and the times after it in seconds."""
    model = Epileptor(x0=X0, K=0.0, Kvf=_FAST_COUPLING, seconds_per_unit=_SECONDS_PER_UNIT)
    run = simulate(
        network,
        model,
        duration=_ONSET_S + _WINDOW_S,
        stimulus=Stimulus(np.array([[_CURRENT]]), site[None], _PULSE_S, _ONSET_S),
        sample_rate=_RATE_HZ,
        options=Options(keep=("x1",), speed_m_per_s=_SPEED_M_PER_S),
    )
    times_s = run["time"].to_numpy() - _ONSET_S
    after = times_s > 0
    return run["x1"].to_numpy()[after], times_s[after]
