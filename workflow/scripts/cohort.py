"""Write the page and the table over all patients."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.cohort.table import cohort_frame
    from virtualbrain.io.clinical import read_outcome_classes
    from virtualbrain.io.results import load_results
    from virtualbrain.io.tables import write_table
    from virtualbrain.report.cohort import build_cohort, summary_of

    params, output = snakemake.params, snakemake.output
    frame = cohort_frame(params.out, params.labels, params.priors[0])
    about = {"Sources": [f"sub-{label}" for label in params.labels]}
    write_table(output.table, frame, about)
    summaries = [
        summary_of(load_results(params.out, label, params.priors)) for label in params.labels
    ]
    build_cohort(summaries, output.page, read_outcome_classes(Path(params.bids)))
