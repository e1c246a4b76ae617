"""Commands `check` and `run`: check patients' input files, and run the pipeline."""

import argparse
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from virtualbrain.commands.console import (
    err_console,
    report_error,
    say,
    warn,
)
from virtualbrain.commands.participants import chosen_labels, file_options
from virtualbrain.config import load_config
from virtualbrain.errors import FAULT_OF_INPUT, FAULT_OF_PROGRAM, VirtualBrainError
from virtualbrain.io.atomic import read_json, remove_abandoned, write_json, write_text
from virtualbrain.io.connectome import group_path
from virtualbrain.io.layout import NOT_IN_BIDS, PatientLayout
from virtualbrain.io.manifest import adopt_earlier_manifest, remove_damaged
from virtualbrain.io.versions import versions
from virtualbrain.pipeline.compile_ahead import compiling_ahead
from virtualbrain.pipeline.faults import RESUME
from virtualbrain.pipeline.prior_files import chosen_priors
from virtualbrain.pipeline.snakemake_runner import (
    DEFAULT_PROFILE,
    KILLED,
    Outcome,
    only_run,
    run_workflow,
    snakemake_command,
)
from virtualbrain.pipeline.stages import fits, last_stage
from virtualbrain.pipeline.verification import outdated_records


def check(options: argparse.Namespace) -> int:
    """Report every problem of the input files."""
    from virtualbrain.pipeline.check import notes_of

    config = load_config(options.config, file_options(options))
    labels = chosen_labels(options.bids, options.participant_label, config)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        report_problems(label, found)
        if not found:
            say(f"sub-{label}: no problem found")
        for line in notes_of(options.bids, label, config):
            warn(f"sub-{label}: {line}")
    return FAULT_OF_INPUT if any(problems.values()) else 0


def report_problems(label: str, problems: Sequence[VirtualBrainError]) -> None:
    """Print the problems of a patient, each with the patient's label."""
    for problem in problems:
        text = str(problem)
        own = f"sub-{label}: "
        report_error(text if text.startswith(own) else own + text)


def _problems(
    bids: str, labels: Sequence[str], config: dict[str, Any]
) -> dict[str, list[VirtualBrainError]]:
    from virtualbrain.pipeline.check import check_patients

    return check_patients(bids, labels, config, os.cpu_count() or 1)


def _prepared(
    options: argparse.Namespace, labels: Sequence[str], config: dict[str, Any]
) -> set[str]:
    """Return the patients whose files need no check: a run has checked and read them."""
    from virtualbrain.pipeline.check import is_prepared

    out = Path(options.out).absolute()
    return {label for label in labels if is_prepared(out, options.bids, label, config)}


def run(options: argparse.Namespace) -> int:
    """Run the pipeline on all patients whose input files have no problem."""
    overrides = file_options(options)
    if options.priors:
        overrides["priors"] = options.priors
    if options.seed is not None:
        overrides["seed"] = options.seed
    if options.until:
        overrides["until"] = options.until
    config = load_config(options.config, overrides)
    chosen = chosen_priors(config["priors"])
    labels = chosen_labels(options.bids, options.participant_label, config)
    prepared = _prepared(options, labels, config)
    problems = _problems(options.bids, [x for x in labels if x not in prepared], config)
    for label, found in problems.items():
        report_problems(label, found)
    good = [label for label in labels if not problems.get(label)]
    if not good:
        return FAULT_OF_INPUT
    _check_priors(chosen)
    code = _run_good(options, config, good)
    bad = [label for label in labels if problems.get(label)]
    if bad:
        report_error(f"not run (errors above): {', '.join(f'sub-{label}' for label in bad)}")
    return code or (FAULT_OF_INPUT if bad else 0)


def _check_priors(chosen: Mapping[str, Path]) -> None:
    """Raise an error if a prior file is invalid."""
    from inference.priors import load_priors  # slow to import

    for path in chosen.values():
        load_priors(path)


def _run_good(options: argparse.Namespace, config: dict[str, Any], labels: list[str]) -> int:
    out = Path(options.out).absolute()
    config |= {
        "bids": str(Path(options.bids).absolute()),
        "out": str(out),
        "participants": labels,
        # absolute, because Snakemake runs in another folder
        "priors": [str(Path(p).absolute()) if Path(p).suffix else p for p in config["priors"]],
        "diffusion": {
            **config["diffusion"],
            "group_connectome": group_path(config["diffusion"]["group_connectome"]),
        },
    }
    with only_run(out) as lock:
        begin_s = time.time()
        _describe_dataset(out)
        start = Start(out, options, lock)
        if not options.dry_run:
            adopt_earlier_manifest(out)
            for label in labels:
                for line in remove_damaged(PatientLayout(out, label)):
                    warn(line)
        start.check_again(config, labels)
        name = "dry-run" if options.dry_run else "snakemake"
        with compiling_ahead(wanted=_has_time_to_compile(options, config, labels)):
            outcome = start.workflow(config, name, (), _outdated(out, config, labels))
        if not outcome.exit_code and not options.dry_run:
            remove_abandoned(out, begin_s)
        finished = [label for label in labels if PatientLayout(out, label).report.is_file()]
        is_whole = last_stage(config) == "report"
        if outcome.exit_code and outcome.failures and finished and is_whole:
            start.workflow(config | {"participants": finished}, "cohort-of-finished", ("cohort",))
    return _report_outcome(outcome, out, labels, config, options)


def _has_time_to_compile(
    options: argparse.Namespace, config: dict[str, Any], labels: Sequence[str]
) -> bool:
    """Whether stages of minutes come before a fit on this machine: with images, not without."""
    from virtualbrain.io.patient_search import find_patient  # slow to import
    from virtualbrain.pipeline.check import file_settings

    if options.profile != DEFAULT_PROFILE or options.dry_run or not fits(config):
        return False
    which = file_settings(config)
    return any(find_patient(options.bids, label, which).connectome is None for label in labels)


def _outdated(out: Path, config: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Return the records of stages that ran with other settings."""
    names = chosen_priors(config["priors"])
    layouts = [PatientLayout(out, label) for label in labels]
    return [str(path) for layout in layouts for path in outdated_records(layout, config, names)]


@dataclass(frozen=True)
class Start:
    """Start the workflow on one output folder; `lock` is the descriptor of the folder's lock."""

    out: Path
    options: argparse.Namespace
    lock: int

    def check_again(self, config: dict[str, Any], labels: Sequence[str]) -> None:
        """Run only the check, for all patients with an earlier check of other files or settings.

        A repeated check does not repeat later stages (`ancient`). But while the check is still to
        run, Snakemake does not look for other reasons to repeat them, such as changed inputs.
        """
        if self.options.dry_run:
            return
        from virtualbrain.pipeline.check import is_checked  # slow to import

        checks = {label: PatientLayout(self.out, label).inputs for label in labels}
        existing = [
            str(path)
            for label, path in checks.items()
            if path.is_file() and not is_checked(self.out, self.options.bids, label, config)
        ]
        if existing:
            self.workflow(config, "check-again", existing)

    def workflow(
        self, config: dict[str, Any], name: str, targets: Sequence[str], forced: Sequence[str] = ()
    ) -> Outcome:
        """Run the workflow with one configuration; its output goes to logs/<name>.log.

        Stages whose records are in `forced` run although Snakemake considers them up to date.
        """
        resolved = self.out / "logs" / ("config.yaml" if name == "snakemake" else f"{name}.yaml")
        write_text(resolved, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        extra = [
            *(["--dry-run"] if self.options.dry_run else []),
            *(["--forcerun", *forced] if forced else []),
        ]
        command = snakemake_command(
            self.out, resolved, self.options.cores, self.options.profile, targets, *extra
        )
        log = self.out / "logs" / f"{name}.log"
        return run_workflow(command, log, self.lock, err_console)


def _describe_dataset(out: Path) -> None:
    """Write dataset_description.json, which BIDS requires of derivatives."""
    description = {
        "Name": "virtualbrain",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "virtualbrain", "Version": versions()["virtualbrain"]}],
    }
    write_json(out / "dataset_description.json", description)
    write_text(out / ".bidsignore", "\n".join(NOT_IN_BIDS) + "\n")


def _report_outcome(
    outcome: Outcome,
    out: Path,
    labels: list[str],
    config: dict[str, Any],
    options: argparse.Namespace,
) -> int:
    """Print failed stages and the reports' paths; return the exit code."""
    code = report_failures(outcome, out, "dry-run" if options.dry_run else "snakemake")
    if code:
        _report_finished(out, labels)
        return code
    if options.dry_run:
        return 0
    stage = last_stage(config)
    if stage != "report":
        for label in labels:
            if stage in ("anatomy", "diffusion") and not PatientLayout(out, label).anatomy.is_dir():
                warn(f"sub-{label}: no stage {stage}, because the connectome is ready")
        say(f"stopped after {stage}; results in {out}")
        return 0
    first = next(iter(chosen_priors(config["priors"])))
    for label in labels:
        layout = PatientLayout(out, label)
        verdict = read_json(layout.diagnostics(first))["verdict"]
        say(f"sub-{label}: {layout.report} (verdict: {verdict})")
    return 0


def report_failures(outcome: Outcome, out: Path, log: str) -> int:
    """Print the failed stages of a Snakemake run with logs/<log>.log; return the exit code."""
    for failure in outcome.failures:
        text = f"{failure.log.parent.name}, {failure.rule}: {failure.message} (log: {failure.log})"
        if outcome.exit_code:
            report_error(text)
        else:
            warn(f"{text}; the next attempt succeeded")
    if not outcome.exit_code:
        return 0
    if not outcome.failures:
        report_error(_engine_error(outcome, out, log))
    by_user = [failure.user_fault for failure in outcome.failures]
    all_by_user = all(by_user) if by_user else outcome.engine_fault is not None
    return FAULT_OF_INPUT if all_by_user else FAULT_OF_PROGRAM


def _engine_error(outcome: Outcome, out: Path, log: str) -> str:
    """Return the error line of a Snakemake run that ended without a failed stage."""
    if outcome.engine_fault is not None:
        return f"{out}: {outcome.engine_fault}"
    if outcome.exit_code < 0:
        return f"the workflow {KILLED}"
    return f"the workflow could not start; see {out / 'logs' / f'{log}.log'}"


def _report_finished(out: Path, labels: list[str]) -> None:
    """Print the number of patients with a report after others failed."""
    if len(labels) < 2:
        return
    done = [label for label in labels if PatientLayout(out, label).report.is_file()]
    say(f"{len(done)} of {len(labels)} patients have a report; {RESUME}")
