"""Write the evoked responses of a patient: matrices of sites by channels, and the sites."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.tables import write_matrix, write_table

_MATRICES = {
    "amplitude": ("V", "N1 relative to the baseline; n/a without an N1 or if not used"),
    "latency": ("s", "latency of the N1 after the pulse; n/a without an N1 or if not used"),
    "probability": ("1", "fraction of resamples of the trials with an N1; n/a if not used"),
}
_SITES = {
    "site": {"Description": "stimulated contacts"},
    "current_a": {"Description": "current of the pulses", "Units": "A"},
    "width_s": {"Description": "width of the pulses", "Units": "s"},
    "n_trials": {"Description": "pulses used"},
    "n_channels": {"Description": "channels used"},
    "n_n1": {"Description": "channels with an N1"},
    "pcist": {"Description": "perturbational complexity index of state transitions"},
    "n_components": {"Description": "principal components above the baseline"},
    "rate_hz": {"Description": "sampling rate of the trials", "Units": "Hz"},
}


def write_evoked(
    layout: PatientLayout,
    matrices: Mapping[str, pd.DataFrame],
    sites: pd.DataFrame,
    sidecar: Mapping[str, Any],
) -> None:
    """Write the tables of evoked responses with their sidecars.

    Parameters
    ----------
    layout : PatientLayout
        File layout of the patient's results.
    matrices : mapping of pandas.DataFrame
        Sites (index) by channels; amplitude in V, latency in s, probability.
    sites : pandas.DataFrame
        One row per site.
    sidecar : mapping
        Sources, settings and versions.
    """
    for stat, matrix in matrices.items():
        unit, description = _MATRICES[stat]
        write_matrix(
            layout.evoked(stat), matrix.to_numpy(), list(matrix.index), list(matrix.columns),
            {"Description": f"stimulated site (row) by channel (column): {description}",
             "Units": unit, **sidecar},
        )  # fmt: skip
    write_table(layout.stimulation_sites, sites, {**_SITES, **sidecar})
