"""Write the BIDS datasets of demo patients, with the truth in a separate folder."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.images import write_image
from virtualbrain.io.tables import write_matrix, write_table
from virtualbrain.network import Network
from virtualbrain.rigid_registration import itk_workers
from virtualbrain.synthetic.bundles import Bundles, make_bundles
from virtualbrain.synthetic.clinical_files import clinical_tables, write_clinical
from virtualbrain.synthetic.connectomes import connectome_from_geometry, with_errors
from virtualbrain.synthetic.deformation import rigid
from virtualbrain.synthetic.demo_patient import DemoPatient, DemoSettings, draw_demo_patient
from virtualbrain.synthetic.demo_spes import record_stimulation
from virtualbrain.synthetic.diffusion_signal import DiffusionImage, make_diffusion
from virtualbrain.synthetic.head import Head, make_head
from virtualbrain.synthetic.ieeg_files import mark_events, write_ieeg, write_stimulation
from virtualbrain.synthetic.points import (
    RegionPoints,
    atlas_head,
    points_from_labels,
    with_geometry,
)
from virtualbrain.synthetic.truth_files import ATLAS, write_true_responses, write_truth

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoImages:
    """What the images of a demo patient show: head, fibre bundles and diffusion series."""

    head: Head
    bundles: Bundles
    diffusion: DiffusionImage


def make_demo_images(seed: int, workers: int = 1) -> DemoImages:
    """Make head, bundles and diffusion series of a demo patient.

    Parameters
    ----------
    seed : int
        The same seed gives the same images.
    workers : int
        Number of processes; the images are the same.
    """
    head, bundles = _head_and_bundles(seed, workers)
    return DemoImages(head, bundles, _diffusion_of(head, bundles, seed))


def _head_and_bundles(seed: int, workers: int) -> tuple[Head, Bundles]:
    streams = demo_streams(seed)
    _LOG.info("head")
    head = make_head(streams[0])
    _LOG.info("fibre bundles")
    return head, make_bundles(head, streams[1], workers=workers)


def _diffusion_of(head: Head, bundles: Bundles, seed: int) -> DiffusionImage:
    _LOG.info("diffusion series")
    return make_diffusion(head, bundles, demo_streams(seed)[2])


def demo_streams(seed: int) -> list[np.random.Generator]:
    """Return the random numbers of a demo patient: for head, bundles, diffusion and disease."""
    return np.random.default_rng(seed).spawn(4)


def write_demo(
    folder: Path,
    seed: int,
    label: str = "01",
    settings: DemoSettings | None = None,
    workers: int = 1,
    images: DemoImages | None = None,
) -> DemoPatient:
    """Write a demo patient with T1, diffusion MRI, SEEG and clinical tables, and the truth.

    Parameters
    ----------
    folder : Path
        Root of the new BIDS dataset; the truth is written to ``derivatives/truth``.
    seed : int
        The same seed gives the same files.
    label : str
        The participant, without ``sub-``.
    settings : DemoSettings, optional
        Disease, electrodes and recording; by default two seizures.
    workers : int
        Number of processes; the files are the same.
    images : DemoImages, optional
        The images, if `make_demo_images` made them before; else they are made from the seed.

    Returns
    -------
    DemoPatient
        The truth.
    """
    folder, settings = Path(folder), settings or DemoSettings(n_seizures=2)
    head, bundles = (images.head, images.bundles) if images else _head_and_bundles(seed, workers)
    _describe(folder, "Synthetic patient", "T1, diffusion MRI and SEEG of a synthetic patient")
    _write_t1(folder, label, head)
    if images:
        _write_series(folder, label, images.diffusion)
    with itk_workers(1) as pool:
        task = (folder, label, head, bundles, seed)
        series = None if images else pool.submit(_write_made_series, *task)
        _LOG.info("disease, seizure and recording")
        patient = write_seeg(
            folder,
            label,
            _network_of(bundles),
            head.regions,
            points_from_labels(head.labels, head.regions),
            seed,
            demo_streams(seed)[3],
            settings,
            head.labels,
            stimulated=True,
        )
        if series is not None:
            series.result()
    names = [str(name) for name in head.regions["name"]]
    onsets = patient.recordings[0].channel_onsets
    write_clinical(folder, label, clinical_tables(patient.contacts, onsets, names))
    return patient


def write_seeg(
    folder: Path,
    label: str,
    network: Network,
    regions: pd.DataFrame,
    points: RegionPoints,
    seed: int,
    rng: np.random.Generator,
    settings: DemoSettings | None = None,
    labels: Any = None,
    stimulated: bool = False,
) -> DemoPatient:
    """Draw a patient on a connectome; write ``ieeg/`` and the truth.

    Parameters
    ----------
    folder, label
        Dataset and participant.
    network : Network
        The true connectome, not normalised.
    regions : pandas.DataFrame
        Region table in the network's order.
    points : RegionPoints
        Grey matter in the frame of the written coordinates.
    seed : int
        Written with the truth.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : DemoSettings, optional
        Disease, electrodes and recording.
    labels : nibabel image, optional
        True label image, written with the truth.
    stimulated : bool
        Write a recording of single pulses, too.
    """
    (pulses,) = rng.spawn(1)
    patient = draw_demo_patient(network, regions, points, rng, settings)
    events = [
        mark_events(recording, seizure, rng)
        for recording, seizure in zip(patient.recordings, patient.seizures, strict=True)
    ]
    t1 = sorted((folder / f"sub-{label}").glob("anat/*_T1w.nii*"))
    write_ieeg(folder, label, patient, events, t1[0].relative_to(folder).as_posix() if t1 else None)
    write_truth(folder, label, patient, regions, network, {"seed": seed}, events, labels)
    if stimulated:
        stimulation = record_stimulation(patient, network, pulses)
        write_stimulation(folder, label, patient, stimulation)
        write_true_responses(folder, label, network.regions, stimulation.evoked)
    return patient


def write_connectome_patient(
    folder: Path,
    seed: int,
    label: str = "01",
    settings: DemoSettings | None = None,
    log_sd: float = 0.3,
    missing: float = 0.0,
    stimulated: bool = False,
) -> DemoPatient:
    """Write a demo patient with a ready connectome and SEEG, without images.

    The head is the built-in atlas with a random size and pose. The connectome in the dataset is
    the true one with log-normal errors; its regions are centroids without a label image.

    Parameters
    ----------
    folder, seed, label, settings
        As in `write_demo`.
    log_sd, missing : float
        Errors of the connectome: see `with_errors`.
    stimulated : bool
        Write a recording of single pulses, too.

    Returns
    -------
    DemoPatient
        The truth.
    """
    folder = Path(folder)
    shape, wiring, errors, disease = np.random.default_rng(seed).spawn(4)
    regions, points = _personal_head(shape)
    network = connectome_from_geometry(regions, wiring)
    _describe(folder, "Synthetic patient", "connectome and SEEG of a synthetic patient")
    (folder / f"sub-{label}").mkdir(parents=True, exist_ok=True)
    _write_ready(folder, label, regions, with_errors(network, errors, log_sd, missing))
    return write_seeg(
        folder, label, network, regions, points, seed, disease, settings, stimulated=stimulated
    )


def _personal_head(rng: np.random.Generator) -> tuple[pd.DataFrame, RegionPoints]:
    """Return the grey matter of the built-in atlas with a random size and pose."""
    table, points = atlas_head()
    pose = rigid(np.deg2rad(rng.normal(0.0, 4.0, 3)), rng.normal(0.0, 6.0, 3))
    scaled = points.positions_mm * rng.normal(1.0, 0.03, 3)
    moved = points.moved(scaled @ pose[:3, :3].T + pose[:3, 3])
    return with_geometry(table, moved), moved


def _network_of(bundles: Bundles) -> Network:
    return Network(bundles.true_weights, bundles.true_lengths_mm, bundles.names)


# ---- files ----------------------------------------------------------------------------------


def _describe(folder: Path, name: str, text: str) -> None:
    """Write dataset_description.json and README; mne-bids adds the participant."""
    write_json(
        folder / "dataset_description.json",
        {"Name": name, "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0",
         "Authors": ["virtualbrain demo"]},
    )  # fmt: skip
    write_text(folder / "README", f"{text}. The truth is in derivatives/truth.\n")


def _write_t1(folder: Path, label: str, head: Head) -> None:
    """Write the T1 and its sidecar."""
    t1 = folder / f"sub-{label}" / "anat" / f"sub-{label}_T1w"
    write_image(t1.with_suffix(".nii.gz"), head.t1)
    write_json(
        t1.with_suffix(".json"),
        {"Modality": "MR", "MagneticFieldStrength": 3, "Manufacturer": "n/a"},
    )


def _write_made_series(folder: Path, label: str, head: Head, bundles: Bundles, seed: int) -> None:
    """Make the diffusion series and write it; for a process beside the recording."""
    _write_series(folder, label, _diffusion_of(head, bundles, seed))


def _write_series(folder: Path, label: str, image: DiffusionImage) -> None:
    """Write the diffusion series, its gradients and its sidecar."""
    dwi = folder / f"sub-{label}" / "dwi" / f"sub-{label}_dwi"
    write_image(dwi.with_suffix(".nii.gz"), image.series)
    write_json(dwi.with_suffix(".json"), image.sidecar)
    write_text(dwi.with_suffix(".bval"), " ".join(f"{b:g}" for b in image.bvals) + "\n")
    rows = [" ".join(f"{v:.6f}" for v in row) for row in np.asarray(image.bvecs)]
    write_text(dwi.with_suffix(".bvec"), "\n".join(rows) + "\n")


def _write_ready(folder: Path, label: str, regions: pd.DataFrame, network: Network) -> None:
    """Write ``derivatives/connectome``: region table and named matrices."""
    stem = f"sub-{label}_atlas-{ATLAS}"
    target = folder / "derivatives" / "connectome" / f"sub-{label}"
    place = {"CoordinateSystem": "T1w scanner RAS", "CoordinateUnits": "mm"}
    write_table(target / f"{stem}_dseg.tsv", regions, place)
    names = list(network.regions)
    lengths = network.lengths if network.lengths is not None else np.zeros_like(network.weights)
    for stat, matrix, unit in (
        ("streamlines", network.weights, "streamlines"),
        ("length", lengths, "mm"),
    ):
        path = target / f"{stem}_stat-{stat}_relmat.tsv"
        write_matrix(path, matrix, names, names, {"Units": unit})
