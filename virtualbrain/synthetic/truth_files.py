"""Write and read the truth of a demo patient, in a folder that no stage of the pipeline reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.images import write_image
from virtualbrain.io.tables import read_matrix, read_table, write_matrix, write_table
from virtualbrain.network import Network
from virtualbrain.synthetic.demo_patient import DemoPatient
from virtualbrain.synthetic.epileptic_network import EpilepticNetwork
from virtualbrain.synthetic.evoked_network import EvokedNetwork
from virtualbrain.synthetic.ieeg_files import Event
from virtualbrain.synthetic.seizure import Seizure

ATLAS = "DesikanKilliany"
_KEPT_RATE_HZ = 64.0


def truth_folder(dataset: Path, label: str) -> Path:
    """Return the folder of a patient's truth."""
    return Path(dataset) / "derivatives" / "truth" / f"sub-{label}"


def write_truth(
    dataset: Path,
    label: str,
    patient: DemoPatient,
    regions: pd.DataFrame,
    network: Network,
    about: dict[str, Any],
    events: Sequence[Sequence[Event]],
    labels: Any = None,
) -> None:
    """Write the truth of a patient: tables, matrices, labels and sources.

    Parameters
    ----------
    dataset : Path
        Root of the dataset.
    label : str
        The participant.
    patient : DemoPatient
        Disease, seizure, contacts and recording.
    regions : pandas.DataFrame
        Region table.
    network : Network
        The true connectome before normalisation.
    about : dict
        Further entries of the summary, such as the seed.
    events : sequence of sequences of Event
        Events that the clinic marked in each recording, for comparison with the true onset.
    labels : nibabel image, optional
        True labels on the T1's grid.
    """
    folder = truth_folder(dataset, label)
    stem = f"sub-{label}_atlas-{ATLAS}"
    note = {"Description": "truth of a synthetic patient; no stage of the pipeline reads it"}
    write_json(
        folder.parent / "dataset_description.json",
        {"Name": "Truth", "BIDSVersion": "1.10.0", "DatasetType": "derivative",
         "GeneratedBy": [{"Name": "virtualbrain"}]},
    )  # fmt: skip
    write_json(folder / f"sub-{label}_truth.json", {**about, **_summary(patient, events)})
    place = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(folder / f"{stem}_dseg.tsv", regions, {**note, **place})
    if labels is not None:
        write_image(folder / f"{stem}_dseg.nii.gz", labels)
    _write_matrices(folder, stem, network, note)
    write_table(folder / f"sub-{label}_regions.tsv", region_truth(patient.brain), note)
    faults = patient.recordings[0].status.set_index("name")["fault"]
    contacts = patient.contacts.assign(fault=faults.loc[patient.contacts["name"]].to_numpy())
    write_table(folder / f"sub-{label}_contacts.tsv", contacts, {**note, **place})
    write_table(folder / f"sub-{label}_channels.tsv", channel_truth(patient), note)
    _write_sources(folder / f"sub-{label}_sources.nc", patient.brain.seizure)


def channel_truth(patient: DemoPatient) -> pd.DataFrame:
    """Return the channels with their onset in each seizure: `onset_s`, `onset_s_02`, …."""
    table = patient.recordings[0].channel_onsets.copy()
    for number, recording in enumerate(patient.recordings[1:], 2):
        table[f"onset_s_{number:02d}"] = recording.channel_onsets["onset_s"].to_numpy()
    return table


def write_true_responses(
    dataset: Path, label: str, regions: Sequence[str], evoked: EvokedNetwork
) -> None:
    """Write the true responses to pulses, stimulated (rows) by recorded regions."""
    names = list(regions)
    for stat, matrix, unit in (
        ("amplitude", evoked.amplitude_v, "V"),
        ("latency", evoked.latency_s, "s"),
    ):
        about = {
            "Description": f"truth: {stat} of the N1, region stimulated (row) by region recorded",
            "Units": unit,
        }
        write_matrix(_true_responses(dataset, label, stat), matrix, names, names, about)


def _true_responses(dataset: Path, label: str, stat: str) -> Path:
    stem = f"sub-{label}_atlas-{ATLAS}_desc-evoked"
    return truth_folder(dataset, label) / f"{stem}_stat-{stat}_relmat.tsv"


def read_true_responses(dataset: Path, label: str, stat: str) -> pd.DataFrame:
    """Read the matrix of `write_true_responses`: amplitude (V) or latency (s)."""
    return read_matrix(_true_responses(dataset, label, stat))


def _summary(patient: DemoPatient, events: Sequence[Sequence[Event]]) -> dict[str, Any]:
    """Return the content of truth.json."""
    brain = patient.brain
    disease = brain.disease
    first, *further = [_of_seizure(*of) for of in zip(patient.seizures, events, strict=True)]
    return {
        "epileptogenic": disease.epileptogenic,
        "recruited": brain.recruited,
        "susceptible": disease.susceptible,
        "unsampled": patient.unsampled,
        "K": disease.K,
        "normalisation": brain.network.normalisation,
        "x0": dict(zip(disease.regions, disease.x0, strict=True)),
        **first,
        "further_seizures": further,
        "draws": brain.attempts,
        "model": "6D Epileptor",
    }


def _of_seizure(seizure: Seizure, events: Sequence[Event]) -> dict[str, Any]:
    return {
        "onset_s": dict(zip(seizure.regions, seizure.onset_s, strict=True)),
        "end_s": dict(zip(seizure.regions, seizure.end_s, strict=True)),
        "first_onset_s": seizure.first_onset_s,
        "last_end_s": seizure.last_end_s,
        "marked": [
            {"onset_s": e.onset_s, "duration_s": e.duration_s, "trial_type": e.trial_type}
            for e in events
        ],
    }


def region_truth(brain: EpilepticNetwork) -> pd.DataFrame:
    """Return `region zone x0 onset_s end_s`; zone is EZ, PZ (recruited) or none."""
    zone, recruited = set(brain.disease.epileptogenic), set(brain.recruited)
    zones = [
        "EZ" if n in zone else "PZ" if n in recruited else "none" for n in brain.seizure.regions
    ]
    return pd.DataFrame(
        {
            "region": list(brain.seizure.regions),
            "zone": zones,
            "x0": brain.disease.x0,
            "onset_s": brain.seizure.onset_s,
            "end_s": brain.seizure.end_s,
        }
    )


def _write_matrices(folder: Path, stem: str, network: Network, note: dict[str, str]) -> None:
    names = list(network.regions)
    lengths = network.lengths if network.lengths is not None else np.zeros_like(network.weights)
    for stat, matrix, unit in (
        ("streamlines", network.weights, "arbitrary"),
        ("length", lengths, "mm"),
    ):
        path = folder / f"{stem}_stat-{stat}_relmat.tsv"
        write_matrix(path, matrix, names, names, {**note, "Units": unit})


def _write_sources(path: Path, seizure: Seizure) -> None:
    """Write the sources, downsampled to about 64 Hz."""
    rate = 1.0 / float(seizure.times_s[1] - seizure.times_s[0])
    step = max(1, round(rate / _KEPT_RATE_HZ))
    dims = ("time", "region")
    kept = xr.Dataset(
        {"lfp": (dims, seizure.lfp[::step]), "x1": (dims, seizure.x1[::step])},
        coords={"time": seizure.times_s[::step], "region": list(seizure.regions)},
    )
    encoding = {name: {"zlib": True, "complevel": 4} for name in ("lfp", "x1")}
    with atomic_path(path) as temporary:
        kept.to_netcdf(temporary, engine="netcdf4", encoding=encoding)


# ---- reading ------------------------------------------------------------------------------


def read_region_truth(dataset: Path, label: str) -> pd.DataFrame:
    """Read the table that `region_truth` returned."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_regions.tsv")


def read_true_contacts(dataset: Path, label: str) -> pd.DataFrame:
    """Read the contacts and their true regions."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_contacts.tsv")


def read_true_channels(dataset: Path, label: str) -> pd.DataFrame:
    """Read the channels and their simulated onsets, in seconds from the start of the recording."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_channels.tsv")


def read_true_weights(dataset: Path, label: str) -> pd.DataFrame:
    """Read the true connection weights; rows and columns are region names."""
    folder = truth_folder(dataset, label)
    return read_matrix(folder / f"sub-{label}_atlas-{ATLAS}_stat-streamlines_relmat.tsv")


def true_labels(dataset: Path, label: str) -> tuple[Path, pd.DataFrame]:
    """Return the path of the true label image (it may not exist) and its region table."""
    folder = truth_folder(dataset, label)
    stem = f"sub-{label}_atlas-{ATLAS}_dseg"
    return folder / f"{stem}.nii.gz", read_table(folder / f"{stem}.tsv")
