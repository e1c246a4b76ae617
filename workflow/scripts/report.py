"""Write the report of one patient."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.io.bids import find_patient
    from virtualbrain.io.results import load_results
    from virtualbrain.report.build import build_report

    label, params = snakemake.wildcards.label, snakemake.params
    results = load_results(params.out, label, params.priors, find_patient(params.bids, label))
    build_report(results, Path(snakemake.output.report))
