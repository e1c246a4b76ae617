"""Commands for researchers: `simulate`, `validate`, `export-tvb`."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from virtualbrain.commands.console import err_console, say
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.commands.pipeline import report_failures
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import ConfigError
from virtualbrain.io.atomic import plain, read_json, write_text
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.prior_files import chosen_priors
from virtualbrain.pipeline.snakemake_runner import only_run, run_workflow, snakemake_command

if TYPE_CHECKING:
    from inference.settings import Settings
    from inference.validate_degeneracy import DegeneracyScorer
    from inference.validate_surgery import SurgeryScorer
    from virtualbrain.synthetic.validation_cohort import ValidationCohort


def simulate(options: argparse.Namespace) -> int:
    """Simulate the seizure of a hypothesis on a connectome."""
    from rich.progress import Progress

    from virtualbrain.io.connectome import read_given_connectome
    from virtualbrain.io.tables import read_table
    from virtualbrain.models.command import SimulationSettings, run_simulation

    connectome = read_given_connectome(Path(options.connectome))
    settings = SimulationSettings(
        duration_s=options.duration, K=options.coupling, noise=options.noise, seed=options.seed
    )
    hypothesis = read_table(options.hypothesis, required=["region"])
    with Progress(console=err_console, transient=True) as bar:
        task = bar.add_task("simulating", total=1.0)
        run_simulation(
            connectome.network(),
            hypothesis,
            options.out,
            settings,
            lambda fraction: bar.update(task, completed=fraction),
        )
    say(f"wrote traces, seizure table and figure to {options.out}")
    return 0


def validate(options: argparse.Namespace) -> int:
    """Fit synthetic patients, then compare the fits with the truth."""
    config = load_config(options.config)
    if options.ablation and config["inference"]["method"] != "onsets":
        raise ConfigError(
            f"no ablation with the method {config['inference']['method']}",
            where="inference.method",
            expected="onsets",
            hint="leave out --ablation, or change the setting",
        )
    run_all = _validate_in_jobs if options.profile else _validate_in_this_process
    code = run_all(options, config)
    if not code:
        say(f"wrote tables and calibration curve to {options.out}")
    return code


def _validate_in_this_process(options: argparse.Namespace, config: dict[str, Any]) -> int:
    """Draw, fit and score one patient after another."""
    from inference.settings import Settings
    from inference.validate import run_validation
    from virtualbrain.synthetic.validation_cohort import ValidationCohort

    cohort = ValidationCohort(options.seed, options.scenario)
    settings = settings_from(config["inference"], Settings, "inference")

    def report_progress(line: str) -> None:
        err_console.print(line, highlight=False, markup=False)

    scorers = _scorers(options, config, cohort, settings)

    def on_fit(*fit: Any) -> None:
        for scorer in scorers:
            scorer(*fit)

    found = run_validation(
        options.patients,
        cohort,
        options.out,
        replace(settings, cores=options.cores or os.cpu_count() or 1),
        options.priors,
        report_progress,
        on_fit,
    )
    for summary in (found.summary, *(scorer.summary() for scorer in scorers)):
        _say_mapping(summary)
    return 0


def _scorers(
    options: argparse.Namespace, config: dict[str, Any], cohort: "ValidationCohort",
    settings: "Settings",
) -> "list[SurgeryScorer | DegeneracyScorer]":  # fmt: skip
    """Return what is scored beside the fits."""
    from inference.priors import load_priors
    from inference.validate_degeneracy import AblationFits, DegeneracyScorer
    from inference.validate_surgery import SurgeryScorer
    from virtualbrain.surgery.settings import SurgerySettings

    plans = settings_from(config["surgery"], SurgerySettings, "surgery")
    found: list[SurgeryScorer | DegeneracyScorer] = []
    if options.surgery:
        found.append(SurgeryScorer(cohort, Path(options.out), plans))
    if options.explanations or options.ablation:
        fits = AblationFits(load_priors(options.priors), settings) if options.ablation else None
        found.append(DegeneracyScorer(cohort, Path(options.out), plans, fits))
    return found


def _validate_in_jobs(options: argparse.Namespace, config: dict[str, Any]) -> int:
    """Draw, fit and score with Snakemake, each patient in its own jobs."""
    from inference.priors import load_priors

    out = Path(options.out).absolute()
    (priors,) = chosen_priors([options.priors]).values()
    load_priors(priors)  # raises an error before any job starts
    case = {
        "patients": options.patients,
        "seed": options.seed,
        "scenario": options.scenario,
        "priors": str(priors),
        "inference": config["inference"],
        "surgery": config["surgery"] if options.surgery else None,
        "explanations": config["surgery"] if options.explanations or options.ablation else None,
        "ablation": options.ablation,
    }
    with only_run(out) as lock:
        resolved = out / "logs" / "validation.yaml"
        write_text(resolved, yaml.safe_dump({"out": str(out), "validation": case}))
        command = snakemake_command(
            out, resolved, options.cores, options.profile, (), snakefile="workflow/validation.smk"
        )
        outcome = run_workflow(command, resolved.with_suffix(".log"), lock, err_console)
    code = report_failures(outcome, out, resolved.stem)
    if not code:
        wanted = {
            "surgery": options.surgery,
            "degeneracy": options.explanations or options.ablation,
        }
        for name in ("summary", *(name for name, asked in wanted.items() if asked)):
            content = read_json(out / f"{name}.json")
            about = ("seed", "scenario", "settings")
            _say_mapping({key: content[key] for key in content if key not in about})
    return code


def _say_mapping(content: dict[str, Any]) -> None:
    say(yaml.safe_dump(plain(content), sort_keys=False).rstrip())


def export_tvb(options: argparse.Namespace) -> int:
    """Write fitted patients as files for The Virtual Brain."""
    from inference.posterior import load
    from virtualbrain.export.tvb import export_patient

    for label in options.participant_label or labels_with_results(options.out):
        layout = PatientLayout.of_results(options.out, check_label(label))
        folder = export_patient(layout, options.priors, load(layout.posterior(options.priors)))
        say(f"sub-{layout.label}: {folder}")
    return 0
