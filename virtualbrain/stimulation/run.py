"""Run the stage of evoked responses: from recordings with single pulses to matrices."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.evoked import EvokedTables
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.seeg import read_gain
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.stimulation.contact_regions import contact_regions
from virtualbrain.stimulation.regions import STATS, RegionalResponses, regional_responses
from virtualbrain.stimulation.spes import SpesResponses, SpesSettings, run_spes

_OF_GAIN = "mean over channels, weighted by the region of their contacts and by the gain"
_OF_REGION = "mean over the channels with a contact in the region; there was no gain"


@dataclass(frozen=True)
class Responses:
    """Responses by site and channel, and by region if the contacts have regions.

    Parameters
    ----------
    spes : SpesResponses
        Responses of every site.
    regional : RegionalResponses, optional
        Responses from region to region.
    about : dict
        Settings, source of the regions and notes, for the sidecars.
    """

    spes: SpesResponses
    regional: RegionalResponses | None
    about: dict[str, Any]

    def tables(self) -> EvokedTables:
        """Return the tables to write."""
        matrices = {
            "amplitude": self.spes.amplitude_v,
            "latency": self.spes.latency_s,
            "probability": self.spes.probability,
        }
        if self.regional is None:
            return EvokedTables(self.spes.sites, matrices, None, {})
        found = {
            name: self.regional.matrix(stat) for name, stat in zip(matrices, STATS, strict=True)
        }
        return EvokedTables(self.spes.sites, matrices, self.regional.pairs, found)


def run_responses(
    files: PatientFiles,
    layout: PatientLayout,
    seeg: SeegSettings,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> Responses:
    """Compute the evoked responses of a patient.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    layout : PatientLayout
        The patient's results; the regions of the contacts and the gain are read there.
    seeg : SeegSettings
        Montage and channel types.
    seed : int
        Seed of the resamples.
    progress : callable, optional
        Called with the fraction done, 0 to 1.

    Raises
    ------
    InputError
        As of `virtualbrain.stimulation.spes.run_spes`, or the gain cannot be read.
    """
    settings = SpesSettings()
    regions = contact_regions(files, layout)
    gain = read_gain(layout.gain) if layout.gain.is_file() else None
    rng = np.random.default_rng(seed)
    spes = run_spes(files, seeg, rng, settings, progress)
    regional = None
    if regions.region_of:
        found = regional_responses(spes.tables, spes.contacts_of, regions.region_of, rng, gain)
        regional = found if len(found.pairs) else None
    about = {
        "Settings": asdict(settings),
        "Regions": regions.source or "n/a",
        "RegionalAmplitude": _OF_REGION if gain is None else _OF_GAIN,
        "Gain": "n/a" if gain is None else layout.gain.name,
        "Notes": list(spes.notes),
    }
    return Responses(spes, regional, about)
