"""Rewrite tables, sidecars and image headers without identifying information."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from virtualbrain.io.clinical_marks import marks_of
from virtualbrain.io.coordsystem import described_frame
from virtualbrain.io.images import Image
from virtualbrain.privacy.personal_data import PERSONAL_KEYS
from virtualbrain.seeg.seizures import seizure_mark

OLDEST_STATED_AGE = 89  # a higher age can identify a person
KEPT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "participants.tsv": ("participant_id", "age", "sex", "handedness"),
    "channels.tsv": (
        *("name", "type", "units", "low_cutoff", "high_cutoff"),
        *("group", "sampling_frequency", "notch", "status"),
    ),
    "electrodes.tsv": (
        *("name", "x", "y", "z", "size", "hemisphere"),
        *("group", "type", "material", "impedance"),
    ),
    "events.tsv": ("onset", "duration", "trial_type", "eventType"),
    "hypothesis.tsv": ("region", "contact", "name", "zone"),
    "eloquent.tsv": ("region", "function"),
}
_KEPT_TEXT = {
    *("Modality", "Manufacturer", "ManufacturersModelName", "MRAcquisitionType"),
    *("ScanningSequence", "SequenceVariant", "ScanOptions", "PulseSequenceType"),
    *("PhaseEncodingDirection", "SliceEncodingDirection", "IntendedFor", "Units"),
    *("CoordinateSystem", "CoordinateUnits", "iEEGCoordinateSystem", "iEEGCoordinateUnits"),
    *("RecordingType", "TaskName", "ParallelReductionTechnique"),
}
_DATED_KEY = re.compile(r"date|time_?stamp|acquisition_?time|age$", re.IGNORECASE)
_FRAME_TEXTS = {
    "tkras": "FreeSurfer tkRAS (surface RAS) of the T1w",
    "scanner": "Scanner RAS of the T1w",
    "acpc": "AC-PC aligned",
}


def clean_sidecar(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a sidecar with numbers, and with texts of keys that have standard values.

    Returns
    -------
    kept : dict
        Content without identifying information; the description of a coordinate frame is
        replaced by a standard text.
    removed : list of str
        Removed keys.
    """
    kept = {key: value for key, value in content.items() if _is_harmless(key, value)}
    frame = described_frame(str(content.get("iEEGCoordinateSystemDescription") or ""))
    if frame is not None:
        kept["iEEGCoordinateSystemDescription"] = _FRAME_TEXTS[frame]
    return kept, [key for key in content if key not in kept]


def _is_harmless(key: str, value: Any) -> bool:
    """Return whether a key and its value cannot identify a person."""
    if PERSONAL_KEYS.search(key) or _DATED_KEY.search(key):
        return False
    if key in _KEPT_TEXT or value == "n/a":
        return True
    values = value if isinstance(value, list) else [value]
    return all(v is None or isinstance(v, bool | int | float) for v in values)


def clean_table(name: str, table: pd.DataFrame, words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """Return a BIDS table with its standard columns; of events.tsv only the seizures.

    Parameters
    ----------
    name : str
        File name; its ending states the kind of table.
    table : pandas.DataFrame
        Content of the file.
    words : tuple of str
        Words that mark an event as a seizure.

    Returns
    -------
    table : pandas.DataFrame
        Table without identifying information.
    removed : list of str
        Description of each removal.
    """
    ending = next(ending for ending in KEPT_COLUMNS if name.endswith(ending))
    columns = [column for column in table if column in KEPT_COLUMNS[ending]]
    removed = [f"column {column}" for column in table if column not in columns]
    kept = table[columns].copy()
    if ending == "events.tsv":
        kept, dropped = _seizures_only(kept, words)
        removed += [f"{dropped} events other than seizures"] if dropped else []
    if ending in ("channels.tsv", "electrodes.tsv"):
        kept = kept.assign(**_marks(name, table))
    if "age" in kept:
        age = pd.to_numeric(kept["age"], errors="coerce")
        kept["age"] = age.clip(upper=OLDEST_STATED_AGE)
    return kept, removed


def _marks(name: str, table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the clinicians' marks as columns of yes and no, without other words."""
    marked = marks_of(table, Path(name)).marked if "name" in table else {}
    return {
        kind: ["yes" if str(row) in names else "no" for row in table["name"]]
        for kind, names in marked.items()
    }


def _seizures_only(table: pd.DataFrame, words: tuple[str, ...]) -> tuple[pd.DataFrame, int]:
    """Return the seizures, with standard marks instead of free text."""
    columns = [name for name in ("trial_type", "eventType") if name in table]
    texts = [" ".join(str(cell) for cell in row) for row in table[columns].to_numpy()]
    marks = [seizure_mark(text, words) for text in texts]
    kept = table[[mark is not None for mark in marks]].copy()
    for column in columns:
        kept[column] = [mark for mark in marks if mark is not None]
    return kept, len(table) - len(kept)


def clean_image(image: Image, keep: Any = None) -> nib.Nifti1Image:
    """Return an image with a new header: grid, frame and timing, without text or extensions.

    Parameters
    ----------
    image : nibabel image
        Image with three or four axes.
    keep : numpy.ndarray of bool, optional
        Voxels to keep; all others are set to zero.
    """
    voxels = np.asanyarray(image.dataobj)
    if keep is not None:
        shape = keep.shape + (1,) * (voxels.ndim - keep.ndim)
        voxels = np.where(keep.reshape(shape), voxels, np.zeros((), voxels.dtype))
    if voxels.dtype == np.float64:
        voxels = voxels.astype(np.float32)
    clean = nib.Nifti1Image(voxels, image.affine)
    clean.header.set_zooms(image.header.get_zooms()[: voxels.ndim])
    clean.set_sform(image.affine, code=1)
    if _has_no_shear(image.affine):
        clean.set_qform(image.affine, code=1)
    clean.header.set_xyzt_units("mm", "sec")
    return clean


def _has_no_shear(affine: Any) -> bool:
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return math.isclose(abs(float(np.linalg.det(axes))), 1.0, abs_tol=1e-4)
