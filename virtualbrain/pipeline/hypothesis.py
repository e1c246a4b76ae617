"""Simulate the clinicians' hypothesis of a patient: from connectome and contacts to the report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from virtualbrain.anatomy.atlases import load_atlas
from virtualbrain.anatomy.settings import AnatomySettings
from virtualbrain.config import settings_from
from virtualbrain.connectome import Connectome
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.anatomy import read_anatomy
from virtualbrain.io.atomic import write_json
from virtualbrain.io.bids import PatientFiles
from virtualbrain.io.clinical import (
    check_clinical,
    eloquent_regions,
    probable_zone,
    read_hypothesis,
    require_known,
)
from virtualbrain.io.clinical_marks import read_marks
from virtualbrain.io.connectome import read_given_connectome, read_ready_connectome
from virtualbrain.io.layout import PatientLayout
from virtualbrain.io.marked_regions import resection_of_contacts
from virtualbrain.io.provenance import sidecar
from virtualbrain.io.result_files import load_table
from virtualbrain.io.results import load_results
from virtualbrain.io.seeg import CONTACT_COLUMNS
from virtualbrain.io.tables import read_table, write_table
from virtualbrain.quality_limits import NOT_FITTED
from virtualbrain.report.hypothesis import build_hypothesis_report
from virtualbrain.seeg.check import electrode_problems
from virtualbrain.seeg.clinical_marks import contact_marks, unplaced_note
from virtualbrain.seeg.contact_regions import place_points
from virtualbrain.seeg.contacts import read_contacts
from virtualbrain.seeg.names import bare_name, tidy
from virtualbrain.seeg.region_centres import distance_problems
from virtualbrain.seeg.result_tables import contact_rows
from virtualbrain.seeg.settings import SeegSettings
from virtualbrain.surgery.candidates import DONE, Candidate
from virtualbrain.surgery.clinical_plans import clinical_plans, partial_resection
from virtualbrain.surgery.draws import draws_from
from virtualbrain.surgery.hypothesis import hypothesis_draws, spread_of, zones_of_hypothesis
from virtualbrain.surgery.outcome_prediction import predicted_outcome
from virtualbrain.surgery.run import Patient, run_surgery
from virtualbrain.surgery.settings import HypothesisSettings, SurgerySettings

NAME = "simulated-hypothesis"
"""Name of the results in place of a prior set."""
REASONS = (
    "The epileptogenic zone was stated by clinicians, not found in a recording: no seizure was "
    "used, and no parameter was estimated.",
    "All numbers are fractions of simulated draws. They hold only if the hypothesis is right, and "
    "they are not calibrated.",
)


@dataclass(frozen=True)
class Case:
    """Input of a simulation.

    Parameters
    ----------
    files : PatientFiles
        The patient's files: hypothesis, contacts, clinical tables.
    connectome : Connectome
        Regions and weights.
    contacts : pandas.DataFrame or None
        Contacts with region probabilities and marks.
    notes : tuple of str
        Notes on the contacts and their marks.
    """

    files: PatientFiles
    connectome: Connectome
    contacts: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def check_hypothesis(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Return the problems of a patient's hypothesis and contacts, without long computations.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    config : mapping
        The configuration.
    """
    problems = check_clinical(files)
    if problems:
        return problems
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    marked = any(marks.marked.get("soz") for marks in read_marks(files))
    if files.hypothesis is None and not marked:
        return [
            InputError(
                "no hypothesis",
                where=f"sub-{files.label}",
                expected=f"derivatives/clinical/sub-{files.label}/sub-{files.label}_hypothesis.tsv "
                "(region or contact, zone), or contacts marked as seizure onset zone",
                hint="state the suspected zone, or pass a table with --hypothesis",
            )
        ]
    if files.hypothesis is not None and "EZ" not in set(read_hypothesis(files.hypothesis)["zone"]):
        return [
            InputError(
                "the hypothesis has no region of the epileptogenic zone",
                where=files.hypothesis.name,
                expected="at least one row with the zone EZ",
                hint="enter the suspected regions or contacts",
            )
        ]
    problems += _name_problems(files, config)
    if files.electrodes is not None or files.hypothesis is None:
        problems += electrode_problems(files, settings)
    return problems


def _name_problems(files: PatientFiles, config: Mapping[str, Any]) -> list[VirtualBrainError]:
    """Return the unknown name of a hypothesis, if the names of the regions are known yet.

    Those of a FreeSurfer subject are not.
    """
    if files.hypothesis is None or (files.connectome is None and files.freesurfer is not None):
        return []
    known = set(_region_names(files, config))
    if files.electrodes is not None:
        contacts = [str(name) for name in read_table(files.electrodes, ["name"])["name"]]
        known |= {bare_name(name) for name in contacts} | {tidy(name) for name in contacts}
    try:
        names = read_hypothesis(files.hypothesis)["name"]
        require_known(names, known, files.hypothesis, "region or contact")
    except InputError as error:
        return [error]
    return []


def _region_names(files: PatientFiles, config: Mapping[str, Any]) -> Sequence[str]:
    """Return the names of the regions: of the ready connectome, else of the atlas."""
    if files.connectome is None:
        settings = settings_from(config["anatomy"], AnatomySettings, "anatomy")
        return [str(name) for name in load_atlas(settings.of_patient(files.label)).table["name"]]
    if files.connectome.is_dir() and files.connectome != files.bids:
        return read_ready_connectome(files.connectome, files.atlas).names
    return read_given_connectome(files.connectome).names


def case_of(files: PatientFiles, layout: PatientLayout, connectome: Connectome,
            settings: SeegSettings) -> Case:  # fmt: skip
    """Place a patient's contacts in the regions, and read their marks.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    layout : PatientLayout
        The anatomy, if it was computed; else the centres of the regions place the contacts.
    connectome : Connectome
        Regions and weights.
    settings : SeegSettings
        Frame and unit of the contacts, and the radii of the contacts' balls.

    Raises
    ------
    InputError
        The contacts cannot be read, or are far from all regions.
    """
    if files.electrodes is None:
        return Case(files, connectome)
    contacts = read_contacts(files, settings)
    anatomy = read_anatomy(layout) if layout.labels.is_file() else None
    if anatomy is None:
        points = contacts[["x", "y", "z"]].to_numpy(float)
        for problem in distance_problems(files, points, connectome.regions, settings):
            raise problem
    images = (anatomy.labels, anatomy.brain_mask) if anatomy else (None, None)
    return placed_case(files, connectome, contacts, images, settings)


def placed_case(
    files: PatientFiles,
    connectome: Connectome,
    contacts: pd.DataFrame,
    images: tuple[Any, Any],
    settings: SeegSettings,
) -> Case:
    """Return the case of contacts in the frame of the regions.

    Parameters
    ----------
    files : PatientFiles
        The patient's files.
    connectome : Connectome
        Regions and weights.
    contacts : pandas.DataFrame
        Table as from `seeg.contacts.contact_table`.
    images : tuple of nibabel images or None
        Label image and brain mask.
    settings : SeegSettings
        Radii of the contacts' balls.
    """
    points = contacts[["x", "y", "z"]].to_numpy(float)
    placement = place_points(points, connectome.regions, *images, settings)
    marks = contact_marks(files, contacts)
    table = contact_rows(contacts, placement, list(connectome.names), (), marks.columns)
    table = table.assign(status="good", status_description=None)  # no recording judges them
    return Case(files, connectome, table, (*marks.notes, *unplaced_note(table)))


def simulate_case(case: Case, layout: PatientLayout, config: Mapping[str, Any]) -> Path:
    """Simulate a patient's hypothesis and write tables and report.

    Parameters
    ----------
    case : Case
        Connectome, hypothesis and contacts.
    layout : PatientLayout
        Where the results are written: as those of a prior set called ``simulated-hypothesis``, and
        ``sub-XX/hypothesis.html``. The connectome must be there.
    config : mapping
        The configuration: sections hypothesis and surgery, and the seed.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    InputError
        A name of the hypothesis or of a plan is unknown, or no contact of the zone is in a region.
    """
    files, connectome = case.files, case.connectome
    draws = settings_from(config["hypothesis"], HypothesisSettings, "hypothesis")
    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    rng = np.random.default_rng(config["seed"])
    zone = zone_of(case)
    tree = hypothesis_draws(connectome.weights, zone, connectome.names, draws, surgery, rng)
    zones = zones_of_hypothesis(tree, zone, spread_of(tree, draws, surgery, rng))
    clinic = clinical_plans(files, layout, connectome)
    done = done_resection(case, zone, surgery) if files.resected is None else clinic.done
    patient = Patient(
        zones=zones.drop(columns="observability"),
        regions=connectome.regions,
        hypothesis=tuple(zones.loc[zones["in_hypothesis"] == "EZ", "region"]),
        eloquent=eloquent_regions(files, layout),
        plans=clinic.plans,
        done=done,
        verdict=NOT_FITTED,
    )
    found = run_surgery(tree, patient, surgery, rng)
    about = sidecar(
        config,
        ("hypothesis", "surgery", "seed"),
        [path.name for path in (*files.clinical_files(), *files.marked_tables())],
    )
    seized = f"{tree.attrs['accepted']:.0%} of the drawn networks seized; the others were left out"
    notes = [*case.notes, seized, *([_no_stimulation(clinic.pairs)] if clinic.pairs else [])]
    stated = {"Hypothesis": _source(files), "Notes": notes, "Settings": asdict(draws)}
    plans = {**about, "Verdict": NOT_FITTED, "n_draws": surgery.draws, **found.about()}
    if case.contacts is not None:
        write_table(layout.stated_contacts(NAME), case.contacts, about)
    write_table(layout.recruitment(NAME), found.recruitment, plans)
    write_json(layout.predicted(NAME), {**plans, "Predicted": found.predicted})
    write_table(layout.outcomes(NAME), found.outcomes, plans)
    write_table(layout.zones(NAME), zones, {**about, **stated})
    verdict = {"verdict": NOT_FITTED, "reasons": list(REASONS), "figures": {}}
    write_json(layout.diagnostics(NAME), verdict)
    return _report(case, layout)


def zone_of(case: Case) -> pd.DataFrame:
    """Return the stated zone by region, with probabilities.

    Raises
    ------
    InputError
        A name is unknown, or no contact of the zone is in a region.
    """
    zone = probable_zone(case.files, case.connectome.names, case.contacts)
    if zone is None:
        raise InputError(
            "no contact of the seizure onset zone is in a region",
            where=f"sub-{case.files.label}",
            expected="marked contacts in or near grey matter",
            hint="state regions in the hypothesis instead",
        )
    return zone


def predict_done(case: Case, config: Mapping[str, Any]) -> dict[str, float] | None:
    """Return the predicted outcome of the resection that was done, as `simulate_case` does.

    No other plan is simulated and nothing is written.

    Parameters
    ----------
    case, config
        As in `simulate_case`.

    Returns
    -------
    dict or None
        See `virtualbrain.surgery.outcome_prediction`; None if no resected contact is in a region.
    """
    draws = settings_from(config["hypothesis"], HypothesisSettings, "hypothesis")
    surgery = settings_from(config["surgery"], SurgerySettings, "surgery")
    rng = np.random.default_rng(config["seed"])
    zone = zone_of(case)
    done = done_resection(case, zone, surgery)
    if done is None:
        return None
    connectome = case.connectome
    tree = hypothesis_draws(connectome.weights, zone, connectome.names, draws, surgery, rng)
    fitted = draws_from(tree, surgery.draws, rng, surgery.suspicion)
    return predicted_outcome(done, fitted, surgery, fitted=False)


def done_resection(case: Case, zone: pd.DataFrame, surgery: SurgerySettings) -> Candidate | None:
    """Return the resection of the contacts marked as resected; None without any.

    Where contacts state the zone, only the zone's contacts count in its regions: the draws give
    the complete region the excitability of the zone, but only that part is epileptogenic. Regions
    that are hardly in the zone (`suspicion`) never start seizures and are no exception.
    """
    if case.contacts is None:
        return None
    suspected = zone[(zone["zone"] == "EZ") & (zone["probability"] >= surgery.suspicion)]
    inside = tuple(suspected["region"]) if case.files.hypothesis is None else ()
    fractions = resection_of_contacts(case.contacts, inside)
    return partial_resection(DONE, fractions) if fractions else None


def _source(files: PatientFiles) -> str:
    """Return where the hypothesis is stated."""
    if files.hypothesis is not None:
        return files.hypothesis.name
    tables = [marks.path.name for marks in read_marks(files) if marks.marked.get("soz")]
    return f"contacts marked as seizure onset zone in {', '.join(tables)}"


def _no_stimulation(pairs: tuple[str, ...]) -> str:
    return f"stimulation of {', '.join(pairs)} was not simulated: it needs the gain of a recording"


def _report(case: Case, layout: PatientLayout) -> Path:
    """Write the report from the files that were written."""
    results = load_results(layout.out, layout.label, [NAME], case.files)
    path = layout.stated_contacts(NAME)
    contacts = load_table(path, CONTACT_COLUMNS) if case.contacts is not None else None
    missing = dict(results.missing) | ({} if contacts else {"contacts": "none are in the dataset"})
    alone = replace(
        results, contacts=contacts, channels=None, gain=None, seizures=(), missing=missing
    )
    return build_hypothesis_report(alone, layout.hypothesis_report)
