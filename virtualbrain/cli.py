"""The front door: `virtualbrain COMMAND`; `virtualbrain --help` lists the commands."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from virtualbrain.commands.console import FAULT_OF_INPUT, tell
from virtualbrain.commands.demo import demo, score
from virtualbrain.commands.pipeline import check, run
from virtualbrain.commands.preparation import contacts, deidentify, seizures
from virtualbrain.commands.research import export_tvb, simulate, validate
from virtualbrain.commands.results import cohort, dependencies, verify
from virtualbrain.errors import VirtualBrainError
from virtualbrain.pipeline.job import mendable, use_project_caches
from virtualbrain.pipeline.snakemake_runner import DEFAULT_PROFILE


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
        tell(str(fault))
        return FAULT_OF_INPUT
    except KeyboardInterrupt:
        tell("stopped; start the same command again to go on")
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
    parser = commands.add_parser("validate", help="accuracy and calibration on synthetic patients")
    parser.add_argument("--patients", type=int, default=20, metavar="N")
    parser.add_argument("--surgery", action="store_true", help="apply plans to the true models too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="validation", metavar="DIR")
    parser.add_argument("--priors", default="default", help="a name in config/priors or a path")
    parser.add_argument("--cores", type=int, metavar="N", help="default: all; a cluster's jobs")
    parser.add_argument(
        "--profile", help="patients as jobs: default, slurm, or a folder of your own"
    )
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
