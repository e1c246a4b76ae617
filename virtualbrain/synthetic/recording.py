"""Simulate the SEEG recording of a seizure: sources, volume conduction, noise and faults."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from virtualbrain.synthetic.points import RegionPoints
from virtualbrain.synthetic.seizure import Seizure

Array = NDArray[np.float64]
Signal = NDArray[np.float32]

_DIPOLE_LENGTH_MM = 8.0  # a net current and a dipole are equal at this distance


@dataclass(frozen=True)
class RecordingSettings:
    """Settings of a recording; amplitudes in microvolts at the contact nearest to a source.

    Parameters
    ----------
    patch_mm3 : float
        Volume of grey matter that acts coherently; regions have 2 to 14 patches.
    points_per_patch : int
        Number of current sources of a patch.
    clamp_mm : float
        Least distance between a contact and a source: half a contact's length.
    background, discharge, fast, spike : float
        1/f activity, slow ictal discharge of the model, ictal fast activity, interictal spikes.
    noise, reference, line : float
        Noise of each contact, activity of the common reference, mains.
    line_hz : float
        Mains frequency.
    n_bad : int
        Number of bad contacts; all but the last are marked as bad in the dataset.
    onset_ratio : float
        Ratio of ictal to background power (10 to 120 Hz) above which a channel seizes.
    """

    patch_mm3: float = 1500.0
    points_per_patch: int = 40
    clamp_mm: float = 2.0
    background: float = 65.0
    discharge: float = 420.0
    fast: float = 115.0
    spike: float = 400.0
    noise: float = 3.0
    reference: float = 12.0
    line: float = 9.0
    line_hz: float = 50.0
    n_bad: int = 4
    onset_ratio: float = 5.0


@dataclass(frozen=True)
class SeegRecording:
    """A recording and the truth about it.

    Parameters
    ----------
    signal_uv : numpy.ndarray, shape (n_contacts, n_times)
        Signals against a common reference.
    ecg_uv : numpy.ndarray, shape (n_times,)
        Electrocardiogram.
    status : pandas.DataFrame
        Per contact `name fault marked`: its fault (``none``, ``flat``, ``noisy``, ``loose``) and
        whether the dataset marks it as bad.
    channel_onsets : pandas.DataFrame
        Per bipolar pair of neighbours `name anode cathode onset_s ictal_ratio`: onset and
        largest ratio of ictal to background power, without faults of the contacts.
    lead : numpy.ndarray, shape (n_contacts, n_patches)
        Potential at each contact per unit of each patch of grey matter.
    patch_region : numpy.ndarray of int, shape (n_patches,)
        Region of each patch.
    """

    contacts: pd.DataFrame
    rate_hz: float
    signal_uv: Signal
    ecg_uv: Signal
    status: pd.DataFrame
    channel_onsets: pd.DataFrame
    lead: Signal
    patch_region: NDArray[np.intp]


@dataclass(frozen=True)
class _Patches:
    """Groups of current sources that act coherently."""

    region: NDArray[np.intp]
    places_mm: Array  # (n_patches, n_points, 3)
    moments: Array  # (n_patches, n_points, 3)
    charges: Array  # (n_patches, n_points)
    volumes_mm3: Array  # (n_patches,)


def record(
    seizure: Seizure,
    points: RegionPoints,
    contacts: pd.DataFrame,
    rng: np.random.Generator,
    settings: RecordingSettings | None = None,
) -> SeegRecording:
    r"""Record a seizure with depth electrodes.

    Each region consists of patches, each patch of point sources with a current dipole
    :math:`p` across the folded cortex and a small net current :math:`q`, with the potential

    .. math:: \phi(r) = \sum_k \frac{q_k}{d_k} + \frac{p_k \cdot (r - r_k)}{d_k^3}

    (d at least `clamp_mm`). A patch's signal is 1/f background, interictal spikes, the
    model's discharge and, while its region seizes, fast activity that falls from about 70 to
    20 Hz and comes in bursts with the discharge. Patches of a region differ in amplitude and
    delay. Noise of the contacts, a common reference, mains and faults are added.

    Parameters
    ----------
    seizure : Seizure
        Activity of the regions.
    points : RegionPoints
        Positions of the regions; `points.regions` must equal `seizure.regions`.
    contacts : pandas.DataFrame
        `name electrode number x y z`, mm in the same frame.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : RecordingSettings, optional
        Amplitudes.

    Returns
    -------
    SeegRecording
    """
    return record_all((seizure,), points, contacts, rng, settings)[0]


def record_all(
    seizures: Sequence[Seizure],
    points: RegionPoints,
    contacts: pd.DataFrame,
    rng: np.random.Generator,
    settings: RecordingSettings | None = None,
) -> tuple[SeegRecording, ...]:
    """Record several seizures of one patient: the same sources and the same bad contacts.

    Parameters
    ----------
    seizures : sequence of Seizure
        At least one; all at the same sampling rate.
    points, contacts, rng, settings
        As in `record`.
    """
    settings = settings or RecordingSettings()
    if any(points.regions != seizure.regions for seizure in seizures):
        raise ValueError("points and seizure must have the same regions in the same order")
    rate = 1.0 / float(seizures[0].times_s[1] - seizures[0].times_s[0])
    patches = _make_patches(points, rng, settings)
    lead = _lead_field(patches, contacts[["x", "y", "z"]].to_numpy(dtype=np.float64), settings)
    status, recordings = None, []
    for seizure in seizures:
        quiet = lead @ _background(patches, seizure, rate, rng, settings)
        ictal = lead @ _ictal(patches, seizure, rate, rng, settings)
        onsets = _channel_onsets(contacts, quiet, ictal, seizure, rate, settings)
        signal = quiet
        signal += ictal
        signal += _contact_noise(len(contacts), len(seizure.times_s), rate, rng, settings)
        if status is None:
            status = _draw_faults(contacts, rng, settings)
        _add_faults(signal, status, rate, rng)
        ecg = _ecg(seizure, rate, rng)
        recordings.append(
            SeegRecording(contacts, rate, signal, ecg, status, onsets, lead, patches.region)
        )
    return tuple(recordings)


# ---- positions of sources -------------------------------------------------------------------


def _make_patches(
    points: RegionPoints, rng: np.random.Generator, settings: RecordingSettings
) -> _Patches:
    """Group the points of each region around random seeds and draw dipoles."""
    region, places, moments, charges, volumes = [], [], [], [], []
    for index, name in enumerate(points.regions):
        own = points.of(name)
        volume = len(own) * points.spacing_mm**3
        n = int(np.clip(round(volume / settings.patch_mm3), 2, 14))
        seeds = own[rng.choice(len(own), n, replace=len(own) < n)]
        nearest = ((own[:, None] - seeds) ** 2).sum(axis=2).argmin(axis=1)
        for patch in range(n):
            members = (
                own[nearest == patch] if (nearest == patch).any() else seeds[patch : patch + 1]
            )
            chosen = members[rng.integers(len(members), size=settings.points_per_patch)]
            jitter = rng.uniform(-0.5, 0.5, chosen.shape) * points.spacing_mm
            axis = rng.standard_normal(3)
            direction = axis / np.linalg.norm(axis) + 0.8 * rng.standard_normal(chosen.shape)
            region.append(index)
            places.append(chosen + jitter)
            moments.append(direction / np.linalg.norm(direction, axis=1, keepdims=True))
            charges.append(rng.normal(0.0, 0.5) + rng.normal(0.0, 0.3, len(chosen)))
            volumes.append(len(members) * points.spacing_mm**3)
    return _Patches(*(np.array(part) for part in (region, places, moments, charges, volumes)))


def _lead_field(patches: _Patches, contacts_mm: Array, settings: RecordingSettings) -> Signal:
    """Return the potential at every contact per unit of every patch, (n_contacts, n_patches).

    The unit is chosen so that the potential 3 mm from the middle of a patch equals about the
    amplitude of the patch. The current density of grey matter is the same everywhere.
    """
    sample = np.linspace(0, len(patches.region) - 1, 80).astype(int)
    steps = 3.0 * np.concatenate([np.eye(3), -np.eye(3)])
    near = [
        _potential(patches, patch, patches.places_mm[patch].mean(axis=0) + steps, settings)
        for patch in sample
    ]
    field = [_potential(patches, p, contacts_mm, settings) for p in range(len(patches.region))]
    unit = np.sqrt(np.mean(np.square(near)))
    return np.asarray(np.stack(field, axis=1) / unit, dtype=np.float32)


def _potential(
    patches: _Patches, patch: int, places_mm: Array, settings: RecordingSettings
) -> Array:
    """Return the potential of one patch in an arbitrary unit, shape (n_places,)."""
    away = places_mm[:, None, :] - patches.places_mm[patch]
    distance = np.maximum(np.linalg.norm(away, axis=2), settings.clamp_mm)
    dipole = (away * patches.moments[patch]).sum(axis=2) / distance**3
    net = patches.charges[patch] / distance / _DIPOLE_LENGTH_MM
    return np.asarray(patches.volumes_mm3[patch] * (dipole + net).mean(axis=1))


# ---- activity of the patches ----------------------------------------------------------------


def _background(
    patches: _Patches,
    seizure: Seizure,
    rate: float,
    rng: np.random.Generator,
    settings: RecordingSettings,
) -> Signal:
    """Return 1/f activity of every patch, with interictal spikes of the irritative ones."""
    n, n_times = len(patches.region), len(seizure.times_s)
    signal = background_of(n, n_times, rate, settings.background, rng)
    attenuation = 1.0 - 0.5 * _involvement(seizure, rate)
    after = _postictal(seizure)
    signal *= (attenuation * after).astype(np.float32)[:, patches.region].T
    irritative = np.isfinite(seizure.onset_s)[patches.region]
    for patch in np.flatnonzero(irritative | (rng.uniform(size=n) < 0.03)):
        if rng.uniform() < 0.6:
            _add_spikes(signal[patch], seizure, rate, rng, settings)
    return signal


def background_of(
    n: int, n_times: int, rate: float, size_uv: float, rng: np.random.Generator
) -> Signal:
    """Return 1/f activity of some patches with log-normal sizes around one, (n, n_times)."""
    signal = coloured_noise(n, n_times, rate, rng, exponent=2.2, knee_hz=3.0)
    signal *= size_uv * rng.lognormal(0.0, 0.3, (n, 1)).astype(np.float32)
    return signal


def _add_spikes(
    signal: Signal,
    seizure: Seizure,
    rate: float,
    rng: np.random.Generator,
    settings: RecordingSettings,
) -> None:
    """Add spikes with slow waves before the seizure, a few per minute."""
    t = np.arange(-0.15, 0.5, 1.0 / rate)
    wave = np.exp(-0.5 * (t / 0.018) ** 2) - 0.45 * np.exp(-0.5 * ((t - 0.16) / 0.07) ** 2)
    per_minute = rng.uniform(1.0, 9.0)
    until_s = seizure.first_onset_s - 1.0 if seizure.seizing else float(seizure.times_s[-1])
    n_spikes = rng.poisson(per_minute * until_s / 60.0)
    sign = rng.choice([-1.0, 1.0])
    for start_s in rng.uniform(1.0, until_s - 1.0, n_spikes):
        first = int(start_s * rate)
        signal[first : first + len(t)] += (
            sign * settings.spike * rng.lognormal(0.0, 0.35) * wave
        ).astype(np.float32)


def _ictal(
    patches: _Patches,
    seizure: Seizure,
    rate: float,
    rng: np.random.Generator,
    settings: RecordingSettings,
) -> Signal:
    """Return discharge and fast activity of the patches of seizing regions; zero elsewhere."""
    signal = np.zeros((len(patches.region), len(seizure.times_s)), dtype=np.float32)
    state = _involvement(seizure, rate)
    for region in np.flatnonzero(np.isfinite(seizure.onset_s)):
        own = np.flatnonzero(patches.region == region)
        amplitudes = rng.lognormal(0.0, 0.4, len(own))
        delays_s = np.concatenate([[0.0], rng.uniform(0.0, 1.2, len(own) - 1)])
        since = np.maximum(seizure.times_s - seizure.onset_s[region], 0.0)
        growth = 0.35 + 0.65 * np.minimum(since / 5.0, 1.0)
        discharge = growth * _discharge(seizure.lfp[:, region], state[:, region], rate)
        bursts = _bursts(seizure.x1[:, region], rate)
        for patch, amplitude, delay_s in zip(own, amplitudes, delays_s, strict=True):
            fast = _fast_activity(seizure, int(region), state[:, region], bursts, rate, rng)
            both = settings.discharge * discharge + settings.fast * fast
            shift = int(delay_s * rate)
            signal[patch, shift:] = (amplitude * both)[: len(both) - shift]
    return signal


def _involvement(seizure: Seizure, rate: float) -> Signal:
    """Return the involvement of each region in the seizure, 0 to 1, rising over about 1 s."""
    state = np.zeros(seizure.x1.shape, dtype=np.float32)
    for region in np.flatnonzero(np.isfinite(seizure.onset_s)):
        first = int(seizure.onset_s[region] * rate)
        end_s = seizure.end_s[region]
        last = len(state) if np.isnan(end_s) else int(end_s * rate)
        state[first:last, region] = 1.0
        state[:, region] = uniform_filter1d(state[:, region], int(1.2 * rate))
    return state


def _postictal(seizure: Seizure) -> Signal:
    """Return the factor of the background after a seizure: 0.3 at first, recovering over 30 s."""
    after = np.ones(seizure.x1.shape, dtype=np.float32)
    for region in np.flatnonzero(np.isfinite(seizure.end_s)):
        since = seizure.times_s - seizure.end_s[region]
        low = 1.0 - 0.7 * np.exp(-np.maximum(since, 0.0) / 15.0) * (since > 0)
        after[:, region] = low
    return after


def _discharge(lfp: Signal, state: Signal, rate: float) -> Array:
    """Return the field potential of the model after a 0.5 Hz high-pass filter."""
    band = butter(2, [0.5, min(100.0, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    passed = sosfiltfilt(band, lfp.astype(np.float64))
    return np.asarray(passed * (0.15 + 0.85 * state) * 0.8)


def _bursts(x1: Signal, rate: float) -> Array:
    """Return the strength of fast activity in the discharge, from the active phase of x1."""
    active = np.clip(x1 + 0.4, 0.0, 1.5).astype(np.float64)
    return np.asarray(uniform_filter1d(active, max(int(0.03 * rate), 1)))


def _fast_activity(
    seizure: Seizure,
    region: int,
    state: Signal,
    bursts: Array,
    rate: float,
    rng: np.random.Generator,
) -> Array:
    """Return low-voltage fast activity that slows from about 70 to 20 Hz, and broadband bursts."""
    since = np.maximum(seizure.times_s - seizure.onset_s[region], 0.0)
    start_hz, settle_s = rng.uniform(55.0, 85.0), rng.uniform(5.0, 12.0)
    frequency = 20.0 + (start_hz - 20.0) * np.exp(-since / settle_s)
    wander = coloured_noise(1, len(since), rate, rng, exponent=2.0, knee_hz=0.2)[0]
    phase = 2 * np.pi * np.cumsum(frequency * (1 + 0.06 * wander)) / rate
    waxing = 0.7 + 0.3 * coloured_noise(1, len(since), rate, rng, exponent=2.0, knee_hz=0.5)[0]
    tone = np.sin(phase + rng.uniform(0, 2 * np.pi)) * waxing * (0.35 + 0.65 * np.exp(-since / 18))
    broad = coloured_noise(1, len(since), rate, rng, exponent=1.0, knee_hz=20.0)[0]
    build_up = 0.45 + 0.55 * np.clip(since / 6.0, 0, 1)
    return np.asarray(state * (1.3 * tone * build_up + 0.7 * broad * bursts))


# ---- noise, mains and faults ----------------------------------------------------------------


def coloured_noise(
    n: int,
    n_times: int,
    rate: float,
    rng: np.random.Generator,
    exponent: float,
    knee_hz: float,
) -> Signal:
    """Return noise of unit variance with a power spectrum 1 / (f² + knee²)^(exponent/2)."""
    length = next_fast_len(n_times, real=True)
    shape = (rfftfreq(length, 1.0 / rate) ** 2 + knee_hz**2) ** (-exponent / 4)
    shape[0] = 0.0
    out = np.empty((n, n_times), dtype=np.float32)
    for row in range(n):
        spectrum = rfft(rng.standard_normal(length, dtype=np.float32)) * shape.astype(np.float32)
        out[row] = irfft(spectrum, length)[:n_times]
    out /= out.std(axis=1, keepdims=True)
    return out


def _contact_noise(
    n: int, n_times: int, rate: float, rng: np.random.Generator, settings: RecordingSettings
) -> Signal:
    """Return electrode noise, common reference and mains with harmonics, (n, n_times)."""
    own = settings.noise * rng.standard_normal((n, n_times), dtype=np.float32)
    own += settings.noise * coloured_noise(n, n_times, rate, rng, exponent=1.0, knee_hz=0.5)
    own += settings.reference * coloured_noise(1, n_times, rate, rng, exponent=1.5, knee_hz=1.0)
    drift = 0.02 * coloured_noise(1, n_times, rate, rng, exponent=2.0, knee_hz=0.02)[0]
    phase = 2 * np.pi * np.cumsum(settings.line_hz + drift) / rate
    for harmonic, fraction in ((1, 1.0), (2, 0.2), (3, 0.35), (4, 0.08)):
        if harmonic * settings.line_hz < 0.5 * rate:
            size = settings.line * fraction * rng.lognormal(0.0, 0.5, (n, 1))
            own += (size * np.sin(harmonic * phase + rng.normal(0.0, 0.4, (n, 1)))).astype(
                np.float32
            )
    return own


def _draw_faults(
    contacts: pd.DataFrame, rng: np.random.Generator, settings: RecordingSettings
) -> pd.DataFrame:
    """Draw a few contacts that are flat, noisy or loose; the last one is not marked as bad."""
    n = len(contacts)
    fault, marked = np.full(n, "none", dtype=object), np.zeros(n, dtype=bool)
    kinds = ["flat", "noisy", "noisy", "loose"]
    chosen = rng.choice(n, min(settings.n_bad, n // 4), replace=False)
    for number, contact in enumerate(chosen):
        fault[contact], marked[contact] = kinds[number % len(kinds)], number < len(chosen) - 1
    return pd.DataFrame({"name": contacts["name"], "fault": fault, "marked": marked})


def _add_faults(
    signal: Signal, status: pd.DataFrame, rate: float, rng: np.random.Generator
) -> None:
    """Replace the signals of faulty contacts."""
    faults = status["fault"].to_numpy()
    for contact in np.flatnonzero(faults != "none"):
        signal[contact] = _faulty(signal[contact], faults[contact], rate, rng)


def _faulty(signal: Signal, kind: str, rate: float, rng: np.random.Generator) -> Signal:
    """Return the signal of one contact with a fault."""
    n = len(signal)
    if kind == "flat":
        return np.asarray(0.05 * rng.standard_normal(n, dtype=np.float32))
    if kind == "noisy":
        added = 400.0 * coloured_noise(1, n, rate, rng, exponent=0.6, knee_hz=1.0)[0]
        return np.asarray(signal + added)
    swings = 900.0 * coloured_noise(1, n, rate, rng, exponent=2.5, knee_hz=0.3)[0]
    mains = 600.0 * np.sin(2 * np.pi * 50.0 * np.arange(n) / rate)
    return np.asarray(signal + swings + mains, dtype=np.float32)


def _ecg(seizure: Seizure, rate: float, rng: np.random.Generator) -> Signal:
    """Return an electrocardiogram of about 70 beats per minute, faster in the seizure."""
    trace = np.zeros(len(seizure.times_s), dtype=np.float32)
    width = np.arange(-0.3, 0.45, 1.0 / rate)
    beat = sum(
        size * np.exp(-0.5 * ((width - at) / sd) ** 2)
        for size, at, sd in (
            (90, -0.17, 0.025), (-120, -0.03, 0.01), (1000, 0, 0.012), (-220, 0.035, 0.012),
            (240, 0.26, 0.05),
        )
    )  # fmt: skip
    at_s, start_s = 0.5, seizure.first_onset_s if seizure.seizing else np.inf
    while at_s < seizure.times_s[-1] - 1.0:
        first = int((at_s - 0.3) * rate)
        if first >= 0:
            trace[first : first + len(width)] += np.asarray(beat, dtype=np.float32)
        rate_hz = 1.15 + 0.6 * np.clip((at_s - start_s) / 10.0, 0.0, 1.0)
        at_s += float(rng.normal(1.0, 0.04)) / rate_hz
    trace += 8.0 * rng.standard_normal(len(trace), dtype=np.float32)
    return trace


# ---- true channel onsets --------------------------------------------------------------------


def _channel_onsets(
    contacts: pd.DataFrame,
    quiet: Signal,
    ictal: Signal,
    seizure: Seizure,
    rate: float,
    settings: RecordingSettings,
) -> pd.DataFrame:
    """Return onset and ictal ratio (10 to 120 Hz) of the pairs of neighbouring contacts."""
    band = butter(3, [10.0, min(120.0, 0.45 * rate)], "bandpass", fs=rate, output="sos")
    until = int(seizure.first_onset_s * rate) if seizure.seizing else quiet.shape[1]
    window = int(rate)
    rows = []
    electrodes = contacts["electrode"].to_numpy()
    numbers = contacts["number"].to_numpy()
    names = contacts["name"].tolist()
    for i in range(len(contacts) - 1):
        if electrodes[i] != electrodes[i + 1] or numbers[i + 1] != numbers[i] + 1:
            continue
        base = sosfiltfilt(band, (quiet[i] - quiet[i + 1])[:until].astype(np.float64))
        power = sosfiltfilt(band, (ictal[i] - ictal[i + 1]).astype(np.float64)) ** 2
        ratio = uniform_filter1d(power, window) / max(float(np.mean(base**2)), 1e-12)
        above = np.flatnonzero(ratio > settings.onset_ratio)
        onset = float(above[0] / rate) if len(above) >= window else np.nan
        rows.append((f"{names[i]}-{names[i + 1]}", names[i], names[i + 1], onset, ratio.max()))
    return pd.DataFrame(rows, columns=["name", "anode", "cathode", "onset_s", "ictal_ratio"])
