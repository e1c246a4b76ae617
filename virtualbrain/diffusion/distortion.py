"""Correct susceptibility distortion from two opposite phase-encoding directions, with ANTs.

The two b = 0 images are distorted in opposite directions along one axis. A symmetric
diffeomorphic registration restricted to that axis gives the displacement between them; the
undistorted position is half way. The signal is scaled by the local stretch, so that its sum is
preserved.
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from virtualbrain.diffusion.series import PhaseEncoding
from virtualbrain.rigid_registration import import_ants, itk_workers

Array = NDArray[np.float64]
Volume = NDArray[np.float32]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unwarping:
    """Position of every undistorted voxel in the two distorted images.

    Parameters
    ----------
    axis : int
        Image axis of the phase encoding.
    forward, backward : numpy.ndarray, shape (nx, ny, nz)
        Position in voxels along `axis` in the image of positive and of negative phase encoding.
    """

    axis: int
    forward: Array
    backward: Array

    def positions(self, sign: int) -> Array:
        """Return the positions for a series of positive or negative phase encoding."""
        return self.forward if sign > 0 else self.backward

    def largest_shift(self, mask: NDArray[np.bool_]) -> float:
        """Return the 98th percentile of the displacement in the mask, in voxels."""
        index = np.moveaxis(np.indices(mask.shape)[self.axis], 0, 0)
        return float(np.percentile(np.abs(self.forward - index)[mask], 98))


def encoding_on_grid(encoding: PhaseEncoding, affine: Array) -> tuple[int, int]:
    """Return the image axis closest to a phase-encoding direction, and its sign."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    along = axes.T @ np.array(encoding.direction)
    axis = int(np.abs(along).argmax())
    return axis, 1 if along[axis] > 0 else -1


def estimate_unwarping(forward: Volume, backward: Volume, sizes: Array, axis: int) -> Unwarping:
    """Estimate the distortion from b = 0 images of opposite phase encoding on one grid.

    Parameters
    ----------
    forward, backward : numpy.ndarray, shape (nx, ny, nz)
        Mean b = 0 image of positive and of negative phase encoding along `axis`, rigidly aligned.
    sizes : numpy.ndarray, shape (3,)
        Voxel sizes, mm.
    axis : int
        Image axis of the phase encoding.
    """
    logger.info("susceptibility: registering the two phase-encoding directions")
    with itk_workers(1) as pool:
        displacement = pool.submit(_displacement, forward, backward, sizes, axis).result()
    return unwarping_from(displacement / sizes[axis], axis)


def _displacement(fixed: Volume, moving: Volume, sizes: Array, axis: int) -> Array:
    """Return the displacement in mm along one axis from points of `fixed` to those of `moving`."""
    ants = import_ants()
    first, second = (
        ants.from_numpy(np.ascontiguousarray(v, dtype=np.float32), spacing=tuple(sizes))
        for v in (fixed, moving)
    )
    with tempfile.TemporaryDirectory() as folder:
        found = ants.registration(
            fixed=first,
            moving=second,
            type_of_transform="SyNOnly",
            initial_transform="Identity",
            outprefix=str(Path(folder) / "u"),
            syn_metric="mattes",
            syn_sampling=32,
            grad_step=0.25,
            flow_sigma=2,
            total_sigma=0,
            reg_iterations=(60, 40, 10),
            restrict_transformation=tuple(int(i == axis) for i in range(3)),
            random_seed=1,
        )
        warp = next(name for name in found["fwdtransforms"] if "Warp" in name)
        field = np.asarray(nib.load(warp).dataobj, dtype=np.float64).squeeze()
    return np.asarray(field[..., axis])


def unwarping_from(displacement: Array, axis: int) -> Unwarping:
    r"""Return the positions of undistorted voxels from the displacement between the two images.

    A point x of the first image corresponds to :math:`x + d(x)` in the second. The undistorted
    position is half way, :math:`y = x + d(x) / 2`. This map is inverted line by line.

    Parameters
    ----------
    displacement : numpy.ndarray, shape (nx, ny, nz)
        d in voxels along `axis`.
    axis : int
        Image axis of the phase encoding.
    """
    lines = np.moveaxis(displacement, axis, -1)
    flat = lines.reshape(-1, lines.shape[-1])
    index = np.arange(flat.shape[1], dtype=float)
    true = np.maximum.accumulate(index + flat / 2, axis=1) + 1e-6 * index
    forward = np.array([np.interp(index, line, index) for line in true]).reshape(lines.shape)
    return Unwarping(
        axis, np.moveaxis(forward, -1, axis), np.moveaxis(2 * index - forward, -1, axis)
    )


def sample_undistorted(volume: Volume, positions: Array, pull: Array, axis: int) -> Volume:
    """Resample a volume to the undistorted grid and scale its signal by the local stretch.

    Parameters
    ----------
    volume : numpy.ndarray, shape (nx, ny, nz)
        The measured volume.
    positions : numpy.ndarray, shape (nx, ny, nz)
        Position of each undistorted voxel along `axis` in the distorted reference.
    pull : numpy.ndarray, shape (4, 4)
        Transform from voxels of the distorted reference to voxels of the volume.
    axis : int
        Image axis of the phase encoding.
    """
    places = np.indices(positions.shape, dtype=float)
    places[axis] = positions
    moved = np.tensordot(pull[:3, :3], places, axes=1) + pull[:3, 3].reshape(3, 1, 1, 1)
    sampled = ndimage.map_coordinates(volume, moved, order=3, mode="nearest")
    stretch = np.clip(np.gradient(positions, axis=axis), 0.1, 5.0)
    return np.maximum(sampled * stretch, 0).astype(np.float32)
