"""Compute evoked responses, N1 and PCIst of every stimulated site from SPES recordings."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.recordings import RecordingHeader, read_header, read_signal
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.channel_selection import Selection, select_channels
from virtualbrain.seeg.contacts import contact_table
from virtualbrain.seeg.montage import Channel, build_montage, weight_matrix
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.epochs import (
    EpochSettings,
    Trials,
    cut_trials,
    margins_s,
    require_rate,
)
from virtualbrain.stimulation.n1 import N1, N1Settings, detect_n1
from virtualbrain.stimulation.pulses import Pulse, no_pulses_error, read_pulses
from virtualbrain.stimulation.state_transitions import PcistSettings, pcist

Array = NDArray[np.float64]

MIN_TRIALS = 3
_LONGEST_READ_S = 30.0
RESPONSE_TABLES = ("amplitude_v", "latency_s", "probability", "background_v")
"""Tables of sites by channels in `SpesResponses`, by their names."""
SITE_COLUMNS = ("site", "current_a", "width_s", "n_trials", "n_channels", "n_n1", "pcist",
                "n_components", "rate_hz")  # fmt: skip


@dataclass(frozen=True)
class SpesSettings:
    """Settings of trials, detector and index; the defaults fit pulses at 1 Hz and below."""

    epochs: EpochSettings = field(default_factory=EpochSettings)
    n1: N1Settings = field(default_factory=N1Settings)
    pcist: PcistSettings = field(default_factory=PcistSettings)

    @property
    def separation_s(self) -> float:
        """Shortest time between two pulses."""
        return self.epochs.window_s[1] - self.epochs.window_s[0]


@dataclass(frozen=True)
class SpesResponses:
    """Responses to the stimulation of every site.

    Parameters
    ----------
    amplitude_v, latency_s : pandas.DataFrame
        N1 by site (rows) and channel; NaN without an N1, and where a channel was not used (it
        contains a stimulated contact, or was clipped).
    probability : pandas.DataFrame
        Probability of the N1; NaN where a channel was not used.
    background_v : pandas.DataFrame
        Standard deviation of single trials in the baseline; NaN where a channel was not used.
    sites : pandas.DataFrame
        One row per site with the columns `SITE_COLUMNS`.
    contacts_of : mapping
        Contacts of each site and channel, by its name.
    notes : tuple of str
        What was left out.
    """

    amplitude_v: pd.DataFrame
    latency_s: pd.DataFrame
    probability: pd.DataFrame
    background_v: pd.DataFrame
    sites: pd.DataFrame
    contacts_of: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of sites by channels, by their names."""
        return {name: getattr(self, name) for name in RESPONSE_TABLES}


@dataclass(frozen=True)
class _Source:
    """A recording with stimulation: header, pulses, and its good channels."""

    recording: Recording
    header: RecordingHeader
    pulses: tuple[Pulse, ...]
    montage: tuple[Channel, ...]


def check_spes(
    files: PatientFiles, seeg: SeegSettings, settings: SpesSettings | None = None
) -> list[VirtualBrainError]:
    """Return every problem of a patient's stimulation, from tables and headers alone.

    Clipped channels are found when the signal is read.
    """
    return list(_read_sources(files, seeg, settings or SpesSettings())[1])


def run_spes(
    files: PatientFiles,
    seeg: SeegSettings,
    rng: np.random.Generator,
    settings: SpesSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> SpesResponses:
    """Compute N1 and PCIst of every stimulated site of a patient.

    Pulses at the same two contacts are trials of one site, whatever the direction of the current.
    Of several currents at a site, the one with most pulses is used. A channel is not used for sites
    that contain one of its contacts, nor in trials in which the amplifier clipped it.

    Parameters
    ----------
    files : PatientFiles
        The patient's files: recordings with events.tsv, and electrodes.tsv.
    seeg : SeegSettings
        Montage and channel types.
    rng : numpy.random.Generator
        Resamples the trials for the probability of the N1.
    settings : SpesSettings, optional
        Trials, detector and index.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Raises
    ------
    InputError
        The first problem of `check_spes`, a recording that cannot be read, or an amplifier that
        clipped more than half of the trials and channels of every site.
    """
    settings = settings or SpesSettings()
    sources, problems, notes = _read_sources(files, seeg, settings)
    if problems:
        raise problems[0]
    contacts_of = {
        c.name: tuple(filter(None, (c.anode, c.cathode))) for s in sources for c in s.montage
    }
    names = list(contacts_of)
    rows: list[dict[str, object]] = []
    tables: dict[str, dict[str, Array]] = {name: {} for name in RESPONSE_TABLES}
    tasks = [(source, *one) for source in sources for one in _sites(source, notes).items()]
    for number, (source, site, pulses) in enumerate(tasks):
        if progress is not None:
            progress(number / len(tasks))
        label = _unique(site, tables["probability"])
        with threadpool_limits(1, user_api="blas"):  # the same digits on any number of cores
            found = _site_responses(source, label, pulses, settings, rng, notes)
        if found is None:
            continue
        row, n1, used = found
        rows.append(row)
        contacts_of[label] = (pulses[0].anode, pulses[0].cathode)
        place = [names.index(source.montage[k].name) for k in used]
        values = (n1.amplitude, n1.latency_s, n1.probability, n1.background)
        for table, own in zip(tables.values(), values, strict=True):
            table[label] = np.full(len(names), np.nan)
            table[label][place] = own
    if not rows:
        raise InputError(
            "no site can be used: the amplifier clipped the channels, or they are flat",
            where=", ".join(source.recording.signal.name for source in sources),
            expected=f"at least {MIN_TRIALS} pulses at a site with signals within the range of "
            f"the amplifier from {settings.epochs.artefact_s[1] * 1e3:g} ms after the pulse",
            hint="; ".join(notes[-2:]),
        )
    frames = {
        name: pd.DataFrame.from_dict(table, orient="index", columns=names)
        for name, table in tables.items()
    }
    return SpesResponses(
        **frames,
        sites=pd.DataFrame(rows, columns=list(SITE_COLUMNS)),
        contacts_of=contacts_of,
        notes=tuple(notes),
    )


def _read_sources(
    files: PatientFiles, seeg: SeegSettings, settings: SpesSettings
) -> tuple[list[_Source], list[InputError], list[str]]:
    """Read tables and headers of all recordings with stimulation; collect problems and notes."""
    try:
        contacts = _contact_names(files)
    except InputError as error:
        return [], [error], []
    sources: list[_Source] = []
    problems: list[InputError] = []
    notes: list[str] = []
    for recording in files.recordings:
        read = read_pulses(recording.events, list(contacts["name"]), settings.separation_s)
        problems += read.problems
        notes += [f"{recording.signal.name}: {note}" for note in read.notes]
        if not read.pulses:
            continue
        try:
            source = _source(recording, read.pulses, contacts, seeg, settings, notes)
        except InputError as error:
            problems.append(error)
            continue
        if isinstance(source, _Source):
            sources.append(source)
        else:
            problems += source.problems
    if sources and not problems and max(_most_pulses(source) for source in sources) < MIN_TRIALS:
        problems.append(
            InputError(
                f"no site has {MIN_TRIALS} pulses",
                where=", ".join(r.events.name for r in files.recordings if r.events is not None),
                expected=f"at least {MIN_TRIALS} pulses at a site, to average over",
                hint="mark every pulse in events.tsv",
            )
        )
    if not sources and not problems:
        events = [r.events.name for r in files.recordings if r.events is not None]
        problems.append(no_pulses_error(", ".join(events) or f"sub-{files.label}/ieeg"))
    return sources, problems, notes


def _contact_names(files: PatientFiles) -> pd.DataFrame:
    """Return the contacts of electrodes.tsv without coordinates.

    Raises
    ------
    InputError
        There is no table, or it cannot be read.
    """
    if files.electrodes is None:
        raise InputError(
            "no electrodes.tsv",
            where=f"sub-{files.label}/ieeg",
            expected="a table with the name of every contact",
            hint="add the table; coordinates may be n/a",
        )
    table = read_table(files.electrodes, required=["name"])
    names = [str(name) for name in table["name"]]
    return contact_table(names, np.full((len(names), 3), np.nan))


def _source(
    recording: Recording,
    pulses: Sequence[Pulse],
    contacts: pd.DataFrame,
    seeg: SeegSettings,
    settings: SpesSettings,
    notes: list[str],
) -> "_Source | Selection":
    """Return a recording with its good channels, or the selection if it has problems."""
    header = read_header(recording.signal)
    require_rate(header.rate_hz, recording.signal.name, settings.epochs)
    late = next((pulse for pulse in pulses if not 0 <= pulse.onset_s < header.duration_s), None)
    if late is not None:
        raise InputError(
            f"the stimulation at {late.onset_s:g} s is outside the recording",
            where=f"{recording.events.name if recording.events else ''}, row {late.row}",
            expected=f"onset from 0 to {header.duration_s:g} s",
            hint="check that events.tsv belongs to this recording",
        )
    selection = select_channels(recording, header, contacts, seeg)
    if selection.problems:
        return selection
    notes += selection.notes
    channels = build_montage(selection.recorded, selection.bad, seeg.montage)
    good = tuple(channel for channel in channels if channel.status == "good")
    if not good:
        raise InputError(
            "no good channel is left",
            where=recording.signal.name,
            expected="at least one channel that is not bad",
            hint="check the status column of channels.tsv",
        )
    start, stop = margins_s(settings.epochs)
    inside = tuple(
        p for p in pulses if p.onset_s + start >= 0 and p.onset_s + stop <= header.duration_s
    )
    if len(inside) < len(pulses):
        notes.append(
            f"{recording.signal.name}: {len(pulses) - len(inside)} pulses too close to its start "
            "or end are left out"
        )
    return _Source(recording, header, inside, good)


def _most_pulses(source: _Source) -> int:
    """Return the largest number of pulses at one site."""
    return max(Counter(pulse.pair for pulse in source.pulses).values(), default=0)


def _sites(source: _Source, notes: list[str]) -> Mapping[str, list[Pulse]]:
    """Return the pulses of each site, all with one current."""
    pairs: dict[frozenset[str], list[Pulse]] = {}
    for pulse in source.pulses:
        pairs.setdefault(pulse.pair, []).append(pulse)
    sites = {}
    for pulses in pairs.values():
        name = f"{pulses[0].anode}-{pulses[0].cathode}"
        currents = Counter(pulse.current_a for pulse in pulses if math.isfinite(pulse.current_a))
        if len(currents) > 1:
            chosen = max(currents, key=lambda current: (currents[current], current))
            kept = [pulse for pulse in pulses if pulse.current_a == chosen]
            notes.append(
                f"{name}: {len(pulses) - len(kept)} pulses of other currents than "
                f"{chosen * 1e3:g} mA are left out"
            )
            pulses = kept
        sites[name] = pulses
    return sites


def _unique(site: str, taken: Mapping[str, Array]) -> str:
    """Return a site's name, with a number if another recording has the site too."""
    number = sum(name == site or name.startswith(f"{site}_") for name in taken)
    return f"{site}_{number + 1}" if number else site


def _site_responses(
    source: _Source,
    site: str,
    pulses: Sequence[Pulse],
    settings: SpesSettings,
    rng: np.random.Generator,
    notes: list[str],
) -> tuple[dict[str, object], N1, list[int]] | None:
    """Return row, N1 and used channels of one site; None if it cannot be used."""
    trials = _read_trials(source, pulses, settings.epochs)
    stimulated = pulses[0].pair
    free = np.array([not stimulated & set(c.contacts) for c in source.montage])
    clipped = trials.clipped & free
    usable = free & (clipped.mean(axis=0) <= 0.5)
    kept = ~clipped[:, usable].any(axis=1)
    if clipped.any():
        notes.append(
            f"{site}: the amplifier clipped {int(clipped.any(axis=0).sum())} channels; "
            f"{int((free & ~usable).sum())} channels and {int((~kept).sum())} trials are left out"
        )
    baseline = (trials.times_s >= settings.epochs.window_s[0]) & (trials.times_s < 0)
    flat = np.ptp(trials.values[:, :, baseline].mean(axis=0), axis=1) == 0
    if (flat & usable).any():
        notes.append(f"{site}: {int((flat & usable).sum())} flat channels are left out")
    used = [int(k) for k in np.flatnonzero(usable & ~flat)]
    if int(kept.sum()) < MIN_TRIALS or not used:
        notes.append(f"{site}: {int(kept.sum())} usable pulses, {len(used)} usable channels")
        return None
    values = trials.values[kept][:, used]
    n1 = detect_n1(values, trials.times_s, rng, settings.n1)
    index = pcist(values.mean(axis=0), trials.times_s, settings.pcist)
    row: dict[str, object] = {
        "site": site,
        "current_a": pulses[0].current_a,
        "width_s": pulses[0].width_s,
        "n_trials": int(kept.sum()),
        "n_channels": len(used),
        "n_n1": int(np.isfinite(n1.amplitude).sum()),
        "pcist": index.value,
        "n_components": len(index.components),
        "rate_hz": float(round(1 / np.median(np.diff(trials.times_s)), 6)),
    }
    return row, n1, used


def _read_trials(source: _Source, pulses: Sequence[Pulse], settings: EpochSettings) -> Trials:
    """Read the signal around each pulse; return trials of the montage's channels."""
    rate = source.header.rate_hz
    start, stop = margins_s(settings)
    n_before, n_samples = math.floor(-start * rate), math.floor((stop - start) * rate) - 1
    recorded = sorted({name for channel in source.montage for name in channel.recorded})
    firsts = [round(pulse.onset_s * rate) - n_before for pulse in pulses]
    pieces = []
    for group in _read_together(firsts, n_samples, round(_LONGEST_READ_S * rate)):
        start_of_group = group[0]
        signal, _ = read_signal(
            source.recording.signal,
            recorded,
            start_of_group / rate,
            (group[-1] + n_samples) / rate,
        )
        pieces += [signal[:, f - start_of_group : f - start_of_group + n_samples] for f in group]
    trials = cut_trials(pieces, n_before, rate, settings)
    weights = weight_matrix([channel.recorded for channel in source.montage], recorded)
    clipped = trials.clipped.astype(float) @ (weights != 0).T.astype(float) > 0
    return Trials(np.einsum("cr,trs->tcs", weights, trials.values), trials.times_s, clipped)


def _read_together(firsts: Sequence[int], n_samples: int, longest: int) -> list[list[int]]:
    """Group pieces, by their first samples, that are read at once: opening a file is slow."""
    groups: list[list[int]] = []
    for first in firsts:
        if groups and first + n_samples - groups[-1][0] <= longest:
            groups[-1].append(first)
        else:
            groups.append([first])
    return groups
