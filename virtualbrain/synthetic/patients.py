"""A patient with known truth on any connectome: disease, seizure, electrodes, recording."""

import logging
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from virtualbrain.errors import ModelError
from virtualbrain.network import Network
from virtualbrain.synthetic.implant import ImplantSettings, plan_implantation, regions_of_contacts
from virtualbrain.synthetic.points import RegionPoints
from virtualbrain.synthetic.recording import RecordingSettings, SeegRecording, record
from virtualbrain.synthetic.sources import SeizureSettings, VirtualPatient, draw_patient

_LOG = logging.getLogger(__name__)

_MESIAL = re.compile(r"hippocamp|amygdal", re.IGNORECASE)


@dataclass(frozen=True)
class PatientSettings:
    """How a virtual patient is made.

    Parameters
    ----------
    unsampled : int
        Epileptogenic regions that no electrode comes near.
    min_contacts : int
        Contacts that every other epileptogenic region must have.
    """

    seizure: SeizureSettings = field(default_factory=SeizureSettings)
    implant: ImplantSettings = field(default_factory=ImplantSettings)
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    unsampled: int = 0
    min_contacts: int = 2


@dataclass(frozen=True)
class ImplantedPatient:
    """A virtual patient with electrodes and a recorded seizure.

    Parameters
    ----------
    patient : VirtualPatient
        Disease, true network and seizure.
    contacts : pandas.DataFrame
        `name electrode number x y z region`, the region being the true one (``n/a`` outside
        grey matter).
    recording : SeegRecording
        Signals and the truth about them.
    unsampled : tuple of str
        Epileptogenic regions that no electrode comes near.
    """

    patient: VirtualPatient
    contacts: pd.DataFrame
    recording: SeegRecording
    unsampled: tuple[str, ...]


def make_patient(
    network: Network,
    regions: pd.DataFrame,
    points: RegionPoints,
    rng: np.random.Generator,
    settings: PatientSettings | None = None,
) -> ImplantedPatient:
    """Draw a patient on a connectome and record a seizure.

    Parameters
    ----------
    network : Network
        The true connectome, of any scale.
    regions : pandas.DataFrame
        Region table in the network's order: `name structure volume` are used.
    points : RegionPoints
        Grey matter: `points_from_labels` or `points_from_centroids`.
    rng : numpy.random.Generator
        Source of all that is random; the same state gives the same patient.
    settings : PatientSettings, optional
        Everything else.

    Raises
    ------
    ModelError
        Regions that differ, or no patient that fits the settings in five draws.
    """
    settings = settings or PatientSettings()
    if not tuple(network.regions) == tuple(regions["name"]) == points.regions:
        raise ModelError("network, table and points hold different regions or another order")
    able = candidates(regions)
    fault = ""
    for _ in range(5):
        patient = draw_patient(network, able, rng, settings.seizure, points.centroids_mm())
        hidden = patient.disease.epileptogenic[: settings.unsampled]
        try:
            contacts = _implanted(patient, points, hidden, rng, settings)
        except ModelError as error:
            fault = error.what
            _LOG.info("another patient is drawn: %s", fault)
            continue
        recording = record(patient.seizure, points, contacts, rng, settings.recording)
        return ImplantedPatient(patient, contacts, recording, hidden)
    raise ModelError(f"no patient could be implanted as asked for: {fault}")


def candidates(regions: pd.DataFrame) -> tuple[str, ...]:
    """Return the regions in which a focus is likely: cortex of some size, hippocampus, amygdala.

    Cortical regions below 2 cm³ are left out, because no clinic would tell them apart.
    """
    volume = pd.to_numeric(regions["volume"], errors="coerce").fillna(np.inf)
    large = (regions["structure"] == "cortex") & (volume >= 2000.0)
    mesial = regions["name"].map(lambda name: bool(_MESIAL.search(str(name)))) & (
        regions["structure"] != "cortex"
    )
    return tuple(regions["name"][large | mesial])


def _implanted(
    patient: VirtualPatient,
    points: RegionPoints,
    hidden: tuple[str, ...],
    rng: np.random.Generator,
    settings: PatientSettings,
) -> pd.DataFrame:
    """Implant towards the focus, or towards where its seizures go when it stays hidden."""
    sampled = [name for name in patient.disease.epileptogenic if name not in hidden]
    focus = sampled or list(patient.recruited[:2])
    contacts = plan_implantation(points, focus, rng, settings.implant, hidden)
    contacts = contacts.assign(region=regions_of_contacts(points, contacts))
    counts = contacts["region"].value_counts()
    for name in sampled:
        if counts.get(name, 0) < settings.min_contacts:
            raise ModelError(f"{counts.get(name, 0)} contacts lie in {name}")
    return contacts
