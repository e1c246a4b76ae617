"""Estimate and correct head motion and eddy-current shifts of diffusion volumes by registration.

The weighted volumes are first registered to the mean weighted volume. Then each one is
registered to the volume predicted by a tensor fitted to the *other* volumes; including itself
would bias the result towards no motion. The b = 0 volumes are registered to their mean.
"""

import logging
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.diffusion.series import Series
from virtualbrain.diffusion.tensor import predict_left_out
from virtualbrain.io.gradients import GradientTable
from virtualbrain.rigid_registration import RegistrationTask, itk_workers, register_rigid

Array = NDArray[np.float64]
Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
logger = logging.getLogger(__name__)
_MIN_VOLUMES_FOR_PREDICTION = 12


@dataclass(frozen=True)
class Motion:
    """Head motion of every volume.

    Parameters
    ----------
    matrices : numpy.ndarray, shape (n_volumes, 4, 4)
        Rigid transform from points of the corrected grid to points of the volume, scanner RAS, mm.
    displacement_mm : numpy.ndarray, shape (n_volumes,)
        Mean displacement of the head's voxels from the reference.
    """

    matrices: Array
    displacement_mm: Array


def estimate_motion(series: Series, workers: int) -> Motion:
    """Estimate the rigid motion of every volume relative to the first b = 0 volume.

    Eddy-current shifts along the phase-encoding direction look like motion and are included.

    Parameters
    ----------
    series : Series
        Denoised volumes.
    workers : int
        Number of worker processes.
    """
    mask = series.head
    dilated = ndimage.binary_dilation(mask, iterations=2)
    n = series.volumes.shape[3]
    matrices = np.tile(np.eye(4), (n, 1, 1))
    rounds = [_mean_targets]
    if n >= _MIN_VOLUMES_FOR_PREDICTION:
        rounds.append(_predicted_targets)
    with itk_workers(workers) as pool:
        for number, targets_of in enumerate(rounds, start=1):
            logger.info("motion: round %d of %d, %d volumes", number, len(rounds), n)
            corrected = resample(series, matrices)
            targets = targets_of(corrected, dilated)
            tasks = (
                _task(series, targets[..., i], series.volumes[..., i], dilated) for i in range(n)
            )
            matrices = np.array(list(pool.map(register_rigid, tasks)))
        matrices = _relative_to_first_b0(series, matrices, mask, dilated, pool)
    return Motion(matrices, displacements(matrices, mask, series.affine))


def _task(series: Series, fixed: Volume, moving: Volume, mask: Mask) -> RegistrationTask:
    return RegistrationTask(
        fixed=fixed,
        moving=moving,
        fixed_affine=series.affine,
        moving_affine=series.affine,
        fixed_mask=mask,
    )


def _mean_targets(series: Series, mask: Mask) -> Volume:
    """Return a target for each volume: the mean b = 0 or the mean weighted volume."""
    targets = np.zeros_like(series.volumes)
    for group in (series.table.is_b0, ~series.table.is_b0):
        if group.any():
            mean = series.volumes[..., group].mean(axis=3) * mask
            targets[..., group] = mean[..., None]
    return targets


def _predicted_targets(series: Series, mask: Mask) -> Volume:
    """Return a target for each volume: its prediction by the others, or the mean b = 0 volume."""
    targets = _mean_targets(series, mask)
    weighted = ~series.table.is_b0
    signal = series.volumes[mask].astype(np.float64)
    predicted = predict_left_out(signal, series.table)
    limit = 2 * signal.max(axis=1, keepdims=True)
    chosen = np.zeros((*mask.shape, int(weighted.sum())), dtype=np.float32)
    chosen[mask] = np.minimum(predicted, limit)[:, weighted]
    targets[..., weighted] = chosen
    return targets


def _relative_to_first_b0(
    series: Series, matrices: Array, mask: Mask, dilated: Mask, pool: Executor
) -> Array:
    """Return the motion relative to the first b = 0 volume.

    The weighted volumes are linked to it by registering their mean to the mean b = 0 volume. Their
    contrasts differ, which shifts this registration by up to half a voxel without motion.
    Therefore a displacement below one voxel is ignored.
    """
    weighted = ~series.table.is_b0
    if not weighted.any() or weighted.all():
        return matrices
    first = np.linalg.inv(matrices[int(np.argmin(weighted))])
    corrected = resample(series, matrices)
    weighted_mean = corrected.volumes[..., weighted].mean(axis=3)
    pair = [np.asarray(image, dtype=np.float32) for image in (corrected.mean_b0, weighted_mean)]
    between = pool.submit(register_rigid, _task(series, pair[0], pair[1], dilated)).result()
    if displacements(between[None], mask, series.affine)[0] < series.voxel_sizes.max():
        between = np.eye(4)
    joined = matrices.copy()
    joined[weighted] = matrices[weighted] @ between
    return np.asarray(joined @ first)


def displacements(matrices: Array, mask: Mask, affine: Array) -> Array:
    """Return the mean displacement in mm of the mask's voxels under each transform."""
    voxels = np.argwhere(mask)[::7]
    points = np.column_stack([voxels, np.ones(len(voxels))]) @ affine.T
    moved = np.einsum("nij,pj->npi", matrices, points)
    return np.asarray(np.linalg.norm(moved - points, axis=2).mean(axis=1))


def hold_still(motion: Motion, floor_mm: float) -> Motion:
    """Replace the transform of volumes that moved less than `floor_mm` by the identity.

    Interpolation blurs the volume, and registration cannot measure such small motion.
    """
    still = motion.displacement_mm < floor_mm
    return replace(motion, matrices=np.where(still[:, None, None], np.eye(4), motion.matrices))


def resample(series: Series, matrices: Array) -> Series:
    """Return the series with motion corrected and gradients rotated.

    Interpolation is by cubic splines; negative values are set to 0. Volumes with the identity
    transform are copied. If the head is rotated by R from the reference, the gradient direction g
    of the volume becomes Rᵀ g.
    """
    moved = np.empty_like(series.volumes)
    to_voxels = np.linalg.inv(series.affine)
    for i, matrix in enumerate(matrices):
        volume = series.volumes[..., i]
        if np.array_equal(matrix, np.eye(4)):
            moved[..., i] = volume
            continue
        pull = to_voxels @ matrix @ series.affine
        moved[..., i] = np.maximum(
            ndimage.affine_transform(volume, pull[:3, :3], pull[:3, 3], order=3, mode="nearest"), 0
        )
    return replace(series, volumes=moved, table=rotate_gradients(series.table, matrices))


def rotate_gradients(table: GradientTable, matrices: Array) -> GradientTable:
    """Rotate each direction by the inverse of the rotation of its volume."""
    rotated = np.einsum("nji,nj->ni", matrices[:, :3, :3], table.directions)
    return GradientTable(table.bvals, rotated)
