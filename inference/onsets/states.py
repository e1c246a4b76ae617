"""The data of one patient, and the state of its regions, for compiled code."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Recording(NamedTuple):
    """Data of one patient for compiled code.

    Parameters
    ----------
    observed : numpy.ndarray of float32, shape (n_channels, n_times)
        Log power; the seizures follow each other.
    variance : numpy.ndarray, shape (n_channels,)
        Scale of the noise variance.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        H of `inference.onsets.channels`.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    times : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset of each seizure.
    bounds : numpy.ndarray of int, shape (n_seizures + 1,)
        First step of each seizure.
    prior_p_ez : numpy.ndarray, shape (n_regions,)
        Prior probability of being epileptogenic.
    chance : numpy.ndarray, shape (n_regions,)
        Probability with which a region is chosen for a switch, cumulated.
    hint_s : numpy.ndarray, shape (n_seizures, n_regions)
        Onset found in the source powers.
    partner_chance : numpy.ndarray, shape (n_regions, n_regions)
        Probability with which a region (row) is exchanged for each other, cumulated: regions that
        the same channels see more often.
    loudness : numpy.ndarray, shape (n_regions,)
        Logarithm of the norm of each region's gain.
    sees_most : numpy.ndarray of bool, shape (n_regions, n_channels)
        The channels that see each region most, the same number for each.
    """

    observed: NDArray[np.float32]
    variance: Array
    gain: Array
    weights: Array
    times: Array
    bounds: NDArray[np.int64]
    prior_p_ez: Array
    chance: Array
    hint_s: Array
    partner_chance: Array
    loudness: Array
    sees_most: NDArray[np.bool_]


class Regions(NamedTuple):
    """State of the regions, each (n_seizures, n_regions): seizing, from, to, log power, slope."""

    active: NDArray[np.bool_]
    onset: Array
    offset: Array
    peak: Array
    slope: Array


class Change(NamedTuple):
    """What a move changes: the states of a region and of its partner, if it has one.

    Parameters
    ----------
    moved : numpy.ndarray of bool, shape (n_seizures,)
        Seizures in which the states change.
    new, old : numpy.ndarray, shape (2, n_seizures, 5)
        States after and before the move, of the region and of its partner: seizing (1 or 0), from,
        to, log power, slope.
    """

    moved: NDArray[np.bool_]
    new: Array
    old: Array
