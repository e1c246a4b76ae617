"""Constraints on the regions that one operation can resect together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from virtualbrain.errors import ConfigError
from virtualbrain.seeg.contact_regions import region_radii_mm
from virtualbrain.surgery.settings import ApproachSettings

Array = NDArray[np.float64]
TOUCHING_MM = 10.0  # gap between spheres of the regions' volumes


@dataclass(frozen=True)
class ResectionConstraints:
    """Constraints on one operation.

    Parameters
    ----------
    regions : pandas.DataFrame
        Region table: ``name``, and the columns that the limits need: ``hemisphere``, ``x``, ``y``,
        ``z`` (mm), ``volume`` (mm³).
    settings : ApproachSettings
        The limits.
    forbidden : collection of str
        Regions that no plan may resect.

    Raises
    ------
    ConfigError
        A limit needs centres, hemispheres or volumes that the region table does not have.
    """

    regions: pd.DataFrame
    settings: ApproachSettings = field(default_factory=ApproachSettings)
    forbidden: Collection[str] = ()

    def __post_init__(self) -> None:
        limits = self.settings
        needed = {
            "hemisphere": limits.one_side,
            "x": limits.contiguous or limits.radius_mm > 0,
            "volume": limits.volume_mm3 > 0,
        }
        for column, is_needed in needed.items():
            if is_needed and (column not in self.regions or self.regions[column].isna().all()):
                raise ConfigError(
                    "surgery.approach needs a column that the region table does not have",
                    expected=f"a column {column}",
                    hint="set one_side and contiguous to false, and radius_mm and volume_mm3 to 0",
                )
        object.__setattr__(self, "regions", self.regions.set_index("name", drop=False))

    def allows(self, chosen: Sequence[str]) -> bool:
        """Return whether one operation can resect these regions."""
        if set(chosen) & set(self.forbidden):
            return False
        limits, rows = self.settings, self.regions.loc[list(chosen)]
        if limits.one_side and rows["hemisphere"].dropna().nunique() > 1:
            return False
        if limits.volume_mm3 and rows["volume"].sum() > limits.volume_mm3:
            return False
        if limits.radius_mm and _radius_mm(_centres(rows)) > limits.radius_mm:
            return False
        return not limits.contiguous or self._touch(rows)

    def _touch(self, rows: pd.DataFrame) -> bool:
        """Return whether the regions form one connected group."""
        centres = _centres(rows)
        radii = pd.Series(region_radii_mm(self.regions), self.regions.index)[rows.index].to_numpy()
        gap = np.linalg.norm(centres[:, None] - centres[None], axis=-1) - radii - radii[:, None]
        count, _ = connected_components(gap <= TOUCHING_MM, directed=False)
        return int(count) == 1


def _centres(rows: pd.DataFrame) -> Array:
    return np.asarray(rows[["x", "y", "z"]].to_numpy(dtype=np.float64))


def _radius_mm(centres: Array) -> float:
    """Return the largest distance of a centre from the mean of all centres."""
    return float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).max())
