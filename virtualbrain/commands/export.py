"""Command `export`: a fitted patient as files that other software opens."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from virtualbrain.commands.console import say, warn
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.errors import InputError
from virtualbrain.export.choices import ExportChoices
from virtualbrain.io.bids import check_label
from virtualbrain.io.layout import PatientLayout

if TYPE_CHECKING:
    from virtualbrain.export.patient import ExportPatient

type Writer = Callable[[ExportPatient, Path], tuple[str, ...]]


def export(options: argparse.Namespace) -> int:
    """Write the chosen formats of every patient, each to a folder of its own."""
    from virtualbrain.export.dicom import require_confirmed
    from virtualbrain.export.folders import export_folder, require_free
    from virtualbrain.export.patient import load_patient

    choices = ExportChoices(options.overwrite, options.confirm_research_use, options.burn_in)
    formats = list(dict.fromkeys(options.format))
    if "dicom" in formats:
        require_confirmed(choices)
    elif choices.burn_in:
        raise InputError("no DICOM series is written", where="--burn-in", expected="--format dicom")
    labels = [check_label(o) for o in options.participant_label or labels_with_results(options.out)]
    layouts = [PatientLayout.of_results(options.out, label) for label in labels]
    for layout in layouts:
        for name in formats:
            require_free(layout.export(options.priors, name), overwrite=choices.overwrite)
    for layout in layouts:
        patient = load_patient(options.out, layout.label, options.priors)
        for name in formats:
            target = layout.export(options.priors, name)
            with export_folder(target, overwrite=choices.overwrite) as folder:
                notes = _writers(choices)[name](patient, folder)
            for note in notes:
                warn(f"sub-{layout.label}, {name}: {note}")
            say(f"sub-{layout.label}: {target}")
    return 0


def _writers(choices: ExportChoices) -> Mapping[str, Writer]:
    """Return the function that writes each format."""
    from virtualbrain.export.dicom import write_dicom
    from virtualbrain.export.gifti import write_gifti
    from virtualbrain.export.mni import write_mni
    from virtualbrain.export.nifti import write_nifti
    from virtualbrain.export.pdf import write_pdf
    from virtualbrain.export.stl import write_stl
    from virtualbrain.export.tables import write_csv

    return {
        "nifti": write_nifti,
        "mni": write_mni,
        "stl": write_stl,
        "gifti": write_gifti,
        "dicom": lambda patient, folder: write_dicom(patient, folder, choices),
        "csv": write_csv,
        "pdf": write_pdf,
        "tvb": _write_tvb,
    }


def _write_tvb(patient: "ExportPatient", folder: Path) -> tuple[str, ...]:
    """Write the files for The Virtual Brain."""
    from inference.posterior import load
    from virtualbrain.export.tvb import write_tvb

    write_tvb(patient.layout, folder, load(patient.layout.posterior(patient.priors)))
    return ()
