"""Assign regions to contacts: probabilities over a ball around each contact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.seeg.settings import SeegSettings

Points = NDArray[np.float64]
_BALL_STEP_MM = 0.5
_BRAIN_MARGIN_MM = 10.0


@dataclass(frozen=True)
class Placement:
    """Region probabilities and tissue class of points.

    Parameters
    ----------
    probabilities : numpy.ndarray, shape (n_points, n_regions)
        Fraction of the ball in each region; the rows sum to one or less.
    tissue : tuple of str
        ``grey``, ``white``, ``outside``, or ``n/a`` without an image or without coordinates.
    """

    probabilities: NDArray[np.float64]
    tissue: tuple[str, ...]


def place_points(
    points: Points, regions: pd.DataFrame, labels: Any, brain_mask: Any, settings: SeegSettings
) -> Placement:
    """Return the region probabilities and tissue classes of points.

    Parameters
    ----------
    points : numpy.ndarray, shape (n_points, 3)
        Scanner RAS, mm; NaN where unknown.
    regions : pandas.DataFrame
        Region table; ``index`` is the value in `labels`.
    labels, brain_mask : nibabel image, optional
        Without `labels`, the distance to the regions' centres is used.
    settings : SeegSettings
        Sets the radius of the ball.
    """
    if labels is None:
        probabilities = near_centres(points, regions, settings.centre_radius_mm)
        return Placement(probabilities, ("n/a",) * len(points))
    values = ball_values(points, labels, settings.ball_radius_mm)
    indices = regions["index"].to_numpy()
    probabilities = (values[:, :, None] == indices[None, None, :]).mean(axis=1)
    inside = in_brain(points, labels, brain_mask)
    return Placement(probabilities, _tissue(points, probabilities.sum(axis=1), inside))


def _tissue(
    points: Points, labelled: NDArray[np.float64], inside: NDArray[np.bool_]
) -> tuple[str, ...]:
    """Return grey if most of the ball is labelled, else white if inside the brain, else outside."""
    known = np.isfinite(points).all(axis=1)
    classes = np.where(labelled > 0.5, "grey", np.where(inside, "white", "outside"))
    return tuple(str(name) if k else "n/a" for name, k in zip(classes, known, strict=True))


def ball_values(
    points: Points, image: Any, radius_mm: float, step_mm: float = _BALL_STEP_MM
) -> NDArray[np.int64]:
    """Return the labels on a fine grid in a ball around each point.

    Returns
    -------
    numpy.ndarray, shape (n_points, n_offsets)
        Zero outside the image and around unknown points.
    """
    steps = np.arange(-radius_mm, radius_mm + step_mm / 2, step_mm)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = grid[(grid**2).sum(axis=1) <= radius_mm**2 + 1e-9]
    places = points[:, None, :] + offsets[None, :, :]
    return np.rint(sample_nearest(places, image)).astype(np.int64)


def sample_nearest(places: Points, image: Any) -> NDArray[np.float64]:
    """Return the nearest voxel value at positions (..., 3) in mm; zero outside the image."""
    volume = np.asanyarray(image.dataobj)
    volume = volume.reshape(volume.shape[:3])
    inverse = np.linalg.inv(image.affine)
    voxels = places @ inverse[:3, :3].T + inverse[:3, 3]
    known = np.isfinite(voxels).all(axis=-1)
    near = np.rint(np.where(known[..., None], voxels, -1)).astype(np.int64)
    inside = known & ((near >= 0) & (near < volume.shape)).all(axis=-1)
    clipped = np.clip(near, 0, np.array(volume.shape) - 1)
    values = volume[clipped[..., 0], clipped[..., 1], clipped[..., 2]]
    return np.where(inside, values, 0).astype(np.float64)


def in_brain(points: Points, labels: Any, brain_mask: Any) -> NDArray[np.bool_]:
    """Return which points are in the brain mask or, without a mask, near a labelled voxel."""
    if brain_mask is not None:
        return sample_nearest(points, brain_mask) > 0.5
    return (ball_values(points, labels, _BRAIN_MARGIN_MM, 2.0) > 0).any(axis=1)


def near_centres(points: Points, regions: pd.DataFrame, radius_mm: float) -> NDArray[np.float64]:
    r"""Return the probability of each region from the distance to its centre.

    .. math:: p_k \propto \exp(-d_k^2 / 2 s_k^2), \qquad d_k < r

    :math:`s_k` is the radius of a ball of the region's volume (median radius if the volume is
    missing).

    Returns
    -------
    numpy.ndarray, shape (n_points, n_regions)
        Rows sum to one; a row is zero if no centre is within `radius_mm`.
    """
    centres = regions[["x", "y", "z"]].to_numpy(float)
    distance = np.linalg.norm(points[:, None, :] - centres[None, :, :], axis=-1)
    spread = region_radii_mm(regions)
    scaled = distance / spread
    scaled = np.where(distance < radius_mm, scaled, np.inf)
    scaled = np.where(np.isnan(scaled), np.inf, scaled)
    nearest = scaled.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        weights = np.exp(-0.5 * (scaled**2 - nearest**2))
    weights = np.where(np.isfinite(nearest), weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def region_radii_mm(regions: pd.DataFrame) -> NDArray[np.float64]:
    """Return the radius of a ball of each region's volume.

    Without any volume: half the median distance between neighbouring centres.
    """
    volumes = (
        regions["volume"].to_numpy(float) if "volume" in regions else np.full(len(regions), np.nan)
    )
    volumes = np.where(volumes > 0, volumes, np.nan)
    if np.isfinite(volumes).any():
        volumes = np.where(np.isfinite(volumes), volumes, np.nanmedian(volumes))
        return np.cbrt(3 * volumes / (4 * np.pi))
    centres = regions[["x", "y", "z"]].to_numpy(float)
    centres = centres[np.isfinite(centres).all(axis=1)]
    if len(centres) < 2:
        raise InputError(
            "no region has coordinates of its centre",
            where="region table",
            expected="x, y, z of the regions in mm",
            hint="add the columns x, y, z to the region table",
        )
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return np.full(len(regions), float(np.median(distance.min(axis=1))) / 2)


def name_regions(
    probabilities: NDArray[np.float64], names: list[str]
) -> tuple[list[str | None], NDArray[np.float64], list[str | None]]:
    """Return each row's most probable region, its probability, and all probabilities as text.

    A row without any region gives None, NaN, None. The text is ``name=0.61;other=0.22``.
    """
    best = probabilities.argmax(axis=1)
    highest = probabilities[np.arange(len(best)), best] if len(best) else np.zeros(0)
    found = highest > 0
    region = [names[b] if f else None for b, f in zip(best, found, strict=True)]
    texts = [
        _as_text(row, names) if f else None for row, f in zip(probabilities, found, strict=True)
    ]
    return region, np.where(found, highest, np.nan), texts


def _as_text(row: NDArray[np.float64], names: list[str]) -> str:
    order = [k for k in np.argsort(-row, kind="stable") if row[k] >= 0.01]
    return ";".join(f"{names[k]}={row[k]:.2f}" for k in order)


def share_in_brain(placement: Placement, points: Points) -> float:
    """Return the fraction of known points that are inside the brain (NaN without an image)."""
    known = np.isfinite(points).all(axis=1)
    tissue = np.array(placement.tissue)
    if not known.any() or not (tissue[known] != "n/a").any():
        return float("nan")
    return float((tissue[known] != "outside").mean())


def candidate_frames(
    points: Points, labels: Any, brain_mask: Any, shifts: Mapping[str, Points]
) -> dict[str, float]:
    """Return the fraction of points inside the brain under other assumed coordinate frames."""
    known = points[np.isfinite(points).all(axis=1)]
    return {
        name: float(in_brain(known @ m[:3, :3].T + m[:3, 3], labels, brain_mask).mean())
        for name, m in shifts.items()
    }
