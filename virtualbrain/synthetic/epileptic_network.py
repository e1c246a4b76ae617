"""Draw a disease and the seizure it causes on a network, until the seizure is acceptable."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from virtualbrain.errors import ModelError
from virtualbrain.network import Network
from virtualbrain.synthetic.disease import Disease, NoSpreadError, SeizureSettings, draw_disease
from virtualbrain.synthetic.seizure import Seizure, simulate_seizure

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EpilepticNetwork:
    """A disease and the seizure it causes on a network.

    Parameters
    ----------
    network : Network
        The true connectome, normalised.
    disease : Disease
        Zone, excitability and coupling.
    seizure : Seizure
        Simulated activity.
    attempts : int
        Number of draws until this one.
    """

    network: Network
    disease: Disease
    seizure: Seizure
    attempts: int

    @property
    def recruited(self) -> tuple[str, ...]:
        """Regions that seize without being epileptogenic, earliest first."""
        zone = set(self.disease.epileptogenic)
        return tuple(name for name in self.seizure.seizing if name not in zone)


def draw_epileptic_network(
    network: Network,
    candidates: Sequence[str],
    rng: np.random.Generator,
    settings: SeizureSettings | None = None,
    centres_mm: NDArray[np.float64] | None = None,
) -> EpilepticNetwork:
    """Draw diseases until one causes an acceptable seizure.

    A draw is accepted when every epileptogenic region seizes, no region seizes before
    `quiet_s`, the number of recruited regions is within `recruited`, and the seizure lasts for a
    time within `duration_s`. Otherwise everything is drawn again, `attempts` times at most.

    Parameters
    ----------
    network : Network
        The true connectome, of any scale; it is normalised by ``strength``.
    candidates : sequence of str
        Regions that may be epileptogenic.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : SeizureSettings, optional
        Bounds.
    centres_mm : numpy.ndarray, shape (n_regions, 3), optional
        Centroids. If given, the epileptogenic regions are within 55 mm of each other.

    Raises
    ------
    ModelError
        No draw was acceptable.
    """
    settings = settings or SeizureSettings()
    scaled = network.normalised("strength")
    for attempt in range(1, settings.attempts + 1):
        try:
            disease = draw_disease(scaled, candidates, rng, settings, centres_mm)
        except NoSpreadError as error:
            reason = error.what
            continue
        seizure = simulate_seizure(scaled, disease, rng, settings)
        reason = _rejection_reason(disease, seizure, settings)
        if not reason:
            return EpilepticNetwork(scaled, disease, seizure, attempt)
        _LOG.info("draw %d rejected: %s", attempt, reason)
    raise ModelError(
        f"none of {settings.attempts} drawn patients had an acceptable seizure; the last: {reason}",
        hint="use another seed or wider bounds",
    )


def draw_further_seizures(
    brain: EpilepticNetwork,
    n: int,
    rng: np.random.Generator,
    settings: SeizureSettings | None = None,
) -> tuple[Seizure, ...]:
    """Simulate more seizures of the same disease, with other initial states and other noise.

    Parameters
    ----------
    brain : EpilepticNetwork
        Network and disease.
    n : int
        Number of seizures.
    rng : numpy.random.Generator
        Source of all random numbers.
    settings : SeizureSettings, optional
        Bounds, as in `draw_epileptic_network`.

    Raises
    ------
    ModelError
        No acceptable seizure in `attempts` simulations of each.
    """
    settings = settings or SeizureSettings()
    return tuple(_further_seizure(brain, rng, settings) for _ in range(n))


def _further_seizure(
    brain: EpilepticNetwork, rng: np.random.Generator, settings: SeizureSettings
) -> Seizure:
    for _ in range(settings.attempts):
        seizure = simulate_seizure(brain.network, brain.disease, rng, settings)
        reason = _rejection_reason(brain.disease, seizure, settings)
        if not reason:
            return seizure
    raise ModelError(
        f"none of {settings.attempts} further seizures was acceptable; the last: {reason}",
        hint="use another seed or wider bounds",
    )


def _rejection_reason(disease: Disease, seizure: Seizure, settings: SeizureSettings) -> str:
    """Return why a seizure is not acceptable, or an empty string."""
    seizing = seizure.seizing
    silent = [name for name in disease.epileptogenic if name not in seizing]
    if silent:
        return f"{', '.join(silent)} did not seize"
    if seizure.first_onset_s < settings.quiet_s:
        return f"the seizure started after {seizure.first_onset_s:.0f} s"
    n_recruited = len(seizing) - len(disease.epileptogenic)
    if not settings.recruited[0] <= n_recruited <= settings.recruited[1]:
        return f"{n_recruited} regions were recruited"
    if np.isnan(seizure.end_s[np.isfinite(seizure.onset_s)]).any():
        return "the seizure of a region did not end"
    if any(name not in disease.epileptogenic for name in seizing[:1]):
        return f"{seizing[0]} seized first"
    length = seizure.last_end_s - seizure.first_onset_s
    if not settings.duration_s[0] <= length <= settings.duration_s[1]:
        return f"the seizure lasted {length:.0f} s"
    return ""
