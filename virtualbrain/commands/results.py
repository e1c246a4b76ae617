"""Commands `cohort`, `verify` and `dependencies`."""

import argparse
from pathlib import Path

from virtualbrain.commands.console import report_error, say, warn
from virtualbrain.commands.participants import labels_with_results
from virtualbrain.config import read_yaml
from virtualbrain.errors import FAULT_OF_INPUT, InputError
from virtualbrain.io.atomic import write_json, write_text
from virtualbrain.io.bids import check_label, require_dataset
from virtualbrain.io.layout import PatientLayout, manifest_folder
from virtualbrain.io.manifest import adopt_earlier_manifest


def cohort(options: argparse.Namespace) -> int:
    """Write the report on all patients, export their aggregate, or merge several aggregates."""
    if options.merge:
        return _merge_aggregates(options)
    if options.export_aggregate and len(options.folders) == 1:
        return _export_aggregate(Path(options.folders[0]), options)
    if not options.export_aggregate and len(options.folders) == 2:
        return _cohort_report(options.folders[0], options.folders[1], options)
    raise InputError(
        f"{len(options.folders)} folders given",
        where="virtualbrain cohort",
        expected="BIDS OUT, or OUT --export-aggregate FILE, or --merge FILE FILE ...",
    )


def _cohort_report(bids: str, out: str, options: argparse.Namespace) -> int:
    """Write the report on all patients with results; compare predictions with outcomes."""
    from virtualbrain.cohort.report import write_cohort_report

    dataset = require_dataset(bids)
    labels = [check_label(label) for label in options.participant_label or labels_with_results(out)]
    say(f"{write_cohort_report(Path(out), labels, [options.priors], dataset, Path(out))}")
    return 0


def _merge_aggregates(options: argparse.Namespace) -> int:
    from virtualbrain.cohort import federation

    parts = [federation.read_aggregate(Path(path)) for path in options.merge]
    merged = federation.merge(parts)
    if options.into:
        write_json(Path(options.into), merged)
    _say_figures(federation.figures(merged))
    return 0


def _export_aggregate(out: Path, options: argparse.Namespace) -> int:
    from virtualbrain.cohort import federation
    from virtualbrain.cohort.table import cohort_frame, records_of, setting_of

    labels = [path.stem.removeprefix("sub-") for path in sorted(out.glob("sub-*.html"))]
    if not labels:
        raise InputError("no patient with a report", where=str(out), expected="sub-*.html")
    records = records_of(cohort_frame(out, labels, options.priors))
    summed = federation.aggregate(records, setting_of(out, labels, options.priors))
    adopt_earlier_manifest(out)
    history = manifest_folder(out) / "aggregates.json"
    federation.write_aggregate(Path(options.export_aggregate), summed, labels, history)
    _say_figures(federation.figures(summed))
    say(f"wrote the aggregate of {len(records)} patients to {options.export_aggregate}")
    return 0


def _say_figures(figures: dict[str, float]) -> None:
    for name, value in figures.items():
        say(f"{name}\t{value:.6g}")


def verify(options: argparse.Namespace) -> int:
    """Verify that all results belong to their inputs, settings and versions."""
    from virtualbrain.pipeline.verification import verify_patient

    out, n_mismatches = Path(options.out).absolute(), 0
    bids = _dataset_of(out, options.bids)
    for given in options.participant_label or labels_with_results(options.out):
        found = verify_patient(PatientLayout.of_results(out, check_label(given)), bids)
        for line in found.mismatches:
            report_error(line)
        for line in found.notes:
            warn(f"sub-{found.label}: {line}")
        if not found.mismatches:
            say(
                f"sub-{found.label}: all {found.n_results} results belong to their inputs, "
                f"settings and versions (seal {found.seal[:16]})"
            )
        n_mismatches += len(found.mismatches)
    return FAULT_OF_INPUT if n_mismatches else 0


def _dataset_of(out: Path, given: str | None) -> Path | None:
    """Return the given dataset, else the one in the run's configuration, if it exists."""
    if given:
        return require_dataset(given).absolute()
    resolved = out / "logs" / "config.yaml"
    stated = read_yaml(resolved).get("bids") if resolved.is_file() else None
    return Path(stated) if stated and Path(stated).is_dir() else None


def dependencies(options: argparse.Namespace) -> int:
    """List all required packages with their licences, and known vulnerabilities."""
    from virtualbrain.pipeline.dependencies import installed, vulnerabilities

    packages = installed()
    if options.sbom:
        from virtualbrain.pipeline.bill_of_materials import bill_of_materials

        write_text(Path(options.sbom), bill_of_materials(packages))
        say(f"wrote a software bill of materials of {len(packages)} packages to {options.sbom}")
        return 0
    for package in packages:
        say(f"{package.name}\t{package.version}\t{package.licence}")
    for line in vulnerabilities():
        warn(line)
    return 0
