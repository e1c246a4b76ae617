r"""Compute the gain: how strongly each region's activity appears in each channel.

A source of unit strength at distance d has the potential 1/d at a contact. Independent sources of
equal density add up in power. A channel with the weights :math:`w_{ci}` on the contacts i receives
from region k the power

.. math:: G_{ck} = \sum_{v \in k} V_v \Big( \sum_i w_{ci} / d_{iv} \Big)^2

:math:`V_v` is the volume of source v. For one contact this is the inverse-square gain
:math:`\sum_v V_v / d^2`. For a bipolar channel and a region at equal distance from both contacts
it does not vanish, unlike the absolute difference of two inverse-square gains.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import ConfigError
from virtualbrain.seeg.contact_regions import region_radii_mm
from virtualbrain.seeg.settings import GainCombination, SeegSettings

Points = NDArray[np.float64]
Surfaces = Mapping[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]
_N_BALL = 200
_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Sources:
    """Points that represent grey matter.

    Parameters
    ----------
    points : numpy.ndarray, shape (n_sources, 3)
        Scanner RAS, mm.
    volumes : numpy.ndarray, shape (n_sources,)
        Volume of each source in mm³.
    regions : numpy.ndarray, shape (n_sources,)
        Row in the region table.
    normals : numpy.ndarray, shape (n_sources, 3)
        Unit normals; zero if the orientation is unknown.
    kind : str
        Anatomy the sources were made from.
    """

    points: Points
    volumes: NDArray[np.float64]
    regions: NDArray[np.int64]
    normals: Points
    kind: str


def make_sources(
    regions: pd.DataFrame, labels: Any, surfaces: Surfaces | None, settings: SeegSettings
) -> Sources:
    """Return the sources from the anatomy that `settings.gain` selects.

    ``auto`` takes the best anatomy available. ``surface`` and ``dipole`` take the cortex from the
    surfaces, and regions without a vertex from the label image or from a ball at their centre.
    ``volume`` takes all regions from the label image, ``centres`` all from balls with the
    regions' volumes.

    Raises
    ------
    ConfigError
        The anatomy that `settings.gain` requires is missing.
    """
    kind = settings.gain
    if kind == "auto":
        kind = "surface" if surfaces else "volume" if labels is not None else "centres"
    _require(kind, labels, surfaces)
    parts: list[Sources] = []
    if kind in ("surface", "dipole") and surfaces:
        parts.append(surface_sources(regions, surfaces, settings.cortical_thickness_mm))
    if kind != "centres" and labels is not None:
        parts.append(volume_sources(regions, labels, _missing(regions, parts)))
    missing = _missing(regions, parts)
    if missing.any():
        parts.append(centre_sources(regions, missing))
    return _joined(parts)


def _require(kind: str, labels: Any, surfaces: Surfaces | None) -> None:
    if kind in ("surface", "dipole") and not surfaces:
        raise ConfigError(
            f"no cortical surface for the gain {kind!r}",
            where="seeg.gain",
            expected="surfaces of a FreeSurfer subject",
            hint="choose auto, volume or centres",
        )
    if kind == "volume" and labels is None:
        raise ConfigError(
            "no label image for the gain 'volume'",
            where="seeg.gain",
            expected="a label image of the regions",
            hint="choose auto or centres",
        )


def _missing(regions: pd.DataFrame, parts: Sequence[Sources]) -> NDArray[np.bool_]:
    """Return which regions have no source yet."""
    missing = np.ones(len(regions), dtype=bool)
    for part in parts:
        missing[np.unique(part.regions)] = False
    return missing


def _joined(parts: Sequence[Sources]) -> Sources:
    parts = [part for part in parts if len(part.points)]
    return Sources(
        points=np.concatenate([part.points for part in parts]),
        volumes=np.concatenate([part.volumes for part in parts]),
        regions=np.concatenate([part.regions for part in parts]),
        normals=np.concatenate([part.normals for part in parts]),
        kind=" and ".join(part.kind for part in parts),
    )


def surface_sources(regions: pd.DataFrame, surfaces: Surfaces, thickness_mm: float) -> Sources:
    """Return one source per labelled vertex; its volume is vertex area times thickness."""
    position = {int(index): k for k, index in enumerate(regions["index"])}
    points, volumes, rows, normals = [], [], [], []
    for vertices, triangles, vertex_region in surfaces.values():
        area, normal = vertex_geometry(np.asarray(vertices, float), np.asarray(triangles))
        row = np.array([position.get(int(index), -1) for index in vertex_region])
        keep = row >= 0
        points.append(np.asarray(vertices, float)[keep])
        volumes.append(area[keep] * thickness_mm)
        rows.append(row[keep])
        normals.append(normal[keep])
    return Sources(
        points=np.concatenate(points),
        volumes=np.concatenate(volumes),
        regions=np.concatenate(rows).astype(np.int64),
        normals=np.concatenate(normals),
        kind="surface",
    )


def vertex_geometry(
    vertices: Points, triangles: NDArray[Any]
) -> tuple[NDArray[np.float64], Points]:
    """Return each vertex's area (a third of the area of its triangles) and unit normal."""
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    n_vertices = len(vertices)
    area = np.bincount(
        triangles.ravel(), np.repeat(np.linalg.norm(cross, axis=1) / 6, 3), n_vertices
    )
    summed = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(cross[:, j], 3), n_vertices) for j in range(3)],
        axis=1,
    )
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    return area, np.divide(summed, length, out=np.zeros_like(summed), where=length > 0)


def volume_sources(regions: pd.DataFrame, labels: Any, wanted: NDArray[np.bool_]) -> Sources:
    """Return one source per voxel of the wanted regions."""
    volume = np.rint(np.asanyarray(labels.dataobj)).astype(np.int64)
    volume = volume.reshape(volume.shape[:3])
    indices = regions["index"].to_numpy(np.int64)
    table = np.full(max(int(volume.max()), int(indices.max())) + 1, -1, dtype=np.int64)
    table[indices[wanted]] = np.flatnonzero(wanted)
    row = np.where(volume >= 0, table[np.maximum(volume, 0)], -1)
    voxels = np.argwhere(row >= 0)
    points = voxels @ labels.affine[:3, :3].T + labels.affine[:3, 3]
    size = abs(float(np.linalg.det(labels.affine[:3, :3])))
    return Sources(
        points=points,
        volumes=np.full(len(points), size),
        regions=row[row >= 0],
        normals=np.zeros_like(points),
        kind="volume",
    )


def centre_sources(regions: pd.DataFrame, wanted: NDArray[np.bool_]) -> Sources:
    """Return points spread evenly in a ball of each wanted region's volume.

    A region without a centre gets no source, and therefore no gain.
    """
    centres = regions[["x", "y", "z"]].to_numpy(float)
    radii = region_radii_mm(regions)
    ball = _unit_ball(_N_BALL)
    chosen = np.flatnonzero(wanted & np.isfinite(centres).all(axis=1))
    points = centres[chosen, None, :] + radii[chosen, None, None] * ball[None, :, :]
    size = 4 / 3 * np.pi * radii[chosen] ** 3 / _N_BALL
    return Sources(
        points=points.reshape(-1, 3),
        volumes=np.repeat(size, _N_BALL),
        regions=np.repeat(chosen, _N_BALL),
        normals=np.zeros((len(chosen) * _N_BALL, 3)),
        kind="centres",
    )


def _unit_ball(n_points: int) -> Points:
    """Return points spread evenly in a unit ball (radii by volume)."""
    # A low-discrepancy radius: it must not correlate with the direction.
    radius = np.cbrt(((np.arange(n_points) + 0.5) * (np.sqrt(2) - 1)) % 1.0)
    return np.asarray(even_directions(n_points) * radius[:, None])


def even_directions(count: int) -> Points:
    """Return unit vectors spread evenly over the sphere (Fibonacci lattice), (count, 3)."""
    i = np.arange(count) + 0.5
    height = 1 - 2 * i / count
    angle = np.pi * (1 + np.sqrt(5)) * i
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1)


def power_gain(
    contacts: Points,
    weights: NDArray[np.float64],
    sources: Sources,
    n_regions: int,
    clamp_mm: float,
    *,
    combination: GainCombination = "independent",
    dipole: bool = False,
) -> NDArray[np.float64]:
    r"""Return the gain of every channel for every region.

    Parameters
    ----------
    contacts : numpy.ndarray, shape (n_contacts, 3)
        Scanner RAS, mm.
    weights : numpy.ndarray, shape (n_channels, n_contacts)
        Weights of the montage.
    sources : Sources
        Sources of all regions.
    n_regions : int
        Number of columns of the result.
    clamp_mm : float
        Smallest distance; shorter distances are set to it.
    combination : {"independent", "difference"}
        Equation of the module, or :math:`|\sum_i w_{ci} \sum_v V_v / d_{iv}^2|`.
    dipole : bool
        Use the potential :math:`n \cdot (s - v) / d^3` instead of 1/d, averaged over
        orientations where the normal is unknown.

    Returns
    -------
    numpy.ndarray, shape (n_channels, n_regions)
        Non-negative; mm for the potential 1/d.
    """
    gain = np.zeros((len(weights), n_regions))
    step = max(1, _PAIRS_AT_ONCE // max(1, len(contacts)))
    for start in range(0, len(sources.points), step):
        part = slice(start, start + step)
        power = _power(contacts, weights, sources, part, clamp_mm, combination, dipole)
        gain += _per_region(power, sources.volumes[part], sources.regions[part], n_regions)
    return np.abs(gain)


def _power(
    contacts: Points,
    weights: NDArray[np.float64],
    sources: Sources,
    part: slice,
    clamp_mm: float,
    combination: GainCombination,
    dipole: bool,
) -> NDArray[np.float64]:
    """Return the power of each source of `part` in each channel, (n_channels, n_part)."""
    from scipy.spatial.distance import cdist  # slow to import

    points, normals = sources.points[part], sources.normals[part]
    distance = np.maximum(cdist(contacts, points), clamp_mm)
    if not dipole:
        if combination == "difference":
            return np.asarray(weights @ (1 / distance**2))
        return np.asarray((weights @ (1 / distance)) ** 2)
    arrow = contacts[:, None, :] - points[None, :, :]
    if combination == "difference":
        return np.asarray(weights @ _dipole_power(arrow, distance, normals, np.eye(len(contacts))))
    return _dipole_power(arrow, distance, normals, weights)


def _per_region(
    power: NDArray[np.float64],
    volumes: NDArray[np.float64],
    regions: NDArray[np.int64],
    n_regions: int,
) -> NDArray[np.float64]:
    """Return power times volume summed over each region's sources, (n_channels, n_regions)."""
    from scipy import sparse  # slow to import

    shape = (n_regions, len(regions))
    membership = sparse.csr_array((volumes, (regions, np.arange(len(regions)))), shape=shape)
    return np.asarray((membership @ power.T).T)


def _dipole_power(
    arrow: Points, distance: Points, normals: Points, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each dipole's squared potential in each channel.

    Without a normal it is averaged over orientations.
    """
    field = arrow / distance[..., None] ** 3
    combined = np.einsum("ci,ivj->cvj", weights, field)
    along = np.einsum("cvj,vj->cv", combined, normals) ** 2
    oriented = (normals**2).sum(axis=1) > 0
    return np.asarray(np.where(oriented[None, :], along, (combined**2).sum(axis=-1) / 3))


# Observability below which the fit and the report call a region unsampled.
LOW_OBSERVABILITY = 0.1


def observability(gain: NDArray[np.float64], noise: float = 0.5) -> NDArray[np.float64]:
    r"""Return the observability of each region: 0 (channels do not see it) to 1.

    Rows of the gain are scaled to sum to one. With unit prior variance in every region and
    independent noise of standard deviation :math:`s` in every channel, the posterior variance is
    :math:`\operatorname{diag}(I + G^T G / s^2)^{-1}`. The result is one minus it.

    Parameters
    ----------
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Non-negative gain.
    noise : float
        Standard deviation of the noise, relative to that of the prior.
    """
    scaled = unit_rows(gain)
    information = np.eye(gain.shape[1]) + scaled.T @ scaled / noise**2
    return np.asarray(1 - np.diag(np.linalg.inv(information)))


def likeness(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how alike channels see two regions: 0 (no channel sees both) to 1 (in proportion).

    The cosine of the columns of the gain, its rows scaled to sum to one; zero on the diagonal.

    Parameters
    ----------
    gain : numpy.ndarray, shape (n_channels, n_regions)
        Non-negative gain.

    Returns
    -------
    numpy.ndarray, shape (n_regions, n_regions)
    """
    return column_cosines(unit_rows(gain))


def unit_rows(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a non-negative gain whose rows sum to one; rows of zeros stay."""
    total = gain.sum(axis=1, keepdims=True)
    return np.divide(gain, total, out=np.zeros_like(gain), where=total > 0)


def column_cosines(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cosine of every two columns, zero on the diagonal and for columns of zeros."""
    length = np.linalg.norm(gain, axis=0)
    columns = np.divide(gain, length, out=np.zeros_like(gain), where=length > 0)
    alike = columns.T @ columns
    np.fill_diagonal(alike, 0.0)
    return np.asarray(alike)
