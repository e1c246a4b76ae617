"""Fit diffusion tensors by log-linear least squares.

The tensors give fibre directions for the gradient check and predicted volumes for motion
correction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.io.gradients import GradientTable

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


def design_matrix(table: GradientTable) -> Array:
    r"""Return the rows of :math:`\ln S = \ln S_0 - b\, g^T D g`.

    Returns
    -------
    numpy.ndarray, shape (n_volumes, 7)
        Columns :math:`\ln S_0`, Dxx, Dyy, Dzz, Dxy, Dxz, Dyz; D in 1e-3 mm²/s, so that the
        columns have similar magnitude.
    """
    x, y, z = table.directions.T
    b = table.bvals[:, None] * 1e-3
    quadratic = np.column_stack([x * x, y * y, z * z, 2 * x * y, 2 * x * z, 2 * y * z])
    return np.hstack([np.ones((len(b), 1)), -b * quadratic])


@dataclass(frozen=True)
class TensorFit:
    """Tensors of the voxels of a mask.

    Parameters
    ----------
    coefficients : numpy.ndarray, shape (7, n_voxels)
        In the order of `design_matrix`.
    """

    coefficients: Array

    def eigen(self) -> tuple[Array, Array]:
        """Return eigenvalues (n_voxels, 3), ascending, and eigenvectors (n_voxels, 3, 3)."""
        xx, yy, zz, xy, xz, yz = self.coefficients[1:]
        tensors = np.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], axis=-1).reshape(-1, 3, 3)
        values, vectors = np.linalg.eigh(tensors)
        return values, vectors


def fit_tensor(signal: Array, table: GradientTable) -> TensorFit:
    """Fit tensors by least squares on the logarithm of the signal.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_voxels, n_volumes)
        Values below a thousandth of the largest value of a voxel are raised to it.
    table : GradientTable
        One row per volume.
    """
    return TensorFit(np.linalg.pinv(design_matrix(table)) @ _logarithm(signal).T)


def predict_left_out(signal: Array, table: GradientTable) -> Array:
    r"""Predict each volume by tensors fitted to all other volumes.

    With the hat matrix H of the least-squares fit, the leave-one-out prediction of volume i is
    :math:`(\hat y_i - h_{ii} y_i) / (1 - h_{ii})`.

    Returns
    -------
    numpy.ndarray, shape (n_voxels, n_volumes)
    """
    predicted = _left_out(_logarithm(signal), design_matrix(table))
    return np.asarray(np.exp(np.minimum(predicted, 50.0)))


def prediction_improvements(signal: Array, tables: Sequence[GradientTable]) -> list[float]:
    r"""Return how much better tensors predict left-out volumes than isotropic diffusion does.

    This is one minus the ratio of the squared errors of :math:`\ln S` over the weighted volumes.
    It is positive if the directions belong to the volumes. It is negative if they are in another
    order, because then the tensors fit only noise.

    Parameters
    ----------
    signal : numpy.ndarray, shape (n_voxels, n_volumes)
        Signal of voxels inside the head.
    tables : sequence of GradientTable
        Tables with the same b-values in the same order; one row per volume.

    Returns
    -------
    list of float
        One value for each table.
    """
    logs = _logarithm(signal)
    products = logs.T @ logs  # all that the squared errors need of the voxels
    weighted = ~tables[0].is_b0
    design = design_matrix(tables[0])
    isotropic = np.column_stack([design[:, 0], design[:, 1:4].sum(axis=1)])
    reference = _left_out_error(products, isotropic, weighted)
    if reference <= 0:
        return [0.0] * len(tables)
    errors = [_left_out_error(products, design_matrix(table), weighted) for table in tables]
    return [1 - error / reference for error in errors]


def _left_out_error(products: Array, design: Array, weighted: NDArray[np.bool_]) -> float:
    """Return the squared error of the left-out predictions, summed over voxels and volumes."""
    rows = _left_out(np.eye(len(design)), design)[:, weighted] - np.eye(len(design))[:, weighted]
    return float(np.einsum("ij,ik,kj->", rows, products, rows, optimize=True))


def _left_out(logs: Array, design: Array) -> Array:
    """Predict each volume by least squares on the others."""
    hat = design @ np.linalg.pinv(design)
    leverage = np.minimum(np.diag(hat), 0.95)
    return np.asarray((logs @ hat.T - leverage * logs) / (1 - leverage))


def _logarithm(signal: Array) -> Array:
    """Return the natural logarithm, with small and negative values raised to a floor."""
    floor = np.maximum(signal.max(axis=1, keepdims=True) * 1e-3, 1e-6)
    return np.asarray(np.log(np.maximum(signal, floor)))


def fractional_anisotropy(eigenvalues: Array) -> Array:
    """Return FA of every row of eigenvalues (n_voxels, 3), between 0 and 1."""
    clipped = np.maximum(eigenvalues, 0)
    spread = clipped - clipped.mean(axis=1, keepdims=True)
    size = np.sqrt((clipped**2).sum(axis=1))
    ratio = np.sqrt(1.5 * (spread**2).sum(axis=1)) / np.where(size > 0, size, 1)
    return np.asarray(np.clip(ratio, 0, 1))
