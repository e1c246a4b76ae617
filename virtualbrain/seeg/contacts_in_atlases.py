"""Regions of the contacts in several atlases at once, as probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.seeg.contact_regions import name_regions, place_points
from virtualbrain.seeg.settings import SeegSettings

COLUMNS = ("name", "atlas", "region", "p_region", "region_probabilities")


@dataclass(frozen=True)
class ContactAtlas:
    """An atlas in the coordinate frame of the contacts.

    Parameters
    ----------
    name : str
        Name of the atlas.
    regions : pandas.DataFrame
        Region table; ``index`` is the value in `labels`.
    labels : nibabel image, optional
        Label image; without it the region centres of the table are used.
    source : str
        Where it comes from, for the sidecar.
    """

    name: str
    regions: pd.DataFrame
    labels: Any
    source: str


def regions_in_atlases(
    contacts: pd.DataFrame, atlases: Sequence[ContactAtlas], settings: SeegSettings
) -> pd.DataFrame:
    """Return the region of every contact in every atlas.

    Parameters
    ----------
    contacts : pandas.DataFrame
        Table as from `contacts.read_contacts`.
    atlases : sequence of ContactAtlas
        The atlases.
    settings : SeegSettings
        Radius of the ball around a contact; without a label image the largest distance to a
        region's centre.

    Returns
    -------
    pandas.DataFrame
        One row for each contact and atlas: ``name atlas region p_region region_probabilities``.
        Region n/a: no region of the atlas in the ball.
    """
    points = contacts[["x", "y", "z"]].to_numpy(float)
    tables = []
    for atlas in atlases:
        placed = place_points(points, atlas.regions, atlas.labels, None, settings)
        names = [str(name) for name in atlas.regions["name"]]
        region, probability, texts = name_regions(placed.probabilities, names)
        tables.append(
            pd.DataFrame(
                {
                    "name": contacts["name"].to_numpy(),
                    "atlas": atlas.name,
                    "region": region,
                    "p_region": np.round(probability, 4),
                    "region_probabilities": texts,
                },
                columns=list(COLUMNS),
            )
        )
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
