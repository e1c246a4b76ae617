"""Commands `demo` and `score`: write a synthetic patient; compare results with its truth."""

import argparse
from pathlib import Path

from virtualbrain.commands.console import out_console, say
from virtualbrain.commands.pipeline import run
from virtualbrain.io.bids import check_label, participants
from virtualbrain.io.layout import PatientLayout
from virtualbrain.pipeline.compile_ahead import compiling_ahead
from virtualbrain.pipeline.snakemake_runner import DEFAULT_PROFILE


def demo(options: argparse.Namespace) -> int:
    """Write a synthetic patient of known truth."""
    from virtualbrain.synthetic.dataset import write_connectome_patient, write_demo

    folder = Path(options.folder)
    if options.if_missing and (folder / "dataset_description.json").is_file():
        say(f"{folder} exists already; nothing was written")
        return 0
    if options.on:
        return _demo_on(options, folder)
    with compiling_ahead(wanted=True, simulation_only=True):
        if options.ready_connectome:
            write_connectome_patient(folder, seed=options.seed)
        else:
            write_demo(folder, seed=options.seed, workers=options.cores)
    say(f"wrote a synthetic patient to {folder}, its truth to {folder}/derivatives/truth")
    return 0


def _demo_on(options: argparse.Namespace, folder: Path) -> int:
    """Process a real person's anatomy and diffusion, then simulate electrodes and a seizure."""
    from virtualbrain.synthetic.real_mri import copy_real_mri, simulate_on_real_mri

    label = check_label((options.participant_label or participants(options.on)[:1])[0])
    work = folder / "derivatives" / "structure"
    interrupted = work.is_dir() and not (folder / "derivatives" / "truth").is_dir()
    if not interrupted:
        copy_real_mri(Path(options.on), folder, label)
    code = run(
        argparse.Namespace(
            bids=str(folder), out=str(work), participant_label=[label], config=options.config,
            priors=None, seed=None, cores=options.cores, profile=DEFAULT_PROFILE,
            until="connectomes", dry_run=False, session=None, filter_file=None,
            allow_outside_links=False,
        )
    )  # fmt: skip
    if code:
        return code
    simulate_on_real_mri(folder, PatientLayout(work, label), seed=options.seed)
    say(f"wrote a simulated seizure on the real MRI of sub-{label} to {folder}")
    return 0


def score(options: argparse.Namespace) -> int:
    """Compare the results of a demo patient with its truth."""
    from virtualbrain.synthetic.demo_score import score_demo
    from virtualbrain.synthetic.demo_score_table import print_scores

    label = check_label(options.participant_label[0]) if options.participant_label else "01"
    scores = score_demo(Path(options.out), Path(options.bids), label=label, priors=options.priors)
    print_scores(scores, out_console)
    return 0
