"""Commands `demo` and `score`: a patient of known truth, and results beside that truth."""

import argparse
from pathlib import Path

from virtualbrain.commands.console import out_console, say
from virtualbrain.commands.pipeline import STRUCTURE, run
from virtualbrain.io.bids import check_label, participants
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.snakemake_runner import DEFAULT_PROFILE


def demo(options: argparse.Namespace) -> int:
    """Write a patient whose truth is known."""
    from virtualbrain.synthetic.dataset import write_demo

    folder = Path(options.folder)
    if options.if_missing and (folder / "dataset_description.json").is_file():
        say(f"{folder} is there already")
        return 0
    if options.on:
        return _demo_on(options, folder)
    write_demo(folder, seed=options.seed)
    say(f"a patient of known truth is in {folder}; its truth in {folder}/derivatives/truth")
    return 0


def _demo_on(options: argparse.Namespace, folder: Path) -> int:
    """Run a real person's anatomy and diffusion, then implant and simulate on them."""
    from virtualbrain.synthetic.on_real import prepare_real, simulate_on_real

    label = check_label((options.participant_label or participants(options.on)[:1])[0])
    work = folder / "derivatives" / "structure"
    interrupted = work.is_dir() and not (folder / "derivatives" / "truth").is_dir()
    if not interrupted:
        prepare_real(Path(options.on), folder, label)
    code = run(
        argparse.Namespace(
            bids=str(folder), out=str(work), participant_label=[label], config=options.config,
            priors=None, seed=None, cores=options.cores, profile=DEFAULT_PROFILE,
            until=STRUCTURE, dry_run=False,
        )
    )  # fmt: skip
    if code:
        return code
    simulate_on_real(folder, PatientLayout(work, label), seed=options.seed)
    say(f"seizures on the real brain of sub-{label} are in {folder}")
    return 0


def score(options: argparse.Namespace) -> int:
    """Compare a demo patient's results with its truth."""
    from virtualbrain.synthetic.score import print_scores, score_demo

    label = check_label(options.participant_label[0]) if options.participant_label else "01"
    scores = score_demo(Path(options.out), Path(options.bids), label=label, priors=options.priors)
    print_scores(scores, out_console)
    return 0
