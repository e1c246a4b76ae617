"""Build the result tables and the quality figures of the SEEG stage."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.io.coordsystem import CoordinateSystem
from virtualbrain.seeg.contact_regions import Placement, name_regions, share_in_brain
from virtualbrain.seeg.gain import observability
from virtualbrain.seeg.montage import Channel
from virtualbrain.seeg.recording_inspection import InspectedRecording
from virtualbrain.seeg.seizure_features import SeizureFeatures
from virtualbrain.seeg.seizures import Seizure

Signal = NDArray[np.float64]


def contact_rows(
    contacts: pd.DataFrame,
    placement: Placement,
    names: list[str],
    sources: Sequence[InspectedRecording],
    marks: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the contacts with region, tissue, status and marks (docs/architecture.md)."""
    region, probability, texts = name_regions(placement.probabilities, names)
    status = [_contact_status(str(name), sources) for name in contacts["name"]]
    outside = [tissue == "outside" for tissue in placement.tissue]
    table = contacts[["name", "electrode", "number", "x", "y", "z"]].copy()
    table["region"] = [None if out else name for out, name in zip(outside, region, strict=True)]
    table["p_region"] = np.where(outside, np.nan, probability)
    table["tissue"] = [None if name == "n/a" else name for name in placement.tissue]
    table["status"] = ["bad" if reason else "good" for reason in status]
    table["status_description"] = [reason or None for reason in status]
    table["region_probabilities"] = texts
    return table if marks is None else table.join(marks)


def _contact_status(name: str, sources: Sequence[InspectedRecording]) -> str:
    """Return the reason why a contact is bad; empty if it is good."""
    recorded_somewhere = False
    for source in sources:
        rows = source.selection.recorded
        own = rows.loc[(rows["anode"] == name) | (rows["cathode"] == name), "recorded"]
        for recorded in own:
            recorded_somewhere = True
            reason = source.selection.bad.get(recorded) or source.proposed.get(recorded)
            if reason:
                return reason
    return "" if recorded_somewhere else "not recorded"


def channel_rows(
    contacts: pd.DataFrame,
    montage: Sequence[Channel],
    placement: Placement,
    names: list[str],
    results: Sequence[SeizureFeatures],
) -> pd.DataFrame:
    """Return the table of channels; a bipolar channel is located midway between its contacts."""
    order = {str(name): i for i, name in enumerate(contacts["name"])}
    points = contacts[["x", "y", "z"]].to_numpy(float)
    own = [
        [order[name] for name in (channel.anode, channel.cathode) if name is not None]
        for channel in montage
    ]
    middle = np.array([points[rows].mean(axis=0) for rows in own])
    mixed = np.array([placement.probabilities[rows].mean(axis=0) for rows in own])
    region, probability, texts = name_regions(mixed, names)
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
            "region_probabilities": texts,
        }
    )
    for number, result in enumerate(results, start=1):
        suffix = "" if number == 1 else f"_{number:02d}"
        for column in ("onset_s", "epileptogenicity_index"):
            values = result.envelope[column].to_series().to_dict()
            table[column + suffix] = [values.get(channel.name, math.nan) for channel in montage]
    return table


def quality_figures(
    system: CoordinateSystem,
    tables: tuple[pd.DataFrame, pd.DataFrame],
    seizures: Sequence[Seizure],
    sources: Sequence[InspectedRecording],
    gain: pd.DataFrame,
    gain_kind: str,
    placement: Placement,
    points: Signal,
) -> dict[str, Any]:
    """Return the quality figures of the SEEG stage."""
    contacts, channels = tables
    tissue = contacts["tissue"].dropna()
    return {
        "n_contacts": len(contacts),
        "n_contacts_good": int((contacts["status"] == "good").sum()),
        "n_channels": len(channels),
        "n_channels_good": int((channels["status"] == "good").sum()),
        "n_channels_seizing": int(channels["onset_s"].notna().sum()),
        "share_in_brain": share_in_brain(placement, points),
        "tissue": {str(name): int(count) for name, count in tissue.value_counts().items()},
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


def _recording_figures(source: InspectedRecording) -> dict[str, Any]:
    return {
        "recording": source.recording.signal.name,
        "rate_hz": source.selection.rate_hz,
        "duration_s": source.header.duration_s,
        "line_frequency_hz": source.line_hz,
        "line_frequency_from": source.line_source,
        "marked_bad": source.selection.bad,
        "proposed_bad": source.proposed,
    }
