"""Parse the command line and run a command; `virtualbrain --help` lists the commands."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from virtualbrain.errors import FAULT_OF_INPUT, INTERRUPTED, VirtualBrainError
from virtualbrain.export.choices import FORMATS
from virtualbrain.io.file_settings import GROUPS
from virtualbrain.pipeline.environment import use_project_caches
from virtualbrain.pipeline.faults import RESUME, user_fault
from virtualbrain.pipeline.snakemake_runner import DEFAULT_PROFILE
from virtualbrain.pipeline.stages import STAGES
from virtualbrain.synthetic.scenarios import SCENARIOS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (2: an error that the user can correct)."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)  # a patient's results are readable by their owner only
    use_project_caches()
    try:
        with _interrupted_by_sigterm():
            return command_of(options.command)(options)
    except (VirtualBrainError, OSError, MemoryError) as error:
        fault = user_fault(error)
        if fault is None:
            raise
        return _stop(str(fault), FAULT_OF_INPUT)
    except KeyboardInterrupt:
        return _stop(f"stopped; {RESUME}", INTERRUPTED)


def _stop(reason: str, code: int) -> int:
    """Print why the command stopped; return its exit code."""
    from virtualbrain.commands.console import report_error

    report_error(reason)
    return code


def command_of(name: str) -> Callable[[argparse.Namespace], int]:
    """Import a command, given as module and function: --help needs no library of any of them."""
    module, function = name.split(".")
    command: Callable[[argparse.Namespace], int] = getattr(
        import_module(f"virtualbrain.commands.{module}"), function
    )
    return command


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Handle SIGTERM (from a cluster or kill) like the interrupt key."""
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


class _PrintVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # on use, so that --help starts fast

        sys.stdout.write(f"virtualbrain {version('virtualbrain')}\n")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="virtualbrain",
        description="Compute a personal virtual brain from a patient's MRI, diffusion MRI and "
        "SEEG, and write a report for epilepsy surgery. Research software, not a medical device.",
    )
    parser.add_argument(
        "--version", action=_PrintVersion, nargs=0, help="print the version and exit"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_check,
        _add_run,
        _add_demo,
        _add_score,
        _add_simulate,
        _add_simulate_hypothesis,
        _add_study_outcomes,
        _add_validate,
        _add_degeneracy,
        _add_cortex,
        _add_export,
        _add_export_tvb,
        _add_deidentify,
        _add_contacts,
        _add_contact_regions,
        _add_seizures,
        _add_complexity,
        _add_cohort,
        _add_verify,
        _add_dependencies,
    ):
        add(commands)
    return parser


def _add_command(commands: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    """Add a command with one line of help."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}."
    )
    return parser


def _add_labels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--participant-label", nargs="+", metavar="LABEL", help="default: all")


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file with settings that differ from the defaults"
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_labels(parser)
    _add_config(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which files are meant (docs/inputs.md)."""
    parser.add_argument(
        *("--session", "--session-label"),
        dest="session",
        nargs="+",
        metavar="LABEL",
        help="use only files of these sessions, and of no session; default: the rules decide",
    )
    parser.add_argument(
        *("--filter-file", "--bids-filter-file"),
        dest="filter_file",
        metavar="FILE",
        help='JSON file with entities that file names must have, such as {"t1w": {"session": '
        '"pre"}}; groups: ' + ", ".join(GROUPS),
    )
    parser.add_argument(
        "--allow-outside-links",
        action="store_true",
        help="follow symbolic links that leave the dataset, such as links to an archive; a dataset "
        "from elsewhere could then read any file that you can read",
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, help="random seed; default: 1")


def _add_prior_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--priors", default="default", metavar="NAME", help="prior set; default: default"
    )


def _add_check(commands: Any) -> None:
    parser = _add_command(commands, "check", "check a dataset and list every problem")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    _add_common(parser)
    _add_files(parser)
    parser.set_defaults(command="pipeline.check")


def _add_run(commands: Any) -> None:
    parser = _add_command(commands, "run", "run the pipeline, from the dataset to the report")
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument("out", metavar="OUT", help="folder for the results")
    parser.add_argument(
        "level",
        nargs="?",
        choices=["participant"],
        default="participant",
        help="as in BIDS Apps; always participant",
    )
    _add_common(parser)
    _add_files(parser)
    parser.add_argument(
        "--priors", nargs="+", metavar="NAME", help="prior sets: names in config/priors, or files"
    )
    parser.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="number of cores; default: all, on a cluster no limit",
    )
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, help="default, slurm, or the folder of a profile"
    )
    parser.add_argument("--seed", type=int, help="replaces the seed of the configuration")
    parser.add_argument(
        "--until",
        choices=STAGES,
        type=str.lower,
        metavar="RULE",
        help="last stage to run: " + ", ".join(STAGES),
    )
    parser.add_argument(
        "--dry-run", "-n", action="store_true", help="show the stages that would run"
    )
    parser.set_defaults(command="pipeline.run")


def _add_demo(commands: Any) -> None:
    parser = _add_command(commands, "demo", "write a synthetic patient of known truth")
    parser.add_argument("folder", metavar="DIR", help="new folder for the BIDS dataset")
    _add_seed(parser)
    parser.add_argument("--on", metavar="BIDS", help="use a real person's T1 and diffusion MRI")
    parser.add_argument(
        "--ready-connectome",
        action="store_true",
        help="a patient with a ready connectome and no images; MRtrix3 is not needed",
    )
    parser.add_argument(
        "--if-missing", action="store_true", help="do nothing if the dataset exists"
    )
    parser.add_argument(
        "--cores",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="number of cores; default: all",
    )
    _add_common(parser)
    parser.set_defaults(command="demo.demo")


def _add_score(commands: Any) -> None:
    parser = _add_command(commands, "score", "compare the results of a demo patient with its truth")
    parser.add_argument("bids", metavar="DEMO", help="the demo dataset")
    parser.add_argument("out", metavar="OUT", help="its results")
    _add_prior_set(parser)
    _add_common(parser)
    parser.set_defaults(command="demo.score")


def _add_simulate(commands: Any) -> None:
    parser = _add_command(commands, "simulate", "simulate a hypothesis on a connectome")
    parser.add_argument(
        "connectome", metavar="CONNECTOME", help="connectivity.zip, or the folder of a connectome"
    )
    parser.add_argument(
        "hypothesis", metavar="TSV", help="table with the columns region and zone (EZ, PZ) or x0"
    )
    parser.add_argument("out", metavar="OUT", help="folder for the results")
    parser.add_argument(
        "--duration", type=float, default=60.0, metavar="SECONDS", help="default: 60"
    )
    parser.add_argument("--coupling", type=float, default=1.0, metavar="K", help="default: 1")
    parser.add_argument(
        "--noise", type=float, default=2.5e-4, help="noise of the model; default: 2.5e-4"
    )
    _add_seed(parser)
    parser.set_defaults(command="research.simulate")


def _add_simulate_hypothesis(commands: Any) -> None:
    parser = _add_command(
        commands,
        "simulate-hypothesis",
        "simulate the clinicians' zone and resections, without a recording; nothing is fitted",
    )
    parser.add_argument(
        "source",
        metavar="BIDS",
        help="the BIDS dataset; or connectivity.zip or the folder of a connectome, with "
        "--hypothesis",
    )
    parser.add_argument("out", metavar="OUT", help="folder for the results")
    parser.add_argument(
        "--hypothesis",
        metavar="TSV",
        help="table with the columns region or contact, and zone (EZ, PZ); default: that of the "
        "dataset, else contacts marked as seizure onset zone",
    )
    _add_common(parser)
    _add_files(parser)
    parser.add_argument("--seed", type=int, help="replaces the seed of the configuration")
    parser.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="number of cores for anatomy and connectome; default: all",
    )
    parser.add_argument(
        "--profile", default=DEFAULT_PROFILE, help="default, slurm, or the folder of a profile"
    )
    parser.set_defaults(command="hypothesis.simulate_hypothesis")


def _add_study_outcomes(commands: Any) -> None:
    parser = _add_command(
        commands,
        "study-outcomes",
        "predict the outcome of resections that were done, from marked contacts in a template "
        "brain, and compare with Engel or ILAE classes",
    )
    parser.add_argument(
        "bids",
        metavar="BIDS",
        help="BIDS dataset with contacts in fsaverage or MNI152, marked as seizure onset zone and "
        "resected, and outcomes in participants.tsv",
    )
    parser.add_argument("out", metavar="OUT", help="folder for the results")
    parser.add_argument(
        "--connectome",
        metavar="PATH",
        help="connectome of a group, Desikan-Killiany regions: connectivity.zip or a folder; "
        "default: diffusion.group_connectome",
    )
    parser.add_argument(
        "--reports",
        action="store_true",
        help="also search plans and write a report of every patient (takes longer)",
    )
    parser.add_argument(
        "--units", metavar="UNIT", help="unit of the contacts, if the dataset states a wrong one"
    )
    _add_common(parser)
    parser.add_argument("--seed", type=int, help="replaces the seed of the configuration")
    parser.add_argument("--cores", type=int, metavar="N", help="number of cores; default: all")
    parser.set_defaults(command="hypothesis.study_outcomes")


def _add_validate(commands: Any) -> None:
    parser = _add_command(
        commands, "validate", "measure accuracy and calibration on synthetic patients"
    )
    parser.add_argument("--patients", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument(
        "--scenario",
        choices=SCENARIOS,
        help="how the seizures start; default: early, one zone in four without channels",
    )
    parser.add_argument(
        "--surgery", action="store_true", help="also apply surgical plans to the true models"
    )
    parser.add_argument(
        "--explanations",
        action="store_true",
        help="also score the lists of explanations: do they hold the true zone, how long are they",
    )
    parser.add_argument(
        "--ablation",
        action="store_true",
        help="also fit each patient without each electrode and seizure, and with less data, and "
        "score the answers (minutes a patient; needs the onset model)",
    )
    _add_seed(parser)
    parser.add_argument("--out", default="validation", metavar="DIR", help="default: validation")
    parser.add_argument("--priors", default="default", help="name in config/priors, or a file")
    parser.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="number of cores; default: all, on a cluster no limit",
    )
    parser.add_argument(
        "--profile", help="run patients as jobs: default, slurm, or the folder of a profile"
    )
    _add_config(parser)
    parser.set_defaults(command="research.validate")


def _add_degeneracy(commands: Any) -> None:
    parser = _add_command(
        commands,
        "degeneracy",
        "which parameters of fitted patients the recording fixes, and which electrodes, seizures "
        "and seconds carry the answer",
    )
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    _add_common(parser)
    _add_prior_set(parser)
    parser.add_argument(
        "--bids",
        metavar="BIDS",
        help="the BIDS dataset of the run: also fit the log power of each frequency band",
    )
    parser.add_argument(
        "--vessels",
        metavar="NIFTI",
        help="mask of vessels in scanner coordinates of the T1w image: one more electrode must "
        "keep clear of them",
    )
    parser.add_argument(
        "--vessel-distance",
        type=float,
        metavar="MM",
        help="distance from vessels that an electrode keeps; default: 3",
    )
    parser.add_argument(
        "--avoid",
        metavar="NAMES",
        help="regions that no electrode may pass, beside the eloquent ones of the last run; names "
        "separated by commas",
    )
    parser.add_argument(
        "--connectomes",
        metavar="DIR",
        help="explain the same seizures with the connectomes of other persons or groups: one "
        "subfolder, zip or NAME.tsv each, with the patient's regions; only this is computed then",
    )
    parser.add_argument(
        "--connectome-variants",
        type=int,
        default=0,
        metavar="N",
        help="the same with N random variants of each kind of the patient's own connectome",
    )
    parser.add_argument(
        "--without-connections",
        action="append",
        metavar="NAMES",
        help="the same without the connections among these regions; names separated by commas; "
        "repeat for several",
    )
    parser.set_defaults(command="degeneracy.degeneracy")


def _add_cortex(commands: Any) -> None:
    parser = _add_command(
        commands,
        "cortex",
        "simulate the seizure of fitted patients on their own cortex, vertex by vertex, before and "
        "after a resection",
    )
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    _add_common(parser)
    _add_prior_set(parser)
    parser.add_argument(
        "--name", default="seizure", help="name of this run, a folder of its own; default: seizure"
    )
    parser.add_argument(
        "--vertices", type=int, metavar="N", help="of both hemispheres; default: 20000"
    )
    parser.add_argument("--draws", type=int, metavar="N", help="posterior draws; default: 30")
    parser.add_argument(
        "--local",
        type=float,
        metavar="STRENGTH",
        help="strength of the coupling between neighbouring vertices; default: 0.8",
    )
    parser.add_argument(
        "--x0-sd",
        type=float,
        metavar="SD",
        help="let x0 vary smoothly within each region with this standard deviation, another "
        "field in each draw (default 0; 0.05 is much)",
    )
    parser.add_argument(
        "--kernel-width",
        type=float,
        metavar="MM",
        help="width of the local kernel; default: 1.5 times the spacing of the vertices",
    )
    parser.add_argument(
        "--focus",
        action="append",
        metavar="PLACE",
        help="hypothesis of a focus smaller than its region: x,y,z,area (scanner RAS in mm, cm²) "
        "or vertex,area; repeat for several (write --focus=-30,… if the first number is negative)",
    )
    parser.add_argument(
        "--find-focus",
        nargs="?",
        type=float,
        const=2.0,
        metavar="AREA",
        help="find the place on the cortex where the recorded seizures start, and take a focus of "
        "this area there (cm², default 2)",
    )
    parser.add_argument(
        "--only-focus",
        action="store_true",
        help="with --focus or --find-focus: no seizure starts elsewhere",
    )
    parser.add_argument(
        "--resect-sphere",
        action="append",
        metavar="BALL",
        help="take out a ball: x,y,z,radius (scanner RAS, mm); repeat for several",
    )
    parser.add_argument(
        "--resect-mask",
        action="append",
        metavar="NIFTI",
        help="take out the tissue in a mask, such as a lesion; repeat for several",
    )
    parser.add_argument(
        "--resect-regions", metavar="NAMES", help="take out regions; names separated by commas"
    )
    parser.add_argument(
        "--disconnect",
        metavar="NAMES",
        help="cut all connections of regions; names separated by commas",
    )
    parser.add_argument(
        "--cut",
        action="append",
        metavar="LINE",
        help="subpial cut along a line on the cortex: x,y,z,x,y,z,… (two or more points, scanner "
        "RAS, mm); no local connection crosses it, white matter stays; repeat for several",
    )
    parser.add_argument(
        "--cut-depth",
        type=float,
        default=5.0,
        metavar="MM",
        help="how far a cut reaches below its line; default: 5",
    )
    parser.add_argument(
        "--smallest-resection",
        type=float,
        metavar="P",
        help="search the smallest resection after which at least this share of the draws (0 to 1) "
        "has no seizure",
    )
    parser.set_defaults(command="cortex.cortex")


def _add_export(commands: Any) -> None:
    parser = _add_command(
        commands, "export", "export fitted patients to viewers, navigation and tables"
    )
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    _add_labels(parser)
    parser.add_argument(
        "--format",
        nargs="+",
        required=True,
        choices=FORMATS,
        metavar="FORMAT",
        help=", ".join(FORMATS) + "; see docs/export.md for what each holds, and which of them "
        "identify the patient",
    )
    _add_prior_set(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    parser.add_argument(
        "--confirm-research-use",
        action="store_true",
        help="confirm that the DICOM files will not guide an operation; needed for dicom",
    )
    parser.add_argument(
        "--burn-in",
        type=int,
        nargs="?",
        const=1,
        default=0,
        metavar="PLAN",
        help="dicom: also write a series with the outline of this leading plan (1, the first, if "
        "no number is given) drawn into the T1w image",
    )
    parser.set_defaults(command="export.export")


def _add_export_tvb(commands: Any) -> None:
    parser = _add_command(
        commands, "export-tvb", "export to The Virtual Brain; replaces an earlier export"
    )
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    _add_labels(parser)
    _add_prior_set(parser)
    parser.set_defaults(command="research.export_tvb")


def _add_deidentify(commands: Any) -> None:
    parser = _add_command(
        commands, "deidentify", "write a copy without names, dates, free text and faces"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset, which stays unchanged")
    parser.add_argument("copy", metavar="COPY", help="new folder for the copy")
    _add_common(parser)
    _add_files(parser)
    parser.set_defaults(command="preparation.deidentify")


def _add_contacts(commands: Any) -> None:
    parser = _add_command(
        commands, "contacts", "propose contact coordinates from end points and a CT"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument(
        "endpoints",
        metavar="TSV",
        help="table of end points with the columns electrode, target_x, target_y, target_z, "
        "entry_x, entry_y, entry_z (mm, scanner RAS of the T1w image), n_contacts, and where "
        "needed spacing_mm and exact (yes: the target is on contact 1)",
    )
    parser.add_argument("out", metavar="OUT", help="folder for the proposal and its figure")
    parser.add_argument("--participant-label", nargs=1, metavar="LABEL")
    parser.add_argument("--ct", metavar="NIFTI", help="CT image after implantation")
    parser.add_argument(
        "--register", action="store_true", help="register the CT to the T1w image first"
    )
    parser.add_argument(
        "--spacing",
        type=float,
        default=3.5,
        metavar="MM",
        help="distance between contacts; default: 3.5",
    )
    parser.add_argument(
        "--metal",
        type=float,
        metavar="VALUE",
        help="smallest CT value of metal; default: chosen from the image",
    )
    parser.add_argument(
        "--approve",
        action="store_true",
        help="write electrodes.tsv; use it after checking the figure",
    )
    _add_files(parser)
    parser.set_defaults(command="preparation.contacts")


def _add_seizures(commands: Any) -> None:
    parser = _add_command(
        commands, "seizures", "list marked seizures; propose missing onsets and ends"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument("out", metavar="OUT", help="folder for the figures")
    _add_common(parser)
    _add_files(parser)
    parser.set_defaults(command="preparation.seizures")


def _add_contact_regions(commands: Any) -> None:
    parser = _add_command(
        commands, "contact-regions", "write the regions of the contacts in several atlases at once"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument(
        "out", metavar="OUT", help="folder for the results; the parcellation of a run in it is used"
    )
    parser.add_argument(
        "--atlas",
        nargs=3,
        action="append",
        default=[],
        metavar=("NAME", "NIFTI", "TABLE"),
        help="a label image in the frame of the contacts and its label table; {label} in a path is "
        "replaced by the participant's label; repeat for several atlases",
    )
    _add_common(parser)
    _add_files(parser)
    parser.set_defaults(command="contact_regions.contact_regions")


def _add_complexity(commands: Any) -> None:
    parser = _add_command(
        commands, "complexity", "compute evoked responses and PCIst from recordings of SPES"
    )
    parser.add_argument("bids", metavar="BIDS", help="the BIDS dataset")
    parser.add_argument("out", metavar="OUT", help="folder for the results")
    _add_common(parser)
    _add_files(parser)
    parser.set_defaults(command="responses.complexity")


def _add_cohort(commands: Any) -> None:
    parser = _add_command(
        commands, "cohort", "write a report on all patients, or share anonymous aggregates"
    )
    parser.add_argument(
        "folders",
        nargs="*",
        metavar="FOLDER",
        help="BIDS OUT for the report; OUT for --export-aggregate",
    )
    _add_labels(parser)
    parser.add_argument(
        "--export-aggregate", metavar="FILE", help="write counts, sums and histograms"
    )
    parser.add_argument(
        "--merge",
        nargs="+",
        metavar="FILE",
        help="merge files of several sites and print the figures",
    )
    parser.add_argument("--into", metavar="FILE", help="with --merge: also write the merged file")
    _add_prior_set(parser)
    parser.set_defaults(command="results.cohort")


def _add_verify(commands: Any) -> None:
    parser = _add_command(
        commands, "verify", "check that results belong to their inputs and settings"
    )
    parser.add_argument("out", metavar="OUT", help="the output folder of a run")
    parser.add_argument("--bids", metavar="BIDS", help="the BIDS dataset, if it was moved")
    _add_labels(parser)
    parser.set_defaults(command="results.verify")


def _add_dependencies(commands: Any) -> None:
    parser = _add_command(
        commands, "dependencies", "list required packages, licences and vulnerabilities"
    )
    parser.add_argument(
        "--sbom",
        metavar="FILE",
        help="only write a software bill of materials (CycloneDX, JSON)",
    )
    parser.set_defaults(command="results.dependencies")


if __name__ == "__main__":
    sys.exit(main())
