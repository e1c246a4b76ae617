"""Commands for researchers: `simulate`, `validate`, `export-tvb`."""

import argparse
from dataclasses import replace
from pathlib import Path

import yaml

from virtualbrain.commands.console import err_console, say
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.config import load_config, settings_from
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout


def simulate(options: argparse.Namespace) -> int:
    """Simulate a hypothesis on a connectome."""
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
            lambda share: bar.update(task, completed=share),
        )
    say(f"traces, seizure table and picture are in {options.out}")
    return 0


def validate(options: argparse.Namespace) -> int:
    """Fit virtual patients of known truth, and only then look at the truth."""
    from inference.settings import Settings
    from inference.validate import run_validation

    config = load_config(options.config)
    settings = replace(
        settings_from(config["inference"], Settings, "inference"), cores=options.cores
    )

    def tell(line: str) -> None:
        err_console.print(line, highlight=False, markup=False)

    scorer = None
    if options.surgery:
        from inference.validate_surgery import SurgeryScorer
        from virtualbrain.surgery.settings import SurgerySettings

        plans = settings_from(config["surgery"], SurgerySettings, "surgery")
        scorer = SurgeryScorer(options.seed, Path(options.out), plans)
    found = run_validation(
        options.patients, options.seed, options.out, settings, options.priors, tell, scorer
    )
    say(yaml.safe_dump(found.summary, sort_keys=False).rstrip())
    if scorer is not None:
        say(yaml.safe_dump(scorer.summary(), sort_keys=False).rstrip())
    say(f"tables and calibration curve are in {options.out}")
    return 0


def export_tvb(options: argparse.Namespace) -> int:
    """Write a fitted patient as files The Virtual Brain opens."""
    from inference.posterior import load
    from virtualbrain.io.tvb import export_patient

    for given in options.participant_label or labels_with_results(options.out):
        layout = PatientLayout.of_results(options.out, check_label(given))
        folder = export_patient(layout, options.priors, load(layout.posterior(options.priors)))
        say(f"sub-{layout.label}: {folder}")
    return 0
