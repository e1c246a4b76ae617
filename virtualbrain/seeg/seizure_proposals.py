"""Onset or end of seizures of which only one is marked: proposed, and drawn for approval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.bids import PatientFiles
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
from virtualbrain.seeg.seizures import Seizure, find_lone_ends, find_seizures
from virtualbrain.seeg.settings import SeegSettings

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Proposal:
    """One seizure with the onset or end that was missing.

    Parameters
    ----------
    seizure : Seizure
        With onset and duration.
    missing : str
        ``onset``, ``end`` or nothing: what is proposed.
    times_s, activity : numpy.ndarray, shape (n_times,)
        Seconds of the recording, and log power of the most active channels; empty where
        nothing is proposed.
    """

    seizure: Seizure
    missing: str
    times_s: Signal
    activity: Signal


def propose_times(files: PatientFiles, settings: SeegSettings) -> tuple[Proposal, ...]:
    """Propose the onset or end of every seizure that lacks one; the others come as they are.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Words, montage, band.

    Raises
    ------
    InputError
        A file cannot be read, or nothing is marked.
    """
    whole = find_seizures(files, settings)
    lone = find_lone_ends(files, settings)
    if not whole and not lone:
        raise InputError("no seizure is marked", where=f"sub-{files.label}/ieeg")
    found = []
    for seizure in whole:
        if math.isnan(seizure.duration_s):
            source, channels = _prepared(files, seizure, settings)
            found.append(_with_end(seizure, whole, source, channels, settings))
        else:
            found.append(Proposal(seizure, "", np.zeros(0), np.zeros(0)))
    for end in lone:
        found.append(_with_onset(end, whole, files, settings))
    return tuple(sorted(found, key=lambda p: (p.seizure.recording.signal, p.seizure.onset_s)))


def _prepared(
    files: PatientFiles, seizure: Seizure, settings: SeegSettings
) -> tuple[InspectedRecording, list[Channel]]:
    """Inspect a seizure's recording and build its montage of good channels."""
    source = inspect_recording(seizure.recording, read_contacts(files), [seizure], settings)
    bad = {**source.proposed, **source.selection.bad}
    montage = build_montage(source.selection.recorded, bad, settings.montage)
    return source, [channel for channel in montage if channel.status == "good"]


def _with_end(
    seizure: Seizure,
    others: Sequence[Seizure],
    source: InspectedRecording,
    channels: Sequence[Channel],
    settings: SeegSettings,
) -> Proposal:
    own = [s for s in others if s.recording == seizure.recording and s is not seizure]
    envelope, times_s = whole_envelope(seizure, own, source, channels, settings)
    complete = replace(seizure, duration_s=propose_end(envelope, times_s))
    return Proposal(complete, "end", times_s + seizure.onset_s, _activity(envelope, times_s))


def _with_onset(
    end: Seizure, others: Sequence[Seizure], files: PatientFiles, settings: SeegSettings
) -> Proposal:
    """Look back from a marked end; what lies earliest is the baseline."""
    earlier = [s for s in others if s.recording == end.recording and s.onset_s < end.onset_s]
    before = [s.onset_s if math.isnan(s.duration_s) else s.offset_s for s in earlier]
    first_s = max([0.0, end.onset_s - LONGEST_S, *before])
    quiet_s = min(settings.baseline_s + settings.baseline_gap_s, 0.25 * (end.onset_s - first_s))
    start = replace(end, onset_s=first_s + quiet_s)
    stop = replace(end, onset_s=end.onset_s + 1e-3)
    source, channels = _prepared(files, start, settings)  # bad by what is quiet, not by the end
    envelope, times_s = whole_envelope(start, [stop], source, channels, settings)
    from_end_s = times_s + start.onset_s - end.onset_s
    onset_s = end.onset_s + propose_onset(envelope, from_end_s)
    complete = replace(end, onset_s=onset_s, duration_s=end.onset_s - onset_s)
    return Proposal(complete, "onset", times_s + start.onset_s, _activity(envelope, times_s))


def _activity(envelope: Signal, times_s: Signal) -> Signal:
    return activity(envelope, float(times_s[1] - times_s[0]))


def describe(proposal: Proposal) -> str:
    """Return a seizure in one line, with the row of events.tsv that would approve a proposal."""
    seizure = proposal.seizure
    text = (
        f"{seizure.recording.signal.name}: seizure at {seizure.onset_s:.1f} s "
        f"for {seizure.duration_s:.1f} s ({seizure.source})"
    )
    if not proposal.missing:
        return text
    return (
        f"{text}; its {proposal.missing} is PROPOSED: if the picture is right, write "
        f"onset {seizure.onset_s:.1f} and duration {seizure.duration_s:.1f} into events.tsv"
    )


def draw_proposals(proposals: Sequence[Proposal], path: Path) -> None:
    """Draw the activity about each proposed time, the seizure shaded."""
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
    panels[-1].set_xlabel("seconds of the recording", fontsize=8)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)
