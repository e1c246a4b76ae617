"""Draw a synthetic head: T1 image, brain mask, tissues and regions."""

import warnings
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage
from skimage import measure

from virtualbrain.anatomy.atlases import Atlas, desikan_killiany, package_folder
from virtualbrain.io.images import make_image, read_image
from virtualbrain.synthetic.deformation import Deformation, random_deformation, rigid

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

SHAPE = (236, 222, 196)  # along the stored axes: posterior, superior, left
_TEMPLATE = "mni_icbm152_{}_tal_nlin_sym_09a_converted.nii.gz"
_FLOOR_MM = -71.0  # lower end of the brainstem in the template
_MIDDLE_MM = (0.0, -16.0, -5.0)

# Signals of a T1-weighted image at 3 T, in units of the template's (white matter about 220).
_AIR, _BONE, _MARROW, _MUSCLE, _FAT, _SKIN, _FLUID = 0.0, 16.0, 95.0, 120.0, 235.0, 140.0, 62.0
_GREY, _WHITE = 150.0, 222.0
_SCALE = 3.6  # from these units to the stored integers


@dataclass(frozen=True)
class HeadSettings:
    """Deviation of a synthetic head from the template, and quality of its image.

    Parameters
    ----------
    largest_mm : float
        Largest displacement of the deformation.
    noise : float
        Standard deviation of the noise, relative to the signal of white matter.
    bias : float
        Standard deviation of the log receive field.
    """

    largest_mm: float = 7.0
    noise: float = 0.022
    bias: float = 0.12


@dataclass(frozen=True)
class Head:
    """A head with its true tissues and regions; all images have the grid of the T1 (1 mm).

    Parameters
    ----------
    t1 : nibabel.Nifti1Image
        int16, with skull, scalp, air, bias field and Rician noise.
    brain_mask : nibabel.Nifti1Image
        uint8; brain of the template, including the ventricles.
    labels : nibabel.Nifti1Image
        int16; numbers as in column index of `regions`, 0 elsewhere.
    regions : pandas.DataFrame
        index name hemisphere structure x y z area volume; mm, mm², mm³; only cortical regions
        have an area.
    gm, wm, csf : nibabel.Nifti1Image
        float32 fractions of grey matter, white matter and fluid; their sum is 1 in the brain.
    intracranial : nibabel.Nifti1Image
        uint8; brain and surrounding fluid.
    soft : nibabel.Nifti1Image
        float32 fraction of scalp, muscle and marrow.
    deformation : Deformation
        Patient mm to template mm and back.
    """

    t1: nib.Nifti1Image
    brain_mask: nib.Nifti1Image
    labels: nib.Nifti1Image
    regions: pd.DataFrame
    gm: nib.Nifti1Image
    wm: nib.Nifti1Image
    csf: nib.Nifti1Image
    intracranial: nib.Nifti1Image
    soft: nib.Nifti1Image
    deformation: Deformation


@dataclass(frozen=True)
class _Layers:
    """Signal without field and noise, inside of the skull, and fraction of soft tissue."""

    signal: Array
    intracranial: NDArray[np.bool_]
    soft: Array


def make_head(rng: np.random.Generator, settings: HeadSettings | None = None) -> Head:
    """Draw a head: the deformed brain of the template in another pose, with skull and scalp.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all random numbers; the same state gives an identical head.
    settings : HeadSettings, optional
        Deformation, noise and field.

    Returns
    -------
    Head
        Image and true tissues and regions.

    Raises
    ------
    ToolError
        The packages with template and atlas are not installed.
    """
    settings = settings or HeadSettings()
    atlas = desikan_killiany()
    deformation = random_deformation(rng, settings.largest_mm)
    affine = _scanner_affine(rng, deformation.pose)
    places = deformation.to_template(_voxel_points(affine)).astype(np.float32)
    brain, gm, wm, template = _warped_tissues(places)
    mask = brain > 0.5
    csf = np.where(mask, np.clip(1.0 - gm - wm, 0.0, 1.0), 0.0).astype(np.float32)
    layers = _head_layers(rng, mask, places, _brain_signal(template, gm, wm, csf))
    labels = _warped_labels(atlas, places)
    return Head(
        t1=make_image(_scan(rng, layers.signal, settings), affine),
        brain_mask=make_image(mask.astype(np.uint8), affine),
        labels=make_image(labels, affine),
        regions=_region_table(atlas, labels, wm, affine),
        gm=make_image(gm * mask, affine),
        wm=make_image(wm * mask, affine),
        csf=make_image(np.where(mask, csf, layers.intracranial).astype(np.float32), affine),
        intracranial=make_image(layers.intracranial.astype(np.uint8), affine),
        soft=make_image(layers.soft, affine),
        deformation=deformation,
    )


# ---- the grid and the brain -----------------------------------------------------------------


def _scanner_affine(rng: np.random.Generator, pose: Floats) -> Floats:
    """Return axes P, S, L of a slightly oblique sagittal acquisition at 1 mm."""
    axes = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    linear = rigid(np.deg2rad(rng.normal(0.0, 1.5, 3)), np.zeros(3))[:3, :3] @ axes
    origin = apply_affine(pose, np.array(_MIDDLE_MM)) - linear @ ((np.array(SHAPE) - 1) / 2)
    return np.asarray(nib.affines.from_matvec(linear, origin))


def _voxel_points(affine: Floats) -> Floats:
    """Return the coordinates of every voxel (mm), shape (*SHAPE, 3)."""
    i, j, k = (np.arange(n, dtype=np.float64) for n in SHAPE)
    linear, origin = affine[:3, :3], affine[:3, 3]
    return np.asarray(
        origin
        + i[:, None, None, None] * linear[:, 0]
        + j[None, :, None, None] * linear[:, 1]
        + k[None, None, :, None] * linear[:, 2]
    )


def template_volume(kind: str) -> nib.Nifti1Image:
    """Return the template's ``t1``, ``gm`` or ``wm`` (MNI152 2009a symmetric, from nilearn)."""
    folder = package_folder("nilearn") / "datasets" / "data"
    return read_image(folder / _TEMPLATE.format(kind))


def _fraction_map(kind: str) -> Array:
    """Return a tissue map of the template as fractions from 0 to 1."""
    stored = np.asarray(template_volume(kind).dataobj, dtype=np.float32)
    return np.asarray(stored / 255, dtype=np.float32)


def _warped_tissues(places: Array) -> tuple[Array, Array, Array, Array]:
    """Return fractions of brain, grey and white matter, and the signal, at template points."""
    t1 = template_volume("t1")
    voxels = np.moveaxis(apply_affine(np.linalg.inv(t1.affine), places), -1, 0)
    volumes: list[Array] = [
        (np.asarray(t1.dataobj) > 0).astype(np.float32),
        _fraction_map("gm"),
        _fraction_map("wm"),
        np.asarray(t1.dataobj, dtype=np.float32),
    ]
    brain, gm, wm, signal = (
        ndimage.map_coordinates(volume, voxels, order=1, mode="constant") for volume in volumes
    )
    excess = np.maximum(gm + wm, 1.0)
    return brain, gm / excess, wm / excess, signal


def _brain_signal(template: Array, gm: Array, wm: Array, csf: Array) -> Array:
    """Return the mean of the template's signal and the signal of the tissues."""
    tissues = gm * _GREY + wm * _WHITE + csf * _FLUID
    return np.asarray(0.5 * template + 0.5 * tissues, dtype=np.float32)


def _warped_labels(atlas: Atlas, places: Array) -> NDArray[np.int16]:
    """Return the label of the nearest atlas voxel at template points."""
    source = np.asarray(atlas.image.dataobj)
    voxels = np.rint(apply_affine(np.linalg.inv(atlas.image.affine), places)).astype(np.int32)
    inside = ((voxels >= 0) & (voxels < source.shape)).all(axis=-1)
    labels = np.zeros(inside.shape, dtype=np.int16)
    labels[inside] = source[tuple(voxels[inside].T)]
    return labels


# ---- skull, scalp, face and neck ------------------------------------------------------------


def _head_layers(
    rng: np.random.Generator, mask: NDArray[np.bool_], places: Array, brain: Array
) -> _Layers:
    """Add fluid, bone with marrow, muscle, fat and skin around the brain."""
    outside = _envelope_distance(mask)
    fluid_mm = 1.6 + 0.5 * _smooth_field(rng, 20.0)
    bone_mm = fluid_mm + np.maximum(6.0 + 1.2 * _smooth_field(rng, 25.0), 3.0)
    scalp_mm = np.maximum(6.5 + 1.5 * _smooth_field(rng, 30.0), 3.5)
    depth = _depth((outside < bone_mm + scalp_mm) | _face_and_neck(places))
    muscle = _MUSCLE * (1 + 0.12 * _smooth_field(rng, 4.0))
    fat_mm = 1.5 + np.maximum(3.5 + 1.2 * _smooth_field(rng, 15.0), 1.0)
    layers: list[tuple[float | Array, Array]] = [
        (_SKIN, depth),
        (_FAT, depth - 1.5),
        (muscle, depth - fat_mm),
        *_face_parts(places, depth),
        (_BONE, bone_mm - outside),
        (_MARROW, np.minimum(bone_mm - 1.8 - outside, outside - fluid_mm - 1.8)),
        *_spine(places),
        (_FLUID, np.where(places[..., 2] > _FLOOR_MM, fluid_mm - outside, -9.0)),
    ]
    signal = np.full(mask.shape, _AIR, dtype=np.float32)
    for value, inside_mm in layers:
        _paint(signal, value, inside_mm)
    soft = np.clip(depth, 0, 1) * np.clip(outside - bone_mm + 0.5, 0, 1)
    intracranial = ((outside < fluid_mm) & (places[..., 2] > _FLOOR_MM)) | mask
    fraction = ndimage.gaussian_filter(mask.astype(np.float32), 0.4)
    signal += fraction * (np.where(mask, brain, signal) - signal)
    return _Layers(signal, intracranial, soft.astype(np.float32))


def _paint(signal: Array, value: float | Array, inside_mm: Array) -> None:
    """Set the signal to a tissue where `inside_mm` is positive; edges are partial volumes."""
    fraction = np.clip(inside_mm + 0.5, 0.0, 1.0).astype(np.float32)
    signal += fraction * (value - signal)


def _smooth_field(rng: np.random.Generator, scale_mm: float) -> Array:
    """Draw a Gaussian field of unit variance on the head's grid, correlated over `scale_mm`."""
    step = max(int(scale_mm // 2), 1)
    shape = [n // step + 4 for n in SHAPE]
    coarse = ndimage.gaussian_filter(rng.normal(size=shape), 1.5)
    field: Array = (coarse / coarse.std()).astype(np.float32)
    for axis, n in enumerate(SHAPE):
        field = _stretch(field, axis, n, step)
    return field


def _stretch(field: Array, axis: int, n: int, step: int) -> Array:
    """Interpolate linearly along one axis to `n` samples, `step` per given sample."""
    at = (np.arange(n) / step + 1.0).astype(np.float32)
    low = at.astype(int)
    fraction = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
    return np.asarray(
        np.take(field, low, axis) * (1 - fraction) + np.take(field, low + 1, axis) * fraction
    )


def _halved(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask on the half grid, which is sufficient for smoothed surfaces."""
    blocks = mask.reshape([m for n in mask.shape for m in (n // 2, 2)])
    return np.asarray(blocks.mean(axis=(1, 3, 5)) >= 0.5)


def _doubled(field: Array) -> Array:
    """Interpolate from the half grid to the full grid."""
    zoomed = ndimage.zoom(field, 2, order=1, grid_mode=True, mode="nearest")
    return np.asarray(zoomed, dtype=np.float32)


def _signed_distance(mask: NDArray[np.bool_]) -> Array:
    """Return the distance (mm) to a mask on the half grid, negative inside."""
    away = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
    return np.asarray(2.0 * away, dtype=np.float32)


def _envelope_distance(mask: NDArray[np.bool_], closing_mm: float = 14.0) -> Array:
    """Return the signed distance (mm) from a smooth hull that closes sulci and fissures."""
    coarse = _halved(mask)
    grown = _signed_distance(coarse) < closing_mm
    closed = _signed_distance(grown) < -closing_mm + 2.0
    smooth = ndimage.gaussian_filter(_signed_distance(closed | coarse), 1.5)
    return _doubled(np.minimum(smooth, _signed_distance(coarse)))


def _depth(solid: NDArray[np.bool_]) -> Array:
    """Return the depth (mm) below the smoothed surface of a solid, negative outside."""
    smooth = ndimage.gaussian_filter(_signed_distance(_halved(solid)), 2.0)
    return -_doubled(smooth)


def _ellipsoid(places: Array, centre: tuple[float, ...], radii: tuple[float, ...]) -> Array:
    """Return the approximate depth (mm) in an ellipsoid; an infinite radius gives a cylinder."""
    squares = np.zeros(places.shape[:-1], dtype=np.float32)
    for axis, (middle, radius) in enumerate(zip(centre, radii, strict=True)):
        squares += ((places[..., axis] - np.float32(middle)) / np.float32(radius)) ** 2
    return np.asarray(min(radii) * (1.0 - np.sqrt(squares)), dtype=np.float32)


def _face_and_neck(places: Array) -> NDArray[np.bool_]:
    """Return the lower head as a solid without identifying features."""
    face = _ellipsoid(places, (0.0, 36.0, -62.0), (60.0, 54.0, 62.0)) > 0
    neck = (_ellipsoid(places, (0.0, -32.0, 0.0), (56.0, 62.0, np.inf)) > 0) & (
        places[..., 2] < -40.0
    )
    return np.asarray(face | neck)


def _face_parts(places: Array, depth: Array) -> list[tuple[float, Array]]:
    """Return the eyes, and the air in nose and throat."""
    eyes = [_ellipsoid(places, (x, 60.0, -38.0), (12.0, 12.0, 12.0)) for x in (-32.0, 32.0)]
    nose = _ellipsoid(places, (0.0, 48.0, -58.0), (11.0, 26.0, 15.0))
    throat = _ellipsoid(places, (0.0, 8.0, -95.0), (10.0, 8.0, 40.0))
    return [
        *[(_FLUID, np.minimum(eye, depth - 5.0)) for eye in eyes],
        (_AIR, np.minimum(nose, depth - 8.0)),
        (_AIR, throat),
    ]


def _spine(places: Array) -> list[tuple[float, Array]]:
    """Return vertebra, fluid and cord below the end of the template."""
    below = _FLOOR_MM + 2.0 - places[..., 2]
    parts = []
    for value, radius in ((_BONE, 20.0), (_MARROW, 16.5), (_BONE, 11.5), (_FLUID, 9.0)):
        tube = _ellipsoid(places, (0.0, -42.0, 0.0), (radius, radius, np.inf))
        parts.append((value, np.minimum(tube, below)))
    cord = _ellipsoid(places, (0.0, -42.0, 0.0), (7.5, 6.0, np.inf))
    return [*parts, (0.9 * _WHITE, np.minimum(cord, below))]


def _scan(rng: np.random.Generator, signal: Array, settings: HeadSettings) -> NDArray[np.int16]:
    """Apply the receive field, add Rician noise and convert to integers."""
    field = np.exp(settings.bias * _smooth_field(rng, 70.0))
    sd = np.float32(settings.noise * _WHITE)
    real = signal * field + sd * rng.standard_normal(SHAPE, dtype=np.float32)
    imaginary = sd * rng.standard_normal(SHAPE, dtype=np.float32)
    return np.asarray(np.rint(_SCALE * np.hypot(real, imaginary)), dtype=np.int16)


# ---- the regions ----------------------------------------------------------------------------


def _region_table(
    atlas: Atlas, labels: NDArray[np.int16], wm: Array, affine: Floats
) -> pd.DataFrame:
    """Return centroid, volume and area of every region in the head."""
    table = atlas.table[["index", "name", "hemisphere", "structure"]].reset_index(drop=True)
    count = int(table["index"].max()) + 1
    places = np.nonzero(labels)
    values = labels[places]
    voxels = np.bincount(values, minlength=count)
    points = apply_affine(affine, np.column_stack(places))
    for axis, name in enumerate("xyz"):
        sums = np.bincount(values, weights=points[:, axis], minlength=count)
        table[name] = (sums / np.maximum(voxels, 1))[table["index"]]
    cortex = (table["structure"] == "cortex").to_numpy()
    areas = _surface_areas(labels, wm, count)[table["index"]]
    table["area"] = np.where(cortex, areas, np.nan)
    table["volume"] = voxels[table["index"]] * float(abs(np.linalg.det(affine[:3, :3])))
    return table


def _surface_areas(labels: NDArray[np.int16], wm: Array, count: int) -> Floats:
    """Return the area (mm²) of the grey-white surface that is nearest to each label.

    Triangles more than 3 mm from any label are not counted.
    """
    box = tuple(slice(max(int(p.min()) - 4, 0), int(p.max()) + 5) for p in np.nonzero(labels))
    labels, wm = labels[box], wm[box]
    distance, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    with warnings.catch_warnings():
        # scikit-image uses a way to set shapes that NumPy 2.5 deprecates
        warnings.filterwarnings("ignore", "Setting the shape", DeprecationWarning)
        vertices, triangles, _, _ = measure.marching_cubes(wm, 0.5)
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    middle = tuple(np.rint(corners.mean(axis=1)).astype(int).T)
    owner = labels[tuple(axis[middle] for axis in nearest)] * (distance[middle] <= 3.0)
    return np.bincount(owner, weights=np.linalg.norm(cross, axis=1) / 2, minlength=count)
