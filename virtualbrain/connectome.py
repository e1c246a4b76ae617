"""The connectome of one patient: regions, connection weights and tract lengths."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from virtualbrain.errors import InputError
from virtualbrain.network import Network

Array = NDArray[np.float64]
REGION_COLUMNS = ("index", "name", "hemisphere", "structure", "x", "y", "z", "area", "volume")
PATIENT_FRAME, TEMPLATE_FRAME = "T1w scanner RAS", "MNI152"
_ASYMMETRY = 1e-6


@dataclass(frozen=True)
class Connectome:
    """Regions, weights and tract lengths in the same order.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table; at least the columns of `REGION_COLUMNS`, one row per region.
    weights : numpy.ndarray, shape (n_regions, n_regions)
        Raw weights of any unit, symmetric, zero on the diagonal.
    lengths_mm : numpy.ndarray, shape (n_regions, n_regions)
        Mean tract lengths; zero where there is no tract.
    source : str
        Origin of the weights, for messages.
    group : str
        Name of the group whose connections these are; empty: they are the patient's own.
    frame : str
        Coordinate frame of the regions: `PATIENT_FRAME` or `TEMPLATE_FRAME`.

    Raises
    ------
    InputError
        Shapes differ, a name occurs twice, a place or size is not a number, or entries are
        negative, infinite or asymmetric.
    """

    regions: pd.DataFrame
    weights: Array
    lengths_mm: Array
    source: str = ""
    group: str = ""
    frame: str = PATIENT_FRAME

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) != len(names):
            repeated = next(name for name in names if names.count(name) > 1)
            raise InputError(
                f"the region {repeated} occurs twice", where="region table", expected="unique names"
            )
        _check_numbers(self.regions)
        for field in ("weights", "lengths_mm"):
            matrix = np.array(getattr(self, field), dtype=np.float64)
            _check_matrix(matrix, names, field)
            np.fill_diagonal(matrix, 0.0)
            object.__setattr__(self, field, matrix)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the regions."""
        return tuple(self.regions["name"].astype(str))

    @property
    def n_regions(self) -> int:
        """Number of regions."""
        return len(self.regions)

    def isolated(self) -> tuple[str, ...]:
        """Return the regions without any connection."""
        return self.network().isolated()

    def ordered(self, names: Sequence[str]) -> "Connectome":
        """Return the connectome with the regions in the order of `names`; others are left out.

        Raises
        ------
        InputError
            A name is not among the regions.
        """
        places = {name: i for i, name in enumerate(self.names)}
        unknown = [name for name in names if name not in places]
        if unknown:
            raise InputError(
                f"no region {unknown[0]}", where=self.source, expected="names of the region table"
            )
        chosen = [places[name] for name in names]
        square = np.ix_(chosen, chosen)
        regions = self.regions.iloc[chosen].reset_index(drop=True)
        weights, lengths = self.weights[square], self.lengths_mm[square]
        return replace(self, regions=regions, weights=weights, lengths_mm=lengths)

    def network(self) -> Network:
        """Return the network of raw weights."""
        return Network(self.weights, self.lengths_mm, self.names)


def mirrored(matrix: Array) -> Array:
    """Return a matrix with one triangle made symmetric; any other matrix is unchanged.

    The other triangle must contain nothing but zeros or NaN. The diagonal has no meaning; where
    it is NaN it becomes 0.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (n_regions, n_regions)
        Weights or tract lengths.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        return matrix
    whole = np.array(matrix, dtype=np.float64)
    diagonal = np.nan_to_num(np.diag(whole), nan=0.0)
    np.fill_diagonal(whole, diagonal)
    upper, lower = np.triu(whole, 1), np.tril(whole, -1)
    for full, empty in ((upper, lower), (lower, upper)):
        if not np.nan_to_num(empty, nan=0.0).any():
            return np.asarray(full + full.T + np.diag(diagonal))
    return whole


_ENTRY_NAMES = {"weights": "weight", "lengths_mm": "length"}


def _check_numbers(regions: pd.DataFrame) -> None:
    """Raise an error if a place or size of a region is not a number."""
    for column in ("x", "y", "z", "area", "volume"):
        cells = regions[column] if column in regions else pd.Series(dtype=float)
        wrong = pd.to_numeric(cells, errors="coerce").isna() & cells.notna()
        if wrong.any():
            named = regions.loc[wrong, ["name", column]].astype(str).agg(": ".join, axis=1)
            raise InputError(
                f"{column} is not a number ({', '.join(named[:5])}{', …' * (len(named) > 5)})",
                where="region table",
                expected="numbers in mm, mm² or mm³, or n/a",
                hint="write a decimal point, not a comma",
            )


def _check_matrix(matrix: Array, names: tuple[str, ...], field: str) -> None:
    """Raise an error if a matrix is not square, finite, non-negative and symmetric."""
    n, entry = len(names), _ENTRY_NAMES[field]
    if matrix.shape != (n, n):
        raise InputError(f"{field} has the shape {matrix.shape}", expected=f"{n} by {n} regions")
    if not np.isfinite(matrix).all():
        i, j = np.argwhere(~np.isfinite(matrix))[0]
        raise InputError(
            f"the {entry} of {names[i]} and {names[j]} is not a finite number",
            hint="correct the matrix",
        )
    if (matrix < 0).any():
        i, j = np.argwhere(matrix < 0)[0]
        raise InputError(
            f"the {entry} of {names[i]} and {names[j]} is negative",
            expected="0 or more",
            hint="correct the matrix; set entries without a connection to 0",
        )
    difference = np.abs(matrix - matrix.T)
    if difference.max(initial=0.0) > _ASYMMETRY * matrix.max(initial=0.0):
        i, j = np.unravel_index(difference.argmax(), difference.shape)
        raise InputError(
            f"the {entry} from {names[i]} to {names[j]} differs from that in the other direction",
            expected="a symmetric matrix (diffusion MRI does not measure direction)",
            hint="replace both entries by their mean",
        )
