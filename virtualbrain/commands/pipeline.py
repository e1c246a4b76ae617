"""Commands `check` and `run`: a patient's input, and the pipeline on it."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from virtualbrain.commands.console import (
    FAULT_OF_INPUT,
    FAULT_OF_PROGRAM,
    err_console,
    say,
    tell,
    warn,
)
from virtualbrain.commands.participants import chosen_labels
from virtualbrain.config import load_config
from virtualbrain.errors import VirtualBrainError
from virtualbrain.io.atomic import read_json, write_json, write_text
from virtualbrain.io.layout import NOT_IN_BIDS, PatientLayout
from virtualbrain.io.manifest import drop_damaged
from virtualbrain.pipeline.prior_files import chosen_priors
from virtualbrain.pipeline.snakemake_runner import (
    ENDED_FROM_OUTSIDE,
    Outcome,
    only_run,
    run_workflow,
    snakemake_command,
)
from virtualbrain.pipeline.verification import outdated_pages

# The workflow's target that needs no SEEG.
STRUCTURE = "connectomes"


def check(options: argparse.Namespace) -> int:
    """List every problem of the input."""
    config = load_config(options.config)
    labels = chosen_labels(options.bids, options.participant_label)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        for problem in found:
            tell(f"sub-{label}: {problem}")
        if not found:
            say(f"sub-{label}: no problem found")
        for line in _personal(options.bids, label):
            warn(f"sub-{label}: {line}")
    return FAULT_OF_INPUT if any(problems.values()) else 0


def _personal(bids: str, label: str) -> list[str]:
    """Say where the files still name the patient; a dataset that cannot be read says nothing."""
    from virtualbrain.pipeline.check import personal_data_of

    found = personal_data_of(bids, label)
    return [*found, "`virtualbrain deidentify` writes a copy without it"] if found else []


def _problems(
    bids: str, labels: Sequence[str], config: dict[str, Any]
) -> dict[str, list[VirtualBrainError]]:
    from virtualbrain.pipeline.check import check_patients

    return check_patients(bids, labels, config, os.cpu_count() or 1)


def run(options: argparse.Namespace) -> int:
    """Run the pipeline on one patient after another."""
    overrides: dict[str, Any] = {}
    if options.priors:
        overrides["priors"] = options.priors
    if options.seed is not None:
        overrides["seed"] = options.seed
    if options.until == STRUCTURE:
        overrides["structure_only"] = True
    config = load_config(options.config, overrides)
    chosen = chosen_priors(config["priors"])
    labels = chosen_labels(options.bids, options.participant_label)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        for problem in found:
            tell(f"sub-{label}: {problem}")
    good = [label for label in labels if not problems[label]]
    if not good:
        return FAULT_OF_INPUT
    _check_priors(chosen)
    code = _run_good(options, config, good)
    bad = [label for label in labels if problems[label]]
    if bad:
        tell(f"not run, see above: {', '.join(f'sub-{label}' for label in bad)}")
    return code or (FAULT_OF_INPUT if bad else 0)


def _check_priors(chosen: Mapping[str, Path]) -> None:
    """Refuse a prior file with a fault before anything is run."""
    from inference.priors import load_priors  # slow to import

    for path in chosen.values():
        load_priors(path)


def _run_good(options: argparse.Namespace, config: dict[str, Any], labels: list[str]) -> int:
    out = Path(options.out).absolute()
    config |= {
        "bids": str(Path(options.bids).absolute()),
        "out": str(out),
        "participants": labels,
        # paths of a user's own prior files must hold from any folder
        "priors": [str(Path(p).absolute()) if Path(p).suffix else p for p in config["priors"]],
    }
    with only_run(out) as lock:
        _describe_dataset(out)
        start = Start(out, options, lock)
        if not options.dry_run:
            for label in labels:
                for line in drop_damaged(PatientLayout(out, label)):
                    warn(line)
        targets = (options.until,) if options.until else ()
        start.check_again(config, labels)
        name = "dry-run" if options.dry_run else "snakemake"
        outcome = start.workflow(config, name, targets, _outdated(out, config, labels))
        finished = [label for label in labels if PatientLayout(out, label).report.is_file()]
        if outcome.exit_code and outcome.failures and finished and not targets:
            start.workflow(config | {"participants": finished}, "cohort-of-finished", ("cohort",))
    return _tell_outcome(outcome, out, labels, config, options)


def _outdated(out: Path, config: dict[str, Any], labels: Sequence[str]) -> list[str]:
    """Return the pages of stages that were made with other settings."""
    names = chosen_priors(config["priors"])
    layouts = [PatientLayout(out, label) for label in labels]
    return [str(path) for layout in layouts for path in outdated_pages(layout, config, names)]


@dataclass(frozen=True)
class Start:
    """How to start the workflow on one output folder that is held by `lock`."""

    out: Path
    options: argparse.Namespace
    lock: int

    def check_again(self, config: dict[str, Any], labels: Sequence[str]) -> None:
        """Run the check of patients that were checked before, by itself.

        Stages do not run again because the check did (`ancient`), and Snakemake does not ask a
        stage for reasons of its own while one that it depends on is still to run.
        """
        checked = [PatientLayout(self.out, label).inputs for label in labels]
        there = [str(path) for path in checked if path.is_file()]
        if there and not self.options.dry_run:
            self.workflow(config, "check-again", there)

    def workflow(
        self, config: dict[str, Any], name: str, targets: Sequence[str], anew: Sequence[str] = ()
    ) -> Outcome:
        """Run the workflow with one configuration; its output goes to logs/<name>.log.

        Stages whose pages are `anew` run although the engine thinks them up to date.
        """
        resolved = self.out / "logs" / ("config.yaml" if name == "snakemake" else f"{name}.yaml")
        write_text(resolved, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        extra = [
            *(["--dry-run"] if self.options.dry_run else []),
            *(["--forcerun", *anew] if anew else []),
        ]
        command = snakemake_command(
            self.out, resolved, self.options.cores, self.options.profile, targets, *extra
        )
        log = self.out / "logs" / f"{name}.log"
        return run_workflow(command, log, self.lock, err_console)


def _describe_dataset(out: Path) -> None:
    """Write dataset_description.json, as BIDS asks of derivatives."""
    from virtualbrain.pipeline.job import versions

    description = {
        "Name": "virtualbrain",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "virtualbrain", "Version": versions()["virtualbrain"]}],
    }
    write_json(out / "dataset_description.json", description)
    write_text(out / ".bidsignore", "\n".join(NOT_IN_BIDS) + "\n")


def _tell_outcome(
    outcome: Outcome,
    out: Path,
    labels: list[str],
    config: dict[str, Any],
    options: argparse.Namespace,
) -> int:
    """Say what failed and where the reports are; return the exit code."""
    code = tell_failures(outcome, out, "dry-run" if options.dry_run else "snakemake")
    if code:
        _tell_finished(outcome, out, labels)
        return code
    if options.dry_run or options.until:
        return 0
    first = next(iter(chosen_priors(config["priors"])))
    for label in labels:
        layout = PatientLayout(out, label)
        verdict = read_json(layout.diagnostics(first))["verdict"]
        say(f"sub-{label}: {layout.report} (verdict: {verdict})")
    return 0


def tell_failures(outcome: Outcome, out: Path, log: str) -> int:
    """Say what failed in a run of the engine with `log`; return the exit code."""
    for failure in outcome.failures:
        text = f"{failure.log.parent.name}, {failure.rule}: {failure.message} (log: {failure.log})"
        if outcome.exit_code:
            tell(text)
        else:
            warn(f"{text}; the next attempt ended well")
    if not outcome.exit_code:
        return 0
    if not outcome.failures:
        tell(_why_not_started(outcome, out, log))
    mendable_ones = [failure.mendable for failure in outcome.failures]
    all_mendable = all(mendable_ones) if mendable_ones else outcome.reason is not None
    return FAULT_OF_INPUT if all_mendable else FAULT_OF_PROGRAM


def _why_not_started(outcome: Outcome, out: Path, log: str) -> str:
    """Return why the engine ended without a failed stage."""
    if outcome.reason is not None:
        return f"{out}: {outcome.reason}"
    if outcome.exit_code < 0:
        return f"the workflow {ENDED_FROM_OUTSIDE}"
    return f"the workflow could not start; see {out / 'logs' / f'{log}.log'}"


def _tell_finished(outcome: Outcome, out: Path, labels: list[str]) -> None:
    """Name the patients that ended well although others failed."""
    if len(labels) < 2:
        return
    done = [label for label in labels if PatientLayout(out, label).report.is_file()]
    say(f"{len(done)} of {len(labels)} patients have a report; start the same command again")
