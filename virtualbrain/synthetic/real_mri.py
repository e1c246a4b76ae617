"""Demo patient on real MRI: a person's T1 and diffusion images with simulated SEEG."""

import shutil
from pathlib import Path

import numpy as np

from virtualbrain.errors import InputError
from virtualbrain.io.bids import require_dataset
from virtualbrain.io.connectome import read_connectome
from virtualbrain.io.images import read_image
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.patient_search import find_patient
from virtualbrain.network import Network
from virtualbrain.synthetic.connectomes import with_errors
from virtualbrain.synthetic.dataset import write_seeg
from virtualbrain.synthetic.demo_patient import DemoPatient, DemoSettings
from virtualbrain.synthetic.points import points_from_labels

_COPIED = ("anat", "dwi", "fmap")


def copy_real_mri(source: Path, folder: Path, label: str) -> None:
    """Copy a person's T1 and diffusion (and FreeSurfer subject, if any) into a new dataset.

    Parameters
    ----------
    source : Path
        BIDS dataset of the person.
    folder : Path
        New dataset; it must not have this participant yet.
    label : str
        The participant, without ``sub-``.

    Raises
    ------
    InputError
        The person has no T1 or no diffusion series, or `folder` has the participant already.
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
        raise InputError(f"sub-{label} exists already", where=str(folder), hint="give a new folder")
    for path in sorted((root / f"sub-{label}").rglob("*")):
        inside = path.relative_to(root / f"sub-{label}")
        if path.is_file() and set(inside.parts) & set(_COPIED):
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / inside)
    if files.freesurfer is not None:
        shutil.copytree(files.freesurfer, folder / "derivatives" / "freesurfer" / f"sub-{label}")
    shutil.copyfile(root / "dataset_description.json", folder / "dataset_description.json")


def simulate_on_real_mri(
    folder: Path,
    layout: PatientLayout,
    seed: int,
    settings: DemoSettings | None = None,
    log_sd: float = 0.4,
) -> DemoPatient:
    """Implant electrodes in a real brain and simulate a seizure on its connectome.

    The true connectome is the measured one times log-normal errors, so that the connectome that
    the pipeline measures has errors. The sources are in the measured regions.

    Parameters
    ----------
    folder : Path
        Dataset from `copy_real_mri`; ``ieeg/`` and the truth are added.
    layout : PatientLayout
        Results of anatomy and diffusion.
    seed : int
        The same seed and results give the same files.
    settings : DemoSettings, optional
        Disease, electrodes and recording.
    log_sd : float
        Standard deviation of the log of the errors.

    Returns
    -------
    DemoPatient
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
