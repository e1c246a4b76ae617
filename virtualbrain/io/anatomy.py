"""Read and write the results of the anatomy stage: images, region table and pial surfaces.

nibabel is imported on use: every start of the workflow imports this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.io.atomic import atomic_path, read_json, write_json
from virtualbrain.io.gifti import load_gifti
from virtualbrain.io.images import read_image, write_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import read_table, write_table

if TYPE_CHECKING:
    import nibabel as nib
    from nibabel.gifti import GiftiImage

_POINTS, _TRIANGLES, _LABEL, _NUMBERS = (
    "NIFTI_INTENT_POINTSET",
    "NIFTI_INTENT_TRIANGLE",
    "NIFTI_INTENT_LABEL",
    "NIFTI_INTENT_NONE",
)
_COLUMN_MEANINGS = {
    "index": "value in the label image",
    "x": "centroid, mm, T1w scanner RAS",
    "y": "centroid, mm, T1w scanner RAS",
    "z": "centroid, mm, T1w scanner RAS",
    "area": "mm²; pial surface of a cortical region, surface of the voxels of a nucleus",
    "volume": "mm³",
    "nx": "mean outward normal of the cortex, unit vector, scanner RAS",
    "ny": "mean outward normal of the cortex, unit vector, scanner RAS",
    "nz": "mean outward normal of the cortex, unit vector, scanner RAS",
}


class Surface(NamedTuple):
    """The closed pial surface of one hemisphere.

    Parameters
    ----------
    vertices : numpy.ndarray, shape (n, 3)
        mm, scanner RAS.
    triangles : numpy.ndarray, shape (m, 3)
        Vertex numbers, counter-clockwise seen from outside.
    regions : numpy.ndarray, shape (n,)
        Region index of every vertex; 0 on the medial wall.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    regions: NDArray[np.int32]


@dataclass(frozen=True)
class Anatomy:
    """Regions, tissues and pial surfaces of a patient's brain, on the grid of the T1.

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        Bias-corrected T1.
    brain_mask : nibabel.Nifti1Image
        1 inside the brain.
    labels : nibabel.Nifti1Image
        Label image: region index of every voxel, 0 outside all regions.
    regions : pandas.DataFrame
        Region table (`virtualbrain.anatomy.regions.COLUMNS`); `index` is the value in `labels`.
    tissues : nibabel.Nifti1Image
        Five-tissue image for MRtrix's anatomically constrained tractography.
    surfaces : mapping of str to Surface
        Pial surfaces by hemisphere, ``L`` and ``R``.
    quality : mapping
        Quality figures of registration and parcellation.
    notes : tuple of str
        Remarks for the report, in full sentences.
    """

    t1: "nib.Nifti1Image"
    brain_mask: "nib.Nifti1Image"
    labels: "nib.Nifti1Image"
    regions: pd.DataFrame
    tissues: "nib.Nifti1Image"
    surfaces: Mapping[str, Surface]
    quality: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def write_anatomy(layout: PatientLayout, anatomy: Anatomy, sidecar: Mapping[str, Any]) -> None:
    """Write every result of the anatomy stage.

    Parameters
    ----------
    layout : PatientLayout
        File names of the patient's results.
    anatomy : Anatomy
        Result of `virtualbrain.anatomy.run.run_anatomy`.
    sidecar : mapping
        Sources, configuration and versions, written to all JSON files.
    """
    write_image(layout.t1, anatomy.t1)
    write_json(layout.t1.with_suffix("").with_suffix(".json"), {**sidecar, "SkullStripped": False})
    write_image(layout.brain_mask, anatomy.brain_mask)
    write_image(layout.labels, anatomy.labels)
    write_image(layout.tissues, anatomy.tissues)
    for hemisphere, surface in anatomy.surfaces.items():
        write_surface(layout.pial(hemisphere), surface, hemisphere)
        write_vertex_labels(layout.pial_labels(hemisphere), surface, anatomy.regions, hemisphere)
    about = {
        **sidecar,
        "Atlas": layout.atlas,
        "Units": _COLUMN_MEANINGS,
        **{key: anatomy.quality[key] for key in ("dropped", "lost_regions")},
    }
    write_table(layout.regions, anatomy.regions, about)
    write_json(
        layout.anatomy_quality,
        {**sidecar, "figures": dict(anatomy.quality), "notes": list(anatomy.notes)},
    )


def read_anatomy(layout: PatientLayout) -> Anatomy:
    """Read the files of `write_anatomy`.

    Raises
    ------
    InputError
        A file is missing or unreadable.
    """
    quality = read_json(layout.anatomy_quality)
    surfaces = {
        hemisphere: read_surface(layout.pial(hemisphere), layout.pial_labels(hemisphere))
        for hemisphere in "LR"
        if layout.pial(hemisphere).is_file()
    }
    return Anatomy(
        t1=read_image(layout.t1),
        brain_mask=read_image(layout.brain_mask),
        labels=read_image(layout.labels),
        regions=read_table(layout.regions, required=("index", "name", "hemisphere", "structure")),
        tissues=read_image(layout.tissues, dimensions=4),
        surfaces=surfaces,
        quality=quality.get("figures", {}),
        notes=tuple(quality.get("notes", ())),
    )


def write_surface(path: Path, surface: Surface, hemisphere: str) -> None:
    """Write a surface as GIFTI, in mm and scanner RAS."""
    meta = {**_structure(hemisphere), "AnatomicalStructureSecondary": "Pial"}
    write_mesh(path, surface.vertices, surface.triangles, meta)


def write_mesh(
    path: Path,
    vertices: NDArray[np.float64],
    triangles: NDArray[np.int64],
    meta: Mapping[str, str],
) -> None:
    """Write vertices (mm, scanner RAS) and triangles as GIFTI, with metadata of the vertices."""
    from nibabel.gifti import GiftiCoordSystem, GiftiDataArray, GiftiImage

    points = GiftiDataArray(
        vertices.astype(np.float32),
        intent=_POINTS,
        datatype="NIFTI_TYPE_FLOAT32",
        coordsys=GiftiCoordSystem(1, 1, np.eye(4)),
        meta=dict(meta),
    )
    faces = GiftiDataArray(
        triangles.astype(np.int32), intent=_TRIANGLES, datatype="NIFTI_TYPE_INT32"
    )
    _save(path, GiftiImage(darrays=[points, faces]))


def write_vertex_values(path: Path, values: NDArray[np.float32], hemisphere: str) -> None:
    """Write one number for every vertex of a hemisphere as GIFTI."""
    from nibabel.gifti import GiftiDataArray, GiftiImage

    array = GiftiDataArray(
        values.astype(np.float32),
        intent=_NUMBERS,
        datatype="NIFTI_TYPE_FLOAT32",
        meta=_structure(hemisphere),
    )
    _save(path, GiftiImage(darrays=[array]))


def _structure(hemisphere: str) -> dict[str, str]:
    return {"AnatomicalStructurePrimary": {"L": "CortexLeft", "R": "CortexRight"}[hemisphere]}


def write_vertex_labels(
    path: Path, surface: Surface, regions: pd.DataFrame, hemisphere: str
) -> None:
    """Write the region of every vertex as a GIFTI label file with the region names."""
    from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable

    table = GiftiLabelTable()
    names = {0: "unknown", **dict(zip(regions["index"], regions["name"], strict=True))}
    for key in sorted({0, *np.unique(surface.regions).tolist()}):
        label = GiftiLabel(key=int(key), red=0.5, green=0.5, blue=0.5, alpha=float(key > 0))
        label.label = str(names[key])
        table.labels.append(label)
    values = GiftiDataArray(
        surface.regions.astype(np.int32),
        intent=_LABEL,
        datatype="NIFTI_TYPE_INT32",
        meta=_structure(hemisphere),
    )
    _save(path, GiftiImage(darrays=[values], labeltable=table))


def _save(path: Path, image: "GiftiImage") -> None:
    import nibabel as nib

    with atomic_path(path) as temporary:
        nib.save(image, temporary)


def read_surface(path: Path, labels: Path) -> Surface:
    """Read a surface and the regions of its vertices.

    Raises
    ------
    InputError
        A file is missing or unreadable.
    """
    try:
        faces, values = load_gifti(path), load_gifti(labels)
        surface = Surface(
            vertices=np.asarray(faces.agg_data(_POINTS), dtype=float),
            triangles=np.asarray(faces.agg_data(_TRIANGLES), dtype=np.int64),
            regions=np.asarray(values.agg_data(_LABEL), dtype=np.int32),
        )
    except Exception as error:  # damaged files raise many kinds
        raise _unreadable(path) from error
    n = len(surface.vertices)
    if (
        surface.vertices.shape != (n, 3)
        or surface.triangles.shape[1:] != (3,)
        or surface.regions.shape != (n,)
        or not 0 <= surface.triangles.min(initial=0) <= surface.triangles.max(initial=0) < max(n, 1)
    ):
        raise _unreadable(path)
    return surface


def _unreadable(path: Path) -> InputError:
    return InputError(
        "missing or unreadable surface",
        where=str(path),
        expected="a GIFTI file of the anatomy stage",
        hint="run the anatomy stage again",
    )
