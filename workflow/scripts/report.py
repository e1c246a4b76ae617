"""Write the report of one patient."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.config import settings_from
    from virtualbrain.io.file_settings import FileSettings
    from virtualbrain.io.patient_search import find_patient
    from virtualbrain.io.results import load_results
    from virtualbrain.report.build import build_report

    label, params = snakemake.wildcards.label, snakemake.params
    which = settings_from(params.file_settings, FileSettings, "files")
    files = find_patient(params.bids, label, which)
    results = load_results(params.out, label, params.priors, files)
    build_report(results, Path(snakemake.output.report))
