"""The front door: `virtualbrain COMMAND`; `virtualbrain --help` lists the commands."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from virtualbrain.config import load_config, project_root, settings_from
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json, write_json, write_text
from virtualbrain.io.bids import check_label, participants, require_dataset
from virtualbrain.io.layout import PatientLayout
from virtualbrain.launcher import Outcome, only_run, run_workflow, snakemake_command
from virtualbrain.priors import prior_files
from virtualbrain.stage import use_project_caches

# The workflow's target that needs no SEEG.
STRUCTURE = "connectomes"
FAULT_OF_INPUT = 2
FAULT_OF_PROGRAM = 1
out_console = Console(soft_wrap=True)
err_console = Console(stderr=True, soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (2: something the user can mend)."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # a patient's results are readable by their owner only
    use_project_caches()
    try:
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except VirtualBrainError as error:
        _tell(str(error))
        return FAULT_OF_INPUT
    except KeyboardInterrupt:
        _tell("stopped; start the same command again to go on")
        return 130


def _tell(line: str) -> None:
    err_console.print(f"error: {line}", style="bold red", highlight=False, markup=False)


def _warn(line: str) -> None:
    err_console.print(f"warning: {line}", style="yellow", highlight=False, markup=False)


def _say(line: str) -> None:
    out_console.print(line, highlight=False, markup=False)


# ---- check ------------------------------------------------------------------------------


def check(options: argparse.Namespace) -> int:
    """List every problem of the input."""
    config = load_config(options.config)
    labels = _labels(options.bids, options.participant_label)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        for problem in found:
            _tell(f"sub-{label}: {problem}")
        if not found:
            _say(f"sub-{label}: no problem found")
        for line in _personal(options.bids, label):
            _warn(f"sub-{label}: {line}")
    return FAULT_OF_INPUT if any(problems.values()) else 0


def _personal(bids: str, label: str) -> list[str]:
    """Say where the files still name the patient; a dataset that cannot be read says nothing."""
    from virtualbrain.check import personal_data_of

    found = personal_data_of(bids, label)
    return [*found, "`virtualbrain deidentify` writes a copy without it"] if found else []


def _labels(bids: str, given: Sequence[str] | None) -> tuple[str, ...]:
    require_dataset(bids)
    return tuple(check_label(label) for label in given) if given else participants(bids)


def _problems(
    bids: str, labels: Sequence[str], config: dict[str, Any]
) -> dict[str, list[VirtualBrainError]]:
    from virtualbrain.check import check_patient

    return {label: check_patient(bids, label, config) for label in labels}


# ---- run --------------------------------------------------------------------------------


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
    _check_priors(config)
    labels = _labels(options.bids, options.participant_label)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        for problem in found:
            _tell(f"sub-{label}: {problem}")
    good = [label for label in labels if not problems[label]]
    if not good:
        return FAULT_OF_INPUT
    code = _run_good(options, config, good)
    bad = [label for label in labels if problems[label]]
    if bad:
        _tell(f"not run, see above: {', '.join(f'sub-{label}' for label in bad)}")
    return code or (FAULT_OF_INPUT if bad else 0)


def _check_priors(config: dict[str, Any]) -> None:
    """Refuse a prior file with a fault before anything is run."""
    from inference.priors import load_priors

    for path in prior_files(config["priors"], project_root() / "config" / "priors").values():
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
        resolved = out / "logs" / "config.yaml"
        write_text(resolved, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        _describe_dataset(out)
        targets = (options.until,) if options.until else ()
        extra = ("--dry-run",) if options.dry_run else ()
        command = snakemake_command(out, resolved, options.cores, options.profile, targets, *extra)
        log = out / "logs" / ("dry-run.log" if options.dry_run else "snakemake.log")
        outcome = run_workflow(command, log, lock, err_console)
    return _tell_outcome(outcome, out, labels, config, options, log)


def _describe_dataset(out: Path) -> None:
    """Write dataset_description.json, as BIDS asks of derivatives."""
    from virtualbrain.stage import versions

    description = {
        "Name": "virtualbrain",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "virtualbrain", "Version": versions()["virtualbrain"]}],
    }
    write_json(out / "dataset_description.json", description)


def _tell_outcome(
    outcome: Outcome,
    out: Path,
    labels: list[str],
    config: dict[str, Any],
    options: argparse.Namespace,
    log: Path,
) -> int:
    """Say what failed and where the reports are; return the exit code."""
    for failure in outcome.failures:
        who = failure.log.parent.name
        _tell(f"{who}, {failure.rule}: {failure.message} (log: {failure.log})")
    if outcome.exit_code and not outcome.failures:
        _tell(f"the workflow could not start; see {log}")
    if outcome.exit_code:
        mendable = outcome.failures and all(failure.mendable for failure in outcome.failures)
        return FAULT_OF_INPUT if mendable else FAULT_OF_PROGRAM
    if options.dry_run or options.until:
        return 0
    first = next(iter(prior_files(config["priors"], project_root() / "config" / "priors")))
    for label in labels:
        layout = PatientLayout(out, label)
        verdict = read_json(layout.diagnostics(first))["verdict"]
        _say(f"sub-{label}: {layout.report} (verdict: {verdict})")
    return 0


# ---- demo and score ---------------------------------------------------------------------


def demo(options: argparse.Namespace) -> int:
    """Write a patient whose truth is known."""
    from virtualbrain.demo.dataset import write_demo

    folder = Path(options.folder)
    if options.if_missing and (folder / "dataset_description.json").is_file():
        _say(f"{folder} is there already")
        return 0
    if options.on:
        return _demo_on(options, folder)
    write_demo(folder, seed=options.seed)
    _say(f"a patient of known truth is in {folder}; its truth in {folder}/derivatives/truth")
    return 0


def _demo_on(options: argparse.Namespace, folder: Path) -> int:
    """Run a real person's anatomy and diffusion, then implant and simulate on them."""
    from virtualbrain.demo.on_real import prepare_real, simulate_on_real

    label = check_label((options.participant_label or participants(options.on)[:1])[0])
    prepare_real(Path(options.on), folder, label)
    work = folder / "derivatives" / "structure"
    run_options = _parser().parse_args(
        ["run", str(folder), str(work), "--participant-label", label, "--until", STRUCTURE]
    )
    run_options.cores, run_options.config = options.cores, options.config
    code = run(run_options)
    if code:
        return code
    simulate_on_real(folder, PatientLayout(work, label), seed=options.seed)
    _say(f"seizures on the real brain of sub-{label} are in {folder}")
    return 0


def score(options: argparse.Namespace) -> int:
    """Compare a demo patient's results with its truth."""
    from virtualbrain.demo.score import print_scores, score_demo

    label = check_label(options.participant_label[0]) if options.participant_label else "01"
    scores = score_demo(Path(options.out), Path(options.bids), label=label, priors=options.priors)
    print_scores(scores, out_console)
    return 0


# ---- before a run -----------------------------------------------------------------------


def deidentify(options: argparse.Namespace) -> int:
    """Write a copy of patients without names, true dates, free text and faces."""
    import secrets

    from virtualbrain.privacy.deidentify import SHIFT_DAYS, CopyChoices
    from virtualbrain.privacy.deidentify import deidentify as write_copy

    config = load_config(options.config)
    shift_days = secrets.randbelow(SHIFT_DAYS[1] - SHIFT_DAYS[0]) + SHIFT_DAYS[0]
    choices = CopyChoices(shift_days, tuple(config["seeg"]["seizure_words"]), config["seed"])
    labels = _labels(options.bids, options.participant_label)
    for change in write_copy(options.bids, options.copy, labels, choices):
        _say(f"{change.file}: {change.what}")
    _say(f"the copy is in {options.copy}; labels and file names are as they were: look at them")
    return 0


def contacts(options: argparse.Namespace) -> int:
    """Find contacts between marked end points, draw them, and write them once approved."""
    from virtualbrain.io.bids import find_patient
    from virtualbrain.seeg.implantation import ContactChoices, propose_contacts

    label = _labels(options.bids, options.participant_label)
    if len(label) != 1:
        raise InputError(
            f"{len(label)} participants", where=options.bids, cure="name one: --participant-label"
        )
    choices = ContactChoices(options.spacing, options.metal, options.register, options.approve)
    files = find_patient(options.bids, label[0])
    for line in propose_contacts(files, options.endpoints, options.ct, options.out, choices):
        _say(line)
    return 0


def seizures(options: argparse.Namespace) -> int:
    """List the marked seizures; propose and draw the onset or end where one is missing."""
    from virtualbrain.io.bids import find_patient
    from virtualbrain.seeg.proposals import describe, draw_proposals, propose_times
    from virtualbrain.seeg.settings import SeegSettings

    config = load_config(options.config)
    settings = settings_from(config["seeg"], SeegSettings, "seeg")
    for label in _labels(options.bids, options.participant_label):
        found = propose_times(find_patient(options.bids, label), settings)
        for proposal in found:
            _say(f"sub-{label}: {describe(proposal)}")
        if proposed := [proposal for proposal in found if proposal.missing]:
            picture = Path(options.out) / f"sub-{label}_desc-proposal_seizures.png"
            draw_proposals(proposed, picture)
            _say(f"sub-{label}: look at {picture}")
    return 0


# ---- for researchers --------------------------------------------------------------------


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
    _say(f"traces, seizure table and picture are in {options.out}")
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
    _say(yaml.safe_dump(found.summary, sort_keys=False).rstrip())
    if scorer is not None:
        _say(yaml.safe_dump(scorer.summary(), sort_keys=False).rstrip())
    _say(f"tables and calibration curve are in {options.out}")
    return 0


def export_tvb(options: argparse.Namespace) -> int:
    """Write a fitted patient as files The Virtual Brain opens."""
    from inference.posterior import load
    from virtualbrain.io.tvb import export_patient

    for given in options.participant_label or _results(options.out):
        layout = PatientLayout.of_results(options.out, check_label(given))
        folder = export_patient(layout, options.priors, load(layout.posterior(options.priors)))
        _say(f"sub-{layout.label}: {folder}")
    return 0


def cohort(options: argparse.Namespace) -> int:
    """Write the page over all patients with results, and score what was predicted for them."""
    from virtualbrain.io.clinical import read_outcome_classes
    from virtualbrain.io.results import load_results
    from virtualbrain.report.cohort import build_cohort, summary_of

    bids, out = require_dataset(options.bids), Path(options.out)
    labels = [check_label(label) for label in options.participant_label or _results(options.out)]
    summaries = [summary_of(load_results(out, label, [options.priors])) for label in labels]
    _say(f"{build_cohort(summaries, out, read_outcome_classes(bids))}")
    return 0


def _results(out: str) -> list[str]:
    """Return the labels of the patients with results under OUT."""
    labels = sorted(path.name for path in Path(out).glob("sub-*") if path.is_dir())
    if not labels:
        raise InputError("no patient", where=out, expected="the output folder of a run")
    return labels


# ---- the parser -------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="virtualbrain",
        description="From a patient's MRI, diffusion MRI and SEEG to a surgical report. "
        "Research software, no medical device.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_check,
        _add_run,
        _add_demo,
        _add_score,
        _add_simulate,
        _add_validate,
        _add_export,
        _add_deidentify,
        _add_contacts,
        _add_seizures,
        _add_cohort,
    ):
        add(commands)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")
    parser.add_argument("--config", metavar="FILE", help="your settings, laid over the defaults")


def _add_check(commands: Any) -> None:
    parser = commands.add_parser("check", help="every problem of the input, at minute 0")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    _add_common(parser)
    parser.set_defaults(command=check)


def _add_run(commands: Any) -> None:
    parser = commands.add_parser("run", help="the pipeline, from BIDS to the report")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument("out", metavar="OUT", help="where the results go")
    parser.add_argument(
        "level", nargs="?", choices=["participant"], default="participant", help="as BIDS Apps"
    )
    _add_common(parser)
    parser.add_argument(
        "--priors", nargs="+", metavar="NAME", help="names in config/priors or your own files"
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--profile", default="default", help="a folder of workflow/profiles")
    parser.add_argument("--seed", type=int, help="instead of the configuration's")
    parser.add_argument("--until", metavar="RULE", help="stop at a stage, such as connectomes")
    parser.add_argument("--dry-run", "-n", action="store_true", help="show what would be done")
    parser.set_defaults(command=run)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="write a patient whose truth is known")
    parser.add_argument("folder", metavar="DIR", help="a new BIDS dataset is written here")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--on", metavar="BIDS", help="on a real person's T1 and diffusion MRI")
    parser.add_argument("--if-missing", action="store_true", help="do nothing if it is there")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="N")
    _add_common(parser)
    parser.set_defaults(command=demo)


def _add_score(commands: Any) -> None:
    parser = commands.add_parser("score", help="a demo patient's results beside its truth")
    parser.add_argument("bids", metavar="DEMO", help="the demo dataset")
    parser.add_argument("out", metavar="OUT", help="its results")
    parser.add_argument("--priors", default="default", help="the prior set to score")
    _add_common(parser)
    parser.set_defaults(command=score)


def _add_simulate(commands: Any) -> None:
    parser = commands.add_parser("simulate", help="a hypothesis on a connectome: traces, picture")
    parser.add_argument("connectome", metavar="CONNECTOME", help="connectivity.zip, or a folder")
    parser.add_argument("hypothesis", metavar="TSV", help="columns region and zone (EZ, PZ) or x0")
    parser.add_argument("out", metavar="OUT", help="a folder for the results")
    parser.add_argument("--duration", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--coupling", type=float, default=1.0, metavar="K")
    parser.add_argument("--noise", type=float, default=2.5e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.set_defaults(command=simulate)


def _add_validate(commands: Any) -> None:
    parser = commands.add_parser("validate", help="accuracy and calibration on virtual patients")
    parser.add_argument("--patients", type=int, default=20, metavar="N")
    parser.add_argument("--surgery", action="store_true", help="apply plans to the true models too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="validation", metavar="DIR")
    parser.add_argument("--priors", default="default", help="a name in config/priors or a path")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--config", metavar="FILE", help="your settings, laid over the defaults")
    parser.set_defaults(command=validate)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser("export-tvb", help="the fitted patient for The Virtual Brain")
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")
    parser.add_argument("--priors", default="default", help="the prior set")
    parser.set_defaults(command=export_tvb)


def _add_deidentify(commands: Any) -> None:
    parser = commands.add_parser("deidentify", help="a copy without names, dates, text and faces")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset; it is only read")
    parser.add_argument("copy", metavar="COPY", help="a new folder")
    _add_common(parser)
    parser.set_defaults(command=deidentify)


def _add_contacts(commands: Any) -> None:
    parser = commands.add_parser("contacts", help="contacts from end points, found in a CT")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument(
        "endpoints",
        metavar="TSV",
        help="electrode, target_x .. entry_z (mm, scanner RAS of the T1w), n_contacts, spacing_mm",
    )
    parser.add_argument("out", metavar="OUT", help="a folder for the proposal and its picture")
    parser.add_argument("--participant-label", nargs=1, metavar="LABEL")
    parser.add_argument("--ct", metavar="NIFTI", help="the CT after implantation")
    parser.add_argument(
        "--register", action="store_true", help="the CT does not lie over the T1w yet: bring it"
    )
    parser.add_argument("--spacing", type=float, default=3.5, metavar="MM", help="default 3.5")
    parser.add_argument("--metal", type=float, default=1500.0, metavar="HU", help="default 1500")
    parser.add_argument(
        "--approve", action="store_true", help="the picture is right: write electrodes.tsv"
    )
    parser.set_defaults(command=contacts)


def _add_seizures(commands: Any) -> None:
    parser = commands.add_parser(
        "seizures", help="marked seizures; proposes a missing onset or end"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument("out", metavar="OUT", help="a folder for the pictures")
    _add_common(parser)
    parser.set_defaults(command=seizures)


def _add_cohort(commands: Any) -> None:
    parser = commands.add_parser("cohort", help="one page over all patients, predictions scored")
    parser.add_argument("bids", metavar="BIDS", help="the dataset; participants.tsv holds outcomes")
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")
    parser.add_argument("--priors", default="default", help="the prior set")
    parser.set_defaults(command=cohort)


if __name__ == "__main__":
    sys.exit(main())
