"""Write the page over all patients."""

from virtualbrain.stage import stage

with stage(snakemake.log[0], snakemake.threads):
    from pathlib import Path

    from virtualbrain.io.clinical import read_outcome_classes
    from virtualbrain.io.results import load_results
    from virtualbrain.report.cohort import build_cohort, summary_of

    params = snakemake.params
    summaries = [
        summary_of(load_results(params.out, label, params.priors)) for label in params.labels
    ]
    build_cohort(summaries, snakemake.output[0], read_outcome_classes(Path(params.bids)))
