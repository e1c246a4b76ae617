"""Propose the missing onset or offset of a seizure, and draw it for approval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.recordings import read_header
from virtualbrain.seeg.contacts import read_contacts
from virtualbrain.seeg.montage import Channel, build_montage
from virtualbrain.seeg.recording_inspection import InspectedRecording, inspect_recording
from virtualbrain.seeg.seizure_features import (
    LONGEST_S,
    activity,
    propose_end,
    propose_onset,
    whole_envelope,
)
from virtualbrain.seeg.seizures import Seizure, no_seizure_error, read_marks
from virtualbrain.seeg.settings import SeegSettings

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Proposal:
    """One seizure with a proposed onset or offset.

    Parameters
    ----------
    seizure : Seizure
        Seizure with onset and duration.
    missing : str
        ``onset`` or ``end`` if it is proposed; empty if both are marked.
    times_s, activity : numpy.ndarray, shape (n_times,)
        Seconds from the start of the recording, and log power of the most active channels;
        empty if nothing is proposed.
    """

    seizure: Seizure
    missing: str
    times_s: Signal
    activity: Signal


def propose_times(files: PatientFiles, settings: SeegSettings) -> tuple[Proposal, ...]:
    """Return all seizures; propose the onset or offset where it is missing.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Seizure words, montage, frequency band.

    Raises
    ------
    InputError
        A file cannot be read, or no seizure is marked.
    """
    marks = read_marks(files, settings)
    with_onset, ends = marks.seizures, marks.ends
    if not with_onset and not ends:
        raise no_seizure_error(files, settings, marks)
    found = []
    for seizure in with_onset:
        if math.isnan(seizure.duration_s):
            source, channels = _prepare(files, seizure, settings)
            found.append(_propose_end(seizure, with_onset, source, channels, settings))
        else:
            found.append(Proposal(seizure, "", np.zeros(0), np.zeros(0)))
    for end in ends:
        found.append(_propose_onset(end, with_onset, files, settings))
    return tuple(sorted(found, key=lambda p: (p.seizure.recording.signal, p.seizure.onset_s)))


def _prepare(
    files: PatientFiles, seizure: Seizure, settings: SeegSettings
) -> tuple[InspectedRecording, list[Channel]]:
    """Inspect a seizure's recording and build its montage of good channels."""
    source = inspect_recording(
        seizure.recording, read_contacts(files, settings), [seizure], settings
    )
    bad = {**source.proposed, **source.selection.bad}
    montage = build_montage(source.selection.recorded, bad, settings.montage)
    return source, [channel for channel in montage if channel.status == "good"]


def _propose_end(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    channels: Sequence[Channel],
    settings: SeegSettings,
) -> Proposal:
    """Return a seizure with a proposed offset."""
    own = [s for s in others if s.recording == seizure.recording and s is not seizure]
    envelope, times_s = whole_envelope(seizure, own, source, channels, settings)
    complete = replace(seizure, duration_s=propose_end(envelope, times_s))
    return Proposal(complete, "end", times_s + seizure.onset_s, _activity(envelope, times_s))


def _propose_onset(
    end: Seizure, others: Sequence[Seizure], files: PatientFiles, settings: SeegSettings
) -> Proposal:
    """Return a seizure with a proposed onset; the earliest part before its offset is baseline."""
    earlier = [s for s in others if s.recording == end.recording and s.onset_s < end.onset_s]
    before = [s.onset_s if math.isnan(s.duration_s) else s.offset_s for s in earlier]
    begins_s = read_header(end.recording.signal).stretch(end.onset_s)[0]
    first_s = max([begins_s, end.onset_s - LONGEST_S, *before])
    quiet_s = min(settings.baseline_s + settings.baseline_gap_s, 0.25 * (end.onset_s - first_s))
    start = replace(end, onset_s=first_s + quiet_s)
    stop = replace(end, onset_s=end.onset_s + 1e-3)
    source, channels = _prepare(files, start, settings)  # bad channels from the baseline
    envelope, times_s = whole_envelope(start, [stop], source, channels, settings)
    from_end_s = times_s + start.onset_s - end.onset_s
    onset_s = end.onset_s + propose_onset(envelope, from_end_s)
    complete = replace(end, onset_s=onset_s, duration_s=end.onset_s - onset_s)
    return Proposal(complete, "onset", times_s + start.onset_s, _activity(envelope, times_s))


def _activity(envelope: Signal, times_s: Signal) -> Signal:
    """Return the activity over time for the figure."""
    return activity(envelope, float(times_s[1] - times_s[0]))


def describe(proposal: Proposal) -> str:
    """Return a seizure as one line; for a proposal, with the values to enter in events.tsv."""
    seizure = proposal.seizure
    text = (
        f"{seizure.recording.signal.name}: seizure at {seizure.onset_s:.1f} s "
        f"for {seizure.duration_s:.1f} s ({seizure.source})"
    )
    if not proposal.missing:
        return text
    return (
        f"{text}; its {proposal.missing} is PROPOSED: if the figure confirms it, enter "
        f"onset {seizure.onset_s:.1f} and duration {seizure.duration_s:.1f} in events.tsv"
    )


def draw_proposals(proposals: Sequence[Proposal], path: Path) -> None:
    """Draw the activity around each proposed time; the seizure is shaded."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4 * len(proposals)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(proposals), 1))
    for panel, proposal in zip(panels, proposals, strict=True):
        seizure = proposal.seizure
        panel.plot(proposal.times_s, proposal.activity, lw=0.9)
        panel.axvspan(seizure.onset_s, seizure.offset_s, color="C1", alpha=0.25, lw=0)
        panel.set_title(f"{seizure.recording.signal.name}: proposed {proposal.missing}", fontsize=9)
        panel.set_ylabel("log power above baseline\n(most active channels)", fontsize=7)
        panel.tick_params(labelsize=7)
    panels[-1].set_xlabel("seconds from the start of the recording", fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
