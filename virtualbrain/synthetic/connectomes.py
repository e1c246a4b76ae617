"""Draw connectomes of synthetic patients, and add errors to a given connectome."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.network import Network

Matrix = NDArray[np.float64]


def connectome_from_geometry(regions: pd.DataFrame, rng: np.random.Generator) -> Network:
    r"""Draw the connectome of a demo patient, with known properties of measured ones.

    Weights fall with distance, :math:`w \propto \sqrt{V_i V_j}\, e^{-d/\lambda + \epsilon}`
    with :math:`\lambda` = 22 mm and log-normal scatter; connections across the midline are
    weaker, except between homologous regions; the weakest 60 % are absent.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table with name, hemisphere, x, y, z (mm) and volume (mm³).
    rng : numpy.random.Generator
        Source of the scatter.

    Returns
    -------
    Network
        Symmetric weights in the unit of streamlines, lengths in mm; not normalised.
    """
    centres = regions[["x", "y", "z"]].to_numpy(dtype=np.float64)
    names = [str(name) for name in regions["name"]]
    distance_mm = np.linalg.norm(centres[:, None] - centres, axis=2)
    size = np.sqrt(regions["volume"].to_numpy(dtype=np.float64))
    sides = regions["hemisphere"].to_numpy()
    across = np.where(sides[:, None] != sides, 0.15, 1.0)
    weights = np.outer(size, size) * np.exp(-distance_mm / 22.0) * across
    weights[_homotopic(names)] *= 40.0
    weights *= np.exp(_symmetric_normal(len(names), rng))
    np.fill_diagonal(weights, 0.0)
    upper = weights[np.triu_indices_from(weights, k=1)]
    weights[weights < np.quantile(upper, 0.6)] = 0.0
    bend = 1.15 + 0.2 * np.abs(_symmetric_normal(len(names), rng))
    lengths = np.where(weights > 0, distance_mm * bend, 0.0)
    return Network(weights * 2e6 / weights.sum(), lengths, names)


def with_errors(
    network: Network, rng: np.random.Generator, log_sd: float = 0.4, missing: float = 0.0
) -> Network:
    r"""Return the connectome with errors, :math:`w'_{ij} = w_{ij} e^{\sigma \epsilon_{ij}}`.

    Parameters
    ----------
    network : Network
        Weights of any scale.
    rng : numpy.random.Generator
        Source of the errors; they are symmetric.
    log_sd : float
        Standard deviation of the log weight.
    missing : float
        Fraction of the connections that are lost, preferably weak ones.
    """
    n = network.n_regions
    weights = network.weights * np.exp(log_sd * _symmetric_normal(n, rng))
    if missing > 0:
        noisy = np.log(np.where(weights > 0, weights, np.nan)) + _symmetric_normal(n, rng)
        weights = np.where(noisy < np.nanquantile(noisy, missing), 0.0, weights)
    lengths = None if network.lengths is None else np.where(weights > 0, network.lengths, 0.0)
    return Network(weights, lengths, network.regions, network.normalisation)


def connectome_from_centres(centres: Matrix, rng: np.random.Generator) -> Matrix:
    """Draw the weights of a validation patient: they fall with distance and have heavy tails.

    Homologous regions, which are half of the regions apart, get an additional connection.

    Parameters
    ----------
    centres : numpy.ndarray, shape (n_regions, 3)
        Millimetres; one hemisphere after the other, both in the same order.
    rng : numpy.random.Generator
        Source of the scatter.
    """
    n = len(centres)
    distance = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    weights = np.exp(-distance / 18.0) * rng.lognormal(0, 1.0, (n, n))
    weights = np.triu(weights, 1)
    weights[rng.random((n, n)) < 0.4 * (distance > 45)] = 0.0
    half = n // 2
    weights[np.arange(half), np.arange(half) + half] += 0.1 * rng.lognormal(0, 0.5, half)
    return np.asarray(1e4 * (weights + weights.T))


def with_lost_connections(weights: Matrix, rng: np.random.Generator) -> Matrix:
    """Return weights with log-normal errors (sd 0.5), 15 % of the connections lost at random."""
    factor = np.triu(rng.lognormal(0, 0.5, weights.shape), 1)
    factor[rng.random(weights.shape) < 0.15] = 0.0
    return np.asarray(weights * (factor + factor.T))


def _symmetric_normal(n: int, rng: np.random.Generator) -> Matrix:
    """Draw a symmetric matrix of standard normal numbers."""
    upper = np.triu(rng.standard_normal((n, n)), k=1)
    return np.asarray(upper + upper.T)


def _homotopic(names: list[str]) -> NDArray[np.bool_]:
    """Return which pairs are homologous regions of the two hemispheres."""
    bare = np.array([_without_side(name) for name in names])
    return np.asarray((bare[:, None] == bare) & ~np.eye(len(names), dtype=bool))


def _without_side(name: str) -> str:
    return (
        name.replace("ctx-lh-", "ctx-")
        .replace("ctx-rh-", "ctx-")
        .removeprefix("Left-")
        .removeprefix("Right-")
    )
