"""Pack the contents of the 3D and slice views: meshes, volumes, contacts."""

import base64
import gzip
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from nibabel.processing import resample_from_to
from nibabel.spatialimages import SpatialImage
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter
from skimage.measure import marching_cubes

from virtualbrain.io.anatomy import Surface
from virtualbrain.io.images import label_voxels
from virtualbrain.io.results import PatientResults

MZ3_MAGIC = 23117
MZ3_FACES, MZ3_VERTICES = 1, 2
MAX_VERTICES = 14000
MAX_DEEP_VERTICES = 500
MARGIN_MM = 12.0
GZIP_LEVEL = 6


@dataclass(frozen=True)
class Grid:
    """A box of voxels along R, A, S in the patient's space."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]


def pack(content: bytes) -> str:
    """Return bytes compressed by gzip without time stamp, as base64."""
    return base64.b64encode(gzip.compress(content, GZIP_LEVEL, mtime=0)).decode("ascii")


def simplify(surface: Surface, max_vertices: int = MAX_VERTICES) -> Surface:
    """Reduce a surface to `max_vertices` or fewer by merging the vertices in each grid cell.

    A merged vertex has the mean position and the most frequent region of its cell.
    """
    cell_mm = 1.0
    while len(surface.vertices) > max_vertices:
        cell = _cells(surface.vertices, cell_mm)
        if cell.max() < max_vertices:
            return _merged(surface, cell)
        cell_mm *= 1.15
    return surface


def _cells(vertices: NDArray[np.float64], cell_mm: float) -> NDArray[np.int64]:
    """Return the number of each vertex's grid cell; the cells are in the order of their places."""
    places = np.floor(vertices / cell_mm).astype(np.int64)
    places -= places.min(axis=0)
    one_number = np.ravel_multi_index(tuple(places.T), tuple(places.max(axis=0) + 1))
    return np.unique(one_number, return_inverse=True)[1]


def _merged(surface: Surface, cell: NDArray[np.int64]) -> Surface:
    """Return the surface with one vertex for each cell."""
    counts = np.bincount(cell)
    vertices = np.column_stack(
        [np.bincount(cell, weights=surface.vertices[:, axis]) / counts for axis in range(3)]
    )
    triangles = cell[surface.triangles]
    distinct = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 0] != triangles[:, 2])
    )
    triangles = triangles[distinct]
    corners = tuple(np.sort(triangles, axis=1).T)
    _, first = np.unique(np.ravel_multi_index(corners, (len(counts),) * 3), return_index=True)
    return Surface(vertices, triangles[np.sort(first)], _most_frequent(cell, surface.regions))


def _most_frequent(cell: NDArray[np.int64], regions: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the most frequent region of each cell; of several, the lowest."""
    lowest = regions.min()
    n_regions = int(regions.max() - lowest) + 1
    pairs, votes = np.unique(cell * n_regions + (regions - lowest), return_counts=True)
    its_cell, region = np.divmod(pairs, n_regions)
    order = np.lexsort((region, -votes, its_cell))
    _, first = np.unique(its_cell[order], return_index=True)
    return np.asarray(region[order][first] + lowest, dtype=np.int32)


def mz3(surface: Surface) -> bytes:
    """Return vertices and triangles in the MZ3 format, which niivue reads."""
    header = struct.pack(
        "<HHIII",
        MZ3_MAGIC,
        MZ3_FACES | MZ3_VERTICES,
        len(surface.triangles),
        len(surface.vertices),
        0,
    )
    return (
        header
        + surface.triangles.astype("<i4").tobytes()
        + surface.vertices.astype("<f4").tobytes()
    )


def deep_surface(results: PatientResults) -> Surface | None:
    """Return the outlines of all regions below the cortex, from the label image."""
    if results.labels is None or results.regions is None:
        return None
    frame = results.regions.frame
    deep = frame.loc[frame["structure"] == "subcortex", "index"].astype(int)
    labels = label_voxels(results.labels)
    boxes = find_objects(labels)
    parts = [
        _outline(labels, box, results.labels.affine, label)
        for label, box in ((label, boxes[label - 1]) for label in deep if 0 < label <= len(boxes))
        if box is not None
    ]
    found = [part for part in parts if part is not None]
    if not found:
        return None
    starts = np.cumsum([0, *(len(part.vertices) for part in found[:-1])])
    return Surface(
        np.concatenate([part.vertices for part in found]),
        np.concatenate([part.triangles + n for part, n in zip(found, starts, strict=True)]),
        np.concatenate([part.regions for part in found]),
    )


def _outline(
    labels: NDArray[np.integer], box: tuple[slice, ...], affine: NDArray[np.float64], label: int
) -> Surface | None:
    """Return one region's smoothed outline; it lies in the box."""
    voxels = np.argwhere(labels[box] == label) + [side.start for side in box]
    if len(voxels) < 8:
        return None
    low = voxels.min(axis=0) - 3
    shape = voxels.max(axis=0) + 4 - low
    region = np.zeros(shape, dtype=np.float32)
    region[tuple((voxels - low).T)] = 1.0
    soft = gaussian_filter(region, 0.8)
    with warnings.catch_warnings():
        # scikit-image sets an array's shape in place, which NumPy 2.5 deprecates
        warnings.filterwarnings("ignore", "Setting the shape", DeprecationWarning)
        vertices, triangles, _, _ = marching_cubes(soft, min(0.4, float(soft.max()) / 2))
    surface = Surface(
        apply_affine(affine, vertices + low),
        triangles.astype(np.int64),
        np.full(len(vertices), label, dtype=np.int64),
    )
    return simplify(surface, MAX_DEEP_VERTICES)


def display_grid(labels: SpatialImage, contacts: pd.DataFrame | None, voxel_mm: float) -> Grid:
    """Return a box around all regions and contacts."""
    occupied = np.asarray(labels.dataobj) > 0
    along = [np.flatnonzero(occupied.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    corners = np.array([[used[0], used[-1]] for used in along]).T
    box = np.array(np.meshgrid(*corners.T)).reshape(3, -1).T
    points = apply_affine(labels.affine, box)
    if contacts is not None and len(contacts):
        centres = contacts[["x", "y", "z"]].to_numpy(dtype=float)
        points = np.vstack([points, centres[np.isfinite(centres).all(axis=1)]])
    low, high = points.min(axis=0) - MARGIN_MM, points.max(axis=0) + MARGIN_MM
    size = np.ceil((high - low) / voxel_mm).astype(int) + 1
    affine = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    affine[:3, 3] = low
    return Grid((int(size[0]), int(size[1]), int(size[2])), affine)


def t1_on(grid: Grid, t1: SpatialImage) -> nib.Nifti1Image:
    """Return the T1 on the display grid, 8 bit; the brightest 0.5 % are clipped."""
    values = np.nan_to_num(np.asarray(t1.dataobj, dtype=np.float32))
    image = nib.Nifti1Image(values, t1.affine)
    resampled = resample_from_to(image, (grid.shape, grid.affine), order=1).get_fdata()
    top = np.quantile(resampled[resampled > 0], 0.995) if (resampled > 0).any() else 1.0
    scaled = np.clip(resampled / top, 0, 1) * 255
    return nib.Nifti1Image(scaled.round().astype(np.uint8), grid.affine)


def first_label(n_regions: int) -> int:
    """Return the label value of the report's first region.

    niivue rounds the lowest 2/256 of a colour table up; these values are left to the background.
    """
    return 4 + n_regions // 64


def labels_on(grid: Grid, labels: SpatialImage, positions: Mapping[int, int]) -> nib.Nifti1Image:
    """Return regions on the display grid; region k of the report is `first_label` + k."""
    values = np.asarray(labels.dataobj).astype(np.int32)
    image = nib.Nifti1Image(values, labels.affine)
    moved = resample_from_to(image, (grid.shape, grid.affine), order=0).get_fdata().astype(int)
    table = np.zeros(max(int(moved.max()), max(positions, default=0)) + 1, dtype=np.int32)
    for label, position in positions.items():
        table[label] = position + first_label(len(positions))
    kind = np.uint8 if table.max() < 256 else np.int16
    return nib.Nifti1Image(table[np.clip(moved, 0, None)].astype(kind), grid.affine)


def build_scene(results: PatientResults, names: Sequence[str]) -> dict[str, Any]:
    """Return the embedded meshes and contacts; missing parts are omitted."""
    positions = _position_of_label(results, names)
    scene: dict[str, Any] = {"meshes": {}, "contacts": _contacts(results, names)}
    surfaces = {side: simplify(surface) for side, surface in sorted(results.surfaces.items())}
    deep = deep_surface(results)
    if deep is not None:
        surfaces["deep"] = deep
    for side, small in surfaces.items():
        table = np.zeros(max(int(small.regions.max()), max(positions, default=0)) + 1, dtype="<u2")
        for label, position in positions.items():
            table[label] = position + 1
        scene["meshes"][side] = {
            "mz3": pack(mz3(small)),
            "regions": pack(table[np.clip(small.regions, 0, None)].tobytes()),
        }
    return scene


def volumes_of(results: PatientResults, names: Sequence[str], voxel_mm: float) -> dict[str, Any]:
    """Return the embedded T1 and labels in voxels of a size; empty without images."""
    if results.t1 is None or results.labels is None:
        return {}
    positions = _position_of_label(results, names)
    contacts = None if results.contacts is None else results.contacts.frame
    grid = display_grid(results.labels, contacts, voxel_mm)
    return {
        "t1": pack(t1_on(grid, results.t1).to_bytes()),
        "first_label": first_label(len(positions)),
        "labels": pack(labels_on(grid, results.labels, positions).to_bytes()),
    }


def _position_of_label(results: PatientResults, names: Sequence[str]) -> dict[int, int]:
    """Return the position among the report's regions by value in the label image."""
    position = {name: i for i, name in enumerate(names)}
    return {
        label: position[name] for label, name in results.region_of_label.items() if name in position
    }


def _contacts(results: PatientResults, names: Sequence[str]) -> list[dict[str, Any]]:
    if results.contacts is None:
        return []
    position = {name: i for i, name in enumerate(names)}
    seizing = _seizing_contacts(results)
    return [
        {
            "name": str(row["name"]),
            "electrode": str(row["electrode"]),
            "xyz": [round(float(row[axis]), 1) for axis in "xyz"],
            "region": position.get(str(row["region"]), -1),
            "state": _state(row, seizing),
        }
        for row in results.contacts.frame.to_dict("records")
        if all(np.isfinite(float(row[axis])) for axis in "xyz")
    ]


def _state(contact: Mapping[Any, Any], seizing: set[str]) -> str:
    if contact["status"] != "good":
        return "bad"
    return "seizing" if str(contact["name"]) in seizing else "good"


def _seizing_contacts(results: PatientResults) -> set[str]:
    """Return the contacts of channels with a measured onset in the first seizure."""
    if results.channels is None:
        return set()
    frame = results.channels.frame
    rows = frame[pd.to_numeric(frame["onset_s"]).notna()]
    return {str(name) for side in ("anode", "cathode") for name in rows[side].dropna()}
