"""Check a patient's recordings, events and contacts before the pipeline starts."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.clock import Pause
from virtualbrain.io.coordsystem import coordinate_system_problems
from virtualbrain.io.recordings import (
    RecordingHeader,
    read_header,
    read_json,
    read_recording_sidecar,
)
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.bad_channels import spread
from virtualbrain.seeg.channel_selection import Selection, select_channels
from virtualbrain.seeg.clinical_marks import contact_marks
from virtualbrain.seeg.contacts import (
    COLUMNS,
    MICRO_COLUMNS,
    contact_problems,
    contact_table,
    coordinate_system,
    read_contacts,
    stated_coordinates,
)
from virtualbrain.seeg.coordinates import tkras_to_scanner
from virtualbrain.seeg.montage import build_montage
from virtualbrain.seeg.seizures import Seizure, read_marks, require_seizures
from virtualbrain.seeg.settings import SeegSettings

PLAUSIBLE_SPREAD_V = (5e-7, 2e-2)
SHORTEST_BASELINE_S = 0.5
_SEGMENT_S = 10.0


def check_seeg(files: PatientFiles, settings: SeegSettings) -> list[VirtualBrainError]:
    """Return every problem of a patient's recordings, events and contacts.

    Reads tables, headers and ten seconds of signal, never a complete recording.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Settings of the SEEG stage.

    Returns
    -------
    list of VirtualBrainError
        Each states file and row, the expected value and a hint; empty if nothing is wrong.
    """
    problems: list[VirtualBrainError] = list(electrode_problems(files, settings))
    if not files.recordings:
        problems.append(
            InputError(
                "no SEEG recording",
                where=f"sub-{files.label}/ieeg",
                expected="*_ieeg.vhdr or *_ieeg.edf with channels.tsv and events.tsv",
                hint="add the recording of at least one seizure",
            )
        )
        return problems
    try:
        seizures = require_seizures(files, settings)
    except InputError as error:
        problems.append(error)
        seizures = ()
    contacts = _contacts_or_names(files, settings)
    for recording in files.recordings:
        own = tuple(s for s in seizures if s.recording == recording)
        # A recording without a seizure is not used beside one that has one.
        if own or not seizures:
            problems += recording_problems(recording, own, contacts, settings)
    if contacts is not None and not problems:
        problems += _common_problems(
            list(dict.fromkeys(s.recording for s in seizures)), contacts, settings
        )
    return problems


def _common_problems(
    recordings: Sequence[Recording], contacts: pd.DataFrame, settings: SeegSettings
) -> list[InputError]:
    """Return the problem of recordings with seizures that have no good channel in common."""
    common: set[str] = set()
    for number, recording in enumerate(recordings):
        selection = select_channels(recording, read_header(recording.signal), contacts, settings)
        montage = build_montage(selection.recorded, selection.bad, settings.montage)
        good = {channel.name for channel in montage if channel.status == "good"}
        common = good if number == 0 else common & good
    if common or len(recordings) < 2:
        return []
    return [
        InputError(
            "no good channel is in every recording with a seizure",
            where=", ".join(recording.signal.name for recording in recordings),
            expected="channels that were recorded in all seizures",
            hint="correct the names and the status of the channels, or leave out a seizure by "
            "another word in events.tsv",
        )
    ]


def seeg_notes(files: PatientFiles, settings: SeegSettings) -> list[str]:
    """Return what the user should know of recordings, channels and events that can be read.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    settings : SeegSettings
        Settings of the SEEG stage.
    """
    contacts = _contacts_or_names(files, settings)
    notes = list(contact_marks(files, contacts).notes) if contacts is not None else []
    try:
        marks = read_marks(files, settings)
    except InputError:
        return notes
    notes += marks.notes
    for recording in dict.fromkeys(seizure.recording for seizure in marks.seizures):
        try:
            header = read_header(recording.signal)
            notes += header.notes
            if contacts is not None:
                notes += select_channels(recording, header, contacts, settings).notes
        except InputError:
            continue
    return notes


def electrode_problems(files: PatientFiles, settings: SeegSettings) -> list[InputError]:
    """Return the problems of electrodes.tsv and coordsystem.json."""
    problems = []
    if files.coordsystem is not None:
        try:
            content = read_json(files.coordsystem)
            problems += coordinate_system_problems(
                content,
                files.coordsystem.name,
                settings.frame,
                settings.units,
                template=files.uses_template,
            )
        except InputError as error:
            return [error]
    try:
        system = None if problems else coordinate_system(files, settings)
    except InputError as error:
        problems.append(error)
        system = None
    if files.electrodes is None or system is None:
        return problems or _first_error(files, settings)
    try:
        table = read_table(files.electrodes, COLUMNS, MICRO_COLUMNS)
        stated = stated_coordinates(table, files.electrodes.name)
        problems += contact_problems(table, stated, system, files.electrodes.name)
        if system.frame == "tkras":
            tkras_to_scanner(files.freesurfer, files.electrodes.name)
    except InputError as error:
        problems.append(error)
    return problems


def _first_error(files: PatientFiles, settings: SeegSettings) -> list[InputError]:
    """Return the error raised when the contacts are read, if any."""
    try:
        read_contacts(files, settings)
    except InputError as error:
        return [error]
    return []


def _contacts_or_names(files: PatientFiles, settings: SeegSettings) -> pd.DataFrame | None:
    """Return the contacts, with NaN coordinates if those are wrong.

    The channels can then be checked although the coordinates cannot be used.
    """
    if files.electrodes is None:
        return None
    try:
        return read_contacts(files, settings)
    except InputError:
        pass
    try:
        table = read_table(files.electrodes, required=["name"])
    except InputError:
        return None
    return contact_table([str(n) for n in table["name"]], np.full((len(table), 3), np.nan))


def recording_problems(
    recording: Recording,
    seizures: tuple[Seizure, ...],
    contacts: pd.DataFrame | None,
    settings: SeegSettings,
) -> list[InputError]:
    """Return the problems of one recording, its sidecar, channels and seizures."""
    problems = []
    try:
        read_recording_sidecar(recording)
    except InputError as error:
        problems.append(error)
    try:
        header = read_header(recording.signal)
    except InputError as error:
        return [*problems, error]
    problems += _timing(seizures, header, settings)
    if contacts is None:
        return problems
    try:
        selection = select_channels(recording, header, contacts, settings)
        problems += selection.problems or _montage_problems(selection, contacts, settings)
        names = [n for n in selection.recorded["recorded"] if n not in selection.bad]
        if names and seizures and not any("the unit" in p.what for p in selection.problems):
            problems += amplitude_problems(recording, header, selection, names, seizures[0].onset_s)
    except InputError as error:
        problems.append(error)
    return problems


def _montage_problems(
    selection: Selection, contacts: pd.DataFrame, settings: SeegSettings
) -> list[InputError]:
    """Return the problem of a montage without any good channel that has coordinates."""
    known = contacts[["x", "y", "z"]].notna().all(axis=1)
    if not known.any():
        return []  # reported with the contacts
    located = set(contacts.loc[known, "name"])
    try:
        montage = build_montage(selection.recorded, selection.bad, settings.montage)
    except InputError as error:
        return [error]
    if any(c.status == "good" and set(c.contacts) <= located for c in montage):
        return []
    return [
        InputError(
            f"no good channel with coordinates is left in the montage {settings.montage}",
            where="channels.tsv and electrodes.tsv",
            expected="at least one channel that is not bad, with the coordinates of its contacts",
            hint="correct the status of the channels or the coordinates, or set seeg.montage",
        )
    ]


def _timing(
    seizures: Sequence[Seizure], header: RecordingHeader, settings: SeegSettings
) -> list[InputError]:
    """Return the problems of the seizures' times within their recording, one of a kind."""
    kinds: dict[str, list[Seizure]] = {}
    for seizure in seizures:
        kind = _timing_fault(seizure, header, settings)
        if kind:
            kinds.setdefault(kind, []).append(seizure)
    return [_timing_error(kind, found, header) for kind, found in kinds.items()]


def _timing_fault(seizure: Seizure, header: RecordingHeader, settings: SeegSettings) -> str:
    """Return the kind of problem of a seizure's times; empty without any."""
    ends = seizure.onset_s if math.isnan(seizure.duration_s) else seizure.offset_s
    begins_s, ends_s = header.stretch(seizure.onset_s)
    # A marked offset may be on the last sample.
    slack = 1 / header.rate_hz
    if not seizure.onset_s >= 0 or ends > header.duration_s + slack:
        return "outside"
    if math.isnan(seizure.duration_s) and not settings.accept_proposed_end:
        return "no offset"
    if ends > ends_s + slack:
        return "pause"
    if seizure.onset_s - begins_s < SHORTEST_BASELINE_S:
        return "no baseline"
    return ""


def _timing_error(kind: str, seizures: Sequence[Seizure], header: RecordingHeader) -> InputError:
    """Return the error for all seizures with one kind of problem."""
    where = ", ".join(dict.fromkeys(seizure.source for seizure in seizures))
    times = ", ".join(_times(seizure) for seizure in seizures)
    one = len(seizures) == 1
    subject = f"the seizure ({times})" if one else f"{len(seizures)} seizures ({times})"
    if kind == "outside":
        return InputError(
            f"{subject} {'is' if one else 'are'} not inside the recording {header.path.name}, "
            f"which is {header.duration_s:g} s long",
            where=where,
            expected="onset and duration in seconds from the first sample",
            hint="correct onset and duration, or provide the complete recording",
        )
    if kind == "no offset":
        return InputError(
            f"{subject} {'has' if one else 'have'} no marked offset",
            where=where,
            expected="a duration in seconds",
            hint="enter the duration (`virtualbrain seizures` proposes one), or set "
            "seeg.accept_proposed_end: true to accept the proposed one",
        )
    pauses = ", ".join(_pause_text(pause) for pause in header.pauses)
    if kind == "pause":
        return InputError(
            f"{subject} {'spans' if one else 'span'} a pause of the recording (pauses: {pauses})",
            where=where,
            expected="a seizure in a stretch without pauses",
            hint="provide a recording without pauses, or mark the part before the pause",
        )
    after = f" after its last pause (pauses: {pauses})" if pauses else ""
    return InputError(
        f"no baseline: the recording starts less than {SHORTEST_BASELINE_S:g} s before the onset "
        f"of {subject}{after}",
        where=where,
        expected=f"at least {SHORTEST_BASELINE_S:g} s (better 30 s) of recording before the onset",
        hint="provide a recording that starts earlier",
    )


def _times(seizure: Seizure) -> str:
    if math.isnan(seizure.duration_s):
        return f"from {seizure.onset_s:g} s"
    return f"{seizure.onset_s:g} s to {seizure.offset_s:g} s"


def _pause_text(pause: Pause) -> str:
    length = "" if math.isnan(pause.length_s) else f" for {pause.length_s:g} s"
    return f"at {pause.at_s:g} s{length}"


def amplitude_problems(
    recording: Recording,
    header: RecordingHeader,
    selection: Selection,
    names: list[str],
    onset_s: float,
) -> list[InputError]:
    """Return an error if the amplitude in the ten seconds before the onset is implausible."""
    start = max(header.stretch(onset_s)[0], onset_s - _SEGMENT_S)
    signal, _ = selection.read(recording, names, start, max(onset_s, start + 1.0))
    if signal.shape[1] == 0:
        return []  # the event is after the end of the recording; `_timing` reports it
    if not np.isfinite(signal).all():
        return [
            InputError(
                "the signal contains values that are infinite or not numbers",
                where=header.path.name,
                expected="finite numbers",
                hint="export the recording again",
            )
        ]
    size = float(np.median(spread(signal)))
    low, high = PLAUSIBLE_SPREAD_V
    if low <= size <= high or size == 0:
        return []
    return [
        InputError(
            f"the median channel has a standard deviation of {size * 1e6:.3g} µV",
            where=header.path.name,
            expected=f"{low * 1e6:g} µV to {high * 1e3:g} mV",
            hint="the unit in the file's header is probably wrong (volts instead of microvolts?): "
            "export the recording again",
        )
    ]
