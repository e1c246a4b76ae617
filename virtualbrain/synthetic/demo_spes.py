"""Record single-pulse stimulation of a demo patient: pulses drive its network."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.network import Network
from virtualbrain.synthetic.demo_patient import DemoPatient
from virtualbrain.synthetic.evoked_network import EvokedNetwork, draw_evoked_network
from virtualbrain.synthetic.recording import SeegRecording, background_of, coloured_noise
from virtualbrain.synthetic.spes import artefact, response, stimulation_events

Array = NDArray[np.float64]
Signal = NDArray[np.float32]

_RESPONSE_S = 0.7


@dataclass(frozen=True)
class StimulationSettings:
    """What is stimulated.

    Parameters
    ----------
    n_sites, n_trials : int
        Stimulated pairs of neighbouring contacts, in different regions, and pulses at each.
    interval_s : float
        Time between pulses.
    rate_hz : float
        Sampling rate.
    background_uv, noise_uv : float
        1/f activity of a patch, and noise of a contact.
    largest_uv : float
        Largest N1 of a region, next to its source.
    artefact_uv : float
        Largest amplitude of the artefact, 10 mm from the pair.
    """

    n_sites: int = 8
    n_trials: int = 8
    interval_s: float = 0.95
    rate_hz: float = 512.0
    background_uv: float = 40.0
    noise_uv: float = 3.0
    largest_uv: float = 150.0
    artefact_uv: float = 3000.0


@dataclass(frozen=True)
class StimulationRecording:
    """A recording of single pulses, and the truth about it.

    Parameters
    ----------
    names : tuple of str
        Contacts; rows of `signal_uv`.
    signal_uv : numpy.ndarray, shape (n_contacts, n_times)
        Signals against a common reference.
    rate_hz : float
        Sampling rate.
    events : pandas.DataFrame
        Rows of events.tsv, one for each pulse.
    evoked : EvokedNetwork
        True responses of the regions.
    """

    names: tuple[str, ...]
    signal_uv: Signal
    rate_hz: float
    events: pd.DataFrame
    evoked: EvokedNetwork


def record_stimulation(
    patient: DemoPatient,
    network: Network,
    rng: np.random.Generator,
    settings: StimulationSettings | None = None,
) -> StimulationRecording:
    """Record the responses of a demo patient to single pulses.

    The region of each stimulated contact is driven in a network of 6D Epileptors, whose
    deflections set amplitude and latency of the responses (N1 and N2). The same patches of grey
    matter as in the seizure generate them. Responses vary by 30 % and 1 ms between trials.
    Epileptogenic regions respond more. Contacts with a fault stay silent.

    Parameters
    ----------
    patient : DemoPatient
        Contacts with their true regions, and the recording whose sources are used.
    network : Network
        The true connectome, of any scale.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : StimulationSettings, optional
        Sites, pulses and amplitudes.
    """
    choices = settings or StimulationSettings()
    excitable = np.isin(network.regions, patient.brain.disease.epileptogenic)
    largest_v = 1e-6 * choices.largest_uv
    evoked = draw_evoked_network(network.weights, network.lengths, excitable, rng, largest_v)
    pairs = chosen_sites(patient, rng, choices.n_sites)
    onsets = _onsets(len(pairs) * choices.n_trials, rng, choices)
    n_times = round((onsets[-1] + 1.5) * choices.rate_hz)
    signal = _quiet(patient.recordings[0], n_times, rng, choices)
    place = {name: k for k, name in enumerate(network.regions)}
    regions = patient.contacts["region"].to_numpy()
    for number, pair in enumerate(np.repeat(pairs, choices.n_trials, axis=0)):
        driven = list(dict.fromkeys(place[regions[contact]] for contact in pair))
        first = round(onsets[number] * choices.rate_hz)
        part = slice(first, first + round(_RESPONSE_S * choices.rate_hz))
        since = np.arange(part.stop - part.start) / choices.rate_hz
        signal[:, part] += _answer(patient.recordings[0], evoked, driven, since, rng)
        size = choices.artefact_uv * _nearness(patient.contacts, pair)
        signal[:, part] += (size * rng.uniform(0.5, 1, size.shape))[:, None] * artefact(since)
    faulty = patient.recordings[0].status["fault"].to_numpy() != "none"
    signal[faulty] = 0.05 * rng.standard_normal((int(faulty.sum()), n_times))
    names = tuple(str(name) for name in patient.contacts["name"])
    sites = [f"{names[a]}-{names[b]}" for a, b in np.repeat(pairs, choices.n_trials, axis=0)]
    events = stimulation_events(onsets, sites)
    return StimulationRecording(names, signal.astype(np.float32), choices.rate_hz, events, evoked)


def chosen_sites(patient: DemoPatient, rng: np.random.Generator, n_sites: int) -> NDArray[np.intp]:
    """Return the positions of the contacts of each site: neighbours in one region, without fault.

    The sites are in different regions, drawn at random among those that contacts reach.
    """
    contacts = patient.contacts
    good = patient.recordings[0].status["fault"].to_numpy() == "none"
    regions, electrodes = contacts["region"].to_numpy(), contacts["electrode"].to_numpy()
    known = set(patient.brain.network.regions)
    pairs: dict[str, list[tuple[int, int]]] = {}
    for k in range(len(contacts) - 1):
        same = electrodes[k] == electrodes[k + 1] and regions[k] == regions[k + 1]
        if same and good[k] and good[k + 1] and regions[k] in known:
            pairs.setdefault(regions[k], []).append((k, k + 1))
    order = rng.permutation(sorted(pairs))[:n_sites]
    chosen = [pairs[name][rng.integers(len(pairs[name]))] for name in order]
    return np.array(sorted(chosen), dtype=np.intp)


def _onsets(n_pulses: int, rng: np.random.Generator, choices: StimulationSettings) -> Array:
    """Return the times of the pulses, on samples."""
    times = 2.0 + choices.interval_s * np.arange(n_pulses) + rng.uniform(0, 0.05, n_pulses)
    return np.asarray(np.round(times * choices.rate_hz) / choices.rate_hz)


def _quiet(
    recording: SeegRecording, n_times: int, rng: np.random.Generator, choices: StimulationSettings
) -> Array:
    """Return the activity without pulses, with mains, (n_contacts, n_times)."""
    n = len(recording.contacts)
    rate = choices.rate_hz
    patches = background_of(len(recording.patch_region), n_times, rate, choices.background_uv, rng)
    signal = (recording.lead @ patches).astype(np.float64)
    signal += choices.noise_uv * rng.standard_normal((n, n_times))
    signal += 4 * choices.noise_uv * coloured_noise(1, n_times, rate, rng, 1.5, 1.0)
    mains = np.sin(2 * np.pi * 50.0 * np.arange(n_times) / rate)
    signal += choices.noise_uv * rng.lognormal(0.0, 0.5, (n, 1)) * mains
    return signal


def _answer(
    recording: SeegRecording,
    evoked: EvokedNetwork,
    driven: list[int],
    since_s: Array,
    rng: np.random.Generator,
) -> Array:
    """Return the response at every contact to one pulse that drives some regions."""
    sizes = evoked.amplitude_v[driven]
    strongest = sizes.argmax(axis=0)
    size, latency = (
        sizes.max(axis=0),
        evoked.latency_s[driven][strongest, np.arange(sizes.shape[1])],
    )
    gain = 1 + 0.3 * rng.standard_normal(len(size))
    shift = np.maximum(latency + 1e-3 * rng.standard_normal(len(size)), 0.009)
    waves = 1e6 * (size * gain)[:, None] * np.stack([response(since_s, at) for at in shift])
    regional = np.zeros((recording.lead.shape[0], len(size)))
    np.add.at(regional.T, recording.patch_region, recording.lead.T)
    return np.asarray(regional @ waves)


def _nearness(contacts: pd.DataFrame, pair: NDArray[np.intp]) -> Array:
    """Return the relative artefact at each contact: it falls with the distance from the pair."""
    places = contacts[["x", "y", "z"]].to_numpy(dtype=float)
    away_mm = np.linalg.norm(places - places[pair].mean(axis=0), axis=1)
    return np.asarray(np.minimum(10.0 / np.maximum(away_mm, 1.0), 2.0))
