"""The network of regions: weights, tract lengths and names; normalisation of the weights."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import ModelError

Normalisation = Literal["strength", "max", "p95", "none"]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Network:
    """Regions and the connections between them.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Connection weights, row i = into region i; not negative. The diagonal is set to zero:
        difference coupling removes the coupling of a region to itself.
    lengths : numpy.ndarray, shape (n_regions, n_regions), optional
        Tract lengths in mm; zero where there is no tract.
    regions : sequence of str
        Unique names; they identify the regions.
    normalisation : str
        Scaling of `weights`; stored with every result, because K has no meaning without it.

    Raises
    ------
    ModelError
        Shapes differ, a name occurs twice, or an entry is negative or not finite.
    """

    weights: Matrix
    lengths: Matrix | None = None
    regions: Sequence[str] = field(default=())
    normalisation: Normalisation = "none"

    def __post_init__(self) -> None:
        weights = _checked(self.weights, "weights")
        np.fill_diagonal(weights, 0.0)
        regions = tuple(str(name) for name in self.regions) or tuple(
            f"region-{i + 1}" for i in range(len(weights))
        )
        if len(regions) != len(weights):
            raise ModelError(
                f"{len(regions)} region names for {len(weights)} rows of weights",
                expected="one name per row",
            )
        if len(set(regions)) != len(regions):
            repeated = next(name for name in regions if regions.count(name) > 1)
            raise ModelError(f"the region {repeated} occurs twice", expected="unique names")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "regions", regions)
        if self.lengths is not None:
            lengths = _checked(self.lengths, "lengths")
            if lengths.shape != weights.shape:
                raise ModelError(
                    f"lengths have the shape {lengths.shape}",
                    expected=f"{weights.shape}, as weights",
                )
            object.__setattr__(self, "lengths", lengths)

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.regions)

    def normalised(self, method: Normalisation = "strength") -> "Network":
        """Return the network with scaled weights, so that K is comparable between patients.

        Parameters
        ----------
        method : {"strength", "max", "p95", "none"}
            Divide by the mean row sum, by the largest weight, or by the 95th percentile of the
            weights above zero (and clip at one); or leave them.

        Returns
        -------
        Network
            The scaled network.

        Raises
        ------
        ModelError
            The rule is unknown.
        """
        return replace(self, weights=normalise_weights(self.weights, method), normalisation=method)

    def isolated(self) -> tuple[str, ...]:
        """Return the regions without any connection.

        Returns
        -------
        tuple of str
            Their names.
        """
        alone = (self.weights.sum(axis=0) + self.weights.sum(axis=1)) == 0
        return tuple(name for name, is_alone in zip(self.regions, alone, strict=True) if is_alone)


def normalise_weights(weights: Matrix, method: Normalisation = "strength") -> Matrix:
    r"""Scale connection weights so that the coupling K is comparable between patients.

    ``strength`` divides by the mean row sum. A region with all neighbours in seizure then receives
    on average :math:`K \sum_j C_{ij} \Delta x = K \Delta x`. ``max`` divides by the largest weight,
    as published models do. ``p95`` divides by the 95th percentile of the weights above zero and
    clips at one. ``none`` does not scale.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Weights of any scale; the diagonal is ignored and returned as zero.
    method : {"strength", "max", "p95", "none"}
        Scaling rule.

    Returns
    -------
    numpy.ndarray, shape (n_regions, n_regions)
        Scaled weights; all zero if there is no connection.

    Raises
    ------
    ModelError
        The rule is unknown, or a weight is negative or not finite.
    """
    scaled = _checked(weights, "weights")
    np.fill_diagonal(scaled, 0.0)
    if method not in get_args(Normalisation):
        raise ModelError(
            f"unknown normalisation {method!r}", expected=", ".join(get_args(Normalisation))
        )
    if method == "none" or not scaled.any():
        return scaled
    if method == "max":
        return scaled / scaled.max()
    if method == "p95":
        return np.minimum(scaled / np.percentile(scaled[scaled > 0], 95), 1.0)
    return scaled / scaled.sum(axis=1).mean()


def _checked(matrix: Matrix, name: str) -> Matrix:
    """Return a float copy of a square matrix without negative or non-finite entries."""
    copy = np.array(matrix, dtype=np.float64)
    if copy.ndim != 2 or copy.shape[0] != copy.shape[1]:
        raise ModelError(f"{name} have the shape {copy.shape}", expected="a square matrix")
    if not np.isfinite(copy).all():
        raise ModelError(f"{name} have values that are not finite", hint="correct the connectome")
    if (copy < 0).any():
        raise ModelError(f"{name} have negative values", expected="zero or more")
    return copy
