"""Write the report on all patients and their table."""

from virtualbrain.pipeline.job import run_job

with run_job(snakemake):
    from pathlib import Path

    from virtualbrain.cohort.report import write_cohort_report
    from virtualbrain.cohort.table import cohort_frame
    from virtualbrain.io.tables import write_table

    params, output = snakemake.params, snakemake.output
    frame = cohort_frame(params.out, params.labels, params.priors[0])
    about = {"Sources": [f"sub-{label}" for label in params.labels]}
    write_table(output.table, frame, about)
    write_cohort_report(
        params.out, params.labels, params.priors, Path(params.bids), Path(output.page)
    )
