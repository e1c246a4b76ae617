"""The front door: `virtualbrain COMMAND`; `virtualbrain --help` lists the commands."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from virtualbrain.config import load_config, project_root, read_yaml, settings_from
from virtualbrain.errors import InputError, VirtualBrainError
from virtualbrain.io.atomic import read_json, write_json, write_text
from virtualbrain.io.bids import check_label, participants, require_dataset
from virtualbrain.io.layout import NOT_IN_BIDS, PatientLayout, ledger_folder
from virtualbrain.io.ledger import drop_damaged
from virtualbrain.launcher import (
    DEFAULT_PROFILE,
    ENDED_FROM_OUTSIDE,
    Outcome,
    only_run,
    run_workflow,
    snakemake_command,
)
from virtualbrain.priors import prior_files
from virtualbrain.stage import mendable, use_project_caches

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
        with _ended_politely():
            command: Callable[[argparse.Namespace], int] = options.command
            return command(options)
    except (VirtualBrainError, OSError, MemoryError) as error:
        fault = mendable(error)
        if fault is None:
            raise
        _tell(str(fault))
        return FAULT_OF_INPUT
    except KeyboardInterrupt:
        _tell("stopped; start the same command again to go on")
        return 130


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Take a request to end (a cluster's, or kill's) like the interrupt key."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(line: str) -> None:
    err_console.print(f"error: {line}", style="bold red", highlight=False, markup=False)


def _warn(line: str) -> None:
    err_console.print(f"note: {line}", style="yellow", highlight=False, markup=False)


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
    from virtualbrain.check import check_participants

    require_dataset(bids)
    for problem in check_participants(bids):
        raise problem
    return tuple(check_label(label) for label in given) if given else participants(bids)


def _problems(
    bids: str, labels: Sequence[str], config: dict[str, Any]
) -> dict[str, list[VirtualBrainError]]:
    from virtualbrain.check import check_patients

    return check_patients(bids, labels, config, os.cpu_count() or 1)


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
    chosen = prior_files(config["priors"], project_root() / "config" / "priors")
    labels = _labels(options.bids, options.participant_label)
    problems = _problems(options.bids, labels, config)
    for label, found in problems.items():
        for problem in found:
            _tell(f"sub-{label}: {problem}")
    good = [label for label in labels if not problems[label]]
    if not good:
        return FAULT_OF_INPUT
    _check_priors(chosen)
    code = _run_good(options, config, good)
    bad = [label for label in labels if problems[label]]
    if bad:
        _tell(f"not run, see above: {', '.join(f'sub-{label}' for label in bad)}")
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
                    _warn(line)
        targets = (options.until,) if options.until else ()
        outcome = start.workflow(config, "dry-run" if options.dry_run else "snakemake", targets)
        finished = [label for label in labels if PatientLayout(out, label).report.is_file()]
        if outcome.exit_code and outcome.failures and finished and not targets:
            start.workflow(config | {"participants": finished}, "cohort-of-finished", ("cohort",))
    return _tell_outcome(outcome, out, labels, config, options)


@dataclass(frozen=True)
class Start:
    """How to start the workflow on one output folder that is held by `lock`."""

    out: Path
    options: argparse.Namespace
    lock: int

    def workflow(self, config: dict[str, Any], name: str, targets: Sequence[str]) -> Outcome:
        """Run the workflow with one configuration; its output goes to logs/<name>.log."""
        resolved = self.out / "logs" / ("config.yaml" if name == "snakemake" else f"{name}.yaml")
        write_text(resolved, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        extra = ("--dry-run",) if self.options.dry_run else ()
        command = snakemake_command(
            self.out, resolved, self.options.cores, self.options.profile, targets, *extra
        )
        log = self.out / "logs" / f"{name}.log"
        return run_workflow(command, log, self.lock, err_console)


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
    write_text(out / ".bidsignore", "\n".join(NOT_IN_BIDS) + "\n")


def _tell_outcome(
    outcome: Outcome,
    out: Path,
    labels: list[str],
    config: dict[str, Any],
    options: argparse.Namespace,
) -> int:
    """Say what failed and where the reports are; return the exit code."""
    for failure in outcome.failures:
        text = f"{failure.log.parent.name}, {failure.rule}: {failure.message} (log: {failure.log})"
        if outcome.exit_code:
            _tell(text)
        else:
            _warn(f"{text}; the next attempt ended well")
    if outcome.exit_code and not outcome.failures:
        _tell(_why_not_started(outcome, out, options))
    if outcome.exit_code:
        _tell_finished(outcome, out, labels)
        mendable_ones = [failure.mendable for failure in outcome.failures]
        all_mendable = all(mendable_ones) if mendable_ones else outcome.reason is not None
        return FAULT_OF_INPUT if all_mendable else FAULT_OF_PROGRAM
    if options.dry_run or options.until:
        return 0
    first = next(iter(prior_files(config["priors"], project_root() / "config" / "priors")))
    for label in labels:
        layout = PatientLayout(out, label)
        verdict = read_json(layout.diagnostics(first))["verdict"]
        _say(f"sub-{label}: {layout.report} (verdict: {verdict})")
    return 0


def _why_not_started(outcome: Outcome, out: Path, options: argparse.Namespace) -> str:
    """Return why the engine ended without a failed stage."""
    if outcome.reason is not None:
        return f"{out}: {outcome.reason}"
    if outcome.exit_code < 0:
        return f"the workflow {ENDED_FROM_OUTSIDE}"
    log = out / "logs" / ("dry-run.log" if options.dry_run else "snakemake.log")
    return f"the workflow could not start; see {log}"


def _tell_finished(outcome: Outcome, out: Path, labels: list[str]) -> None:
    """Name the patients that ended well although others failed."""
    if len(labels) < 2:
        return
    done = [label for label in labels if PatientLayout(out, label).report.is_file()]
    _say(f"{len(done)} of {len(labels)} patients have a report; start the same command again")


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


def _results(out: str) -> list[str]:
    """Return the labels of the patients with results under OUT."""
    labels = sorted(path.name for path in Path(out).glob("sub-*") if path.is_dir())
    if not labels:
        raise InputError("no patient", where=out, expected="the output folder of a run")
    return labels


# ---- cohorts and provenance -------------------------------------------------------------


def cohort(options: argparse.Namespace) -> int:
    """Write the page over all patients, the sums over them, or the sums of several sites."""
    if options.merge:
        return _merge_aggregates(options)
    if options.export_aggregate and len(options.folders) == 1:
        return _export_aggregate(Path(options.folders[0]), options)
    if not options.export_aggregate and len(options.folders) == 2:
        return _cohort_page(options.folders[0], options.folders[1], options)
    raise InputError(
        f"{len(options.folders)} folders",
        where="virtualbrain cohort",
        expected="BIDS OUT, or OUT --export-aggregate FILE, or --merge FILE FILE ...",
    )


def _cohort_page(bids: str, out: str, options: argparse.Namespace) -> int:
    """Write the page over all patients with results, and score what was predicted for them."""
    from virtualbrain.io.clinical import read_outcome_classes
    from virtualbrain.io.results import load_results
    from virtualbrain.report.cohort import build_cohort, summary_of

    dataset = require_dataset(bids)
    labels = [check_label(label) for label in options.participant_label or _results(out)]
    summaries = [summary_of(load_results(Path(out), label, [options.priors])) for label in labels]
    _say(f"{build_cohort(summaries, Path(out), read_outcome_classes(dataset))}")
    return 0


def _merge_aggregates(options: argparse.Namespace) -> int:
    from virtualbrain import federation

    parts = [federation.read_aggregate(Path(path)) for path in options.merge]
    joined = federation.merge(parts)
    if options.into:
        write_json(Path(options.into), joined)
    _say_figures(federation.figures(joined))
    return 0


def _export_aggregate(out: Path, options: argparse.Namespace) -> int:
    from virtualbrain import federation
    from virtualbrain.cohort import cohort_frame, records_of, setting_of

    labels = [path.stem.removeprefix("sub-") for path in sorted(out.glob("sub-*.html"))]
    if not labels:
        raise InputError("no finished patient", where=str(out), expected="reports sub-*.html")
    records = records_of(cohort_frame(out, labels, options.priors))
    summed = federation.aggregate(records, setting_of(out, labels, options.priors))
    history = ledger_folder(out) / "aggregates.json"
    federation.write_aggregate(Path(options.export_aggregate), summed, labels, history)
    _say_figures(federation.figures(summed))
    _say(f"sums over {len(records)} patients are in {options.export_aggregate}")
    return 0


def _say_figures(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        _say(f"{name}\t{value:.6g}")


def verify(options: argparse.Namespace) -> int:
    """Prove that every result belongs to its inputs, settings and versions."""
    from virtualbrain.verify import verify_patient

    out, touched = Path(options.out).absolute(), 0
    bids = _dataset_of(out, options.bids)
    for given in options.participant_label or _results(options.out):
        found = verify_patient(PatientLayout.of_results(out, check_label(given)), bids)
        for line in found.touched:
            _tell(line)
        for line in found.notes:
            _warn(f"sub-{found.label}: {line}")
        if not found.touched:
            _say(
                f"sub-{found.label}: {found.n_results} results belong to their inputs, "
                f"settings and versions (seal {found.seal[:16]})"
            )
        touched += len(found.touched)
    return FAULT_OF_INPUT if touched else 0


def _dataset_of(out: Path, given: str | None) -> Path | None:
    """Return the dataset of a run: as given, else as the run's configuration names it."""
    if given:
        return require_dataset(given).absolute()
    resolved = out / "logs" / "config.yaml"
    stated = read_yaml(resolved).get("bids") if resolved.is_file() else None
    return Path(stated) if stated and Path(stated).is_dir() else None


def dependencies(_: argparse.Namespace) -> int:
    """List every package behind the project with its licence, and known vulnerabilities."""
    from virtualbrain.dependencies import installed, vulnerabilities

    for package in installed():
        _say(f"{package.name}\t{package.version}\t{package.licence}")
    for line in vulnerabilities():
        _warn(line)
    return 0


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
        _add_verify,
        _add_dependencies,
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
    parser.add_argument("--cores", type=int, metavar="N", help="default: all; a cluster's jobs")
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, help="default, slurm, or a folder of your own"
    )
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
    parser = commands.add_parser(
        "cohort", help="one page over all patients, or sums over sites with no person in them"
    )
    parser.add_argument(
        "folders",
        nargs="*",
        metavar="FOLDER",
        help="BIDS OUT for the page; OUT for --export-aggregate",
    )
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")
    parser.add_argument("--export-aggregate", metavar="FILE", help="write counts, sums, histograms")
    parser.add_argument(
        "--merge", nargs="+", metavar="FILE", help="join several sites' files and tell the figures"
    )
    parser.add_argument("--into", metavar="FILE", help="with --merge: write the sums too")
    parser.add_argument("--priors", default="default", help="the prior set")
    parser.set_defaults(command=cohort)


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser("verify", help="whether results still belong to their inputs")
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    parser.add_argument("--bids", metavar="BIDS", help="the dataset, if it was moved")
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")
    parser.set_defaults(command=verify)


def _add_dependencies(commands: Any) -> None:
    parser = commands.add_parser("dependencies", help="licences and known vulnerabilities")
    parser.set_defaults(command=dependencies)


if __name__ == "__main__":
    sys.exit(main())
