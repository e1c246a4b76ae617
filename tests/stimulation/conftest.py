"""A synthetic SPES recording as a BIDS dataset."""

import json

import numpy as np
import pandas as pd
import pybv
import pytest

from virtualbrain.io.patient_search import find_patient
from virtualbrain.synthetic.spes import SpesChoices, draw_spes


def write_spes(folder, recording, events=None, electrodes=None):
    """Write a recording, and changed events or electrodes; return the patient's files."""
    ieeg = folder / "sub-01" / "ieeg"
    ieeg.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text('{"Name": "t", "BIDSVersion": "1.10.0"}')
    stem = "sub-01_task-spes"
    pybv.write_brainvision(
        data=recording.signal_v, sfreq=recording.rate_hz, ch_names=list(recording.names),
        fname_base=f"{stem}_ieeg", folder_out=ieeg, resolution=0.01, fmt="binary_float32",
        overwrite=True,
    )  # fmt: skip
    channels = pd.DataFrame({"name": recording.names, "type": "SEEG", "units": "µV"})
    contacts = pd.DataFrame({"name": recording.names, "x": "n/a", "y": "n/a", "z": "n/a"})
    events = recording.events if events is None else events
    electrodes = contacts if electrodes is None else electrodes
    for name, table in (
        (f"{stem}_channels.tsv", channels),
        (f"{stem}_events.tsv", events),
        ("sub-01_electrodes.tsv", electrodes),
    ):
        table.to_csv(ieeg / name, sep="\t", index=False, na_rep="n/a")
    (ieeg / f"{stem}_ieeg.json").write_text(json.dumps({"PowerLineFrequency": 50}))
    return find_patient(folder, "01")


@pytest.fixture(scope="session")
def small_spes():
    """Three sites on three electrodes of four contacts."""
    choices = SpesChoices(
        n_electrodes=3, n_contacts=4, n_sites=3, n_trials=8, n1_v=200e-6, rate_hz=1024.0
    )
    return draw_spes(np.random.default_rng(11), choices)
