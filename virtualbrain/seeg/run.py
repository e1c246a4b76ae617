"""The SEEG stage: from a patient's files and regions to envelopes and gain."""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import signal as dsp

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.recordings import (
    RecordingHeader,
    read_header,
    read_recording_sidecar,
    read_signal,
)
from virtualbrain.seeg.bad_channels import detect_line_frequency, propose_bad
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.contact_regions import (
    Placement,
    candidate_frames,
    name_regions,
    place_points,
    share_in_brain,
)
from virtualbrain.seeg.contacts import coordinate_system, read_contacts
from virtualbrain.seeg.coordinates import tkras_to_scanner
from virtualbrain.seeg.envelope import (
    EnvelopeChoices,
    envelope_grid,
    log_power,
    remove_line,
    sample_at,
)
from virtualbrain.seeg.gain import Surfaces, make_sources, observability, power_gain
from virtualbrain.seeg.montage import Channel, build_montage, weight_matrix
from virtualbrain.seeg.names import key_of
from virtualbrain.seeg.onsets import OnsetChoices, detect_onsets
from virtualbrain.seeg.seizures import Seizure, require_seizures
from virtualbrain.seeg.selection import Selection, select_channels
from virtualbrain.seeg.settings import SeegSettings

_LOG = logging.getLogger(__name__)
_MARGIN_S = 3.0
_QUALITY_STRETCH_S = 30.0
_DETECTOR_RATE_HZ = 256.0

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Seeg:
    """What the SEEG stage hands on.

    Parameters
    ----------
    contacts, channels : pandas.DataFrame
        See docs/architecture.md.
    envelopes, signals : tuple of xarray.DataArray
        One per seizure, dims (time, channel); signals in µV for display.
    gain : pandas.DataFrame
        Good channels by regions.
    quality : dict
        Figures for the report.
    notes : tuple of str
        Choices and findings in plain words.
    """

    contacts: pd.DataFrame
    channels: pd.DataFrame
    envelopes: tuple[xr.DataArray, ...]
    signals: tuple[xr.DataArray, ...]
    gain: pd.DataFrame
    quality: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Source:
    """One recording with what was found out about it."""

    recording: Recording
    header: RecordingHeader
    selection: Selection
    line_hz: float | None
    line_said: str
    proposed: dict[str, str]


@dataclass(frozen=True)
class _SeizureResult:
    """What one seizure gives."""

    envelope: xr.DataArray
    signal: xr.DataArray
    onsets: dict[str, float]


def run_seeg(
    files: PatientFiles,
    regions: pd.DataFrame,
    labels: Any,
    surfaces: Surfaces | None,
    brain_mask: Any,
    settings: SeegSettings,
) -> Seeg:
    """Read a patient's seizures and contacts and compute what the fit needs.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    regions : pandas.DataFrame
        Region table (docs/architecture.md), mm in the T1's scanner RAS.
    labels : nibabel image, optional
        Region labels; without it regions are their centres.
    surfaces : mapping, optional
        Per hemisphere: vertices (n, 3), triangles (m, 3), region index per vertex.
    brain_mask : nibabel image, optional
        Tells contacts outside the brain.
    settings : SeegSettings
        Choices.

    Returns
    -------
    Seeg

    Raises
    ------
    InputError
        The first of the problems that `check_seeg` finds, or contacts that do not lie in the
        brain.
    """
    problems = check_seeg(files, settings)
    if problems:
        raise problems[0]
    contacts = read_contacts(files)
    seizures = require_seizures(files, settings)
    points = contacts[["x", "y", "z"]].to_numpy(float)
    placement = place_points(points, regions, labels, brain_mask, settings)
    notes = _check_places(files, points, placement, labels, brain_mask, settings)
    sources = [_source(r, contacts, seizures, settings) for r in _recordings(seizures)]
    notes += [note for source in sources for note in source.selection.notes]
    montage = _common_montage(sources, contacts, placement, settings)
    good = tuple(channel for channel in montage if channel.status == "good")
    if not good:
        raise InputError(
            "no good channel is left",
            where=", ".join(s.recording.signal.name for s in sources),
            cure="look at the reasons in channels.tsv, or choose another montage",
        )
    by_recording = {source.recording: source for source in sources}
    results = []
    for number, seizure in enumerate(seizures, start=1):
        _LOG.info("seizure %d of %d: %s", number, len(seizures), seizure.source)
        others = [s for s in seizures if s.recording == seizure.recording and s is not seizure]
        source = by_recording[seizure.recording]
        results.append(_read_seizure(seizure, others, source, good, number, settings))
    gain, gain_kind = _gain(good, contacts, regions, labels, surfaces, settings)
    tables = _tables(contacts, montage, placement, regions, sources, results)
    quality = _quality(files, tables, seizures, sources, gain, gain_kind, placement, points)
    notes += _seen(gain, quality)
    return Seeg(
        *tables,
        envelopes=tuple(result.envelope for result in results),
        signals=tuple(result.signal for result in results),
        gain=gain,
        quality=quality,
        notes=tuple(notes),
    )


def _recordings(seizures: Sequence[Seizure]) -> list[Recording]:
    """List the recordings that hold a seizure, once each."""
    return list(dict.fromkeys(seizure.recording for seizure in seizures))


# contacts ------------------------------------------------------------------------------
def _check_places(
    files: PatientFiles,
    points: Signal,
    placement: Placement,
    labels: Any,
    brain_mask: Any,
    settings: SeegSettings,
) -> list[str]:
    """Refuse contacts that lie outside the brain, and say what would put them in."""
    share = share_in_brain(placement, points)
    system = coordinate_system(files)
    notes = [f"coordinates stated as {system.stated}, taken as {system.frame}"]
    if math.isnan(share):
        return [*notes, "no image to check the contacts' places against"]
    if share >= settings.brain_share_min:
        return [*notes, f"{share:.0%} of the contacts lie in the brain"]
    others = candidate_frames(points, labels, brain_mask, _other_readings(files))
    better = [
        f"{name} would put {part:.0%} in the brain"
        for name, part in others.items()
        if part > max(share, settings.brain_share_min)
    ]
    raise InputError(
        f"only {share:.0%} of the contacts lie in the brain",
        where=files.electrodes.name if files.electrodes else "",
        expected=f"at least {settings.brain_share_min:.0%} in the T1w's {system.frame} frame",
        cure="; ".join(better)
        or "check frame and unit in coordsystem.json, and which T1w it means",
    )


def _other_readings(files: PatientFiles) -> dict[str, Signal]:
    """Affines that would hold if the frame had been stated wrongly."""
    readings = {
        "swapping left and right": np.diag([-1.0, 1.0, 1.0, 1.0]),
        "LPS instead of RAS": np.diag([-1.0, -1.0, 1.0, 1.0]),
    }
    try:
        shift = tkras_to_scanner(files.freesurfer, "")
        readings["reading them as FreeSurfer tkRAS"] = shift
        readings["reading them as scanner RAS"] = np.linalg.inv(shift)
    except InputError:
        pass
    return readings


# recordings ----------------------------------------------------------------------------
def _source(
    recording: Recording,
    contacts: pd.DataFrame,
    seizures: Sequence[Seizure],
    settings: SeegSettings,
) -> _Source:
    """Find out about a recording from its tables and half a minute before its first seizure."""
    header = read_header(recording.signal)
    selection = select_channels(recording, header, contacts, settings)
    onset = min(s.onset_s for s in seizures if s.recording == recording)
    names = [str(name) for name in selection.recorded["recorded"]]
    start = max(0.0, onset - _QUALITY_STRETCH_S)
    quiet, _ = read_signal(recording.signal, names, start, onset)
    line_hz, said = _line_frequency(recording, quiet, header.rate_hz, settings)
    unmarked = [i for i, name in enumerate(names) if name not in selection.bad]
    anode = dict(zip(names, selection.recorded["anode"], strict=True))
    by_contact = {str(anode[names[i]]): names[i] for i in unmarked}
    proposed = propose_bad(quiet[unmarked], list(by_contact), header.rate_hz, line_hz)
    return _Source(
        recording, header, selection, line_hz, said, {by_contact[k]: v for k, v in proposed.items()}
    )


def _line_frequency(
    recording: Recording, quiet: Signal, rate_hz: float, settings: SeegSettings
) -> tuple[float | None, str]:
    """Return the mains frequency and where it was taken from."""
    if settings.line_frequency_hz is not None:
        return float(settings.line_frequency_hz), "settings"
    stated = read_recording_sidecar(recording).get("PowerLineFrequency")
    if isinstance(stated, int | float) and stated > 0:
        return float(stated), "sidecar"
    found = detect_line_frequency(quiet, rate_hz)
    return found, "detected" if found else "none stated, none detected"


def _common_montage(
    sources: Sequence[_Source],
    contacts: pd.DataFrame,
    placement: Placement,
    settings: SeegSettings,
) -> tuple[Channel, ...]:
    """Return the channels of all recordings; a channel bad or missing in one is bad."""
    unplaced = _unplaced(contacts, placement)
    merged: dict[str, Channel] = {}
    counts: dict[str, int] = {}
    for source in sources:
        bad = dict(source.selection.bad)
        if settings.exclude_proposed_bad:
            bad = {**{k: f"proposed: {v}" for k, v in source.proposed.items()}, **bad}
        for channel in build_montage(source.selection.recorded, bad, settings.montage):
            marked = _mark_unplaced(channel, unplaced)
            counts[channel.name] = counts.get(channel.name, 0) + 1
            if channel.name not in merged or marked.status == "bad":
                merged[channel.name] = marked
    return tuple(
        channel if counts[name] == len(sources) else _as_bad(channel, "not in every recording")
        for name, channel in merged.items()
    )


def _unplaced(contacts: pd.DataFrame, placement: Placement) -> dict[str, str]:
    """Contacts without a place, or outside the brain."""
    known = np.isfinite(contacts[["x", "y", "z"]].to_numpy(float)).all(axis=1)
    reasons = {}
    for name, has_place, tissue in zip(contacts["name"], known, placement.tissue, strict=True):
        if not has_place:
            reasons[str(name)] = "no coordinates"
        elif tissue == "outside":
            reasons[str(name)] = "outside the brain"
    return reasons


def _mark_unplaced(channel: Channel, unplaced: dict[str, str]) -> Channel:
    """Mark a channel whose contact has no place, or whose own lie outside the brain, as bad."""
    own = [name for name in (channel.anode, channel.cathode) if name is not None]
    reasons = [
        unplaced[name] for name in channel.contacts if unplaced.get(name) == "no coordinates"
    ]
    if reasons:
        return _as_bad(channel, reasons[0])
    if all(unplaced.get(name) == "outside the brain" for name in own):
        return _as_bad(channel, "outside the brain")
    return channel


def _as_bad(channel: Channel, reason: str) -> Channel:
    text = "; ".join(part for part in (channel.reason, reason) if part)
    return replace(channel, status="bad", reason=text)


# one seizure ---------------------------------------------------------------------------
def _read_seizure(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: _Source,
    channels: Sequence[Channel],
    number: int,
    settings: SeegSettings,
) -> _SeizureResult:
    """Read a seizure electrode by electrode and compute envelope, onsets and display signal."""
    duration_s = seizure.duration_s
    length_s = source.header.duration_s
    baseline = choose_baseline(seizure, others, settings)
    choices = EnvelopeChoices(
        settings.band_hz, source.line_hz, settings.window_s, settings.smoothing_s, baseline
    )
    first_s = max(-seizure.onset_s, min(baseline[0], -settings.before_onset_s))
    last_s = min(length_s - seizure.onset_s, duration_s + settings.after_offset_s)
    begin_s = max(-settings.before_onset_s, first_s)
    grid_s, rate_hz = envelope_grid(
        begin_s, last_s, settings.envelope_rate_hz, settings.envelope_points_max
    )
    parts = [
        _process(seizure, group, source, (first_s, last_s), grid_s, choices, settings)
        for group in _electrodes(channels)
    ]
    names = [channel.name for channel in channels]
    onsets = np.concatenate([part[1] for part in parts])
    attrs = _envelope_attrs(seizure, source, choices, rate_hz, number, duration_s, settings)
    envelope = xr.DataArray(
        np.concatenate([part[0] for part in parts]).T,
        dims=("time", "channel"),
        coords={"time": grid_s, "channel": names, "onset_s": ("channel", onsets)},
        name="envelope",
        attrs=attrs,
    )
    display = xr.DataArray(
        np.concatenate([part[2] for part in parts]).T.astype(np.float32),
        dims=("time", "channel"),
        coords={"time": parts[0][3], "channel": names},
        name="signal",
        attrs={"units": "uV", "seizure": number, "offset_s": duration_s},
    )
    return _SeizureResult(envelope, display, dict(zip(names, onsets.tolist(), strict=True)))


def _electrodes(channels: Sequence[Channel]) -> Iterator[list[Channel]]:
    """Channels electrode by electrode, so that a long recording never stands in memory whole."""
    for _, group in groupby(channels, key=lambda channel: channel.electrode):
        yield list(group)


def choose_baseline(
    seizure: Seizure, others: Sequence[Seizure], settings: SeegSettings
) -> tuple[float, float]:
    """Return start and end of the baseline, in seconds from the marked onset.

    It ends `baseline_gap_s` before the onset and lasts `baseline_s`; it is cut at the start of
    the recording and at the end of an earlier seizure. Where less than a second would remain,
    it reaches up to the onset.
    """
    earliest = -seizure.onset_s
    for other in others:
        if other.onset_s < seizure.onset_s and not math.isnan(other.duration_s):
            earliest = max(earliest, other.offset_s + settings.baseline_gap_s - seizure.onset_s)
    stop = -settings.baseline_gap_s
    start = max(stop - settings.baseline_s, earliest)
    if stop - start >= min(1.0, settings.baseline_s):
        return start, stop
    start = max(-settings.baseline_s, earliest)
    if start >= -0.25:
        start = max(-settings.baseline_s, -seizure.onset_s)
    return start, 0.0


def _process(
    seizure: Seizure,
    channels: Sequence[Channel],
    source: _Source,
    span_s: tuple[float, float],
    grid_s: Signal,
    choices: EnvelopeChoices,
    settings: SeegSettings,
) -> tuple[Signal, Signal, Signal, Signal]:
    """Envelope, onsets, display signal and its times for the channels of one electrode."""
    spelling = {key_of(str(n)): str(n) for n in source.selection.recorded["recorded"]}
    wanted = dict.fromkeys(name for channel in channels for name in channel.recorded)
    here = {name: spelling[key_of(name)] for name in wanted}
    start, stop = (seizure.onset_s + edge for edge in span_s)
    recorded, times_s = read_signal(
        source.recording.signal, list(here.values()), start - _MARGIN_S, stop + _MARGIN_S
    )
    weights = weight_matrix([channel.recorded for channel in channels], list(here))
    signal = weights @ recorded
    times_s = times_s - seizure.onset_s
    rate_hz = source.header.rate_hz
    power = log_power(signal, times_s, rate_hz, choices)
    clean = remove_line(signal, rate_hz, choices.line_hz)
    slow, slow_times, slow_rate = decimated(clean, times_s, rate_hz, _DETECTOR_RATE_HZ)
    near = (slow_times >= span_s[0]) & (slow_times <= span_s[1])
    onsets = detect_onsets(
        slow[:, near], slow_times[near], slow_rate, choices.baseline_s, onset_choices(settings)
    )
    shown, shown_times, _ = decimated(clean, times_s, rate_hz, settings.display_rate_hz)
    keep = (shown_times >= grid_s[0]) & (shown_times <= grid_s[-1])
    return sample_at(power, times_s, grid_s), onsets, shown[:, keep] * 1e6, shown_times[keep]


def onset_choices(settings: SeegSettings) -> OnsetChoices:
    """Return the detector's part of the settings."""
    return OnsetChoices(
        settings.onset_window_s,
        settings.onset_factor,
        settings.onset_split_hz,
        settings.onset_hold_s,
    )


def decimated(
    signal: Signal, times_s: Signal, rate_hz: float, wanted_hz: float
) -> tuple[Signal, Signal, float]:
    """Lower the rate by a whole factor, not below `wanted_hz`, without aliases."""
    factor = max(1, int(rate_hz // wanted_hz))
    if factor == 1:
        return signal, times_s, rate_hz
    lower = dsp.resample_poly(signal, 1, factor, axis=-1, padtype="line")
    return lower, times_s[::factor], rate_hz / factor


def _envelope_attrs(
    seizure: Seizure,
    source: _Source,
    choices: EnvelopeChoices,
    rate_hz: float,
    number: int,
    duration_s: float,
    settings: SeegSettings,
) -> dict[str, Any]:
    """Every choice behind an envelope."""
    return {
        "seizure": number,
        "offset_s": duration_s,
        "onset_in_recording_s": seizure.onset_s,
        "recording": source.recording.signal.name,
        "event": seizure.source,
        "units": "natural logarithm of power above baseline",
        "montage": settings.montage,
        "line_frequency_hz": choices.line_hz or "none",
        "line_frequency_from": source.line_said,
        "band_hz": [choices.band_hz[0], min(choices.band_hz[1], 0.5 * source.header.rate_hz)],
        "window_s": choices.window_s,
        "smoothing_s": choices.smoothing_s,
        "sampling_hz": rate_hz,
        "baseline_s": list(choices.baseline_s),
        "recording_rate_hz": source.header.rate_hz,
        "onset_detector": f"multitaper, {settings.onset_factor:g} times the baseline, "
        f"for {settings.onset_hold_s:g} s",
    }


# gain and tables -----------------------------------------------------------------------
def _gain(
    channels: Sequence[Channel],
    contacts: pd.DataFrame,
    regions: pd.DataFrame,
    labels: Any,
    surfaces: Surfaces | None,
    settings: SeegSettings,
) -> tuple[pd.DataFrame, str]:
    """Gain of the good channels, and where its sources lie."""
    sources = make_sources(regions, labels, surfaces, settings)
    used = contacts[np.isfinite(contacts[["x", "y", "z"]].to_numpy(float)).all(axis=1)]
    weights = weight_matrix([channel.contacts for channel in channels], list(used["name"]))
    gain = power_gain(
        used[["x", "y", "z"]].to_numpy(float),
        weights,
        sources,
        len(regions),
        settings.clamp_mm,
        combination=settings.gain_combination,
        dipole=settings.gain == "dipole",
    )
    frame = pd.DataFrame(
        gain,
        index=pd.Index([channel.name for channel in channels], name="name"),
        columns=list(regions["name"]),
    )
    return frame, sources.kind


def _tables(
    contacts: pd.DataFrame,
    montage: Sequence[Channel],
    placement: Placement,
    regions: pd.DataFrame,
    sources: Sequence[_Source],
    results: Sequence[_SeizureResult],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of contacts and channels as docs/architecture.md has them."""
    names = [str(name) for name in regions["name"]]
    return (
        _contact_rows(contacts, placement, names, sources),
        _channel_rows(contacts, montage, placement, names, results),
    )


def _contact_rows(
    contacts: pd.DataFrame, placement: Placement, names: list[str], sources: Sequence[_Source]
) -> pd.DataFrame:
    region, probability, words = name_regions(placement.probabilities, names)
    status = [_contact_status(str(name), sources) for name in contacts["name"]]
    outside = [tissue == "outside" for tissue in placement.tissue]
    table = contacts[["name", "electrode", "number", "x", "y", "z"]].copy()
    table["region"] = [None if out else name for out, name in zip(outside, region, strict=True)]
    table["p_region"] = np.where(outside, np.nan, probability)
    table["tissue"] = [None if word == "n/a" else word for word in placement.tissue]
    table["status"] = ["bad" if reason else "good" for reason in status]
    table["status_description"] = [reason or None for reason in status]
    table["region_probabilities"] = words
    return table


def _contact_status(name: str, sources: Sequence[_Source]) -> str:
    """Reason for which a contact is bad, empty where it is good."""
    seen = False
    for source in sources:
        rows = source.selection.recorded
        own = rows.loc[(rows["anode"] == name) | (rows["cathode"] == name), "recorded"]
        for recorded in own:
            seen = True
            reason = source.selection.bad.get(recorded) or source.proposed.get(recorded)
            if reason:
                return reason
    return "" if seen else "not recorded"


def _channel_rows(
    contacts: pd.DataFrame,
    montage: Sequence[Channel],
    placement: Placement,
    names: list[str],
    results: Sequence[_SeizureResult],
) -> pd.DataFrame:
    """Table of the channels: place and region of a pair are those of its middle."""
    order = {str(name): i for i, name in enumerate(contacts["name"])}
    points = contacts[["x", "y", "z"]].to_numpy(float)
    own = [
        [order[name] for name in (channel.anode, channel.cathode) if name is not None]
        for channel in montage
    ]
    middle = np.array([points[rows].mean(axis=0) for rows in own])
    mixed = np.array([placement.probabilities[rows].mean(axis=0) for rows in own])
    region, probability, words = name_regions(mixed, names)
    table = pd.DataFrame(
        {
            "name": [channel.name for channel in montage],
            "anode": [channel.anode for channel in montage],
            "cathode": [channel.cathode for channel in montage],
            "electrode": [channel.electrode for channel in montage],
            "x": middle[:, 0],
            "y": middle[:, 1],
            "z": middle[:, 2],
            "region": region,
            "p_region": probability,
            "status": [channel.status for channel in montage],
            "status_description": [channel.reason or None for channel in montage],
            "region_probabilities": words,
        }
    )
    for number, result in enumerate(results, start=1):
        column = "onset_s" if number == 1 else f"onset_s_{number:02d}"
        table[column] = [result.onsets.get(channel.name, math.nan) for channel in montage]
    return table


# quality -------------------------------------------------------------------------------
def _quality(
    files: PatientFiles,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    seizures: Sequence[Seizure],
    sources: Sequence[_Source],
    gain: pd.DataFrame,
    gain_kind: str,
    placement: Placement,
    points: Signal,
) -> dict[str, Any]:
    """Figures for the report."""
    contacts, channels = tables
    system = coordinate_system(files)
    tissue = contacts["tissue"].dropna()
    return {
        "n_contacts": len(contacts),
        "n_contacts_good": int((contacts["status"] == "good").sum()),
        "n_channels": len(channels),
        "n_channels_good": int((channels["status"] == "good").sum()),
        "n_channels_seizing": int(channels["onset_s"].notna().sum()),
        "share_in_brain": share_in_brain(placement, points),
        "tissue": {str(word): int(count) for word, count in tissue.value_counts().items()},
        "coordinate_frame": system.stated,
        "coordinate_frame_used": system.frame,
        "mm_per_unit": system.mm_per_unit,
        "seizures": [_seizure_figures(s, i) for i, s in enumerate(seizures, start=1)],
        "recordings": [_recording_figures(source) for source in sources],
        "bad_channels": {
            str(row["name"]): str(row["status_description"])
            for row in channels[channels["status"] == "bad"].to_dict("records")
        },
        "gain_sources": gain_kind,
        "observability": dict(
            zip(gain.columns, observability(gain.to_numpy()).tolist(), strict=True)
        ),
    }


def _seizure_figures(seizure: Seizure, number: int) -> dict[str, Any]:
    return {
        "seizure": number,
        "recording": seizure.recording.signal.name,
        "onset_s": seizure.onset_s,
        "duration_s": seizure.duration_s,
        "kind": seizure.kind,
        "event": seizure.source,
    }


def _recording_figures(source: _Source) -> dict[str, Any]:
    return {
        "recording": source.recording.signal.name,
        "rate_hz": source.header.rate_hz,
        "duration_s": source.header.duration_s,
        "line_frequency_hz": source.line_hz,
        "line_frequency_from": source.line_said,
        "marked_bad": source.selection.bad,
        "proposed_bad": source.proposed,
    }


def _seen(gain: pd.DataFrame, quality: dict[str, Any]) -> list[str]:
    """Say what the implantation cannot see."""
    blind = [name for name, value in quality["observability"].items() if value < 0.01]
    notes = [f"gain from {quality['gain_sources']}"]
    if blind:
        notes.append(f"{len(blind)} of {gain.shape[1]} regions are all but unseen")
    return notes
