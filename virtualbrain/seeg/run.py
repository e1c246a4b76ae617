"""Run the SEEG stage: from a patient's files and regions to envelopes and gain."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.bids import PatientFiles, Recording
from virtualbrain.io.seeg import Seeg
from virtualbrain.io.text import encoding_notes
from virtualbrain.seeg.check import check_seeg
from virtualbrain.seeg.clinical_marks import contact_marks, unplaced_note
from virtualbrain.seeg.contact_regions import (
    Placement,
    candidate_frames,
    place_points,
    share_in_brain,
)
from virtualbrain.seeg.contacts import coordinate_system, read_contacts
from virtualbrain.seeg.coordinates import tkras_to_scanner
from virtualbrain.seeg.gain import Surfaces, make_sources, power_gain
from virtualbrain.seeg.montage import Channel, weight_matrix
from virtualbrain.seeg.recording_inspection import common_montage, inspect_recording
from virtualbrain.seeg.region_centres import distance_note, distance_problems
from virtualbrain.seeg.result_tables import channel_rows, contact_rows, quality_figures
from virtualbrain.seeg.seizure_features import read_seizure
from virtualbrain.seeg.seizures import Seizure, require_marks
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.seeg.template_contacts import SPREAD_MM, in_the_template

_LOG = logging.getLogger(__name__)

Signal = NDArray[np.float64]


def run_seeg(
    files: PatientFiles,
    regions: pd.DataFrame,
    labels: Any,
    surfaces: Surfaces | None,
    brain_mask: Any,
    settings: SeegSettings,
) -> Seeg:
    """Read a patient's seizures and contacts, and compute the input of the fit.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    regions : pandas.DataFrame
        Region table (docs/architecture.md), mm in scanner RAS of the T1w.
    labels : nibabel image, optional
        Region labels; without it, regions are located by their centres.
    surfaces : mapping, optional
        Per hemisphere: vertices (n, 3), triangles (m, 3), region index per vertex.
    brain_mask : nibabel image, optional
        Mask that shows which contacts are outside the brain.
    settings : SeegSettings
        Settings of the stage.

    Returns
    -------
    Seeg

    Raises
    ------
    InputError
        The first problem that `check_seeg` finds, too few contacts inside the brain or near a
        region centre, or no good channel.
    """
    problems = check_seeg(files, settings)
    if problems:
        raise problems[0]
    if files.uses_template:
        settings = in_the_template(settings)
    contacts = read_contacts(files, settings)
    marks = require_marks(files, settings)
    seizures = marks.seizures
    points = contacts[["x", "y", "z"]].to_numpy(float)
    placement = place_points(points, regions, labels, brain_mask, settings)
    notes = _check_positions(files, points, regions, placement, labels, brain_mask, settings)
    sources = [inspect_recording(r, contacts, seizures, settings) for r in _recordings(seizures)]
    notes += [*files.notes, *encoding_notes(files.seeg_files()), *marks.notes]
    notes += [note for s in sources for note in (*s.header.notes, *s.selection.notes)]
    montage = common_montage(sources, contacts, placement, settings)
    good = tuple(channel for channel in montage if channel.status == "good")
    if not good:
        raise InputError(
            "no good channel is left",
            where=", ".join(s.recording.signal.name for s in sources),
            expected="at least one channel that is not bad",
            hint="check the status column of channels.tsv and seeg.montage, or set "
            "seeg.exclude_proposed_bad: false",
        )
    by_recording = {source.recording: source for source in sources}
    results = []
    for number, seizure in enumerate(seizures, start=1):
        _LOG.info("seizure %d of %d: %s", number, len(seizures), seizure.source)
        others = [s for s in seizures if s.recording == seizure.recording and s is not seizure]
        source = by_recording[seizure.recording]
        results.append(read_seizure(seizure, others, source, good, number, settings))
    notes += [note for result in results for note in result.notes]
    gain, gain_kind = _gain(good, contacts, regions, labels, surfaces, settings)
    names = [str(name) for name in regions["name"]]
    stated = contact_marks(files, contacts)
    tables = (
        contact_rows(contacts, placement, names, sources, stated.columns),
        channel_rows(contacts, montage, placement, names, results),
    )
    system = coordinate_system(files, settings)
    quality = quality_figures(
        system, tables, [r.seizure for r in results], sources, gain, gain_kind, placement, points
    )
    notes += [*_gain_notes(gain, quality), *stated.notes, *unplaced_note(tables[0])]
    return Seeg(
        *tables,
        envelopes=tuple(result.envelope for result in results),
        signals=tuple(result.signal for result in results),
        gain=gain,
        quality=quality,
        notes=tuple(notes),
    )


def _recordings(seizures: Sequence[Seizure]) -> list[Recording]:
    """List the recordings with a seizure, once each."""
    return list(dict.fromkeys(seizure.recording for seizure in seizures))


def _check_positions(
    files: PatientFiles,
    points: Signal,
    regions: pd.DataFrame,
    placement: Placement,
    labels: Any,
    brain_mask: Any,
    settings: SeegSettings,
) -> list[str]:
    """Raise an error if too few contacts are inside the brain; name frames that would fit."""
    share = share_in_brain(placement, points)
    system = coordinate_system(files, settings)
    notes = list(system.notes)
    if files.uses_template:
        notes.append(
            "no MRI of this patient: contacts placed in the template MNI152, with an uncertainty "
            f"of {SPREAD_MM:g} mm; versions of MNI152 differ by a few mm"
        )
    if not settings.frame:
        notes.insert(
            0, f"coordinate frame of the contacts: {system.frame} (stated: {system.stated})"
        )
    if math.isnan(share):
        for problem in distance_problems(files, points, regions, settings):
            raise problem
        return [*notes, distance_note(points, regions, settings)]
    if share >= settings.brain_share_min:
        return [*notes, f"{share:.0%} of the contacts are inside the brain"]
    others = candidate_frames(points, labels, brain_mask, _other_readings(files))
    better = [
        f"{name} would put {part:.0%} inside the brain"
        for name, part in others.items()
        if part > max(share, settings.brain_share_min)
    ]
    raise InputError(
        f"only {share:.0%} of the contacts are inside the brain",
        where=files.electrodes.name if files.electrodes else "",
        expected=f"at least {settings.brain_share_min:.0%} in the frame {system.frame} of the "
        f"{'template' if files.uses_template else 'T1w'}",
        hint="; ".join(better) or "check coordinate frame, unit and T1w image in coordsystem.json",
    )


def _other_readings(files: PatientFiles) -> dict[str, Signal]:
    """Return the affines of other coordinate frames that the contacts might be in."""
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


def _gain(
    channels: Sequence[Channel],
    contacts: pd.DataFrame,
    regions: pd.DataFrame,
    labels: Any,
    surfaces: Surfaces | None,
    settings: SeegSettings,
) -> tuple[pd.DataFrame, str]:
    """Return the gain of the good channels, and the kind of its sources."""
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


def _gain_notes(gain: pd.DataFrame, quality: dict[str, Any]) -> list[str]:
    """Return notes on the gain and on unsampled regions."""
    hardly_observable = [name for name, value in quality["observability"].items() if value < 0.01]
    notes = [f"sources of the gain: {quality['gain_sources']}"]
    if hardly_observable:
        notes.append(
            f"{len(hardly_observable)} of {gain.shape[1]} regions have an observability below 0.01"
        )
    return notes
