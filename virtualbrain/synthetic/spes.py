"""Draw synthetic SPES recordings of known effective connectivity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.synthetic.recording import coloured_noise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SpesChoices:
    """What is drawn.

    Parameters
    ----------
    n_electrodes, n_contacts : int
        Electrodes, and contacts on each.
    n_sites, n_trials : int
        Stimulated pairs, and pulses at each.
    connected : float
        Probability that a contact responds to a site.
    rate_hz, interval_s : float
        Sampling rate, and time between pulses.
    n1_v, noise_v : float
        Median amplitude of the N1 at a contact, and standard deviation of the background there.
    artefact_v : float
        Amplitude of the artefact, which decays with 1 ms.
    """

    n_electrodes: int = 4
    n_contacts: int = 8
    n_sites: int = 8
    n_trials: int = 10
    connected: float = 0.3
    rate_hz: float = 2048.0
    interval_s: float = 1.0
    n1_v: float = 80e-6
    noise_v: float = 40e-6
    artefact_v: float = 5e-3


@dataclass(frozen=True)
class SpesRecording:
    """A synthetic SPES recording with its truth.

    Parameters
    ----------
    names : tuple of str
        Contacts; rows of `signal_v`.
    signal_v : numpy.ndarray, shape (n_contacts, n_samples)
        Recorded signal against a common reference.
    rate_hz : float
        Sampling rate.
    events : pandas.DataFrame
        Rows of events.tsv, one for each pulse.
    sites : tuple of str
        Stimulated pairs, such as ``A1-A2``.
    amplitude_v, latency_s : numpy.ndarray, shape (n_sites, n_contacts)
        True N1 with its sign; zero and NaN without a response.
    """

    names: tuple[str, ...]
    signal_v: Array
    rate_hz: float
    events: pd.DataFrame
    sites: tuple[str, ...]
    amplitude_v: Array
    latency_s: Array


def draw_spes(rng: np.random.Generator, choices: SpesChoices | None = None) -> SpesRecording:
    """Draw a recording of single pulses at several sites.

    A response has an N1 with a peak at 12 to 45 ms and an N2 of opposite sign at five times that.
    Its amplitude (log-normal over connections) varies by 30 % and its latency by 1 ms between
    trials. The background has a 1/f spectrum and mains noise; every pulse has an artefact at every
    contact.
    """
    c = choices or SpesChoices()
    letters = [chr(ord("A") + k) for k in range(c.n_electrodes)]
    names = tuple(f"{letter}{k + 1}" for letter in letters for k in range(c.n_contacts))
    n = len(names)
    firsts = [i for i in range(n - 1) if (i + 1) % c.n_contacts]
    starts = np.sort(rng.choice(firsts, c.n_sites, replace=False))
    sites = tuple(f"{names[i]}-{names[i + 1]}" for i in starts)
    connected = rng.random((c.n_sites, n)) < c.connected
    size = c.n1_v * np.exp(0.5 * rng.standard_normal((c.n_sites, n)))
    amplitude = np.where(connected, size * rng.choice([-1.0, 1.0], (c.n_sites, n)), 0.0)
    latency = np.where(connected, rng.uniform(0.012, 0.045, (c.n_sites, n)), np.nan)
    n_pulses = c.n_sites * c.n_trials
    onsets = 1.0 + c.interval_s * np.arange(n_pulses) + rng.uniform(0, 0.05, n_pulses)
    onsets = np.round(onsets * c.rate_hz) / c.rate_hz
    n_times = round((onsets[-1] + 2.0) * c.rate_hz)
    times = np.arange(n_times) / c.rate_hz
    noise = coloured_noise(n, n_times, c.rate_hz, rng, exponent=2.0, knee_hz=2.0)
    signal = c.noise_v * noise.astype(np.float64)
    signal += 5e-6 * rng.standard_normal((n, 1)) * np.sin(2 * np.pi * 50 * times)
    for number, onset in enumerate(onsets):
        site = number // c.n_trials
        part = slice(round(onset * c.rate_hz), round((onset + 0.8) * c.rate_hz))
        since = times[part] - onset
        gain = 1 + 0.3 * rng.standard_normal(n)
        shift = latency[site] + 1e-3 * rng.standard_normal(n)
        for i in np.flatnonzero(connected[site]):
            signal[i, part] += amplitude[site, i] * gain[i] * response(since, shift[i])
        signal[:, part] += c.artefact_v * rng.uniform(0.1, 1, (n, 1)) * artefact(since)
    events = stimulation_events(onsets, np.repeat(sites, c.n_trials).tolist())
    return SpesRecording(names, signal, c.rate_hz, events, sites, amplitude, latency)


def stimulation_events(onsets_s: Array, sites: Sequence[str]) -> pd.DataFrame:
    """Return the rows of events.tsv for biphasic pulses of 4 mA and 0.5 ms at the sites."""
    return pd.DataFrame(
        {
            "onset": onsets_s,
            "duration": 0.001,
            "trial_type": "electrical_stimulation",
            "electrical_stimulation_type": "biphasic",
            "electrical_stimulation_site": list(sites),
            "electrical_stimulation_current": 0.004,
            "electrical_stimulation_pulsewidth": 0.0005,
        }
    )


def response(since_s: Array, latency_s: float) -> Array:
    """Return N1 and N2 of unit N1 amplitude, at times from the pulse."""
    late = 5 * latency_s
    n1 = np.exp(-0.5 * ((since_s - latency_s) / (0.25 * latency_s)) ** 2)
    n2 = np.exp(-0.5 * ((since_s - late) / (0.3 * late)) ** 2)
    return np.asarray(n1 - 0.5 * n2 * np.clip(since_s / late, 0, 1))


def artefact(since_s: Array) -> Array:
    """Return a biphasic artefact of unit amplitude with a decay of 1 ms."""
    phases = np.where(since_s < 5e-4, 1.0, np.where(since_s < 1e-3, -1.0, 0.0))
    return np.asarray(phases + 0.2 * np.exp(-since_s / 1e-3))
