"""A made seizure on a real brain: their T1 and diffusion as they are, the SEEG simulated."""

import shutil
from pathlib import Path

import numpy as np

from virtualbrain.errors import InputError
from virtualbrain.io.bids import find_patient, require_dataset
from virtualbrain.io.connectome import read_connectome
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.network import Network
from virtualbrain.synthetic.connectomes import with_errors
from virtualbrain.synthetic.dataset import write_seeg
from virtualbrain.synthetic.patients import ImplantedPatient, PatientSettings
from virtualbrain.synthetic.points import points_from_labels

_COPIED = ("anat", "dwi", "fmap")


def prepare_real(source: Path, folder: Path, label: str) -> None:
    """Copy a person's T1 and diffusion (and FreeSurfer subject, if any) into a new dataset.

    Parameters
    ----------
    source : Path
        BIDS dataset with the person.
    folder : Path
        New dataset; the folders of the person must not be there yet.
    label : str
        The participant, without ``sub-``.

    Raises
    ------
    InputError
        The person has no T1 or no diffusion series, or `folder` holds the participant already.
    """
    root, folder = require_dataset(source), Path(folder)
    files = find_patient(root, label)
    if files.t1 is None or not files.dwi:
        raise InputError(
            "no T1w image" if files.t1 is None else "no diffusion series",
            where=f"sub-{label}",
            expected="T1 and diffusion MRI of a real person",
        )
    target = folder / f"sub-{label}"
    if target.exists():
        raise InputError(
            f"sub-{label} is there already", where=str(folder), hint="give a new folder"
        )
    for path in sorted((root / f"sub-{label}").rglob("*")):
        inside = path.relative_to(root / f"sub-{label}")
        if path.is_file() and set(inside.parts) & set(_COPIED):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)
    if files.freesurfer is not None:
        shutil.copytree(files.freesurfer, folder / "derivatives" / "freesurfer" / f"sub-{label}")
    shutil.copyfile(root / "dataset_description.json", folder / "dataset_description.json")


def simulate_on_real(
    folder: Path,
    layout: PatientLayout,
    seed: int,
    settings: PatientSettings | None = None,
    log_sd: float = 0.4,
) -> ImplantedPatient:
    """Implant a real brain and simulate a seizure on its connectome with errors.

    The truth is the measured connectome times log-normal errors, so that the one the pipeline
    measures is wrong as all measured ones are; sources lie in the measured labels.

    Parameters
    ----------
    folder : Path
        Dataset that `prepare_real` made; gets ``ieeg/`` and the truth.
    layout : PatientLayout
        Results of anatomy and diffusion.
    seed : int
        The same seed and results give the same files.
    settings : PatientSettings, optional
        Disease, electrodes and recording.
    log_sd : float
        Standard deviation of the log of the errors.

    Returns
    -------
    ImplantedPatient
        The truth.
    """
    connectome = read_connectome(layout)
    labels = read_image(layout.labels)
    errors, disease = np.random.default_rng(seed).spawn(2)
    measured = Network(connectome.weights, connectome.lengths_mm, connectome.names)
    points = points_from_labels(labels, connectome.regions)
    return write_seeg(
        Path(folder),
        layout.label,
        with_errors(measured, errors, log_sd),
        connectome.regions,
        points,
        seed,
        disease,
        settings,
        labels,
    )
