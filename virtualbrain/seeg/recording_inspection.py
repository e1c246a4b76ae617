"""Find a recording's channels, mains frequency and bad channels before its seizures are read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.io.bids import Recording
from virtualbrain.io.recordings import (
    RecordingHeader,
    read_header,
    read_recording_sidecar,
)
from virtualbrain.seeg.bad_channels import detect_line_frequency, propose_bad
from virtualbrain.seeg.channel_selection import Selection, select_channels
from virtualbrain.seeg.contact_regions import Placement
from virtualbrain.seeg.montage import Channel, build_montage, contact_labels
from virtualbrain.seeg.seizures import Seizure
from virtualbrain.seeg.settings import SeegSettings

_QUALITY_SEGMENT_S = 30.0

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class InspectedRecording:
    """One recording with its channels, mains frequency and proposed bad channels."""

    recording: Recording
    header: RecordingHeader
    selection: Selection
    line_hz: float | None
    line_source: str
    proposed: dict[str, str]


def inspect_recording(
    recording: Recording,
    contacts: pd.DataFrame,
    seizures: Sequence[Seizure],
    settings: SeegSettings,
) -> InspectedRecording:
    """Inspect a recording: its tables and the 30 seconds before its first seizure."""
    header = read_header(recording.signal)
    selection = select_channels(recording, header, contacts, settings)
    onset = min(s.onset_s for s in seizures if s.recording == recording)
    names = [str(name) for name in selection.recorded["recorded"] if name not in selection.bad]
    start = max(header.stretch(onset)[0], onset - _QUALITY_SEGMENT_S)
    quiet, _ = selection.read(recording, names, start, onset)
    line_hz, line_source = _line_frequency(recording, quiet, selection.rate_hz, settings)
    anodes = selection.recorded.set_index("recorded")["anode"].to_dict()
    own = [str(anodes[name]) for name in names]
    return InspectedRecording(
        recording=recording,
        header=header,
        selection=selection,
        line_hz=line_hz,
        line_source=line_source,
        proposed=propose_bad(quiet, names, selection.rate_hz, line_hz, own),
    )


def _line_frequency(
    recording: Recording, quiet: Signal, rate_hz: float, settings: SeegSettings
) -> tuple[float | None, str]:
    """Return the mains frequency and its source."""
    if settings.line_frequency_hz is not None:
        return float(settings.line_frequency_hz), "settings"
    stated = read_recording_sidecar(recording).get("PowerLineFrequency")
    if isinstance(stated, int | float) and stated > 0:
        return float(stated), "sidecar"
    found = detect_line_frequency(quiet, rate_hz)
    return found, "detected" if found else "none stated, none detected"


def common_montage(
    sources: Sequence[InspectedRecording],
    contacts: pd.DataFrame,
    placement: Placement,
    settings: SeegSettings,
) -> tuple[Channel, ...]:
    """Return the channels of all recordings; a channel that is bad or missing in one is bad.

    Their weights are keyed by contacts (`montage.contact_labels`), because recordings may spell
    names differently.
    """
    unplaced = _unplaced(contacts, placement)
    merged: dict[str, Channel] = {}
    counts: dict[str, int] = {}
    for source in sources:
        bad = dict(source.selection.bad)
        if settings.exclude_proposed_bad:
            bad = {**{k: f"proposed: {v}" for k, v in source.proposed.items()}, **bad}
        labels = contact_labels(source.selection.recorded)
        for channel in build_montage(source.selection.recorded, bad, settings.montage):
            weights = {labels[name]: weight for name, weight in channel.recorded.items()}
            marked = _mark_unplaced(replace(channel, recorded=weights), unplaced)
            counts[channel.name] = counts.get(channel.name, 0) + 1
            if channel.name not in merged or marked.status == "bad":
                merged[channel.name] = marked
    return tuple(
        channel if counts[name] == len(sources) else _as_bad(channel, "not in every recording")
        for name, channel in merged.items()
    )


def _unplaced(contacts: pd.DataFrame, placement: Placement) -> dict[str, str]:
    """Return the contacts without coordinates or outside the brain, with the reason."""
    known = np.isfinite(contacts[["x", "y", "z"]].to_numpy(float)).all(axis=1)
    reasons = {}
    for name, has_coordinates, tissue in zip(
        contacts["name"], known, placement.tissue, strict=True
    ):
        if not has_coordinates:
            reasons[str(name)] = "no coordinates"
        elif tissue == "outside":
            reasons[str(name)] = "outside the brain"
    return reasons


def _mark_unplaced(channel: Channel, unplaced: dict[str, str]) -> Channel:
    """Mark a channel as bad if a contact has no coordinates or all are outside the brain."""
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
