"""Read and write the files of the command `cortex`."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage
from numpy.typing import NDArray

from virtualbrain.io.atomic import atomic_path
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.manifest import checksum

_SIDES = {"L": "CortexLeft", "R": "CortexRight"}


def surface_key(layout: PatientLayout, n_vertices: int, reach_mm: float) -> str:
    """Return what a prepared surface depends on: the pial surfaces, their labels, and its size."""
    files = [path for h in "LR" for path in (layout.pial(h), layout.pial_labels(h))]
    sums = [checksum(path) for path in files if path.is_file()]
    return " ".join(["1", str(n_vertices), f"{reach_mm:g}", *sums])


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], key: str) -> None:
    """Write arrays with a key that states what they were computed from."""
    content: dict[str, Any] = {**arrays, "key": np.array(key)}
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **content)


def read_arrays(path: Path, key: str) -> dict[str, NDArray[Any]] | None:
    """Read arrays that `write_arrays` wrote with the same key, or None."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            if str(stored["key"]) != key:
                return None
            return {name: stored[name] for name in stored.files if name != "key"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # damaged: it is computed again


def write_vertex_series(
    path: Path, values: NDArray[np.float32], step_s: float, start_s: float, hemisphere: str
) -> None:
    """Write a time series of every vertex of a hemisphere as GIFTI.

    Parameters
    ----------
    path : Path
        A path that ends in ``.func.gii``.
    values : numpy.ndarray, shape (n_times, n_vertices)
        The series.
    step_s, start_s : float
        Time between samples, and time of the first one from the marked onset, in seconds.
    hemisphere : str
        ``L`` or ``R``.
    """
    arrays = [
        GiftiDataArray(
            frame.astype(np.float32),
            intent="NIFTI_INTENT_TIME_SERIES",
            datatype="NIFTI_TYPE_FLOAT32",
            meta={
                "TimeStep": f"{step_s:.6g}",
                "Time": f"{start_s + k * step_s:.6g}",
                "AnatomicalStructurePrimary": _SIDES[hemisphere],
            },
        )
        for k, frame in enumerate(values)
    ]
    image = GiftiImage(darrays=arrays)
    image.meta["TimeStep"] = f"{step_s:.6g}"
    image.meta["AnatomicalStructurePrimary"] = _SIDES[hemisphere]
    with atomic_path(path) as temporary:
        nib.save(image, temporary)
