"""Write the clinical tables of a demo patient: hypothesis, eloquent regions and a plan."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from virtualbrain.io.tables import write_table

# Functions that a clinic would map: Desikan-Killiany regions.
ELOQUENT = {
    "ctx-lh-precentral": "motor",
    "ctx-rh-precentral": "motor",
    "ctx-lh-parsopercularis": "language",
    "ctx-lh-superiortemporal": "language",
    "ctx-lh-transversetemporal": "hearing",
    "ctx-rh-transversetemporal": "hearing",
    "ctx-lh-pericalcarine": "vision",
    "ctx-rh-pericalcarine": "vision",
}
PLAN = "resection of onset and first spread"


def clinical_tables(
    contacts: pd.DataFrame, channel_onsets: pd.DataFrame, regions: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Return the clinical tables by name, from what a clinic would see in the recording.

    The region of the first channel is the hypothesis of the EZ, the next one that of the PZ. The
    truth on the disease is not used.

    Parameters
    ----------
    contacts : pandas.DataFrame
        Columns ``name`` and ``region``.
    channel_onsets : pandas.DataFrame
        Columns ``anode`` and ``onset_s``.
    regions : sequence of str
        Regions of the patient; eloquent regions of another atlas are left out.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``hypothesis``, ``eloquent`` and ``plans``; without an onset in a region only ``eloquent``.
    """
    eloquent = [(name, function) for name, function in ELOQUENT.items() if name in set(regions)]
    tables = {"eloquent": pd.DataFrame(eloquent, columns=["region", "function"])}
    place = contacts.set_index("name")["region"]
    ordered = channel_onsets.dropna(subset=["onset_s"]).sort_values("onset_s", kind="stable")
    seen = [str(name) for name in ordered["anode"].map(place) if name in set(regions)]
    first = list(dict.fromkeys(seen))[:2]
    if not first:
        return tables
    zones = ["EZ", "PZ"][: len(first)]
    tables["hypothesis"] = pd.DataFrame({"region": first, "zone": zones, "source": "SEEG"})
    tables["plans"] = pd.DataFrame(
        {"name": [PLAN], "kind": ["resection"], "regions": [",".join(first)]}
    )
    return tables


def write_clinical(folder: Path, label: str, tables: dict[str, pd.DataFrame]) -> None:
    """Write the tables to ``derivatives/clinical`` of a dataset."""
    target = Path(folder) / "derivatives" / "clinical" / f"sub-{label}"
    note = {"Description": "clinical table of a synthetic patient"}
    for name, table in tables.items():
        write_table(target / f"sub-{label}_{name}.tsv", table, note)
