"""Smooth invertible maps between a synthetic head and the template."""

from dataclasses import dataclass

import numpy as np
from nibabel.affines import apply_affine
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float64]

GRID_SPACING_MM = 4.0
_SCALES_MM = (26.0, 15.0)
_SQUARINGS = 6


@dataclass(frozen=True)
class Deformation:
    r"""A diffeomorphism and a rigid pose between template and patient.

    Parameters
    ----------
    velocity : numpy.ndarray, shape (3, nx, ny, nz)
        Stationary velocity in mm on a regular grid of the template's space.
    grid_affine : numpy.ndarray, shape (4, 4)
        Voxel of `velocity` to template mm.
    pose : numpy.ndarray, shape (4, 4)
        Rigid map from the template's orientation to the patient's scanner RAS.

    Notes
    -----
    With :math:`\varphi = \exp(v)` and the pose P, a patient point p is at
    :math:`\varphi(P^{-1} p)` in the template, and a template point q is at
    :math:`P\,\exp(-v)(q)` in the patient (scaling and squaring; Arsigny 2006,
    doi:10.1007/11866565_113).
    """

    velocity: Floats
    grid_affine: Floats
    pose: Floats

    def to_template(self, points: Floats) -> Floats:
        """Return the template coordinates (mm) of patient points (mm), shape (..., 3)."""
        upright = apply_affine(np.linalg.inv(self.pose), points)
        moved = upright + _sample(exponential(self.velocity), self.grid_affine, upright)
        return np.asarray(moved)

    def to_patient(self, points: Floats) -> Floats:
        """Return the patient coordinates (mm) of template points (mm), shape (..., 3)."""
        points = np.asarray(points, dtype=np.float64)
        moved = points + _sample(exponential(-self.velocity), self.grid_affine, points)
        return np.asarray(apply_affine(self.pose, moved))

    def jacobian(self) -> Floats:
        """Return the Jacobian determinant of the patient-to-template map on the grid."""
        return jacobian_determinant(exponential(self.velocity), GRID_SPACING_MM)


def random_deformation(
    rng: np.random.Generator, largest_mm: float = 7.0, pose: bool = True
) -> Deformation:
    """Draw a deformation whose largest displacement is `largest_mm`, and a small pose.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of all random numbers.
    largest_mm : float
        Largest displacement within the head, mm.
    pose : bool
        Rotate the head by a few degrees and shift it by a few mm.

    Returns
    -------
    Deformation
        Invertible: its Jacobian determinant is positive everywhere.
    """
    low, high = np.array([-116.0, -150.0, -140.0]), np.array([116.0, 116.0, 124.0])
    shape = tuple(int(n) for n in np.ceil((high - low) / GRID_SPACING_MM) + 1)
    affine = np.diag([GRID_SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = low
    velocity = _random_velocity(rng, shape)
    velocity *= largest_mm / np.linalg.norm(exponential(velocity), axis=0).max()
    return Deformation(velocity, affine, random_pose(rng) if pose else np.eye(4))


def random_pose(rng: np.random.Generator, angle_deg: float = 4.0, shift_mm: float = 5.0) -> Floats:
    """Draw a rigid map: normal angles about the three axes, normal shifts (sd as given / 2)."""
    angles = np.deg2rad(np.clip(rng.normal(0, angle_deg / 2, 3), -angle_deg, angle_deg))
    shift = np.clip(rng.normal(0, shift_mm / 2, 3), -shift_mm, shift_mm)
    return rigid(angles, shift)


def rigid(angles_rad: Floats, shift_mm: Floats) -> Floats:
    """Return the matrix of rotations about x, y, z in this order, followed by a shift."""
    matrix = np.eye(4)
    for axis, angle in enumerate(angles_rad):
        turn = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[j, i], turn[i, j] = np.sin(angle), -np.sin(angle)
        matrix[:3, :3] = turn @ matrix[:3, :3]
    matrix[:3, 3] = shift_mm
    return matrix


def exponential(velocity: Floats) -> Floats:
    """Return the displacement exp(v) - identity of a velocity field by scaling and squaring.

    Parameters
    ----------
    velocity : numpy.ndarray, shape (3, nx, ny, nz)
        Velocity in mm on a grid of `GRID_SPACING_MM`.

    Returns
    -------
    numpy.ndarray, shape (3, nx, ny, nz)
        Displacement in mm.
    """
    displacement = velocity / 2**_SQUARINGS
    places = np.indices(velocity.shape[1:], dtype=np.float64)
    for _ in range(_SQUARINGS):
        moved = places + displacement / GRID_SPACING_MM
        displacement = displacement + np.stack(
            [ndimage.map_coordinates(part, moved, order=1, mode="nearest") for part in displacement]
        )
    return np.asarray(displacement)


def jacobian_determinant(displacement: Floats, spacing_mm: float) -> Floats:
    """Return det(I + du/dx) of a displacement field by central differences."""
    rows = [np.stack(np.gradient(part, spacing_mm), axis=-1) for part in displacement]
    return np.asarray(np.linalg.det(np.stack(rows, axis=-2) + np.eye(3)))


def _random_velocity(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Return a sum of smooth Gaussian fields of two scales that is zero at the border."""
    total = np.zeros((3, *shape))
    for scale in _SCALES_MM:
        for part in total:
            field = ndimage.gaussian_filter(rng.normal(size=shape), scale / GRID_SPACING_MM)
            part += field / field.std() * (scale / _SCALES_MM[0])
    places = np.indices(shape)
    edge = np.min([np.minimum(p, n - 1 - p) for p, n in zip(places, shape, strict=True)], axis=0)
    return np.asarray(total * np.clip(edge / 6.0, 0.0, 1.0))


def _sample(displacement: Floats, grid_affine: Floats, points: Floats) -> Floats:
    """Return the displacement (mm) at points (mm) by linear interpolation."""
    places = np.moveaxis(apply_affine(np.linalg.inv(grid_affine), points), -1, 0)
    return np.stack(
        [ndimage.map_coordinates(part, places, order=1, mode="nearest") for part in displacement],
        axis=-1,
    )
