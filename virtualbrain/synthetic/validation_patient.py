"""Draw the synthetic patients of `virtualbrain validate`: arrays instead of images and files.

The sources are 6D Epileptors on a connectome with errors, another model than the fitted one.
Contacts record points scattered through each region that act coherently, and background activity.
A fit gets what a clinic has: the envelope of bipolar channels, a gain from the regions' centres
and volumes, and the connectome before its errors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import equilibrium, left_branch_expansion
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network, normalise_weights
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power
from virtualbrain.synthetic.connectomes import connectome_from_centres, with_lost_connections
from virtualbrain.synthetic.disease import draw_excitability, draw_sampled_zone
from virtualbrain.synthetic.seizure import seizing_at
from virtualbrain.synthetic.slow_manifold import (
    set_left_branch,
    z_before_fold,
)
from virtualbrain.synthetic.spread import recruiting_coupling

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATE_HZ = 256.0
BASELINE_S = 18.0
DURATION_S = 80.0
MARGIN_S = 5.0
NOISE = {"x2": 2.5e-4, "y2": 2.5e-4}
# One seed of a validation needed more than 200 attempts for an unsampled zone.
_ATTEMPTS = 5000


@dataclass(frozen=True)
class TrueModel:
    """The 6D model that generated a patient's seizure, and its initial states."""

    network: Network
    model: Epileptor
    initial: Array


@dataclass(frozen=True)
class ValidationTruth:
    """The truth about a validation patient; no fit may use it.

    Parameters
    ----------
    ez, recruited : numpy.ndarray of bool, shape (n_regions,)
        Regions of the epileptogenic zone, and regions that the network recruited.
    x0 : numpy.ndarray, shape (n_regions,)
        Excitability.
    onset_s : numpy.ndarray, shape (n_regions,)
        Seconds from the marked onset; NaN where the region does not seize.
    coupling : float
        Global coupling K.
    sampled : bool
        Whether a channel sees the zone.
    true_model : TrueModel
        The model that generated the seizure.
    """

    ez: Mask
    recruited: Mask
    x0: Array
    onset_s: Array
    coupling: float
    sampled: bool
    true_model: TrueModel


@dataclass(frozen=True)
class ValidationPatient:
    """What a clinic has of a patient, and the truth.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Computed from centres and volumes.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The measured connectome; not normalised.
    nearest : numpy.ndarray of int, shape (n_channels,)
        Region whose centre is nearest to the midpoint of each channel.
    truth : ValidationTruth
        The truth.
    """

    envelope: Array
    times_s: Array
    gain: Array
    weights: Array
    nearest: NDArray[np.int64]
    truth: ValidationTruth

    @property
    def true_zone(self) -> tuple[str, ...]:
        """Names of the regions of the epileptogenic zone."""
        regions = self.truth.true_model.network.regions
        return tuple(name for name, inside in zip(regions, self.truth.ez, strict=True) if inside)


@dataclass(frozen=True)
class _Head:
    """Regions and contacts of one head, mm."""

    centres: Array
    radii: Array
    anode: Array
    cathode: Array


def draw_validation_patient(rng: np.random.Generator, sampled: bool) -> ValidationPatient:
    """Draw one patient.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all random numbers.
    sampled : bool
        Whether channels see the epileptogenic zone.
    """
    for _ in range(_ATTEMPTS):
        patient = _try_patient(rng, sampled)
        if patient is not None:
            return patient
    raise RuntimeError(f"no seizure that spreads and ends was found in {_ATTEMPTS} attempts")


def _try_patient(rng: np.random.Generator, sampled: bool) -> ValidationPatient | None:
    """Draw head, connectome and zone; None unless a seizure starts, spreads and ends."""
    head = _draw_head(rng)
    measured = connectome_from_centres(head.centres, rng)
    true_weights = with_lost_connections(measured, rng)
    gain = _ball_gain(head, rng)
    ez = draw_sampled_zone(gain, true_weights, sampled, rng)
    if ez is None:
        return None
    x0 = draw_excitability(ez, true_weights, rng)
    coupling = recruiting_coupling(true_weights, x0, ez, rng)
    if coupling is None:
        return None
    true_model = _model_of(true_weights, x0, ez, coupling, rng)
    run = _seizure(true_model, rng)
    if run is None:
        return None
    lfp, onset_s, end_s = run
    recruited = np.isfinite(onset_s) & ~ez
    if not 2 <= recruited.sum() <= 15 or not np.isfinite(onset_s[ez]).any():
        return None
    signal = _record(lfp, head, rng)
    cut = _seizure_envelope(signal, onset_s, end_s, rng)
    if cut is None:
        return None
    envelope, times_s, marked_s = cut
    truth = ValidationTruth(ez, recruited, x0, onset_s - marked_s, coupling, sampled, true_model)
    return ValidationPatient(envelope, times_s, gain, measured, _nearest(head), truth)


# ---- head, electrodes and gain --------------------------------------------------------------


def _draw_head(rng: np.random.Generator) -> _Head:
    """Place regions in two hemispheres, and depth electrodes mostly in one."""
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
    """Return well separated points of one hemisphere (x > 0), most of them near its surface."""
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
    """Return contacts 3.5 mm apart, from a place near the target outwards, mostly laterally."""
    direction = np.array([np.sign(target[0] + 1e-9), 0.0, 0.0]) + 0.35 * rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    count = int(rng.integers(8, 16))
    inner = target - direction * rng.uniform(0, 25) + rng.normal(0, 3, 3)
    return np.asarray(inner + 3.5 * np.arange(count)[:, None] * direction)


def _ball_gain(head: _Head, rng: np.random.Generator) -> Array:
    """Return the gain that a clinic computes: independent sources in a ball around each centre."""
    ball = rng.standard_normal((80, 3))
    ball *= (rng.random(80) ** (1 / 3) / np.linalg.norm(ball, axis=1))[:, None]
    gain = np.empty((len(head.anode), len(head.centres)))
    for k, (centre, radius) in enumerate(zip(head.centres, head.radii, strict=True)):
        lead = _lead(head, centre + radius * ball)
        gain[:, k] = radius**3 * (lead**2).mean(axis=1)
    return gain


def _lead(head: _Head, points: Array) -> Array:
    """Return the potential difference of each channel for unit sources at the points."""
    potentials = [
        1.0 / np.maximum(np.linalg.norm(side[:, None] - points[None], axis=-1), 3.0)
        for side in (head.anode, head.cathode)
    ]
    return np.asarray(potentials[0] - potentials[1])


# ---- seizure --------------------------------------------------------------------------------


def _model_of(
    weights: Array, x0: Array, ez: Mask, coupling: float, rng: np.random.Generator
) -> TrueModel:
    """Draw the speed of the 6D network and the time at which its zone starts."""
    network = Network(normalise_weights(weights, "strength"), normalisation="strength")
    speed, slowness = float(rng.uniform(0.06, 0.1)), float(rng.uniform(1.0e-4, 1.6e-4))
    wait_s = BASELINE_S + 5.0 + rng.uniform(0, 3.0, len(x0))
    return TrueModel(
        network,
        Epileptor(x0=x0, K=coupling, r=slowness, tt=speed),
        _initial_states(x0, ez, wait_s, 1000 * speed * slowness),
    )


def _initial_states(x0: Array, ez: Mask, wait_s: Array, rate: float) -> Array:
    """Return states from which the zone reaches the fold after `wait_s`; others rest."""
    x_rest, z_rest = equilibrium(np.minimum(x0, -2.1))
    z = z_rest.copy()
    for i in np.flatnonzero(ez):
        z[i] = z_before_fold(x0[i], wait_s[i], rate)
    x = np.where(ez, left_branch_expansion(z), x_rest)
    states = np.zeros((6, len(x0)))
    states[3] = -1.05
    set_left_branch(states, x, z)
    return states


def _seizure(true_model: TrueModel, rng: np.random.Generator) -> tuple[Array, Array, float] | None:
    """Run the 6D network; return LFP (time, region), onsets and the end, or None."""
    run = simulate(
        true_model.network, true_model.model, duration=DURATION_S, seed=rng, noise=NOISE,
        sample_rate=RATE_HZ, initial=true_model.initial,
        options=Options(keep=("lfp", "x1"), n_threads=1),
    )  # fmt: skip
    seizing = seizing_at(run["x1"].to_numpy(), RATE_HZ)
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


# ---- recording ------------------------------------------------------------------------------


def _record(lfp: Array, head: _Head, rng: np.random.Generator) -> Array:
    """Return bipolar signals (channel, time): scattered coherent sources plus background."""
    lead = np.empty((len(head.anode), len(head.centres)))
    for k, (centre, radius) in enumerate(zip(head.centres, head.radii, strict=True)):
        shift = rng.normal(0, 0.2 * radius, 3)
        spread = rng.standard_normal((25, 3)) * radius * rng.uniform(0.35, 0.75, 3)
        lead[:, k] = radius**3 * (_lead(head, centre + shift + spread)).mean(axis=1)
    signal = lead @ (lfp - lfp.mean(axis=0)).T
    typical = np.median(np.abs(lead).max(axis=0)) * lfp.std(axis=0).max()
    floor = 10 ** rng.uniform(-1.6, -0.9) * typical
    noise = floor * rng.lognormal(0, 0.3, (len(signal), 1)) * _pink(signal.shape, rng)
    return np.asarray(signal + noise)


def _pink(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return noise with a 1/f spectrum and unit variance, (channel, time)."""
    spectrum = np.fft.rfft(rng.standard_normal(shape), axis=1)
    frequency = np.maximum(np.fft.rfftfreq(shape[1], 1 / RATE_HZ), 0.5)
    noise = np.fft.irfft(spectrum / np.sqrt(frequency), shape[1], axis=1)
    return np.asarray(noise / noise.std(axis=1, keepdims=True))


def _seizure_envelope(
    signal: Array, onset_s: Array, end_s: float, rng: np.random.Generator
) -> tuple[Array, Array, float] | None:
    """Return the envelope (time, channel), its times, and the onset that a clinician would mark.

    The mark is the first change of two channels, with an error of about a second. Return None if
    the seizure changes fewer than two channels.
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
    marked_s = times[changed[0]] + rng.normal(0, 0.7)
    last = times[changed[-1]]
    if last - marked_s < 8:
        return None
    rate = min(4.0, 299 / (last - marked_s + 2 * MARGIN_S))
    grid = np.arange(marked_s - MARGIN_S, last + MARGIN_S, 1 / rate)
    envelope = np.stack([np.interp(grid, times, row) for row in power], axis=1)
    return envelope, grid - marked_s, float(marked_s)


def _nearest(head: _Head) -> NDArray[np.int64]:
    """Return the region whose centre is nearest to each channel's midpoint."""
    middle = (head.anode + head.cathode) / 2
    return np.asarray(cdist(middle, head.centres).argmin(axis=1))
