"""Virtual patients with known truth, made by another model than the one that is fitted.

Sources are 6D Epileptors on a connectome with errors; contacts see points scattered through
each region that swing together, plus background of their own. What is handed to the fit is what a
clinic has: the envelope of bipolar channels, a gain from regions' centres and volumes, and
the connectome before its errors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from inference import kernels
from inference.problem import Problem
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import (
    FOLD_X0,
    SEIZING_X1_6D,
    SEIZING_X_2D,
    equilibrium,
    left_branch_expansion,
)
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network, normalise_weights
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power

Array = NDArray[np.float64]

RATE_HZ = 256.0
BASELINE_S = 18.0
DURATION_S = 80.0
MARGIN_S = 5.0
NOISE = {"x2": 2.5e-4, "y2": 2.5e-4}
SEEN, UNSEEN = 0.6, 0.12


@dataclass(frozen=True)
class TrueModel:
    """The six-dimensional model behind a virtual patient, and the states it starts from."""

    network: Network
    model: Epileptor
    initial: Array


@dataclass(frozen=True)
class Truth:
    """What no fit may see.

    `ez` and `recruited` are masks over regions; `sampled` says whether the implantation sees
    the epileptogenic zone; `behind` is the model that made the seizure.
    """

    ez: NDArray[np.bool_]
    recruited: NDArray[np.bool_]
    x0: Array
    onset_s: Array
    coupling: float
    sampled: bool
    behind: TrueModel


@dataclass(frozen=True)
class VirtualPatient:
    """What a clinic has (`problem`, contact midpoints, centres), and the truth apart from it."""

    problem: Problem
    nearest: NDArray[np.int64]
    truth: Truth


# An unsampled zone is rare: one seed of validation needed more than 200.
_MOST_TRIES = 5000


@dataclass(frozen=True)
class _Head:
    """Regions and contacts of one head, mm."""

    centres: Array
    radii: Array
    anode: Array
    cathode: Array


def draw_patient(rng: np.random.Generator, sampled: bool) -> VirtualPatient:
    """Draw one patient.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of everything.
    sampled : bool
        Whether channels see the epileptogenic zone.
    """
    for _ in range(_MOST_TRIES):
        patient = _try_patient(rng, sampled)
        if patient is not None:
            return patient
    raise RuntimeError(f"no seizure that spreads and ends was found in {_MOST_TRIES} tries")


def _try_patient(rng: np.random.Generator, sampled: bool) -> VirtualPatient | None:
    """Draw head, connectome and zone; None where no seizure comes, spreads and ends."""
    head = _draw_head(rng)
    given = _draw_connectome(head.centres, rng)
    true_weights = _with_errors(given, rng)
    gain = _ball_gain(head, rng)
    ez = _choose_zone(gain, true_weights, sampled, rng)
    if ez is None:
        return None
    x0 = _draw_excitability(ez, true_weights, rng)
    coupling = _recruiting_coupling(true_weights, x0, rng)
    if coupling is None:
        return None
    behind = _model_of(true_weights, x0, coupling, rng)
    run = _seizure(behind, rng)
    if run is None:
        return None
    lfp, onset_s, end_s = run
    recruited = np.isfinite(onset_s) & ~ez
    if not 2 <= recruited.sum() <= 15 or not np.isfinite(onset_s[ez]).any():
        return None
    signal = _record(lfp, head, rng)
    cut = _cut(signal, onset_s, end_s, rng)
    if cut is None:
        return None
    envelope, times, zero_s = cut
    problem = Problem([envelope], gain, given, times=[times])
    nearest = _nearest(head)
    truth = Truth(ez, recruited, x0, onset_s - zero_s, coupling, sampled, behind)
    return VirtualPatient(problem, nearest, truth)


def _draw_head(rng: np.random.Generator) -> _Head:
    """Scatter regions over two hemispheres, and depth electrodes mostly through one."""
    n_half = int(rng.integers(43, 51))
    side = _spread_points(n_half, rng)
    centres = np.concatenate([side, side * [-1, 1, 1] + rng.normal(0, 2, side.shape)])
    radii = rng.uniform(8, 14, 2 * n_half)
    anodes: list[Array] = []
    cathodes: list[Array] = []
    wanted = int(rng.integers(80, 141))
    while sum(len(a) for a in anodes) < wanted:
        near = rng.integers(n_half) if rng.random() < 0.85 else rng.integers(n_half, 2 * n_half)
        contacts = _electrode(centres[near], rng)
        anodes.append(contacts[:-1])
        cathodes.append(contacts[1:])
    anode, cathode = np.concatenate(anodes)[:wanted], np.concatenate(cathodes)[:wanted]
    return _Head(centres, radii, anode, cathode)


def _spread_points(count: int, rng: np.random.Generator) -> Array:
    """Return points of one hemisphere (x > 0), most near its surface, well apart."""
    axes = np.array([62.0, 78.0, 55.0])
    found: list[Array] = []
    apart = 17.0
    while len(found) < count:
        direction = rng.standard_normal(3)
        direction[0] = abs(direction[0])
        depth = 0.9 if rng.random() < 0.85 else rng.uniform(0.15, 0.6)
        point = depth * axes * direction / np.linalg.norm(direction) + [6.0, 0, 0]
        if all(np.linalg.norm(point - other) > apart for other in found):
            found.append(point)
        apart *= 0.9995
    return np.array(found)


def _electrode(target: Array, rng: np.random.Generator) -> Array:
    """Return contacts 3.5 mm apart, from near a target outwards, mostly lateral."""
    direction = np.array([np.sign(target[0] + 1e-9), 0.0, 0.0]) + 0.35 * rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    count = int(rng.integers(8, 16))
    inner = target - direction * rng.uniform(0, 25) + rng.normal(0, 3, 3)
    return np.asarray(inner + 3.5 * np.arange(count)[:, None] * direction)


def _draw_connectome(centres: Array, rng: np.random.Generator) -> Array:
    """Return streamline-like weights: falling with distance, heavy-tailed, homotopic pairs."""
    n = len(centres)
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    weights = np.exp(-distance / 18.0) * rng.lognormal(0, 1.0, (n, n))
    weights = np.triu(weights, 1)
    weights[rng.random((n, n)) < 0.4 * (distance > 45)] = 0.0
    half = n // 2
    weights[np.arange(half), np.arange(half) + half] += 0.1 * rng.lognormal(0, 0.5, half)
    return np.asarray(1e4 * (weights + weights.T))


def _with_errors(weights: Array, rng: np.random.Generator) -> Array:
    """Return the connectome that really couples: log-normal errors, some edges missing."""
    factor = np.triu(rng.lognormal(0, 0.5, weights.shape), 1)
    factor[rng.random(weights.shape) < 0.15] = 0.0
    return np.asarray(weights * (factor + factor.T))


def _ball_gain(head: _Head, rng: np.random.Generator) -> Array:
    """Return the gain a clinic computes: independent sources filling a ball at each centre."""
    ball = rng.standard_normal((80, 3))
    ball *= (rng.random(80) ** (1 / 3) / np.linalg.norm(ball, axis=1))[:, None]
    gain = np.empty((len(head.anode), len(head.centres)))
    for k, (centre, radius) in enumerate(zip(head.centres, head.radii, strict=True)):
        lead = _lead(head, centre + radius * ball)
        gain[:, k] = radius**3 * (lead**2).mean(axis=1)
    return gain


def _lead(head: _Head, points: Array) -> Array:
    """Return the potential difference that unit sources at points put on each channel."""
    potentials = [
        1.0 / np.maximum(np.linalg.norm(side[:, None] - points[None], axis=-1), 3.0)
        for side in (head.anode, head.cathode)
    ]
    return np.asarray(potentials[0] - potentials[1])


def _choose_zone(
    gain: Array, weights: Array, sampled: bool, rng: np.random.Generator
) -> NDArray[np.bool_] | None:
    """Choose one to three connected regions that the channels see, or do not."""
    shares = gain / gain.sum(axis=1, keepdims=True)
    sight = (shares / shares.max(axis=1, keepdims=True)).max(axis=0)
    allowed = np.flatnonzero(sight >= SEEN if sampled else sight <= UNSEEN)
    if len(allowed) < 3:
        return None
    first = int(rng.choice(allowed))
    others = [i for i in np.argsort(-weights[first])[:12] if i in allowed and i != first]
    wanted = int(rng.integers(1, 4))
    chosen = [first, *[int(i) for i in rng.permutation(others)[: wanted - 1]]]
    ez = np.zeros(len(weights), dtype=bool)
    ez[chosen] = True
    return ez


def _draw_excitability(ez: NDArray[np.bool_], weights: Array, rng: np.random.Generator) -> Array:
    """Return x0: high in the zone, near threshold in some of its neighbours, low elsewhere."""
    x0 = rng.normal(-2.5, 0.15, len(ez))
    strength = weights[:, ez].sum(axis=1)
    strength[ez] = 0
    near = np.argsort(-strength)[: int(rng.integers(3, 8))]
    x0[near] = rng.uniform(-2.35, -2.15, len(near))
    x0[ez] = rng.uniform(-1.9, -1.6, int(ez.sum()))
    return np.asarray(np.where(ez, x0, np.minimum(x0, -2.12)))


def _recruiting_coupling(weights: Array, x0: Array, rng: np.random.Generator) -> float | None:
    """Return a coupling with which a slow 2D sketch recruits some regions but not most."""
    scaled = normalise_weights(weights, "strength")
    ez = x0 > FOLD_X0
    _, z = equilibrium(np.minimum(x0, -2.1))
    z[ez] = 2.95
    x = left_branch_expansion(z)
    for coupling in rng.permutation(np.linspace(1.0, 6.0, 8)):
        xs, _ = kernels.sweep(
            x0,
            x[None],
            z[None],
            np.full(len(x0), coupling),
            np.array([200.0]),
            scaled,
            1200,
            0.1,
            0,
        )
        if 3 <= ((xs[0] > SEIZING_X_2D).any(axis=0) & ~ez).sum() <= 12:
            return float(coupling)
    return None


def _model_of(weights: Array, x0: Array, coupling: float, rng: np.random.Generator) -> TrueModel:
    """Draw how fast the 6D network is and when its zone starts."""
    network = Network(normalise_weights(weights, "strength"), normalisation="strength")
    speed, slowness = float(rng.uniform(0.06, 0.1)), float(rng.uniform(1.0e-4, 1.6e-4))
    wait = BASELINE_S + 5.0 + rng.uniform(0, 3.0, len(x0))
    return TrueModel(
        network,
        Epileptor(x0=x0, K=coupling, r=slowness, tt=speed),
        _waiting(x0, wait, 1000 * speed * slowness),
    )


def _seizure(behind: TrueModel, rng: np.random.Generator) -> tuple[Array, Array, float] | None:
    """Run the 6D network; returns LFP (time, region), onsets and the end, or None."""
    run = simulate(
        behind.network, behind.model, duration=DURATION_S, seed=rng, noise=NOISE,
        sample_rate=RATE_HZ, initial=behind.initial,
        options=Options(keep=("lfp", "x1"), n_threads=1),
    )  # fmt: skip
    width = int(RATE_HZ)
    seizing = ndimage.maximum_filter1d(run["x1"].to_numpy(), width, axis=0) > SEIZING_X1_6D
    active = np.flatnonzero(seizing.any(axis=1))
    if len(active) == 0 or active[0] < (BASELINE_S + 3) * RATE_HZ:
        return None
    quiet = np.flatnonzero(~seizing[active[0] :].any(axis=1))
    if len(quiet) == 0:
        return None
    end = active[0] + quiet[0]
    if end > (DURATION_S - MARGIN_S - 1) * RATE_HZ or end - active[0] < 12 * RATE_HZ:
        return None
    before = seizing[:end]
    onset = np.where(before.any(axis=0), before.argmax(axis=0) / RATE_HZ, np.nan)
    return run["lfp"].to_numpy(), onset, end / RATE_HZ


def _waiting(x0: Array, wait_s: Array, rate: float) -> Array:
    """Return states from which regions above threshold reach it after `wait_s`; others at rest."""
    x_rest, z_rest = equilibrium(np.minimum(x0, -2.1))
    z = z_rest.copy()
    step = 0.05
    for i in np.flatnonzero(x0 > -2.1):
        z[i] = 2.95
        for _ in range(int(wait_s[i] / step)):
            z[i] -= step * rate * (4 * (left_branch_expansion(z[i]) - x0[i]) - z[i])
    x = np.where(x0 > -2.1, left_branch_expansion(z), x_rest)
    rest = np.zeros((6, len(x0)))
    rest[0], rest[1], rest[2], rest[3], rest[5] = x, 1 - 5 * x**2, z, -1.05, 0.1 * x
    return rest


def _record(lfp: Array, head: _Head, rng: np.random.Generator) -> Array:
    """Return bipolar signals (channel, time): scattered coherent sources, and background."""
    lead = np.empty((len(head.anode), len(head.centres)))
    for k, (centre, radius) in enumerate(zip(head.centres, head.radii, strict=True)):
        shift = rng.normal(0, 0.2 * radius, 3)
        spread = rng.standard_normal((25, 3)) * radius * rng.uniform(0.35, 0.75, 3)
        lead[:, k] = radius**3 * (_lead(head, centre + shift + spread)).mean(axis=1)
    signal = lead @ (lfp - lfp.mean(axis=0)).T
    seen = np.median(np.abs(lead).max(axis=0)) * lfp.std(axis=0).max()
    floor = 10 ** rng.uniform(-1.6, -0.9) * seen
    noise = floor * rng.lognormal(0, 0.3, (len(signal), 1)) * _pink(signal.shape, rng)
    return np.asarray(signal + noise)


def _pink(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return noise with a 1/f spectrum and unit variance, (channel, time)."""
    spectrum = np.fft.rfft(rng.standard_normal(shape), axis=1)
    frequency = np.maximum(np.fft.rfftfreq(shape[1], 1 / RATE_HZ), 0.5)
    noise = np.fft.irfft(spectrum / np.sqrt(frequency), shape[1], axis=1)
    return np.asarray(noise / noise.std(axis=1, keepdims=True))


def _cut(
    signal: Array, onset_s: Array, end_s: float, rng: np.random.Generator
) -> tuple[Array, Array, float] | None:
    """Return envelope (time, channel), its times, and where the clinician marked the onset.

    The mark is where the first channels change, give or take a second; a seizure that
    changes no channel is not seen, and None is returned.
    """
    times = np.arange(signal.shape[1]) / RATE_HZ
    choices = EnvelopeChoices(
        band_hz=(10.0, 110.0), window_s=0.5, smoothing_s=0.3, baseline_s=(3.0, BASELINE_S)
    )
    power, _ = log_power(signal, times, RATE_HZ, choices)
    first = times >= np.nanmin(onset_s) - 1
    high = (power > np.log(5.0)) & first & (times < end_s + 1)
    changed = np.flatnonzero(high.sum(axis=0) >= 2)
    if len(changed) == 0:
        return None
    zero = times[changed[0]] + rng.normal(0, 0.7)
    last = times[changed[-1]]
    if last - zero < 8:
        return None
    rate = min(4.0, 299 / (last - zero + 2 * MARGIN_S))
    grid = np.arange(zero - MARGIN_S, last + MARGIN_S, 1 / rate)
    envelope = np.stack([np.interp(grid, times, row) for row in power], axis=1)
    return envelope, grid - zero, float(zero)


def _nearest(head: _Head) -> NDArray[np.int64]:
    """Return the region whose centre lies nearest to each channel's midpoint."""
    middle = (head.anode + head.cathode) / 2
    return np.asarray(cdist(middle, head.centres).argmin(axis=1))
