"""Configuration, patients and input functions, shared by all rules."""

from pathlib import Path

import pandas as pd
from snakemake.utils import min_version, validate

from virtualbrain.config import settings_from
from virtualbrain.cortex.settings import WORKFLOW_NAME
from virtualbrain.errors import ConfigError
from virtualbrain.io.bids import check_label, participants
from virtualbrain.io.connectome import group_files
from virtualbrain.io.file_settings import FileSettings
from virtualbrain.io.patient_search import find_patient
from virtualbrain.io.layout import (
    PatientLayout,
    cohort_page,
    cohort_table,
    cortex_run_names,
)
from virtualbrain.io.manifest import owner_of, record_path
from virtualbrain.pipeline.check import checked_part, checked_settings
from virtualbrain.pipeline.prior_files import prior_files
from virtualbrain.pipeline.environment import announce_run, use_project_caches
from virtualbrain.pipeline.stages import last_stage, stage_targets
from virtualbrain.stimulation.pulses import is_stimulated

min_version("9.0")

ROOT = Path(workflow.current_basedir).parent.parent


configfile: ROOT / "config" / "config.yaml"


validate(config, ROOT / "workflow" / "schemas" / "config.schema.yaml")
if not (config["bids"] and config["out"]):
    raise ConfigError("bids or out is not given", hint="add --config bids=BIDS out=OUT")
announce_run()
use_project_caches()

BIDS = Path(config["bids"]).absolute()
OUT = Path(config["out"]).absolute()
LABELS = [check_label(str(label)) for label in config["participants"]] or participants(
    BIDS
)
if (BIDS / "participants.tsv").is_file():
    sheet = pd.read_csv(BIDS / "participants.tsv", sep="\t", dtype=str)
    validate(sheet, ROOT / "workflow" / "schemas" / "participants.schema.yaml")
FILES = settings_from(config["files"], FileSettings, "files")
PATIENTS = {label: find_patient(BIDS, label, FILES) for label in LABELS}
PRIORS = prior_files(config["priors"], ROOT / "config" / "priors")
ANY = PatientLayout(OUT, "{label}")
COHORT = cohort_page(OUT)
CORTEX_RUN = WORKFLOW_NAME


wildcard_constraints:
    label="[A-Za-z0-9]+",
    priors="[A-Za-z0-9_-]+",


def stage_record(stage):
    """Return a stage record: the first output, because outputs are removed in their order."""
    return record_path(OUT, owner_of("{label}"), stage)


def targets():
    """Return the results of every patient up to the last stage, and the cohort's report."""
    stage = last_stage(config)
    results = [
        path
        for label in LABELS
        for path in stage_targets(
            PatientLayout(OUT, label),
            stage,
            PRIORS,
            has_connectome=PATIENTS[label].connectome is not None,
            uses_group=PATIENTS[label].uses_group,
            on_cortex=config["cortex"]["enabled"],
        )
    ]
    return [*results, *([COHORT] if stage == "report" else [])]


def reports():
    """Return the report of every patient."""
    return [PatientLayout(OUT, label).report for label in LABELS]


def outcome_classes():
    """Return participants.tsv if it exists; it may contain Engel or ILAE classes."""
    table = BIDS / "participants.tsv"
    return [table] if table.is_file() else []


def responses(wildcards):
    """Return the evoked responses of a patient with stimulation; nothing of others."""
    stimulated = is_stimulated(PATIENTS[wildcards.label])
    return ANY.evoked_responses if stimulated else []


def fit_responses(wildcards):
    """Return the evoked responses of a patient if the fit uses them."""
    return responses(wildcards) if config["inference"]["evoked_responses"] else []


def connectomes():
    """Return the connectome of every patient."""
    return [PatientLayout(OUT, label).connectome for label in LABELS]


def patient_files(wildcards):
    """Return every input file of a patient."""
    return PATIENTS[wildcards.label].all_files()


def anatomy_inputs(wildcards):
    """Return T1, FreeSurfer's files and lesion mask, as available."""
    return PATIENTS[wildcards.label].anatomy_files()


def dwi_inputs(wildcards):
    """Return images, b-values and gradient directions of the diffusion series."""
    return PATIENTS[wildcards.label].dwi_files()


def seeg_inputs(wildcards):
    """Return the recordings and their tables."""
    return PATIENTS[wildcards.label].seeg_files()


def clinical_inputs(wildcards):
    """Return the files of clinical hypothesis, eloquent regions and plans, as available."""
    return PATIENTS[wildcards.label].clinical_files()


def anatomy_result(wildcards):
    """Return the patient's anatomy; nothing if there is a ready connectome."""
    return [] if PATIENTS[wildcards.label].connectome else ANY.anatomy


def ready_connectome(wildcards):
    """Return the connectome if the dataset has a ready one, whose regions are then used."""
    return ANY.connectome if PATIENTS[wildcards.label].connectome else []


def connectome_sources(wildcards):
    """Return the files of a ready connectome, anatomy and group, or streamlines and labels."""
    files = PATIENTS[wildcards.label]
    if files.connectome:
        return files.connectome_files()
    if files.uses_group:
        return [ANY.anatomy, *group_files(config["diffusion"]["group_connectome"])]
    quality = [ANY.fod_quality, ANY.alignment_quality, ANY.tracks_quality]
    return [
        ANY.anatomy,
        ANY.fod,
        ANY.tracks,
        ANY.track_weights,
        ANY.t1_to_dwi,
        *quality,
    ]


def per_prior_set(name):
    """Return an input function for one file of every prior set."""

    def files(wildcards):
        layout = PatientLayout(OUT, wildcards.label)
        return [getattr(layout, name)(priors) for priors in PRIORS]

    return files


def ablations(wildcards):
    """Return the further fits that exist; `virtualbrain degeneracy` writes them."""
    tables = ("ablation", "other_connectomes")
    found = [path for name in tables for path in per_prior_set(name)(wildcards)]
    return [path for path in found if path.is_file()]


def cortex_runs(wildcards):
    """Return the runs on the cortex: that of the rule if it is wanted, others that exist."""
    layout = PatientLayout(OUT, wildcards.label)
    wanted = config["cortex"]["enabled"] and not PATIENTS[wildcards.label].connectome
    return [
        *([layout.cortex_run(one, CORTEX_RUN) for one in PRIORS] if wanted else []),
        *(
            layout.cortex_page(one, name)
            for one in PRIORS
            for name in cortex_run_names(layout, one)
            if name != CORTEX_RUN
        ),
    ]


def prior_file(wildcards):
    """Return the file of a prior set."""
    return PRIORS[wildcards.priors]


def quality_of_diffusion(wildcards):
    """Return the quality figures of the diffusion series; nothing if none is used."""
    return ANY.dwi_quality if PATIENTS[wildcards.label].has_tractography else []
