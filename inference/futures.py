r"""Joint draws of a fit, completed with what no channel sees: the possible truths behind new data.

The onset model never switches on a region that no channel sees, so a draw says nothing about such
regions. Each draw is completed with them, by the prior of the onsets. The electrodes saw the whole
zone with the probability q (`virtualbrain.posterior.p_ez_sampled`). Otherwise unseen regions belong
to it: region r with the rate

.. math:: \lambda_r = -h_r \log q

so that none does with the probability q. :math:`h_r` is its share of the connections of the unseen
regions with the suspected ones. Completions count by how well the present channels agree with them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.kernels.common import jit
from inference.onsets.channels import channel_scratch, log_channel
from inference.onsets.fit import OnsetSample, calibrated_p_ez
from inference.onsets.recording import unseen_regions
from inference.onsets.rules import Rules
from inference.onsets.sampler import fill_power
from inference.onsets.states import Recording
from virtualbrain.posterior import connected_shares, p_ez_sampled

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

# Truths with a zone that is seen, truths with unseen regions in the zone, and proposals among which
# the present channels choose the completion of each.
N_SEEN, N_HIDDEN, N_PROPOSALS = 200, 600, 3
# Draws of the same part of a chain are alike; a truth is never explained by its own part.
PARTS = 5


@dataclass(frozen=True)
class States:
    """Regions that seize, from when to when, log power and slope; (..., n_seizures, n_regions)."""

    active: Mask
    onset: Array
    offset: Array
    peak: Array
    slope: Array

    def at(self, rows: Integers | int) -> "States":
        """Return copies of some draws."""
        return States(*(np.array(values[rows]) for values in _fields(self)))


@dataclass(frozen=True)
class Futures:
    """Possible truths.

    Parameters
    ----------
    states : States
        Regions of each truth, (n, n_seizures, n_regions).
    p_zone : numpy.ndarray, shape (n, n_regions)
        Probability that each suspected region is in the zone of the truth.
    weight : numpy.ndarray, shape (n,)
        Probability of each truth; the sum is 1.
    part : numpy.ndarray of int, shape (n,)
        Part of a chain that it comes from.
    hidden : numpy.ndarray of bool, shape (n, n_regions)
        Unseen regions of the zone.
    threshold, patient_peak : numpy.ndarray, shape (n,)
        Mean log threshold and log power of the patient.
    power : numpy.ndarray of float32, shape (n, n_regions, n_times)
        Power of the regions on the steps of the model.
    unseen : numpy.ndarray of bool, shape (n_regions,)
        Regions that no channel sees.
    """

    states: States
    p_zone: Array
    weight: Array
    part: Integers
    hidden: Mask
    threshold: Array
    patient_peak: Array
    power: Singles
    unseen: Mask


def futures_of(sample: OnsetSample, suspicion: float, rng: np.random.Generator) -> Futures:
    """Return possible truths of a fitted patient.

    Parameters
    ----------
    sample : OnsetSample
        The fit.
    suspicion : float
        Smallest p_ez of a suspected region; all others are in no zone of a sampled truth.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    p_ez = calibrated_p_ez(sample)
    mean = p_ez.mean(axis=0)
    unseen = unseen_regions(sample.data.gain)
    q = p_ez_sampled(mean) if unseen.any() else 1.0
    rows = np.concatenate([_spaced(len(p_ez), N_SEEN), _spaced(len(p_ez), N_HIDDEN)])
    hidden = np.zeros((len(rows), len(unseen)), dtype=bool)
    hidden[N_SEEN:] = _hidden_regions(mean, q, unseen, sample.data.weights, rng)
    found, fits = _chosen(rows, hidden, unseen, sample, rng)
    weight = np.where(np.arange(len(rows)) < N_SEEN, q / N_SEEN, 0.0)
    if q < 1.0:
        # Better than the draw alone: the sampler found no place there, and a few would rule.
        each = np.exp(sample.rules.tempering * np.minimum(fits[N_SEEN:], 0.0))
        weight[N_SEEN:] = (1.0 - q) * each / each.sum()
    zone = np.where((mean >= suspicion) & ~unseen, p_ez[rows], 0.0)
    per_part = max(len(p_ez) // len(sample.chains) // PARTS, 1)
    return Futures(
        states=found,
        p_zone=np.where(hidden, 1.0, zone),
        weight=weight,
        part=rows // per_part,
        hidden=hidden,
        threshold=_stacked(sample, "threshold")[rows],
        patient_peak=_stacked(sample, "patient_peak")[rows],
        power=powers(found, sample.data, sample.rules),
        unseen=unseen,
    )


def _spaced(length: int, count: int) -> Integers:
    return np.linspace(0, length - 1, count).round().astype(np.int64)


def _stacked(sample: OnsetSample, name: str) -> Array:
    return np.concatenate([getattr(chain, name) for chain in sample.chains])


def _hidden_regions(
    p_ez: Array, q: float, unseen: Mask, weights: Array, rng: np.random.Generator
) -> Mask:
    """Draw unseen regions of the zone, one at least, (N_HIDDEN, n_regions)."""
    hidden = np.zeros((N_HIDDEN, len(unseen)), dtype=bool)
    places = np.flatnonzero(unseen)
    if len(places) == 0:
        return hidden
    share = connected_shares(weights, p_ez, places)
    chance = -np.expm1(np.log(q) * share)
    drawn = rng.random((N_HIDDEN, len(places))) < chance
    none = ~drawn.any(axis=1)
    while none.any():
        drawn[none] = rng.random((int(none.sum()), len(places))) < chance
        none = ~drawn.any(axis=1)
    hidden[:, places] = drawn
    return hidden


def _fields(states: States) -> tuple[Array, ...]:
    return states.active, states.onset, states.offset, states.peak, states.slope  # type: ignore[return-value]


def _chosen(
    rows: Integers, hidden: Mask, unseen: Mask, sample: OnsetSample, rng: np.random.Generator
) -> tuple[States, Array]:
    """Complete draws; of some proposals keep one by the likelihood of the present channels.

    Returns the states, and how much better the present channels agree with the completions than
    with the draw alone, averaged over the proposals: a log likelihood, (n_draws,).
    """
    data, rules = sample.data, sample.rules
    names = ("active", "onset", "offset", "peak", "slope")
    states = States(*(_stacked(sample, name)[rows] for name in names))  # type: ignore[arg-type]
    many = states.at(np.repeat(np.arange(len(rows)), N_PROPOSALS))
    patient = np.stack([_stacked(sample, "threshold"), _stacked(sample, "patient_peak")], axis=1)
    for place in range(len(rows) * N_PROPOSALS):
        of_draw = place // N_PROPOSALS
        for s in range(many.active.shape[1]):
            one = States(*(values[place, s] for values in _fields(many)))
            complete(one, hidden[of_draw], unseen, _window(data, s), patient[rows[of_draw]],
                     sample, rng)  # fmt: skip
    fits = likelihoods(data.observed[None], data.gain, powers(many, data, rules),
                       data.variance, rules)[0].reshape(-1, N_PROPOSALS)  # fmt: skip
    tempered = np.exp(rules.tempering * (fits - fits.max(axis=1, keepdims=True)))
    cumulated = np.cumsum(tempered, axis=1) / tempered.sum(axis=1, keepdims=True)
    pick = (rng.random((len(fits), 1)) > cumulated[:, :-1]).sum(axis=1)
    level = fits.max(axis=1) + np.log(tempered.mean(axis=1)) / rules.tempering
    alone = likelihoods(data.observed[None], data.gain, powers(states, data, rules),
                        data.variance, rules)[0]  # fmt: skip
    return many.at(np.arange(len(rows)) * N_PROPOSALS + pick), level - alone


def _window(data: Recording, seizure: int) -> Array:
    return np.asarray(data.times[data.bounds[seizure] : data.bounds[seizure + 1]])


def complete(
    state: States, hidden: Mask, unseen: Mask, times: Array, patient: Array,
    sample: OnsetSample, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Switch on unseen regions of one seizure: those of the zone, and recruited ones.

    `state` has the dim region and is changed. `patient` is mean log threshold and mean log power.
    """
    rules, window = sample.rules, float(times[-1] - times[0])
    threshold, peak = patient
    n = len(unseen)

    def switch_on(i: int, onset: float) -> None:
        length = rules.length * window * np.exp(rules.length_sd * rng.standard_normal())
        state.active[i], state.onset[i], state.offset[i] = True, onset, onset + length
        state.peak[i] = peak + rules.peak_sd * rng.standard_normal()
        state.slope[i] = rules.slope + rules.slope_sd * rng.standard_normal()

    for i in np.flatnonzero(hidden):
        if rng.random() >= rules.p_silent:
            early = rng.random() < rules.early
            onset = rng.laplace(0.0, rules.early_s) if early else rng.uniform(times[0], times[-1])
            switch_on(int(i), float(np.clip(onset, times[0] - 2.0, times[-1])))
    able = unseen & ~hidden & (rng.random(n) < rules.recruitable) & ~state.active
    needed = np.exp(threshold + rules.threshold_sd * rng.standard_normal(n))
    for time in times:
        if not able.any():
            return
        until = time - rules.delay_s
        lasted = np.maximum(np.minimum(until, state.offset) - state.onset, 0.0) * state.active
        if not lasted.any():
            continue
        waiting = np.flatnonzero(able)
        summed = sample.data.weights[waiting] @ lasted + rules.weak_input * lasted.sum()
        for i in waiting[summed >= needed[waiting]]:
            switch_on(int(i), float(time))
            able[i] = False


def powers(states: States, data: Recording, rules: Rules) -> Singles:
    """Return the power of every region, (n, n_regions, n_times)."""
    filled: Singles = _powers(
        states.active, states.onset, states.offset, states.peak, states.slope, data.times,
        data.bounds, rules,
    )  # fmt: skip
    return filled


@jit
def _powers(
    active: Mask, onset: Array, offset: Array, peak: Array, slope: Array, times: Array,
    bounds: Integers, rules: Rules,
) -> Singles:  # fmt: skip
    n, n_seizures, n_regions = active.shape
    out = np.zeros((n, n_regions, len(times)), np.float32)
    for d in range(n):
        for s in range(n_seizures):
            low, high = bounds[s], bounds[s + 1]
            for i in range(n_regions):
                if active[d, s, i]:
                    fill_power(
                        times[low:high], onset[d, s, i], offset[d, s, i], peak[d, s, i],
                        slope[d, s, i], rules.rise_s, out[d, i, low:high],
                    )  # fmt: skip
    return out


def likelihoods(
    observed: Array | Singles, gain: Array, power: Singles, variance: Array, rules: Rules
) -> Array:
    """Return the log likelihood of each recording for each truth, (n_recordings, n).

    Parameters
    ----------
    observed : numpy.ndarray, shape (n_recordings, n_channels, n_times)
        Log power.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Rows of `inference.onsets.recording.flattened`.
    power : numpy.ndarray of float32, shape (n, n_regions, n_times)
        Power of the regions of each truth.
    variance : numpy.ndarray, shape (n_channels,)
        Scale of the noise variance.
    rules : Rules
        Numbers of the model.
    """
    single = np.ascontiguousarray(observed, dtype=np.float32)
    found: Array = _likelihoods(single, gain, power, variance, rules)
    return found


@jit
def _likelihoods(
    observed: Singles, gain: Array, power: Singles, variance: Array, rules: Rules
) -> Array:
    n_recordings, n_channels, n_times = observed.shape
    n, n_regions = power.shape[0], power.shape[1]
    scratch = channel_scratch(n_times)
    out = np.zeros((n_recordings, n))
    errors, top = np.zeros(n_regions + 1), np.zeros(n_regions)
    for d in range(n):
        for i in range(n_regions):
            top[i] = power[d, i].max()
        seizing = np.flatnonzero(top)
        for t in range(n_recordings):
            for c in range(n_channels):
                errors[:] = 0.0
                out[t, d] += log_channel(
                    observed[t, c], gain[c], seizing, power[d], top, errors, variance[c], rules,
                    scratch,
                )  # fmt: skip
    return out
