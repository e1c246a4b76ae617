"""Draw a demo patient on any connectome: disease, seizure, electrodes and recording."""

import logging
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from virtualbrain.errors import ModelError
from virtualbrain.network import Network
from virtualbrain.synthetic.disease import SeizureSettings
from virtualbrain.synthetic.epileptic_network import (
    EpilepticNetwork,
    draw_epileptic_network,
    draw_further_seizures,
)
from virtualbrain.synthetic.implant import ImplantSettings, plan_implantation, regions_of_contacts
from virtualbrain.synthetic.points import RegionPoints
from virtualbrain.synthetic.recording import RecordingSettings, SeegRecording, record_all
from virtualbrain.synthetic.seizure import Seizure

_LOG = logging.getLogger(__name__)

_IMPLANTATION_ATTEMPTS = 5
_MESIAL = re.compile(r"hippocamp|amygdal", re.IGNORECASE)


@dataclass(frozen=True)
class DemoSettings:
    """Settings of a demo patient.

    Parameters
    ----------
    seizure : SeizureSettings
        Disease and seizure.
    implant : ImplantSettings
        Electrodes.
    recording : RecordingSettings
        Amplitudes and faults.
    unsampled : int
        Number of epileptogenic regions that no electrode may come near.
    min_contacts : int
        Least number of contacts in every other epileptogenic region.
    n_seizures : int
        Number of recorded seizures.
    """

    seizure: SeizureSettings = field(default_factory=SeizureSettings)
    implant: ImplantSettings = field(default_factory=ImplantSettings)
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    unsampled: int = 0
    min_contacts: int = 2
    n_seizures: int = 1


@dataclass(frozen=True)
class DemoPatient:
    """A synthetic patient with electrodes and recorded seizures.

    Parameters
    ----------
    brain : EpilepticNetwork
        True network, disease and first seizure.
    contacts : pandas.DataFrame
        `name electrode number x y z region` with the true region (``n/a`` outside grey matter).
    seizures : tuple of Seizure
        All seizures, that of `brain` first.
    recordings : tuple of SeegRecording
        Signals and the truth about them, one recording for each seizure.
    unsampled : tuple of str
        Epileptogenic regions that no electrode is near.
    """

    brain: EpilepticNetwork
    contacts: pd.DataFrame
    seizures: tuple[Seizure, ...]
    recordings: tuple[SeegRecording, ...]
    unsampled: tuple[str, ...]


def draw_demo_patient(
    network: Network,
    regions: pd.DataFrame,
    points: RegionPoints,
    rng: np.random.Generator,
    settings: DemoSettings | None = None,
) -> DemoPatient:
    """Draw a patient on a connectome and record the seizures.

    Parameters
    ----------
    network : Network
        The true connectome, of any scale.
    regions : pandas.DataFrame
        Region table in the network's order with `name structure volume`.
    points : RegionPoints
        Grey matter, from `points_from_labels` or `points_from_centroids`.
    rng : numpy.random.Generator
        Source of all random numbers; the same state gives the same patient.
    settings : DemoSettings, optional
        Disease, electrodes and recording.

    Raises
    ------
    ModelError
        The regions differ, five drawn patients could not be implanted, or no further seizure was
        acceptable.
    """
    settings = settings or DemoSettings()
    further = rng.spawn(1)[0]  # the first seizure does not depend on the number of seizures
    if not tuple(network.regions) == tuple(regions["name"]) == points.regions:
        raise ModelError("network, table and points have different regions or another order")
    allowed = likely_zone_regions(regions)
    reason = ""
    for _ in range(_IMPLANTATION_ATTEMPTS):
        brain = draw_epileptic_network(
            network, allowed, rng, settings.seizure, points.centroids_mm()
        )
        hidden = brain.disease.epileptogenic[: settings.unsampled]
        try:
            contacts = _implanted(brain, points, hidden, rng, settings)
        except ModelError as error:
            reason = error.what
            _LOG.info("drawing another patient: %s", reason)
            continue
        n_further = settings.n_seizures - 1
        more = draw_further_seizures(brain, n_further, further, settings.seizure)
        seizures = (brain.seizure, *more)
        recordings = record_all(seizures, points, contacts, rng, settings.recording)
        return DemoPatient(brain, contacts, seizures, recordings, hidden)
    raise ModelError(f"no drawn patient could be implanted; the last: {reason}")


def likely_zone_regions(regions: pd.DataFrame) -> tuple[str, ...]:
    """Return the regions that may be epileptogenic: large cortical ones, hippocampus, amygdala.

    Cortical regions below 2 cm³ are excluded, because a clinic cannot distinguish them.
    """
    volume = pd.to_numeric(regions["volume"], errors="coerce").fillna(np.inf)
    large = (regions["structure"] == "cortex") & (volume >= 2000.0)
    mesial = regions["name"].map(lambda name: bool(_MESIAL.search(str(name)))) & (
        regions["structure"] != "cortex"
    )
    return tuple(regions["name"][large | mesial])


def _implanted(
    brain: EpilepticNetwork,
    points: RegionPoints,
    hidden: tuple[str, ...],
    rng: np.random.Generator,
    settings: DemoSettings,
) -> pd.DataFrame:
    """Implant towards the zone, or towards recruited regions if the zone stays unsampled."""
    sampled = [name for name in brain.disease.epileptogenic if name not in hidden]
    focus = sampled or list(brain.recruited[:2])
    contacts = plan_implantation(points, focus, rng, settings.implant, hidden)
    contacts = contacts.assign(region=regions_of_contacts(points, contacts))
    counts = contacts["region"].value_counts()
    for name in sampled:
        if counts.get(name, 0) < settings.min_contacts:
            raise ModelError(f"{counts.get(name, 0)} contacts are in {name}")
    return contacts
