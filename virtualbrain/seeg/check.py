"""Check a patient's recordings, events and contacts before the pipeline starts."""

import math

import numpy as np
import pandas as pd

from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.coordsystem import coordinate_system_problems
from virtualbrain.io.recordings import RecordingHeader, read_header, read_json, read_signal
from virtualbrain.io.tables import read_table
from virtualbrain.seeg.bad_channels import spread
from virtualbrain.seeg.channel_selection import select_channels
from virtualbrain.seeg.contacts import (
    contact_problems,
    contact_table,
    coordinate_system,
    read_contacts,
    stated_coordinates,
)
from virtualbrain.seeg.coordinates import tkras_to_scanner
from virtualbrain.seeg.seizures import Seizure, require_seizures
from virtualbrain.seeg.settings import SeegSettings

PLAUSIBLE_SPREAD_V = (5e-7, 2e-2)
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
    return problems


def electrode_problems(files: PatientFiles, settings: SeegSettings) -> list[InputError]:
    """Return the problems of electrodes.tsv and coordsystem.json."""
    problems = []
    if files.coordsystem is not None:
        try:
            content = read_json(files.coordsystem)
            problems += coordinate_system_problems(
                content, files.coordsystem.name, settings.frame, settings.units
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
        table = read_table(files.electrodes, required=["name", "x", "y", "z"])
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
    """Return the problems of one recording, its channels and its seizures."""
    try:
        header = read_header(recording.signal)
    except InputError as error:
        return [error]
    problems = [problem for seizure in seizures for problem in _timing(seizure, header, settings)]
    if contacts is None:
        return problems
    try:
        selection = select_channels(recording, header, contacts, settings)
        problems += selection.problems
        names = [n for n in selection.recorded["recorded"] if n not in selection.bad]
        if names and seizures:
            problems += amplitude_problems(header, names, seizures[0].onset_s)
    except InputError as error:
        problems.append(error)
    return problems


def _timing(seizure: Seizure, header: RecordingHeader, settings: SeegSettings) -> list[InputError]:
    """Return the problem of a seizure's onset and duration within its recording, if any."""
    ends = seizure.onset_s if math.isnan(seizure.duration_s) else seizure.offset_s
    # A marked offset may be on the last sample.
    if seizure.onset_s < 0 or ends > header.duration_s + 1 / header.rate_hz:
        return [
            InputError(
                f"the seizure ({seizure.onset_s:g} s to {ends:g} s) is not inside the recording "
                f"{header.path.name}, which is {header.duration_s:g} s long",
                where=seizure.source,
                expected="onset and duration in seconds from the first sample",
                hint="correct onset and duration, or provide the complete recording",
            )
        ]
    if math.isnan(seizure.duration_s) and not settings.accept_proposed_end:
        return [
            InputError(
                "the seizure has no marked offset",
                where=seizure.source,
                expected="a duration in seconds",
                hint="enter the duration (`virtualbrain seizures` proposes one), or set "
                "seeg.accept_proposed_end: true to accept the proposed one",
            )
        ]
    if seizure.onset_s < 0.5:
        return [
            InputError(
                "no baseline: the recording starts less than 0.5 s before the seizure onset",
                where=seizure.source,
                expected="at least 0.5 s (better 30 s) of recording before the onset",
                hint="provide a recording that starts earlier",
            )
        ]
    return []


def amplitude_problems(
    header: RecordingHeader, names: list[str], onset_s: float
) -> list[InputError]:
    """Return an error if the amplitude in the ten seconds before the onset is implausible."""
    start = max(0.0, onset_s - _SEGMENT_S)
    signal, _ = read_signal(header.path, names, start, max(onset_s, start + 1.0))
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
