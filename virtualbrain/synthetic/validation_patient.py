"""Draw the synthetic patients of `virtualbrain validate`: arrays instead of images and files.

The sources are 6D Epileptors on a connectome with errors, another model than the fitted one.
Contacts record points scattered through each region that act coherently, and background activity.
A fit gets what a clinic has: the envelope of bipolar channels, a gain from the regions' centres
and volumes, and the connectome before its errors.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from virtualbrain.errors import ModelError
from virtualbrain.models.epileptor import Epileptor
from virtualbrain.models.reduced_physics import equilibrium, left_branch_expansion
from virtualbrain.models.simulation import Options, simulate
from virtualbrain.network import Network, normalise_weights
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power
from virtualbrain.seeg.seizure_features import decimated
from virtualbrain.synthetic.connectomes import connectome_from_centres, with_lost_connections
from virtualbrain.synthetic.scenarios import Scenario
from virtualbrain.synthetic.seizure import seizing_at
from virtualbrain.synthetic.slow_manifold import (
    set_left_branch,
    z_before_fold,
)
from virtualbrain.synthetic.spread import recruiting_coupling
from virtualbrain.synthetic.validation_zone import (
    FAST_COUPLING,
    FAST_SPEED,
    Zone,
    draw_waits,
    draw_zone,
    follows,
)

_LOG = logging.getLogger(__name__)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATE_HZ = 256.0
# Rate of the signal that the separation into components gets, as `seeg.display_rate_hz`.
SIGNAL_RATE_HZ = 128.0
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
        Seconds from the marked onset of the first seizure; NaN where the region does not seize.
    coupling : float
        Global coupling K.
    sampled : bool
        Whether a channel sees the zone.
    true_model : TrueModel
        The model that generated the first seizure.
    """

    ez: Mask
    recruited: Mask
    x0: Array
    onset_s: Array
    coupling: float
    sampled: bool
    true_model: TrueModel


@dataclass(frozen=True)
class RecordedSeizure:
    """The recording of one seizure.

    Parameters
    ----------
    envelope : numpy.ndarray, shape (n_times, n_channels)
        Log power above baseline.
    times_s : numpy.ndarray, shape (n_times,)
        Seconds from the marked onset.
    signal : numpy.ndarray, shape (n_samples, n_channels)
        The recording at `SIGNAL_RATE_HZ`, from the first to the last of these times.
    signal_times_s : numpy.ndarray, shape (n_samples,)
        Seconds from the marked onset.
    """

    envelope: Array
    times_s: Array
    signal: NDArray[np.float32]
    signal_times_s: Array


@dataclass(frozen=True)
class ValidationPatient:
    """What a clinic has of a patient, and the truth.

    Parameters
    ----------
    seizures : tuple of RecordedSeizure
        Recorded seizures, one or more.
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Computed from centres and volumes.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        The measured connectome; not normalised.
    nearest : numpy.ndarray of int, shape (n_channels,)
        Region whose centre is nearest to the midpoint of each channel.
    electrode : numpy.ndarray of int, shape (n_channels,)
        Number of the electrode of each channel.
    truth : ValidationTruth
        The truth.
    """

    seizures: tuple[RecordedSeizure, ...]
    gain: Array
    weights: Array
    nearest: NDArray[np.int64]
    electrode: NDArray[np.int64]
    truth: ValidationTruth

    @property
    def envelope(self) -> Array:
        """Envelope of the first seizure, (n_times, n_channels)."""
        return self.seizures[0].envelope

    @property
    def times_s(self) -> Array:
        """Times of the first seizure, seconds from its marked onset."""
        return self.seizures[0].times_s

    @property
    def true_zone(self) -> tuple[str, ...]:
        """Names of the regions of the epileptogenic zone."""
        regions = self.truth.true_model.network.regions
        return tuple(name for name, inside in zip(regions, self.truth.ez, strict=True) if inside)


@dataclass(frozen=True)
class Structure:
    """Regions and connectome of a real person, instead of drawn ones.

    Parameters
    ----------
    centres_mm : numpy.ndarray, shape (n_regions, 3)
        Centres; one hemisphere after the other, that with most electrodes first, both in the same
        order. The midline is at x = 0.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        True weights, symmetric, of any scale. The measured ones have errors.
    """

    centres_mm: Array
    weights: Array


@dataclass(frozen=True)
class _Head:
    """Regions and contacts of one head, mm."""

    centres: Array
    radii: Array
    anode: Array
    cathode: Array


@dataclass(frozen=True)
class _Run:
    """LFP (time, region) of the 6D network, onset of each region and end of the seizure."""

    lfp: Array
    onset_s: Array
    end_s: float


def draw_validation_patient(
    rng: np.random.Generator,
    sampled: bool,
    scenario: Scenario = "early",
    structure: Structure | None = None,
) -> ValidationPatient:
    """Draw one patient.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all random numbers.
    sampled : bool
        Whether channels see the epileptogenic zone; never in the scenario hidden.
    scenario : str
        How the seizure starts; see `virtualbrain.synthetic.scenarios`.
    structure : Structure, optional
        Regions and connectome; drawn by default.
    """
    sampled = sampled and scenario != "hidden"
    for _ in range(_ATTEMPTS):
        patient = _try_patient(rng, sampled, scenario, structure)
        if patient is not None:
            return patient
    raise RuntimeError(f"no seizure that spreads and ends was found in {_ATTEMPTS} attempts")


def _try_patient(
    rng: np.random.Generator, sampled: bool, scenario: Scenario, structure: Structure | None
) -> ValidationPatient | None:
    """Draw head, connectome and zone; None unless the seizure goes as the scenario says."""
    head = _draw_head(rng, _draw_centres(rng) if structure is None else structure.centres_mm)
    if structure is None:
        measured = connectome_from_centres(head.centres, rng)
        true_weights = with_lost_connections(measured, rng)
    else:
        true_weights = structure.weights
        measured = with_lost_connections(true_weights, rng)
    gain = _ball_gain(head, rng)
    zone = draw_zone(scenario, gain, true_weights, head.centres, sampled, rng)
    if zone is None:
        return None
    coupling = recruiting_coupling(true_weights, zone.x0_without_late, zone.early, rng)
    if coupling is None:
        return None
    if scenario == "fast":
        coupling *= rng.uniform(*FAST_COUPLING)
    models = _models_of(true_weights, zone, coupling, scenario, rng)
    runs = _runs(models, zone, scenario, rng)
    if runs is None:
        return None
    recorder = _draw_recorder(head, rng)
    recorded = [_recorded(run, recorder, rng) for run in runs]
    seizures = tuple(seizure for seizure, _ in recorded if seizure is not None)
    if len(seizures) < len(models):
        return None
    onset_s = runs[0].onset_s
    recruited = np.isfinite(onset_s) & ~zone.ez
    marked_s = recorded[0][1]
    truth = ValidationTruth(
        zone.ez, recruited, zone.x0, onset_s - marked_s, coupling, sampled, models[0]
    )
    return ValidationPatient(seizures, gain, measured, _nearest(head), _electrodes(head), truth)


def _runs(
    models: list[TrueModel], zone: Zone, scenario: Scenario, rng: np.random.Generator
) -> list[_Run] | None:
    """Run every seizure; None unless all spread and end, the first as the scenario says."""
    runs = []
    for number, model in enumerate(models):
        run = _seizure(model, rng)
        if run is None or not follows(scenario if number == 0 else "early", zone, run.onset_s):
            return None
        runs.append(run)
    return runs


# ---- head, electrodes and gain --------------------------------------------------------------


def _draw_centres(rng: np.random.Generator) -> Array:
    """Place regions in two hemispheres, one after the other."""
    side = _spread_points(int(rng.integers(43, 51)), rng)
    return np.concatenate([side, side * [-1, 1, 1] + rng.normal(0, 2, side.shape)])


def _draw_head(rng: np.random.Generator, centres: Array) -> _Head:
    """Draw the sizes of the regions, and depth electrodes mostly in the first hemisphere."""
    n_half = len(centres) // 2
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


def _models_of(
    weights: Array, zone: Zone, coupling: float, scenario: Scenario, rng: np.random.Generator
) -> list[TrueModel]:
    """Draw the speed of the 6D network and, for each seizure, when the zone starts."""
    network = Network(normalise_weights(weights, "strength"), normalisation="strength")
    speed, slowness = float(rng.uniform(0.06, 0.1)), float(rng.uniform(1.0e-4, 1.6e-4))
    if scenario == "fast":
        speed *= FAST_SPEED
    model = Epileptor(x0=zone.x0, K=coupling, r=slowness, tt=speed)
    rate = 1000 * speed * slowness
    return [
        TrueModel(network, model, _initial_states(zone.x0, zone.ez, wait_s, rate))
        for wait_s in draw_waits(scenario, zone, BASELINE_S + 5.0, rng)
    ]


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


def _seizure(true_model: TrueModel, rng: np.random.Generator) -> _Run | None:
    """Run the 6D network; None unless a seizure starts and ends within the time simulated.

    A drawn network whose states leave the range in which the step is stable is no patient either.
    """
    try:
        run = simulate(
            true_model.network, true_model.model, duration=DURATION_S, seed=rng, noise=NOISE,
            sample_rate=RATE_HZ, initial=true_model.initial,
            options=Options(keep=("lfp", "x1"), n_threads=1),
        )  # fmt: skip
    except ModelError as error:
        _LOG.info("drawing again: %s", error.what)
        return None
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
    return _Run(run["lfp"].to_numpy(), onset, float(end / RATE_HZ))


# ---- recording ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Recorder:
    """Gain of coherent sources (channel, region), and the background of the channels."""

    lead: Array
    floor: float
    level: Array


def _draw_recorder(head: _Head, rng: np.random.Generator) -> _Recorder:
    """Scatter the sources of each region; draw the background of each channel."""
    lead = np.empty((len(head.anode), len(head.centres)))
    for k, (centre, radius) in enumerate(zip(head.centres, head.radii, strict=True)):
        shift = rng.normal(0, 0.2 * radius, 3)
        spread = rng.standard_normal((25, 3)) * radius * rng.uniform(0.35, 0.75, 3)
        lead[:, k] = radius**3 * (_lead(head, centre + shift + spread)).mean(axis=1)
    floor = float(10 ** rng.uniform(-1.6, -0.9))
    return _Recorder(lead, floor, rng.lognormal(0, 0.3, (len(lead), 1)))


def _recorded(
    run: _Run, recorder: _Recorder, rng: np.random.Generator
) -> tuple[RecordedSeizure | None, float]:
    """Return the envelope of one seizure and its mark; None where it changes too few channels."""
    signal = _bipolar_signal(run.lfp, recorder, rng)
    cut = _seizure_envelope(signal, run.onset_s, run.end_s, rng)
    if cut is None:
        return None, np.nan
    envelope, times_s, marked_s = cut
    return recorded_seizure(envelope, times_s, signal, RATE_HZ, marked_s), marked_s


def recorded_seizure(
    envelope: Array, times_s: Array, signal: Array, rate_hz: float, marked_s: float
) -> RecordedSeizure:
    """Return a recorded seizure with its signal as the stage seeg keeps it for display.

    Parameters
    ----------
    envelope, times_s
        As in `RecordedSeizure`.
    signal : numpy.ndarray, shape (n_channels, n_samples)
        The whole recording.
    rate_hz : float
        Its sampling rate.
    marked_s : float
        Marked onset, seconds from the start of the recording.
    """
    seconds = np.arange(signal.shape[1]) / rate_hz - marked_s
    shown, shown_s, _ = decimated(signal, seconds, rate_hz, SIGNAL_RATE_HZ)
    keep = (shown_s >= times_s[0]) & (shown_s <= times_s[-1])
    return RecordedSeizure(envelope, times_s, shown[:, keep].T.astype(np.float32), shown_s[keep])


def _bipolar_signal(lfp: Array, recorder: _Recorder, rng: np.random.Generator) -> Array:
    """Return bipolar signals (channel, time): coherent sources plus background."""
    lead = recorder.lead
    signal = lead @ (lfp - lfp.mean(axis=0)).T
    typical = np.median(np.abs(lead).max(axis=0)) * lfp.std(axis=0).max()
    noise = recorder.floor * typical * recorder.level * _pink(signal.shape, rng)
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
    """Return the envelope of a signal (channel, time) as `marked_envelope` does."""
    times = np.arange(signal.shape[1]) / RATE_HZ
    choices = EnvelopeChoices(
        band_hz=(10.0, 110.0), window_s=0.5, smoothing_s=0.3, baseline_s=(3.0, BASELINE_S)
    )
    power, _ = log_power(signal, times, RATE_HZ, choices)
    return marked_envelope(power, times, (float(np.nanmin(onset_s)), end_s), rng)


def marked_envelope(
    power: Array, times: Array, seizure_s: tuple[float, float], rng: np.random.Generator
) -> tuple[Array, Array, float] | None:
    """Return the envelope (time, channel), its times, and the onset that a clinician would mark.

    The mark is the first change of two channels, with an error of about a second. Return None if
    the seizure changes fewer than two channels.

    Parameters
    ----------
    power : numpy.ndarray, shape (n_channels, n_times)
        Log power above baseline.
    times : numpy.ndarray, shape (n_times,)
        Seconds.
    seizure_s : tuple of float
        First onset and last end of the regions, in the same seconds.
    rng : numpy.random.Generator
        Source of the error of the mark.
    """
    onset_s, end_s = seizure_s
    high = (power > np.log(5.0)) & (times >= onset_s - 1) & (times < end_s + 1)
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


def _electrodes(head: _Head) -> NDArray[np.int64]:
    """Return the electrode of each channel: the next one begins where no contact is shared."""
    begins = ~np.isclose(head.anode[1:], head.cathode[:-1]).all(axis=1)
    return np.concatenate([[0], np.cumsum(begins)])


def _nearest(head: _Head) -> NDArray[np.int64]:
    """Return the region whose centre is nearest to each channel's midpoint."""
    middle = (head.anode + head.cathode) / 2
    return np.asarray(cdist(middle, head.centres).argmin(axis=1))
