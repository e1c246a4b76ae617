"""Convert the clinicians' marks of contacts to regions, with probabilities: one rule for all marks.

A contact belongs to the regions in the ball around it, with the probabilities of its grey matter. A
region is marked if it holds a marked contact with a probability of at least one half.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST_PROBABILITY = 0.5
YES = "yes"


def contact_probabilities(contacts: pd.DataFrame) -> pd.DataFrame:
    """Return the probability that each contact belongs to each region.

    Parameters
    ----------
    contacts : pandas.DataFrame
        The contacts (docs/architecture.md) with ``region_probabilities``, such as ``a=0.61;b=0.22``
        (fraction of the ball around the contact).

    Returns
    -------
    pandas.DataFrame, contacts x regions
        Rows in the order of the contacts; a row sums to one, or to zero without grey matter.
    """
    rows = [_parsed(text) for text in contacts["region_probabilities"]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    values = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    values = values.reshape(len(rows), len(names))
    total = values.sum(axis=1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=total > 0)
    return pd.DataFrame(values, index=contacts["name"].astype(str), columns=names)


def _parsed(text: object) -> dict[str, float]:
    """Return region probabilities by name from their text."""
    if not isinstance(text, str) or not text:  # empty: all probabilities are below 0.01
        return {}
    parts = (part.rpartition("=") for part in text.split(";"))
    return {name: float(value) for name, _, value in parts}


def is_marked(contacts: pd.DataFrame, kind: str) -> NDArray[np.bool_]:
    """Return which contacts are marked; none if no table states the kind (soz or resected)."""
    if kind not in contacts:
        return np.zeros(len(contacts), dtype=bool)
    return np.array([cell == YES for cell in contacts[kind]], dtype=bool)


def marked_regions(
    contacts: pd.DataFrame, kind: str, epileptogenic: Collection[str] = ()
) -> pd.DataFrame:
    r"""Return the regions that hold marked contacts.

    With :math:`p_{ck}` the probability that contact c belongs to region k, the probability that
    the region holds a marked contact, and the fraction of its contacts that are marked, are

    .. math::
        q_k = 1 - \prod_{c\ \text{marked}} (1 - p_{ck}), \qquad
        s_k = \sum_{c\ \text{marked}} p_{ck} \Big/ \sum_c p_{ck}.

    Parameters
    ----------
    contacts : pandas.DataFrame
        The contacts with ``region_probabilities`` and the column of the kind.
    kind : str
        ``soz`` or ``resected``.
    epileptogenic : collection of str
        Regions in whose fraction only contacts of the seizure onset zone count: the part of the
        region that starts seizures, if the zone is known by contacts.

    Returns
    -------
    pandas.DataFrame
        Columns ``region``, ``probability`` (q) and ``share`` (s); every region that a marked
        contact may belong to, the most probable first.
    """
    probabilities = contact_probabilities(contacts)
    marked, p = is_marked(contacts, kind), probabilities.to_numpy()
    counted = np.ones(p.shape, dtype=bool)
    inside = np.isin(probabilities.columns, list(epileptogenic))
    counted[:, inside] = is_marked(contacts, "soz")[:, None]
    of_all = (p * counted).sum(axis=0)
    taken = (p * counted * marked[:, None]).sum(axis=0)
    table = pd.DataFrame(
        {
            "region": list(probabilities.columns),
            "probability": 1.0 - np.prod(1.0 - p[marked], axis=0),
            "share": np.divide(taken, of_all, out=np.zeros_like(taken), where=of_all > 0),
        }
    )
    table = table[table["probability"] > 0]
    return table.sort_values("probability", ascending=False, kind="stable").reset_index(drop=True)


def likely_regions(found: pd.DataFrame) -> pd.DataFrame:
    """Return the regions with a probability of at least one half, else the most probable one.

    Parameters
    ----------
    found : pandas.DataFrame
        With the columns ``region`` and ``probability``.
    """
    likely = found[found["probability"] >= LEAST_PROBABILITY]
    chosen = found.nlargest(1, "probability") if likely.empty else likely
    return chosen.reset_index(drop=True)


def zone_of_contacts(contacts: pd.DataFrame) -> pd.DataFrame | None:
    """Return the seizure onset zone of the contacts as hypothesis; None without marked contacts.

    Returns
    -------
    pandas.DataFrame or None
        Columns ``region``, ``zone`` (EZ) and ``probability``: regions that hold a contact of the
        zone with a probability of at least one half; if there is none, the most probable region.
    """
    found = marked_regions(contacts, "soz")
    if found.empty:
        return None
    return likely_regions(found).assign(zone="EZ")[["region", "zone", "probability"]]


def resection_of_contacts(
    contacts: pd.DataFrame, epileptogenic: Collection[str] = ()
) -> dict[str, float]:
    """Return the resected fraction of every region that holds a resected contact.

    An epileptogenic region counts with any probability: contacts that are in it are in it for the
    zone and for the resection.

    Parameters
    ----------
    contacts, epileptogenic
        See `marked_regions`.

    Returns
    -------
    dict of str to float
        Fractions above 0 and at most 1; empty without resected contacts.
    """
    found = marked_regions(contacts, "resected", epileptogenic)
    counts = (found["probability"] >= LEAST_PROBABILITY) | found["region"].isin(epileptogenic)
    found = found[counts & (found["share"] > 0)]
    return {str(row["region"]): min(float(row["share"]), 1.0) for row in found.to_dict("records")}
