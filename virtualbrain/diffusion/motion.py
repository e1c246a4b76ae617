"""Head motion and eddy-current shifts between diffusion volumes, by registration.

Weighted volumes are registered to the mean weighted volume, then each to what a tensor fitted
to the *other* volumes predicts for its gradient (its own value left out, so that it is not
drawn to where it already lies). Volumes without weighting are registered to their mean.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.diffusion.head_mask import head_mask
from virtualbrain.diffusion.series import Series
from virtualbrain.diffusion.tensor import predict_left_out
from virtualbrain.io.gradients import GradientTable
from virtualbrain.rigid_registration import RegistrationTask, register_all

Array = NDArray[np.float64]
Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
logger = logging.getLogger(__name__)
_MIN_VOLUMES_FOR_PREDICTION = 12


@dataclass(frozen=True)
class Motion:
    """Where the head was in every volume.

    Parameters
    ----------
    matrices : numpy.ndarray, shape (n_volumes, 4, 4)
        From points of the corrected grid to points of the volume, scanner RAS, mm.
    displacement_mm : numpy.ndarray, shape (n_volumes,)
        Mean displacement of the brain's voxels against the reference.
    """

    matrices: Array
    displacement_mm: Array


def estimate_motion(series: Series, workers: int) -> Motion:
    """Estimate the rigid motion of every volume against the volumes without weighting.

    Shifts by eddy currents along the phase-encoding direction look like motion and are taken
    up with it.

    Parameters
    ----------
    series : Series
        Denoised volumes.
    workers : int
        Processes to share the registrations out over.
    """
    mask = head_mask(series.mean_b0)
    grown = ndimage.binary_dilation(mask, iterations=2)
    n = series.volumes.shape[3]
    matrices = np.tile(np.eye(4), (n, 1, 1))
    rounds = [_mean_targets]
    if n >= _MIN_VOLUMES_FOR_PREDICTION:
        rounds.append(_predicted_targets)
    for number, targets_of in enumerate(rounds, start=1):
        logger.info("motion: round %d of %d, %d volumes", number, len(rounds), n)
        corrected = resample(series, matrices)
        targets = targets_of(corrected, grown)
        tasks = [_task(series, targets[..., i], series.volumes[..., i], grown) for i in range(n)]
        matrices = np.array(register_all(tasks, workers))
    matrices = _on_the_b0s(series, matrices, mask, grown)
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
    """Return, for each volume, the mean of its kind: without weighting, or with it."""
    targets = np.zeros_like(series.volumes)
    for kind in (series.table.is_b0, ~series.table.is_b0):
        if kind.any():
            mean = series.volumes[..., kind].mean(axis=3) * mask
            targets[..., kind] = mean[..., None]
    return targets


def _predicted_targets(series: Series, mask: Mask) -> Volume:
    """Return, for each weighted volume, what the others predict; for the b0s their mean."""
    targets = _mean_targets(series, mask)
    weighted = ~series.table.is_b0
    signal = series.volumes[mask].astype(np.float64)
    predicted = predict_left_out(signal, series.table)
    limit = 2 * signal.max(axis=1, keepdims=True)
    chosen = np.zeros((*mask.shape, int(weighted.sum())), dtype=np.float32)
    chosen[mask] = np.minimum(predicted, limit)[:, weighted]
    targets[..., weighted] = chosen
    return targets


def _on_the_b0s(series: Series, matrices: Array, mask: Mask, grown: Mask) -> Array:
    """Refer all volumes to the first b0, the weighted ones through their mean.

    The unlike contrasts of the b0 and the mean weighted volume draw the registration by up to
    half a voxel where nothing moved, so a difference below one voxel is not believed.
    """
    weighted = ~series.table.is_b0
    if not weighted.any() or weighted.all():
        return matrices
    first = np.linalg.inv(matrices[int(np.argmin(weighted))])
    corrected = resample(series, matrices)
    weighted_mean = corrected.volumes[..., weighted].mean(axis=3)
    pair = [np.asarray(image, dtype=np.float32) for image in (corrected.mean_b0, weighted_mean)]
    between = register_all([_task(series, pair[0], pair[1], grown)], 1)[0]
    if displacements(between[None], mask, series.affine)[0] < series.voxel_sizes.max():
        between = np.eye(4)
    joined = matrices.copy()
    joined[weighted] = matrices[weighted] @ between
    return np.asarray(joined @ first)


def displacements(matrices: Array, mask: Mask, affine: Array) -> Array:
    """Return the mean displacement in mm of the mask's voxels under each matrix."""
    voxels = np.argwhere(mask)[::7]
    points = np.column_stack([voxels, np.ones(len(voxels))]) @ affine.T
    moved = np.einsum("nij,pj->npi", matrices, points)
    return np.asarray(np.linalg.norm(moved - points, axis=2).mean(axis=1))


def hold_still(motion: Motion, floor_mm: float) -> Motion:
    """Replace the matrix of volumes that moved less than `floor_mm` by the identity.

    Interpolation blurs; where the motion is smaller than registration can tell, leaving the
    volume alone costs less.
    """
    still = motion.displacement_mm < floor_mm
    return replace(motion, matrices=np.where(still[:, None, None], np.eye(4), motion.matrices))


def resample(series: Series, matrices: Array) -> Series:
    """Return the series with every volume moved back, gradients turned with it.

    Cubic splines; negative overshoot is cut to zero; volumes whose matrix is the identity are
    copied. A direction g measured in a volume whose head is turned by R against the reference
    is Rᵀ g in the reference.
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
    """Turn each direction by the inverse of its volume's rotation."""
    turned = np.einsum("nji,nj->ni", matrices[:, :3, :3], table.directions)
    return GradientTable(table.bvals, turned)
