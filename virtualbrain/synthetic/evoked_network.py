"""Draw the cortical responses that pulses evoke in the regions of a network, with their truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.network import normalise_weights
from virtualbrain.synthetic.pulse_spread import pulse_spread

Array = NDArray[np.float64]

_SECOND_ORDER = 0.3
_HALF = 0.5
_SCATTER = 0.3
_EXCITABLE = 1.5
_LATENCY_S = (0.011, 0.050)


@dataclass(frozen=True)
class EvokedNetwork:
    """What a pulse at a region evokes in every other region.

    Parameters
    ----------
    amplitude_v : numpy.ndarray, shape (n_regions, n_regions)
        N1 of the region recorded (column) after a pulse at the region stimulated (row), at a
        contact in its grey matter: the true effective connectivity.
    latency_s : numpy.ndarray, shape (n_regions, n_regions)
        Peak of the N1 after the pulse.
    """

    amplitude_v: Array
    latency_s: Array


def draw_evoked_network(
    weights: Array,
    lengths_mm: Array | None,
    excitable: NDArray[np.bool_],
    rng: np.random.Generator,
    largest_v: float = 300e-6,
) -> EvokedNetwork:
    r"""Draw the responses of a network to pulses.

    A pulse at region j drives region i with :math:`u_{ij}`: with lengths, the deflection that
    arrives in a network of 6D Epileptors (`virtualbrain.synthetic.pulse_spread`), which also gives
    the latency; without, :math:`u_{ij} = w_{ij} + 0.3 (W^2)_{ij}`, over one connection or two
    (weights by strength), and latencies are drawn from 11 to 50 ms. The N1 saturates,

    .. math:: a = a_\mathrm{largest}\, \frac{u}{u + 0.5\, u_{95}}\; e^{0.3 \epsilon}

    with the 95th percentile :math:`u_{95}`, is 1.5 times as large in excitable regions, and peaks
    from 11 to 50 ms. The stimulated region responds fully.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        True weights of any scale, target by source.
    lengths_mm : numpy.ndarray, optional
        Lengths of the connections; without them latencies are drawn.
    excitable : numpy.ndarray of bool, shape (n_regions,)
        Regions with larger responses.
    rng : numpy.random.Generator
        Source of the scatter, which differs between the two directions of a connection.
    largest_v : float
        :math:`a_\mathrm{largest}`.
    """
    w = normalise_weights(weights, "strength")
    if lengths_mm is None:
        drive, arrival_s = w + _SECOND_ORDER * w @ w, None
    else:
        drive, arrival_s = pulse_spread(w, lengths_mm)
    np.fill_diagonal(drive, 0.0)
    half = _HALF * np.percentile(drive, 95)
    scatter = np.exp(_SCATTER * rng.standard_normal(w.shape))
    size = largest_v * drive / (drive + half) * scatter
    np.fill_diagonal(size, largest_v)
    size *= np.where(excitable, _EXCITABLE, 1.0)[:, None]
    if arrival_s is None:
        latency = rng.uniform(*_LATENCY_S, w.shape)
    else:
        latency = np.where(np.isfinite(arrival_s), arrival_s, _LATENCY_S[1])
        latency = latency * np.exp(0.1 * rng.standard_normal(w.shape))
        np.fill_diagonal(latency, _LATENCY_S[0])
    return EvokedNetwork(size.T, np.clip(latency, *_LATENCY_S).T)
