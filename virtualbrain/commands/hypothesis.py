"""Commands on the clinicians' zone without a recording: `simulate-hypothesis`, `study-outcomes`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from virtualbrain.commands.console import err_console, say, warn
from virtualbrain.commands.participants import chosen_labels, file_options
from virtualbrain.commands.pipeline import report_problems, run
from virtualbrain.config import load_config
from virtualbrain.errors import FAULT_OF_INPUT, InputError, VirtualBrainError
from virtualbrain.io.bids import PatientFiles, check_label
from virtualbrain.io.layout import PatientLayout

_ONLY_PATIENT = "01"


def simulate_hypothesis(options: argparse.Namespace) -> int:
    """Simulate the hypothesis of every patient of a dataset, or one on a given connectome."""
    overrides = file_options(options)
    if options.seed is not None:
        overrides["seed"] = options.seed
    config = load_config(options.config, overrides)
    source = Path(options.source)
    if (source / "dataset_description.json").is_file():
        return _dataset(options, config)
    return _given_connectome(source, options, config)


def _dataset(options: argparse.Namespace, config: dict[str, Any]) -> int:
    """Simulate patients of a dataset; anatomy and connectome are computed first."""
    labels = chosen_labels(options.source, options.participant_label, config)
    if options.hypothesis and len(labels) != 1:
        raise InputError(
            f"--hypothesis is for one patient, but {len(labels)} are chosen",
            where="virtualbrain simulate-hypothesis",
            expected="one patient",
            hint="choose the patient with --participant-label",
        )
    cases: dict[str, PatientFiles] = {}
    for label in labels:
        files = _checked(label, options, config)
        if files is not None:
            cases[label] = files
    if not cases:
        return FAULT_OF_INPUT
    codes = [FAULT_OF_INPUT] if len(cases) < len(labels) else []
    for label, files in cases.items():
        codes.append(_structure(options, label))
        if codes[-1]:
            continue  # the connectome may be that of other input files
        try:
            _simulate(files, PatientLayout.of_results(options.out, label), config)
        except VirtualBrainError as error:
            report_problems(label, [error])
            codes.append(FAULT_OF_INPUT)
    return max(codes)


def _checked(
    label: str, options: argparse.Namespace, config: dict[str, Any]
) -> PatientFiles | None:
    """Return a patient's files; None if the check found a problem, which is printed."""
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.pipeline.check import check_patient, file_settings
    from virtualbrain.pipeline.hypothesis import check_hypothesis

    problems = check_patient(options.source, label, config | {"until": "connectomes"})
    if problems:
        report_problems(label, problems)
        return None
    files = find_patient(options.source, label, file_settings(config))
    if options.hypothesis:
        files = replace(files, hypothesis=Path(options.hypothesis))
    problems = check_hypothesis(files, config)
    report_problems(label, problems)
    return None if problems else files


def _structure(options: argparse.Namespace, label: str) -> int:
    """Run the pipeline to the connectome of one patient; return its exit code."""
    return run(
        argparse.Namespace(
            **vars(options) | {
                "bids": options.source, "participant_label": [label], "until": "connectomes",
                "priors": None, "dry_run": False,
            }
        )
    )  # fmt: skip


def _given_connectome(source: Path, options: argparse.Namespace, config: dict[str, Any]) -> int:
    """Simulate a table of regions on a connectome from a user's path."""
    from virtualbrain.io.connectome import read_given_connectome, write_connectome
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.pipeline.hypothesis import check_hypothesis

    if not options.hypothesis:
        raise InputError(
            "no hypothesis",
            where="virtualbrain simulate-hypothesis",
            expected="--hypothesis TSV with the columns region and zone, if the first argument is "
            "a connectome and not a BIDS dataset",
        )
    given = options.participant_label or [_ONLY_PATIENT]
    label = check_label(given[0])
    files = PatientFiles(
        bids=source, label=label, t1=None, dwi=(), recordings=(), electrodes=None, coordsystem=None,
        freesurfer=None, connectome=source, hypothesis=Path(options.hypothesis), eloquent=None,
        lesion=None,
    )  # fmt: skip
    connectome = read_given_connectome(source)
    problems = check_hypothesis(files, config)
    report_problems(label, problems)
    if problems:
        return FAULT_OF_INPUT
    layout = PatientLayout(Path(options.out), label, "Given")
    write_connectome(layout, connectome, sidecar(config, ("seed",), [source.name]))
    _simulate(files, layout, config)
    return 0


def _simulate(files: PatientFiles, layout: PatientLayout, config: dict[str, Any]) -> None:
    """Simulate one patient and print the report's path."""
    from virtualbrain.config import settings_from
    from virtualbrain.io.connectome import read_connectome
    from virtualbrain.pipeline.hypothesis import case_of, simulate_case
    from virtualbrain.seeg.settings import SeegSettings

    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    case = case_of(files, layout, read_connectome(layout), settings)
    for note in case.notes:
        warn(f"sub-{files.label}: {note}")
    with err_console.status(f"sub-{files.label}: simulating the hypothesis"):
        report = simulate_case(case, layout, config)
    say(f"sub-{files.label}: {report} (nothing was fitted)")


def study_outcomes(options: argparse.Namespace) -> int:
    """Predict the outcome of the resections that were done, and compare with what happened."""
    import numpy as np
    import pandas as pd

    from virtualbrain.cohort.marked_outcomes import PREDICTORS, compare
    from virtualbrain.io.clinical import read_outcome_classes
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.io.tables import write_table

    overrides: dict[str, Any] = {"seed": options.seed} if options.seed is not None else {}
    if options.units:
        overrides["seeg"] = {"units": options.units}
    if options.connectome:
        overrides["diffusion"] = {"group_connectome": options.connectome}
    config = load_config(options.config, overrides)
    classes = read_outcome_classes(Path(options.bids))
    labels = chosen_labels(options.bids, options.participant_label, config)
    known = [label for label in labels if label in classes]
    if not known:
        raise InputError(
            "no patient with a known outcome",
            where="participants.tsv",
            expected="a column engel or ilae",
        )
    rows = _study(options, config, known, classes)
    out, about = Path(options.out), sidecar(config, ("hypothesis", "surgery", "seed"), [])
    table = pd.DataFrame([row for row in rows if row is not None])
    if table.empty:
        return FAULT_OF_INPUT
    write_table(out / "outcomes_study.tsv", table, about)
    found = compare(table, np.random.default_rng(config["seed"]))
    write_table(out / "outcomes_auc.tsv", pd.DataFrame(found), about)
    for one in found:
        say(
            f"AUC {one.auc:.2f} (95 % interval {one.low:.2f} to {one.high:.2f}), "
            f"{one.n_free} seizure-free, {one.n_not_free} not: {PREDICTORS[one.predictor]}"
        )
    return FAULT_OF_INPUT if len(table) < len(known) else 0


def _study(
    options: argparse.Namespace,
    config: dict[str, Any],
    labels: list[str],
    classes: dict[str, bool],
) -> list[dict[str, Any] | None]:
    """Simulate the patients, as many at a time as there are cores."""
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor
    from functools import partial

    one = partial(
        _study_one, options.bids, options.out, config=config, classes=classes,
        reports=options.reports,
    )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.cores or os.cpu_count() or 1, mp_context=context) as pool:
        return list(pool.map(one, labels))


def _study_one(
    bids: str, out: str, label: str, *, config: dict[str, Any],
    classes: dict[str, bool], reports: bool,
) -> dict[str, Any] | None:  # fmt: skip
    """Simulate one patient in the template brain; None after an error, which is printed."""
    from virtualbrain.anatomy.atlases import desikan_killiany
    from virtualbrain.cohort.marked_outcomes import row_of, template_case, template_connectome
    from virtualbrain.config import settings_from
    from virtualbrain.diffusion.group_connectome import load_group
    from virtualbrain.diffusion.settings import DiffusionSettings
    from virtualbrain.io.connectome import write_connectome
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.pipeline.check import file_settings
    from virtualbrain.pipeline.hypothesis import predict_done, simulate_case
    from virtualbrain.seeg.settings import SeegSettings

    try:
        atlas = desikan_killiany()
        group = load_group(settings_from(config["diffusion"], DiffusionSettings, "diffusion"))
        connectome = template_connectome(group, atlas)
        files = find_patient(bids, label, file_settings(config))
        settings = settings_from(config["seeg"], SeegSettings, "seeg")
        case = template_case(files, connectome, atlas, settings)
        row = row_of(label, classes[label], case, predict_done(case, config))
        if reports:
            layout = PatientLayout(Path(out), label, atlas.label)
            write_connectome(layout, connectome, sidecar(config, ("seed",), [group.group]))
            simulate_case(case, layout, config)
    except VirtualBrainError as error:
        report_problems(label, [error])
        return None
    say(f"sub-{label}: no seizure after the resection in {row['p_seizure_free']:.0%} of the draws")
    return row
