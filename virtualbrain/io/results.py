"""Load the results of one patient, with a reason for each missing part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from virtualbrain.connectome import REGION_COLUMNS
from virtualbrain.io.anatomy import Surface, read_surface
from virtualbrain.io.atomic import read_json
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.cortex_results import CortexRun, load_cortex_run
from virtualbrain.io.evoked import Evoked, read_evoked
from virtualbrain.io.fit_results import (
    Ablation,
    Diagnostics,
    Identifiability,
    NextData,
    OtherConnectomes,
    Posterior,
    Zones,
    load_ablation,
    load_diagnostics,
    load_identifiability,
    load_next_data,
    load_other_connectomes,
    load_posterior,
    load_zones,
)
from virtualbrain.io.images import open_image
from virtualbrain.io.layout import PatientLayout, cortex_run_names
from virtualbrain.io.provenance import stage_times
from virtualbrain.io.quality_results import (
    Quality,
    load_anatomy_quality,
    load_diffusion_quality,
    load_quality,
)
from virtualbrain.io.result_files import (
    UNREADABLE,
    PartReader,
    Table,
    load_matrix,
    load_table,
)
from virtualbrain.io.seeg import CHANNEL_COLUMNS, CONTACT_COLUMNS, read_signal_for_display
from virtualbrain.io.surgery_results import (
    Explanations,
    Outcomes,
    PredictedOutcome,
    RecruitmentRow,
    Subsets,
    load_explanations,
    load_next_regions,
    load_outcomes,
    load_predicted,
    load_recruitment,
    load_stimulation,
    load_subsets,
)

if TYPE_CHECKING:  # slow to import
    from nibabel.spatialimages import SpatialImage


@dataclass(frozen=True)
class Seizure:
    """One seizure: the fitted envelope and the signal for display."""

    number: int
    envelope: Table | None
    signal: xr.DataArray | None
    missing: Mapping[str, str]

    @property
    def onsets(self) -> Mapping[str, float]:
        """Measured onset of every seizing channel, seconds from the marked onset."""
        if self.envelope is None:
            return {}
        onset = self.envelope.sidecar["Channels"]["onset_s"]
        return {name: float(value) for name, value in onset.items() if value is not None}


@dataclass(frozen=True)
class PriorResults:
    """Results of the fit and of surgery under one prior set."""

    name: str
    diagnostics: Diagnostics | None
    zones: Zones | None
    posterior: Posterior | None
    outcomes: Outcomes | None
    recruitment: tuple[RecruitmentRow, ...] | None
    missing: Mapping[str, str]
    stimulation: Table | None = None
    next_regions: Table | None = None
    predicted: PredictedOutcome | None = None
    explanations: Explanations | None = None
    ablation: Ablation | None = None
    next_data: NextData | None = None
    identifiability: Identifiability | None = None
    other_connectomes: OtherConnectomes | None = None
    subsets: Subsets | None = None
    cortex: tuple[CortexRun, ...] = ()


@dataclass(frozen=True)
class PatientResults:
    """All results of one patient; a part that is None has its reason in `missing`.

    `quality` and `times` are by stage. `times` holds seconds and peak memory (MiB). The first of
    `priors` is the main prior set.
    """

    label: str
    atlas: str
    t1: "SpatialImage | None"
    labels: "SpatialImage | None"
    regions: Table | None
    surfaces: Mapping[str, Surface]
    weights: Table | None
    lengths: Table | None
    alignment: bytes | None
    contacts: Table | None
    channels: Table | None
    gain: Table | None
    evoked: Evoked | None
    seizures: tuple[Seizure, ...]
    priors: tuple[PriorResults, ...]
    quality: Mapping[str, Quality]
    input_checksums: Mapping[str, str] | None
    provenance: Mapping[str, Any] | None
    times: Mapping[str, Mapping[str, float]]
    missing: Mapping[str, str]

    @property
    def main(self) -> PriorResults:
        """The results under the main prior set."""
        return self.priors[0]

    @property
    def region_of_label(self) -> dict[int, str]:
        """Name of the region by its value in the label image."""
        if self.regions is None:
            return {}
        frame = self.regions.frame
        return {int(i): str(name) for i, name in zip(frame["index"], frame["name"], strict=True)}


def load_results(
    out: Path | str,
    label: str,
    priors: Sequence[str],
    patient: PatientFiles | None = None,
) -> PatientResults:
    """Load the results of one patient that exist under `out`.

    Parameters
    ----------
    out : Path or str
        The output folder of a run.
    label : str
        The participant, without ``sub-``.
    priors : sequence of str
        Names of the prior sets; the first is the main one.
    patient : PatientFiles, optional
        The patient's inputs. They distinguish a missing input from a failed stage.

    Returns
    -------
    PatientResults
        Missing and unreadable parts are None. Their reasons name no path outside `out`.

    Raises
    ------
    ValueError
        `priors` is empty.
    """
    if not priors:
        raise ValueError("name at least one prior set")
    root = Path(out)
    reader = PartReader(root)
    layout = PatientLayout.of_results(root, label)
    results = PatientResults(
        label=label,
        atlas=layout.atlas,
        t1=reader.part("t1", layout.t1, open_image, "anatomy"),
        labels=reader.part("labels", layout.labels, open_image, "anatomy"),
        regions=_regions(reader, layout),
        surfaces=_surfaces(reader, layout),
        weights=reader.part("weights", layout.relmat("streamlines"), load_matrix, "connectome"),
        lengths=reader.part("lengths", layout.relmat("length"), load_matrix, "connectome"),
        alignment=reader.part(
            "alignment", layout.alignment_picture, Path.read_bytes, "dwi_alignment"
        ),
        contacts=reader.part("contacts", layout.contacts, _contacts, "seeg"),
        channels=reader.part("channels", layout.channels, _channels, "seeg"),
        gain=reader.part("gain", layout.gain, load_matrix, "seeg"),
        evoked=_evoked(reader, layout),
        seizures=_seizures(root, layout),
        priors=tuple(_prior_results(root, layout, name) for name in priors),
        quality=_quality(reader, layout),
        input_checksums=reader.part("inputs", layout.inputs, _checksums, "check"),
        provenance=reader.part("provenance", layout.provenance, read_json, "provenance"),
        times=_stage_times(layout),
        missing=reader.missing,
    )
    if patient is not None and patient.t1 is None:
        _name_missing_input(reader.missing, ("t1", "labels", "pial-L", "pial-R", "anatomy"), "T1")
    if patient is not None and not patient.dwi:
        _name_missing_input(reader.missing, ("dwi", "alignment"), "diffusion series")
    return results


def _name_missing_input(missing: dict[str, str], names: Sequence[str], what: str) -> None:
    """Replace the reasons of missing parts whose input is not in the dataset."""
    for name in names:
        if name in missing:
            missing[name] = f"the dataset holds no {what} of this patient"


def _regions(reader: PartReader, layout: PatientLayout) -> Table | None:
    """Read the region table; without an anatomy, the one of the connectome."""
    found = reader.part("regions", layout.regions, _region_table, "anatomy")
    if found is None and layout.connectome_regions.is_file():
        found = reader.part("regions", layout.connectome_regions, _region_table, "connectome")
        if found is not None:
            del reader.missing["regions"]
    return found


def _evoked(reader: PartReader, layout: PatientLayout) -> Evoked | None:
    """Read the evoked responses; most patients have none, and then nothing is missing."""
    if not layout.stimulation_sites.is_file():
        return None
    return reader.part(
        "evoked", layout.stimulation_sites, lambda _: read_evoked(layout), "responses"
    )


def _surfaces(reader: PartReader, layout: PatientLayout) -> dict[str, Surface]:
    found: dict[str, Surface] = {}
    for hemisphere in ("L", "R"):
        labels = layout.pial_labels(hemisphere)

        def read(path: Path, labels: Path = labels) -> Surface:
            return read_surface(path, labels)

        surface = reader.part(f"pial-{hemisphere}", layout.pial(hemisphere), read, "anatomy")
        if surface is not None:
            found[hemisphere] = surface
    return found


def _seizures(out: Path, layout: PatientLayout) -> tuple[Seizure, ...]:
    found = []
    for number in range(1, 100):
        if not (layout.envelope(number).is_file() or layout.seizure_signal(number).is_file()):
            break
        reader = PartReader(out)
        envelope = reader.part("envelope", layout.envelope(number), _envelope, "seeg")
        signal = reader.part(
            "signal", layout.seizure_signal(number), read_signal_for_display, "seeg"
        )
        found.append(Seizure(number, envelope, signal, reader.missing))
    return tuple(found)


def _prior_results(out: Path, layout: PatientLayout, name: str) -> PriorResults:
    reader = PartReader(out)
    return PriorResults(
        name=name,
        diagnostics=reader.part(
            "diagnostics", layout.diagnostics(name), load_diagnostics, "inference"
        ),
        zones=reader.part("zones", layout.zones(name), load_zones, "inference"),
        posterior=reader.part("posterior", layout.posterior(name), load_posterior, "inference"),
        outcomes=reader.part("outcomes", layout.outcomes(name), load_outcomes, "surgery"),
        recruitment=reader.part(
            "recruitment", layout.recruitment(name), load_recruitment, "surgery"
        ),
        stimulation=reader.part(
            "stimulation", layout.stimulation(name), load_stimulation, "surgery"
        ),
        next_regions=reader.part("next", layout.next_regions(name), load_next_regions, "surgery"),
        explanations=reader.part(
            "explanations", layout.explanations(name), load_explanations, "surgery"
        ),
        ablation=reader.part(
            "ablation",
            layout.ablation(name),
            lambda path: load_ablation(path, layout.posterior(name)),
            "virtualbrain degeneracy",
        ),
        identifiability=reader.part(
            "identifiability",
            layout.identifiability(name),
            lambda path: load_identifiability(path, layout.posterior(name)),
            "virtualbrain degeneracy",
        ),
        other_connectomes=reader.part(
            "other_connectomes",
            layout.other_connectomes(name),
            lambda path: load_other_connectomes(path, layout.posterior(name)),
            "virtualbrain degeneracy --connectomes",
        ),
        next_data=reader.part(
            "next_data",
            layout.next_data(name),
            lambda path: load_next_data(path, layout.posterior(name)),
            "virtualbrain degeneracy",
        ),
        predicted=reader.part("predicted", layout.predicted(name), load_predicted, "surgery"),
        subsets=reader.part("subsets", layout.subsets(name), load_subsets, "surgery"),
        cortex=_cortex_runs(reader, layout, name),
        missing=reader.missing,
    )


def _cortex_runs(reader: PartReader, layout: PatientLayout, priors: str) -> tuple[CortexRun, ...]:
    """Read the runs of `virtualbrain cortex` that belong to the fit, the plainest first."""
    found = []
    for name in cortex_run_names(layout, priors):
        run = reader.part(
            f"cortex {name}",
            layout.cortex_result(priors, name, "desc-outcome.tsv"),
            lambda _, name=name: load_cortex_run(layout, priors, name),  # type: ignore[misc]
            "virtualbrain cortex",
        )
        if run is not None:
            found.append(run)
    return tuple(sorted(found, key=lambda run: (run.foci > 0, len(run.outcomes))))


def _quality(reader: PartReader, layout: PatientLayout) -> dict[str, Quality]:
    files = {
        "anatomy": (layout.anatomy_quality, load_anatomy_quality),
        "dwi": (layout.dwi_quality, load_diffusion_quality),
        "connectome": (layout.connectome_quality, load_quality),
        "seeg": (layout.seeg_quality, load_quality),
    }
    found = {name: reader.part(name, path, read, name) for name, (path, read) in files.items()}
    return {name: content for name, content in found.items() if content is not None}


def _stage_times(layout: PatientLayout) -> dict[str, dict[str, float]]:
    try:
        return stage_times(layout)
    except UNREADABLE:
        return {}


def _region_table(path: Path) -> Table:
    return load_table(path, REGION_COLUMNS)


def _contacts(path: Path) -> Table:
    return load_table(path, CONTACT_COLUMNS)


def _channels(path: Path) -> Table:
    return load_table(path, CHANNEL_COLUMNS)


def _envelope(path: Path) -> Table:
    return load_table(path, ("time_s",))


def _checksums(path: Path) -> Mapping[str, str]:
    checksums: Mapping[str, str] = read_json(path)["files"]
    return checksums
