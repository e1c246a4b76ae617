r"""Value of the next electrode before it is implanted: a preposterior analysis.

Each possible truth t (`inference.futures`) gives a simulated recording y of the new channels, by
the observation part of the onset model: gain errors, noise, and log power. All other truths d are
weighted by :math:`w_d L(y \mid d)^{\tau}`, the tempered likelihood of the fit. The plan is the set
of k regions that holds the zone with the largest probability; k is the number of regions that the
zone is expected to have (`plan_size`). The value is the expected gain,

.. math:: E_t \big[ P(S(y) \supseteq Z_t) - P(S_0 \supseteq Z_t) \big]

with the plan S(y) after and :math:`S_0` before the recording. The same is computed for the fraction
of the zone that the k regions of the largest expected share hold. A truth is judged by truths from
other parts of the chains only: otherwise each one would recognise itself.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from inference.futures import Futures, likelihoods
from inference.onsets.channels import LARGEST_ERROR
from inference.onsets.recording import flattened, unseen_regions
from inference.onsets.rules import Rules
from inference.onsets.states import Recording

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

# Simulated truths: zone sampled already; the new channels see an unseen region
# of it; no channel sees it all.
N_TRUTHS = (80, 200, 40)
# Regions that a plan may hold: the most probable ones, and those that the new channels see.
N_LEADING, N_NEW = 8, 6
LARGEST = 6
# Weights are flattened until so many truths count.
LEAST_EFFECTIVE = 3.0
_N_BISECTIONS = 30
_LEAST = 1e-12


@dataclass(frozen=True)
class Value:
    """What new data are worth.

    Parameters
    ----------
    gain, gain_error : float
        Expected gain of the probability that the plan holds the zone; its Monte Carlo error.
    gain_hidden : float
        The part of it from zones that no present channel sees.
    stated : float
        Expected gain by the probabilities stated after the recording, of the plan after it over
        the present plan; never negative, with a smaller Monte Carlo error, and too large where
        few truths count.
    share, share_judged : float
        Expected gain of the fraction of the zone that the plan holds: as stated after the
        recording, and judged by the truths.
    entropy_drop : float
        Expected drop of the summed entropies of all p_ez, nats.
    p_before : float
        Probability that the present plan holds the zone.
    effective, flattened : float
        Median effective number of truths after the recording, and the fraction of the recordings
        whose weights were flattened.
    """

    gain: float
    gain_error: float
    gain_hidden: float
    stated: float
    share: float
    share_judged: float
    entropy_drop: float
    p_before: float
    effective: float
    flattened: float


def plan_size(futures: Futures) -> int:
    """Return how many regions a plan has: as many as the zone is expected to have, rounded up."""
    expected = float(futures.weight @ futures.p_zone.sum(axis=1))
    return int(np.clip(np.ceil(expected), 1, LARGEST))


def best_set(futures: Futures, size: int) -> tuple[tuple[int, ...], float]:
    """Return the set of so many regions that holds the zone most often, and how often."""
    sets = sets_of(futures.weight @ futures.p_zone, size)
    right = futures.weight @ holds(futures.p_zone, sets)
    best = int(right.argmax())
    return tuple(int(i) for i in np.flatnonzero(sets[best])), float(right[best])


def shares(p_zone: Array) -> Array:
    """Return each region's part of the zone of every truth, (n, n_regions).

    Its probability over the expected number of regions of the zone.
    """
    return np.asarray(p_zone / np.maximum(p_zone.sum(axis=1, keepdims=True), _LEAST))


def largest_shares(share: Array, size: int) -> Mask:
    """Return the plans of so many regions that hold most of the zone, (n, n_regions)."""
    order = np.argsort(-share, axis=1, kind="stable")[:, :size]
    plans = np.zeros(share.shape, dtype=bool)
    np.put_along_axis(plans, order, True, axis=1)
    return plans


def p_right(futures: Futures, regions: tuple[int, ...]) -> float:
    """Return the probability that a set of regions holds the zone."""
    one = np.zeros((1, futures.p_zone.shape[1]), dtype=bool)
    one[0, list(regions)] = True
    return float(futures.weight @ holds(futures.p_zone, one)[:, 0])


def entropy(futures: Futures) -> float:
    """Return the summed entropies of all p_ez, nats."""
    return float(_entropies((futures.weight @ futures.p_zone)[None])[0])


def holds(p_zone: Array, sets: Mask) -> Array:
    """Return the probability that each set holds all regions of a zone that is not empty.

    Parameters
    ----------
    p_zone : numpy.ndarray, shape (n, n_regions)
        Probability of each region in each truth.
    sets : numpy.ndarray of bool, shape (n_sets, n_regions)
        The sets.

    Returns
    -------
    numpy.ndarray, shape (n, n_sets)
    """
    outside = np.log1p(-np.minimum(p_zone, 1.0 - _LEAST))
    everywhere = outside.sum(axis=1, keepdims=True)
    missed_none = np.exp(everywhere - outside @ sets.T.astype(np.float64))
    return np.asarray(np.maximum(missed_none - np.exp(everywhere), 0.0))


def electrode_value(
    futures: Futures, gain: Array, data: Recording, rules: Rules, size: int,
    rng: np.random.Generator,
) -> Value:  # fmt: skip
    """Return the value of new channels.

    Parameters
    ----------
    futures : Futures
        Possible truths.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Gain of the new channels, not negative.
    data, rules : Recording, Rules
        The present recording, and the numbers of the model.
    size : int
        Regions of a plan.
    rng : numpy.random.Generator
        Source of random numbers.
    """
    rows = flattened(gain)
    newly = futures.unseen & ~unseen_regions(rows)
    truths, omega = drawn_truths(futures, newly, rng)
    variance = np.full(len(rows), float(np.median(data.variance)))
    observed = simulated(futures.power[truths], rows, variance, rules, rng)
    found = likelihoods(observed, rows, futures.power, variance, rules)
    sets = sets_of(futures.weight @ futures.p_zone, size, newly)
    return value_of(rules.tempering * found, truths, omega, futures, sets)


def drawn_truths(futures: Futures, newly: Mask, rng: np.random.Generator) -> tuple[Integers, Array]:
    """Draw truths of the three kinds; return their rows and probabilities."""
    seen = ~futures.hidden.any(axis=1)
    revealed = (futures.hidden & newly).any(axis=1)
    rows, omega = [], []
    for chosen, count in zip((seen, revealed, ~seen & ~revealed), N_TRUTHS, strict=True):
        mass = np.where(chosen, futures.weight, 0.0)
        total = float(mass.sum())
        if total > 0:
            place = (np.arange(count) + rng.random()) / count
            picked = np.searchsorted(np.cumsum(mass) / total, place)
            rows.append(np.minimum(picked, len(mass) - 1))
            omega.append(np.full(count, total / count))
    weight = np.concatenate(omega)
    return np.concatenate(rows), weight / weight.sum()


def sets_of(p: Array, size: int, newly: Mask | None = None) -> Mask:
    """Return all sets of so many regions among the leading and the newly seen ones."""
    order = np.argsort(-p, kind="stable")
    able = list(order[: max(N_LEADING, size)])
    if newly is not None:
        able += [i for i in order if newly[i] and i not in able][:N_NEW]
    chosen = np.array(list(combinations(able, min(size, len(able)))), dtype=np.int64)
    sets = np.zeros((len(chosen), len(p)), dtype=bool)
    np.put_along_axis(sets, chosen, True, axis=1)
    return sets


def simulated(
    power: Singles, gain: Array, variance: Array, rules: Rules, rng: np.random.Generator
) -> Array:
    """Simulate the log power of channels by the observation part of the model.

    Parameters
    ----------
    power : numpy.ndarray of float32, shape (n, n_regions, n_times)
        Power of the regions.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Rows of `inference.onsets.recording.flattened`.
    variance : numpy.ndarray, shape (n_channels,)
        Scale of the noise variance.
    rules : Rules
        Numbers of the model.
    rng : numpy.random.Generator
        Source of random numbers.

    Returns
    -------
    numpy.ndarray, shape (n, n_channels, n_times)
    """
    n, _, n_times = power.shape
    shape = (n, *gain.shape)
    size = np.abs(rng.standard_t(rules.error_degrees, shape))
    low = rng.random(shape) < rules.lower / (rules.lower + rules.higher)
    error = np.where(low, -rules.lower, rules.higher) * size
    error += rules.channel * rng.standard_normal((n, len(gain), 1))
    mixing = gain * np.exp(np.minimum(error, LARGEST_ERROR))
    chi = rng.chisquare(rules.degrees_of_freedom, (n, len(gain)))
    level = np.sqrt(variance * rules.degrees_of_freedom / chi)
    noise = _lasting_noise((n, len(gain), n_times), rules.samples, rng)
    return np.asarray(np.log1p(mixing @ power) + level[..., None] * noise)


def _lasting_noise(shape: tuple[int, ...], samples: float, rng: np.random.Generator) -> Array:
    """Return noise of unit variance with so many independent samples per step."""
    kept = (1.0 - samples) / (1.0 + samples)
    noise = rng.standard_normal(shape)
    for k in range(1, shape[-1]):
        noise[..., k] = kept * noise[..., k - 1] + np.sqrt(1.0 - kept**2) * noise[..., k]
    return noise


def value_of(
    log_factor: Array,
    truths: Integers,
    omega: Array,
    futures: Futures,
    sets: Mask,
    p_after: Array | None = None,
    zones: Array | None = None,
) -> Value:
    """Return the value of data from the log likelihood of each simulated recording.

    Parameters
    ----------
    log_factor : numpy.ndarray, shape (n_recordings, n)
        Tempered log likelihood of each recording for each truth.
    truths : numpy.ndarray of int, shape (n_recordings,)
        Truth behind each recording.
    omega : numpy.ndarray, shape (n_recordings,)
        Probability of each.
    futures : Futures
        Possible truths.
    sets : numpy.ndarray of bool, shape (n_sets, n_regions)
        Plans.
    p_after : numpy.ndarray, shape (n_recordings, n, n_regions), optional
        Probability of each region in each truth after each recording; by default unchanged.
    zones : numpy.ndarray, shape (n_recordings, n_regions), optional
        Zone, or its probabilities, behind each recording; by default that of its truth.
    """
    right = holds(futures.p_zone, sets)
    others = futures.part[None, :] != futures.part[truths][:, None]
    with np.errstate(divide="ignore"):
        prior = np.where(others, np.log(futures.weight)[None, :], -np.inf)
    before = _normalised(prior)
    after, was_flat = _flattened(prior, log_factor)
    old = before @ right
    if p_after is None:
        new, p_new = after @ right, after @ futures.p_zone
    else:
        pairs = list(zip(after, p_after, strict=True))
        new = np.stack([weights @ holds(p, sets) for weights, p in pairs])
        p_new = np.stack([weights @ p for weights, p in pairs])
    judged = right[truths] if zones is None else holds(zones, sets)
    part = shares(futures.p_zone)
    part_new = after @ part
    if p_after is not None:
        part_new = np.stack([w @ shares(p) for w, p in zip(after, p_after, strict=True)])
    size = int(sets[0].sum())
    moved = largest_shares(part_new, size).astype(float) - largest_shares(before @ part, size)
    part_true = part[truths] if zones is None else shares(zones)
    at = np.arange(len(truths))
    best, first = new.argmax(axis=1), old.argmax(axis=1)
    change = judged[at, best] - judged[at, first]
    drop = _entropies(before @ futures.p_zone) - _entropies(p_new)
    gain = float(omega @ change)
    hidden = futures.hidden[truths].any(axis=1)
    return Value(
        gain=gain,
        gain_error=float(np.sqrt(omega**2 @ (change - gain) ** 2)),
        stated=float(omega @ (new[at, best] - new[at, first])),
        share=float(omega @ (moved * part_new).sum(axis=1)),
        share_judged=float(omega @ (moved * part_true).sum(axis=1)),
        gain_hidden=float(omega[hidden] @ change[hidden]),
        entropy_drop=float(omega @ drop),
        p_before=float(omega @ judged[at, first]),
        effective=float(np.median(1.0 / (after**2).sum(axis=1))),
        flattened=float(omega @ was_flat),
    )


def _normalised(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _flattened(prior: Array, log_factor: Array) -> tuple[Array, Mask]:
    """Return weights of at least `LEAST_EFFECTIVE` truths, and where the factor was flattened."""

    def weights(exponent: Array) -> Array:
        return _normalised(prior + exponent[:, None] * log_factor)

    low, high = np.zeros(len(prior)), np.ones(len(prior))
    few = 1.0 / (weights(high) ** 2).sum(axis=1) < LEAST_EFFECTIVE
    for _ in range(_N_BISECTIONS):
        middle = 0.5 * (low + high)
        enough = 1.0 / (weights(middle) ** 2).sum(axis=1) >= LEAST_EFFECTIVE
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    return weights(np.where(few, low, 1.0)), few


def _entropies(p: Array) -> Array:
    """Return the summed entropies of regions, nats, (n_recordings,)."""
    kept = np.clip(p, _LEAST, 1.0 - _LEAST)
    return np.asarray(-(kept * np.log(kept) + (1 - kept) * np.log(1 - kept)).sum(axis=1))
