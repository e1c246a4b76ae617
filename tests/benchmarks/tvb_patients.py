"""Draw synthetic patients of other makers than `virtualbrain/synthetic`.

The seizure comes from The Virtual Brain (`tvb_seizure`), the recording from a conduction of its own
(`tvb_recording`), the connectome from measured ones. The electrodes are planned, or those of real
patients; then the zone lies where the clinicians saw the onset. What a fit gets is what a clinic
has: the envelope and the gain as the product computes them, and the measured connectome.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from threadpoolctl import threadpool_limits

from tests.benchmarks.tvb_recording import (
    CONTACT_ERROR_MM,
    MAINS_HZ,
    bipolar_pairs,
    clouds,
    conduction,
    implant,
    record,
)
from tests.benchmarks.tvb_seizure import (
    LONGEST_S,
    RATE_HZ,
    RECRUITED,
    Dynamics,
    TvbRun,
    fast_onsets,
    initial_states,
    spreads,
    tvb_run,
    zone_seizes_alone,
)
from virtualbrain.anatomy.atlases import desikan_killiany
from virtualbrain.anatomy.regions import region_table
from virtualbrain.connectome import Connectome
from virtualbrain.diffusion.group_connectome import group_of_patient, packaged_group
from virtualbrain.errors import InputError
from virtualbrain.io.bids import participants
from virtualbrain.io.connectome import read_ready_connectome
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.io.marked_regions import is_marked
from virtualbrain.io.patient_search import find_patient
from virtualbrain.seeg.clinical_marks import contact_marks
from virtualbrain.seeg.contacts import read_contacts
from virtualbrain.seeg.envelope import EnvelopeChoices, log_power, remove_line
from virtualbrain.seeg.gain import make_sources, power_gain
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.synthetic.validation_patient import (
    TrueModel,
    ValidationPatient,
    ValidationTruth,
    marked_envelope,
    recorded_seizure,
)

MEASURED_LOG_SD = 0.3
MEASURED_LOST = 0.1
# Individuals differ from their group; measured connectomes of individuals are not changed.
_INDIVIDUAL_LOG_SD = (0.3, 0.5)
_COUPLINGS = np.linspace(0.8, 10.0, 20)
_CLIP_PERCENTILE = 99.5
_LATE_DISTANCE_MM = 50.0
_NEAREST_CONTACT_MM = 8.0
_NEAREST_IMPLANTED_MM = 15.0
# Eight were enough in development; a zone that hardly reaches other regions never spreads.
_ATTEMPTS = 100


class NoSeizureError(RuntimeError):
    """No seizure that goes as the scenario says was found."""


@dataclass(frozen=True)
class Implantation:
    """Real contacts: name, places in MNI152 in mm, and those in the seizure onset zone."""

    label: str
    contacts: pd.DataFrame
    onset: np.ndarray


@dataclass(frozen=True)
class Zone:
    """Regions of the zone, and the one of them that starts late."""

    ez: np.ndarray
    late: np.ndarray


# ---- connectomes and implantations ------------------------------------------------------------


def group_connectome() -> Connectome:
    """Return the group's connectome of the Desikan-Killiany regions, in the template."""
    atlas = desikan_killiany()
    table = region_table(atlas.table, np.asarray(atlas.image.dataobj), atlas.image.affine, {})
    return group_of_patient(packaged_group(), table, "MNI152")


def connectomes_of(bids: Path) -> tuple[Connectome, ...]:
    """Return the ready connectomes of a dataset that have centres of regions.

    Raises
    ------
    InputError
        There is none.
    """
    files = [find_patient(bids, label) for label in participants(bids)]
    found = [read_ready_connectome(one.connectome) for one in files if one.connectome is not None]
    known = [c for c in found if np.isfinite(c.regions[["x", "y", "z"]].to_numpy(float)).all()]
    if not known:
        raise InputError(
            "no ready connectome with region centres",
            where=str(bids),
            expected="folders in derivatives/connectome",
            hint="choose another dataset, or leave out --connectomes",
        )
    return tuple(known)


def implantations_of(bids: Path) -> tuple[Implantation, ...]:
    """Return the contacts of a dataset's patients; those without a marked contact are left out.

    The coordinates are read as mm in MNI152, whatever the sidecars state.

    Raises
    ------
    InputError
        No patient has marked contacts.
    """
    settings = SeegSettings(frame="MNI152", units="mm")
    found = []
    for label in participants(bids):
        files = find_patient(bids, label, FileSettings(template=True))
        contacts = read_contacts(files, settings)
        contacts = contacts.join(contact_marks(files, contacts).columns)
        contacts = contacts[np.isfinite(contacts[["x", "y", "z"]]).all(axis=1)]
        onset = is_marked(contacts, "soz")
        if onset.any():
            table = contacts[["name", "x", "y", "z"]].reset_index(drop=True)
            found.append(Implantation(label, table, onset))
    if not found:
        raise InputError(
            "no contact is marked as seizure onset zone",
            where=str(bids),
            expected="soz in status_description of channels.tsv",
            hint="choose another dataset, or leave out --implantations",
        )
    return tuple(found)


def individual(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a group's weights as an individual has them: log-normal factors, sd 0.3 to 0.5."""
    return group * np.exp(rng.uniform(*_INDIVIDUAL_LOG_SD) * _symmetric_normal(len(group), rng))


def measured(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return weights with log-normal errors of sd 0.3, without the weakest tenth."""
    found = weights * np.exp(MEASURED_LOG_SD * _symmetric_normal(len(weights), rng))
    weakest = np.quantile(found[found > 0], MEASURED_LOST)
    return np.where(found < weakest, 0.0, found)


def _symmetric_normal(n: int, rng: np.random.Generator) -> np.ndarray:
    upper = np.triu(rng.standard_normal((n, n)), 1)
    return upper + upper.T


def normalised(weights: np.ndarray) -> np.ndarray:
    """Return weights clipped at the 99.5th percentile of the edges, with a mean row sum of one."""
    clipped = np.minimum(weights, np.percentile(weights[weights > 0], _CLIP_PERCENTILE))
    np.fill_diagonal(clipped, 0.0)
    return clipped / clipped.sum(axis=1).mean()


# ---- zone and disease -------------------------------------------------------------------------


def draw_zone(
    weights: np.ndarray, centres: np.ndarray, late: bool, rng: np.random.Generator
) -> Zone:
    """Draw one to three connected regions; the last is far from the others if one is late."""
    chosen = [int(rng.integers(len(weights)))]
    near = [int(i) for i in np.argsort(-weights[chosen[0]])[:10]]
    n_early = int(rng.integers(1, 3)) if late else int(rng.integers(1, 4))
    chosen += [int(i) for i in rng.permutation(near)[: n_early - 1]]
    return _with_late(chosen, weights, centres, np.ones(len(weights), bool), late, rng)


def zone_of_implantation(
    implantation: Implantation,
    weights: np.ndarray,
    centres: np.ndarray,
    late: bool,
    rng: np.random.Generator,
) -> Zone:
    """Return the one to three regions that are nearest to most contacts of the onset zone.

    A late region is drawn among those that contacts see.
    """
    places = implantation.contacts[["x", "y", "z"]].to_numpy(float)
    nearest = cdist(places[implantation.onset], centres).argmin(axis=1)
    regions, counts = np.unique(nearest, return_counts=True)
    ranked = regions[np.argsort(-counts, kind="stable")]
    most = int(rng.integers(1, 3)) if late else int(rng.integers(1, 4))
    seen = cdist(centres, places).min(axis=1) <= _NEAREST_IMPLANTED_MM
    return _with_late([int(i) for i in ranked[:most]], weights, centres, seen, late, rng)


def _with_late(
    chosen: list[int],
    weights: np.ndarray,
    centres: np.ndarray,
    allowed: np.ndarray,
    late: bool,
    rng: np.random.Generator,
) -> Zone:
    """Return the zone; with a late region, weakly connected and over 50 mm away, where asked."""
    ez, last = np.zeros((2, len(weights)), bool)
    ez[chosen] = True
    if late:
        far = cdist(centres, centres[chosen]).min(axis=1) > _LATE_DISTANCE_MM
        strength = weights[:, chosen].sum(axis=1)
        candidates = np.flatnonzero(far & allowed & (strength <= np.median(strength)))
        if len(candidates):
            last[int(rng.choice(candidates))] = True
    return Zone(ez | last, last)


def draw_excitability(zone: Zone, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw x0: above the threshold in the zone, below it elsewhere, close in some neighbours."""
    x0 = rng.normal(-2.4, 0.12, len(weights))
    strength = np.where(zone.ez, 0.0, weights[:, zone.ez].sum(axis=1))
    near = np.argsort(-strength)[: int(rng.integers(6, 13))]
    x0[near] = rng.uniform(-2.35, -2.15, len(near))
    x0 = np.minimum(x0, -2.15)
    x0[zone.ez] = rng.uniform(-1.9, -1.42, int(zone.ez.sum()))
    return x0


def draw_waits(zone: Zone, rng: np.random.Generator) -> np.ndarray:
    """Return the seconds until each region of the zone starts; NaN for other regions."""
    first = rng.uniform(16.0, 18.0)
    wait = np.full(len(zone.ez), np.nan)
    early = rng.permutation(np.flatnonzero(zone.ez & ~zone.late))
    wait[early] = first + np.concatenate([[0.0], rng.uniform(0.3, 4.0, len(early) - 1)])
    wait[zone.late] = first + rng.uniform(10.0, 20.0)
    return wait


# ---- seizure ----------------------------------------------------------------------------------


def find_seizure(
    weights: np.ndarray, zone: Zone, rng: np.random.Generator, longest_s: float = LONGEST_S
) -> tuple[Dynamics, TvbRun] | None:
    """Return a seizure that goes as the scenario says in The Virtual Brain; None if none is found.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_regions, n_regions)
        True weights, normalised.
    zone : Zone
        The zone; with a late region the scenario is late.
    rng : numpy.random.Generator
        Source of all random numbers.
    longest_s : float
        Seconds after which a run ends in any case.
    """
    x0, wait_s = draw_excitability(zone, weights, rng), draw_waits(zone, rng)
    tt, slow = float(rng.uniform(0.12, 0.18)), float(rng.uniform(6e-6, 1.12e-5))
    nsig, seed = float(rng.uniform(5e-5, 1.3e-4)), int(rng.integers(2**31))
    low, high = 0, len(_COUPLINGS) - 1
    while low <= high:
        place = int(rng.integers(low, high + 1))
        K = float(_COUPLINGS[place])
        initial = initial_states(weights, x0, K, wait_s, 1000 * slow)
        if initial is None:  # the network keeps the zone at rest
            high = place - 1
            continue
        dynamics = Dynamics(weights, x0, K, tt, slow / tt, nsig, initial)
        onset_s, end_s = fast_onsets(dynamics, seed)
        recruited = int((np.isfinite(onset_s) & ~zone.ez).sum())
        if recruited < RECRUITED[0]:
            low = place + 1
        elif recruited > RECRUITED[1]:
            high = place - 1
        else:
            return _confirmed(dynamics, zone, (onset_s, end_s), seed, longest_s)
    return None


def _confirmed(
    dynamics: Dynamics,
    zone: Zone,
    proposed: tuple[np.ndarray, np.ndarray],
    seed: int,
    longest_s: float,
) -> tuple[Dynamics, TvbRun] | None:
    """Return the run of The Virtual Brain if it goes as proposed, and the zone seizes alone."""
    if not spreads(*proposed, zone.ez, zone.late):
        return None
    run = tvb_run(dynamics, zone.ez, seed, longest_s)
    good = spreads(run.onset_s, run.end_s, zone.ez, zone.late) and zone_seizes_alone(run, zone.ez)
    return (dynamics, run) if good else None


# ---- what a clinic has ------------------------------------------------------------------------


def product_gain(
    regions: pd.DataFrame, contacts_mm: np.ndarray, channels: np.ndarray
) -> np.ndarray:
    """Return the gain (n_channels, n_regions) that the product computes from region centres."""
    settings = SeegSettings(gain="centres")
    sources = make_sources(regions, None, None, settings)
    return power_gain(contacts_mm, channels, sources, len(regions), settings.clamp_mm)


def product_envelope(
    signal: np.ndarray, run: TvbRun, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return envelope (time, channel), times and mark; None if the seizure is hardly seen."""
    settings = SeegSettings()
    times = np.arange(signal.shape[1]) / RATE_HZ
    seizing = np.isfinite(run.onset_s)
    first, last = float(run.onset_s.min()), float(run.end_s[seizing].max())
    choices = EnvelopeChoices(
        settings.band_hz, settings.window_s, settings.smoothing_s, (1.0, first - 3.0)
    )
    power, _ = log_power(signal, times, RATE_HZ, choices)
    return marked_envelope(power, times, (first, last), rng)


@dataclass(frozen=True)
class OtherCohort:
    """Patients of other makers.

    Parameters
    ----------
    seed : int
        Seed of the patients.
    scenario : {"early", "late"}
        How the seizures start (`virtualbrain.synthetic.scenarios`).
    connectomes : sequence of Connectome
        One is drawn for each patient.
    group : bool
        The connectome is a group's: individuals differ from it.
    implantations : sequence of Implantation
        Contacts of the patients in turn; empty: electrodes are planned.
    """

    seed: int
    scenario: str
    connectomes: Sequence[Connectome]
    group: bool = False
    implantations: Sequence[Implantation] = ()

    def draw(self, number: int) -> ValidationPatient:
        """Draw patient `number` (from 0).

        Raises
        ------
        NoSeizureError
            No seizure that goes as the scenario says was found.
        """
        rng = np.random.default_rng([self.seed, number])
        with threadpool_limits(1, user_api="blas"):
            for _ in range(_ATTEMPTS):
                patient = self._try(number, rng)
                if patient is not None:
                    return patient
        raise NoSeizureError(f"patient {number + 1}: no seizure found in {_ATTEMPTS} attempts")

    def _try(self, number: int, rng: np.random.Generator) -> ValidationPatient | None:
        """Draw connectome, zone, electrodes, seizure and recording; None where one fails."""
        connectome = self.connectomes[int(rng.integers(len(self.connectomes)))]
        raw = individual(connectome.weights, rng) if self.group else connectome.weights
        weights = normalised(raw)
        centres = connectome.regions[["x", "y", "z"]].to_numpy(float)
        late = self.scenario == "late"
        implantation, contacts = self._implantation(number), None
        if implantation is None:
            zone = draw_zone(weights, centres, late, rng)
            contacts = implant(centres, np.flatnonzero(zone.ez), rng)
        else:
            zone = zone_of_implantation(implantation, weights, centres, late, rng)
            contacts = implantation.contacts
        if contacts is None or (late and not zone.late.any()):
            return None
        reach = cdist(centres[zone.ez], contacts[["x", "y", "z"]].to_numpy(float)).min(axis=1)
        if implantation is None and reach.max() > _NEAREST_CONTACT_MM:
            return None
        found = find_seizure(weights, zone, rng)
        if found is None:
            return None
        sampled = bool(reach.max() <= _NEAREST_IMPLANTED_MM)
        return _recorded_patient(connectome.regions, measured(raw, rng), contacts, zone,
                                 found, sampled, rng)  # fmt: skip

    def _implantation(self, number: int) -> Implantation | None:
        if not self.implantations:
            return None
        return self.implantations[number % len(self.implantations)]


def _recorded_patient(
    regions: pd.DataFrame,
    weights: np.ndarray,
    contacts: pd.DataFrame,
    zone: Zone,
    found: tuple[Dynamics, TvbRun],
    sampled: bool,
    rng: np.random.Generator,
) -> ValidationPatient | None:
    """Record a seizure; return what a clinic has and the truth, None if it is hardly seen."""
    dynamics, run = found
    centres = regions[["x", "y", "z"]].to_numpy(float)
    true_mm = contacts[["x", "y", "z"]].to_numpy(float)
    stated_mm = true_mm + rng.normal(0, CONTACT_ERROR_MM, true_mm.shape)
    channels = bipolar_pairs([str(name) for name in contacts["name"]])
    potentials = record(run.source, conduction(true_mm, clouds(centres, rng)), RATE_HZ, rng)
    signal = remove_line(channels @ potentials, RATE_HZ, MAINS_HZ)
    cut = product_envelope(signal, run, rng)
    if cut is None:
        return None
    envelope, times_s, marked_s = cut
    onset_s = np.where(np.isfinite(run.onset_s), run.onset_s - marked_s, np.nan)
    truth = ValidationTruth(
        ez=zone.ez, recruited=np.isfinite(run.onset_s) & ~zone.ez, x0=dynamics.x0,
        onset_s=onset_s, coupling=dynamics.K, sampled=sampled,
        true_model=TrueModel(dynamics.network, dynamics.model, dynamics.initial),
    )  # fmt: skip
    middle = 0.5 * np.abs(channels) @ stated_mm
    return ValidationPatient(
        (recorded_seizure(envelope, times_s, signal, RATE_HZ, marked_s),),
        product_gain(regions, stated_mm, channels),
        weights,
        cdist(middle, centres).argmin(axis=1),
        pd.factorize(contacts["name"].str.rstrip("0123456789"))[0][channels.argmax(axis=1)],
        truth,
    )
