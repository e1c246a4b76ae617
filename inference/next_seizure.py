r"""Value of one more seizure before it is recorded: a preposterior analysis with the onset model.

The seizure of each possible truth t is drawn from the prior of the onsets: regions of its zone
start by themselves, the network recruits others. Every region that the electrodes see is read with
the probability of its observability, with an error of its onset; no envelope is simulated, so the
value is nearer to an upper bound than that of an electrode. A truth d explains what was read with
the probability

.. math:: \prod_i \big( p_{di} f_i + (1 - p_{di}) g_i \big)

with the densities f of a region that starts by itself and g of one that the network recruits
(`inference.onsets.recruitment`). The same densities change the probability :math:`p_{di}` that
region i is in the zone.
"""

import numpy as np
from numpy.typing import NDArray

from inference.futures import Futures, States, complete
from inference.kernels.common import jit
from inference.next_data import Value, drawn_truths, sets_of, value_of
from inference.onsets.fit import OnsetSample
from inference.onsets.recruitment import input_until, recruited, spontaneous, unrecruited
from inference.onsets.rules import Rules
from virtualbrain.seeg.gain import observability

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Error of a read onset, seconds.
READ_SD_S = 1.0


def seizure_value(
    futures: Futures, sample: OnsetSample, size: int, rng: np.random.Generator
) -> Value:
    """Return the value of one more seizure with the same electrodes.

    Parameters
    ----------
    futures : Futures
        Possible truths.
    sample : OnsetSample
        The fit.
    size : int
        Regions of a plan.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    nothing = np.zeros(len(futures.unseen), dtype=bool)
    truths, omega = drawn_truths(futures, nothing, rng)
    times = sample.data.times[: sample.data.bounds[1]]
    seen = observability(sample.density.problem.gain)
    zones = rng.random((len(truths), len(seen))) < futures.p_zone[truths]
    drawn = [
        _seizure(futures, int(t), zone, times, sample, rng)
        for t, zone in zip(truths, zones, strict=True)
    ]
    active = np.stack([state.active for state in drawn])
    onset = np.stack([state.onset for state in drawn])
    offset = np.stack([state.offset for state in drawn])
    error = np.where(active, READ_SD_S * rng.standard_normal(onset.shape), 0.0)
    onset = np.clip(onset + error, times[0] - 2.0, np.maximum(offset - 0.5, times[0] - 2.0))
    read = rng.random(active.shape) < np.where(futures.unseen, 0.0, seen)
    log_factor, after = explained(
        read, active & read, onset, offset, sample.data.weights,
        (float(times[0]), float(times[-1])), futures.p_zone, futures.threshold, sample.rules,
    )  # fmt: skip
    sets = sets_of(futures.weight @ futures.p_zone, size)
    return value_of(log_factor, truths, omega, futures, sets, after, zones.astype(np.float64))


def _seizure(
    futures: Futures,
    truth: int,
    zone: Mask,
    times: Array,
    sample: OnsetSample,
    rng: np.random.Generator,
) -> States:
    """Draw one seizure of a truth; the states have the dim region."""
    n = len(futures.unseen)
    state = States(np.zeros(n, dtype=bool), *(np.zeros(n) for _ in range(4)))
    patient = np.array([futures.threshold[truth], futures.patient_peak[truth]])
    complete(state, zone, np.ones(n, dtype=bool), times, patient, sample, rng)
    return state


def explained(
    read: Mask, active: Mask, onset: Array, offset: Array, weights: Array,
    window: tuple[float, float], p_zone: Array, threshold: Array, rules: Rules,
) -> tuple[Array, Array]:  # fmt: skip
    """Return how well each truth explains each seizure, and its zone after it.

    Parameters
    ----------
    read, active : numpy.ndarray of bool, shape (n_seizures, n_regions)
        Regions that were read, and those of them that seize.
    onset, offset : numpy.ndarray, shape (n_seizures, n_regions)
        Seconds.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights.
    window : tuple of float
        First and last second.
    p_zone : numpy.ndarray, shape (n, n_regions)
        Probability of each region in each truth.
    threshold : numpy.ndarray, shape (n,)
        Mean log threshold of each truth.
    rules : Rules
        Numbers of the model.

    Returns
    -------
    numpy.ndarray, shape (n_seizures, n)
        Log density of what was read.
    numpy.ndarray, shape (n_seizures, n, n_regions)
        Probability of each region after it.
    """
    found: tuple[Array, Array] = _explained(
        read, active, onset, offset, weights, *window, p_zone, threshold, rules
    )
    return found


@jit
def _explained(
    read: Mask, active: Mask, onset: Array, offset: Array, weights: Array, first: float,
    last: float, p_zone: Array, threshold: Array, rules: Rules,
) -> tuple[Array, Array]:  # fmt: skip
    n_seizures, n_regions = read.shape
    n = len(p_zone)
    total, after = np.zeros((n_seizures, n)), np.zeros((n_seizures, n, n_regions))
    for t in range(n_seizures):
        seizing = np.flatnonzero(active[t])
        after[t] = p_zone
        for i in range(n_regions):
            if not read[t, i]:
                continue
            time = onset[t, i] if active[t, i] else last
            summed, now = input_until(i, time, seizing, onset[t], offset[t], weights, rules)
            for d in range(n):
                if active[t, i]:
                    own = spontaneous(onset[t, i], last - first, rules)
                    other = recruited(summed, now, threshold[d], last - first, rules)
                else:
                    own, other = rules.p_silent, unrecruited(summed, threshold[d], rules)
                p = p_zone[d, i]
                both = p * own + (1.0 - p) * other
                total[t, d] += np.log(both)
                after[t, d, i] = p * own / both
    return total, after
