"""The truth of a made patient, in a folder of its own that no stage reads."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from virtualbrain.io.atomic import atomic_path, write_json
from virtualbrain.io.images import write_image
from virtualbrain.io.tables import read_matrix, read_table, write_matrix, write_table
from virtualbrain.network import Network
from virtualbrain.synthetic.ieeg_files import Event
from virtualbrain.synthetic.patients import ImplantedPatient
from virtualbrain.synthetic.sources import Seizure, VirtualPatient

ATLAS = "DesikanKilliany"
_KEPT_RATE_HZ = 64.0


def truth_folder(dataset: Path, label: str) -> Path:
    """Return where a patient's truth stands."""
    return Path(dataset) / "derivatives" / "truth" / f"sub-{label}"


def write_truth(
    dataset: Path,
    label: str,
    made: ImplantedPatient,
    regions: pd.DataFrame,
    network: Network,
    about: dict[str, Any],
    events: tuple[Event, ...],
    labels: Any = None,
) -> None:
    """Write everything that is known of a patient.

    Parameters
    ----------
    dataset : Path
        Root of the dataset.
    label : str
        The participant.
    made : ImplantedPatient
        Disease, seizure, contacts and recording.
    regions : pandas.DataFrame
        Region table.
    network : Network
        The true connectome as it was before normalisation.
    about : dict
        Seed and how the patient was made.
    events : tuple of Event
        The marks of the clinic, for comparison with the true onset.
    labels : nibabel image, optional
        True labels on the T1's grid.
    """
    folder = truth_folder(dataset, label)
    stem = f"sub-{label}_atlas-{ATLAS}"
    note = {"Description": "truth of a made patient; no stage of the pipeline reads it"}
    write_json(
        folder.parent / "dataset_description.json",
        {"Name": "Truth", "BIDSVersion": "1.10.0", "DatasetType": "derivative",
         "GeneratedBy": [{"Name": "virtualbrain"}]},
    )  # fmt: skip
    write_json(folder / f"sub-{label}_truth.json", {**about, **_summary(made, events)})
    place = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(folder / f"{stem}_dseg.tsv", regions, {**note, **place})
    if labels is not None:
        write_image(folder / f"{stem}_dseg.nii.gz", labels)
    _write_matrices(folder, stem, network, note)
    write_table(folder / f"sub-{label}_regions.tsv", region_truth(made.patient), note)
    faults = made.recording.status.set_index("name")["fault"]
    contacts = made.contacts.assign(fault=faults.loc[made.contacts["name"]].to_numpy())
    write_table(folder / f"sub-{label}_contacts.tsv", contacts, {**note, **place})
    write_table(folder / f"sub-{label}_channels.tsv", made.recording.channel_onsets, note)
    _write_sources(folder / f"sub-{label}_sources.nc", made.patient.seizure)


def _summary(made: ImplantedPatient, events: tuple[Event, ...]) -> dict[str, Any]:
    """Gather the truth in one object."""
    patient = made.patient
    disease, seizure = patient.disease, patient.seizure
    return {
        "epileptogenic": disease.epileptogenic,
        "recruited": patient.recruited,
        "susceptible": disease.susceptible,
        "unsampled": made.unsampled,
        "K": disease.K,
        "normalisation": patient.network.normalisation,
        "x0": dict(zip(disease.regions, disease.x0, strict=True)),
        "onset_s": dict(zip(seizure.regions, seizure.onset_s, strict=True)),
        "end_s": dict(zip(seizure.regions, seizure.end_s, strict=True)),
        "first_onset_s": seizure.first_onset_s,
        "last_end_s": seizure.last_end_s,
        "marked": [
            {"onset_s": e.onset_s, "duration_s": e.duration_s, "trial_type": e.trial_type}
            for e in events
        ],
        "draws": patient.attempts,
        "model": "6D Epileptor",
    }


def region_truth(patient: VirtualPatient) -> pd.DataFrame:
    """Return `region zone x0 onset_s end_s`; zone is EZ, PZ (recruited) or none."""
    own, recruited = set(patient.disease.epileptogenic), set(patient.recruited)
    zones = [
        "EZ" if n in own else "PZ" if n in recruited else "none" for n in patient.seizure.regions
    ]
    return pd.DataFrame(
        {
            "region": list(patient.seizure.regions),
            "zone": zones,
            "x0": patient.disease.x0,
            "onset_s": patient.seizure.onset_s,
            "end_s": patient.seizure.end_s,
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
    """Write the sources, thinned to about 64 Hz."""
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


# ---- reading it back, for scores ------------------------------------------------------------


def read_region_truth(dataset: Path, label: str) -> pd.DataFrame:
    """Read the table of `region_truth`."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_regions.tsv")


def read_true_contacts(dataset: Path, label: str) -> pd.DataFrame:
    """Read the contacts with their true regions."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_contacts.tsv")


def read_true_channels(dataset: Path, label: str) -> pd.DataFrame:
    """Read the channels with their simulated onsets, in seconds of the recording."""
    return read_table(truth_folder(dataset, label) / f"sub-{label}_channels.tsv")


def read_true_weights(dataset: Path, label: str) -> pd.DataFrame:
    """Read the true connection weights, named rows and columns."""
    folder = truth_folder(dataset, label)
    return read_matrix(folder / f"sub-{label}_atlas-{ATLAS}_stat-streamlines_relmat.tsv")


def true_labels(dataset: Path, label: str) -> tuple[Path, pd.DataFrame]:
    """Return the path of the true label image (it may not exist) and its region table."""
    folder = truth_folder(dataset, label)
    stem = f"sub-{label}_atlas-{ATLAS}_dseg"
    return folder / f"{stem}.nii.gz", read_table(folder / f"{stem}.tsv")
