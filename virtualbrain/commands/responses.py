"""Command on evoked responses: `complexity`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from virtualbrain.commands.console import err_console, report_error, say, warn
from virtualbrain.commands.participants import chosen_labels, file_options
from virtualbrain.config import load_config, settings_from
from virtualbrain.errors import FAULT_OF_INPUT

if TYPE_CHECKING:
    from virtualbrain.stimulation.run import Responses


def complexity(options: argparse.Namespace) -> int:
    """Compute N1 and PCIst of every stimulated site, and write them as tables."""
    from virtualbrain.seeg.settings import SeegSettings
    from virtualbrain.stimulation.spes import check_spes

    config = load_config(options.config, file_options(options))
    seeg = settings_from(config["seeg"], SeegSettings, "seeg")
    failed = False
    for label, files in _patients(options.bids, options.participant_label, config):
        problems = check_spes(files, seeg)
        for problem in problems:
            report_error(f"sub-{label}: {problem}")
        if problems:
            failed = True
        else:
            _write(options.out, label, files, seeg, config)
    return FAULT_OF_INPUT if failed else 0


def _patients(
    bids: str, given: Sequence[str] | None, config: dict[str, Any]
) -> list[tuple[str, Any]]:
    """Return label and files of the given patients, or of all with stimulation."""
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.pipeline.check import file_settings
    from virtualbrain.stimulation.pulses import is_stimulated, no_pulses_error

    which = file_settings(config)
    labels = chosen_labels(bids, given, config)
    found = [(label, find_patient(bids, label, which)) for label in labels]
    if given:
        return found
    stimulated = [(label, files) for label, files in found if is_stimulated(files)]
    if not stimulated:
        raise no_pulses_error(bids)
    return stimulated


def _write(out: str, label: str, files: Any, seeg: Any, config: dict[str, Any]) -> None:
    """Compute and write the tables of one patient."""
    from rich.progress import Progress

    from virtualbrain.io.evoked import write_evoked
    from virtualbrain.io.layout import PatientLayout
    from virtualbrain.io.provenance import sidecar
    from virtualbrain.stimulation.run import run_responses

    layout = PatientLayout.of_results(out, label)
    with Progress(console=err_console, transient=True) as bar:
        task = bar.add_task(f"sub-{label}", total=1.0)
        found = run_responses(
            files,
            layout,
            seeg,
            config["seed"],
            lambda fraction: bar.update(task, completed=fraction),
        )
    sources = [path.name for path in files.seeg_files()]
    about = {**sidecar(config, ("seed", "seeg"), sources), **found.about}
    write_evoked(layout, found.tables(), about)
    for note in found.spes.notes:
        warn(f"sub-{label}: {note}")
    say(f"sub-{label}: {_summary(found)}; wrote {layout.stimulation_sites.parent}")


def _summary(found: "Responses") -> str:
    sites, regional = found.spes.sites, found.regional
    low, high = sites["pcist"].min(), sites["pcist"].max()
    pairs = f", {len(regional.pairs)} pairs of regions" if regional is not None else ""
    return (
        f"{len(sites)} sites, {int(sites['n_n1'].sum())} of {int(sites['n_channels'].sum())} "
        f"responses have an N1{pairs}, PCIst {low:.1f} to {high:.1f}"
    )
